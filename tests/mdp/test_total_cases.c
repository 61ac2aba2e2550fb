/// cel_solve_total on hand-made problems whose values are known, and what it refuses.
#include "base/base_test.h"
#include "celsius/safetensors.h"
#include "celsius/total.h"
#include <math.h>

/// A transition of a hand-made problem: from, action, to, probability, reward of the pair.
typedef struct Row {
  int state, action, next;
  double p, r;
} Row;

static CelMdp *make(int states, const Row *rows, int n) {
  CelMdpBuilder *b = NULL;
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_builder_create(&b, states, 1.0, 0));
  for (int i = 0; i < n; i++) {
    if (i == 0 || rows[i].state != rows[i - 1].state || rows[i].action != rows[i - 1].action)
      assert_ok(cel_mdp_pair(b, rows[i].state, rows[i].action, rows[i].r));
    assert_ok(cel_mdp_transition(b, rows[i].next, rows[i].p, 0, false));
  }
  assert_ok(cel_mdp_start(b, 0, 1));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  return mdp;
}
#define MAKE(states, ...)                                                                          \
  make(states, (const Row[]){__VA_ARGS__}, (int)(sizeof((const Row[]){__VA_ARGS__}) / sizeof(Row)))

typedef struct Ask {
  CelTotalObjective objective;
  CelTotalUnreached unreached;
  bool min;
  double alpha;
  int64_t steps;
  CelSolveMethod method;
  int64_t threads;
} Ask;

static CelStatus ask(const CelMdp *mdp, int64_t target, Ask how, CelSolution **out) {
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  total.objective = how.objective, total.unreached = how.unreached;
  total.min = how.min, total.steps = how.steps;
  config.alpha = how.alpha, config.method = how.method;
  if (how.threads) config.threads = how.threads;
  uint8_t *set = calloc((size_t)mdp->states, 1);
  if (target >= 0) set[target] = 1;
  const CelStatus status = cel_solve_total(mdp, target >= 0 ? set : NULL, &total, &config, out);
  free(set);
  return status;
}

static CelSolution *solve(const CelMdp *mdp, int64_t target, Ask how) {
  CelSolution *solution = NULL;
  assert_ok(ask(mdp, target, how, &solution));
  return solution;
}

/// The value at state s must be `exact`, within its bounds and certified.
static void expect(const CelMdp *mdp, int64_t target, Ask how, int64_t s, long double exact) {
  CelSolution *x = solve(mdp, target, how);
  if (!(x->lower[s] <= exact && exact <= x->upper[s] && x->certified))
    fail_msg("state %d: expected %.20Lg, the bounds are [%.17g, %.17g], certified %d", (int)s,
             exact, x->lower[s], x->upper[s], x->certified);
  if (isinf((double)exact)) assert_true(x->infinite[0] != 0);
  cel_solution_destroy(x);
}

static const Ask MAX_P = {.objective = CEL_TOTAL_PROBABILITY};
static const Ask MIN_P = {.objective = CEL_TOTAL_PROBABILITY, .min = true};
static const Ask MAX_R = {.objective = CEL_TOTAL_REWARD},
                 MIN_R = {.objective = CEL_TOTAL_REWARD, .min = true};

static Ask with(Ask how, CelTotalUnreached unreached) {
  how.unreached = unreached;
  return how;
}

// ---- probabilities

