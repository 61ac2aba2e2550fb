/// Categorical critics. Contract: categorical.h.
#include "algo/categorical.h"
#include "ops/ops.h"

#include <math.h>
#include <string.h>

static float atom(const CeliCriticHead *head, int64_t j) {
  return head->v_min + (float)j * ((head->v_max - head->v_min) / (float)(head->M - 1));
}

/// p (M,) = softmax Z.
static void softmax(const CeliCriticHead *head, float *p, const float *Z) {
  celi_ops()->log_softmax(p, head->M, Z, head->M, 0, 1, head->M);
  celi_ops()->exp(p, p, head->M);
}

static float mean(const CeliCriticHead *head, const float *p) {
  float sum = 0;
  for (int64_t j = 0; j < head->M; j++) sum += p[j] * atom(head, j);
  return sum;
}

/// p (M,): the distribution in row b of the critic with the smallest mean, or the mean of all.
/// `apart`: rows from one member to the next. A NaN stays NaN.
static void combined(const CeliCriticHead *head, float *p, const float *Z, int64_t apart,
                     int64_t b) {
  const int64_t M = head->M;
  float member[CELI_ATOMS_MAX];
  softmax(head, p, Z + b * M);
  float least = mean(head, p);
  for (int64_t e = 1; e < head->E; e++) {
    softmax(head, member, Z + (e * apart + b) * M);
    const float q = mean(head, member);
    if (head->mean) {
      for (int64_t j = 0; j < M; j++) p[j] += member[j];
    } else if (!(least <= q) && least == least) {
      least = q;
      memcpy(p, member, (size_t)M * sizeof *p);
    }
  }
  for (int64_t j = 0; head->mean && j < M; j++) p[j] /= (float)head->E;
}

/// Adds probability p of the value x to its neighbors among the atoms.
static void share(const CeliCriticHead *head, float *y, float x, float p) {
  const int64_t M = head->M;
  const float last = (float)(M - 1);
  float at = (x - head->v_min) / (head->v_max - head->v_min) * last;
  if (at != at) {
    y[0] = NAN;
    return;
  }
  at = at < 0 ? 0 : at > last ? last : at;
  const int64_t below = (int64_t)at < M - 2 ? (int64_t)at : M - 2;
  const float above = at - (float)below;
  y[below] += p * (1 - above);
  y[below + 1] += p * above;
}

void celi_categorical_target(const CeliCriticHead *head, float *y, const float *Z,
                             const CeliCriticBatch *batch, int64_t begin, int64_t end) {
  const int64_t M = head->M;
  const float alpha = *batch->alpha;
  float p[CELI_ATOMS_MAX];
  for (int64_t b = begin; b < end; b++) {
    const float reward = celi_critic_reward(batch, b);
    combined(head, p, Z, batch->apart ? batch->apart : batch->B, b);
    celi_ops()->fill(y + b * M, 0, M);
    for (int64_t j = 0; j < M; j++)
      share(head, y + b * M, reward + batch->discount[b] * (atom(head, j) - alpha * batch->logp[b]),
            p[j]);
  }
}

void celi_categorical_loss(const CeliCriticHead *head, float *dZ, float *loss, const float *Z,
                           const float *y, int64_t B, int64_t begin, int64_t end) {
  const int64_t M = head->M;
  float log_p[CELI_ATOMS_MAX], p[CELI_ATOMS_MAX];
  for (int64_t b = begin; b < end; b++) {
    celi_ops()->log_softmax(log_p, M, Z + b * M, M, 0, 1, M);
    celi_ops()->exp(p, log_p, M);
    float sum = 0;
    for (int64_t j = 0; j < M; j++) {
      sum -= y[b * M + j] * log_p[j];
      dZ[b * M + j] = (p[j] - y[b * M + j]) / (float)B;
    }
    loss[b] = sum;
  }
}

void celi_categorical_objective(const CeliCriticHead *head, float *dZ, float *q, float *loss,
                                const float *Z, const CeliCriticBatch *batch, int64_t begin,
                                int64_t end) {
  const int64_t E = head->E, M = head->M, B = batch->B;
  const float slope = -1.0f / (float)(head->mean ? B * E : B);
  float p[CELI_ATOMS_MAX];
  for (int64_t b = begin; b < end; b++) {
    int64_t least = 0;
    for (int64_t e = 0; e < E; e++) {
      float *d = dZ + (e * B + b) * M;
      softmax(head, p, Z + (e * B + b) * M);
      const float Q = mean(head, p);
      for (int64_t j = 0; j < M; j++) d[j] = slope * p[j] * (atom(head, j) - Q);
      if (e == 0)
        q[b] = Q;
      else if (head->mean)
        q[b] += Q;
      else if (!(q[b] <= Q) && q[b] == q[b])
        q[b] = Q, least = e;
    }
    for (int64_t e = 0; !head->mean && e < E; e++)
      if (e != least) celi_ops()->fill(dZ + (e * B + b) * M, 0, M);
    if (head->mean) q[b] /= (float)E;
    loss[b] = *batch->alpha * batch->logp[b] - q[b];
  }
}

void celi_categorical_value(const CeliCriticHead *head, float *q, const float *Z, int64_t n) {
  float p[CELI_ATOMS_MAX];
  for (int64_t b = 0; b < n; b++) {
    combined(head, p, Z, n, b);
    q[b] = mean(head, p);
  }
}
