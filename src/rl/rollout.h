/// Rollouts: what N environments did for T steps, and the advantages of it.
///
/// Buffers are time-major: row t N + i is step t of environment i. Filled step by step (begin, end), or for many
/// steps at once over a native vector environment (algo/collect.h); the same bits either way. Values come afterwards,
/// in one batch.
///
/// delta_t = r_t + gamma V'_t - V_t, where V'_t is 0 where the episode terminated, V(final observation) where it was
/// truncated, else V(x_{t+1});  A_t = delta_t + gamma lambda A_{t+1}, where A_{t+1} counts as 0 past an episode's end
/// and past the rollout's.
/// Source: [actor-critic, 4.21], and Schulman et al., "High-dimensional continuous control using generalized advantage
/// estimation", 2016.
#ifndef CELI_ROLLOUT_H
#define CELI_ROLLOUT_H
#include "celsius/agent.h"
#include "nn/net.h"
#include "rl/actor.h"
#include "rl/normalizer.h"

typedef struct CeliRollout {
  int64_t N, T, O, H;
  size_t bytes; ///< of an action
  // role CEL_STATE
  int64_t *filled;     ///< (1,) steps so far
  uint8_t *acted;      ///< (1,) act came before observe
  uint8_t *begun;      ///< (1,) there was an outcome: row `told` holds what it told
  int64_t *age;        ///< (N,) steps that the episode at the first row had behind it
  float *obs;          ///< (T+1, N, O) raw; row T: what followed the last step
  uint8_t *actions;    ///< (T, N rows) as drawn
  float *head;         ///< (T, N, H) what the actor said
  float *reward;       ///< (T, N) raw
  uint8_t *terminated; ///< (T, N)
  uint8_t *truncated;  ///< (T, N)
  float *final_obs;    ///< (T, N, O) valid where truncated
  // scratch
  float *scaled;              ///< (T, N) rewards as they are learned from
  float *value;               ///< (T+1, N)
  float *final_value;         ///< (T, N) valid where truncated and not terminated
  float *advantage;           ///< (T, N)
  float *returns;             ///< (T, N) advantage + value
  double *final_return;       ///< (T, N) of collecting: returns of the episodes that ended
  int64_t *final_length;      ///< (T, N)
  CeliPass pass;              ///< values
  float *x;                   ///< (rows, O)
  const CeliNormalizer *norm; ///< of the observations and rewards
} CeliRollout;

/// Declares "rollout.*". `critic` may be NULL: then there are no values. Errors: CEL_E_RANGE (T N too large).
CelStatus celi_rollout_declare(CeliRollout *rollout, CelTensors *tensors, const CeliActor *actor,
                               const CeliNet *critic, const CeliNormalizer *norm) CEL_WARN_UNUSED;
/// An episode ended at this row.
static inline bool celi_rollout_ended(const CeliRollout *rollout, int64_t row) {
  return (rollout->terminated[row] | rollout->truncated[row]) != 0;
}
static inline bool celi_rollout_full(const CeliRollout *rollout) {
  return *rollout->filled == rollout->T;
}

/// The observations (N rows) that the next actions are chosen for. Where one is not what the last outcome told, or
/// `start` (N, or NULL) tells of an episode that was begun anew, the episode so far counts as truncated there.
void celi_rollout_follow(CeliRollout *rollout, CeliNormalizer *norm, const float *obs,
                         const uint8_t *start);
/// One step, pushed: follows, and draws the actions (N rows). Errors: CEL_E_STATE (the rollout is full).
CelStatus celi_rollout_act(CeliRollout *rollout, const CeliActor *actor, CeliNormalizer *norm,
                           const float *obs, const uint8_t *start, void *actions) CEL_WARN_UNUSED;
/// Errors: CEL_E_STATE (nobody acted).
CelStatus celi_rollout_observe(CeliRollout *rollout, const CelOutcome *outcome) CEL_WARN_UNUSED;

/// The full rollout was learned from: statistics of the normaliser take it in, and the next one begins.
void celi_rollout_next(CeliRollout *rollout, CeliActor *actor, CeliNormalizer *norm);

// ---- into a plan, for a full rollout.
/// Rewards as they are learned from: scaled by the normaliser, whose statistics take them in first.
void celi_rollout_plan_rewards(CeliPlan *plan, const CeliRollout *rollout, CeliNormalizer *norm);
/// value and final_value.
void celi_rollout_plan_values(CeliPlan *plan, const CeliRollout *rollout);
/// advantage and returns.
void celi_rollout_plan_gae(CeliPlan *plan, const CeliRollout *rollout, double gamma, double lambda);
/// Advantages to mean 0 and deviation 1 (n - 1 in its divisor, 1e-8 added to it); as they are where there is one row.
void celi_rollout_plan_normalize(CeliPlan *plan, const CeliRollout *rollout);
/// weight (T, N) = gamma^t, t the step within its episode.
void celi_rollout_plan_discount(CeliPlan *plan, const CeliRollout *rollout, double gamma,
                                float *weight);
/// At once, environments [begin, end).
void celi_rollout_gae(const CeliRollout *rollout, double gamma, double lambda, int64_t begin,
                      int64_t end);
/// 1 - var(returns - value) / var(returns); NAN where the returns do not vary.
double celi_rollout_explained_variance(const CeliRollout *rollout);
/// Errors: CEL_E_CORRUPT: saved numbers that cannot be.
CelStatus celi_rollout_check(const CeliRollout *rollout) CEL_WARN_UNUSED;

#endif
