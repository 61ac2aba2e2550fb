/// Rules that all formats share: the tolerance of probabilities, options that override the file,
/// PRISM's reward structures, and texts without end.
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"
#include "model_cases.h"
#include "support/load_options.h"

// ---- one rule for probabilities

static CelStatus by_builder(CelMdp **out, void **state, const double row[2], double start) {
  (void)state;
  CelMdpBuilder *b = builder_of(2, 0.9, 0);
  CelStatus status = cel_mdp_pair(b, 0, 0, 1);
  for (int i = 0; i < 2 && status == CEL_OK; i++) {
    status = cel_mdp_transition(b, i, row[i], 0, false);
  }
  if (status == CEL_OK) status = cel_mdp_pair(b, 1, 0, 1);
  if (status == CEL_OK) status = cel_mdp_transition(b, 1, 1, 0, false);
  if (status == CEL_OK) status = cel_mdp_start(b, 0, start);
  if (status == CEL_OK) status = cel_mdp_start(b, 1, 0);
  if (status == CEL_OK) status = cel_mdp_build(b, out);
  cel_mdp_builder_destroy(b);
  return status;
}

static CelStatus by_gymnasium(CelMdp **out, void **state, const double row[2], double start) {
  (void)state;
  char text[512];
  const int n = snprintf(text, sizeof text,
                         "{\"P\": {\"0\": {\"0\": [[%.17g, 0, 1, false], [%.17g, 1, 1, false]]}, "
                         "\"1\": {\"0\": [[1, 1, 1, false]]}}, \"start\": [%.17g, 0]}",
                         row[0], row[1], start);
  return celi_mdp_parse_gymnasium(out, "g.json", text, (size_t)n, LOAD_DISCOUNT(0.9));
}

static CelStatus by_cassandra(CelMdp **out, void **state, const double row[2], double start) {
  (void)state;
  char text[512];
  const int n = snprintf(text, sizeof text,
                         "states: 2 actions: 1 start: %.17g 0\nT: 0 : 0 : 0 %.17g\n"
                         "T: 0 : 0 : 1 %.17g\nT: 0 : 1\n0 1\nR: * : * : * : * 1",
                         start, row[0], row[1]);
  return celi_mdp_parse_cassandra(out, "c.mdp", text, (size_t)n, LOAD_DISCOUNT(0.9));
}

/// The same row as a list of numbers, which another function reads.
static CelStatus by_cassandra_row(CelMdp **out, void **state, const double row[2], double start) {
  (void)state;
  char text[512];
  const int n = snprintf(text, sizeof text,
                         "states: 2 actions: 1 start: %.17g 0\nT: 0\n%.17g %.17g\n0 1\n"
                         "R: * : * : * : * 1",
                         start, row[0], row[1]);
  return celi_mdp_parse_cassandra(out, "c.mdp", text, (size_t)n, LOAD_DISCOUNT(0.9));
}

/// PRISM's initial distribution has no numbers.
static CelStatus by_prism(CelMdp **out, void **state, const double row[2], double start) {
  (void)state, (void)start;
  char tra[512];
  const char *trew = "2 2 3\n0 0 0 1\n0 0 1 1\n1 0 1 1\n";
  const int n =
      snprintf(tra, sizeof tra, "2 2 3\n0 0 0 %.17g\n0 0 1 %.17g\n1 0 1 1\n", row[0], row[1]);
  const CeliPrismTexts texts = {
      .path = {"p.tra", "p.trew"}, .data = {tra, trew}, .size = {(size_t)n, strlen(trew)}};
  return celi_mdp_parse_prism(out, &texts, LOAD_DISCOUNT(0.9));
}

