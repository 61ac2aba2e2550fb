/// Trust region policy optimization (TRPO): the longest natural gradient step within a bound on the
/// KL divergence.
///
/// Field names and defaults are those of Stable-Baselines3's contrib package.
#ifndef CELSIUS_TRPO_H
#define CELSIUS_TRPO_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Settings of TRPO. Start from cel_trpo_config_default().
/// Source: Schulman et al., "Trust region policy optimization", 2015; [policy-guarantees,
/// surrogate].
typedef struct CelTrpoConfig {
  /// Settings of all on-policy learners. TRPO's own default: learning_rate 1e-3 (of the values).
  CelOnPolicyConfig common;
  /// Rows of a minibatch of the values, environment steps. Range 1 to 1e6, default 128.
  int64_t batch_size;
  /// Passes of the values over each rollout. Range 1 to 1e6, default 10. Raise it when the values
  /// lag behind the returns.
  int64_t n_critic_updates;
  /// Decay lambda of generalized advantage estimation. Range 0 to 1, default 0.95. 0 uses one-step
  /// differences, 1 whole returns. Lower it to reduce variance at the price of bias.
  double gae_lambda;
  /// Scales the advantages of each rollout to mean 0 and standard deviation 1. Default true.
  bool normalize_advantage;
  /// Largest mean divergence delta of one update, nats. Range 1e-12 to 1e6, default 0.01. Lower it
  /// for smaller, safer updates.
  double target_kl;
  /// Conjugate gradient steps per update. Range 1 to 1000, default 15.
  int64_t cg_max_steps;
  /// Damping: added to the diagonal of the Fisher matrix. Range 0 to 1e6, default 0.1. Raise it
  /// when the step direction is unstable.
  double cg_damping;
  /// Factor by which each try of the line search shortens the step. Range 1e-6 to 0.999999,
  /// default 0.8.
  double line_search_shrinking_factor;
  /// Tries of the line search; when all fail, the policy stays as it was. Range 1 to 1000, default
  /// 10.
  int64_t line_search_max_iter;
  /// Term that Adam adds to the root of its second moment. Range 0 to 1, default 1e-8.
  double adam_epsilon;
} CelTrpoConfig;

/// Returns the field table of CelTrpoConfig. Static; never NULL.
CEL_API const CelField *cel_trpo_fields(void);
/// Returns the default settings.
CEL_API CelTrpoConfig cel_trpo_config_default(void);

CEL_END
#endif
