/// The rows of the note actor-critic, (4.1)-(4.26): the policy gradient and its forms, temporal differences, Gaussians.
///
/// Policies are softmaxes of logits theta, one a pair: d log pi(b|s)/d theta(s,a) = 1[b = a] - pi(a|s). Trajectories
/// have T + 1 = 4 steps, t = 0..T; all of the note is the hard problem, alpha = 0, except where a row says soft.
#include "celsius/improve.h"
#include "verify/verify.h"
#include <math.h>

enum { STEPS = 4 };
static const CeliDraw tiny = {.S_min = 3, .S_max = 3, .A_min = 2, .A_max = 2, .unit = true};
static const CeliDraw tiny_endless = {.S_min = 3,
                                      .S_max = 3,
                                      .A_min = 2,
                                      .A_max = 2,
                                      .unit = true,
                                      .gamma_min = .5,
                                      .gamma_max = .9,
                                      .endless = true,
                                      .full = true};

/// A problem, its logits and what the library says of STEPS steps of their policy.
typedef struct Finite {
  CeliProblem m;
  double *theta, *pi;
  double *p;     ///< (STEPS + 1, S)
  double *V, *Q; ///< (STEPS, S), (STEPS, n)
} Finite;

static CelStatus draw_finite(CeliTrial *trial, const CeliDraw *draw, Finite *f) {
  CELI_TRY(celi_draw(trial, draw, &f->m));
  const int n = f->m.n, S = f->m.S;
  f->theta = celi_take(trial, n);
  f->pi = celi_take(trial, n);
  f->p = celi_take(trial, (int64_t)(STEPS + 1) * S);
  f->V = celi_take(trial, (int64_t)STEPS * S);
  f->Q = celi_take(trial, (int64_t)STEPS * n);
  double *timed = celi_take(trial, (int64_t)STEPS * n);
  celi_draw_logits(trial, &f->m, f->theta, f->pi);
  for (int i = 0; i < STEPS * n; i++) timed[i] = f->pi[i % n];
  CELI_TRY(cel_state_distribution(f->m.mdp, f->pi, STEPS, f->p));
  return cel_mdp_evaluate_horizon(f->m.mdp, timed, 0, f->m.gamma, STEPS, f->V, f->Q);
}

typedef struct OfLogits {
  CeliTrial *trial;
  const CeliProblem *m;
  double alpha;
  int steps; ///< 0: for ever
} OfLogits;

static CeliComplex return_of_logits(const void *user, const CeliComplex *theta) {
  const OfLogits *of = user;
  const size_t used = of->trial->used;
  CeliComplex *pi = celi_take_complex(of->trial, of->m->n);
  celi_complex_softmax(of->m, theta, pi);
  const CeliComplex J =
      of->steps ? celi_complex_return_horizon(of->trial, of->m, pi, of->alpha, of->steps)
                : celi_complex_return(of->trial, of->m, pi, of->alpha);
  of->trial->used = used;
  return J;
}

/// dJ/dtheta over STEPS steps by complex steps.
static double *finite_gradient(CeliTrial *trial, const Finite *f) {
  double *gradient = celi_take(trial, f->m.n);
  const OfLogits of = {trial, &f->m, 0, STEPS};
  celi_complex_gradient(trial, return_of_logits, &of, f->theta, f->m.n, gradient);
  return gradient;
}

/// out (n) = sum_t w_t E_{p_t, pi}[grad log pi f_t], w_t = gamma^t or 1; f (STEPS, n), or (n) for all t.
static double *expected_score(CeliTrial *trial, const Finite *f, const double *of, bool timed,
                              bool discounted) {
  double *out = celi_take(trial, f->m.n), discount = 1;
  for (int t = 0; t < STEPS; t++) {
    for (int k = 0; k < f->m.n; k++) {
      const double mass = f->p[t * f->m.S + f->m.state[k]] * f->pi[k] * discount;
      const double value = of[timed ? t * f->m.n + k : k];
      out[k] += mass * value;
      for (int j = f->m.pair[f->m.state[k]]; j < f->m.pair[f->m.state[k] + 1]; j++)
        out[j] -= mass * value * f->pi[j];
    }
    if (discounted) discount *= f->m.gamma;
  }
  return out;
}

// ---- 4.1-4.6: the gradient

/// What a sum over trajectories of grad log pi times a weight needs.
typedef struct Score {
  const CeliProblem *m;
  const double *pi, *A; ///< A (STEPS, n), or NULL: the reward to go
  bool discounted, reward_to_go_discounted;
  double *sum; ///< (n)
} Score;

/// sum over t of weight_t grad log pi(u_t|x_t) of one trajectory, added to out (n) `times`.
static void add_scores(const Score *score, const CeliTrajectory *tau, double times, double *out) {
  double discount = 1;
  for (int t = 0; t < tau->steps; t++) {
    double weight = 0, ahead = 1;
    for (int k = t; k < tau->steps && !score->A; k++) {
      weight += ahead * tau->r[k];
      if (score->reward_to_go_discounted) ahead *= score->m->gamma;
    }
    const int p = tau->p[t], s = score->m->state[p];
    if (score->A) weight = score->A[t * score->m->n + p];
    weight *= times * discount;
    out[p] += weight;
    for (int j = score->m->pair[s]; j < score->m->pair[s + 1]; j++) out[j] -= weight * score->pi[j];
    if (score->discounted) discount *= score->m->gamma;
  }
}

static void add_score(void *user, const CeliTrajectory *tau) {
  const Score *score = user;
  add_scores(score, tau, tau->probability, score->sum);
}

/// E over all trajectories of sum_t [gamma^t] grad log pi (reward to go, or A_t).
static double *enumerated_score(CeliTrial *trial, const Finite *f, const double *A, bool discounted,
                                bool reward_to_go_discounted) {
  Score score = {&f->m, f->pi, A, discounted, reward_to_go_discounted, celi_take(trial, f->m.n)};
  celi_enumerate(&f->m, f->pi, false, STEPS, -1, -1, add_score, &score);
  return score.sum;
}

