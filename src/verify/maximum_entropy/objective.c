/// [maximum-entropy, 8.1-8.15]: soft returns, and soft values over a finite horizon, compared with
/// sums over all trajectories.
///
/// Trajectories have T + 1 = 4 steps, t = 0..T as in the note.
#include "celsius/improve.h"
#include "verify/verify.h"
#include <math.h>

enum { STEPS = 4 };
static const CeliDraw tiny = {.S_min = 3, .S_max = 3, .A_min = 2, .A_max = 2};
static const CeliDraw tiny_discounted = {
    .S_min = 3, .S_max = 3, .A_min = 2, .A_max = 2, .gamma_min = .5, .endless = true, .full = true};

/// A tiny problem with time-indexed policies pi (STEPS, n).
static CelStatus draw_timed(CeliTrial *trial, const CeliDraw *draw, CeliProblem *m, double **pi) {
  CELI_TRY(celi_draw(trial, draw, m));
  *pi = celi_take(trial, (int64_t)STEPS * m->n);
  for (int t = 0; t < STEPS; t++) celi_draw_policy(trial, m, *pi + t * m->n);
  return CEL_OK;
}

// ---- 8.1-8.9: the objective

/// sum_t gamma^t E_{p_t}[r - alpha log pi] with the library's p_t (STEPS + 1, S). With
/// `by_entropy`, alpha H replaces -alpha log pi.
static double propagated(const CeliProblem *m, const double *pi, const double *p, double alpha,
                         bool by_entropy) {
  long double J = 0, discount = 1;
  for (int t = 0; t < STEPS; t++, discount *= m->gamma)
    for (int s = 0; s < m->S; s++) {
      long double here = 0;
      for (int k = m->pair[s]; k < m->pair[s + 1]; k++)
        here += pi[k] * (m->r[k] - (by_entropy ? 0 : alpha * logl(pi[k])));
      if (by_entropy) here += alpha * celi_dense_entropy(pi + m->pair[s], celi_actions(m, s));
      J += discount * p[t * m->S + s] * here;
    }
  return (double)J;
}

static CelStatus objective(CeliTrial *trial, double alpha_of_one, bool by_entropy) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &tiny, &m));
  double *pi = celi_take(trial, m.n), *p = celi_take(trial, (int64_t)(STEPS + 1) * m.S);
  const double alpha = alpha_of_one * m.alpha;
  celi_draw_policy(trial, &m, pi);
  CELI_TRY(cel_state_distribution(m.mdp, pi, STEPS, p));
  const double right = celi_enumerated_return(&m, pi, false, STEPS, -1, -1, alpha, true);
  celi_compare(trial, propagated(&m, pi, p, alpha, by_entropy), right,
               STEPS * celi_size(m.R, (int64_t)m.n * m.S) + alpha);
  return CEL_OK;
}

static CelStatus hard_objective(CeliTrial *trial) {
  return objective(trial, 0, false);
}
static CelStatus soft_objective(CeliTrial *trial) {
  return objective(trial, 1, false);
}
static CelStatus objective_by_entropy(CeliTrial *trial) {
  return objective(trial, 1, true);
}

// ---- 8.7-8.15 over a finite horizon

/// Compares the library's time-indexed V or Q with sums over trajectories.
static CelStatus horizon_values(CeliTrial *trial, double alpha_of_one, bool of_q) {
  CeliProblem m;
  double *pi;
  CELI_TRY(draw_timed(trial, &tiny, &m, &pi));
  const double alpha = alpha_of_one * m.alpha;
  double *V = celi_take(trial, (int64_t)STEPS * m.S), *Q = celi_take(trial, (int64_t)STEPS * m.n);
  CELI_TRY(cel_mdp_evaluate_horizon(m.mdp, pi, alpha, m.gamma, STEPS, V, Q));
  const double scale = STEPS * (celi_size(m.R, (int64_t)m.n * m.S) + alpha);
  for (int t = 0; t < STEPS; t++) {
    const double *rest = pi + t * m.n;
    for (int s = 0; s < m.S && !of_q; s++)
      celi_compare(trial, V[t * m.S + s],
                   celi_enumerated_return(&m, rest, true, STEPS - t, s, -1, alpha, true), scale);
    for (int k = 0; k < m.n && of_q; k++)
      celi_compare(trial, Q[t * m.n + k],
                   celi_enumerated_return(&m, rest, true, STEPS - t, -1, k, alpha, false), scale);
  }
  return CEL_OK;
}

static CelStatus hard_values_horizon(CeliTrial *trial) {
  return horizon_values(trial, 0, false);
}
static CelStatus soft_values_horizon(CeliTrial *trial) {
  return horizon_values(trial, 1, false);
}
static CelStatus soft_actions_horizon(CeliTrial *trial) {
  return horizon_values(trial, 1, true);
}

typedef struct Printed {
  const CeliProblem *m;
  const double *pi; ///< (STEPS + 1, n)
  double alpha;
  long double sum;
} Printed;

/// (8.11) as printed: sum_k gamma^k (r_k - gamma alpha log pi(u_{k+1})), which includes a u_{T+1}
/// that does not exist.
static void add_printed(void *user, const CeliTrajectory *tau) {
  Printed *sum = user;
  long double value = 0, discount = 1;
  for (int t = 0; t < tau->steps; t++, discount *= sum->m->gamma) {
    const double *next_pi = sum->pi + (int64_t)(t + 1) * sum->m->n;
    const int x = tau->x[t + 1];
    value += discount * tau->r[t];
    if (t + 1 < tau->steps)
      value -= discount * sum->m->gamma * sum->alpha * logl(next_pi[tau->p[t + 1]]);
    else if (x >= 0) // end of the horizon: the expectation over u_{T+1}
      value += discount * sum->m->gamma * sum->alpha *
               celi_dense_entropy(next_pi + sum->m->pair[x], celi_actions(sum->m, x));
  }
  sum->sum += tau->probability * value;
}

