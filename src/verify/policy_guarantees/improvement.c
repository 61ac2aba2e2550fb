/// [policy-guarantees, REINFORCE, PDL, IS, surrogate]: the gradient from returns, the gain of a new
/// policy, and its surrogate.
#include "celsius/improve.h"
#include "verify/policy_guarantees/change.h"
#include <math.h>

// ---- REINFORCE

enum { STEPS = 4 };

typedef struct Score {
  const CeliProblem *m;
  const double *pi;
  bool weight_discounted, reward_discounted;
  double *sum;
} Score;

/// Adds grad log pi times the reward to go. Each of the two may be discounted or not.
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

/// Compares the mean of one trajectory's estimate with the library's gradient of J over STEPS
/// steps.
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
/// Line 2: the sum over N = 2 trajectories, whose mean is twice that of one.
static CelStatus reinforce_sum(CeliTrial *trial) {
  return reinforce(trial, .9, true, true, 2);
}

// ---- the performance difference, importance sampling, the surrogate

static CelStatus performance_difference(CeliTrial *trial) {
  CeliChange c = {0};
  double sum = 0, discount = 1;
  CELI_TRY(celi_change_draw(trial, &celi_change_any, -1, &c));
  for (int t = 0; t <= c.T; t++, discount *= c.m.gamma)
    for (int k = 0; k < c.m.n; k++)
      sum += discount * c.p_next[t * c.m.S + c.m.state[k]] * c.next[k] * c.A[k];
  celi_compare(trial, sum, c.gain, celi_change_scale(&c));
  return CEL_OK;
}

/// The same with the old policy's state distribution.
static CelStatus difference_of_old_states(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, -1, &c));
  celi_compare(trial, c.surrogate, c.gain, 1);
  return CEL_OK;
}

/// The step between, for any f of the state: under p', sum_t gamma^t (gamma f(s_{t+1}) - f(s_t))
/// telescopes to -f(s_0) in the mean. p'_t is the library's. f is 0 after the end of an episode.
static CelStatus telescoping(CeliTrial *trial) {
  CeliChange c = {0};
  double sum = 0, discount = 1;
  CELI_TRY(celi_change_draw(trial, &celi_change_any, -1, &c));
  double *f = celi_take(trial, c.m.S);
  for (int s = 0; s < c.m.S; s++) f[s] = celi_actions(&c.m, s) ? cel_rng_normal(&trial->rng) : 0;
  for (int t = 0; t <= c.T; t++, discount *= c.m.gamma)
    for (int k = 0; k < c.m.n; k++) {
      const int s = c.m.state[k];
      const double follows = c.m.gamma * celi_dense_dot(c.m.go + k * c.m.S, f, c.m.S);
      sum += discount * c.p_next[t * c.m.S + s] * c.next[k] * (follows - f[s]);
    }
  celi_compare(trial, sum, -celi_dense_dot(c.m.start, f, c.m.S),
               celi_size(f, c.m.S) / (1 - c.m.gamma));
  return CEL_OK;
}

/// ratio (n) = pi'/pi from the library's log-probs, as the learners compute it: exp(log pi' - log
/// pi).
static CelStatus library_ratio(CeliTrial *trial, const CeliChange *c, double *ratio) {
  const int n = c->m.n, A = c->m.A;
  double *head = celi_take(trial, (int64_t)n * A), *action = celi_take(trial, n);
  double *entropy = celi_take(trial, n), *logp[2] = {celi_take(trial, n), celi_take(trial, n)};
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < n; k++) {
      const double *pi = (i ? c->next : c->pi) + c->m.pair[c->m.state[k]];
      action[k] = k - c->m.pair[c->m.state[k]];
      for (int a = 0; a < A; a++) head[k * A + a] = log(pi[a]);
    }
    const CeliScore score = {true, n, A, head, action, NULL, NULL, logp[i], entropy, NULL};
    CELI_TRY(celi_library_score(&score));
  }
  for (int k = 0; k < n; k++) ratio[k] = exp(logp[1][k] - logp[0][k]);
  return CEL_OK;
}

static CelStatus importance_sampling(CeliTrial *trial) {
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, 1, &c));
  double *ratio = celi_take(trial, c.m.n);
  CELI_TRY(library_ratio(trial, &c, ratio));
  for (int s = 0; s < c.m.S; s++) {
    double direct = 0, weighted = 0;
    for (int k = c.m.pair[s]; k < c.m.pair[s + 1]; k++) {
      direct += c.next[k] * c.Q[k];
      weighted += c.pi[k] * ratio[k] * c.Q[k];
    }
    celi_compare(trial, weighted, direct, celi_size(c.Q, c.m.n));
  }
  return CEL_OK;
}

/// The mean of pi'/pi f over actions sampled from pi.
static CelStatus importance_simulated(CeliTrial *trial) {
  enum { SAMPLES = 40000 };
  CeliChange c = {0};
  CeliMean mean = {0};
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, 1, &c));
  double *ratio = celi_take(trial, c.m.n), *f = celi_take(trial, c.m.n);
  CELI_TRY(library_ratio(trial, &c, ratio));
  for (int k = 0; k < c.m.n; k++) f[k] = 5 + cel_rng_normal(&trial->rng);
  for (int i = 0; i < SAMPLES; i++) {
    const int k = celi_sample_pair(trial, &c.m, c.pi, 0);
    celi_mean_add(&mean, ratio[k] * f[k]);
  }
  celi_mean_compare(trial, &mean, celi_dense_dot(c.next, f, c.m.A), 0);
  return CEL_OK;
}

