/// Trust region policy optimisation: a natural gradient step, as long as a bound on the divergence lets it be.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3's contrib package.
#ifndef CELSIUS_TRPO_H
#define CELSIUS_TRPO_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Source: Schulman et al., "Trust region policy optimization", 2015; [policy-guarantees, surrogate].
typedef struct CelTrpoConfig {
  CelOnPolicyConfig common;
  int64_t batch_size;                  ///< rows of a minibatch of the values
  int64_t n_critic_updates;            ///< passes over the rollout of the values
  double gae_lambda;                   ///< lambda
  bool normalize_advantage;            ///< of each rollout
  double target_kl;                    ///< delta: mean divergence that an update may reach, nats
  int64_t cg_max_steps;                ///< steps of conjugate gradients
  double cg_damping;                   ///< added to the Fisher matrix's diagonal
  double line_search_shrinking_factor; ///< each try is this much shorter
  int64_t line_search_max_iter;        ///< tries
  double adam_epsilon;
} CelTrpoConfig;

CEL_API const CelField *cel_trpo_fields(void);
CEL_API CelTrpoConfig cel_trpo_config_default(void);

CEL_END
#endif
