/// Functions shared by the files of src/mdp that create and read a CelMdp.
#ifndef CELSIUS_MDP_MODEL_H
#define CELSIUS_MDP_MODEL_H
#include "celsius/mdp.h"
#include "celsius/safetensors.h"

/// Tolerance for probabilities from files, from cel_mdp_transition and from cel_mdp_start. Each one
/// must be in [0, 1] within it, and each row and the initial distribution must sum to 1 within it.
/// Negative ones then become 0, and the rest are divided by their sum. Files print few digits or
/// hold float32 numbers; pomdp-solve and PRISM use a similar tolerance.
#define CELI_MDP_GIVEN 1e-5
/// Tolerance for a finished CelMdp: sums are within this of 1. Probabilities are exactly in [0, 1].
#define CELI_MDP_SUM 1e-14
/// Tolerance of r(s,a) as the mean of r(s,a,s'), relative to the mean absolute reward.
#define CELI_MDP_MEAN 1e-9

/// True if an input number is a probability within CELI_MDP_GIVEN. NaN is not.
static inline bool celi_mdp_is_probability(double p) {
  return p >= -CELI_MDP_GIVEN && p <= 1.0 + CELI_MDP_GIVEN;
}
/// True if a sum of input probabilities is 1 within CELI_MDP_GIVEN.
static inline bool celi_mdp_is_one(double sum) {
  return sum >= 1.0 - CELI_MDP_GIVEN && sum <= 1.0 + CELI_MDP_GIVEN;
}

/// The largest number of labels, and of reward models, of an MDP.
enum { CELI_MDP_NAMES = 4096 };

/// Every CelMdp that cel_mdp_destroy accepts is the first member of one of these.
typedef struct CeliMdp {
  CelMdp mdp;
  CelMdpGrid grid;    ///< mdp.grid points here if the MDP has a grid
  const void **block; ///< (blocks) memory blocks that the MDP owns
  int64_t blocks, block_capacity;
  CelSafetensors *file; ///< the mapped file that holds the arrays, or NULL
} CeliMdp;

/// Creates an empty MDP. Errors: CEL_E_MEMORY.
CelStatus celi_mdp_create(CeliMdp **out) CEL_WARN_UNUSED;
/// Transfers ownership of a block, which is freed with the MDP. `block` may be NULL. A new MDP has
/// room for 24 blocks.
void celi_mdp_own(CeliMdp *model, const void *block);
/// Makes room for `more` blocks. Errors: CEL_E_MEMORY.
CelStatus celi_mdp_own_more(CeliMdp *model, int64_t more) CEL_WARN_UNUSED;
/// Errors: CEL_E_MEMORY if `bytes` for `what` exceed the free memory of the machine.
CelStatus celi_mdp_room(size_t bytes, const char *what) CEL_WARN_UNUSED;
/// The largest number of actions of a state, from `pair` (states + 1).
int64_t celi_mdp_max_actions(const int64_t *pair, int64_t states);

/// Creates the uniform distribution over all states with an action. At least one state must have
/// one.
/// Errors: CEL_E_MEMORY.
CelStatus celi_mdp_uniform_start(const int64_t *pair, int64_t states, double **out) CEL_WARN_UNUSED;

/// The sum of x (n,) with at most two rounding errors (Neumaier's algorithm).
double celi_mdp_sum(const double *x, int64_t n);
/// Checks the discount against the horizon. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_discount(double discount, int64_t horizon) CEL_WARN_UNUSED;
/// Checks that loops over `pair` and `row` stay in bounds. Errors: CEL_E_CORRUPT.
CelStatus celi_mdp_check_order(const CelMdp *mdp) CEL_WARN_UNUSED;
/// cel_mdp_check with the tolerance CELI_MDP_GIVEN. *exact is true if cel_mdp_check itself would
/// pass.
CelStatus celi_mdp_check_given(const CelMdp *mdp, bool *exact) CEL_WARN_UNUSED;
/// Checks a name of a label or reward model: printable text of 1 to 63 bytes. `what`: "label",
/// "reward model". Errors: CEL_E_NAME.
CelStatus celi_mdp_check_name(const char *name, const char *what) CEL_WARN_UNUSED;
/// Checks labels and reward models. The sizes and rows must be valid. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_labels(const CelMdp *mdp) CEL_WARN_UNUSED;
CelStatus celi_mdp_check_rewards(const CelMdp *mdp) CEL_WARN_UNUSED;

/// Makes a named model, or zeros (NULL), the r(s,a,s') of an MDP.
/// Errors: CEL_E_RANGE (rewards whose sum overflows), CEL_E_MEMORY.
CelStatus celi_mdp_use_reward(CeliMdp *model, const CelMdpReward *chosen) CEL_WARN_UNUSED;
/// Selects a reward model of a file that records no choice: by name, by number from 1, "none", or
/// for "" the only one.
/// Errors: CEL_E_NAME (no such model), CEL_E_ARGUMENT (several, and none is selected).
CelStatus celi_mdp_choose_reward(CelMdp *mdp, const char *wanted) CEL_WARN_UNUSED;

/// Checks a grid for an MDP with `states` states. Errors: CEL_E_RANGE.
CelStatus celi_mdp_check_grid(const CelMdpGrid *grid, int64_t states) CEL_WARN_UNUSED;

#endif
