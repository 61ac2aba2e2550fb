/// CelMdp and its safetensors files: each guarantee broken in turn, round trips, foreign files,
/// truncated files, and random changes.
#include "mdp/formats/formats.h"
#include "model_cases.h"
#include "support/load_options.h"
#include <malloc.h>

// ---- an MDP with writable arrays

typedef struct Parts {
  CelMdp mdp;
  int64_t pair[4], row[4];
  uint32_t next[5];
  int64_t next64[5];
  double probability[5], reward[3], reward_next[5], start[3];
  uint8_t ends[5];
  int32_t action[3];
  int64_t cell[4];
  int32_t direction[4];
  int8_t narrow[4];
  CelMdpGrid grid;
  const char *discount, *horizon, *name, *format;
} Parts;

/// Three states, the last one terminal. State 0 has actions 0 and 2, and state 1 has action 1.
static void fill_parts(Parts *p) {
  *p = (Parts){
      .pair = {0, 2, 3, 3},
      .row = {0, 2, 3, 5},
      .next = {0, 1, 2, 1, 2},
      .next64 = {0, 1, 2, 1, 2},
      .probability = {0.5, 0.5, 1, 0.25, 0.75},
      .reward = {1, 0, -1.75},
      .reward_next = {0, 2, 0, -1, -2},
      .start = {0.5, 0.5, 0},
      .ends = {0, 0, 1, 0, 0},
      .action = {0, 2, 1},
      .cell = {0, 1, -1, 2},
      .direction = {0, 1, 0, -1},
      .narrow = {0, 1, 0, -1},
      .discount = "0.9",
      .horizon = "0",
      .name = "parts",
      .format = "celsius-mdp",
  };
  p->grid = (CelMdpGrid){2, 2, p->cell, p->narrow, 2};
  p->mdp = (CelMdp){.states = 3,
                    .pairs = 3,
                    .transitions = 5,
                    .max_actions = 2,
                    .discount = 0.9,
                    .pair = p->pair,
                    .row = p->row,
                    .next32 = p->next,
                    .probability = p->probability,
                    .reward = p->reward,
                    .reward_next = p->reward_next,
                    .ends = p->ends,
                    .action = p->action,
                    .start = p->start,
                    .grid = &p->grid,
                    .name = "parts"};
}

static CelTensor tensor(const char *name, CelType type, void *data, int64_t rows, int64_t columns) {
  CelTensor t = {.type = type, .ndim = columns ? 2 : 1, .shape = {rows, columns}, .data = data};
  snprintf(t.name, sizeof t.name, "%s", name);
  t.size = columns ? rows * columns : rows;
  return t;
}

enum { TENSORS = 11 };
static void list_parts(Parts *p, CelTensor list[TENSORS]) {
  list[0] = tensor("pair", CEL_I64, p->pair, 4, 0);
  list[1] = tensor("row", CEL_I64, p->row, 4, 0);
  list[2] = tensor("next", CEL_U32, p->next, 5, 0);
  list[3] = tensor("probability", CEL_F64, p->probability, 5, 0);
  list[4] = tensor("reward", CEL_F64, p->reward, 3, 0);
  list[5] = tensor("reward_next", CEL_F64, p->reward_next, 5, 0);
  list[6] = tensor("start", CEL_F64, p->start, 3, 0);
  list[7] = tensor("ends", CEL_U8, p->ends, 5, 0);
  list[8] = tensor("action", CEL_I32, p->action, 3, 0);
  list[9] = tensor("grid.state", CEL_I64, p->cell, 2, 2);
  list[10] = tensor("grid.direction", CEL_I32, p->direction, 2, 2);
}

/// Writes n tensors with the metadata of the parts. Metadata that are NULL are omitted.
static void write_list(const char *path, const Parts *p, const CelTensor *list, int n) {
  const CelMeta all[] = {
      {"format", p->format}, {"discount", p->discount}, {"horizon", p->horizon}, {"name", p->name}};
  CelMeta meta[4];
  int metas = 0;
  for (int i = 0; i < 4; i++) {
    if (all[i].value != NULL) meta[metas++] = all[i];
  }
  assert_ok(cel_safetensors_write_list(path, list, n, meta, metas));
}

static CelStatus load(const char *path, double discount) {
  CelMdp *mdp = NULL;
  const CelStatus status = cel_mdp_load(&mdp, path, CEL_MDP_SAFETENSORS, discount);
  assert_true((status == CEL_OK) == (mdp != NULL));
  cel_mdp_destroy(mdp);
  return status;
}

