/// The rows of the note discrete-soft-policy-gradient: the gradient of L(theta) = -sum_a pi(a|s) g(s,a),
/// g = Q - alpha log pi, with respect to the logits of one state, for the Q of a critic at hand.
///
/// With V = E_pi[g] and A_soft = g - V the gradient is -pi A_soft; the Fisher matrix is F = diag(pi) - pi pi'.
#include "algo/choice.h"
#include "celsius/improve.h"
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

/// The loss as a function of the logits; with g of the logits that it was drawn at where `held`.
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

/// The learners' backward pass, a row of the batch an action: d_logp = -pi Q of it, d_entropy = -alpha pi.
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

/// d pi(a')/d theta(a) of one state: pi(a') times the library's derivative of log pi(a'), against complex steps.
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

/// (1{a' = a} - pi(a)) g(a') of one state, g = Q - alpha log pi.
static double expectation_term(const Actor *a, int s, int p, int next) {
  const double g = a->Q[next] - a->m.alpha * log(a->pi[next]);
  return ((next == p) - a->pi[p]) * g * a->weight[s];
}

/// -E_{a'}[(1{a' = a} - pi(a)) g(a')] as a sum over a'.
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

/// The same as a mean over sampled a', along the gradient.
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

/// The gradient that discrete soft actor-critic takes, one state a row of its batch.
static CelStatus by_learner(CeliTrial *trial) {
  enum { B = 4, A = 5 };
  Actor a;
  float logits[B * A], log_pi[B * A], pi[B * A], q[B * A], d_logits[B * A], loss[B];
  double got[B * A];
  CELI_TRY(draw_actor(
      trial, &(CeliDraw){.S_min = B, .S_max = B, .A_min = A, .A_max = A, .endless = true}, &a));
  for (int i = 0; i < B * A; i++) logits[i] = (float)a.theta[i], q[i] = (float)a.Q[i];
  celi_choice_softmax(log_pi, pi, logits, A, 0, B);
  celi_choice_policy_gradient(d_logits, loss, q, log_pi, pi, (float)a.m.alpha, 1.0f, A, 0, B);
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

/// With V of the true problem in place of E_pi[g] of the critic at hand the components do not sum to zero.
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

/// The natural gradient of J: pinv of the whole Fisher matrix, a block x(s) F(s) a state, times the gradient of J.
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

/// |gradient| on the way to the corner of the worst action: logits (0, ..., c, ..., 0), c rising.
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

/// The natural gradient at the same corner has not vanished: it prefers the best action by more than 1.
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
    {"(6)", "the gradient of the loss is -pi A_soft, against complex steps",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, by_complex_steps},
    {"(6)", "against the gradient that discrete soft actor-critic takes (float32)",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 2e-6, 100, by_learner},
    {"(6)", "against the backward pass of log pi and H (float32)", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 2e-6, 100, by_reverse_pass},
    {"(6)", "the derivative of g's own log pi, left out by the note, is zero under pi",
     "cel_soft_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, own_derivative_vanishes},
    {"(6)", "d pi(a')/d theta(a) = pi(a') (1{a' = a} - pi(a)), against complex steps (float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 2e-6, 100, softmax_derivative},
    {"(6)", "it is -E over a' of (1{a' = a} - pi(a)) g(a'), as a sum", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 1e-13, 200, expectation_by_sum},
    {"(6)", "and as a mean over sampled a' (standard errors)", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 4, 4, expectation_by_samples},
    {"(6)", "the components of a state sum to 0", "cel_soft_policy_gradient", CEL_CHECK_EQUAL,
     1e-14, 200, sums_to_zero},
    {"(6)", "V is E_pi[Q - alpha log pi] of the critic at hand: with V of pi they do not", "",
     CEL_CHECK_DIFFERS, 1e-6, 200, value_of_another},
    {"natural gradient", "pinv(F) (pi A_soft) = A_soft - mean A_soft", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 1e-10, 200, natural_of_state},
    {"natural gradient", "of J: pinv of the whole Fisher matrix times the gradient",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, natural_of_return},
    {"vanishing", "towards a corner the norm at least halves from point to point",
     "cel_soft_policy_gradient", CEL_CHECK_AT_MOST, 0, 1, gradient_vanishes},
    {"vanishing", "and goes to 0, though the action there is the worst", "cel_soft_policy_gradient",
     CEL_CHECK_EQUAL, 1e-12, 1, gradient_is_gone},
    {"vanishing", "the natural gradient does not vanish there", "cel_policy_gradient",
     CEL_CHECK_EXCEEDS, 0, 1, natural_stays},
    {0}};

const CeliSection celi_dp_gradient = {"src/verify/discrete_soft_policy_gradient/gradient.c",
                                      claims};
