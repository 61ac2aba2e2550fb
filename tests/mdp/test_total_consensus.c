/// cel_solve_total on the consensus protocol, whose exact values are published: PRISM's benchmark
/// suite and the QComp set (consensus, properties c2, disagree, steps_min, steps_max).
#include "celsius/total.h"
#include "mdp/generate_kit.h"
#include <math.h>

typedef struct Published {
  const char *arguments; ///< of the generator
  int64_t states;
  const char *target;
  bool probability, min;
  double num, den; ///< the exact value
} Published;

static const Published published[] = {
    {"processes=2 rounds=2", 272, "finished", false, false, 75, 1},
    {"processes=2 rounds=2", 272, "finished", false, true, 48, 1},
    {"processes=2 rounds=2", 272, "finished & !agree", true, false, 13, 120},
    {"processes=2 rounds=2", 272, "finished & all_coins_equal_1", true, true, 49, 128},
    {"processes=2 rounds=2", 272, "finished", true, true, 1, 1},
    {"processes=4 rounds=4", 43136, "finished & all_coins_equal_1", true, true, 852021, 2097152},
};

static void published_values_are_between_the_bounds(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
    const Published *p = &published[i];
    CelMdp *mdp = generate("consensus", p->arguments);
    uint8_t *target = calloc((size_t)mdp->states, 1);
    int64_t count = 0;
    assert_int_equal(mdp->states, p->states);
    assert_ok(cel_mdp_states_where(mdp, p->target, target, &count));
    CelTotalConfig total = cel_total_config_default();
    CelSolveConfig config = cel_solve_config_default();
    CelSolution *x = NULL;
    total.objective = p->probability ? CEL_TOTAL_PROBABILITY : CEL_TOTAL_REWARD;
    total.min = p->min, config.alpha = 0.0;
    assert_ok(cel_solve_total(mdp, target, &total, &config, &x));
    const long double exact = (long double)p->num / (long double)p->den;
    if (!(x->value_lower <= exact && exact <= x->value_upper && x->certified))
      fail_msg("%s, %s: expected %.17Lg, the bounds are [%.17g, %.17g], certified %d", p->arguments,
               p->target, exact, x->value_lower, x->value_upper, x->certified);
    assert_true(x->value_upper - x->value_lower <= 2e-9 * (double)fmaxl(1.0L, exact));
    cel_solution_destroy(x);
    free(target);
    cel_mdp_destroy(mdp);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_values_are_between_the_bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