/// States 0 and 1 form an end component. From 0, action 1 reaches the target with 1/2. Value
/// iteration from above stays at 1 forever, because staying in the component looks as good.
static void component_does_not_stop_the_upper_bound(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(4, {0, 0, 1, 1, 0}, {0, 1, 2, 0.5, 0}, {0, 1, 3, 0.5, 0}, {1, 0, 0, 1, 0},
                     {2, 0, 2, 1, 0}, {3, 0, 3, 1, 0});
  for (int64_t s = 0; s < 2; s++) {
    expect(mdp, 2, MAX_P, s, 0.5L);
    expect(mdp, 2, MIN_P, s, 0.0L); // stays in the component
  }
  expect(mdp, 2, MAX_P, 3, 0.0L);
  CelSolution *x = solve(mdp, 2, MAX_P);
  assert_true(x->pi[0] == 0.0 && x->pi[1] == 1.0); // leaves the component
  cel_solution_destroy(x);
  x = solve(mdp, 2, MIN_P);
  assert_true(x->pi[0] == 1.0 && x->lower[0] == 0.0 && x->upper[0] == 0.0);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

/// A gambler starts in the middle. One side is the target, the other a trap. To get there takes n
/// steps in one direction in a row, each with probability 1/2; otherwise he starts again. The
/// probability is 1/2, but value iteration changes nothing by more than 2^-n in a step.
static CelMdp *restarts(int n) {
  CelMdpBuilder *b = NULL;
  CelMdp *mdp = NULL;
  const int states = 2 * n + 1; // 0: middle; 1..n: right; n+1..2n: left
  assert_ok(cel_mdp_builder_create(&b, states, 1.0, 0));
  for (int s = 0; s < states; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, 0));
    if (s == n || s == 2 * n) { // target and trap
      assert_ok(cel_mdp_transition(b, s, 1, 0, false));
    } else {
      assert_ok(cel_mdp_transition(b, s + 1, 0.5, 0, false));
      assert_ok(cel_mdp_transition(b, s == 0 ? n + 1 : 0, 0.5, 0, false));
    }
  }
  assert_ok(cel_mdp_start(b, 0, 1));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  return mdp;
}

static void slow_value_iteration_is_not_believed(void **state) {
  (void)state;
  for (int n = 5; n <= 40; n += 5) {
    CelMdp *mdp = restarts(n);
    CelSolution *x = solve(mdp, n, MAX_P);
    if (!(x->lower[0] <= 0.5 && 0.5 <= x->upper[0] && fabs(x->V[0] - 0.5) <= x->bound))
      fail_msg("n %d: the bounds are [%.17g, %.17g]", n, x->lower[0], x->upper[0]);
    print_message("restarts, n %d: bound %.2g\n", n, x->bound);
    // About 2^(n+1) steps are expected, each with a rounding error of some 1e-15.
    if (n <= 15) assert_true(x->certified);
    assert_true(x->bound <= fmax(1e-9, 4e-15 * pow(2.0, n + 1)));
    cel_solution_destroy(x);
    cel_mdp_destroy(mdp);
  }
}

