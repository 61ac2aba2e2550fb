/// [policy-guarantees, Lemma 1, Lemma 2, Theorem 1] and (1)-(4), (15)-(19): soft evaluation,
/// improvement and iteration.
#include "celsius/improve.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

enum { STEPS = 4 };

// ---- (1)

/// (1) sums without gamma^t, while (2) and (3) discount.
static CelStatus printed_objective(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial,
                     &(CeliDraw){.S_min = 3,
                                 .S_max = 3,
                                 .A_min = 2,
                                 .A_max = 2,
                                 .gamma = .9,
                                 .unit = true,
                                 .endless = true},
                     &m));
  double *pi = celi_take(trial, (int64_t)STEPS * m.n), *V = celi_take(trial, (int64_t)STEPS * m.S);
  double *Q = celi_take(trial, (int64_t)STEPS * m.n);
  celi_draw_policy(trial, &m, pi);
  for (int k = m.n; k < STEPS * m.n; k++) pi[k] = pi[k - m.n];
  CELI_TRY(cel_mdp_evaluate_horizon(m.mdp, pi, m.alpha, m.gamma, STEPS, V, Q));
  m.gamma = 1;
  celi_compare(trial, celi_enumerated_return(&m, pi, true, STEPS, -1, -1, m.alpha, true),
               cel_value_start(m.mdp, V), 1);
  return CEL_OK;
}

// ---- Lemma 1

/// One step Q <- r + gamma E[V(s')], V = E_pi[Q - alpha log pi], by the library's backup.
static void soft_backup(const CeliProblem *m, const double *pi, double alpha, double *V,
                        double *Q) {
  for (int s = 0; s < m->S; s++)
    V[s] = celi_dense_soft_value(pi + m->pair[s], Q + m->pair[s], celi_actions(m, s), alpha);
  cel_q_of_v(m->mdp, V, m->gamma, Q);
}

static CelStatus evaluation_contracts(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){0}, &e));
  double *Q = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S),
         *exact = celi_take(trial, e.m.n);
  celi_dense_values(trial, &e.m, e.pi, e.m.alpha, V, exact);
  celi_draw_normal(trial, Q, e.m.n, 10);
  double before = celi_dense_furthest(Q, exact, e.m.n);
  for (int k = 0; k < 50; k++) {
    soft_backup(&e.m, e.pi, e.m.alpha, V, Q);
    const double after = celi_dense_furthest(Q, exact, e.m.n);
    celi_compare(trial, after, e.m.gamma * before, celi_size(exact, e.m.n));
    before = after;
  }
  return CEL_OK;
}

static CelStatus evaluation_converges(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &celi_change_any, &e));
  double *Q = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S);
  for (int k = 0; k < 400; k++) soft_backup(&e.m, e.pi, e.m.alpha, V, Q);
  celi_compare_all(trial, e.Q, Q, e.m.n, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

/// The fixed point of Q = r + b E[H(s')] + gamma E[Q(s',a')]. b is alpha as printed, or gamma
/// alpha.
static CelStatus entropy_reward(CeliTrial *trial, const CeliDraw *draw, bool printed,
                                double temperatures) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, draw, &e));
  double *V = celi_take(trial, e.m.S), *Q = celi_take(trial, e.m.n);
  double *H = celi_take(trial, e.m.S), *r = e.m.r, *with = celi_take(trial, e.m.n);
  for (int s = 0; s < e.m.S; s++)
    H[s] = celi_dense_entropy(e.pi + e.m.pair[s], celi_actions(&e.m, s));
  for (int k = 0; k < e.m.n; k++)
    with[k] =
        r[k] + e.m.alpha * (printed ? 1 : e.m.gamma) * celi_dense_dot(e.m.go + k * e.m.S, H, e.m.S);
  e.m.r = with;
  celi_dense_values(trial, &e.m, e.pi, 0, V, Q);
  e.m.r = r;
  CELI_TRY(celi_library_values(&e.m, e.pi, e.m.alpha * temperatures, e.V, e.Q));
  celi_compare_all(trial, Q, e.Q, e.m.n, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

static CelStatus entropy_reward_corrected(CeliTrial *trial) {
  return entropy_reward(trial, &(CeliDraw){0}, false, 1);
}
static CelStatus entropy_reward_printed(CeliTrial *trial) {
  return entropy_reward(
      trial,
      &(CeliDraw){
          .A_min = 2, .A_max = 3, .gamma_min = .5, .alpha_min = .1, .unit = true, .endless = true},
      true, 1);
}
static CelStatus entropy_reward_temperature(CeliTrial *trial) {
  return entropy_reward(trial, &(CeliDraw){.gamma = .9}, true, 1 / .9);
}

// ---- Lemma 2

enum { MEMBERS = 6 };

/// Draws a problem and pi_old, and gets the library's Q_old. pi_old is random, or the result of
/// some steps of soft policy iteration: near the optimum even a small error in the improvement
/// makes Q fall.
static CelStatus draw_old(CeliTrial *trial, CeliEvaluated *e) {
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2}, e));
  for (int k = celi_below(trial, 6); k > 0; k--) {
    celi_dense_values(trial, &e->m, e->pi, e->m.alpha, e->V, e->Q);
    for (int s = 0; s < e->m.S; s++) {
      const int p = e->m.pair[s], n = celi_actions(&e->m, s);
      if (n) celi_dense_softmax(e->Q + p, n, e->m.alpha, e->pi + p);
    }
  }
  return celi_library_values(&e->m, e->pi, e->m.alpha, e->V, e->Q);
}

