/// Soft values of continuous actions by importance sampling. Contracts: celsius/sqlc.h,
/// sqlc_value.h.
///
///   V = alpha log 1/n sum_i exp(Q(a_i)/alpha) / q(a_i),  a_i ~ q           [soft-q-learning, 3.2]
#include "algo/sqlc_value.h"
#include "base/arguments.h"
#include "base/base.h"
#include "ops/ops.h"

#include <math.h>

#define LOG_2 0.69314718055994531
#define LOG_2_PI 1.8378770664093453

CelStatus cel_soft_value_estimate(float *V, float *log_w, const float *Q, const float *log_q,
                                  double alpha, int64_t n, int64_t B) {
  CELI_NEED(V);
  CELI_NEED(log_w);
  CELI_NEED(Q);
  CELI_NEED(log_q);
  CELI_FLOATS(CELI_IEEE);
  if (!(alpha > 0) || !isfinite(alpha))
    return cel_fail(CEL_E_RANGE, "soft value: alpha is %g; it must be positive and finite", alpha);
  if (n < 1)
    return cel_fail(CEL_E_RANGE, "soft value: n is %lld; it must be at least 1", (long long)n);
  const float scale = (float)alpha, log_n = (float)(alpha * log((double)n));
  for (int64_t i = 0; i < B * n; i++) log_w[i] = Q[i] - scale * log_q[i];
  celi_ops()->logsumexp(V, log_w, n, scale, 0, B, n);
  for (int64_t b = 0; b < B; b++) V[b] -= log_n;
  return CEL_OK;
}

// ---- proposals.

CeliProposal celi_proposal(const CelSqlcConfig *config, int64_t A) {
  const int64_t K = config->value_particles;
  CeliProposal p = {.K = K, .U = K, .A = A};
  if (config->value_proposal == CEL_PROPOSAL_UNIFORM) return p;
  p.U = (int64_t)(config->proposal_uniform * (double)K + 0.5);
  if (p.U < 1) p.U = 1;
  if (p.U > K) p.U = K;
  const double draws = (double)(K - p.U), dims = (double)A;
  if (draws > 0) p.width = (float)pow(draws * (dims + 2) / 4, -1 / (dims + 4));
  return p;
}

int64_t celi_proposal_scratch(const CeliProposal *p) {
  return 2 * p->K * p->A + 3 * p->K + (p->K - p->U) + p->A;
}

/// sd (A,) of the Gaussians around the samples center (M,A).
static void spread(const CeliProposal *p, float *sd, const float *center) {
  const int64_t M = p->K - p->U, A = p->A;
  for (int64_t c = 0; c < A; c++) {
    float mean = 0, square = 0;
    for (int64_t j = 0; j < M; j++) mean += center[j * A + c];
    mean /= (float)M;
    for (int64_t j = 0; j < M; j++)
      square += (center[j * A + c] - mean) * (center[j * A + c] - mean);
    sd[c] = p->width * __builtin_sqrtf(square / (float)M);
    if (sd[c] < (float)CELI_PROPOSAL_SD_MIN) sd[c] = (float)CELI_PROPOSAL_SD_MIN;
  }
}

/// u (K,A) of all actions, and log_volume (K,) = sum log(1 - tanh(u)^2); a (K,A) lda.
static void place_actions(const CeliProposal *p, float *a, ptrdiff_t lda, float *u,
                          float *log_volume, const float *uniform, const float *center,
                          const float *eps, const float *sd, float *work) {
  const CeliOps *ops = celi_ops();
  const int64_t A = p->A, first = p->U * A, all = p->K * A;
  for (int64_t i = 0; i < first; i++) work[i] = 1 + uniform[i], u[i] = 1 - uniform[i];
  ops->log(work, work, first);
  ops->log(u, u, first);
  for (int64_t i = 0; i < first; i++) {
    const float up = work[i], down = u[i];
    work[i] = up + down, u[i] = 0.5f * (up - down);
  }
  for (int64_t i = first; i < all; i++) {
    const int64_t k = i - first;
    u[i] = center[k] + sd[k % A] * eps[k];
    work[i] = -2 * u[i];
  }
  ops->softplus(work + first, work + first, all - first);
  for (int64_t i = first; i < all; i++) work[i] = 2 * ((float)LOG_2 - u[i] - work[i]);
  for (int64_t k = 0; k < p->K; k++) {
    log_volume[k] = 0;
    for (int64_t c = 0; c < A; c++) log_volume[k] += work[k * A + c];
  }
  ops->tanh(work + first, u + first, all - first);
  for (int64_t k = 0; k < p->K; k++)
    for (int64_t c = 0; c < A; c++)
      a[k * lda + c] = k < p->U ? uniform[k * A + c] : work[k * A + c];
}

/// log_part (K,): log sum_j exp(-|(u_k - c_j)/sd|^2 / 2).
static void near_draws(const CeliProposal *p, float *log_part, const float *u, const float *center,
                       const float *sd, float *term) {
  const int64_t M = p->K - p->U, A = p->A;
  for (int64_t k = 0; k < p->K; k++) {
    for (int64_t j = 0; j < M; j++) {
      float square = 0;
      for (int64_t c = 0; c < A; c++) {
        const float z = (u[k * A + c] - center[j * A + c]) / sd[c];
        square += z * z;
      }
      term[j] = -0.5f * square;
    }
    celi_ops()->logsumexp(log_part + k, term, M, 1, 0, 1, M);
  }
}

void celi_proposal_draw(const CeliProposal *p, float *a, ptrdiff_t lda, float *log_q,
                        const float *uniform, const float *center, const float *eps,
                        float *scratch) {
  const int64_t K = p->K, A = p->A, M = K - p->U;
  const float log_flat = (float)(-LOG_2 * (double)A);
  celi_ops()->fill(log_q, log_flat, K);
  if (M == 0) {
    for (int64_t k = 0; k < K; k++)
      for (int64_t c = 0; c < A; c++) a[k * lda + c] = uniform[k * A + c];
    return;
  }
  float *u = scratch, *work = u + K * A, *log_volume = work + K * A, *log_part = log_volume + K,
        *gap = log_part + K, *term = gap + K, *sd = term + M;
  spread(p, sd, center);
  place_actions(p, a, lda, u, log_volume, uniform, center, eps, sd, work);
  near_draws(p, log_part, u, center, sd, term);
  celi_ops()->log(work, sd, A);
  float log_unit = (float)(-0.5 * LOG_2_PI * (double)A - log((double)K));
  for (int64_t c = 0; c < A; c++) log_unit -= work[c];
  const float log_uniform = log_flat + (float)log((double)p->U / (double)K);
  // log(exp x + exp y) = max(x, y) + log(1 + exp -|x - y|)
  for (int64_t k = 0; k < K; k++) {
    log_part[k] += log_unit - log_volume[k];
    gap[k] = -fabsf(log_part[k] - log_uniform);
  }
  celi_ops()->softplus(gap, gap, K);
  for (int64_t k = 0; k < K; k++)
    log_q[k] = (log_part[k] > log_uniform ? log_part[k] : log_uniform) + gap[k];
}
