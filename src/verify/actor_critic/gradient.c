/// [actor-critic, 4.1-4.7]: the policy gradient over trajectories, over states, over an infinite
/// horizon, and without gamma^t.
#include "celsius/improve.h"
#include "verify/actor_critic/finite.h"
#include <math.h>

static CelStatus gradient_over_trajectories(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny, &f));
  double *gradient = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, true, gradient));
  celi_compare_all(trial, gradient, celi_finite_enumerated(trial, &f, NULL, true, true), f.m.n,
                   celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus gradient_by_complex_steps(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){.hard = true}, &f));
  double *gradient = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, true, gradient));
  celi_compare_all(trial, gradient, celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// E[reward to go given x_0, u_0, x_1, u_1]. It does not depend on x_0 and u_0, and equals Q_1(x_1,
/// u_1).
typedef struct Conditional {
  const CeliProblem *m;
  double *sum, *mass; ///< (n, n)
} Conditional;

static void add_conditional(void *user, const CeliTrajectory *tau) {
  const Conditional *c = user;
  double to_go = 0, discount = 1;
  if (tau->steps < 2) return;
  for (int t = 1; t < tau->steps; t++, discount *= c->m->gamma) to_go += discount * tau->r[t];
  const int cell = tau->p[0] * c->m->n + tau->p[1];
  c->sum[cell] += tau->probability * to_go;
  c->mass[cell] += tau->probability;
}

static CelStatus past_is_forgotten(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  const int n = f.m.n;
  const Conditional c = {&f.m, celi_take(trial, (int64_t)n * n), celi_take(trial, (int64_t)n * n)};
  celi_enumerate(&f.m, f.pi, false, CELI_FINITE_STEPS, -1, -1, add_conditional, (void *)&c);
  for (int i = 0; i < n * n; i++)
    if (c.mass[i] > 0) celi_compare(trial, f.Q[n + i % n], c.sum[i] / c.mass[i], celi_size(f.Q, n));
  return CEL_OK;
}

static CelStatus gradient_with_values(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &(CeliDraw){0}, &f));
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, true, true),
                   celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// (4.4) without a time index: Q of t = 0 at every t.
static CelStatus printed_without_time(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  celi_compare_all(trial, celi_finite_score(trial, &f, f.Q, false, true),
                   celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// Compares the library's gradient over an infinite horizon with complex steps.
static CelStatus infinite_gradient(CeliTrial *trial, const CeliDraw *draw, double alpha_of_one,
                                   bool printed) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, draw, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *left = celi_take(trial, m.n), *right = celi_take(trial, m.n);
  const double alpha = alpha_of_one * m.alpha;
  celi_draw_logits(trial, &m, theta, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, alpha, m.gamma, false, left));
  for (int k = 0; k < m.n && printed; k++) left[k] *= 1 - m.gamma;
  const CeliOfLogits of = {trial, &m, alpha, 0};
  celi_complex_gradient(trial, celi_return_of_logits, &of, theta, m.n, right);
  const double scale = (celi_size(m.R, (int64_t)m.n * m.S) + alpha) / (1 - m.gamma) / (1 - m.gamma);
  celi_compare_all(trial, left, right, m.n, printed ? 1 : scale);
  return CEL_OK;
}

static CelStatus hard_infinite_gradient(CeliTrial *trial) {
  return infinite_gradient(trial, &(CeliDraw){0}, 0, false);
}
static CelStatus soft_infinite_gradient(CeliTrial *trial) {
  return infinite_gradient(trial, &(CeliDraw){0}, 1, false);
}
static CelStatus printed_visits(CeliTrial *trial) {
  return infinite_gradient(trial, &celi_tiny_endless, 0, true);
}

// ---- 4.7: without gamma^t

static double norm(const double *x, int n) {
  return sqrt(celi_dense_dot(x, x, n));
}

/// Compares the library's form without gamma^t with the gradient of J: their distance relative to
/// the length of the gradient, or 1 - cosine.
static CelStatus undiscounted_weight(CeliTrial *trial, bool cosine) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny_endless, &f));
  double *practice = celi_take(trial, f.m.n), square = 0;
  const double *exact = celi_finite_gradient(trial, &f);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, false, practice));
  for (int k = 0; k < f.m.n; k++) square += (practice[k] - exact[k]) * (practice[k] - exact[k]);
  const double angle =
      celi_dense_dot(practice, exact, f.m.n) / (norm(practice, f.m.n) * norm(exact, f.m.n));
  celi_compare(trial, cosine ? 1 - angle : sqrt(square) / norm(exact, f.m.n), 0, 1);
  return CEL_OK;
}

