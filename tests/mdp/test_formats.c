/// The text formats: the meaning of each word, round trips, what a format cannot express, and the
/// table of formats.
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"
#include "model_cases.h"
#include "support/load_options.h"

// ---- helpers

static CelMdp *cassandra_of(const char *text) {
  CelMdp *mdp = NULL;
  assert_ok(
      celi_mdp_parse_cassandra(&mdp, "c.mdp", text, strlen(text), LOAD_DISCOUNT((double)NAN)));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

static CelMdp *gymnasium_of(const char *text, double discount) {
  CelMdp *mdp = NULL;
  assert_ok(celi_mdp_parse_gymnasium(&mdp, "g.json", text, strlen(text), LOAD_DISCOUNT(discount)));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

static CeliPrismTexts prism_texts(const char *tra, const char *trew, const char *srew,
                                  const char *lab) {
  CeliPrismTexts texts = {.path = {"p.tra", "p.trew", "p.srew", "p.lab"},
                          .data = {tra, trew, srew, lab}};
  for (int i = 0; i < 4; i++) texts.size[i] = texts.data[i] ? strlen(texts.data[i]) : 0;
  return texts;
}

static CelMdp *prism_of(const char *tra, const char *trew, const char *srew, const char *lab) {
  CelMdp *mdp = NULL;
  const CeliPrismTexts texts = prism_texts(tra, trew, srew, lab);
  assert_ok(celi_mdp_parse_prism(&mdp, &texts, LOAD_DISCOUNT(0.9)));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

/// P(next|s,a). *reward becomes the reward of that transition.
static double chance(const CelMdp *mdp, int64_t s, int64_t a, int64_t next, double *reward) {
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (cel_mdp_action(mdp, s, p) != a) continue;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      if (cel_mdp_next(mdp, t) != next) continue;
      *reward = mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p];
      return mdp->probability[t];
    }
  }
  *reward = 0.0;
  return 0.0;
}

/// Checks that P(next|s,a) = p with reward r, up to the last bits.
static void expect(const CelMdp *mdp, int64_t s, int64_t a, int64_t next, double p, double r) {
  double reward;
  const double found = chance(mdp, s, a, next, &reward);
  if (fabs(found - p) > 1e-15 || fabs(reward - r) > 1e-14) {
    fail_msg("state %d, action %d, next %d: %.17g and reward %.17g, not %.17g and %.17g", (int)s,
             (int)a, (int)next, found, reward, p, r);
  }
}

/// Checks that two MDPs are bit-identical, except for r(s,a) where it is a sum over transitions.
static void expect_close(const CelMdp *a, const CelMdp *b) {
  const size_t T = (size_t)a->transitions;
  assert_int_equal(a->states, b->states);
  assert_int_equal(a->pairs, b->pairs);
  assert_int_equal(a->transitions, b->transitions);
  assert_int_equal(a->horizon, b->horizon);
  assert_true(a->discount == b->discount);
  expect_same_bytes("pair", a->pair, b->pair, ((size_t)a->states + 1) * 8);
  expect_same_bytes("row", a->row, b->row, ((size_t)a->pairs + 1) * 8);
  expect_same_bytes("next32", a->next32, b->next32, T * 4);
  expect_same_bytes("probability", a->probability, b->probability, T * 8);
  expect_same_bytes("reward_next", a->reward_next, b->reward_next, T * 8);
  expect_same_bytes("ends", a->ends, b->ends, T);
  expect_same_bytes("action", a->action, b->action, (size_t)a->pairs * 4);
  for (int64_t p = 0; p < a->pairs; p++) {
    if (fabs(a->reward[p] - b->reward[p]) > (a->reward_next ? 1e-15 : 0.0)) {
      fail_msg("reward of pair %d: %.17g and %.17g", (int)p, a->reward[p], b->reward[p]);
    }
  }
  for (int64_t s = 0; s < a->states; s++) assert_true(fabs(a->start[s] - b->start[s]) <= 1e-16);
}

// ---- Cassandra's format

