/// Soft Q-learning with continuous actions: one network for Q, soft values by importance sampling, and a network that turns
/// noise into actions, trained by Stein variational gradient descent.
///
/// What the sampler does badly, as its tests show: between modes that lie far apart it takes the one that it came to first,
/// since nothing slopes from one to the other; of modes that it does hold, shares are off by a few hundredths, with a thin
/// bridge of actions between them, for a network is continuous; and it knows no density, so that log pi, entropy and a mode
/// cannot be told. Uniform proposals of soft values miss narrow peaks, the more so the more dimensions: V is then too low.
#ifndef CELSIUS_SQLC_H
#define CELSIUS_SQLC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// What the actions of a soft value are drawn from. Source: [soft-q-learning, 3.2]
typedef enum CelProposal {
  CEL_PROPOSAL_UNIFORM, ///< the whole box of actions
  CEL_PROPOSAL_POLICY ///< draws of the sampler, each spread by a Gaussian in u, a = tanh(u), and some uniform actions
} CelProposal;

/// Source: [soft-q-learning, 3.2, 4]; Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017.
typedef struct CelSqlcConfig {
  CelOffPolicyConfig common;
  double ent_coef;           ///< alpha > 0, reward units per nat of the scaled action
  int64_t value_particles;   ///< actions that a soft value is estimated from
  int32_t value_proposal;    ///< what they are drawn from: CelProposal
  double proposal_uniform;   ///< share of them that is uniform where the proposal is the policy
  int64_t fixed_particles;   ///< actions a state whose scores and places attract and repel
  int64_t updated_particles; ///< actions a state that are moved
  double bandwidth; ///< h of the kernel exp(-|u - v|^2 / h); 0: median heuristic, state by state
} CelSqlcConfig;

/// Soft values by importance sampling: of each of B states from n actions a_i that were drawn from a proposal q,
///   V = alpha log 1/n sum_i w_i,  w_i = exp(Q(a_i)/alpha) / q(a_i).
/// exp(V/alpha) has no bias; V is low by about alpha Var(w)/(2 n Z^2), Z = E[w], and exact where q is proportional to
/// exp(Q/alpha).
/// Source: [soft-q-learning, 3.2]
/// out  V (B,), log_w (B,n) alpha log w, may be Q | in  Q (B,n), log_q (B,n) log q, nats per volume of actions; V, Q
/// in reward units. alpha > 0, reward units per nat.
/// Errors: CEL_E_RANGE (alpha, n). Allocates: no.
CEL_API CelStatus cel_soft_value_estimate(float *V, float *log_w, const float *Q,
                                          const float *log_q, double alpha, int64_t n,
                                          int64_t B) CEL_WARN_UNUSED;

CEL_API const CelField *cel_sqlc_fields(void);
CEL_API CelSqlcConfig cel_sqlc_config_default(void);

CEL_END
#endif