static CelStatus undiscounted_is_far(CeliTrial *trial) {
  return undiscounted_weight(trial, false);
}

/// A problem where even the directions differ: the early and the late decision move different
/// logits.
static CelStatus undiscounted_turns(CeliTrial *trial) {
  const int actions[] = {2, 2};
  CeliProblem m;
  celi_open(trial, &m, 2, actions, .5);
  for (int a = 0; a < 2; a++) {
    celi_arrow(&m, 0, a, 1, 1, a, false);
    celi_arrow(&m, 1, a, 1, 1, a, false);
  }
  m.start[0] = 1;
  CELI_TRY(celi_close(trial, &m, 0));
  double theta[4] = {0}, pi[4] = {.5, .5, .5, .5}, exact[4], practice[4];
  const CeliOfLogits of = {trial, &m, 0, CELI_FINITE_STEPS};
  celi_complex_gradient(trial, celi_return_of_logits, &of, theta, 4, exact);
  CELI_TRY(cel_policy_gradient_horizon(m.mdp, pi, 0, m.gamma, CELI_FINITE_STEPS, false, practice));
  celi_compare(trial, 1 - celi_dense_dot(practice, exact, 4) / (norm(practice, 4) * norm(exact, 4)),
               0, 1);
  return CEL_OK;
}

static CelStatus undiscounted_by_enumeration(CeliTrial *trial) {
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &celi_tiny, &f));
  double *practice = celi_take(trial, f.m.n);
  CELI_TRY(
      cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, CELI_FINITE_STEPS, false, practice));
  celi_compare_all(trial, practice, celi_finite_enumerated(trial, &f, NULL, false, true), f.m.n,
                   celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus undiscounted_at_one(CeliTrial *trial) {
  CeliDraw draw = celi_tiny_endless;
  draw.gamma = 1, draw.horizon = CELI_FINITE_STEPS;
  CeliFinite f;
  CELI_TRY(celi_finite_draw(trial, &draw, &f));
  double *practice = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, 1, CELI_FINITE_STEPS, false, practice));
  celi_compare_all(trial, practice, celi_finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.1",
     "gradient of J over a finite horizon: the library against the score times the reward to go "
     "over all trajectories",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_over_trajectories,
     0x264b0138},
    {"4.1, 4.5-4.6", "gradient of J over a finite horizon: the library against complex steps",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_by_complex_steps,
     0xeadb3698},
    {"4.2-4.4",
     "the mean reward to go given (x_t,u_t) does not depend on the past: the library's Q_t against "
     "all trajectories",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-12, 200, past_is_forgotten, 0x089df4dd},
    {"4.5-4.6",
     "grad J = sum_t gamma^t E_{p_t}[grad log pi Q_t]: the library's p_t and Q_t against complex "
     "steps",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_values, 0x67af2e92},
    {"4.4, 4.12, 4.16-4.18",
     "printed: values without a time index do not give the gradient over a finite horizon",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, printed_without_time, 0x34381a6b},
    {"4.6",
     "grad J = E_d[grad log pi Q]/(1-gamma) over an infinite horizon: the library against complex "
     "steps",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, hard_infinite_gradient, 0x8230648b},
    {"4.6", "gradient of soft J over an infinite horizon: the library against complex steps",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, soft_infinite_gradient, 0x3364e98b},
    {"4.6", "printed: without 1/(1-gamma) the formula is not grad J over an infinite horizon",
     "cel_policy_gradient", CEL_CHECK_DIFFERS, 1e-6, 200, printed_visits, 0x091665f8},
    {"4.7", "gradient form without gamma^t: the library against all trajectories",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-12, 200, undiscounted_by_enumeration,
     0x32bd83f6},
    {"4.7",
     "printed: the form without gamma^t is not grad J: their distance, relative to the length of "
     "grad J",
     "cel_policy_gradient_horizon", CEL_CHECK_EXCEEDS, 1e-3, 200, undiscounted_is_far, 0x4244de8f},
    {"4.7",
     "printed: the form without gamma^t is not parallel to grad J: 1 - cosine of their angle",
     "cel_policy_gradient_horizon", CEL_CHECK_EXCEEDS, 1e-3, 1, undiscounted_turns, 0x596314b5},
    {"4.7", "at gamma = 1 the form without gamma^t is grad J: the library against complex steps",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-12, 200, undiscounted_at_one, 0xad93c2df},
    {0}};

const CeliSection celi_ac_gradient = {"src/verify/actor_critic/gradient.c", claims};
