/// Advantage actor-critic (A2C): one gradient step on each short rollout, synchronous.
///
/// Field names and defaults are those of Stable-Baselines3.
#ifndef CELSIUS_A2C_H
#define CELSIUS_A2C_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Gradient-based optimizer of A2C.
typedef enum CelA2cOptimizer {
  CEL_A2C_OPTIMIZER_RMSPROP = 0, ///< divides by a running root mean square; no momentum
  CEL_A2C_OPTIMIZER_ADAM = 1     ///< Adam with adam_beta1 and adam_beta2
} CelA2cOptimizer;
CEL_ENUM_IS_INT32(CelA2cOptimizer);

/// Settings of A2C. Start from cel_a2c_config_default().
/// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016;
/// [actor-critic, 4.13].
typedef struct CelA2cConfig {
  /// Settings of all on-policy learners. A2C's own defaults: learning_rate 7e-4, n_steps 5.
  CelOnPolicyConfig common;
  /// Decay lambda of generalized advantage estimation. Range 0 to 1, default 1. 1 uses n-step
  /// returns. Lower it to reduce variance at the price of bias.
  double gae_lambda;
  /// Scales the advantages of each update to mean 0 and standard deviation 1. Default false. Turn
  /// it on when the scale of rewards changes during training.
  bool normalize_advantage;
  /// Weight of the entropy bonus, reward units per nat. Range 0 to 1e6, default 0. Raise it when
  /// the policy becomes deterministic too early.
  double ent_coef;
  /// Weight of the squared error of the values in the loss. Range 0 to 1e6, default 0.5.
  double vf_coef;
  /// Largest norm of all gradients together; a longer gradient is scaled down. Range 0 to 1e12,
  /// default 0.5; 0 turns clipping off.
  double max_grad_norm;
  /// Optimizer of policy and values. Default CEL_A2C_OPTIMIZER_RMSPROP.
  CelA2cOptimizer optimizer;
  /// Decay of RMSProp's running mean of squared gradients. Range 0 to 0.999999, default 0.99.
  double rms_decay;
  /// Term that either optimizer adds to the root of the mean square, so that it never divides by
  /// zero. Range 0 to 1, default 1e-5.
  double epsilon;
} CelA2cConfig;

/// Returns the field table of CelA2cConfig. Static; never NULL.
CEL_API const CelField *cel_a2c_fields(void);
/// Returns the default settings.
CEL_API CelA2cConfig cel_a2c_config_default(void);

CEL_END
#endif