/// The library's projection of Q_old on the full class, or on a rectangular class that contains
/// pi_old.
static CelStatus project_old(CeliTrial *trial, const CeliEvaluated *e, bool restricted,
                             double *next) {
  double *members = celi_take(trial, (int64_t)MEMBERS * e->m.n);
  for (int i = 1; i < MEMBERS; i++) celi_draw_policy(trial, &e->m, members + i * e->m.n);
  for (int k = 0; k < e->m.n; k++) members[k] = e->pi[k];
  const CelPolicyClass class = {MEMBERS, members, true};
  return cel_policy_project(e->m.mdp, e->Q, e->m.alpha, restricted ? &class : NULL, NULL, next);
}

/// Compares Q_old and Q_new around one improvement.
static CelStatus improvement(CeliTrial *trial, bool restricted) {
  CeliEvaluated e;
  CELI_TRY(draw_old(trial, &e));
  double *next = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S),
         *Q = celi_take(trial, e.m.n);
  CELI_TRY(project_old(trial, &e, restricted, next));
  CELI_TRY(celi_library_values(&e.m, next, e.m.alpha, V, Q));
  celi_compare_all(trial, e.Q, Q, e.m.n, celi_scale(&e.m, e.Q));
  return CEL_OK;
}

/// alpha J_old(pi) = E_pi[alpha log pi - Q_old + alpha log Z] of one state, with Q_old by dense
/// elimination.
static double divergence_loss(const CeliProblem *m, const double *Q, const double *pi, int s) {
  const int p = m->pair[s], n = celi_actions(m, s);
  return celi_dense_log_sum_exp(Q + p, n, m->alpha) -
         celi_dense_soft_value(pi + p, Q + p, n, m->alpha);
}

/// (17) in each state, on both classes: the loss of the library's projection, and the loss of
/// pi_old.
static CelStatus loss_does_not_rise(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(draw_old(trial, &e));
  double *next = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S),
         *Q = celi_take(trial, e.m.n);
  celi_dense_values(trial, &e.m, e.pi, e.m.alpha, V, Q);
  for (int restricted = 0; restricted < 2; restricted++) {
    CELI_TRY(project_old(trial, &e, restricted == 1, next));
    for (int s = 0; s < e.m.S; s++)
      if (celi_actions(&e.m, s))
        celi_compare(trial, divergence_loss(&e.m, Q, next, s), divergence_loss(&e.m, Q, e.pi, s),
                     celi_scale(&e.m, Q));
  }
  return CEL_OK;
}

