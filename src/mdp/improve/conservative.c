/// Conservative policy iteration with certified steps. Every step increases J by at least a known
/// amount. The iteration stops when no step is guaranteed to gain more than the tolerance.
///
/// Let g be greedy for A = A_pi, a(s) = E_g[A(s,.)] >= 0, and pi' = pi + eps (g - pi). Let tau be
/// the largest total variation between g and pi, so that e = eps tau is that between pi' and pi.
/// The performance difference, with the drift of the states bounded by coupling, is
///     J' - J >= L - 2 e gamma C / ((1-gamma)(1-gamma(1-e))),                                 (1)
///     L = eps E_d[a]/(1-gamma),  C = max_s E_pi'[A] = eps max_s a(s) = eps M.
/// With x = gamma e/(1-gamma) the right side of (1) has the derivative, up to a positive factor,
///     E_d[a] - 2 M (1 - 1/(1+x)^2),                                                          (2)
/// which decreases with x. So the best step is x = 1/sqrt(1 - E_d[a]/(2M)) - 1, or eps = 1 if that
/// x needs a larger eps. The final distance to the optimum is at most M/(1-gamma), because
/// J* - J = E_d*[E_pi*[A]]/(1-gamma).
///
///   1  V, Q of pi; d of pi                            (direct solves)
///   2  g, a, tau, M, E_d[a]
///   3  eps by (2); stop if (1) is not above the tolerance
///   4  pi = pi + eps (g - pi); go to 1
///
/// Errors of the solves are subtracted from (1). V has its own bound b. The error of a is at most
/// 2 b, because the error of each Q is gamma b plus a rounding error below (1-gamma) b. The L1
/// error of d is at most that of its residual over 1-gamma.
/// Source: [policy-guarantees, objective bound], without the linearized drift 2 e t; Kakade,
/// Langford 2002.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "mdp/backup/values.h"
#include "mdp/improve/improve.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- config

#define F(field) offsetof(CelConservativeConfig, field)
// clang-format off
static const CelField fields[] = {
    {.name = "gamma", .type = CEL_FIELD_AUTO, .offset = F(gamma), .def = "auto", .min = 0,
     .max = 0.9999999999999999,
     .doc = "discount in [0, 1); auto: the MDP's own"},
    {.name = "tolerance", .type = CEL_FIELD_DOUBLE, .offset = F(tolerance), .def = "1e-9", .min = 0,
     .max = 1e300,
     .doc = "stop when no step is certain to gain more than this"},
    {.name = "max_iterations", .type = CEL_FIELD_INT, .offset = F(max_iterations), .def = "0",
     .min = 0, .max = 1e15,
     .doc = "largest number of iterations; 0: no limit"},
    {0},
};
// clang-format on
#undef F

const CelField *cel_conservative_fields(void) {
  return fields;
}

CelConservativeConfig cel_conservative_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelConservativeConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(fields, &config);
  return config;
}

// ---- measures of the current policy

typedef struct Conservative {
  const CelMdp *mdp;
  double gamma;
  double *V, *d, *residual; ///< (states)
  double *Q;                ///< (pairs)
  double *before;           ///< (pairs) the policy before the step
  int64_t *best;            ///< (states) greedy pair; -1: keep the policy
  int64_t *queue;           ///< (states)
  uint8_t *reached;         ///< (states) 1: some policy can reach the state
  double J;
  double mean, most; ///< E_d[a], M
  double tau;
  double mean_error, most_error; ///< error bounds of these two
  double J_error;                ///< error bound of J
} Conservative;

static void release(Conservative *c) {
  free(c->V);
  free(c->d);
  free(c->residual);
  free(c->Q);
  free(c->before);
  free(c->best);
  free(c->queue);
  free(c->reached);
}

static CelStatus allocate(Conservative *c) {
  const size_t S = (size_t)c->mdp->states;
  const char *const what = "conservative policy iteration";
  CELI_TRY(celi_alloc(&c->V, S, sizeof *c->V, what));
  CELI_TRY(celi_alloc(&c->d, S, sizeof *c->d, what));
  CELI_TRY(celi_alloc(&c->residual, S, sizeof *c->residual, what));
  CELI_TRY(celi_alloc(&c->Q, (size_t)c->mdp->pairs, sizeof *c->Q, what));
  CELI_TRY(celi_alloc(&c->before, (size_t)c->mdp->pairs, sizeof *c->before, what));
  CELI_TRY(celi_alloc(&c->best, S, sizeof *c->best, what));
  CELI_TRY(celi_alloc(&c->queue, S, sizeof *c->queue, what));
  return celi_alloc(&c->reached, S, sizeof *c->reached, what);
}

/// Line 2 at one state; returns a(s). Without a gain the policy stays, which keeps tau small.
static double improve_state(Conservative *c, const double *pi, int64_t s) {
  const CelMdp *mdp = c->mdp;
  const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
  int64_t best = first;
  c->best[s] = -1;
  if (n == 0 || !c->reached[s]) return 0.0;
  for (int64_t p = first + 1; p < first + n; p++) {
    if (c->Q[p] > c->Q[best]) best = p;
  }
  const double gain = c->Q[best] - celi_soft_mean(pi + first, c->Q + first, 0.0, n);
  if (!(gain > 0.0)) return 0.0;
  c->best[s] = best;
  c->tau = fmax(c->tau, 1.0 - pi[best]);
  return gain;
}

