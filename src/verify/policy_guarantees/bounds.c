/// [policy-guarantees, objective bound]: lower bounds on the gain of a policy change.
#include "celsius/guarantee.h"
#include "celsius/improve.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

// ---- lower bounds

static double penalty(const CeliChange *c, bool linearized) {
  const double gamma = c->m.gamma;
  const double last = linearized ? 1 - gamma : 1 - gamma * (1 - c->eps);
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

/// Compares L less the linearized penalty, from dense numbers, with the library's L less its
/// penalty. They are equal at gamma = 0.
static CelStatus linearized_bound(CeliTrial *trial) {
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

/// Achiam et al.: the mean total variation under the library's d in place of the largest one. On
/// the two-state problem it is an equality up to terms in eps^2.
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

/// max A in place of max |A|, with reward r(1,a1) = -1 only: A is nowhere positive, so that bound
/// would promise no loss.
static CelStatus signed_maximum(CeliTrial *trial) {
  CeliChange c = {0};
  double most = -HUGE_VAL;
  CELI_TRY(celi_change_tight(trial, 0, -1, .3, .9, &c));
  for (int s = 0; s < 2; s++) most = fmax(most, celi_dense_dot(c.next + 2 * s, c.A + 2 * s, 2));
  const double cost = 2 * c.eps * .9 * most / (.1 * (1 - .9 * (1 - c.eps)));
  celi_compare(trial, c.surrogate - cost, c.gain, 1);
  return CEL_OK;
}

/// Sums over T steps of the cost of the drift at step t.
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

/// The library's penalty is the discounted sum of the cost of the drift at step t.
static CelStatus penalty_is_sum(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CELI_TRY(celi_change_draw_tight(trial, &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  const double sum = sum_of_costs(DRIFT, c.eps, c.C, c.m.gamma);
  celi_compare(trial, step.penalty, sum, sum);
  return CEL_OK;
}

/// Compares sum_t gamma^t 2 eps t C, with the library's eps and C, with the linearized penalty of
/// the exact eps and C.
static CelStatus penalty_discounted(CeliTrial *trial) {
  CeliChange c = {0};
  CelGuaranteeStep step;
  CELI_TRY(celi_change_draw_tight(trial, &c));
  CELI_TRY(cel_policy_guarantee(c.m.mdp, c.pi, c.next, c.m.gamma, &step));
  celi_compare(trial, sum_of_costs(LINEAR, step.eps, step.advantage, c.m.gamma), penalty(&c, true),
               penalty(&c, true));
  return CEL_OK;
}

/// The printed sum has no gamma^t, so it exceeds every bound, for example 10^4 times the library's
/// penalty.
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

/// Compares C with 2 r_max/(1-gamma). They are equal where pi' is paid the opposite of pi.
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

/// The same over STEPS steps without a discount: compares C_t = max |E_pi'[A_t]|, with the
/// library's A_t, with 2 (STEPS - t) r_max.
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

/// The steps of the library's conservative iteration.
typedef struct Steps {
  CeliTrial *trial;
  double scale;
  bool gain; ///< compare the promised gain; otherwise compare J before and after
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

/// Compares the L, the penalty and the gain that one conservative step reports with those of the
/// two policies.
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
  for (int s = 0; s < c.m.S; s++) { // states that are never reached do not count
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

// ---- the library's guarantee of an update

/// Compares eps, C, L, the penalty and J' - J of the library's guarantee with dense elimination.
/// Only states that pi or pi' can reach count.
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

/// Compares the library's bound, less rounding errors, with J' - J by dense elimination. The
/// two-state problem makes the bound tight.
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
    {"objective bound",
     "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps))): the bound against two evaluations "
     "by the library",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, corrected_bound, 0x291743c1},
    {"objective bound",
     "the bound with the penalty 2 eps gamma C/(1-gamma)^2 is no higher, equal at gamma = 0: dense "
     "numbers against the library's bound",
     "cel_policy_guarantee", CEL_CHECK_AT_MOST, 1e-12, 200, linearized_bound, 0x2c5b441e},
    {"objective bound",
     "TRPO: J' - J >= L - 4 gamma eps^2 max abs A/(1-gamma)^2: the bound against two evaluations "
     "by the library",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, trpo_bound, 0xbab05d9c},
    {"objective bound",
     "CPO: J' - J >= L - 2 gamma C E_d[total variation]/(1-gamma)^2: the bound against two "
     "evaluations by the library",
     "cel_discounted_distribution", CEL_CHECK_AT_MOST, 1e-12, 400, cpo_bound, 0xe672358b},
    {"objective bound",
     "CPI: J' - J >= L - 2 a^2 gamma C/((1-gamma)(1-gamma(1-a))) for a mixture pi + a (other - "
     "pi): the bound against two evaluations by the library",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, mixture_bound, 0xa44aaed1},
    {"objective bound",
     "the bound is an equality on the two-state problem: L less the penalty against J' - J",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 100, bound_is_tight, 0xa8e16fb9},
    {"objective bound",
     "half of the penalty is too little: on the two-state problem that bound is above J' - J",
     "cel_mdp_evaluate", CEL_CHECK_EXCEEDS, 1e-6, 100, half_penalty, 0x8ecf2887},
    {"objective bound",
     "printed: max A in place of max abs A is too little: where A is nowhere positive that bound "
     "is above J' - J",
     "cel_mdp_evaluate", CEL_CHECK_EXCEEDS, 1e-2, 1, signed_maximum, 0xc41f55ad},
    {"objective bound",
     "the penalty is sum_t gamma^t 2 (1 - (1-eps)^t) C: the library's closed form against the sum",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-11, 16, penalty_is_sum, 0xfc9500ad},
    {"objective bound",
     "sum_t gamma^t 2 eps t C = 2 eps gamma C/(1-gamma)^2: the sum with the library's eps and C "
     "against the closed form",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-11, 8, penalty_discounted, 0xbe43753c},
    {"objective bound",
     "printed: without gamma^t the sum of 2 eps t C diverges: 100000 terms exceed 10000 times the "
     "library's penalty",
     "cel_policy_guarantee", CEL_CHECK_EXCEEDS, 0, 8, penalty_diverges, 0x40b62f38},
    {"objective bound", "C <= 2 r_max/(1-gamma): the library's advantages against the bound",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 48, size_is_bounded, 0xd60f5313},
    {"objective bound",
     "C = 2 r_max/(1-gamma) where pi' is paid the opposite of pi: the library's advantages against "
     "the bound",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 48, size_is_reached, 0x418b1164},
    {"objective bound",
     "over T steps without discount C_t <= 2 (T - t) r_max: the library's advantages against the "
     "bound",
     "cel_mdp_evaluate_horizon", CEL_CHECK_AT_MOST, 1e-12, 48, horizon_is_bounded, 0xde8a77c9},
    {"objective bound",
     "over T steps without discount C_t = 2 (T - t) r_max where pi' is paid the opposite of pi: "
     "the library's advantages against the bound",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-12, 48, horizon_is_reached, 0x5ec2f076},
    {"objective bound",
     "guarantee of an update, its eps, C, L, penalty and J' - J: the library against dense "
     "elimination",
     "cel_policy_guarantee", CEL_CHECK_EQUAL, 1e-11, 100, guarantee_numbers, 0x931d9cd3},
    {"objective bound",
     "guarantee of an update: the library's bound, less rounding errors, is at most J' - J by "
     "dense elimination",
     "cel_policy_guarantee", CEL_CHECK_AT_MOST, 1e-13, 200, guarantee_holds, 0xf72bc9cd},
    {"objective bound",
     "conservative iteration: the gain that the library promises for a step is at most the gain of "
     "the step",
     "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-12, 64, conservative_gains, 0x4ef6cf59},
    {"objective bound",
     "conservative iteration: the L, penalty and gain that the library reports against those of "
     "the two policies",
     "cel_conservative_iteration", CEL_CHECK_EQUAL, 1e-11, 100, conservative_numbers, 0xacf3107f},
    {"objective bound", "conservative iteration: J never falls", "cel_conservative_iteration",
     CEL_CHECK_AT_MOST, 1e-13, 64, conservative_is_monotone, 0xd4a2d6a0},
    {0}};

const CeliSection celi_pg_bounds = {"src/verify/policy_guarantees/bounds.c", claims};
