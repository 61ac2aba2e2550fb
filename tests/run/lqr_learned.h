/// A learned policy against the exact one: a Gaussian learner on the linear-quadratic regulator at a fixed temperature.
///
/// The soft-optimal policy is N(-K x, Sigma), and an unsquashed Gaussian can represent it, so learning
/// should end there. After training with the preset, states are collected under the learned policy; the gain is
/// the least-squares fit of its mean to them, the covariance and entropy are means over them.
/// Source: [maximum-entropy, 8.25]; tolerances: gain 5% (Frobenius), covariance 10%, entropy .05 nat a dimension.
#ifndef LQR_LEARNED_H
#define LQR_LEARNED_H
#include "celsius/lqr.h"
#include "trained.h"

#include <math.h>
#include <string.h>

enum { STATES = 4000, N_MAX = CEL_LQR_MAX };

/// Solves M X = Y for symmetric positive definite M (n,n), Y (n,m), in place, by Gauss-Jordan.
static void solve(double *M, double *Y, int n, int m) {
  for (int k = 0; k < n; k++)
    for (int i = 0; i < n; i++) {
      if (i == k) continue;
      const double f = M[i * n + k] / M[k * n + k];
      for (int j = 0; j < n; j++) M[i * n + j] -= f * M[k * n + j];
      for (int j = 0; j < m; j++) Y[i * m + j] -= f * Y[k * m + j];
    }
  for (int k = 0; k < n; k++)
    for (int j = 0; j < m; j++) Y[k * m + j] /= M[k * n + k];
}

typedef struct Learned {
  double K[N_MAX * N_MAX], variance[N_MAX],
      entropy; ///< gain (m,n), diagonal of the covariance (m,), nats
} Learned;

/// Runs the learned stochastic policy and fits what it does.
static void measure(CelAgent *agent, const CelEnvSpec *spec, int n, int m, Learned *out) {
  double xx[N_MAX * N_MAX] = {0}, xu[N_MAX * N_MAX] = {0};
  CelVecEnv env;
  CelTensors *tensors;
  float actions[N_MAX];
  memset(out, 0, sizeof *out);
  ok(cel_tensors_create(&tensors));
  ok(cel_vecenv_declare(&env, tensors, "test", spec, 1, 99, CEL_RNG_EVAL, 0));
  ok(cel_tensors_allocate(tensors));
  ok(cel_vecenv_reset(&env));
  for (int t = 0; t < STATES; t++) {
    const float *x = (const float *)env.obs;
    float mean[N_MAX], sd[N_MAX];
    bool squashed;
    ok(cel_agent_gaussian(agent, x, 1, mean, sd, &squashed));
    assert_false(squashed);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) xx[i * n + j] += (double)x[i] * (double)x[j];
      for (int a = 0; a < m; a++) xu[i * m + a] += (double)x[i] * (double)mean[a];
    }
    for (int a = 0; a < m; a++) {
      out->variance[a] += (double)sd[a] * (double)sd[a] / STATES;
      out->entropy += (log((double)sd[a]) + 0.5 * log(2 * 3.14159265358979323846) + 0.5) / STATES;
    }
    ok(cel_agent_act(agent, x, NULL, CEL_SAMPLE, actions));
    ok(cel_vecenv_step(&env, actions, 0, 1));
  }
  solve(xx, xu, n, m);
  for (int a = 0; a < m; a++)
    for (int i = 0; i < n; i++) out->K[a * n + i] = -xu[i * m + a];
  cel_tensors_destroy(tensors);
}

/// |a - b| / |b|, Frobenius.
static double relative(const double *a, const double *b, int n) {
  double difference = 0, norm = 0;
  for (int i = 0; i < n; i++) difference += (a[i] - b[i]) * (a[i] - b[i]), norm += b[i] * b[i];
  return sqrt(difference / norm);
}

/// A field of the algorithm's config as a number.
static double number(const CelSetup *setup, const char *field) {
  char text[64];
  assert_in_range(cel_fields_get(setup->algo->fields, setup->algo_config, field, text, sizeof text),
                  1, sizeof text - 1);
  return strtod(text, NULL);
}

static void train_and_compare(const char *algo, const char *problem, uint64_t seed) {
  CelEnvSpec *spec;
  CelLqr lqr;
  CelLqrSolution exact;
  Learned learned;
  CelSetup *setup = preset(algo, "LQR-v0");
  ok(cel_setup_set(setup, "env.problem", problem));
  ok(cel_env_spec_create(&spec, "LQR-v0", (char *)setup->env_args + sizeof(CelEnvOptions),
                         setup->env_args));
  CelAgent *agent = trained(setup, spec, seed);
  ok(cel_lqr_of_env(spec, &lqr));
  ok(cel_lqr_solve(&lqr, number(setup, "gamma"), number(setup, "ent_coef"), &exact));
  measure(agent, spec, lqr.n, lqr.m, &learned);
  double diagonal[N_MAX * N_MAX] = {0};
  for (int a = 0; a < lqr.m; a++) diagonal[a * lqr.m + a] = learned.variance[a];
  const double gain = relative(learned.K, exact.K, lqr.m * lqr.n);
  const double covariance = relative(diagonal, exact.Sigma, lqr.m * lqr.m);
  const double entropy = fabs(learned.entropy - exact.entropy) / lqr.m;
  print_message("%s on %s, seed %d: gain off by %.1f%%, covariance by %.1f%%, entropy by %.3f nat "
                "a dimension\n",
                algo, problem, (int)seed, 100 * gain, 100 * covariance, entropy);
  if (!(gain <= 0.05)) fail_msg("gain off by %.3f", gain);
  if (!(covariance <= 0.10)) fail_msg("covariance off by %.3f", covariance);
  if (!(entropy <= 0.05)) fail_msg("entropy off by %.3f nat a dimension", entropy);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

#endif
