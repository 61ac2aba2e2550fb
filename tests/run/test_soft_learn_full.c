/// Scores that presets of the maximum-entropy family must reach beside those of SAC: deterministic policy, 100 episodes on
/// the fixed evaluation seeds, after the last step.
///
/// CartPole-v1 with discrete SAC, 50,000 steps: 500 in the median of 5 seeds, and at least 475 (what counts as solved) in
/// each.
#include "score.h"

static void test_cartpole_dsac(void **state) {
  (void)state;
  double s[5];
  scores("dsac", "CartPole-v1", s, 5);
  if (!(s[2] >= 500)) fail_msg("the median is %.1f, expected 500", s[2]);
  if (!(s[0] >= 475)) fail_msg("the worst of 5 seeds has %.1f, expected at least 475", s[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cartpole_dsac)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