static void cassandra_words(void **state) {
  (void)state;
  CelMdp *mdp = cassandra_of("# a comment\n"
                             "discount: 0.95   # another\n"
                             "values: reward\n"
                             "states: left middle right\n"
                             "actions: go stay\n"
                             "start: middle\n"
                             "T: go : * uniform\n"
                             "T: stay identity\n"
                             "T:go:left:right 1.0 T: go : left : left 0 T: go : 0 : 1 0.0\n"
                             "T: go : right\n 0.25 .5\n 0.25\n"
                             "R: * : * : * : * -1\n"
                             "R: stay : right : right : * +5\n"
                             "R: go : left : * 2e0\n");
  assert_int_equal(mdp->states, 3);
  assert_int_equal(mdp->pairs, 6);
  assert_true(mdp->discount == 0.95);
  expect(mdp, 0, 0, 2, 1, 2);
  expect(mdp, 0, 0, 0, 0, 0);
  expect(mdp, 1, 0, 0, 1.0 / 3.0, -1);
  expect(mdp, 2, 0, 1, 0.5, -1);
  expect(mdp, 1, 1, 1, 1, -1);
  expect(mdp, 2, 1, 2, 1, 5);
  assert_true(mdp->start[1] == 1.0);
  assert_string_equal(mdp->name, "c");
  cel_mdp_destroy(mdp);
}

static void cassandra_rows_and_matrices(void **state) {
  (void)state;
  CelMdp *mdp = cassandra_of("values: cost discount: 0.5 actions: 2 states: 2\n"
                             "start: 0.25 0.75\n"
                             "T: * 0.5 0.5 0 1\n"
                             "T: 1 : 1 reset\n"
                             "R: 0 1 2 3 4\n"   // over s and s'
                             "R: 1 : 1 5 - 6\n" // over s', with a separate sign
                             "R: 1 : 0 : 1 7\n");
  expect(mdp, 0, 0, 0, 0.5, -1);
  expect(mdp, 0, 0, 1, 0.5, -2);
  expect(mdp, 1, 0, 1, 1.0, -4);
  expect(mdp, 0, 1, 0, 0.5, 0);
  expect(mdp, 0, 1, 1, 0.5, -7);
  expect(mdp, 1, 1, 0, 0.25, -5);
  expect(mdp, 1, 1, 1, 0.75, 6);
  cel_mdp_destroy(mdp);
}

static void cassandra_later_statements_win(void **state) {
  (void)state;
  static const char head[] = "discount: 0.5 states: 3 actions: 2 ";
  char text[512];
  snprintf(text, sizeof text,
           "%sT: 0 : 1 : 0 0.5 T: 0 : 1 : 2 0.5 " // overridden by the next statements
           "T: * identity "
           "T: 0 : 2 : * 0 T: * : 2 : 1 0.75 T: 0 : 2 : 0 0.25 T: 1 : 2 : 2 0.25 "
           "R: 0 : 1 : 1 3 R: 0 : * : 1 4 R: 0 : 2 : 0 5 R: * : 2 : * 6 R: 0 : 2 : 1 7",
           head);
  CelMdp *mdp = cassandra_of(text);
  expect(mdp, 1, 0, 1, 1, 4);
  expect(mdp, 2, 0, 0, 0.25, 6);
  expect(mdp, 2, 0, 1, 0.75, 7);
  expect(mdp, 2, 1, 1, 0.75, 6);
  expect(mdp, 2, 1, 2, 0.25, 6);
  cel_mdp_destroy(mdp);
}

/// All forms of the initial distribution.
static void cassandra_starts(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double start[3];
  } cases[] = {{"", {1 / 3.0, 1 / 3.0, 1 / 3.0}},
               {"start: uniform", {1 / 3.0, 1 / 3.0, 1 / 3.0}},
               {"start: 2", {0, 0, 1}},
               {"start: b", {0, 1, 0}},
               {"start: 0.5 0.25 0.25", {0.5, 0.25, 0.25}},
               {"start: 0.333333 0.333333 0.333333", {1 / 3.0, 1 / 3.0, 1 / 3.0}},
               {"start include: a 2", {0.5, 0, 0.5}},
               {"start exclude: a", {0, 0.5, 0.5}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[256];
    snprintf(text, sizeof text, "discount: 0.5 states: a b c actions: 1 %s T: * identity",
             cases[i].text);
    CelMdp *mdp = cassandra_of(text);
    for (int s = 0; s < 3; s++) assert_true(fabs(mdp->start[s] - cases[i].start[s]) <= 1e-15);
    cel_mdp_destroy(mdp);
  }
}