/// (18) in each state: compares V_old by dense elimination, or that plus alpha KL(pi_old, pi_new)
/// on the full class, with E_new[Q_old - alpha log pi_new] from the library's Q_old and projection.
static CelStatus value_of_improvement(CeliTrial *trial, bool exactly) {
  CeliEvaluated e;
  CELI_TRY(draw_old(trial, &e));
  double *next = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S),
         *Q = celi_take(trial, e.m.n);
  celi_dense_values(trial, &e.m, e.pi, e.m.alpha, V, Q);
  CELI_TRY(project_old(trial, &e, false, next));
  for (int s = 0; s < e.m.S; s++) {
    const int p = e.m.pair[s], n = celi_actions(&e.m, s);
    if (n == 0) continue;
    const double gained = celi_dense_soft_value(next + p, e.Q + p, n, e.m.alpha);
    const double rise = exactly ? divergence_loss(&e.m, Q, e.pi, s) : 0;
    celi_compare(trial, V[s] + rise, gained, celi_scale(&e.m, Q));
  }
  return CEL_OK;
}

static CelStatus value_does_not_fall(CeliTrial *trial) {
  return value_of_improvement(trial, false);
}
static CelStatus value_rises_by_divergence(CeliTrial *trial) {
  return value_of_improvement(trial, true);
}

static CelStatus improvement_full(CeliTrial *trial) {
  return improvement(trial, false);
}
static CelStatus improvement_rectangular(CeliTrial *trial) {
  return improvement(trial, true);
}

/// Two separate states, and two policies, each good in one of them. The policy that is better on
/// average is worse in state 0.
static CelStatus improvement_of_whole_policies(CeliTrial *trial) {
  const int actions[] = {2, 2, 1};
  const double low = .01, high = .99;
  double members[] = {high, low, high, low, 1, low, high, low, high, 1}, next[5];
  double V[3], Q[5], V_old[3], Q_old[5];
  CeliProblem m;
  celi_open(trial, &m, 3, actions, .9);
  celi_arrow(&m, 0, 0, 0, 1, 1, true), celi_arrow(&m, 0, 1, 0, 1, 0, true);
  celi_arrow(&m, 1, 0, 1, 1, 0, true), celi_arrow(&m, 1, 1, 1, 1, 3, true);
  celi_arrow(&m, 2, 0, 0, 1, 0, false);
  CELI_TRY(celi_close(trial, &m, 0));
  const CelPolicyClass class = {2, members, false};
  CELI_TRY(celi_library_values(&m, members, .1, V_old, Q_old));
  CELI_TRY(cel_policy_project(m.mdp, Q_old, .1, &class, NULL, next));
  CELI_TRY(celi_library_values(&m, next, .1, V, Q));
  celi_compare_all(trial, Q_old, Q, 5, 1);
  return CEL_OK;
}

/// Projection on exp(Q) while V uses alpha = 5. pi_old, the softmax of Q/alpha, is better than the
/// projection.
static CelStatus improvement_without_alpha(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial,
                     &(CeliDraw){.A_min = 3,
                                 .A_max = 3,
                                 .gamma_min = .5,
                                 .alpha = 5,
                                 .unit = true,
                                 .endless = true,
                                 .full = true},
                     &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *Q_next = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, Q, pi));
  cel_policy_of_q(m.mdp, Q, 1, pi);
  CELI_TRY(celi_library_values(&m, pi, m.alpha, V, Q_next));
  celi_compare_all(trial, Q, Q_next, m.n, 1);
  return CEL_OK;
}

// ---- Theorem 1

static const CeliDraw control = {.A_min = 2, .S_max = 8};

/// Compares V* and Q* of the library by `method` with soft policy iteration by dense solves.
static CelStatus optimum_by(CeliTrial *trial, CelSolveMethod method) {
  const CeliDraw large = {.S_min = 200, .S_max = 200, .A_min = 10, .A_max = 10};
  CeliProblem m;
  CELI_TRY(celi_draw(trial, trial->seed % 32 == 0 ? &large : &control, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *own = celi_take(trial, m.S), *own_Q = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, method, m.alpha, V, Q, pi));
  celi_dense_optimum(trial, &m, m.alpha, own, own_Q, pi);
  celi_compare_all(trial, V, own, m.S, celi_scale(&m, own_Q));
  celi_compare_all(trial, Q, own_Q, m.n, celi_scale(&m, own_Q));
  return CEL_OK;
}

static CelStatus optimum_by_sweeps(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_VI);
}
static CelStatus optimum_by_auto(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_AUTO);
}
static CelStatus optimum_in_place(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_GAUSS_SEIDEL);
}
static CelStatus optimum_by_modified_iteration(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_MPI);
}
static CelStatus optimum_by_policies(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_PI);
}
static CelStatus optimum_by_newton(CeliTrial *trial) {
  return optimum_by(trial, CEL_SOLVE_NEWTON);
}

