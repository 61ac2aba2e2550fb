/// The networks of soft actor-critic: normalization by the batch, critics without target networks.
/// Losses, gradients and running statistics against PyTorch in float64 (tests/golden/torch_sac.py),
/// determinism, invalid settings.
#include "celsius/sac.h"
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"batch-renorm", {{"norm", "batch_renorm"}, {"norm_place", "after"}, {"norm_input", "true"}}},
    {"batch-norm",
     {{"norm", "batch"},
      {"norm_networks", "critics"},
      {"n_critics", "3"},
      {"critic_reduce", "mean"},
      {"n_steps", "2"},
      {"activation", "tanh"}}},
    {"quantiles-batch-norm",
     {{"norm", "batch"},
      {"norm_place", "after"},
      {"critic", "quantile"},
      {"n_quantiles", "4"},
      {"n_critics", "1"}}},
    {"no-target", {{"norm", "layer"}, {"activation", "silu"}}},
};
static const Learner sac = {.algo = "sac",
                            .settings = {{"net_arch", "6,5"},
                                         {"batch_size", "7"},
                                         {"buffer_size", "200"},
                                         {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},
                                         {"gamma", "0.9"},
                                         {"ent_coef_init", "0.3"},
                                         {"target", "none"},
                                         {"norm_warmup", "0"}},
                            .cases = cases,
                            .n_cases = sizeof cases / sizeof cases[0],
                            .compared = 12};

/// The settings (field, value) and what the error says.
static void refuse(const char *const (*settings)[2], const char *word) {
  const CelSpace box = cel_space_box(3, -1, 1);
  CelSacConfig config = cel_sac_config_default();
  CelAgent *agent;
  learner_set(learner_info(&sac), &config, settings);
  learner_expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE, word);
}

static void test_refused(void **state) {
  (void)state;
  refuse((const char *const[][2]){{"norm", "batch"}, {NULL, NULL}}, "norm batch needs target none");
  refuse((const char *const[][2]){{"norm", "batch_renorm"}, {NULL, NULL}},
         "norm batch_renorm needs target none");
  refuse((const char *const[][2]){{"norm", "rms"}, {"layer_norm", "true"}, {NULL, NULL}},
         "set only one of them");
}

/// norm layer is layer_norm, and momentum and warm-up reach the layers.
static void test_settings(void **state) {
  (void)state;
  static const char *const same[2][3][2] = {{{"norm", "layer"}, {"target", "polyak"}},
                                            {{"layer_norm", "true"}, {"target", "polyak"}}};
  static const char *const renorm[3][4][2] = {
      {{"norm", "batch_renorm"}, {"norm_warmup", "100"}},
      {{"norm", "batch_renorm"}, {"norm_warmup", "100"}, {"norm_momentum", "0.01"}},
      {{"norm", "batch_renorm"}, {"norm_warmup", "100"}, {"norm_momentum", "0.5"}}};
  uint64_t digest[5][2];
  for (int i = 0; i < 5; i++) {
    CelAgent *agent = learner_make(&sac, NULL, i < 2 ? same[i] : renorm[i - 2], 1);
    learner_disturb(agent);
    learner_feed(&sac, agent, LEARNER_STEPS);
    learner_update(agent, 2);
    cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, digest[i]);
    cel_agent_destroy(agent);
  }
  assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
  assert_memory_equal(digest[2], digest[3], sizeof digest[0]);
  assert_memory_not_equal(digest[3], digest[4], sizeof digest[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(sac), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_settings)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
