/// Certificates at the limit of double precision, compared with long double. A bound must include
/// rounding errors and those of every later step. Large penalties of actions that are never taken
/// must not widen it.
#include "celsius/improve.h"
#include "celsius/q_learning.h"
#include "celsius/solve.h"
#include "mdp/operator/operator.h"
#include "mdp/problems.h"
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

enum { MOST = 40 };
enum { METHODS = CEL_SOLVE_NEWTON + 1 };
static const double ALPHAS[] = {0.0, 0.1, 1.0};

static double distance(const double *V, const long double *exact, int64_t S) {
  long double most = 0.0L;
  for (int64_t s = 0; s < S; s++) most = fmaxl(most, fabsl((long double)V[s] - exact[s]));
  return (double)most;
}

/// Adds an action of reward -penalty to every state, as the last one. It leads to the state itself.
static void add_penalties(Problem *to, const Problem *from, double penalty) {
  const CelMdp *mdp = &from->mdp;
  const int64_t S = mdp->states;
  *to = (Problem){.pair = calloc((size_t)S + 1, 8),
                  .row = calloc((size_t)(mdp->pairs + S) + 1, 8),
                  .next = calloc((size_t)(mdp->transitions + S), 4),
                  .probability = calloc((size_t)(mdp->transitions + S), 8),
                  .reward = calloc((size_t)(mdp->pairs + S), 8)};
  int64_t p = 0, t = 0;
  for (int64_t s = 0; s < S; s++) {
    for (int64_t q = from->pair[s]; q < from->pair[s + 1]; q++) {
      to->reward[p] = from->reward[q];
      for (int64_t i = from->row[q]; i < from->row[q + 1]; i++, t++)
        to->next[t] = from->next[i], to->probability[t] = from->probability[i];
      to->row[++p] = t;
    }
    to->reward[p] = -penalty;
    to->next[t] = (uint32_t)s, to->probability[t] = 1.0, t++;
    to->row[++p] = t;
    to->pair[s + 1] = p;
  }
  to->mdp = *mdp;
  to->mdp.pairs = p, to->mdp.transitions = t, to->mdp.max_actions = mdp->max_actions + 1;
  to->mdp.pair = to->pair, to->mdp.row = to->row, to->mdp.next32 = to->next;
  to->mdp.probability = to->probability, to->mdp.reward = to->reward;
}

/// At alpha of at most 1 the weight of such an action is at most exp(-10^6). So the exact values
/// are those without it.
static void penalties_do_not_widen_the_bound(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= (LDBL_MANT_DIG > 64 ? 2 : 12); seed++) {
    const ProblemSpec spec = {.states = 4 + (int64_t)seed * 3,
                              .actions = 3,
                              .branching = 3,
                              .discount = 0.98,
                              .reward_scale = 1.0,
                              .ragged = seed % 2};
    Problem plain, problem;
    problem_make(&plain, &spec, seed);
    const double alpha = ALPHAS[seed % 3];
    long double exact[MOST];
    exact_solve(&plain.mdp, alpha, spec.discount, exact);
    for (int e = 6; e <= 18; e += 3) {
      add_penalties(&problem, &plain, pow(10.0, e));
      for (int method = 0; method < METHODS; method++) {
        CelSolveConfig config = cel_solve_config_default();
        config.alpha = alpha, config.method = (CelSolveMethod)method, config.tolerance = 1e-11;
        CelSolution *solution;
        assert_ok(cel_solve(&problem.mdp, &config, &solution));
        const double error = distance(solution->V, exact, spec.states);
        if (!(error <= solution->bound && solution->bound < 1e-9 && solution->certified))
          fail_msg("seed %d, penalty 1e%d, method %d, alpha %g: error %g, bound %g", (int)seed, e,
                   method, alpha, error, solution->bound);
        cel_solution_destroy(solution);
      }
      problem_free(&problem);
    }
    problem_free(&plain);
  }
}

