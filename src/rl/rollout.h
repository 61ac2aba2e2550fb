/// Rollouts: T steps of N environments, and their advantages.
///
/// Buffers are time-major: row t N + i is step t of environment i. A rollout is filled step by
/// step, or for many steps at once from a native vector environment (algo/collect.h), with the same
/// bits. Values are computed afterwards, in one batch.
///
///   delta_t = r_t + gamma V'_t - V_t,   A_t = delta_t + gamma lambda A_{t+1}
///
/// V'_t is 0 if the episode terminated, V(final observation) if it was truncated, else V(x_{t+1}).
/// A_{t+1} counts as 0 after the end of an episode or of the rollout.
/// Source: [actor-critic, 4.21], and Schulman et al., "High-dimensional continuous control using
/// generalized advantage estimation", 2016.
#ifndef CELI_ROLLOUT_H
#define CELI_ROLLOUT_H
#include "celsius/agent.h"
#include "nn/net.h"
#include "rl/normalizer.h"
#include "rl/policy.h"

typedef struct CeliRollout {
  int64_t N, T, O, H;
  size_t bytes; ///< bytes per action
  // role CEL_STATE
  int64_t *filled;     ///< (1,) steps so far
  uint8_t *acted;      ///< (1,) whether act was called since the last observe
  uint8_t *begun;      ///< (1,) whether there was an outcome: its observations follow the last row
  int64_t *age;        ///< (N,) age of the episode at the first row, in steps
  float *obs;          ///< (T+1, N, O) raw; row T: after the last step
  uint8_t *actions;    ///< (T, N rows) as drawn: scaled
  float *head;         ///< (T, N, H) output of the actor
  float *reward;       ///< (T, N) raw
  uint8_t *terminated; ///< (T, N)
  uint8_t *truncated;  ///< (T, N)
  float *final_obs;    ///< (T, N, O) valid where truncated
  // scratch
  float *scaled;              ///< (T, N) rewards used for learning
  float *value;               ///< (T+1, N)
  float *final_value;         ///< (T, N) valid where truncated and not terminated
  float *advantage;           ///< (T, N)
  float *returns;             ///< (T, N) advantage + value
  double *final_return;       ///< (T, N) while collecting: returns of the episodes that ended
  int64_t *final_length;      ///< (T, N)
  CeliPass pass;              ///< values
  float *x;                   ///< (rows, O)
  const CeliNormalizer *norm; ///< normalizes observations and rewards
} CeliRollout;

/// Declares "rollout.*". Without `critic` (NULL) there are no values.
/// Errors: CEL_E_RANGE (T N too large).
CelStatus celi_rollout_declare(CeliRollout *rollout, CelTensors *tensors, const CeliPolicy *policy,
                               const CeliNet *critic, const CeliNormalizer *norm) CEL_WARN_UNUSED;
/// Whether an episode ended at this row.
static inline bool celi_rollout_ended(const CeliRollout *rollout, int64_t row) {
  return (rollout->terminated[row] | rollout->truncated[row]) != 0;
}
static inline bool celi_rollout_full(const CeliRollout *rollout) {
  return *rollout->filled == rollout->T;
}

/// Stores the observations (N rows) for the next actions. The episode so far counts as truncated if
/// its observation differs from the last outcome, or if `start` (N, or NULL) says that a new one
/// started.
void celi_rollout_follow(CeliRollout *rollout, CeliNormalizer *norm, const float *obs,
                         const uint8_t *start);
/// One step: calls celi_rollout_follow and draws the actions (N rows).
/// Errors: CEL_E_STATE (the rollout is full).
CelStatus celi_rollout_act(CeliRollout *rollout, const CeliPolicy *policy, CeliNormalizer *norm,
                           const float *obs, const uint8_t *start, void *actions) CEL_WARN_UNUSED;
/// Stores an outcome. Errors: CEL_E_STATE (no act before).
CelStatus celi_rollout_observe(CeliRollout *rollout, const CelOutcome *outcome) CEL_WARN_UNUSED;

/// Ends a rollout after learning: the normalizer's statistics take in its data, and the next one
/// begins.
void celi_rollout_next(CeliRollout *rollout, CeliPolicy *policy, CeliNormalizer *norm);

// ---- in a plan, for a full rollout.
/// Scales the rewards with the normalizer, after its statistics take them in.
void celi_rollout_plan_rewards(CeliPlan *plan, const CeliRollout *rollout, CeliNormalizer *norm);
/// Computes value and final_value.
void celi_rollout_plan_values(CeliPlan *plan, const CeliRollout *rollout);
/// Computes advantage and returns.
void celi_rollout_plan_gae(CeliPlan *plan, const CeliRollout *rollout, double gamma, double lambda);
/// Normalizes advantages to mean 0 and standard deviation 1 (divisor n - 1, 1e-8 added to the
/// deviation). A rollout of one row is not changed.
void celi_rollout_plan_normalize(CeliPlan *plan, const CeliRollout *rollout);
/// weight (T, N) = gamma^t, where t is the step within the episode.
void celi_rollout_plan_discount(CeliPlan *plan, const CeliRollout *rollout, double gamma,
                                float *weight);
/// celi_rollout_plan_gae without a plan, for environments [begin, end).
void celi_rollout_gae(const CeliRollout *rollout, double gamma, double lambda, int64_t begin,
                      int64_t end);
/// 1 - var(returns - value) / var(returns); NAN if the returns do not vary.
double celi_rollout_explained_variance(const CeliRollout *rollout);
/// Errors: CEL_E_CORRUPT (impossible saved numbers).
CelStatus celi_rollout_check(const CeliRollout *rollout) CEL_WARN_UNUSED;

#endif
