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
    {"dropout",
     {{"dropout", "0.3"}, {"target", "polyak"}, {"norm", "layer"}, {"norm_networks", "critics"}}},
    {"categorical",
     {{"critic", "categorical"},
      {"n_atoms", "9"},
      {"v_min", "-2"},
      {"v_max", "2.5"},
      {"target", "polyak"},
      {"target_entropy_factor", "0.5"}}},
    {"categorical-mean",
     {{"critic", "categorical"},
      {"n_atoms", "4"},
      {"v_min", "-1"},
      {"critic_reduce", "mean"},
      {"n_steps", "2"},
      {"norm", "batch"},
      {"activation", "tanh"}}},
    {"residual",
     {{"residual", "true"},
      {"net_arch", "5,5"},
      {"critic_arch", "6"},
      {"norm", "layer"},
      {"target", "polyak"}}},
    {"subset", {{"n_critics", "4"}, {"critic_subset", "2"}, {"target", "polyak"}}},
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
                                         {"tau", "0"},
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
  refuse((const char *const[][2]){{"residual", "true"}, {"net_arch", "6,7"}, {NULL, NULL}},
         "residual blocks need at least one hidden width");
  refuse((const char *const[][2]){{"residual", "true"}, {"norm_input", "true"}, {NULL, NULL}},
         "norm_input with residual blocks");
  refuse((const char *const[][2]){{"critic_subset", "3"}, {NULL, NULL}}, "at most n_critics, 2");
  refuse((const char *const[][2]){{"critic_subset", "2"}, {"critic", "quantile"}, {NULL, NULL}},
         "needs critic mean");
  refuse((const char *const[][2]){{"critic", "categorical"}, {"v_min", "5"}, {NULL, NULL}},
         "v_min is 5; it must be below v_max, 5");
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

/// Weight norm: every output's weights have norm 1 after an update.
static void test_weight_norm(void **state) {
  (void)state;
  static const char *const choices[] = {"hidden", "all"};
  static const char *const networks[] = {"actor", "critic"};
  for (int all = 0; all < 2; all++) {
    const char *const more[][2] = {
        {"weight_norm", choices[all]}, {"learning_rate", "0.01"}, {"norm", "batch"}, {NULL, NULL}};
    CelAgent *agent = learner_make(&sac, NULL, more, 2);
    learner_feed(&sac, agent, LEARNER_STEPS);
    learner_update(agent, 2);
    for (int k = 0; k < 6; k++) {
      char name[64];
      snprintf(name, sizeof name, "%s.%d.weight", networks[k / 3], k % 3);
      const CelTensor *W = cel_tensors_find(cel_agent_tensors(agent), name);
      const int64_t K = W->shape[1], N = W->shape[2];
      double sum = 0; // of the first output of the first member; batch norm leaves no bias
      for (int64_t i = 0; i < K; i++)
        sum += (double)((float *)W->data)[i * N] * (double)((float *)W->data)[i * N];
      assert_int_equal(fabs(sum - 1) < 1e-6, k % 3 < 2 || all);
    }
    cel_agent_destroy(agent);
  }
}

/// The minimum of a random pair of 4 critics is the smallest value with probability 1/2, the second
/// with 1/3, the third with 1/6.
static void test_subsets(void **state) {
  (void)state;
  static const char *const more[][2] = {
      {"n_critics", "4"}, {"critic_subset", "2"}, {"ent_coef", "0"}, {"gamma", "1"}, {NULL, NULL}};
  enum { E = 4, B = 7, UPDATES = 150 };
  CelAgent *agent = learner_make(&sac, NULL, more, 2);
  const CelTensors *t = cel_agent_tensors(agent);
  int rank[E] = {0}, found = 0;
  learner_disturb(agent);
  learner_feed(&sac, agent, LEARNER_STEPS);
  const float *y = cel_tensors_find(t, "batch.y")->data,
              *Z = cel_tensors_find(t, "pass.q_next.2.y")->data,
              *r = cel_tensors_find(t, "batch.reward")->data,
              *d = cel_tensors_find(t, "batch.discount")->data;
  for (int k = 0; k < UPDATES; k++) {
    learner_update(agent, 1);
    for (int b = 0; b < B; b++)
      for (int e = 0; e < E && d[b] > 0; e++) {
        int below = 0;
        if (fabsf(r[b] + Z[e * B + b] - y[b]) > 1e-6f) continue;
        for (int other = 0; other < E; other++) below += Z[other * B + b] < Z[e * B + b];
        rank[below]++, found++;
      }
  }
  assert_true(found > UPDATES * B / 2); // all but terminal rows
  for (int k = 0; k < E; k++) {
    const double share = (double)rank[k] / found, expected = (3 - k) / 6.;
    if (!(fabs(share - expected) < 0.1)) fail_msg("rank %d: %g, expected %g", k, share, expected);
  }
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LEARNER_TESTS(sac), cmocka_unit_test(test_refused), cmocka_unit_test(test_settings),
      cmocka_unit_test(test_weight_norm), cmocka_unit_test(test_subsets)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
