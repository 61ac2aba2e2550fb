/// Loops over what does not fit together: agents and environments of other sizes, episodes without an end,
/// checkpoints whose numbers cannot be.
#include "run_test.h"

#include <math.h>

static CelStatus endless_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -HUGE_VAL, HUGE_VAL);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 1;
  return CEL_OK;
}

static CelStatus endless_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec, (void)rng;
  state[0] = 0;
  *(float *)obs = 0;
  return CEL_OK;
}

static CelStatus endless_step(const CelEnvSpec *spec, double *states, int64_t n,
                              const void *actions, void *obs, float *reward, uint8_t *terminated,
                              CelRng *rng) {
  (void)spec, (void)states, (void)actions, (void)rng;
  for (int64_t i = 0; i < n; i++) {
    ((float *)obs)[i] = 0;
    reward[i] = 1;
    terminated[i] = 0;
  }
  return CEL_OK;
}

static const CelEnvType endless = {.abi = CEL_ENV_ABI,
                                   .id = "TestEndless-v0",
                                   .doc = "Never ends.",
                                   .reward_threshold = (double)NAN,
                                   .open = endless_open,
                                   .reset = endless_reset,
                                   .step = endless_step};

static CelAgent *make_agent(const CelEnvSpec *spec, int64_t n_envs) {
  CelSacConfig config = cel_sac_config_default();
  CelAgentOptions options = cel_agent_options_default();
  CelAgent *agent;
  config.common.net_arch = (CelIntList){1, {2}};
  config.common.buffer_size = 100;
  options.n_envs = n_envs;
  OK(cel_agent_create(&agent, "sac", &config, &spec->observation, &spec->action, &options));
  return agent;
}

typedef struct Envs {
  CelTensors *tensors;
  CelVecEnv env;
} Envs;

static void open_envs(Envs *envs, const CelEnvSpec *spec, int64_t N) {
  OK(cel_tensors_create(&envs->tensors));
  OK(cel_vecenv_declare(&envs->env, envs->tensors, "env", spec, N, 1, CEL_RNG_ENV, 0));
  OK(cel_tensors_allocate(envs->tensors));
  OK(cel_vecenv_reset(&envs->env));
}

