/// The rows of the note discrete-soft-policy-gradient: the gradient of L(theta) = -sum_a pi(a|s)
/// g(s,a), g = Q - alpha log pi, in the logits of one state, for any given Q.
///
/// With V = E_pi[g] and A_soft = g - V the gradient is -pi A_soft. The Fisher matrix is F =
/// diag(pi) - pi pi'.
#include "algo/discrete.h"
#include "celsius/improve.h"
#include "nn/dist.h"
#include "verify/verify.h"
#include <math.h>

/// A problem with logits, a critic's Q, state weights, and the library's gradient of the loss.
typedef struct Actor {
  CeliProblem m;
  double *theta, *pi, *Q, *weight, *gradient;
} Actor;

static CelStatus draw_actor(CeliTrial *trial, const CeliDraw *draw, Actor *a) {
  CELI_TRY(celi_draw(trial, draw, &a->m));
  a->theta = celi_take(trial, a->m.n);
  a->pi = celi_take(trial, a->m.n);
  a->Q = celi_take(trial, a->m.n);
  a->weight = celi_take(trial, a->m.S);
  a->gradient = celi_take(trial, a->m.n);
  celi_draw_logits(trial, &a->m, a->theta, a->pi);
  celi_draw_normal(trial, a->Q, a->m.n, 1);
  for (int s = 0; s < a->m.S; s++) a->weight[s] = cel_rng_uniform(&trial->rng);
  cel_soft_policy_gradient(a->m.mdp, a->pi, a->Q, a->m.alpha, a->weight, a->gradient);
  return CEL_OK;
}

/// The loss as a function of the logits. With `held`, g keeps the log pi of the original logits.
typedef struct Loss {
  CeliTrial *trial;
  const Actor *actor;
  bool held;
} Loss;

static CeliComplex loss(const void *user, const CeliComplex *theta) {
  const Loss *l = user;
  const Actor *a = l->actor;
  const size_t used = l->trial->used;
  CeliComplex *pi = celi_take_complex(l->trial, a->m.n), sum = 0;
  celi_complex_softmax(&a->m, theta, pi);
  for (int k = 0; k < a->m.n; k++) {
    const CeliComplex surprise = l->held ? log(a->pi[k]) : clog(pi[k]);
    sum -= a->weight[a->m.state[k]] * pi[k] * (a->Q[k] - a->m.alpha * surprise);
  }
  l->trial->used = used;
  return sum;
}

static CelStatus gradient_of_loss(CeliTrial *trial, bool held) {
  Actor a;
  CELI_TRY(draw_actor(trial, &(CeliDraw){.S_max = 20, .A_max = 10, .hard = true}, &a));
  double *right = celi_take(trial, a.m.n);
  celi_complex_gradient(trial, loss, &(Loss){trial, &a, held}, a.theta, a.m.n, right);
  celi_compare_all(trial, a.gradient, right, a.m.n, celi_size(a.Q, a.m.n) + a.m.alpha);
  return CEL_OK;
}

static CelStatus by_complex_steps(CeliTrial *trial) {
  return gradient_of_loss(trial, false);
}
static CelStatus own_derivative_vanishes(CeliTrial *trial) {
  return gradient_of_loss(trial, true);
}

/// The learners' backward pass with a batch row for each action a: d_logp = -pi(a) Q(a), d_entropy
/// = -alpha/A.
static CelStatus by_reverse_pass(CeliTrial *trial) {
  Actor a;
  CELI_TRY(draw_actor(trial, &(CeliDraw){.A_min = 5, .A_max = 5, .endless = true}, &a));
  const int A = a.m.A;
  double *sum = celi_take(trial, A), *head = celi_take(trial, A * A), *action = celi_take(trial, A);
  double *d_logp = celi_take(trial, A), *d_entropy = celi_take(trial, A);
  double *d_head = celi_take(trial, A * A), *logp = celi_take(trial, A), *H = celi_take(trial, A);
  for (int i = 0; i < A; i++) {
    action[i] = i;
    d_logp[i] = -a.weight[0] * a.pi[i] * a.Q[i];
    d_entropy[i] = -a.weight[0] * a.m.alpha / A;
    for (int j = 0; j < A; j++) head[i * A + j] = a.theta[j];
  }
  const CeliScore score = {true, A, A, head, action, d_logp, d_entropy, logp, H, d_head};
  CELI_TRY(celi_library_score(&score));
  for (int i = 0; i < A; i++)
    for (int j = 0; j < A; j++) sum[j] += d_head[i * A + j];
  celi_compare_all(trial, a.gradient, sum, A, celi_size(a.Q, A) + a.m.alpha);
  return CEL_OK;
}

// ---- the softmax's derivative, and the expectation that follows from it