/// The softmax of theta in each state.
static void softmax_of_logits(const CeliProblem *m, const double *theta, double *pi) {
  for (int s = 0; s < m->S; s++)
    if (celi_actions(m, s))
      celi_dense_softmax(theta + m->pair[s], celi_actions(m, s), 1, pi + m->pair[s]);
}

/// theta += rate (1-gamma)/alpha times the library's natural gradient at pi, the softmax of theta.
static CelStatus natural_step(CeliTrial *trial, const CeliProblem *m, double rate, double *theta,
                              double *pi) {
  const size_t used = trial->used;
  double *step = celi_take(trial, m->n);
  softmax_of_logits(m, theta, pi);
  CELI_TRY(cel_policy_gradient(m->mdp, pi, m->alpha, m->gamma, true, step));
  for (int j = 0; j < m->n; j++) theta[j] += rate / m->alpha * (1 - m->gamma) * step[j];
  trial->used = used;
  return CEL_OK;
}

/// From any pi, a whole step of the natural gradient ends in softmax(Q/alpha), and half a step in
/// pi^(1/2) exp(Q/(2 alpha)) / Z.
static CelStatus natural_step_is_iteration(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(
      celi_draw(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9, .alpha_min = 1, .unit = true}, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n), *own = celi_take(trial, m.n);
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *moved = celi_take(trial, m.n);
  const double rate = celi_below(trial, 2) ? 1 : .5;
  celi_draw_logits(trial, &m, theta, pi);
  celi_dense_values(trial, &m, pi, m.alpha, V, Q);
  for (int j = 0; j < m.n; j++) own[j] = (1 - rate) * log(pi[j]) + rate * Q[j] / m.alpha;
  CELI_TRY(natural_step(trial, &m, rate, theta, moved));
  for (int s = 0; s < m.S; s++) {
    const int p = m.pair[s], n = celi_actions(&m, s);
    if (n == 0) continue;
    celi_dense_softmax(theta + p, n, 1, moved + p);
    celi_dense_softmax(own + p, n, 1, own + p);
  }
  celi_compare_all(trial, moved, own, m.n, celi_scale(&m, Q));
  return CEL_OK;
}

/// Ascent on J along the library's natural gradient, with half the step of soft policy iteration.
/// The first policies are compared with the closed form theta <- (theta + Q/alpha)/2, Q by dense
/// elimination. The last policy is optimal.
static CelStatus optimum_by_ascent(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(
      trial, &(CeliDraw){.A_min = 2, .S_max = 5, .gamma_max = .9, .alpha_min = 1, .unit = true},
      &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *theta = celi_take(trial, m.n);
  double *pi = celi_take(trial, m.n), *closed = celi_take(trial, m.n), *own = celi_take(trial, m.n);
  for (int k = 0; k < 120; k++) {
    CELI_TRY(natural_step(trial, &m, .5, theta, pi));
    if (k >= 4) continue;
    softmax_of_logits(&m, closed, own);
    celi_compare_all(trial, pi, own, m.n, celi_scale(&m, Q));
    celi_dense_values(trial, &m, own, m.alpha, V, Q);
    for (int j = 0; j < m.n; j++) closed[j] = .5 * (closed[j] + Q[j] / m.alpha);
  }
  softmax_of_logits(&m, theta, pi);
  celi_dense_values(trial, &m, pi, m.alpha, V, NULL);
  const double J = celi_dense_dot(m.start, V, m.S);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, Q, NULL));
  celi_compare(trial, cel_value_start(m.mdp, V), J, celi_scale(&m, Q));
  return CEL_OK;
}

