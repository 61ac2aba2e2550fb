/// Soft actor-critic with a value network: its first form, where a network learns V and its moving average is the target.
#ifndef CELSIUS_SACV_H
#define CELSIUS_SACV_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Source: [policy-guarantees, SAC] (its Algorithm 1); Haarnoja et al., "Soft actor-critic: off-policy maximum entropy deep
/// reinforcement learning with a stochastic actor", 2018.
typedef struct CelSacvConfig {
  CelOffPolicyConfig common;
  double ent_coef;                 ///< alpha, reward units per nat; NAN ("auto"): learned
  double ent_coef_init;            ///< a learned alpha's start
  double target_entropy;           ///< nats, of actions scaled to [-1, 1]; NAN ("auto"): -dim(A)
  int64_t n_critics;               ///< E
  int32_t critic_reduce;           ///< 0 min, 1 mean over the critics
  int32_t policy;                  ///< 0 squashed_gaussian, 1 gaussian (unsquashed)
  double log_std_min, log_std_max; ///< clamp of log sigma
} CelSacvConfig;

CEL_API const CelField *cel_sacv_fields(void);
CEL_API CelSacvConfig cel_sacv_config_default(void);

CEL_END
#endif
