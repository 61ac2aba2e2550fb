/// Inventory control: how much to order each month, before the demand is known. Unmet demand is
/// lost.
///
///     state   s = 0 to M: units in stock at the beginning of the month
///     action  a = 0 to M - s: units ordered, which arrive at once; u = s + a is for sale
///     demand  D with probabilities p_j, q_u = P(D >= u); Poisson, or binomial of n trials
///     next    p(s'|s,a) = p_{u-s'} for 0 < s' <= u, q_u for s' = 0
///     reward  r(s,a) = f E[min(D,u)] - (K + c a, if a > 0) - h u,  E[min(D,u)] = q_1 + ... + q_u
///             f: price, K: cost of an order, c: cost of a unit, h: cost of holding a unit a month
///
/// A Poisson demand is truncated where at most 1e-16 remains. An episode starts with an empty
/// stock. K = 4, c = 2, h = 1, f = 8, M = 3 and a binomial demand of mean 1 from 2 trials give the
/// example of 3.2.2, which Puterman solves for three months in 4.6.1.
/// Source: Puterman, "Markov Decision Processes" (1994), 3.2.
#include "mdp/generators/generators.h"
#include <math.h>
#include <stdlib.h>

typedef struct Inventory {
  CeliMdpCommon common;
  int64_t capacity;
  double price, fixed_cost, unit_cost, holding_cost;
  int32_t demand;
  double demand_mean;
  int64_t demand_max;
} Inventory;

enum { POISSON, BINOMIAL };

#define GAMMA "0.95"
#define AT(member) offsetof(Inventory, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "capacity", .type = CEL_FIELD_INT, .offset = AT(capacity), .def = "20", .min = 1,
     .max = 10000, .unit = "units",
     .doc = "M, largest number of units in stock"},
    {.name = "price", .type = CEL_FIELD_DOUBLE, .offset = AT(price), .def = "8", .min = -1e12,
     .max = 1e12,
     .doc = "f, price of a unit"},
    {.name = "fixed_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(fixed_cost), .def = "4",
     .min = -1e12, .max = 1e12,
     .doc = "K, cost of an order"},
    {.name = "unit_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(unit_cost), .def = "2",
     .min = -1e12, .max = 1e12,
     .doc = "c, cost of a unit ordered"},
    {.name = "holding_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(holding_cost), .def = "1",
     .min = -1e12, .max = 1e12,
     .doc = "h, cost of holding a unit for a month"},
    {.name = "demand", .type = CEL_FIELD_ENUM, .offset = AT(demand), .def = "poisson",
     .choices = "poisson|binomial",
     .doc = "distribution of the monthly demand"},
    {.name = "demand_mean", .type = CEL_FIELD_DOUBLE, .offset = AT(demand_mean), .def = "5",
     .min = 1e-6, .max = 1e6, .unit = "units",
     .doc = "mean demand"},
    {.name = "demand_max", .type = CEL_FIELD_INT, .offset = AT(demand_max), .def = "10", .min = 1,
     .max = 1e6, .unit = "units",
     .doc = "largest demand, if it is binomial"},
    {0},
};
// clang-format on
#undef AT

/// The MDP and its demand.
typedef struct Demand {
  const Inventory *c;
  int64_t n;    ///< largest demand + 1
  double *p;    ///< (n) p_j
  double *q;    ///< (capacity + 1) q_u
  double *sold; ///< (capacity + 1) E[min(D,u)]
} Demand;

static void sum_up(Demand *demand) {
  const int64_t M = demand->c->capacity;
  double tail = 0;
  for (int64_t j = demand->n - 1; j > M; j--) tail += demand->p[j];
  for (int64_t u = M; u >= 0; u--) demand->q[u] = tail += u < demand->n ? demand->p[u] : 0;
  demand->sold[0] = 0;
  for (int64_t u = 1; u <= M; u++) demand->sold[u] = demand->sold[u - 1] + demand->q[u];
}

static CelStatus add_pair(CelMdpBuilder *builder, const Demand *demand, int64_t s, int64_t a) {
  const Inventory *c = demand->c;
  const int64_t u = s + a;
  const double order = a > 0 ? c->fixed_cost + c->unit_cost * (double)a : 0;
  CELI_TRY(cel_mdp_pair(builder, s, a,
                        c->price * demand->sold[u] - order - c->holding_cost * (double)u));
  CELI_TRY(cel_mdp_transition(builder, 0, demand->q[u], 0, false));
  for (int64_t j = u < demand->n ? u - 1 : demand->n - 1; j >= 0; j--) {
    CELI_TRY(cel_mdp_transition(builder, u - j, demand->p[j], 0, false));
  }
  return CEL_OK;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  const Demand *demand = what;
  const int64_t M = demand->c->capacity;
  for (int64_t s = 0; s <= M; s++) {
    for (int64_t a = 0; a <= M - s; a++) CELI_TRY(add_pair(builder, demand, s, a));
  }
  return cel_mdp_start(builder, 0, 1);
}

/// Allocates and fills in the demand.
static CelStatus make_demand(Demand *demand) {
  const Inventory *c = demand->c;
  const size_t M = (size_t)c->capacity;
  const double mean = c->demand_mean;
  demand->n = c->demand == BINOMIAL ? c->demand_max + 1
                                    // the rest is below 1e-30
                                    : (int64_t)(mean + 12 * sqrt(mean)) + 40;
  CELI_TRY(celi_alloc(&demand->p, (size_t)demand->n, sizeof *demand->p, "demand"));
  CELI_TRY(celi_alloc(&demand->q, M + 1, sizeof *demand->q, "demand"));
  CELI_TRY(celi_alloc(&demand->sold, M + 1, sizeof *demand->sold, "demand"));
  if (c->demand == BINOMIAL) {
    celi_mdp_binomial(demand->p, demand->n, mean / (double)c->demand_max);
  } else {
    demand->n = celi_mdp_poisson(demand->p, demand->n, mean);
  }
  sum_up(demand);
  return CEL_OK;
}

static CelStatus make(CelMdp **out, const void *config) {
  const Inventory *c = config;
  if (c->demand == BINOMIAL && c->demand_mean > (double)c->demand_max) {
    return cel_fail(CEL_E_RANGE,
                    "demand_mean: %g is out of range; it must be at most demand_max, which is %lld",
                    c->demand_mean, (long long)c->demand_max);
  }
  Demand demand = {.c = c};
  CelStatus status = make_demand(&demand);
  if (status == CEL_OK) {
    status = celi_mdp_make(out, "inventory", c->capacity + 1, &c->common, fill, &demand);
  }
  free(demand.sold);
  free(demand.q);
  free(demand.p);
  return status;
}

const CelMdpGenerator celi_mdp_inventory = {
    .name = "inventory",
    .doc = "choose how much to order each month to meet random demand",
    .fields = fields,
    .config_size = sizeof(Inventory),
    .make = make,
    .max_episode_steps = 1000,
};
