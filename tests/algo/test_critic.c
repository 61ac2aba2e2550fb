/// Critics of soft actor-critic: the truncated target against a sort, its mean, NaN; Q of a trained
/// agent; files that leave defaults out; invalid settings.
#include "algo/critic.h"
#include "celsius/agent.h"
#include "celsius/rng.h"
#include "celsius/sac.h"
#include "celsius/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { B = 19, E_MAX = 5, M_MAX = 25, O = 3, A = 2 };

static float Z[E_MAX * B * M_MAX], reward[B], discount[B], logp[B], weight[2 * B], between[2 * B];
static const float alpha = 0.3f;

static void fill(float *x, int64_t n, uint32_t stream) {
  CelRng rng = cel_rng(3, CEL_RNG_USER, stream);
  for (int64_t i = 0; i < n; i++) x[i] = (float)cel_rng_normal(&rng);
}

static CeliCriticBatch batch(int64_t mid) {
  fill(Z, E_MAX * B * M_MAX, 0), fill(reward, B, 1), fill(discount, B, 2), fill(logp, B, 3);
  fill(weight, 2 * B, 4), fill(between, 2 * B, 5);
  return (CeliCriticBatch){.B = B,
                           .reward = reward,
                           .discount = discount,
                           .logp = logp,
                           .alpha = &alpha,
                           .mid = mid,
                           .mid_weight = weight,
                           .mid_logp = between};
}

static int ascending(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

/// r + d (z - alpha log pi') - alpha sum of the entropies between, in double precision.
static double soft(const CeliCriticBatch *x, int64_t b, double z) {
  double y = (double)reward[b] + (double)discount[b] * (z - (double)alpha * (double)logp[b]);
  for (int64_t m = 0; m < x->mid; m++)
    y -= (double)alpha * (double)weight[m * B + b] * (double)between[m * B + b];
  return y;
}

/// The E M quantiles of a row, sorted.
static void pool(const CeliCriticHead *head, float *out, int64_t b) {
  for (int64_t e = 0; e < head->E; e++)
    memcpy(out + e * head->M, Z + (e * B + b) * head->M, (size_t)head->M * sizeof *out);
  qsort(out, (size_t)(head->E * head->M), sizeof *out, ascending);
}

static void check_target(int64_t E, int64_t M, int64_t drop, int64_t mid) {
  const CeliCriticHead head = {.kind = CEL_CRITIC_QUANTILE, .E = E, .M = M, .drop = drop};
  const int64_t K = celi_critic_targets(&head);
  const CeliCriticBatch x = batch(mid);
  float y[B * E_MAX * M_MAX], sorted[E_MAX * M_MAX];
  assert_int_equal(K, E * M - drop);
  celi_critic_target(&head, y, Z, &x, 0, 7);
  celi_critic_target(&head, y, Z, &x, 7, B);
  for (int64_t b = 0; b < B; b++) {
    double mean = 0, expected = 0;
    pool(&head, sorted, b);
    if (discount[b] < 0) continue; // reverses the order
    qsort(y + b * K, (size_t)K, sizeof *y, ascending);
    for (int64_t i = 0; i < K; i++) {
      const double wanted = soft(&x, b, (double)sorted[i]);
      assert_true(fabs((double)y[b * K + i] - wanted) < 1e-5);
      mean += (double)y[b * K + i] / (double)K, expected += (double)sorted[i] / (double)K;
    }
    assert_true(fabs(mean - soft(&x, b, expected)) < 1e-5);
  }
}

/// Without truncation, the mean of the target is the soft Bellman backup of the critics' mean.
static void test_targets(void **state) {
  (void)state;
  check_target(2, 25, 4, 0);
  check_target(5, 5, 10, 2);
  check_target(1, 1, 0, 0);
  check_target(3, 7, 20, 1);
  check_target(2, 4, 0, 2);
}

static void test_nan_is_kept(void **state) {
  (void)state;
  const CeliCriticHead head = {.kind = CEL_CRITIC_QUANTILE, .E = 2, .M = 3, .drop = 4};
  for (int at = 0; at < 6; at++) {
    const CeliCriticBatch x = batch(0);
    float y[B * 2];
    bool nan = false;
    Z[(at / 3 * B + 4) * 3 + at % 3] = NAN; // of row 4
    celi_critic_target(&head, y, Z, &x, 0, B);
    for (int i = 0; i < 2; i++) nan = nan || isnan(y[4 * 2 + i]);
    assert_true(nan && !isnan(y[3 * 2]) && !isnan(y[5 * 2]));
  }
}

static void test_objective(void **state) {
  (void)state;
  const CeliCriticHead head = {.kind = CEL_CRITIC_QUANTILE, .E = 3, .M = 4};
  const CeliCriticBatch x = batch(0);
  float dZ[3 * B * 4], q[B], loss[B], value[3 * B * 4];
  celi_critic_objective(&head, dZ, q, loss, Z, &x, 0, 5);
  celi_critic_objective(&head, dZ, q, loss, Z, &x, 5, B);
  memcpy(value, Z, sizeof value);
  celi_critic_value(&head, value, value, B);
  for (int64_t b = 0; b < B; b++) {
    double mean = 0;
    for (int64_t e = 0; e < 3; e++)
      for (int64_t j = 0; j < 4; j++) mean += (double)Z[(e * B + b) * 4 + j] / 12;
    assert_true(fabs((double)q[b] - mean) < 1e-6 && value[b] == q[b]);
    assert_true(fabs((double)loss[b] - ((double)alpha * (double)logp[b] - mean)) < 1e-6);
  }
  for (int i = 0; i < 3 * B * 4; i++) assert_true(fabs((double)dZ[i] + 1.0 / (12 * B)) < 1e-9);
}

// ---- agents

static CelStatus create(CelAgent **agent, CelCriticKind kind, int64_t drop) {
  CelSacConfig config = cel_sac_config_default();
  config.common.net_arch = (CelIntList){1, {8}};
  config.common.buffer_size = 50, config.common.batch_size = 4;
  config.critic = kind, config.n_quantiles = 6, config.top_quantiles_to_drop_per_net = drop;
  const CelSpace observation = cel_space_box(O, -10, 10), action = cel_space_box(A, -2, 2);
  const CelAgentOptions options = {.n_envs = 1, .seed = 1, .threads = 1};
  return cel_agent_create(agent, "sac", &config, &observation, &action, &options);
}

static void test_too_many_are_dropped(void **state) {
  (void)state;
  CelAgent *agent;
  assert_int_equal(create(&agent, CEL_CRITIC_QUANTILE, 6), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "top_quantiles_to_drop_per_net is 6; it must be below"));
  assert_int_equal(create(&agent, CEL_CRITIC_MEAN, 6), CEL_OK); // not used
  cel_agent_destroy(agent);
}

