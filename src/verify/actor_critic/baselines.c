/// [actor-critic, 4.8-4.13]: what can be subtracted from Q without a change of the gradient.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"
#include <math.h>

// ---- 4.8-4.13: baselines

/// A random baseline b (CELI_FINITE_STEPS, n), a function of the state or (`of_action`) of the
/// pair.
static double *draw_baseline(CeliTrial *trial, const CeliFinite *f, bool of_action) {
  double *b = celi_take(trial, (int64_t)CELI_FINITE_STEPS * f->m.n);
  for (int t = 0; t < CELI_FINITE_STEPS; t++)
    for (int k = 0; k < f->m.n; k++) {
      const bool first = k == f->m.pair[f->m.state[k]];
      const int at = t * f->m.n + k;
      b[at] = of_action || first ? cel_rng_normal(&trial->rng) : b[at - 1];
    }
  return b;
}

/// out (n) = sum_t gamma^t E[grad log pi b_t], with the learners' own pi and derivative. Each pair
/// is a batch row.
static CelStatus baseline_term(CeliTrial *trial, const CeliFinite *f, const double *b,
                               double *out) {
  const int n = f->m.n, A = f->m.A;
  double *head = celi_take(trial, (int64_t)n * A), *action = celi_take(trial, n);
  double *one = celi_take(trial, n), *zero = celi_take(trial, n), *logp = celi_take(trial, n);
  double *entropy = celi_take(trial, n), *d_head = celi_take(trial, (int64_t)n * A);
  for (int k = 0; k < n; k++) {
    action[k] = k - f->m.pair[f->m.state[k]], one[k] = 1;
    for (int a = 0; a < A; a++) head[k * A + a] = f->theta[f->m.pair[f->m.state[k]] + a];
  }
  const CeliScore score = {true, n, A, head, action, one, zero, logp, entropy, d_head};
  CELI_TRY(celi_library_score(&score));
  double discount = 1;
  for (int t = 0; t < CELI_FINITE_STEPS; t++, discount *= f->m.gamma)
    for (int k = 0; k < n; k++) {
      const int s = f->m.state[k];
      const double weight = discount * f->p[t * f->m.S + s] * exp(logp[k]) * b[t * n + k];
      for (int a = 0; a < A; a++) out[f->m.pair[s] + a] += weight * d_head[k * A + a];
    }
  return CEL_OK;
}

/// E[b] as a function of the logits, with the state distribution held fixed.
typedef struct Baseline {
  CeliTrial *trial;
  const CeliFinite *f;
  const double *b;
} Baseline;

static CeliComplex mean_of_baseline(const void *user, const CeliComplex *theta) {
  const Baseline *of = user;
  const CeliFinite *f = of->f;
  const size_t used = of->trial->used;
  CeliComplex *pi = celi_take_complex(of->trial, f->m.n), sum = 0;
  celi_complex_softmax(&f->m, theta, pi);
  double discount = 1;
  for (int t = 0; t < CELI_FINITE_STEPS; t++, discount *= f->m.gamma)
    for (int k = 0; k < f->m.n; k++)
      sum += discount * f->p[t * f->m.S + f->m.state[k]] * pi[k] * of->b[t * f->m.n + k];
  of->trial->used = used;
  return sum;
}

typedef enum Against { ZERO, DERIVATIVE } Against;

/// Compares the baseline's term with 0, or with d E[b]/d theta by complex steps.
static CelStatus baseline(CeliTrial *trial, bool of_action, Against against) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *left = celi_take(trial, f.m.n), *right = celi_take(trial, f.m.n);
  const double *b = draw_baseline(trial, &f, of_action);
  CELI_TRY(baseline_term(trial, &f, b, left));
  if (against == DERIVATIVE)
    celi_complex_gradient(trial, mean_of_baseline, &(Baseline){trial, &f, b}, f.theta, f.m.n,
                          right);
  celi_compare_all(trial, left, right, f.m.n, 1);
  return CEL_OK;
}

