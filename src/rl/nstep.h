/// Entropies of the intermediate steps, in n-step soft returns.
#ifndef CELI_NSTEP_H
#define CELI_NSTEP_H
#include <stdint.h>

/// y (B,) += alpha sum_k weight[k,b] (-logp[k,b]) for rows [begin, end), k = 0..K-1 in order: the
/// entropies of the intermediate steps. weight (K,B) is gamma^(k+1) inside the window, 0 outside;
/// alpha (1,).
/// Source: [maximum-entropy, 8.13]
void celi_nstep_entropy(float *y, const float *weight, const float *logp, const float *alpha,
                        int64_t K, int64_t B, int64_t begin, int64_t end);

#endif
