/// Soft actor-critic with a value network compared with PyTorch in float64
/// (tests/golden/torch_sacv.py), the order of its steps, and the tests of every learner.
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"squashed", {{"ent_coef_init", "0.3"}}},
    {"gaussian", {{"policy", "gaussian"}, {"activation", "silu"}, {"ent_coef", "0.2"}}},
    {"mean-of-three", {{"n_critics", "3"}, {"critic_reduce", "mean"}, {"layer_norm", "true"}}},
    {"one-critic", {{"n_critics", "1"}, {"net_arch", "9"}, {"normalize_observation", "true"}}},
};
static const Learner sacv = {.algo = "sacv",
                             .settings = {{"net_arch", "6,5"},
                                          {"batch_size", "7"},
                                          {"buffer_size", "200"},
                                          {"learning_starts", "1000000"},
                                          {"learning_rate", "0"},
                                          {"gamma", "0.9"},
                                          {"tau", "0"}},
                             .cases = cases,
                             .n_cases = sizeof cases / sizeof cases[0],
                             .compared = 15};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&sacv);
  learner_nan_is_told(&sacv, "value.0.bias");
  learner_nan_is_told(&sacv, "critic.0.bias");
}

/// After one update with tau = 1 the target network equals the new value network, so it was updated
/// after V. The target of Q used the old one.
static void test_target_moves_last(void **state) {
  (void)state;
  static const char *const jump[][2] = {{"tau", "1"}, {"learning_rate", "1e-2"}, {NULL, NULL}};
  CelAgent *agent = learner_make(&sacv, &cases[0], jump, 1);
  learner_disturb(agent);
  learner_feed(&sacv, agent, LEARNER_STEPS);
  const CelTensors *t = cel_agent_tensors(agent);
  const CelTensor *V = cel_tensors_find(t, "value.0.weight"),
                  *target = cel_tensors_find(t, "target.0.weight");
  float *before = malloc((size_t)V->size * sizeof(float));
  assert_non_null(before);
  memcpy(before, V->data, (size_t)V->size * sizeof(float));
  learner_update(agent, 1);
  assert_memory_not_equal(before, V->data, (size_t)V->size * sizeof(float));
  for (int64_t i = 0; i < V->size; i++)
    assert_true(fabs((double)((const float *)target->data)[i] -
                     (double)((const float *)V->data)[i]) < 1e-6);
  free(before);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(sacv), cmocka_unit_test(test_target_moves_last),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
