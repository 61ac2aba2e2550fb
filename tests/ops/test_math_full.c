/// The errors of the elementwise functions over all 2^32 float32 numbers stay within the documented
/// limits.
#include "math_sweep.h"

static void test_all_floats(void **state) {
  (void)state;
  bool failed = false;
  for (int f = 0; f < N_MATH_FNS; f++) {
    float where = 0;
    const double worst = math_sweep(&MATH_FNS[f], 1, true, &where);
    print_message("%s: %.4f ulp at %.9g\n", MATH_FNS[f].name, worst, (double)where);
    if (worst <= MATH_FNS[f].limit) continue;
    print_error("%s(%.9g) is off by %.4f ulp, the documented limit is %.2f\n", MATH_FNS[f].name,
                (double)where, worst, MATH_FNS[f].limit);
    failed = true;
  }
  assert_false(failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_floats)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
