/// With the step 1/(1 + (1-gamma) k), the error of synchronous soft Q-learning falls as one over
/// the root of the rounds, up to gamma = .9. The initial error falls as 1/k and is gone where the
/// fit begins.
#include "mdp/q_learning_kit.h"

static void error_falls_as_the_root_of_rounds(void **state) {
  (void)state;
  static const RateCase cases[] = {{0, 0.9}, {0.05, 0.9}, {0.1, 0.9}, {1, 0.9}};
  for (uint64_t i = 0; i < 4; i++) expect_rate(&cases[i], 200 + i, 20000, 1000000, 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(error_falls_as_the_root_of_rounds)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
