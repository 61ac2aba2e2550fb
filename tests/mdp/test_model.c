/// The builder: its results, and every kind of misuse.
#include "model_cases.h"

// ---- results

static void small_mdp_is_built_as_given(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(4, 0.9, 0);
  assert_ok(cel_mdp_set_name(b, "small"));
  assert_ok(cel_mdp_pair(b, 0, 0, 1.0));
  assert_ok(cel_mdp_transition(b, 2, 0.25, 0, false));
  assert_ok(cel_mdp_transition(b, 1, 0.75, 0, false));
  assert_ok(cel_mdp_pair(b, 0, 1, -1.0));
  assert_ok(cel_mdp_transition(b, 3, 1.0, 0.5, false));
  assert_ok(cel_mdp_pair(b, 2, 0, 0.0)); // state 1 is skipped, so it is terminal
  assert_ok(cel_mdp_transition(b, 0, 1.0, 0, false));
  CelMdp *mdp = built(b);
  assert_string_equal(mdp->name, "small");
  assert_int_equal(mdp->states, 4);
  assert_int_equal(mdp->pairs, 3);
  assert_int_equal(mdp->transitions, 4);
  assert_int_equal(mdp->max_actions, 2);
  assert_true(mdp->discount == 0.9 && mdp->horizon == 0);
  const int64_t pair[] = {0, 2, 2, 3, 3}, row[] = {0, 2, 3, 4};
  assert_memory_equal(mdp->pair, pair, sizeof pair);
  assert_memory_equal(mdp->row, row, sizeof row);
  const uint32_t next[] = {1, 2, 3, 0};
  assert_memory_equal(mdp->next32, next, sizeof next);
  const double probability[] = {0.75, 0.25, 1, 1}, reward[] = {1, -0.5, 0};
  assert_memory_equal(mdp->probability, probability, sizeof probability);
  assert_memory_equal(mdp->reward, reward, sizeof reward);
  assert_null(mdp->reward_next);
  assert_null(mdp->ends);
  assert_null(mdp->action);
  assert_null(mdp->next64);
  assert_null(mdp->grid);
  const double start[] = {0.5, 0, 0.5, 0}; // uniform over the states that are not terminal
  assert_memory_equal(mdp->start, start, sizeof start);
  assert_int_equal(cel_mdp_action(mdp, 0, 1), 1);
  assert_int_equal(cel_mdp_next(mdp, 1), 2);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(NULL);
  cel_mdp_builder_destroy(NULL);
}

static void repeated_next_states_are_merged(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(3, 0, 0);
  assert_ok(cel_mdp_pair(b, 1, 0, 10));
  assert_ok(cel_mdp_transition(b, 2, 0.25, 4, false));
  assert_ok(cel_mdp_transition(b, 0, 0.25, 1, true));
  assert_ok(cel_mdp_transition(b, 1, 0.0, 1e300, true)); // dropped
  assert_ok(cel_mdp_transition(b, 2, 0.125, 1, false));
  // not merged with the one that ends the episode
  assert_ok(cel_mdp_transition(b, 0, 0.375, 2, false));
  CelMdp *mdp = built(b);
  assert_int_equal(mdp->transitions, 3);
  const uint32_t next[] = {0, 0, 2};
  const uint8_t ends[] = {0, 1, 0};
  const double probability[] = {0.375, 0.25, 0.375}, reward_next[] = {12, 11, 13};
  assert_memory_equal(mdp->next32, next, sizeof next);
  assert_memory_equal(mdp->ends, ends, sizeof ends);
  assert_memory_equal(mdp->probability, probability, sizeof probability);
  assert_memory_equal(mdp->reward_next, reward_next, sizeof reward_next);
  assert_true(mdp->reward[0] == 10 + 0.375 * 2 + 0.25 * 1 + 0.375 * 3);
  cel_mdp_destroy(mdp);
}

