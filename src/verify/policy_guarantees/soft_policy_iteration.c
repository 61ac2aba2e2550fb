/// [policy-guarantees, Lemma 1, Lemma 2, Theorem 1] and (1)-(4), (15)-(19): soft evaluation, improvement and iteration.
#include "celsius/improve.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

enum { STEPS = 4 };

// ---- (1)

/// (1) sums without gamma^t what (2) and (3) discount.
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

/// Q <- r + gamma E[V(s')], V = E_pi[Q - alpha log pi], by the library's backup.
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

/// The fixed point of Q = r + b E[H(s')] + gamma E[Q(s',a')], b alpha as printed or gamma alpha.
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

/// A problem, pi_old and the library's Q_old. pi_old is drawn, or some steps of soft policy iteration on: near the optimum
/// an improvement that is a little wrong lets Q fall.
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

/// The library's projection of Q_old: on the full class, or on a rectangular one that holds pi_old.
static CelStatus project_old(CeliTrial *trial, const CeliEvaluated *e, bool restricted,
                             double *next) {
  double *members = celi_take(trial, (int64_t)MEMBERS * e->m.n);
  for (int i = 1; i < MEMBERS; i++) celi_draw_policy(trial, &e->m, members + i * e->m.n);
  for (int k = 0; k < e->m.n; k++) members[k] = e->pi[k];
  const CelPolicyClass class = {MEMBERS, members, true};
  return cel_policy_project(e->m.mdp, e->Q, e->m.alpha, restricted ? &class : NULL, NULL, next);
}

/// Q_new and Q_old after one improvement.
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

/// alpha J_old(pi) = E_pi[alpha log pi - Q_old + alpha log Z] of one state, Q_old by dense elimination.
static double divergence_loss(const CeliProblem *m, const double *Q, const double *pi, int s) {
  const int p = m->pair[s], n = celi_actions(m, s);
  return celi_dense_log_sum_exp(Q + p, n, m->alpha) -
         celi_dense_soft_value(pi + p, Q + p, n, m->alpha);
}

/// (17) state by state on both classes: the loss of the library's projection, and that of pi_old.
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

/// (18) state by state: V_old by dense elimination, or that plus alpha KL(pi_old, pi_new) on the full class, against
/// E_new[Q_old - alpha log pi_new] of the library's Q_old and projection.
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

/// Two places apart, and two policies, each good at one of them: what is better on the whole is worse at state 0.
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

/// Projection on exp(Q) where V uses alpha = 5: pi_old, the softmax of Q/alpha, is better than what follows it.
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

/// V* of the library by `method` against soft policy iteration by dense solves.
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

/// The softmax of theta, state by state.
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

/// A whole step of the natural gradient from any pi ends in softmax(Q/alpha), half a step in pi^(1/2) exp(Q/(2 alpha)) / Z.
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

/// Ascent on J itself along the library's natural gradient, half the step that soft policy iteration takes. The first
/// policies are those of the closed form theta <- (theta + Q/alpha)/2, Q by dense elimination; the last is optimal.
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

/// Newton on V - TV: V - (I - gamma P_pi)^-1 (V - TV), pi the softmax of Q(V).
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

/// The library's soft policy iteration and Newton's method from the same V, step by step.
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

/// e_{k+1} <= gamma^2 e_k^2/(8 alpha (1-gamma)), e_k = max (V* - V of pi_k).
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

/// Another policy at a state that (s, a) never reaches: the same Q there, so no strict inequality.
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

/// Whole policies {go on and take 1, stop and take 2}: each is the better one for the other's Q.
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