static void unreachable_targets(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(3, {0, 0, 0, 1, 1}, {0, 1, 2, 1, 1}, {1, 0, 1, 1, 1}, {2, 0, 2, 1, 0});
  expect(mdp, 2, MAX_P, 1, 0.0L);
  expect(mdp, 2, MAX_P, 0, 1.0L);
  expect(mdp, 2, MIN_P, 0, 0.0L);
  expect(mdp, 2, MIN_R, 1, HUGE_VALL); // as PRISM: infinite cost
  expect(mdp, 2, MIN_R, 0, 1.0L);
  expect(mdp, 2, MAX_R, 0, HUGE_VALL); // may stay, which counts as infinite
  expect(mdp, 2, with(MAX_R, CEL_UNREACHED_FORBIDDEN), 1, -HUGE_VALL);
  expect(mdp, 2, with(MIN_R, CEL_UNREACHED_SUM), 1, HUGE_VALL); // +1 in every step
  CelSolution *x = solve(mdp, 2, with(MAX_R, CEL_UNREACHED_FORBIDDEN));
  assert_non_null(strstr(x->infinite, "-infinity in 1 state, from which no policy surely reaches"));
  assert_non_null(strstr(x->infinite, "+infinity in 1 state, which can reach state 0 and gain"));
  assert_true(x->value_start == HUGE_VAL && x->value_lower == HUGE_VAL);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

// ---- rewards

/// Staying in state 0 is free. Leaving costs 3.
static void free_cycle(void **state) {
  (void)state;
  CelMdp *cost = MAKE(2, {0, 0, 0, 1, 0}, {0, 1, 1, 1, 3}, {1, 0, 1, 1, 0});
  expect(cost, 1, MIN_R, 0, 3.0L); // value iteration from 0 stays at 0
  expect(cost, 1, with(MIN_R, CEL_UNREACHED_SUM), 0, 0.0L);
  expect(cost, 1, MAX_R, 0, HUGE_VALL);
  expect(cost, 1, with(MAX_R, CEL_UNREACHED_SUM), 0, 3.0L);
  expect(cost, 1, with(MAX_R, CEL_UNREACHED_FORBIDDEN), 0, 3.0L);
  CelSolution *x = solve(cost, 1, MIN_R);
  assert_true(x->pi[0] == 0.0 && x->pi[1] == 1.0);
  cel_solution_destroy(x);
  x = solve(cost, 1, with(MIN_R, CEL_UNREACHED_SUM));
  assert_true(x->pi[0] == 1.0);
  cel_solution_destroy(x);
  cel_mdp_destroy(cost);
}

/// Two free states that lead to each other; each has its own way out, the better one in state 1.
static void free_component_leaves_at_its_best_state(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(4, {0, 0, 1, 0.5, 0}, {0, 0, 0, 0.5, 0}, {0, 1, 3, 1, -5}, {1, 0, 0, 1, 0},
                     {1, 1, 2, 1, -2}, {2, 0, 3, 1, -1}, {3, 0, 3, 1, 0});
  for (int64_t s = 0; s < 2; s++) expect(mdp, 3, MAX_R, s, -3.0L);
  CelSolution *x = solve(mdp, 3, MAX_R);
  assert_true(x->pi[0] == 1.0 && x->pi[3] == 1.0); // 0 moves to 1, and 1 leaves
  assert_true(fabs(x->Q[0] + 3.0) <= x->bound && fabs(x->Q[1] + 5.0) <= x->bound);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

static void costly_cycle_with_escape(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(2, {0, 0, 0, 1, -1}, {0, 1, 1, 1, -5}, {1, 0, 1, 1, 0});
  static const CelTotalUnreached all[] = {CEL_UNREACHED_AUTO, CEL_UNREACHED_SUM,
                                          CEL_UNREACHED_FORBIDDEN, CEL_UNREACHED_INFINITE};
  for (int i = 0; i < 4; i++) {
    expect(mdp, 1, with(MAX_R, all[i]), 0, -5.0L);
    expect(mdp, 1, with(MIN_R, all[i]), 0, -HUGE_VALL);
  }
  cel_mdp_destroy(mdp);
}

/// +1 and -1 in turn: the mean reward is 0, so whether the total is infinite cannot be computed.
static void undecided_component_is_refused(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(3, {0, 0, 1, 1, 1}, {0, 1, 2, 1, 0}, {1, 0, 0, 1, -1}, {2, 0, 2, 1, 0});
  CelSolution *x = NULL;
  assert_fails(ask(mdp, 2, MAX_R, &x), CEL_E_UNSUPPORTED,
               "state 0 is in an end component whose largest mean reward is 0");
  assert_null(x);
  assert_fails(ask(mdp, 2, with(MAX_R, CEL_UNREACHED_INFINITE), &x), CEL_E_UNSUPPORTED,
               "both signs");
  expect(mdp, 2, MAX_P, 1, 1.0L);
  cel_mdp_destroy(mdp);
}

/// Mixed signs with a certain mean: +1, -1.5 ends; +1.5, -1 does not.
static void mean_rewards_of_components(void **state) {
  (void)state;
  CelMdp *down = MAKE(3, {0, 0, 1, 1, 1}, {0, 1, 2, 1, 0}, {1, 0, 0, 1, -1.5}, {2, 0, 2, 1, 0});
  expect(down, 2, MAX_R, 0, 0.0L);
  expect(down, 2, MAX_R, 1, -1.5L);
  expect(down, 2, MIN_R, 0, -HUGE_VALL);
  cel_mdp_destroy(down);
  CelMdp *up = MAKE(3, {0, 0, 1, 1, 1.5}, {0, 1, 2, 1, 0}, {1, 0, 0, 1, -1}, {2, 0, 2, 1, 0});
  expect(up, 2, MAX_R, 1, HUGE_VALL);
  expect(up, 2, MIN_R, 0, 0.0L);
  cel_mdp_destroy(up);
}

/// Geometric number of steps: 1/p. Probabilities such as 1/3 are not exact in double precision.
static void inexact_probabilities_are_covered(void **state) {
  (void)state;
  for (int k = 2; k <= 40; k++) {
    const double p = 1.0 / k;
    CelMdp *mdp = MAKE(2, {0, 0, 0, 1 - p, 1}, {0, 0, 1, p, 1}, {1, 0, 1, 1, 0});
    expect(mdp, 1, MIN_R, 0, (long double)k);
    cel_mdp_destroy(mdp);
  }
}

/// The end of an episode is the target if none is given, by terminal states and ending transitions.
static void episode_ends(void **state) {
  (void)state;
  CelMdpBuilder *b = NULL;
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_builder_create(&b, 2, 1.0, 0));
  assert_ok(cel_mdp_pair(b, 0, 0, -1));
  assert_ok(cel_mdp_transition(b, 0, 0.5, 0, false));
  assert_ok(cel_mdp_transition(b, 0, 0.25, 4, true));
  assert_ok(cel_mdp_transition(b, 1, 0.25, 0, false));
  assert_ok(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  expect(mdp, -1, MAX_R, 0, 0.0L); // -1 + 0.25 * 4 in each step
  expect(mdp, -1, MAX_P, 0, 1.0L);
  expect(mdp, 1, MAX_P, 0, 0.5L); // the other half ends elsewhere
  expect(mdp, 1, with(MIN_R, CEL_UNREACHED_FORBIDDEN), 0, HUGE_VALL);
  cel_mdp_destroy(mdp);
}

// ---- soft

/// A loop of reward r and an exit of reward c: V = alpha log(e^(c/alpha) / (1 - e^(r/alpha))).
static void soft_loop_has_its_closed_form(void **state) {
  (void)state;
  for (double alpha = 0.05; alpha < 50; alpha *= 2.5) {
    for (int k = 1; k <= 3; k++) {
      const double r = -0.25 * k, c = -2;
      CelMdp *mdp = MAKE(2, {0, 0, 0, 1, r}, {0, 1, 1, 1, c}, {1, 0, 1, 1, 0});
      const long double V =
          (long double)c - (long double)alpha * logl(-expm1l((long double)r / (long double)alpha));
      expect(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .alpha = alpha}, 0, V);
      cel_mdp_destroy(mdp);
      CelMdp *cost = MAKE(2, {0, 0, 0, 1, -r}, {0, 1, 1, 1, -c}, {1, 0, 1, 1, 0});
      expect(cost, 1, (Ask){.objective = CEL_TOTAL_REWARD, .min = true, .alpha = alpha}, 0, -V);
      cel_mdp_destroy(cost);
    }
  }
}

/// Two loops of reward -1: finite if and only if 2 e^(-1/alpha) < 1, that is alpha < 1/log 2.
static void soft_values_end_at_the_critical_temperature(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(2, {0, 0, 0, 1, -1}, {0, 1, 0, 1, -1}, {0, 2, 1, 1, 0}, {1, 0, 1, 1, 0});
  const double critical = 1.4426950408889634;
  static const double below[] = {0.1, 1.0, 1.4, 1.44, 1.4426, 1.442695};
  for (int i = 0; i < 6; i++) {
    const long double a = (long double)below[i];
    CelSolution *x = solve(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .alpha = below[i]});
    const long double V = -a * logl(1.0L - 2.0L * expl(-1.0L / a));
    if (!(x->lower[0] <= V && V <= x->upper[0]))
      fail_msg("alpha %.9g: expected %.17Lg, the bounds are [%.17g, %.17g]", below[i], V,
               x->lower[0], x->upper[0]);
    cel_solution_destroy(x);
  }
  expect(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .alpha = critical + 1e-6}, 0, HUGE_VALL);
  expect(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .alpha = 2}, 0, HUGE_VALL);
  CelSolution *x = NULL; // at the critical temperature itself
  assert_fails(ask(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .alpha = critical}, &x),
               CEL_E_UNSUPPORTED, "or the temperature");
  cel_mdp_destroy(mdp);
}

