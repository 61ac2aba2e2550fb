/// Twin delayed deep deterministic policy gradient (TD3): a deterministic policy, the limit of SAC
/// as the temperature goes to 0. With one critic, policy_delay 1 and target_policy_noise 0, it is
/// DDPG.
///
/// Field names and defaults are those of Stable-Baselines3, except for the exploration noise.
#ifndef CELSIUS_TD3_H
#define CELSIUS_TD3_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Settings of TD3. Start from cel_td3_config_default().
/// Source: Fujimoto, van Hoof, Meger, "Addressing function approximation error in actor-critic
/// methods", 2018; DDPG: Lillicrap et al., "Continuous control with deep reinforcement learning",
/// 2016.
typedef struct CelTd3Config {
  /// Settings of all off-policy learners. Other defaults: learning_rate 1e-3, net_arch 400,300.
  /// target_update_interval: target networks move at updates of the policy only, and at those
  /// that are multiples of it.
  CelOffPolicyConfig common;
  /// Number of critics E. Range 1 to 64, default 2. The policy follows the first.
  int64_t n_critics;
  /// How the target combines the critics. Default CEL_CRITIC_REDUCE_MIN.
  CelCriticReduce critic_reduce;
  /// Number n of rewards in an n-step target. Range 1 to 64, default 1. Raise it when rewards are
  /// sparse.
  int64_t n_steps;
  /// Updates of the critics for each update of the policy and the target networks. Range 1 to 1e6,
  /// default 2.
  int64_t policy_delay;
  /// Standard deviation of the noise on the target policy's action, in units of the scaled action.
  /// Range 0 to 100, default 0.2. It smooths the target over similar actions.
  double target_policy_noise;
  /// Bound on the absolute value of that noise. Range 0 to 100, default 0.5.
  double target_noise_clip;
  /// Exploration noise. Default CEL_NOISE_NORMAL. Without it, the policy explores before
  /// learning_starts only. CEL_NOISE_GSDE is not possible.
  CelNoise noise;
  /// Standard deviation of normal and OU noise, in units of the scaled action. Range 0 to 100,
  /// default 0.1.
  double noise_sigma;
  /// Rate at which OU noise returns to 0, per unit of time. Range 0 to 1000, default 0.15.
  double noise_theta;
  /// Time step of OU noise, units of time. Range 1e-9 to 1000, default 0.01.
  double noise_dt;
} CelTd3Config;

/// Returns the field table of CelTd3Config. Static; never NULL.
CEL_API const CelField *cel_td3_fields(void);
/// Returns the default settings.
CEL_API CelTd3Config cel_td3_config_default(void);

CEL_END
#endif