static void optional_arrays_can_start_late(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(3, 0.5, 7);
  for (int64_t s = 0; s < 2; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, 2));
    assert_ok(cel_mdp_transition(b, 0, 0.5, (double)s, false)); // a single reward, r(s,a)
    assert_ok(cel_mdp_transition(b, 1, 0.5, (double)s, false));
  }
  assert_ok(cel_mdp_pair(b, 2, 0, 0));
  assert_ok(cel_mdp_transition(b, 0, 0.5, -1, false));
  assert_ok(cel_mdp_transition(b, 2, 0.5, 1, true));
  assert_ok(cel_mdp_pair(b, 2, 5, 0)); // and so do action numbers
  assert_ok(cel_mdp_transition(b, 2, 1, 0, false));
  CelMdp *mdp = built(b);
  const double reward_next[] = {2, 2, 3, 3, -1, 1, 0}, reward[] = {2, 3, 0, 0};
  const uint8_t ends[] = {0, 0, 0, 0, 0, 1, 0};
  const int32_t action[] = {0, 0, 0, 5};
  assert_memory_equal(mdp->reward_next, reward_next, sizeof reward_next);
  assert_memory_equal(mdp->reward, reward, sizeof reward);
  assert_memory_equal(mdp->ends, ends, sizeof ends);
  assert_memory_equal(mdp->action, action, sizeof action);
  assert_int_equal(cel_mdp_action(mdp, 2, 3), 5);
  assert_int_equal(mdp->max_actions, 2);
  assert_int_equal(mdp->horizon, 7);
  cel_mdp_destroy(mdp);
}

static void rows_are_normalized(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(10, 0.9, 0);
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  for (int i = 0; i < 10; i++) assert_ok(cel_mdp_transition(b, i, 0.1 + 5e-11, 0, false));
  assert_ok(cel_mdp_pair(b, 0, 1, 0));
  for (int i = 0; i < 10; i++) assert_ok(cel_mdp_transition(b, 3, 0.1, 0, false));
  static const double parts[] = {0.2, 0.4, 0.3, 0.1}; // in this order they sum to more than 1
  assert_ok(cel_mdp_pair(b, 0, 2, 0));
  for (int i = 0; i < 4; i++) assert_ok(cel_mdp_transition(b, 3, parts[i], 0, false));
  assert_ok(cel_mdp_start(b, 1, 0.5 - 4e-10));
  assert_ok(cel_mdp_start(b, 0, 0.25)); // replaced below, not added
  assert_ok(cel_mdp_start(b, 0, 0.5 - 4e-10));
  CelMdp *mdp = built(b);
  for (int i = 0; i < 10; i++) assert_true(fabs(mdp->probability[i] - 0.1) < 1e-16);
  assert_int_equal(mdp->transitions, 12);
  assert_true(mdp->probability[10] == 1 && mdp->probability[11] == 1);
  assert_true(mdp->start[0] == 0.5 && mdp->start[1] == 0.5);
  cel_mdp_destroy(mdp);
}

// ---- comparison with tables summed cell by cell

enum { TABLE_STATES = 12, TABLE_ACTIONS = 3 };
typedef struct Table {
  double probability[TABLE_STATES][TABLE_ACTIONS][TABLE_STATES][2];
  double weighted[TABLE_STATES][TABLE_ACTIONS][TABLE_STATES][2]; // sums weighted by probability
} Table;

static CelMdp *fill_table(Table *table, uint64_t seed) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  memset(table, 0, sizeof *table);
  CelMdpBuilder *b = builder_of(TABLE_STATES, 0.9, 0);
  if (seed % 2) assert_ok(cel_mdp_builder_reserve(b, 5, 500));
  for (int s = 0; s < TABLE_STATES; s++) {
    for (int a = 0; a < TABLE_ACTIONS; a++) {
      double weight[200], sum = 0.0, base = cel_rng_range(&rng, -1, 1);
      const int n = 1 + (int)cel_rng_below(&rng, seed % 3 ? 10 : 200);
      for (int i = 0; i < n; i++) sum += weight[i] = cel_rng_uniform(&rng) + 1e-3;
      assert_ok(cel_mdp_pair(b, s, a, base));
      for (int i = 0; i < n; i++) {
        const int next = (int)cel_rng_below(&rng, TABLE_STATES), ends = cel_rng_uniform(&rng) < 0.3;
        const double reward = cel_rng_range(&rng, -2, 2), p = weight[i] / sum;
        assert_ok(cel_mdp_transition(b, next, p, reward, ends));
        table->probability[s][a][next][ends] += p;
        table->weighted[s][a][next][ends] += p * (base + reward);
      }
    }
  }
  return built(b);
}

