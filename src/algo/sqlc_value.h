/// The proposals from which the actions of a soft value are drawn, for one state at a time, without waiting.
///
/// Uniform on [-1, 1]^A; or, since a sampler knows no density of its own, a mixture whose density is known although the
/// sampler's is not: U of K actions are uniform, every other one a draw c_j = f(s, xi_j) of the sampler, spread by a
/// Gaussian in u,
///   q(a) = U/K 2^-A + 1/K sum_j N(u; c_j, diag sd^2) prod 1/(1 - tanh(u)^2),  a = tanh(u), j over the K - U draws,
///   sd = ((K - U)(A + 2)/4)^(-1/(A + 4)) times the draws' deviation (Silverman's rule), at least CELI_PROPOSAL_SD_MIN.
/// Each action is drawn from its own part and weighed by the whole (the balance heuristic), so that exp(V/alpha) has no bias
/// whatever the draws are, and a weight is at most K/U 2^A exp(Q/alpha), whatever the sampler leaves out.
/// Source: [soft-q-learning, 3.2]; Veach and Guibas, "Optimally combining sampling techniques", 1995; Hesterberg, "Weighted
/// average importance sampling and defensive mixture distributions", 1995; Silverman, "Density estimation", 1986.
#ifndef CELI_SQLC_VALUE_H
#define CELI_SQLC_VALUE_H
#include "celsius/sqlc.h"
#include <stddef.h>

/// So that a sampler whose draws fall together still has its surroundings looked at.
#define CELI_PROPOSAL_SD_MIN 0.05

typedef struct CeliProposal {
  int64_t K, U, A; ///< actions, those that are uniform, their dimension; U = K: all
  float width;     ///< of the Gaussians, in deviations of the draws
} CeliProposal;

/// As the config says. A policy proposal has at least one uniform action.
CeliProposal celi_proposal(const CelSqlcConfig *config, int64_t A);
/// Floats that celi_proposal_draw works with.
int64_t celi_proposal_scratch(const CeliProposal *proposal);
/// out  a (K,A) lda, log_q (K,) nats per volume of actions | in  uniform (U,A) in (-1, 1), center (K-U,A) the sampler's u,
/// eps (K-U,A) standard normals | scratch (celi_proposal_scratch,).
void celi_proposal_draw(const CeliProposal *proposal, float *a, ptrdiff_t lda, float *log_q,
                        const float *uniform, const float *center, const float *eps,
                        float *scratch);

#endif
