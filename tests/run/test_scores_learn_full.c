/// Scores that the presets must reach: deterministic policy, 100 episodes on the fixed evaluation seeds, after
/// the last step (no choice among checkpoints).
///
/// Pendulum-v1, 2x64, batch 100, learning rate 1e-3, 10,000 steps: at least -175 in 20 of 20 seeds, median at least
/// -155. MountainCarContinuous-v0: at least 90 in 5 of 5. Seeds can be chosen: CELSIUS_FIRST_SEED (1).
#include "celsius/agent.h"
#include "celsius/env.h"
#include "celsius/setup.h"
#include "celsius/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EPISODES = 100, EVALUATION_SEED = 10000 };

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

/// Trains with the environment's preset and returns the mean return of the evaluation.
static double score(const char *id, uint64_t seed) {
  CelSetup *setup;
  CelEnvSpec *spec;
  CelAgent *agent;
  CelVecEnv env;
  CelTensors *tensors;
  CelEvalResult result;
  ok(cel_setup_create(&setup, "sac", id));
  ok(cel_setup_preset(setup, id));
  ok(cel_env_spec_create(&spec, id, NULL, NULL));
  const CelAgentOptions options = {
      .n_envs = 1, .seed = seed, .threads = 1, .total_steps = setup->run.steps};
  ok(cel_agent_create(&agent, "sac", setup->algo_config, &spec->observation, &spec->action,
                      &options));
  ok(cel_tensors_create(&tensors));
  ok(cel_vecenv_declare(&env, tensors, "env", spec, 1, seed, CEL_RNG_ENV, 0));
  ok(cel_tensors_allocate(tensors));
  ok(cel_vecenv_reset(&env));
  ok(cel_learn(agent, &env, setup->run.steps, NULL));
  ok(cel_evaluate(agent, spec, EPISODES, EVALUATION_SEED, CEL_MODE, NULL, NULL, &result));
  print_message("%s, seed %llu: %.1f\n", id, (unsigned long long)seed, result.mean_return);
  cel_agent_destroy(agent);
  cel_tensors_destroy(tensors);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
  return result.mean_return;
}

static uint64_t first_seed(void) {
  const char *text = getenv("CELSIUS_FIRST_SEED");
  return text ? strtoull(text, NULL, 10) : 1;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// n seeds of an environment, sorted scores.
static void scores(const char *id, double *out, int n) {
  for (int i = 0; i < n; i++) out[i] = score(id, first_seed() + (uint64_t)i);
  qsort(out, (size_t)n, sizeof *out, by_value);
}

static void test_pendulum(void **state) {
  (void)state;
  double s[20];
  scores("Pendulum-v1", s, 20);
  if (!(s[0] >= -175)) fail_msg("the worst of 20 seeds has %.1f, expected at least -175", s[0]);
  if (!((s[9] + s[10]) / 2 >= -155))
    fail_msg("the median is %.1f, expected at least -155", (s[9] + s[10]) / 2);
}

static void test_mountain_car(void **state) {
  (void)state;
  double s[5];
  scores("MountainCarContinuous-v0", s, 5);
  if (!(s[0] >= 90)) fail_msg("the worst of 5 seeds has %.1f, expected at least 90", s[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pendulum),
                                     cmocka_unit_test(test_mountain_car)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
