/// Soft Q-learning with discrete actions compared with PyTorch in float64
/// (tests/golden/torch_sql.py), the distribution of its behavior policy, and the tests of every
/// learner.
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"relu", {{"ent_coef", "0.3"}}},
    {"cold", {{"ent_coef", "0.01"}, {"activation", "tanh"}}},
    {"hot", {{"ent_coef", "10"}, {"activation", "silu"}, {"layer_norm", "true"}}},
    {"one-layer", {{"net_arch", "9"}, {"normalize_observation", "true"}}},
};
static const Learner sql = {.algo = "sql",
                            .discrete = true,
                            .settings = {{"net_arch", "6,5"},
                                         {"batch_size", "7"},
                                         {"buffer_size", "200"},
                                         {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},
                                         {"gamma", "0.9"},
                                         {"tau", "0"}},
                            .cases = cases,
                            .n_cases = sizeof cases / sizeof cases[0],
                            .compared = 7};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&sql);
  learner_nan_is_told(&sql, "actor.0.bias");
}

/// The behavior policy is exp(Q/alpha), normalized. Without hidden layers and weights, Q is the
/// bias, so samples must follow its Boltzmann distribution (chi-square, 3 degrees of freedom, one
/// in a thousand).
static void test_boltzmann_behavior(void **state) {
  (void)state;
  enum { DRAWS = 5000 };
  static const double Q[LEARNER_ACTIONS] = {0.2, -0.1, 0.5, 0};
  static const char *const plain[][2] = {{"net_arch", "[]"}, {"ent_coef", "0.4"}, {NULL, NULL}};
  CelAgent *agent = learner_make(&sql, NULL, plain, 1);
  CelTensors *t = cel_agent_tensors(agent);
  memset(cel_tensors_find(t, "actor.0.weight")->data, 0,
         sizeof(float) * LEARNER_O * LEARNER_ACTIONS);
  double count[LEARNER_ACTIONS] = {0}, Z = 0, chi = 0;
  for (int a = 0; a < LEARNER_ACTIONS; a++) {
    ((float *)cel_tensors_find(t, "actor.0.bias")->data)[a] = (float)Q[a];
    Z += exp(Q[a] / 0.4);
  }
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  const float obs[LEARNER_N * LEARNER_O] = {1, 2, 3, 4, 5, 6};
  int32_t actions[LEARNER_N];
  for (int i = 0; i < DRAWS; i++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, actions), CEL_OK);
    for (int k = 0; k < LEARNER_N; k++) count[actions[k]]++;
  }
  for (int a = 0; a < LEARNER_ACTIONS; a++) {
    const double expected = exp(Q[a] / 0.4) / Z * DRAWS * LEARNER_N;
    chi += (count[a] - expected) * (count[a] - expected) / expected;
  }
  if (!(chi < 16.27)) fail_msg("chi-square %.1f of 3 degrees, expected less than 16.27", chi);
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, actions), CEL_OK);
  assert_int_equal(actions[0], 2);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(sql), cmocka_unit_test(test_boltzmann_behavior),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
