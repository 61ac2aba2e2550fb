/// Advantage actor-critic, synchronous: one gradient step on each short rollout.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3.
#ifndef CELSIUS_A2C_H
#define CELSIUS_A2C_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Source: Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016; [actor-critic, 4.13].
typedef struct CelA2cConfig {
  CelOnPolicyConfig common;
  double gae_lambda; ///< lambda; 1: n-step returns
  bool normalize_advantage;
  double ent_coef;      ///< weight of the entropy bonus
  double vf_coef;       ///< weight of the values' squared error
  double max_grad_norm; ///< of all gradients together; 0: no clipping
  int32_t optimizer;    ///< 0 rmsprop, 1 adam
  double rms_decay;     ///< of RMSProp's mean square
  double epsilon;       ///< of either
} CelA2cConfig;

CEL_API const CelField *cel_a2c_fields(void);
CEL_API CelA2cConfig cel_a2c_config_default(void);

CEL_END
#endif
