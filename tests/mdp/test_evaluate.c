/// Policy evaluation by every method, state distributions and finite horizons, compared with long
/// double solutions and enumeration.
#include "celsius/solve.h"
#include "mdp/evaluate/direct.h"
#include "mdp/problems.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

enum { MOST = 64, PAIRS = 512 };

/// A random policy. Every third state has a deterministic action.
static void random_policy(const CelMdp *mdp, double *pi, uint64_t seed) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
    double sum = 0.0;
    for (int64_t a = 0; a < n; a++) {
      pi[p + a] = s % 3 == 0 ? (double)(a == 0) : problem_uniform(&seed) + 1e-6;
      sum += pi[p + a];
    }
    for (int64_t a = 0; a < n; a++) pi[p + a] /= sum;
  }
}

static ProblemSpec random_spec(uint64_t seed) {
  static const double gammas[] = {0.0, 0.5, 0.9, 0.99};
  uint64_t random = seed;
  return (ProblemSpec){.states = 3 + problem_below(&random, MOST - 3),
                       .actions = 2 + problem_below(&random, 5),
                       .branching = 1 + problem_below(&random, 6),
                       .discount = gammas[seed % 4],
                       .reward_scale = seed % 2 ? 1.0 : 100.0,
                       .ragged = seed % 3 == 0,
                       .terminals = seed % 5 == 0};
}

static void every_method_is_certified(void **state) {
  (void)state;
  const double alphas[] = {0.0, 0.01, 0.1, 1.0, 10.0};
  for (uint64_t seed = 1; seed <= 200; seed++) {
    const ProblemSpec spec = random_spec(seed);
    const double alpha = alphas[seed / 4 % 5], tolerance = seed % 2 ? 1e-6 : 1e-10;
    Problem problem;
    problem_make(&problem, &spec, seed);
    double pi[PAIRS], V[MOST], Q[PAIRS];
    random_policy(&problem.mdp, pi, seed);
    long double exact_pi[PAIRS], exact[MOST], exact_pairs[PAIRS];
    for (int64_t p = 0; p < problem.mdp.pairs; p++) exact_pi[p] = (long double)pi[p];
    exact_evaluate(&problem.mdp, exact_pi, (long double)alpha, (long double)spec.discount, exact);
    exact_q(&problem.mdp, (long double)spec.discount, exact, exact_pairs);
    for (int method = CEL_EVALUATE_SWEEPS; method <= CEL_EVALUATE_KRYLOV; method++) {
      double bound, error = 0.0, most = 1.0;
      assert_ok(cel_mdp_evaluate(&problem.mdp, pi, alpha, spec.discount, (CelEvaluateMethod)method,
                                 tolerance, V, Q, &bound));
      for (int64_t s = 0; s < spec.states; s++) {
        error = fmax(error, (double)fabsl((long double)V[s] - exact[s]));
        most = fmax(most, fabs(V[s]));
      }
      if (!(error <= bound && bound <= tolerance * most))
        fail_msg("seed %llu, method %d: error %g, bound %g, wanted %g", (unsigned long long)seed,
                 method, error, bound, tolerance * most);
      for (int64_t p = 0; p < problem.mdp.pairs; p++)
        assert_true((double)fabsl((long double)Q[p] - exact_pairs[p]) <= bound + 1e-13 * most);
    }
    problem_free(&problem);
  }
}

/// Compares d with the values of indicator rewards: sum_s d(s) f(s) = (1 - gamma) E[sum gamma^t
/// f(s_t)].
static void distributions(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    const ProblemSpec spec = random_spec(seed);
    const int64_t S = spec.states;
    Problem problem;
    problem_make(&problem, &spec, seed);
    double pi[PAIRS], swept[MOST], direct[MOST], krylov[MOST], sum[MOST] = {0}, *p;
    random_policy(&problem.mdp, pi, seed);
    assert_ok(cel_discounted_distribution(&problem.mdp, pi, spec.discount, CEL_EVALUATE_SWEEPS,
                                          1e-14, swept));
    assert_ok(cel_discounted_distribution(&problem.mdp, pi, spec.discount, CEL_EVALUATE_DIRECT, 0,
                                          direct));
    assert_ok(cel_discounted_distribution(&problem.mdp, pi, spec.discount, CEL_EVALUATE_KRYLOV,
                                          1e-13, krylov));
    enum { T = 4000 };
    p = malloc((size_t)((T + 1) * S) * sizeof *p);
    assert_ok(cel_state_distribution(&problem.mdp, pi, T, p));
    double discount = 1.0 - spec.discount, mass = 0.0;
    for (int64_t t = 0; t <= T; t++, discount *= spec.discount)
      for (int64_t s = 0; s < S; s++) sum[s] += discount * p[t * S + s];
    for (int64_t s = 0; s < S; s++) {
      assert_true(fabs(swept[s] - direct[s]) <= 1e-12);
      assert_true(fabs(sum[s] - direct[s]) <= 1e-12);
      assert_true(fabs(krylov[s] - direct[s]) <= 1e-12);
      mass += direct[s];
    }
    if (!spec.terminals) assert_true(fabs(mass - 1.0) <= 1e-12);
    if (spec.terminals && spec.discount > 0.0) assert_true(mass < 1.0);
    // J from the values must equal J from the state distribution.
    double V[MOST], J = 0.0;
    assert_ok(cel_mdp_evaluate(&problem.mdp, pi, 0.3, spec.discount, CEL_EVALUATE_DIRECT, 0, V,
                               NULL, NULL));
    for (int64_t s = 0; s < S; s++)
      for (int64_t k = problem.pair[s]; k < problem.pair[s + 1]; k++)
        if (pi[k] > 0.0)
          J += direct[s] * pi[k] * (problem.reward[k] - 0.3 * log(pi[k])) / (1.0 - spec.discount);
    assert_true(fabs(J - cel_value_start(&problem.mdp, V)) <= 1e-10 * fmax(1.0, fabs(J)));
    free(p);
    problem_free(&problem);
  }
}

