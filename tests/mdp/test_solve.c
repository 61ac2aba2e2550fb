/// Compares cel_solve and its certificates with solutions in long double, and tests what it
/// refuses.
#include "celsius/safetensors.h"
#include "celsius/solve.h"
#include "mdp/problems.h"
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

enum { MOST = 64 }; // states of the random problems
enum { METHODS = CEL_SOLVE_NEWTON + 1 };
static const double ALPHAS[] = {0.0, 0.01, 0.1, 1.0, 10.0}, GAMMAS[] = {0.0, 0.5, 0.9, 0.99};

static double distance(const double *V, const long double *exact, int64_t S) {
  long double most = 0.0L;
  for (int64_t s = 0; s < S; s++) most = fmaxl(most, fabsl((long double)V[s] - exact[s]));
  return (double)most;
}

static double largest(const double *x, int64_t n) {
  double most = 0.0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

static ProblemSpec random_spec(uint64_t seed) {
  uint64_t random = seed;
  return (ProblemSpec){.states = 3 + problem_below(&random, MOST - 3),
                       .actions = 2 + problem_below(&random, 5),
                       .branching = 1 + problem_below(&random, 6),
                       .discount = GAMMAS[problem_below(&random, 4)],
                       .reward_scale = seed % 2 ? 1.0 : 100.0,
                       .ragged = seed % 3 == 0,
                       .terminals = seed % 5 == 0};
}

static void method_is_certified(uint64_t seed, int method, double tolerance, int *tight) {
  const ProblemSpec spec = random_spec(seed);
  Problem problem;
  problem_make(&problem, &spec, seed);
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = ALPHAS[seed / 7 % 5];
  config.method = (CelSolveMethod)method;
  config.tolerance = tolerance;
  CelSolution *solution;
  assert_ok(cel_solve(&problem.mdp, &config, &solution));
  long double exact[MOST];
  exact_solve(&problem.mdp, config.alpha, spec.discount, exact);
  const double error = distance(solution->V, exact, spec.states);
  const double most = fmax(1.0, largest(solution->V, spec.states));
  if (!(error <= solution->bound && solution->certified && solution->bound <= tolerance * most))
    fail_msg("seed %llu, method %d, alpha %g: error %g, bound %g, certified %d, max |V| %g",
             (unsigned long long)seed, method, config.alpha, error, solution->bound,
             solution->certified, most);
  *tight += solution->bound <= 100.0 * error || solution->bound == 0.0;
  // Q and pi must belong to V.
  for (int64_t s = 0; s < spec.states; s++) {
    double sum = 0.0;
    for (int64_t p = problem.pair[s]; p < problem.pair[s + 1]; p++) sum += solution->pi[p];
    if (problem.pair[s + 1] > problem.pair[s]) assert_float_equal(sum, 1.0, 1e-12);
  }
  double V[MOST];
  cel_value_of_q(&problem.mdp, solution->Q, config.alpha, V);
  for (int64_t s = 0; s < spec.states; s++)
    assert_true(fabs(V[s] - solution->V[s]) <= solution->residual + 1e-12 * most);
  cel_solution_destroy(solution);
  problem_free(&problem);
}

static void a_thousand_certificates(void **state) {
  (void)state;
  int tight = 0;
  // Emulated 113-bit long doubles would take minutes on all of them.
  const uint64_t step = LDBL_MANT_DIG > 64 ? 20 : 1;
  for (uint64_t seed = 1; seed <= 1000; seed += step)
    method_is_certified(seed, (int)(seed % METHODS), pow(10.0, -2.0 - (double)(seed % 8)), &tight);
  print_message("the bound is within 100 times the error in %d of %d\n", tight, 1000 / (int)step);
  assert_in_range(tight, 700 / step, 1000);
}

static void methods_agree_to_nine_digits(void **state) {
  (void)state;
  int tight = 0;
  for (uint64_t seed = 2001; seed <= (LDBL_MANT_DIG > 64 ? 2004 : 2060); seed++)
    for (int method = 0; method < METHODS; method++)
      method_is_certified(seed, method, 1e-10, &tight);
}

// ---- temperatures

static void any_temperature(void **state) {
  (void)state;
  const ProblemSpec spec = {
      .states = 20, .actions = 4, .branching = 3, .discount = 0.95, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 5);
  long double hard[MOST], exact[MOST];
  exact_solve(&problem.mdp, 0.0, spec.discount, hard);
  for (int e = -12; e <= 12; e++) {
    CelSolveConfig config = cel_solve_config_default();
    config.alpha = pow(10.0, e);
    for (int method = 0; method < METHODS; method++) {
      config.method = (CelSolveMethod)method;
      CelSolution *solution;
      assert_ok(cel_solve(&problem.mdp, &config, &solution));
      assert_true(solution->certified);
      exact_solve(&problem.mdp, config.alpha, spec.discount, exact);
      const double error = distance(solution->V, exact, spec.states);
      if (!(error <= solution->bound))
        fail_msg("alpha %g, method %d: error %g, bound %g", config.alpha, method, error,
                 solution->bound);
      // 0 <= V_alpha - V_0 <= alpha log A/(1 - gamma)
      for (int64_t s = 0; s < spec.states; s++) {
        const double gain = (double)((long double)solution->V[s] - hard[s]);
        assert_true(gain >= -solution->bound);
        assert_true(gain <= config.alpha * log(4.0) / 0.05 + solution->bound);
      }
      cel_solution_destroy(solution);
    }
  }
  problem_free(&problem);
}

/// Two identical actions have probability 1/2 each, at any temperature including 0.
static void ties_are_uniform(void **state) {
  (void)state;
  const int64_t pair[] = {0, 3}, row[] = {0, 1, 2, 3};
  const uint32_t next[] = {0, 0, 0};
  const double p[] = {1, 1, 1}, r[] = {1, 1, 0}, start[] = {1};
  const CelMdp mdp = {.states = 1,
                      .pairs = 3,
                      .transitions = 3,
                      .max_actions = 3,
                      .discount = 0.9,
                      .pair = pair,
                      .row = row,
                      .next32 = next,
                      .probability = p,
                      .reward = r,
                      .start = start};
  for (int method = 0; method < METHODS; method++) {
    CelSolveConfig config = cel_solve_config_default();
    config.method = (CelSolveMethod)method;
    for (config.alpha = 0.0; config.alpha < 0.1; config.alpha += 0.01) {
      CelSolution *solution;
      assert_ok(cel_solve(&mdp, &config, &solution));
      assert_true(solution->pi[0] == solution->pi[1]);
      assert_true(solution->certified);
      if (config.alpha == 0.0) {
        assert_float_equal(solution->V[0], 10.0, 1e-8);
        assert_true(solution->pi[0] == 0.5 && solution->pi[2] == 0.0);
      }
      cel_solution_destroy(solution);
    }
  }
}

// ---- shapes of MDPs

static void mdps_with_one_action(void **state) {
  (void)state;
  // State 0 goes to state 1, which is terminal, with reward 2, or ends at once with reward 1.
  const int64_t pair[] = {0, 2, 2}, row[] = {0, 1, 2};
  const uint32_t next[] = {1, 0};
  const double p[] = {1, 1}, r[] = {2, 1}, start[] = {1, 0};
  const uint8_t ends[] = {0, 1};
  CelMdp mdp = {.states = 2,
                .pairs = 2,
                .transitions = 2,
                .max_actions = 2,
                .discount = 0.99,
                .pair = pair,
                .row = row,
                .next32 = next,
                .probability = p,
                .reward = r,
                .ends = ends,
                .start = start};
  const int64_t none[] = {0, 0, 0};
  for (int method = 0; method < METHODS; method++) {
    CelSolveConfig config = cel_solve_config_default();
    config.method = (CelSolveMethod)method, config.alpha = 0.0;
    CelSolution *solution;
    assert_ok(cel_solve(&mdp, &config, &solution));
    assert_true(solution->V[0] == 2.0 && solution->V[1] == 0.0 && solution->certified);
    assert_true(solution->pi[0] == 1.0 && solution->pi[1] == 0.0);
    assert_true(solution->value_start == 2.0);
    cel_solution_destroy(solution);
    CelMdp terminal = mdp; // only terminal states
    terminal.pair = none, terminal.pairs = terminal.transitions = terminal.max_actions = 0;
    assert_ok(cel_solve(&terminal, &config, &solution));
    assert_true(solution->V[0] == 0.0 && solution->V[1] == 0.0 && solution->certified);
    cel_solution_destroy(solution);
  }
}

static void backward_induction(void **state) {
  (void)state;
  enum { T = 7 };
  for (uint64_t seed = 1; seed <= 30; seed++) {
    ProblemSpec spec = random_spec(seed);
    Problem problem;
    problem_make(&problem, &spec, seed);
    problem.mdp.horizon = T;
    problem.mdp.discount = seed % 2 ? 1.0 : 0.9;
    CelSolveConfig config = cel_solve_config_default();
    config.alpha = ALPHAS[seed % 5];
    CelSolution *solution;
    assert_ok(cel_solve(&problem.mdp, &config, &solution));
    assert_int_equal(solution->method, CEL_SOLVE_BACKWARD);
    assert_int_equal(solution->horizon, T);
    assert_true(solution->certified);
    long double V[MOST] = {0}, *Q = calloc((size_t)problem.mdp.pairs + 8, sizeof *Q), pi[8];
    for (int t = T - 1; t >= 0; t--) {
      exact_q(&problem.mdp, (long double)problem.mdp.discount, V, Q);
      for (int64_t s = 0; s < spec.states; s++)
        V[s] = exact_soft_max(Q + problem.pair[s], problem.pair[s + 1] - problem.pair[s],
                              (long double)config.alpha, pi);
      const double error = distance(solution->V + t * spec.states, V, spec.states);
      if (!(error <= solution->bound)) fail_msg("t %d: %g > %g", t, error, solution->bound);
    }
    free(Q);
    cel_solution_destroy(solution);
    problem_free(&problem);
  }
}

// ---- stopping

static bool stop_at_three(void *user, const CelSolveProgress *now) {
  assert_true(now->fraction >= 0.0 && now->fraction <= 1.0);
  return ++*(int *)user < 3;
}

static void stopped_runs_have_bounds(void **state) {
  (void)state;
  const ProblemSpec spec = {
      .states = 50, .actions = 4, .branching = 3, .discount = 0.99, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 9);
  long double exact[MOST];
  exact_solve(&problem.mdp, 0.1, spec.discount, exact);
  for (int method = 0; method < METHODS; method++) {
    for (int limit = 0; limit < 3; limit++) {
      CelSolveConfig config = cel_solve_config_default();
      int calls = 0;
      config.method = (CelSolveMethod)method;
      config.user = &calls;
      if (limit == 0) config.max_iterations = 1;
      if (limit == 1) config.progress = stop_at_three;
      if (limit == 2) config.max_seconds = 1e-9;
      CelSolution *solution;
      assert_ok(cel_solve(&problem.mdp, &config, &solution));
      if (method != CEL_SOLVE_PI && method != CEL_SOLVE_AUTO && method != CEL_SOLVE_NEWTON)
        assert_false(solution->certified);
      if (limit == 1) assert_int_equal(calls, 3);
      assert_true(distance(solution->V, exact, spec.states) <= solution->bound);
      cel_solution_destroy(solution);
    }
    // A solver also stops if double precision cannot certify the tolerance.
    CelSolveConfig config = cel_solve_config_default();
    config.method = (CelSolveMethod)method, config.tolerance = 1e-17;
    CelSolution *solution;
    assert_ok(cel_solve(&problem.mdp, &config, &solution));
    assert_false(solution->certified);
    assert_true(solution->bound < 1e-9);
    assert_true(distance(solution->V, exact, spec.states) <= solution->bound);
    cel_solution_destroy(solution);
  }
  problem_free(&problem);
}

static void bad_arguments_are_refused(void **state) {
  (void)state;
  const ProblemSpec spec = {
      .states = 5, .actions = 2, .branching = 2, .discount = 0.9, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 1);
  CelSolution *solution;
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = -1.0;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_RANGE);
  config = cel_solve_config_default();
  config.gamma = 1.0;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "gamma"));
  config = cel_solve_config_default();
  config.tolerance = 0.0;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_RANGE);
  config = cel_solve_config_default();
  config.method = CEL_SOLVE_BACKWARD;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_UNSUPPORTED);
  config.method = CEL_SOLVE_VI;
  problem.mdp.horizon = 3;
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_UNSUPPORTED);
  problem.mdp.horizon = 0;
  config = cel_solve_config_default();
  config.gamma = 1.0 - 0x1p-53; // no error bound exists
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "below 1"));
  config = cel_solve_config_default();
  problem.reward[3] = 1e308; // V would be infinite
  assert_int_equal(cel_solve(&problem.mdp, &config, &solution), CEL_E_RANGE);
  assert_null(solution);
  assert_ok(cel_fields_check_table(cel_solve_fields()));
  problem_free(&problem);
}