/// Two states. "work" stays, and "rest" leads to the second state. Work earns 1 in the first state
/// and -penalty in the second.
static void one_penalty(void **state) {
  (void)state;
  const int64_t pair[] = {0, 2, 4}, row[] = {0, 1, 2, 3, 4};
  const uint32_t next[] = {0, 1, 1, 1};
  const double p[] = {1, 1, 1, 1}, start[] = {0.5, 0.5};
  for (int e = 6; e <= 18; e++)
    for (int a = 0; a < 2; a++)
      for (int method = 0; method < METHODS; method++) {
        const double r[] = {1, 0, -pow(10.0, e), 0};
        const CelMdp mdp = {.states = 2,
                            .pairs = 4,
                            .transitions = 4,
                            .max_actions = 2,
                            .discount = 0.99,
                            .pair = pair,
                            .row = row,
                            .next32 = next,
                            .probability = p,
                            .reward = r,
                            .start = start};
        CelSolveConfig config = cel_solve_config_default();
        config.alpha = ALPHAS[a], config.method = (CelSolveMethod)method, config.tolerance = 1e-12;
        CelSolution *solution;
        assert_ok(cel_solve(&mdp, &config, &solution));
        const long double exact = 0.5L / (1.0L - (long double)0.99); // up to e^-990
        const long double off = fabsl((long double)solution->value_start - exact);
        if (!(off <= (long double)solution->bound && solution->bound < 1e-9))
          fail_msg("1e%d, alpha %g, method %d: J is off by %Lg, bound %g", e, ALPHAS[a], method,
                   off, solution->bound);
        cel_solution_destroy(solution);
      }
}

// ---- one sweep

/// Rewards and values of many magnitudes, so that every term of the bound matters.
static void scatter(Problem *problem, double *V, uint64_t seed) {
  const double size = pow(10.0, (double)(seed % 7) - 3.0);
  for (int64_t p = 0; p < problem->mdp.pairs; p++) {
    const double u = problem_uniform(&seed), v = problem_uniform(&seed);
    problem->reward[p] = u < 0.3 ? -pow(10.0, 18.0 * v) : size * (v - 0.5);
  }
  for (int64_t s = 0; s < problem->mdp.states; s++) V[s] = size * (problem_uniform(&seed) - 0.3);
}

static void sweep_errors_are_within_the_bound(void **state) {
  (void)state;
  double tightest = 0.0;
  for (uint64_t seed = 1; seed <= (LDBL_MANT_DIG > 64 ? 60 : 600); seed++) {
    const double alphas[] = {0.0, 1e-3, 0.1, 1.0, 100.0}, alpha = alphas[seed % 5];
    const ProblemSpec spec = {.states = MOST,
                              .actions = 1 + (int64_t)(seed % 40),
                              .branching = 1 + (int64_t)(seed / 3 % 30),
                              .discount = 0.97,
                              .reward_scale = 1.0,
                              .ragged = seed % 2};
    Problem problem;
    problem_make(&problem, &spec, seed);
    CeliOperator *op;
    double scattered[MOST], *V, *TV;
    scatter(&problem, scattered, seed);
    assert_ok(celi_operator_create(&op, &problem.mdp, spec.discount, 1, 0));
    assert_ok(celi_operator_vector(op, &V));
    assert_ok(celi_operator_vector(op, &TV));
    memcpy(V, scattered, sizeof scattered);
    const CeliResidual found = celi_operator_sweep(op, alpha, TV, V);
    const double rounding = celi_rounding_optimal(&op->shape, spec.discount, alpha, &found);
    long double exact[MOST], pi[64], *Q = calloc((size_t)problem.mdp.pairs, sizeof *Q);
    for (int64_t s = 0; s < MOST; s++) exact[s] = (long double)V[s];
    exact_q(&problem.mdp, (long double)spec.discount, exact, Q);
    for (int64_t s = 0; s < MOST; s++)
      exact[s] = exact_soft_max(Q + problem.pair[s], problem.pair[s + 1] - problem.pair[s],
                                (long double)alpha, pi);
    const double error = distance(TV, exact, MOST);
    if (!(error <= rounding))
      fail_msg("seed %d, alpha %g: the error of TV is %g, bound %g", (int)seed, alpha, error,
               rounding);
    tightest = fmax(tightest, error / rounding);
    free(Q), free(V), free(TV);
    celi_operator_destroy(op);
    problem_free(&problem);
  }
  print_message("largest ratio of error to bound: %.2f\n", tightest);
  assert_true(tightest > 0.1); // a bound that is far too wide would hide errors
}

