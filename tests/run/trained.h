/// Trains an agent with a setup.
#ifndef TRAINED_H
#define TRAINED_H
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

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

/// A setup of an algorithm with the preset of an environment.
static inline CelSetup *preset(const char *algo, const char *id) {
  CelSetup *setup;
  ok(cel_setup_create(&setup, algo, id));
  ok(cel_setup_preset(setup, id));
  return setup;
}

/// Trains for the steps of the setup, on its number of environments of the spec. hooks may be NULL.
static inline CelAgent *trained_with(const CelSetup *setup, const CelEnvSpec *spec, uint64_t seed,
                                     const CelRunHooks *hooks) {
  CelAgent *agent;
  CelVecEnv env;
  CelTensors *tensors;
  const CelAgentOptions options = {
      .n_envs = setup->run.n_envs, .seed = seed, .threads = 1, .total_steps = setup->run.steps};
  ok(cel_agent_create(&agent, setup->algo->name, setup->algo_config, &spec->observation,
                      &spec->action, &options));
  ok(cel_tensors_create(&tensors));
  ok(cel_vecenv_declare(&env, tensors, "env", spec, options.n_envs, seed, CEL_RNG_ENV, 0));
  ok(cel_tensors_allocate(tensors));
  ok(cel_vecenv_reset(&env));
  ok(cel_learn(agent, &env, setup->run.steps, hooks));
  cel_tensors_destroy(tensors);
  return agent;
}

static inline CelAgent *trained(const CelSetup *setup, const CelEnvSpec *spec, uint64_t seed) {
  return trained_with(setup, spec, seed, NULL);
}

#endif
