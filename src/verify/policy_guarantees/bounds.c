/// [policy-guarantees, objective bound]: lower bounds on what a change of policy gains.
#include "celsius/guarantee.h"
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

/// L less the linearised penalty, of dense numbers, against the library's L less its penalty; equal where gamma is 0.
static CelStatus linearised_bound(CeliTrial *trial) {
  CeliChange c[2] = {0};
  CELI_TRY(draw_any_change(trial, &c[0]));
  CELI_TRY(celi_change_draw_small(trial, &c[1]));
  for (int i = 0; i < 2; i++) {
    CelGuaranteeStep step;
    CELI_TRY(cel_policy_guarantee(c[i].m.mdp, c[i].pi, c[i].next, c[i].m.gamma, &step));
    celi_compare(trial, c[i].surrogate - penalty(&c[i], true), step.surrogate - step.penalty,
                 celi_change_scale(&c[i]));
  }
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

/// Achiam et al.: the mean total variation under the library's d in place of the largest. On the two-state problem it is
/// an equality but for terms in eps^2.
static CelStatus cpo_bound(CeliTrial *trial) {
  CeliChange c[2] = {0};
  CELI_TRY(draw_any_change(trial, &c[0]));
  CELI_TRY(celi_change_draw_small(trial, &c[1]));
  for (int i = 0; i < 2; i++) {
    const CeliProblem *m = &c[i].m;
    double *d = celi_take(trial, m->S), mean = 0;
    CELI_TRY(cel_discounted_distribution(m->mdp, c[i].pi, m->gamma, CEL_EVALUATE_SWEEPS, 1e-14, d));
    for (int s = 0; s < m->S; s++)
      mean += d[s] *
              celi_dense_distance(c[i].pi + m->pair[s], c[i].next + m->pair[s], celi_actions(m, s));
    const double cost = 2 * m->gamma * c[i].C * mean / pow(1 - m->gamma, 2);
    celi_compare(trial, c[i].surrogate - cost, c[i].gain, celi_change_scale(&c[i]));
  }
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

/// Sums over T steps of what the drift costs at step t, with an eps and a C that are known, or the library's.
typedef enum Sum { DRIFT, LINEAR, PRINTED } Sum;

static double sum_of_costs(Sum which, double eps, double C, double gamma) {
  double sum = 0, discount = 1;
  const int T = which == PRINTED ? 100000 : 3000;
  for (int t = 0; t < T; t++, discount *= gamma)
    sum += which == DRIFT    ? 2 * (1 - pow(1 - eps, t)) * C * discount
           : which == LINEAR ? 2 * eps * t * C * discount
                             : 2 * eps * t * C;
  return sum;
}

/// The library's penalty is the sum of what the drift of step t costs, discounted.
static CelStatus penalty_is_sum(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CELI_TRY(celi_change_draw_tight(trial, &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  const double sum = sum_of_costs(DRIFT, c.eps, c.C, c.m.gamma);
  celi_compare(trial, step.penalty, sum, sum);
  return CEL_OK;
}

/// sum_t gamma^t 2 eps t C of the library's eps and C, against the linearised penalty of the problem's own.
static CelStatus penalty_discounted(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CELI_TRY(celi_change_draw_tight(trial, &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  celi_compare(trial, sum_of_costs(LINEAR, step.eps, step.advantage, c.m.gamma), penalty(&c, true),
               penalty(&c, true));
  return CEL_OK;
}

/// The printed sum has no gamma^t: it is beyond any bound, the library's penalty times 10^4 for one.
static CelStatus penalty_diverges(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CELI_TRY(celi_change_draw_tight(trial, &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  celi_compare(trial, sum_of_costs(PRINTED, step.eps, step.advantage, c.m.gamma),
               1e4 * step.penalty, 1);
  return CEL_OK;
}

// ---- the size of C

static double most_reward(const CeliProblem *m) {
  double most = 0;
  for (int k = 0; k < m->n; k++) most = fmax(most, fabs(m->r[k]));
  return most;
}

/// C against 2 r_max/(1-gamma), which is reached where pi' is paid the opposite of what pi is paid.
static CelStatus size_of_C(CeliTrial *trial, bool reached) {
  CeliChange c[2] = {0};
  CELI_TRY(celi_change_draw_opposite(trial, &c[0]));
  if (!reached) CELI_TRY(draw_any_change(trial, &c[1]));
  for (int i = 0; i < (reached ? 1 : 2); i++) {
    const double bound = 2 * most_reward(&c[i].m) / (1 - c[i].m.gamma);
    celi_compare(trial, c[i].C, bound, bound);
  }
  return CEL_OK;
}

static CelStatus size_is_bounded(CeliTrial *trial) {
  return size_of_C(trial, false);
}
static CelStatus size_is_reached(CeliTrial *trial) {
  return size_of_C(trial, true);
}

enum { STEPS = 5 };

/// The same over STEPS steps without a discount: C_t = max |E_pi'[A_t]| of the library's A_t against 2 (STEPS - t) r_max.
static CelStatus compare_horizon(CeliTrial *trial, const CeliChange *c) {
  const CeliProblem *m = &c->m;
  double *timed = celi_take(trial, (int64_t)STEPS * m->n);
  double *V = celi_take(trial, (int64_t)STEPS * m->S), *Q = celi_take(trial, (int64_t)STEPS * m->n);
  for (int k = 0; k < STEPS * m->n; k++) timed[k] = c->pi[k % m->n];
  CELI_TRY(cel_mdp_evaluate_horizon(m->mdp, timed, 0, 1, STEPS, V, Q));
  for (int t = 0; t < STEPS; t++) {
    const double bound = 2 * (STEPS - t) * most_reward(m);
    double C = 0;
    for (int s = 0; s < m->S; s++) {
      const int k = m->pair[s], n = celi_actions(m, s);
      C = fmax(C, fabs(celi_dense_dot(c->next + k, Q + t * m->n + k, n) - V[t * m->S + s]));
    }
    celi_compare(trial, C, bound, bound);
  }
  return CEL_OK;
}

static CelStatus horizon_is_bounded(CeliTrial *trial) {
  CeliChange c[2] = {0};
  CELI_TRY(celi_change_draw_opposite(trial, &c[0]));
  CELI_TRY(celi_change_draw(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9, .endless = true}, -1,
                            &c[1]));
  for (int i = 0; i < 2; i++) CELI_TRY(compare_horizon(trial, &c[i]));
  return CEL_OK;
}
static CelStatus horizon_is_reached(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw_opposite(trial, &c));
  return compare_horizon(trial, &c);
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

// ---- the guarantee that the library gives of an update

/// Eps, C, L, the penalty, J' - J of the library's guarantee, against dense elimination; only where pi or pi' can come.
static CelStatus guarantee_numbers(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CeliDraw draw = celi_change_endless;
  draw.gamma_min = 0, draw.gamma_max = .99;
  CELI_TRY(celi_change_draw(trial, &draw, pow(10, -celi_below(trial, 4)), &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  const CeliProblem *m = &c.m;
  double *V = celi_take(trial, m->S), *Q = celi_take(trial, m->n), *V_next = celi_take(trial, m->S);
  double *x = celi_take(trial, m->S), L = 0, C = 0, eps = 0;
  celi_dense_values(trial, m, c.pi, 0, V, Q);
  celi_dense_values(trial, m, c.next, 0, V_next, NULL);
  celi_dense_visits(trial, m, c.pi, x);
  for (int s = 0; s < m->S; s++) {
    const int k = m->pair[s], n = celi_actions(m, s);
    const double gained = celi_dense_dot(c.next + k, Q + k, n) - V[s];
    L += x[s] * gained, C = fmax(C, fabs(gained));
    eps = fmax(eps, celi_dense_distance(c.pi + k, c.next + k, n));
  }
  c.eps = eps, c.C = C;
  const double gain = celi_dense_dot(m->start, V_next, m->S) - celi_dense_dot(m->start, V, m->S);
  const double left[] = {step.eps, step.advantage, step.surrogate, step.penalty, step.gain};
  const double right[] = {eps, C, L, penalty(&c, false), gain};
  celi_compare_all(trial, left, right, 5, celi_change_scale(&c) / (1 - m->gamma));
  return CEL_OK;
}

/// Its bound, rounding taken off, against J' - J by dense elimination; the two-state problem is where it is tight.
static CelStatus guarantee_holds(CeliTrial *trial) {
  CeliChange c[2] = {0};
  CELI_TRY(draw_any_change(trial, &c[0]));
  CELI_TRY(celi_change_draw_tight(trial, &c[1]));
  for (int i = 0; i < 2; i++) {
    const CeliProblem *m = &c[i].m;
    CelGuaranteeStep step;
    CELI_TRY(cel_policy_guarantee(m->mdp, c[i].pi, c[i].next, m->gamma, &step));
    double *V = celi_take(trial, m->S), *V_next = celi_take(trial, m->S);
    celi_dense_values(trial, m, c[i].pi, 0, V, NULL);
    celi_dense_values(trial, m, c[i].next, 0, V_next, NULL);
    celi_compare(trial, step.bound,
                 celi_dense_dot(m->start, V_next, m->S) - celi_dense_dot(m->start, V, m->S),
                 celi_change_scale(&c[i]));
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"objective bound", "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, corrected_bound},
    {"objective bound", "which is above L - 2 eps gamma C/(1-gamma)^2, equal where gamma is 0",
     "cel_policy_guarantee", CEL_CHECK_AT_MOST, 1e-12, 200, linearised_bound},
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
    {"objective bound", "its penalty is sum_t gamma^t 2 (1 - (1-eps)^t) C", "cel_policy_guarantee",
     CEL_CHECK_EQUAL, 1e-11, 16, penalty_is_sum},
    {"objective bound", "sum_t gamma^t 2 eps t C = 2 eps gamma C/(1-gamma)^2",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-11, 8, penalty_discounted},
    {"objective bound", "printed: without gamma^t the sum grows beyond any bound",
     "cel_policy_guarantee", CEL_CHECK_EXCEEDS, 0, 8, penalty_diverges},
    {"objective bound", "C is at most 2 r_max/(1-gamma)", "cel_mdp_evaluate", CEL_CHECK_AT_MOST,
     1e-12, 48, size_is_bounded},
    {"objective bound", "which is reached where pi' is paid the opposite of pi", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-12, 48, size_is_reached},
    {"objective bound", "over T steps without discount C_t is at most 2 (T - t) r_max",
     "cel_mdp_evaluate_horizon", CEL_CHECK_AT_MOST, 1e-12, 48, horizon_is_bounded},
    {"objective bound", "which is reached there too: O(T r_max)", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-12, 48, horizon_is_reached},
    {"objective bound", "the guarantee of an update: eps, C, L, penalty and J' - J",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-11, 100, guarantee_numbers},
    {"objective bound", "and J' - J is at least its bound, rounding taken off",
     "cel_policy_guarantee", CEL_CHECK_AT_MOST, 1e-13, 200, guarantee_holds},
    {"objective bound", "conservative iteration gains at least what it promises",
     "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-12, 64, conservative_gains},
    {"objective bound", "the L and the penalty that it reports are those of its two policies",
     "cel_conservative_iteration", CEL_CHECK_EQUAL, 1e-11, 100, conservative_numbers},
    {"objective bound", "so J never falls", "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-13,
     64, conservative_is_monotone},
    {0}};

const CeliSection celi_pg_bounds = {"src/verify/policy_guarantees/bounds.c", claims};