static CelStatus gradient_over_trajectories(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny, &f));
  double *gradient = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, true, gradient));
  celi_compare_all(trial, gradient, enumerated_score(trial, &f, NULL, true, true), f.m.n,
                   celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus gradient_by_complex_steps(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &(CeliDraw){.hard = true}, &f));
  double *gradient = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, true, gradient));
  celi_compare_all(trial, gradient, finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// E[reward to go given x_0, u_0, x_1, u_1], which forgets x_0 and u_0 and is Q_1(x_1, u_1).
typedef struct Conditional {
  const CeliProblem *m;
  double *sum, *mass; ///< (n, n)
} Conditional;

static void add_conditional(void *user, const CeliTrajectory *tau) {
  const Conditional *c = user;
  double to_go = 0, discount = 1;
  if (tau->steps < 2) return;
  for (int t = 1; t < tau->steps; t++, discount *= c->m->gamma) to_go += discount * tau->r[t];
  const int cell = tau->p[0] * c->m->n + tau->p[1];
  c->sum[cell] += tau->probability * to_go;
  c->mass[cell] += tau->probability;
}

static CelStatus past_is_forgotten(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  const int n = f.m.n;
  const Conditional c = {&f.m, celi_take(trial, (int64_t)n * n), celi_take(trial, (int64_t)n * n)};
  celi_enumerate(&f.m, f.pi, false, STEPS, -1, -1, add_conditional, (void *)&c);
  for (int i = 0; i < n * n; i++)
    if (c.mass[i] > 0) celi_compare(trial, f.Q[n + i % n], c.sum[i] / c.mass[i], celi_size(f.Q, n));
  return CEL_OK;
}

static CelStatus gradient_with_values(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &(CeliDraw){0}, &f));
  celi_compare_all(trial, expected_score(trial, &f, f.Q, true, true), finite_gradient(trial, &f),
                   f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// (4.4) without a time index: Q of t = 0 at every t.
static CelStatus printed_without_time(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  celi_compare_all(trial, expected_score(trial, &f, f.Q, false, true), finite_gradient(trial, &f),
                   f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// The library's gradient at an infinite horizon and the one by complex steps.
static CelStatus infinite_gradient(CeliTrial *trial, const CeliDraw *draw, double alpha_of_one,
                                   bool printed) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, draw, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *left = celi_take(trial, m.n), *right = celi_take(trial, m.n);
  const double alpha = alpha_of_one * m.alpha;
  celi_draw_logits(trial, &m, theta, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, alpha, m.gamma, false, left));
  for (int k = 0; k < m.n && printed; k++) left[k] *= 1 - m.gamma;
  const OfLogits of = {trial, &m, alpha, 0};
  celi_complex_gradient(trial, return_of_logits, &of, theta, m.n, right);
  const double scale = (celi_size(m.R, (int64_t)m.n * m.S) + alpha) / (1 - m.gamma) / (1 - m.gamma);
  celi_compare_all(trial, left, right, m.n, printed ? 1 : scale);
  return CEL_OK;
}

static CelStatus hard_infinite_gradient(CeliTrial *trial) {
  return infinite_gradient(trial, &(CeliDraw){0}, 0, false);
}
static CelStatus soft_infinite_gradient(CeliTrial *trial) {
  return infinite_gradient(trial, &(CeliDraw){0}, 1, false);
}
static CelStatus printed_visits(CeliTrial *trial) {
  return infinite_gradient(trial, &tiny_endless, 0, true);
}

// ---- 4.7: without gamma^t

static double norm(const double *x, int n) {
  return sqrt(celi_dense_dot(x, x, n));
}

/// The library's form without gamma^t beside the gradient of J: their distance in lengths of the latter, and 1 - cosine.
static CelStatus undiscounted_weight(CeliTrial *trial, bool cosine) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  double *practice = celi_take(trial, f.m.n), square = 0;
  const double *exact = finite_gradient(trial, &f);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, false, practice));
  for (int k = 0; k < f.m.n; k++) square += (practice[k] - exact[k]) * (practice[k] - exact[k]);
  const double angle =
      celi_dense_dot(practice, exact, f.m.n) / (norm(practice, f.m.n) * norm(exact, f.m.n));
  celi_compare(trial, cosine ? 1 - angle : sqrt(square) / norm(exact, f.m.n), 0, 1);
  return CEL_OK;
}

static CelStatus undiscounted_is_far(CeliTrial *trial) {
  return undiscounted_weight(trial, false);
}

/// Whole directions differ on the problem below: the early and the late choice pull at different logits.
static CelStatus undiscounted_turns(CeliTrial *trial) {
  const int actions[] = {2, 2};
  CeliProblem m;
  celi_open(trial, &m, 2, actions, .5);
  for (int a = 0; a < 2; a++) {
    celi_arrow(&m, 0, a, 1, 1, a, false);
    celi_arrow(&m, 1, a, 1, 1, a, false);
  }
  m.start[0] = 1;
  CELI_TRY(celi_close(trial, &m, 0));
  double theta[4] = {0}, pi[4] = {.5, .5, .5, .5}, exact[4], practice[4];
  const OfLogits of = {trial, &m, 0, STEPS};
  celi_complex_gradient(trial, return_of_logits, &of, theta, 4, exact);
  CELI_TRY(cel_policy_gradient_horizon(m.mdp, pi, 0, m.gamma, STEPS, false, practice));
  celi_compare(trial, 1 - celi_dense_dot(practice, exact, 4) / (norm(practice, 4) * norm(exact, 4)),
               0, 1);
  return CEL_OK;
}

static CelStatus undiscounted_by_enumeration(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny, &f));
  double *practice = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, false, practice));
  celi_compare_all(trial, practice, enumerated_score(trial, &f, NULL, false, true), f.m.n,
                   celi_size(f.Q, f.m.n));
  return CEL_OK;
}

