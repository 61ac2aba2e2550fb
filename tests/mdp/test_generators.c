/// Generators: what all of them guarantee, statistics of random MDPs, and every kind of bad
/// argument.
#include "base/field.h"
#include "generate_kit.h"
#include "model_cases.h"
#include <math.h>

// ---- all generators

static void tables_are_well_formed(void **state) {
  (void)state;
  int n = 0;
  for (const CelMdpGenerator *g; (g = cel_mdp_generator_at(n)) != NULL; n++) {
    if (cel_fields_check_table(g->fields) != CEL_OK) fail_msg("%s: %s", g->name, cel_error());
    assert_true(celi_fields_extent(g->fields) <= g->config_size);
    assert_non_null(cel_fields_find(g->fields, "gamma"));
    assert_non_null(cel_fields_find(g->fields, "horizon"));
    assert_true(g->doc[0] && g->max_episode_steps >= 0);
    for (int i = 0; i < n; i++) assert_string_not_equal(cel_mdp_generator_at(i)->name, g->name);
  }
  assert_int_equal(n, 20);
  assert_null(cel_mdp_generator_at(-1));
}

static double row_sum(const CelMdp *mdp, int64_t p) {
  double sum = 0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) sum += mdp->probability[t];
  return sum;
}

static void defaults_give_a_valid_mdp(void **state) {
  (void)state;
  const CelMdpGenerator *g;
  for (int i = 0; (g = cel_mdp_generator_at(i)) != NULL; i++) {
    CelMdp *mdp = NULL, *told = generate(g->name, "");
    assert_ok(cel_mdp_generate(&mdp, g->name, NULL));
    expect_same_mdp(mdp, told);
    assert_string_equal(mdp->name, g->name);
    assert_true(mdp->discount > 0.5 && mdp->discount < 1 && mdp->horizon == 0);
    for (int64_t p = 0; p < mdp->pairs; p++) assert_true(fabs(row_sum(mdp, p) - 1) < 1e-15 * 4);
    double start = 0;
    for (int64_t s = 0; s < mdp->states; s++) start += mdp->start[s];
    assert_true(fabs(start - 1) < 1e-13);
    cel_mdp_destroy(told);
    cel_mdp_destroy(mdp);
  }
}

static void gamma_and_horizon_reach_the_mdp(void **state) {
  (void)state;
  const CelMdpGenerator *g;
  for (int i = 0; (g = cel_mdp_generator_at(i)) != NULL; i++) {
    CelMdp *mdp = generate(g->name, "gamma=1 horizon=7");
    assert_true(mdp->discount == 1 && mdp->horizon == 7);
    cel_mdp_destroy(mdp);
    mdp = generate(g->name, "gamma=1"); // total.h solves it
    assert_true(mdp->discount == 1 && mdp->horizon == 0);
    cel_mdp_destroy(mdp);
  }
}

static void names_ignore_dashes_and_suggest(void **state) {
  (void)state;
  const CelMdpGenerator *g = NULL;
  assert_ok(cel_mdp_generator_find("frozenlake_8x8", &g));
  assert_string_equal(g->name, "frozenlake-8x8");
  assert_fails(cel_mdp_generator_find("frozenlak", &g), CEL_E_NAME, "did you mean 'frozenlake'?");
  assert_fails(cel_mdp_generator_find("zzzzzzzz", &g), CEL_E_NAME, "celsius list mdps");
  assert_fails(cel_mdp_generator_find("", &g), CEL_E_ARGUMENT, "name of the generator is empty");
}

// ---- seeds

static bool same_transitions(const CelMdp *a, const CelMdp *b) {
  return a->transitions == b->transitions &&
         memcmp(a->probability, b->probability, (size_t)a->transitions * 8) == 0 &&
         memcmp(a->next32, b->next32, (size_t)a->transitions * 4) == 0;
}

static bool same_rewards(const CelMdp *a, const CelMdp *b) {
  return a->pairs == b->pairs && memcmp(a->reward, b->reward, (size_t)a->pairs * 8) == 0;
}

