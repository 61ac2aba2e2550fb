/// Proximal policy optimization compared with PyTorch in float64 (tests/golden/torch_pg.py), its
/// determinism, invalid input.
#include "on_policy_test.h"

#include "celsius/ppo.h"

static const OnCase cases[] = {
    {"box", ON_BOX, {{"ent_coef", "0.01"}}},
    {"state-std",
     ON_BOX,
     {{"state_dependent_std", "true"}, {"activation", "silu"}, {"ent_coef", "0.02"}}},
    {"choice", ON_CHOICE, {{"ent_coef", "0.03"}}},
    {"choices", ON_CHOICES, {{"ent_coef", "0.03"}, {"activation", "relu"}}},
    {"bits", ON_BITS, {{"ent_coef", "0.03"}, {"layer_norm", "true"}}},
    {"clipped-values",
     ON_CHOICE,
     {{"clip_range_vf", "0.3"},
      {"clip_range", "0.05"},
      {"n_epochs", "3"},
      {"learning_rate", "0.05"}}},
    {"minibatches", ON_BOX, {{"batch_size", "7"}, {"n_epochs", "2"}}},
    {"raw-advantages", ON_BOX, {{"normalize_advantage", "false"}, {"gae_lambda", "1"}}},
    {"normalized", ON_BOX, {{"normalize_reward", "true"}, {"normalize_observation", "true"}}},
    {"sde",
     ON_BOX,
     {{"use_sde", "true"}, {"sde_sample_freq", "4"}, {"log_std_init", "-1"}, {"ent_coef", "0.05"}}},
    {"sde-squashed",
     ON_BOX,
     {{"use_sde", "true"},
      {"squash_output", "true"},
      {"use_expln", "true"},
      {"log_std_init", "0.3"},
      {"ent_coef", "0.05"}}},
};

static const OnLearner learner = {"ppo",
                                  {{"net_arch", "6,5"},
                                   {"n_steps", "10"},
                                   {"batch_size", "64"},
                                   {"n_epochs", "1"},
                                   {"learning_rate", "0"},
                                   {"gamma", "0.9"},
                                   {"gae_lambda", "0.8"},
                                   {"init", "kaiming_uniform"}},
                                  cases,
                                  sizeof cases / sizeof cases[0],
                                  12};

static void test_zero_variance(void **state) {
  (void)state;
  on_check_zero_variance(&learner);
}

static void test_bad_input(void **state) {
  (void)state;
  const CelSpace box = cel_space_box(3, -1, 1), choice = cel_space_discrete(2);
  CelAgent *agent;
  on_check_bad_input(&learner);
  static const char *const one[][2] = {{"n_steps", "1"}, {NULL, NULL}};
  on_expect(on_try(&agent, &learner, NULL, one, &box, &box, 1, 1), CEL_E_RANGE, "n_steps");
  static const char *const std[][2] = {{"state_dependent_std", "true"}, {NULL, NULL}};
  on_expect(on_try(&agent, &learner, NULL, std, &box, &choice, 1, 1), CEL_E_UNSUPPORTED,
            "continuous");
  static const char *const uneven[][2] = {{"batch_size", "6"}, {NULL, NULL}};
  assert_int_equal(on_try(&agent, &learner, NULL, uneven, &box, &box, 2, 1), CEL_OK);
  assert_non_null(strstr(cel_agent_note(agent), "batch_size 5 would"));
  cel_agent_destroy(agent);
  assert_int_equal(on_try(&agent, &learner, NULL, NULL, &box, &box, 2, 1), CEL_OK);
  assert_string_equal(cel_agent_note(agent), "");
  cel_agent_destroy(agent);
}

/// Line 7: an update ends when the KL is too large, also with threads.
static void test_stops_by_divergence(void **state) {
  (void)state;
  static const char *const far[][2] = {{"target_kl", "1e-9"},
                                       {"learning_rate", "1e-2"},
                                       {"n_epochs", "10"},
                                       {NULL, NULL}},
                           *const near[][2] = {{"target_kl", "1e6"},
                                               {"learning_rate", "1e-2"},
                                               {"n_epochs", "10"},
                                               {NULL, NULL}},
                           *const never[][2] = {
                               {"learning_rate", "1e-2"}, {"n_epochs", "10"}, {NULL, NULL}};
  const char *const(*settings[])[2] = {far, near, never};
  uint64_t digest[3][2];
  for (int k = 0; k < 3; k++) {
    CelAgent *agent = on_make(&learner, &cases[0], settings[k], 1 + k % 2);
    on_feed(agent, 0, ON_T);
    on_update(agent);
    assert_int_equal(cel_agent_updates(agent), k == 0 ? 1 : 10);
    on_digest(agent, digest[k]);
    cel_agent_destroy(agent);
  }
  assert_memory_equal(digest[1], digest[2], sizeof digest[1]); // the sync point changes no bit
}

