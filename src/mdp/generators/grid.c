/// Grid world of any size: obstacles, slippery steps, a goal or random rewards.
///
///     state   the open cells, row by row
///     action  0: up, 1: right, 2: down, 3: left
///     next    the direction of the action with probability 1 - slip, either one at right angles
///             with slip/2; at the edge and at an obstacle the walker stays
///     reward  goal: step_reward per step, plus goal_reward on entering the goal
///             random: for each (s,a) a draw from [step_reward, goal_reward), without a goal
///     ends    at the goal, which is a terminal state
///
/// Every cell is an obstacle with probability `obstacles`. Only the largest connected region of
/// open cells is kept, and the rest become obstacles too. So every state can reach every other one.
/// The goal is the last cell of that region, row by row. The episode starts in its first cell or
/// anywhere. Without obstacles these are two opposite corners.
/// 10^7 states take a few seconds, and 8 bytes per cell (16 with obstacles) in addition to the MDP.
#include "mdp/generators/generators.h"
#include "mdp/model.h"
#include <stdlib.h>

typedef struct Grid {
  CeliMdpCommon common;
  int64_t width, height;
  double slip, obstacles;
  int32_t rewards;
  double goal_reward, step_reward;
  int32_t start;
  uint64_t seed;
} Grid;

enum { GOAL, RANDOM };
enum { CORNER, UNIFORM };

#define GAMMA "0.99"
#define AT(member) offsetof(Grid, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "width", .type = CEL_FIELD_INT, .offset = AT(width), .def = "20", .min = 1, .max = 1e6,
     .unit = "cells",
     .doc = "columns"},
    {.name = "height", .type = CEL_FIELD_INT, .offset = AT(height), .def = "20", .min = 1,
     .max = 1e6, .unit = "cells",
     .doc = "rows"},
    {.name = "slip", .type = CEL_FIELD_DOUBLE, .offset = AT(slip), .def = "0.2", .min = 0, .max = 1,
     .doc = "probability of slipping to the left or right of the intended direction"},
    {.name = "obstacles", .type = CEL_FIELD_DOUBLE, .offset = AT(obstacles), .def = "0", .min = 0,
     .max = 0.99,
     .doc = "probability that a cell is an obstacle"},
    {.name = "rewards", .type = CEL_FIELD_ENUM, .offset = AT(rewards), .def = "goal",
     .choices = "goal|random",
     .doc = "a goal in the far corner, or no goal and a random reward for every (s,a)"},
    {.name = "goal_reward", .type = CEL_FIELD_DOUBLE, .offset = AT(goal_reward), .def = "1",
     .min = -1e12, .max = 1e12,
     .doc = "reward of entering the goal; upper end of random rewards"},
    {.name = "step_reward", .type = CEL_FIELD_DOUBLE, .offset = AT(step_reward), .def = "0",
     .min = -1e12, .max = 1e12,
     .doc = "reward of every step; lower end of random rewards"},
    {.name = "start", .type = CEL_FIELD_ENUM, .offset = AT(start), .def = "corner",
     .choices = "corner|uniform",
     .doc = "where episodes start: in the first cell, or in any cell but the goal"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = AT(seed), .def = "0",
     .doc = "seed of obstacles and rewards"},
    {0},
};
// clang-format on
#undef AT

static const int8_t direction[4][2] = {{-1, 0}, {0, 1}, {1, 0}, {0, -1}};

/// The cells of a grid.
typedef struct Layout {
  const Grid *c;
  int64_t cells, states;
  int64_t *state; ///< (cells) state of the cell; -1: obstacle
} Layout;

// ---- obstacles

// Until cells are numbered, `state` is 0 in open cells, -1 in obstacles, and k in region k.

enum { OPEN = 0, OBSTACLE = -1 };

static void draw_obstacles(Layout *layout) {
  CelRng rng = cel_rng(layout->c->seed, CEL_RNG_MDP, CELI_MDP_RNG_LAYOUT);
  for (int64_t i = 0; i < layout->cells; i++) {
    layout->state[i] = cel_rng_uniform(&rng) < layout->c->obstacles ? OBSTACLE : OPEN;
  }
}

/// Assigns `region` to all open cells connected with `cell`. Returns their number.
static int64_t flood(Layout *layout, int64_t *stack, int64_t cell, int64_t region) {
  const int64_t rows = layout->c->height, columns = layout->c->width;
  int64_t depth = 0, n = 0;
  layout->state[cell] = region;
  stack[depth++] = cell;
  while (depth > 0) {
    const int64_t here = stack[--depth];
    n++;
    for (int d = 0; d < 4; d++) {
      const int64_t next = celi_mdp_step(rows, columns, here, direction[d][0], direction[d][1]);
      if (layout->state[next] != OPEN) continue;
      layout->state[next] = region;
      stack[depth++] = next;
    }
  }
  return n;
}

/// The number of the largest region. The first one wins a tie.
static int64_t find_regions(Layout *layout, int64_t *stack) {
  int64_t regions = 0, best = 0, most = 0;
  for (int64_t i = 0; i < layout->cells; i++) {
    if (layout->state[i] != OPEN) continue;
    const int64_t n = flood(layout, stack, i, ++regions);
    if (n > most) {
      most = n;
      best = regions;
    }
  }
  return best;
}