/// The tiger problem: rewards by state and action; observations are skipped.
static void cassandra_tiger(void **state) {
  (void)state;
  CelMdp *mdp = cassandra_of("discount: 0.95\nvalues: reward\nstates: tiger-left tiger-right\n"
                             "actions: listen open-left open-right\n"
                             "observations: tiger-left tiger-right\n\nstart: uniform\n"
                             "T:listen\nidentity\n\nT:open-left\nuniform\n\nT:open-right\nuniform\n"
                             "O:listen\n0.85 0.15\n0.15 0.85\n\nO:open-left\nuniform\n\n"
                             "O:open-right\nuniform\n\n"
                             "R:listen : * : * : * -1\nR:open-left : tiger-left : * : * -100\n"
                             "R:open-left : tiger-right : * : * 10\n"
                             "R:open-right : tiger-left : * : * 10\n"
                             "R:open-right : tiger-right : * : * -100\n");
  expect(mdp, 0, 0, 0, 1, -1);
  expect(mdp, 0, 1, 1, 0.5, -100);
  expect(mdp, 1, 1, 0, 0.5, 10);
  expect(mdp, 1, 2, 1, 0.5, -100);
  assert_null(mdp->reward_next);
  cel_mdp_destroy(mdp);
}

/// Rewards that depend on the observation are averaged.
static void cassandra_rewards_by_observation(void **state) {
  (void)state;
  CelMdp *mdp = cassandra_of("discount: 0.5 states: 2 actions: 2 observations: x y z\n"
                             "T: * : * : 0 0.5 T: * : * : 1 0.5\n"
                             "O: * : 0 0.5 0.25 0.25 O: * : 1 uniform O: 1 : 1 : x 1 "
                             "O: 1 : 1 : y 0 O: 1 : 1 : z 0\n"
                             "R: * : * : * : * 8\n"
                             "R: 0 : 0 : 0 4 8 16\n"
                             "R: 0 : 0 : 1 : z 11\n"
                             "R: 1 : 1 3 3 3 1 2 3\n"); // s' by o
  expect(mdp, 0, 0, 0, 0.5, 2 + 2 + 4);
  expect(mdp, 0, 0, 1, 0.5, (8 + 8 + 11) / 3.0);
  expect(mdp, 1, 0, 0, 0.5, 8);
  expect(mdp, 1, 1, 0, 0.5, 3);
  expect(mdp, 1, 1, 1, 0.5, 1);
  cel_mdp_destroy(mdp);
}

// ---- Gymnasium's format

static void gymnasium_words(void **state) {
  (void)state;
  CelMdp *mdp =
      gymnasium_of("{\"horizon\": 7, \"discount\": 0.5, \"name\": \"l\\u0061ke\",\n"
                   " \"P\": {\"2\": {}, \"0\": {\"4\": [[0.5, 1, -1, false], [0.25, 1, 3, false],"
                   " [0.25, 2, 1.5, true]],\n \"1\": [[1.0, 0, 0.0, 0]]},\n"
                   " \"1\": {\"0\": [[1, 2, 1e1, true]]}}, \"start\": [0.5, 0.5, 0]}",
                   (double)NAN);
  assert_int_equal(mdp->states, 3);
  assert_int_equal(mdp->pairs, 3);
  assert_int_equal(mdp->horizon, 7);
  assert_string_equal(mdp->name, "lake");
  expect(mdp, 0, 4, 1, 0.75, (-1 * 0.5 + 3 * 0.25) / 0.75);
  expect(mdp, 0, 4, 2, 0.25, 1.5);
  expect(mdp, 0, 1, 0, 1, 0);
  expect(mdp, 1, 0, 2, 1, 10);
  assert_int_equal(mdp->ends[mdp->row[2]], 1);
  assert_int_equal(mdp->ends[mdp->row[0]], 0);
  assert_true(mdp->start[1] == 0.5);
  cel_mdp_destroy(mdp);
}