static void seeds_give_different_mdps(void **state) {
  (void)state;
  static const struct {
    const char *name, *arguments;
  } cases[] = {{"garnet", "terminal=0.1"},
               {"garnet", "reward=normal reward_of=transition"},
               {"grid", "obstacles=0.2"},
               {"grid", "rewards=random"},
               {"frozenlake", "size=20"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char other[128];
    snprintf(other, sizeof other, "%s seed=1", cases[i].arguments);
    CelMdp *a = generate(cases[i].name, cases[i].arguments);
    CelMdp *b = generate(cases[i].name, cases[i].arguments);
    CelMdp *c = generate(cases[i].name, other);
    expect_same_mdp(a, b);
    if (same_transitions(a, c) && same_rewards(a, c)) {
      fail_msg("%s %s: seeds 0 and 1 give the same MDP", cases[i].name, cases[i].arguments);
    }
    cel_mdp_destroy(a);
    cel_mdp_destroy(b);
    cel_mdp_destroy(c);
  }
}

/// Recorded once, so that the MDP of a seed never changes between versions.
static void seeds_keep_their_mdps(void **state) {
  (void)state;
  CelMdp *garnet = generate("garnet", "states=50 seed=42");
  const uint32_t next[3] = {23, 24, 36};
  assert_memory_equal(garnet->next32, next, sizeof next);
  CelMdp *lake = generate("frozenlake", "size=5 seed=42");
  char map[26] = {0};
  for (int s = 0; s < 25; s++) { // a tile where every action ends the episode is a hole or the goal
    const int64_t t = lake->row[lake->pair[s]];
    map[s] = cel_mdp_next(lake, t) == s && lake->ends[t] ? 'H' : 'F';
  }
  assert_string_equal(map, "FFFFFFFFFFHFFFFFFHFFFFFFH");
  cel_mdp_destroy(lake);
  cel_mdp_destroy(garnet);
}

// ---- Garnet

static int64_t terminals(const CelMdp *mdp) {
  int64_t n = 0;
  for (int64_t s = 0; s < mdp->states; s++) n += mdp->pair[s] == mdp->pair[s + 1];
  return n;
}

static void garnet_has_the_requested_shape(void **state) {
  (void)state;
  static const struct {
    const char *arguments;
    int64_t states, actions, branching, terminals;
  } cases[] = {{"states=3 actions=2 branching=1", 3, 2, 1, 0},
               {"states=1 actions=5 branching=1", 1, 5, 1, 0},
               {"states=200 actions=10 branching=200", 200, 10, 200, 0},
               {"states=40 actions=3 branching=7 terminal=0.25", 40, 3, 7, 10},
               {"states=40 actions=3 branching=7 terminal=1", 40, 3, 7, 39},
               {"states=1000 actions=4 branching=5 terminal=0.1 seed=9", 1000, 4, 5, 100}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = generate("garnet", cases[i].arguments);
    assert_int_equal(mdp->states, cases[i].states);
    assert_int_equal(mdp->max_actions, cases[i].actions);
    assert_int_equal(terminals(mdp), cases[i].terminals);
    assert_int_equal(mdp->pairs, (cases[i].states - cases[i].terminals) * cases[i].actions);
    for (int64_t p = 0; p < mdp->pairs; p++) // equal ones would have been merged
      assert_int_equal(mdp->row[p + 1] - mdp->row[p], cases[i].branching);
    assert_true(mdp->start[0] > 0);
    cel_mdp_destroy(mdp);
  }
}

/// One of states 1 to 4 is terminal, with equal probability, in 2,000 MDPs.
static void garnet_draws_terminals_uniformly(void **state) {
  (void)state;
  enum { N = 2000 };
  int at[5] = {0};
  for (int seed = 0; seed < N; seed++) {
    char arguments[64];
    snprintf(arguments, sizeof arguments, "states=5 actions=1 branching=1 terminal=0.2 seed=%d",
             seed);
    CelMdp *mdp = generate("garnet", arguments);
    for (int s = 0; s < 5; s++) at[s] += mdp->pair[s] == mdp->pair[s + 1];
    cel_mdp_destroy(mdp);
  }
  assert_int_equal(at[0], 0);
  for (int s = 1; s < 5; s++) assert_true(fabs(at[s] - N / 4.0) < 4 * sqrt(N * 3 / 16.0));
}

/// Next states and probabilities have the right distribution, over 80,000 draws.
static void garnet_draws_uniformly(void **state) {
  (void)state;
  enum { S = 8, B = 4 };
  CelMdp *mdp = generate("garnet", "states=8 actions=2500 branching=4 seed=3");
  double hits[S] = {0}, mass[S] = {0}, square = 0;
  for (int64_t t = 0; t < mdp->transitions; t++) {
    hits[mdp->next32[t]]++;
    mass[mdp->next32[t]] += mdp->probability[t];
    square += mdp->probability[t] * mdp->probability[t];
  }
  const double rows = (double)mdp->pairs;
  for (int s = 0; s < S; s++) {
    // Each state is among the 4 of 8 in half of the rows, within 4 standard errors of a coin.
    assert_true(fabs(hits[s] / rows - 0.5) < 4 * 0.5 / sqrt(rows));
    // Each has an eighth of the mass. The variance of one row's mass is below E[p^2]/2 = .05.
    assert_true(fabs(mass[s] / rows - 0.125) < 4 * sqrt(0.05 / rows));
  }
  // Pieces of [0, 1] cut at 3 positions have E[p^2] = 2/(4 * 5).
  assert_true(fabs(square / (double)mdp->transitions - 0.1) < 0.002);
  cel_mdp_destroy(mdp);
}

static void garnet_rewards_belong_to_the_right_key(void **state) {
  (void)state;
  CelMdp *pair = generate("garnet", "reward_scale=100 terminal=0.2");
  CelMdp *of_state = generate("garnet", "reward_of=state reward=normal terminal=0.2");
  CelMdp *transition = generate("garnet", "reward_of=transition terminal=0.2");
  assert_true(same_transitions(pair, of_state) && same_transitions(pair, transition));
  assert_null(pair->reward_next);
  assert_null(of_state->reward_next);
  assert_non_null(transition->reward_next);
  double largest = 0, lowest = 100, below_zero = 0;
  for (int64_t p = 0; p < pair->pairs; p++) {
    largest = fmax(largest, pair->reward[p]);
    lowest = fmin(lowest, pair->reward[p]);
    below_zero += of_state->reward[p] < 0;
  }
  assert_true(lowest >= 0 && lowest < 5 && largest > 95 && largest < 100);
  assert_true(below_zero > 0.3 * (double)pair->pairs && below_zero < 0.7 * (double)pair->pairs);
  for (int64_t s = 0; s < of_state->states; s++) {
    for (int64_t p = of_state->pair[s]; p < of_state->pair[s + 1]; p++)
      assert_true(of_state->reward[p] == of_state->reward[of_state->pair[s]]);
  }
  cel_mdp_destroy(pair);
  cel_mdp_destroy(of_state);
  cel_mdp_destroy(transition);
}

// ---- grid worlds

/// The state at (row, column), or `here` outside the grid and at a wall.
static int64_t state_at(const CelMdpGrid *grid, int64_t row, int64_t column, int64_t here) {
  if (row < 0 || row >= grid->rows || column < 0 || column >= grid->columns) return here;
  const int64_t s = grid->state[row * grid->columns + column];
  return s < 0 ? here : s;
}

static double probability_of(const CelMdp *mdp, int64_t p, int64_t next) {
  double sum = 0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    sum += cel_mdp_next(mdp, t) == next ? mdp->probability[t] : 0;
  return sum;
}

/// Checks every row of a cell's state against the geometry in mdp->grid.
static void check_cell(const CelMdp *mdp, int64_t row, int64_t column, double slip) {
  const CelMdpGrid *grid = mdp->grid;
  const int64_t s = grid->state[row * grid->columns + column];
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    const int8_t *d = &grid->direction[2 * (p - mdp->pair[s])];
    const int64_t to[3] = {state_at(grid, row + d[0], column + d[1], s),
                           state_at(grid, row + d[1], column - d[0], s),
                           state_at(grid, row - d[1], column + d[0], s)};
    for (int i = 0; i < 3; i++) {
      const double expected =
          (1 - slip) * (to[0] == to[i]) + slip / 2 * ((to[1] == to[i]) + (to[2] == to[i]));
      assert_true(fabs(probability_of(mdp, p, to[i]) - expected) < 1e-15);
    }
  }
}

