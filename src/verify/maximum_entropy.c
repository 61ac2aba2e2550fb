/// The rows of the note maximum-entropy, (8.1)-(8.30): soft returns, soft values, the policy that is best for a Q.
///
/// Trajectories have T + 1 = 4 steps here, t = 0..T as in the note; F(pi) = E_pi[Q - alpha log pi] of one state.
#include "celsius/improve.h"
#include "celsius/lqr.h"
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

/// sum_t gamma^t E_{p_t}[r - alpha log pi], p_t (STEPS + 1, S) of the library; with the entropy in its place where
/// `by_entropy`.
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

/// Time-indexed V and Q of the library against sums over trajectories.
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

/// (8.11) as printed: sum_k gamma^k (r_k - gamma alpha log pi(u_{k+1})), with a u_{T+1} that there is not.
static void add_printed(void *user, const CeliTrajectory *tau) {
  Printed *sum = user;
  long double value = 0, discount = 1;
  for (int t = 0; t < tau->steps; t++, discount *= sum->m->gamma) {
    const double *next_pi = sum->pi + (int64_t)(t + 1) * sum->m->n;
    const int x = tau->x[t + 1];
    value += discount * tau->r[t];
    if (t + 1 < tau->steps)
      value -= discount * sum->m->gamma * sum->alpha * logl(next_pi[tau->p[t + 1]]);
    else if (x >= 0) // the horizon's end: the expectation over u_{T+1}
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

/// (8.10)'s middle line: the integral of Q without pi.
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

// ---- 8.12

static CelStatus start_from_visits(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){0}, &e));
  double *d = celi_take(trial, e.m.S), J = 0;
  CELI_TRY(celi_library_visits(&e.m, e.pi, d));
  for (int s = 0; s < e.m.S; s++) {
    const int p = e.m.pair[s], n = celi_actions(&e.m, s);
    J += d[s] / (1 - e.m.gamma) * celi_dense_soft_value(e.pi + p, e.m.r + p, n, e.m.alpha);
  }
  celi_compare(trial, cel_value_start(e.m.mdp, e.V), J, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

/// J, E[Q(x0,u0)] and alpha E[H(pi(.|x0))].
static void start_parts(const CeliEvaluated *e, double *J, double *EQ, double *H) {
  *J = cel_value_start(e->m.mdp, e->V), *EQ = *H = 0;
  for (int s = 0; s < e->m.S; s++) {
    const int p = e->m.pair[s], n = celi_actions(&e->m, s);
    *EQ += e->m.start[s] * celi_dense_dot(e->pi + p, e->Q + p, n);
    *H += e->m.start[s] * e->m.alpha * celi_dense_entropy(e->pi + p, n);
  }
}

static CelStatus start_entropy(CeliTrial *trial) {
  CeliEvaluated e;
  double J, EQ, H;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){0}, &e));
  start_parts(&e, &J, &EQ, &H);
  celi_compare(trial, J - EQ, H, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

static CelStatus printed_start(CeliTrial *trial) {
  CeliEvaluated e;
  double J, EQ, H;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .alpha_min = .1}, &e));
  start_parts(&e, &J, &EQ, &H);
  if (H > 1e-6 * celi_scale(&e.m, e.Q)) celi_compare(trial, EQ, J, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

// ---- 8.13-8.21: an infinite horizon

static const CeliDraw any_size = {.S_min = 3, .S_max = 60, .A_max = 10, .hard = true};

static CelStatus values_by_elimination(CeliTrial *trial) {
  const CeliDraw large = {.S_min = 200, .S_max = 200, .A_min = 10, .A_max = 10};
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, trial->seed % 16 == 0 ? &large : &any_size, &e));
  double *V = celi_take(trial, e.m.S);
  celi_dense_values(trial, &e.m, e.pi, e.m.alpha, V, NULL);
  celi_compare_all(trial, e.V, V, e.m.S, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

/// (8.21) as one linear system in pairs: Q = r + gamma P_pi (Q - alpha log pi).
static CelStatus actions_by_elimination(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.S_max = 20, .hard = true}, &e));
  const int n = e.m.n;
  double *M = celi_take(trial, (int64_t)n * n), *Q = celi_take(trial, n);
  for (int k = 0; k < n; k++) {
    M[k * n + k] = 1;
    Q[k] = e.m.r[k];
    for (int j = 0; j < n; j++) {
      const double w = e.m.gamma * e.m.go[k * e.m.S + e.m.state[j]] * e.pi[j];
      M[k * n + j] -= w;
      Q[k] -= w * e.m.alpha * log(e.pi[j]);
    }
  }
  celi_dense_solve(M, Q, n, 1);
  celi_compare_all(trial, e.Q, Q, n, celi_scale(&e.m, Q));
  return CEL_OK;
}

