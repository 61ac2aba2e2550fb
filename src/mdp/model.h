/// What the files of src/mdp that make and read a CelMdp share.
#ifndef CELSIUS_MDP_MODEL_H
#define CELSIUS_MDP_MODEL_H
#include "celsius/mdp.h"
#include "celsius/safetensors.h"

/// The one rule for probabilities that are given, in every format and by cel_mdp_transition and cel_mdp_start: each
/// is in [0, 1] within this, and each row and the initial distribution sum to 1 within this. Those below 0 are then 0, and
/// the rest are divided by their sum. Files print few digits or come from float32; pomdp-solve and PRISM allow as much.
#define CELI_MDP_GIVEN 1e-5
/// Sums of a CelMdp are within this of 1, and its probabilities are in [0, 1].
#define CELI_MDP_SUM 1e-14
/// r(s,a) is the mean of r(s,a,s') within this, relative to the mean size.
#define CELI_MDP_MEAN 1e-9

/// Whether a probability that is given is one, by the rule above. NAN is none.
static inline bool celi_mdp_is_probability(double p) {
  return p >= -CELI_MDP_GIVEN && p <= 1.0 + CELI_MDP_GIVEN;
}
/// Whether a sum of probabilities that are given is 1, by the rule above.
static inline bool celi_mdp_is_one(double sum) {
  return sum >= 1.0 - CELI_MDP_GIVEN && sum <= 1.0 + CELI_MDP_GIVEN;
}

enum { CELI_MDP_BLOCKS = 24 };

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
/// cel_mdp_check with the tolerance CELI_MDP_GIVEN; *exact: cel_mdp_check itself would pass too.
CelStatus celi_mdp_check_given(const CelMdp *mdp, bool *exact) CEL_WARN_UNUSED;
/// Shape and contents of a grid for a problem of `states` states. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_grid(const CelMdpGrid *grid, int64_t states) CEL_WARN_UNUSED;

#endif