static CelStatus baseline_vanishes(CeliTrial *trial) {
  return baseline(trial, false, ZERO);
}
static CelStatus baseline_of_action(CeliTrial *trial) {
  return baseline(trial, true, ZERO);
}
static CelStatus baseline_is_derivative(CeliTrial *trial) {
  return baseline(trial, true, DERIVATIVE);
}

/// Compares E[grad log pi] of a Gaussian, in mean and log sd, with 0. The expectation is a
/// quadrature over the learners' density and derivative.
static CelStatus baseline_of_gaussian(CeliTrial *trial) {
  enum { NODES = 801 };
  const double mean = cel_rng_normal(&trial->rng), log_sd = .3 * cel_rng_normal(&trial->rng);
  const double step = 16 * exp(log_sd) / (NODES - 1);
  double *head = celi_take(trial, 2 * NODES), *action = celi_take(trial, NODES);
  double *one = celi_take(trial, NODES), *zero = celi_take(trial, NODES);
  double *logp = celi_take(trial, NODES), *entropy = celi_take(trial, NODES);
  double *d_head = celi_take(trial, 2 * NODES), sum[2] = {0};
  for (int i = 0; i < NODES; i++) {
    head[2 * i] = mean, head[2 * i + 1] = log_sd, one[i] = 1;
    action[i] = mean - 8 * exp(log_sd) + i * step;
  }
  const CeliScore score = {false, NODES, 1, head, action, one, zero, logp, entropy, d_head};
  CELI_TRY(celi_library_score(&score));
  for (int i = 0; i < NODES; i++)
    for (int k = 0; k < 2; k++) sum[k] += step * exp(logp[i]) * d_head[2 * i + k];
  for (int k = 0; k < 2; k++) celi_compare(trial, sum[k], 0, 1);
  return CEL_OK;
}

/// (4.10) as printed says grad J = 0.
static CelStatus printed_gradient_zero(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *zero = celi_take(trial, f.m.n), *gradient = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, true, gradient));
  celi_compare_all(trial, gradient, zero, f.m.n, 1);
  return CEL_OK;
}

static CelStatus gradient_with_baseline(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  for (int t = 0; t < CELI_FINITE_STEPS; t++)
    for (int s = 0; s < f.m.S; s++) {
      const double b = 10 * cel_rng_normal(&trial->rng);
      for (int k = f.m.pair[s]; k < f.m.pair[s + 1]; k++) f.Q[t * f.m.n + k] -= b;
    }
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, true, true),
                   celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus gradient_with_advantages(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  const double scale = celi_size(f.Q, f.m.n);
  celi_finite_advantages(&f);
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, true, true),
                   celi_finite_gradient(trial, &f), f.m.n, scale);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.8-4.10",
     "E[grad log pi b(x)] = 0: the learners' grad log pi summed over states and actions against 0 "
     "(float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 2e-6, 200, baseline_vanishes, 0x06b49e66},
    {"4.8-4.10",
     "E[grad log pi] = 0 for a Gaussian: the learners' grad log pi integrated by quadrature "
     "against 0 (float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-5, 16, baseline_of_gaussian, 0x667b3a7c},
    {"4.8-4.10", "E[grad log pi b(x,u)] is not 0 for a baseline that depends on the action",
     "celi_dist_plan_log_prob", CEL_CHECK_DIFFERS, 1e-5, 200, baseline_of_action, 0xf3078a57},
    {"4.8-4.10",
     "E[grad log pi b(x,u)] is the derivative of E[b]: the learners' grad log pi against complex "
     "steps (float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 5e-6, 200, baseline_is_derivative, 0xb6058135},
    {"4.8, 4.10", "printed: grad J = 0 does not hold", "cel_policy_gradient_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 200, printed_gradient_zero, 0xe56d0887},
    {"4.11",
     "a baseline b_t(x) does not change grad J: E[grad log pi (Q_t - b_t)] with the library's Q_t "
     "against complex steps",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_baseline, 0x9356b573},
    {"4.13",
     "grad J with A_t = Q_t - V_t: E[grad log pi A_t] with the library's values against complex "
     "steps",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_advantages, 0x1c7244ed},
    {0}};

const CeliSection celi_ac_baselines = {"src/verify/actor_critic/baselines.c", claims};