/// True if every state can reach state `to`. Walks backwards until nothing changes.
static bool all_reach(const CelMdp *mdp, int64_t to) {
  uint8_t *reaches = calloc((size_t)mdp->states, 1);
  bool changed = true, all = true;
  reaches[to] = 1;
  while (changed) {
    changed = false;
    for (int64_t s = mdp->states - 1; s >= 0; s--) {
      for (int64_t t = mdp->row[mdp->pair[s]]; !reaches[s] && t < mdp->row[mdp->pair[s + 1]]; t++)
        changed |= reaches[s] = reaches[cel_mdp_next(mdp, t)];
    }
  }
  for (int64_t s = 0; s < mdp->states; s++) all &= reaches[s];
  free(reaches);
  return all;
}

static void grids_match_their_geometry(void **state) {
  (void)state;
  static const struct {
    const char *arguments;
    int64_t columns, rows;
    double slip, open; ///< open: smallest number of states, as a fraction of the cells
  } cases[] = {
      {"", 20, 20, 0.2, 1},
      {"width=1 height=2 slip=0", 1, 2, 0, 1},
      {"width=7 height=1 slip=1", 7, 1, 1, 1},
      {"width=31 height=12 slip=0.5 obstacles=0.3", 31, 12, 0.5, 0.5},
      {"width=12 height=40 slip=0 obstacles=0.4 seed=5 start=uniform", 12, 40, 0, 0.05},
      {"width=25 height=25 rewards=random obstacles=0.1 step_reward=-3", 25, 25, 0.2, 0.8}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp = generate("grid", cases[i].arguments);
    const int64_t cells = cases[i].rows * cases[i].columns;
    assert_non_null(mdp->grid);
    assert_int_equal(mdp->grid->rows, cases[i].rows);
    assert_int_equal(mdp->grid->columns, cases[i].columns);
    int64_t next = 0;
    for (int64_t cell = 0; cell < cells; cell++) {
      if (mdp->grid->state[cell] < 0) continue;
      assert_int_equal(mdp->grid->state[cell], next++); // row by row
      check_cell(mdp, cell / cases[i].columns, cell % cases[i].columns, cases[i].slip);
    }
    assert_int_equal(next, mdp->states);
    assert_true((double)next >= cases[i].open * (double)cells);
    assert_true(all_reach(mdp, mdp->states - 1));
    cel_mdp_destroy(mdp);
  }
}

