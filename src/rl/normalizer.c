/// Running normalization of observations and rewards. Contract: normalizer.h.
///
/// Statistics follow Welford's recurrence, in double:
///   n += 1;  d = x - mean;  mean += d / n;  m2 += d (x - mean);  var = m2 / n
/// They start with 1e-4 samples of mean 0 and variance 1, the prior of Stable-Baselines3. This
/// avoids a division by zero.
#include "rl/normalizer.h"
#include "base/base.h"
#include "nn/net.h"
#include <math.h>
#include <string.h>

static const double prior_count = 1e-4, default_epsilon = 1e-8;

static CelStatus declare_observations(CeliNormalizer *norm, CelTensors *tensors) {
  const int64_t one = 1, O = norm->O;
  CELI_TRY(
      cel_tensors_declare(tensors, "normalizer.count", CEL_F64, CEL_MODEL, &norm->count, 1, &one));
  CELI_TRY(cel_tensors_declare(tensors, "normalizer.mean", CEL_F64, CEL_MODEL, &norm->mean, 1, &O));
  CELI_TRY(cel_tensors_declare(tensors, "normalizer.m2", CEL_F64, CEL_MODEL, &norm->m2, 1, &O));
  CELI_TRY(
      cel_tensors_declare(tensors, "normalizer.shift", CEL_F32, CEL_MODEL, &norm->shift, 1, &O));
  CELI_TRY(
      cel_tensors_declare(tensors, "normalizer.scale", CEL_F32, CEL_MODEL, &norm->scale, 1, &O));
  return cel_tensors_declare(tensors, "normalizer.clip", CEL_F32, CEL_MODEL, &norm->clip, 1, &one);
}

static CelStatus declare_rewards(CeliNormalizer *norm, CelTensors *tensors) {
  const int64_t one = 1, three = 3;
  CELI_TRY(cel_tensors_declare(tensors, "normalizer.returns", CEL_F64, CEL_STATE, &norm->returns, 1,
                               &norm->N));
  CELI_TRY(cel_tensors_declare(tensors, "normalizer.return_stats", CEL_F64, CEL_STATE,
                               &norm->return_stats, 1, &three));
  return cel_tensors_declare(tensors, "normalizer.reward_scale", CEL_F32, CEL_STATE,
                             &norm->reward_scale, 1, &one);
}

CelStatus celi_normalizer_declare(CeliNormalizer *norm, CelTensors *tensors, bool observations,
                                  bool rewards, int64_t O, int64_t N, double clip_obs,
                                  double clip_reward, double gamma) {
  memset(norm, 0, sizeof *norm);
  *norm = (CeliNormalizer){.observations = observations,
                           .rewards = rewards,
                           .O = O,
                           .N = N,
                           .clip_obs = clip_obs,
                           .clip_reward = clip_reward,
                           .epsilon = default_epsilon,
                           .gamma = gamma};
  if (observations) CELI_TRY(declare_observations(norm, tensors));
  return rewards ? declare_rewards(norm, tensors) : CEL_OK;
}

static float scale_of(double m2, double count, double epsilon) {
  return (float)(1.0 / sqrt(m2 / count + epsilon));
}

/// Computes shift and scale from the statistics.
static void refresh(CeliNormalizer *norm) {
  for (int64_t o = 0; o < norm->O; o++) {
    norm->shift[o] = (float)norm->mean[o];
    norm->scale[o] = scale_of(norm->m2[o], *norm->count, norm->epsilon);
  }
}

void celi_normalizer_reset(CeliNormalizer *norm) {
  if (norm->observations) {
    *norm->count = prior_count;
    *norm->clip = (float)norm->clip_obs;
    for (int64_t o = 0; o < norm->O; o++) {
      norm->mean[o] = 0;
      norm->m2[o] = prior_count;
    }
    refresh(norm);
  }
  if (norm->rewards) {
    memset(norm->returns, 0, (size_t)norm->N * sizeof *norm->returns);
    norm->return_stats[0] = norm->return_stats[2] = prior_count;
    norm->return_stats[1] = 0;
    *norm->reward_scale = scale_of(prior_count, prior_count, norm->epsilon);
  }
}

void celi_normalizer_observe(CeliNormalizer *norm, const float *obs, int64_t n) {
  if (!norm->observations) return;
  const int64_t O = norm->O;
  double *restrict mean = norm->mean, *restrict m2 = norm->m2;
  for (int64_t i = 0; i < n; i++) {
    *norm->count += 1;
    const double weight = 1 / *norm->count;
    for (int64_t o = 0; o < O; o++) {
      const double x = (double)obs[i * O + o], d = x - mean[o];
      mean[o] += d * weight;
      m2[o] += d * (x - mean[o]);
    }
  }
  refresh(norm);
}

