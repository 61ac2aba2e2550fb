/// The rows of the note policy-guarantees: the performance difference, how far states drift when a policy changes, lower
/// bounds on what a change gains, and soft policy iteration (Lemmas 1 and 2, Theorem 1).
///
/// pi is the old policy, pi' (`next`) the new one; A the advantage of pi; L = sum_t gamma^t E_{p_t} E_{pi'}[A] the
/// surrogate; eps the largest total variation between them, C = max over s of |E_{pi'}[A]|.
#include "celsius/improve.h"
#include "ops/ops.h"
#include "verify/verify.h"
#include <math.h>

// ---- a policy and its successor

typedef struct Change {
  CeliProblem m;
  double *theta, *pi, *next;
  double *V, *Q, *A; ///< of pi, hard, by the library
  double *p;         ///< (T + 1, S) of pi by the library, T steps; gamma^T below rounding
  double *p_next;    ///< of next
  int T;
  double gain;      ///< J' - J by two evaluations
  double surrogate; ///< L
  double eps, C;
} Change;

/// Steps until gamma^t is below rounding.
static int steps_of(double gamma) {
  return gamma > 0 ? (int)ceil(-37 / log(gamma)) : 1;
}

static CelStatus evaluate_change(CeliTrial *trial, Change *c) {
  double *V_next = celi_take(trial, c->m.S);
  c->V = celi_take(trial, c->m.S), c->Q = celi_take(trial, c->m.n), c->A = celi_take(trial, c->m.n);
  c->T = steps_of(c->m.gamma);
  c->p = celi_take(trial, (int64_t)(c->T + 1) * c->m.S);
  c->p_next = celi_take(trial, (int64_t)(c->T + 1) * c->m.S);
  CELI_TRY(celi_library_values(&c->m, c->pi, 0, c->V, c->Q));
  CELI_TRY(celi_library_values(&c->m, c->next, 0, V_next, NULL));
  CELI_TRY(cel_state_distribution(c->m.mdp, c->pi, c->T, c->p));
  CELI_TRY(cel_state_distribution(c->m.mdp, c->next, c->T, c->p_next));
  c->gain = cel_value_start(c->m.mdp, V_next) - cel_value_start(c->m.mdp, c->V);
  c->surrogate = c->eps = c->C = 0;
  for (int k = 0; k < c->m.n; k++) c->A[k] = c->Q[k] - c->V[c->m.state[k]];
  for (int s = 0; s < c->m.S; s++) {
    const int k = c->m.pair[s], n = celi_actions(&c->m, s);
    const double gained = celi_dense_dot(c->next + k, c->A + k, n);
    double discount = 1;
    for (int t = 0; t <= c->T; t++, discount *= c->m.gamma)
      c->surrogate += discount * c->p[t * c->m.S + s] * gained;
    c->C = fmax(c->C, fabs(gained));
    c->eps = fmax(c->eps, celi_dense_distance(c->pi + k, c->next + k, n));
  }
  return CEL_OK;
}

/// `how_far`: pi' = softmax(theta + how_far * noise); negative: a policy of its own.
static CelStatus draw_change(CeliTrial *trial, const CeliDraw *draw, double how_far, Change *c) {
  CELI_TRY(celi_draw(trial, draw, &c->m));
  c->theta = celi_take(trial, c->m.n);
  c->pi = celi_take(trial, c->m.n), c->next = celi_take(trial, c->m.n);
  double *moved = celi_take(trial, c->m.n);
  celi_draw_logits(trial, &c->m, c->theta, c->pi);
  celi_draw_normal(trial, moved, c->m.n, how_far < 0 ? 2 : how_far);
  for (int k = 0; k < c->m.n && how_far >= 0; k++) moved[k] += c->theta[k];
  for (int s = 0; s < c->m.S; s++)
    if (celi_actions(&c->m, s))
      celi_dense_softmax(moved + c->m.pair[s], celi_actions(&c->m, s), 1, c->next + c->m.pair[s]);
  return evaluate_change(trial, c);
}

static const CeliDraw any = {.gamma_max = .9};
static const CeliDraw endless = {
    .A_max = 3, .gamma_min = .5, .gamma_max = .9, .unit = true, .endless = true, .full = true};

/// Size of what a change is measured in.
static double scale_of(const Change *c) {
  return celi_scale(&c->m, c->Q);
}

// ---- REINFORCE

enum { STEPS = 4 };

typedef struct Score {
  const CeliProblem *m;
  const double *pi;
  bool weight_discounted, reward_discounted;
  double *sum;
} Score;

/// grad log pi times the reward to go, with and without gamma^t in either place.
static void add_score(void *user, const CeliTrajectory *tau) {
  const Score *score = user;
  double discount = 1;
  for (int t = 0; t < tau->steps; t++) {
    double to_go = 0, ahead = 1;
    for (int k = t; k < tau->steps; k++) {
      to_go += ahead * tau->r[k];
      if (score->reward_discounted) ahead *= score->m->gamma;
    }
    const int p = tau->p[t], s = score->m->state[p];
    const double weight = tau->probability * discount * to_go;
    score->sum[p] += weight;
    for (int j = score->m->pair[s]; j < score->m->pair[s + 1]; j++)
      score->sum[j] -= weight * score->pi[j];
    if (score->weight_discounted) discount *= score->m->gamma;
  }
}