/// cel_agent_q is the mean of all quantiles, so it moves by the mean of a shift of the biases.
static void test_q_is_the_mean(void **state) {
  (void)state;
  const float obs[O] = {0.5f, -1, 2}, action[A] = {0.25f, -1.5f};
  CelAgent *agent;
  float before, after;
  assert_int_equal(create(&agent, CEL_CRITIC_QUANTILE, 2), CEL_OK);
  assert_int_equal(cel_agent_q(agent, obs, action, 1, &before), CEL_OK);
  const CelTensor *bias = cel_tensors_find(cel_agent_tensors(agent), "critic.1.bias");
  assert_int_equal(bias->size, 2 * 6);
  ((float *)bias->data)[3] += 12; // one of 12 quantiles
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  assert_int_equal(cel_agent_q(agent, obs, action, 1, &after), CEL_OK);
  assert_true(fabs((double)(after - before) - 1) < 1e-5);
  cel_agent_destroy(agent);
}

/// Files of plain critics do not have the fields of quantile critics, so their bytes are those of
/// the version without them.
static void test_defaults_are_left_out(void **state) {
  (void)state;
  char path[] = "test_critic.XXXXXX";
  close(mkstemp(path));
  for (int quantile = 0; quantile < 2; quantile++) {
    CelAgent *agent;
    CelSafetensors *file;
    assert_int_equal(create(&agent, quantile ? CEL_CRITIC_QUANTILE : CEL_CRITIC_MEAN, 2), CEL_OK);
    if (cel_agent_save_model(agent, path) != CEL_OK) fail_msg("%s", cel_error());
    if (cel_safetensors_open(path, &file) != CEL_OK) fail_msg("%s", cel_error());
    const char *critic = cel_safetensors_meta(file, "config.critic");
    assert_true(quantile ? critic && strcmp(critic, "quantile") == 0 : critic == NULL);
    assert_non_null(cel_safetensors_meta(file, "config.n_quantiles")); // 6 is not its default
    assert_null(cel_safetensors_meta(file, "config.top_quantiles_to_drop_per_net"));
    cel_safetensors_close(file);
    cel_agent_destroy(agent);
  }
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_targets),       cmocka_unit_test(test_nan_is_kept),
      cmocka_unit_test(test_objective),     cmocka_unit_test(test_too_many_are_dropped),
      cmocka_unit_test(test_q_is_the_mean), cmocka_unit_test(test_defaults_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
