/// What the generators of finite problems share: the fields that all of them take, one way of building.
///
/// A generator is a config struct that begins with a CeliMdpCommon, a field table, and a function that says the
/// problem to a builder; its line in registry.c makes it known.
#ifndef CELI_MDP_GENERATORS_H
#define CELI_MDP_GENERATORS_H
#include "base/base.h"
#include "celsius/mdp.h"

extern const CelMdpGenerator celi_mdp_garnet;
extern const CelMdpGenerator celi_mdp_grid;
extern const CelMdpGenerator celi_mdp_frozenlake_4x4;
extern const CelMdpGenerator celi_mdp_frozenlake_8x8;
extern const CelMdpGenerator celi_mdp_frozenlake;
extern const CelMdpGenerator celi_mdp_taxi;
extern const CelMdpGenerator celi_mdp_cliffwalking;
extern const CelMdpGenerator celi_mdp_replacement;
extern const CelMdpGenerator celi_mdp_inventory;

/// The first member of every generator's config.
typedef struct CeliMdpCommon {
  double gamma;
  int64_t horizon;
} CeliMdpCommon;

/// The first rows of every generator's table; the config begins with a CeliMdpCommon.
// clang-format off
#define CELI_MDP_COMMON_FIELDS(gamma_default)                                                      \
  {"gamma", CEL_FIELD_DOUBLE, offsetof(CeliMdpCommon, gamma), gamma_default, 0, 1, "", NULL, NULL, \
   "discount; 1 only with a horizon", ""},                                                         \
  {"horizon", CEL_FIELD_INT, offsetof(CeliMdpCommon, horizon), "0", 0, 1e9, "steps", NULL, NULL,   \
   "steps of an episode, on which values and policies then depend; 0: infinite", ""}
// clang-format on

/// What a stream of random numbers is for; the index of CEL_RNG_MDP.
enum { CELI_MDP_RNG_LAYOUT, CELI_MDP_RNG_REWARD, CELI_MDP_RNG_TRANSITION };

/// Says the whole problem to an empty builder: pairs, transitions, start, grid.
typedef CelStatus CeliMdpFill(CelMdpBuilder *builder, const void *what);
/// Builder, `fill`, name, build. Errors: the builder's and fill's.
CelStatus celi_mdp_make(CelMdp **out, const char *name, int64_t states, const CeliMdpCommon *common,
                        CeliMdpFill *fill, const void *what) CEL_WARN_UNUSED;

/// Cell after a step of (dr, dc) from `cell` of a grid of that size; at the edge: the same cell.
static inline int64_t celi_mdp_step(int64_t rows, int64_t columns, int64_t cell, int dr, int dc) {
  const int64_t r = cell / columns + dr, c = cell % columns + dc;
  return r < 0 || r >= rows || c < 0 || c >= columns ? cell : r * columns + c;
}
/// Tells the builder of a grid whose every cell is the state of its own number, with four actions.
CelStatus celi_mdp_full_grid(CelMdpBuilder *builder, int64_t rows, int64_t columns,
                             const int8_t direction[4][2]) CEL_WARN_UNUSED;

/// pmf (n,) of the binomial distribution of n - 1 tries with probability `p`; it sums to 1.
void celi_mdp_binomial(double *pmf, int64_t n, double p);
/// pmf (n,) of a Poisson distribution with that mean, cut off behind n - 1 and made to sum to 1; returns how
/// many of them to keep so that no more than 1e-16 is left out behind.
int64_t celi_mdp_poisson(double *pmf, int64_t n, double mean);

#endif
