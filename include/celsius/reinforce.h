/// REINFORCE: the policy gradient from returns of whole episodes.
#ifndef CELSIUS_REINFORCE_H
#define CELSIUS_REINFORCE_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Source: Williams, "Simple statistical gradient-following algorithms", 1992; [actor-critic, 4.1].
typedef struct CelReinforceConfig {
  CelOnPolicyConfig common;
  CelSchedule critic_learning_rate; ///< of a learned baseline
  bool
      reward_to_go; ///< each step learns from the rewards that follow it; else from its episode's whole return
  bool discount_weight;     ///< gradients of step t of an episode weigh gamma^t: the gradient of J
  int32_t baseline;         ///< 0 none, 1 mean of the returns, 2 value (learned)
  bool normalize_advantage; ///< mean 0 and deviation 1 of what log-probs weigh
  int32_t reduction;        ///< 0 mean over steps, 1 sum over steps and mean over episodes
  double ent_coef;          ///< weight of an entropy bonus
  double max_grad_norm;     ///< of policy and baseline each; 0: no clipping
  int64_t baseline_steps;   ///< gradient steps of a learned baseline an update
  double adam_epsilon;
} CelReinforceConfig;

CEL_API const CelField *cel_reinforce_fields(void);
CEL_API CelReinforceConfig cel_reinforce_config_default(void);

CEL_END
#endif
