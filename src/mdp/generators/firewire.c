/// The root contention of IEEE 1394 (FireWire). Two nodes that both want the other to be the root
/// choose fast or slow waiting times at random and ask again. Signals travel on two wires with a
/// delay, and each wire holds at most two signals.
///
///     action   the next event among those that are possible; the last one is that time passes
///     reward   1 per unit of time, 10 nanoseconds
///     labels   elected: one node is the root and the other its child
///
/// Source: Stoelinga, Vaandrager, "Root contention in IEEE 1394", ARTS 1999; Kwiatkowska, Norman,
/// Sproston, "Probabilistic model checking of deadline properties in the IEEE 1394 FireWire root
/// contention protocol", Formal Aspects of Computing 2003; the benchmark firewire of PRISM.
#include "mdp/generators/explore.h"

typedef struct Firewire {
  CeliMdpCommon common;
  int64_t delay;
  double fast;
} Firewire;

#define GAMMA "0.999"
#define AT(member) offsetof(Firewire, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "delay", .type = CEL_FIELD_INT, .offset = AT(delay), .def = "3", .min = 1, .max = 100,
     .doc = "longest delay of a wire, in units of 10 nanoseconds"},
    {.name = "fast", .type = CEL_FIELD_DOUBLE, .offset = AT(fast), .def = "0.5", .min = 0.01,
     .max = 0.99,
     .doc = "probability that a node chooses the fast waiting time"},
    {0},
};
// clang-format on
#undef AT

enum { FAST_LEAST = 76, FAST_MOST = 85, SLOW_LEAST = 159, SLOW_MOST = 167 };
enum { REQUEST, ACKNOWLEDGE, SLEEP, SIGNALS }; ///< signals; `sleep` is called idle in the standard
enum { NONE = SIGNALS };                       ///< no signal
enum {
  CONTENTION,   ///< must choose, unless the other node sleeps first
  CONTENTION_S, ///< the same, when the other node sleeps
  WAIT_FAST,    ///< waits while the other one requests
  WAIT_SLOW,
  WAIT_FAST_S, ///< waits while the other one sleeps
  WAIT_SLOW_S,
  REQUESTED,
  ROOT,
  CHILD
}; // node

/// A wire holds `first`, which arrives next, and `last`, which was sent after it.
typedef struct Wire {
  uint8_t first, last;
  uint8_t since_first, since_last; ///< since the first and the last change
} Wire;

typedef struct Node {
  uint8_t phase, clock;
} Node;

typedef struct State {
  Wire wire[2]; ///< wire i carries the signals of node i
  Node node[2];
} State;

static void start(const void *what, void *state) {
  (void)what;
  State *s = state;
  for (int i = 0; i < 2; i++) s->wire[i] = (Wire){.first = NONE, .last = NONE};
}

/// Puts a signal on a wire. Returns false if there is no room.
static bool put(Wire *wire, uint8_t signal) {
  if (wire->first == NONE) {
    *wire = (Wire){.first = signal, .last = NONE};
    return true;
  }
  if (wire->last != NONE) return wire->last == signal;
  if (wire->first == signal) return true;
  wire->last = signal, wire->since_last = 0;
  return true;
}

/// Takes a signal from a wire. Returns false if it does not arrive next.
static bool take(Wire *wire, uint8_t signal) {
  if (wire->first != signal) return false;
  if (wire->last == NONE) {
    *wire = (Wire){.first = NONE, .last = NONE};
    return true;
  }
  wire->first = wire->last, wire->last = NONE;
  return true;
}

/// Returns false if a signal must arrive first.
static bool wire_passes(Wire *wire, int64_t delay) {
  if (wire->first == NONE) return true;
  if ((wire->last == NONE ? wire->since_last : wire->since_first) >= delay) return false;
  if (wire->since_first <= delay) wire->since_first++;
  if (wire->since_last <= delay) wire->since_last++;
  return true;
}