// ---- broken guarantees

#define BREAK(name, statement)                                                                     \
  static void name(Parts *p) {                                                                     \
    statement;                                                                                     \
  }
BREAK(pair_first, p->pair[0] = 1)
BREAK(pair_negative, p->pair[0] = -1)
BREAK(pair_last, p->pair[3] = 4)
BREAK(pair_falls, p->pair[1] = 4)
BREAK(pair_huge, p->pair[1] = INT64_MAX)
BREAK(pair_lowest, p->pair[2] = INT64_MIN)
BREAK(row_first, p->row[0] = 1)
BREAK(row_last, p->row[3] = 6)
BREAK(row_empty, p->row[1] = 3)
BREAK(row_falls, p->row[1] = 4)
BREAK(row_huge, p->row[2] = INT64_MAX)
BREAK(row_lowest, p->row[1] = INT64_MIN)
BREAK(next_outside, p->next[3] = 3)
BREAK(next_far, p->next[1] = UINT32_MAX)
BREAK(probability_negative, p->probability[3] = -0.25)
BREAK(probability_nan, p->probability[0] = (double)NAN)
BREAK(probability_infinite, p->probability[2] = (double)INFINITY)
BREAK(probability_above, p->probability[2] = 1.5)
BREAK(probability_sum, p->probability[4] = 0.5)
BREAK(probability_sum_nearly, p->probability[4] = 0.75 + 2e-5)
BREAK(reward_nan, p->reward[2] = (double)NAN)
BREAK(reward_other, p->reward[0] = 1.0001)
BREAK(reward_next_nan, p->reward_next[4] = (double)NAN)
BREAK(reward_next_infinite, p->reward_next[0] = -(double)INFINITY)
BREAK(ends_two, p->ends[2] = 2)
BREAK(action_falls, p->action[1] = 0)
BREAK(action_negative, p->action[2] = -1)
BREAK(start_negative, p->start[0] = -0.5)
BREAK(start_nan, p->start[2] = (double)NAN)
BREAK(start_sum, p->start[2] = 0.5)
BREAK(cell_outside, p->cell[3] = 3)
BREAK(cell_lowest, p->cell[0] = INT64_MIN)

static const struct {
  void (*breaks)(Parts *);
  const char *part; // expected part of the message
} promises[] = {
    {pair_first, "pair[0] is 1"},
    {pair_negative, "pair[0] is -1"},
    {pair_last, "pair[3] is 4"},
    {pair_falls, "state 1: its pairs end at 3, before they begin at 4"},
    {pair_huge, "state 1: its pairs end at 3"},
    {pair_lowest, "state 1: its pairs end at -9223372036854775808"},
    {row_first, "row[0] is 1"},
    {row_last, "row[3] is 6"},
    {row_empty, "state 0, action 2: its transitions begin at 3 and end at 3"},
    {row_falls, "state 0, action 2: its transitions begin at 4 and end at 3"},
    {row_huge, "state 1, action 1: its transitions begin at 9223372036854775807"},
    {row_lowest, "state 0, action 0: its transitions begin at 0 and end at -922"},
    {next_outside, "state 1, action 1, transition 3 (to state 3"},
    {next_far, "state 0, action 0, transition 1 (to state 4294967295"},
    {probability_negative, "state 1, action 1, transition 3"},
    {probability_nan, "state 0, action 0, transition 0"},
    {probability_infinite, "state 0, action 2, transition 2"},
    {probability_above, "state 0, action 2, transition 2"},
    {probability_sum, "state 1, action 1: the probabilities of its 2 transitions sum to 0.75"},
    {probability_sum_nearly, "state 1, action 1: the probabilities"},
    {reward_nan, "state 1, action 1: the reward nan"},
    {reward_other, "state 0, action 0: the reward is 1.0001"},
    {reward_next_nan, "state 1, action 1, transition 4"},
    {reward_next_infinite, "state 0, action 0, transition 0"},
    {ends_two, "state 0, action 2, transition 2"},
    {action_falls, "state 0: action 0 (pair 1)"},
    {action_negative, "state 1: action -1 (pair 2)"},
    {start_negative, "state 0: the initial probability -0.5"},
    {start_nan, "state 2: the initial probability nan"},
    {start_sum, "the initial distribution sums to 1.5"},
    {cell_outside, "grid cell (1, 1) has state 3"},
    {cell_lowest, "grid cell (0, 0) has state -9223372036854775808"},
};

