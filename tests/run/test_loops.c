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

/// Without a time limit an episode may never end: an evaluation cuts it off, and says so.
static void test_endless_episodes(void **state) {
  (void)state;
  CelEnvSpec *spec;
  CelEvalResult result;
  double returns[3];
  int64_t lengths[3];
  OK(cel_env_register(&endless));
  const CelEnvOptions options = {.max_episode_steps = -1, .action_repeat = 1000};
  OK(cel_env_spec_create(&spec, "TestEndless-v0", NULL, &options));
  CelAgent *agent = make_agent(spec, 1);
  for (int mode = CEL_SAMPLE; mode <= CEL_MODE; mode++) {
    OK(cel_evaluate(agent, spec, 3, 1, (CelActMode)mode, returns, lengths, &result));
    assert_int_equal(result.cut, 3);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(lengths[i], CEL_EVAL_STEPS_MAX);
      assert_true(returns[i] == CEL_EVAL_STEPS_MAX); // a reward of 1 a step
    }
  }
  cel_env_spec_destroy(spec);
  const CelEnvOptions limited = {.max_episode_steps = 5, .action_repeat = 1};
  OK(cel_env_spec_create(&spec, "TestEndless-v0", NULL, &limited));
  OK(cel_evaluate(agent, spec, 3, 1, CEL_MODE, returns, lengths, &result));
  assert_int_equal(result.cut, 0);
  assert_int_equal(lengths[2], 5);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

// ---- an evaluation that fails

static bool fails_at_evaluation; // of the environment below

static CelStatus fragile_step(const CelEnvSpec *spec, double *states, int64_t n,
                              const void *actions, void *obs, float *reward, uint8_t *terminated,
                              CelRng *rng) {
  if (fails_at_evaluation && n == 3) return cel_fail(CEL_E_ENV, "the cable was pulled");
  return endless_step(spec, states, n, actions, obs, reward, terminated, rng);
}

static const CelEnvType fragile = {.abi = CEL_ENV_ABI,
                                   .id = "TestFragile-v0",
                                   .doc = "Fails where three environments step together.",
                                   .reward_threshold = (double)NAN,
                                   .max_episode_steps = 10,
                                   .open = endless_open,
                                   .reset = endless_reset,
                                   .step = fragile_step};

static CelStatus train_fragile(const char *out) {
  CelRunConfig run = cel_run_config_default();
  CelSacConfig sac = cel_sac_config_default();
  snprintf(run.algo, sizeof run.algo, "sac");
  snprintf(run.env, sizeof run.env, "TestFragile-v0");
  snprintf(run.out, sizeof run.out, "%s", out);
  run.steps = 60, run.eval_episodes = 3, run.eval_every = 0, run.tensorboard = false;
  sac.common.net_arch = (CelIntList){1, {2}}, sac.common.batch_size = 4;
  sac.common.buffer_size = 100, sac.common.learning_starts = 20;
  return cel_train(&run, &sac, NULL, NULL, NULL, NULL);
}

static void same_file(const char *a, const char *b) {
  char command[256];
  snprintf(command, sizeof command, "cmp %s %s", a, b);
  assert_int_equal(system(command), 0);
}

/// An evaluation that fails after the work is done costs nothing: the model is there, and the run goes on from its
/// checkpoint as if nothing had happened.
static void test_failed_evaluation(void **state) {
  (void)state;
  OK(cel_env_register(&fragile));
  OK(train_fragile("whole"));
  fails_at_evaluation = true;
  FAILS(train_fragile("broken"), CEL_E_ENV, "the cable was pulled");
  same_file("whole/final.safetensors", "broken/final.safetensors");
  assert_int_equal(access("broken/checkpoints/step-000000060.safetensors", R_OK), 0);
  FAILS(cel_train_resume("broken", 0, 0, NULL, NULL), CEL_E_ENV, "the cable was pulled");
  fails_at_evaluation = false;
  OK(cel_train_resume("broken", 0, 0, NULL, NULL));
  same_file("whole/checkpoints/step-000000060.safetensors",
            "broken/checkpoints/step-000000060.safetensors");
  same_file("whole/best.safetensors", "broken/best.safetensors");
  same_file("whole/evaluations.csv", "broken/evaluations.csv");
}

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
      cmocka_unit_test_setup_teardown(test_failed_evaluation, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_last_step_of_several_environments, enter_folder,
                                      leave_folder),
      cmocka_unit_test_setup_teardown(test_impossible_counters, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