static CelStatus values_by_propagation(CeliTrial *trial, CelEvaluateMethod method) {
  CeliProblem m;
  double bound;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.S_max = 6, .hard = true}, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n);
  double *sum = celi_take(trial, m.S);
  celi_draw_policy(trial, &m, pi);
  CELI_TRY(cel_mdp_evaluate(m.mdp, pi, m.alpha, m.gamma, method, 1e-13, V, Q, &bound));
  celi_propagated_values(trial, &m, pi, m.alpha, sum);
  celi_compare_all(trial, V, sum, m.S, celi_scale(&m, Q));
  return CEL_OK;
}

static CelStatus sweeps_by_propagation(CeliTrial *trial) {
  return values_by_propagation(trial, CEL_EVALUATE_SWEEPS);
}
static CelStatus krylov_by_propagation(CeliTrial *trial) {
  return values_by_propagation(trial, CEL_EVALUATE_KRYLOV);
}

/// One sampled soft return, until gamma^t is below 1e-9.
static double sample_return(CeliTrial *trial, const CeliProblem *m, const double *pi) {
  double value = 0, discount = 1;
  int s = celi_sample_start(trial, m);
  while (discount > 1e-9 && m->pair[s] < m->pair[s + 1]) {
    const int k = celi_sample_pair(trial, m, pi, s), next = celi_sample_next(trial, m, k);
    value += discount * (m->R[k * m->S + next] - m->alpha * log(pi[k]));
    if (m->ends[k * m->S + next] > 0) break;
    discount *= m->gamma;
    s = next;
  }
  return value;
}

static CelStatus values_by_simulation(CeliTrial *trial) {
  enum { EPISODES = 4000 };
  CeliEvaluated e;
  double sum = 0, squares = 0;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.gamma_min = .5, .gamma_max = .9}, &e));
  const double J = cel_value_start(e.m.mdp, e.V);
  for (int i = 0; i < EPISODES; i++) {
    const double off = sample_return(trial, &e.m, e.pi) - J;
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / EPISODES, 0) / (EPISODES - 1);
  celi_compare(trial, J, J + sum / EPISODES,
               sqrt(variance / EPISODES) + 1e-8 * celi_size(e.Q, e.m.n));
  return CEL_OK;
}

// ---- 8.22-8.25: the best policy for a fixed Q

/// One state with n actions and a Q drawn for it; the library's softmax of it.
typedef struct OneState {
  CeliProblem m;
  int n;
  double alpha, *Q, *pi, *other;
} OneState;

static CelStatus draw_one_state(CeliTrial *trial, double alpha_min, OneState *one) {
  static const double alphas[] = {.01, .1, 1, 10};
  int n = 2 + celi_below(trial, 9);
  do one->alpha = alphas[celi_below(trial, 4)];
  while (one->alpha < alpha_min);
  celi_open(trial, &one->m, 1, &n, .5);
  for (int a = 0; a < n; a++) celi_arrow(&one->m, 0, a, 0, 1, 0, true);
  CELI_TRY(celi_close(trial, &one->m, 0));
  one->n = n;
  one->Q = celi_take(trial, n);
  one->pi = celi_take(trial, n);
  one->other = celi_take(trial, n);
  celi_draw_normal(trial, one->Q, n, 1);
  cel_policy_of_q(one->m.mdp, one->Q, one->alpha, one->pi);
  celi_draw_policy(trial, &one->m, one->other);
  return CEL_OK;
}

static CelStatus loss_is_divergence(CeliTrial *trial) {
  OneState o;
  CELI_TRY(draw_one_state(trial, 0, &o));
  double softmax[16];
  celi_dense_softmax(o.Q, o.n, o.alpha, softmax);
  const double best = celi_dense_soft_value(o.pi, o.Q, o.n, o.alpha);
  const double other = celi_dense_soft_value(o.other, o.Q, o.n, o.alpha);
  celi_compare(trial, best - other, o.alpha * celi_dense_kl(o.other, softmax, o.n),
               celi_size(o.Q, o.n) * (1 + 1 / o.alpha));
  return CEL_OK;
}

