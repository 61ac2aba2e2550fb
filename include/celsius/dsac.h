/// Discrete soft actor-critic: a categorical policy, critics that give all actions at once, exact expectations.
#ifndef CELSIUS_DSAC_H
#define CELSIUS_DSAC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Source: [maximum-entropy, 8.13-8.30], [discrete-soft-policy-gradient, (6)]; Christodoulou, "Soft actor-critic for
/// discrete action settings", 2019.
typedef struct CelDsacConfig {
  CelOffPolicyConfig common;
  double ent_coef;              ///< alpha, reward units per nat; NAN ("auto"): learned
  double ent_coef_init;         ///< a learned alpha's start
  double target_entropy;        ///< nats; NAN ("auto"): target_entropy_factor log A
  double target_entropy_factor; ///< share of the largest entropy
  double critic_ent_coef;       ///< alpha in the critics' target; NAN ("auto"): the policy's
  int64_t n_critics;            ///< E
  int32_t critic_reduce;        ///< 0 min, 1 mean over the critics, action by action
  int64_t n_steps; ///< steps of reward before bootstrapping, the entropies between included
} CelDsacConfig;

CEL_API const CelField *cel_dsac_fields(void);
CEL_API CelDsacConfig cel_dsac_config_default(void);

CEL_END
#endif
