/// What the files of src/mdp that make and read a CelMdp share.
#ifndef CELSIUS_MDP_MODEL_H
#define CELSIUS_MDP_MODEL_H
#include "celsius/mdp.h"
#include "celsius/safetensors.h"

/// Rows and initial distributions that are given must sum to 1 within this ...
#define CELI_MDP_SUM_GIVEN 1e-9
/// ... and those of a CelMdp do within this, once they were divided by their sums.
#define CELI_MDP_SUM 1e-14

enum { CELI_MDP_BLOCKS = 16 };

/// Every CelMdp that is destroyed by cel_mdp_destroy is the first member of one of these.
typedef struct CeliMdp {
  CelMdp mdp;
  CelMdpGrid grid;                    ///< what mdp.grid points to, where there is one
  const void *block[CELI_MDP_BLOCKS]; ///< memory that goes with it
  int blocks;
  CelSafetensors *file; ///< the mapped file that the arrays lie in, or NULL
} CeliMdp;

/// Makes an empty one. Errors: CEL_E_MEMORY.
CelStatus celi_mdp_create(CeliMdp **out) CEL_WARN_UNUSED;
/// Hands a block over: it is freed with the problem. Takes NULL.
void celi_mdp_own(CeliMdp *model, const void *block);
/// Errors: CEL_E_MEMORY where `bytes` for `what` are more than the machine has left.
CelStatus celi_mdp_room(size_t bytes, const char *what) CEL_WARN_UNUSED;
/// Most actions of a state, by `pair` (states + 1).
int64_t celi_mdp_max_actions(const int64_t *pair, int64_t states);

/// Makes the initial distribution that is uniform over the states with an action (one at least).
/// Errors: CEL_E_MEMORY.
CelStatus celi_mdp_uniform_start(const int64_t *pair, int64_t states, double **out) CEL_WARN_UNUSED;

/// The sum of x (n,), exact but for one rounding or two (Neumaier).
double celi_mdp_sum(const double *x, int64_t n);
/// Discount and horizon against each other. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_discount(double discount, int64_t horizon) CEL_WARN_UNUSED;
/// Whether `pair` and `row` can be walked. Errors: CEL_E_CORRUPT.
CelStatus celi_mdp_check_order(const CelMdp *mdp) CEL_WARN_UNUSED;
/// cel_mdp_check with the tolerance of rows and start given; *worst: the largest distance of a sum
/// from 1, where `worst` is not NULL.
CelStatus celi_mdp_check_sums(const CelMdp *mdp, double tolerance, double *worst) CEL_WARN_UNUSED;
/// Shape and contents of a grid for a problem of `states` states. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_grid(const CelMdpGrid *grid, int64_t states) CEL_WARN_UNUSED;

#endif
