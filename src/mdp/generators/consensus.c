/// Randomized consensus by a shared coin. N processes must agree on a bit. An adversary decides
/// which process moves next.
///
///     counter  0 to 2 (K + 1) N, shared; starts in the middle
///     process  pc 0: flips its coin; 1: adds 1 to the counter for heads (coin 1), subtracts 1 for
///              tails, and forgets the coin; 2: looks at the counter: at most N: decides 0, at
///              least 2 (K + 1) N - N: decides 1, otherwise flips again; 3: has decided
///     action   the process that moves; when all have decided, action 0 stays
///     reward   1 per step
///     labels   finished: all have decided; all_coins_equal_0, all_coins_equal_1; agree: either
///
/// Only reachable states exist, in the order of a breadth-first search from the start. Known exact
/// values: the largest probability of `finished & !agree` is 13/120 for N = K = 2 and
/// 852021/2097152 for N = K = 4.
/// Source: Aspnes, Herlihy, "Fast randomized consensus using shared memory", J. Algorithms 1990;
/// Kwiatkowska, Norman, Segala, "Automated verification of a randomized distributed consensus
/// protocol using Cadence SMV and PRISM", CAV 2001.
#include "mdp/generators/generators.h"
#include <stdlib.h>
#include <string.h>

typedef struct Consensus {
  CeliMdpCommon common;
  int64_t processes, rounds;
} Consensus;

#define GAMMA "0.99"
#define AT(member) offsetof(Consensus, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "processes", .type = CEL_FIELD_INT, .offset = AT(processes), .def = "2", .min = 2,
     .max = 8,
     .doc = "number of processes N"},
    {.name = "rounds", .type = CEL_FIELD_INT, .offset = AT(rounds), .def = "2", .min = 1,
     .max = 100,
     .doc = "K, which bounds the counter: higher values make disagreement less likely and runs "
            "longer"},
    {0},
};
// clang-format on
#undef AT

enum { FLIP, COUNT, LOOK, DECIDED }; // pc
enum { LABELS = 4 };

/// A state as one number: counter, then 3 bits (pc, coin) for each process.
typedef struct Search {
  int64_t N, range, low, high;
  uint32_t *number; ///< state of each code, or UINT32_MAX
  uint32_t *code;   ///< (capacity) code of each state
  int64_t states, capacity;
} Search;

static int pc_of(uint32_t code, int64_t i) {
  return (int)(code >> (3 * i + 1) & 3);
}
static int coin_of(uint32_t code, int64_t i) {
  return (int)(code >> (3 * i) & 1);
}
static int64_t counter_of(const Search *search, uint32_t code) {
  return code >> (3 * search->N);
}
static uint32_t with_process(uint32_t code, int64_t i, int pc, int coin) {
  const uint32_t bits = (uint32_t)(pc << 1 | coin);
  return (code & ~(7u << (3 * i))) | bits << (3 * i);
}

/// The states after a move of process i. Returns their number; two are equally likely. 0: it cannot
/// move.
static int moves(const Search *search, uint32_t code, int64_t i, uint32_t next[2]) {
  const int64_t counter = counter_of(search, code);
  const uint32_t one = 1u << (3 * search->N);
  switch (pc_of(code, i)) {
  case FLIP:
    next[0] = with_process(code, i, COUNT, 0), next[1] = with_process(code, i, COUNT, 1);
    return 2;
  case COUNT:
    if (coin_of(code, i) ? counter >= search->range : counter <= 0) return 0;
    next[0] = with_process(coin_of(code, i) ? code + one : code - one, i, LOOK, 0);
    return 1;
  case LOOK:
    next[0] = counter <= search->low    ? with_process(code, i, DECIDED, 0)
              : counter >= search->high ? with_process(code, i, DECIDED, 1)
                                        : with_process(code, i, FLIP, coin_of(code, i));
    return 1;
  default: return 0;
  }
}

