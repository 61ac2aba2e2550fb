/// The rows of the note soft-q-learning: log-sum-exp as a maximum, the soft optimal backup, what the printed forms do,
/// targets from samples, importance sampling, normalisation. Sampling by SVGD is not among them yet.
///
/// TV = alpha log sum exp(Q_V/alpha), Q_V = r + gamma E[V(s')]; the library's cel_value_of_q and cel_q_of_v.
#include "verify/verify.h"
#include <math.h>

static const CeliDraw plain = {
    .A_min = 3, .A_max = 3, .gamma_min = .5, .unit = true, .endless = true, .full = true};

/// next (S) = TV by the library.
static void soft_optimal(CeliTrial *trial, const CeliProblem *m, const double *V, double *next) {
  const size_t used = trial->used;
  double *Q = celi_take(trial, m->n);
  cel_q_of_v(m->mdp, V, m->gamma, Q);
  cel_value_of_q(m->mdp, Q, m->alpha, next);
  trial->used = used;
}

static double distance(const double *x, const double *y, int n) {
  double most = 0;
  for (int i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

// ---- 1-2.1: the objective and its backup

/// The closed form of the library against E_pi[Q] + alpha H at the end of exponentiated gradient ascent, which knows none.
static CelStatus maximum_over_policies(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_max = 8}, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), pi[16], logits[16];
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    if (n == 0) continue;
    for (int a = 0; a < n; a++) logits[a] = 0;
    for (int k = 0; k < 150; k++)
      for (int a = 0; a < n; a++) logits[a] += 0.3 * (Q[p + a] / m.alpha - logits[a]);
    celi_dense_softmax(logits, n, 1, pi);
    celi_compare(trial, V[s], celi_dense_soft_value(pi, Q + p, n, m.alpha),
                 celi_size(Q, m.n) + m.alpha);
  }
  return CEL_OK;
}

/// No policy gives more: random ones stay below.
static CelStatus no_policy_is_above(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_max = 8}, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int i = 0; i < 10; i++) {
    celi_draw_policy(trial, &m, pi);
    for (int s = 0; s < m.S; s++)
      celi_compare(
          trial, celi_dense_soft_value(pi + m.pair[s], Q + m.pair[s], celi_actions(&m, s), m.alpha),
          V[s], celi_size(Q, m.n) + m.alpha);
  }
  return CEL_OK;
}

static CelStatus contraction(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.hard = true}, &m));
  double *x = celi_take(trial, m.S), *y = celi_take(trial, m.S);
  double *Tx = celi_take(trial, m.S), *Ty = celi_take(trial, m.S);
  for (int i = 0; i < 20; i++) {
    const double size = pow(10, celi_below(trial, 4) - 1);
    celi_draw_normal(trial, x, m.S, size);
    celi_draw_normal(trial, y, m.S, size);
    soft_optimal(trial, &m, x, Tx);
    soft_optimal(trial, &m, y, Ty);
    celi_compare(trial, distance(Tx, Ty, m.S), m.gamma * distance(x, y, m.S), 1e3);
  }
  return CEL_OK;
}

static CelStatus shift(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.hard = true, .endless = true}, &m));
  double *V = celi_take(trial, m.S), *TV = celi_take(trial, m.S), *shifted = celi_take(trial, m.S);
  const double c = 10 * cel_rng_normal(&trial->rng);
  celi_draw_normal(trial, V, m.S, 10);
  soft_optimal(trial, &m, V, TV);
  for (int s = 0; s < m.S; s++) V[s] += c, TV[s] += m.gamma * c;
  soft_optimal(trial, &m, V, shifted);
  celi_compare_all(trial, shifted, TV, m.S, celi_size(TV, m.S));
  return CEL_OK;
}

static CelStatus soft_q_iteration(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.gamma_max = .9}, &m));
  double *V = celi_take(trial, m.S), *best = celi_take(trial, m.S);
  double *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  for (int k = 0; k < 400; k++) soft_optimal(trial, &m, V, V);
  celi_dense_optimum(trial, &m, m.alpha, best, Q, pi);
  celi_compare_all(trial, V, best, m.S, celi_scale(&m, Q));
  return CEL_OK;
}

