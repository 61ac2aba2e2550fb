/// [maximum-entropy, 8.27-8.30]: values as alpha log Z less alpha KL, and projections as
/// maximizers.
///
/// F(pi) = E_pi[Q - alpha log pi] and Z = sum exp(Q/alpha) of one state.
#include "celsius/improve.h"
#include "verify/verify.h"
#include <math.h>

// ---- 8.27-8.30

/// Compares alpha log Z less alpha KL with V of a policy, all by the library but the KL. `printed`:
/// without the KL.
static CelStatus value_and_divergence(CeliTrial *trial, bool printed) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .S_max = 30}, &e));
  double *log_Z = celi_take(trial, e.m.S), *right = celi_take(trial, e.m.S);
  cel_value_of_q(e.m.mdp, e.Q, e.m.alpha, log_Z);
  for (int s = 0; s < e.m.S; s++) {
    const int p = e.m.pair[s], n = celi_actions(&e.m, s);
    right[s] = log_Z[s];
    if (n == 0 || printed) continue;
    // uses log softmax, because the softmax itself may underflow where pi does not
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

/// V* = alpha log Z of its own Q*: (8.27) holds for the softmax of its own Q.
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

/// Draws a rectangular class of MEMBERS policies and a Q, and projects with the library.
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

/// The library's argmin of KL is the member with the largest F, in each state.
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

/// Compares F of the library's projection with its alpha log Z less alpha times the smallest KL of
/// all members.
static CelStatus divergence_and_value(CeliTrial *trial) {
  CeliProblem m;
  double *policies, *Q, *pi;
  CELI_TRY(draw_projection(trial, &m, &policies, &Q, &pi));
  double *V = celi_take(trial, m.S);
  cel_value_of_q(m.mdp, Q, m.alpha, V);
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    if (n == 0) continue;
    const long double log_Z = celi_dense_log_sum_exp(Q + p, n, m.alpha) / (long double)m.alpha;
    long double least = HUGE_VALL;
    for (int i = 0; i < MEMBERS; i++) {
      const double *member = policies + i * m.n + p;
      long double kl = 0;
      for (int a = 0; a < n; a++) kl += member[a] * (logl(member[a]) - Q[p + a] / m.alpha + log_Z);
      least = kl < least ? kl : least;
    }
    celi_compare(trial, celi_dense_soft_value(pi + p, Q + p, n, m.alpha),
                 V[s] - (double)(m.alpha * least), celi_size(Q, m.n) + m.alpha);
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"8.27-8.29",
     "V = alpha log Z - alpha KL(pi, softmax(Q/alpha)) for any policy: the library's log Z less KL "
     "against its V",
     "cel_value_of_q", CEL_CHECK_EQUAL, 1e-11, 200, value_is_log_z_less_kl, 0x65641b50},
    {"8.27", "printed: V = alpha log Z is off by alpha KL where pi is not the softmax of its own Q",
     "cel_value_of_q", CEL_CHECK_DIFFERS, 1e-10, 200, printed_log_z, 0x4c1e6b8a},
    {"8.27",
     "V = alpha log Z where pi is the softmax of its own Q: the library's V* against log-sum-exp "
     "of Q by dense elimination",
     "cel_solve", CEL_CHECK_EQUAL, 1e-11, 100, log_z_at_optimum, 0x3cb6e2d8},
    {"8.30",
     "over a finite class argmin KL is argmax E_pi[Q - alpha log pi]: the library's projection "
     "against a search",
     "cel_policy_project", CEL_CHECK_EQUAL, 0, 200, projection_is_best, 0x694fe890},
    {"8.28, 8.30",
     "over a finite class max E_pi[Q - alpha log pi] = alpha log Z - alpha min KL: the library's "
     "projection against a search",
     "cel_policy_project", CEL_CHECK_EQUAL, 1e-12, 200, divergence_and_value, 0xd1f7d4de},
    {0}};

const CeliSection celi_me_divergence = {"src/verify/maximum_entropy/divergence.c", claims};
