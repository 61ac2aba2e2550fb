/// Soft actor-critic with a value network (SAC-V), the first form of SAC.
///
/// A network learns V, and the moving average of its parameters is the target of the critics.
#ifndef CELSIUS_SACV_H
#define CELSIUS_SACV_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Settings of SAC-V. Start from cel_sacv_config_default().
/// Source: [policy-guarantees, SAC] (its Algorithm 1); Haarnoja et al., "Soft actor-critic:
/// off-policy maximum entropy deep reinforcement learning with a stochastic actor", 2018.
typedef struct CelSacvConfig {
  /// Settings of all off-policy learners.
  CelOffPolicyConfig common;
  /// Temperature alpha, reward units per nat. Range 0 to 1e12, default NAN ("auto"), which learns
  /// it. Set a number to fix how much entropy is worth.
  double ent_coef;
  /// Initial value of a learned temperature, reward units per nat. Range 1e-12 to 1e12, default 1.
  /// Raise it to explore longer.
  double ent_coef_init;
  /// Entropy that a learned temperature aims for, nats. It is that of actions scaled to [-1, 1], or
  /// of the actions themselves with CEL_POLICY_GAUSSIAN. Range -1e9 to 1e9, default NAN ("auto"),
  /// which is -A for A action dimensions.
  double target_entropy;
  /// Number of critics E. Range 1 to 64, default 2.
  int64_t n_critics;
  /// How the critics are combined. Default CEL_CRITIC_REDUCE_MIN. Take the mean where an exact
  /// solution is to be reached.
  CelCriticReduce critic_reduce;
  /// Distribution of the actions. Default CEL_POLICY_SQUASHED_GAUSSIAN. Take CEL_POLICY_GAUSSIAN
  /// for unbounded actions.
  CelPolicyKind policy;
  /// Lower bound of log sigma. Range -50 to 50, default -20. Must be below log_std_max.
  double log_std_min;
  /// Upper bound of log sigma. Range -50 to 50, default 2.
  double log_std_max;
} CelSacvConfig;

/// Returns the field table of CelSacvConfig. Static; never NULL.
CEL_API const CelField *cel_sacv_fields(void);
/// Returns the default settings.
CEL_API CelSacvConfig cel_sacv_config_default(void);

CEL_END
#endif
