/// cel_solve against solutions in long double, and its certificates.
#include "celsius/solve.h"
#include "mdp/problems.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

static double distance(const double *V, const long double *exact, int64_t S) {
  long double most = 0.0L;
  for (int64_t s = 0; s < S; s++) most = fmaxl(most, fabsl((long double)V[s] - exact[s]));
  return (double)most;
}

static void value_iteration_is_certified(void **state) {
  (void)state;
  const double alphas[] = {0.0, 0.01, 0.1, 1.0, 10.0}, gammas[] = {0.0, 0.5, 0.9, 0.99};
  for (uint64_t seed = 1; seed <= 100; seed++) {
    uint64_t random = seed;
    const ProblemSpec spec = {.states = 3 + problem_below(&random, 30),
                              .actions = 2 + problem_below(&random, 4),
                              .branching = 1 + problem_below(&random, 5),
                              .discount = gammas[seed % 4],
                              .reward_scale = seed % 2 ? 1.0 : 100.0,
                              .ragged = seed % 3 == 0,
                              .terminals = seed % 5 == 0};
    Problem problem;
    problem_make(&problem, &spec, seed);
    CelSolveConfig config = cel_solve_config_default();
    config.alpha = alphas[seed % 5];
    CelSolution *solution;
    assert_ok(cel_solve(&problem.mdp, &config, &solution));
    long double exact[64];
    exact_solve(&problem.mdp, config.alpha, spec.discount, exact);
    const double error = distance(solution->V, exact, spec.states);
    if (!(error <= solution->bound))
      fail_msg("seed %llu: error %g above its bound %g", (unsigned long long)seed, error,
               solution->bound);
    assert_true(solution->certified);
    cel_solution_destroy(solution);
    problem_free(&problem);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(value_iteration_is_certified),
  };
  return cmocka_run_group_tests_name("solve", tests, NULL, NULL);
}