static void random_problems_match_their_tables(void **state) {
  (void)state;
  static Table table;
  for (uint64_t seed = 0; seed < 60; seed++) {
    CelMdp *mdp = fill_table(&table, seed);
    int64_t cells = 0;
    for (int64_t s = 0; s < TABLE_STATES; s++) {
      for (int64_t a = 0; a < TABLE_ACTIONS; a++) {
        const int64_t p = mdp->pair[s] + a;
        double expected = 0.0;
        for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
          const int64_t next = cel_mdp_next(mdp, t);
          double *probability = &table.probability[s][a][next][mdp->ends[t]];
          const double weighted = table.weighted[s][a][next][mdp->ends[t]];
          if (t > mdp->row[p]) assert_true(cel_mdp_next(mdp, t - 1) <= next);
          assert_true(fabs(mdp->probability[t] - *probability) < 1e-14);
          assert_true(fabs(mdp->probability[t] * mdp->reward_next[t] - weighted) < 1e-14);
          expected += weighted;
          *probability = 0.0; // marks it as found
        }
        assert_true(fabs(mdp->reward[p] - expected) < 1e-13);
        for (int64_t next = 0; next < TABLE_STATES; next++) {
          cells += table.probability[s][a][next][0] > 0 || table.probability[s][a][next][1] > 0;
        }
      }
    }
    if (cells != 0) fail_msg("seed %d: %d cells are missing", (int)seed, (int)cells);
    cel_mdp_destroy(mdp);
  }
}

// ---- misuse

static void bad_sizes_are_refused(void **state) {
  (void)state;
  CelMdpBuilder *b = NULL;
  const double nan = (double)NAN, inf = (double)INFINITY;
  assert_fails(cel_mdp_builder_create(&b, 0, 0.9, 0), CEL_E_RANGE, "0 states");
  assert_fails(cel_mdp_builder_create(&b, -5, 0.9, 0), CEL_E_RANGE, "-5 states");
  assert_fails(cel_mdp_builder_create(&b, INT64_MAX, 0.9, 0), CEL_E_RANGE, "too many");
  assert_fails(cel_mdp_builder_create(&b, INT64_MAX / 16, 0.9, 0), CEL_E_MEMORY, "states");
  assert_fails(cel_mdp_builder_create(&b, 1000000000000, 0.9, 0), CEL_E_MEMORY, "TiB");
  assert_fails(cel_mdp_builder_create(&b, 3, 1.5, 10), CEL_E_RANGE, "discount 1.5");
  assert_fails(cel_mdp_builder_create(&b, 3, -0.1, 0), CEL_E_RANGE, "discount -0.1");
  assert_fails(cel_mdp_builder_create(&b, 3, nan, 0), CEL_E_RANGE, "discount nan");
  assert_fails(cel_mdp_builder_create(&b, 3, inf, 5), CEL_E_RANGE, "discount inf");
  assert_fails(cel_mdp_builder_create(&b, 3, 0.9, -1), CEL_E_RANGE, "horizon -1");
  assert_null(b);
  assert_ok(cel_mdp_builder_create(&b, 3, 1.0, 1)); // valid with a horizon
  assert_fails(cel_mdp_builder_reserve(b, INT64_MAX, 1), CEL_E_MEMORY, "too many");
  assert_fails(cel_mdp_builder_reserve(b, 1, INT64_MAX), CEL_E_MEMORY, "too many");
  assert_fails(cel_mdp_builder_reserve(b, -1, 0), CEL_E_MEMORY, "-1 pairs");
  assert_fails(cel_mdp_builder_reserve(b, 1, INT64_MAX / 64), CEL_E_MEMORY, "transitions");
  cel_mdp_builder_destroy(b);
}

