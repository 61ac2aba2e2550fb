/// Actor-critic (AC) with a one-step temporal difference.
#ifndef CELSIUS_AC_H
#define CELSIUS_AC_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// How the losses of single steps become one loss.
typedef enum CelAcReduction {
  CEL_AC_REDUCTION_MEAN = 0, ///< mean over the steps of a rollout
  CEL_AC_REDUCTION_SUM = 1   ///< sum over the steps of a rollout
} CelAcReduction;
CEL_ENUM_IS_INT32(CelAcReduction);

/// Gradient-based optimizer of AC.
typedef enum CelAcOptimizer {
  CEL_AC_OPTIMIZER_ADAM = 0, ///< Adam
  CEL_AC_OPTIMIZER_SGD = 1   ///< plain gradient steps
} CelAcOptimizer;
CEL_ENUM_IS_INT32(CelAcOptimizer);

/// Settings of AC. Start from cel_ac_config_default().
/// Source: [actor-critic, 4.16-4.26].
typedef struct CelAcConfig {
  /// Settings of all on-policy learners. AC's own defaults: learning_rate 3e-4 (of the policy),
  /// n_steps 1, state_dependent_std true.
  CelOnPolicyConfig common;
  /// Step size of the values' network. Range 0 to 10, default 1e-3. The values should learn at
  /// least as fast as the policy.
  CelSchedule critic_learning_rate;
  /// Weights the gradient of step t of an episode by gamma^t. Default false. The weights make the
  /// policy gradient exact, but late steps then teach little.
  bool discount_weight;
  /// How the losses of the steps are combined. Default CEL_AC_REDUCTION_MEAN. With the sum, the
  /// step size grows with n_steps and n_envs.
  CelAcReduction reduction;
  /// Weight of the entropy bonus, reward units per nat. Range 0 to 1e6, default 0. Raise it when
  /// the policy becomes deterministic too early.
  double ent_coef;
  /// Largest gradient norm of each network (policy and values). Range 0 to 1e12, default 0; 0
  /// turns clipping off.
  double max_grad_norm;
  /// Optimizer of policy and values. Default CEL_AC_OPTIMIZER_ADAM.
  CelAcOptimizer optimizer;
  /// Term that Adam adds to the root of its second moment. Range 0 to 1, default 1e-8.
  double adam_epsilon;
} CelAcConfig;

/// Returns the field table of CelAcConfig. Static; never NULL.
CEL_API const CelField *cel_ac_fields(void);
/// Returns the default settings.
CEL_API CelAcConfig cel_ac_config_default(void);

CEL_END
#endif
