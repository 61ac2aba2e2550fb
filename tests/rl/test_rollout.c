/// Rollouts compared with golden data (tests/golden/numpy_gae.py): advantages, returns, discounts,
/// with terminated and truncated episodes and both. Then episodes that the caller cuts off, ages,
/// and refused calls.
#include "celsius/safetensors.h"
#include "rl/rollout.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Rig {
  CelSpace observation, action;
  CelTensors *tensors;
  CeliNormalizer norm;
  CeliPolicy policy;
  CeliNet critic; ///< a linear function
  CeliRollout r;
  float *weight; ///< (T, N) discounts
} Rig;

static void check_ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

static void rig_create(Rig *rig, int64_t T, int64_t N, int64_t O) {
  const CeliMlpSpec line = {.E = 1, .in = O, .out = 1, .output_gain = 1};
  const int64_t shape[] = {T, N};
  CeliPolicyOptions options = {.net = line};
  memset(rig, 0, sizeof *rig);
  rig->observation = cel_space_box(O, -HUGE_VAL, HUGE_VAL), rig->action = cel_space_discrete(2);
  check_ok(cel_tensors_create(&rig->tensors));
  check_ok(celi_policy_dist(&options.dist, &rig->action));
  celi_policy_set(&rig->policy, &options, &rig->observation, &rig->action);
  check_ok(celi_policy_declare_network(&rig->policy, rig->tensors));
  check_ok(celi_mlp_declare(&rig->critic, rig->tensors, "critic", CEL_PARAM, &line));
  check_ok(celi_normalizer_declare(&rig->norm, rig->tensors, false, false, O, N, 10, 10, 1));
  check_ok(celi_policy_declare_rollout(&rig->policy, rig->tensors, &rig->norm, N, T, 3));
  check_ok(celi_rollout_declare(&rig->r, rig->tensors, &rig->policy, &rig->critic, &rig->norm));
  check_ok(
      cel_tensors_declare(rig->tensors, "weight", CEL_F32, CEL_SCRATCH, &rig->weight, 2, shape));
  check_ok(cel_tensors_allocate(rig->tensors));
  celi_normalizer_reset(&rig->norm);
  celi_policy_init(&rig->policy, 0);
}

/// Ends the plan and runs it.
static void run(CeliPlan *plan, int threads) {
  CeliTeam *team;
  check_ok(celi_plan_end(plan));
  check_ok(celi_team_create(&team, threads));
  check_ok(celi_plan_run(plan, team));
  celi_team_destroy(team);
  celi_plan_destroy(plan);
}

/// Golden tensor "CASE.NAME", or "CASE.NAME.LAMBDA".
static const CelTensor *golden(const CelSafetensors *file, const char *name, const char *what,
                               const char *lambda) {
  char key[CEL_NAME_MAX];
  snprintf(key, sizeof key, "%s.%s%s%s", name, what, lambda ? "." : "", lambda ? lambda : "");
  const CelTensor *tensor = cel_safetensors_find(file, key);
  if (tensor == NULL) fail_msg("no golden tensor \"%s\"", key);
  return tensor;
}

static void assert_golden(const float *got, const CelTensor *want) {
  const double *x = want->data;
  assert_int_equal(want->type, CEL_F64);
  for (int64_t i = 0; i < want->size; i++)
    if (!(fabs((double)got[i] - x[i]) <= 1e-5 * (1 + fabs(x[i]))))
      fail_msg("%s: %lld is %.9g, not %.9g", want->name, (long long)i, (double)got[i], x[i]);
}

/// The golden rollout, pushed step by step.
static void push_golden(Rig *rig, const CelSafetensors *file, const char *name) {
  CeliRollout *r = &rig->r;
  const float *obs = golden(file, name, "obs", NULL)->data,
              *final_obs = golden(file, name, "final_obs", NULL)->data,
              *reward = golden(file, name, "reward", NULL)->data;
  const uint8_t *terminated = golden(file, name, "terminated", NULL)->data,
                *truncated = golden(file, name, "truncated", NULL)->data;
  int32_t actions[64];
  assert_true(r->N <= 64);
  memcpy(rig->critic.node[0].param[0], golden(file, name, "weight", NULL)->data,
         (size_t)r->O * sizeof(float));
  memcpy(rig->critic.node[0].param[1], golden(file, name, "bias", NULL)->data, sizeof(float));
  for (int64_t t = 0; t < r->T; t++) {
    const CelOutcome outcome = {.reward = reward + t * r->N,
                                .terminated = terminated + t * r->N,
                                .truncated = truncated + t * r->N,
                                .obs = obs + (t + 1) * r->N * r->O,
                                .final_obs = final_obs + t * r->N * r->O};
    assert_false(celi_rollout_full(r));
    check_ok(celi_rollout_act(r, &rig->policy, &rig->norm, obs + t * r->N * r->O, NULL, actions));
    for (int64_t i = 0; i < r->N; i++) assert_in_range(actions[i], 0, 1);
    check_ok(celi_rollout_observe(r, &outcome));
  }
  assert_true(celi_rollout_full(r));
}