/// Line 7 on both sides of its threshold, for the KL d of the first minibatch: the update stops if
/// target_kl is a little below d / 1.5, and continues if it is a little above.
static void test_stops_at_one_and_a_half_target_kl(void **state) {
  (void)state;
  double d = 0;
  for (int k = 0; k < 3; k++) {
    char target[32];
    const char *const more[][2] = {{"target_kl", target}, {NULL, NULL}};
    snprintf(target, sizeof target, "%.17g",
             k == 0 ? 1e6 : d / 1.5 * (k == 1 ? 1 - 1e-6 : 1 + 1e-6));
    CelAgent *agent = on_make(&learner, &cases[0], more, 1);
    on_disturb(agent, 1);
    on_feed(agent, 0, ON_T);
    on_disturb(agent, 2);
    on_update(agent);
    d = on_metric(agent, "train/approx_kl");
    assert_true(d > 1e-3);
    assert_int_equal(cel_agent_updates(agent), k == 1 ? 0 : 1);
    cel_agent_destroy(agent);
  }
}

/// Learning rate and clip ranges decrease with the fraction of planned steps that remains.
static void test_schedules(void **state) {
  (void)state;
  enum { UPDATES = 4, TOTAL = UPDATES * ON_T * ON_N };
  const CelSpace observation = cel_space_box(ON_O, -INFINITY, INFINITY),
                 action = cel_space_discrete(4);
  const CelAgentOptions options = {.n_envs = ON_N, .seed = 7, .threads = 1, .total_steps = TOTAL};
  CelPpoConfig config = cel_ppo_config_default();
  CelAgent *agent;
  config.common.n_steps = ON_T;
  static const char *const fields[][2] = {{"learning_rate", "lin_0.01"},
                                          {"clip_range", "lin_0.4"},
                                          {"clip_range_vf", "0.2"},
                                          {NULL, NULL}};
  for (int i = 0; fields[i][0]; i++)
    assert_int_equal(cel_fields_set(cel_ppo_fields(), &config, fields[i][0], fields[i][1]), CEL_OK);
  assert_int_equal(cel_agent_create(&agent, "ppo", &config, &observation, &action, &options),
                   CEL_OK);
  const double *vf = cel_tensors_find(cel_agent_tensors(agent), "clip_range_vf")->data;
  for (int k = 1; k <= UPDATES; k++) {
    const double left = 1 - (double)k / UPDATES;
    on_feed(agent, (k - 1) * ON_T, ON_T);
    on_update(agent);
    assert_true(fabs(on_metric(agent, "train/learning_rate") - 0.01 * left) < 1e-12);
    assert_true(fabs(on_metric(agent, "train/clip_range") - 0.4 * left) < 1e-12);
    assert_true(fabs(*vf - 0.2) < 1e-12);
  }
  cel_agent_destroy(agent);
}

/// An observation that differs from the reported one cuts off the episode. The bootstrap uses its
/// value, not the next one.
static void test_moved_environments_are_cut_off(void **state) {
  (void)state;
  CelAgent *agent = on_make(&learner, &cases[0], NULL, 1);
  float obs[ON_N * ON_O] = {1, 2, 3, 4, 5, 6}, told[ON_N * ON_O] = {6, 5, 4, 3, 2, 1},
                   reward[ON_N] = {0};
  uint8_t no[ON_N] = {0}, start[ON_N] = {0, 1}, actions[ON_N * 16];
  const CelOutcome outcome = {reward, no, no, told, NULL};
  const CelTensors *t = cel_agent_tensors(agent);
  const uint8_t *truncated = cel_tensors_find(t, "rollout.truncated")->data;
  const float *final = cel_tensors_find(t, "rollout.final_obs")->data;
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  memcpy(obs, told, sizeof obs);
  obs[1] = 9; // environment 0 was moved, environment 1 starts anew
  assert_int_equal(cel_agent_act(agent, obs, start, CEL_EXPLORE, actions), CEL_OK);
  assert_int_equal(truncated[0], 1);
  assert_int_equal(truncated[1], 1);
  assert_memory_equal(final, told, sizeof told);
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  assert_int_equal(cel_agent_act(agent, told, NULL, CEL_EXPLORE, actions), CEL_OK);
  assert_int_equal(truncated[2], 0);
  cel_agent_destroy(agent);
}

