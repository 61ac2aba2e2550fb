/// Synchronous leader election in a ring by Itai and Rodeh. In a round, each of N processes picks a
/// number below K, and the numbers travel around the ring. If some number was picked once, its
/// process is the leader. Otherwise there is another round.
///
///     reward   1 per round
///     labels   elected: a leader is elected
///
/// The expected number of rounds is 1 over the probability that some number is picked once.
/// Source: Itai, Rodeh, "Symmetry breaking in distributed networks", 1990.
#include "mdp/generators/explore.h"
#include <string.h>

enum { MOST = 10 }; ///< processes

typedef struct LeaderSync {
  CeliMdpCommon common;
  int64_t processes, numbers;
} LeaderSync;

#define GAMMA "0.99"
#define AT(member) offsetof(LeaderSync, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "processes", .type = CEL_FIELD_INT, .offset = AT(processes), .def = "3", .min = 3,
     .max = 10,
     .doc = "number of processes N"},
    {.name = "numbers", .type = CEL_FIELD_INT, .offset = AT(numbers), .def = "2", .min = 2,
     .max = 100,
     .doc = "K, how many numbers a process can pick; a round has K^N outcomes"},
    {0},
};
// clang-format on
#undef AT

enum { PICK, READ, DECIDE, FINISHED }; // phase, the same for all processes

typedef struct State {
  uint8_t phase, read; ///< read: numbers that each process has read, its own included
  uint8_t unique[MOST], sent[MOST], picked[MOST];
} State;

static void start(const void *what, void *state) {
  (void)what;
  ((State *)state)->read = 1;
}

/// Adds the outcomes in which process i and later ones pick.
static void pick(const LeaderSync *l, State *next, int64_t i, double p, CeliMoves *out) {
  if (i == l->processes) {
    celi_moves_to(out, p, next);
    return;
  }
  for (int64_t number = 0; number < l->numbers; number++) {
    next->unique[i] = 1;
    next->sent[i] = next->picked[i] = (uint8_t)number;
    pick(l, next, i + 1, p, out);
  }
}

/// Every process reads what its right neighbor sends, and sends that next.
static void read(const LeaderSync *l, const State *s, State *next) {
  const bool last = s->read == l->processes - 1;
  for (int64_t i = 0; i < l->processes; i++) {
    const uint8_t heard = s->sent[(i + 1) % l->processes];
    next->unique[i] = s->unique[i] && s->picked[i] != heard;
    next->sent[i] = last ? 0 : heard;
    // The published model keeps the number in the last step if it is no longer needed.
    if (last == (s->unique[i] != 0)) next->picked[i] = 0;
  }
  if (last)
    next->phase = DECIDE;
  else
    next->read++;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const LeaderSync *l = what;
  const State *s = state;
  State next = *s;
  double outcomes = 1.0;
  bool unique = false;
  switch (s->phase) {
  case PICK:
    for (int64_t i = 0; i < l->processes; i++) outcomes *= (double)l->numbers;
    next.phase = READ;
    celi_moves_choice(out, 1);
    pick(l, &next, 0, 1.0 / outcomes, out);
    return;
  case READ:
    read(l, s, &next);
    celi_moves_step(out, 0, &next);
    return;
  case DECIDE:
    for (int64_t i = 0; i < l->processes; i++) unique |= s->unique[i] != 0;
    memset(next.unique, 0, sizeof next.unique);
    memset(next.picked, 0, sizeof next.picked);
    next.phase = unique ? FINISHED : PICK;
    if (!unique) next.read = 1;
    celi_moves_step(out, 0, &next);
    return;
  default: return;
  }
}

static bool has(const void *what, const void *state, int label) {
  (void)what, (void)label;
  return ((const State *)state)->phase == FINISHED;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"elected", NULL};
  static const CeliExplore family = {"leader-sync", sizeof(State), start, moves, labels, has};
  const LeaderSync *l = config;
  double outcomes = 1.0;
  for (int64_t i = 0; i < l->processes; i++) outcomes *= (double)l->numbers;
  if (outcomes > 1e8)
    return cel_fail(CEL_E_RANGE,
                    "%lld processes with %lld numbers have %.3g outcomes a round; at most 1e8 are "
                    "supported",
                    (long long)l->processes, (long long)l->numbers, outcomes);
  return celi_mdp_explore(out, &l->common, &family, config);
}

const CelMdpGenerator celi_mdp_leader_sync = {
    .name = "leader-sync",
    .doc = "processes in a ring elect a leader in rounds; a Markov chain",
    .fields = fields,
    .config_size = sizeof(LeaderSync),
    .make = make,
    .max_episode_steps = 10000,
};
