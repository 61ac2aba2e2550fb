/// Soft Q-learning with continuous actions (SQLC).
///
/// One network learns Q, and importance sampling estimates its soft values. A second network, the
/// sampler, turns noise into actions and is trained by Stein variational gradient descent.
///
/// Limits, all shown by the tests:
/// - Between modes that are far apart, the sampler stays with the first one that it finds, because
///   no gradient leads from one to the other.
/// - The probabilities of the modes that it holds are off by a few hundredths. A thin bridge of
///   actions connects them, because a network is continuous.
/// - The sampler has no density, so log pi, entropy and a mode are not available.
/// - Uniform proposals miss narrow peaks, more so in many dimensions. V is then too low.
#ifndef CELSIUS_SQLC_H
#define CELSIUS_SQLC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Proposal distribution of the actions that a soft value is estimated from.
/// Source: [soft-q-learning, 3.2]
typedef enum CelProposal {
  CEL_PROPOSAL_UNIFORM, ///< uniform over the box of actions
  CEL_PROPOSAL_POLICY   ///< Gaussians in u, a = tanh(u), around draws of the sampler, and some
                        ///< uniform actions
} CelProposal;
CEL_ENUM_IS_INT32(CelProposal);

/// Settings of SQLC. Start from cel_sqlc_config_default().
/// Source: [soft-q-learning, 3.2, 4]; Haarnoja et al., "Reinforcement learning with deep
/// energy-based policies", 2017.
typedef struct CelSqlcConfig {
  /// Settings of all off-policy learners.
  CelOffPolicyConfig common;
  /// Temperature alpha, reward units per nat of the action scaled to [-1, 1]. Range 1e-9 to 1e9,
  /// default 0.1. Raise it to keep several modes.
  double ent_coef;
  /// Actions that each soft value is estimated from. Range 1 to 65536, default 32. Raise it with
  /// the number of action dimensions.
  int64_t value_particles;
  /// Distribution of those actions. Default CEL_PROPOSAL_UNIFORM. Take CEL_PROPOSAL_POLICY when Q
  /// has narrow peaks.
  CelProposal value_proposal;
  /// Fraction of uniform actions with CEL_PROPOSAL_POLICY, at least one action. Range 0 to 1,
  /// default 0.25.
  double proposal_uniform;
  /// Actions per state whose scores and positions move the others. Range 2 to 256, default 16.
  int64_t fixed_particles;
  /// Actions per state that are moved. Range 1 to 256, default 16.
  int64_t updated_particles;
  /// Bandwidth h of the kernel exp(-|u - v|^2 / h). Range 0 to 1e9, default 0; 0 uses the median
  /// heuristic, state by state.
  double bandwidth;
} CelSqlcConfig;

/// Estimates soft values by importance sampling. Each of B states has n actions a_i drawn from a
/// proposal q:
///   V = alpha log 1/n sum_i w_i,  w_i = exp(Q(a_i)/alpha) / q(a_i).
/// exp(V/alpha) is unbiased. V is low by about alpha Var(w)/(2 n Z^2), Z = E[w], and exact where q
/// is proportional to exp(Q/alpha).
/// Source: [soft-q-learning, 3.2]
/// out  V (B,) reward units; log_w (B,n) alpha log w, reward units, may be Q
/// in   Q (B,n) reward units; log_q (B,n) log q, nats per volume of actions
/// alpha > 0, reward units per nat.
/// Errors: CEL_E_RANGE (alpha, n). Allocates: no.
CEL_API CelStatus cel_soft_value_estimate(float *V, float *log_w, const float *Q,
                                          const float *log_q, double alpha, int64_t n,
                                          int64_t B) CEL_WARN_UNUSED;

/// Returns the field table of CelSqlcConfig. Static; never NULL.
CEL_API const CelField *cel_sqlc_fields(void);
/// Returns the default settings.
CEL_API CelSqlcConfig cel_sqlc_config_default(void);

CEL_END
#endif
