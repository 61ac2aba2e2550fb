/// Soft actor-critic compared with PyTorch in float64 (tests/golden/torch_sac.py), its determinism,
/// invalid input.
#include "celsius/sac.h"
#include "learner_test.h"

enum { O = LEARNER_O, A = LEARNER_DIMS, N = LEARNER_N };

static const LearnerCase cases[] = {
    {"squashed", {{"policy", "squashed_gaussian"}}},
    {"fixed-alpha", {{"ent_coef", "0.2"}, {"activation", "tanh"}}},
    {"gaussian", {{"policy", "gaussian"}, {"activation", "silu"}}},
    {"mean-of-three", {{"n_critics", "3"}, {"critic_reduce", "mean"}}},
    {"layer-norm", {{"layer_norm", "true"}, {"activation", "silu"}}},
    {"three-steps", {{"n_steps", "3"}, {"activation", "tanh"}}},
    {"gsde", {{"use_sde", "true"}, {"activation", "tanh"}, {"log_std_init", "-1"}}},
    {"gsde-clipped",
     {{"use_sde", "true"}, {"use_expln", "true"}, {"clip_mean", "0.2"}, {"log_std_init", "0.3"}}},
    {"one-layer", {{"net_arch", "9"}}},
    {"quantiles", {{"critic", "quantile"}, {"n_quantiles", "5"}, {"n_critics", "3"}}},
    {"quantiles-three-steps",
     {{"critic", "quantile"}, {"n_quantiles", "4"}, {"n_steps", "3"}, {"activation", "tanh"}}},
};
static const Learner sac = {.algo = "sac",
                            .settings = {{"net_arch", "6,5"},
                                         {"batch_size", "7"},
                                         {"buffer_size", "200"},
                                         {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},
                                         {"gamma", "0.9"},
                                         {"ent_coef_init", "0.3"},
                                         {"tau", "0"}},
                            .cases = cases,
                            .n_cases = sizeof cases / sizeof cases[0],
                            .compared = 12};

/// When updates are due: after learning_starts, every train_freq steps, gradient_steps of them, or
/// one for each step.
static void test_updates_fall_due(void **state) {
  (void)state;
  static const struct {
    const char *train_freq, *gradient_steps, *learning_starts;
    int64_t updates; // after 20 steps of 2 environments
  } plans[] = {{"1", "1", "0", 20},  {"1", "-1", "0", 40}, {"4", "3", "0", 15},
               {"4", "-1", "0", 40}, {"1", "1", "10", 15}, {"1", "1", "40", 0}};
  for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
    const char *const more[][2] = {{"train_freq", plans[i].train_freq},
                                   {"gradient_steps", plans[i].gradient_steps},
                                   {"learning_starts", plans[i].learning_starts},
                                   {NULL, NULL}};
    CelAgent *agent = learner_make(&sac, NULL, more, 1);
    for (int t = 0; t < 20; t++) {
      learner_feed(&sac, agent, 1);
      assert_int_equal(cel_agent_update(agent), CEL_OK);
    }
    assert_int_equal(cel_agent_steps(agent), 40);
    assert_int_equal(cel_agent_updates(agent), plans[i].updates);
    cel_agent_destroy(agent);
  }
}

/// Exploration noise changes the actions, keeps them within the bounds, and can be repeated.
static void test_exploration_noise(void **state) {
  (void)state;
  static const char *const kinds[] = {"none", "normal", "ou", "use_sde"};
  float first[4][N * A];
  for (int k = 0; k < 4; k++)
    for (int again = 0; again < 2; again++) {
      const char *const more[][2] = {{k == 3 ? "use_sde" : "noise", k == 3 ? "true" : kinds[k]},
                                     {"noise_sigma", "0.5"},
                                     {"learning_starts", "0"},
                                     {NULL, NULL}};
      CelAgent *agent = learner_make(&sac, NULL, more, 1);
      float obs[N * O] = {0.1f, 0.2f, 0.3f, -0.1f, -0.2f, -0.3f}, actions[N * A];
      learner_feed(&sac, agent, LEARNER_STEPS);
      assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
      if (again) assert_memory_equal(actions, first[k], sizeof actions);
      memcpy(first[k], actions, sizeof actions);
      cel_agent_destroy(agent);
    }
  for (int k = 1; k < 4; k++) assert_memory_not_equal(first[0], first[k], sizeof first[0]);
}

/// The saved value of a field in the model of an agent, or NULL.
static char *saved_field(CelAgent *agent, const char *key) {
  char path[] = "/tmp/celsius-sac-XXXXXX";
  const int fd = mkstemp(path);
  CelSafetensors *file;
  assert_true(fd >= 0);
  close(fd);
  assert_int_equal(cel_agent_save_model(agent, path), CEL_OK);
  assert_int_equal(cel_safetensors_open(path, &file), CEL_OK);
  const char *value = cel_safetensors_meta(file, key);
  char *copy = value ? strdup(value) : NULL;
  cel_safetensors_close(file);
  unlink(path);
  return copy;
}

