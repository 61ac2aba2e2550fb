/// Minibatches of a rollout: a random permutation of its rows, divided into runs of B.
///
/// The last minibatch of an epoch may be shorter. Its missing rows hold a copy of another row, and
/// the losses give them no weight.
#ifndef CELI_MINIBATCH_H
#define CELI_MINIBATCH_H
#include "nn/dist.h"
#include "rl/rollout.h"

typedef struct CeliMinibatch {
  const CeliRollout *rollout;
  const CeliDist *old; ///< log-probs of the whole rollout under the policy that acted; NULL: unused
  int64_t B, rows;     ///< rows of a minibatch; of the rollout
  int64_t count;       ///< minibatches per epoch
  uint64_t seed;
  uint64_t *counter;      ///< (1,) blocks of the permutations' random stream, role CEL_STATE
  int64_t *order, *draws; ///< (rows,)
  int64_t *cursor, *used; ///< (1,) current minibatch; its number of rows
  float *shift, *scale;   ///< (count,) normalization of the advantages
  float *x;               ///< (B, O) normalized observations
  float *x_value;         ///< (B, O) the same, if policy and values are learned side by side
  uint8_t *actions;       ///< (B rows)
  float *old_logp, *advantage, *returns, *old_value; ///< (B,)
} CeliMinibatch;

/// Declares "batch.*". Errors: as cel_tensors_declare.
CelStatus celi_minibatch_declare(CeliMinibatch *batch, CelTensors *tensors,
                                 const CeliRollout *rollout, const CeliDist *old, int64_t B,
                                 uint64_t seed) CEL_WARN_UNUSED;
/// Draws a new permutation (Fisher and Yates) and starts the first minibatch. `normalize`:
/// advantages of each minibatch get mean 0 and standard deviation 1 (divisor n - 1, 1e-8 added to
/// the deviation). A minibatch of one row is not changed.
void celi_minibatch_shuffle(CeliMinibatch *batch, bool normalize);
/// The same in a plan.
void celi_minibatch_plan_shuffle(CeliPlan *plan, const CeliMinibatch *batch, bool normalize);
/// Moves to the next minibatch.
void celi_minibatch_next(const CeliMinibatch *batch);
/// Gathers the current minibatch; CELI_ROWS with count B.
void celi_minibatch_plan_gather(CeliPlan *plan, const CeliMinibatch *batch);
/// The same in two operations that run side by side. The first gathers x, actions, old_logp and
/// advantage; the second gathers x_value, returns and old_value.
void celi_minibatch_plan_gather_policy(CeliPlan *plan, const CeliMinibatch *batch);
void celi_minibatch_plan_gather_value(CeliPlan *plan, const CeliMinibatch *batch);

#endif