/// An MDP with too many states for the dense solver, and with rows of many lengths. Rows are laid
/// out in another order, so the sparse solver's rows are not filled in the order of the states.
static void sparse_rows_of_many_lengths(void **state) {
  (void)state;
  if (celi_direct_check(1000) != CEL_OK) skip(); // a build without SuiteSparse
  const ProblemSpec spec = {.states = 1000,
                            .actions = 20,
                            .branching = 10,
                            .discount = 0.9,
                            .reward_scale = 1.0,
                            .ragged = true,
                            .terminals = true};
  Problem problem;
  problem_make(&problem, &spec, 5);
  double *pi = calloc((size_t)problem.mdp.pairs, sizeof *pi), bound[2];
  double *V = calloc(4000, sizeof *V), *swept = V + 1000, *d = swept + 1000, *p = d + 1000;
  random_policy(&problem.mdp, pi, 5);
  assert_ok(cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9, CEL_EVALUATE_SWEEPS, 1e-13, swept, NULL,
                             &bound[0]));
  assert_ok(
      cel_mdp_evaluate(&problem.mdp, pi, 0.1, 0.9, CEL_EVALUATE_DIRECT, 0, V, NULL, &bound[1]));
  assert_true(bound[1] <= 2.0 * bound[0]);
  assert_ok(cel_discounted_distribution(&problem.mdp, pi, 0.9, CEL_EVALUATE_SWEEPS, 1e-14, p));
  assert_ok(cel_discounted_distribution(&problem.mdp, pi, 0.9, CEL_EVALUATE_DIRECT, 0, d));
  for (int s = 0; s < 1000; s++) {
    assert_true(fabs(V[s] - swept[s]) <= bound[0] + bound[1]);
    assert_true(fabs(d[s] - p[s]) <= 1e-13);
  }
  free(V), free(pi);
  problem_free(&problem);
}

/// On a grid with obstacles and episodes of ten thousand steps, compares Krylov with a sum of
/// terms.
static void distribution_of_a_grid(void **state) {
  (void)state;
  const CelMdpGenerator *generator;
  CelMdp *mdp;
  assert_ok(cel_mdp_generator_find("grid", &generator));
  void *config = calloc(1, generator->config_size);
  cel_fields_default(generator->fields, config);
  assert_ok(cel_fields_set(generator->fields, config, "obstacles", "0.1"));
  assert_ok(cel_mdp_generate(&mdp, "grid", config));
  double *pi = calloc((size_t)mdp->pairs, sizeof *pi);
  double *d = calloc((size_t)mdp->states, sizeof *d), *wanted = calloc((size_t)mdp->states, 8);
  random_policy(mdp, pi, 3);
  for (double gamma = 0.9; gamma < 0.99995; gamma = 1.0 - (1.0 - gamma) / 10.0) {
    double off = 0.0;
    assert_ok(cel_discounted_distribution(mdp, pi, gamma, CEL_EVALUATE_SWEEPS, 1e-11, wanted));
    assert_ok(cel_discounted_distribution(mdp, pi, gamma, CEL_EVALUATE_KRYLOV, 1e-9, d));
    for (int64_t s = 0; s < mdp->states; s++) off += fabs(d[s] - wanted[s]);
    if (!(off <= 1.1e-9))
      fail_msg("gamma %g: the distributions differ by a mass of %g", gamma, off);
  }
  free(pi), free(d), free(wanted), free(config);
  cel_mdp_destroy(mdp);
}

