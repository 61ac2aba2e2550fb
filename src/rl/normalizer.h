/// Running normalisation of observations and rewards (Welford, double), saved with the agent.
///
/// Observations: (o - mean) / sqrt(var + epsilon), clipped. Rewards: r / sqrt(var of the discounted
/// return + epsilon), clipped; the mean is left, since moving rewards would change the task. Statistics
/// are updated as data comes in; what is stored is raw, and normalised with today's statistics when it
/// is used. The same statistics as Stable-Baselines3's VecNormalize, its prior included.
#ifndef CELI_NORMALIZER_H
#define CELI_NORMALIZER_H
#include "celsius/tensors.h"
#include "ops/plan.h"

typedef struct CeliNormalizer {
  bool observations, rewards;
  int64_t O, N;
  double clip_obs, clip_reward, epsilon, gamma;
  // Observations; NULL when they are not normalised.
  double *count; ///< (1,) role CEL_MODEL
  double *mean;  ///< (O,) role CEL_MODEL
  double *m2;    ///< (O,) sum of squared deviations, role CEL_MODEL
  float *shift;  ///< (O,) role CEL_MODEL: mean as float32, what is used
  float *scale;  ///< (O,) role CEL_MODEL: 1/sqrt(var + epsilon), 1 before there are statistics
  float *clip;   ///< (1,) role CEL_MODEL: clip_obs, so that the model file is complete
  // Rewards; NULL when they are not normalised.
  double *returns;      ///< (N,) running discounted returns, role CEL_STATE
  double *return_stats; ///< (3,) count, mean, m2 of them, role CEL_STATE
  float *reward_scale;  ///< (1,) 1/sqrt(var + epsilon), role CEL_STATE
} CeliNormalizer;

/// Declares "normalizer.*". Errors: as cel_tensors_declare.
CelStatus celi_normalizer_declare(CeliNormalizer *norm, CelTensors *tensors, bool observations,
                                  bool rewards, int64_t O, int64_t N, double clip_obs,
                                  double clip_reward, double gamma) CEL_WARN_UNUSED;
/// After allocation: scale = 1.
void celi_normalizer_reset(CeliNormalizer *norm);
/// Takes in observations (n, O) (those to act on), in order.
void celi_normalizer_observe(CeliNormalizer *norm, const float *obs, int64_t n);
/// Takes in rewards (N,) and where episodes ended.
void celi_normalizer_reward(CeliNormalizer *norm, const float *reward, const uint8_t *ended);
/// The same for one environment alone, rows in order of time; celi_normalizer_refresh_rewards makes the scale follow.
void celi_normalizer_reward_one(CeliNormalizer *norm, int64_t e, float reward, bool ended);
void celi_normalizer_refresh_rewards(CeliNormalizer *norm);
/// out = reward scaled and clipped, elements [begin, end); a copy when rewards are not normalised.
void celi_normalizer_scale_rewards(const CeliNormalizer *norm, float *out, const float *reward,
                                   int64_t begin, int64_t end);
/// The episode of environment e is begun anew without having ended: its running return is 0 again.
void celi_normalizer_begin(CeliNormalizer *norm, int64_t e);
/// Normalises rows at once: out (n, O) ldo, may be obs. Copies when observations are not normalised.
void celi_normalizer_apply(const CeliNormalizer *norm, float *out, ptrdiff_t ldo, const float *obs,
                           ptrdiff_t ld, int64_t begin, int64_t end);
/// One row by given tensors; what celi_normalizer_apply does to each. out may be obs.
void celi_normalize_row(float *out, const float *obs, const float *shift, const float *scale,
                        float clip, int64_t O);
/// In a plan, in place: obs (B, O) ld, CELI_ROWS; nothing is appended when observations are not
/// normalised.
void celi_normalizer_plan_obs(CeliPlan *plan, const CeliNormalizer *norm, float *obs, ptrdiff_t ld,
                              int64_t B);
/// In a plan, in place: reward (B,), CELI_ROWS with count B; nothing is appended when rewards are not normalised. For
/// windows of one step; longer ones are scaled step by step (CeliReplayBatch).
void celi_normalizer_plan_reward(CeliPlan *plan, const CeliNormalizer *norm, float *reward,
                                 int64_t B);

#endif