/// E of one trajectory's estimate, and the library's gradient of J over STEPS steps.
static CelStatus reinforce(CeliTrial *trial, double gamma, bool weight, bool reward, double times) {
  CeliDraw draw = {.S_min = 3,
                   .S_max = 3,
                   .A_min = 2,
                   .A_max = 2,
                   .unit = true,
                   .endless = true,
                   .full = true,
                   .gamma = gamma,
                   .horizon = gamma < 1 ? 0 : STEPS};
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &draw, &m));
  double *theta = celi_take(trial, m.n), *pi = celi_take(trial, m.n);
  double *gradient = celi_take(trial, m.n);
  celi_draw_logits(trial, &m, theta, pi);
  const Score score = {&m, pi, weight, reward, celi_take(trial, m.n)};
  CELI_TRY(cel_policy_gradient_horizon(m.mdp, pi, 0, gamma, STEPS, true, gradient));
  celi_enumerate(&m, pi, false, STEPS, -1, -1, add_score, (void *)&score);
  for (int k = 0; k < m.n; k++) score.sum[k] *= times;
  celi_compare_all(trial, score.sum, gradient, m.n, STEPS);
  return CEL_OK;
}

static CelStatus reinforce_corrected(CeliTrial *trial) {
  return reinforce(trial, .9, true, true, 1);
}
static CelStatus reinforce_undiscounted(CeliTrial *trial) {
  return reinforce(trial, .9, false, false, 1);
}
static CelStatus reinforce_practice(CeliTrial *trial) {
  return reinforce(trial, .9, false, true, 1);
}
static CelStatus reinforce_at_one(CeliTrial *trial) {
  return reinforce(trial, 1, false, false, 1);
}
/// Line 2: the sum over N = 2 trajectories, whose expectation is twice one's.
static CelStatus reinforce_sum(CeliTrial *trial) {
  return reinforce(trial, .9, true, true, 2);
}

// ---- the performance difference, importance sampling, the surrogate

static CelStatus performance_difference(CeliTrial *trial) {
  Change c = {0};
  double sum = 0, discount = 1;
  CELI_TRY(draw_change(trial, &any, -1, &c));
  for (int t = 0; t <= c.T; t++, discount *= c.m.gamma)
    for (int k = 0; k < c.m.n; k++)
      sum += discount * c.p_next[t * c.m.S + c.m.state[k]] * c.next[k] * c.A[k];
  celi_compare(trial, sum, c.gain, scale_of(&c));
  return CEL_OK;
}

/// The same with the old policy's states, as if pi' came to where pi came.
static CelStatus difference_of_old_states(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_change(trial, &endless, -1, &c));
  celi_compare(trial, c.surrogate, c.gain, 1);
  return CEL_OK;
}

static CelStatus importance_sampling(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_change(trial, &any, -1, &c));
  for (int s = 0; s < c.m.S; s++) {
    long double direct = 0, weighted = 0;
    for (int k = c.m.pair[s]; k < c.m.pair[s + 1]; k++) {
      direct += c.next[k] * c.Q[k];
      weighted += c.pi[k] * (c.next[k] / c.pi[k] * c.Q[k]);
    }
    celi_compare(trial, (double)weighted, (double)direct, celi_size(c.Q, c.m.n));
  }
  return CEL_OK;
}

/// pi does not take action 0, pi' does: what pi samples cannot tell of it.
static CelStatus importance_without_support(CeliTrial *trial) {
  Change c = {0};
  long double direct = 0, weighted = 0;
  CELI_TRY(draw_change(trial, &endless, -1, &c));
  const double missing = c.pi[0];
  for (int k = 0; k < c.m.A; k++) c.pi[k] = k == 0 ? 0 : c.pi[k] / (1 - missing);
  for (int k = 0; k < c.m.A; k++) {
    direct += c.next[k] * (1 + fabs(c.Q[k]));
    if (c.pi[k] > 0) weighted += c.pi[k] * (c.next[k] / c.pi[k] * (1 + fabs(c.Q[k])));
  }
  celi_compare(trial, (double)weighted, (double)direct, 1);
  return CEL_OK;
}

typedef struct Surrogate {
  CeliTrial *trial;
  const Change *change;
  bool printed; ///< argmax over A-bar(theta): the old policy's own
} Surrogate;

/// L(theta') = sum_t gamma^t E_{p_t} E_pi[pi'/pi A].
static CeliComplex surrogate(const void *user, const CeliComplex *theta) {
  const Surrogate *of = user;
  const Change *c = of->change;
  const size_t used = of->trial->used;
  CeliComplex *next = celi_take_complex(of->trial, c->m.n), L = 0;
  celi_complex_softmax(&c->m, theta, next);
  double discount = 1;
  for (int t = 0; t <= c->T; t++, discount *= c->m.gamma)
    for (int k = 0; k < c->m.n; k++) {
      const CeliComplex ratio = of->printed ? 1 : next[k] / c->pi[k];
      L += discount * c->p[t * c->m.S + c->m.state[k]] * c->pi[k] * ratio * c->A[k];
    }
  of->trial->used = used;
  return L;
}

static CelStatus surrogate_gradient(CeliTrial *trial, const CeliDraw *draw, bool printed) {
  Change c = {0};
  CELI_TRY(draw_change(trial, draw, .5, &c));
  double *left = celi_take(trial, c.m.n), *right = celi_take(trial, c.m.n);
  CELI_TRY(cel_policy_gradient(c.m.mdp, c.pi, 0, c.m.gamma, false, left));
  celi_complex_gradient(trial, surrogate, &(Surrogate){trial, &c, printed}, c.theta, c.m.n, right);
  celi_compare_all(trial, left, right, c.m.n, printed ? 1 : scale_of(&c));
  return CEL_OK;
}

static CelStatus surrogate_is_first_order(CeliTrial *trial) {
  return surrogate_gradient(trial, &any, false);
}
static CelStatus surrogate_printed(CeliTrial *trial) {
  return surrogate_gradient(trial, &endless, true);
}