static CelStatus multiplier(CeliTrial *trial) {
  OneState o;
  CELI_TRY(draw_one_state(trial, 0, &o));
  const double lambda = o.alpha - celi_dense_log_sum_exp(o.Q, o.n, o.alpha);
  for (int a = 0; a < o.n; a++)
    if (o.pi[a] > 1e-290)
      celi_compare(trial, o.Q[a] - o.alpha * log(o.pi[a]) - o.alpha, -lambda, celi_size(o.Q, o.n));
  return CEL_OK;
}

/// Exponentiated gradient on F: log pi <- log pi + eta (Q - alpha log pi), which never looks at Z.
static CelStatus exponentiated_gradient(CeliTrial *trial) {
  OneState o;
  CELI_TRY(draw_one_state(trial, 0, &o));
  const double eta = 0.25 / o.alpha;
  for (int k = 0; k < 200; k++) {
    for (int a = 0; a < o.n; a++)
      o.other[a] = (1 - eta * o.alpha) * log(fmax(o.other[a], 1e-300)) + eta * o.Q[a];
    celi_dense_softmax(o.other, o.n, 1, o.other);
  }
  celi_compare_all(trial, o.pi, o.other, o.n, celi_size(o.Q, o.n) / o.alpha);
  return CEL_OK;
}

static double printed_sum(const OneState *o) {
  long double sum = 0;
  for (int a = 0; a < o->n; a++) sum += expl(o->Q[a] / o->alpha - 1);
  return (double)sum;
}

static CelStatus printed_normalisation(CeliTrial *trial) {
  OneState o;
  CELI_TRY(draw_one_state(trial, .1, &o));
  double V;
  cel_value_of_q(o.m.mdp, o.Q, o.alpha, &V);
  celi_compare(trial, log(printed_sum(&o)), V / o.alpha - 1, celi_size(o.Q, o.n) / o.alpha);
  return CEL_OK;
}

static CelStatus printed_policy(CeliTrial *trial) {
  OneState o;
  CELI_TRY(draw_one_state(trial, .1, &o));
  celi_compare(trial, printed_sum(&o), 1, 1);
  return CEL_OK;
}

typedef struct Weights {
  CeliTrial *trial;
  const CeliProblem *m;
} Weights;

static CeliComplex return_of_weights(const void *user, const CeliComplex *w) {
  const Weights *of = user;
  return celi_complex_return(of->trial, of->m, w, of->m->alpha);
}

/// dJ/dpi(a|s) by complex steps, and x(s) (Q - alpha log pi - alpha) with (`visits`) or without the occupancy x.
static CelStatus derivative_of_return(CeliTrial *trial, bool visits) {
  CeliEvaluated e;
  CELI_TRY(
      celi_draw_evaluated(trial, &(CeliDraw){.S_max = 6, .gamma_min = .5, .endless = true}, &e));
  const int n = e.m.n;
  double *gradient = celi_take(trial, n), *formula = celi_take(trial, n);
  double *d = celi_take(trial, e.m.S), size = 1;
  CELI_TRY(cel_discounted_distribution(e.m.mdp, e.pi, e.m.gamma, CEL_EVALUATE_SWEEPS, 1e-14, d));
  celi_complex_gradient(trial, return_of_weights, &(Weights){trial, &e.m}, e.pi, n, gradient);
  for (int k = 0; k < n; k++) {
    const double here = e.Q[k] - e.m.alpha * log(e.pi[k]) - e.m.alpha;
    formula[k] = here * (visits ? d[e.m.state[k]] / (1 - e.m.gamma) : 1);
    size = fmax(size, fabs(gradient[k]));
  }
  celi_compare_all(trial, formula, gradient, n,
                   visits ? celi_scale(&e.m, e.Q) / (1 - e.m.gamma) : 1);
  return CEL_OK;
}

static CelStatus derivative_with_visits(CeliTrial *trial) {
  return derivative_of_return(trial, true);
}
static CelStatus derivative_as_printed(CeliTrial *trial) {
  return derivative_of_return(trial, false);
}

// ---- 8.26: no temperature