static void broken_guarantees_are_found(void **state) {
  static Parts p;
  CelTensor list[TENSORS];
  const char *path = in_folder(state, "broken.safetensors"), *copy = in_folder(state, "copy");
  fill_parts(&p);
  list_parts(&p, list);
  write_list(path, &p, list, TENSORS);
  assert_ok(cel_mdp_check(&p.mdp));
  assert_ok(load(path, (double)NAN));
  for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
    fill_parts(&p);
    promises[i].breaks(&p);
    assert_fails(cel_mdp_check(&p.mdp), CEL_E_CORRUPT, promises[i].part);
    list_parts(&p, list);
    write_list(path, &p, list, TENSORS);
    assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, promises[i].part);
    assert_non_null(strstr(cel_error(), "broken.safetensors: "));
    assert_fails(cel_mdp_save(&p.mdp, copy, CEL_MDP_SAFETENSORS), CEL_E_CORRUPT, promises[i].part);
    assert_int_not_equal(access(copy, F_OK), 0);
  }
}

static void broken_structs_are_found(void **state) {
  (void)state;
  static Parts p;
#define EXPECT_BROKEN(statement, part)                                                             \
  fill_parts(&p);                                                                                  \
  statement;                                                                                       \
  assert_fails(cel_mdp_check(&p.mdp), CEL_E_CORRUPT, part)
  EXPECT_BROKEN(p.mdp.states = 0, "0 states");
  EXPECT_BROKEN(p.mdp.transitions = -1, "-1 transitions");
  EXPECT_BROKEN(p.mdp.max_actions = 3, "max_actions is 3");
  EXPECT_BROKEN(p.mdp.discount = 1.5, "discount 1.5");
  EXPECT_BROKEN(p.mdp.discount = (double)NAN, "discount nan");
  EXPECT_BROKEN(p.mdp.horizon = -1, "horizon -1");
  EXPECT_BROKEN(p.mdp.pair = NULL, "array pair of the MDP is missing");
  EXPECT_BROKEN(p.mdp.next32 = NULL, "array next32 or next64 of");
  EXPECT_BROKEN(p.mdp.start = NULL, "array start of");
  EXPECT_BROKEN(memset(p.mdp.name, 'x', sizeof p.mdp.name), "name");
  EXPECT_BROKEN(p.grid.rows = 0, "0 rows");
  EXPECT_BROKEN(p.grid.rows = INT64_MAX, "rows");
  EXPECT_BROKEN((p.mdp.next32 = NULL, p.mdp.next64 = p.next64, p.next64[4] = -1), "to state -1");
#undef EXPECT_BROKEN
}

// ---- round trips

static void files_round_trip(void **state) {
  for (int with = 0; with < 32; with++) {
    CelMdp *mdp = random_mdp((uint64_t)with, 1 + with % 17, with), *back = NULL;
    const char *path = in_folder(state, "a.safetensors"),
               *again = in_folder(state, "b.safetensors");
    assert_ok(cel_mdp_save(mdp, path, CEL_MDP_SAFETENSORS));
    assert_ok(cel_mdp_load(&back, path, CEL_MDP_SAFETENSORS, (double)NAN));
    assert_ok(cel_mdp_check(back));
    expect_same_mdp(mdp, back);
    assert_int_equal(mdp->next32 != NULL, back->next32 != NULL);
    assert_ok(cel_mdp_save(back, again, CEL_MDP_SAFETENSORS));
    size_t n, m;
    char *a = get_file(path, &n), *b = get_file(again, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    cel_mdp_destroy(mdp);
    cel_mdp_destroy(back);
  }
}

static void discount_option_works(void **state) {
  const char *path = in_folder(state, "discount.safetensors");
  CelMdp *mdp = random_mdp(1, 5, 0), *back = NULL;
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_SAFETENSORS));
  cel_mdp_destroy(mdp);
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_SAFETENSORS, 0.5));
  assert_true(back->discount == 0.5);
  cel_mdp_destroy(back);
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_SAFETENSORS, 1.0)); // total.h solves it
  assert_true(back->discount == 1.0 && back->horizon == 0);
  cel_mdp_destroy(back);
  assert_fails(load(path, -1.0), CEL_E_RANGE, "discount -1");
  assert_fails(load(path, 7.0), CEL_E_RANGE, "discount.safetensors: discount 7");
}

