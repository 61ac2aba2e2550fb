/// Herman's self-stabilizing ring. N processes, N odd, hold one bit each. A process whose bit
/// equals that of its left neighbor has a token. All processes move at once: with a token, the new
/// bit is random; without, it is the neighbor's bit. So tokens stay or move on, and meet in pairs.
///
///     reward   1 per step
///     labels   stable: exactly one token
///     start    all: all bits are 0, so that every process has a token; three: three tokens at
///              equal distances, which is the slowest start if N is a multiple of 3: 4 N^2 / 27
///              steps
///
/// Source: Herman, "Probabilistic self-stabilization", 1990; Bruna, Grigore, Kiefer, Ouaknine,
/// Worrell, "Proving the Herman-protocol conjecture", ICALP 2016.
#include "mdp/generators/explore.h"

typedef struct Herman {
  CeliMdpCommon common;
  int64_t processes;
  int start;
} Herman;

enum { START_ALL, START_THREE };

#define GAMMA "0.99"
#define AT(member) offsetof(Herman, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "processes", .type = CEL_FIELD_INT, .offset = AT(processes), .def = "5", .min = 3,
     .max = 25,
     .doc = "number of processes N; must be odd"},
    {.name = "start", .type = CEL_FIELD_ENUM, .offset = AT(start), .def = "all",
     .choices = "all|three",
     .doc = "tokens of the first state: all processes, or three at equal distances"},
    {0},
};
// clang-format on
#undef AT

static uint32_t left_of(uint32_t x, int64_t N) {
  return ((x << 1) | (x >> (N - 1))) & (((uint32_t)1 << N) - 1);
}
static uint32_t tokens(uint32_t x, int64_t N) {
  return ~(x ^ left_of(x, N)) & (((uint32_t)1 << N) - 1);
}

static void start(const void *what, void *state) {
  const Herman *h = what;
  uint32_t x = 0, bit = 0;
  for (int64_t i = 1; h->start == START_THREE && i < h->processes; i++) {
    if (i % (h->processes / 3) != 0) bit = !bit; // no token
    x |= bit << i;
  }
  *(uint32_t *)state = x;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const int64_t N = ((const Herman *)what)->processes;
  const uint32_t x = *(const uint32_t *)state, random = tokens(x, N),
                 rest = left_of(x, N) & ~random;
  const double p = 1.0 / (double)((uint32_t)1 << __builtin_popcount(random));
  celi_moves_choice(out, 1);
  uint32_t bits = random;
  for (;;) { // all subsets of `random`
    const uint32_t next = rest | bits;
    celi_moves_to(out, p, &next);
    if (bits == 0) return;
    bits = (bits - 1) & random;
  }
}

static bool has(const void *what, const void *state, int label) {
  (void)label;
  return __builtin_popcount(tokens(*(const uint32_t *)state, ((const Herman *)what)->processes)) ==
         1;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"stable", NULL};
  static const CeliExplore family = {"herman", sizeof(uint32_t), start, moves, labels, has};
  const Herman *h = config;
  if (h->processes % 2 == 0)
    return cel_fail(CEL_E_RANGE, "processes is %lld; it must be odd", (long long)h->processes);
  if (h->start == START_THREE && h->processes % 3 != 0)
    return cel_fail(CEL_E_RANGE, "processes is %lld; three tokens need a multiple of 3",
                    (long long)h->processes);
  return celi_mdp_explore(out, &h->common, &family, config);
}

const CelMdpGenerator celi_mdp_herman = {
    .name = "herman",
    .doc = "tokens on a ring meet in pairs until one is left; a Markov chain",
    .fields = fields,
    .config_size = sizeof(Herman),
    .make = make,
    .max_episode_steps = 10000,
};