static CelStatus visit(Search *search, uint32_t code) {
  if (search->number[code] != UINT32_MAX) return CEL_OK;
  if (search->states == search->capacity) {
    const int64_t capacity = search->capacity + search->capacity / 2 + 1024;
    CELI_TRY(celi_resize(&search->code, (size_t)capacity, sizeof *search->code, "states"));
    search->capacity = capacity;
  }
  search->number[code] = (uint32_t)search->states;
  search->code[search->states++] = code;
  return CEL_OK;
}

/// Finds all reachable states.
static CelStatus explore(Search *search) {
  const size_t codes = (size_t)(search->range + 1) << (3 * search->N);
  if (codes > UINT32_MAX)
    return cel_fail(CEL_E_RANGE, "%lld processes with %lld values of the counter are too many",
                    (long long)search->N, (long long)search->range + 1);
  CELI_TRY(celi_alloc(&search->number, codes, sizeof *search->number, "states"));
  memset(search->number, 0xff, codes * sizeof *search->number);
  CELI_TRY(visit(search, (uint32_t)(search->range / 2) << (3 * search->N)));
  for (int64_t s = 0; s < search->states; s++) {
    for (int64_t i = 0; i < search->N; i++) {
      uint32_t next[2];
      const int n = moves(search, search->code[s], i, next);
      for (int k = 0; k < n; k++) CELI_TRY(visit(search, next[k]));
    }
  }
  return CEL_OK;
}

static CelStatus add_state(CelMdpBuilder *builder, const Search *search, int64_t s) {
  bool moved = false;
  for (int64_t i = 0; i < search->N; i++) {
    uint32_t next[2];
    const int n = moves(search, search->code[s], i, next);
    if (n == 0) continue;
    moved = true;
    CELI_TRY(cel_mdp_pair(builder, s, i, 1));
    for (int k = 0; k < n; k++)
      CELI_TRY(cel_mdp_transition(builder, search->number[next[k]], 1.0 / n, 0, false));
  }
  if (moved) return CEL_OK;
  CELI_TRY(cel_mdp_pair(builder, s, 0, 1)); // all have decided
  return cel_mdp_transition(builder, s, 1, 0, false);
}

static bool has_label(const Search *search, uint32_t code, int label) {
  bool finished = true, heads = true, tails = true;
  for (int64_t i = 0; i < search->N; i++) {
    finished &= pc_of(code, i) == DECIDED;
    heads &= coin_of(code, i) == 1, tails &= coin_of(code, i) == 0;
  }
  return label == 0 ? finished : label == 1 ? tails : label == 2 ? heads : heads || tails;
}

static CelStatus add_labels(CelMdpBuilder *builder, const Search *search) {
  static const char *const names[LABELS] = {"finished", "all_coins_equal_0", "all_coins_equal_1",
                                            "agree"};
  uint8_t *in = NULL;
  CELI_TRY(celi_alloc(&in, (size_t)search->states, 1, "labels"));
  CelStatus status = CEL_OK;
  for (int label = 0; label < LABELS && status == CEL_OK; label++) {
    for (int64_t s = 0; s < search->states; s++) in[s] = has_label(search, search->code[s], label);
    status = cel_mdp_label(builder, names[label], in);
  }
  free(in);
  return status;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Search *search = what;
  for (int64_t s = 0; s < search->states; s++) CELI_TRY(add_state(builder, search, s));
  CELI_TRY(add_labels(builder, search));
  return cel_mdp_start(builder, 0, 1);
}

static CelStatus make(CelMdp **out, const void *config) {
  const Consensus *c = config;
  const int64_t N = c->processes, range = 2 * (c->rounds + 1) * N;
  Search search = {.N = N, .range = range, .low = N, .high = range - N};
  CelStatus status = explore(&search);
  if (status == CEL_OK)
    status = celi_mdp_make(out, "consensus", search.states, &c->common, fill, &search);
  free(search.number), free(search.code);
  return status;
}

const CelMdpGenerator celi_mdp_consensus = {
    .name = "consensus",
    .doc = "processes agree by a shared random coin, against an adversary; has labels",
    .fields = fields,
    .config_size = sizeof(Consensus),
    .make = make,
    .max_episode_steps = 10000,
};