/// A Newton step on V - TV: V - (I - gamma P_pi)^-1 (V - TV), with pi the softmax of Q(V).
static void newton_step(CeliTrial *trial, const CeliProblem *m, double *V) {
  const int S = m->S;
  const size_t used = trial->used;
  double *M = celi_take(trial, (int64_t)S * S), *F = celi_take(trial, S);
  double *Q = celi_take(trial, m->n), *pi = celi_take(trial, m->n);
  celi_dense_backup(m, V, Q);
  for (int s = 0; s < S; s++) {
    const int k = m->pair[s], n = celi_actions(m, s);
    M[s * S + s] = 1;
    F[s] = V[s] - (n ? celi_dense_log_sum_exp(Q + k, n, m->alpha) : 0);
    if (n) celi_dense_softmax(Q + k, n, m->alpha, pi + k);
    for (int j = k; j < k + n; j++)
      for (int x = 0; x < S; x++) M[s * S + x] -= m->gamma * pi[j] * m->go[j * S + x];
  }
  celi_dense_solve(M, F, S, 1);
  for (int s = 0; s < S; s++) V[s] -= F[s];
  trial->used = used;
}

/// Compares each step of the library's soft policy iteration with a Newton step from the same V.
static CelStatus newton_is_policy_iteration(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &control, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *newton = celi_take(trial, m.S);
  for (int k = 0; k < 8; k++) {
    cel_q_of_v(m.mdp, V, m.gamma, Q);
    cel_policy_of_q(m.mdp, Q, m.alpha, pi);
    CELI_TRY(celi_library_values(&m, pi, m.alpha, V, Q));
    newton_step(trial, &m, newton);
    celi_compare_all(trial, V, newton, m.S, celi_scale(&m, Q) * (1 + celi_size(Q, m.n) / m.alpha));
    for (int s = 0; s < m.S; s++) newton[s] = V[s];
  }
  return CEL_OK;
}

static CelStatus optimum_is_best(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &control, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *other = celi_take(trial, m.n);
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, Q, NULL));
  for (int i = 0; i < 20; i++) {
    celi_draw_policy(trial, &m, pi);
    celi_dense_values(trial, &m, pi, m.alpha, V, other);
    celi_compare_all(trial, other, Q, m.n, celi_scale(&m, Q));
  }
  return CEL_OK;
}

/// e_{k+1} <= gamma^2 e_k^2/(8 alpha (1-gamma)), where e_k = max (V* - V of pi_k).
static CelStatus rate(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &control, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *best = celi_take(trial, m.S), *best_Q = celi_take(trial, m.n), before = HUGE_VAL;
  celi_dense_optimum(trial, &m, m.alpha, best, best_Q, pi);
  celi_draw_policy(trial, &m, pi);
  for (int k = 0; k < 8; k++) {
    CELI_TRY(celi_library_values(&m, pi, m.alpha, V, Q));
    const double e = celi_dense_furthest(best, V, m.S);
    const double bound = m.gamma * m.gamma * before * before / (8 * m.alpha * (1 - m.gamma));
    if (k > 0) celi_compare(trial, e, bound, celi_scale(&m, best_Q));
    cel_policy_of_q(m.mdp, Q, m.alpha, pi);
    before = e;
  }
  return CEL_OK;
}

/// Another policy in a state that (s, a) never reaches gives the same Q there, so the inequality is
/// not strict.
static CelStatus no_strict_gain(CeliTrial *trial) {
  const int actions[] = {2, 2};
  double pi[4], V[2], Q[4], other[4], other_V[2];
  CeliProblem m;
  celi_open(trial, &m, 2, actions, .9);
  for (int s = 0; s < 2; s++)
    for (int a = 0; a < 2; a++) celi_arrow(&m, s, a, s, 1, a, false);
  CELI_TRY(celi_close(trial, &m, 0));
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, 1, V, Q, pi));
  pi[2] = .9, pi[3] = .1;
  CELI_TRY(celi_library_values(&m, pi, 1, other_V, other));
  celi_compare_all(trial, other, Q, 2, 1);
  return CEL_OK;
}

/// Two whole policies, {continue and earn 1} and {stop, or earn 2 after continuing}. Each is better
/// for the other's Q.
static CelStatus cycle(CeliTrial *trial, bool returns) {
  const int actions[] = {2, 2};
  const double low = 1e-4, high = 1 - low;
  double members[] = {high, low, high, low, low, high, low, high}, pi[4], V[2], Q[4];
  CeliProblem m;
  celi_open(trial, &m, 2, actions, .9);
  celi_arrow(&m, 0, 0, 1, 1, 0, false), celi_arrow(&m, 0, 1, 0, 1, .3, true);
  celi_arrow(&m, 1, 0, 1, 1, 1, true), celi_arrow(&m, 1, 1, 1, 1, 2, true);
  CELI_TRY(celi_close(trial, &m, 0));
  const CelPolicyClass class = {2, members, false};
  for (int k = 0; k < 4; k++) pi[k] = members[k];
  for (int step = 0; step < (returns ? 2 : 1); step++) {
    CELI_TRY(celi_library_values(&m, pi, .01, V, Q));
    CELI_TRY(cel_policy_project(m.mdp, Q, .01, &class, NULL, pi));
  }
  celi_compare_all(trial, pi, members, 4, 1);
  return CEL_OK;
}