static CelStatus by_safetensors(CelMdp **out, void **state, const double row[2], double start) {
  int64_t pair[] = {0, 1, 2}, rows[] = {0, 2, 3};
  uint32_t next[] = {0, 1, 1};
  double probability[] = {row[0], row[1], 1}, reward[] = {1, 1}, first[] = {start, 0};
  const struct {
    const char *name;
    CelType type;
    int64_t size;
    void *data;
  } part[] = {{"pair", CEL_I64, 3, pair},     {"row", CEL_I64, 3, rows},
              {"next", CEL_U32, 3, next},     {"probability", CEL_F64, 3, probability},
              {"reward", CEL_F64, 2, reward}, {"start", CEL_F64, 2, first}};
  const CelMeta meta[] = {{"format", "celsius-mdp"}, {"discount", "0.9"}};
  CelTensor list[6];
  memset(list, 0, sizeof list);
  for (int i = 0; i < 6; i++) {
    list[i] = (CelTensor){.type = part[i].type,
                          .ndim = 1,
                          .shape = {part[i].size},
                          .size = part[i].size,
                          .data = part[i].data};
    snprintf(list[i].name, sizeof list[i].name, "%s", part[i].name);
  }
  const char *path = in_folder(state, "rule.safetensors");
  assert_ok(cel_safetensors_write_list(path, list, 6, meta, 2));
  return cel_mdp_load(out, path, CEL_MDP_AUTO, (double)NAN);
}

typedef CelStatus (*Make)(CelMdp **out, void **state, const double row[2], double start);
static const struct {
  const char *name;
  Make make;
} makers[] = {{"builder", by_builder},     {"gymnasium", by_gymnasium},
              {"cassandra", by_cassandra}, {"cassandra's row", by_cassandra_row},
              {"prism", by_prism},         {"safetensors", by_safetensors}};
enum { MAKERS = sizeof makers / sizeof makers[0] };

