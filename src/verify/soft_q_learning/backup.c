/// [soft-q-learning, 2.1-3.1]: log-sum-exp as a maximum, and the soft optimal backup TV = alpha log
/// sum exp(Q_V/alpha), Q_V = r + gamma E[V(s')]. Also the Boltzmann average V_Q = sum pi_Q Q [3.2],
/// which is not a contraction.
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

/// Compares the library's closed form with E_pi[Q] + alpha H after exponentiated gradient ascent,
/// which does not use the closed form.
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

/// No policy exceeds it: compares with random ones.
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

/// log pi* = (Q* - V*)/alpha, with pi* by dense soft policy iteration, and Q* and V* by the
/// library's value iteration.
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

/// The largest ratio of distances after and before a map, at (2.4, 0) and alpha = 1: a central
/// difference along (h, -h).
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

/// One backup of two nearby Q's at gamma = .99: they are further apart than before.
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

/// The printed target of 3.2, Q of T_soft V_Q with that V_Q, evaluated at Q*: it is not Q*.
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
    {"2.1",
     "alpha log sum exp(Q/alpha) is the maximum of E_pi[Q] + alpha H over pi: the library against "
     "exponentiated gradient ascent",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-9, 200, maximum_over_policies, 0xc53b5a18},
    {"2.1",
     "E_pi[Q] + alpha H <= alpha log sum exp(Q/alpha) for any policy: random policies against the "
     "library",
     "cel_value_of_q", CEL_CHECK_AT_MOST, 1e-12, 200, no_policy_is_above, 0xaf7be369},
    {"2.1",
     "the soft optimal backup contracts by gamma: the distance after the library's backup against "
     "gamma times the distance before",
     "cel_value_of_q", CEL_CHECK_AT_MOST, 1e-15, 200, contraction, 0x3a912143},
    {"2.1", "T(V + c) = TV + gamma c: the library's backup of V + c against that of V",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-12, 200, shift, 0xc40a9f68},
    {"2.1",
     "log pi* = (Q* - V*)/alpha: the library's value iteration against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-8, 200, log_of_optimum, 0x5aea3e5b},
    {"3.2",
     "printed: V_Q = sum pi_Q Q has the ratio 1.19968 at Q/alpha = (2.4, 0): a central difference "
     "against that number",
     "", CEL_CHECK_EQUAL, 1e-5, 1, ratio_of_boltzmann, 0x0f1ef2b5},
    {"3.2", "printed: V_Q = sum pi_Q Q has a ratio above 1, so it is not a contraction", "",
     CEL_CHECK_EXCEEDS, .1, 1, boltzmann_expands, 0x196b1145},
    {"3.2",
     "alpha log sum exp(Q/alpha) has the ratio .834 at Q/alpha = (2.4, 0): a central difference of "
     "the library against that number",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-3, 1, ratio_of_log_sum_exp, 0xa6064925},
    {"3.2", "printed: the backup with V_Q = sum pi_Q Q at gamma = .99 has a ratio above 1", "",
     CEL_CHECK_EXCEEDS, .1, 1, boltzmann_backup_expands, 0xb20d19a5},
    {"3.2", "printed: the fixed point of the backup with V_Q = sum pi_Q Q is not Q*", "cel_solve",
     CEL_CHECK_DIFFERS, 1e-2, 100, boltzmann_fixed_point, 0x88a195eb},
    {"3.2", "printed: at Q* the target, Q of T_soft V_Q, is not Q*", "cel_solve", CEL_CHECK_DIFFERS,
     1e-2, 100, printed_target, 0xfb3efcdf},
    {"3.1",
     "soft Q-iteration V <- TV converges to V*: 400 backups of the library against dense soft "
     "policy iteration",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-11, 200, soft_q_iteration, 0x6077d335},
    {0}};

const CeliSection celi_sq_backups = {"src/verify/soft_q_learning/backup.c", claims};
