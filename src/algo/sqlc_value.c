/// Soft values of continuous actions by importance sampling. Contract: celsius/sqlc.h.
///
///   V = alpha log 1/n sum_i exp(Q(a_i)/alpha) / q(a_i),  a_i ~ q                       [soft-q-learning, 3.2]
#include "base/base.h"
#include "celsius/sqlc.h"
#include "ops/ops.h"

#include <math.h>

CelStatus cel_soft_value_estimate(float *V, float *log_w, const float *Q, const float *log_q,
                                  double alpha, int64_t n, int64_t B) {
  if (!(alpha > 0) || !isfinite(alpha))
    return cel_fail(CEL_E_RANGE, "a soft value: alpha is %g; it must be positive", alpha);
  if (n < 1)
    return cel_fail(CEL_E_RANGE, "a soft value from %lld actions; at least one", (long long)n);
  const float scale = (float)alpha, log_n = (float)(alpha * log((double)n));
  for (int64_t i = 0; i < B * n; i++) log_w[i] = Q[i] - scale * log_q[i];
  celi_ops()->logsumexp(V, log_w, n, scale, 0, B, n);
  for (int64_t b = 0; b < B; b++) V[b] -= log_n;
  return CEL_OK;
}