/// Accepted probabilities are divided by their sum, and negative ones become 0. Nothing else
/// changes.
static void one_rule_for_probabilities(void **state) {
  static const struct {
    double row[2], start;
    bool good;
  } cases[] = {{{1, 0}, 1, true},
               {{1.0000000000000002, 0}, 1, true},
               {{1 + 9e-6, 0}, 1, true},
               {{1 - 9e-6, 0}, 1, true},
               {{0.3, 0.7 + 9e-6}, 1, true},
               {{0.3, 0.7 - 9e-6}, 1, true},
               {{1, -9e-6}, 1, true},
               {{-2.7755575615628914e-17, 1}, 1, true},
               {{1, 0}, 1.0000000000000002, true},
               {{1, 0}, 1 + 9e-6, true},
               {{1, 0}, 1 - 9e-6, true},
               {{1 + 2e-5, 0}, 1, false},
               {{1 - 2e-5, 0}, 1, false},
               {{0.3, 0.7 + 2e-5}, 1, false},
               {{0.3, 0.7 - 2e-5}, 1, false},
               {{1, -2e-5}, 1, false},
               {{1 + 2e-5, -2e-5}, 1, false},
               {{1, 0}, 1 + 2e-5, false},
               {{1, 0}, 1 - 2e-5, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double *row = cases[i].row, a = fmax(row[0], 0), b = fmax(row[1], 0),
                 start = cases[i].start;
    for (int k = 0; k < MAKERS; k++) {
      CelMdp *mdp = NULL;
      const bool good = cases[i].good || (makers[k].make == by_prism && (start < 1 || start > 1));
      const CelStatus status = makers[k].make(&mdp, state, row, start);
      if ((status == CEL_OK) != good) {
        fail_msg("case %zu by %s: %s %s", i, makers[k].name, cel_status_name(status),
                 status ? cel_error() : "");
      }
      if (!good) continue;
      assert_ok(cel_mdp_check(mdp));
      double p[2] = {0, 0};
      for (int64_t t = mdp->row[0]; t < mdp->row[1]; t++)
        p[cel_mdp_next(mdp, t)] = mdp->probability[t];
      assert_true(fabs(p[0] - a / (a + b)) < 1e-15 && fabs(p[1] - b / (a + b)) < 1e-15);
      assert_true(fabs(mdp->start[0] - 1) < 1e-15 && fabs(mdp->reward[0] - 1) < 1e-15);
      cel_mdp_destroy(mdp);
    }
  }
}

// ---- Cassandra's spellings

static CelMdp *cassandra_of(const char *text, double discount, int64_t horizon) {
  CelMdp *mdp = NULL;
  const CelMdpLoadOptions options = {.discount = discount, .horizon = horizon};
  assert_ok(celi_mdp_parse_cassandra(&mdp, "c.mdp", text, strlen(text), &options));
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

static void cassandra_spellings(void **state) {
  (void)state;
  static const struct {
    const char *values;
    double reward;
  } words[] = {{"reward", 3}, {"rewards", 3}, {"cost", -3}, {"costs", -3}};
  for (int i = 0; i < 4; i++) {
    char text[200];
    snprintf(text, sizeof text,
             "discount: 0.9\nvalues: %s\nstates: a b c d\nactions: 1\nstart: a c\nT: 0 identity\n"
             "R: 0 : * : * : * 3",
             words[i].values);
    CelMdp *mdp = cassandra_of(text, (double)NAN, -1);
    assert_true(mdp->reward[0] == words[i].reward);
    const double start[] = {0.5, 0, 0.5, 0};
    assert_memory_equal(mdp->start, start, sizeof start);
    assert_null(mdp->left_out);
    cel_mdp_destroy(mdp);
  }
}

static void dropped_parts_are_reported(void **state) {
  (void)state;
  CelMdp *mdp =
      cassandra_of("discount: 0.9 states: 2 actions: 1 observations: 2 T: 0 identity O: 0 "
                   "uniform",
                   (double)NAN, -1);
  assert_non_null(mdp->left_out);
  assert_non_null(strstr(mdp->left_out, "observations are left out"));
  cel_mdp_destroy(mdp);
}

// ---- options for horizon and discount

static void horizon_option_works_for_every_format(void **state) {
  static const struct {
    const char *name, *text;
    int64_t own;
  } files[] = {
      {"h.mdp", "discount: 1.0 states: 1 actions: 1 T: 0 identity R: 0 : * : * : * 1", 0},
      {"h.json", "{\"discount\": 1, \"horizon\": 5, \"0\": {\"0\": [[1, 0, 1, false]]}}", 5},
      {"h.tra", "1 1 1\n0 0 0 1\n", 0}};
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  assert_int_equal(options.horizon, -1);
  for (int i = 0; i < 3; i++) {
    const char *path = in_folder(state, files[i].name);
    CelMdp *mdp = NULL;
    put_file(path, files[i].text, strlen(files[i].text));
    options.discount = i == 2 ? 1.0 : (double)NAN;
    options.horizon = 3;
    assert_ok(cel_mdp_load_with(&mdp, path, &options));
    assert_int_equal(mdp->horizon, 3);
    assert_true(mdp->discount == 1.0);
    cel_mdp_destroy(mdp);
    mdp = NULL;
    for (options.horizon = -1; options.horizon <= 0; options.horizon++) {
      assert_ok(cel_mdp_load_with(&mdp, path, &options));
      assert_int_equal(mdp->horizon, options.horizon < 0 ? files[i].own : 0);
      assert_true(mdp->discount == 1.0);
      cel_mdp_destroy(mdp);
      mdp = NULL;
    }
    options.horizon = -2;
    assert_fails(cel_mdp_load_with(&mdp, path, &options), CEL_E_RANGE,
                 "horizon -2 is out of range");
  }
  const char *path = in_folder(state, "h.safetensors");
  CelMdpBuilder *b = builder_of(1, 1.0, 4);
  assert_ok(cel_mdp_pair(b, 0, 0, 1));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  CelMdp *mdp = built(b);
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
  cel_mdp_destroy(mdp);
  options.horizon = 3;
  options.discount = (double)NAN;
  assert_ok(cel_mdp_load_with(&mdp, path, &options));
  assert_true(mdp->horizon == 3 && mdp->discount == 1.0);
  cel_mdp_destroy(mdp);
  memcpy(options.reward, "time", 5);
  assert_fails(cel_mdp_load_with(&mdp, path, &options), CEL_E_NAME, "no named rewards");
  assert_fails(cel_mdp_load_with(&mdp, in_folder(state, "h.json"), &options), CEL_E_ARGUMENT,
               "gymnasium files have no named rewards");
}

// ---- PRISM's reward structures

static void put(void **state, const char *name, const char *text) {
  put_file(in_folder(state, name), text, strlen(text));
}

/// r(s,a) of the only pair of state 0 with that reward structure.
static double reward_of(void **state, const char *name, const char *reward) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  CelMdp *mdp = NULL;
  options.discount = 0.9;
  snprintf(options.reward, sizeof options.reward, "%s", reward);
  assert_ok(cel_mdp_load_with(&mdp, in_folder(state, name), &options));
  const double found = mdp->reward[0];
  cel_mdp_destroy(mdp);
  return found;
}

static CelStatus load(void **state, const char *name, const char *reward) {
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  CelMdp *mdp = NULL;
  options.discount = 0.9;
  snprintf(options.reward, sizeof options.reward, "%s", reward);
  const CelStatus status = cel_mdp_load_with(&mdp, in_folder(state, name), &options);
  cel_mdp_destroy(mdp);
  return status;
}

#define TRA "1 1 1\n0 0 0 1\n"

static void prism_reward_structures(void **state) {
  put(state, "m.tra", TRA);
  assert_true(reward_of(state, "m.tra", "") == 0); // no structure, so no rewards
  assert_fails(load(state, "m.tra", "time"), CEL_E_NAME, "no reward structure \"time\", because");
  put(state, "m1.srew", "# Reward structure \"time\"\n# State rewards\n1 1\n0 3\n");
  assert_true(reward_of(state, "m.tra", "") == 3); // a single structure, with a number
  put(state, "m1.trew", "# Reward structure \"time\"\n1 1 1\n0 0 0 0.25\n");
  assert_true(reward_of(state, "m.tra", "") == 3.25); // state and transition rewards add up
  put(state, "m2.trew", "# Reward structure \"gain\"\n1 1 1\n0 0 0 7\n");
  put(state, "m10.srew", "1 1\n0 -1\n"); // without comments
  assert_fails(load(state, "m.tra", ""), CEL_E_ARGUMENT,
               "has 3 reward structures: 1 (\"time\"), 2 (\"gain\"), 10; set reward");
  assert_true(reward_of(state, "m.tra", "time") == 3.25);
  assert_true(reward_of(state, "m.tra", "1") == 3.25);
  assert_true(reward_of(state, "m.tra", "gain") == 7);
  assert_true(reward_of(state, "m.tra", "10") == -1);
  assert_fails(load(state, "m.tra", "3"), CEL_E_NAME, "no reward structure \"3\"; it has 1");
  put(state, "m2.srew", "# Reward structure \"loss\"\n1 1\n0 1\n");
  assert_fails(load(state, "m.tra", "1"), CEL_E_CORRUPT, "must match");
}

static void prism_numbered_files_of_another_mdp(void **state) {
  put(state, "n.tra", TRA);
  put(state, "n.srew", "1 1\n0 5\n");
  put(state, "n1.tra", TRA); // now n1.srew belongs to another MDP
  put(state, "n1.srew", "1 1\n0 6\n");
  put(state, "n01.srew", "1 1\n0 9\n"); // PRISM never writes this number
  put(state, "n1x.srew", "1 1\n0 9\n");
  assert_true(reward_of(state, "n.tra", "") == 5);
  assert_true(reward_of(state, "n1.tra", "") == 6);
  put(state, "n2.srew", "# Reward structure \"b\"\n1 1\n0 8\n");
  assert_fails(load(state, "n.tra", ""), CEL_E_ARGUMENT, "one without a number, 2 (\"b\")");
  assert_true(reward_of(state, "n.tra", "b") == 8);
}

// ---- texts without end

/// The error says how much was read and what to do.
static void endless_texts_have_a_limit(void **state) {
  (void)state;
  CelMdp *mdp = NULL;
  assert_fails(cel_mdp_load(&mdp, "/dev/zero", CEL_MDP_AUTO, 0.9), CEL_E_FORMAT, "give its format");
  assert_fails(cel_mdp_load(&mdp, "/dev/zero", CEL_MDP_SAFETENSORS, 0.9), CEL_E_IO,
               "/dev/zero: this is a pipe or device, which cannot be mapped; write the data to a "
               "file first");
  const CelStatus status = cel_mdp_load(&mdp, "/dev/zero", CEL_MDP_GYMNASIUM, 0.9);
  if (status == CEL_E_MEMORY) skip(); // the machine has less memory than the limit
  assert_int_equal(status, CEL_E_FORMAT);
  assert_non_null(strstr(cel_error(), "/dev/zero: no end of data after 256.0 MiB"));
  assert_non_null(strstr(cel_error(), "write the data to a file"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_rule_for_probabilities),
      cmocka_unit_test(cassandra_spellings),
      cmocka_unit_test(dropped_parts_are_reported),
      cmocka_unit_test(horizon_option_works_for_every_format),
      cmocka_unit_test(prism_reward_structures),
      cmocka_unit_test(prism_numbered_files_of_another_mdp),
      cmocka_unit_test(endless_texts_have_a_limit),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