/// V*_alpha - V*_0 against 0 and against alpha log A/(1-gamma), alpha falling.
static CelStatus limit_of_values(CeliTrial *trial, bool from_above) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2}, &m));
  double *hard = celi_take(trial, m.S), *soft = celi_take(trial, m.S),
         *most = celi_take(trial, m.S);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, 0, hard, NULL, NULL));
  const double scale = celi_size(hard, m.S) / (1 - m.gamma);
  for (int i = 0; i < 8; i++) {
    const double alpha = pow(10, -i);
    CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, alpha, soft, NULL, NULL));
    for (int s = 0; s < m.S; s++) most[s] = hard[s] + alpha * log(m.A) / (1 - m.gamma);
    if (from_above)
      celi_compare_all(trial, soft, most, m.S, scale);
    else
      celi_compare_all(trial, hard, soft, m.S, scale);
  }
  return CEL_OK;
}

static CelStatus limit_from_below(CeliTrial *trial) {
  return limit_of_values(trial, false);
}
static CelStatus limit_from_above(CeliTrial *trial) {
  return limit_of_values(trial, true);
}

/// A fixed Q with ties: at a small temperature, uniform over the maxima.
static CelStatus limit_of_policy(CeliTrial *trial) {
  OneState o;
  double uniform[16], most = -HUGE_VAL, ties = 0;
  CELI_TRY(draw_one_state(trial, 0, &o));
  for (int a = 0; a < o.n; a++) o.Q[a] = (double)celi_below(trial, 3);
  for (int a = 0; a < o.n; a++) most = fmax(most, o.Q[a]);
  for (int a = 0; a < o.n; a++) ties += o.Q[a] == most;
  for (int a = 0; a < o.n; a++) uniform[a] = o.Q[a] == most ? 1 / ties : 0;
  const double alphas[] = {1e-2, 1e-6, 1e-12, 0};
  for (int i = 0; i < 4; i++) {
    cel_policy_of_q(o.m.mdp, o.Q, alphas[i], o.pi);
    celi_compare_all(trial, o.pi, uniform, o.n, 1);
  }
  return CEL_OK;
}

static CelStatus printed_greedy(CeliTrial *trial) {
  OneState o;
  double greedy[16];
  CELI_TRY(draw_one_state(trial, 1, &o));
  cel_policy_of_q(o.m.mdp, o.Q, 0, greedy);
  celi_compare_all(trial, o.pi, greedy, o.n, 1);
  return CEL_OK;
}

/// Two ways of equal hard value, one of which keeps a choice open: pi*_alpha -> (2^gamma, 1)/(2^gamma + 1), not to 1/2.
static CelStatus ties_of_optimum(CeliTrial *trial, bool uniform) {
  const int actions[] = {2, 2, 1};
  CeliProblem m;
  double pi[5];
  celi_open(trial, &m, 3, actions, .9);
  celi_arrow(&m, 0, 0, 1, 1, 0, false);
  celi_arrow(&m, 0, 1, 2, 1, 0, false);
  for (int a = 0; a < 2; a++) celi_arrow(&m, 1, a, 0, 1, 1, true);
  celi_arrow(&m, 2, 0, 0, 1, 1, true);
  CELI_TRY(celi_close(trial, &m, 0));
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, 1e-4, NULL, NULL, pi));
  const double limit = pow(2, m.gamma) / (1 + pow(2, m.gamma));
  celi_compare(trial, pi[0], uniform ? .5 : limit, 1);
  return CEL_OK;
}

static CelStatus ties_by_entropy(CeliTrial *trial) {
  return ties_of_optimum(trial, false);
}
static CelStatus ties_not_uniform(CeliTrial *trial) {
  return ties_of_optimum(trial, true);
}

/// V_t* and Q_t* over a finite horizon, against the recursion V = alpha log sum exp(Q/alpha) from the end.
static CelStatus optimum_of_horizon(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.horizon = STEPS}, &m));
  double *V = celi_take(trial, (int64_t)(STEPS + 1) * m.S),
         *Q = celi_take(trial, (int64_t)STEPS * m.n);
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution = NULL;
  config.alpha = m.alpha;
  for (int t = STEPS - 1; t >= 0; t--) {
    celi_dense_backup(&m, V + (t + 1) * m.S, Q + t * m.n);
    for (int s = 0; s < m.S; s++) {
      const int n = celi_actions(&m, s);
      V[t * m.S + s] = n ? celi_dense_log_sum_exp(Q + t * m.n + m.pair[s], n, m.alpha) : 0;
    }
  }
  CELI_TRY(cel_solve(m.mdp, &config, &solution));
  const double scale = celi_size(Q, (int64_t)STEPS * m.n) + m.alpha;
  celi_compare_all(trial, solution->V, V, (int64_t)STEPS * m.S, scale);
  celi_compare_all(trial, solution->Q, Q, (int64_t)STEPS * m.n, scale);
  cel_solution_destroy(solution);
  return CEL_OK;
}