static void plan_and_run(Rig *rig, double gamma, double lambda, bool normalize, int threads) {
  CeliPlan *plan;
  check_ok(celi_plan_create(&plan));
  celi_rollout_plan_rewards(plan, &rig->r, &rig->norm);
  celi_rollout_plan_values(plan, &rig->r);
  celi_rollout_plan_gae(plan, &rig->r, gamma, lambda);
  celi_rollout_plan_discount(plan, &rig->r, gamma, rig->weight);
  if (normalize) celi_rollout_plan_normalize(plan, &rig->r);
  run(plan, threads);
}

static void check_lambda(Rig *rig, const CelSafetensors *file, const char *name, double gamma,
                         const char *lambda) {
  const CeliRollout *r = &rig->r;
  const size_t bytes = (size_t)(r->T * r->N) * sizeof(float);
  const double explained = *(const double *)golden(file, name, "explained", lambda)->data;
  plan_and_run(rig, gamma, strtod(lambda, NULL), false, 1);
  assert_golden(r->advantage, golden(file, name, "advantage", lambda));
  assert_golden(r->returns, golden(file, name, "returns", lambda));
  assert_golden(rig->weight, golden(file, name, "discount", NULL));
  assert_true(fabs(celi_rollout_explained_variance(r) - explained) < 1e-5);
  plan_and_run(rig, gamma, strtod(lambda, NULL), true, 1);
  assert_golden(r->advantage, golden(file, name, "normalized", lambda));
  float *one = malloc(bytes);
  assert_non_null(one);
  memcpy(one, r->advantage, bytes);
  for (int threads = 2; threads <= 3; threads++) {
    memset(r->advantage, 0, bytes);
    plan_and_run(rig, gamma, strtod(lambda, NULL), true, threads);
    assert_memory_equal(one, r->advantage, bytes);
  }
  free(one);
}

