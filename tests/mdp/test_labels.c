/// Labels and named reward models: building, expressions over labels, selection, files.
#include "celsius/mdp.h"
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"
#include "mdp/model_cases.h"
#include "support/load_options.h"
#include <stdio.h>
#include <string.h>

/// Three states; state 2 is terminal. Labels: goal {2}, "all coins" {0, 2}, none {}.
/// Models: time (1 per state 0, 2 for pair 1), gain (5 for the transition from pair 0 to state 2).
static CelMdp *example(void) {
  CelMdpBuilder *b = builder_of(3, 0.9, 0);
  int64_t time, gain, empty;
  assert_ok(cel_mdp_reward_model(b, "time", &time));
  assert_ok(cel_mdp_reward_model(b, "gain", &gain));
  assert_ok(cel_mdp_reward_model(b, "empty", &empty));
  assert_true(time == 0 && gain == 1 && empty == 2);
  assert_ok(cel_mdp_label(b, "goal", (const uint8_t[]){0, 0, 1}));
  assert_ok(cel_mdp_label(b, "all coins", (const uint8_t[]){1, 0, 1}));
  assert_ok(cel_mdp_label(b, "nowhere", (const uint8_t[]){0, 0, 0}));
  assert_ok(cel_mdp_reward_of_state(b, time, 0, 1.0));
  assert_ok(cel_mdp_pair(b, 0, 0, 7.0));
  assert_ok(cel_mdp_transition(b, 2, 0.25, 0.0, false));
  assert_ok(cel_mdp_reward_of_transition(b, gain, 5.0));
  assert_ok(cel_mdp_transition(b, 1, 0.75, 0.0, false));
  assert_ok(cel_mdp_transition(b, 1, 0.0, 0.0, false)); // dropped, and its reward too
  assert_ok(cel_mdp_reward_of_transition(b, gain, 99.0));
  assert_ok(cel_mdp_pair(b, 1, 0, 0.0));
  assert_ok(cel_mdp_reward_of_pair(b, time, 2.0));
  assert_ok(cel_mdp_transition(b, 0, 1.0, 0.0, false));
  assert_ok(cel_mdp_start(b, 0, 1.0));
  return built(b);
}

static void models_follow_the_sorted_transitions(void **state) {
  (void)state;
  CelMdp *mdp = example();
  const CelMdpReward *time, *gain, *empty;
  assert_ok(cel_mdp_reward_find(mdp, "time", &time));
  assert_ok(cel_mdp_reward_find(mdp, "gain", &gain));
  assert_ok(cel_mdp_reward_find(mdp, "empty", &empty));
  assert_true(time->state[0] == 1 && time->state[1] == 0 && time->pair[0] == 0);
  assert_true(time->pair[1] == 2 && time->transition == NULL);
  assert_true(gain->state == NULL && gain->pair == NULL);
  // the row of pair 0 is sorted: states 1, 2
  assert_true(gain->transition[0] == 0 && gain->transition[1] == 5 && gain->transition[2] == 0);
  assert_true(!empty->state && !empty->pair && !empty->transition);
  assert_true(mdp->reward_chosen == NULL && mdp->reward[0] == 7);
  cel_mdp_destroy(mdp);
}

static void merged_transitions_average_their_rewards(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(2, 0.9, 0);
  int64_t m;
  assert_ok(cel_mdp_reward_model(b, "m", &m));
  assert_ok(cel_mdp_pair(b, 0, 0, 0.0));
  for (int i = 0; i < 3; i++) {
    assert_ok(cel_mdp_transition(b, i == 1, i == 1 ? 0.5 : 0.25, 0.0, false));
    assert_ok(cel_mdp_reward_of_transition(b, m, i == 0 ? 1.0 : i == 1 ? 8.0 : 3.0));
  }
  CelMdp *mdp = built(b);
  assert_int_equal(mdp->transitions, 2);
  assert_true(mdp->reward_model[0].transition[0] == 2.0); // (1 + 3) / 2
  assert_true(mdp->reward_model[0].transition[1] == 8.0);
  cel_mdp_destroy(mdp);
}