// ---- 8.27-8.30

/// V of pi, and alpha log Z of its own Q, by the library; right: less alpha KL.
static CelStatus value_and_divergence(CeliTrial *trial, bool printed) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .S_max = 30}, &e));
  double *log_Z = celi_take(trial, e.m.S), *right = celi_take(trial, e.m.S);
  cel_value_of_q(e.m.mdp, e.Q, e.m.alpha, log_Z);
  for (int s = 0; s < e.m.S; s++) {
    const int p = e.m.pair[s], n = celi_actions(&e.m, s);
    right[s] = log_Z[s];
    if (n == 0 || printed) continue;
    // log of the softmax by itself: its probabilities may be 0 in double where pi's are not
    long double kl = 0;
    const long double own = celi_dense_log_sum_exp(e.Q + p, n, e.m.alpha);
    for (int a = 0; a < n; a++)
      kl += e.pi[p + a] * (logl(e.pi[p + a]) - (e.Q[p + a] - own) / e.m.alpha);
    right[s] -= (double)(e.m.alpha * kl);
  }
  celi_compare_all(trial, right, e.V, e.m.S, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

static CelStatus value_is_log_z_less_kl(CeliTrial *trial) {
  return value_and_divergence(trial, false);
}
static CelStatus printed_log_z(CeliTrial *trial) {
  return value_and_divergence(trial, true);
}

/// V* = alpha log Z of its own Q*: the softmax is where (8.27) holds.
static CelStatus log_z_at_optimum(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.S_max = 30}, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *own = celi_take(trial, m.S), *Q_own = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, Q, pi));
  celi_dense_values(trial, &m, pi, m.alpha, own, Q_own);
  for (int s = 0; s < m.S; s++) {
    const int n = celi_actions(&m, s);
    own[s] = n ? celi_dense_log_sum_exp(Q_own + m.pair[s], n, m.alpha) : 0;
  }
  celi_compare_all(trial, V, own, m.S, celi_scale(&m, Q));
  return CEL_OK;
}

enum { MEMBERS = 8 };

/// A rectangular class of MEMBERS policies, a Q, and the library's projection of it.
static CelStatus draw_projection(CeliTrial *trial, CeliProblem *m, double **policies, double **Q,
                                 double **pi) {
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2}, m));
  *policies = celi_take(trial, (int64_t)MEMBERS * m->n);
  *Q = celi_take(trial, m->n);
  *pi = celi_take(trial, m->n);
  for (int i = 0; i < MEMBERS; i++) celi_draw_policy(trial, m, *policies + i * m->n);
  celi_draw_normal(trial, *Q, m->n, 1);
  const CelPolicyClass class = {MEMBERS, *policies, true};
  return cel_policy_project(m->mdp, *Q, m->alpha, &class, NULL, *pi);
}

/// The library's argmin of KL is the member with the largest F, state by state.
static CelStatus projection_is_best(CeliTrial *trial) {
  CeliProblem m;
  double *policies, *Q, *pi;
  CELI_TRY(draw_projection(trial, &m, &policies, &Q, &pi));
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    const double *best = NULL;
    double most = -HUGE_VAL;
    for (int i = 0; i < MEMBERS && n > 1; i++) {
      const double *member = policies + i * m.n + p;
      const double F = celi_dense_soft_value(member, Q + p, n, m.alpha);
      if (F > most) most = F, best = member;
    }
    if (best) celi_compare_all(trial, pi + p, best, n, 1);
  }
  return CEL_OK;
}

