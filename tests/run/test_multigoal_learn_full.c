/// Soft Q-learning on the multi-goal plane reaches all four goals from the middle, each in 15 to 35% of 400 episodes.
/// Source: Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017, 5.1.
#include "celsius/multigoal.h"
#include "trained.h"

#include <math.h>
#include <string.h>

enum { EPISODES = 400, EVALUATION_SEED = 10000 };

/// How many of the episodes end at each goal, the policy's actions drawn.
static void count_goals(CelAgent *agent, const CelEnvSpec *spec, int count[CEL_MULTIGOAL_GOALS]) {
  CelMultigoal plane;
  CelVecEnv env;
  CelTensors *tensors;
  float action[2];
  ok(cel_multigoal_of_env(spec, &plane));
  ok(cel_tensors_create(&tensors));
  ok(cel_vecenv_declare(&env, tensors, "test", spec, 1, EVALUATION_SEED, CEL_RNG_EVAL, 0));
  ok(cel_tensors_allocate(tensors));
  ok(cel_vecenv_reset(&env));
  memset(count, 0, CEL_MULTIGOAL_GOALS * sizeof *count);
  for (int episode = 0; episode < EPISODES;) {
    ok(cel_agent_act(agent, env.obs, NULL, CEL_SAMPLE, action));
    ok(cel_vecenv_step(&env, action, 0, 1));
    if (!env.terminated[0] && !env.truncated[0]) continue;
    episode++;
    const float *at = (const float *)env.final_obs;
    for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
      double goal[2];
      cel_multigoal_goal(&plane, g, goal);
      count[g] += hypot((double)at[0] - goal[0], (double)at[1] - goal[1]) < plane.goal_radius;
    }
  }
  cel_tensors_destroy(tensors);
}

static void test_all_goals(void **state) {
  (void)state;
  CelEnvSpec *spec;
  int count[CEL_MULTIGOAL_GOALS];
  const char *seed = getenv("CELSIUS_FIRST_SEED");
  ok(cel_env_spec_create(&spec, "MultiGoal-v0", NULL, NULL));
  CelSetup *setup = preset("sqlc", "MultiGoal-v0");
  CelAgent *agent = trained(setup, spec, seed ? strtoull(seed, NULL, 10) : 1);
  count_goals(agent, spec, count);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++)
    print_message("goal %d: %.1f%%\n", g, 100.0 * count[g] / EPISODES);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++)
    if (count[g] < 0.15 * EPISODES || count[g] > 0.35 * EPISODES)
      fail_msg("goal %d is reached in %.1f%% of the episodes, expected 15 to 35%%", g,
               100.0 * count[g] / EPISODES);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_goals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
