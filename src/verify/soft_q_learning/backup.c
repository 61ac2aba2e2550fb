/// [soft-q-learning, 2.1-3.1]: log-sum-exp as a maximum, and the soft optimal backup TV = alpha log sum exp(Q_V/alpha),
/// Q_V = r + gamma E[V(s')]; beside it V_Q = sum pi_Q Q, averaging by Boltzmann's weights, which is no contraction [3.2].
#include "verify/soft_q_learning/backup.h"
#include <math.h>

const CeliDraw celi_sq_plain = {
    .A_min = 3, .A_max = 3, .gamma_min = .5, .unit = true, .endless = true, .full = true};

void celi_sq_backup(CeliTrial *trial, const CeliProblem *m, const double *V, double *next) {
  const size_t used = trial->used;
  double *Q = celi_take(trial, m->n);
  cel_q_of_v(m->mdp, V, m->gamma, Q);
  cel_value_of_q(m->mdp, Q, m->alpha, next);
  trial->used = used;
}

// ---- 2.1-3.1: log-sum-exp, and the backup

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
    celi_sq_backup(trial, &m, x, Tx);
    celi_sq_backup(trial, &m, y, Ty);
    celi_compare(trial, celi_dense_furthest(Tx, Ty, m.S), m.gamma * celi_dense_furthest(x, y, m.S),
                 1e3);
  }
  return CEL_OK;
}

static CelStatus shift(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.hard = true, .endless = true}, &m));
  double *V = celi_take(trial, m.S), *TV = celi_take(trial, m.S), *shifted = celi_take(trial, m.S);
  const double c = 10 * cel_rng_normal(&trial->rng);
  celi_draw_normal(trial, V, m.S, 10);
  celi_sq_backup(trial, &m, V, TV);
  for (int s = 0; s < m.S; s++) V[s] += c, TV[s] += m.gamma * c;
  celi_sq_backup(trial, &m, V, shifted);
  celi_compare_all(trial, shifted, TV, m.S, celi_size(TV, m.S));
  return CEL_OK;
}

static CelStatus soft_q_iteration(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.gamma_max = .9}, &m));
  double *V = celi_take(trial, m.S), *best = celi_take(trial, m.S);
  double *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  for (int k = 0; k < 400; k++) celi_sq_backup(trial, &m, V, V);
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
  celi_compare(trial, celi_dense_furthest(up, down, 2) / (2 * h), 1, 1);
  return CEL_OK;
}

static CelStatus boltzmann_fixed_point(CeliTrial *trial) {
  CeliProblem m;
  CeliDraw draw = celi_sq_plain;
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
  CeliDraw draw = celi_sq_plain;
  draw.alpha = 1;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *target = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, NULL, Q, NULL));
  for (int s = 0; s < m.S; s++) V[s] = boltzmann(Q + m.pair[s], celi_actions(&m, s), m.alpha);
  celi_sq_backup(trial, &m, V, V);
  cel_q_of_v(m.mdp, V, m.gamma, target);
  celi_compare_all(trial, target, Q, m.n, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
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
    {0}};

const CeliSection celi_sq_backups = {"src/verify/soft_q_learning/backup.c", claims};