/// log pi* = (Q* - V*)/alpha: pi* by soft policy iteration, Q* and V* by the library's value iteration.
static CelStatus log_of_optimum(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2}, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *own = celi_take(trial, m.S), *own_Q = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_VI, m.alpha, V, Q, NULL));
  celi_dense_optimum(trial, &m, m.alpha, own, own_Q, pi);
  for (int k = 0; k < m.n; k++)
    if (pi[k] > 1e-300)
      celi_compare(trial, (Q[k] - V[m.state[k]]) / m.alpha, log(pi[k]),
                   celi_scale(&m, Q) / m.alpha);
  return CEL_OK;
}

// ---- what is printed: gamma, alpha, three Q's

enum { STEPS = 4 };

typedef struct Nested {
  const CeliProblem *m;
  const double *pi;
  double alpha;
  bool nested; ///< the discount of level t multiplies that of the levels around it: 1, g, g^3, g^6
  bool none;   ///< no discount at all
  long double sum;
} Nested;

static void add_nested(void *user, const CeliTrajectory *tau) {
  Nested *n = user;
  long double value = 0, discount = 1, level = 1;
  for (int t = 0; t < tau->steps; t++) {
    value += (n->none ? 1 : discount) * (tau->r[t] - n->alpha * logl(n->pi[tau->p[t]]));
    level *= n->m->gamma;
    discount *= n->nested ? level : n->m->gamma;
  }
  n->sum += tau->probability * value;
}

/// J over STEPS steps by the library, and as printed in 1.2 and 2.1.
static CelStatus discounts(CeliTrial *trial, bool nested, bool none) {
  CeliDraw draw = plain;
  CeliProblem m;
  draw.S_min = draw.S_max = 3, draw.A_min = draw.A_max = 2, draw.gamma = .9;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *pi = celi_take(trial, (int64_t)STEPS * m.n), *V = celi_take(trial, (int64_t)STEPS * m.S);
  double *Q = celi_take(trial, (int64_t)STEPS * m.n);
  celi_draw_policy(trial, &m, pi);
  for (int k = m.n; k < STEPS * m.n; k++) pi[k] = pi[k - m.n];
  CELI_TRY(cel_mdp_evaluate_horizon(m.mdp, pi, m.alpha, m.gamma, STEPS, V, Q));
  Nested sum = {&m, pi, m.alpha, nested, none, 0};
  celi_enumerate(&m, pi, false, STEPS, -1, -1, add_nested, &sum);
  celi_compare(trial, (double)sum.sum, cel_value_start(m.mdp, V),
               nested || none ? 1 : celi_size(Q, m.n));
  return CEL_OK;
}

static CelStatus one_gamma_a_level(CeliTrial *trial) {
  return discounts(trial, false, false);
}
static CelStatus nested_gamma(CeliTrial *trial) {
  return discounts(trial, true, false);
}
static CelStatus no_gamma(CeliTrial *trial) {
  return discounts(trial, false, true);
}

/// H where alpha H is meant.
static CelStatus entropy_without_alpha(CeliTrial *trial) {
  CeliEvaluated e;
  CeliDraw draw = plain;
  draw.alpha = .1;
  CELI_TRY(celi_draw_evaluated(trial, &draw, &e));
  double *V = celi_take(trial, e.m.S);
  celi_dense_values(trial, &e.m, e.pi, 1, V, NULL);
  celi_compare_all(trial, V, e.V, e.m.S, 1);
  return CEL_OK;
}

typedef enum WhichQ { WITHOUT, WITH_STATE, WITH_ACTION } WhichQ;

/// Q of pi by the library, with the entropy of the state or of the action added.
static CelStatus three_q(CeliTrial *trial, const CeliDraw *draw, WhichQ which, CeliEvaluated *e) {
  CELI_TRY(celi_draw_evaluated(trial, draw, e));
  for (int k = 0; k < e->m.n; k++) {
    const int s = e->m.state[k];
    if (which == WITH_STATE)
      e->Q[k] += e->m.alpha * celi_dense_entropy(e->pi + e->m.pair[s], celi_actions(&e->m, s));
    if (which == WITH_ACTION) e->Q[k] -= e->m.alpha * log(e->pi[k]);
  }
  return CEL_OK;
}

