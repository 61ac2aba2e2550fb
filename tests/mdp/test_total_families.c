/// cel_solve_total on benchmarks of probabilistic model checking. The numbers of states are those
/// of the published models. The exact values come from closed forms, published results, or Storm
/// with rational arithmetic (bench/peers/storm_total.py, which has larger ones).
#include "celsius/total.h"
#include "mdp/generate_kit.h"
#include <math.h>

typedef struct Published {
  const char *generator, *arguments;
  int64_t states;
  const char *target;
  bool probability, min;
  long double exact;
} Published;

// clang-format off
static const Published published[] = {
    {"consensus", "processes=2 rounds=2", 272, "finished", false, false, 75.0L},
    {"consensus", "processes=2 rounds=2", 272, "finished", false, true, 48.0L},
    {"consensus", "processes=2 rounds=2", 272, "finished & !agree", true, false, 13.0L / 120.0L},
    {"consensus", "processes=2 rounds=2", 272, "finished & all_coins_equal_1", true, true,
     49.0L / 128.0L},
    {"consensus", "processes=2 rounds=2", 272, "finished", true, true, 1.0L},
    {"consensus", "processes=4 rounds=4", 43136, "finished & all_coins_equal_1", true, true,
     852021.0L / 2097152.0L},
    {"leader", "processes=3", 364, "elected", false, false, 10.0L / 3.0L},
    {"leader", "processes=4", 3172, "elected", false, true, 30.0L / 7.0L},
    {"leader", "processes=5", 27299, "elected", false, false, 1586.0L / 315.0L},
    {"leader", "processes=3", 364, "elected", true, true, 1.0L},
    {"leader-sync", "processes=3 numbers=2", 26, "elected", false, false, 4.0L / 3.0L},
    {"leader-sync", "processes=3 numbers=5", 273, "elected", false, false, 25.0L / 24.0L},
    {"herman", "processes=9 start=three", 186, "stable", false, false, 12.0L},
    {"herman", "processes=3", 8, "stable", false, false, 4.0L / 3.0L},
    {"israeli-jalfon", "processes=10", 1023, "stable", false, true, 45.0L},
    {"israeli-jalfon", "processes=10", 1023, "stable", false, false, 45.0L},
    {"nand", "wires=5 stages=2", 1728, "reliable", true, false,
     16965745494693856274613718638732549690644497.0L /
         27755575615628913510590791702270507812500000.0L},
    {"nand", "wires=5 stages=2", 1728, "end", true, false, 1.0L},
    {"brp", "frames=64 retries=5", 5192, "error", true, false, 4.48205879099695312373785e-8L},
    {"crowds", "members=5 requests=3", 1147, "observe0Greater1", true, false,
     78369913997967673.0L / 566497757812500000.0L},
    {"crowds", "members=5 requests=5", 8607, "observe0Greater1", true, false,
     51236292549425381551568577941.0L / 153918325950402832031250000000.0L},
    {"csma", "stations=2 limit=2", 1038, "all_delivered", false, false,
     227630345357.0L / 3221225472.0L},
    {"csma", "stations=2 limit=2", 1038, "all_delivered", false, true,
     53954981353.0L / 805306368.0L},
    {"wlan", "", 2954, "sent", false, false, 7963.0L / 105.0L},
    {"wlan", "collisions=2", 6063, "collided", true, false, 0.18359375L},
    {"firewire", "delay=3", 4093, "elected", false, false, 299.0L},
    {"firewire", "delay=3", 4093, "elected", true, true, 1.0L},
};
// clang-format on
enum { CASES = sizeof published / sizeof *published };

static CelSolution *solve(const Published *p, CelSolveMethod method) {
  CelMdp *mdp = generate(p->generator, p->arguments);
  uint8_t *target = calloc((size_t)mdp->states, 1);
  int64_t count = 0;
  assert_int_equal(mdp->states, p->states);
  assert_ok(cel_mdp_states_where(mdp, p->target, target, &count));
  CelTotalConfig total = cel_total_config_default();
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *x = NULL;
  total.objective = p->probability ? CEL_TOTAL_PROBABILITY : CEL_TOTAL_REWARD;
  total.min = p->min, config.alpha = 0.0, config.method = method;
  assert_ok(cel_solve_total(mdp, target, &total, &config, &x));
  free(target);
  cel_mdp_destroy(mdp);
  return x;
}

static void exact_values_are_between_the_bounds(void **state) {
  (void)state;
  for (int i = 0; i < CASES; i++) {
    const Published *p = &published[i];
    CelSolution *x = solve(p, CEL_SOLVE_AUTO);
    // A long double holds the exact value up to a relative 2^-63.
    const long double slack = p->exact * 0x1p-62L;
    if (!(x->value_lower - slack <= p->exact && p->exact <= x->value_upper + slack && x->certified))
      fail_msg("%s %s, %s: expected %.17Lg, the bounds are [%.17g, %.17g], certified %d",
               p->generator, p->arguments, p->target, p->exact, x->value_lower, x->value_upper,
               x->certified);
    assert_true(x->value_upper - x->value_lower <= 2e-9 * (double)fmaxl(1.0L, p->exact));
    cel_solution_destroy(x);
  }
}

/// Sweeps and policy iteration share nothing but the proof of the bounds.
static void methods_agree(void **state) {
  (void)state;
  static const Published some[] = {
      {"firewire", "delay=3", 4093, "elected", false, true, 0.0L},
      {"wlan", "", 2954, "one_sent", false, true, 0.0L},
      {"csma", "stations=2 limit=4", 7958, "one_delivered", false, false, 0.0L},
      {"garnet", "states=800 branching=5", 800, "s0", false, true, 0.0L}, // too dense to eliminate
  };
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
    Published p = some[i];
    if (strcmp(p.target, "s0") == 0) p.target = "0";
    CelSolution *x = solve(&p, CEL_SOLVE_NEWTON), *y = solve(&p, CEL_SOLVE_GAUSS_SEIDEL);
    assert_true(x->certified && y->certified);
    for (int64_t s = 0; s < x->states; s++)
      if (!(x->lower[s] <= y->upper[s] && y->lower[s] <= x->upper[s]))
        fail_msg("%s, state %d: [%.17g, %.17g] and [%.17g, %.17g]", p.generator, (int)s,
                 x->lower[s], x->upper[s], y->lower[s], y->upper[s]);
    cel_solution_destroy(x), cel_solution_destroy(y);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exact_values_are_between_the_bounds),
      cmocka_unit_test(methods_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