static void pairs_are_refused(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(5, 0.9, 0);
  assert_fails(cel_mdp_transition(b, 0, 1, 0, false), CEL_E_STATE, "cel_mdp_pair");
  assert_fails(cel_mdp_pair(b, 5, 0, 0), CEL_E_RANGE,
               "state 5, action 0: the state is out of range; states are 0 to 4");
  assert_fails(cel_mdp_pair(b, -1, 0, 0), CEL_E_RANGE, "state -1");
  assert_fails(cel_mdp_pair(b, 0, -1, 0), CEL_E_RANGE, "state 0, action -1");
  assert_fails(cel_mdp_pair(b, 0, INT32_MAX, 0), CEL_E_RANGE, "action 2147483647");
  assert_fails(cel_mdp_pair(b, 0, 1, (double)NAN), CEL_E_NAN, "state 0, action 1");
  assert_fails(cel_mdp_pair(b, 0, 1, (double)INFINITY), CEL_E_NAN, "inf");
  assert_ok(cel_mdp_pair(b, 2, 1, 0));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  assert_fails(cel_mdp_pair(b, 2, 1, 0), CEL_E_RANGE, "state 2, action 1 comes after state 2");
  assert_fails(cel_mdp_pair(b, 2, 0, 0), CEL_E_RANGE, "state 2, action 0 comes after");
  assert_fails(cel_mdp_pair(b, 1, 7, 0), CEL_E_RANGE, "state 1, action 7 comes after state 2");
  cel_mdp_builder_destroy(b);
}

static void transitions_are_refused(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(5, 0.9, 0);
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_pair(b, 3, 2, 0));
  assert_fails(cel_mdp_transition(b, 5, 1, 0, false), CEL_E_RANGE,
               "state 3, action 2: next state 5");
  assert_fails(cel_mdp_transition(b, -1, 1, 0, false), CEL_E_RANGE, "next state -1");
  assert_fails(cel_mdp_transition(b, INT64_MAX, 1, 0, false), CEL_E_RANGE, "state 3, action 2");
  assert_fails(cel_mdp_transition(b, 0, -0.1, 0, false), CEL_E_RANGE,
               "state 3, action 2: the probability -0.1");
  assert_fails(cel_mdp_transition(b, 0, 1.1, 0, false), CEL_E_RANGE, "probability 1.1");
  assert_fails(cel_mdp_transition(b, 0, (double)NAN, 0, false), CEL_E_NAN, "state 3, action 2");
  assert_fails(cel_mdp_transition(b, 0, 1, (double)NAN, false), CEL_E_NAN,
               "state 3, action 2: the reward nan");
  assert_fails(cel_mdp_transition(b, 0, 1, -(double)INFINITY, false), CEL_E_NAN, "reward -inf");
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "state 3, action 2 has no transition");
  assert_ok(cel_mdp_transition(b, 0, 0.5, 0, false));
  assert_ok(cel_mdp_transition(b, 1, 0.4, 0, false));
  assert_fails(cel_mdp_pair(b, 4, 0, 0), CEL_E_RANGE, "state 3, action 2: the probabilities");
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "sum to 0.9");
  assert_ok(cel_mdp_transition(b, 1, 0.1 + 2e-5, 0, false));
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "sum to 1.00002");
  cel_mdp_builder_destroy(b);

  b = builder_of(2, 0.9, 0);
  assert_ok(cel_mdp_pair(b, 1, 0, 1e308));
  assert_ok(cel_mdp_transition(b, 0, 1, 1e308, false));
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "state 1, action 0: the sum of rewards 1e+308");
  assert_null(mdp);
  cel_mdp_builder_destroy(b);
}