static void goal_reward_is_paid_on_entry(void **state) {
  (void)state;
  CelMdp *mdp = generate("grid", "width=6 height=5 goal_reward=10 step_reward=-0.25");
  const int64_t goal = mdp->states - 1;
  assert_int_equal(goal, 29);
  assert_int_equal(terminals(mdp), 1);
  assert_true(mdp->pair[goal] == mdp->pair[goal + 1]);
  assert_true(mdp->start[0] == 1);
  assert_int_equal(mdp->pairs, 29 * 4);
  for (int64_t t = 0; t < mdp->transitions; t++)
    assert_true(mdp->reward_next[t] == (cel_mdp_next(mdp, t) == goal ? 9.75 : -0.25));
  cel_mdp_destroy(mdp);
}

static void random_rewards_are_in_range(void **state) {
  (void)state;
  CelMdp *mdp = generate("grid", "rewards=random goal_reward=5 step_reward=3 start=uniform");
  double low = 9, high = 0;
  assert_int_equal(terminals(mdp), 0);
  assert_null(mdp->reward_next);
  for (int64_t p = 0; p < mdp->pairs; p++) {
    low = fmin(low, mdp->reward[p]);
    high = fmax(high, mdp->reward[p]);
  }
  assert_true(low >= 3 && low < 3.05 && high > 4.95 && high < 5);
  for (int64_t s = 0; s < mdp->states; s++) assert_true(fabs(mdp->start[s] - 0.0025) < 1e-15);
  cel_mdp_destroy(mdp);
}

static void a_million_cells(void **state) {
  (void)state;
  CelMdp *mdp = generate("grid", "width=1250 height=800");
  assert_int_equal(mdp->states, 1000000);
  assert_int_equal(mdp->pairs, 3999996);
  for (int64_t cell = 0; cell < 1000000; cell += 9973)
    check_cell(mdp, cell / 1250, cell % 1250, 0.2);
  cel_mdp_destroy(mdp);
}

// ---- lakes and cliffs