/// E_pi[Q] and V: equal with either entropy in Q, off by alpha H without (the printed lemma J = E[Q]).
static CelStatus mean_of_q(CeliTrial *trial, const CeliDraw *draw, WhichQ which) {
  CeliEvaluated e;
  CELI_TRY(three_q(trial, draw, which, &e));
  double *mean = celi_take(trial, e.m.S);
  for (int s = 0; s < e.m.S; s++)
    mean[s] = celi_dense_dot(e.pi + e.m.pair[s], e.Q + e.m.pair[s], celi_actions(&e.m, s));
  celi_compare_all(trial, mean, e.V, e.m.S, which == WITHOUT ? 1 : celi_scale(&e.m, e.Q));
  return CEL_OK;
}

static CelStatus mean_with_state(CeliTrial *trial) {
  return mean_of_q(trial, &(CeliDraw){0}, WITH_STATE);
}
static CelStatus mean_with_action(CeliTrial *trial) {
  return mean_of_q(trial, &(CeliDraw){0}, WITH_ACTION);
}
static CelStatus mean_without(CeliTrial *trial) {
  return mean_of_q(trial, &plain, WITHOUT);
}

/// The softmax of each: the state's entropy cancels, the action's does not.
static CelStatus softmax_of_q(CeliTrial *trial, WhichQ which) {
  CeliEvaluated e;
  CELI_TRY(three_q(trial, &plain, which, &e));
  double *pi = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S), *Q = celi_take(trial, e.m.n);
  double *own = celi_take(trial, e.m.n);
  CELI_TRY(celi_library_values(&e.m, e.pi, e.m.alpha, V, Q));
  for (int s = 0; s < e.m.S; s++)
    celi_dense_softmax(Q + e.m.pair[s], celi_actions(&e.m, s), e.m.alpha, own + e.m.pair[s]);
  cel_policy_of_q(e.m.mdp, e.Q, e.m.alpha, pi);
  celi_compare_all(trial, pi, own, e.m.n,
                   which == WITH_ACTION ? 1 : celi_size(Q, e.m.n) / e.m.alpha + 1);
  return CEL_OK;
}

static CelStatus softmax_with_state(CeliTrial *trial) {
  return softmax_of_q(trial, WITH_STATE);
}

/// On one state with Q = (1, 0), alpha = 1 and pi = (.2, .8).
static CelStatus softmax_with_action(CeliTrial *trial) {
  const int n = 2;
  const double Q[] = {1, 0}, with[] = {1 - log(.2), -log(.8)};
  double pi[2], other[2];
  CeliProblem m;
  celi_open(trial, &m, 1, &n, .5);
  for (int a = 0; a < n; a++) celi_arrow(&m, 0, a, 0, 1, Q[a], true);
  CELI_TRY(celi_close(trial, &m, 0));
  cel_policy_of_q(m.mdp, Q, 1, pi);
  cel_policy_of_q(m.mdp, with, 1, other);
  celi_compare_all(trial, other, pi, 2, 1);
  return CEL_OK;
}

/// The same problem with rewards by pair and by transition.
static CelStatus rewards_of_either_kind(CeliTrial *trial) {
  CeliProblem m, by_pair;
  CELI_TRY(celi_draw(trial, &(CeliDraw){0}, &m));
  m.by_pair = false;
  CELI_TRY(celi_close(trial, &m, 0));
  by_pair = m, by_pair.by_pair = true;
  CELI_TRY(celi_close(trial, &by_pair, 0));
  double *V = celi_take(trial, m.S), *left = celi_take(trial, m.n), *right = celi_take(trial, m.n);
  celi_draw_normal(trial, V, m.S, 1);
  cel_q_of_v(m.mdp, V, m.gamma, left);
  cel_q_of_v(by_pair.mdp, V, m.gamma, right);
  celi_compare_all(trial, left, right, m.n, celi_size(right, m.n));
  return CEL_OK;
}

