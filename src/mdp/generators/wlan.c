/// The IEEE 802.11 wireless LAN with two stations. Each sends one message and waits for an
/// acknowledgment. Messages that overlap are garbled. After a busy medium or a failure, a station
/// waits for a random number of slots below 16 2^min(k,K), where k counts earlier waits.
///
/// A unit of time is a slot of 50 microseconds. Some times are uncertain by one unit, and an
/// adversary chooses them.
///
///     action   the next event among those that are possible; the last one is that time passes
///     reward   1 per unit of time
///     labels   sent: both messages were acknowledged; one_sent; collided: the counter of
///              collisions is at its limit, which must be at least 1
///
/// Source: Kwiatkowska, Norman, Sproston, "Probabilistic model checking of the IEEE 802.11 wireless
/// local area network protocol", PAPM/PROBMIV 2002; the benchmark wlan of PRISM and QComp.
#include "mdp/generators/explore.h"

typedef struct Wlan {
  CeliMdpCommon common;
  int64_t backoff, collisions, send_time;
} Wlan;

#define GAMMA "0.999"
#define AT(member) offsetof(Wlan, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "backoff", .type = CEL_FIELD_INT, .offset = AT(backoff), .def = "0", .min = 0,
     .max = 7,
     .doc = "K: a station waits for at most 16 2^K slots"},
    {.name = "collisions", .type = CEL_FIELD_INT, .offset = AT(collisions), .def = "0", .min = 0,
     .max = 100,
     .doc = "collisions that are counted; further ones change nothing"},
    {.name = "send_time", .type = CEL_FIELD_INT, .offset = AT(send_time), .def = "10", .min = 4,
     .max = 1000, .unit = "slots",
     .doc = "longest time that a message takes; the shortest is 4"},
    {0},
};
// clang-format on
#undef AT

enum { SLOT = 1, DIFS = 3, VULNERABLE = 1, SEND_LEAST = 4, ACK_TIMEOUT = 6, ACK = 4, SIFS = 1 };
enum {
  SENSE,         ///< the medium must be free for DIFS
  BUSY,          ///< waits until it is free
  BEFORE,        ///< then for DIFS
  SET_BACKOFF,   ///< draws the time within 16 slots
  COUNT_DOWN,    ///< the backoff
  COUNT_BUSY,    ///< the medium became busy meanwhile
  RESUME,        ///< free for DIFS again
  ABOUT_TO_SEND, ///< other stations do not know yet
  SEND,
  WAIT_ACK,
  NO_ACK, ///< garbled; waits for a timeout
  ACKNOWLEDGED
};                               // phase
enum { SILENT, CLEAR, GARBLED }; // medium

typedef struct Station {
  uint16_t clock;
  uint8_t phase, block, slots, failures; ///< the backoff is 16 block + slots
} Station;

typedef struct State {
  uint8_t medium[2], collisions, unused;
  Station station[2];
} State;

static void start(const void *what, void *state) {
  (void)what, (void)state;
}

static bool is_busy(const State *s) {
  return s->medium[0] != SILENT || s->medium[1] != SILENT;
}

static void go(Station *i, int phase) {
  i->phase = (uint8_t)phase, i->clock = 0;
}

/// Station i begins to send on the medium.
static void occupy(const Wlan *w, State *s, int i) {
  if (s->medium[1 - i] == SILENT) {
    s->medium[i] = CLEAR;
    return;
  }
  s->medium[0] = s->medium[1] = GARBLED;
  if (s->collisions < w->collisions) s->collisions++;
}

/// Draws the backoff: first the block of 16 slots, then the slot.
static void draw(const Wlan *w, State next, int i, CeliMoves *out) {
  Station *me = &next.station[i];
  celi_moves_choice(out, 0);
  if (me->phase == BEFORE) {
    const int blocks = 1 << me->failures;
    go(me, SET_BACKOFF);
    if (me->failures < w->backoff) me->failures++;
    for (int k = 0; k < blocks; k++) {
      me->block = (uint8_t)k;
      celi_moves_to(out, 1.0 / blocks, &next);
    }
    return;
  }
  me->phase = COUNT_DOWN;
  for (int k = 0; k < 16; k++) {
    me->slots = (uint8_t)k;
    celi_moves_to(out, 1.0 / 16, &next);
  }
}

/// A slot of the backoff is over.
static void count_down(Station *me) {
  if (me->slots > 0)
    me->slots--, me->clock = 0;
  else if (me->block > 0)
    me->block--, me->slots = 15, me->clock = 0;
  else
    go(me, ABOUT_TO_SEND);
}

