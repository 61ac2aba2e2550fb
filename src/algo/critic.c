/// Targets, losses and values of critics. Contract: critic.h.
#include "algo/critic.h"
#include "algo/categorical.h"
#include "algo/discrete.h"
#include "ops/ops.h"
#include "rl/nstep.h"

#include <math.h>

int64_t celi_critic_targets(const CeliCriticHead *head) {
  return head->kind == CEL_CRITIC_QUANTILE      ? head->E * head->M - head->drop
         : head->kind == CEL_CRITIC_CATEGORICAL ? head->M
                                                : 1;
}

float celi_critic_reward(const CeliCriticBatch *batch, int64_t b) {
  const int64_t B = batch->B;
  float between = 0;
  for (int64_t m = b; m < batch->mid * B; m += B)
    if (batch->mid_weight[m] != 0) between += batch->mid_weight[m] * batch->mid_logp[m];
  return batch->reward[b] - *batch->alpha * between;
}

// ---- quantiles

/// y (K,) of row b: all quantiles but the largest, in no order. A NaN makes y[0] NaN.
static void keep_smallest(const CeliCriticHead *head, float *y, const float *Z, int64_t apart,
                          int64_t b) {
  const int64_t K = celi_critic_targets(head);
  int64_t n = 0, largest = 0;
  bool nan = false;
  for (int64_t e = 0; e < head->E; e++)
    for (int64_t j = 0; j < head->M; j++) {
      const float z = Z[(e * apart + b) * head->M + j];
      nan = nan || z != z;
      if (n < K) {
        y[n++] = z;
        if (n < K) continue;
      } else if (z < y[largest]) {
        y[largest] = z;
      } else {
        continue;
      }
      for (int64_t i = 0; i < K; i++) largest = y[i] > y[largest] ? i : largest;
    }
  if (nan) y[0] = NAN;
}

static void quantile_target(const CeliCriticHead *head, float *y, const float *Z,
                            const CeliCriticBatch *batch, int64_t begin, int64_t end) {
  const int64_t K = celi_critic_targets(head), apart = batch->apart ? batch->apart : batch->B;
  const float alpha = *batch->alpha;
  for (int64_t b = begin; b < end; b++) {
    const float reward = celi_critic_reward(batch, b);
    keep_smallest(head, y + b * K, Z, apart, b);
    for (int64_t i = b * K; i < (b + 1) * K; i++)
      y[i] = reward + batch->discount[b] * (y[i] - alpha * batch->logp[b]);
  }
}

/// The mean of all quantiles of row b of n.
static float mean_quantile(const CeliCriticHead *head, const float *Z, int64_t n, int64_t b) {
  float sum = 0;
  for (int64_t e = 0; e < head->E; e++)
    for (int64_t j = 0; j < head->M; j++) sum += Z[(e * n + b) * head->M + j];
  return sum / (float)(head->E * head->M);
}

static void quantile_objective(const CeliCriticHead *head, float *dZ, float *q, float *loss,
                               const float *Z, const CeliCriticBatch *batch, int64_t begin,
                               int64_t end) {
  const int64_t E = head->E, M = head->M, B = batch->B;
  const float slope = -1.0f / (float)(B * E * M);
  for (int64_t b = begin; b < end; b++) {
    q[b] = mean_quantile(head, Z, B, b);
    loss[b] = *batch->alpha * batch->logp[b] - q[b];
  }
  for (int64_t e = 0; e < E; e++)
    celi_ops()->fill(dZ + (e * B + begin) * M, slope, (end - begin) * M);
}

// ---- by kind

/// y (B,): the minimum of the subset's members. A NaN stays NaN.
static void subset_minimum(const CeliCriticHead *head, float *y, const float *Z, int64_t apart,
                           const int64_t *member, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float least = Z[member[0] * apart + b];
    for (int64_t i = 1; i < head->subset; i++) {
      const float other = Z[member[i] * apart + b];
      if (!(least <= other)) least = least != least ? least : other;
    }
    y[b] = least;
  }
}

void celi_critic_target(const CeliCriticHead *head, float *y, const float *Z,
                        const CeliCriticBatch *batch, int64_t begin, int64_t end) {
  if (head->kind == CEL_CRITIC_QUANTILE) {
    quantile_target(head, y, Z, batch, begin, end);
    return;
  }
  if (head->kind == CEL_CRITIC_CATEGORICAL) {
    celi_categorical_target(head, y, Z, batch, begin, end);
    return;
  }
  const int64_t apart = batch->apart ? batch->apart : batch->B;
  if (head->subset > 0) subset_minimum(head, y, Z, apart, batch->member, begin, end);
  celi_ops()->soft_target(y, batch->reward, batch->discount, head->subset ? y : Z, batch->logp,
                          batch->alpha, head->subset ? 1 : head->E, apart, begin, end, head->mean);
  if (batch->mid > 0)
    celi_nstep_entropy(y, batch->mid_weight, batch->mid_logp, batch->alpha, batch->mid, batch->B,
                       begin, end);
}

void celi_critic_loss(const CeliCriticHead *head, float *dZ, float *loss, const float *Z,
                      const float *y, int64_t B, int64_t begin, int64_t end) {
  const float each = 1.0f / (float)B;
  if (head->kind == CEL_CRITIC_QUANTILE)
    celi_ops()->quantile_huber(dZ, loss, Z, y, each, head->M, celi_critic_targets(head), begin,
                               end);
  else if (head->kind == CEL_CRITIC_CATEGORICAL)
    celi_categorical_loss(head, dZ, loss, Z, y, B, begin, end);
  else
    celi_ops()->squared_error(dZ, loss, Z, y, each, 1, B, begin, end);
}

void celi_critic_objective(const CeliCriticHead *head, float *dZ, float *q, float *loss,
                           const float *Z, const CeliCriticBatch *batch, int64_t begin,
                           int64_t end) {
  if (head->kind == CEL_CRITIC_QUANTILE)
    quantile_objective(head, dZ, q, loss, Z, batch, begin, end);
  else if (head->kind == CEL_CRITIC_CATEGORICAL)
    celi_categorical_objective(head, dZ, q, loss, Z, batch, begin, end);
  else
    celi_ops()->actor_objective(dZ, q, loss, Z, batch->logp, batch->alpha, 1.0f / (float)batch->B,
                                head->E, batch->B, begin, end, head->mean);
}

void celi_critic_value(const CeliCriticHead *head, float *q, const float *Z, int64_t n) {
  if (head->kind == CEL_CRITIC_QUANTILE)
    for (int64_t b = 0; b < n; b++) q[b] = mean_quantile(head, Z, n, b);
  else if (head->kind == CEL_CRITIC_CATEGORICAL)
    celi_categorical_value(head, q, Z, n);
  else
    celi_discrete_reduce(q, Z, head->E, n, 1, 0, n, head->mean);
}