static void a_model_is_selected_by_name(void **state) {
  (void)state;
  CelMdp *mdp = example(), *other = NULL;
  assert_ok(cel_mdp_with_reward(mdp, "time", &other));
  assert_ok(cel_mdp_check(other));
  assert_true(other->reward[0] == 1 && other->reward[1] == 2 && other->reward_next == NULL);
  assert_string_equal(other->reward_chosen->name, "time");
  cel_mdp_destroy(other);
  assert_ok(cel_mdp_with_reward(mdp, "gain", &other));
  assert_ok(cel_mdp_check(other));
  assert_true(other->reward[0] == 1.25 && other->reward[1] == 0);
  assert_true(other->reward_next[0] == 0 && other->reward_next[1] == 5);
  cel_mdp_destroy(other);
  assert_ok(cel_mdp_with_reward(mdp, "none", &other));
  assert_ok(cel_mdp_check(other));
  assert_true(other->reward[0] == 0 && other->reward_chosen == NULL);
  cel_mdp_destroy(other);
  assert_fails(cel_mdp_with_reward(mdp, "tim", &other), CEL_E_NAME, "did you mean \"time\"?");
  assert_fails(cel_mdp_with_reward(mdp, "cost of all", &other), CEL_E_NAME,
               "the problem has \"time\", \"gain\", \"empty\"");
  cel_mdp_destroy(mdp);
}

