/// SAC on the linear-quadratic regulator converges to the exact soft-optimal policy. For the scalar
/// problem see test_lqr_soft_learn_full.c.
#include "lqr_learned.h"

static void test_oscillator(void **state) {
  (void)state;
  train_and_compare("sac", "oscillator", 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_oscillator)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