static CelStatus printed_horizon(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &tiny_discounted, &m));
  double *pi = celi_take(trial, (int64_t)(STEPS + 1) * m.n);
  for (int t = 0; t <= STEPS; t++) {
    double *theta = celi_take(trial, m.n);
    celi_draw_logits(trial, &m, theta, pi + t * m.n);
  }
  double *V = celi_take(trial, (int64_t)STEPS * m.S), *Q = celi_take(trial, (int64_t)STEPS * m.n);
  double *printed = celi_take(trial, m.n);
  CELI_TRY(cel_mdp_evaluate_horizon(m.mdp, pi, m.alpha, m.gamma, STEPS, V, Q));
  for (int k = 0; k < m.n; k++) {
    Printed sum = {&m, pi, m.alpha, 0};
    celi_enumerate(&m, pi, true, STEPS, -1, k, add_printed, &sum);
    printed[k] = (double)sum.sum;
  }
  celi_compare_all(trial, printed, Q, m.n, celi_size(Q, m.n));
  return CEL_OK;
}

/// The middle line of (8.10): the integral of Q without pi.
static CelStatus printed_integral(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .gamma_min = .5}, &e));
  double *printed = celi_take(trial, e.m.S);
  for (int s = 0; s < e.m.S; s++) {
    const int p = e.m.pair[s], n = celi_actions(&e.m, s);
    printed[s] = e.m.alpha * celi_dense_entropy(e.pi + p, n);
    for (int a = 0; a < n; a++) printed[s] += e.Q[p + a];
  }
  celi_compare_all(trial, printed, e.V, e.m.S, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

// ---- 8.16: the future depends on the next state alone

/// P(x_1, x_m) for one first pair and each m = 1, 2, ..: (STEPS + 1, S, S).
typedef struct Following {
  int S;
  double *joint;
} Following;

static void add_following(void *user, const CeliTrajectory *tau) {
  const Following *f = user;
  for (int m = 1; m <= tau->steps; m++)
    if (tau->x[1] >= 0 && tau->x[m] >= 0)
      f->joint[(m * f->S + tau->x[1]) * f->S + tau->x[m]] += tau->probability;
}

/// Compares P(x_1, x_m given x_0, u_0) over trajectories with p(x_1 given x_0, u_0) times the
/// library's p(x_m given x_1).
static CelStatus following_factorises(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &tiny, &m));
  const int S = m.S;
  double *pi = celi_take(trial, m.n), *p = celi_take(trial, (int64_t)S * (STEPS + 1) * S);
  celi_draw_policy(trial, &m, pi);
  for (int first = 0; first < S; first++) {
    CeliProblem from = m;
    from.start = celi_take(trial, S);
    from.start[first] = 1;
    CELI_TRY(celi_close(trial, &from, 0));
    CELI_TRY(cel_state_distribution(from.mdp, pi, STEPS, p + (int64_t)first * (STEPS + 1) * S));
  }
  for (int k = 0; k < m.n; k++) {
    double *joint = celi_take(trial, (int64_t)(STEPS + 1) * S * S);
    Following f = {S, joint};
    celi_enumerate(&m, pi, false, STEPS, -1, k, add_following, &f);
    for (int at = S * S; at < (STEPS + 1) * S * S; at++) {
      const int t = at / (S * S), first = at / S % S, last = at % S;
      celi_compare(trial, m.go[k * S + first] * p[(first * (STEPS + 1) + t - 1) * S + last],
                   joint[at], 1);
    }
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"8.1-8.3", "J is a sum over state distributions: p_t of the library against all trajectories",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, hard_objective, 0x8724a002},
    {"8.2-8.4",
     "soft J, with -alpha log pi in the reward: p_t of the library against all trajectories",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, soft_objective, 0xb8d12f4b},
    {"8.4-8.6",
     "soft J, with alpha H(pi) in place of -alpha log pi: p_t of the library against all "
     "trajectories",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, objective_by_entropy, 0x674bfd8d},
    {"8.7",
     "V_t over a finite horizon, alpha = 0: the library's recursion against all trajectories",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 100, hard_values_horizon, 0x2a636c39},
    {"8.8-8.9", "soft V_t over a finite horizon: the library's recursion against all trajectories",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 100, soft_values_horizon, 0x65d888de},
    {"8.10-8.15",
     "soft Q_t over a finite horizon, zero past its end: the library's recursion against all "
     "trajectories",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 100, soft_actions_horizon, 0xd7128d72},
    {"8.11, 8.13, 8.15",
     "printed: with a term log pi(u_{T+1}) the sum is not Q_t, because there is no action u_{T+1}",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-12, 100, printed_horizon, 0x286c8357},
    {"8.16",
     "what follows (x_t,u_t) depends on x_{t+1} alone: p(x_{t+1} given x_t,u_t) times the "
     "library's p(x_m given x_{t+1}) against all trajectories",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-14, 100, following_factorises, 0x3e087136},
    {"8.10", "printed: the integral of Q without the weight pi is not V", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-10, 100, printed_integral, 0xa4caada9},
    {0}};

const CeliSection celi_me_objective = {"src/verify/maximum_entropy/objective.c", claims};
