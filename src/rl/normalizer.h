/// Running normalization of observations and rewards (Welford, double), saved with the agent.
///
/// Observations: (o - mean) / sqrt(var + epsilon), clipped. Rewards: r / sqrt(var of the discounted
/// return + epsilon), clipped. Rewards keep their mean, because shifting them would change the
/// task. Statistics are updated as data arrive. Stored data are raw; they are normalized with the
/// current statistics when used. The statistics are those of Stable-Baselines3's VecNormalize, with
/// its prior.
#ifndef CELI_NORMALIZER_H
#define CELI_NORMALIZER_H
#include "celsius/tensors.h"
#include "ops/plan.h"

typedef struct CeliNormalizer {
  bool observations, rewards;
  int64_t O, N;
  double clip_obs, clip_reward, epsilon, gamma;
  // Observations; NULL if they are not normalized.
  double *count; ///< (1,) role CEL_MODEL
  double *mean;  ///< (O,) role CEL_MODEL
  double *m2;    ///< (O,) sum of squared deviations, role CEL_MODEL
  float *shift;  ///< (O,) role CEL_MODEL: the mean as float32
  float *scale;  ///< (O,) role CEL_MODEL: 1/sqrt(var + epsilon), 1 without statistics
  float *clip;   ///< (1,) role CEL_MODEL: clip_obs, for the model file
  // Rewards; NULL if they are not normalized.
  double *returns;      ///< (N,) running discounted returns, role CEL_STATE
  double *return_stats; ///< (3,) count, mean and m2 of the returns, role CEL_STATE
  float *reward_scale;  ///< (1,) 1/sqrt(var + epsilon), role CEL_STATE
} CeliNormalizer;

/// Declares "normalizer.*". Errors: as cel_tensors_declare.
CelStatus celi_normalizer_declare(CeliNormalizer *norm, CelTensors *tensors, bool observations,
                                  bool rewards, int64_t O, int64_t N, double clip_obs,
                                  double clip_reward, double gamma) CEL_WARN_UNUSED;
/// Sets the scales to 1. Call it after the allocation.
void celi_normalizer_reset(CeliNormalizer *norm);
/// Adds observations (n, O) to the statistics, in order.
void celi_normalizer_observe(CeliNormalizer *norm, const float *obs, int64_t n);
/// Adds rewards (N,) to the statistics. `ended` (N,) tells where episodes ended.
void celi_normalizer_reward(CeliNormalizer *norm, const float *reward, const uint8_t *ended);
/// The same for one environment, in order of time. Afterwards call celi_normalizer_refresh_rewards.
void celi_normalizer_reward_one(CeliNormalizer *norm, int64_t e, float reward, bool ended);
void celi_normalizer_refresh_rewards(CeliNormalizer *norm);
/// out = reward, scaled and clipped, elements [begin, end). Copies if rewards are not normalized.
void celi_normalizer_scale_rewards(const CeliNormalizer *norm, float *out, const float *reward,
                                   int64_t begin, int64_t end);
/// Environment e starts again in the middle of an episode: resets its running return to 0.
void celi_normalizer_begin(CeliNormalizer *norm, int64_t e);
/// Normalizes rows: out (n, O) ldo, may be obs. Copies if observations are not normalized.
void celi_normalizer_apply(const CeliNormalizer *norm, float *out, ptrdiff_t ldo, const float *obs,
                           ptrdiff_t ld, int64_t begin, int64_t end);
/// What celi_normalizer_apply does to one row, with given tensors. out may be obs.
void celi_normalize_row(float *out, const float *obs, const float *shift, const float *scale,
                        float clip, int64_t O);
/// Declares that the last operation of a plan normalizes observations.
void celi_normalizer_plan_touch(CeliPlan *plan, const CeliNormalizer *norm);
/// Appends the normalization of obs (B, O) ld in place, CELI_ROWS. Appends nothing if observations
/// are not normalized.
void celi_normalizer_plan_obs(CeliPlan *plan, const CeliNormalizer *norm, float *obs, ptrdiff_t ld,
                              int64_t B);
/// Appends the normalization of reward (B,) in place, CELI_ROWS with count B. Appends nothing if
/// rewards are not normalized. Only for windows of one step: longer ones scale each step
/// (CeliReplayBatch).
void celi_normalizer_plan_reward(CeliPlan *plan, const CeliNormalizer *norm, float *reward,
                                 int64_t B);

#endif
