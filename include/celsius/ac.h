/// Actor-critic with a one-step temporal difference.
#ifndef CELSIUS_AC_H
#define CELSIUS_AC_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Source: [actor-critic, 4.16-4.26].
typedef struct CelAcConfig {
  CelOnPolicyConfig common;
  CelSchedule critic_learning_rate; ///< of the values
  bool discount_weight; ///< gradients of step t of an episode weigh gamma^t: the gradient of J
  int32_t reduction;    ///< 0 mean over the steps, 1 their sum
  double ent_coef;      ///< weight of an entropy bonus
  double max_grad_norm; ///< of policy and values each; 0: no clipping
  int32_t optimizer;    ///< 0 adam, 1 sgd
  double adam_epsilon;
} CelAcConfig;

CEL_API const CelField *cel_ac_fields(void);
CEL_API CelAcConfig cel_ac_config_default(void);

CEL_END
#endif