static CelStatus divergence_and_value(CeliTrial *trial) {
  CeliProblem m;
  double *policies, *Q, *pi;
  CELI_TRY(draw_projection(trial, &m, &policies, &Q, &pi));
  double *V = celi_take(trial, m.S);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    if (n == 0) continue;
    const long double log_Z = celi_dense_log_sum_exp(Q + p, n, m.alpha) / m.alpha;
    long double kl = 0;
    for (int a = 0; a < n; a++) kl += pi[p + a] * (logl(pi[p + a]) - Q[p + a] / m.alpha + log_Z);
    celi_compare(trial, V[s],
                 (double)(m.alpha * kl) + celi_dense_soft_value(pi + p, Q + p, n, m.alpha),
                 celi_size(Q, m.n) + m.alpha);
  }
  return CEL_OK;
}

// ---- the linear-quadratic problem at a temperature

/// x' = a x + b u + w, one dimension.
typedef struct Line {
  double a, b, q, r, noise, gamma, alpha;
} Line;

/// One soft backup at x of V(x) = -P x^2 + c, by quadrature over u: the value, and the mean and variance of the policy.
static double quadrature_backup(const Line *l, double P, double c, double x, double *mean,
                                double *variance) {
  enum { NODES = 4000 };
  const double curvature = l->r + l->gamma * P * l->b * l->b;
  const double middle = -l->gamma * P * l->a * l->b * x / (l->r + l->gamma * P * l->b * l->b);
  const double width = 12 * sqrt(l->alpha / (2 * curvature)), step = 2 * width / NODES;
  long double Z = 0, first = 0, second = 0, most = -HUGE_VALL;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i <= NODES; i++) {
      const double u = middle - 0.7 * width + i * step * 0.85, next = l->a * x + l->b * u;
      const long double Q =
          -l->q * x * x - l->r * u * u + l->gamma * (c - P * (next * next + l->noise * l->noise));
      const long double weight = pass ? expl((Q - most) / l->alpha) : 0;
      most = pass == 0 && Q > most ? Q : most;
      Z += weight, first += weight * u, second += weight * u * u;
    }
  *mean = (double)(first / Z);
  *variance = (double)(second / Z - first / Z * (first / Z));
  return (double)(most + l->alpha * logl(Z * step * 0.85));
}

/// Soft value iteration by quadrature; V stays quadratic, so two points of it are enough.
static CelStatus line_by_quadrature(CeliTrial *trial) {
  CelRng *rng = &trial->rng;
  static const double alphas[] = {.01, .1, 1, 10};
  const Line l = {cel_rng_range(rng, -1.2, 1.2), cel_rng_range(rng, .3, 1),
                  cel_rng_range(rng, .2, 2),     cel_rng_range(rng, .2, 2),
                  cel_rng_range(rng, 0, .5),     .8,
                  alphas[celi_below(trial, 4)]};
  const CelLqr lqr = {
      .n = 1, .m = 1, .A = {l.a}, .B = {l.b}, .Q = {l.q}, .R = {l.r}, .noise = l.noise};
  CelLqrSolution solution;
  CELI_TRY(cel_lqr_solve(&lqr, l.gamma, l.alpha, &solution));
  double P = 0, c = 0, mean = 0, variance = 0;
  for (int k = 0; k < 110; k++) {
    const double at_0 = quadrature_backup(&l, P, c, 0, &mean, &variance);
    P = at_0 - quadrature_backup(&l, P, c, 1, &mean, &variance);
    c = at_0;
  }
  const double left[] = {solution.P[0], -solution.K[0], solution.Sigma[0], solution.constant};
  const double right[] = {P, mean, variance, c};
  celi_compare_all(trial, left, right, 4, celi_size(left, 4));
  return CEL_OK;
}

enum { N = 3, M = 2 };

/// out (n, p) = X (n, k) Y (k, p).
static void product(double *out, const double *X, const double *Y, int n, int k, int p) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < p; j++) {
      out[i * p + j] = 0;
      for (int l = 0; l < k; l++) out[i * p + j] += X[i * k + l] * Y[l * p + j];
    }
}

