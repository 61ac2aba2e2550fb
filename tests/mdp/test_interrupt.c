/// Long computations stop on request of the interrupt hook, at a time limit, and when memory runs
/// out. What they return by then must still be valid.
#include "celsius/improve.h"
#include "celsius/q_learning.h"
#include "celsius/solve.h"
#include "mdp/evaluate/direct.h"
#include "mdp/problems.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

enum { MOST = 60 };

/// A hook that requests a stop from call number `after` on.
typedef struct Patience {
  int64_t calls, after;
} Patience;

static bool out_of_patience(void *user) {
  Patience *patience = user;
  return ++patience->calls > patience->after;
}

static void make(Problem *problem, double discount) {
  const ProblemSpec spec = {
      .states = MOST, .actions = 4, .branching = 3, .discount = discount, .reward_scale = 1.0};
  problem_make(problem, &spec, 3);
}

/// Solves can stop at any call with a valid bound. A long solve calls the hook many times.
static void solves(void **state) {
  (void)state;
  Problem problem;
  make(&problem, 0.9999);
  long double exact[MOST];
  exact_solve(&problem.mdp, 0.01, 0.9999, exact);
  for (int method = 0; method <= CEL_SOLVE_NEWTON; method++) {
    for (int64_t after = 0; after < 200; after = 2 * after + 1) {
      Patience patience = {.after = after};
      CelSolveConfig config = cel_solve_config_default();
      CelSolution *solution;
      config.alpha = 0.01, config.method = (CelSolveMethod)method, config.tolerance = 1e-10;
      cel_set_interrupt_hook(out_of_patience, &patience);
      assert_ok(cel_solve(&problem.mdp, &config, &solution));
      cel_set_interrupt_hook(NULL, NULL);
      for (int s = 0; s < MOST; s++)
        if (!(fabsl((long double)solution->V[s] - exact[s]) <= (long double)solution->bound))
          fail_msg("method %d, stopped at %d: V[%d] is off by more than %g", method, (int)after, s,
                   solution->bound);
      // After the hook returns true, it is called only a few more times.
      assert_true(patience.calls <= after + 8);
      if (after == 0) assert_true(!solution->certified && solution->sweeps <= 4);
      cel_solution_destroy(solution);
    }
  }
  problem_free(&problem);
}

static void evaluations(void **state) {
  (void)state;
  Problem problem;
  make(&problem, 0.9999);
  double pi[4 * MOST], V[MOST], d[MOST], p[11 * MOST], bound;
  for (int i = 0; i < 4 * MOST; i++) pi[i] = 0.25;
  for (int method = 0; method <= CEL_EVALUATE_KRYLOV; method++) {
    Patience patience = {.after = 0};
    cel_set_interrupt_hook(out_of_patience, &patience);
    assert_int_equal(cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9999, (CelEvaluateMethod)method,
                                      1e-10, V, NULL, &bound),
                     CEL_E_INTERRUPTED);
    if (method != CEL_EVALUATE_DIRECT) // a small direct solve never calls the hook
      assert_int_equal(cel_discounted_distribution(&problem.mdp, pi, 0.9999,
                                                   (CelEvaluateMethod)method, 1e-10, d),
                       CEL_E_INTERRUPTED);
    assert_int_equal(cel_state_distribution(&problem.mdp, pi, 10, p), CEL_E_INTERRUPTED);
    cel_set_interrupt_hook(NULL, NULL);
    assert_ok(cel_state_distribution(&problem.mdp, pi, 10, p));
  }
  problem_free(&problem);
}