/// Only the dictionary, without discount and start.
static void gymnasium_dictionary_alone(void **state) {
  (void)state;
  CelMdp *mdp = gymnasium_of("{\"0\": {\"0\": [[1.0, 1, 0, true]]}, \"1\": {}}", 0.25);
  assert_true(mdp->discount == 0.25);
  assert_true(mdp->start[0] == 1.0);
  assert_int_equal(mdp->pair[2] - mdp->pair[1], 0);
  cel_mdp_destroy(mdp);
  assert_fails(celi_mdp_parse_gymnasium(&mdp, "g.json", "{\"0\":{\"0\":[[1,0,0,false]]}}", 27,
                                        LOAD_DISCOUNT((double)NAN)),
               CEL_E_RANGE, "no discount");
}

// ---- PRISM's format

static void prism_words(void **state) {
  (void)state;
  // An example like in PRISM's manual: action labels, comments, and lines in any order.
  CelMdp *mdp = prism_of("# Transitions (MDP)\n3 3 5\n1 0 2 1 east\n0 1 0 0.4 east\n0 1 1 .6 east\n"
                         "0 0 1 0.1 south\n0 0 2 0.9 south\n",
                         "# Transition rewards\n3 3 2\n0 0 1 10\n0 0 2 20\n", "3 2\n0 1\n1 -2\n",
                         "0=\"init\" 1=\"deadlock\" 2=\"goal\"\n0: 0\n1: 0 2\n2: 1\n");
  assert_int_equal(mdp->states, 3);
  assert_int_equal(mdp->pairs, 3);
  expect(mdp, 0, 0, 1, 0.1, 11);
  expect(mdp, 0, 0, 2, 0.9, 21);
  expect(mdp, 0, 1, 0, 0.4, 1);
  expect(mdp, 1, 0, 2, 1, -2);
  assert_null(mdp->action); // the labels are not numbers
  assert_true(mdp->start[0] == 0.5 && mdp->start[1] == 0.5);
  cel_mdp_destroy(mdp);
}

/// A state with a self-loop is terminal only if it has such a label and no reward.
static void prism_deadlocks(void **state) {
  (void)state;
  static const char tra[] = "4 4 4\n0 0 1 1\n1 0 1 1\n2 0 2 1\n3 0 3 1\n";
  CelMdp *mdp = prism_of(tra, NULL, "4 1\n2 1\n",
                         "0=\"init\" 1=\"deadlock\" 2=\"terminal\"\n0: 0\n1: 1\n2: 1\n");
  assert_int_equal(mdp->pair[2] - mdp->pair[1], 0); // labeled, no reward
  assert_int_equal(mdp->pair[3] - mdp->pair[2], 1); // has a reward
  assert_int_equal(mdp->pair[4] - mdp->pair[3], 1); // not labeled
  cel_mdp_destroy(mdp);
  mdp = prism_of("3 1 1\n0 0 2 1\n", NULL, NULL, NULL);
  assert_int_equal(mdp->pairs, 1);
  assert_true(mdp->start[0] == 1.0); // no .lab file
  cel_mdp_destroy(mdp);
}

// ---- round trips

static CelMdp *saved_and_loaded(void **state, const CelMdp *mdp, const char *name) {
  CelMdp *back = NULL;
  const char *path = in_folder(state, name);
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_AUTO, mdp->discount));
  assert_ok(cel_mdp_check(back));
  return back;
}

