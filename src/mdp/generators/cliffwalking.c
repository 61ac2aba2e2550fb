/// CliffWalking: from the lower left corner of 4 x 12 cells to the lower right one, along a cliff.
///
///     state   the cell, row by row; 36: the start, 47: the goal, 37 to 46: the cliff
///     action  0: up, 1: right, 2: down, 3: left
///     next    the direction of the action; slippery: that direction or either one at right angles,
///             a third each; at the edge the walker stays, and from the cliff it returns to the
///             start
///     reward  -1 per step, -100 into the cliff
///     ends    on entering the goal
///
/// No episode continues from the cliff or the goal. They have rows like other cells, so that the
/// table equals Gymnasium's.
/// Source: Sutton and Barto, "Reinforcement Learning", 2nd edition, example 6.6; Gymnasium's
/// CliffWalking-v1.
#include "mdp/generators/generators.h"

typedef struct Cliff {
  CeliMdpCommon common;
  bool slippery;
} Cliff;

#define GAMMA "0.99"
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "slippery", .type = CEL_FIELD_BOOL, .offset = offsetof(Cliff, slippery),
     .def = "false",
     .doc = "steps may slip to the side"},
    {0},
};
// clang-format on

enum { ROWS = 4, COLUMNS = 12, CELLS = ROWS * COLUMNS, START = 36, GOAL = 47 };
static const int8_t direction[4][2] = {{-1, 0}, {0, 1}, {1, 0}, {0, -1}};

static CelStatus walk(CelMdpBuilder *builder, int64_t s, int d, double probability) {
  const int64_t cell = celi_mdp_step(ROWS, COLUMNS, s, direction[d][0], direction[d][1]);
  const bool falls = cell > START && cell < GOAL;
  return cel_mdp_transition(builder, falls ? START : cell, probability, falls ? -100 : -1,
                            cell == GOAL);
}

static CelStatus add_pair(CelMdpBuilder *builder, bool slippery, int64_t s, int a) {
  CELI_TRY(cel_mdp_pair(builder, s, a, 0));
  if (!slippery) return walk(builder, s, a, 1);
  for (int turn = 3; turn <= 5; turn++) CELI_TRY(walk(builder, s, (a + turn) % 4, 1.0 / 3.0));
  return CEL_OK;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Cliff *c = what;
  for (int64_t s = 0; s < CELLS; s++) {
    for (int a = 0; a < 4; a++) CELI_TRY(add_pair(builder, c->slippery, s, a));
  }
  CELI_TRY(cel_mdp_start(builder, START, 1));
  return celi_mdp_full_grid(builder, ROWS, COLUMNS, direction);
}

static CelStatus make(CelMdp **out, const void *config) {
  const Cliff *c = config;
  return celi_mdp_make(out, "cliffwalking", CELLS, &c->common, fill, c);
}

const CelMdpGenerator celi_mdp_cliffwalking = {
    .name = "cliffwalking",
    .doc = "walk along a cliff to the goal; same table as Gymnasium's CliffWalking-v1",
    .fields = fields,
    .config_size = sizeof(Cliff),
    .make = make,
    .max_episode_steps = 200,
};