// ---- V_Q = sum pi_Q Q: Boltzmann averaging

/// sum pi_Q Q of n numbers.
static double boltzmann(const double *Q, int n, double alpha) {
  double pi[16];
  celi_dense_softmax(Q, n, alpha, pi);
  return celi_dense_dot(pi, Q, n);
}

/// The largest ratio of a map of (2.4, 0), alpha = 1: change along (h, -h), in central differences.
static CelStatus ratio(CeliTrial *trial, bool log_sum_exp, double *out) {
  const int n = 2;
  const double h = 1e-5, up[] = {2.4 + h, -h}, down[] = {2.4 - h, h};
  double above = boltzmann(up, n, 1), below = boltzmann(down, n, 1);
  CeliProblem m;
  celi_open(trial, &m, 1, &n, .5);
  for (int a = 0; a < n; a++) celi_arrow(&m, 0, a, 0, 1, 0, true);
  CELI_TRY(celi_close(trial, &m, 0));
  if (log_sum_exp) {
    cel_value_of_q(m.mdp, up, 1, &above);
    cel_value_of_q(m.mdp, down, 1, &below);
  }
  *out = fabs(above - below) / (2 * h);
  return CEL_OK;
}

static CelStatus ratio_of_boltzmann(CeliTrial *trial) {
  double expansion;
  CELI_TRY(ratio(trial, false, &expansion));
  celi_compare(trial, expansion, 1.19968, 1);
  return CEL_OK;
}
static CelStatus boltzmann_expands(CeliTrial *trial) {
  double expansion;
  CELI_TRY(ratio(trial, false, &expansion));
  celi_compare(trial, expansion, 1, 1);
  return CEL_OK;
}
static CelStatus ratio_of_log_sum_exp(CeliTrial *trial) {
  double expansion;
  CELI_TRY(ratio(trial, true, &expansion));
  celi_compare(trial, expansion, .834, 1);
  return CEL_OK;
}

/// Q <- r + gamma E[sum pi_Q Q].
static void boltzmann_backup(const CeliProblem *m, double *V, double *Q) {
  for (int s = 0; s < m->S; s++) {
    const int n = celi_actions(m, s);
    V[s] = n ? boltzmann(Q + m->pair[s], n, m->alpha) : 0;
  }
  celi_dense_backup(m, V, Q);
}

/// With the backup around it: two Q's a little apart, one step, at gamma = .99: further apart than before.
static CelStatus boltzmann_backup_expands(CeliTrial *trial) {
  const int n = 2;
  const double h = 1e-4;
  double up[] = {2.4 + h, -h}, down[] = {2.4 - h, h}, V;
  CeliProblem m;
  celi_open(trial, &m, 1, &n, .99);
  m.alpha = 1;
  for (int a = 0; a < n; a++) celi_arrow(&m, 0, a, 0, 1, 0, false);
  CELI_TRY(celi_close(trial, &m, 0));
  boltzmann_backup(&m, &V, up);
  boltzmann_backup(&m, &V, down);
  celi_compare(trial, distance(up, down, 2) / (2 * h), 1, 1);
  return CEL_OK;
}

static CelStatus boltzmann_fixed_point(CeliTrial *trial) {
  CeliProblem m;
  CeliDraw draw = plain;
  draw.alpha = 1, draw.gamma = .9;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *best = celi_take(trial, m.n);
  for (int k = 0; k < 500; k++) boltzmann_backup(&m, V, Q);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, NULL, best, NULL));
  celi_compare_all(trial, Q, best, m.n, 1);
  return CEL_OK;
}

/// The target of 3.2 as printed, Q of T_soft V_Q with that V_Q, at Q*: it moves away.
static CelStatus printed_target(CeliTrial *trial) {
  CeliProblem m;
  CeliDraw draw = plain;
  draw.alpha = 1;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *target = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, NULL, Q, NULL));
  for (int s = 0; s < m.S; s++) V[s] = boltzmann(Q + m.pair[s], celi_actions(&m, s), m.alpha);
  soft_optimal(trial, &m, V, V);
  cel_q_of_v(m.mdp, V, m.gamma, target);
  celi_compare_all(trial, target, Q, m.n, 1);
  return CEL_OK;
}