// ---- coupling

enum { CHOICES = 6 };

/// The maximal coupling of x and y: min(x, y) on the diagonal, the rest as a product.
static void couple(const double *x, const double *y, double joint[CHOICES][CHOICES]) {
  const double distance = celi_dense_distance(x, y, CHOICES);
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) {
      const double excess = fmax(x[i] - y[i], 0) * fmax(y[j] - x[j], 0);
      joint[i][j] = (i == j ? fmin(x[i], y[i]) : 0) + (distance > 0 ? excess / distance : 0);
    }
}

/// Two distributions and their coupling.
static void draw_coupling(CeliTrial *trial, double *x, double *y, double joint[CHOICES][CHOICES]) {
  celi_draw_normal(trial, x, CHOICES, 1);
  celi_draw_normal(trial, y, CHOICES, 1);
  celi_dense_softmax(x, CHOICES, 1, x);
  celi_dense_softmax(y, CHOICES, 1, y);
  couple(x, y, joint);
}

static CelStatus coupling_marginals(CeliTrial *trial) {
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], sums[2 * CHOICES] = {0},
                                                                   both[2 * CHOICES];
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < CHOICES; i++) both[i] = x[i], both[CHOICES + i] = y[i];
  for (int i = 0; i < CHOICES; i++)
    for (int j = 0; j < CHOICES; j++) sums[i] += joint[i][j], sums[CHOICES + j] += joint[i][j];
  celi_compare_all(trial, sums, both, 2 * CHOICES, 1);
  return CEL_OK;
}

/// P(x = y) of the coupling against 1 - TV, or against TV as printed.
static CelStatus coupling_agrees(CeliTrial *trial, bool printed) {
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], agree = 0;
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < CHOICES; i++) agree += joint[i][i];
  const double distance = celi_dense_distance(x, y, CHOICES);
  celi_compare(trial, agree, printed ? distance : 1 - distance, 1);
  return CEL_OK;
}

static CelStatus coupling_corrected(CeliTrial *trial) {
  return coupling_agrees(trial, false);
}

/// "Agrees with probability epsilon", on distributions whose distance is .2.
static CelStatus coupling_printed(CeliTrial *trial) {
  const double x[CHOICES] = {.6, .1, .1, .1, .1, 0}, y[CHOICES] = {.4, .1, .1, .1, .1, .2};
  double joint[CHOICES][CHOICES], agree = 0;
  couple(x, y, joint);
  for (int i = 0; i < CHOICES; i++) agree += joint[i][i];
  celi_compare(trial, agree, celi_dense_distance(x, y, CHOICES), 1);
  return CEL_OK;
}

static CelStatus coupling_simulated(CeliTrial *trial) {
  enum { SAMPLES = 50000 };
  double x[CHOICES], y[CHOICES], joint[CHOICES][CHOICES], agree = 0;
  draw_coupling(trial, x, y, joint);
  for (int i = 0; i < SAMPLES; i++) {
    double left = cel_rng_uniform(&trial->rng);
    int cell = 0;
    while (cell < CHOICES * CHOICES - 1 && left >= joint[cell / CHOICES][cell % CHOICES])
      left -= joint[cell / CHOICES][cell % CHOICES], cell++;
    agree += cell / CHOICES == cell % CHOICES;
  }
  const double same = 1 - celi_dense_distance(x, y, CHOICES);
  celi_compare(trial, agree / SAMPLES, same, sqrt(same * (1 - same) / SAMPLES));
  return CEL_OK;
}

// ---- drift

/// |p'_t - p_t|_1 at every t against 2 (1 - (1-eps)^t), or that against 2 eps t.
static CelStatus drift(CeliTrial *trial, bool of_bounds) {
  Change c = {0};
  CELI_TRY(draw_change(trial, &any, pow(10, -celi_below(trial, 4)), &c));
  for (int t = 1; t <= c.T && t <= 200; t++) {
    double L1 = 0;
    for (int s = 0; s < c.m.S; s++) L1 += fabs(c.p_next[t * c.m.S + s] - c.p[t * c.m.S + s]);
    const double bound = 2 * (1 - pow(1 - c.eps, t));
    if (of_bounds)
      celi_compare(trial, bound, 2 * c.eps * t, 1);
    else
      celi_compare(trial, L1, bound, 1);
  }
  return CEL_OK;
}

static CelStatus drift_is_bounded(CeliTrial *trial) {
  return drift(trial, false);
}
static CelStatus drift_bound_is_linear(CeliTrial *trial) {
  return drift(trial, true);
}

/// State 0 stays under a0 and moves to the absorbing state 1 under a1; pi takes a0, pi' takes a1 with probability eps.
static CelStatus tight(CeliTrial *trial, double r_leave, double r_there, double eps, double gamma,
                       Change *c) {
  const int actions[] = {2, 2};
  celi_open(trial, &c->m, 2, actions, gamma);
  celi_arrow(&c->m, 0, 0, 0, 1, 0, false);
  celi_arrow(&c->m, 0, 1, 1, 1, r_leave, false);
  celi_arrow(&c->m, 1, 0, 1, 1, 0, false);
  celi_arrow(&c->m, 1, 1, 1, 1, r_there, false);
  c->m.start[0] = 1;
  CELI_TRY(celi_close(trial, &c->m, 0));
  c->pi = celi_take(trial, 4), c->next = celi_take(trial, 4);
  for (int k = 0; k < 4; k++) c->pi[k] = k % 2 == 0, c->next[k] = k % 2 == 0 ? 1 - eps : eps;
  return evaluate_change(trial, c);
}