/// The phase after a signal arrives, or the same phase.
static int after(int phase, uint8_t signal) {
  if (signal == SLEEP)
    return phase == CONTENTION  ? CONTENTION_S
           : phase == WAIT_FAST ? WAIT_FAST_S
           : phase == WAIT_SLOW ? WAIT_SLOW_S
                                : phase;
  if (signal == ACKNOWLEDGE) return phase == REQUESTED ? CHILD : phase;
  return phase == CONTENTION_S  ? CONTENTION
         : phase == WAIT_FAST_S ? WAIT_FAST
         : phase == WAIT_SLOW_S ? WAIT_SLOW
         : phase == REQUESTED   ? CONTENTION
                                : phase;
}

static void send(const Firewire *f, const State *s, int i, CeliMoves *out) {
  State next = *s;
  Node *me = &next.node[i];
  const bool fast = me->phase == WAIT_FAST || me->phase == WAIT_FAST_S;
  if (me->phase == CONTENTION || me->phase == CONTENTION_S) {
    const bool sleeps = me->phase == CONTENTION_S;
    if (!put(&next.wire[i], SLEEP)) return;
    celi_moves_choice(out, 0);
    *me = (Node){.phase = sleeps ? WAIT_FAST_S : WAIT_FAST};
    celi_moves_to(out, f->fast, &next);
    *me = (Node){.phase = sleeps ? WAIT_SLOW_S : WAIT_SLOW};
    celi_moves_to(out, 1.0 - f->fast, &next);
    return;
  }
  if (me->phase < WAIT_FAST || me->phase > WAIT_SLOW_S) return;
  if (me->clock < (fast ? FAST_LEAST : SLOW_LEAST)) return;
  const bool sleeps = me->phase == WAIT_FAST_S || me->phase == WAIT_SLOW_S;
  if (!put(&next.wire[i], sleeps ? REQUEST : ACKNOWLEDGE)) return;
  *me = (Node){.phase = sleeps ? REQUESTED : ROOT};
  celi_moves_step(out, 0, &next);
}

static void receive(const State *s, int i, CeliMoves *out) {
  for (int signal = 0; signal < SIGNALS; signal++) {
    State next = *s;
    const int phase = after(s->node[i].phase, (uint8_t)signal);
    if (phase == s->node[i].phase || !take(&next.wire[1 - i], (uint8_t)signal)) continue;
    next.node[i].phase = (uint8_t)phase;
    celi_moves_step(out, 0, &next);
  }
}

static bool node_passes(Node *node) {
  switch (node->phase) {
  case CONTENTION:
  case CONTENTION_S: return false;
  case WAIT_FAST:
  case WAIT_FAST_S: return node->clock++ < FAST_MOST;
  case WAIT_SLOW:
  case WAIT_SLOW_S: return node->clock++ < SLOW_MOST;
  default: return true;
  }
}

static bool has(const void *what, const void *state, int label) {
  (void)what, (void)label;
  const Node *node = ((const State *)state)->node;
  return (node[0].phase == ROOT && node[1].phase == CHILD) ||
         (node[0].phase == CHILD && node[1].phase == ROOT);
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const Firewire *f = what;
  const State *s = state;
  State next = *s;
  bool passes = true;
  for (int i = 0; i < 2; i++) {
    send(f, s, i, out);
    receive(s, i, out);
    passes = passes && wire_passes(&next.wire[i], f->delay) && node_passes(&next.node[i]);
  }
  if (has(what, state, 0)) celi_moves_step(out, 0, s);
  if (passes) celi_moves_step(out, 1, &next);
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"elected", NULL};
  static const CeliExplore family = {"firewire", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_firewire = {
    .name = "firewire",
    .doc = "two nodes of a bus elect a root by random waiting times; has labels",
    .fields = fields,
    .config_size = sizeof(Firewire),
    .make = make,
    .max_episode_steps = 10000,
};
