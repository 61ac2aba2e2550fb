/// Every invalid file is refused with its name, the line and the reason. Sizes in headers are not
/// trusted.
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"
#include "model_cases.h"
#include "support/load_options.h"

typedef struct Case {
  const char *text, *part; ///< expected part of the message
  CelStatus status;        ///< 0 means CEL_E_CORRUPT
} Case;

static void expect_error(CelStatus status, const Case *c, const char *file) {
  const CelStatus want = c->status ? c->status : CEL_E_CORRUPT;
  if (status == want && strstr(cel_error(), c->part) && strstr(cel_error(), file)) return;
  fail_msg("%s\n  gave %s \"%s\"; expected %s and \"%s\"", c->text, cel_status_name(status),
           status ? cel_error() : "", cel_status_name(want), c->part);
}

// ---- Cassandra's format

#define HEAD "discount: 0.9\nvalues: reward\nstates: 3\nactions: go stay\n"
#define ROWS "T: * identity\n"

static void cassandra(void **state) {
  (void)state;
  static const Case cases[] = {
      {"", "line 1: the file ends without declaring \"states\"", 0},
      {"discount: 0.9\nstates: 2\n", "line 3: the file ends without declaring \"actions\"", 0},
      {"states: 2 actions: 1 T: * identity", "no discount", CEL_E_RANGE},
      {"discount: 1.5 states: 2 actions: 1 T: * identity", "discount", CEL_E_RANGE},
      {"discount: x", "\"x\" where discount should be", 0},
      {"discount: 1e999", "too large", 0},
      {"discount: nan", "\"nan\"", 0},
      {"discount 0.9", "\"0.9\" where ':' should be", 0},
      {"values: both", "\"both\" where \"reward\" or \"cost\"", 0},
      {"discount: 0.9\ndiscount: 0.9\n", "line 2: \"discount\" appears twice", 0},
      {"states: 3\nstates: 3\n", "line 2: \"states\" appears twice", 0},
      {"states: 0", "\"states\" is 0", 0},
      {"states: -3", "\"-3\" is not a whole number", 0},
      {"states: 2.5", "\"2.5\" is not a whole number", 0},
      {"states:", "the file ends where a number or names", 0},
      {"states: a b a", "state \"a\" appears twice", 0},
      {"states: a 7 b", "\"7\" where a name", 0},
      {"states: 1000000000000000000\nactions: 1\n", "states", CEL_E_MEMORY},
      {"states: 99999999999999999999999\n", "out of range", 0},
      {"states: 3 actions: 99999999999\n", "out of range", 0},
      {"discount: 0.5 states: 20000000 actions: 2000000000 T: * identity", "transitions",
       CEL_E_MEMORY},
      {"discount: 0.5 states: 1000000 actions: 2 T: * uniform", "transitions", CEL_E_MEMORY},
      {"start: 1", "\"states\" must come before \"start\"", 0},
      {HEAD "start: 3", "state 3 is out of range; it must be 0 to 2", 0},
      {HEAD "start: 0.5 0.5", "one probability per state", 0},
      {HEAD "start: 0.5 0.25 0.5\n" ROWS, "line 5: the initial distribution sums to 1.25", 0},
      {HEAD "start: 0.5 1.5 0\n" ROWS, "initial probability 1.5 is not in [0, 1]", 0},
      {"states: a b\nactions: 1\nstart: a c\nT: 0 identity", "line 3: there is no state \"c\"", 0},
      {HEAD "start exclude: 0 1 2\n" ROWS, "no initial state is left", 0},
      {HEAD "start include: 7\n", "state 7 is out of range", 0},
      {"states: 3 start without: 7\n", "\"include\" or \"exclude\"", 0},
      {"T: 0 : 0 : 0 1", "must come before the first T, O or R", 0},
      {HEAD ROWS "states: 4", "\"states\" appears twice", 0},
      {HEAD ROWS "observations: 4", "must come before the first T", 0},
      {HEAD "T: 2 identity", "action 2 is out of range; it must be 0 to 1", 0},
      {HEAD "T: g0 identity", "there is no action \"g0\" (\"go\"?)", 0},
      {HEAD "T: go : 3 uniform", "state 3 is out of range", 0},
      {HEAD "T: go : one uniform", "there is no state \"one\"; use 0 to 2", 0},
      {HEAD "T: go : 1 : 1 1.5", "probability 1.5 is not in [0, 1]", 0},
      {HEAD "T: go : 1 : 1 -0.5", "probability -0.5", 0},
      {HEAD "T: go : 1 : 1 - 0.5", "where a probability should be", 0},
      {HEAD "T: go : 1 : 1", "the file ends where a probability", 0},
      {HEAD "T: go : 1\n0.5 0.5\nT: stay identity", "\"T\" after 2 of the 3 numbers of a row", 0},
      {HEAD "T: go : 1\n0.5 0.5 0 0\n", "line 6: found \"0\" where a statement (does the previous",
       0},
      {HEAD "T: go\n1 0 0\n0 1 0\n0 0", "found the end of the file after 2 of the 3 numbers", 0},
      {HEAD "T: go : 1 identity", "\"identity\" where a row", 0},
      {HEAD "T: go reset", "\"reset\" where ':' or a matrix", 0},
      {HEAD "T: go identity", "line 3: state 0, action 1 has no transition", 0},
      {HEAD ROWS "T: stay : 2 : 1 0.25",
       "line 6: state 2, action 1: the probabilities of its 2 "
       "transitions sum to 1.25; they must sum to 1",
       0},
      {HEAD ROWS "T: 0 : 0\n0.3333 0.3333 0.3333", "sum to 0.9999", 0},
      {HEAD "O: * uniform", "that declares observations", 0},
      {HEAD ROWS "R: * : * : * : 3 1", "\"3\" where '*' (the file declares no observations", 0},
      {HEAD ROWS "R: go : 1 : 2 : * inf", "\"inf\"", 0},
      {HEAD ROWS "R: go : 1 : 2 :", "the file ends", 0},
      {HEAD ROWS "R: go : 1\n1 2", "after 2 of the 3 numbers", 0},
      {HEAD ROWS "R: go : 1 : 2 uniform", "\"uniform\" where reward", 0},
      {HEAD "observations: 2\n" ROWS "R: go 1 2 3", "\"1\" where ':'", 0},
      {HEAD "observations: 2\n" ROWS "R: go : 1 : 1 : 1 5",
       "state 1, action 0: the probabilities of its observations sum to 0", 0},
      {HEAD "observations: 2\n" ROWS "O: * uniform\nO: go : 2\n0.9 0.2\n",
       "line 8: state 2, action 0: the probabilities of its observations sum to 1.1", 0},
      {HEAD "observations: 2\n" ROWS "O: go uniform\nO: stay : 0\n0.5 0.5\n",
       "state 1, action 1: the probabilities of its observations sum to 0", 0},
      {HEAD "observations: 2\n" ROWS "O: * uniform\nO: * : 1 : 0 0.25\n",
       "line 8: state 1, action 0: the probabilities of its observations sum to 0.75", 0},
      {HEAD "U: 0", "\"U\" where discount, values", 0},
      {HEAD ROWS "T; 0", "\"T;\"", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = NULL;
    expect_error(celi_mdp_parse_cassandra(&mdp, "c.mdp", cases[i].text, strlen(cases[i].text),
                                          LOAD_DISCOUNT((double)NAN)),
                 &cases[i], "c.mdp");
    assert_null(mdp);
  }
}

// ---- Gymnasium's format

static void gymnasium(void **state) {
  (void)state;
  static const Case cases[] = {
      {"", "line 1: the file ends where '{'", 0},
      {"[]", "'[' where '{' of a JSON object", 0},
      {"{}", "the file has no \"P\" with states", 0},
      {"{\"P\": {}}", "no \"P\" with states", 0},
      {"{\"P\": {}} x", "'x' where the end of the file", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]}}, \"P\": {}}", "\"P\" appears twice", 0},
      {"{\"0\": {\"0\": [[1, 0, 0, false]]}, \"P\": {}}", "\"P\" is not a known key", 0},
      {"{\"strat\": []}", "\"strat\" is not a known key (\"start\"?)", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]}", "the file ends where ',' or '}'", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]],}}}", "'}' where another element", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]} \"1\": {}}}", "'\"' where ',' or '}'", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0]]}}}",
       "g.json: line 1: state 0, action 0: found ']' where ','", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false, 3]]}}}", "',' where ']'", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, no]]}}}", "\"done\" is no; it must be true or false", 0},
      {"{\"P\": {\"0\": {\"0\": [[NaN, 0, 0, false]]}}}", "probability \"NaN\"", 0},
      {"{\"P\": {\"0\": {\"0\": [[-0.5, 0, 0, false]]}}}", "probability -0.5 is not in [0, 1]", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, Infinity, false]]}}}", "reward \"Infinity\"", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, -1, 0, false]]}}}", "next state \"-1\" is not a whole number",
       0},
      {"{\"P\": {\"0\": {\"0\": [[1, 1.0, 0, false]]}}}", "next state \"1.0\"", 0},
      {"{\"P\": {\"0\": {\"0\":\n [[1,\n 5, 0, false]]}}}",
       "line 2: state 0, action 0: next state 5 is out of range; it must be 0 to 0", 0},
      {"{\"P\": {\"0\": {\"0\": []}}}", "state 0, action 0: the list of transitions is empty", 0},
      {"{\"P\": {\"x\": {}}}", "state \"x\" is not a whole number", 0},
      {"{\"P\": {\"0\": {\"a\": []}}}", "action \"a\"", 0},
      {"{\"P\": {\"0\": {\"3000000000\": []}}}", "action 3000000000 is out of range", 0},
      {"{\"P\": {\"0\": {}, \"0\": {}}}", "state 0 appears twice", 0},
      {"{\"P\": {\"0\": {}, \"2\": {}}}",
       "state 2 is out of range; with 2 states the keys must be 0 to 1", 0},
      {"{\"P\": {\"999999999999999999\": {}}}",
       "state 999999999999999999 is out of range; with 1 state the", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]],\n\"0\": [[1, 0, 0, false]]}}}",
       "line 2: state 0, action 0 appears twice", 0},
      {"{\"P\": {\"0\": {\"0\": [[0.5, 0, 0, false]]}}}",
       "state 0, action 0: the probabilities of its 1 transition sum to 0.5", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]}}, \"start\": [1, 0]}",
       "\"start\" has 2 probabilities, but there is 1 state", 0},
      {"{\"P\": {\"0\": {\"0\": [[1, 0, 0, false]]}}, \"start\": [0.5]}", "sums to 0.5", 0},
      {"{\"horizon\": 1.5}", "\"horizon\" \"1.5\"", 0},
      {"{\"name\": \"a\\nb\"}", "\"name\" must be printable text", 0},
      {"{\"name\": \"a", "no closing quote", 0},
      {"{\"P\": {\"0\": {}}}", "state", CEL_E_RANGE}, // no state has an action
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = NULL;
    expect_error(celi_mdp_parse_gymnasium(&mdp, "g.json", cases[i].text, strlen(cases[i].text),
                                          LOAD_DISCOUNT(0.9)),
                 &cases[i], "g.json");
    assert_null(mdp);
  }
}