static void random_lakes_have_a_path_to_the_goal(void **state) {
  (void)state;
  for (int seed = 0; seed < 20; seed++) {
    char arguments[64];
    snprintf(arguments, sizeof arguments, "size=12 frozen=0.65 slippery=false seed=%d", seed);
    CelMdp *mdp = generate("frozenlake", arguments);
    uint8_t reached[144] = {1};
    for (int round = 0; round < 144; round++) {
      for (int64_t s = 0; s < 144; s++) {
        for (int64_t t = mdp->row[mdp->pair[s]]; reached[s] && t < mdp->row[mdp->pair[s + 1]]; t++)
          reached[cel_mdp_next(mdp, t)] = 1;
      }
    }
    assert_true(reached[143]);
    assert_int_equal(mdp->start[0] * 2, 2);
    cel_mdp_destroy(mdp);
  }
}

/// The directions in mdp->grid must be where a step that does not slip goes.
static void toy_text_grids_have_directions(void **state) {
  (void)state;
  static const char *const names[] = {"frozenlake-4x4", "frozenlake-8x8", "frozenlake",
                                      "cliffwalking"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    CelMdp *mdp = generate(names[i], "slippery=false");
    const CelMdpGrid *grid = mdp->grid;
    int moves = 0;
    for (int64_t s = 0; s < mdp->states; s++) {
      const int64_t row = s / grid->columns, column = s % grid->columns;
      assert_int_equal(grid->state[s], s);
      for (int a = 0; a < 4; a++) {
        const int64_t next = cel_mdp_next(mdp, mdp->row[mdp->pair[s] + a]);
        // at the edge, in a hole, or back at the cliff's start
        if (next == s || next == 36) continue;
        assert_int_equal(next, (row + grid->direction[2 * a]) * grid->columns + column +
                                   grid->direction[2 * a + 1]);
        moves++;
      }
    }
    assert_true(moves > mdp->states);
    cel_mdp_destroy(mdp);
  }
}

// ---- machines

static void deterministic_wear(void **state) {
  (void)state;
  CelMdp *never = generate("replacement", "states=6 shocks=2 wear=0");
  CelMdp *always = generate("replacement", "states=6 shocks=2 wear=1");
  for (int64_t s = 0; s < 6; s++) { // pair 2s keeps, 2s + 1 replaces
    assert_int_equal(never->transitions, 12);
    assert_int_equal(always->transitions, 12);
    assert_int_equal(cel_mdp_next(never, 2 * s), s);
    assert_int_equal(cel_mdp_next(never, 2 * s + 1), 0);
    assert_int_equal(cel_mdp_next(always, 2 * s), s + 2 < 5 ? s + 2 : 5);
    assert_int_equal(cel_mdp_next(always, 2 * s + 1), 2);
  }
  cel_mdp_destroy(never);
  cel_mdp_destroy(always);
}

// ---- bad arguments

