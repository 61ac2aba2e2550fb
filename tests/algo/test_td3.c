/// TD3 and DDPG compared with PyTorch in float64 (tests/golden/torch_td3.py), with the formulas of
/// Stable-Baselines3, and the tests of every learner.
#include "learner_test.h"

/// policy_delay 1 where the actor's loss and gradient are compared: only one update is made.
static const LearnerCase cases[] = {
    {"td3", {{"policy_delay", "1"}}},
    {"ddpg",
     {{"policy_delay", "1"},
      {"n_critics", "1"},
      {"target_policy_noise", "0"},
      {"activation", "tanh"}}},
    {"clipped",
     {{"policy_delay", "1"}, {"target_policy_noise", "1.5"}, {"target_noise_clip", "0.9"}}},
    {"mean-of-three",
     {{"policy_delay", "1"},
      {"n_critics", "3"},
      {"critic_reduce", "mean"},
      {"layer_norm", "true"}}},
    {"three-steps",
     {{"policy_delay", "1"}, {"n_steps", "3"}, {"activation", "silu"}, {"noise", "ou"}}},
    {"delayed", {{"normalize_observation", "true"}, {"noise", "none"}}},
};
static const Learner td3 = {.algo = "td3",
                            .settings = {{"net_arch", "6,5"},
                                         {"batch_size", "7"},
                                         {"buffer_size", "200"},
                                         {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},
                                         {"gamma", "0.9"},
                                         {"tau", "0"}},
                            .cases = cases,
                            .n_cases = sizeof cases / sizeof cases[0],
                            .compared = 8};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&td3);
  learner_nan_is_told(&td3, "actor.0.bias");
  learner_nan_is_told(&td3, "critic.1.bias");
  learner_nan_is_told(&td3, "actor_target.1.bias");
  const CelSpace box = cel_space_box(3, -1, 1), open = cel_space_box(2, -INFINITY, INFINITY);
  CelAgent *agent;
  learner_expect(cel_agent_create(&agent, "td3", NULL, &box, &open, NULL), CEL_E_UNSUPPORTED,
                 "finite bounds");
}

/// The noise of target_policy_noise is clipped at target_noise_clip, and the action at its bounds.
static void test_target_noise(void **state) {
  (void)state;
  const LearnerCase wide = {"", {{"target_policy_noise", "50"}, {"target_noise_clip", "0.25"}}};
  CelAgent *agent = learner_updated(&td3, &wide, 1);
  const CelTensors *tensors = cel_agent_tensors(agent);
  const CelTensor *next = cel_tensors_find(tensors, "batch.sa_next"),
                  *head = cel_tensors_find(tensors, "pass.next.2.y");
  assert_non_null(next);
  assert_non_null(head);
  int clipped = 0;
  for (int b = 0; b < 7; b++)
    for (int k = 0; k < LEARNER_DIMS; k++) {
      const float *row = (const float *)next->data + b * (LEARNER_O + LEARNER_DIMS) + LEARNER_O;
      const double a = tanh((double)((const float *)head->data)[b * LEARNER_DIMS + k]),
                   moved = fabs((double)row[k] - a);
      assert_true(fabs((double)row[k]) <= 1 && moved < 0.25 + 1e-6);
      clipped += moved > 0.25 - 1e-6;
    }
  assert_true(clipped > 7);
  cel_agent_destroy(agent);
}

/// Without exploration noise, exploring, sampling and acting by the mode are the same after
/// learning_starts. With noise, only exploring differs, by noise_sigma.
static void test_exploration(void **state) {
  (void)state;
  static const char *const noises[] = {"none", "normal", "ou"};
  enum { DRAWS = 3000 };
  const float obs[LEARNER_N * LEARNER_O] = {0.5f, -1, 2, 0, 1, -0.4f};
  float mode[4], action[4];
  for (int n = 0; n < 3; n++) {
    const LearnerCase c = {
        "", {{"noise", noises[n]}, {"noise_sigma", "0.2"}, {"learning_starts", "0"}}};
    CelAgent *agent = learner_make(&td3, &c, NULL, 1);
    double squares = 0;
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, mode), CEL_OK);
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, action), CEL_OK);
    assert_memory_equal(mode, action, sizeof mode);
    for (int i = 0; i < DRAWS; i++) {
      assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, action), CEL_OK);
      for (int k = 0; k < 4; k++) squares += pow((double)(action[k] - mode[k]) / 2.5, 2);
    }
    const double sd = sqrt(squares / (4 * DRAWS));
    if (n == 0) assert_true(sd == 0);
    if (n == 1) assert_true(fabs(sd - 0.2) < 0.01);
    if (n == 2) assert_true(sd > 0.01);
    cel_agent_destroy(agent);
  }
}

/// It has Q, but no density and no standard deviation.
static void test_inspection(void **state) {
  (void)state;
  CelAgent *agent = learner_updated(&td3, &cases[0], 1);
  const float obs[LEARNER_O] = {0.5f, -1, 2};
  float mean[2], sd[2], action[2], draw[2], q;
  bool squashed;
  learner_expect(cel_agent_gaussian(agent, obs, 1, mean, sd, &squashed), CEL_E_UNSUPPORTED,
                 "deterministic");
  assert_int_equal(cel_agent_predict(agent, obs, 1, action), CEL_OK);
  assert_int_equal(cel_agent_draw(agent, obs, 1, 3, 0, draw), CEL_OK);
  assert_memory_equal(action, draw, sizeof action);
  assert_int_equal(cel_agent_q(agent, obs, action, 1, &q), CEL_OK);
  assert_true(isfinite(q));
  assert_true(cel_agent_temperature(agent) == 0);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LEARNER_TESTS(td3), cmocka_unit_test(test_bad_input), cmocka_unit_test(test_target_noise),
      cmocka_unit_test(test_exploration), cmocka_unit_test(test_inspection)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