static void saved(void **state) {
  (void)state;
  const ProblemSpec spec = {
      .states = 11, .actions = 3, .branching = 2, .discount = 0.9, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 2);
  const CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution;
  assert_ok(cel_solve(&problem.mdp, &config, &solution));
  char path[] = "/tmp/celsius-solution-XXXXXX";
  close(mkstemp(path));
  assert_ok(cel_solution_save(solution, path));
  CelSafetensors *file;
  assert_ok(cel_safetensors_open(path, &file));
  assert_memory_equal(cel_safetensors_find(file, "V")->data, solution->V, 11 * sizeof(double));
  assert_memory_equal(cel_safetensors_find(file, "Q")->data, solution->Q, 33 * sizeof(double));
  assert_memory_equal(cel_safetensors_find(file, "pi")->data, solution->pi, 33 * sizeof(double));
  assert_true(strtod(cel_safetensors_meta(file, "bound"), NULL) == solution->bound);
  assert_string_equal(cel_safetensors_meta(file, "certified"), "true");
  cel_safetensors_close(file);
  unlink(path);
  cel_solution_destroy(solution);
  problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_thousand_certificates),
      cmocka_unit_test(methods_agree_to_nine_digits),
      cmocka_unit_test(any_temperature),
      cmocka_unit_test(ties_are_uniform),
      cmocka_unit_test(mdps_with_one_action),
      cmocka_unit_test(backward_induction),
      cmocka_unit_test(stopped_runs_have_bounds),
      cmocka_unit_test(bad_arguments_are_refused),
      cmocka_unit_test(saved),
  };
  return cmocka_run_group_tests_name("solve", tests, NULL, NULL);
}