static void extreme_rewards_stay_finite(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(2, 0.9, 0);
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 1, 0.5, 1.5e308, false));
  assert_ok(cel_mdp_transition(b, 1, 0.5, -1.5e308, false));
  CelMdp *mdp = built(b);
  assert_true(mdp->reward[0] == 0);
  cel_mdp_destroy(mdp);
}

static void starts_are_refused(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(3, 0.9, 0);
  CelMdp *mdp = NULL;
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "none of the 3 states has an action");
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  assert_fails(cel_mdp_start(b, 3, 1), CEL_E_RANGE, "initial state 3");
  assert_fails(cel_mdp_start(b, -1, 1), CEL_E_RANGE, "initial state -1");
  assert_fails(cel_mdp_start(b, 1, -0.5), CEL_E_RANGE, "initial state 1");
  assert_fails(cel_mdp_start(b, 1, 1.5), CEL_E_RANGE, "1.5");
  assert_fails(cel_mdp_start(b, 1, (double)NAN), CEL_E_NAN, "initial state 1");
  assert_ok(cel_mdp_start(b, 1, 0.5));
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_RANGE, "initial distribution sums to 0.5");
  assert_ok(cel_mdp_start(b, 2, 0.5));
  assert_ok(cel_mdp_build(b, &mdp));
  assert_fails(cel_mdp_build(b, &mdp), CEL_E_STATE, "create another builder");
  assert_fails(cel_mdp_pair(b, 0, 0, 0), CEL_E_STATE, "create another builder");
  assert_fails(cel_mdp_start(b, 0, 1), CEL_E_STATE, "create another builder");
  cel_mdp_builder_destroy(b);
  assert_true(mdp->start[0] == 0 && mdp->start[2] == 0.5);
  cel_mdp_destroy(mdp);
}

static void grids_and_names(void **state) {
  (void)state;
  CelMdp *mdp = random_mdp(3, 9, WITH_GRID);
  assert_int_equal(mdp->grid->rows, 2);
  assert_int_equal(mdp->grid->state[0], 0);
  assert_int_equal(mdp->grid->state[2], 8);
  assert_int_equal(mdp->grid->direction[0], -1);
  cel_mdp_destroy(mdp);
  CelMdpBuilder *b = builder_of(3, 0.9, 0);
  int64_t cell[] = {0, 3};
  const int8_t direction[] = {0, 1};
  assert_fails(cel_mdp_set_grid(b, &(CelMdpGrid){1, 2, cell, direction, 1}), CEL_E_RANGE,
               "(0, 1) has state 3");
  cell[1] = -2;
  assert_fails(cel_mdp_set_grid(b, &(CelMdpGrid){1, 2, cell, direction, 1}), CEL_E_RANGE,
               "state -2");
  assert_fails(cel_mdp_set_grid(b, &(CelMdpGrid){1, 0, cell, direction, 1}), CEL_E_RANGE,
               "0 columns");
  assert_fails(cel_mdp_set_grid(b, &(CelMdpGrid){INT64_MAX, 3, cell, direction, 1}), CEL_E_RANGE,
               "3 columns");
  assert_fails(cel_mdp_set_grid(b, &(CelMdpGrid){1, 1, cell, NULL, 1}), CEL_E_RANGE, "directions");
  assert_fails(cel_mdp_set_name(
                   b, "a name that is longer than 63 bytes is refused, for it would be cut off"),
               CEL_E_RANGE, "63");
  assert_fails(cel_mdp_set_name(b, "two\nlines"), CEL_E_RANGE, "printable");
  cel_mdp_builder_destroy(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_mdp_is_built_as_given),
      cmocka_unit_test(repeated_next_states_are_merged),
      cmocka_unit_test(optional_arrays_can_start_late),
      cmocka_unit_test(rows_are_normalized),
      cmocka_unit_test(random_problems_match_their_tables),
      cmocka_unit_test(bad_sizes_are_refused),
      cmocka_unit_test(pairs_are_refused),
      cmocka_unit_test(transitions_are_refused),
      cmocka_unit_test(extreme_rewards_stay_finite),
      cmocka_unit_test(starts_are_refused),
      cmocka_unit_test(grids_and_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
