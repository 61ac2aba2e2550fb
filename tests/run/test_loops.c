/// Loops with mismatched sizes, episodes without an end, and checkpoints with impossible numbers.
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

/// An agent for three environments reads three rows, so one environment is refused.
static void test_learn_checks_the_number_of_environments(void **state) {
  (void)state;
  CelEnvSpec *spec;
  Envs envs;
  OK(cel_env_spec_create(&spec, "Pendulum-v1", NULL, NULL));
  CelAgent *agent = make_agent(spec, 3);
  open_envs(&envs, spec, 1);
  FAILS(cel_learn(agent, &envs.env, 10, NULL), CEL_E_SHAPE, "n_envs 3");
  assert_int_equal(cel_agent_steps(agent), 0);
  cel_tensors_destroy(envs.tensors);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// Pendulum's action has as many bytes as CartPole's, so sizes alone do not show the mismatch.
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

/// Without a time limit an episode may never end. An evaluation cuts it off and reports it.
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
      assert_true(returns[i] == CEL_EVAL_STEPS_MAX); // a reward of 1 per step
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

static bool fails_at_evaluation; // makes the environment below fail

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

/// If an evaluation fails at the end, nothing is lost: the model exists, and the run can be resumed
/// from its checkpoint.
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

// ---- the best model

static int scripted_steps; // total steps of the three environments of an evaluation

/// The n-th evaluation (3 episodes of 10 steps) pays script[n] per step. The best value comes
/// twice.
static CelStatus scripted_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  static const float script[] = {1, 3, 3, 2, 0, 2};
  const CelStatus status = endless_step(spec, states, n, actions, obs, reward, terminated, rng);
  if (n != 3) return status;
  assert_in_range(scripted_steps / 10, 0, 5);
  for (int i = 0; i < 3; i++) reward[i] = script[scripted_steps / 10];
  scripted_steps++;
  return status;
}

static const CelEnvType scripted = {.abi = CEL_ENV_ABI,
                                    .id = "TestScripted-v0",
                                    .doc = "Pays what a script says where three step together.",
                                    .reward_threshold = (double)NAN,
                                    .max_episode_steps = 10,
                                    .open = endless_open,
                                    .reset = endless_reset,
                                    .step = scripted_step};

static void train_scripted(const char *out, int64_t steps, CelRunResult *result) {
  CelRunConfig run = cel_run_config_default();
  CelSacConfig sac = cel_sac_config_default();
  snprintf(run.algo, sizeof run.algo, "sac");
  snprintf(run.env, sizeof run.env, "TestScripted-v0");
  snprintf(run.out, sizeof run.out, "%s", out);
  run.steps = steps, run.eval_episodes = 3, run.eval_every = 10, run.tensorboard = false;
  sac.common.net_arch = (CelIntList){1, {2}}, sac.common.batch_size = 4;
  sac.common.buffer_size = 100, sac.common.learning_starts = 5;
  scripted_steps = 0;
  OK(cel_train(&run, &sac, NULL, NULL, NULL, result));
  assert_int_equal(scripted_steps, steps);
}

/// The best model is that of the first of the best evaluations. A later equal or worse evaluation
/// does not replace it. It equals the model of the run at that step.
static void test_best_model(void **state) {
  (void)state;
  CelRunResult result;
  OK(cel_env_register(&scripted));
  train_scripted("long", 60, &result);
  assert_true(result.best_return == 30 && result.mean_return == 20);
  train_scripted("first", 10, NULL);
  train_scripted("second", 20, NULL);
  train_scripted("third", 30, NULL);
  same_file("second/final.safetensors", "long/best.safetensors");
  same_file("second/final.safetensors", "third/best.safetensors");
  same_file("first/final.safetensors", "first/best.safetensors");
  assert_int_not_equal(system("cmp -s third/final.safetensors long/best.safetensors"), 0);
}

/// What is due every 10 steps happens at the first total step that reaches a multiple of 10.
static void test_evaluations_fall_due(void **state) {
  (void)state;
  static const int due[] = {12, 21, 30, 42, 51, 60};
  CelRunConfig run = cel_run_config_default();
  CelSacConfig sac = cel_sac_config_default();
  const CelEnvOptions options = {.max_episode_steps = 5, .action_repeat = 1};
  snprintf(run.algo, sizeof run.algo, "sac");
  snprintf(run.env, sizeof run.env, "Pendulum-v1");
  snprintf(run.out, sizeof run.out, "due");
  run.steps = 60, run.n_envs = 3, run.eval_every = 10, run.eval_episodes = 1;
  run.tensorboard = false;
  sac.common.net_arch = (CelIntList){1, {2}}, sac.common.buffer_size = 100;
  OK(cel_train(&run, &sac, NULL, &options, NULL, NULL));
  char *text = read_text("due/evaluations.csv"), *line = strchr(text, '\n');
  for (int i = 0; i < 6; i++) {
    assert_non_null(line);
    if (atoi(line + 1) != due[i])
      fail_msg("evaluation %d was at step %d, expected %d", i, atoi(line + 1), due[i]);
    line = strchr(line + 1, '\n');
  }
  assert_true(line && !line[1]);
  free(text);
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

/// A short run of n_envs environments in folder "run", with 20 steps rounded up to a multiple of
/// n_envs.
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

/// Three environments make 21 steps for 20. The run is complete and has not gone too far.
static void test_last_step_of_several_environments(void **state) {
  (void)state;
  CelRunResult result;
  train_a_little(3);
  if (unlink("run/final.safetensors") != 0) fail_msg("the run has no final model");
  OK(cel_train_resume("run", 0, 0, NULL, &result));
  assert_int_equal(result.steps, 21);
  assert_int_equal(access("run/final.safetensors", F_OK), 0);
  FAILS(cel_train_resume("run", 18, 0, NULL, NULL), CEL_E_RANGE, "already has 21 steps");
}

/// A negative number of episodes would index before the window of returns.
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
      cmocka_unit_test_setup_teardown(test_best_model, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_evaluations_fall_due, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_last_step_of_several_environments, enter_folder,
                                      leave_folder),
      cmocka_unit_test_setup_teardown(test_impossible_counters, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
