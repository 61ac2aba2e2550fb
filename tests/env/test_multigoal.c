/// The multi-goal plane: known steps, symmetry, starts and ends of episodes.
#include "celsius/multigoal.h"
#include "env_test.h"

static void expect_step(double x, double y, double u, double v, double to_x, double to_y,
                        double reward, bool ends) {
  CelEnvSpec *spec = make_spec("MultiGoal-v0", "");
  CelMultigoal plane;
  const double s[2] = {x, y}, a[2] = {u, v};
  double next[2], r;
  assert_ok(cel_multigoal_of_env(spec, &plane));
  const bool ended = cel_multigoal_step(&plane, next, &r, s, a);
  if (fabs(next[0] - to_x) > 1e-12 || fabs(next[1] - to_y) > 1e-12)
    fail_msg("(%g, %g) + (%g, %g) leads to (%g, %g), expected (%g, %g)", x, y, u, v, next[0],
             next[1], to_x, to_y);
  if (fabs(r - reward) > 1e-12) fail_msg("the reward is %.15g, expected %.15g", r, reward);
  assert_int_equal(ended, ends);
  cel_env_spec_destroy(spec);
}

static void steps(void **state) {
  (void)state;
  expect_step(0, 0, 0, 0, 0, 0, -25, false);                // all goals at distance 5
  expect_step(0, 0, 1, 0, 1, 0, -30 - 16, false);           // one goal at distance 4
  expect_step(1, 2, -0.5, 0.5, 0.5, 2.5, -15 - 6.5, false); // (0, 5) is the nearest goal
  expect_step(0, 0, 3, -4, 1, -1, -60 - 17, false);         // the action and its cost are clipped
  expect_step(6.5, -6.5, 1, -1, 7, -7, -60 - 53, false);    // the position is clipped
  expect_step(3.5, 0, 0.6, 0, 4.1, 0, -10.8 - 0.81 + 10, true); // reaches a goal
  expect_step(0, -3, 0, -1, 0, -4, -30 - 1, false);             // a distance of 1 is not below 1
  expect_step(-5, 0.99, 0, 0, -5, 0.99, -0.9801 + 10, true);
}

/// Rotating state and action by 90 degrees rotates the next state.
static void four_fold_symmetry(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("MultiGoal-v0", "");
  CelMultigoal plane;
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  assert_ok(cel_multigoal_of_env(spec, &plane));
  for (int i = 0; i < 1000; i++) {
    double s[2], a[2], next[2], turned[2], r, r_turned;
    for (int k = 0; k < 2; k++)
      s[k] = cel_rng_range(&rng, -7, 7), a[k] = cel_rng_range(&rng, -1.5, 1.5);
    const double s_turned[2] = {-s[1], s[0]}, a_turned[2] = {-a[1], a[0]};
    const bool ends = cel_multigoal_step(&plane, next, &r, s, a);
    assert_int_equal(cel_multigoal_step(&plane, turned, &r_turned, s_turned, a_turned), ends);
    assert_true(turned[0] == -next[1] && turned[1] == next[0]);
    assert_true(fabs(r - r_turned) < 1e-12);
  }
  cel_env_spec_destroy(spec);
}

/// The environment uses that function. Episodes last at most 30 steps and start near the origin.
static void episodes(void **state) {
  (void)state;
  enum { N = 2000 };
  CelEnvSpec *spec = make_spec("MultiGoal-v0", "");
  Fleet *fleet = make_fleet(spec, N, 3, 0);
  CelMultigoal plane;
  assert_ok(cel_multigoal_of_env(spec, &plane));
  assert_int_equal(spec->max_episode_steps, 30);
  assert_ok(cel_vecenv_reset(&fleet->env));
  double square = 0;
  for (int i = 0; i < 2 * N; i++) square += fleet->env.states[i] * fleet->env.states[i] / (2 * N);
  assert_true(fabs(square - 0.01) < 5 * 0.01 * sqrt(2.0 / (2 * N)));
  float *actions = calloc(2 * N, sizeof *actions);
  assert_non_null(actions);
  CelRng rng = cel_rng(2, CEL_RNG_USER, 0);
  for (int t = 1; t <= 30; t++) {
    double before[2];
    memcpy(before, fleet->env.states, sizeof before);
    for (int i = 0; i < 2 * N; i++) actions[i] = (float)cel_rng_range(&rng, -1, 1);
    const double a[2] = {(double)actions[0], (double)actions[1]};
    double next[2], r;
    const bool ends = cel_multigoal_step(&plane, next, &r, before, a);
    assert_ok(cel_vecenv_step(&fleet->env, actions, 0, N));
    assert_true(fleet->env.reward[0] == (float)r && fleet->env.terminated[0] == ends);
  }
  int truncated = 0;
  for (int i = 0; i < N; i++) truncated += fleet->env.truncated[i];
  assert_true(truncated > N / 4); // episodes that never reached a goal
  free(actions);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void other_environments_are_refused(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("Pendulum-v1", "");
  CelMultigoal plane;
  assert_fails(cel_multigoal_of_env(spec, &plane), CEL_E_UNSUPPORTED, "Pendulum-v1|multi-goal");
  cel_env_spec_destroy(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(steps), cmocka_unit_test(four_fold_symmetry),
                                     cmocka_unit_test(episodes),
                                     cmocka_unit_test(other_environments_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
