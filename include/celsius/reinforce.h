/// REINFORCE: the policy gradient from returns of whole episodes.
#ifndef CELSIUS_REINFORCE_H
#define CELSIUS_REINFORCE_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// What is subtracted from the returns to reduce variance.
typedef enum CelReinforceBaseline {
  CEL_REINFORCE_BASELINE_NONE = 0, ///< nothing
  CEL_REINFORCE_BASELINE_MEAN = 1, ///< the mean of the rollout's returns
  CEL_REINFORCE_BASELINE_VALUE = 2 ///< a learned value of the state
} CelReinforceBaseline;
CEL_ENUM_IS_INT32(CelReinforceBaseline);

/// How the losses of single steps become one loss.
typedef enum CelReinforceReduction {
  CEL_REINFORCE_REDUCTION_STEPS = 0,   ///< mean over steps
  CEL_REINFORCE_REDUCTION_EPISODES = 1 ///< sum over steps, then mean over episodes
} CelReinforceReduction;
CEL_ENUM_IS_INT32(CelReinforceReduction);

/// Settings of REINFORCE. Start from cel_reinforce_config_default().
/// Source: Williams, "Simple statistical gradient-following algorithms", 1992; [actor-critic, 4.1].
typedef struct CelReinforceConfig {
  /// Settings of all on-policy learners. REINFORCE's own default: learning_rate 1e-3 (of the
  /// policy).
  CelOnPolicyConfig common;
  /// Step size of a learned baseline. Range 0 to 10, default 1e-3.
  CelSchedule critic_learning_rate;
  /// Each step learns from the rewards that follow it. Default true. When false, each step learns
  /// from the whole return of its episode, which has more variance.
  bool reward_to_go;
  /// Weights the gradient of step t of an episode by gamma^t. Default false. The weights make the
  /// policy gradient exact, but late steps then teach little.
  bool discount_weight;
  /// What is subtracted from the returns. Default CEL_REINFORCE_BASELINE_VALUE.
  CelReinforceBaseline baseline;
  /// Scales the weights of the log-probs (returns minus baseline) to mean 0 and standard deviation
  /// 1. Default true.
  bool normalize_advantage;
  /// How the losses of the steps are combined. Default CEL_REINFORCE_REDUCTION_STEPS.
  CelReinforceReduction reduction;
  /// Weight of the entropy bonus, reward units per nat. Range 0 to 1e6, default 0. Raise it when
  /// the policy becomes deterministic too early.
  double ent_coef;
  /// Largest gradient norm of each network (policy and baseline). Range 0 to 1e12, default 0.5; 0
  /// turns clipping off.
  double max_grad_norm;
  /// Gradient steps of a learned baseline per update. Range 1 to 1e6, default 10.
  int64_t baseline_steps;
  /// Term that Adam adds to the root of its second moment. Range 0 to 1, default 1e-5.
  double adam_epsilon;
} CelReinforceConfig;

/// Returns the field table of CelReinforceConfig. Static; never NULL.
CEL_API const CelField *cel_reinforce_fields(void);
/// Returns the default settings.
CEL_API CelReinforceConfig cel_reinforce_config_default(void);

CEL_END
#endif