void celi_normalizer_reward_one(CeliNormalizer *norm, int64_t e, float reward, bool ended) {
  double *stats = norm->return_stats;
  const double x = norm->returns[e] * norm->gamma + (double)reward;
  norm->returns[e] = ended ? 0 : x;
  stats[0] += 1;
  const double d = x - stats[1];
  stats[1] += d / stats[0];
  stats[2] += d * (x - stats[1]);
}

void celi_normalizer_refresh_rewards(CeliNormalizer *norm) {
  const double *stats = norm->return_stats;
  *norm->reward_scale = scale_of(stats[2], stats[0], norm->epsilon);
}

void celi_normalizer_reward(CeliNormalizer *norm, const float *reward, const uint8_t *ended) {
  if (!norm->rewards) return;
  for (int64_t e = 0; e < norm->N; e++)
    celi_normalizer_reward_one(norm, e, reward[e], ended[e] != 0);
  celi_normalizer_refresh_rewards(norm);
}

void celi_normalizer_scale_rewards(const CeliNormalizer *norm, float *out, const float *reward,
                                   int64_t begin, int64_t end) {
  if (!norm->rewards) {
    memcpy(out + begin, reward + begin, (size_t)(end - begin) * sizeof *out);
    return;
  }
  const float scale = *norm->reward_scale, clip = (float)norm->clip_reward;
  for (int64_t i = begin; i < end; i++) {
    const float x = reward[i] * scale;
    out[i] = x < -clip ? -clip : x > clip ? clip : x;
  }
}

void celi_normalizer_begin(CeliNormalizer *norm, int64_t e) {
  if (norm->rewards) norm->returns[e] = 0;
}

void celi_normalize_row(float *out, const float *obs, const float *shift, const float *scale,
                        float clip, int64_t O) {
  for (int64_t o = 0; o < O; o++) {
    const float x = (obs[o] - shift[o]) * scale[o];
    const float low = x < -clip ? -clip : x;
    out[o] = low > clip ? clip : low; // NaN stays NaN
  }
}

void celi_normalizer_apply(const CeliNormalizer *norm, float *out, ptrdiff_t ldo, const float *obs,
                           ptrdiff_t ld, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    if (norm->observations)
      celi_normalize_row(out + i * ldo, obs + i * ld, norm->shift, norm->scale, *norm->clip,
                         norm->O);
    else
      memmove(out + i * ldo, obs + i * ld, (size_t)norm->O * sizeof *out);
  }
}

// ---- in a plan

typedef struct ObsArgs {
  const CeliNormalizer *norm;
  float *obs;
  ptrdiff_t ld;
} ObsArgs;

static void op_obs(const void *args, int64_t begin, int64_t end) {
  const ObsArgs *a = args;
  celi_normalizer_apply(a->norm, a->obs, a->ld, a->obs, a->ld, begin, end);
}

void celi_normalizer_plan_touch(CeliPlan *plan, const CeliNormalizer *norm) {
  celi_plan_touch(plan, CELI_READ(norm->shift, norm->O), CELI_READ(norm->scale, norm->O),
                  CELI_READ(norm->clip, 1));
}

void celi_normalizer_plan_obs(CeliPlan *plan, const CeliNormalizer *norm, float *obs, ptrdiff_t ld,
                              int64_t B) {
  if (!norm->observations) return;
  const ObsArgs args = {norm, obs, ld};
  celi_plan_add(plan, "normalize observations", op_obs, CELI_ROWS, B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_normalizer_plan_touch(plan, norm);
  celi_plan_touch(plan, CELI_UPDATE_ROWS(obs, ld, norm->O));
}

typedef struct RewardArgs {
  const CeliNormalizer *norm;
  float *reward;
} RewardArgs;

static void op_reward(const void *args, int64_t begin, int64_t end) {
  const RewardArgs *a = args;
  const float scale = *a->norm->reward_scale, clip = (float)a->norm->clip_reward;
  for (int64_t i = begin; i < end; i++) {
    const float x = a->reward[i] * scale;
    a->reward[i] = x < -clip ? -clip : x > clip ? clip : x;
  }
}

void celi_normalizer_plan_reward(CeliPlan *plan, const CeliNormalizer *norm, float *reward,
                                 int64_t B) {
  if (!norm->rewards) return;
  const RewardArgs args = {norm, reward};
  celi_plan_add(plan, "normalize rewards", op_reward, CELI_ROWS, B, CELI_ROW_GRAIN, &args,
                sizeof args);
  celi_plan_touch(plan, CELI_READ(norm->reward_scale, 1), CELI_UPDATE_ROWS(reward, 1, 1));
}
