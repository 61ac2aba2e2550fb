/// Settings that all on-policy learners (those that learn from rollouts) share.
#ifndef CELSIUS_ON_POLICY_H
#define CELSIUS_ON_POLICY_H
#include "celsius/field.h"
#include "celsius/network.h"
CEL_BEGIN

/// The first member of an on-policy learner's config. On the command line and in YAML, its fields
/// appear among the learner's own.
typedef struct CelOnPolicyConfig {
  /// Step size of the optimizer. Range 0 to 10. Default 3e-4 (ppo, ac), 7e-4 (a2c), 1e-3
  /// (reinforce, trpo). In ppo and a2c it applies to policy and values, in ac and reinforce to the
  /// policy, in trpo to the values. Lower it when returns rise and then collapse.
  CelSchedule learning_rate;
  /// Length T of a rollout: steps of each environment between updates. Range 1 to 1e9. Default
  /// 2048 (ppo, trpo, reinforce), 5 (a2c), 1 (ac). Longer rollouts give less noisy gradients but
  /// fewer updates.
  int64_t n_steps;
  /// Discount per step. Range 0 to 1, default 0.99. Raise it when rewards come late, lower it when
  /// they come at once.
  double gamma;
  /// Widths of the hidden layers of each network (policy and values). At most 16 layers of 1 to
  /// 8192 units, default 64,64. An empty list makes the networks linear.
  CelIntList net_arch;
  /// Activation function of the hidden layers. Default CEL_ACTIVATION_TANH.
  CelActivation activation;
  /// Applies layer normalization before each hidden activation. Default false. Turn it on when
  /// one-step targets make training unstable.
  bool layer_norm;
  /// Distribution of the initial weights. Default CEL_INIT_ORTHOGONAL.
  CelInit init;
  /// Continuous actions: the policy network computes log sigma from the observation. Default false
  /// (true in ac). When false, log sigma is one free parameter per action.
  bool state_dependent_std;
  /// Continuous actions: generalized state-dependent exploration (gSDE). The noise is a fixed
  /// function of the last hidden layer for several steps. Default false. Turn it on when
  /// exploration must keep one direction for a while.
  bool use_sde;
  /// Steps between new gSDE noise functions. Range -1 to 1e9 without 0, default -1; -1 draws one
  /// per rollout. Only with use_sde.
  int64_t sde_sample_freq;
  /// Initial log sigma where sigma is a parameter. Range -50 to 50, default 0. Lower it when the
  /// first random actions are too large.
  double log_std_init;
  /// Normalizes observations by the running mean and variance of the rollouts so far. Default
  /// false. Turn it on when observations have very different scales.
  bool normalize_observation;
  /// Divides rewards by the running standard deviation of the discounted return. Default false.
  /// Turn it on when returns are far larger or smaller than 1.
  bool normalize_reward;
  /// Bound on the absolute value of normalized observations, in standard deviations. Range 1e-6 to
  /// 1e9, default 10. Only with normalize_observation.
  double clip_observation;
  /// Bound on the absolute value of scaled rewards. Range 1e-6 to 1e9, default 10. Only with
  /// normalize_reward.
  double clip_reward;
  /// Decay of Adam's first moment. Range 0 to 0.999999, default 0.9.
  double adam_beta1;
  /// Decay of Adam's second moment. Range 0 to 0.99999999, default 0.999.
  double adam_beta2;
  /// Widths of the hidden layers of the networks that compute values (Q or V). At most 16 layers of
  /// 1 to 8192 units, default n = -1 ("auto"), which is net_arch. Widen them when Q or V is harder
  /// to represent than the policy.
  CelIntList critic_arch;
  /// With gSDE: sigma is expln(log_std), which is exp(x) for x <= 0 and 1 + log(1 + x) above, so
  /// that it grows slowly. Default false.
  bool use_expln;
  /// With gSDE: actions are the bounds' center plus their half width times tanh(u), so that they
  /// stay within the bounds. The entropy is then estimated by -log pi of the actions. Default
  /// false.
  bool squash_output;
} CelOnPolicyConfig;

CEL_END
#endif