// ---- 3: losses and targets

/// A Q away from Q* with alpha log sum exp(Q/alpha) = V* everywhere: random, then shifted state by state.
static CelStatus draw_deceiver(CeliTrial *trial, CeliProblem *m, double **Q, double **best,
                               double **V) {
  CELI_TRY(celi_draw(trial, &plain, m));
  *Q = celi_take(trial, m->n), *best = celi_take(trial, m->n), *V = celi_take(trial, m->S);
  CELI_TRY(celi_library_optimum(m, CEL_SOLVE_AUTO, m->alpha, *V, *best, NULL));
  celi_draw_normal(trial, *Q, m->n, 1);
  for (int s = 0; s < m->S; s++) {
    const double own = celi_dense_log_sum_exp(*Q + m->pair[s], celi_actions(m, s), m->alpha);
    for (int k = m->pair[s]; k < m->pair[s + 1]; k++) (*Q)[k] += (*V)[s] - own;
  }
  return CEL_OK;
}

/// The loss on V is zero there: T V_Q = V_Q.
static CelStatus loss_on_values(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  double *V_Q = celi_take(trial, m.S), *TV = celi_take(trial, m.S);
  cel_value_of_q(m.mdp, Q, m.alpha, V_Q);
  soft_optimal(trial, &m, V_Q, TV);
  celi_compare_all(trial, TV, V_Q, m.S, celi_scale(&m, best));
  return CEL_OK;
}

static CelStatus deceiver_is_elsewhere(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  celi_compare_all(trial, Q, best, m.n, 1);
  return CEL_OK;
}

/// The loss on Q with a target network is not zero there.
static CelStatus loss_on_actions(CeliTrial *trial) {
  CeliProblem m;
  double *Q, *best, *V;
  CELI_TRY(draw_deceiver(trial, &m, &Q, &best, &V));
  double *V_Q = celi_take(trial, m.S), *target = celi_take(trial, m.n);
  cel_value_of_q(m.mdp, Q, m.alpha, V_Q);
  cel_q_of_v(m.mdp, V_Q, m.gamma, target);
  celi_compare_all(trial, target, Q, m.n, 1);
  return CEL_OK;
}

/// r + gamma alpha log sum exp(Q(s',.)/alpha) from sampled s', its mean over samples against the library's backup.
static CelStatus target_from_sample(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  CeliProblem m;
  double sum = 0, squares = 0;
  CELI_TRY(celi_draw(trial, &plain, &m));
  double *Q = celi_take(trial, m.n), *V = celi_take(trial, m.S), *exact = celi_take(trial, m.n);
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  cel_q_of_v(m.mdp, V, m.gamma, exact);
  for (int i = 0; i < SAMPLES; i++) {
    const int next = celi_sample_next(trial, &m, 0);
    const double follows =
        celi_dense_log_sum_exp(Q + m.pair[next], celi_actions(&m, next), m.alpha);
    const double off = m.R[next] + m.gamma * follows - exact[0];
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / SAMPLES, 0) / (SAMPLES - 1);
  celi_compare(trial, exact[0] + sum / SAMPLES, exact[0], sqrt(variance / SAMPLES));
  return CEL_OK;
}

/// T V_Q(s) of one state from one sampled s' an action, inside of the log: Jensen's inequality biases it upwards.
static CelStatus sample_inside_log(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  const int actions[] = {2, 1, 1};
  CeliProblem m;
  double sum = 0, squares = 0, TV[3], q[2];
  const double V[] = {0, 1, -1};
  celi_open(trial, &m, 3, actions, .9);
  m.alpha = .2;
  for (int a = 0; a < 2; a++)
    celi_arrow(&m, 0, a, 1, .5, 0, false), celi_arrow(&m, 0, a, 2, .5, 0, false);
  for (int s = 1; s < 3; s++) celi_arrow(&m, s, 0, s, 1, 0, true);
  CELI_TRY(celi_close(trial, &m, 0));
  soft_optimal(trial, &m, V, TV);
  for (int i = 0; i < SAMPLES; i++) {
    for (int a = 0; a < 2; a++) q[a] = m.gamma * V[celi_sample_next(trial, &m, a)];
    const double value = celi_dense_log_sum_exp(q, 2, m.alpha);
    sum += value - TV[0], squares += (value - TV[0]) * (value - TV[0]);
  }
  const double variance = (squares - sum * sum / SAMPLES) / (SAMPLES - 1);
  celi_compare(trial, TV[0] + sum / SAMPLES, TV[0], sqrt(variance / SAMPLES));
  return CEL_OK;
}