// ---- PRISM's format

typedef struct PrismCase {
  const char *tra, *trew, *srew, *lab;
  Case want; ///< text unused
} PrismCase;

#define TRA "2 2 3\n0 0 0 0.5\n0 0 1 0.5\n1 0 1 1\n"

static void prism(void **state) {
  (void)state;
  static const PrismCase cases[] = {
      {"", 0, 0, 0, {"", "p.tra: line 1: the file is empty", 0}},
      {"2 3\n", 0, 0, 0, {"", "file of a Markov chain", 0}},
      {"2 3 4 5\n", 0, 0, 0, {"", "4 words where \"states choices transitions\"", 0}},
      {"0 0 0\n", 0, 0, 0, {"", "0 states", 0}},
      {"x 0 0\n", 0, 0, 0, {"", "\"x\" is not a whole number", 0}},
      {"1000000000000000000 1 1\n0 0 0 1\n", 0, 0, 0, {"", "states", CEL_E_MEMORY}},
      {"1 1000000000000000000 1\n0 0 0 1\n", 0, 0, 0, {"", "the file has 1", 0}},
      {"1 1 1000000000000000000\n0 0 0 1\n", 0, 0, 0, {"", "cut short", 0}},
      {"1 1 1\n0 0 0 1\n0 0 0 1\n", 0, 0, 0, {"", "more than 1", 0}},
      {"2 1 1\n0 0 2 1\n", 0, 0, 0, {"", "line 2: next state 2 is out of range", 0}},
      {"2 1 1\n2 0 1 1\n", 0, 0, 0, {"", "line 2: state 2 is out of range", 0}},
      {"2 1 1\n0 -1 1 1\n", 0, 0, 0, {"", "choice \"-1\"", 0}},
      {"2 1 1\n0 0 1 2\n", 0, 0, 0, {"", "probability 2 is not in [0, 1]", 0}},
      {"2 1 1\n0 0 1 [0.1,0.2]\n", 0, 0, 0, {"", "probability \"[0.1,0.2]\" is not a number", 0}},
      {"2 1 1\n0 0 1\n", 0, 0, 0, {"", "3 words; a transition is", 0}},
      {"2 1 1\n0 1 1 1\n", 0, 0, 0, {"", "state 0 has choice 1, but no choice 0", 0}},
      {"2 1 2\n0 0 1 0.5\n0 0 1 0.5\n",
       0,
       0,
       0,
       {"", "line 3: state 0, choice 0: next state 1 appears twice", 0}},
      {"2 1 2\n0 0 1 0.5\n0 0 0 0.4\n",
       0,
       0,
       0,
       {"", "state 0, action 0: the probabilities of its 2 transitions sum to 0.9", 0}},
      {TRA,
       "2 1 0\n",
       0,
       0,
       {"", "p.trew: line 1: the file has 2 states and 1 choice, but the .tra file has 2 and 2",
        0}},
      {TRA,
       "2 2 1\n1 0 0 3\n",
       0,
       0,
       {"", "p.trew: line 2: state 1, choice 0: there is no transition to state 0", 0}},
      {TRA, "2 2 1\n1 0 1 x\n", 0, 0, {"", "reward \"x\"", 0}},
      {TRA,
       "2 2 2\n1 0 1 1\n1 0 1 2\n",
       0,
       0,
       {"", "p.trew: line 3: state 1, choice 0: next state 1 appears twice", 0}},
      {TRA, "2 2 2\n1 0 1 1\n", 0, 0, {"", "cut short", 0}},
      {TRA,
       0,
       "3 0\n",
       0,
       {"", "p.srew: line 1: the file has 3 states, but the .tra file has 2", 0}},
      {TRA, 0, "2 1\n2 1\n", 0, {"", "p.srew: line 2: state 2 is out of range", 0}},
      {TRA, 0, "2 2\n1 1\n1 1\n", 0, {"", "state 1 appears twice", 0}},
      {TRA, 0, "2 1\n1 nan\n", 0, {"", "reward \"nan\"", 0}},
      {"2 1 1\n0 0 1 1\n", 0, "2 1\n1 5\n", 0, {"", "state 1 has a reward, 5, but no choice", 0}},
      {TRA, 0, 0, "", {"", "p.lab: line 1: no state has the label \"init\"", 0}},
      {TRA, 0, 0, "init\n", {"", "\"init\" where a label", 0}},
      {TRA, 0, 0, "0=\"init\"\n0 0\n", {"", "line 2: found \"0\" where a state and a colon", 0}},
      {TRA, 0, 0, "0=\"init\"\n5: 0\n", {"", "state 5 is out of range", 0}},
      {TRA,
       0,
       0,
       "0=\"init\"\n0: 1\n",
       {"", "line 2: state 0 has label 1, which the first line does not declare", 0}},
      {TRA, 0, 0, "0=\"init\" 1=\"init\"\n0: 0\n", {"", "line 1: label \"init\" appears twice", 0}},
      {TRA, 0, 0, "0=\"init\" 0=\"goal\"\n0: 0\n", {"", "label 0 appears twice", 0}},
      {TRA, 0, 0, "0=\"init\" 5=\"goal\"\n0: 0 3\n", {"", "state 0 has label 3, which", 0}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = NULL;
    CeliPrismTexts texts = {.path = {"p.tra", "p.trew", "p.srew", "p.lab"},
                            .data = {cases[i].tra, cases[i].trew, cases[i].srew, cases[i].lab}};
    for (int k = 0; k < 4; k++) texts.size[k] = texts.data[k] ? strlen(texts.data[k]) : 0;
    Case want = cases[i].want;
    want.text = cases[i].tra;
    expect_error(celi_mdp_parse_prism(&mdp, &texts, LOAD_DISCOUNT(0.9)), &want, "p.");
    assert_null(mdp);
  }
  CelMdp *mdp;
  const CeliPrismTexts texts = {.path = {"p.tra"}, .data = {TRA}, .size = {sizeof TRA - 1}};
  assert_fails(celi_mdp_parse_prism(&mdp, &texts, LOAD_DISCOUNT((double)NAN)), CEL_E_RANGE,
               "no discount");
  assert_fails(celi_mdp_parse_prism(&mdp, &texts, LOAD_DISCOUNT(1.5)), CEL_E_RANGE, "discount");
}

// ---- truncated and changed files

typedef CelStatus (*Parse)(CelMdp **out, const char *text, size_t size);

static CelStatus parse_cassandra(CelMdp **out, const char *text, size_t size) {
  return celi_mdp_parse_cassandra(out, "c.mdp", text, size, LOAD_DISCOUNT(0.5));
}
static CelStatus parse_gymnasium(CelMdp **out, const char *text, size_t size) {
  return celi_mdp_parse_gymnasium(out, "g.json", text, size, LOAD_DISCOUNT(0.5));
}
static CelStatus parse_prism(CelMdp **out, const char *text, size_t size) {
  const CeliPrismTexts texts = {.path = {"p.tra"}, .data = {text}, .size = {size}};
  return celi_mdp_parse_prism(out, &texts, LOAD_DISCOUNT(0.5));
}

/// The text of a random MDP.
static char *text_of(int format, size_t *size) {
  CelMdp *mdp = random_mdp(11, 6, WITH_REWARD_NEXT);
  CeliOut out = {.writer = NULL};
  CelMdpBuilder *b = builder_of(3, 0.5, 0);
  for (int64_t s = 0; s < 3; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, (double)s));
    assert_ok(cel_mdp_transition(b, s, 0.5, 0, false));
    assert_ok(cel_mdp_transition(b, (s + 1) % 3, 0.5, 0, false));
  }
  CelMdp *square = built(b);
  if (format == 0) celi_mdp_emit_cassandra(&out, square);
  if (format == 1) celi_mdp_emit_gymnasium(&out, mdp);
  if (format == 2) celi_mdp_emit_prism(&out, mdp, 0, NULL);
  assert_ok(celi_out_finish(&out));
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(square);
  *size = out.text.size;
  return out.text.data;
}