// ---- a given policy

static void rare_penalties_of_a_policy(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 24; seed++) {
    const ProblemSpec spec = {
        .states = 15, .actions = 3, .branching = 3, .discount = 0.95, .reward_scale = 1.0};
    Problem plain, problem;
    problem_make(&plain, &spec, seed);
    const double penalty = pow(10.0, 6.0 + (double)(seed % 13));
    add_penalties(&problem, &plain, penalty);
    const int64_t pairs = problem.mdp.pairs;
    double *pi = calloc((size_t)pairs, sizeof *pi), V[MOST], bound;
    long double *exact_pi = calloc((size_t)pairs, sizeof *exact_pi), exact[MOST];
    // A quarter each, but almost nothing or nothing for the penalized action.
    for (int64_t p = 0; p < pairs; p++)
      pi[p] = p % 4 < 2 ? 0.25 : p % 4 == 2 ? 0.5 : seed % 2 ? 0x1p-60 / penalty : 0.0;
    for (int64_t p = 0; p < pairs; p++) exact_pi[p] = (long double)pi[p];
    const double alpha = ALPHAS[seed % 3];
    exact_evaluate(&problem.mdp, exact_pi, (long double)alpha, (long double)spec.discount, exact);
    for (int method = CEL_EVALUATE_SWEEPS; method <= CEL_EVALUATE_KRYLOV; method++) {
      const CelStatus status = cel_mdp_evaluate(&problem.mdp, pi, alpha, spec.discount,
                                                (CelEvaluateMethod)method, 1e-13, V, NULL, &bound);
      if (status == CEL_E_UNSUPPORTED) continue; // built without SuiteSparse
      assert_int_equal(status, CEL_OK);
      const double error = distance(V, exact, spec.states);
      if (!(error <= bound && bound < 1e-11))
        fail_msg("seed %d, penalty %g, method %d: error %g, bound %g", (int)seed, penalty, method,
                 error, bound);
    }
    free(pi), free(exact_pi);
    problem_free(&problem), problem_free(&plain);
  }
}

// ---- the rounding of a computed fixed point

/// One state, one action.
static CelMdp chain(const double *r, double discount) {
  static const int64_t pair[] = {0, 1}, row[] = {0, 1};
  static const uint32_t next[] = {0};
  static const double one[] = {1};
  return (CelMdp){.states = 1,
                  .pairs = 1,
                  .transitions = 1,
                  .max_actions = 1,
                  .discount = discount,
                  .pair = pair,
                  .row = row,
                  .next32 = next,
                  .probability = one,
                  .reward = r,
                  .start = one};
}

/// A Q that equals its own computed backup has residual 0, but is still wrong.
static void fixed_q_is_not_exact(void **state) {
  (void)state;
  int wrong = 0;
  for (int i = 1; i <= 100; i++) {
    const double r = 0.1 * i, gamma = 0.999;
    const CelMdp mdp = chain(&r, gamma);
    double Q = 0.0, before = -1.0, residual, bound;
    for (int k = 0; k < 200000 && Q != before; k++) before = Q, Q = r + gamma * Q;
    assert_ok(cel_q_certificate(&mdp, &Q, 0.0, gamma, &residual, &bound));
    const long double exact = (long double)r / (1.0L - (long double)gamma);
    const long double error = fabsl((long double)Q - exact);
    assert_true(residual == 0.0);
    if (!(error <= (long double)bound)) fail_msg("r %g: error %Lg, bound %g", r, error, bound);
    assert_true(bound < 1e-8 * Q);
    wrong += error > 0.0L;
  }
  assert_true(wrong > 50);
}