static void next_states_of_64_bits(void **state) {
  static Parts p;
  CelTensor list[TENSORS];
  const char *path = in_folder(state, "wide.safetensors"), *again = in_folder(state, "again");
  CelMdp *mdp = NULL, *back = NULL;
  fill_parts(&p);
  list_parts(&p, list);
  list[2] = tensor("next", CEL_I64, p.next64, 5, 0);
  write_list(path, &p, list, TENSORS);
  assert_ok(cel_mdp_load(&mdp, path, CEL_MDP_SAFETENSORS, (double)NAN));
  assert_null(mdp->next32);
  expect_same_mdp(mdp, &p.mdp);
  assert_ok(cel_mdp_save(mdp, again, CEL_MDP_SAFETENSORS));
  assert_ok(cel_mdp_load(&back, again, CEL_MDP_SAFETENSORS, (double)NAN));
  assert_non_null(back->next64);
  expect_same_mdp(mdp, back);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
  p.next64[2] = -3;
  write_list(path, &p, list, TENSORS);
  assert_fails(load(path, (double)NAN), CEL_E_CORRUPT,
               "state 0, action 2, transition 2 (to state -3");
  p.next64[2] = INT64_C(1) << 32; // would be 0 if cut to 32 bits
  write_list(path, &p, list, TENSORS);
  assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, "to state 4294967296");
}

/// 300,000 transitions have 3.6 MB of next states and probabilities. Loading must not copy them.
static void nothing_large_is_copied(void **state) {
  const char *path = in_folder(state, "large.safetensors");
  enum { S = 100000 };
  CelMdpBuilder *b = builder_of(S, 0.9, 0);
  assert_ok(cel_mdp_builder_reserve(b, S, 3 * S));
  for (int64_t s = 0; s < S; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, 1));
    for (int64_t i = 1; i <= 3; i++) {
      assert_ok(cel_mdp_transition(b, (s + 77 * i) % S, i == 1 ? 0.5 : 0.25, 0, false));
    }
  }
  CelMdp *mdp = built(b), *back = NULL;
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_SAFETENSORS));
#ifdef __GLIBC__
  const struct mallinfo2 before = mallinfo2();
#endif
  assert_ok(cel_mdp_load(&back, path, CEL_MDP_SAFETENSORS, (double)NAN));
#ifdef __GLIBC__
  const struct mallinfo2 after = mallinfo2();
  const size_t taken = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
  if (!sanitized() && taken > 20000) fail_msg("loading took %zu bytes", taken);
#endif
  expect_same_mdp(mdp, back);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(back);
}

// ---- foreign files

/// Index arrays as SciPy writes them (int32, int64) and others; single-precision numbers.
static void other_number_types_load(void **state) {
  static Parts p;
  CelTensor list[TENSORS];
  int32_t pair32[] = {0, 2, 3, 3}, row32[] = {0, 2, 3, 5};
  float probability[5], reward[3];
  fill_parts(&p);
  int32_t next32[5];
  for (int i = 0; i < 5; i++) {
    next32[i] = (int32_t)p.next[i];
    probability[i] = (float)p.probability[i];
  }
  for (int i = 0; i < 3; i++) reward[i] = (float)p.reward[i];
  int64_t action64[] = {0, 2, 1};
  for (int turn = 0; turn < 3; turn++) {
    const char *path = in_folder(state, "types.safetensors");
    CelMdp *mdp = NULL;
    list_parts(&p, list);
    if (turn == 0) {
      list[0] = tensor("pair", CEL_I32, pair32, 4, 0);
      list[1] = tensor("row", CEL_U32, row32, 4, 0);
      list[2] = tensor("next", CEL_I32, next32, 5, 0);
      list[3] = tensor("probability", CEL_F32, probability, 5, 0);
      list[4] = tensor("reward", CEL_F32, reward, 3, 0);
      list[8] = tensor("action", CEL_I64, action64, 3, 0);
    } else if (turn == 1) {
      list[0] = tensor("pair", CEL_U64, p.pair, 4, 0);
      list[1] = tensor("row", CEL_U64, p.row, 4, 0);
      list[2] = tensor("next", CEL_U64, p.next64, 5, 0);
      list[8] = tensor("action", CEL_U32, p.action, 3, 0);
    }
    write_list(path, &p, list, TENSORS);
    assert_ok(cel_mdp_load(&mdp, path, CEL_MDP_SAFETENSORS, (double)NAN));
    assert_ok(cel_mdp_check(mdp));
    assert_memory_equal(mdp->pair, p.pair, sizeof p.pair);
    assert_memory_equal(mdp->row, p.row, sizeof p.row);
    assert_memory_equal(mdp->probability, p.probability, sizeof p.probability);
    assert_memory_equal(mdp->reward, p.reward, sizeof p.reward);
    assert_memory_equal(mdp->action, p.action, sizeof p.action);
    for (int t = 0; t < 5; t++) assert_int_equal(cel_mdp_next(mdp, t), p.next64[t]);
    cel_mdp_destroy(mdp);
  }
}