/// The tight problem with C = 1 and an eps and gamma of the trial's.
static CelStatus draw_tight(CeliTrial *trial, Change *c) {
  const double eps = cel_rng_range(&trial->rng, .01, .9);
  const double gamma = cel_rng_range(&trial->rng, .3, .97);
  return tight(trial, 1 / eps, -1 / eps, eps, gamma, c);
}

static CelStatus drift_is_tight(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_tight(trial, &c));
  for (int t = 0; t <= c.T && t <= 200; t++) {
    const double L1 =
        fabs(c.p_next[2 * t] - c.p[2 * t]) + fabs(c.p_next[2 * t + 1] - c.p[2 * t + 1]);
    celi_compare(trial, L1, 2 * (1 - pow(1 - c.eps, t)), 1);
  }
  return CEL_OK;
}

/// The least entry of p_mistake = (p'_t - (1-eps)^t p_t)/(1 - (1-eps)^t), over t of 1 to 5.
static double least_mistake(const Change *c) {
  double least = HUGE_VAL;
  for (int t = 1; t <= 5 && t <= c->T; t++)
    for (int s = 0; s < c->m.S; s++) {
      const double kept = pow(1 - c->eps, t);
      least = fmin(least, (c->p_next[t * c->m.S + s] - kept * c->p[t * c->m.S + s]) / (1 - kept));
    }
  return least;
}

/// pi deterministic, pi' any: p_mistake is a distribution.
static CelStatus mistakes_of_deterministic(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_change(trial, &endless, -1, &c));
  for (int k = 0; k < c.m.n; k++) c.pi[k] = k == c.m.pair[c.m.state[k]];
  CELI_TRY(evaluate_change(trial, &c));
  celi_compare(trial, 0, least_mistake(&c), 1);
  return CEL_OK;
}

/// pi even, pi' taking from one action what it gives to another, at the largest total variation: p_mistake is negative.
static CelStatus mistakes_in_general(CeliTrial *trial) {
  const int actions[] = {3, 1, 1, 1};
  Change c = {0};
  celi_open(trial, &c.m, 4, actions, .5);
  for (int a = 0; a < 3; a++) celi_arrow(&c.m, 0, a, 1 + a, 1, 0, false);
  for (int s = 1; s < 4; s++) celi_arrow(&c.m, s, 0, s, 1, s, false);
  c.m.start[0] = 1;
  CELI_TRY(celi_close(trial, &c.m, 0));
  double pi[] = {.4, .3, .3, 1, 1, 1}, next[] = {.1, .6, .3, 1, 1, 1};
  c.pi = pi, c.next = next;
  CELI_TRY(evaluate_change(trial, &c));
  celi_compare(trial, 0, least_mistake(&c), 1);
  return CEL_OK;
}

// ---- lower bounds

static double penalty(const Change *c, bool linearised) {
  const double gamma = c->m.gamma;
  const double last = linearised ? 1 - gamma : 1 - gamma * (1 - c->eps);
  return 2 * c->eps * gamma * c->C / ((1 - gamma) * last);
}

static CelStatus draw_any_change(CeliTrial *trial, Change *c) {
  const double how_far = pow(10, -celi_below(trial, 4));
  return draw_change(trial, &(CeliDraw){.A_min = 2, .gamma_max = .99}, how_far, c);
}

static CelStatus corrected_bound(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false), c.gain, scale_of(&c));
  return CEL_OK;
}

static CelStatus linearised_bound(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, true), c.surrogate - penalty(&c, false),
               scale_of(&c));
  return CEL_OK;
}

static CelStatus trpo_bound(CeliTrial *trial) {
  Change c = {0};
  double most = 0;
  CELI_TRY(draw_any_change(trial, &c));
  for (int k = 0; k < c.m.n; k++) most = fmax(most, fabs(c.A[k]));
  const double cost = 4 * c.m.gamma * c.eps * c.eps * most / pow(1 - c.m.gamma, 2);
  celi_compare(trial, c.surrogate - cost, c.gain, scale_of(&c));
  return CEL_OK;
}

/// Achiam et al.: the mean total variation under d in place of the largest.
static CelStatus cpo_bound(CeliTrial *trial) {
  Change c = {0};
  double mean = 0;
  CELI_TRY(draw_any_change(trial, &c));
  double *d = celi_take(trial, c.m.S);
  CELI_TRY(cel_discounted_distribution(c.m.mdp, c.pi, c.m.gamma, CEL_EVALUATE_SWEEPS, 1e-14, d));
  for (int s = 0; s < c.m.S; s++)
    mean +=
        d[s] * celi_dense_distance(c.pi + c.m.pair[s], c.next + c.m.pair[s], celi_actions(&c.m, s));
  const double cost = 2 * c.m.gamma * c.C * mean / pow(1 - c.m.gamma, 2);
  celi_compare(trial, c.surrogate - cost, c.gain, scale_of(&c));
  return CEL_OK;
}

/// Kakade and Langford: pi' = (1-a) pi + a other.
static CelStatus mixture_bound(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_change(trial, &(CeliDraw){.A_min = 2}, -1, &c));
  const double a = cel_rng_uniform(&trial->rng), gamma = c.m.gamma, C = c.C;
  for (int k = 0; k < c.m.n; k++) c.next[k] = (1 - a) * c.pi[k] + a * c.next[k];
  CELI_TRY(evaluate_change(trial, &c));
  const double cost = 2 * a * a * gamma * C / ((1 - gamma) * (1 - gamma * (1 - a)));
  celi_compare(trial, c.surrogate - cost, c.gain, scale_of(&c));
  return CEL_OK;
}

