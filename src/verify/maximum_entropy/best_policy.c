/// [maximum-entropy, 8.22-8.26]: the best policy for a fixed Q, the derivative of J, and the limit
/// of alpha -> 0.
///
/// F(pi) = E_pi[Q - alpha log pi] of one state. A finite horizon has T + 1 = 4 steps.
#include "verify/verify.h"
#include <math.h>

enum { STEPS = 4 };

// ---- 8.22-8.25: the best policy for a fixed Q

/// A problem with one state and n actions, a random Q, the library's softmax of it, and another
/// random policy.
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

/// Exponentiated gradient ascent on F: log pi <- log pi + eta (Q - alpha log pi), which does not
/// use Z.
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

static CelStatus printed_normalization(CeliTrial *trial) {
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

/// Compares dJ/dpi(a|s) by complex steps with x(s) (Q - alpha log pi - alpha). x is the
/// unnormalized discounted state distribution, or 1 without `visits`.
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

// ---- 8.26: the limit alpha -> 0

/// Compares the library's V*_alpha, for falling alpha, with V*_0 by dense policy iteration at alpha
/// = 0, or with that plus alpha log A/(1-gamma).
static CelStatus limit_of_values(CeliTrial *trial, const CeliProblem *m, bool from_above) {
  double *hard = celi_take(trial, m->S), *soft = celi_take(trial, m->S);
  double *most = celi_take(trial, m->S), *Q = celi_take(trial, m->n), *pi = celi_take(trial, m->n);
  celi_dense_optimum(trial, m, 0, hard, Q, pi);
  const double scale = celi_scale(m, Q);
  for (int i = 0; i < 8; i++) {
    const double alpha = pow(10, -i);
    CELI_TRY(celi_library_optimum(m, CEL_SOLVE_AUTO, alpha, soft, NULL, NULL));
    for (int s = 0; s < m->S; s++) most[s] = hard[s] + alpha * log(m->A) / (1 - m->gamma);
    if (from_above)
      celi_compare_all(trial, soft, most, m->S, scale);
    else
      celi_compare_all(trial, hard, soft, m->S, scale);
  }
  return CEL_OK;
}

/// A problem where all actions of a state do the same: V*_alpha = V*_0 + alpha log A/(1-gamma).
static CelStatus draw_tied(CeliTrial *trial, CeliProblem *m) {
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2, .endless = true}, m));
  for (int k = 0; k < m->n; k++)
    for (int next = 0; next < m->S; next++) {
      const int first = m->pair[m->state[k]] * m->S + next;
      m->P[k * m->S + next] = m->P[first], m->R[k * m->S + next] = m->R[first];
    }
  return celi_close(trial, m, 0);
}

static CelStatus limit_from_below(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2}, &m));
  return limit_of_values(trial, &m, false);
}
/// Random problems stay below the bound. Tied actions reach it.
static CelStatus limit_from_above(CeliTrial *trial) {
  CeliProblem m, tied;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2}, &m));
  CELI_TRY(draw_tied(trial, &tied));
  CELI_TRY(limit_of_values(trial, &m, true));
  return limit_of_values(trial, &tied, true);
}

/// A fixed Q with ties: for small alpha, pi is uniform over the maxima.
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

/// Two actions with the same value at alpha = 0. Only the first leads to a state with two actions,
/// so pi*_alpha tends to (2^gamma, 1)/(2^gamma + 1), not to (1, 1)/2.
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

/// Compares the library's V_t* and Q_t* over a finite horizon with the recursion V = alpha log sum
/// exp(Q/alpha) from the end.
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

static const CeliClaim claims[] = {
    {"8.22",
     "the softmax maximizes F(pi) = E_pi[Q - alpha log pi]: F(softmax) - F(pi') against alpha "
     "KL(pi', softmax)",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, loss_is_divergence, 0xb89c793a},
    {"8.23",
     "Q - alpha log pi - alpha = -lambda for each action: the library's softmax against lambda = "
     "alpha - alpha log Z",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, multiplier, 0x65093da8},
    {"8.22-8.23",
     "dJ/dpi has the discounted state distribution as a factor: the formula against complex steps",
     "cel_discounted_distribution", CEL_CHECK_EQUAL, 1e-11, 100, derivative_with_visits,
     0x87a34960},
    {"8.23",
     "printed: without the discounted state distribution the formula is not dJ/dpi (complex steps)",
     "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-6, 100, derivative_as_printed, 0xff4aa693},
    {"8.24-8.25",
     "the softmax maximizes F: the library's softmax against exponentiated gradient ascent, which "
     "uses no Z",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, exponentiated_gradient, 0x65c88d91},
    {"8.24",
     "printed: exp(Q/alpha - 1) sums to Z/e: logarithm of the sum against the library's V/alpha - "
     "1",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-12, 200, printed_normalization, 0x03db02b5},
    {"8.24", "printed: exp(Q/alpha - 1) does not sum to 1, so it is not a distribution", "",
     CEL_CHECK_DIFFERS, 1e-6, 100, printed_policy, 0xa1bc52b9},
    {"8.22-8.25",
     "optimal V_t and Q_t over a finite horizon: the library against backward recursion with "
     "log-sum-exp",
     "cel_solve", CEL_CHECK_EQUAL, 1e-12, 100, optimum_of_horizon, 0x9a55b73c},
    {"8.26",
     "V*_0 <= V*_alpha as alpha -> 0: dense policy iteration at alpha = 0 against the library",
     "cel_solve", CEL_CHECK_AT_MOST, 1e-11, 64, limit_from_below, 0x0d4ec75b},
    {"8.26",
     "V*_alpha <= V*_0 + alpha log A/(1-gamma), equal where all actions are alike: the library "
     "against dense policy iteration at alpha = 0",
     "cel_solve", CEL_CHECK_AT_MOST, 1e-11, 64, limit_from_above, 0x37fba44b},
    {"8.26",
     "for a fixed Q the policy tends to the uniform one over the best actions as alpha -> 0: the "
     "library against that limit",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 200, limit_of_policy, 0x3527085b},
    {"8.26", "printed: at alpha > 0 the library's softmax is not the greedy policy",
     "cel_policy_of_q", CEL_CHECK_DIFFERS, 1e-3, 100, printed_greedy, 0xb34e823d},
    {"8.26",
     "pi*_alpha breaks a tie by the entropy that follows: the library against the exact odds "
     "2^gamma to 1",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 1, ties_by_entropy, 0xd6084e87},
    {"8.26",
     "pi*_alpha does not tend to the uniform policy over tied actions where the entropies that "
     "follow differ",
     "cel_solve", CEL_CHECK_DIFFERS, 1e-2, 1, ties_not_uniform, 0x85cb4bc6},
    {0}};

const CeliSection celi_me_best_policy = {"src/verify/maximum_entropy/best_policy.c", claims};