/// Metadata may have other keys, but none that is spelled almost like a known one.
static void misspelled_metadata_is_refused(void **state) {
  static const struct {
    const char *key, *meant;
  } keys[] = {
      {"made_by", NULL}, {"horizn", "horizon"}, {"gamma", "discount"}, {"Discount", "discount"}};
  static Parts p;
  CelTensor list[TENSORS];
  const char *path = in_folder(state, "meta.safetensors");
  fill_parts(&p);
  list_parts(&p, list);
  for (int i = 0; i < 4; i++) {
    const CelMeta meta[] = {{"format", "celsius-mdp"}, {"discount", "0.9"}, {keys[i].key, "5"}};
    assert_ok(cel_safetensors_write_list(path, list, TENSORS, meta, 3));
    if (!keys[i].meant) {
      assert_ok(load(path, (double)NAN));
      continue;
    }
    assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, keys[i].meant);
    assert_non_null(strstr(cel_error(), keys[i].key));
  }
}

static void python_files_load(void **state) {
  (void)state;
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_load(&mdp, CELSIUS_TEST_DIR "/golden/mdp_foreign.safetensors",
                         CEL_MDP_SAFETENSORS, (double)NAN));
  assert_ok(cel_mdp_check(mdp));
  assert_int_equal(mdp->states, 4);
  assert_int_equal(mdp->pairs, 5);
  assert_int_equal(mdp->transitions, 8);
  assert_int_equal(mdp->max_actions, 2);
  assert_true(mdp->discount == 0.99 && mdp->horizon == 0);
  assert_string_equal(mdp->name, "foreign");
  const int64_t pair[] = {0, 2, 4, 5, 5}, row[] = {0, 2, 3, 6, 7, 8};
  assert_memory_equal(mdp->pair, pair, sizeof pair);
  assert_memory_equal(mdp->row, row, sizeof row);
  // 1/3 with ten digits: the row sums to 1 - 1e-10 and is divided by its sum.
  for (int t = 3; t < 6; t++) assert_true(fabs(mdp->probability[t] - 1.0 / 3) < 1e-15);
  assert_true(mdp->probability[0] == 0.25 && mdp->probability[6] == 1);
  // r(s,a) is computed, and the start is uniform over the states with an action.
  const double reward[] = {0.25 * 1 + 0.75 * 5, 2, 0, -1, 8};
  for (int p = 0; p < 5; p++) assert_true(fabs(mdp->reward[p] - reward[p]) < 1e-9);
  for (int s = 0; s < 4; s++) assert_true(fabs(mdp->start[s] - (s < 3 ? 1.0 / 3 : 0)) < 1e-15);
  cel_mdp_destroy(mdp);
}