static CelStatus undiscounted_at_one(CeliTrial *trial) {
  CeliDraw draw = tiny_endless;
  draw.gamma = 1, draw.horizon = STEPS;
  Finite f;
  CELI_TRY(draw_finite(trial, &draw, &f));
  double *practice = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, 1, STEPS, false, practice));
  celi_compare_all(trial, practice, finite_gradient(trial, &f), f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

// ---- 4.8-4.13: baselines

/// sum_t gamma^t E[grad log pi b_t], b random: of the state, or (`of_action`) of the action too.
static double *baseline_term(CeliTrial *trial, const Finite *f, bool of_action) {
  double *b = celi_take(trial, (int64_t)STEPS * f->m.n);
  for (int t = 0; t < STEPS; t++)
    for (int k = 0; k < f->m.n; k++) {
      const bool first = k == f->m.pair[f->m.state[k]];
      const int at = t * f->m.n + k;
      b[at] = of_action || first ? cel_rng_normal(&trial->rng) : b[at - 1];
    }
  return expected_score(trial, f, b, true, true);
}

static CelStatus baseline_vanishes(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &(CeliDraw){0}, &f));
  double *zero = celi_take(trial, f.m.n);
  celi_compare_all(trial, baseline_term(trial, &f, false), zero, f.m.n, 1);
  return CEL_OK;
}

static CelStatus baseline_of_action(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  double *zero = celi_take(trial, f.m.n);
  celi_compare_all(trial, baseline_term(trial, &f, true), zero, f.m.n, 1);
  return CEL_OK;
}

/// (4.10) reads grad J = 0.
static CelStatus printed_gradient_zero(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  double *zero = celi_take(trial, f.m.n), *gradient = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, true, gradient));
  celi_compare_all(trial, gradient, zero, f.m.n, 1);
  return CEL_OK;
}

static CelStatus gradient_with_baseline(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &(CeliDraw){0}, &f));
  for (int t = 0; t < STEPS; t++)
    for (int s = 0; s < f.m.S; s++) {
      const double b = 10 * cel_rng_normal(&trial->rng);
      for (int k = f.m.pair[s]; k < f.m.pair[s + 1]; k++) f.Q[t * f.m.n + k] -= b;
    }
  celi_compare_all(trial, expected_score(trial, &f, f.Q, true, true), finite_gradient(trial, &f),
                   f.m.n, celi_size(f.Q, f.m.n));
  return CEL_OK;
}

/// A_t = Q_t - V_t of the library in place of its Q_t.
static void subtract_values(Finite *f) {
  for (int t = 0; t < STEPS; t++)
    for (int k = 0; k < f->m.n; k++) f->Q[t * f->m.n + k] -= f->V[t * f->m.S + f->m.state[k]];
}

static CelStatus gradient_with_advantages(CeliTrial *trial) {
  Finite f;
  CELI_TRY(draw_finite(trial, &(CeliDraw){0}, &f));
  const double scale = celi_size(f.Q, f.m.n);
  subtract_values(&f);
  celi_compare_all(trial, expected_score(trial, &f, f.Q, true, true), finite_gradient(trial, &f),
                   f.m.n, scale);
  return CEL_OK;
}

// ---- 4.12-4.18: Bellman equations, sampled gradients, temporal differences

static CelStatus hard_values(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){0}, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n);
  double *sum = celi_take(trial, m.S), *backup = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  CELI_TRY(celi_library_values(&m, pi, 0, V, Q));
  celi_propagated_values(trial, &m, pi, 0, sum);
  celi_dense_backup(&m, sum, backup);
  celi_compare_all(trial, V, sum, m.S, celi_scale(&m, Q));
  celi_compare_all(trial, Q, backup, m.n, celi_scale(&m, Q));
  return CEL_OK;
}

/// E over trajectories of sum_t [gamma^t] grad log pi A_t, against the gradient of J.
static CelStatus sampled_form(CeliTrial *trial, bool discounted) {
  Finite f;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  const double *exact = finite_gradient(trial, &f);
  const double scale = celi_size(f.Q, f.m.n);
  subtract_values(&f);
  celi_compare_all(trial, enumerated_score(trial, &f, f.Q, discounted, false), exact, f.m.n,
                   discounted ? scale : 1);
  return CEL_OK;
}

static CelStatus sampled_form_discounted(CeliTrial *trial) {
  return sampled_form(trial, true);
}
static CelStatus sampled_form_practice(CeliTrial *trial) {
  return sampled_form(trial, false);
}

/// One trajectory of STEPS steps.
static void sample(CeliTrial *trial, const Finite *f, CeliTrajectory *tau) {
  tau->steps = 0;
  tau->x[0] = celi_sample_start(trial, &f->m);
  for (int t = 0; t < STEPS && celi_actions(&f->m, tau->x[t]) > 0; t++) {
    tau->p[t] = celi_sample_pair(trial, &f->m, f->pi, tau->x[t]);
    const int next = celi_sample_next(trial, &f->m, tau->p[t]);
    const int k = tau->p[t] * f->m.S + next;
    tau->r[t] = f->m.R[k], tau->x[t + 1] = next;
    tau->steps = t + 1;
    if (f->m.ends[k] > 0) break;
  }
}

/// The mean over simulated trajectories of (4.15), along a random direction, against the exact gradient.
static CelStatus sampled_mean(CeliTrial *trial) {
  enum { EPISODES = 20000 };
  Finite f;
  double sum = 0, squares = 0, exact = 0;
  CELI_TRY(draw_finite(trial, &tiny_endless, &f));
  double *gradient = celi_take(trial, f.m.n), *along = celi_take(trial, f.m.n);
  double *one = celi_take(trial, f.m.n);
  CELI_TRY(cel_policy_gradient_horizon(f.m.mdp, f.pi, 0, f.m.gamma, STEPS, true, gradient));
  subtract_values(&f);
  celi_draw_normal(trial, along, f.m.n, 1);
  exact = celi_dense_dot(gradient, along, f.m.n);
  const Score score = {&f.m, f.pi, f.Q, true, true, NULL};
  for (int i = 0; i < EPISODES; i++) {
    CeliTrajectory tau;
    sample(trial, &f, &tau);
    for (int k = 0; k < f.m.n; k++) one[k] = 0;
    add_scores(&score, &tau, 1, one);
    const double off = celi_dense_dot(one, along, f.m.n) - exact;
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / EPISODES, 0) / (EPISODES - 1);
  celi_compare(trial, exact, exact + sum / EPISODES, sqrt(variance / EPISODES));
  return CEL_OK;
}