// ---- 3.2 and 4, continuous actions: one dimension, a in [-1, 1]

typedef struct Bump {
  double height[3], centre[3], width[3], alpha;
} Bump;

static void draw_bump(CeliTrial *trial, double alpha, Bump *bump) {
  bump->alpha = alpha;
  for (int i = 0; i < 3; i++) {
    bump->height[i] = cel_rng_normal(&trial->rng);
    bump->centre[i] = cel_rng_range(&trial->rng, -1, 1);
    bump->width[i] = cel_rng_range(&trial->rng, .2, .6);
  }
}

static double bump_at(const Bump *bump, double a) {
  double Q = 0;
  for (int i = 0; i < 3; i++) {
    const double z = (a - bump->centre[i]) / bump->width[i];
    Q += bump->height[i] * exp(-z * z / 2);
  }
  return Q;
}

/// The integral over [-1, 1] of f by Simpson's rule, n even.
static double integral(double (*f)(const Bump *, double, double), const Bump *bump, double V,
                       int n) {
  const double h = 2. / n;
  double sum = 0;
  for (int i = 0; i <= n; i++)
    sum += (i == 0 || i == n ? 1 : i % 2 ? 4 : 2) * f(bump, -1 + i * h, V) * h / 3;
  return sum;
}

static double weight_of(const Bump *bump, double a, double V) {
  return exp((bump_at(bump, a) - V) / bump->alpha);
}
static double weight_printed(const Bump *bump, double a, double V) {
  return exp(bump_at(bump, a) / bump->alpha - V);
}
static double weight_squared(const Bump *bump, double a, double V) {
  return 2 * weight_of(bump, a, V) * weight_of(bump, a, V);
}

static double quadrature_value(const Bump *bump) {
  return bump->alpha * log(integral(weight_of, bump, 0, 4000));
}

/// Normalisation of the target, on other nodes than V's.
static CelStatus target_mass(CeliTrial *trial, bool printed) {
  Bump bump;
  draw_bump(trial, .25, &bump);
  const double V = quadrature_value(&bump);
  celi_compare(trial, integral(printed ? weight_printed : weight_of, &bump, V, 2998), 1, 1);
  return CEL_OK;
}

static CelStatus target_is_normalised(CeliTrial *trial) {
  return target_mass(trial, false);
}
static CelStatus target_printed(CeliTrial *trial) {
  return target_mass(trial, true);
}

/// The discrete target, by the library: sum_a exp((Q - V)/alpha) and its log policy.
static CelStatus target_of_choices(CeliTrial *trial, bool printed) {
  CeliProblem m;
  CELI_TRY(celi_draw(
      trial, &(CeliDraw){.A_min = 2, .A_max = 8, .alpha = printed ? .25 : 0, .endless = true}, &m));
  double *Q = celi_take(trial, m.n), *V = celi_take(trial, m.S);
  celi_draw_normal(trial, Q, m.n, 1);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int s = 0; s < m.S; s++) {
    double sum = 0;
    for (int k = m.pair[s]; k < m.pair[s + 1]; k++)
      sum += printed ? exp(Q[k] / m.alpha - V[s]) : exp((Q[k] - V[s]) / m.alpha);
    celi_compare(trial, sum, 1, printed ? 1 : celi_size(Q, m.n) / m.alpha + 1);
  }
  return CEL_OK;
}

static CelStatus choices_are_normalised(CeliTrial *trial) {
  return target_of_choices(trial, false);
}
static CelStatus choices_printed(CeliTrial *trial) {
  return target_of_choices(trial, true);
}

