/// [policy-guarantees, objective bound]: lower bounds on what a change of policy gains.
#include "celsius/improve.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

// ---- lower bounds

static double penalty(const CeliChange *c, bool linearised) {
  const double gamma = c->m.gamma;
  const double last = linearised ? 1 - gamma : 1 - gamma * (1 - c->eps);
  return 2 * c->eps * gamma * c->C / ((1 - gamma) * last);
}

static CelStatus draw_any_change(CeliTrial *trial, CeliChange *c) {
  const double how_far = pow(10, -celi_below(trial, 4));
  return celi_change_draw(trial, &(CeliDraw){.A_min = 2, .gamma_max = .99}, how_far, c);
}

static CelStatus corrected_bound(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false), c.gain, celi_change_scale(&c));
  return CEL_OK;
}

static CelStatus linearised_bound(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, true), c.surrogate - penalty(&c, false),
               celi_change_scale(&c));
  return CEL_OK;
}

static CelStatus trpo_bound(CeliTrial *trial) {
  CeliChange c = {0};
  double most = 0;
  CELI_TRY(draw_any_change(trial, &c));
  for (int k = 0; k < c.m.n; k++) most = fmax(most, fabs(c.A[k]));
  const double cost = 4 * c.m.gamma * c.eps * c.eps * most / pow(1 - c.m.gamma, 2);
  celi_compare(trial, c.surrogate - cost, c.gain, celi_change_scale(&c));
  return CEL_OK;
}

/// Achiam et al.: the mean total variation under d in place of the largest.
static CelStatus cpo_bound(CeliTrial *trial) {
  CeliChange c = {0};
  double mean = 0;
  CELI_TRY(draw_any_change(trial, &c));
  double *d = celi_take(trial, c.m.S);
  CELI_TRY(cel_discounted_distribution(c.m.mdp, c.pi, c.m.gamma, CEL_EVALUATE_SWEEPS, 1e-14, d));
  for (int s = 0; s < c.m.S; s++)
    mean +=
        d[s] * celi_dense_distance(c.pi + c.m.pair[s], c.next + c.m.pair[s], celi_actions(&c.m, s));
  const double cost = 2 * c.m.gamma * c.C * mean / pow(1 - c.m.gamma, 2);
  celi_compare(trial, c.surrogate - cost, c.gain, celi_change_scale(&c));
  return CEL_OK;
}

/// Kakade and Langford: pi' = (1-a) pi + a other.
static CelStatus mixture_bound(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &(CeliDraw){.A_min = 2}, -1, &c));
  const double a = cel_rng_uniform(&trial->rng), gamma = c.m.gamma, C = c.C;
  for (int k = 0; k < c.m.n; k++) c.next[k] = (1 - a) * c.pi[k] + a * c.next[k];
  CELI_TRY(celi_change_evaluate(trial, &c));
  const double cost = 2 * a * a * gamma * C / ((1 - gamma) * (1 - gamma * (1 - a)));
  celi_compare(trial, c.surrogate - cost, c.gain, celi_change_scale(&c));
  return CEL_OK;
}

static CelStatus bound_is_tight(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw_tight(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false), c.gain, 1 / pow(1 - c.m.gamma, 2) / c.eps);
  return CEL_OK;
}

static CelStatus half_penalty(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw_tight(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false) / 2, c.gain, 1);
  return CEL_OK;
}

/// max A with its sign, on r(1,a1) = -1 alone: A is nowhere positive, so the bound would promise no loss.
static CelStatus signed_maximum(CeliTrial *trial) {
  CeliChange c = {0};
  double most = -HUGE_VAL;
  CELI_TRY(celi_change_tight(trial, 0, -1, .3, .9, &c));
  for (int s = 0; s < 2; s++) most = fmax(most, celi_dense_dot(c.next + 2 * s, c.A + 2 * s, 2));
  const double cost = 2 * c.eps * .9 * most / (.1 * (1 - .9 * (1 - c.eps)));
  celi_compare(trial, c.surrogate - cost, c.gain, 1);
  return CEL_OK;
}

/// sum_t 2 eps t C as printed, over T steps: beyond any bound; with gamma^t it is the linearised penalty.
static CelStatus penalty_as_sum(CeliTrial *trial, bool printed) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw_tight(trial, &c));
  double sum = 0, discount = 1;
  const int T = printed ? 100000 : 3000;
  for (int t = 0; t < T; t++, discount *= c.m.gamma)
    sum += 2 * c.eps * t * c.C * (printed ? 1 : discount);
  if (printed)
    celi_compare(trial, sum, 1e4 * penalty(&c, true), 1);
  else
    celi_compare(trial, sum, penalty(&c, true), penalty(&c, true));
  return CEL_OK;
}

static CelStatus penalty_diverges(CeliTrial *trial) {
  return penalty_as_sum(trial, true);
}
static CelStatus penalty_discounted(CeliTrial *trial) {
  return penalty_as_sum(trial, false);
}

/// C is O(r_max/(1-gamma)).
static CelStatus size_of_C(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  double most = 0;
  for (int k = 0; k < c.m.n; k++) most = fmax(most, fabs(c.m.r[k]));
  celi_compare(trial, c.C, 2 * most / (1 - c.m.gamma), most / (1 - c.m.gamma));
  return CEL_OK;
}

