/// Soft Q-learning with continuous actions against PyTorch in float64 (tests/golden/torch_sqlc.py), its sampler on a density
/// that is known, and what every learner must show.
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"median", {{"ent_coef", "0.3"}}},
    {"wide", {{"bandwidth", "2"}, {"activation", "tanh"}, {"updated_particles", "3"}}},
    {"one-layer", {{"net_arch", "9"}, {"normalize_observation", "true"}, {"value_particles", "1"}}},
};
static const Learner sqlc = {.algo = "sqlc",
                             .settings = {{"net_arch", "6,5"},
                                          {"batch_size", "7"},
                                          {"buffer_size", "200"},
                                          {"learning_starts", "1000000"},
                                          {"learning_rate", "0"},
                                          {"value_particles", "8"},
                                          {"fixed_particles", "6"},
                                          {"updated_particles", "5"},
                                          {"gamma", "0.9"},
                                          {"tau", "0"}},
                             .cases = cases,
                             .n_cases = sizeof cases / sizeof cases[0],
                             .compared = 9};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&sqlc);
  learner_nan_is_told(&sqlc, "critic.0.bias");
}

/// With a flat Q the sampler learns the uniform distribution: E[a^2] = 1/3 of independent draws, scaled to [-1, 1].
static void test_flat_q(void **state) {
  (void)state;
  static const char *const flat[][2] = {{"net_arch", "[32,32]"},
                                        {"learning_rate", "1e-3"},
                                        {"ent_coef", "10"},
                                        {"fixed_particles", "32"},
                                        {"updated_particles", "32"},
                                        {"batch_size", "16"},
                                        {NULL, NULL}};
  enum { DRAWS = 4000 };
  CelAgent *agent = learner_make(&sqlc, NULL, flat, 1);
  const CelTensors *t = cel_agent_tensors(agent);
  learner_feed(&sqlc, agent, LEARNER_STEPS);
  // The critic's last layer is kept at zero: Q is flat.
  const CelTensor *W = cel_tensors_find(t, "critic.2.weight"),
                  *b = cel_tensors_find(t, "critic.2.bias");
  for (int i = 0; i < 1500; i++) {
    memset(W->data, 0, (size_t)W->size * sizeof(float));
    memset(b->data, 0, (size_t)b->size * sizeof(float));
    assert_int_equal(cel_agent_sync(agent), CEL_OK);
    learner_update(agent, 1);
  }
  const float obs[LEARNER_N * LEARNER_O] = {0.3f, -0.2f, 0.1f, -0.4f, 0.5f, 0};
  double square = 0;
  for (int i = 0; i < DRAWS; i++) {
    float actions[LEARNER_N * LEARNER_DIMS];
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, actions), CEL_OK);
    for (int k = 0; k < LEARNER_N * LEARNER_DIMS; k++) {
      const double a = ((double)actions[k] - 0.5) / 2.5;
      square += a * a / (DRAWS * LEARNER_N * LEARNER_DIMS);
    }
  }
  print_message("flat Q: E[a^2] = %.3f of the sampler's draws\n", square);
  if (!(fabs(square - 1.0 / 3) < 0.03)) fail_msg("E[a^2] is %.3f, expected 1/3", square);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(sqlc), cmocka_unit_test(test_flat_q),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