/// "noise gsde" is the old name of "use_sde true": it has the same results and says so. Files do
/// not mention use_sde if it is false, so that they equal those from before it was a field.
static void test_old_name_of_use_sde(void **state) {
  (void)state;
  const char *const names[3][2][2] = {
      {{"use_sde", "true"}}, {{"noise", "gsde"}}, {{"noise", "none"}}};
  const char *const saved[3][2] = {{"true", "none"}, {NULL, "gsde"}, {NULL, "none"}};
  float weight[3];
  for (int k = 0; k < 3; k++) {
    CelAgent *agent = learner_make(&sac, NULL, names[k], 1);
    learner_feed(&sac, agent, LEARNER_STEPS);
    assert_int_equal(cel_agent_update_n(agent, 2), CEL_OK);
    const char *note = cel_agent_note(agent);
    if (k == 1) assert_non_null(strstr(note, "noise gsde is now called use_sde true;"));
    if (k != 1) assert_string_equal(note, "");
    weight[k] = *(float *)cel_tensors_find(cel_agent_tensors(agent), "grad.actor.0.weight")->data;
    char *use_sde = saved_field(agent, "config.use_sde"),
         *noise = saved_field(agent, "config.noise");
    assert_string_equal(noise, saved[k][1]);
    if (saved[k][0]) assert_string_equal(use_sde, saved[k][0]);
    if (!saved[k][0]) assert_null(use_sde);
    free(use_sde), free(noise);
    cel_agent_destroy(agent);
  }
  assert_memory_equal(&weight[0], &weight[1], sizeof weight[0]);
  assert_memory_not_equal(&weight[0], &weight[2], sizeof weight[0]);
}

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&sac);
  learner_nan_is_told(&sac, "critic.0.bias");
  const CelSpace box = cel_space_box(3, -1, 1), line = cel_space_box(1, -INFINITY, INFINITY),
                 choice = cel_space_discrete(2);
  CelAgent *agent;
  CelSacConfig config = cel_sac_config_default();
  learner_expect(cel_agent_create(&agent, "sca", &config, &box, &box, NULL), CEL_E_NAME, "sac");
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &choice, NULL), CEL_E_UNSUPPORTED,
                 "Discrete(2)");
  learner_expect(cel_agent_create(&agent, "sac", &config, &choice, &box, NULL), CEL_E_UNSUPPORTED,
                 "observations");
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &line, NULL), CEL_E_UNSUPPORTED,
                 "gaussian");
  config.common.batch_size = 0;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE,
                 "batch_size");
  config = cel_sac_config_default(), config.log_std_min = 3;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE,
                 "log_std_min");
  config = cel_sac_config_default(), config.use_sde = true, config.noise = CEL_NOISE_OU;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE,
                 "set noise to none");
  config = cel_sac_config_default(), config.use_sde = true, config.sde_sample_freq = 0;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE,
                 "sde_sample_freq is 0");
  config.sde_sample_freq = -1, config.common.net_arch.n = 0;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE,
                 "hidden layer");
  config = cel_sac_config_default(), config.common.buffer_size = (int64_t)1e11;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_MEMORY,
                 "replay");
  config = cel_sac_config_default();
  CelAgentOptions options = cel_agent_options_default();
  options.n_envs = 0;
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, &options), CEL_E_RANGE,
                 "n_envs");
}

static void test_calls_out_of_order_and_nan(void **state) {
  (void)state;
  CelAgent *agent = learner_make(&sac, NULL, NULL, 1);
  float obs[N * O] = {0}, actions[N * A], reward[N] = {0, NAN};
  uint8_t no[N] = {0}, yes[N] = {1, 0};
  CelOutcome outcome = {reward, no, no, obs, NULL};
  learner_expect(cel_agent_update_n(agent, 1), CEL_E_STATE, "nothing to learn from");
  reward[1] = 0;
  learner_expect(cel_agent_observe(agent, &outcome), CEL_E_STATE, "act");
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  reward[1] = NAN;
  learner_expect(cel_agent_observe(agent, &outcome), CEL_E_NAN, "environment 1");
  reward[1] = 0, outcome.terminated = yes;
  learner_expect(cel_agent_observe(agent, &outcome), CEL_E_ARGUMENT, "final_obs");
  outcome.terminated = no, obs[4] = INFINITY;
  learner_expect(cel_agent_observe(agent, &outcome), CEL_E_NAN, "element 1");
  learner_expect(cel_agent_act(agent, obs, NULL, CEL_MODE, actions), CEL_E_NAN, "environment 1");
  obs[4] = 0;
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  ((float *)cel_tensors_find(cel_agent_tensors(agent), "actor.0.weight")->data)[0] = NAN;
  learner_expect(cel_agent_save_model(agent, "/tmp/celsius-never-written"), CEL_E_NAN,
                 "actor.0.weight");
  learner_expect(cel_agent_update_n(agent, 1), CEL_E_NAN, "update 1");
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LEARNER_TESTS(sac),
      cmocka_unit_test(test_updates_fall_due),
      cmocka_unit_test(test_exploration_noise),
      cmocka_unit_test(test_old_name_of_use_sde),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_calls_out_of_order_and_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