// ---- a finite horizon

/// V_0 = T r with discount 1. The sums of doubles drift away from it by much more than one step's
/// error.
static void bound_counts_later_steps(void **state) {
  (void)state;
  const double r = 0.1;
  CelMdp mdp = chain(&r, 1.0);
  mdp.horizon = 1000000;
  for (int a = 0; a < 2; a++) {
    CelSolveConfig config = cel_solve_config_default();
    CelSolution *solution;
    config.alpha = ALPHAS[a];
    assert_ok(cel_solve(&mdp, &config, &solution));
    const long double exact = (long double)r * (long double)mdp.horizon;
    const long double error = fabsl((long double)solution->V[0] - exact);
    assert_true(error > 1e-7L);
    if (!(error <= (long double)solution->bound && solution->bound < 1e-3))
      fail_msg("error %Lg, bound %g", error, solution->bound);
    cel_solution_destroy(solution);
  }
}

/// Two actions of equal value that differ by rounding: 0.1 + 0.2 is above 0.3 in double precision.
static void ties_within_the_bound(void **state) {
  (void)state;
  // In state 0, action 0 pays 0.3 and ends. Action 1 pays 0.1 and leads to state 1, which pays 0.2
  // and ends.
  const int64_t pair[] = {0, 2, 3}, row[] = {0, 1, 2, 3};
  const uint32_t next[] = {0, 1, 1};
  const uint8_t ends[] = {1, 0, 1};
  const double p[] = {1, 1, 1}, start[] = {1, 0};
  const double r[] = {0.3, 0.1, 0.2};
  CelMdp mdp = {.states = 2,
                .pairs = 3,
                .transitions = 3,
                .max_actions = 2,
                .discount = 0.5,
                .pair = pair,
                .row = row,
                .next32 = next,
                .probability = p,
                .reward = r,
                .ends = ends,
                .start = start};
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = 0.0, config.tolerance = 1e-12;
  const double later[] = {0.3, 0.1, 0.4}; // 0.1 + 0.5 * 0.4
  for (int horizon = 0; horizon <= 2; horizon += 2) {
    mdp.horizon = horizon;
    mdp.discount = horizon ? 1.0 : 0.5;
    mdp.reward = horizon ? r : later;
    for (int method = 0; method < (horizon ? 1 : METHODS); method++) {
      CelSolution *solution;
      config.method = (CelSolveMethod)method;
      assert_ok(cel_solve(&mdp, &config, &solution));
      assert_true(solution->Q[0] != solution->Q[1]);
      assert_true(fabs(solution->Q[0] - solution->Q[1]) < 1e-15);
      if (!(solution->pi[0] == 0.5 && solution->pi[1] == 0.5))
        fail_msg("horizon %d, method %d: pi %g %g", horizon, method, solution->pi[0],
                 solution->pi[1]);
      cel_solution_destroy(solution);
    }
  }
}

// ---- conservative steps

/// An action that is better by less than a unit in the last place. No gain is found, but the gap is
/// not 0.
static void tiny_gains_are_in_the_gap(void **state) {
  (void)state;
  const int64_t pair[] = {0, 2, 3}, row[] = {0, 1, 2, 3};
  const uint32_t next[] = {0, 1, 1};
  const uint8_t ends[] = {1, 0, 1};
  const double p[] = {1, 1, 1}, r[] = {1, 1, 0x1p-60}, start[] = {1, 0};
  const CelMdp mdp = {.states = 2,
                      .pairs = 3,
                      .transitions = 3,
                      .max_actions = 2,
                      .discount = 0.9,
                      .pair = pair,
                      .row = row,
                      .next32 = next,
                      .probability = p,
                      .reward = r,
                      .ends = ends,
                      .start = start};
  double pi[] = {1, 0, 1};
  CelConservativeStep last;
  assert_ok(cel_conservative_iteration(&mdp, NULL, pi, &last));
  assert_true(last.stopped && pi[0] == 1.0);
  assert_true(last.gap >= 0.9 * 0x1p-60); // J* - J
  assert_true(last.gap < 1e-12);
}