/// E[delta given p] of V: the sum over next states of R + gamma V(s') - V(s), V(s') where it goes on.
static double expected_delta(const CeliProblem *m, const double *V, int p, bool bootstrap_ended) {
  double sum = 0;
  for (int next = 0; next < m->S; next++) {
    const int k = p * m->S + next;
    const double follows = bootstrap_ended || m->ends[k] == 0 ? V[next] : 0;
    sum += m->P[k] * (m->R[k] + m->gamma * follows - V[m->state[p]]);
  }
  return sum;
}

/// The library's A = Q - V, and E[delta] by the sum with its V; `shift` is added to V of one state.
static CelStatus delta_by_sum(CeliTrial *trial, const CeliDraw *draw, double shift,
                              bool bootstrap_ended) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, draw, &m));
  double *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n);
  double *A = celi_take(trial, m.n), *delta = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  if (bootstrap_ended) { // the case in question must be there, and matter
    m.ends[0] = 1, m.P[0] += 1, m.R[0] = 1;
    for (int k = 0; k < m.S; k++) m.P[k] /= 2;
    CELI_TRY(celi_close(trial, &m, 0));
  }
  CELI_TRY(celi_library_values(&m, pi, 0, V, Q));
  for (int k = 0; k < m.n; k++) A[k] = Q[k] - V[m.state[k]];
  V[0] += shift;
  for (int k = 0; k < m.n; k++) delta[k] = expected_delta(&m, V, k, bootstrap_ended);
  const bool differs = shift != 0 || bootstrap_ended;
  celi_compare_all(trial, delta, A, m.n, differs ? 1 : celi_scale(&m, Q));
  return CEL_OK;
}

static CelStatus delta_is_advantage(CeliTrial *trial) {
  return delta_by_sum(trial, &(CeliDraw){0}, 0, false);
}
static CelStatus delta_of_wrong_values(CeliTrial *trial) {
  return delta_by_sum(trial, &(CeliDraw){.gamma_max = .9, .unit = true}, 1, false);
}
static CelStatus delta_bootstraps_ended(CeliTrial *trial) {
  return delta_by_sum(trial, &tiny_endless, 0, true);
}

/// A time limit is no end: without V of the state where it cuts, delta is off by gamma E[V].
static CelStatus delta_cut(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &tiny_endless, &e));
  double *A = celi_take(trial, e.m.n), *cut = celi_take(trial, e.m.n);
  CELI_TRY(celi_library_values(&e.m, e.pi, 0, e.V, e.Q));
  for (int k = 0; k < e.m.n; k++) {
    A[k] = e.Q[k] - e.V[e.m.state[k]];
    cut[k] = e.m.r[k] - e.V[e.m.state[k]];
  }
  celi_compare_all(trial, cut, A, e.m.n, 1);
  return CEL_OK;
}

static CelStatus delta_by_simulation(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  CeliEvaluated e;
  double sum = 0, squares = 0;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9}, &e));
  CELI_TRY(celi_library_values(&e.m, e.pi, 0, e.V, e.Q));
  const int p = celi_below(trial, e.m.n), S = e.m.S;
  const double A = e.Q[p] - e.V[e.m.state[p]];
  for (int i = 0; i < SAMPLES; i++) {
    const int next = celi_sample_next(trial, &e.m, p), k = p * S + next;
    const double follows = e.m.ends[k] > 0 ? 0 : e.V[next];
    const double off = e.m.R[k] + e.m.gamma * follows - e.V[e.m.state[p]] - A;
    sum += off, squares += off * off;
  }
  const double variance = fmax(squares - sum * sum / SAMPLES, 0) / (SAMPLES - 1);
  celi_compare(trial, A, A + sum / SAMPLES,
               sqrt(variance / SAMPLES) + 1e-12 * celi_size(e.Q, e.m.n));
  return CEL_OK;
}

// ---- 4.19-4.21: the critic's loss

/// What the critic's loss is a function of: state weights mu, a policy, and V.
typedef struct Critic {
  CeliProblem m;
  double *mu, *pi, *V;
} Critic;

static CelStatus draw_critic(CeliTrial *trial, const CeliDraw *draw, bool deterministic,
                             Critic *c) {
  double sum = 0;
  CELI_TRY(celi_draw(trial, draw, &c->m));
  c->mu = celi_take(trial, c->m.S);
  c->pi = celi_take(trial, c->m.n);
  c->V = celi_take(trial, c->m.S);
  celi_draw_policy(trial, &c->m, c->pi);
  for (int k = 0; k < c->m.n && deterministic; k++)
    c->pi[k] = k == c->m.pair[c->m.state[k]] ? 1 : 0;
  celi_draw_normal(trial, c->V, c->m.S, 1);
  for (int s = 0; s < c->m.S; s++) sum += c->mu[s] = 0.1 + cel_rng_uniform(&trial->rng);
  for (int s = 0; s < c->m.S; s++) c->mu[s] /= sum;
  return CEL_OK;
}

/// delta of transition (p, next) at a complex V.
static CeliComplex delta_at(const CeliProblem *m, const CeliComplex *V, int p, int next) {
  const int k = p * m->S + next;
  return m->R[k] + (m->ends[k] > 0 ? 0 : m->gamma * V[next]) - V[m->state[p]];
}

