/// SAC with a value network on the linear-quadratic regulator converges to the exact soft-optimal
/// policy, and so does twin-critic SAC on the scalar problem. For its other problems see
/// test_lqr_learn.c.
#include "lqr_learned.h"

static void test_oscillator(void **state) {
  (void)state;
  train_and_compare("sacv", "oscillator", 1);
}

static void test_scalar(void **state) {
  (void)state;
  train_and_compare("sac", "scalar", 2);
  train_and_compare("sacv", "scalar", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_oscillator),
                                     cmocka_unit_test(test_scalar)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