typedef struct Choice {
  const CeliProblem *m;
  CeliTrial *trial;
  int of; ///< a'
} Choice;

static CeliComplex probability(const void *user, const CeliComplex *theta) {
  const Choice *c = user;
  const size_t used = c->trial->used;
  CeliComplex *pi = celi_take_complex(c->trial, c->m->n);
  celi_complex_softmax(c->m, theta, pi);
  const CeliComplex out = pi[c->of];
  c->trial->used = used;
  return out;
}

/// d pi(a')/d theta(a) of one state: compares pi(a') times the library's derivative of log pi(a')
/// with complex steps.
static CelStatus softmax_derivative(CeliTrial *trial) {
  enum { A = 5 };
  Actor a;
  double head[A * A], action[A], one[A], zero[A] = {0}, logp[A], H[A], d_head[A * A], exact[A];
  CELI_TRY(draw_actor(
      trial, &(CeliDraw){.S_min = 1, .S_max = 1, .A_min = A, .A_max = A, .endless = true}, &a));
  for (int i = 0; i < A; i++) {
    action[i] = i, one[i] = 1;
    for (int j = 0; j < A; j++) head[i * A + j] = a.theta[j];
  }
  const CeliScore score = {true, A, A, head, action, one, zero, logp, H, d_head};
  CELI_TRY(celi_library_score(&score));
  for (int i = 0; i < A; i++) {
    celi_complex_gradient(trial, probability, &(Choice){&a.m, trial, i}, a.theta, A, exact);
    for (int j = 0; j < A; j++) celi_compare(trial, exp(logp[i]) * d_head[i * A + j], exact[j], 1);
  }
  return CEL_OK;
}

/// (1{a' = a} - pi(a)) g(a') for one state, g = Q - alpha log pi, times the state's weight.
static double expectation_term(const Actor *a, int s, int p, int next) {
  const double g = a->Q[next] - a->m.alpha * log(a->pi[next]);
  return ((next == p) - a->pi[p]) * g * a->weight[s];
}

/// Compares the gradient with -E_{a'}[(1{a' = a} - pi(a)) g(a')], a sum over a'.
static CelStatus expectation_by_sum(CeliTrial *trial) {
  Actor a;
  CELI_TRY(draw_actor(trial, &(CeliDraw){.A_max = 10}, &a));
  double *sum = celi_take(trial, a.m.n);
  for (int p = 0; p < a.m.n; p++)
    for (int next = a.m.pair[a.m.state[p]]; next < a.m.pair[a.m.state[p] + 1]; next++)
      sum[p] -= a.pi[next] * expectation_term(&a, a.m.state[p], p, next);
  celi_compare_all(trial, a.gradient, sum, a.m.n, celi_size(a.Q, a.m.n) + a.m.alpha);
  return CEL_OK;
}

/// The same with a mean over sampled a', along the direction of the gradient.
static CelStatus expectation_by_samples(CeliTrial *trial) {
  enum { SAMPLES = 20000 };
  Actor a;
  CeliMean mean = {0};
  CELI_TRY(draw_actor(trial,
                      &(CeliDraw){.S_min = 1,
                                  .S_max = 1,
                                  .A_min = 4,
                                  .A_max = 4,
                                  .gamma = .5,
                                  .alpha = .1,
                                  .endless = true},
                      &a));
  for (int i = 0; i < SAMPLES; i++) {
    const int next = celi_sample_pair(trial, &a.m, a.pi, 0);
    double along = 0;
    for (int p = 0; p < a.m.n; p++) along -= a.gradient[p] * expectation_term(&a, 0, p, next);
    celi_mean_add(&mean, along);
  }
  celi_mean_compare(trial, &mean, celi_dense_dot(a.gradient, a.gradient, a.m.n), 0);
  return CEL_OK;
}

/// Compares with the gradient that discrete soft actor-critic computes, with a batch row for each
/// state.
static CelStatus by_learner(CeliTrial *trial) {
  enum { B = 4, A = 5 };
  Actor a;
  float logits[B * A], log_pi[B * A], pi[B * A], q[B * A], d_logits[B * A], loss[B];
  double got[B * A];
  CELI_TRY(draw_actor(
      trial, &(CeliDraw){.S_min = B, .S_max = B, .A_min = A, .A_max = A, .endless = true}, &a));
  for (int i = 0; i < B * A; i++) logits[i] = (float)a.theta[i], q[i] = (float)a.Q[i];
  celi_dist_softmax(log_pi, pi, logits, A, 0, B);
  celi_discrete_policy_gradient(d_logits, loss, q, log_pi, pi, (float)a.m.alpha, 1.0f, A, 0, B);
  for (int i = 0; i < B * A; i++) got[i] = a.weight[i / A] * (double)d_logits[i];
  celi_compare_all(trial, a.gradient, got, B * A, celi_size(a.Q, B * A) + a.m.alpha);
  return CEL_OK;
}

