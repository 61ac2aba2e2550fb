/// Helpers for tests of tabular soft Q-learning: short configs, the exact Q, and the rate of
/// convergence.
#ifndef TESTS_MDP_Q_LEARNING_KIT_H
#define TESTS_MDP_Q_LEARNING_KIT_H
#include "base/base_test.h"
#include "celsius/q_learning.h"
#include "celsius/solve.h"
#include "mdp/problems.h"

static inline CelQLearningConfig config_of(double alpha, double gamma, int64_t rounds,
                                           uint64_t seed) {
  CelQLearningConfig config = cel_q_learning_config_default();
  config.alpha = alpha, config.gamma = gamma, config.rounds = rounds, config.seed = seed;
  return config;
}

/// Q* (pairs) from the tests' exact solver.
static inline double *exact_star(const CelMdp *mdp, double alpha, double gamma) {
  long double *V = calloc((size_t)mdp->states, sizeof *V);
  long double *Q = calloc((size_t)mdp->pairs, sizeof *Q);
  double *out = calloc((size_t)mdp->pairs, sizeof *out);
  exact_solve(mdp, alpha, gamma, V);
  exact_q(mdp, (long double)gamma, V, Q);
  for (int64_t p = 0; p < mdp->pairs; p++) out[p] = (double)Q[p];
  free(V), free(Q);
  return out;
}

static inline double distance(const double *a, const double *b, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
  return most;
}

// ---- the rate

enum { POINTS_MAX = 64 };

/// The mean over seeds of the log error at the scheduled rounds.
typedef struct Rate {
  const CelMdp *mdp;
  const double *star;
  double sum[POINTS_MAX], round[POINTS_MAX];
  int n;
} Rate;

static inline bool add_error(void *user, const CelQLearningProgress *now) {
  Rate *r = user;
  if (!now->scheduled) return true;
  r->round[r->n] = (double)now->round;
  r->sum[r->n++] += log(distance(now->Q, r->star, r->mdp->pairs));
  return true;
}

/// The least-squares slope of the sums over the log of the rounds, from round `first` on.
static inline double slope_of(const Rate *r, double first, int seeds) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (int i = 0; i < r->n; i++) {
    if (r->round[i] < first) continue;
    const double u = log(r->round[i]), v = r->sum[i] / seeds;
    n++, x += u, y += v, xx += u * u, xy += u * v;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

typedef struct RateCase {
  double alpha, gamma;
} RateCase;

/// Checks that the slope over rounds `first` to `rounds`, averaged over the seeds, is -1/2 within
/// 0.1.
static inline void expect_rate(const RateCase *c, uint64_t problem, int64_t first, int64_t rounds,
                               int seeds) {
  const ProblemSpec spec = {10, 3, 4, 0.9, 1.0, false, false};
  Problem x;
  problem_make(&x, &spec, problem);
  double *star = exact_star(&x.mdp, c->alpha, c->gamma);
  Rate rate = {.mdp = &x.mdp, .star = star};
  for (int seed = 1; seed <= seeds; seed++) {
    CelQLearning *learned;
    CelQLearningConfig config = config_of(c->alpha, c->gamma, rounds, (uint64_t)seed);
    rate.n = 0;
    config.points = 8, config.progress = add_error, config.user = &rate;
    assert_ok(cel_q_learning(&x.mdp, &config, &learned));
    cel_q_learning_destroy(learned);
  }
  const double slope = slope_of(&rate, (double)first, seeds);
  print_message("alpha %g, gamma %g, problem %d: slope %.3f over rounds %d to %d\n", c->alpha,
                c->gamma, (int)problem, slope, (int)first, (int)rounds);
  if (!(fabs(slope + 0.5) <= 0.1)) fail_msg("slope %.3f, expected -0.5 within 0.1", slope);
  problem_free(&x);
  free(star);
}

#endif