/// Without rewards, a component with a choice is worth an infinite entropy; one without is not.
static void soft_probability_needs_decisions_that_end(void **state) {
  (void)state;
  CelMdp *loop = MAKE(3, {0, 0, 0, 1, 0}, {0, 1, 1, 1, 0}, {1, 0, 1, 1, 0}, {2, 0, 2, 1, 0});
  expect(loop, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .alpha = 0.1}, 0, HUGE_VALL);
  cel_mdp_destroy(loop);
  // One decision: the target with 1/2 or 1/4, then over. States 1 and 2 are the target and a trap.
  CelMdp *once = MAKE(3, {0, 0, 1, 0.5, 0}, {0, 0, 2, 0.5, 0}, {0, 1, 1, 0.25, 0},
                      {0, 1, 2, 0.75, 0}, {1, 0, 1, 1, 0}, {2, 0, 2, 1, 0}, {2, 1, 2, 1, 0});
  const long double V = logl(expl(0.5L) + expl(0.25L));
  expect(once, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .alpha = 1}, 0, V);
  const long double least = -logl(expl(-0.5L) + expl(-0.25L));
  expect(once, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .min = true, .alpha = 1}, 0, least);
  cel_mdp_destroy(once);
}

// ---- steps

static void limited_steps(void **state) {
  (void)state;
  CelMdp *mdp = MAKE(3, {0, 0, 0, 0.5, 1}, {0, 0, 1, 0.5, 1}, {0, 1, 2, 1, 5}, {1, 0, 1, 1, 7},
                     {2, 0, 2, 1, 0.5});
  for (int64_t n = 1; n <= 60; n++) {
    const long double p = 1.0L - powl(0.5L, (long double)n);
    expect(mdp, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .steps = n}, 0, p);
    expect(mdp, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .steps = n, .min = true}, 0, 0.0L);
    expect(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .steps = n, .min = true}, 0, 2.0L * p);
  }
  expect(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .steps = 3}, 0, 6.0L);
  // Steps far beyond the point where nothing changes take no time.
  expect(mdp, 1, (Ask){.objective = CEL_TOTAL_PROBABILITY, .steps = 100000}, 0, 1.0L);
  CelSolution *x = solve(mdp, 1, (Ask){.objective = CEL_TOTAL_REWARD, .steps = 2});
  assert_true(x->pi[1] == 1.0 && x->method == CEL_SOLVE_BACKWARD && x->horizon == 0);
  assert_true(fabs(x->Q[0] - 3.5) < 1e-9 && fabs(x->Q[1] - 5.5) < 1e-9);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