static void any_problem_survives_json(void **state) {
  static const int with[] = {0, WITH_REWARD_NEXT, WITH_ENDS | WITH_NUMBERS,
                             WITH_REWARD_NEXT | WITH_ENDS | WITH_NUMBERS | WITH_START};
  for (uint64_t seed = 0; seed < 20; seed++) {
    CelMdp *mdp = random_mdp(seed, 1 + (int64_t)(3 * seed), with[seed % 4]);
    CelMdp *back = saved_and_loaded(state, mdp, "a.json");
    expect_close(mdp, back);
    assert_string_equal(back->name, "random");
    cel_mdp_destroy(mdp);
    cel_mdp_destroy(back);
  }
}

/// Everything that PRISM's files can express: states with different actions, terminal states.
static void problems_survive_prism(void **state) {
  static const int with[] = {0, WITH_REWARD_NEXT, WITH_NUMBERS, WITH_REWARD_NEXT | WITH_NUMBERS};
  for (uint64_t seed = 0; seed < 20; seed++) {
    CelMdp *mdp = random_mdp(seed, 1 + (int64_t)(3 * seed), with[seed % 4]);
    CelMdp *back = saved_and_loaded(state, mdp, "a.tra");
    expect_close(mdp, back);
    cel_mdp_destroy(mdp);
    cel_mdp_destroy(back);
  }
}

/// S states with A actions each.
static CelMdp *square_mdp(uint64_t seed, int64_t S, int64_t A, int with) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  CelMdpBuilder *b = builder_of(S, 0.99, 0);
  for (int64_t s = 0; s < S; s++) {
    for (int64_t a = 0; a < A; a++) add_random_pair(b, &rng, S, s, a, with);
  }
  if (with & WITH_START) {
    assert_ok(cel_mdp_start(b, 0, 0.25));
    assert_ok(cel_mdp_start(b, S - 1, 0.75));
  }
  return built(b);
}

static void problems_survive_cassandra(void **state) {
  for (uint64_t seed = 0; seed < 20; seed++) {
    const int with = (seed & 1 ? WITH_REWARD_NEXT : 0) | (seed & 2 ? WITH_START : 0);
    CelMdp *mdp = square_mdp(seed, 2 + (int64_t)(2 * seed), 1 + (int64_t)(seed % 4), with);
    CelMdp *back = saved_and_loaded(state, mdp, "a.mdp");
    expect_close(mdp, back);
    cel_mdp_destroy(mdp);
    cel_mdp_destroy(back);
  }
}

/// Saving a loaded file gives the same text again.
static void saving_twice_gives_the_same_text(void **state) {
  static const char *const names[] = {"a.json", "a.mdp", "a.tra"};
  for (int i = 0; i < 3; i++) {
    size_t size, again;
    CelMdp *mdp = square_mdp(7, 30, 3, WITH_REWARD_NEXT);
    CelMdp *back = saved_and_loaded(state, mdp, names[i]);
    char *first = get_file(in_folder(state, names[i]), &size);
    assert_ok(cel_mdp_save(back, in_folder(state, names[i]), CEL_MDP_AUTO));
    char *second = get_file(in_folder(state, names[i]), &again);
    if (i > 0) { // a.json also contains the name
      assert_int_equal(size, again);
      assert_memory_equal(first, second, size);
    }
    free(first);
    free(second);
    cel_mdp_destroy(mdp);
    cel_mdp_destroy(back);
  }
}

