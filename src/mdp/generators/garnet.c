/// Garnet: random MDPs with a given number of states, actions and next states.
///
///     next         of each (s,a): `branching` different states, every set equally likely
///     probability  the pieces of [0, 1] cut at branching - 1 uniform positions
///     reward       reward_scale times a draw, uniform on [0, 1) or standard normal; one for each
///                  (s,a), each s or each (s,a,s')
///     terminal     this fraction of all states, drawn at random and never the first state;
///                  terminal states have no actions
///
/// An episode starts in any state that is not terminal. Layout, rewards and transitions use
/// separate random streams, so the same seed with another kind of reward has the same transitions.
/// Source: Archibald, McKinnon, Thomas, "On the generation of Markov decision processes", J. Oper.
/// Res. Soc. 46 (1995).
#include "mdp/generators/generators.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Garnet {
  CeliMdpCommon common;
  int64_t states, actions, branching;
  int32_t reward, reward_of;
  double reward_scale, terminal;
  uint64_t seed;
} Garnet;

enum { UNIFORM, NORMAL };
enum { OF_PAIR, OF_STATE, OF_TRANSITION };

#define GAMMA "0.95"
#define AT(member) offsetof(Garnet, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "states", .type = CEL_FIELD_INT, .offset = AT(states), .def = "100", .min = 1,
     .max = 1e9,
     .doc = "states"},
    {.name = "actions", .type = CEL_FIELD_INT, .offset = AT(actions), .def = "4", .min = 1,
     .max = 1e4,
     .doc = "actions of each state"},
    {.name = "branching", .type = CEL_FIELD_INT, .offset = AT(branching), .def = "3", .min = 1,
     .max = 1e4,
     .doc = "next states of each action; at most the number of states"},
    {.name = "reward", .type = CEL_FIELD_ENUM, .offset = AT(reward), .def = "uniform",
     .choices = "uniform|normal",
     .doc = "distribution of rewards: uniform on [0, 1), or standard normal"},
    {.name = "reward_of", .type = CEL_FIELD_ENUM, .offset = AT(reward_of), .def = "pair",
     .choices = "pair|state|transition",
     .doc = "what each reward belongs to: (s,a), s or (s,a,s')"},
    {.name = "reward_scale", .type = CEL_FIELD_DOUBLE, .offset = AT(reward_scale), .def = "1",
     .min = -1e12, .max = 1e12,
     .doc = "factor of all rewards"},
    {.name = "terminal", .type = CEL_FIELD_DOUBLE, .offset = AT(terminal), .def = "0", .min = 0,
     .max = 1,
     .doc = "fraction of the states that are terminal; the first state never is"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = AT(seed), .def = "0",
     .doc = "seed of the MDP"},
    {0},
};
// clang-format on
#undef AT

/// The state of a draw.
typedef struct Draw {
  const Garnet *c;
  CelRng layout, reward, transition;
  int64_t terminals; ///< terminal states still to place
  int64_t pair;      ///< pairs so far
  int64_t *seen;     ///< (states) the last pair, from 1, that drew the state
  int64_t *next;     ///< (branching)
  double *cut;       ///< (branching + 1)
} Draw;

static double draw_reward(Draw *draw) {
  const double x =
      draw->c->reward == NORMAL ? cel_rng_normal(&draw->reward) : cel_rng_uniform(&draw->reward);
  return draw->c->reward_scale * x;
}

/// True if state s is terminal. Call it for each state in order (selection sampling: exactly
/// `terminals` are).
static bool draw_terminal(Draw *draw, int64_t s) {
  if (s == 0 || draw->terminals == 0) return false;
  const int64_t left = draw->c->states - s;
  if ((int64_t)cel_rng_below(&draw->layout, (uint64_t)left) >= draw->terminals) return false;
  draw->terminals--;
  return true;
}