static void check_golden(const char *name) {
  static const char *const lambdas[] = {"0", "0.95", "1"};
  CelSafetensors *file;
  Rig rig;
  check_ok(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/numpy_gae.safetensors", &file));
  const int64_t *shape = golden(file, name, "final_obs", NULL)->shape;
  const CelTensor *gamma = cel_safetensors_find(file, "gamma");
  assert_non_null(gamma);
  rig_create(&rig, shape[0], shape[1], shape[2]);
  push_golden(&rig, file, name);
  for (int i = 0; i < 3; i++)
    check_lambda(&rig, file, name, *(const double *)gamma->data, lambdas[i]);
  cel_tensors_destroy(rig.tensors);
  cel_safetensors_close(file);
}

static void test_golden_few(void **state) {
  (void)state;
  check_golden("few");
}

/// More rows than one block of values, and more environments than one part.
static void test_golden_many(void **state) {
  (void)state;
  check_golden("many");
}

/// One step of both environments from `obs`; no episode ends.
static void step(Rig *rig, const float *obs, const uint8_t *start, const float *next) {
  static const uint8_t no[] = {0, 0};
  static const float reward[] = {1, 1};
  const CelOutcome outcome = {.reward = reward, .terminated = no, .truncated = no, .obs = next};
  int32_t actions[2];
  check_ok(celi_rollout_act(&rig->r, &rig->policy, &rig->norm, obs, start, actions));
  check_ok(celi_rollout_observe(&rig->r, &outcome));
}

/// An observation that differs from the reported one, or an episode_start, cuts off the episode at
/// the last reported observation.
static void test_cut_from_outside(void **state) {
  (void)state;
  static const float a[] = {1, 2}, b[] = {3, 4}, moved[] = {3, 9}, c[] = {5, 6};
  static const uint8_t start[] = {1, 0};
  Rig rig;
  rig_create(&rig, 3, 2, 1);
  step(&rig, a, NULL, b);
  step(&rig, moved, NULL, c); // environment 1 is somewhere else
  step(&rig, c, start, a);    // environment 0 starts anew, with the same observation
  const uint8_t want[] = {0, 1, 1, 0, 0, 0};
  assert_memory_equal(rig.r.truncated, want, sizeof want);
  assert_true(rig.r.final_obs[1] == 4 && rig.r.final_obs[2] == 5);
  assert_true(rig.r.obs[3] == 9);
  rig.critic.node[0].param[0][0] = 2, rig.critic.node[0].param[1][0] = 1;
  plan_and_run(&rig, 0.5, 1, false, 1);
  // Environment 1: 1 + 0.5 V(4) - V(2), not V(9), and nothing from later steps.
  assert_true(rig.r.advantage[1] == 1 + 0.5f * 9 - 5);
  assert_true(rig.r.final_value[1] == 9 && rig.r.final_value[2] == 11);
  cel_tensors_destroy(rig.tensors);
}

/// Discounts continue with the episode, across the end of a rollout. A cut between two rollouts
/// restarts them.
static void test_ages(void **state) {
  (void)state;
  static const float a[] = {1, 2}, b[] = {3, 4}, moved[] = {3, 9};
  Rig rig;
  rig_create(&rig, 2, 2, 1);
  step(&rig, a, NULL, a);
  step(&rig, a, NULL, b);
  celi_rollout_next(&rig.r, &rig.policy, &rig.norm);
  assert_false(celi_rollout_full(&rig.r));
  assert_true(rig.r.age[0] == 2 && rig.r.age[1] == 2);
  step(&rig, moved, NULL, a);
  step(&rig, a, NULL, a);
  plan_and_run(&rig, 0.5, 1, false, 1);
  const float want[] = {0.25f, 1, 0.125f, 0.5f};
  assert_memory_equal(rig.weight, want, sizeof want);
  cel_tensors_destroy(rig.tensors);
}

static void test_refused(void **state) {
  (void)state;
  static const float a[] = {1, 2};
  static const uint8_t no[] = {0, 0};
  const CelOutcome outcome = {.reward = a, .terminated = no, .truncated = no, .obs = a};
  int32_t actions[2];
  Rig rig;
  rig_create(&rig, 1, 2, 1);
  assert_int_equal(celi_rollout_observe(&rig.r, &outcome), CEL_E_STATE);
  step(&rig, a, NULL, a);
  assert_int_equal(celi_rollout_observe(&rig.r, &outcome), CEL_E_STATE);
  assert_int_equal(celi_rollout_act(&rig.r, &rig.policy, &rig.norm, a, NULL, actions), CEL_E_STATE);
  assert_non_null(strstr(cel_error(), "full"));
  check_ok(celi_rollout_check(&rig.r));
  *rig.r.filled = 2;
  assert_int_equal(celi_rollout_check(&rig.r), CEL_E_CORRUPT);
  *rig.r.filled = -1;
  assert_int_equal(celi_rollout_check(&rig.r), CEL_E_CORRUPT);
  rig.policy.T = INT32_MAX;
  assert_int_equal(celi_rollout_declare(&rig.r, rig.tensors, &rig.policy, &rig.critic, &rig.norm),
                   CEL_E_RANGE);
  cel_tensors_destroy(rig.tensors);
}

/// Returns without variance explain nothing.
static void test_constant_returns(void **state) {
  (void)state;
  static const float a[] = {1, 2};
  Rig rig;
  rig_create(&rig, 2, 2, 1);
  step(&rig, a, NULL, a);
  step(&rig, a, NULL, a);
  rig.critic.node[0].param[0][0] = 0, rig.critic.node[0].param[1][0] = 0;
  plan_and_run(&rig, 0, 0, true, 1);
  for (int i = 0; i < 4; i++) assert_true(rig.r.returns[i] == 1 && rig.r.advantage[i] == 0);
  assert_true(isnan(celi_rollout_explained_variance(&rig.r)));
  cel_tensors_destroy(rig.tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_golden_few),       cmocka_unit_test(test_golden_many),
      cmocka_unit_test(test_cut_from_outside), cmocka_unit_test(test_ages),
      cmocka_unit_test(test_refused),          cmocka_unit_test(test_constant_returns),
  };
  return cmocka_run_group_tests_name("rl/rollout", tests, NULL, NULL);
}