/// Soft policy iteration within a rectangular class, until the policy stays; against every mix of its members.
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
    {"Lemma 1, (2)-(3)", "e_{k+1} <= gamma e_k of the soft backup", "cel_q_of_v", CEL_CHECK_AT_MOST,
     1e-12, 200, evaluation_contracts},
    {"Lemma 1, (2)-(3)", "its iterates end in soft Q of the policy", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-11, 200, evaluation_converges},
    {"Lemma 1, (15)", "r + gamma alpha E[H(s')] as reward gives soft Q", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-11, 200, entropy_reward_corrected},
    {"Lemma 1, (15)", "printed: r + alpha E[H(s')] does not", "cel_mdp_evaluate", CEL_CHECK_DIFFERS,
     1e-10, 200, entropy_reward_printed},
    {"Lemma 1, (15)", "printed: it is the one at temperature alpha/gamma", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-11, 200, entropy_reward_temperature},
    {"Lemma 2, (4), (16)-(19)", "Q_new >= Q_old, full class", "cel_policy_project",
     CEL_CHECK_AT_MOST, 1e-12, 200, improvement_full},
    {"Lemma 2, (4), (16)-(19)", "Q_new >= Q_old, a rectangular class that holds pi_old",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-12, 200, improvement_rectangular},
    {"(16)-(17)", "the projection's loss is at most that of pi_old, in each state",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-13, 200, loss_does_not_rise},
    {"(18)", "V_old is at most E_new[Q_old - alpha log pi_new]", "cel_policy_project",
     CEL_CHECK_AT_MOST, 1e-13, 200, value_does_not_fall},
    {"(18)", "on the full class the two differ by alpha KL(pi_old, pi_new)", "cel_policy_project",
     CEL_CHECK_EQUAL, 1e-12, 200, value_rises_by_divergence},
    {"Lemma 2, (4), (16)-(19)", "violated on a class of whole policies", "cel_policy_project",
     CEL_CHECK_EXCEEDS, 1e-3, 1, improvement_of_whole_policies},
    {"Lemma 2, (4), (16)-(19)", "printed: violated by projecting on exp(Q) beside alpha H",
     "cel_policy_of_q", CEL_CHECK_EXCEEDS, 1e-6, 100, improvement_without_alpha},
    {"Theorem 1", "soft value iteration and soft policy iteration end in one Q", "cel_solve",
     CEL_CHECK_EQUAL, 1e-9, 100, optimum_by_sweeps},
    {"Theorem 1", "so does Gauss-Seidel", "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50, optimum_in_place},
    {"Theorem 1", "so does modified policy iteration", "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50,
     optimum_by_modified_iteration},
    {"Theorem 1", "so does the library's own policy iteration", "cel_solve", CEL_CHECK_EQUAL, 1e-9,
     50, optimum_by_policies},
    {"Theorem 1", "so does Newton-Krylov", "cel_solve", CEL_CHECK_EQUAL, 1e-9, 50,
     optimum_by_newton},
    {"Theorem 1", "so does the method that is chosen by itself", "cel_solve", CEL_CHECK_EQUAL, 1e-9,
     100, optimum_by_auto},
    {"Theorem 1", "a step of the natural gradient of J is one of soft policy iteration",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-11, 100, natural_step_is_iteration},
    {"Theorem 1", "and ascent on J along its natural gradient", "cel_policy_gradient",
     CEL_CHECK_EQUAL, 1e-9, 8, optimum_by_ascent},
    {"Theorem 1", "Newton on V - TV takes the steps of soft policy iteration", "cel_policy_of_q",
     CEL_CHECK_EQUAL, 1e-12, 100, newton_is_policy_iteration},
    {"Theorem 1", "Q* >= Q of any policy", "cel_solve", CEL_CHECK_AT_MOST, 1e-12, 64,
     optimum_is_best},
    {"Theorem 1", "its rate: e_{k+1} <= gamma^2 e_k^2/(8 alpha (1-gamma))", "cel_policy_of_q",
     CEL_CHECK_AT_MOST, 1e-12, 200, rate},
    {"Theorem 1", "no strict gain at what a state does not reach", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 1e-10, 1, no_strict_gain},
    {"Theorem 1", "on whole policies an improvement leaves the first", "cel_policy_project",
     CEL_CHECK_DIFFERS, .5, 1, cycle_leaves},
    {"Theorem 1", "and the next comes back to it: a cycle", "cel_policy_project", CEL_CHECK_EQUAL,
     0, 1, cycle_returns},
    {"Theorem 1", "on a rectangular class the last Q is no less than any mix's",
     "cel_policy_project", CEL_CHECK_AT_MOST, 1e-12, 100, optimum_of_class},
    {"(1)", "printed: without gamma J is not E[V(s0)] of (2)-(3)", "cel_mdp_evaluate_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 100, printed_objective},
    {0}};

const CeliSection celi_pg_iteration = {"src/verify/policy_guarantees/soft_policy_iteration.c",
                                       claims};