/// Draws `next`: a set of different states, every set equally likely (Floyd's algorithm).
static void draw_next(Draw *draw) {
  const int64_t S = draw->c->states, n = draw->c->branching;
  draw->pair++;
  for (int64_t i = 0; i < n; i++) {
    const int64_t last = S - n + i;
    int64_t s = (int64_t)cel_rng_below(&draw->transition, (uint64_t)last + 1);
    if (draw->seen[s] == draw->pair) s = last;
    draw->seen[s] = draw->pair;
    draw->next[i] = s;
  }
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void draw_cuts(Draw *draw) {
  const int64_t n = draw->c->branching;
  draw->cut[0] = 0;
  draw->cut[n] = 1;
  for (int64_t i = 1; i < n; i++) draw->cut[i] = cel_rng_uniform(&draw->transition);
  if (n > 2) qsort(draw->cut + 1, (size_t)n - 1, sizeof draw->cut[0], compare);
}

static CelStatus add_pair(CelMdpBuilder *builder, Draw *draw, int64_t s, int64_t a, double reward) {
  const bool own = draw->c->reward_of == OF_TRANSITION;
  draw_next(draw);
  draw_cuts(draw);
  CELI_TRY(cel_mdp_pair(builder, s, a, reward));
  for (int64_t i = 0; i < draw->c->branching; i++) {
    CELI_TRY(cel_mdp_transition(builder, draw->next[i], draw->cut[i + 1] - draw->cut[i],
                                own ? draw_reward(draw) : 0, false));
  }
  return CEL_OK;
}

static CelStatus add_pairs(CelMdpBuilder *builder, Draw *draw) {
  const Garnet *c = draw->c;
  for (int64_t s = 0; s < c->states; s++) {
    if (draw_terminal(draw, s)) continue;
    double reward = c->reward_of == OF_STATE ? draw_reward(draw) : 0;
    for (int64_t a = 0; a < c->actions; a++) {
      if (c->reward_of == OF_PAIR) reward = draw_reward(draw);
      CELI_TRY(add_pair(builder, draw, s, a, reward));
    }
  }
  return CEL_OK;
}

static CelStatus allocate(Draw *draw) {
  const size_t S = (size_t)draw->c->states, n = (size_t)draw->c->branching;
  CELI_TRY(celi_alloc(&draw->seen, S, sizeof *draw->seen, "states of a Garnet MDP"));
  CELI_TRY(celi_alloc(&draw->next, n, sizeof *draw->next, "next states of a Garnet MDP"));
  CELI_TRY(celi_alloc(&draw->cut, n + 1, sizeof *draw->cut, "next states of a Garnet MDP"));
  memset(draw->seen, 0, S * sizeof *draw->seen);
  return CEL_OK;
}

static int64_t count_terminals(const Garnet *c) {
  const int64_t n = llround(c->terminal * (double)c->states);
  return n < c->states ? n : c->states - 1;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Garnet *c = what;
  Draw draw = {.c = c,
               .layout = cel_rng(c->seed, CEL_RNG_MDP, CELI_MDP_RNG_LAYOUT),
               .reward = cel_rng(c->seed, CEL_RNG_MDP, CELI_MDP_RNG_REWARD),
               .transition = cel_rng(c->seed, CEL_RNG_MDP, CELI_MDP_RNG_TRANSITION),
               .terminals = count_terminals(c)};
  const int64_t pairs = (c->states - draw.terminals) * c->actions;
  CELI_TRY(cel_mdp_builder_reserve(builder, pairs, pairs * c->branching));
  CelStatus status = allocate(&draw);
  if (status == CEL_OK) status = add_pairs(builder, &draw);
  free(draw.cut);
  free(draw.next);
  free(draw.seen);
  return status;
}

static CelStatus make(CelMdp **out, const void *config) {
  const Garnet *c = config;
  if (c->branching > c->states) {
    return cel_fail(CEL_E_RANGE,
                    "branching: %lld is out of range; it must be 1 to %lld, the number of states",
                    (long long)c->branching, (long long)c->states);
  }
  return celi_mdp_make(out, "garnet", c->states, &c->common, fill, c);
}

const CelMdpGenerator celi_mdp_garnet = {
    .name = "garnet",
    .doc = "a random MDP with a given number of states, actions and next states",
    .fields = fields,
    .config_size = sizeof(Garnet),
    .make = make,
    .max_episode_steps = 1000,
};
