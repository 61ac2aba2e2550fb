/// [maximum-entropy, 8.27-8.30]: values as alpha log Z less alpha KL, and projections as maximisers.
///
/// F(pi) = E_pi[Q - alpha log pi], Z = sum exp(Q/alpha), of one state.
#include "celsius/improve.h"
#include "verify/verify.h"
#include <math.h>

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

/// F of the library's projection, and its alpha log Z less alpha times the least KL of all members, found one by one.
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
    {"8.27-8.29", "V of any policy = alpha log Z - alpha KL", "cel_value_of_q", CEL_CHECK_EQUAL,
     1e-11, 200, value_is_log_z_less_kl},
    {"8.27", "printed: alpha log Z is off by alpha KL away from the softmax", "cel_value_of_q",
     CEL_CHECK_DIFFERS, 1e-10, 200, printed_log_z},
    {"8.27", "it holds where pi is the softmax of its own Q", "cel_solve", CEL_CHECK_EQUAL, 1e-11,
     100, log_z_at_optimum},
    {"8.30", "over finite classes argmin KL is argmax E[Q - alpha log pi]", "cel_policy_project",
     CEL_CHECK_EQUAL, 0, 200, projection_is_best},
    {"8.28, 8.30", "F of the projection = alpha log Z - alpha times the least KL of the class",
     "cel_policy_project", CEL_CHECK_EQUAL, 1e-12, 200, divergence_and_value},
    {0}};

const CeliSection celi_me_divergence = {"src/verify/maximum_entropy/divergence.c", claims};
