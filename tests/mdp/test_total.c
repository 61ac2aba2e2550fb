/// Compares cel_solve_total with exact rational solutions of small random problems, and with known
/// values of hand-made ones.
#include "base/base_test.h"
#include "mdp/total_oracle.h"
#include <float.h>

static long double as_number(Rational x) {
  if (x.den == 0) return x.num > 0 ? HUGE_VALL : -HUGE_VALL;
  return (long double)x.num / (long double)x.den;
}

typedef struct Count {
  int finite, infinite, exact, refused, certified;
  double widest;
} Count;

/// The value of the deterministic policy pi at every state must not be worse than the bound.
static void check_policy(const OracleProblem *o, const CelSolution *solution, bool probability,
                         CelTotalUnreached unreached, bool min, const char *label) {
  Chain c = {.o = o};
  Rational V[ORACLE_STATES];
  bool undecided = false;
  for (int s = 0; s < o->states; s++) {
    for (int a = 0; a < o->actions[s]; a++)
      if (solution->pi[o->built.pair[s] + a] > solution->pi[o->built.pair[s] + c.action[s]])
        c.action[s] = a;
    if (!isfinite(solution->V[s]) || o->target[s] || o->actions[s] == 0) continue;
    if (solution->pi[o->built.pair[s] + c.action[s]] != 1.0)
      fail_msg("%s: state %d: the policy takes more than one action", label, s);
  }
  chain_make(&c);
  if (probability)
    chain_probability(&c, V);
  else
    chain_reward(&c, unreached, min ? -1 : 1, V, &undecided);
  for (int s = 0; s < o->states; s++) {
    if (!isfinite(solution->V[s])) continue;
    const long double value = as_number(V[s]);
    if (min ? value > (long double)solution->upper[s] : value < (long double)solution->lower[s])
      fail_msg("%s: state %d: the policy's value is %.17Lg, the bounds [%.17g, %.17g]", label, s,
               value, solution->lower[s], solution->upper[s]);
  }
}

static void compare(const OracleProblem *o, bool probability, CelTotalUnreached unreached, bool min,
                    CelSolveMethod method, const char *label, Count *count) {
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution = NULL;
  OracleAnswer answer;
  oracle_solve(o, probability, unreached, min, &answer);
  total.objective = probability ? CEL_TOTAL_PROBABILITY : CEL_TOTAL_REWARD;
  total.unreached = probability ? CEL_UNREACHED_AUTO : unreached;
  total.min = min;
  config.alpha = 0.0, config.method = method;
  const CelStatus status = cel_solve_total(&o->built.mdp, o->target, &total, &config, &solution);
  if (status == CEL_E_UNSUPPORTED && answer.undecided) {
    count->refused++;
    return;
  }
  if (status != CEL_OK) fail_msg("%s: %s", label, cel_error());
  for (int s = 0; s < o->states; s++) {
    const long double exact = as_number(answer.V[s]);
    if (answer.undecided) continue; // the oracle has no answer
    if (!((long double)solution->lower[s] <= exact && exact <= (long double)solution->upper[s]) ||
        isfinite(solution->V[s]) != (answer.V[s].den != 0))
      fail_msg("%s: state %d: the exact value is %.17Lg, the bounds [%.17g, %.17g]", label, s,
               exact, solution->lower[s], solution->upper[s]);
    if (answer.V[s].den == 0)
      count->infinite++;
    else
      count->finite++;
    count->exact += solution->lower[s] == solution->upper[s] && answer.V[s].den != 0;
  }
  if (!answer.undecided) check_policy(o, solution, probability, unreached, min, label);
  if (!solution->certified) fail_msg("%s: not certified: bound %g", label, solution->bound);
  count->certified++;
  count->widest = fmax(count->widest, solution->bound);
  cel_solution_destroy(solution);
}

enum { PROBLEMS = 1000 };
static const CelSolveMethod METHODS[] = {CEL_SOLVE_AUTO, CEL_SOLVE_VI, CEL_SOLVE_GAUSS_SEIDEL,
                                         CEL_SOLVE_NEWTON};

static void report(const char *what, const Count *count) {
  print_message("%s: %d finite values (%d exact), %d infinite, %d problems certified, %d refused, "
                "widest bound %.2g\n",
                what, count->finite, count->exact, count->infinite, count->certified,
                count->refused, count->widest);
}

static void probabilities_contain_the_exact_value(void **state) {
  (void)state;
  Count count = {0};
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    OracleProblem o;
    char label[64];
    oracle_make(&o, 1, seed);
    for (int min = 0; min < 2; min++) {
      snprintf(label, sizeof label, "seed %d, %s probability", (int)seed, min ? "min" : "max");
      compare(&o, true, CEL_UNREACHED_SUM, min, METHODS[seed % 4], label, &count);
    }
    problem_free(&o.built);
  }
  report("probabilities", &count);
  assert_in_range(count.finite, 5000, 20000);
  assert_int_equal(count.refused, 0);
}

/// Rewards of one sign: every problem has an answer.
static void rewards_contain_the_exact_value(void **state) {
  (void)state;
  static const char *const names[] = {"auto", "sum", "forbidden", "infinite"};
  Count count = {0};
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    OracleProblem o;
    char label[96];
    const CelTotalUnreached unreached = (CelTotalUnreached)(1 + seed % 3);
    oracle_make(&o, seed % 2 ? 1 : -1, seed);
    for (int min = 0; min < 2; min++) {
      snprintf(label, sizeof label, "seed %d, %s reward, %s", (int)seed, min ? "min" : "max",
               names[unreached]);
      compare(&o, false, unreached, min, METHODS[seed / 3 % 4], label, &count);
    }
    problem_free(&o.built);
  }
  report("rewards of one sign", &count);
  assert_in_range(count.finite, 3000, 20000);
  assert_in_range(count.infinite, 500, 20000);
  assert_int_equal(count.refused, 0);
}