static CelStatus bound_is_tight(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_tight(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false), c.gain, 1 / pow(1 - c.m.gamma, 2) / c.eps);
  return CEL_OK;
}

static CelStatus half_penalty(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_tight(trial, &c));
  celi_compare(trial, c.surrogate - penalty(&c, false) / 2, c.gain, 1);
  return CEL_OK;
}

/// max A with its sign, on r(1,a1) = -1 alone: A is nowhere positive, so the bound would promise no loss.
static CelStatus signed_maximum(CeliTrial *trial) {
  Change c = {0};
  double most = -HUGE_VAL;
  CELI_TRY(tight(trial, 0, -1, .3, .9, &c));
  for (int s = 0; s < 2; s++) most = fmax(most, celi_dense_dot(c.next + 2 * s, c.A + 2 * s, 2));
  const double cost = 2 * c.eps * .9 * most / (.1 * (1 - .9 * (1 - c.eps)));
  celi_compare(trial, c.surrogate - cost, c.gain, 1);
  return CEL_OK;
}

/// sum_t 2 eps t C as printed, over T steps: beyond any bound; with gamma^t it is the linearised penalty.
static CelStatus penalty_as_sum(CeliTrial *trial, bool printed) {
  Change c = {0};
  CELI_TRY(draw_tight(trial, &c));
  double sum = 0, discount = 1;
  const int T = printed ? 100000 : 3000;
  for (int t = 0; t < T; t++, discount *= c.m.gamma)
    sum += 2 * c.eps * t * c.C * (printed ? 1 : discount);
  if (printed)
    celi_compare(trial, sum, 1e4 * penalty(&c, true), 1);
  else
    celi_compare(trial, sum, penalty(&c, true), penalty(&c, true));
  return CEL_OK;
}

static CelStatus penalty_diverges(CeliTrial *trial) {
  return penalty_as_sum(trial, true);
}
static CelStatus penalty_discounted(CeliTrial *trial) {
  return penalty_as_sum(trial, false);
}

/// C is O(r_max/(1-gamma)).
static CelStatus size_of_C(CeliTrial *trial) {
  Change c = {0};
  CELI_TRY(draw_any_change(trial, &c));
  double most = 0;
  for (int k = 0; k < c.m.n; k++) most = fmax(most, fabs(c.m.r[k]));
  celi_compare(trial, c.C, 2 * most / (1 - c.m.gamma), most / (1 - c.m.gamma));
  return CEL_OK;
}

/// What the library's conservative iteration promises at each step.
typedef struct Steps {
  CeliTrial *trial;
  double scale;
  bool gain; ///< else: monotone
} Steps;

static bool conservative_step(void *user, int64_t iteration, const CelConservativeStep *step) {
  const Steps *steps = user;
  (void)iteration;
  if (step->stopped) return true;
  if (steps->gain)
    celi_compare(steps->trial, step->lower_bound, step->J_next - step->J, steps->scale);
  else
    celi_compare(steps->trial, step->J, step->J_next, steps->scale);
  return true;
}

static CelStatus conservative(CeliTrial *trial, bool gain) {
  CeliProblem m;
  CelConservativeStep last;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2, .gamma_max = .9, .unit = true}, &m));
  double *pi = celi_take(trial, m.n);
  celi_draw_policy(trial, &m, pi);
  Steps steps = {trial, 1 / (1 - m.gamma), gain};
  CelConservativeConfig config = cel_conservative_config_default();
  config.max_iterations = 100;
  config.step = conservative_step, config.user = &steps;
  return cel_conservative_iteration(m.mdp, &config, pi, &last);
}

static CelStatus conservative_gains(CeliTrial *trial) {
  return conservative(trial, true);
}
static CelStatus conservative_is_monotone(CeliTrial *trial) {
  return conservative(trial, false);
}

/// One conservative step: the L, the penalty and the J' that it reports, against those of the two policies.
static CelStatus conservative_numbers(CeliTrial *trial) {
  Change c = {0};
  CelConservativeStep step;
  CELI_TRY(draw_change(trial, &(CeliDraw){.A_min = 2, .gamma_min = .5, .gamma_max = .9}, 0, &c));
  CelConservativeConfig config = cel_conservative_config_default();
  config.max_iterations = 1;
  for (int k = 0; k < c.m.n; k++) c.next[k] = c.pi[k];
  CELI_TRY(cel_conservative_iteration(c.m.mdp, &config, c.next, &step));
  CELI_TRY(evaluate_change(trial, &c));
  double *unreached = celi_take(trial, c.m.S), C = 0, eps = 0;
  celi_dense_visits(trial, &c.m, c.pi, unreached);
  for (int s = 0; s < c.m.S; s++) { // where nothing comes, nothing counts
    const int k = c.m.pair[s], n = celi_actions(&c.m, s);
    if (!(unreached[s] > 0)) continue;
    C = fmax(C, fabs(celi_dense_dot(c.next + k, c.A + k, n)));
    eps = fmax(eps, celi_dense_distance(c.pi + k, c.next + k, n));
  }
  c.C = C, c.eps = eps;
  const double left[] = {step.surrogate, step.drift_penalty, step.J_next - step.J};
  const double right[] = {c.surrogate, penalty(&c, false), c.gain};
  celi_compare_all(trial, left, right, 3, scale_of(&c) / (1 - c.m.gamma));
  return CEL_OK;
}

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

