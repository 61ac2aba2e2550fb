/// Scores of presets: trains as the preset of an environment says, then evaluates the deterministic policy on 100 episodes
/// with fixed seeds, after the last step (no choice among checkpoints).
#ifndef SCORE_H
#define SCORE_H
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
static double score(const char *algo, const char *id, uint64_t seed) {
  CelSetup *setup;
  CelEnvSpec *spec;
  CelAgent *agent;
  CelVecEnv env;
  CelTensors *tensors;
  CelEvalResult result;
  ok(cel_setup_create(&setup, algo, id));
  ok(cel_setup_preset(setup, id));
  ok(cel_env_spec_create(&spec, id, NULL, NULL));
  const CelAgentOptions options = {
      .n_envs = 1, .seed = seed, .threads = 1, .total_steps = setup->run.steps};
  ok(cel_agent_create(&agent, algo, setup->algo_config, &spec->observation, &spec->action,
                      &options));
  ok(cel_tensors_create(&tensors));
  ok(cel_vecenv_declare(&env, tensors, "env", spec, 1, seed, CEL_RNG_ENV, 0));
  ok(cel_tensors_allocate(tensors));
  ok(cel_vecenv_reset(&env));
  ok(cel_learn(agent, &env, setup->run.steps, NULL));
  ok(cel_evaluate(agent, spec, EPISODES, EVALUATION_SEED, CEL_MODE, NULL, NULL, &result));
  print_message("%s on %s, seed %llu: %.1f\n", algo, id, (unsigned long long)seed,
                result.mean_return);
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
static void scores(const char *algo, const char *id, double *out, int n) {
  for (int i = 0; i < n; i++) out[i] = score(algo, id, first_seed() + (uint64_t)i);
  qsort(out, (size_t)n, sizeof *out, by_value);
}

#endif