/// The events of station i that are possible now, without the passage of time.
static void act(const Wlan *w, const State *s, int i, CeliMoves *out) {
  State next = *s;
  Station *me = &next.station[i];
  const bool busy = is_busy(s), waited = me->clock == DIFS || me->clock == DIFS - 1;
  switch (me->phase) {
  case SENSE:
    if (waited) {
      go(me, ABOUT_TO_SEND);
      celi_moves_step(out, 0, &next);
    }
    break;
  case BUSY:
    me->phase = BEFORE;
    if (!busy) celi_moves_step(out, 0, &next);
    return;
  case BEFORE:
    if (waited) draw(w, next, i, out);
    break;
  case SET_BACKOFF: draw(w, next, i, out); return;
  case COUNT_DOWN:
    if (me->clock == SLOT) {
      count_down(me);
      celi_moves_step(out, 0, &next);
    }
    break;
  case COUNT_BUSY:
    me->phase = RESUME;
    if (!busy) celi_moves_step(out, 0, &next);
    return;
  case RESUME:
    if (waited) {
      go(me, COUNT_DOWN);
      celi_moves_step(out, 0, &next);
    }
    break;
  case ABOUT_TO_SEND:
    if (me->clock != VULNERABLE && me->clock != VULNERABLE - 1) return;
    occupy(w, &next, i);
    go(me, SEND);
    celi_moves_step(out, 0, &next);
    return;
  case SEND:
    if (me->clock < SEND_LEAST) return;
    go(me, s->medium[i] == CLEAR ? WAIT_ACK : NO_ACK);
    next.medium[i] = SILENT;
    celi_moves_step(out, 0, &next);
    return;
  case WAIT_ACK:
    if (s->medium[i] == SILENT && me->clock == 0 && busy) {
      me->phase = BUSY;
      celi_moves_step(out, 0, &next);
    }
    if (s->medium[i] == SILENT && (me->clock == SIFS || (me->clock == SIFS - 1 && !busy))) {
      next = *s;
      occupy(w, &next, i); // the acknowledgment
      me->clock = 0;
      celi_moves_step(out, 0, &next);
    }
    if (s->medium[i] == CLEAR && (me->clock == ACK || me->clock == ACK - 1)) {
      next.medium[i] = SILENT;
      go(me, ACKNOWLEDGED);
      me->failures = 0;
      celi_moves_step(out, 0, &next);
    }
    return;
  case NO_ACK:
    if (me->clock == 0 && busy) {
      me->phase = BUSY;
      celi_moves_step(out, 0, &next);
    } else if (me->clock == ACK_TIMEOUT) {
      go(me, BEFORE);
      celi_moves_step(out, 0, &next);
    }
    return;
  default: return;
  }
  // The medium was found busy.
  if (!busy) return;
  next = *s;
  const int phase = s->station[i].phase;
  go(me, phase == SENSE || phase == BEFORE ? BUSY : COUNT_BUSY);
  celi_moves_step(out, 0, &next);
}

/// A unit of time passes for a station. Returns false if it must act first.
static bool pass(const Wlan *w, const State *s, int i, Station *me) {
  const bool busy = is_busy(s);
  bool runs = false; // its clock
  switch (me->phase) {
  case SENSE:
  case BEFORE:
  case RESUME: runs = me->clock < DIFS && !busy; break;
  case COUNT_DOWN: runs = me->clock < SLOT && !busy; break;
  case BUSY:
  case COUNT_BUSY: return busy;
  case ABOUT_TO_SEND: runs = me->clock < VULNERABLE; break;
  case SEND: runs = me->clock < w->send_time; break;
  case WAIT_ACK:
    runs =
        s->medium[i] == SILENT ? me->clock == 0 && !busy : s->medium[i] == CLEAR && me->clock < ACK;
    break;
  case NO_ACK: runs = me->clock == 0 ? !busy : me->clock < ACK_TIMEOUT; break;
  case ACKNOWLEDGED: return true;
  default: return false;
  }
  if (runs) me->clock++;
  return runs;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const State *s = state;
  State next = *s;
  for (int i = 0; i < 2; i++) act(what, s, i, out);
  if (pass(what, s, 0, &next.station[0]) && pass(what, s, 1, &next.station[1]))
    celi_moves_step(out, 1, &next);
}

static bool has(const void *what, const void *state, int label) {
  const State *s = state;
  const int sent = (s->station[0].phase == ACKNOWLEDGED) + (s->station[1].phase == ACKNOWLEDGED);
  const Wlan *w = what;
  return label == 0   ? sent == 2
         : label == 1 ? sent > 0
                      : w->collisions > 0 && s->collisions == w->collisions;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"sent", "one_sent", "collided", NULL};
  static const CeliExplore family = {"wlan", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_wlan = {
    .name = "wlan",
    .doc = "two stations of a wireless LAN send a message each, with backoff; has labels",
    .fields = fields,
    .config_size = sizeof(Wlan),
    .make = make,
    .max_episode_steps = 10000,
};