/// gSDE: the noise is a function of the observation and stays for sde_sample_freq steps. A sample
/// outside of rollouts has the deviation that the head reports.
static void test_state_dependent_exploration(void **state) {
  (void)state;
  enum { DRAWS = 4000, HELD = 4 };
  CelAgent *agent = on_make(&learner, &cases[9], NULL, 1);
  assert_string_equal(cases[9].name, "sde");
  const CelTensors *t = cel_agent_tensors(agent);
  const float *head = cel_tensors_find(t, "rollout.head")->data;
  const float obs[ON_N * ON_O] = {1, 2, 3, -1, 0.5f, 2}, zero[ON_N] = {0};
  const uint8_t no[ON_N] = {0};
  const CelOutcome outcome = {zero, no, no, obs, NULL};
  float actions[ON_N * 2], before[ON_N * 2] = {0};
  for (int k = 0; k < ON_T; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
    assert_true(k == 0 || (memcmp(actions, before, sizeof before) == 0) == (k % HELD != 0));
    memcpy(before, actions, sizeof before);
  }
  double mean[4] = {0}, square[4] = {0};
  for (int k = 0; k < DRAWS; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, actions), CEL_OK);
    for (int i = 0; i < 4; i++) {
      const double d = (double)(actions[i] - head[i / 2 * 4 + i % 2]);
      mean[i] += d / DRAWS, square[i] += d * d / DRAWS;
    }
  }
  for (int i = 0; i < 4; i++) {
    const double sd = exp((double)head[i / 2 * 4 + 2 + i % 2]);
    assert_true(fabs(mean[i]) < 5 * sd / sqrt(DRAWS));
    assert_true(fabs(sqrt(square[i]) / sd - 1) < 5 / sqrt(2.0 * DRAWS));
  }
  cel_agent_destroy(agent);
}

/// A squashed policy stores scaled actions and returns those of the environment, in training and in
/// samples.
static void test_squashed_actions(void **state) {
  (void)state;
  CelAgent *agent = on_make(&learner, &cases[10], NULL, 1);
  assert_string_equal(cases[10].name, "sde-squashed");
  const float obs[ON_N * ON_O] = {1, 2, 3, -1, 0.5f, 2};
  const float *stored = cel_tensors_find(cel_agent_tensors(agent), "rollout.actions")->data;
  float actions[ON_N * 2];
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  for (int i = 0; i < ON_N * 2; i++) { // the box is [-2, 3]
    assert_true(fabsf(stored[i]) < 1);
    assert_true(fabsf(actions[i] - (0.5f + 2.5f * stored[i])) < 1e-6f);
  }
  for (int k = 0; k < 50; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, k % 2 ? CEL_SAMPLE : CEL_MODE, actions),
                     CEL_OK);
    for (int i = 0; i < ON_N * 2; i++) assert_true(actions[i] > -2 && actions[i] < 3);
  }
  cel_agent_destroy(agent);
}

/// cel_agent_reset_noise draws a new noise function at once. The same calls give the same bits.
static void test_reset_noise(void **state) {
  (void)state;
  enum { RUNS = 3, STEPS = 4 };
  const float obs[ON_N * ON_O] = {1, 2, 3, -1, 0.5f, 2}, zero[ON_N] = {0};
  const uint8_t no[ON_N] = {0};
  const CelOutcome outcome = {zero, no, no, obs, NULL};
  float actions[RUNS][STEPS][ON_N * 2];
  for (int run = 0; run < RUNS; run++) {
    CelAgent *agent = on_make(&learner, &cases[9], NULL, 1);
    for (int k = 0; k < STEPS; k++) {
      if (run > 0 && k == 2) assert_int_equal(cel_agent_reset_noise(agent), CEL_OK);
      assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions[run][k]), CEL_OK);
      assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
    }
    cel_agent_destroy(agent);
  }
  const size_t size = sizeof actions[0][0];
  assert_memory_equal(actions[0], actions[1], 2 * size);
  assert_memory_equal(actions[0][1], actions[0][2], size);
  assert_memory_not_equal(actions[1][1], actions[1][2], size);
  assert_memory_equal(actions[1][2], actions[1][3], size);
  assert_memory_equal(actions[1], actions[2], sizeof actions[1]);
  CelAgent *plain = on_make(&learner, &cases[0], NULL, 1);
  on_expect(cel_agent_reset_noise(plain), CEL_E_UNSUPPORTED, "use_sde");
  cel_agent_destroy(plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_TESTS(learner),
      ON_GOLDEN(learner),
      cmocka_unit_test(test_zero_variance),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_stops_by_divergence),
      cmocka_unit_test(test_stops_at_one_and_a_half_target_kl),
      cmocka_unit_test(test_schedules),
      cmocka_unit_test(test_state_dependent_exploration),
      cmocka_unit_test(test_squashed_actions),
      cmocka_unit_test(test_reset_noise),
      cmocka_unit_test(test_moved_environments_are_cut_off),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