static CelStatus cycle_leaves(CeliTrial *trial) {
  return cycle(trial, false);
}
static CelStatus cycle_returns(CeliTrial *trial) {
  return cycle(trial, true);
}

/// Soft policy iteration within a rectangular class until the policy no longer changes. Compares
/// with every mix of the members.
static CelStatus optimum_of_class(CeliTrial *trial) {
  enum { FEW = 3, STATES = 3, MIXES = FEW * FEW * FEW };
  CeliProblem m;
  CELI_TRY(celi_draw(
      trial, &(CeliDraw){.S_min = STATES, .S_max = STATES, .A_max = 3, .A_min = 3, .endless = true},
      &m));
  double *members = celi_take(trial, (int64_t)FEW * m.n), *pi = celi_take(trial, m.n);
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *other = celi_take(trial, m.n);
  for (int i = 0; i < FEW; i++) celi_draw_policy(trial, &m, members + i * m.n);
  for (int k = 0; k < m.n; k++) pi[k] = members[k];
  const CelPolicyClass class = {FEW, members, true};
  for (int step = 0; step < MIXES; step++) {
    CELI_TRY(celi_library_values(&m, pi, m.alpha, V, Q));
    CELI_TRY(cel_policy_project(m.mdp, Q, m.alpha, &class, NULL, pi));
  }
  for (int mix = 0; mix < MIXES; mix++) {
    const int chosen[] = {mix % FEW, mix / FEW % FEW, mix / FEW / FEW};
    for (int k = 0; k < m.n; k++) pi[k] = members[chosen[m.state[k]] * m.n + k];
    celi_dense_values(trial, &m, pi, m.alpha, V, other);
    celi_compare_all(trial, other, Q, m.n, celi_scale(&m, Q));
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"Lemma 1, (2)-(3)",
     "the soft backup of a policy contracts by gamma: the error after the library's backup against "
     "gamma times the error before",
     "cel_q_of_v", CEL_CHECK_AT_MOST, 1e-12, 200, evaluation_contracts, 0xf48158f4},
    {"Lemma 1, (2)-(3)",
     "soft backups converge to soft Q of the policy: the library's evaluation against 400 backups",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, evaluation_converges, 0x31dfd14e},
    {"Lemma 1, (15)",
     "Q for the reward r + gamma alpha E[H(s')] at alpha = 0 is soft Q: dense elimination against "
     "the library's soft Q",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, entropy_reward_corrected, 0x69e9fb59},
    {"Lemma 1, (15)", "printed: Q for the reward r + alpha E[H(s')] at alpha = 0 is not soft Q",
     "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-10, 200, entropy_reward_printed, 0x440dda3a},
    {"Lemma 1, (15)",
     "printed: Q for the reward r + alpha E[H(s')] at alpha = 0 is soft Q at the temperature "
     "alpha/gamma: dense elimination against the library",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, entropy_reward_temperature, 0x50910fca},
    {"Lemma 2, (4), (16)-(19)",
     "Q_old <= Q_new on the full class: the library's Q before its projection against Q after it",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-12, 200, improvement_full, 0x16ea928f},
    {"Lemma 2, (4), (16)-(19)",
     "Q_old <= Q_new on a rectangular class that contains pi_old: the library's Q before its "
     "projection against Q after it",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-12, 200, improvement_rectangular, 0x66377575},
    {"(16)-(17)",
     "in each state the loss of the library's projection is at most the loss of pi_old, on both "
     "classes",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-13, 200, loss_does_not_rise, 0x4ea5c24e},
    {"(18)",
     "V_old <= E_new[Q_old - alpha log pi_new]: dense elimination against the library's Q_old and "
     "projection",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-13, 200, value_does_not_fall, 0xa4905f01},
    {"(18)",
     "on the full class E_new[Q_old - alpha log pi_new] - V_old = alpha KL(pi_old, pi_new): dense "
     "elimination against the library",
     "cel_policy_project", CEL_CHECK_EQUAL, 1e-12, 200, value_rises_by_divergence, 0x1fb84c85},
    {"Lemma 2, (4), (16)-(19)",
     "on a class of whole policies Q can fall: Q_old > Q_new for some pair", "cel_policy_project",
     CEL_CHECK_EXCEEDS, 1e-3, 1, improvement_of_whole_policies, 0xdb3b8560},
    {"Lemma 2, (4), (16)-(19)",
     "printed: after a projection on exp(Q) instead of exp(Q/alpha) Q can fall: Q_old > Q_new for "
     "some pair",
     "cel_policy_of_q", CEL_CHECK_EXCEEDS, 1e-6, 100, improvement_without_alpha, 0xac37fb10},
    {"Theorem 1",
     "optimal V and Q: the library's value iteration against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 100, optimum_by_sweeps, 0x55ac40ad},
    {"Theorem 1",
     "optimal V and Q: the library's Gauss-Seidel iteration against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50, optimum_in_place, 0xe0f3c07d},
    {"Theorem 1",
     "optimal V and Q: the library's modified policy iteration against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50, optimum_by_modified_iteration, 0x8436ba97},
    {"Theorem 1",
     "optimal V and Q: the library's policy iteration against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50, optimum_by_policies, 0x88ef6472},
    {"Theorem 1",
     "optimal V and Q: the library's Newton-Krylov method against dense soft policy iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50, optimum_by_newton, 0x109580a0},
    {"Theorem 1",
     "optimal V and Q: the method that the library chooses by itself against dense soft policy "
     "iteration",
     "cel_solve", CEL_CHECK_EQUAL, 1e-9, 100, optimum_by_auto, 0x45bf3298},
    {"Theorem 1",
     "a step of the natural gradient of J is a step of soft policy iteration: the library's "
     "gradient against the closed form",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-11, 100, natural_step_is_iteration, 0x21009c69},
    {"Theorem 1",
     "ascent along the library's natural gradient of J: its first policies against a closed form, "
     "its last J against the optimal J",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-9, 8, optimum_by_ascent, 0xe510bc46},
    {"Theorem 1",
     "soft policy iteration is Newton's method on V - TV: the library's steps against dense Newton "
     "steps",
     "cel_policy_of_q", CEL_CHECK_EQUAL, 1e-12, 100, newton_is_policy_iteration, 0xb3556b1f},
    {"Theorem 1",
     "Q of any policy <= Q*: dense elimination for random policies against the library's Q*",
     "cel_solve", CEL_CHECK_AT_MOST, 1e-12, 64, optimum_is_best, 0x27c961a0},
    {"Theorem 1",
     "rate of soft policy iteration: e_{k+1} <= gamma^2 e_k^2/(8 alpha (1-gamma)) for the "
     "library's policies",
     "cel_policy_of_q", CEL_CHECK_AT_MOST, 1e-12, 200, rate, 0xbfd6dc8c},
    {"Theorem 1",
     "a change of policy in a state that (s,a) never reaches leaves Q(s,a) as it is, so the gain "
     "is not strict",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-10, 1, no_strict_gain, 0x5272a3c7},
    {"Theorem 1",
     "on a class of whole policies the iteration can cycle: the second policy is not the first",
     "cel_policy_project", CEL_CHECK_DIFFERS, .5, 1, cycle_leaves, 0x1f386df4},
    {"Theorem 1",
     "on a class of whole policies the iteration can cycle: the third policy is the first again",
     "cel_policy_project", CEL_CHECK_EQUAL, 0, 1, cycle_returns, 0x17ebd096},
    {"Theorem 1",
     "on a rectangular class Q of every mix of its members <= the last Q: dense elimination "
     "against the library's iteration",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-12, 100, optimum_of_class, 0x3707303d},
    {"(1)", "printed: J without gamma^t is not E[V(s0)] of (2)-(3)", "cel_mdp_evaluate_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 100, printed_objective, 0xd7c46927},
    {0}};

const CeliSection celi_pg_iteration = {"src/verify/policy_guarantees/soft_policy_iteration.c",
                                       claims};