/// An agent for three environments reads three rows, so one environment will not do.
static void test_learn_checks_the_number_of_environments(void **state) {
  (void)state;
  CelEnvSpec *spec;
  Envs envs;
  OK(cel_env_spec_create(&spec, "Pendulum-v1", NULL, NULL));
  CelAgent *agent = make_agent(spec, 3);
  open_envs(&envs, spec, 1);
  FAILS(cel_learn(agent, &envs.env, 10, NULL), CEL_E_SHAPE, "made for 3 environments");
  assert_int_equal(cel_agent_steps(agent), 0);
  cel_tensors_destroy(envs.tensors);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// Pendulum's action is as many bytes as CartPole's, and its observation could be.
static void test_spaces_are_compared(void **state) {
  (void)state;
  CelEnvSpec *spec;
  Envs envs;
  CelAgent *agent;
  CelEvalResult result;
  const CelSpace observation = cel_space_box(4, -(double)INFINITY, (double)INFINITY),
                 action = cel_space_box(1, -1, 1);
  OK(cel_env_spec_create(&spec, "CartPole-v1", NULL, NULL));
  OK(cel_agent_create(&agent, "sac", NULL, &observation, &action, NULL));
  open_envs(&envs, spec, 1);
  FAILS(cel_learn(agent, &envs.env, 10, NULL), CEL_E_SHAPE, "Discrete(2)");
  FAILS(cel_evaluate(agent, spec, 1, 1, CEL_MODE, NULL, NULL, &result), CEL_E_SHAPE, "Discrete(2)");
  cel_tensors_destroy(envs.tensors);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// Without a time limit an episode may go on for ever; an evaluation says so instead of hanging.
static void test_endless_episodes(void **state) {
  (void)state;
  CelEnvSpec *spec;
  CelEvalResult result;
  OK(cel_env_register(&endless));
  const CelEnvOptions options = {.max_episode_steps = -1, .action_repeat = 10000};
  OK(cel_env_spec_create(&spec, "TestEndless-v0", NULL, &options));
  CelAgent *agent = make_agent(spec, 1);
  FAILS(cel_evaluate(agent, spec, 1, 1, CEL_MODE, NULL, NULL, &result), CEL_E_ENV,
        "max_episode_steps");
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// Writes the file again with one number of a tensor changed, digest and all.
static void forge(const char *path, const char *name, int64_t value) {
  enum { MOST = 256 };
  CelSafetensors *file;
  CelTensor list[MOST];
  CelMeta meta[MOST];
  int64_t n = 0;
  int n_meta = 0;
  OK(cel_safetensors_open(path, &file));
  for (; n < cel_safetensors_count(file); n++) {
    assert_true(n < MOST);
    list[n] = *cel_safetensors_at(file, n);
    if (strcmp(list[n].name, name) == 0) list[n].data = &value;
  }
  for (int64_t i = 0; cel_safetensors_meta_at(file, i).key; i++) {
    assert_true(n_meta < MOST);
    const CelMeta entry = cel_safetensors_meta_at(file, i);
    if (!strstr(entry.key, "digest")) meta[n_meta++] = entry;
  }
  OK(cel_safetensors_write_list(path, list, n, meta, n_meta));
  cel_safetensors_close(file);
}

/// A short run of n_envs environments in folder "run", 20 steps or the few more that all of them make.
static void train_a_little(int64_t n_envs) {
  CelRunConfig run = cel_run_config_default();
  CelSacConfig sac = cel_sac_config_default();
  const CelEnvOptions options = {.max_episode_steps = 5, .action_repeat = 1};
  snprintf(run.algo, sizeof run.algo, "sac");
  snprintf(run.env, sizeof run.env, "Pendulum-v1");
  snprintf(run.out, sizeof run.out, "run");
  run.steps = 20;
  run.n_envs = n_envs;
  run.eval_episodes = 1;
  run.tensorboard = false;
  sac.common.net_arch = (CelIntList){1, {2}};
  sac.common.buffer_size = 100;
  OK(cel_train(&run, &sac, NULL, &options, NULL, NULL));
}

/// Three environments reach 20 steps with 21: such a run is complete, and not one that went too far.
static void test_last_step_of_several_environments(void **state) {
  (void)state;
  CelRunResult result;
  train_a_little(3);
  if (unlink("run/final.safetensors") != 0) fail_msg("no final model");
  OK(cel_train_resume("run", 0, 0, NULL, &result));
  assert_int_equal(result.steps, 21);
  assert_int_equal(access("run/final.safetensors", F_OK), 0);
  FAILS(cel_train_resume("run", 18, 0, NULL, NULL), CEL_E_RANGE, "21 steps already");
}

/// A number of episodes below zero would be a place before the window of returns.
static void test_impossible_counters(void **state) {
  (void)state;
  train_a_little(1);
  forge("run/checkpoints/step-000000020.safetensors", "run.episodes", -7);
  FAILS(cel_train_resume("run", 30, 0, NULL, NULL), CEL_E_CORRUPT, "run.episodes");
  forge("run/checkpoints/step-000000020.safetensors", "run.episodes", 4);
  forge("run/checkpoints/step-000000020.safetensors", "env.elapsed", INT64_MAX);
  FAILS(cel_train_resume("run", 30, 0, NULL, NULL), CEL_E_CORRUPT, "env.elapsed");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_learn_checks_the_number_of_environments),
      cmocka_unit_test(test_spaces_are_compared),
      cmocka_unit_test(test_endless_episodes),
      cmocka_unit_test_setup_teardown(test_last_step_of_several_environments, enter_folder,
                                      leave_folder),
      cmocka_unit_test_setup_teardown(test_impossible_counters, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