static void bad_arguments_are_named(void **state) {
  (void)state;
  static const struct {
    const char *name, *arguments, *part;
  } cases[] = {
      {"garnet", "states=5 branching=6", "garnet: branching: 6 is out of range; it must be 1 to 5"},
      {"grid", "width=1 height=1", "grid: width and height: a grid of 1 x 1"},
      {"grid", "width=3 height=2 obstacles=0.99", "grid: obstacles: with 0.99 no two open cells"},
      {"frozenlake", "size=30 frozen=0.2", "frozenlake: frozen: with 0.2"},
      {"frozenlake", "map=SFF/FG", "map: row 2 has 2 tiles, but the first row has 3"},
      {"frozenlake", "map=SFF/", "map: row 2 has 0 tiles"},
      {"frozenlake", "map=SFF/FXG", "map: row 2, column 2: a tile must be S, F, H or G"},
      {"frozenlake", "map=FFF/FFG", "must be S"},
      {"inventory", "demand=binomial demand_mean=11",
       "demand_mean: 11 is out of range; it must be at most"},
      {"consensus", "processes=8 rounds=100", "consensus: 8 processes with 1617 values"},
      {"herman", "processes=4", "herman: processes is 4; it must be odd"},
      {"herman", "processes=7 start=three", "herman: processes is 7; three tokens need a multiple"},
      {"leader-sync", "processes=9 numbers=9", "leader-sync: 9 processes with 9 numbers have"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelMdp *mdp;
    assert_fails(try_generate(&mdp, cases[i].name, cases[i].arguments), CEL_E_RANGE, cases[i].part);
    assert_null(mdp);
  }
}

/// Values outside a field's range are refused, as text and in a config struct.
static void ranges_are_named(void **state) {
  (void)state;
  static const struct {
    const char *name, *field, *text, *part;
  } cases[] = {
      {"garnet", "states", "0", "states: 0 is out of range; it must be 1 to"},
      {"garnet", "branching", "0", "branching: 0 is out of range"},
      {"garnet", "terminal", "1.5", "terminal: 1.5 is out of range; it must be 0 to 1"},
      {"grid", "slip", "-0.1", "slip: -0.1 is out of range; it must be 0 to 1"},
      {"grid", "width", "0", "width: 0 is out of range"},
      {"grid", "obstacles", "1", "obstacles: 1 is out of range; it must be 0 to 0.99"},
      {"grid", "rewards", "some", "is not one of goal|random"},
      {"frozenlake", "size", "1", "size: 1 is out of range; it must be 2 to"},
      {"frozenlake-4x4", "success_rate", "2", "success_rate: 2 is out of range"},
      {"taxi", "rainy_probability", "-1", "rainy_probability: -1 is out of range"},
      {"cliffwalking", "gamma", "1.01", "gamma: 1.01 is out of range; it must be 0 to 1"},
      {"replacement", "states", "1", "states: 1 is out of range; it must be 2 to"},
      {"replacement", "wear", "1.1", "wear: 1.1 is out of range"},
      {"inventory", "capacity", "0", "capacity: 0 is out of range; it must be 1 to 10000"},
      {"inventory", "horizon", "-1", "horizon: -1 is out of range"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const CelMdpGenerator *g = NULL;
    assert_ok(cel_mdp_generator_find(cases[i].name, &g));
    void *config = generator_config(g, "");
    assert_fails(cel_fields_set(g->fields, config, cases[i].field, cases[i].text), CEL_E_RANGE,
                 cases[i].part);
    const CelField *field = cel_fields_find(g->fields, cases[i].field);
    void *value = (char *)config + field->offset;
    if (field->type == CEL_FIELD_INT) *(int64_t *)value = atoll(cases[i].text);
    if (field->type == CEL_FIELD_DOUBLE) *(double *)value = atof(cases[i].text);
    if (field->type == CEL_FIELD_ENUM) *(int32_t *)value = 99;
    CelMdp *mdp = NULL;
    assert_fails(cel_mdp_generate(&mdp, g->name, config), CEL_E_RANGE, cases[i].name);
    if (!strstr(cel_error(), cases[i].field)) fail_msg("no %s in %s", cases[i].field, cel_error());
    assert_null(mdp);
    free(config);
  }
}

/// Sizes beyond the machine's memory are refused before anything is filled.
static void sizes_beyond_memory_are_refused(void **state) {
  (void)state;
  CelMdp *mdp;
  assert_fails(try_generate(&mdp, "grid", "width=1e6 height=1e6"), CEL_E_MEMORY, "grid: ");
  assert_fails(try_generate(&mdp, "garnet", "states=1e9 actions=1e4 branching=1e4"), CEL_E_MEMORY,
               "garnet: ");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_are_well_formed),
      cmocka_unit_test(defaults_give_a_valid_mdp),
      cmocka_unit_test(gamma_and_horizon_reach_the_mdp),
      cmocka_unit_test(names_ignore_dashes_and_suggest),
      cmocka_unit_test(seeds_give_different_mdps),
      cmocka_unit_test(seeds_keep_their_mdps),
      cmocka_unit_test(garnet_has_the_requested_shape),
      cmocka_unit_test(garnet_draws_terminals_uniformly),
      cmocka_unit_test(garnet_draws_uniformly),
      cmocka_unit_test(garnet_rewards_belong_to_the_right_key),
      cmocka_unit_test(grids_match_their_geometry),
      cmocka_unit_test(goal_reward_is_paid_on_entry),
      cmocka_unit_test(random_rewards_are_in_range),
      cmocka_unit_test(a_million_cells),
      cmocka_unit_test(random_lakes_have_a_path_to_the_goal),
      cmocka_unit_test(toy_text_grids_have_directions),
      cmocka_unit_test(deterministic_wear),
      cmocka_unit_test(bad_arguments_are_named),
      cmocka_unit_test(ranges_are_named),
      cmocka_unit_test(sizes_beyond_memory_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