/// Half the mean of delta^2: (4.20) with V on both sides.
static CeliComplex squared_delta(const void *user, const CeliComplex *V) {
  const Critic *c = user;
  CeliComplex sum = 0;
  for (int p = 0; p < c->m.n; p++)
    for (int next = 0; next < c->m.S; next++) {
      const CeliComplex delta = delta_at(&c->m, V, p, next);
      sum += c->mu[c->m.state[p]] * c->pi[p] * c->m.P[p * c->m.S + next] * delta * delta / 2;
    }
  return sum;
}

/// Half the mean of (E[delta given x])^2: the Bellman error.
static CeliComplex squared_mean_delta(const void *user, const CeliComplex *V) {
  const Critic *c = user;
  CeliComplex sum = 0;
  for (int s = 0; s < c->m.S; s++) {
    CeliComplex mean = 0;
    for (int p = c->m.pair[s]; p < c->m.pair[s + 1]; p++)
      for (int next = 0; next < c->m.S; next++)
        mean += c->pi[p] * c->m.P[p * c->m.S + next] * delta_at(&c->m, V, p, next);
    sum += c->mu[s] * mean * mean / 2;
  }
  return sum;
}

/// d/dV(y) of half the mean of Var(delta given x) = E Cov(delta, d delta/dV(y)), in sums.
static void variance_gradient(CeliTrial *trial, const Critic *c, double *gradient) {
  const int S = c->m.S;
  CeliComplex *V = celi_take_complex(trial, S);
  for (int s = 0; s < S; s++) V[s] = c->V[s];
  for (int s = 0; s < S; s++)
    for (int y = 0; y < S; y++) {
      double mean = 0, slope = 0, both = 0;
      for (int p = c->m.pair[s]; p < c->m.pair[s + 1]; p++)
        for (int next = 0; next < S; next++) {
          const int k = p * S + next;
          const double w = c->pi[p] * c->m.P[k], delta = creal(delta_at(&c->m, V, p, next));
          const double d = (next == y && c->m.ends[k] == 0 ? c->m.gamma : 0) - (s == y);
          mean += w * delta, slope += w * d, both += w * delta * d;
        }
      gradient[y] += c->mu[s] * (both - mean * slope);
    }
}

static CelStatus residual_gradient(CeliTrial *trial, bool deterministic) {
  Critic c;
  CELI_TRY(draw_critic(trial, &(CeliDraw){.deterministic = deterministic}, deterministic, &c));
  double *full = celi_take(trial, c.m.S), *bellman = celi_take(trial, c.m.S);
  double *variance = celi_take(trial, c.m.S);
  celi_complex_gradient(trial, squared_delta, &c, c.V, c.m.S, full);
  celi_complex_gradient(trial, squared_mean_delta, &c, c.V, c.m.S, bellman);
  if (!deterministic) variance_gradient(trial, &c, variance);
  for (int s = 0; s < c.m.S; s++) full[s] -= bellman[s];
  celi_compare_all(trial, full, variance, c.m.S, celi_size(c.m.R, (int64_t)c.m.n * c.m.S));
  return CEL_OK;
}

static CelStatus residual_is_bellman_and_variance(CeliTrial *trial) {
  return residual_gradient(trial, false);
}
static CelStatus residual_where_deterministic(CeliTrial *trial) {
  return residual_gradient(trial, true);
}

/// Expected TD(0), the target held fixed: V <- V + 0.5 E[delta given x].
static CelStatus td_converges(CeliTrial *trial) {
  Critic c;
  CELI_TRY(draw_critic(trial, &(CeliDraw){.gamma_max = .9}, false, &c));
  double *exact = celi_take(trial, c.m.S), *delta = celi_take(trial, c.m.S);
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  for (int k = 0; k < 1200; k++) {
    for (int s = 0; s < c.m.S; s++) {
      delta[s] = celi_actions(&c.m, s) ? 0 : -c.V[s]; // a terminal state is worth 0
      for (int p = c.m.pair[s]; p < c.m.pair[s + 1]; p++)
        delta[s] += c.pi[p] * expected_delta(&c.m, c.V, p, false);
    }
    for (int s = 0; s < c.m.S; s++) c.V[s] += 0.5 * delta[s];
  }
  celi_compare_all(trial, c.V, exact, c.m.S, celi_size(exact, c.m.S) / (1 - c.m.gamma));
  return CEL_OK;
}

/// TD(0) on sampled transitions with a constant step: its mean over runs obeys the expected one exactly.
static CelStatus td_by_simulation(CeliTrial *trial) {
  enum { RUNS = 64, UPDATES = 3000 };
  Critic c;
  double sum = 0, squares = 0;
  CELI_TRY(draw_critic(
      trial, &(CeliDraw){.S_max = 4, .gamma = .5, .unit = true, .endless = true, .A_max = 2}, false,
      &c));
  double *exact = celi_take(trial, c.m.S), *V = celi_take(trial, c.m.S);
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  for (int run = 0; run < RUNS; run++) {
    for (int s = 0; s < c.m.S; s++) V[s] = 0;
    for (int i = 0; i < UPDATES; i++) {
      const int s = celi_below(trial, c.m.S), p = celi_sample_pair(trial, &c.m, c.pi, s);
      const int next = celi_sample_next(trial, &c.m, p);
      V[s] += 0.05 * (c.m.R[p * c.m.S + next] + c.m.gamma * V[next] - V[s]);
    }
    sum += V[0] - exact[0], squares += (V[0] - exact[0]) * (V[0] - exact[0]);
  }
  const double variance = (squares - sum * sum / RUNS) / (RUNS - 1);
  celi_compare(trial, exact[0] + sum / RUNS, exact[0], sqrt(variance / RUNS) + 1e-6);
  return CEL_OK;
}

