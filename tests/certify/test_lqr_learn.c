/// SAC on the linear-quadratic regulator ends at the exact soft-optimal policy.
#include "lqr_learned.h"

static void test_oscillator(void **state) {
  (void)state;
  train_and_compare("sac", "oscillator", 1);
}

static void test_scalar(void **state) {
  (void)state;
  train_and_compare("sac", "scalar", 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_oscillator),
                                     cmocka_unit_test(test_scalar)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
