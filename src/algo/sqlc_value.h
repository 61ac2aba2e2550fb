/// Proposals of actions for the estimate of a soft value, for one state at a time. No allocation.
///
/// A proposal is uniform on [-1, 1]^A or a mixture. The density of a sampler is unknown, but that
/// of the mixture is known. U of its K actions are uniform. Every other action is a sample c_j =
/// f(s, xi_j) of the sampler with Gaussian noise in u:
///   q(a) = U/K 2^-A + 1/K sum_j N(u; c_j, diag sd^2) prod 1/(1 - tanh(u)^2),  a = tanh(u),
///   where j runs over the K - U samples.
/// sd is ((K - U)(A + 2)/4)^(-1/(A + 4)) times the standard deviation of the samples (Silverman's
/// rule), and at least CELI_PROPOSAL_SD_MIN.
///
/// Each action is drawn from its own component and weighted by the whole mixture (the balance
/// heuristic). exp(V/alpha) is therefore unbiased for any samples. A weight is at most K/U 2^A
/// exp(Q/alpha), even where the sampler has no samples.
/// Source: [soft-q-learning, 3.2]; Veach and Guibas, "Optimally combining sampling techniques",
/// 1995; Hesterberg, "Weighted average importance sampling and defensive mixture distributions",
/// 1995; Silverman, "Density estimation", 1986.
#ifndef CELI_SQLC_VALUE_H
#define CELI_SQLC_VALUE_H
#include "celsius/sqlc.h"
#include <stddef.h>

/// Keeps the proposal wide enough if all samples are almost equal.
#define CELI_PROPOSAL_SD_MIN 0.05

typedef struct CeliProposal {
  int64_t K, U, A; ///< actions, uniform ones among them, dimension; U = K: all
  float width;     ///< scale of the Gaussians: multiple of the samples' standard deviation
} CeliProposal;

/// The proposal of the config. A policy proposal has at least one uniform action.
CeliProposal celi_proposal(const CelSqlcConfig *config, int64_t A);
/// Floats of scratch that celi_proposal_draw needs.
int64_t celi_proposal_scratch(const CeliProposal *proposal);
/// out  a (K,A) lda, log_q (K,) log-density of the actions, nats | in  uniform (U,A) in (-1, 1),
/// center (K-U,A) the sampler's u, eps (K-U,A) standard normals | scratch (celi_proposal_scratch,).
void celi_proposal_draw(const CeliProposal *proposal, float *a, ptrdiff_t lda, float *log_q,
                        const float *uniform, const float *center, const float *eps,
                        float *scratch);

#endif