static CelStatus place_obstacles(Layout *layout) {
  int64_t *stack = NULL, states = 0;
  CELI_TRY(celi_alloc(&stack, (size_t)layout->cells, sizeof *stack, "cells of a grid world"));
  draw_obstacles(layout);
  const int64_t best = find_regions(layout, stack);
  free(stack);
  for (int64_t i = 0; i < layout->cells; i++) {
    layout->state[i] = best && layout->state[i] == best ? states++ : OBSTACLE;
  }
  layout->states = states;
  if (states >= 2) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "obstacles: with %g no two open cells are connected on %lld x %lld with seed "
                  "%llu; it may be 0 to 0.99, and below 0.4 most cells are connected",
                  layout->c->obstacles, (long long)layout->c->width, (long long)layout->c->height,
                  (unsigned long long)layout->c->seed);
}

static CelStatus lay_out(Layout *layout) {
  if (layout->c->obstacles > 0) return place_obstacles(layout);
  layout->states = layout->cells;
  for (int64_t i = 0; i < layout->cells; i++) layout->state[i] = i;
  return CEL_OK;
}

// ---- the table

/// to (4,): the cell that a step in each direction leads to.
static void neighbors(const Layout *layout, int64_t cell, int64_t to[4]) {
  const int64_t *state = layout->state;
  for (int d = 0; d < 4; d++) {
    const int64_t next =
        celi_mdp_step(layout->c->height, layout->c->width, cell, direction[d][0], direction[d][1]);
    to[d] = state[next] == OBSTACLE ? state[cell] : state[next];
  }
}

static CelStatus add_pair(CelMdpBuilder *builder, const Layout *layout, int64_t s,
                          const int64_t to[4], int a, double reward) {
  const Grid *c = layout->c;
  const int64_t goal = c->rewards == GOAL ? layout->states - 1 : -1;
  const int side[2] = {(a + 1) % 4, (a + 3) % 4};
  CELI_TRY(cel_mdp_pair(builder, s, a, reward));
  CELI_TRY(
      cel_mdp_transition(builder, to[a], 1 - c->slip, to[a] == goal ? c->goal_reward : 0, false));
  if (c->slip == 0) return CEL_OK;
  for (int i = 0; i < 2; i++) {
    const int64_t next = to[side[i]];
    CELI_TRY(
        cel_mdp_transition(builder, next, c->slip / 2, next == goal ? c->goal_reward : 0, false));
  }
  return CEL_OK;
}

static CelStatus add_pairs(CelMdpBuilder *builder, const Layout *layout) {
  const Grid *c = layout->c;
  CelRng rng = cel_rng(c->seed, CEL_RNG_MDP, CELI_MDP_RNG_REWARD);
  for (int64_t cell = 0; cell < layout->cells; cell++) {
    const int64_t s = layout->state[cell];
    if (s == OBSTACLE) continue;
    if (c->rewards == GOAL && s == layout->states - 1) break; // the last state
    int64_t to[4];
    neighbors(layout, cell, to);
    for (int a = 0; a < 4; a++) {
      const double reward =
          c->rewards == GOAL ? c->step_reward : cel_rng_range(&rng, c->step_reward, c->goal_reward);
      CELI_TRY(add_pair(builder, layout, s, to, a, reward));
    }
  }
  return CEL_OK;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Layout *layout = what;
  const Grid *c = layout->c;
  const int64_t pairs = 4 * (layout->states - (c->rewards == GOAL));
  const CelMdpGrid grid = {.rows = c->height,
                           .columns = c->width,
                           .state = layout->state,
                           .direction = direction[0],
                           .actions = 4};
  CELI_TRY(cel_mdp_builder_reserve(builder, pairs, (c->slip > 0 ? 3 : 1) * pairs));
  CELI_TRY(add_pairs(builder, layout));
  if (c->start == CORNER) CELI_TRY(cel_mdp_start(builder, 0, 1));
  return cel_mdp_set_grid(builder, &grid);
}

/// Checks for enough memory before anything is filled. Without obstacles the estimate is exact. A
/// cell is stored twice (here and in the picture's grid), with a pair index and a start
/// probability. Each of its 4 actions takes 16 bytes. A transition takes 12 bytes, and 8 more if
/// rewards depend on the next state.
static CelStatus check_room(const Layout *layout) {
  const Grid *c = layout->c;
  const bool by_next = c->slip > 0 && c->rewards == GOAL;
  const size_t transitions = c->slip > 0 ? 12 : 4;
  const size_t whole = 4 * 8 + 4 * 16 + (by_next ? 20 : 12) * transitions;
  return celi_mdp_room((size_t)layout->cells * (c->obstacles > 0 ? 16 : whole), "that many cells");
}

static CelStatus make(CelMdp **out, const void *config) {
  const Grid *c = config;
  Layout layout = {.c = c, .cells = c->width * c->height};
  if (layout.cells < 2) {
    return cel_fail(CEL_E_RANGE,
                    "width and height: a grid of 1 x 1 is too small; it needs at least two cells");
  }
  CELI_TRY(check_room(&layout));
  CELI_TRY(celi_alloc(&layout.state, (size_t)layout.cells, sizeof *layout.state,
                      "cells of a grid world"));
  CelStatus status = lay_out(&layout);
  if (status == CEL_OK)
    status = celi_mdp_make(out, "grid", layout.states, &c->common, fill, &layout);
  free(layout.state);
  return status;
}

const CelMdpGenerator celi_mdp_grid = {
    .name = "grid",
    .doc = "a grid world of any size with slippery steps, obstacles, and a goal or random rewards",
    .fields = fields,
    .config_size = sizeof(Grid),
    .make = make,
    .max_episode_steps = 1000,
};