static void wrong_tensors_are_named(void **state) {
  static Parts p;
  CelTensor list[TENSORS + 1];
  const char *path = in_folder(state, "wrong.safetensors");
  float narrow[5] = {0};
#define EXPECT_REFUSED(statement, part)                                                            \
  fill_parts(&p);                                                                                  \
  list_parts(&p, list);                                                                            \
  statement;                                                                                       \
  write_list(path, &p, list, TENSORS);                                                             \
  assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, part)
  EXPECT_REFUSED(list[3] = tensor("probability", CEL_I32, narrow, 5, 0),
                 "\"probability\" is of type I32; it must be F64 or F32");
  EXPECT_REFUSED(list[0] = tensor("pair", CEL_F64, p.start, 3, 0), "\"pair\" is of type F64");
  EXPECT_REFUSED(list[2] = tensor("next", CEL_F64, p.probability, 5, 0),
                 "\"next\" is of type F64; it must be I32, I64, U32 or U64");
  EXPECT_REFUSED(list[2] = (p.next[3] = UINT32_MAX, tensor("next", CEL_I32, p.next, 5, 0)),
                 "\"next\": entry 3 is -1; states are numbered from 0");
  EXPECT_REFUSED(list[2] = tensor("next", CEL_U32, p.next, 4, 0),
                 "\"probability\" has 5 entries; the sizes of");
  EXPECT_REFUSED(list[3] = tensor("probability", CEL_F64, p.probability, 5, 1),
                 "\"probability\" has 2 axes");
  EXPECT_REFUSED(list[4] = tensor("reward", CEL_F64, p.reward, 2, 0),
                 "\"reward\" has 2 entries; the sizes of");
  EXPECT_REFUSED(list[5] = tensor("reward_next", CEL_F64, p.reward_next, 3, 0), "\"reward_next\"");
  EXPECT_REFUSED(list[6] = tensor("start", CEL_F64, p.start, 2, 0), "\"start\"");
  EXPECT_REFUSED(list[7] = tensor("ends", CEL_U8, p.ends, 1, 0), "\"ends\"");
  EXPECT_REFUSED(list[8] = tensor("action", CEL_F64, p.start, 3, 0), "\"action\" is of type F64");
  EXPECT_REFUSED(list[8] = (p.next64[1] = INT32_MAX, tensor("action", CEL_I64, p.next64, 3, 0)),
                 "\"action\": entry 1 is 2147483647; actions are 0 to 2^31 - 2");
  EXPECT_REFUSED(list[0] = tensor("pair", CEL_I64, p.pair, 1, 0),
                 "\"pair\", \"row\" and \"next\" have 1, 4 and 5");
  EXPECT_REFUSED(list[0] = tensor("pair", CEL_I64, p.pair, 0, 0), "have 0, 4 and 5");
  EXPECT_REFUSED(list[2] = tensor("next", CEL_U32, p.next, 0, 0), "have 4, 4 and 0");
  EXPECT_REFUSED(list[0] = tensor("pair", CEL_I64, p.pair, 3, 0),
                 "\"start\" has 3 entries; the sizes of");
  EXPECT_REFUSED(list[1] = tensor("row", CEL_I64, p.row, 3, 0), "\"reward\" has 3 entries");
  EXPECT_REFUSED(list[7] = tensor("end", CEL_U8, p.ends, 5, 0),
                 "tensor \"end\" is not part of a finite MDP; is \"ends\" meant?");
  EXPECT_REFUSED(list[3] = tensor("grid.rows", CEL_F64, p.start, 3, 0), "tensor \"grid.rows\"");
  EXPECT_REFUSED(list[10] = tensor("grid.direction", CEL_I32, p.direction, 4, 0), "a grid needs");
  EXPECT_REFUSED(list[9] = tensor("grid.state", CEL_I32, p.direction, 2, 2), "a grid needs");
  EXPECT_REFUSED(list[9] = tensor("grid.state", CEL_I64, p.cell, 2, 0), "a grid needs");
  EXPECT_REFUSED(p.direction[3] = 128, "\"grid.direction\": action 1 moves 128");
  EXPECT_REFUSED(p.discount = "0,9", "metadata \"discount\": \"0,9\" is not a number");
  EXPECT_REFUSED(p.discount = "nan", "discount nan");
  EXPECT_REFUSED(p.discount = "1.5", "metadata: discount 1.5");
  EXPECT_REFUSED(p.discount = NULL, "\"discount\" is missing");
  EXPECT_REFUSED(p.horizon = "-3", "\"horizon\" is \"-3\"");
  EXPECT_REFUSED(p.horizon = "1e30", "\"horizon\" is \"1e30\"");
  EXPECT_REFUSED(p.format = "celsius-model", "\"format\" is \"celsius-model\", not");
  EXPECT_REFUSED(p.format = NULL, "\"format\" is missing");
  EXPECT_REFUSED(p.name = "a name that is longer than 63 bytes is refused, for it would be cut off",
                 "63 bytes");
