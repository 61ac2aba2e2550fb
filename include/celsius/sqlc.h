/// Soft Q-learning with continuous actions: one network for Q, soft values by importance sampling, and a network that turns
/// noise into actions, trained by Stein variational gradient descent.
#ifndef CELSIUS_SQLC_H
#define CELSIUS_SQLC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Source: [soft-q-learning, 3.2, 4]; Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017.
typedef struct CelSqlcConfig {
  CelOffPolicyConfig common;
  double ent_coef;           ///< alpha > 0, reward units per nat of the scaled action
  int64_t value_particles;   ///< uniform actions that a soft value is estimated from
  int64_t fixed_particles;   ///< actions a state whose scores and places attract and repel
  int64_t updated_particles; ///< actions a state that are moved
  double bandwidth; ///< h of the kernel exp(-|u - v|^2 / h); 0: median heuristic, state by state
} CelSqlcConfig;

CEL_API const CelField *cel_sqlc_fields(void);
CEL_API CelSqlcConfig cel_sqlc_config_default(void);

CEL_END
#endif
