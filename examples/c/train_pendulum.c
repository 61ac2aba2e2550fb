/// Trains soft actor-critic on Pendulum-v1 in a loop written in C, and evaluates it.
///
///     cc train_pendulum.c -o train_pendulum $(pkg-config --cflags --libs celsius)
///     ./train_pendulum 5000
///
/// The loop below is all that a program needs to drive an agent: choose actions, apply them, report
/// the outcome, learn. This program steps an environment of the library. Yours may drive a robot.
#include <celsius/celsius.h>
#include <stdio.h>
#include <stdlib.h>

/// All objects of one training. Zero it first; training_create fills it, training_destroy frees it.
typedef struct Training {
  CelEnvSpec *spec;
  CelTensors *tensors; ///< owns the state of the environments
  CelVecEnv env;
  CelAgent *agent;
  float *actions; ///< (N, A)
} Training;

static CelStatus training_create(Training *t, int64_t steps) {
  CelSacConfig sac = cel_sac_config_default();
  CelAgentOptions options = cel_agent_options_default();
  CelStatus status;

  sac.common.net_arch.n = 2;
  sac.common.net_arch.v[0] = sac.common.net_arch.v[1] = 64;
  sac.common.batch_size = 100;
  sac.common.learning_rate.value = 1e-3;
  sac.common.buffer_size = steps;
  options.n_envs = 1;
  options.seed = 1;
  options.total_steps = steps;

  if ((status = cel_env_spec_create(&t->spec, "Pendulum-v1", NULL, NULL)) != CEL_OK) return status;
  if ((status = cel_tensors_create(&t->tensors)) != CEL_OK) return status;
  status = cel_vecenv_declare(&t->env, t->tensors, "env", t->spec, options.n_envs, options.seed,
                              CEL_RNG_ENV, 0);
  if (status != CEL_OK) return status;
  if ((status = cel_tensors_allocate(t->tensors)) != CEL_OK) return status;
  t->actions = calloc((size_t)options.n_envs, cel_space_bytes(&t->spec->action));
  if (!t->actions) return cel_fail(CEL_E_MEMORY, "no memory for the actions");
  return cel_agent_create(&t->agent, "sac", &sac, &t->spec->observation, &t->spec->action,
                          &options);
}

static void training_destroy(Training *t) {
  cel_agent_destroy(t->agent);
  free(t->actions);
  cel_tensors_destroy(t->tensors);
  cel_env_spec_destroy(t->spec);
}

/// One step: act, apply, observe, learn.
static CelStatus training_step(Training *t) {
  CelOutcome outcome;
  CelStatus status = cel_agent_act(t->agent, t->env.obs, NULL, CEL_EXPLORE, t->actions);
  if (status != CEL_OK) return status;
  if ((status = cel_vecenv_step(&t->env, t->actions, 0, t->env.N)) != CEL_OK) return status;

  outcome.reward = t->env.reward;
  outcome.terminated = t->env.terminated;
  outcome.truncated = t->env.truncated;
  outcome.obs = t->env.obs;
  outcome.final_obs = t->env.final_obs;
  if ((status = cel_agent_observe(t->agent, &outcome)) != CEL_OK) return status;
  return cel_agent_update(t->agent);
}

static CelStatus train_and_evaluate(Training *t, int64_t steps) {
  CelEvalResult result;
  CelStatus status = training_create(t, steps);
  if (status == CEL_OK) status = cel_vecenv_reset(&t->env);
  for (int64_t step = 0; status == CEL_OK && step < steps; step++) {
    status = training_step(t);
    if (status == CEL_OK && t->env.truncated[0])
      printf("step %5ld  episode return %8.1f\n", (long)(step + 1), t->env.final_return[0]);
  }
  if (status != CEL_OK) return status;
  status = cel_evaluate(t->agent, t->spec, 10, 0, CEL_MODE, NULL, NULL, &result);
  if (status != CEL_OK) return status;
  printf("after %ld steps and %ld updates: mean return over %ld episodes %.1f\n",
         (long)cel_agent_steps(t->agent), (long)cel_agent_updates(t->agent), (long)result.episodes,
         result.mean_return);
  return CEL_OK;
}

int main(int argc, char **argv) {
  Training training = {0};
  long steps = argc > 1 ? strtol(argv[1], NULL, 10) : 5000;
  if (steps < 1) {
    fprintf(stderr, "usage: %s [STEPS]\n", argv[0]);
    return CEL_E_ARGUMENT;
  }
  CelStatus status = train_and_evaluate(&training, steps);
  if (status != CEL_OK) fprintf(stderr, "%s: %s\n", cel_status_name(status), cel_error());
  training_destroy(&training);
  return (int)status;
}
