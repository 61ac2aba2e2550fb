/// Minibatches of a rollout: a random permutation of its rows, cut into runs of B.
///
/// The last one of an epoch may be shorter; its missing rows hold a copy of another row, which the losses give no weight.
#ifndef CELI_MINIBATCH_H
#define CELI_MINIBATCH_H
#include "nn/dist.h"
#include "rl/rollout.h"

typedef struct CeliMinibatch {
  const CeliRollout *rollout;
  const CeliDist *old; ///< the policy's log-probs on the whole rollout, or NULL: nobody asks
  int64_t B, rows;     ///< of a minibatch; of the rollout
  int64_t count;       ///< minibatches of an epoch
  uint64_t seed;
  uint64_t *counter;      ///< (1,) blocks of the permutations' stream, role CEL_STATE
  int64_t *order, *draws; ///< (rows,)
  int64_t *cursor, *used; ///< (1,) the minibatch at hand; rows that it has
  float *shift, *scale;   ///< (count,) of the advantages
  float *x;               ///< (B, O) normalised observations
  float *x_value;         ///< (B, O) the same, for values that are learned beside the policy
  uint8_t *actions;       ///< (B rows)
  float *old_logp, *advantage, *returns, *old_value; ///< (B,)
} CeliMinibatch;

/// Declares "batch.*". Errors: as cel_tensors_declare.
CelStatus celi_minibatch_declare(CeliMinibatch *batch, CelTensors *tensors,
                                 const CeliRollout *rollout, const CeliDist *old, int64_t B,
                                 uint64_t seed) CEL_WARN_UNUSED;
/// A new permutation (Fisher and Yates), and the first minibatch. `normalize`: each minibatch's advantages get mean 0 and
/// deviation 1 (n - 1 in its divisor, 1e-8 added to it; a minibatch of one row stays as it is).
void celi_minibatch_shuffle(CeliMinibatch *batch, bool normalize);
/// The same into a plan.
void celi_minibatch_plan_shuffle(CeliPlan *plan, const CeliMinibatch *batch, bool normalize);
/// The next minibatch.
void celi_minibatch_next(const CeliMinibatch *batch);
/// Gathers the minibatch at hand; CELI_ROWS with count B.
void celi_minibatch_plan_gather(CeliPlan *plan, const CeliMinibatch *batch);
/// The same in two, which lie side by side: x, actions, old_logp, advantage; and x_value, returns, old_value.
void celi_minibatch_plan_gather_policy(CeliPlan *plan, const CeliMinibatch *batch);
void celi_minibatch_plan_gather_value(CeliPlan *plan, const CeliMinibatch *batch);

#endif
