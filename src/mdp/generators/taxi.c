/// Taxi: pick up a passenger at one of four stands and drop him off at another, on 5 x 5 cells with
/// walls.
///
///     state   ((row * 5 + column) * 5 + passenger) * 4 + destination; passenger 0 to 3: at that
///             stand, 4: in the taxi
///     action  0: south, 1: north, 2: east, 3: west, 4: pick up, 5: drop off
///     next    a step into a wall stays; in the rain a free step goes in its direction with
///             probability p and to either side with (1 - p)/2 (and stays if there is a wall)
///     reward  -1 per step; 20 for the drop at the destination; -10 for an illegal pick-up or drop
///     ends    with the drop at the destination
///
/// An episode starts in any cell, with the passenger at a stand that is not his destination. All
/// 300 starts are equally likely. Gymnasium's fickle passenger depends on earlier steps that no
/// state shows, so it has no table.
/// Source: Dietterich, "Hierarchical reinforcement learning with the MAXQ value function
/// decomposition", JAIR 13 (2000); Gymnasium's Taxi-v4.
#include "mdp/generators/taxi.h"
#include "mdp/generators/generators.h"

typedef struct Taxi {
  CeliMdpCommon common;
  bool rainy;
  double rainy_probability;
} Taxi;

#define GAMMA "0.99"
#define AT(member) offsetof(Taxi, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "rainy", .type = CEL_FIELD_BOOL, .offset = AT(rainy), .def = "false",
     .doc = "steps may slip to the side"},
    {.name = "rainy_probability", .type = CEL_FIELD_DOUBLE, .offset = AT(rainy_probability),
     .def = "0.8", .min = 0, .max = 1,
     .doc = "probability of moving in the direction of the action, in the rain"},
    {0},
};
// clang-format on
#undef AT

enum {
  SIDE = CELI_TAXI_SIDE,
  STANDS = CELI_TAXI_STANDS,
  IN_TAXI = CELI_TAXI_RIDING,
  STATES = SIDE * SIDE * (STANDS + 1) * STANDS
};
enum { SOUTH, NORTH, EAST, WEST, PICK_UP, DROP, ACTIONS };

typedef CeliTaxi Place;

const int celi_taxi_stand[STANDS][2] = {{0, 0}, {0, 4}, {4, 0}, {4, 3}};
const unsigned celi_taxi_wall_east[SIDE] = {2, 2, 0, 5, 5};

static int64_t encode(Place p) {
  return ((p.row * SIDE + p.column) * (STANDS + 1) + p.passenger) * STANDS + p.destination;
}

CeliTaxi celi_taxi_decode(int64_t s) {
  const int cell = (int)(s / (STANDS * (STANDS + 1)));
  return (Place){.row = cell / SIDE,
                 .column = cell % SIDE,
                 .passenger = (int)(s / STANDS % (STANDS + 1)),
                 .destination = (int)(s % STANDS)};
}

/// The stand at the position of the taxi; -1: none.
static int stand_at(Place p) {
  for (int i = 0; i < STANDS; i++) {
    if (p.row == celi_taxi_stand[i][0] && p.column == celi_taxi_stand[i][1]) return i;
  }
  return -1;
}

static bool is_free(Place p, int move) {
  switch (move) {
  case SOUTH: return p.row < SIDE - 1;
  case NORTH: return p.row > 0;
  case EAST: return p.column < SIDE - 1 && !(celi_taxi_wall_east[p.row] >> p.column & 1);
  default: return p.column > 0 && !(celi_taxi_wall_east[p.row] >> (p.column - 1) & 1);
  }
}

static int64_t moved(Place p, int move) {
  static const int step[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  if (is_free(p, move)) {
    p.row += step[move][0];
    p.column += step[move][1];
  }
  return encode(p);
}

static CelStatus drive(CelMdpBuilder *builder, const Taxi *c, Place p, int move) {
  if (!c->rainy || !is_free(p, move)) {
    return cel_mdp_transition(builder, moved(p, move), 1, -1, false);
  }
  const double to_the_side = (1 - c->rainy_probability) / 2;
  const int side = move == SOUTH || move == NORTH ? EAST : SOUTH; // side + 1 is the other side
  CELI_TRY(cel_mdp_transition(builder, moved(p, move), c->rainy_probability, -1, false));
  CELI_TRY(cel_mdp_transition(builder, moved(p, side), to_the_side, -1, false));
  return cel_mdp_transition(builder, moved(p, side + 1), to_the_side, -1, false);
}

static CelStatus pick_up(CelMdpBuilder *builder, Place p) {
  const bool can = p.passenger != IN_TAXI && p.passenger == stand_at(p);
  if (can) p.passenger = IN_TAXI;
  return cel_mdp_transition(builder, encode(p), 1, can ? -1 : -10, false);
}

static CelStatus drop(CelMdpBuilder *builder, Place p) {
  const int here = stand_at(p);
  const bool can = p.passenger == IN_TAXI && here >= 0;
  const bool arrived = can && here == p.destination;
  if (can) p.passenger = here;
  return cel_mdp_transition(builder, encode(p), 1, arrived ? 20 : can ? -1 : -10, arrived);
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Taxi *c = what;
  for (int64_t s = 0; s < STATES; s++) {
    const Place p = celi_taxi_decode(s);
    for (int a = 0; a < ACTIONS; a++) {
      CELI_TRY(cel_mdp_pair(builder, s, a, 0));
      CELI_TRY(a == PICK_UP ? pick_up(builder, p)
               : a == DROP  ? drop(builder, p)
                            : drive(builder, c, p, a));
    }
    if (p.passenger != IN_TAXI && p.passenger != p.destination) {
      CELI_TRY(cel_mdp_start(builder, s, 1.0 / 300));
    }
  }
  return CEL_OK;
}

static CelStatus make(CelMdp **out, const void *config) {
  const Taxi *c = config;
  return celi_mdp_make(out, "taxi", STATES, &c->common, fill, c);
}

const CelMdpGenerator celi_mdp_taxi = {
    .name = "taxi",
    .doc = "bring a passenger from one stand to another; same table as Gymnasium's Taxi-v4",
    .fields = fields,
    .config_size = sizeof(Taxi),
    .make = make,
    .max_episode_steps = 200,
};
