/// The sampler of continuous soft Q-learning on known densities: independent samples of the trained
/// network, their moments and chi-square.
///
/// The critic is constructed, not learned: a sum of piecewise linear functions of one direction
/// each, which a network of rectifiers represents exactly. Its optimizer has second moments so
/// large that it does not move. Moments and probabilities of cells are sums over a grid of the
/// critic's own values.
#include "celsius/agent.h"
#include "celsius/rng.h"
#include "celsius/sqlc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HIDDEN = 64, DRAWS = 4000, GRID = 400, CELLS = 8, UPDATES = 4000 };

/// The logarithm of a mixture of n Gaussians along a direction; n = 0: flat.
typedef struct Along {
  double direction[2];
  int n;
  double weight[2], mean[2], sd[2];
} Along;

typedef struct Density {
  const char *name;
  int64_t A;
  Along along[2]; ///< one for each dimension
} Density;

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

static double log_mixture(const Along *a, double x) {
  double sum = 0;
  for (int c = 0; c < a->n; c++) {
    const double z = (x - a->mean[c]) / a->sd[c];
    sum += a->weight[c] / a->sd[c] * exp(-0.5 * z * z);
  }
  return a->n > 0 ? log(sum + 1e-300) : 0;
}

// ---- an agent whose critic is the logarithm of the density

static float *tensor(CelAgent *agent, const char *name) {
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), name);
  if (!t) fail_msg("there is no tensor %s", name);
  return t->data;
}

/// Rectifier h of the first layer is [d x - knot]_+. The second layer passes it on. The last adds
/// the changes of the slopes.
static void write_critic(CelAgent *agent, const Density *p) {
  const int64_t each = HIDDEN / p->A;
  float *W0 = tensor(agent, "critic.0.weight"), *b0 = tensor(agent, "critic.0.bias"),
        *W1 = tensor(agent, "critic.1.weight"), *b1 = tensor(agent, "critic.1.bias"),
        *W2 = tensor(agent, "critic.2.weight"), *b2 = tensor(agent, "critic.2.bias");
  memset(W0, 0, (size_t)((1 + p->A) * HIDDEN) * sizeof *W0);
  memset(W1, 0, HIDDEN * HIDDEN * sizeof *W1);
  memset(b1, 0, HIDDEN * sizeof *b1);
  *b2 = 0;
  for (int64_t k = 0; k < p->A; k++) {
    const Along *a = &p->along[k];
    const double reach = fabs(a->direction[0]) + fabs(a->direction[1]),
                 step = 2 * reach / (double)each;
    double before = 0;
    *b2 += (float)log_mixture(a, -reach);
    for (int64_t i = 0; i < each; i++) {
      const int64_t h = k * each + i;
      const double knot = -reach + step * (double)i,
                   slope = (log_mixture(a, knot + step) - log_mixture(a, knot)) / step;
      for (int64_t c = 0; c < p->A; c++) W0[(1 + c) * HIDDEN + h] = (float)a->direction[c];
      b0[h] = (float)-knot, W1[h * HIDDEN + h] = 1, W2[h] = (float)(slope - before);
      before = slope;
    }
  }
}

static void hold_critic(CelAgent *agent) {
  CelTensors *tensors = cel_agent_tensors(agent);
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role != CEL_MOMENT2 || !strstr(t->name, "critic")) continue;
    for (int64_t k = 0; k < t->size; k++) ((float *)t->data)[k] = 1e30f;
  }
}

