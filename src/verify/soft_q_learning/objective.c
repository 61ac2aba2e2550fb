/// [soft-q-learning, 1.1-2.1]: the objective with one factor gamma for each time step, alpha H
/// written out, and the three Q's of the note.
#include "verify/soft_q_learning/backup.h"
#include <math.h>

// ---- printed forms: gamma, alpha, three Q's

enum { STEPS = 4 };

typedef struct Nested {
  const CeliProblem *m;
  const double *pi;
  double alpha;
  bool nested; ///< the discount of step t multiplies those of all steps before it: 1, g, g^3, g^6
  bool none;   ///< no discount
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

/// J over STEPS steps, by the library and as printed in 1.2 and 2.1.
static CelStatus discounts(CeliTrial *trial, bool nested, bool none) {
  CeliDraw draw = celi_sq_plain;
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

/// H in place of alpha H.
static CelStatus entropy_without_alpha(CeliTrial *trial) {
  CeliEvaluated e;
  CeliDraw draw = celi_sq_plain;
  draw.alpha = .1;
  CELI_TRY(celi_draw_evaluated(trial, &draw, &e));
  double *V = celi_take(trial, e.m.S);
  celi_dense_values(trial, &e.m, e.pi, 1, V, NULL);
  celi_compare_all(trial, V, e.V, e.m.S, 1);
  return CEL_OK;
}

typedef enum WhichQ { WITHOUT, WITH_STATE, WITH_ACTION } WhichQ;

/// The library's Q of pi, plus the entropy of the state or of the action.
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

/// E_pi[Q] and V. They are equal if Q includes either entropy. Otherwise they differ by alpha H
/// (the printed lemma J = E[Q]).
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
  return mean_of_q(trial, &celi_sq_plain, WITHOUT);
}

/// The softmax of each Q. The entropy of the state cancels, that of the action does not.
static CelStatus softmax_of_q(CeliTrial *trial, WhichQ which) {
  CeliEvaluated e;
  CELI_TRY(three_q(trial, &celi_sq_plain, which, &e));
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

/// One state with Q = (1, 0), alpha = 1 and pi = (.2, .8).
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

/// The same problem with rewards by pair and by transition. Compares the library with the dense
/// backup for R(s,a,s').
static CelStatus rewards_of_either_kind(CeliTrial *trial) {
  CeliProblem m, by_pair;
  CELI_TRY(celi_draw(trial, &(CeliDraw){0}, &m));
  m.by_pair = false;
  CELI_TRY(celi_close(trial, &m, 0));
  by_pair = m, by_pair.by_pair = true;
  CELI_TRY(celi_close(trial, &by_pair, 0));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *own = celi_take(trial, m.n);
  celi_draw_normal(trial, V, m.S, 1);
  for (int k = 0; k < m.n; k++)
    for (int next = 0; next < m.S; next++) {
      const int at = k * m.S + next;
      own[k] += m.P[at] * (m.R[at] + (m.ends[at] > 0 ? 0 : m.gamma * V[next]));
    }
  cel_q_of_v(m.mdp, V, m.gamma, Q);
  celi_compare_all(trial, Q, own, m.n, celi_size(own, m.n));
  cel_q_of_v(by_pair.mdp, V, m.gamma, Q);
  celi_compare_all(trial, Q, own, m.n, celi_size(own, m.n));
  return CEL_OK;
}

/// T_soft^pi V for any V. The library's soft value over one step with rewards r + gamma V(s') is
/// compared with T^pi V by dense sums plus alpha H, or plus H as printed.
static CelStatus backup_of_policy(CeliTrial *trial, const CeliDraw *draw, bool printed) {
  CeliProblem m, one;
  CELI_TRY(celi_draw(trial, draw, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q_V = celi_take(trial, m.n);
  double *left = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *right = celi_take(trial, m.S);
  celi_draw_policy(trial, &m, pi);
  celi_draw_normal(trial, V, m.S, 10);
  one = m, one.R = celi_take(trial, (int64_t)m.n * m.S), one.r = celi_take(trial, m.n);
  one.by_pair = false;
  for (int at = 0; at < m.n * m.S; at++)
    one.R[at] = m.R[at] + (m.ends[at] > 0 ? 0 : m.gamma * V[at % m.S]);
  CELI_TRY(celi_close(trial, &one, 0));
  CELI_TRY(cel_mdp_evaluate_horizon(one.mdp, pi, m.alpha, m.gamma, 1, left, Q));
  celi_dense_backup(&m, V, Q_V);
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    right[s] = celi_dense_dot(pi + p, Q_V + p, n) +
               (printed ? 1 : m.alpha) * celi_dense_entropy(pi + p, n);
  }
  celi_compare_all(trial, left, right, m.S, printed ? 1 : celi_size(Q_V, m.n) + m.alpha);
  return CEL_OK;
}

static CelStatus backup_with_alpha(CeliTrial *trial) {
  return backup_of_policy(trial, &(CeliDraw){0}, false);
}
static CelStatus backup_printed(CeliTrial *trial) {
  CeliDraw draw = celi_sq_plain;
  draw.alpha = .1;
  return backup_of_policy(trial, &draw, true);
}

// ---- the other Q-based equation, which the note does not solve

/// The fixed point of its first form, with gamma written in: Q(s,a) = r + gamma E sum_a' pi(a'|s')
/// Q(s',a') - alpha log pi(a|s).
static void other_fixed_point(CeliTrial *trial, const CeliProblem *m, const double *pi, double *Q) {
  const int n = m->n;
  double *M = celi_take(trial, (int64_t)n * n);
  for (int k = 0; k < n; k++) {
    Q[k] = m->r[k] - m->alpha * log(pi[k]);
    for (int j = 0; j < n; j++)
      M[k * n + j] = (k == j) - m->gamma * m->go[k * m->S + m->state[j]] * pi[j];
  }
  celi_dense_solve(M, Q, n, 1);
}

/// For any policy it is the library's Q - alpha log pi.
static CelStatus other_of_policy(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(three_q(trial, &(CeliDraw){.S_max = 8}, WITH_ACTION, &e));
  double *Q = celi_take(trial, e.m.n);
  other_fixed_point(trial, &e.m, e.pi, Q);
  celi_compare_all(trial, e.Q, Q, e.m.n, celi_scale(&e.m, Q));
  return CEL_OK;
}

/// For the library's pi* it is V*(s) for every action. It does not tell which action to take: its
/// softmax is uniform.
static CelStatus other_of_optimum(CeliTrial *trial, bool softmax) {
  CeliProblem m;
  CeliDraw draw = celi_sq_plain;
  draw.alpha = 1, draw.gamma_max = .9;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *V = celi_take(trial, m.S), *pi = celi_take(trial, m.n), *Q = celi_take(trial, m.n);
  double *value = celi_take(trial, m.n), *own = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, NULL, pi));
  other_fixed_point(trial, &m, pi, Q);
  for (int k = 0; k < m.n; k++) value[k] = V[m.state[k]];
  for (int s = 0; s < m.S; s++)
    celi_dense_softmax(value + m.pair[s], celi_actions(&m, s), m.alpha, own + m.pair[s]);
  if (softmax)
    celi_compare_all(trial, own, pi, m.n, 1);
  else
    celi_compare_all(trial, Q, value, m.n, celi_scale(&m, Q));
  return CEL_OK;
}

static CelStatus other_is_value(CeliTrial *trial) {
  return other_of_optimum(trial, false);
}
static CelStatus other_has_no_policy(CeliTrial *trial) {
  return other_of_optimum(trial, true);
}

/// Its second form at the library's Q*. The maximum over pi includes pi(.|s'), which has no entropy
/// there. Even with a separate maximum for each s', it is at most alpha log sum exp((r + gamma E
/// max Q*)/alpha), which is below V*.
static CelStatus other_maximum(CeliTrial *trial) {
  CeliProblem m;
  CeliDraw draw = celi_sq_plain;
  draw.alpha = 1, draw.gamma_max = .9;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *V = celi_take(trial, m.S), *best = celi_take(trial, m.n), *hard = celi_take(trial, m.S);
  double *Q = celi_take(trial, m.n), least = HUGE_VAL;
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, best, NULL));
  for (int s = 0; s < m.S; s++) {
    hard[s] = best[m.pair[s]];
    for (int k = m.pair[s]; k < m.pair[s + 1]; k++) hard[s] = fmax(hard[s], best[k]);
  }
  celi_dense_backup(&m, hard, Q);
  for (int s = 0; s < m.S; s++) {
    const double most = celi_dense_log_sum_exp(Q + m.pair[s], celi_actions(&m, s), m.alpha);
    least = fmin(least, V[s] - most);
  }
  celi_compare(trial, least, 0, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"1.1, 1.2, 2.1", "J has one factor gamma a time step: all trajectories against the library",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 200, one_gamma_a_level, 0xd0e47a52},
    {"1.1, 1.2, 2.1", "printed: nested discounts give gamma^3 at the third level, which is not J",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, nested_gamma, 0x40813199},
    {"2.1", "printed: without gamma the sum is not J", "cel_mdp_evaluate_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 200, no_gamma, 0x9716ff60},
    {"2.1", "printed: H in place of alpha H does not give soft V", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-3, 200, entropy_without_alpha, 0xc149374c},
    {"2.1",
     "if Q includes the entropy of its state, V = E_pi[Q]: the library's Q + alpha H against its V",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 200, mean_with_state, 0x8f4cd934},
    {"2.1",
     "if Q includes the entropy of its action, V = E_pi[Q]: the library's Q - alpha log pi against "
     "its V",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 200, mean_with_action, 0xea193853},
    {"2.1", "if Q includes neither entropy, as in the library, V is not E_pi[Q]",
     "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-6, 200, mean_without, 0xf82aa92e},
    {"2.1",
     "the entropy of the state in Q does not change the softmax: the library against a dense "
     "softmax",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-11, 200, softmax_with_state, 0x52a18b88},
    {"2.1", "the entropy of the action in Q changes the softmax", "cel_policy_of_q",
     CEL_CHECK_DIFFERS, 1e-1, 1, softmax_with_action, 0x87278d87},
    {"2.1",
     "rewards r(s,a,s') and their mean r(s,a) give the same Q: the library against a sum over s'",
     "cel_q_of_v", CEL_CHECK_EQUAL, 1e-13, 200, rewards_of_either_kind, 0x23ca97c1},
    {"2.1", "T_soft^pi V = T^pi V + alpha H for any V: one step of the library against dense sums",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 200, backup_with_alpha, 0x6e37e519},
    {"2.1", "printed: T^pi V + H is not T_soft^pi V", "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS,
     1e-3, 200, backup_printed, 0xa716a562},
    {"2.1",
     "the other Q-based equation gives Q - alpha log pi of a policy: the library against dense "
     "elimination",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, other_of_policy, 0x208551ef},
    {"2.1",
     "the other Q-based equation gives V*(s) for pi*, whatever the action: dense elimination "
     "against the library's V*",
     "cel_solve", CEL_CHECK_EQUAL, 1e-10, 100, other_is_value, 0xa4198c77},
    {"2.1", "printed: the softmax of the other Q-based equation is uniform, so it is not pi*",
     "cel_solve", CEL_CHECK_DIFFERS, 1e-2, 100, other_has_no_policy, 0x663a57ea},
    {"2.1",
     "printed: with a maximum over pi the other Q-based equation lacks the entropy of s', so V* is "
     "above it",
     "cel_solve", CEL_CHECK_EXCEEDS, 1e-2, 100, other_maximum, 0x535d15cf},
    {0}};

const CeliSection celi_sq_objective = {"src/verify/soft_q_learning/objective.c", claims};
