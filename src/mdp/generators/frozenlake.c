/// FrozenLake: a square lake of frozen tiles and holes, from the start to the goal, on slippery
/// ice.
///
///     state   the tile, row by row
///     action  0: left, 1: down, 2: right, 3: up
///     next    slippery: the direction of the action with probability p, either one at right angles
///             with (1 - p)/2; otherwise the direction of the action; at the edge the player stays
///     reward  goal_reward, hole_reward or frozen_reward, by the tile entered
///     ends    on entering a hole or the goal
///
/// Holes and the goal keep four actions. Each stays there, has reward 0 and ends the episode, so
/// that the table equals Gymnasium's. Random maps are drawn tile by tile until a path leads from
/// the start to the goal. The map of a seed differs from Gymnasium's, because the random numbers
/// differ.
/// Source: Gymnasium's FrozenLake-v1.
#include "mdp/generators/generators.h"
#include <stdlib.h>
#include <string.h>

typedef struct Lake {
  CeliMdpCommon common;
  bool slippery;
  double success_rate, goal_reward, hole_reward, frozen_reward;
} Lake;

typedef struct RandomLake {
  Lake lake;
  int64_t size;
  double frozen;
  uint64_t seed;
  char map[CEL_PATH_MAX];
} RandomLake;

/// A lake and its map.
typedef struct Board {
  const Lake *lake;
  int64_t rows, columns;
  const char *tile; ///< (rows * columns) of "SFHG"
} Board;

#define GAMMA "0.99"

// clang-format off
static const CelField fixed_fields[] = {
#include "mdp/generators/lake.inc"
    {0},
};
// clang-format on

#define AT(member) offsetof(RandomLake, member)
// clang-format off
static const CelField random_fields[] = {
#include "mdp/generators/lake.inc"
    {.name = "size", .type = CEL_FIELD_INT, .offset = AT(size), .def = "8", .min = 2, .max = 4096,
     .unit = "tiles",
     .doc = "rows and columns"},
    {.name = "frozen", .type = CEL_FIELD_DOUBLE, .offset = AT(frozen), .def = "0.8", .min = 0,
     .max = 1,
     .doc = "probability that a tile is frozen"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = AT(seed), .def = "0",
     .doc = "seed of the map"},
    {.name = "map", .type = CEL_FIELD_PATH, .offset = AT(map), .def = "", .unit = "MAP",
     .doc = "your own map instead, rows of S, F, H and G: SFFF/FHFH/FFFH/HFFG"},
    {0},
};
// clang-format on
#undef AT

// ---- the table

static const int8_t direction[4][2] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};

static bool is_end(char tile) {
  return tile == 'H' || tile == 'G';
}

static double tile_reward(const Lake *lake, char tile) {
  return tile == 'G' ? lake->goal_reward : tile == 'H' ? lake->hole_reward : lake->frozen_reward;
}

/// Adds one possible outcome of a step.
static CelStatus slide(CelMdpBuilder *builder, const Board *board, int64_t s, int d,
                       double probability) {
  const int64_t next =
      celi_mdp_step(board->rows, board->columns, s, direction[d][0], direction[d][1]);
  const char tile = board->tile[next];
  return cel_mdp_transition(builder, next, probability, tile_reward(board->lake, tile),
                            is_end(tile));
}

static CelStatus add_pair(CelMdpBuilder *builder, const Board *board, int64_t s, int a) {
  const double success = board->lake->slippery ? board->lake->success_rate : 1;
  CELI_TRY(cel_mdp_pair(builder, s, a, 0));
  if (is_end(board->tile[s])) return cel_mdp_transition(builder, s, 1, 0, true);
  CELI_TRY(slide(builder, board, s, (a + 3) % 4, (1 - success) / 2));
  CELI_TRY(slide(builder, board, s, a, success));
  return slide(builder, board, s, (a + 1) % 4, (1 - success) / 2);
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Board *board = what;
  const int64_t S = board->rows * board->columns;
  int64_t starts = 0;
  for (int64_t s = 0; s < S; s++) starts += board->tile[s] == 'S';
  CELI_TRY(cel_mdp_builder_reserve(builder, 4 * S, 12 * S));
  for (int64_t s = 0; s < S; s++) {
    for (int a = 0; a < 4; a++) CELI_TRY(add_pair(builder, board, s, a));
    if (board->tile[s] == 'S') CELI_TRY(cel_mdp_start(builder, s, 1.0 / (double)starts));
  }
  return celi_mdp_full_grid(builder, board->rows, board->columns, direction);
}

// ---- maps

/// Parses "SF/HG". `tile` must have room for the text. Errors: CEL_E_RANGE.
static CelStatus read_map(Board *board, char *tile, const char *map) {
  bool start = false;
  board->rows = 0;
  while (true) {
    const int64_t n = (int64_t)strcspn(map, "/"), row = board->rows++;
    if (row == 0) board->columns = n;
    if (n == 0 || n != board->columns) {
      return cel_fail(CEL_E_RANGE, "map: row %lld has %lld tiles, but the first row has %lld",
                      (long long)row + 1, (long long)n, (long long)board->columns);
    }
    for (int64_t c = 0; c < n; c++) {
      if (!strchr("SFHG", map[c])) {
        return cel_fail(CEL_E_RANGE, "map: row %lld, column %lld: a tile must be S, F, H or G",
                        (long long)row + 1, (long long)c + 1);
      }
      start |= map[c] == 'S';
      tile[row * n + c] = map[c];
    }
    if (!map[n]) break;
    map += n + 1;
  }
  if (!start) return cel_fail(CEL_E_RANGE, "map: at least one tile must be S, the start");
  board->tile = tile;
  return CEL_OK;
}

