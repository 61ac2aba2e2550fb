/// Machine replacement: a machine wears out. Keep it for another period, or replace it by a new
/// one.
///
///     state   s = 0 (new) to N - 1 (worst) at the beginning of a period
///     action  0: keep, 1: replace
///     wear    the condition worsens by i in a period with probability
///             p(i) = C(n,i) w^i (1-w)^(n-i), for n shocks of probability w; N - 1 is the worst
///     next    p(s'|s,keep) = p(s' - s) for s' < N - 1, and the rest for N - 1
///             p(s'|s,replace) = p(s'|0,keep)
///     reward  r(s,keep) = R - h s;  r(s,replace) = R - K
///             R: income per period, h: operating cost by condition, K: replacement cost (a new
///             machine has operating cost h 0 = 0)
///
/// Wear happens at the end of each period, so a replaced machine may be worn at the start of the
/// next one. The operating cost increases with s, and wear only increases s. So there is an optimal
/// policy that replaces from some condition on.
/// Source: Puterman, "Markov Decision Processes" (1994), 3.3 and 4.7.5.
#include "mdp/generators/generators.h"
#include <stdlib.h>

typedef struct Replacement {
  CeliMdpCommon common;
  int64_t states, shocks;
  double wear, income, operating_cost, replacement_cost;
} Replacement;

#define GAMMA "0.95"
#define AT(member) offsetof(Replacement, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "states", .type = CEL_FIELD_INT, .offset = AT(states), .def = "20", .min = 2,
     .max = 1e8,
     .doc = "N, conditions of the machine"},
    {.name = "shocks", .type = CEL_FIELD_INT, .offset = AT(shocks), .def = "3", .min = 1,
     .max = 1e4,
     .doc = "n, largest wear in one period"},
    {.name = "wear", .type = CEL_FIELD_DOUBLE, .offset = AT(wear), .def = "0.3", .min = 0, .max = 1,
     .doc = "w, probability of a shock"},
    {.name = "income", .type = CEL_FIELD_DOUBLE, .offset = AT(income), .def = "0", .min = -1e12,
     .max = 1e12,
     .doc = "R, income per period"},
    {.name = "operating_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(operating_cost), .def = "1",
     .min = 0, .max = 1e12,
     .doc = "h, additional operating cost of each condition"},
    {.name = "replacement_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(replacement_cost),
     .def = "15", .min = 0, .max = 1e12,
     .doc = "K, cost of a new machine"},
    {0},
};
// clang-format on
#undef AT

/// The MDP and p(i), (shocks + 1).
typedef struct Wear {
  const Replacement *c;
  double *pmf;
} Wear;

/// Adds a pair whose machine is in condition `from` before the wear.
static CelStatus add_pair(CelMdpBuilder *builder, const Wear *wear, int64_t s, int a, int64_t from,
                          double reward) {
  const int64_t worst = wear->c->states - 1;
  CELI_TRY(cel_mdp_pair(builder, s, a, reward));
  for (int64_t i = 0; i <= wear->c->shocks; i++) {
    const int64_t next = from + i < worst ? from + i : worst;
    CELI_TRY(cel_mdp_transition(builder, next, wear->pmf[i], 0, false));
  }
  return CEL_OK;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Wear *wear = what;
  const Replacement *c = wear->c;
  for (int64_t s = 0; s < c->states; s++) {
    CELI_TRY(add_pair(builder, wear, s, 0, s, c->income - c->operating_cost * (double)s));
    CELI_TRY(add_pair(builder, wear, s, 1, 0, c->income - c->replacement_cost));
  }
  return cel_mdp_start(builder, 0, 1);
}

static CelStatus make(CelMdp **out, const void *config) {
  const Replacement *c = config;
  Wear wear = {.c = c};
  const size_t n = (size_t)c->shocks + 1;
  CELI_TRY(celi_alloc(&wear.pmf, n, sizeof *wear.pmf, "wear of a machine"));
  celi_mdp_binomial(wear.pmf, (int64_t)n, c->wear);
  const CelStatus status = celi_mdp_make(out, "replacement", c->states, &c->common, fill, &wear);
  free(wear.pmf);
  return status;
}

const CelMdpGenerator celi_mdp_replacement = {
    .name = "replacement",
    .doc = "keep a machine that wears out, or replace it",
    .fields = fields,
    .config_size = sizeof(Replacement),
    .make = make,
    .max_episode_steps = 1000,
};
