/// Soft Q-learning with discrete actions: one network for Q, Boltzmann behaviour, a target network.
#ifndef CELSIUS_SQL_H
#define CELSIUS_SQL_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Source: [soft-q-learning, 3.1-3.2]; Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017.
typedef struct CelSqlConfig {
  CelOffPolicyConfig common;
  double ent_coef; ///< alpha > 0, reward units per nat
} CelSqlConfig;

CEL_API const CelField *cel_sql_fields(void);
CEL_API CelSqlConfig cel_sql_config_default(void);

CEL_END
#endif