/// True if the goal can be reached from tile 0. stack (size * size,), seen (size * size,).
static bool has_way(const char *tile, int64_t size, int64_t *stack, uint8_t *seen) {
  int64_t depth = 0;
  memset(seen, 0, (size_t)(size * size));
  seen[0] = 1;
  stack[depth++] = 0;
  while (depth > 0) {
    const int64_t here = stack[--depth];
    if (tile[here] == 'G') return true;
    for (int d = 0; d < 4; d++) {
      const int64_t next = celi_mdp_step(size, size, here, direction[d][0], direction[d][1]);
      if (seen[next] || tile[next] == 'H') continue;
      seen[next] = 1;
      stack[depth++] = next;
    }
  }
  return false;
}

enum { DRAWS = 1000 }; ///< maps to try before giving up

static CelStatus draw_map(char *tile, const RandomLake *c, int64_t *stack, uint8_t *seen) {
  CelRng rng = cel_rng(c->seed, CEL_RNG_MDP, CELI_MDP_RNG_LAYOUT);
  const int64_t n = c->size * c->size;
  for (int draw = 0; draw < DRAWS; draw++) {
    for (int64_t i = 0; i < n; i++) tile[i] = cel_rng_uniform(&rng) < c->frozen ? 'F' : 'H';
    tile[0] = 'S';
    tile[n - 1] = 'G';
    if (has_way(tile, c->size, stack, seen)) return CEL_OK;
  }
  return cel_fail(CEL_E_RANGE,
                  "frozen: with %g on %lld x %lld tiles none of %d maps has a path to the goal; it "
                  "may be up to 1, and with at least .6 most maps have one",
                  c->frozen, (long long)c->size, (long long)c->size, DRAWS);
}

static CelStatus random_map(Board *board, char *tile, const RandomLake *c) {
  const size_t n = (size_t)(c->size * c->size);
  int64_t *stack = NULL;
  uint8_t *seen = NULL;
  CelStatus status = celi_alloc(&stack, n, sizeof *stack, "tiles of a lake");
  if (status == CEL_OK) status = celi_alloc(&seen, n, sizeof *seen, "tiles of a lake");
  if (status == CEL_OK) status = draw_map(tile, c, stack, seen);
  free(seen);
  free(stack);
  board->rows = board->columns = c->size;
  board->tile = tile;
  return status;
}

// ---- the generators

static CelStatus make(CelMdp **out, const char *name, const Board *board) {
  return celi_mdp_make(out, name, board->rows * board->columns, &board->lake->common, fill, board);
}

static CelStatus make_4x4(CelMdp **out, const void *config) {
  const Board board = {config, 4, 4, "SFFFFHFHFFFHHFFG"};
  return make(out, "frozenlake-4x4", &board);
}

static CelStatus make_8x8(CelMdp **out, const void *config) {
  const Board board = {config, 8, 8,
                       "SFFFFFFF"
                       "FFFFFFFF"
                       "FFFHFFFF"
                       "FFFFFHFF"
                       "FFFHFFFF"
                       "FHHFFFHF"
                       "FHFFHFHF"
                       "FFFHFFFG"};
  return make(out, "frozenlake-8x8", &board);
}

static CelStatus make_random(CelMdp **out, const void *config) {
  const RandomLake *c = config;
  Board board = {.lake = &c->lake};
  char *tile = NULL;
  const size_t n = c->map[0] ? strlen(c->map) : (size_t)(c->size * c->size);
  CELI_TRY(celi_alloc(&tile, n, 1, "tiles of a lake"));
  CelStatus status = c->map[0] ? read_map(&board, tile, c->map) : random_map(&board, tile, c);
  if (status == CEL_OK) status = make(out, "frozenlake", &board);
  free(tile);
  return status;
}

const CelMdpGenerator celi_mdp_frozenlake_4x4 = {
    .name = "frozenlake-4x4",
    .doc = "cross the ice to the goal, past four holes; same table as Gymnasium's FrozenLake-v1",
    .fields = fixed_fields,
    .config_size = sizeof(Lake),
    .make = make_4x4,
    .max_episode_steps = 100,
};
const CelMdpGenerator celi_mdp_frozenlake_8x8 = {
    .name = "frozenlake-8x8",
    .doc = "cross the ice to the goal, past ten holes; same table as Gymnasium's FrozenLake8x8-v1",
    .fields = fixed_fields,
    .config_size = sizeof(Lake),
    .make = make_8x8,
    .max_episode_steps = 200,
};
const CelMdpGenerator celi_mdp_frozenlake = {
    .name = "frozenlake",
    .doc = "FrozenLake on a random map, or on your own",
    .fields = random_fields,
    .config_size = sizeof(RandomLake),
    .make = make_random,
    .max_episode_steps = 200,
};