/// One state, in which rewards do not matter.
static CelAgent *make(const Density *p, uint64_t seed) {
  CelSqlcConfig config = cel_sqlc_config_default();
  const CelSpace observation = cel_space_box(1, -1, 1), action = cel_space_box(p->A, -1, 1);
  const CelAgentOptions options = {.n_envs = 1, .seed = seed, .threads = 1};
  CelAgent *agent;
  config.common.net_arch = (CelIntList){.n = 2, .v = {HIDDEN, HIDDEN}};
  config.common.batch_size = 16, config.common.learning_starts = 1, config.common.buffer_size = 100;
  config.common.tau = 0, config.ent_coef = 1;
  config.fixed_particles = config.updated_particles = 32, config.value_particles = 1;
  ok(cel_fields_set(cel_sqlc_fields(), &config, "learning_rate", "1e-3"));
  ok(cel_agent_create(&agent, "sqlc", &config, &observation, &action, &options));
  for (int t = 0; t < 20; t++) {
    const float obs = 0, reward = 0;
    const uint8_t terminated = 1, truncated = 0;
    float a[2];
    const CelOutcome outcome = {&reward, &terminated, &truncated, &obs, &obs};
    ok(cel_agent_act(agent, &obs, NULL, CEL_EXPLORE, a));
    ok(cel_agent_observe(agent, &outcome));
  }
  write_critic(agent, p);
  hold_critic(agent);
  ok(cel_agent_sync(agent));
  return agent;
}

// ---- moments and cells of the density, and of the samples

typedef struct Numbers {
  double mean[2], sd[2];       ///< along each direction
  double share[CELLS * CELLS]; ///< of each cell, CELLS for each direction
} Numbers;

/// Adds a point with this weight.
static void add(const Density *p, Numbers *out, const double *a, double weight) {
  int64_t cell = 0;
  for (int64_t k = 0; k < p->A; k++) {
    const double *d = p->along[k].direction, reach = fabs(d[0]) + fabs(d[1]),
                 x = d[0] * a[0] + (p->A > 1 ? d[1] * a[1] : 0);
    int64_t at = (int64_t)((x + reach) / (2 * reach) * CELLS);
    at = at < 0 ? 0 : at >= CELLS ? CELLS - 1 : at;
    cell = cell * CELLS + at;
    out->mean[k] += weight * x, out->sd[k] += weight * x * x;
  }
  out->share[cell] += weight;
}

static void finish(Numbers *out) {
  for (int k = 0; k < 2; k++) out->sd[k] = sqrt(fmax(out->sd[k] - out->mean[k] * out->mean[k], 0));
}

/// Sums of exp(Q) over the centers of the cells of a grid.
static Numbers expected(const Density *p, CelAgent *agent) {
  const int64_t n = GRID * GRID, line = p->A == 1 ? n : GRID;
  float *obs = calloc((size_t)n, sizeof *obs), *q = calloc((size_t)n, sizeof *q),
        *a = calloc((size_t)(n * p->A), sizeof *a);
  Numbers out = {0};
  double Z = 0;
  assert_true(obs && q && a);
  for (int64_t i = 0; i < n; i++) {
    a[i * p->A] = (float)(-1 + (2 * (double)(i % line) + 1) / (double)line);
    if (p->A > 1) a[i * 2 + 1] = (float)(-1 + (2 * (double)(i / line) + 1) / (double)line);
  }
  ok(cel_agent_q(agent, obs, a, n, q));
  for (int64_t i = 0; i < n; i++) Z += exp((double)q[i]);
  for (int64_t i = 0; i < n; i++) {
    const double at[2] = {(double)a[i * p->A], p->A > 1 ? (double)a[i * 2 + 1] : 0};
    add(p, &out, at, exp((double)q[i]) / Z);
  }
  finish(&out);
  free(obs), free(q), free(a);
  return out;
}

static Numbers drawn(const Density *p, CelAgent *agent) {
  static float obs[DRAWS], a[DRAWS * 2];
  Numbers out = {0};
  ok(cel_agent_draw(agent, obs, DRAWS, 99, 0, a));
  for (int64_t i = 0; i < DRAWS; i++) {
    const double at[2] = {(double)a[i * p->A], p->A > 1 ? (double)a[i * 2 + 1] : 0};
    add(p, &out, at, 1.0 / DRAWS);
  }
  finish(&out);
  return out;
}

/// Chi-square divided by the number of samples. Cells with fewer than 5 expected samples are
/// merged; *cells is the remaining number.
static double chi_square(const Numbers *have, const Numbers *want, int *cells) {
  double sum = 0, rest_have = 0, rest_want = 0;
  *cells = 0;
  for (int i = 0; i < CELLS * CELLS; i++) {
    if (want->share[i] * DRAWS < 5) {
      rest_have += have->share[i], rest_want += want->share[i];
      continue;
    }
    sum += pow(have->share[i] - want->share[i], 2) / want->share[i], ++*cells;
  }
  if (rest_want * DRAWS >= 5) sum += pow(rest_have - rest_want, 2) / rest_want, ++*cells;
  return sum;
}

