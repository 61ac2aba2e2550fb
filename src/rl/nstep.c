/// Entropies of the intermediate steps, in n-step soft returns.
///
/// y = sum_{k<m} gamma^k r_k + sum_{0<k<m} gamma^k alpha H_k + gamma^m V(s_m), where -log pi of one
/// action drawn at s_k estimates H_k. The caller computes the first sum and the last term. This
/// file adds the middle one.
#include "rl/nstep.h"

void celi_nstep_entropy(float *y, const float *weight, const float *logp, const float *alpha,
                        int64_t K, int64_t B, int64_t begin, int64_t end) {
  for (int64_t k = 0; k < K; k++)
    for (int64_t b = begin; b < end; b++) {
      const float w = weight[k * B + b];
      if (w != 0) y[b] -= *alpha * w * logp[k * B + b];
    }
}