static CelStatus sums_to_zero(CeliTrial *trial) {
  Actor a;
  CELI_TRY(draw_actor(trial, &(CeliDraw){.hard = true}, &a));
  for (int s = 0; s < a.m.S; s++) {
    double sum = 0;
    for (int k = a.m.pair[s]; k < a.m.pair[s + 1]; k++) sum += a.gradient[k];
    celi_compare(trial, sum, 0, celi_size(a.Q, a.m.n) + a.m.alpha);
  }
  return CEL_OK;
}

/// With V of the problem's true Q in place of E_pi[g], the components do not sum to zero.
static CelStatus value_of_another(CeliTrial *trial) {
  Actor a;
  CELI_TRY(draw_actor(trial, &(CeliDraw){.A_min = 2, .unit = true, .endless = true}, &a));
  double *V = celi_take(trial, a.m.S), sum = 0;
  CELI_TRY(celi_library_values(&a.m, a.pi, a.m.alpha, V, NULL));
  for (int k = 0; k < a.m.pair[1]; k++) sum -= a.pi[k] * (a.Q[k] - a.m.alpha * log(a.pi[k]) - V[0]);
  celi_compare(trial, sum, 0, 1);
  return CEL_OK;
}

/// x = pinv(F) y: F has one null vector, 1, so pinv(F) = (F + 11'/A)^-1 - 11'/A.
static void fisher_pseudoinverse(const double *pi, const double *y, int A, double *x) {
  double M[16 * 16], mean = 0;
  for (int i = 0; i < A; i++)
    for (int j = 0; j < A; j++) M[i * A + j] = (i == j ? pi[i] : 0) - pi[i] * pi[j] + 1. / A;
  for (int i = 0; i < A; i++) x[i] = y[i], mean += y[i] / A;
  celi_dense_solve(M, x, A, 1);
  for (int i = 0; i < A; i++) x[i] -= mean;
}

static CelStatus natural_of_state(CeliTrial *trial) {
  Actor a;
  double x[16], expected[16];
  CELI_TRY(draw_actor(trial, &(CeliDraw){.A_min = 2, .A_max = 10}, &a));
  for (int s = 0; s < a.m.S; s++) {
    const int p = a.m.pair[s], n = celi_actions(&a.m, s);
    double mean = 0;
    if (n < 2 || !(a.weight[s] > 1e-3)) continue;
    for (int i = 0; i < n; i++) a.gradient[p + i] /= -a.weight[s];
    fisher_pseudoinverse(a.pi + p, a.gradient + p, n, x);
    for (int i = 0; i < n; i++) expected[i] = a.Q[p + i] - a.m.alpha * log(a.pi[p + i]);
    for (int i = 0; i < n; i++) mean += expected[i] / n;
    for (int i = 0; i < n; i++) expected[i] -= mean;
    celi_compare_all(trial, x, expected, n, celi_size(a.Q, a.m.n) + a.m.alpha);
  }
  return CEL_OK;
}

/// Natural gradient of J: compares with the pseudoinverse of the whole Fisher matrix, which has a
/// block x(s) F(s) for each state, times the gradient of J.
static CelStatus natural_of_return(CeliTrial *trial) {
  CeliProblem m;
  double x[16];
  CELI_TRY(celi_draw(trial, &(CeliDraw){.endless = true, .full = true, .unit = true}, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n),
         *visits = celi_take(trial, m.S);
  double *plain = celi_take(trial, m.n), *natural = celi_take(trial, m.n);
  celi_draw_logits(trial, &m, theta, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, m.alpha, m.gamma, false, plain));
  CELI_TRY(cel_policy_gradient(m.mdp, pi, m.alpha, m.gamma, true, natural));
  celi_dense_visits(trial, &m, pi, visits);
  for (int s = 0; s < m.S; s++) {
    const double d = (1 - m.gamma) * visits[s];
    if (d < 1e-3) continue;
    fisher_pseudoinverse(pi + m.pair[s], plain + m.pair[s], m.A, x);
    for (int i = 0; i < m.A; i++) x[i] /= d;
    celi_compare_all(trial, natural + m.pair[s], x, m.A,
                     celi_size(natural, m.n) / (1 - m.gamma) / d);
  }
  return CEL_OK;
}

enum { POINTS = 24 };

