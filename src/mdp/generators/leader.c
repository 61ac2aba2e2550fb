/// Asynchronous leader election in a ring by Itai and Rodeh. An adversary decides which process
/// moves or which message is delivered next.
///
/// An active process flips a coin and sends it to its right neighbor. It becomes inactive if it
/// chose 0 and its left neighbor sent 1. Inactive processes pass coins on. Then the active ones
/// send counters, which inactive ones pass on plus 1. An active process whose own counter comes
/// back as N - 1 is alone and becomes the leader. Otherwise it flips again.
///
///     reward   1 when process 0 sends a counter, so about 1 per round
///     labels   elected: some process is the leader
///
/// Every policy elects a leader surely.
/// Source: Itai, Rodeh, "Symmetry breaking in distributed networks", 1990.
#include "mdp/generators/explore.h"

enum { MOST = 10 }; ///< processes

typedef struct Leader {
  CeliMdpCommon common;
  int64_t processes;
} Leader;

#define GAMMA "0.99"
#define AT(member) offsetof(Leader, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "processes", .type = CEL_FIELD_INT, .offset = AT(processes), .def = "3", .min = 3,
     .max = 10,
     .doc = "number of processes N; 7 give 2,095,783 states"},
    {0},
};
// clang-format on
#undef AT

enum { FLIP, FLIPPED, ACTIVE, INACTIVE, LEADER }; // phase
enum { NOTHING, COIN, COUNTER };                  // sent, received

typedef struct Process {
  uint8_t phase, coin, counter, sent, received;
} Process;

typedef struct State {
  Process process[MOST];
} State;

static void reset(Process *p, int phase) {
  *p = (Process){.phase = (uint8_t)phase};
}

static void start(const void *what, void *state) {
  (void)what, (void)state;
}

/// Process i sends its coin. Returns false if it cannot.
static bool send_coin(Process *p) {
  if (p->sent != NOTHING) return false;
  if (p->phase == INACTIVE && p->received == NOTHING) return false;
  if (p->phase != FLIPPED && p->phase != ACTIVE && p->phase != INACTIVE) return false;
  p->sent = COIN;
  if (p->phase != FLIPPED) p->coin = 0; // no longer needed
  return true;
}

static bool receive_coin(Process *p, uint8_t coin) {
  if (p->received != NOTHING || (p->phase != FLIPPED && p->phase != INACTIVE)) return false;
  p->received = COIN;
  if (p->phase == INACTIVE)
    p->coin = coin;
  else
    p->phase = p->coin == 0 && coin == 1 ? INACTIVE : ACTIVE;
  return true;
}

static bool send_counter(Process *p) {
  if (p->sent != COIN) return false;
  if (p->phase == ACTIVE && p->received == COIN)
    p->sent = COUNTER;
  else if (p->phase == ACTIVE && p->received == COUNTER)
    reset(p, FLIP);
  else if (p->phase == INACTIVE && p->received == COUNTER)
    reset(p, INACTIVE);
  else
    return false;
  return true;
}

static bool receive_counter(Process *p, uint8_t counter, int64_t N) {
  if (p->received != COIN) return false;
  if (p->phase == ACTIVE && p->sent != COUNTER) {
    p->received = COUNTER; // sends its own later
  } else if (p->phase == ACTIVE) {
    reset(p, counter == N - 1 ? LEADER : FLIP);
  } else if (p->phase == INACTIVE && counter < N - 1) {
    p->counter = (uint8_t)(counter + 1);
    p->received = COUNTER;
  } else {
    return false;
  }
  return true;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const int64_t N = ((const Leader *)what)->processes;
  const State *s = state;
  bool done = true;
  for (int64_t i = 0; i < N; i++) {
    const int64_t right = (i + 1) % N;
    const Process *from = &s->process[i];
    done &= from->phase == INACTIVE || from->phase == LEADER;
    if (from->phase == FLIP) {
      celi_moves_choice(out, 0);
      for (uint8_t coin = 0; coin < 2; coin++) {
        State next = *s;
        next.process[i].phase = FLIPPED, next.process[i].coin = coin;
        celi_moves_to(out, 0.5, &next);
      }
    }
    State next = *s;
    if (send_coin(&next.process[i]) && receive_coin(&next.process[right], from->coin))
      celi_moves_step(out, 0, &next);
    next = *s;
    if (send_counter(&next.process[i]) && receive_counter(&next.process[right], from->counter, N))
      celi_moves_step(out, i == 0, &next);
  }
  if (done) celi_moves_step(out, 0, s);
}

static bool has(const void *what, const void *state, int label) {
  (void)label;
  for (int64_t i = 0; i < ((const Leader *)what)->processes; i++)
    if (((const State *)state)->process[i].phase == LEADER) return true;
  return false;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"elected", NULL};
  static const CeliExplore family = {"leader", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_leader = {
    .name = "leader",
    .doc = "processes in a ring elect a leader by coins, against an adversary; has labels",
    .fields = fields,
    .config_size = sizeof(Leader),
    .make = make,
    .max_episode_steps = 10000,
};
