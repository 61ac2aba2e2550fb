/// Proximal policy optimisation: clipped surrogate, value clipping, early stop by KL divergence.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3.
#ifndef CELSIUS_PPO_H
#define CELSIUS_PPO_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Source: Schulman et al., "Proximal policy optimization algorithms", 2017; [policy-guarantees, surrogate].
typedef struct CelPpoConfig {
  CelOnPolicyConfig common;
  int64_t batch_size;        ///< B: rows of a minibatch
  int64_t n_epochs;          ///< passes over the rollout
  double gae_lambda;         ///< lambda
  CelSchedule clip_range;    ///< c: how far the probability ratio may move
  CelSchedule clip_range_vf; ///< how far values may move, reward units; 0: as far as they like
  bool normalize_advantage;  ///< of each minibatch
  double ent_coef;           ///< weight of the entropy bonus
  double vf_coef;            ///< weight of the values' squared error
  double max_grad_norm;      ///< of all gradients together; 0: no clipping
  double target_kl; ///< stop an update where the divergence passes 1.5 times this; 0: never
  double adam_epsilon, weight_decay;
} CelPpoConfig;

CEL_API const CelField *cel_ppo_fields(void);
CEL_API CelPpoConfig cel_ppo_config_default(void);

CEL_END
#endif