/// Chi-square per sample after training.
static double train_and_compare(const Density *p, Numbers *want, Numbers *have, int *cells) {
  const char *seed = getenv("CELSIUS_FIRST_SEED");
  CelAgent *agent = make(p, seed ? strtoull(seed, NULL, 10) : 1);
  *want = expected(p, agent);
  ok(cel_agent_update_n(agent, UPDATES));
  const Numbers still = expected(p, agent);
  *have = drawn(p, agent);
  for (int64_t k = 0; k < p->A; k++) assert_true(fabs(still.sd[k] - want->sd[k]) < 1e-9);
  const double chi = chi_square(have, want, cells);
  print_message("%s:", p->name);
  for (int64_t k = 0; k < p->A; k++)
    print_message(" mean %.3f (%.3f), deviation %.3f (%.3f);", have->mean[k], want->mean[k],
                  have->sd[k], want->sd[k]);
  print_message(" chi-square %.0f of %d draws in %d cells\n", chi * DRAWS, DRAWS, *cells);
  cel_agent_destroy(agent);
  return chi;
}

/// Limits for mean and deviation, relative to the density's deviations, and for chi-square divided
/// by the number of samples. Exact samples would have about .03 and (cells - 1) / DRAWS, at most
/// .016. The sampler is an approximation and may have up to .1 and .04.
static const double MOMENT = 0.1, CHI = 0.04;
#define R2 0.70710678118654752

static void test_densities(void **state) {
  (void)state;
  static const Density list[] = {
      {"flat, 1 dimension", 1, {{{1, 0}, 0, {0}, {0}, {0}}}},
      {"flat, 2 dimensions", 2, {{{1, 0}, 0, {0}, {0}, {0}}, {{0, 1}, 0, {0}, {0}, {0}}}},
      {"Gaussian, 1 dimension", 1, {{{1, 0}, 1, {1}, {0.2}, {0.25}}}},
      {"Gaussian, 2 dimensions, correlated",
       2,
       {{{R2, R2}, 1, {1}, {0.2}, {0.3}}, {{R2, -R2}, 1, {1}, {-0.1}, {0.15}}}},
      {"two modes alike", 1, {{{1, 0}, 2, {0.5, 0.5}, {-0.4, 0.4}, {0.2, 0.2}}}},
      {"overlapping modes, .3 and .7", 1, {{{1, 0}, 2, {0.3, 0.7}, {-0.4, 0.4}, {0.2, 0.2}}}},
      {"two modes alike, 2 dimensions",
       2,
       {{{R2, R2}, 2, {0.5, 0.5}, {-0.5, 0.5}, {0.2, 0.2}}, {{R2, -R2}, 1, {1}, {0}, {0.2}}}},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    Numbers want, have;
    int cells;
    const double chi = train_and_compare(&list[i], &want, &have, &cells);
    for (int64_t k = 0; k < list[i].A; k++)
      if (!(fabs(have.mean[k] - want.mean[k]) <= MOMENT * want.sd[k] &&
            fabs(have.sd[k] - want.sd[k]) <= MOMENT * want.sd[k]))
        fail_msg("%s: a moment along direction %d is off by more than %g deviations", list[i].name,
                 (int)k, MOMENT);
    if (!(chi <= CHI))
      fail_msg("%s: chi-square is %.3f per sample, more than %g", list[i].name, chi, CHI);
  }
}

/// A limit of the method: between modes far apart there is no slope, and the sampler stays at the
/// mode that it reached first.
static void test_modes_apart(void **state) {
  (void)state;
  static const Density apart = {
      "modes apart", 1, {{{1, 0}, 2, {0.5, 0.5}, {-0.6, 0.6}, {0.1, 0.1}}}};
  Numbers want, have;
  int cells;
  const double chi = train_and_compare(&apart, &want, &have, &cells);
  assert_true(chi > 0.5 && have.sd[0] < 0.25 * want.sd[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_densities),
                                     cmocka_unit_test(test_modes_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
