/// Multiplexing of an unreliable NAND gate by von Neumann. A bundle has N wires, which all carry
/// the same bit up to errors. A stage feeds N gates with the wires of two copies of the bundle, in
/// a random order. There are 2 K + 1 stages. Each input of the first stage is 1 with probability
/// 0.9. Each gate gives the wrong output with probability 0.02.
///
///     reward   at the end, the fraction of wires that carry a 1
///     labels   end: all stages are done; reliable: less than a tenth of the wires carry a 1
///
/// Source: von Neumann, "Probabilistic logics and the synthesis of reliable organisms from
/// unreliable components", 1956; Norman, Parker, Kwiatkowska, Shukla, "Evaluating the reliability
/// of NAND multiplexing with PRISM", 2005.
#include "mdp/generators/explore.h"

typedef struct Nand {
  CeliMdpCommon common;
  int64_t wires, stages;
} Nand;

#define GAMMA "0.999"
#define AT(member) offsetof(Nand, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "wires", .type = CEL_FIELD_INT, .offset = AT(wires), .def = "5", .min = 1, .max = 250,
     .doc = "number of wires N of a bundle"},
    {.name = "stages", .type = CEL_FIELD_INT, .offset = AT(stages), .def = "1", .min = 1,
     .max = 100,
     .doc = "K; there are 2 K + 1 stages"},
    {0},
};
// clang-format on
#undef AT

enum { NEXT, FIRST_INPUT, SECOND_INPUT, GATE, END }; // phase

typedef struct State {
  uint8_t stage, done, phase; ///< done: gates of this stage that were computed
  uint8_t ones;               ///< outputs of this stage that are 1
  uint8_t left_x, left_y;     ///< inputs that are 1 and not used yet, of each copy
  uint8_t x, y;
} State;

static void start(const void *what, void *state) {
  (void)what;
  ((State *)state)->stage = 1;
}

static void next_gate(const Nand *n, const State *s, CeliMoves *out) {
  State next = *s;
  if (s->done < n->wires) {
    next.phase = FIRST_INPUT;
    celi_moves_step(out, 0, &next);
  } else if (s->stage < 2 * n->stages + 1) {
    next = (State){.stage = (uint8_t)(s->stage + 1),
                   .phase = FIRST_INPUT,
                   .left_x = s->ones,
                   .left_y = s->ones};
    celi_moves_step(out, 0, &next);
  } else {
    next.phase = END, next.left_x = next.left_y = 0;
    celi_moves_step(out, (double)s->ones / (double)n->wires, &next);
  }
}

/// The inputs of the second copy are in a random order.
static void take_input(const Nand *n, const State *s, CeliMoves *out) {
  const bool first = s->phase == FIRST_INPUT;
  const double all = (double)(n->wires - s->done), ones = s->left_y;
  double p[2]; // of 0 and of 1
  if (s->stage == 1)
    p[0] = 0.1, p[1] = 0.9;
  else if (first)
    p[0] = s->left_x == 0, p[1] = s->left_x > 0;
  else
    p[0] = (all - ones) / all, p[1] = ones / all;
  celi_moves_choice(out, 0);
  for (uint8_t bit = 0; bit < 2; bit++) {
    State next = *s;
    if (p[bit] <= 0.0) continue;
    next.phase++;
    *(first ? &next.x : &next.y) = bit;
    if (s->stage > 1 && bit) --*(first ? &next.left_x : &next.left_y);
    celi_moves_to(out, p[bit], &next);
  }
}

static void use_gate(const State *s, CeliMoves *out) {
  const int both = s->x && s->y;
  State next = *s;
  next.phase = NEXT, next.done++, next.x = next.y = 0;
  celi_moves_choice(out, 0);
  next.ones = (uint8_t)(s->ones + !both);
  celi_moves_to(out, 0.98, &next);
  next.ones = (uint8_t)(s->ones + both);
  celi_moves_to(out, 0.02, &next);
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  const State *s = state;
  switch (s->phase) {
  case NEXT: next_gate(what, s, out); return;
  case FIRST_INPUT:
  case SECOND_INPUT: take_input(what, s, out); return;
  case GATE: use_gate(s, out); return;
  default: return;
  }
}

static bool has(const void *what, const void *state, int label) {
  const State *s = state;
  return s->phase == END && (label == 0 || 10 * s->ones < ((const Nand *)what)->wires);
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"end", "reliable", NULL};
  static const CeliExplore family = {"nand", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_nand = {
    .name = "nand",
    .doc = "a bundle of wires through stages of unreliable gates; a Markov chain without cycles",
    .fields = fields,
    .config_size = sizeof(Nand),
    .make = make,
    .max_episode_steps = 0,
};