/// One Riccati step: P, and the gain K and H = R + gamma B'PB at the P before.
static void riccati_step(const CelLqr *lqr, double gamma, double *P, double *K, double *H) {
  double PB[N * M], PA[N * N], BPA[M * N], BPB[M * M], copy[M * M], next[N * N], Bt[M * N],
      At[N * N];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++) Bt[j * N + i] = lqr->B[i * M + j];
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) At[j * N + i] = lqr->A[i * N + j];
  product(PB, P, lqr->B, N, N, M);
  product(PA, P, lqr->A, N, N, N);
  product(BPB, Bt, PB, M, N, M);
  product(BPA, Bt, PA, M, N, N);
  product(next, At, PA, N, N, N);
  for (int i = 0; i < M * M; i++) copy[i] = H[i] = lqr->R[i] + gamma * BPB[i];
  for (int i = 0; i < M * N; i++) K[i] = gamma * BPA[i];
  celi_dense_solve(copy, K, M, N);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double less = 0;
      for (int a = 0; a < M; a++) less += gamma * BPA[a * N + i] * K[a * N + j];
      P[i * N + j] = lqr->Q[i * N + j] + gamma * next[i * N + j] - less;
    }
  for (int i = 0; i < N; i++) // rounding would grow where A is unstable
    for (int j = 0; j < i; j++) P[i * N + j] = P[j * N + i] = (P[i * N + j] + P[j * N + i]) / 2;
}