static void what_a_format_cannot_say(void **state) {
  CelMdp *ends = random_mdp(3, 20, WITH_ENDS), *ragged = random_mdp(4, 20, 0);
  CelMdp *start = random_mdp(5, 20, WITH_START);
  CelMdpBuilder *b = builder_of(1, 1.0, 5);
  assert_ok(cel_mdp_pair(b, 0, 0, 1));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  CelMdp *finite = built(b);
  const char *mdp = in_folder(state, "no.mdp"), *tra = in_folder(state, "no.tra");
  assert_fails(cel_mdp_save(ends, tra, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "ends it in state");
  assert_fails(cel_mdp_save(start, tra, CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "have the same probability");
  assert_fails(cel_mdp_save(finite, tra, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "horizon");
  assert_fails(cel_mdp_save(finite, mdp, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "horizon");
  assert_fails(cel_mdp_save(ragged, mdp, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "state");
  b = builder_of(1, 0.9, 0);
  assert_ok(cel_mdp_pair(b, 0, 0, 1));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, true));
  CelMdp *once = built(b);
  assert_fails(cel_mdp_save(once, mdp, CEL_MDP_AUTO), CEL_E_UNSUPPORTED, "ends the episode");
  assert_fails(cel_mdp_save(once, in_folder(state, "no.txt"), CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               ".safetensors, .json, .mdp");
  assert_int_not_equal(access(mdp, F_OK), 0); // no file was written
  assert_int_not_equal(access(tra, F_OK), 0);
  CelMdp *all[] = {ends, ragged, start, finite, once};
  for (int i = 0; i < 5; i++) cel_mdp_destroy(all[i]);
}

// ---- detecting the format

static void formats_are_recognized(void **state) {
  static const struct {
    const char *name, *text;
  } files[] = {{"plain", "{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]}}}"},
               {"plain2", "\n # x\nstates : 1 actions: 1 discount: 0.9 T: 0 identity\n"},
               {"UPPER.POMDP", "states: 1 actions: 1 discount: 0.9 T: 0 identity"},
               {"plain3.tra", "1 1 1\n0 0 0 1\n"}};
  CelMdp *mdp = NULL;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    put_file(in_folder(state, files[i].name), files[i].text, strlen(files[i].text));
    assert_ok(cel_mdp_load(&mdp, in_folder(state, files[i].name), CEL_MDP_AUTO, 0.5));
    assert_int_equal(mdp->transitions, 1);
    cel_mdp_destroy(mdp);
  }
  // by its path without extension
  assert_ok(cel_mdp_load(&mdp, in_folder(state, "plain3"), CEL_MDP_PRISM, 0.5));
  assert_ok(cel_mdp_save(mdp, in_folder(state, "bytes.safetensors"), CEL_MDP_AUTO));
  cel_mdp_destroy(mdp);
  assert_int_equal(rename(in_folder(state, "bytes.safetensors"), in_folder(state, "bytes")), 0);
  assert_ok(cel_mdp_load(&mdp, in_folder(state, "bytes"), CEL_MDP_AUTO, 0.5));
  cel_mdp_destroy(mdp);
  put_file(in_folder(state, "what"), "once upon a time", 16);
  assert_fails(cel_mdp_load(&mdp, in_folder(state, "what"), CEL_MDP_AUTO, 0.5), CEL_E_FORMAT,
               "what: neither the name");
  assert_fails(cel_mdp_load(&mdp, in_folder(state, "none"), CEL_MDP_AUTO, 0.5), CEL_E_IO, "none");
  assert_fails(cel_mdp_load(&mdp, in_folder(state, "none.tra"), CEL_MDP_AUTO, 0.5), CEL_E_IO,
               "none.tra");
}

/// Each row of the table is a format that saves and loads under each of its extensions.
static void format_table_is_complete(void **state) {
  CelMdp *mdp = cassandra_of("discount: 0.5\nstates: 1\nactions: 1\nT: 0 identity\n");
  int n = 0;
  for (; cel_mdp_format_at(n); n++) {
    const CelMdpFormatInfo *info = cel_mdp_format_at(n);
    assert_true(info->name[0] && info->doc[0] && info->extensions[0]);
    for (int i = 0; i < n; i++) {
      assert_string_not_equal(info->name, cel_mdp_format_at(i)->name);
      assert_int_not_equal(info->format, cel_mdp_format_at(i)->format);
    }
    for (int i = 0; info->extensions[i]; i++) {
      char name[64];
      CelMdp *back = NULL;
      snprintf(name, sizeof name, "table%d%s", n, info->extensions[i]);
      const bool packed = strstr(name, ".gz") || strstr(name, ".xz");
      const CelStatus status = cel_mdp_save(mdp, in_folder(state, name), info->format);
      if (packed && status == CEL_E_UNSUPPORTED) continue; // built without zlib or liblzma
      assert_ok(status);
      assert_ok(cel_mdp_load(&back, in_folder(state, name), info->format, 0.5));
      cel_mdp_destroy(back);
    }
  }
  assert_int_equal(n, CEL_MDP_PETSC);
  assert_null(cel_mdp_format_at(-1));
  assert_fails(cel_mdp_save(mdp, in_folder(state, "x"), CEL_MDP_AUTO), CEL_E_UNSUPPORTED,
               "ends in .safetensors, .json, .mdp, .pomdp, .tra, .umb, .umb.gz, .umb.xz, .drn");
  assert_fails(cel_mdp_save(mdp, in_folder(state, "x"), (CelMdpFormat)77), CEL_E_ARGUMENT,
               "safetensors, gymnasium, cassandra, prism, umb, drn, storm or petsc");
  cel_mdp_destroy(mdp);
}

/// A table made by Gymnasium and written by examples/gymnasium_mdp.py.
static void exported_table_loads(void **state) {
  (void)state;
  char path[1024];
  CelMdp *mdp = NULL;
  snprintf(path, sizeof path, "%s/golden/gymnasium_frozen_lake.json", CELSIUS_TEST_DIR);
  assert_ok(cel_mdp_load(&mdp, path, CEL_MDP_AUTO, (double)NAN));
  assert_string_equal(mdp->name, "FrozenLake-v1");
  assert_int_equal(mdp->states, 16);
  assert_int_equal(mdp->pairs, 64);
  assert_true(mdp->discount == 0.99);
  expect(mdp, 0, 0, 0, 2 / 3.0, 0); // two of its three transitions go there
  expect(mdp, 14, 2, 15, 1 / 3.0, 1);
  assert_int_equal(mdp->ends[mdp->row[14 * 4 + 2] + 2], 1); // and end the episode
  assert_true(mdp->start[0] == 1.0);
  cel_mdp_destroy(mdp);
}

/// Running the exporter again gives the same bytes.
static void exporter_gives_the_same_bytes(void **state) {
  const char *python = getenv("CELSIUS_PYTHON");
  char command[2048], golden[1024];
  size_t size, again;
  if (python == NULL) python = "python3";
  snprintf(command, sizeof command, "'%s' -c 'import gymnasium' 2>/dev/null", python);
  if (system(command) != 0) {
    print_message("skipped: %s has no module gymnasium\n", python);
    skip();
  }
  snprintf(command, sizeof command,
           "'%s' '%s/../examples/gymnasium_mdp.py' FrozenLake-v1 '%s' --discount 0.99", python,
           CELSIUS_TEST_DIR, in_folder(state, "lake.json"));
  assert_int_equal(system(command), 0);
  snprintf(golden, sizeof golden, "%s/golden/gymnasium_frozen_lake.json", CELSIUS_TEST_DIR);
  char *made = get_file(in_folder(state, "lake.json"), &size), *kept = get_file(golden, &again);
  assert_int_equal(size, again);
  assert_memory_equal(made, kept, size);
  free(made);
  free(kept);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cassandra_words),
      cmocka_unit_test(cassandra_rows_and_matrices),
      cmocka_unit_test(cassandra_later_statements_win),
      cmocka_unit_test(cassandra_starts),
      cmocka_unit_test(cassandra_tiger),
      cmocka_unit_test(cassandra_rewards_by_observation),
      cmocka_unit_test(gymnasium_words),
      cmocka_unit_test(gymnasium_dictionary_alone),
      cmocka_unit_test(prism_words),
      cmocka_unit_test(prism_deadlocks),
      cmocka_unit_test(any_problem_survives_json),
      cmocka_unit_test(problems_survive_prism),
      cmocka_unit_test(problems_survive_cassandra),
      cmocka_unit_test(saving_twice_gives_the_same_text),
      cmocka_unit_test(what_a_format_cannot_say),
      cmocka_unit_test(formats_are_recognized),
      cmocka_unit_test(format_table_is_complete),
      cmocka_unit_test(exported_table_loads),
      cmocka_unit_test(exporter_gives_the_same_bytes),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
