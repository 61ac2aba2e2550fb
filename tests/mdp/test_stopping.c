/// Tests both sides of every stopping rule: the number of iterations, the tolerance, the answer of
/// the hook, and the trajectory length of Q-learning.
#include "mdp/q_learning_kit.h"

enum { MOST = 4096 };

/// Records what the hook saw, and says when it returns false.
typedef struct Seen {
  int64_t n, stop_at;
  double bound[MOST];
} Seen;

static bool note(void *user, const CelSolveProgress *now) {
  Seen *seen = user;
  assert_true(seen->n < MOST);
  seen->bound[seen->n++] = now->bound;
  return seen->n != seen->stop_at;
}

/// An MDP with values below 1, so that the tolerance applies to the bound itself.
static void make(Problem *x) {
  const ProblemSpec spec = {12, 3, 4, 0.5, 0.1, false, false};
  problem_make(x, &spec, 5);
}

static CelSolution *solve(const CelMdp *mdp, int32_t method, double tolerance, int64_t most,
                          Seen *seen) {
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *out;
  config.method = (CelSolveMethod)method, config.tolerance = tolerance,
  config.max_iterations = most;
  config.progress = note, config.user = seen;
  if (cel_solve(mdp, &config, &out) != CEL_OK) fail_msg("%s", cel_error());
  return out;
}

static const int32_t methods[] = {CEL_SOLVE_VI, CEL_SOLVE_GAUSS_SEIDEL, CEL_SOLVE_MPI};

/// max_iterations is the exact number of iterations if nothing else stops a solver.
static void test_max_iterations(void **state) {
  (void)state;
  Problem x;
  make(&x);
  for (int i = 0; i < 3; i++)
    for (int64_t most = 1; most <= 2; most++) {
      Seen seen = {.stop_at = -1};
      CelSolution *solution = solve(&x.mdp, methods[i], 1e-300, most, &seen);
      assert_int_equal(solution->iterations, most);
      assert_int_equal(seen.n, most);
      assert_false(solution->certified);
      cel_solution_destroy(solution);
    }
  problem_free(&x);
}

/// A solver stops at once when the hook returns false.
static void test_hook_stops(void **state) {
  (void)state;
  Problem x;
  make(&x);
  for (int i = 0; i < 3; i++) {
    Seen seen = {.stop_at = 2};
    CelSolution *solution = solve(&x.mdp, methods[i], 1e-300, 0, &seen);
    assert_int_equal(solution->iterations, 2);
    cel_solution_destroy(solution);
  }
  problem_free(&x);
}

/// A solver continues while its bound is above the tolerance, and stops at the first bound that is
/// not.
static void test_tolerance(void **state) {
  (void)state;
  Problem x;
  make(&x);
  for (int i = 0; i < 3; i++) {
    Seen seen = {.stop_at = -1};
    CelSolution *solution = solve(&x.mdp, methods[i], 1e-6, 0, &seen);
    for (int64_t s = 0; s < x.mdp.states; s++) assert_true(fabs(solution->V[s]) < 1);
    assert_true(solution->certified && solution->bound <= 1e-6);
    assert_true(seen.n >= 2);
    for (int64_t k = 0; k < seen.n; k++)
      if ((seen.bound[k] > 1e-6) != (k + 1 < seen.n))
        fail_msg("iteration %d of %d has a bound of %g", (int)k, (int)seen.n, seen.bound[k]);
    cel_solution_destroy(solution);
  }
  problem_free(&x);
}

/// A walk 0, 1, 2, ... that never ends. A trajectory of episode_steps steps visits that many
/// states, each equally often. Without a limit it reaches the last state.
static void test_episode_steps(void **state) {
  (void)state;
  enum { S = 8, LIMIT = 3, ROUNDS = 6 };
  CelMdpBuilder *builder;
  CelMdp *mdp;
  if (cel_mdp_builder_create(&builder, S, 0.9, 0) != CEL_OK) fail_msg("%s", cel_error());
  for (int64_t s = 0; s < S; s++) {
    assert_int_equal(cel_mdp_pair(builder, s, 0, 1), CEL_OK);
    assert_int_equal(cel_mdp_transition(builder, s + 1 < S ? s + 1 : s, 1, 0, false), CEL_OK);
  }
  assert_int_equal(cel_mdp_start(builder, 0, 1), CEL_OK);
  if (cel_mdp_build(builder, &mdp) != CEL_OK) fail_msg("%s", cel_error());
  cel_mdp_builder_destroy(builder);
  for (int limited = 0; limited < 2; limited++) {
    CelQLearningConfig config = config_of(0.1, 0.9, ROUNDS, 1);
    CelQLearning *learned;
    config.sampling = CEL_Q_ASYNCHRONOUS, config.episode_steps = limited ? LIMIT : 0;
    if (cel_q_learning(mdp, &config, &learned) != CEL_OK) fail_msg("%s", cel_error());
    for (int64_t s = 0; s < S; s++) {
      const int64_t walk = s + 1 < S ? 1 : ROUNDS * S - (S - 1),
                    want = limited ? (s < LIMIT ? ROUNDS * S / LIMIT : 0) : walk;
      assert_int_equal(learned->visits[s], want);
    }
    cel_q_learning_destroy(learned);
  }
  cel_mdp_destroy(mdp);
}

static bool until_1000(void *user, const CelQLearningProgress *now) {
  (void)user;
  return now->round < 1000;
}

/// A time limit that has passed stops Q-learning after its first round. Otherwise it runs all
/// rounds.
static void test_q_learning_max_seconds(void **state) {
  (void)state;
  Problem x;
  make(&x);
  for (int late = 0; late < 2; late++) {
    CelQLearningConfig config = config_of(0.1, 0.5, 1000, 1);
    CelQLearning *learned;
    config.max_seconds = late ? 1e-12 : 1e12, config.progress = until_1000;
    if (cel_q_learning(&x.mdp, &config, &learned) != CEL_OK) fail_msg("%s", cel_error());
    assert_int_equal(learned->rounds, late ? 1 : 1000);
    cel_q_learning_destroy(learned);
  }
  problem_free(&x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_max_iterations),
      cmocka_unit_test(test_hook_stops),
      cmocka_unit_test(test_tolerance),
      cmocka_unit_test(test_episode_steps),
      cmocka_unit_test(test_q_learning_max_seconds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
