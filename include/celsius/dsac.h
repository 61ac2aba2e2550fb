/// Discrete soft actor-critic (DSAC): a categorical policy and exact expectations over actions.
///
/// Each critic computes the values of all actions at once.
#ifndef CELSIUS_DSAC_H
#define CELSIUS_DSAC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Settings of DSAC. Start from cel_dsac_config_default().
/// Source: [maximum-entropy, 8.13-8.30], [discrete-soft-policy-gradient, (6)]; Christodoulou, "Soft
/// actor-critic for discrete action settings", 2019.
typedef struct CelDsacConfig {
  /// Settings of all off-policy learners.
  CelOffPolicyConfig common;
  /// Temperature alpha, reward units per nat. Range 0 to 1e12, default NAN ("auto"), which learns
  /// it. Set a number to fix how much entropy is worth.
  double ent_coef;
  /// Initial value of a learned temperature, reward units per nat. Range 1e-12 to 1e12, default 1.
  /// Raise it to explore longer.
  double ent_coef_init;
  /// Entropy that a learned temperature aims for, nats. Range 0 to 1e9, default NAN ("auto"), which
  /// is target_entropy_factor * log A for A actions.
  double target_entropy;
  /// Target entropy as a fraction of the uniform policy's log A. Range 0 to 1, default 0.5. Only
  /// with target_entropy NAN.
  double target_entropy_factor;
  /// Temperature in the critics' target, reward units per nat. Range 0 to 1e12, default NAN
  /// ("auto"), which is the policy's alpha; 0 leaves the entropy out of the critics.
  double critic_ent_coef;
  /// Number of critics E. Range 1 to 64, default 2.
  int64_t n_critics;
  /// How the critics are combined, action by action. Default CEL_CRITIC_REDUCE_MIN. Take the mean
  /// where an exact solution is to be reached.
  CelCriticReduce critic_reduce;
  /// Steps of reward before bootstrapping, with the entropies between them. Range 1 to 64, default
  /// 1. Raise it when rewards are sparse.
  int64_t n_steps;
} CelDsacConfig;

/// Returns the field table of CelDsacConfig. Static; never NULL.
CEL_API const CelField *cel_dsac_fields(void);
/// Returns the default settings.
CEL_API CelDsacConfig cel_dsac_config_default(void);

CEL_END
#endif
