/// [maximum-entropy, 8.8-8.21]: soft V, Q and J of a policy over an infinite horizon, compared with
/// linear systems, propagation and simulation.
#include "verify/verify.h"
#include <math.h>

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

/// (8.21) as one linear system over pairs: Q = r + gamma P_pi (Q - alpha log pi).
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

static const CeliClaim claims[] = {
    {"8.9, 8.12",
     "J = E[V(x0)]: the library's V against r + alpha H summed over its discounted state "
     "distribution",
     "cel_discounted_distribution", CEL_CHECK_EQUAL, 1e-11, 200, start_from_visits, 0x713309ce},
    {"8.12",
     "J = E[Q(x0,u0) - alpha log pi(u0 given x0)]: the library's J - E[Q] against alpha E[H] of "
     "the first action",
     "cel_value_start", CEL_CHECK_EQUAL, 1e-11, 200, start_entropy, 0xe73bffe8},
    {"8.12", "printed: E[Q(x0,u0)] is not J, because it lacks the entropy of the first action",
     "cel_value_start", CEL_CHECK_DIFFERS, 1e-10, 200, printed_start, 0x8dca8682},
    {"8.14-8.20", "soft V of a policy: the library against dense elimination (up to 200 states)",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 200, values_by_elimination, 0x3605c21b},
    {"8.18, 8.21",
     "soft Q of a policy: the library against dense elimination over state-action pairs",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 200, actions_by_elimination, 0x3f0201f2},
    {"8.8, 8.19-8.20",
     "soft V of a policy: the library's sweeps against rewards propagated forward from each state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 100, sweeps_by_propagation, 0x43f1cedc},
    {"8.8, 8.19-8.20",
     "soft V of a policy: the library's Krylov solver against rewards propagated forward from each "
     "state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 100, krylov_by_propagation, 0x11c0658c},
    {"8.2, 8.8-8.9",
     "J of a policy: the library against the mean of 4000 simulated soft returns (standard errors)",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 4, 8, values_by_simulation, 0x08bb44f5},
    {0}};

const CeliSection celi_me_values = {"src/verify/maximum_entropy/values.c", claims};
