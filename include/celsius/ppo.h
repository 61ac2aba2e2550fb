/// Proximal policy optimization (PPO): clipped surrogate, value clipping, early stop by KL
/// divergence.
///
/// Field names and defaults are those of Stable-Baselines3.
#ifndef CELSIUS_PPO_H
#define CELSIUS_PPO_H
#include "celsius/agent.h"
#include "celsius/on_policy.h"
CEL_BEGIN

/// Settings of PPO. Start from cel_ppo_config_default().
/// Source: Schulman et al., "Proximal policy optimization algorithms", 2017; [policy-guarantees,
/// surrogate].
typedef struct CelPpoConfig {
  /// Settings of all on-policy learners.
  CelOnPolicyConfig common;
  /// Rows B of a minibatch, environment steps. Range 1 to 1e6, default 64. Best when it divides
  /// n_steps * n_envs.
  int64_t batch_size;
  /// Passes over each rollout. Range 1 to 1e6, default 10. Lower it when the divergence grows too
  /// fast.
  int64_t n_epochs;
  /// Decay lambda of generalized advantage estimation. Range 0 to 1, default 0.95. 0 uses one-step
  /// differences, 1 whole returns. Lower it to reduce variance at the price of bias.
  double gae_lambda;
  /// Distance c of the probability ratio from 1 at which the surrogate is clipped. Range 0 to 1e6,
  /// default 0.2. Lower it for smaller, safer updates.
  CelSchedule clip_range;
  /// Change of a value at which the value loss is clipped, reward units. Range 0 to 1e12, default
  /// 0; 0 turns value clipping off.
  CelSchedule clip_range_vf;
  /// Scales the advantages of each minibatch to mean 0 and standard deviation 1. Default true.
  bool normalize_advantage;
  /// Weight of the entropy bonus, reward units per nat. Range 0 to 1e6, default 0. Raise it when
  /// the policy becomes deterministic too early.
  double ent_coef;
  /// Weight of the squared error of the values in the loss. Range 0 to 1e6, default 0.5.
  double vf_coef;
  /// Largest norm of all gradients together; a longer gradient is scaled down. Range 0 to 1e12,
  /// default 0.5; 0 turns clipping off.
  double max_grad_norm;
  /// Divergence limit, nats: an update stops early when the mean divergence exceeds 1.5 times this.
  /// Range 0 to 1e6, default 0; 0 never stops early.
  double target_kl;
  /// Term that Adam adds to the root of its second moment. Range 0 to 1, default 1e-5.
  double adam_epsilon;
  /// Decoupled weight decay (AdamW). Range 0 to 1, default 0.
  double weight_decay;
} CelPpoConfig;

/// Returns the field table of CelPpoConfig. Static; never NULL.
CEL_API const CelField *cel_ppo_fields(void);
/// Returns the default settings.
CEL_API CelPpoConfig cel_ppo_config_default(void);

CEL_END
#endif
