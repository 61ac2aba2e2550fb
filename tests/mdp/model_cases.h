/// Random MDPs for the tests of CelMdp, and comparison of two MDPs.
#ifndef MODEL_CASES_H
#define MODEL_CASES_H
#include "base/base_test.h"
#include "celsius/mdp.h"
#include <math.h>

static inline CelMdpBuilder *builder_of(int64_t states, double discount, int64_t horizon) {
  CelMdpBuilder *builder = NULL;
  assert_ok(cel_mdp_builder_create(&builder, states, discount, horizon));
  return builder;
}

/// Builds and checks the MDP. Destroys the builder.
static inline CelMdp *built(CelMdpBuilder *builder) {
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_build(builder, &mdp));
  cel_mdp_builder_destroy(builder);
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

/// Optional parts of a random MDP.
enum { WITH_REWARD_NEXT = 1, WITH_ENDS = 2, WITH_NUMBERS = 4, WITH_START = 8, WITH_GRID = 16 };

static inline void add_random_pair(CelMdpBuilder *b, CelRng *rng, int64_t S, int64_t s, int64_t a,
                                   int with) {
  assert_ok(cel_mdp_pair(b, s, a, cel_rng_range(rng, -1, 1)));
  double weight[8], sum = 0.0;
  const int n = 1 + (int)cel_rng_below(rng, 8);
  for (int i = 0; i < n; i++) sum += weight[i] = cel_rng_range(rng, 0.01, 1);
  for (int i = 0; i < n; i++) {
    const double reward = with & WITH_REWARD_NEXT ? cel_rng_range(rng, -1, 1) : 0.0;
    const bool ends = (with & WITH_ENDS) && cel_rng_below(rng, 4) == 0;
    const int64_t next = (int64_t)cel_rng_below(rng, (uint64_t)S);
    assert_ok(cel_mdp_transition(b, next, weight[i] / sum, reward, ends));
  }
}

/// S states with up to 3 actions and up to 8 transitions each. One state in 4 is terminal, but
/// never the first.
static inline CelMdp *random_mdp(uint64_t seed, int64_t S, int with) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  CelMdpBuilder *b = builder_of(S, 0.95, 0);
  for (int64_t s = 0; s < S; s++) {
    if (s > 0 && cel_rng_below(&rng, 4) == 0) continue;
    const int64_t actions = 1 + (int64_t)cel_rng_below(&rng, 3);
    for (int64_t a = 0; a < actions; a++) {
      add_random_pair(b, &rng, S, s, with & WITH_NUMBERS ? 2 * a + 1 : a, with);
    }
  }
  if (with & WITH_START) {
    assert_ok(cel_mdp_start(b, 0, 0.25));
    assert_ok(cel_mdp_start(b, S - 1, 0.75));
  }
  if (with & WITH_GRID) {
    int64_t cell[6] = {0, -1, S - 1, -1, -1, 1 % S};
    const int8_t direction[4] = {-1, 0, 0, 1};
    const CelMdpGrid grid = {2, 3, cell, direction, 2};
    assert_ok(cel_mdp_set_grid(b, &grid));
    cell[0] = 77; // the builder has its own copy
  }
  assert_ok(cel_mdp_set_name(b, "random"));
  return built(b);
}

static inline void expect_same_bytes(const char *what, const void *a, const void *b, size_t bytes) {
  if ((a == NULL) != (b == NULL)) fail_msg("only one of the two has %s", what);
  if (a != NULL && memcmp(a, b, bytes) != 0) fail_msg("%s differs", what);
}

/// Checks that two MDPs have the same labels and reward models in the same order.
static inline void expect_same_names(const CelMdp *a, const CelMdp *b) {
  const size_t S = (size_t)a->states, P = (size_t)a->pairs, T = (size_t)a->transitions;
  assert_int_equal(a->labels, b->labels);
  assert_int_equal(a->reward_models, b->reward_models);
  for (int64_t i = 0; i < a->labels; i++) {
    assert_string_equal(a->label[i].name, b->label[i].name);
    expect_same_bytes(a->label[i].name, a->label[i].in, b->label[i].in, S);
  }
  for (int64_t i = 0; i < a->reward_models; i++) {
    const CelMdpReward *x = &a->reward_model[i], *y = &b->reward_model[i];
    static const double zeros[64];
    const bool none = !x->state && !x->pair && !x->transition && P <= 64; // may be written as zeros
    assert_string_equal(x->name, y->name);
    expect_same_bytes(x->name, x->state, y->state, S * 8);
    expect_same_bytes(x->name, none && y->pair ? zeros : x->pair, y->pair, P * 8);
    expect_same_bytes(x->name, x->transition, y->transition, T * 8);
  }
  assert_int_equal(a->reward_chosen != NULL, b->reward_chosen != NULL);
  if (a->reward_chosen) assert_string_equal(a->reward_chosen->name, b->reward_chosen->name);
}

/// Checks that two MDPs are bit-identical. Next states are compared by value.
static inline void expect_same_mdp(const CelMdp *a, const CelMdp *b) {
  const size_t S = (size_t)a->states, P = (size_t)a->pairs, T = (size_t)a->transitions;
  assert_int_equal(a->states, b->states);
  assert_int_equal(a->pairs, b->pairs);
  assert_int_equal(a->transitions, b->transitions);
  assert_int_equal(a->max_actions, b->max_actions);
  assert_int_equal(a->horizon, b->horizon);
  assert_true(a->discount == b->discount);
  assert_string_equal(a->name, b->name);
  expect_same_bytes("pair", a->pair, b->pair, (S + 1) * 8);
  expect_same_bytes("row", a->row, b->row, (P + 1) * 8);
  for (int64_t t = 0; t < a->transitions; t++)
    assert_int_equal(cel_mdp_next(a, t), cel_mdp_next(b, t));
  expect_same_bytes("probability", a->probability, b->probability, T * 8);
  expect_same_bytes("reward", a->reward, b->reward, P * 8);
  expect_same_bytes("reward_next", a->reward_next, b->reward_next, T * 8);
  expect_same_bytes("ends", a->ends, b->ends, T);
  expect_same_bytes("action", a->action, b->action, P * 4);
  expect_same_bytes("start", a->start, b->start, S * 8);
  expect_same_names(a, b);
  assert_int_equal(a->grid != NULL, b->grid != NULL);
  if (a->grid == NULL) return;
  assert_int_equal(a->grid->rows, b->grid->rows);
  assert_int_equal(a->grid->columns, b->grid->columns);
  assert_int_equal(a->grid->actions, b->grid->actions);
  expect_same_bytes("grid's states", a->grid->state, b->grid->state,
                    (size_t)(a->grid->rows * a->grid->columns) * 8);
  expect_same_bytes("grid's directions", a->grid->direction, b->grid->direction,
                    (size_t)a->grid->actions * 2);
}

#endif