/// The minimiser of (4.20) with V on both sides: its gradient is linear in V, so two evaluations a column solve it.
static CelStatus residual_minimum(CeliTrial *trial, const CeliDraw *draw, bool deterministic) {
  Critic c;
  CELI_TRY(draw_critic(trial, draw, deterministic, &c));
  const int S = c.m.S;
  double *H = celi_take(trial, (int64_t)S * S), *b = celi_take(trial, S), *at = celi_take(trial, S);
  double *column = celi_take(trial, S), *exact = celi_take(trial, S);
  celi_complex_gradient(trial, squared_delta, &c, at, S, b);
  for (int j = 0; j < S; j++) {
    at[j] = 1;
    celi_complex_gradient(trial, squared_delta, &c, at, S, column);
    for (int i = 0; i < S; i++) H[i * S + j] = column[i] - b[i];
    at[j] = 0;
  }
  for (int s = 0; s < S; s++) b[s] = -b[s];
  celi_dense_solve(H, b, S, 1);
  CELI_TRY(celi_library_values(&c.m, c.pi, 0, exact, NULL));
  celi_compare_all(trial, b, exact, S, celi_size(exact, S));
  return CEL_OK;
}

static CelStatus residual_elsewhere(CeliTrial *trial) {
  return residual_minimum(trial, &tiny_endless, false);
}
static CelStatus residual_same(CeliTrial *trial) {
  CeliDraw draw = tiny_endless;
  draw.deterministic = true, draw.full = false;
  return residual_minimum(trial, &draw, true);
}

// ---- 4.22-4.23: the actor's loss

static CelStatus step_raises_return(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &tiny_endless, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n), *V = celi_take(trial, m.S);
  double *gradient = celi_take(trial, m.n);
  celi_draw_logits(trial, &m, theta, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, 0, m.gamma, false, gradient));
  CELI_TRY(celi_library_values(&m, pi, 0, V, NULL));
  const double before = cel_value_start(m.mdp, V), rate = 1e-2 * pow(1 - m.gamma, 2);
  for (int k = 0; k < m.n; k++) theta[k] += rate * gradient[k];
  for (int s = 0; s < m.S; s++) celi_dense_softmax(theta + m.pair[s], m.A, 1, pi + m.pair[s]);
  CELI_TRY(celi_library_values(&m, pi, 0, V, NULL));
  celi_compare(trial, cel_value_start(m.mdp, V), before, 1);
  return CEL_OK;
}

enum { WEIGHTS = 3, SHARED_STATES = 2, BATCH = 5 };

/// Logits and V that are linear in the same weights w, and a batch of transitions.
typedef struct Shared {
  double Phi[SHARED_STATES * 2 * WEIGHTS], Psi[SHARED_STATES * WEIGHTS];
  int x[BATCH], u[BATCH], next[BATCH];
  double r[BATCH];
  const double *detached; ///< (BATCH) A held fixed, or NULL: through A
} Shared;

static CeliComplex shared_loss(const void *user, const CeliComplex *w) {
  const Shared *d = user;
  CeliComplex loss = 0;
  for (int i = 0; i < BATCH; i++) {
    CeliComplex logit[2] = {0}, V = 0, V_next = 0;
    for (int j = 0; j < WEIGHTS; j++) {
      for (int a = 0; a < 2; a++) logit[a] += d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j] * w[j];
      V += d->Psi[d->x[i] * WEIGHTS + j] * w[j];
      V_next += d->Psi[d->next[i] * WEIGHTS + j] * w[j];
    }
    const CeliComplex A = d->detached ? d->detached[i] : d->r[i] + 0.9 * V_next - V;
    loss -= (logit[d->u[i]] - clog(cexp(logit[0]) + cexp(logit[1]))) * A;
  }
  return loss;
}

/// A of every transition at w, and minus the score times it.
static void detached_score(const Shared *d, const double *w, double *A, double *gradient) {
  for (int i = 0; i < BATCH; i++) {
    double logit[2] = {0}, pi[2];
    A[i] = d->r[i];
    for (int j = 0; j < WEIGHTS; j++) {
      for (int a = 0; a < 2; a++) logit[a] += d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j] * w[j];
      A[i] += (0.9 * d->Psi[d->next[i] * WEIGHTS + j] - d->Psi[d->x[i] * WEIGHTS + j]) * w[j];
    }
    celi_dense_softmax(logit, 2, 1, pi);
    for (int j = 0; j < WEIGHTS; j++)
      for (int a = 0; a < 2; a++)
        gradient[j] -= A[i] * ((a == d->u[i]) - pi[a]) * d->Phi[(d->x[i] * 2 + a) * WEIGHTS + j];
  }
}

static CelStatus shared_parameters(CeliTrial *trial, bool through) {
  Shared d;
  double w[WEIGHTS], A[BATCH], score[WEIGHTS] = {0}, gradient[WEIGHTS];
  celi_draw_normal(trial, d.Phi, SHARED_STATES * 2 * WEIGHTS, 1);
  celi_draw_normal(trial, d.Psi, SHARED_STATES * WEIGHTS, 1);
  celi_draw_normal(trial, w, WEIGHTS, 1);
  celi_draw_normal(trial, d.r, BATCH, 1);
  for (int i = 0; i < BATCH; i++) {
    d.x[i] = celi_below(trial, SHARED_STATES);
    d.u[i] = celi_below(trial, 2);
    d.next[i] = celi_below(trial, SHARED_STATES);
  }
  detached_score(&d, w, A, score);
  d.detached = through ? NULL : A;
  celi_complex_gradient(trial, shared_loss, &d, w, WEIGHTS, gradient);
  celi_compare_all(trial, gradient, score, WEIGHTS, 1);
  return CEL_OK;
}

static CelStatus shared_detached(CeliTrial *trial) {
  return shared_parameters(trial, false);
}
static CelStatus shared_through(CeliTrial *trial) {
  return shared_parameters(trial, true);
}

// ---- 4.24-4.26: Gaussians

enum { NODES = 4001 };
static const double two_pi = 6.28318530717958647692;

