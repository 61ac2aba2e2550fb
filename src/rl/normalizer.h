/// Running normalisation of observations and rewards (Welford, double), saved with the agent.
///
/// Observations: (o - mean) / sqrt(var + epsilon), clipped. Rewards: r / sqrt(var of the discounted return + epsilon),
/// clipped. Statistics are updated as data comes in; what is stored is raw, and normalised with today's statistics
/// when it is used.
#ifndef CELI_NORMALIZER_H
#define CELI_NORMALIZER_H
#include "celsius/tensors.h"
#include "ops/plan.h"

typedef struct CeliNormalizer {
  bool observations, rewards;
  int64_t O, N;
  double clip_obs, clip_reward, epsilon, gamma;
  double *count;    ///< (1,) role CEL_MODEL
  double *mean;     ///< (O,) role CEL_MODEL
  double *m2;       ///< (O,) sum of squared deviations, role CEL_MODEL
  float *shift;     ///< (O,) role CEL_MODEL: mean as float32, what is used
  float *scale;     ///< (O,) role CEL_MODEL: 1/sqrt(var + epsilon), 1 before there are statistics
  double *returns;  ///< (N,) running discounted returns, role CEL_STATE
  double *return_stats; ///< (3,) count, mean, m2 of them, role CEL_STATE
  float *reward_scale;  ///< (1,) role CEL_STATE
} CeliNormalizer;

CelStatus celi_normalizer_declare(CeliNormalizer *norm, CelTensors *tensors, bool observations,
                                  bool rewards, int64_t O, int64_t N, double clip_obs,
                                  double clip_reward, double gamma) CEL_WARN_UNUSED;
/// After allocation: scale = 1.
void celi_normalizer_reset(CeliNormalizer *norm);
/// Takes in observations (n, O) (those to act on), in order.
void celi_normalizer_observe(CeliNormalizer *norm, const float *obs, int64_t n);
/// Takes in rewards (N,) and where episodes ended.
void celi_normalizer_reward(CeliNormalizer *norm, const float *reward, const uint8_t *ended);
/// Normalises rows at once: out (n, O) ldo. Copies when observations are not normalised.
void celi_normalizer_apply(const CeliNormalizer *norm, float *out, ptrdiff_t ldo, const float *obs,
                           ptrdiff_t ld, int64_t begin, int64_t end);
/// In a plan, in place: obs (B, O) ld, CELI_ROWS; nothing is appended when observations are not normalised.
void celi_normalizer_plan_obs(CeliPlan *plan, const CeliNormalizer *norm, float *obs, ptrdiff_t ld,
                              int64_t B);
/// In a plan, in place: reward (B,), CELI_ROWS with count B.
void celi_normalizer_plan_reward(CeliPlan *plan, const CeliNormalizer *norm, float *reward, int64_t B);

#endif