typedef struct Steps {
  const CelMdp *mdp;
  const double *pi; ///< (pairs) current policy of the iteration
  long double J;    ///< J of the policy before the step
  int n, tight, broken;
} Steps;

static long double exact_J(const CelMdp *mdp, const double *pi) {
  long double exact_pi[16], V[MOST], J = 0.0L;
  for (int64_t s = 0; s < mdp->states; s++) { // rows that sum to exactly 1
    long double sum = 0.0L;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) sum += (long double)pi[p];
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      exact_pi[p] = (long double)pi[p] / sum;
  }
  exact_evaluate(mdp, exact_pi, 0.0L, (long double)mdp->discount, V);
  for (int64_t s = 0; s < mdp->states; s++) J += (long double)mdp->start[s] * V[s];
  return J;
}

static bool look_at_step(void *user, int64_t iteration, const CelConservativeStep *step) {
  Steps *steps = user;
  (void)iteration;
  if (step->stopped) return false;
  const long double J = exact_J(steps->mdp, steps->pi), gain = J - steps->J;
  steps->n++;
  steps->broken += gain < (long double)step->lower_bound;
  steps->tight += gain < (long double)(step->lower_bound + step->rounding);
  steps->J = J;
  return true;
}

/// One state and discount 0: the bound equals the gain, except for its rounding terms.
static void bound_stays_below_the_gain(void **state) {
  (void)state;
  const int64_t pair[] = {0, 3}, row[] = {0, 1, 2, 3};
  const uint32_t next[] = {0, 0, 0};
  const double p[] = {1, 1, 1}, start[] = {1};
  Steps steps = {0};
  CelConservativeConfig config = cel_conservative_config_default();
  config.step = look_at_step, config.user = &steps, config.tolerance = 0.0;
  uint64_t seed = 7;
  for (int i = 0; i < 200; i++) {
    const double r[] = {problem_uniform(&seed), problem_uniform(&seed), problem_uniform(&seed)};
    const CelMdp mdp = {.states = 1,
                        .pairs = 3,
                        .transitions = 3,
                        .max_actions = 3,
                        .discount = 0.0,
                        .pair = pair,
                        .row = row,
                        .next32 = next,
                        .probability = p,
                        .reward = r,
                        .start = start};
    double pi[] = {1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0};
    steps.mdp = &mdp, steps.pi = pi, steps.J = exact_J(&mdp, pi);
    assert_ok(cel_conservative_iteration(&mdp, &config, pi, NULL));
  }
  if (steps.broken) fail_msg("%d of %d bounds are above the gain", steps.broken, steps.n);
  assert_true(steps.n >= 200);
  assert_true(steps.tight >= 20); // without its rounding terms the bound would exceed the gain
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_penalty),
      cmocka_unit_test(penalties_do_not_widen_the_bound),
      cmocka_unit_test(sweep_errors_are_within_the_bound),
      cmocka_unit_test(rare_penalties_of_a_policy),
      cmocka_unit_test(fixed_q_is_not_exact),
      cmocka_unit_test(bound_counts_later_steps),
      cmocka_unit_test(ties_within_the_bound),
      cmocka_unit_test(tiny_gains_are_in_the_gap),
      cmocka_unit_test(bound_stays_below_the_gain),
  };
  return cmocka_run_group_tests_name("rounding", tests, NULL, NULL);
}
