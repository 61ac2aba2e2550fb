/// Scores that presets of other maximum-entropy algorithms must reach: deterministic policy, 100
/// episodes with the fixed evaluation seeds, after the last step.
///
/// CartPole-v1 with discrete SAC (50,000 steps) and soft Q-learning (100,000 steps): a median of
/// 500 over 5 seeds, and at least 475 (the threshold for solved) with each. Pendulum-v1 with SAC
/// with a value network (20,000 steps): at least -175 with each of 5 seeds.
#include "score.h"

static void expect_cartpole(const char *algo) {
  double s[5];
  scores(algo, "CartPole-v1", s, 5);
  if (!(s[2] >= 500)) fail_msg("the median is %.1f, expected 500", s[2]);
  if (!(s[0] >= 475)) fail_msg("the worst of 5 seeds has %.1f, expected at least 475", s[0]);
}

static void test_cartpole_dsac(void **state) {
  (void)state;
  expect_cartpole("dsac");
}

static void test_cartpole_sql(void **state) {
  (void)state;
  expect_cartpole("sql");
}

static void test_pendulum_sacv(void **state) {
  (void)state;
  double s[5];
  scores("sacv", "Pendulum-v1", s, 5);
  if (!(s[0] >= -175)) fail_msg("the worst of 5 seeds has %.1f, expected at least -175", s[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cartpole_dsac),
                                     cmocka_unit_test(test_cartpole_sql),
                                     cmocka_unit_test(test_pendulum_sacv)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