/// alpha log mean exp(Q/alpha)/q over n actions of the uniform proposal, q = 1/2.
static double importance_estimate(CeliTrial *trial, const Bump *bump, int n) {
  double sum = weight_of(bump, cel_rng_range(&trial->rng, -1, 1), 0);
  for (int i = 1; i < n; i++) sum += weight_of(bump, cel_rng_range(&trial->rng, -1, 1), 0);
  return bump->alpha * log(2 * sum / n);
}

/// Its mean over runs against quadrature, with its bias -alpha Var(w)/(2 n Z^2) or without.
static CelStatus importance_value(CeliTrial *trial, const Bump *of, int n, bool bias) {
  enum { RUNS = 4000 };
  double sum = 0, squares = 0;
  const Bump bump = *of;
  const double V = quadrature_value(&bump), Z = exp(V / bump.alpha);
  const double variance = integral(weight_squared, &bump, 0, 4000) - Z * Z;
  const double expected = bias ? -bump.alpha * variance / (2 * n * Z * Z) : 0;
  for (int i = 0; i < RUNS; i++) {
    const double off = importance_estimate(trial, &bump, n) - V;
    sum += off, squares += off * off;
  }
  const double spread = (squares - sum * sum / RUNS) / (RUNS - 1);
  celi_compare(trial, V + sum / RUNS, V + expected, sqrt(spread / RUNS));
  return CEL_OK;
}

static CelStatus importance_bias(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  return importance_value(trial, &bump, 200, true);
}
static CelStatus importance_is_biased(CeliTrial *trial) {
  const Bump peak = {{2, 0, 0}, {.3, 0, 0}, {.3, 1, 1}, .5};
  return importance_value(trial, &peak, 8, false);
}

