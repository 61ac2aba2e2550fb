/// Scores that the presets must reach: deterministic policy, 100 episodes with the fixed evaluation
/// seeds, after the last step (checkpoints are not compared).
///
/// Pendulum-v1, 2x64, batch 100, learning rate 1e-3, 10,000 steps: at least -175 with each of 20
/// seeds, median at least -155. MountainCarContinuous-v0: at least 90 with each of 5 seeds.
/// CELSIUS_FIRST_SEED (default 1) chooses other seeds.
#include "score.h"

static void test_pendulum(void **state) {
  (void)state;
  double s[20];
  scores("sac", "Pendulum-v1", s, 20);
  if (!(s[0] >= -175)) fail_msg("the worst of 20 seeds has %.1f, expected at least -175", s[0]);
  if (!((s[9] + s[10]) / 2 >= -155))
    fail_msg("the median is %.1f, expected at least -155", (s[9] + s[10]) / 2);
}

static void test_mountain_car(void **state) {
  (void)state;
  double s[5];
  scores("sac", "MountainCarContinuous-v0", s, 5);
  if (!(s[0] >= 90)) fail_msg("the worst of 5 seeds has %.1f, expected at least 90", s[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pendulum),
                                     cmocka_unit_test(test_mountain_car)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
