/// Shared by the generators of finite MDPs: common fields and building.
///
/// A generator has a config struct that begins with a CeliMdpCommon, a field table that begins with
/// the rows of common.inc, and a function that adds the MDP to a builder. It is listed in
/// registry.c.
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
extern const CelMdpGenerator celi_mdp_consensus;
extern const CelMdpGenerator celi_mdp_leader;
extern const CelMdpGenerator celi_mdp_leader_sync;
extern const CelMdpGenerator celi_mdp_herman;
extern const CelMdpGenerator celi_mdp_israeli_jalfon;
extern const CelMdpGenerator celi_mdp_nand;
extern const CelMdpGenerator celi_mdp_brp;
extern const CelMdpGenerator celi_mdp_crowds;
extern const CelMdpGenerator celi_mdp_csma;
extern const CelMdpGenerator celi_mdp_wlan;
extern const CelMdpGenerator celi_mdp_firewire;

/// The first member of every generator's config.
typedef struct CeliMdpCommon {
  double gamma;
  int64_t horizon;
} CeliMdpCommon;

/// Uses of random streams, as the index of CEL_RNG_MDP.
enum { CELI_MDP_RNG_LAYOUT, CELI_MDP_RNG_REWARD, CELI_MDP_RNG_TRANSITION };

/// Adds the whole MDP to an empty builder: pairs, transitions, start, grid.
typedef CelStatus CeliMdpFill(CelMdpBuilder *builder, const void *what);
/// Creates a builder, calls `fill`, sets the name and builds. Errors: the builder's and fill's.
CelStatus celi_mdp_make(CelMdp **out, const char *name, int64_t states, const CeliMdpCommon *common,
                        CeliMdpFill *fill, const void *what) CEL_WARN_UNUSED;

/// The cell after a step of (dr, dc) on a grid of that size. Steps over the edge stay in the cell.
static inline int64_t celi_mdp_step(int64_t rows, int64_t columns, int64_t cell, int dr, int dc) {
  const int64_t r = cell / columns + dr, c = cell % columns + dc;
  return r < 0 || r >= rows || c < 0 || c >= columns ? cell : r * columns + c;
}
/// Tells the builder about a grid with four actions in which state i is cell i.
CelStatus celi_mdp_full_grid(CelMdpBuilder *builder, int64_t rows, int64_t columns,
                             const int8_t direction[4][2]) CEL_WARN_UNUSED;

/// pmf (n,) of the binomial distribution of n - 1 trials with probability `p`. It sums to 1.
void celi_mdp_binomial(double *pmf, int64_t n, double p);
/// pmf (n,) of a Poisson distribution with that mean, truncated after n - 1 and scaled to sum to 1.
/// Returns how many elements to keep so that the rest sums to at most 1e-16.
int64_t celi_mdp_poisson(double *pmf, int64_t n, double mean);

#endif