/// q proportional to exp(Q/alpha), normalised on other nodes: every weight is Z, whatever is drawn.
static CelStatus importance_without_variance(CeliTrial *trial) {
  Bump bump;
  draw_bump(trial, .5, &bump);
  const double V = quadrature_value(&bump), Z = integral(weight_of, &bump, 0, 2998);
  for (int i = 0; i < 20; i++) {
    const double a = cel_rng_range(&trial->rng, -1, 1), q = weight_of(&bump, a, 0) / Z;
    celi_compare(trial, bump.alpha * log(weight_of(&bump, a, 0) / q), V, 1);
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"1.1, 1.2, 2.1", "J has one gamma a level", "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13,
     200, one_gamma_a_level},
    {"1.1, 1.2, 2.1", "printed: nested, gamma becomes gamma^3 at the third level",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, nested_gamma},
    {"2.1", "printed: without gamma it is another J", "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS,
     1e-6, 200, no_gamma},
    {"2.1", "printed: H for alpha H", "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-3, 200,
     entropy_without_alpha},
    {"2.1", "Q with the state's entropy: V = E_pi[Q]", "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12,
     200, mean_with_state},
    {"2.1", "Q with the action's entropy: V = E_pi[Q] as well", "cel_mdp_evaluate", CEL_CHECK_EQUAL,
     1e-12, 200, mean_with_action},
    {"2.1", "Q without, the one implemented: V is not E_pi[Q]", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-6, 200, mean_without},
    {"2.1", "the state's entropy does not move the softmax", "cel_policy_of_q", CEL_CHECK_EQUAL,
     1e-11, 200, softmax_with_state},
    {"2.1", "the action's does", "cel_policy_of_q", CEL_CHECK_DIFFERS, 1e-1, 1,
     softmax_with_action},
    {"2.1", "r(s,a,s') and its mean r(s,a) give one Q", "cel_q_of_v", CEL_CHECK_EQUAL, 1e-13, 200,
     rewards_of_either_kind},
    {"2.1", "alpha log sum exp(Q/alpha) is the maximum over pi of E_pi[Q] + alpha H",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-9, 200, maximum_over_policies},
    {"2.1", "and no policy is above it", "cel_value_of_q", CEL_CHECK_AT_MOST, 1e-12, 200,
     no_policy_is_above},
    {"2.1", "the soft optimal backup contracts by gamma", "cel_value_of_q", CEL_CHECK_AT_MOST,
     1e-15, 200, contraction},
    {"2.1", "T(V + c) = TV + gamma c", "cel_value_of_q", CEL_CHECK_EQUAL, 1e-12, 200, shift},
    {"2.1", "log pi* = (Q* - V*)/alpha", "cel_solve", CEL_CHECK_EQUAL, 1e-8, 200, log_of_optimum},
    {"3.2", "printed: V_Q = sum pi_Q Q has ratio 1.19968 at Q/alpha = (2.4, 0)", "",
     CEL_CHECK_EQUAL, 1e-5, 1, ratio_of_boltzmann},
    {"3.2", "printed: so it is no contraction", "", CEL_CHECK_EXCEEDS, .1, 1, boltzmann_expands},
    {"3.2", "alpha log sum exp has ratio .834 there", "cel_value_of_q", CEL_CHECK_EQUAL, 1e-3, 1,
     ratio_of_log_sum_exp},
    {"3.2", "printed: with the backup at gamma = .99 it expands still", "", CEL_CHECK_EXCEEDS, .1,
     1, boltzmann_backup_expands},
    {"3.2", "printed: its fixed point is not Q*", "cel_solve", CEL_CHECK_DIFFERS, 1e-2, 100,
     boltzmann_fixed_point},
    {"3.2", "printed: the target Q of T_soft V_Q moves away from Q*", "cel_solve",
     CEL_CHECK_DIFFERS, 1e-2, 100, printed_target},
    {"3.1", "soft Q-iteration V <- TV ends in V* of soft policy iteration", "cel_value_of_q",
     CEL_CHECK_EQUAL, 1e-11, 200, soft_q_iteration},
    {"3.2", "a Q away from Q* at which the loss on V is 0 (TV_Q = V_Q)", "cel_solve",
     CEL_CHECK_EQUAL, 1e-11, 200, loss_on_values},
    {"3.2", "printed: it is away from Q*, so that loss does not single out Q*", "cel_solve",
     CEL_CHECK_DIFFERS, 1e-3, 200, deceiver_is_elsewhere},
    {"3.2", "the loss on Q with a target is not 0 there", "cel_q_of_v", CEL_CHECK_DIFFERS, 1e-3,
     200, loss_on_actions},
    {"3.2", "r + gamma alpha log sum exp(Q(s',.)/alpha) from one s' is unbiased (standard errors)",
     "cel_q_of_v", CEL_CHECK_EQUAL, 4, 4, target_from_sample},
    {"3.2", "printed: one sampled s' inside of the log is biased upwards (standard errors)",
     "cel_value_of_q", CEL_CHECK_EXCEEDS, 4, 2, sample_inside_log},
    {"3.2", "importance-sampled soft value: bias -alpha Var(w)/(2 n Z^2) (standard errors)", "",
     CEL_CHECK_EQUAL, 4, 2, importance_bias},
    {"3.2", "of few samples it is not the value itself (standard errors)", "", CEL_CHECK_DIFFERS, 4,
     2, importance_is_biased},
    {"3.2", "a proposal proportional to exp(Q/alpha) has no variance", "", CEL_CHECK_EQUAL, 1e-10,
     8, importance_without_variance},
    {"4", "exp((Q - V)/alpha) integrates to 1", "", CEL_CHECK_EQUAL, 1e-10, 8,
     target_is_normalised},
    {"4", "printed: exp(Q/alpha - V) does not", "", CEL_CHECK_DIFFERS, 1e-3, 8, target_printed},
    {"4", "over choices exp((Q - V)/alpha) sums to 1", "cel_value_of_q", CEL_CHECK_EQUAL, 1e-13,
     200, choices_are_normalised},
    {"4", "printed: over choices exp(Q/alpha - V) does not", "cel_value_of_q", CEL_CHECK_DIFFERS,
     1e-3, 100, choices_printed},
    {0}};

const CeliNote celi_note_soft_q_learning = {"soft-q-learning", claims};