static CelStatus riccati_by_steps(CeliTrial *trial) {
  CelLqr lqr = {.n = N, .m = M, .noise = .1};
  CelLqrSolution solution;
  const double gamma = .9, alpha = cel_rng_range(&trial->rng, .01, 2);
  double P[N * N] = {0}, K[M * N], H[M * M], inverse[M * M] = {1, 0, 0, 1};
  celi_draw_normal(trial, lqr.A, N * N, .5);
  celi_draw_normal(trial, lqr.B, N * M, 1);
  for (int i = 0; i < N; i++) lqr.Q[i * N + i] = cel_rng_range(&trial->rng, .1, 1);
  for (int i = 0; i < M; i++) lqr.R[i * M + i] = cel_rng_range(&trial->rng, .1, 1);
  CELI_TRY(cel_lqr_solve(&lqr, gamma, alpha, &solution));
  for (int k = 0; k < 3000; k++) riccati_step(&lqr, gamma, P, K, H);
  celi_dense_solve(H, inverse, M, M);
  for (int i = 0; i < M * M; i++) inverse[i] *= alpha / 2;
  celi_compare_all(trial, solution.K, K, M * N, celi_size(K, M * N));
  celi_compare_all(trial, solution.Sigma, inverse, M * M, celi_size(inverse, M * M));
  celi_compare_all(trial, solution.P, P, N * N, celi_size(P, N * N));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"8.1-8.3", "the return over all trajectories is the sum over propagated states",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, hard_objective},
    {"8.2-8.4", "so is the soft return, with -alpha log pi beside r", "cel_state_distribution",
     CEL_CHECK_EQUAL, 1e-13, 200, soft_objective},
    {"8.4-8.6", "and with alpha H(pi) in its place", "cel_state_distribution", CEL_CHECK_EQUAL,
     1e-13, 200, objective_by_entropy},
    {"8.7", "V_t over a finite horizon is the sum over trajectories", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-13, 100, hard_values_horizon},
    {"8.8-8.9", "soft V_t over a finite horizon is the sum over trajectories",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 100, soft_values_horizon},
    {"8.10-8.15", "soft Q_t is the sum over trajectories, zero past the horizon",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 100, soft_actions_horizon},
    {"8.11, 8.13, 8.15", "printed: log pi(u_{T+1}) kept, which does not exist",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-12, 100, printed_horizon},
    {"8.10", "printed: the integral of Q without pi is not V", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-10, 100, printed_integral},
    {"8.9, 8.12", "J = E[V(x0)] is the sum over discounted visits of r + alpha H",
     "cel_discounted_distribution", CEL_CHECK_EQUAL, 1e-11, 200, start_from_visits},
    {"8.12", "J = E[Q(x0,u0) - alpha log pi(u0 given x0)]", "cel_value_start", CEL_CHECK_EQUAL,
     1e-11, 200, start_entropy},
    {"8.12", "printed: E[Q(x0,u0)] forgets the first entropy", "cel_value_start", CEL_CHECK_DIFFERS,
     1e-10, 200, printed_start},
    {"8.14-8.20", "soft V of a policy, against dense elimination (S to 200)", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-10, 200, values_by_elimination},
    {"8.18, 8.21", "soft Q of a policy, against elimination in state-action pairs",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 200, actions_by_elimination},
    {"8.8, 8.19-8.20", "V by sweeps, against propagation forward from each state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 100, sweeps_by_propagation},
    {"8.8, 8.19-8.20", "V by Krylov, against propagation forward from each state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 100, krylov_by_propagation},
    {"8.2, 8.8-8.9", "J against the mean of simulated soft returns (standard errors)",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 4, 8, values_by_simulation},
    {"8.22", "F(softmax) - F(pi') = alpha KL(pi', softmax) for any pi'", "cel_policy_of_q",
     CEL_CHECK_EQUAL, 1e-12, 200, loss_is_divergence},
    {"8.23", "Q - alpha log pi - alpha + lambda = 0 pointwise, lambda = alpha - alpha log Z",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, multiplier},
    {"8.22-8.23", "the derivative of J itself carries the state's discounted visits",
     "cel_discounted_distribution", CEL_CHECK_EQUAL, 1e-11, 100, derivative_with_visits},
    {"8.23", "printed: without them it is not the derivative of J", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-6, 100, derivative_as_printed},
    {"8.24-8.25", "exponentiated gradient, which knows no Z, ends in the softmax",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, exponentiated_gradient},
    {"8.24", "printed: exp(Q/alpha - 1) sums to Z/e (logarithms)", "cel_value_of_q",
     CEL_CHECK_EQUAL, 1e-12, 200, printed_normalisation},
    {"8.24", "printed: so it is no distribution", "", CEL_CHECK_DIFFERS, 1e-6, 100, printed_policy},
    {"8.22-8.25", "the optimum over a finite horizon, V_t and Q_t by backward recursion",
     "cel_solve", CEL_CHECK_EQUAL, 1e-12, 100, optimum_of_horizon},
    {"8.26", "V*_alpha is at least V*_0, alpha -> 0", "cel_solve", CEL_CHECK_AT_MOST, 1e-11, 64,
     limit_from_below},
    {"8.26", "V*_alpha is at most V*_0 + alpha log A/(1-gamma), alpha -> 0", "cel_solve",
     CEL_CHECK_AT_MOST, 1e-11, 64, limit_from_above},
    {"8.26", "for a fixed Q the policy goes to the uniform one over the maxima", "cel_policy_of_q",
     CEL_CHECK_EQUAL, 1e-12, 200, limit_of_policy},
    {"8.26", "printed: at any alpha > 0 the policy is not the greedy one", "cel_policy_of_q",
     CEL_CHECK_DIFFERS, 1e-3, 100, printed_greedy},
    {"8.26", "pi*_alpha breaks a tie by the entropy that follows: 2^gamma to 1", "cel_solve",
     CEL_CHECK_EQUAL, 1e-9, 1, ties_by_entropy},
    {"8.26", "so it does not go to the uniform one", "cel_solve", CEL_CHECK_DIFFERS, 1e-2, 1,
     ties_not_uniform},
    {"8.27-8.29", "V of any policy = alpha log Z - alpha KL", "cel_value_of_q", CEL_CHECK_EQUAL,
     1e-11, 200, value_is_log_z_less_kl},
    {"8.27", "printed: alpha log Z is off by alpha KL away from the softmax", "cel_value_of_q",
     CEL_CHECK_DIFFERS, 1e-10, 200, printed_log_z},
    {"8.27", "it holds where pi is the softmax of its own Q", "cel_solve", CEL_CHECK_EQUAL, 1e-11,
     100, log_z_at_optimum},
    {"8.30", "over finite classes argmin KL is argmax E[Q - alpha log pi]", "cel_policy_project",
     CEL_CHECK_EQUAL, 0, 200, projection_is_best},
    {"8.28, 8.30", "alpha KL + F = alpha log Z at the projection", "cel_policy_project",
     CEL_CHECK_EQUAL, 1e-12, 200, divergence_and_value},
    {"8.22-8.25", "linear-quadratic: soft value iteration by quadrature, one dimension",
     "cel_lqr_solve", CEL_CHECK_EQUAL, 1e-8, 3, line_by_quadrature},
    {"8.25", "linear-quadratic: gain, and covariance (alpha/2)(R + gamma B'PB)^-1", "cel_lqr_solve",
     CEL_CHECK_EQUAL, 1e-8, 64, riccati_by_steps},
    {0}};

const CeliNote celi_note_maximum_entropy = {"maximum-entropy", claims};