#undef EXPECT_REFUSED
  static const char *const needed[] = {"pair", "row", "next", "probability"};
  for (int missing = 0; missing < 4; missing++) {
    char part[64];
    fill_parts(&p);
    list_parts(&p, list);
    list[missing] = list[TENSORS - 1];
    write_list(path, &p, list, TENSORS - 1);
    snprintf(part, sizeof part, "tensor \"%s\" is missing", needed[missing]);
    assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, part);
  }
  fill_parts(&p);
  list_parts(&p, list);
  write_list(path, &p, list, 4); // no rewards at all
  assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, "both missing");
  assert_fails(load(in_folder(state, "nowhere"), (double)NAN), CEL_E_IO, "nowhere");
}

// ---- truncated and randomly changed files

/// The parts as a file without digests, because digests would catch every change.
static char *undigested(void **state, size_t *size) {
  static Parts p;
  CelTensor list[TENSORS];
  const char *path = in_folder(state, "parts.safetensors");
  fill_parts(&p);
  list_parts(&p, list);
  write_list(path, &p, list, TENSORS);
  char *bytes = get_file(path, size);
  for (size_t i = 0; i + 8 < *size; i++) {
    if (memcmp(bytes + i, "digest\":", 8) == 0) bytes[i] = 'x';
  }
  return bytes;
}

static CelStatus load_bytes(const char *bytes, size_t size) {
  CelSafetensors *file = NULL;
  CelMdp *mdp = NULL;
  CelStatus status = cel_safetensors_open_bytes("bytes", bytes, size, &file);
  if (status != CEL_OK) return status;
  status = celi_mdp_of_safetensors(&mdp, file, LOAD_DISCOUNT((double)NAN));
  if (status == CEL_OK) assert_ok(cel_mdp_check(mdp));
  cel_mdp_destroy(mdp);
  return status;
}

static void truncated_files_are_refused(void **state) {
  size_t size;
  char *bytes = undigested(state, &size);
  assert_ok(load_bytes(bytes, size));
  for (size_t n = 0; n < size; n++) {
    char *cut = malloc(n + 1); // an exact allocation, so that a sanitizer sees reads past the end
    assert_non_null(cut);
    memcpy(cut, bytes, n);
    const CelStatus status = load_bytes(cut, n);
    if (status == CEL_OK) fail_msg("a file cut to %zu of %zu bytes was accepted", n, size);
    free(cut);
  }
  free(bytes);
}

static void changed_files_do_not_crash(void **state) {
  size_t size;
  char *bytes = undigested(state, &size), *changed = malloc(size);
  int taken = 0, rounds = 20000;
  assert_non_null(changed);
  CelRng rng = cel_rng(7, CEL_RNG_USER, 0);
  for (int round = 0; round < rounds; round++) {
    memcpy(changed, bytes, size);
    const int changes = 1 + (int)cel_rng_below(&rng, 3);
    for (int i = 0; i < changes; i++) {
      // Every other change is in the data, where values break. The rest are anywhere.
      const size_t from = round % 2 ? size - 400 : 0;
      changed[from + cel_rng_below(&rng, size - from)] = (char)cel_rng_below(&rng, 256);
    }
    taken += load_bytes(changed, size) == CEL_OK;
  }
  print_message("%d of %d changed files are still valid MDPs\n", taken, rounds);
  assert_true(taken > 0 && taken < rounds / 2);
  free(changed);
  free(bytes);
}

static void digests_find_a_change(void **state) {
  const char *path = in_folder(state, "digest.safetensors");
  CelMdp *mdp = random_mdp(5, 9, 0);
  size_t size;
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_SAFETENSORS));
  cel_mdp_destroy(mdp);
  char *bytes = get_file(path, &size);
  bytes[size - 1] ^= 1;
  put_file(path, bytes, size);
  assert_fails(load(path, (double)NAN), CEL_E_CORRUPT, "digest.safetensors");
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(broken_guarantees_are_found),
      cmocka_unit_test(broken_structs_are_found),
      cmocka_unit_test(files_round_trip),
      cmocka_unit_test(discount_option_works),
      cmocka_unit_test(next_states_of_64_bits),
      cmocka_unit_test(nothing_large_is_copied),
      cmocka_unit_test(python_files_load),
      cmocka_unit_test(other_number_types_load),
      cmocka_unit_test(misspelled_metadata_is_refused),
      cmocka_unit_test(wrong_tensors_are_named),
      cmocka_unit_test(truncated_files_are_refused),
      cmocka_unit_test(changed_files_do_not_crash),
      cmocka_unit_test(digests_find_a_change),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
