/// Soft Q-learning with discrete actions (SQL): one Q network, a target network, and Boltzmann
/// behavior, that is pi(a|s) proportional to exp(Q(s,a)/alpha).
#ifndef CELSIUS_SQL_H
#define CELSIUS_SQL_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Settings of SQL. Start from cel_sql_config_default().
/// Source: [soft-q-learning, 3.1-3.2]; Haarnoja et al., "Reinforcement learning with deep
/// energy-based policies", 2017.
typedef struct CelSqlConfig {
  /// Settings of all off-policy learners.
  CelOffPolicyConfig common;
  /// Temperature alpha of values and behavior, reward units per nat. Range 1e-9 to 1e9, default
  /// 0.1. Raise it to explore more.
  double ent_coef;
} CelSqlConfig;

/// Returns the field table of CelSqlConfig. Static; never NULL.
CEL_API const CelField *cel_sql_fields(void);
/// Returns the default settings.
CEL_API CelSqlConfig cel_sql_config_default(void);

CEL_END
#endif