/// pi never takes action 0, pi' does, so samples of pi cannot show its effect.
static CelStatus importance_without_support(CeliTrial *trial) {
  CeliChange c = {0};
  long double direct = 0, weighted = 0;
  CELI_TRY(celi_change_draw(trial, &celi_change_endless, -1, &c));
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
  const CeliChange *change;
  bool printed; ///< argmax of A-bar(theta), the old policy's own
} Surrogate;

/// L(theta') = sum_t gamma^t E_{p_t} E_pi[pi'/pi A].
static CeliComplex surrogate(const void *user, const CeliComplex *theta) {
  const Surrogate *of = user;
  const CeliChange *c = of->change;
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
  CeliChange c = {0};
  CELI_TRY(celi_change_draw(trial, draw, .5, &c));
  double *left = celi_take(trial, c.m.n), *right = celi_take(trial, c.m.n);
  CELI_TRY(cel_policy_gradient(c.m.mdp, c.pi, 0, c.m.gamma, false, left));
  celi_complex_gradient(trial, surrogate, &(Surrogate){trial, &c, printed}, c.theta, c.m.n, right);
  celi_compare_all(trial, left, right, c.m.n, printed ? 1 : celi_change_scale(&c));
  return CEL_OK;
}

static CelStatus surrogate_is_first_order(CeliTrial *trial) {
  return surrogate_gradient(trial, &celi_change_any, false);
}
static CelStatus surrogate_printed(CeliTrial *trial) {
  return surrogate_gradient(trial, &celi_change_endless, true);
}

static const CeliClaim claims[] = {
    {"REINFORCE",
     "grad J is gamma^t times the score times the discounted reward to go: all trajectories "
     "against the library",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-13, 200, reinforce_corrected, 0x7d6be96c},
    {"REINFORCE",
     "printed: with an undiscounted reward to go the sum is not the gradient of a discounted J",
     "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_undiscounted,
     0x2d9b7920},
    {"REINFORCE", "without gamma^t, as in practice, the sum is not the gradient of J",
     "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_practice, 0xec718cf7},
    {"REINFORCE",
     "at gamma = 1 the undiscounted form is the gradient of J: all trajectories against the "
     "library",
     "cel_policy_gradient_horizon", CEL_CHECK_EQUAL, 1e-13, 200, reinforce_at_one, 0x73fcf311},
    {"REINFORCE", "printed: a sum over N trajectories without 1/N is not the gradient of J",
     "cel_policy_gradient_horizon", CEL_CHECK_DIFFERS, 1e-6, 200, reinforce_sum, 0x00dbcde5},
    {"PDL",
     "J' - J = sum_t gamma^t E_{p'_t} E_{pi'}[A]: the sum with the library's p'_t and A against "
     "two evaluations",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-10, 200, performance_difference, 0xae088c36},
    {"PDL", "the sum with the old policy's p_t in place of p'_t is not J' - J",
     "cel_state_distribution", CEL_CHECK_DIFFERS, 1e-6, 200, difference_of_old_states, 0xbfbc9885},
    {"PDL",
     "for any f, sum_t gamma^t (gamma f(s_{t+1}) - f(s_t)) has the mean -E[f(s_0)]: the library's "
     "p'_t against the start distribution",
     "cel_state_distribution", CEL_CHECK_EQUAL, 1e-12, 200, telescoping, 0x85718181},
    {"IS",
     "E_{pi'}[f] = E_pi[pi'/pi f]: the ratio of the learners' log-probs against the sum over pi' "
     "(float32)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 5e-6, 200, importance_sampling, 0x37923e21},
    {"IS",
     "E_{pi'}[f] = E_pi[pi'/pi f]: the mean over 40000 actions of pi against the sum over pi' "
     "(standard errors)",
     "celi_dist_plan_log_prob", CEL_CHECK_EQUAL, 4, 4, importance_simulated, 0x9efd33e5},
    {"IS", "E_pi[pi'/pi f] is not E_{pi'}[f] where pi' takes an action that pi never takes", "",
     CEL_CHECK_DIFFERS, 1e-6, 200, importance_without_support, 0xbb8e60ec},
    {"surrogate",
     "the gradient of the surrogate at theta is the gradient of J: the library against complex "
     "steps",
     "cel_policy_gradient", CEL_CHECK_EQUAL, 1e-10, 200, surrogate_is_first_order, 0x107a001c},
    {"surrogate",
     "printed: A-bar(theta) does not depend on theta', so its gradient in theta' is not grad J",
     "cel_policy_gradient", CEL_CHECK_DIFFERS, 1e-6, 200, surrogate_printed, 0x9cd21865},
    {0}};

const CeliSection celi_pg_improvement = {"src/verify/policy_guarantees/improvement.c", claims};
