/// Files that Storm, umbi and PETSc wrote. tests/golden/formats.py documents and makes them. Each
/// must equal the transition table that the exporter wrote from the other program's own matrix.
#include "celsius/mdp.h"
#include "mdp/formats/pack.h"
#include "mdp/model_cases.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *golden(const char *name) {
  static char path[512];
  snprintf(path, sizeof path, "%s/golden/formats/%s", CELSIUS_TEST_DIR, name);
  return path;
}

static CelStatus load(CelMdp **out, const char *name, const char *reward) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  options.discount = 0.9;
  snprintf(options.reward, sizeof options.reward, "%s", reward);
  return cel_mdp_load_with(out, golden(name), &options);
}

static CelMdp *loaded(const char *name, const char *reward) {
  CelMdp *mdp = NULL;
  assert_ok(load(&mdp, name, reward));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

/// The reward of transition t of pair p.
static double reward_at(const CelMdp *mdp, int64_t p, int64_t t) {
  return mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p];
}

/// Probabilities may differ by `ulps` units in the last place of 1.
static void expect_equal(const char *name, const CelMdp *mdp, const CelMdp *table, double ulps) {
  assert_int_equal(mdp->states, table->states);
  assert_int_equal(mdp->pairs, table->pairs);
  assert_int_equal(mdp->transitions, table->transitions);
  for (int64_t s = 0; s < mdp->states; s++) {
    assert_int_equal(mdp->pair[s], table->pair[s]);
    if (mdp->start[s] != table->start[s]) fail_msg("%s: start of state %d", name, (int)s);
  }
  for (int64_t p = 0; p < mdp->pairs; p++) {
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      assert_int_equal(cel_mdp_next(mdp, t), cel_mdp_next(table, t));
      if (fabs(mdp->probability[t] - table->probability[t]) > ulps * 0x1p-53)
        fail_msg("%s: transition %d: %.17g, not %.17g", name, (int)t, mdp->probability[t],
                 table->probability[t]);
      if (reward_at(mdp, p, t) != reward_at(table, p, t))
        fail_msg("%s: reward %d: %.17g, not %.17g", name, (int)t, reward_at(mdp, p, t),
                 reward_at(table, p, t));
    }
  }
}

static void robots_equal_their_tables(void **state) {
  (void)state;
  static const char *const files[] = {"robot-plain.umb", "robot.umb", "robot-xz.umb", "robot.drn",
                                      "robot-rational.umb"};
  static const char *const rewards[] = {"time", "energy"};
  for (int r = 0; r < 2; r++) {
    char name[64];
    snprintf(name, sizeof name, "robot-%s.json", rewards[r]);
    CelMdp *table = loaded(name, "");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
      CelMdp *mdp;
      const CelStatus status = load(&mdp, files[i], rewards[r]);
      if (status == CEL_E_UNSUPPORTED && strstr(cel_error(), "this build has no")) continue;
      assert_ok(status);
      assert_ok(cel_mdp_check(mdp));
      expect_equal(files[i], mdp, table, i == 3 ? 1e6 : i == 4 ? 4 : 0); // DRN has 10 digits
      assert_int_equal(mdp->reward_models, 2);
      assert_string_equal(mdp->reward_chosen->name, rewards[r]);
      cel_mdp_destroy(mdp);
    }
    cel_mdp_destroy(table);
  }
}

/// The labels of a robot, as a list of states in JSON.
static void expect_labels(const CelMdp *mdp, const cJSON *json) {
  const cJSON *list;
  cJSON_ArrayForEach(list, json) {
    const CelMdpLabel *label;
    uint8_t in[64] = {0};
    const cJSON *s;
    if (cJSON_GetArraySize(list) == 0 && cel_mdp_label_find(mdp, list->string, &label) != CEL_OK)
      continue; // a text has only labels that some state has
    assert_ok(cel_mdp_label_find(mdp, list->string, &label));
    cJSON_ArrayForEach(s, list) in[s->valueint] = 1;
    if (memcmp(in, label->in, (size_t)mdp->states) != 0) fail_msg("label %s differs", list->string);
  }
}

static void labels_are_kept(void **state) {
  (void)state;
  char text[4096] = "";
  FILE *file = fopen(golden("robot-labels.json"), "r");
  assert_non_null(file);
  assert_true(fread(text, 1, sizeof text - 1, file) > 0);
  fclose(file);
  cJSON *json = cJSON_Parse(text);
  assert_non_null(json);
  CelMdp *mdp = loaded("robot-plain.umb", "time");
  expect_labels(mdp, json);
  assert_int_equal(mdp->labels, cJSON_GetArraySize(json));
  cel_mdp_destroy(mdp);
  mdp = loaded("robot.drn", "time");
  expect_labels(mdp, json);
  cel_mdp_destroy(mdp);
  uint8_t in[64];
  int64_t count;
  const CelStatus status = load(&mdp, "robot-rational.umb", "time");
  cJSON_Delete(json);
  if (status == CEL_E_UNSUPPORTED) return; // built without zlib
  assert_ok(status);
  assert_ok(cel_mdp_states_where(mdp, "\"GOAL of the grid\" & \"EDGE of the grid\"", in, &count));
  assert_true(count == 1 && in[24]);
  assert_non_null(strstr(mdp->left_out, "rounded"));
  cel_mdp_destroy(mdp);
}

static void chains_have_one_action(void **state) {
  (void)state;
  static const char *const files[] = {"chain.umb", "chain.drn"};
  for (int i = 0; i < 2; i++) {
    CelMdp *mdp;
    const CelStatus status = load(&mdp, files[i], "");
    if (status == CEL_E_UNSUPPORTED && i == 0) continue; // no zlib
    assert_ok(status);
    assert_true(mdp->states == 4 && mdp->pairs == 4 && mdp->max_actions == 1);
    assert_true(mdp->transitions == 6 && mdp->reward_models == 0);
    cel_mdp_destroy(mdp);
  }
}

static void other_models_are_refused_by_name(void **state) {
  (void)state;
  CelMdp *mdp = NULL;
  if (celi_packing_check(CELI_GZIP) != CEL_OK) skip();
  assert_fails(load(&mdp, "queue.umb", ""), CEL_E_UNSUPPORTED,
               "queue.umb: the model is a continuous-time Markov chain; only MDPs");
  assert_fails(load(&mdp, "game.umb", ""), CEL_E_UNSUPPORTED,
               "game.umb: the model is a stochastic game with several players; only MDPs");
}

static void petsc_equals_its_table(void **state) {
  (void)state;
  CelMdp *table = loaded("pair.json", ""), *mdp = loaded("pair_P.bin", "reward");
  expect_equal("pair_P.bin", mdp, table, 0.0);
  cel_mdp_destroy(mdp);
  mdp = loaded("pair_P.bin", "cost");
  for (int64_t p = 0; p < mdp->pairs; p++) assert_true(mdp->reward[p] == -table->reward[p]);
  assert_fails(load(&mdp, "pair_P.bin", ""), CEL_E_ARGUMENT,
               "has 2 reward models: \"reward\", \"cost\"; set reward");
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(robots_equal_their_tables),
      cmocka_unit_test(labels_are_kept),
      cmocka_unit_test(chains_have_one_action),
      cmocka_unit_test(other_models_are_refused_by_name),
      cmocka_unit_test(petsc_equals_its_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
