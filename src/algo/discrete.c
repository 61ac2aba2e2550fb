/// Exact expectations over discrete actions. Contract: discrete.h.
#include "algo/discrete.h"

#include <math.h>

void celi_discrete_reduce(float *q, const float *Q, int64_t E, int64_t B, int64_t A, int64_t begin,
                          int64_t end, bool mean) {
  for (int64_t i = begin * A; i < end * A; i++) {
    float best = Q[i];
    for (int64_t e = 1; e < E; e++) {
      const float other = Q[e * B * A + i];
      if (mean)
        best += other;
      else if (!(best <= other)) // propagates NaN
        best = best != best ? best : other;
    }
    q[i] = mean ? best / (float)E : best;
  }
}

void celi_discrete_value(float *V, const float *q, const float *log_pi, const float *pi,
                         float alpha, int64_t A, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float sum = 0;
    for (int64_t i = b * A; i < (b + 1) * A; i++) sum += pi[i] * (q[i] - alpha * log_pi[i]);
    V[b] = sum;
  }
}

void celi_discrete_policy_gradient(float *d_logits, float *loss, const float *q,
                                   const float *log_pi, const float *pi, float alpha, float scale,
                                   int64_t A, int64_t begin, int64_t end) {
  celi_discrete_value(loss, q, log_pi, pi, alpha, A, begin, end);
  for (int64_t b = begin; b < end; b++) {
    for (int64_t i = b * A; i < (b + 1) * A; i++)
      d_logits[i] = -scale * pi[i] * (q[i] - alpha * log_pi[i] - loss[b]);
    loss[b] = -loss[b];
  }
}

void celi_discrete_squared_error(float *dQ, float *loss, const float *Q, const int32_t *action,
                                 const float *y, float scale, int64_t A, int64_t begin,
                                 int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    const float d = Q[b * A + action[b]] - y[b];
    for (int64_t a = 0; a < A; a++) dQ[b * A + a] = a == action[b] ? scale * d : 0.0f;
    loss[b] = 0.5f * d * d;
  }
}

void celi_discrete_huber(float *dQ, float *loss, const float *Q, const int32_t *action,
                         const float *y, float scale, int64_t A, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    const float d = Q[b * A + action[b]] - y[b], size = fabsf(d);
    const float slope = size < 1 ? d : d > 0 ? 1.0f : d < 0 ? -1.0f : d; // NaN stays NaN
    for (int64_t a = 0; a < A; a++) dQ[b * A + a] = a == action[b] ? scale * slope : 0.0f;
    loss[b] = size < 1 ? 0.5f * d * d : size - 0.5f;
  }
}

int64_t celi_discrete_best(const float *Q, int64_t A) {
  int64_t best = 0;
  for (int64_t a = 1; a < A; a++)
    if (Q[a] > Q[best]) best = a;
  return best;
}

void celi_dueling_q(float *Q, const float *outputs, int64_t A, int64_t begin, int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    const float *advantage = outputs + b * (A + 1), V = advantage[A];
    float sum = 0;
    for (int64_t a = 0; a < A; a++) sum += advantage[a];
    const float shift = V - sum / (float)A;
    for (int64_t a = 0; a < A; a++) Q[b * A + a] = advantage[a] + shift;
  }
}

void celi_dueling_backward(float *d_outputs, const float *dQ, int64_t A, int64_t begin,
                           int64_t end) {
  for (int64_t b = begin; b < end; b++) {
    float *d = d_outputs + b * (A + 1), sum = 0;
    for (int64_t a = 0; a < A; a++) sum += dQ[b * A + a];
    for (int64_t a = 0; a < A; a++) d[a] = dQ[b * A + a] - sum / (float)A;
    d[A] = sum;
  }
}