static double distance(const double *x, const double *y, int n) {
  double most = 0;
  for (int i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

static CelStatus evaluation_contracts(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){0}, &e));
  double *Q = celi_take(trial, e.m.n), *V = celi_take(trial, e.m.S),
         *exact = celi_take(trial, e.m.n);
  celi_dense_values(trial, &e.m, e.pi, e.m.alpha, V, exact);
  celi_draw_normal(trial, Q, e.m.n, 10);
  double before = distance(Q, exact, e.m.n);
  for (int k = 0; k < 50; k++) {
    soft_backup(&e.m, e.pi, e.m.alpha, V, Q);
    const double after = distance(Q, exact, e.m.n);
    celi_compare(trial, after, e.m.gamma * before, celi_size(exact, e.m.n));
    before = after;
  }
  return CEL_OK;
}

static CelStatus evaluation_converges(CeliTrial *trial) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &any, &e));
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

/// Q_new and Q_old after one improvement in the full class, or in a rectangular class that holds pi_old.
static CelStatus improvement(CeliTrial *trial, bool restricted) {
  CeliEvaluated e;
  CELI_TRY(celi_draw_evaluated(trial, &(CeliDraw){.A_min = 2}, &e));
  double *members = celi_take(trial, (int64_t)MEMBERS * e.m.n), *next = celi_take(trial, e.m.n);
  double *V = celi_take(trial, e.m.S), *Q = celi_take(trial, e.m.n);
  for (int i = 1; i < MEMBERS; i++) celi_draw_policy(trial, &e.m, members + i * e.m.n);
  for (int k = 0; k < e.m.n; k++) members[k] = e.pi[k];
  const CelPolicyClass class = {MEMBERS, members, true};
  CELI_TRY(cel_policy_project(e.m.mdp, e.Q, e.m.alpha, restricted ? &class : NULL, NULL, next));
  CELI_TRY(celi_library_values(&e.m, next, e.m.alpha, V, Q));
  celi_compare_all(trial, e.Q, Q, e.m.n, celi_scale(&e.m, e.Q));
  return CEL_OK;
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

/// Ascent on J itself along the library's natural gradient, half the step that soft policy iteration takes.
static CelStatus optimum_by_ascent(CeliTrial *trial) {
  CeliProblem m;
  CELI_TRY(celi_draw(trial, &(CeliDraw){.A_min = 2, .S_max = 5, .gamma_max = .9}, &m));
  double *V = celi_take(trial, m.S), *Q = celi_take(trial, m.n), *theta = celi_take(trial, m.n);
  double *pi = celi_take(trial, m.n), *step = celi_take(trial, m.n), *own = celi_take(trial, m.S);
  for (int k = 0; k < 120; k++) {
    for (int s = 0; s < m.S; s++)
      if (celi_actions(&m, s))
        celi_dense_softmax(theta + m.pair[s], celi_actions(&m, s), 1, pi + m.pair[s]);
    for (int j = 0; j < m.n; j++) pi[j] = fmax(pi[j], 1e-250); // the natural gradient divides by it
    CELI_TRY(cel_policy_gradient(m.mdp, pi, m.alpha, m.gamma, true, step));
    for (int j = 0; j < m.n; j++) theta[j] += 0.5 / m.alpha * (1 - m.gamma) * step[j];
  }
  CELI_TRY(celi_library_optimum(&m, CEL_SOLVE_AUTO, m.alpha, V, Q, NULL));
  celi_dense_values(trial, &m, pi, m.alpha, own, NULL);
  celi_compare(trial, cel_value_start(m.mdp, V), celi_dense_dot(m.start, own, m.S),
               celi_scale(&m, Q));
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
    const double e = distance(best, V, m.S);
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

// ---- SAC's losses, tabular

/// A problem, a policy, tables Q and V that are not its own.
typedef struct Tables {
  CeliTrial *trial;
  CeliProblem m;
  double *theta, *pi, *Q, *V, *at, *gradient;
} Tables;

static CelStatus draw_tables(CeliTrial *trial, const CeliDraw *draw, Tables *t) {
  t->trial = trial;
  CELI_TRY(celi_draw(trial, draw, &t->m));
  t->theta = celi_take(trial, t->m.n), t->pi = celi_take(trial, t->m.n);
  t->Q = celi_take(trial, t->m.n), t->V = celi_take(trial, t->m.S);
  t->at = celi_take(trial, t->m.n + t->m.S), t->gradient = celi_take(trial, t->m.n + t->m.S);
  celi_draw_logits(trial, &t->m, t->theta, t->pi);
  celi_draw_normal(trial, t->Q, t->m.n, 1);
  celi_draw_normal(trial, t->V, t->m.S, 1);
  return CEL_OK;
}

/// (5): half the squared distance of V from a sample of Q - alpha log pi, whose variance does not move the minimiser.
static CeliComplex loss_V(const void *user, const CeliComplex *V) {
  const Tables *t = user;
  CeliComplex sum = 0;
  for (int k = 0; k < t->m.n; k++) {
    const CeliComplex off = V[t->m.state[k]] - (t->Q[k] - t->m.alpha * log(t->pi[k]));
    sum += t->pi[k] * off * off / 2;
  }
  return sum;
}

/// (7) with (8) from a sampled s': half the squared distance of Q from r(s,a,s') + gamma V(s').
static CeliComplex loss_Q(const void *user, const CeliComplex *Q) {
  const Tables *t = user;
  CeliComplex sum = 0;
  for (int k = 0; k < t->m.n; k++)
    for (int next = 0; next < t->m.S; next++) {
      const int at = k * t->m.S + next;
      const double y = t->m.R[at] + (t->m.ends[at] > 0 ? 0 : t->m.gamma * t->V[next]);
      sum += t->m.P[at] * (Q[k] - y) * (Q[k] - y) / 2;
    }
  return sum;
}

/// Gradient descent on a loss whose curvature is 1.
static void descend(Tables *t, CeliComplexFunction loss, int n) {
  for (int k = 0; k < 60; k++) {
    celi_complex_gradient(t->trial, loss, t, t->at, n, t->gradient);
    for (int i = 0; i < n; i++) t->at[i] -= 0.7 * t->gradient[i];
  }
}

static CelStatus value_loss(CeliTrial *trial) {
  Tables t;
  CELI_TRY(draw_tables(trial, &(CeliDraw){.hard = true}, &t));
  double *target = celi_take(trial, t.m.S);
  descend(&t, loss_V, t.m.S);
  for (int s = 0; s < t.m.S; s++)
    target[s] = celi_dense_soft_value(t.pi + t.m.pair[s], t.Q + t.m.pair[s], celi_actions(&t.m, s),
                                      t.m.alpha);
  celi_compare_all(trial, t.at, target, t.m.S, celi_size(target, t.m.S) + t.m.alpha);
  return CEL_OK;
}

static CelStatus critic_loss(CeliTrial *trial) {
  Tables t;
  CELI_TRY(draw_tables(trial, &(CeliDraw){0}, &t));
  double *Q = celi_take(trial, t.m.n);
  cel_q_of_v(t.m.mdp, t.V, t.m.gamma, Q);
  descend(&t, loss_Q, t.m.n);
  celi_compare_all(trial, Q, t.at, t.m.n, celi_size(Q, t.m.n));
  return CEL_OK;
}

/// (10) minimised over logits along its natural gradient, against the library's projection; printed: on exp(Q).
static CelStatus policy_loss(CeliTrial *trial, const CeliDraw *draw, double temperature_of_target) {
  Tables t;
  CELI_TRY(draw_tables(trial, draw, &t));
  double *pi = celi_take(trial, t.m.n);
  CELI_TRY(cel_policy_project(t.m.mdp, t.Q, t.m.alpha, NULL, NULL, pi));
  const double tau = temperature_of_target > 0 ? temperature_of_target : t.m.alpha;
  for (int k = 0; k < 120; k++) {
    for (int s = 0; s < t.m.S; s++) {
      const int p = t.m.pair[s], n = celi_actions(&t.m, s);
      if (n) celi_dense_softmax(t.theta + p, n, 1, t.pi + p);
      const double log_Z = n ? celi_dense_log_sum_exp(t.theta + p, n, 1) : 0;
      for (int j = p; j < p + n; j++) t.theta[j] -= 0.5 * (t.theta[j] - log_Z - t.Q[j] / tau);
    }
  }
  celi_compare_all(trial, pi, t.pi, t.m.n,
                   temperature_of_target > 0 ? 1 : celi_size(t.Q, t.m.n) / tau);
  return CEL_OK;
}

static CelStatus policy_loss_corrected(CeliTrial *trial) {
  return policy_loss(trial, &(CeliDraw){0}, 0);
}
static CelStatus policy_loss_printed(CeliTrial *trial) {
  return policy_loss(trial, &(CeliDraw){.A_min = 3, .A_max = 3, .alpha = .1, .endless = true}, 1);
}

/// The learners' target (8) and gradient of (7), in float32, against the sums in double.
static CelStatus learners_critic(CeliTrial *trial) {
  enum { B = 16 };
  const float alpha = 0.25f;
  float reward[B], discount[B], Qn[2 * B], logp[B], y[B], Q[2 * B], dQ[2 * B], loss[2 * B];
  double exact[2 * B], got[2 * B];
  const double gamma = .75;
  for (int b = 0; b < B; b++) {
    reward[b] = (float)cel_rng_normal(&trial->rng), logp[b] = (float)cel_rng_normal(&trial->rng);
    discount[b] = celi_below(trial, 4) == 0 ? 0 : (float)gamma; // 0: the episode ended
    for (int e = 0; e < 2; e++) {
      Qn[e * B + b] = (float)cel_rng_normal(&trial->rng);
      Q[e * B + b] = (float)cel_rng_normal(&trial->rng);
    }
  }
  celi_ops()->soft_target(y, reward, discount, Qn, logp, &alpha, 2, B, 0, B, false);
  celi_ops()->squared_error(dQ, loss, Q, y, 1.0f / B, 2, B, 0, B);
  for (int i = 0; i < 2 * B; i++) {
    const int b = i % B;
    const double least = fmin((double)Qn[b], (double)Qn[B + b]);
    const double goes_on = discount[b] > 0 ? gamma : 0;
    const double target = (double)reward[b] + goes_on * (least - 0.25 * (double)logp[b]);
    exact[i] = ((double)Q[i] - target) / B, got[i] = (double)dQ[i];
  }
  celi_compare_all(trial, got, exact, 2 * B, 1);
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"REINFORCE", "gamma^t times the discounted reward to go is the gradient of J",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-13, 200, reinforce_corrected},
    {"REINFORCE", "printed: undiscounted reward to go beside a discounted J",
     "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_undiscounted},
    {"REINFORCE", "without gamma^t it is the practitioners' form, not the gradient",
     "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_practice},
    {"REINFORCE", "at gamma = 1 all forms are the gradient", "cel_policy_gradient_horizon",
     CEL_CHECK_EQUAL, 1e-13, 200, reinforce_at_one},
    {"REINFORCE", "printed: a sum over N trajectories without 1/N", "cel_policy_gradient_horizon",
     CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_sum},
    {"PDL", "J' - J = sum_t gamma^t E_{p'_t} E_{pi'}[A]", "cel_state_distribution", CEL_CHECK_EQUAL,
     1e-10, 200, performance_difference},
    {"PDL", "with the old policy's states it is not", "cel_state_distribution", CEL_CHECK_DIFFERS,
     1e-6, 200, difference_of_old_states},
    {"IS", "E_{pi'}[f] = E_pi[pi'/pi f]", "", CEL_CHECK_EQUAL, 1e-12, 200, importance_sampling},
    {"IS", "it fails where pi' leaves pi's support", "", CEL_CHECK_DIFFERS, 1e-6, 200,
     importance_without_support},
    {"surrogate", "its gradient at theta is the gradient of J", "cel_policy_gradient",
     CEL_CHECK_EQUAL, 1e-10, 200, surrogate_is_first_order},
    {"surrogate", "printed: A-bar(theta) does not depend on theta'", "cel_policy_gradient",
     CEL_CHECK_DIFFERS, 1e-6, 200, surrogate_printed},
    {"coupling", "the maximal coupling has the two marginals", "", CEL_CHECK_EQUAL, 1e-14, 200,
     coupling_marginals},
    {"coupling", "and agrees with probability 1 - TV", "", CEL_CHECK_EQUAL, 1e-14, 200,
     coupling_corrected},
    {"coupling", "printed: agrees with probability epsilon", "", CEL_CHECK_DIFFERS, 1e-1, 1,
     coupling_printed},
    {"coupling", "simulated (standard errors)", "", CEL_CHECK_EQUAL, 4, 4, coupling_simulated},
    {"drift", "L1 of p'_t - p_t is at most 2 (1 - (1-eps)^t)", "cel_state_distribution",
     CEL_CHECK_AT_MOST, 1e-12, 200, drift_is_bounded},
    {"drift", "which is at most 2 eps t", "", CEL_CHECK_AT_MOST, 1e-12, 200, drift_bound_is_linear},
    {"drift", "equality on the two-state problem", "cel_state_distribution", CEL_CHECK_EQUAL, 1e-12,
     100, drift_is_tight},
    {"drift", "pi deterministic: p_mistake is a distribution", "cel_state_distribution",
     CEL_CHECK_AT_MOST, 1e-12, 200, mistakes_of_deterministic},
    {"drift", "printed: in general it is not, it has a negative entry", "cel_state_distribution",
     CEL_CHECK_EXCEEDS, 1e-3, 1, mistakes_in_general},
    {"objective bound", "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps)))",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, corrected_bound},
    {"objective bound", "which is above L - 2 eps gamma C/(1-gamma)^2", "", CEL_CHECK_AT_MOST,
     1e-12, 200, linearised_bound},
    {"objective bound", "TRPO: J' - J >= L - 4 gamma eps^2 max abs A/(1-gamma)^2",
     "cel_mdp_evaluate", CEL_CHECK_AT_MOST, 1e-12, 400, trpo_bound},
    {"objective bound", "CPO: the mean total variation under d in its place",
     "cel_discounted_distribution", CEL_CHECK_AT_MOST, 1e-12, 400, cpo_bound},
    {"objective bound", "CPI: mixtures pi + a (other - pi)", "cel_mdp_evaluate", CEL_CHECK_AT_MOST,
     1e-12, 400, mixture_bound},
    {"objective bound", "the first form is an equality on the two-state problem",
     "cel_mdp_evaluate", CEL_CHECK_EQUAL, 1e-12, 100, bound_is_tight},
    {"objective bound", "half the penalty is violated there", "cel_mdp_evaluate", CEL_CHECK_EXCEEDS,
     1e-6, 100, half_penalty},
    {"objective bound", "printed: max A with its sign is violated where A is nowhere positive",
     "cel_mdp_evaluate", CEL_CHECK_EXCEEDS, 1e-2, 1, signed_maximum},
    {"objective bound", "sum_t gamma^t 2 eps t C = 2 eps gamma C/(1-gamma)^2", "", CEL_CHECK_EQUAL,
     1e-12, 8, penalty_discounted},
    {"objective bound", "printed: without gamma^t the sum grows beyond any bound", "",
     CEL_CHECK_EXCEEDS, 0, 8, penalty_diverges},
    {"objective bound", "C is at most 2 r_max/(1-gamma)", "cel_mdp_evaluate", CEL_CHECK_AT_MOST,
     1e-12, 48, size_of_C},
    {"objective bound", "conservative iteration gains at least what it promises",
     "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-12, 64, conservative_gains},
    {"objective bound", "the L and the penalty that it reports are those of its two policies",
     "cel_conservative_iteration", CEL_CHECK_EQUAL, 1e-11, 100, conservative_numbers},
    {"objective bound", "so J never falls", "cel_conservative_iteration", CEL_CHECK_AT_MOST, 1e-13,
     64, conservative_is_monotone},
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
    {"(5)", "the minimiser of J_V is E_pi[Q - alpha log pi]", "", CEL_CHECK_EQUAL, 1e-9, 100,
     value_loss},
    {"(7)-(8)", "the minimiser of J_Q, from sampled s', is r + gamma E[V(s')]", "cel_q_of_v",
     CEL_CHECK_EQUAL, 1e-9, 100, critic_loss},
    {"(7)-(8)", "the learners' gradient of J_Q, no V where it ended (float32)", "soft_target",
     CEL_CHECK_EQUAL, 1e-6, 100, learners_critic},
    {"(10)", "the minimiser of J_pi is the softmax of Q/alpha", "cel_policy_project",
     CEL_CHECK_EQUAL, 1e-9, 100, policy_loss_corrected},
    {"(10)", "printed: the projection on exp(Q) is another policy", "cel_policy_project",
     CEL_CHECK_DIFFERS, 1e-2, 100, policy_loss_printed},
    {0}};

const CeliNote celi_note_policy_guarantees = {"policy-guarantees", claims};