/// Norms of the gradient on the way to the corner of the worst action: logits (0, 0, 0, c) with
/// rising c.
static CelStatus path_to_corner(CeliTrial *trial, double norms[POINTS]) {
  const int A = 4;
  const double Q[] = {1, .5, 0, -1};
  CeliProblem m;
  double pi[4], gradient[4];
  celi_open(trial, &m, 1, &A, 0);
  for (int a = 0; a < A; a++) celi_arrow(&m, 0, a, 0, 1, Q[a], true);
  CELI_TRY(celi_close(trial, &m, 0));
  for (int i = 0; i < POINTS; i++) {
    const double theta[] = {0, 0, 0, 4 + 1.5 * i};
    celi_dense_softmax(theta, A, 1, pi);
    cel_soft_policy_gradient(m.mdp, pi, Q, .1, NULL, gradient);
    norms[i] = sqrt(celi_dense_dot(gradient, gradient, A));
  }
  return CEL_OK;
}

static CelStatus gradient_vanishes(CeliTrial *trial) {
  double norms[POINTS];
  CELI_TRY(path_to_corner(trial, norms));
  for (int i = 1; i < POINTS; i++) celi_compare(trial, norms[i], 0.5 * norms[i - 1], 1);
  return CEL_OK;
}

static CelStatus gradient_is_gone(CeliTrial *trial) {
  double norms[POINTS];
  CELI_TRY(path_to_corner(trial, norms));
  celi_compare(trial, norms[POINTS - 1], 0, 1);
  return CEL_OK;
}

/// The natural gradient does not vanish at that corner: it prefers the best action by more than 1.
static CelStatus natural_stays(CeliTrial *trial) {
  const int A = 4;
  CeliProblem m;
  double pi[4], natural[4];
  const double theta[] = {0, 0, 0, 30}, Q[] = {1, .5, 0, -1};
  celi_open(trial, &m, 1, &A, 0);
  for (int a = 0; a < A; a++) celi_arrow(&m, 0, a, 0, 1, Q[a], true);
  CELI_TRY(celi_close(trial, &m, 0));
  celi_dense_softmax(theta, A, 1, pi);
  CELI_TRY(cel_policy_gradient(m.mdp, pi, .1, 0, true, natural));
  celi_compare(trial, natural[0] - natural[3], 1, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"(6)",
     "the gradient of the loss in the logits is -pi A_soft: the library against complex steps",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, by_complex_steps, 0x5e855bd2},
    {"(6)",
     "the gradient of the loss: the library against the kernel of discrete soft actor-critic "
     "(float32)",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 2e-6, 100, by_learner, 0x70f08b98},
    {"(6)",
     "the gradient of the loss: the library against the learners' backward pass of log pi and H "
     "(float32)",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 2e-6, 100, by_reverse_pass, 0x42e546b1},
    {"(6)",
     "the derivative of g's own log pi, which the note leaves out, is 0 under pi: the library "
     "against complex steps with log pi held fixed",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, own_derivative_vanishes, 0xce8d3969},
    {"(6)",
     "d pi(a')/d theta(a) = pi(a') (1{a' = a} - pi(a)): the learners' derivative against complex "
     "steps (float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 2e-6, 100, softmax_derivative, 0x97661b26},
    {"(6)",
     "the gradient is -E over a' of (1{a' = a} - pi(a)) g(a'): the library against a sum over a'",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-13, 200, expectation_by_sum, 0x5e037a48},
    {"(6)",
     "the gradient is -E over a' of (1{a' = a} - pi(a)) g(a'): the mean of 20000 sampled a' "
     "against the library (standard errors)",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 4, 4, expectation_by_samples, 0x8ac0e44c},
    {"(6)", "the components of the gradient of one state sum to 0", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 1e-14, 200, sums_to_zero, 0x864f7c1a},
    {"(6)",
     "V is E_pi[Q - alpha log pi] of the critic's Q: with V of pi the components do not sum to 0",
     "", CEL_CHECK_DIFFERS, 1e-6, 200, value_of_another, 0x22eb43c6},
    {"natural gradient",
     "pinv(F) (pi A_soft) = A_soft - mean A_soft: the library's gradient through a dense "
     "pseudoinverse against the formula",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, natural_of_state, 0xe99fe16b},
    {"natural gradient",
     "natural gradient of J: the library against the pseudoinverse of the whole Fisher matrix "
     "times the gradient",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, natural_of_return, 0xe3c64636},
    {"vanishing",
     "on the way to a corner the norm of the gradient at least halves from point to point",
     "cel_soft_policy_gradient", CEL_CHECK_AT_MOST, 0, 1, gradient_vanishes, 0x93b004e1},
    {"vanishing", "at the corner of the worst action the gradient is 0 too",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-12, 1, gradient_is_gone, 0xe8b76554},
    {"vanishing",
     "at the corner of the worst action the natural gradient is not 0: it prefers the best action "
     "by more than 1",
     "cel_policy_gradient", CEL_CHECK_EXCEEDS, 0, 1, natural_stays, 0x29238da9},
    {0}};

const CeliSection celi_dp_gradient = {"src/verify/discrete_soft_policy_gradient/gradient.c",
                                      claims};