static void mixed_rewards_contain_the_exact_value(void **state) {
  (void)state;
  Count count = {0};
  for (uint64_t seed = 1; seed <= PROBLEMS; seed++) {
    OracleProblem o;
    char label[96];
    const CelTotalUnreached unreached = seed % 2 ? CEL_UNREACHED_SUM : CEL_UNREACHED_FORBIDDEN;
    oracle_make(&o, 0, seed);
    for (int min = 0; min < 2; min++) {
      snprintf(label, sizeof label, "seed %d, %s mixed reward, %s", (int)seed, min ? "min" : "max",
               seed % 2 ? "sum" : "forbidden");
      compare(&o, false, unreached, min, METHODS[seed / 2 % 4], label, &count);
    }
    problem_free(&o.built);
  }
  report("rewards of both signs", &count);
  assert_in_range(count.finite, 2000, 20000);
  assert_in_range(count.infinite, 500, 20000);
  assert_in_range(count.refused, 0, 100);
}

// ---- soft

typedef struct SoftCount {
  int finite, infinite, unclear, refused;
  double widest;
} SoftCount;

static void compare_soft(const OracleProblem *o, bool probability, CelTotalUnreached unreached,
                         bool min, double alpha, const char *label, SoftCount *count) {
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution = NULL;
  OracleAnswer best;
  long double V[ORACLE_STATES];
  oracle_solve(o, probability, unreached, min, &best);
  const int known = oracle_soft(o, probability, min, (long double)alpha, &best, unreached, V);
  total.objective = probability ? CEL_TOTAL_PROBABILITY : CEL_TOTAL_REWARD;
  total.unreached = probability ? CEL_UNREACHED_AUTO : unreached;
  total.min = min;
  config.alpha = alpha;
  const CelStatus status = cel_solve_total(&o->built.mdp, o->target, &total, &config, &solution);
  if (known < 0) {
    count->unclear++;
    cel_solution_destroy(solution);
    return;
  }
  if (status == CEL_E_UNSUPPORTED) {
    count->refused++;
    return;
  }
  if (status != CEL_OK) fail_msg("%s: %s", label, cel_error());
  bool endless = false;
  for (int s = 0; s < o->states; s++) endless |= solution->V[s] == (min ? -HUGE_VAL : HUGE_VAL);
  if (endless == (known == 1))
    fail_msg("%s: the library says %s, the oracle %s: %s", label, endless ? "infinite" : "finite",
             known ? "finite" : "infinite", solution->infinite);
  count->infinite += endless;
  for (int s = 0; s < o->states && known == 1; s++) {
    const long double slack = 1e-16L * fmaxl(1.0L, isfinite(V[s]) ? fabsl(V[s]) : 0.0L);
    if (!(solution->lower[s] - slack <= V[s] && V[s] <= solution->upper[s] + slack))
      fail_msg("%s: state %d: the value is %.19Lg, the bounds [%.17g, %.17g]", label, s, V[s],
               solution->lower[s], solution->upper[s]);
    count->finite += isfinite(solution->V[s]);
  }
  if (known == 1 && !solution->certified)
    fail_msg("%s: not certified: bound %g", label, solution->bound);
  count->widest = fmax(count->widest, solution->bound);
  cel_solution_destroy(solution);
}

static void soft_values_are_between_the_bounds(void **state) {
  (void)state;
  static const double alphas[] = {0.05, 0.3, 0.7, 1.0, 3.0};
  SoftCount count = {0};
  // Emulated 113-bit long doubles would take minutes on all of them.
  const uint64_t step = LDBL_MANT_DIG > 64 ? 20 : 1;
  for (uint64_t seed = 1; seed <= PROBLEMS; seed += step) {
    OracleProblem o;
    char label[96];
    const double alpha = alphas[seed % 5];
    const bool min = seed / 5 % 2;
    const CelTotalUnreached unreached = seed / 10 % 2 ? CEL_UNREACHED_SUM : CEL_UNREACHED_FORBIDDEN;
    oracle_make(&o, min ? 1 : -2, seed);
    for (int s = 0; s < o.states && min; s++) // costs to minimize
      for (int a = 0; a < o.actions[s]; a++)
        o.reward[s][a]++, o.built.reward[o.built.pair[s] + a] += 1.0;
    snprintf(label, sizeof label, "seed %d, soft %s reward, alpha %g", (int)seed,
             min ? "min" : "max", alpha);
    compare_soft(&o, false, unreached, min, alpha, label, &count);
    snprintf(label, sizeof label, "seed %d, soft %s probability, alpha %g", (int)seed,
             min ? "min" : "max", alpha);
    compare_soft(&o, true, CEL_UNREACHED_SUM, min, alpha, label, &count);
    problem_free(&o.built);
  }
  print_message("soft: %d finite values, %d problems infinite, %d not clear, %d refused, widest "
                "bound %.2g\n",
                count.finite, count.infinite, count.unclear, count.refused, count.widest);
  assert_in_range(count.finite, 3000 / step, 20000);
  assert_in_range(count.infinite, 200 / step, 2000);
  assert_in_range(count.refused, 0, 5);
  assert_in_range(count.unclear, 0, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(probabilities_contain_the_exact_value),
      cmocka_unit_test(rewards_contain_the_exact_value),
      cmocka_unit_test(mixed_rewards_contain_the_exact_value),
      cmocka_unit_test(soft_values_are_between_the_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