/// A sparse factorization cannot be stopped. If it would take seconds (4 s and 11 s for these two
/// MDPs), Krylov steps replace it. Their results are as good, and they call the interrupt hook.
static void long_direct_solves(void **state) {
  (void)state;
  if (celi_direct_check(4000) != CEL_OK) skip(); // a build without SuiteSparse
  for (int states = 3000; states <= 4000; states += 1000) {
    const ProblemSpec spec = {
        .states = states, .actions = 4, .branching = 3, .discount = 0.9, .reward_scale = 1.0};
    Problem problem;
    problem_make(&problem, &spec, 1);
    double *numbers = calloc((size_t)(4 + 4) * (size_t)states, sizeof *numbers), bound;
    double *V = numbers, *exact = V + states, *d = exact + states, *other = d + states;
    double *pi = other + states;
    for (int i = 0; i < 4 * states; i++) pi[i] = 0.25;
    Patience patience = {.after = 2};
    cel_set_interrupt_hook(out_of_patience, &patience);
    assert_int_equal(
        cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9, CEL_EVALUATE_DIRECT, 0, V, NULL, &bound),
        CEL_E_INTERRUPTED);
    patience.calls = 0;
    assert_int_equal(
        cel_discounted_distribution(&problem.mdp, pi, 0.9, CEL_EVALUATE_DIRECT, 0, other),
        CEL_E_INTERRUPTED);
    cel_set_interrupt_hook(NULL, NULL);
    assert_ok(cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9, CEL_EVALUATE_SWEEPS, 1e-13, exact, NULL,
                               &bound));
    const double best = bound;
    assert_ok(
        cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9, CEL_EVALUATE_DIRECT, 0, V, NULL, &bound));
    assert_true(bound <= 2.0 * best);
    for (int s = 0; s < states; s++) assert_true(fabs(V[s] - exact[s]) <= bound + best);
    assert_ok(cel_discounted_distribution(&problem.mdp, pi, 0.9, CEL_EVALUATE_SWEEPS, 1e-14, d));
    assert_ok(cel_discounted_distribution(&problem.mdp, pi, 0.9, CEL_EVALUATE_DIRECT, 0, other));
    for (int s = 0; s < states; s++) assert_true(fabs(d[s] - other[s]) <= 1e-14);
    CelSolveConfig config = cel_solve_config_default();
    CelSolution *solution;
    config.method = CEL_SOLVE_PI;
    assert_ok(cel_solve(&problem.mdp, &config, &solution));
    assert_true(solution->certified);
    assert_int_equal(solution->method, CEL_SOLVE_NEWTON);
    cel_solution_destroy(solution);
    free(numbers);
    problem_free(&problem);
  }
}

/// A step that could not be measured is not taken, so the reported J is that of the returned
/// policy.
static void conservative_steps(void **state) {
  (void)state;
  Problem problem;
  make(&problem, 0.9);
  int cut = 0;
  for (int64_t after = 4; after < 154; after += 10) {
    Patience patience = {.after = after};
    CelConservativeStep last;
    double pi[4 * MOST];
    for (int i = 0; i < 4 * MOST; i++) pi[i] = 0.25;
    cel_set_interrupt_hook(out_of_patience, &patience);
    const CelStatus status = cel_conservative_iteration(&problem.mdp, NULL, pi, &last);
    cel_set_interrupt_hook(NULL, NULL);
    if (status == CEL_E_INTERRUPTED) { // stopped within the first evaluation
      assert_true(after < 40 && pi[0] == 0.25);
      continue;
    }
    assert_int_equal(status, CEL_OK);
    cut += !last.stopped;
    long double exact_pi[4 * MOST], V[MOST], J = 0.0L;
    for (int i = 0; i < 4 * MOST; i++) exact_pi[i] = (long double)pi[i];
    exact_evaluate(&problem.mdp, exact_pi, 0.0L, 0.9L, V);
    for (int s = 0; s < MOST; s++) J += (long double)problem.start[s] * V[s];
    assert_true(fabsl(J - (long double)last.J_next) < 1e-9L);
  }
  assert_true(cut >= 5);
  problem_free(&problem);
}

/// A round of a large MDP can stop in the middle.
static void rounds_of_learning(void **state) {
  (void)state;
  enum { STATES = 100000 };
  const ProblemSpec spec = {
      .states = STATES, .actions = 2, .branching = 1, .discount = 0.9, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 1);
  for (int sampling = 0; sampling < 2; sampling++)
    for (int limit = 0; limit < 2; limit++) {
      Patience patience = {.after = 0};
      CelQLearningConfig config = cel_q_learning_config_default();
      CelQLearning *learned;
      config.sampling = (CelQSampling)sampling;
      if (limit) config.max_seconds = 1e-9;
      if (!limit) cel_set_interrupt_hook(out_of_patience, &patience);
      assert_ok(cel_q_learning(&problem.mdp, &config, &learned));
      cel_set_interrupt_hook(NULL, NULL);
      assert_int_equal(learned->rounds, 0);
      assert_int_equal(learned->samples, 1 << 16);
      assert_true(isfinite(learned->bound));
      cel_q_learning_destroy(learned);
    }
  problem_free(&problem);
}

/// Too large a request for memory is refused before any is allocated, including for results.
static void memory(void **state) {
  (void)state;
  Problem problem;
  make(&problem, 0.9);
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution;
  problem.mdp.horizon = INT64_MAX / 100000; // of 60 states and 240 pairs
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_MEMORY);
  problem.mdp.horizon = (int64_t)1 << 40;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_MEMORY);
  assert_non_null(strstr(cel_error(), "time steps"));
  problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solves),
      cmocka_unit_test(evaluations),
      cmocka_unit_test(long_direct_solves),
      cmocka_unit_test(conservative_steps),
      cmocka_unit_test(rounds_of_learning),
      cmocka_unit_test(memory),
  };
  return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