/// The expected sum from state s at time t on, by enumerating all outcomes.
static double enumerate(const CelMdp *mdp, const double *pi, double alpha, double gamma, int64_t t,
                        int64_t T, int64_t s) {
  double value = 0.0;
  if (t == T) return 0.0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    const double probability = pi[t * mdp->pairs + p];
    if (!(probability > 0.0)) continue;
    double rest = mdp->reward[p] - alpha * log(probability);
    for (int64_t k = mdp->row[p]; k < mdp->row[p + 1]; k++)
      if (!mdp->ends || !mdp->ends[k])
        rest += gamma * mdp->probability[k] *
                enumerate(mdp, pi, alpha, gamma, t + 1, T, cel_mdp_next(mdp, k));
    value += probability * rest;
  }
  return value;
}

static void finite_horizons(void **state) {
  (void)state;
  enum { T = 4 };
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const ProblemSpec spec = {.states = 4,
                              .actions = 2,
                              .branching = 3,
                              .discount = 0.9,
                              .reward_scale = 1.0,
                              .ragged = true,
                              .terminals = seed % 2 == 0};
    Problem problem;
    problem_make(&problem, &spec, seed);
    double pi[T * PAIRS], V[T * MOST], Q[T * PAIRS];
    for (int64_t t = 0; t < T; t++)
      random_policy(&problem.mdp, pi + t * problem.mdp.pairs, seed + 100 * (uint64_t)t);
    const double gamma = seed % 3 ? 0.9 : 1.0;
    assert_ok(cel_mdp_evaluate_horizon(&problem.mdp, pi, 0.2, gamma, T, V, Q));
    for (int64_t t = 0; t < T; t++)
      for (int64_t s = 0; s < 4; s++)
        assert_true(fabs(V[t * 4 + s] - enumerate(&problem.mdp, pi, 0.2, gamma, t, T, s)) < 1e-13);
    problem_free(&problem);
  }
}

static void bad_policies(void **state) {
  (void)state;
  const ProblemSpec spec = {
      .states = 5, .actions = 2, .branching = 2, .discount = 0.9, .reward_scale = 1.0};
  Problem problem;
  problem_make(&problem, &spec, 1);
  double pi[PAIRS], V[MOST];
  random_policy(&problem.mdp, pi, 1);
  pi[7] += 0.1;
  assert_int_equal(
      cel_mdp_evaluate(&problem.mdp, pi, 0, 0.9, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, NULL),
      CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "state 3"));
  pi[7] = (double)NAN;
  assert_int_equal(
      cel_mdp_evaluate(&problem.mdp, pi, 0, 0.9, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, NULL),
      CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "action 1"));
  random_policy(&problem.mdp, pi, 1);
  assert_int_equal(
      cel_mdp_evaluate(&problem.mdp, pi, 0, 1.0, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, NULL),
      CEL_E_RANGE);
  assert_int_equal(cel_mdp_evaluate(&problem.mdp, pi, 0, 1.0 - 0x1p-53, CEL_EVALUATE_DIRECT, 1e-9,
                                    V, NULL, NULL),
                   CEL_E_RANGE);
  double bound = 0;
  for (int p = 0; p < 10; p += 2) pi[p] *= 1.0 + 4e-10, pi[p + 1] *= 1.0 + 4e-10;
  assert_ok(cel_mdp_evaluate(&problem.mdp, pi, 0, 1.0 - 1e-10, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL,
                             &bound)); // rows that sum to more than 1/gamma have no finite values
  assert_true(isinf(bound) && isfinite(V[0]));
  random_policy(&problem.mdp, pi, 1);
  assert_int_equal(
      cel_mdp_evaluate(&problem.mdp, pi, -1, 0.9, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, NULL),
      CEL_E_RANGE);
  assert_int_equal(cel_mdp_evaluate_horizon(&problem.mdp, pi, 0, 1.0, 0, V, V), CEL_E_RANGE);
  assert_int_equal(cel_discounted_distribution(&problem.mdp, pi, 1.0, CEL_EVALUATE_KRYLOV, 1e-9, V),
                   CEL_E_RANGE);
  assert_int_equal(
      cel_discounted_distribution(&problem.mdp, pi, 0.9, (CelEvaluateMethod)9, 1e-9, V),
      CEL_E_RANGE);
  problem_free(&problem);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_method_is_certified), cmocka_unit_test(distributions),
      cmocka_unit_test(distribution_of_a_grid),    cmocka_unit_test(sparse_rows_of_many_lengths),
      cmocka_unit_test(finite_horizons),           cmocka_unit_test(bad_policies),
  };
  return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
