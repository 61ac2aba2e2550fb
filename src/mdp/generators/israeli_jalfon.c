/// Israeli and Jalfon's self-stabilizing ring. N processes; some hold a token, at first all. An
/// adversary chooses a process with a token, which passes it to the left or to the right with
/// probability 1/2 each. Tokens that meet become one.
///
///     action   number of the chosen process among those with a token
///     reward   1 per step
///     labels   stable: exactly one token
///
/// Every policy gets to one token surely.
/// Source: Israeli, Jalfon, "Token management schemes and random walks yield self-stabilizing
/// mutual exclusion", PODC 1990.
#include "mdp/generators/explore.h"

typedef struct IsraeliJalfon {
  CeliMdpCommon common;
  int64_t processes;
} IsraeliJalfon;

#define GAMMA "0.99"
#define AT(member) offsetof(IsraeliJalfon, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "processes", .type = CEL_FIELD_INT, .offset = AT(processes), .def = "5", .min = 3,
     .max = 25,
     .doc = "number of processes N; there are 2^N - 1 states"},
    {0},
};
// clang-format on
#undef AT

static void start(const void *what, void *state) {
  *(uint32_t *)state = ((uint32_t)1 << ((const IsraeliJalfon *)what)->processes) - 1;
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const int64_t N = ((const IsraeliJalfon *)what)->processes;
  const uint32_t tokens = *(const uint32_t *)state;
  for (int64_t i = 0; i < N; i++) {
    if (!(tokens >> i & 1)) continue;
    const uint32_t others = tokens & ~((uint32_t)1 << i);
    const uint32_t left = others | (uint32_t)1 << (i + N - 1) % N;
    const uint32_t right = others | (uint32_t)1 << (i + 1) % N;
    celi_moves_choice(out, 1);
    celi_moves_to(out, 0.5, &left);
    celi_moves_to(out, 0.5, &right);
  }
}

static bool has(const void *what, const void *state, int label) {
  (void)what, (void)label;
  return __builtin_popcount(*(const uint32_t *)state) == 1;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"stable", NULL};
  static const CeliExplore family = {"israeli-jalfon", sizeof(uint32_t), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_israeli_jalfon = {
    .name = "israeli-jalfon",
    .doc = "an adversary moves tokens on a ring until one is left; has labels",
    .fields = fields,
    .config_size = sizeof(IsraeliJalfon),
    .make = make,
    .max_episode_steps = 10000,
};
