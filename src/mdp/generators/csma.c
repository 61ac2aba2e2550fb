/// CSMA/CD on a bus. N stations send one message each. A message takes 30 units of time, and
/// signals need 1 unit to propagate, so that two stations may begin at nearly the same time and
/// collide. After its k-th collision, a station waits for a random number of slots below
/// 2^min(k,K).
///
///     action   the next event among those that are possible: a station begins to send, finds the
///              bus busy, or ends; a collision is detected; a station draws its slots; time passes
///     reward   1 per unit of time
///     labels   all_delivered, one_delivered (at least one), collision_max_backoff (a collision of
///              a station that has had K or more)
///
/// Source: Kwiatkowska, Norman, Sproston, Wang, "Symbolic model checking for probabilistic timed
/// automata", Information and Computation 2007; the benchmark csma of PRISM and QComp.
#include "mdp/generators/explore.h"

enum { MOST = 8 };                         ///< stations
enum { SIGMA = 1, LAMBDA = 30, SLOT = 2 }; ///< times: propagation, message, slot

typedef struct Csma {
  CeliMdpCommon common;
  int64_t stations, limit;
} Csma;

#define GAMMA "0.999"
#define AT(member) offsetof(Csma, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "stations", .type = CEL_FIELD_INT, .offset = AT(stations), .def = "2", .min = 2,
     .max = 8,
     .doc = "number of stations N"},
    {.name = "limit", .type = CEL_FIELD_INT, .offset = AT(limit), .def = "2", .min = 1, .max = 7,
     .doc = "K: a station waits for fewer than 2^K slots"},
    {0},
};
// clang-format on
#undef AT

enum { BEGIN, SENDING, BACKOFF, WAITING, DONE }; // station
enum { FREE, ACTIVE, COLLISION };                // bus

typedef struct Station {
  uint8_t phase, clock, slots, collisions;
} Station;

typedef struct State {
  uint8_t bus, since_first, since_second; ///< times since the sends
  uint8_t unused;
  Station station[MOST];
} State;

static void start(const void *what, void *state) {
  (void)what, (void)state;
}

/// True if a station wants to send now.
static bool is_ready(const Station *i) {
  return i->phase == BEGIN || (i->phase == WAITING && i->clock == SLOT && i->slots == 0);
}

static void back_off(Station *i, int64_t limit) {
  i->phase = BACKOFF, i->clock = 0;
  if (i->collisions < limit) i->collisions++;
}

static void move_station(const Csma *c, const State *s, int64_t i, CeliMoves *out) {
  State next = *s;
  Station *me = &next.station[i];
  if (is_ready(me) && (s->bus == FREE || s->since_first < SIGMA)) {
    next.bus = s->bus == FREE ? ACTIVE : COLLISION;
    me->phase = SENDING, me->clock = 0;
    celi_moves_step(out, 0, &next);
  } else if (is_ready(me)) {
    back_off(me, c->limit);
    celi_moves_step(out, 0, &next);
  } else if (me->phase == SENDING && me->clock == LAMBDA && s->bus == ACTIVE) {
    next.bus = FREE, next.since_first = 0;
    me->phase = DONE, me->clock = 0;
    celi_moves_step(out, 0, &next);
  } else if (me->phase == BACKOFF) {
    const int64_t slots = (int64_t)1 << me->collisions;
    me->phase = WAITING;
    celi_moves_choice(out, 0);
    for (int64_t k = 0; k < slots; k++) {
      me->slots = (uint8_t)k;
      celi_moves_to(out, 1.0 / (double)slots, &next);
    }
  }
}

static void detect_collision(const Csma *c, const State *s, CeliMoves *out) {
  State next = *s;
  if (s->bus != COLLISION || s->since_second > SIGMA) return;
  next.bus = FREE, next.since_first = next.since_second = 0;
  for (int64_t i = 0; i < c->stations; i++)
    if (s->station[i].phase == SENDING) back_off(&next.station[i], c->limit);
  celi_moves_step(out, 0, &next);
}

static void pass_time(const Csma *c, const State *s, CeliMoves *out) {
  State next = *s;
  if (s->bus == COLLISION && s->since_second >= SIGMA) return;
  if (s->bus == FREE)
    next.since_first = 0;
  else if (s->since_first <= SIGMA)
    next.since_first++;
  if (s->bus == COLLISION) next.since_second++;
  for (int64_t i = 0; i < c->stations; i++) {
    Station *station = &next.station[i];
    if ((station->phase == SENDING && station->clock < LAMBDA) ||
        (station->phase == WAITING && station->clock < SLOT))
      station->clock++;
    else if (station->phase == WAITING && station->slots > 0)
      station->clock = 1, station->slots--;
    else if (station->phase != DONE)
      return; // must act now
  }
  celi_moves_step(out, 1, &next);
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const Csma *c = what;
  for (int64_t i = 0; i < c->stations; i++) move_station(c, state, i, out);
  detect_collision(c, state, out);
  pass_time(c, state, out);
}

static bool has(const void *what, const void *state, int label) {
  const Csma *c = what;
  const State *s = state;
  int64_t done = 0;
  bool collision = false;
  for (int64_t i = 0; i < c->stations; i++) {
    const Station *station = &s->station[i];
    done += station->phase == DONE;
    collision |=
        s->bus == COLLISION && station->phase == SENDING && station->collisions == c->limit;
  }
  return label == 0 ? done == c->stations : label == 1 ? done > 0 : collision;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"all_delivered", "one_delivered", "collision_max_backoff",
                                       NULL};
  static const CeliExplore family = {"csma", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_csma = {
    .name = "csma",
    .doc = "stations on a bus collide and wait for random times; has labels",
    .fields = fields,
    .config_size = sizeof(Csma),
    .make = make,
    .max_episode_steps = 10000,
};