/// The library's log N(u; mean, sd) and entropy on a grid of u, one dimension.
static CelStatus gaussian_on_grid(CeliTrial *trial, double mean, double log_sd, double **u,
                                  double **logp, double **entropy) {
  double *head = celi_take(trial, 2 * NODES);
  *u = celi_take(trial, NODES), *logp = celi_take(trial, NODES);
  *entropy = celi_take(trial, NODES);
  for (int i = 0; i < NODES; i++) {
    head[2 * i] = mean, head[2 * i + 1] = log_sd;
    (*u)[i] = mean + 9 * exp(log_sd) * (2. * i / (NODES - 1) - 1);
  }
  const CeliScore score = {
      .B = NODES, .A = 1, .head = head, .action = *u, .logp = *logp, .entropy = *entropy};
  return celi_library_score(&score);
}

static CelStatus gaussian_by_quadrature(CeliTrial *trial, bool of_entropy) {
  double *u, *logp, *entropy, mass = 0, surprise = 0;
  const double mean = cel_rng_range(&trial->rng, -1, 1);
  const double log_sd = cel_rng_range(&trial->rng, -2, 1);
  CELI_TRY(gaussian_on_grid(trial, mean, log_sd, &u, &logp, &entropy));
  const double step = 18 * exp(log_sd) / (NODES - 1);
  for (int i = 0; i < NODES; i++) {
    mass += step * exp(logp[i]);
    surprise -= step * exp(logp[i]) * logp[i];
  }
  if (of_entropy)
    celi_compare(trial, entropy[0], surprise, 1);
  else
    celi_compare(trial, mass, 1, 1);
  return CEL_OK;
}

static CelStatus gaussian_mass(CeliTrial *trial) {
  return gaussian_by_quadrature(trial, false);
}
static CelStatus gaussian_entropy(CeliTrial *trial) {
  return gaussian_by_quadrature(trial, true);
}

enum { DIMENSIONS = 3 };

/// log of (4.24)'s first line, any covariance P: by elimination and its pivots.
static double full_gaussian(const double *u, const double *mean, const double *P) {
  double M[DIMENSIONS * DIMENSIONS], z[DIMENSIONS], log_det = 0, square = 0;
  for (int i = 0; i < DIMENSIONS * DIMENSIONS; i++) M[i] = P[i];
  for (int i = 0; i < DIMENSIONS; i++) z[i] = u[i] - mean[i];
  for (int k = 0; k < DIMENSIONS; k++) { // positive definite: no exchange of rows
    log_det += log(M[k * DIMENSIONS + k]);
    square += z[k] * z[k] / M[k * DIMENSIONS + k];
    for (int i = k + 1; i < DIMENSIONS; i++) {
      const double factor = M[i * DIMENSIONS + k] / M[k * DIMENSIONS + k];
      for (int j = k; j < DIMENSIONS; j++) M[i * DIMENSIONS + j] -= factor * M[k * DIMENSIONS + j];
      z[i] -= factor * z[k];
    }
  }
  return -0.5 * (DIMENSIONS * log(two_pi) + log_det + square);
}

/// One row: mean, log sd, action; the library's log-density and gradient, d_logp = 1.
typedef struct Row {
  double head[2 * DIMENSIONS], action[DIMENSIONS], d_head[2 * DIMENSIONS], logp, entropy;
} Row;

static CelStatus draw_row(CeliTrial *trial, Row *row) {
  const double one = 1, none = 0;
  for (int i = 0; i < DIMENSIONS; i++) { // numbers that float32 holds
    row->head[i] = celi_below(trial, 257) / 128. - 1;
    row->head[DIMENSIONS + i] = celi_below(trial, 257) / 128. - 1;
    row->action[i] = celi_below(trial, 257) / 128. - 1;
  }
  const CeliScore score = {.B = 1,
                           .A = DIMENSIONS,
                           .head = row->head,
                           .action = row->action,
                           .d_logp = &one,
                           .d_entropy = &none,
                           .logp = &row->logp,
                           .entropy = &row->entropy,
                           .d_head = row->d_head};
  return celi_library_score(&score);
}

/// The product of the library against the full form; `correlated`: with a covariance that is not diagonal.
static CelStatus product_form(CeliTrial *trial, bool correlated) {
  Row row;
  double P[DIMENSIONS * DIMENSIONS] = {0};
  CELI_TRY(draw_row(trial, &row));
  for (int i = 0; i < DIMENSIONS; i++) P[i * DIMENSIONS + i] = exp(2 * row.head[DIMENSIONS + i]);
  if (correlated) P[1] = P[DIMENSIONS] = 0.9 * sqrt(P[0] * P[DIMENSIONS + 1]);
  const double full = full_gaussian(row.action, row.head, P);
  celi_compare(trial, row.logp, full, correlated ? 1 : fmax(1, fabs(full)));
  return CEL_OK;
}

static CelStatus product_diagonal(CeliTrial *trial) {
  return product_form(trial, false);
}
static CelStatus product_correlated(CeliTrial *trial) {
  return product_form(trial, true);
}

static CeliComplex log_density(const void *user, const CeliComplex *head) {
  const Row *row = user;
  CeliComplex sum = 0;
  for (int i = 0; i < DIMENSIONS; i++) {
    const CeliComplex z = (row->action[i] - head[i]) / cexp(head[DIMENSIONS + i]);
    sum -= z * z / 2 + head[DIMENSIONS + i] + log(two_pi) / 2;
  }
  return sum;
}