static void expressions_select_states(void **state) {
  (void)state;
  CelMdp *mdp = example();
  static const struct {
    const char *text;
    int states; ///< bit s: state s
  } cases[] = {{"goal", 4},
               {"\"goal\"", 4},
               {"\"all coins\"", 5},
               {" nowhere ", 0},
               {"!goal", 3},
               {"!!goal", 4},
               {"goal | 1", 6},
               {"goal || 1", 6},
               {"\"all coins\" & !goal", 1},
               {"\"all coins\" && !goal", 1},
               {"1 | \"all coins\" & 0", 3}, // & binds tighter
               {"(1 | \"all coins\") & 0", 1},
               {"init", 1},
               {"terminal", 4},
               {"true", 7},
               {"false", 0},
               {"!(init | terminal)", 2},
               {"((((((((2))))))))", 4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t in[3];
    int64_t count;
    assert_ok(cel_mdp_states_where(mdp, cases[i].text, in, &count));
    const int found = in[0] + 2 * in[1] + 4 * in[2];
    if (found != cases[i].states || count != in[0] + in[1] + in[2])
      fail_msg("%s: states %d, not %d", cases[i].text, found, cases[i].states);
  }
  assert_ok(cel_mdp_states_where(mdp, "goal", (uint8_t[3]){0}, NULL));
  cel_mdp_destroy(mdp);
}

static void wrong_expressions_are_refused(void **state) {
  (void)state;
  CelMdp *mdp = example();
  char deep[200];
  memset(deep, '(', sizeof deep - 1);
  deep[sizeof deep - 1] = 0;
  const struct {
    const char *text;
    CelStatus status;
    const char *message;
  } cases[] = {{"", CEL_E_ARGUMENT, "character 1: the expression is incomplete"},
               {"goal &", CEL_E_ARGUMENT, "incomplete"},
               {"(goal", CEL_E_ARGUMENT, "a parenthesis is not closed"},
               {"goal)", CEL_E_ARGUMENT, "character 5: an operator should be here"},
               {"goal nowhere", CEL_E_ARGUMENT, "an operator should be here"},
               {"\"goal", CEL_E_ARGUMENT, "the quote is not closed"},
               {"& goal", CEL_E_ARGUMENT, "character 1: a label, ! or ( should be here"},
               {"gaol", CEL_E_NAME, "no label \"gaol\"; did you mean \"goal\"?"},
               {"\"init\"", CEL_E_NAME, "no label \"init\""},
               {"3", CEL_E_RANGE, "state 3 does not exist; states are 0 to 2"},
               {"99999999999999999999", CEL_E_RANGE, "does not exist"},
               {deep, CEL_E_ARGUMENT, "too many open parentheses"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t in[3] = {9, 9, 9};
    assert_fails(cel_mdp_states_where(mdp, cases[i].text, in, NULL), cases[i].status,
                 cases[i].message);
    assert_true(in[0] == 9 && in[2] == 9);
  }
  const CelMdpLabel *label;
  assert_ok(cel_mdp_label_find(mdp, "goal", &label));
  assert_true(label->in[2] == 1 && label->in[0] == 0);
  assert_fails(cel_mdp_label_find(mdp, "xyz", &label), CEL_E_NAME, "the problem has \"goal\", ");
  cel_mdp_destroy(mdp);
}

static void builders_refuse_what_is_wrong(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(2, 0.9, 0);
  int64_t m;
  char name[70];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = 0;
  const uint8_t in[] = {0, 1};
  assert_ok(cel_mdp_label(b, "a", in));
  assert_fails(cel_mdp_label(b, "a", in), CEL_E_NAME, "label \"a\" exists already");
  assert_fails(cel_mdp_label(b, "", in), CEL_E_NAME, "has no name");
  assert_fails(cel_mdp_label(b, name, in), CEL_E_NAME, "too long");
  assert_fails(cel_mdp_label(b, "a\nb", in), CEL_E_NAME, "control characters");
  assert_fails(cel_mdp_label(b, "c", (const uint8_t[]){0, 2}), CEL_E_RANGE,
               "label \"c\": state 1 has 2; it must be 0 or 1");
  assert_ok(cel_mdp_reward_model(b, "r", &m));
  assert_fails(cel_mdp_reward_model(b, "r", &m), CEL_E_NAME, "reward model \"r\" exists already");
  assert_fails(cel_mdp_reward_of_pair(b, 0, 1.0), CEL_E_STATE, "no pair is open");
  assert_fails(cel_mdp_reward_of_state(b, 1, 0, 1.0), CEL_E_RANGE,
               "reward model 1 is out of range");
  assert_fails(cel_mdp_reward_of_state(b, 0, 2, 1.0), CEL_E_RANGE, "state 2 is out of range");
  assert_fails(cel_mdp_reward_of_state(b, 0, 0, (double)NAN), CEL_E_NAN, "not a finite number");
  assert_ok(cel_mdp_pair(b, 0, 0, 0.0));
  assert_fails(cel_mdp_reward_of_transition(b, 0, 1.0), CEL_E_STATE, "has no transition");
  assert_fails(cel_mdp_reward_model(b, "s", &m), CEL_E_STATE, "a pair exists already");
  cel_mdp_builder_destroy(b);
}

static void checks_find_broken_names(void **state) {
  (void)state;
  CelMdp *mdp = example(), bad = *mdp;
  CelMdpLabel label[3];
  memcpy(label, mdp->label, sizeof label);
  bad.label = label;
  label[1] = label[0];
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "label \"goal\" appears twice");
  label[1] = mdp->label[1];
  label[2].in = (const uint8_t[]){0, 3, 0};
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "state 1 has 3");
  label[2].in = NULL;
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "label \"nowhere\" has no array");
  bad = *mdp;
  CelMdpReward model[3];
  memcpy(model, mdp->reward_model, sizeof model);
  bad.reward_model = model;
  bad.reward_chosen = mdp->reward_model;
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "reward_chosen does not point");
  bad.reward_chosen = model;
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "but the selected reward model \"time\" has 1");
  model[2].pair = (const double[]){0, INFINITY};
  bad.reward_chosen = NULL;
  assert_fails(cel_mdp_check(&bad), CEL_E_CORRUPT, "the reward of pair 1 is inf");
  cel_mdp_destroy(mdp);
}

// ---- files

static CelMdp *loaded(const char *path, const char *reward) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  CelMdp *mdp = NULL;
  options.discount = 0.9;
  snprintf(options.reward, sizeof options.reward, "%s", reward);
  assert_ok(cel_mdp_load_with(&mdp, path, &options));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