/// Truncated files and files with random changes are either refused or give a valid MDP.
static void truncated_and_changed_texts(void **state) {
  (void)state;
  static const Parse parse[] = {parse_cassandra, parse_gymnasium, parse_prism};
  static const char bytes[] = "0123456789.-:*,[]{}\" \neT#";
  CelRng rng = cel_rng(1, CEL_RNG_USER, 2);
  for (int format = 0; format < 3; format++) {
    size_t size;
    int good = 0;
    char *text = text_of(format, &size);
    for (size_t n = 0; n + 4 < size; n++) {
      CelMdp *mdp = NULL;
      // an exact allocation, so that a sanitizer sees reads past the end
      char *part = malloc(n + 1);
      memcpy(part, text, n);
      const CelStatus status = parse[format](&mdp, part, n);
      if (status == CEL_OK) assert_ok(cel_mdp_check(mdp));
      good += status == CEL_OK;
      cel_mdp_destroy(mdp);
      free(part);
    }
    // A truncated file of Cassandra may lack the last rewards, and PRISM's may lack the last
    // digits.
    if (format == 1) assert_int_equal(good, 0);
    for (int i = 0; i < 20000; i++) {
      CelMdp *mdp = NULL;
      const size_t at = (size_t)cel_rng_below(&rng, size);
      const char was = text[at];
      text[at] = bytes[cel_rng_below(&rng, sizeof bytes - 1)];
      if (parse[format](&mdp, text, size) == CEL_OK) assert_ok(cel_mdp_check(mdp));
      cel_mdp_destroy(mdp);
      text[at] = was;
    }
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cassandra),
      cmocka_unit_test(gymnasium),
      cmocka_unit_test(prism),
      cmocka_unit_test(truncated_and_changed_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