static CelStatus gaussian_gradient(CeliTrial *trial) {
  Row row;
  double gradient[2 * DIMENSIONS];
  CELI_TRY(draw_row(trial, &row));
  celi_complex_gradient(trial, log_density, &row, row.head, 2 * DIMENSIONS, gradient);
  celi_compare_all(trial, row.d_head, gradient, 2 * DIMENSIONS,
                   celi_size(gradient, 2 * DIMENSIONS));
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"4.1", "the gradient of J over all trajectories", "cel_policy_gradient_horizon",
     CEL_CHECK_EQUAL, 1e-10, 200, gradient_over_trajectories},
    {"4.1, 4.5-4.6", "the gradient of J at a finite horizon, against complex steps",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_by_complex_steps},
    {"4.2-4.4", "E[reward to go given the past and (x_t, u_t)] forgets the past: Q_t",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-12, 200, past_is_forgotten},
    {"4.5-4.6", "sum_t gamma^t E_{p_t}[grad log pi Q_t], against complex steps",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_values},
    {"4.4, 4.12, 4.16-4.18", "printed: values without a time index give another gradient",
     "cel_mdp_evaluate_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, printed_without_time},
    {"4.6", "for ever: E_d[grad log pi Q]/(1-gamma), against complex steps", "cel_policy_gradient",
     CEL_CHECK_EQUAL, 1e-10, 200, hard_infinite_gradient},
    {"4.6", "the same with alpha: the gradient of the soft J", "cel_policy_gradient",
     CEL_CHECK_EQUAL, 1e-10, 200, soft_infinite_gradient},
    {"4.6", "printed: without 1/(1-gamma) it is not the gradient", "cel_policy_gradient",
     CEL_CHECK_DIFFERS, 1e-6, 200, printed_visits},
    {"4.7", "without gamma^t: as the sum over trajectories says", "cel_policy_gradient_horizon",
     CEL_CHECK_EQUAL, 1e-12, 200, undiscounted_by_enumeration},
    {"4.7", "printed: without gamma^t, distance to grad J in its lengths",
     "cel_policy_gradient_horizon", CEL_CHECK_EXCEEDS, 1e-3, 200, undiscounted_is_far},
    {"4.7", "printed: without gamma^t, 1 - cosine to grad J", "cel_policy_gradient_horizon",
     CEL_CHECK_EXCEEDS, 1e-3, 1, undiscounted_turns},
    {"4.7", "at gamma = 1 the two are one", "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-12,
     200, undiscounted_at_one},
    {"4.8-4.10", "E[grad log pi b(x)] = 0 for any b of the state and the time",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-13, 200, baseline_vanishes},
    {"4.8-4.10", "with b(x,u) it is not 0", "cel_state_distribution", CEL_CHECK_DIFFERS, 1e-6, 200,
     baseline_of_action},
    {"4.8, 4.10", "printed: grad J = 0", "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6,
     200, printed_gradient_zero},
    {"4.11", "the gradient with Q_t - b_t(x), against complex steps", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_baseline},
    {"4.13", "the gradient with A_t = Q_t - V_t, against complex steps", "cel_mdp_evaluate_horizon",
     CEL_CHECK_EQUAL, 1e-10, 200, gradient_with_advantages},
    {"4.12, 4.16, 4.18", "hard V and Q, against propagation forward from each state",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 100, hard_values},
    {"4.14-4.15", "E over trajectories of sum_t gamma^t grad log pi A_t is grad J",
     "cel_mdp_evaluate_horizon", CEL_CHECK_EQUAL, 1e-13, 200, sampled_form_discounted},
    {"4.14-4.15", "printed: without gamma^t it is not", "cel_mdp_evaluate_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 200, sampled_form_practice},
    {"4.14-4.15", "its simulated mean along a direction (standard errors)",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 4, 4, sampled_mean},
    {"4.17, 4.21", "E[delta given x,u] with the exact V is A, by the sum over s'",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 200, delta_is_advantage},
    {"4.17, 4.21", "E[delta given x,u] by simulation (standard errors)", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 4, 4, delta_by_simulation},
    {"4.21", "with a wrong V it is biased", "cel_mdp_evaluate", CEL_CHECK_DIFFERS, 1e-3, 200,
     delta_of_wrong_values},
    {"4.20", "printed: a bootstrap where the episode ended is wrong", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-6, 200, delta_bootstraps_ended},
    {"4.20", "no bootstrap where only a time limit cut is wrong too", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-6, 200, delta_cut},
    {"4.20", "through both V's: Bellman error's gradient + half the variance's", "",
     CEL_CHECK_EQUAL, 1e-12, 200, residual_is_bellman_and_variance},
    {"4.20", "the variance's part is 0 where transitions and policy are deterministic", "",
     CEL_CHECK_EQUAL, 1e-12, 200, residual_where_deterministic},
    {"4.19-4.20", "target held fixed: expected TD(0) converges to V of the policy",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-11, 100, td_converges},
    {"4.19-4.20", "TD(0) on samples, mean of 64 runs (standard errors)", "cel_mdp_evaluate",
     CEL_CHECK_EQUAL, 4, 4, td_by_simulation},
    {"4.20", "printed: minimised through both V's, it ends elsewhere", "cel_mdp_evaluate",
     CEL_CHECK_DIFFERS, 1e-6, 200, residual_elsewhere},
    {"4.20", "unless transitions and policy are deterministic", "cel_mdp_evaluate", CEL_CHECK_EQUAL,
     1e-9, 200, residual_same},
    {"4.22-4.23", "one small step along the gradient raises J", "cel_policy_gradient",
     CEL_CHECK_EXCEEDS, 0, 200, step_raises_return},
    {"4.22-4.23", "shared parameters, A detached: the score times A", "", CEL_CHECK_EQUAL, 1e-12,
     200, shared_detached},
    {"4.22-4.23", "printed: the gradient through A is another", "", CEL_CHECK_DIFFERS, 1e-6, 200,
     shared_through},
    {"4.25-4.26", "the library's Gaussian density integrates to 1", "celi_dist_plan_log_prob",
     CEL_CHECK_EQUAL, 1e-6, 4, gaussian_mass},
    {"4.25-4.26", "its entropy, against quadrature of -p log p", "celi_dist_plan_log_prob",
     CEL_CHECK_EQUAL, 2e-6, 4, gaussian_entropy},
    {"4.25-4.26", "its gradient in mean and log sd, against complex steps",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-6, 200, gaussian_gradient},
    {"4.24", "its product form is the full form with a diagonal covariance",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 1e-6, 200, product_diagonal},
    {"4.24", "printed: with a covariance that is not diagonal it is not", "celi_dist_plan_log_prob",
     CEL_CHECK_DIFFERS, 1e-6, 200, product_correlated},
    {0}};

const CeliNote celi_note_actor_critic = {"actor-critic", claims};