// ---- other

static bool stop_at_once(void *user, const CelSolveProgress *now) {
  (void)now;
  ++*(int *)user;
  return false;
}

static void stopping_keeps_bounds_true(void **state) {
  (void)state;
  CelMdp *mdp = restarts(18);
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  uint8_t target[37] = {0};
  int calls = 0;
  target[18] = 1;
  config.alpha = 0.0, config.progress = stop_at_once, config.user = &calls;
  config.method = CEL_SOLVE_VI; // slow enough to be stopped
  CelSolution *x = NULL;
  assert_ok(cel_solve_total(mdp, target, &total, &config, &x));
  assert_true(calls > 0 && x->lower[0] <= 0.5 && 0.5 <= x->upper[0]);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

static void bits_do_not_depend_on_threads(void **state) {
  (void)state;
  CelMdp *mdp = NULL;
  CelSolution *x[2];
  assert_ok(cel_mdp_generate(&mdp, "frozenlake-8x8", NULL));
  for (int i = 0; i < 2; i++)
    x[i] = solve(mdp, -1, (Ask){.objective = CEL_TOTAL_REWARD, .threads = 1 + 3 * i});
  const size_t size = (size_t)mdp->states * sizeof(double);
  assert_memory_equal(x[0]->V, x[1]->V, size);
  assert_memory_equal(x[0]->lower, x[1]->lower, size);
  cel_solution_destroy(x[0]), cel_solution_destroy(x[1]);
  cel_mdp_destroy(mdp);
}

static void solutions_are_saved_with_bounds(void **state) {
  const char *path = in_folder(state, "x.safetensors");
  CelMdp *mdp = restarts(3);
  CelSolution *x = solve(mdp, 3, MAX_P);
  assert_ok(cel_solution_save(x, path));
  CelSafetensors *file = NULL;
  assert_ok(cel_safetensors_open(path, &file));
  const CelTensor *lower = cel_safetensors_find(file, "lower");
  assert_non_null(lower);
  assert_memory_equal(lower->data, x->lower, (size_t)mdp->states * sizeof(double));
  assert_non_null(cel_safetensors_find(file, "upper"));
  cel_safetensors_close(file);
  cel_solution_destroy(x);
  cel_mdp_destroy(mdp);
}

static void mistakes_are_named(void **state) {
  (void)state;
  CelMdp *mdp = restarts(2);
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *x = NULL;
  const uint8_t none[5] = {0}, one[5] = {0, 0, 1};
  config.alpha = 0.0;
  assert_fails(cel_solve_total(mdp, none, &total, &config, &x), CEL_E_ARGUMENT,
               "no state is a target");
  assert_fails(cel_solve_total(mdp, NULL, &total, &config, &x), CEL_E_ARGUMENT, "never end");
  config.gamma = 0.9;
  assert_fails(cel_solve_total(mdp, one, &total, &config, &x), CEL_E_RANGE, "gamma is 0.9");
  config.gamma = 1.0, config.method = CEL_SOLVE_PI;
  assert_fails(cel_solve_total(mdp, one, &total, &config, &x), CEL_E_UNSUPPORTED, "gauss-seidel");
  config.method = CEL_SOLVE_VI, total.steps = 3;
  assert_fails(cel_solve_total(mdp, one, &total, &config, &x), CEL_E_UNSUPPORTED, "backward");
  config.method = CEL_SOLVE_AUTO, total.unreached = CEL_UNREACHED_SUM;
  assert_fails(cel_solve_total(mdp, one, &total, &config, &x), CEL_E_ARGUMENT, "unreached");
  total.steps = -1, total.unreached = CEL_UNREACHED_AUTO;
  assert_fails(cel_solve_total(mdp, one, &total, &config, &x), CEL_E_RANGE, "steps");
  assert_null(x);
  assert_fails(cel_solve(mdp, &config, &x), CEL_E_RANGE, "cel_solve_total");
  cel_mdp_destroy(mdp);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(component_does_not_stop_the_upper_bound),
      cmocka_unit_test(slow_value_iteration_is_not_believed),
      cmocka_unit_test(unreachable_targets),
      cmocka_unit_test(free_cycle),
      cmocka_unit_test(free_component_leaves_at_its_best_state),
      cmocka_unit_test(costly_cycle_with_escape),
      cmocka_unit_test(undecided_component_is_refused),
      cmocka_unit_test(mean_rewards_of_components),
      cmocka_unit_test(inexact_probabilities_are_covered),
      cmocka_unit_test(episode_ends),
      cmocka_unit_test(soft_loop_has_its_closed_form),
      cmocka_unit_test(soft_values_end_at_the_critical_temperature),
      cmocka_unit_test(soft_probability_needs_decisions_that_end),
      cmocka_unit_test(limited_steps),
      cmocka_unit_test(stopping_keeps_bounds_true),
      cmocka_unit_test(bits_do_not_depend_on_threads),
      cmocka_unit_test_setup_teardown(solutions_are_saved_with_bounds, folder_setup,
                                      folder_teardown),
      cmocka_unit_test(mistakes_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