static void safetensors_keep_everything(void **state) {
  CelMdp *mdp = example(), *time = NULL;
  const char *path = in_folder(state, "labels.safetensors");
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
  CelMdp *back = loaded(path, "");
  expect_same_mdp(mdp, back);
  assert_null(back->reward_chosen);
  cel_mdp_destroy(back);
  back = loaded(path, "gain");
  assert_true(back->reward[0] == 1.25);
  cel_mdp_destroy(back);
  back = loaded(path, "1");
  assert_true(back->reward[1] == 2);
  cel_mdp_destroy(back);
  assert_ok(cel_mdp_with_reward(mdp, "time", &time));
  assert_ok(cel_mdp_save(time, path, CEL_MDP_AUTO));
  back = loaded(path, "");
  expect_same_mdp(time, back);
  assert_string_equal(back->reward_chosen->name, "time");
  cel_mdp_destroy(back);
  CelMdp *all[] = {time, mdp};
  for (int i = 0; i < 2; i++) cel_mdp_destroy(all[i]);
}

/// PRISM's files keep labels and models. Rewards of pairs and states stay apart.
static void prism_keeps_labels_and_models(void **state) {
  CelMdp *mdp = example(), *none = NULL;
  const char *path = in_folder(state, "kept.tra");
  assert_fails(cel_mdp_save(mdp, path, CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "label \"all coins\" has a");
  cel_mdp_destroy(mdp);
  CelMdpBuilder *b = builder_of(3, 0.9, 0);
  int64_t time, gain;
  assert_ok(cel_mdp_reward_model(b, "time", &time));
  assert_ok(cel_mdp_reward_model(b, "gain", &gain));
  assert_ok(cel_mdp_label(b, "goal", (const uint8_t[]){0, 1, 1}));
  assert_ok(cel_mdp_label(b, "nowhere", (const uint8_t[]){0, 0, 0}));
  assert_ok(cel_mdp_reward_of_state(b, time, 0, 0.1));
  for (int64_t s = 0; s < 2; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, s == 0));
    assert_ok(cel_mdp_reward_of_pair(b, time, 0.2));
    for (int64_t next = 0; next < 3; next++) {
      assert_ok(cel_mdp_transition(b, next, next == 0 ? 0.5 : 0.25, 0.0, false));
      assert_ok(cel_mdp_reward_of_transition(b, gain, (double)next));
    }
  }
  assert_ok(cel_mdp_start(b, 0, 1.0));
  mdp = built(b);
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
  CelMdp *back = loaded(path, "gain");
  assert_int_equal(back->labels, 3); // and "deadlock"
  assert_int_equal(back->reward_models, 3);
  assert_string_equal(back->reward_model[0].name, "reward"); // the MDP's own rewards
  assert_true(back->reward_model[0].pair[0] == 1 && back->reward_model[0].pair[1] == 0);
  const CelMdpReward *model;
  assert_ok(cel_mdp_reward_find(back, "time", &model));
  assert_true(model->state[0] == 0.1 && model->pair[1] == 0.2 && model->transition == NULL);
  assert_true(back->reward_next[2] == 2 && back->reward_next[4] == 1);
  uint8_t in[3];
  assert_ok(cel_mdp_states_where(back, "goal & deadlock | init", in, NULL));
  assert_true(in[0] && !in[1] && in[2]);
  cel_mdp_destroy(back);
  // files of the old problem would belong to the new one
  assert_ok(cel_mdp_with_reward(mdp, "none", &none));
  CelMdp plain = *none;
  plain.reward_models = 0;
  plain.reward_model = NULL;
  assert_fails(cel_mdp_save(&plain, path, CEL_MDP_AUTO), CEL_E_ARGUMENT,
               "kept1.trew exists and would become a reward structure");
  CelMdp *all[] = {none, mdp};
  for (int i = 0; i < 2; i++) cel_mdp_destroy(all[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_follow_the_sorted_transitions),
      cmocka_unit_test(merged_transitions_average_their_rewards),
      cmocka_unit_test(a_model_is_selected_by_name),
      cmocka_unit_test(expressions_select_states),
      cmocka_unit_test(wrong_expressions_are_refused),
      cmocka_unit_test(builders_refuse_what_is_wrong),
      cmocka_unit_test(checks_find_broken_names),
      cmocka_unit_test(safetensors_keep_everything),
      cmocka_unit_test(prism_keeps_labels_and_models),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