/// Lines 1 and 2.
static CelStatus measure(Conservative *c, const double *pi) {
  double bound;
  CELI_TRY(celi_improve_evaluate(c->mdp, pi, 0.0, c->gamma, c->V, c->Q, &bound));
  CELI_TRY(celi_improve_visits(c->mdp, pi, c->gamma, c->d));
  c->J = cel_value_start(c->mdp, c->V);
  c->J_error = bound;
  c->mean = c->most = c->tau = 0.0;
  for (int64_t s = 0; s < c->mdp->states; s++) {
    const double gain = improve_state(c, pi, s);
    c->mean += c->d[s] * gain;
    c->most = fmax(c->most, gain);
  }
  c->most_error = 2.0 * bound;
  c->mean_error =
      c->most_error +
      celi_improve_distribution_error(c->mdp, pi, c->gamma, c->d, c->residual) * c->most;
  return CEL_OK;
}

/// Line 3. lower_bound is 0 or less if no gain is certain.
static CelConservativeStep choose(const Conservative *c) {
  CelConservativeStep step = {.J = c->J, .J_next = c->J};
  const double rest = 1.0 - c->gamma, mean = c->mean - c->mean_error;
  const double most = c->most + c->most_error;
  step.gap = most / rest;
  if (!(mean > 0.0) || !(c->tau > 0.0)) return step;
  const double x = expm1(-0.5 * log1p(-fmin(mean / (2.0 * most), 0.5)));
  step.eps = c->gamma > 0.0 ? fmin(rest * x / (c->gamma * c->tau), 1.0) : 1.0;
  step.distance = step.eps * c->tau;
  step.surrogate = step.eps * c->mean / rest;
  step.rounding = step.eps * c->mean_error / rest;
  step.drift_penalty = 2.0 * step.distance * c->gamma * step.eps * most /
                       (rest * (1.0 - c->gamma * (1.0 - step.distance)));
  step.lower_bound = step.surrogate - step.drift_penalty - step.rounding;
  return step;
}

/// Line 4. Each row is divided by its sum, so that rounding errors do not accumulate.
static void mix(const Conservative *c, double eps, double *pi) {
  for (int64_t s = 0; s < c->mdp->states; s++) {
    const int64_t first = c->mdp->pair[s], end = c->mdp->pair[s + 1];
    double sum = 0.0;
    if (c->best[s] < 0) continue;
    for (int64_t p = first; p < end; p++) pi[p] *= 1.0 - eps;
    pi[c->best[s]] += eps;
    for (int64_t p = first; p < end; p++) sum += pi[p];
    for (int64_t p = first; p < end; p++) pi[p] /= sum;
  }
}

static CelStatus iterate(Conservative *c, const CelConservativeConfig *config, double *pi,
                         CelConservativeStep *last) {
  celi_improve_mark_reached(c->mdp, c->reached, c->queue);
  CELI_TRY(measure(c, pi));
  for (int64_t i = 0; !config->max_iterations || i < config->max_iterations; i++) {
    *last = choose(c);
    if (!(last->lower_bound > config->tolerance)) {
      *last = (CelConservativeStep){
          .J = c->J, .J_next = c->J, .gap = last->gap, .stopped = true, .held = true};
      if (config->step) (void)config->step(config->user, i, last);
      celi_floats_keep();
      return CEL_OK;
    }
    const double before = c->J_error, J = c->J;
    memcpy(c->before, pi, (size_t)c->mdp->pairs * sizeof *pi);
    mix(c, last->eps, pi);
    const CelStatus status = measure(c, pi);
    if (status == CEL_E_INTERRUPTED) { // an unmeasured step is not taken
      memcpy(pi, c->before, (size_t)c->mdp->pairs * sizeof *pi);
      *last = (CelConservativeStep){.J = J, .J_next = J, .gap = last->gap, .held = true};
      return CEL_OK;
    }
    CELI_TRY(status);
    last->J_next = c->J;
    last->held = last->J_next - last->J + before + c->J_error >= last->lower_bound;
    const bool stop = config->step && !config->step(config->user, i, last);
    celi_floats_keep();
    if (stop) return CEL_OK;
  }
  return CEL_OK;
}

CelStatus cel_conservative_iteration(const CelMdp *mdp, const CelConservativeConfig *config,
                                     double *pi, CelConservativeStep *last) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(pi);
  CELI_FLOATS(CELI_IEEE);
  const CelConservativeConfig defaults = cel_conservative_config_default();
  CelConservativeStep unused;
  if (!config) config = &defaults;
  CELI_TRY(cel_fields_check(fields, config));
  Conservative c = {.mdp = mdp, .gamma = celi_improve_gamma(mdp, config->gamma)};
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the MDP has a horizon of %lld step%s, but conservative policy iteration needs "
                    "an infinite horizon; use the solver's method backward (backward induction)",
                    (long long)mdp->horizon, celi_s(mdp->horizon));
  }
  if (!(c.gamma >= 0.0 && c.gamma < 1.0)) {
    return cel_fail(CEL_E_RANGE, "gamma %g is not in [0, 1)", c.gamma);
  }
  CELI_TRY(celi_check_magnitude(mdp, c.gamma, false));
  CELI_TRY(celi_improve_check_policy(mdp, pi, "the policy"));
  CelStatus status = allocate(&c);
  if (status == CEL_OK) status = iterate(&c, config, pi, last ? last : &unused);
  release(&c);
  return status;
}