/// What the library's conservative iteration promises at each step.
typedef struct Steps {
  CeliTrial *trial;
  double scale;
  bool gain; ///< else: monotone
} Steps;

static bool conservative_step(void *user, int64_t iteration, const CelConservativeStep *step) {
  const Steps *steps = user;
  (void)iteration;
  if (step->stopped) return true;
  if (steps->gain)
    celi_compare(steps->trial, step->lower_bound, step->J_next - step->J, steps->scale);
  else
    celi_compare(steps->trial, step->J, step->J_next, steps->scale);
  return true;
}

static CelStatus conservative(CeliTrial *trial, bool gain) {
  CeliProblem m;
  CelConservativeStep last;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9, .unit = true}, &m));
  double *pi = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  Steps steps = {trial, 1 / (1 - m.gamma), gain};
  CelConservativeConfig config = cel_conservative_config_default();
  config.max_iterations = 100;
  config.step = conservative_step, config.user = &steps;
  return cel_conservative_iteration(m.mdp, &config, pi, &last);
}

static CelStatus conservative_gains(CeliTrial *trial) {
  return conservative(trial, true);
}
static CelStatus conservative_is_monotone(CeliTrial *trial) {
  return conservative(trial, false);
}

/// One conservative step: the L, the penalty and the J' that it reports, against those of the two policies.
static CelStatus conservative_numbers(CeliTrial *trial) {
  CeliChange c = {0};
  CelConservativeStep step;
  CELI_TRY(
      celi_change_draw(trial, &(CeliDraw){.A_min = 2, .gamma_min = .5, .gamma_max = .9}, 0, &c));
  CelConservativeConfig config = cel_conservative_config_default();
  config.max_iterations = 1;
  for (int k = 0; k < c.m.n; k++) c.next[k] = c.pi[k];
  CELI_TRY(cel_conservative_iteration(c.m.mdp, &config, c.next, &step));
  CELI_TRY(celi_change_evaluate(trial, &c));
  double *unreached = celi_take(trial, c.m.S), C = 0, eps = 0;
  celi_dense_visits(trial, &c.m, c.pi, unreached);
  for (int s = 0; s < c.m.S; s++) { // where nothing comes, nothing counts
    const int k = c.m.pair[s], n = celi_actions(&c.m, s);
    if (!(unreached[s] > 0)) continue;
    C = fmax(C, fabs(celi_dense_dot(c.next + k, c.A + k, n)));
    eps = fmax(eps, celi_dense_distance(c.pi + k, c.next + k, n));
  }
  c.C = C, c.eps = eps;
  const double left[] = {step.surrogate, step.drift_penalty, step.J_next - step.J};
  const double right[] = {c.surrogate, penalty(&c, false), c.gain};
  celi_compare_all(trial, left, right, 3, celi_change_scale(&c) / (1 - c.m.gamma));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"objective bound", "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, corrected_bound},
    {"objective bound", "which is above L - 2 eps gamma C/(1-gamma)^2", "", CEL_CHECK_AT_MOST,
     1e-12, 200, linearised_bound},
    {"objective bound", "TRPO: J' - J >= L - 4 gamma eps^2 max abs A/(1-gamma)^2",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, trpo_bound},
    {"objective bound", "CPO: the mean total variation under d in its place",
     "cel_discounted_distribution", CEL_CHECK_AT_MOST, 1e-12, 400, cpo_bound},
    {"objective bound", "CPI: mixtures pi + a (other - pi)", "cel_mdp_evaluate", CEL_CHECK_AT_MOST,
     1e-12, 400, mixture_bound},
    {"objective bound", "the first form is an equality on the two-state problem",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 100, bound_is_tight},
    {"objective bound", "half the penalty is violated there", "cel_mdp_evaluate", CEL_CHECK_EXCEEDS,
     1e-6, 100, half_penalty},
    {"objective bound", "printed: max A with its sign is violated where A is nowhere positive",
     "cel_mdp_evaluate", CEL_CHECK_EXCEEDS, 1e-2, 1, signed_maximum},
    {"objective bound", "sum_t gamma^t 2 eps t C = 2 eps gamma C/(1-gamma)^2", "", CEL_CHECK_EQUAL,
     1e-12, 8, penalty_discounted},
    {"objective bound", "printed: without gamma^t the sum grows beyond any bound", "",
     CEL_CHECK_EXCEEDS, 0, 8, penalty_diverges},
    {"objective bound", "C is at most 2 r_max/(1-gamma)", "cel_mdp_evaluate", CEL_CHECK_AT_MOST,
     1e-12, 48, size_of_C},
    {"objective bound", "conservative iteration gains at least what it promises",
     "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-12, 64, conservative_gains},
    {"objective bound", "the L and the penalty that it reports are those of its two policies",
     "cel_conservative_iteration", CEL_CHECK_EQUAL, 1e-11, 100, conservative_numbers},
    {"objective bound", "so J never falls", "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-13,
     64, conservative_is_monotone},
    {0}};

const CeliSection celi_pg_bounds = {"src/verify/policy_guarantees/bounds.c", claims};
