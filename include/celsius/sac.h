/// Soft actor-critic (SAC): an ensemble of critics, target networks, a fixed or learned
/// temperature.
///
/// Field names and defaults are those of Stable-Baselines3.
#ifndef CELSIUS_SAC_H
#define CELSIUS_SAC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Settings of SAC. Start from cel_sac_config_default().
/// Source: [maximum-entropy, 8.13-8.30], [policy-guarantees, SAC]; Haarnoja et al., "Soft
/// actor-critic algorithms and applications", 2018.
typedef struct CelSacConfig {
  /// Settings of all off-policy learners.
  CelOffPolicyConfig common;
  /// Temperature alpha, the weight of the entropy, reward units per nat. Range 0 to 1e12, default
  /// NAN ("auto"), which learns it. Set a number to keep it constant.
  double ent_coef;
  /// Initial value of a learned temperature, reward units per nat. Range 1e-12 to 1e12, default 1.
  /// Raise it to explore longer.
  double ent_coef_init;
  /// Target entropy for a learned temperature, nats. With CEL_POLICY_GAUSSIAN it is the entropy of
  /// the actions in the environment's units, otherwise of the actions scaled to [-1, 1].
  /// Range -1e9 to 1e9, default NAN ("auto"), which is -target_entropy_factor * A for A action
  /// dimensions.
  double target_entropy;
  /// Number of critics E. Range 1 to 64, default 2.
  int64_t n_critics;
  /// How the critics are combined. Default CEL_CRITIC_REDUCE_MIN. Use CEL_CRITIC_REDUCE_MEAN when Q
  /// must converge to the exact solution, because the minimum is biased low.
  CelCriticReduce critic_reduce;
  /// Number n of rewards in an n-step target, which also includes the entropies of the n - 1
  /// intermediate states. Range 1 to 64, default 1. Raise it when rewards are sparse.
  int64_t n_steps;
  /// Distribution of the actions. Default CEL_POLICY_SQUASHED_GAUSSIAN. Take CEL_POLICY_GAUSSIAN
  /// for unbounded actions.
  CelPolicyKind policy;
  /// Lower bound of log sigma. Range -50 to 50, default -20. Must be below log_std_max.
  double log_std_min;
  /// Upper bound of log sigma. Range -50 to 50, default 2.
  double log_std_max;
  /// Exploration noise in addition to the policy's own. Default CEL_NOISE_NONE. Use OU noise when
  /// exploration must keep one direction for a while.
  CelNoise noise;
  /// Standard deviation of normal and OU noise, in units of the scaled action. Range 0 to 100,
  /// default 0.1.
  double noise_sigma;
  /// Rate at which OU noise returns to 0, per unit of time. Range 0 to 1000, default 0.15.
  double noise_theta;
  /// Time step of OU noise, units of time. Range 1e-9 to 1000, default 0.01.
  double noise_dt;
  /// Generalized state-dependent exploration (gSDE) instead of the policy's own noise. The noise is
  /// a fixed function of the last hidden layer for several steps. Default false. Turn it on when
  /// exploration must keep one direction for a while. Not with `noise`.
  bool use_sde;
  /// Initial log sigma of gSDE. Range -50 to 50, default -3. Raise it to explore more widely.
  double log_std_init;
  /// Steps between new gSDE noise functions. Range -1 to 1e9 without 0, default -1; -1 draws one
  /// every train_freq steps. Only with use_sde.
  int64_t sde_sample_freq;
  /// What the critics learn. Default CEL_CRITIC_MEAN. Take CEL_CRITIC_QUANTILE (TQC) for higher
  /// returns at about 1.1 times the cost; it ignores critic_reduce. CEL_CRITIC_CATEGORICAL needs
  /// normalized rewards, because it cannot represent values outside of v_min to v_max.
  /// Source: Kuznetsov et al., "Controlling overestimation bias with truncated mixture of
  /// continuous distributional quantile critics", 2020.
  CelCriticKind critic;
  /// Quantiles of each critic. Range 1 to 1000, default 25.
  int64_t n_quantiles;
  /// Largest quantiles that the target leaves out, for each critic. Range 0 to 999, default 2.
  /// Must be below n_quantiles. Raise it when Q values are too large.
  int64_t top_quantiles_to_drop_per_net;
  /// With gSDE: the steps before learning_starts use the policy with its noise instead of uniformly
  /// random actions. Default false.
  bool use_sde_at_warmup;
  /// With gSDE: sigma is expln(log_std), which is exp(x) for x <= 0 and 1 + log(1 + x) above, so
  /// that it grows slowly. Default false.
  bool use_expln;
  /// With gSDE: bound on the absolute value of the mean before tanh, so that exploration cannot be
  /// lost where tanh is flat. Range 0 to 1e9, default 0; 0 turns it off. Stable-Baselines3 uses 2.
  double clip_mean;
  /// Updates of the critics for each update of the policy and of a learned temperature. Range 1 to
  /// 1e6, default 1. Raise it when the critics lag behind the policy.
  /// Source: Fujimoto, van Hoof, Meger, "Addressing function approximation error in actor-critic
  /// methods", 2018.
  int64_t policy_delay;
  /// Where the values in a critic's target come from. Default CEL_TARGET_NETWORK_POLYAK. With
  /// CEL_TARGET_NETWORK_NONE, tau and target_update_interval have no meaning.
  /// Source: Bhatt et al., "CrossQ: batch normalization in deep reinforcement learning for greater
  /// sample efficiency and simplicity", 2024.
  CelTargetNetwork target;
  /// Normalization of the hidden layers. Default CEL_NORM_NONE. CEL_NORM_BATCH and
  /// CEL_NORM_BATCH_RENORM need CEL_TARGET_NETWORK_NONE: one pass over (s, a) and (s', a') together
  /// gives both the same statistics. Acting uses running statistics. Not with common.layer_norm,
  /// which is CEL_NORM_LAYER.
  /// Source: Bhatt et al., 2024; batch renorm: Ioffe, "Batch renormalization", 2017.
  CelNorm norm;
  /// Which networks have it. Default CEL_NORM_NETWORKS_ALL.
  CelNormNetworks norm_networks;
  /// Where it stands in each hidden layer. Default CEL_NORM_PLACE_BEFORE; CrossQ has
  /// CEL_NORM_PLACE_AFTER.
  CelNormPlace norm_place;
  /// Normalizes the networks' inputs in the same way. Default false.
  bool norm_input;
  /// How much of a batch's statistics the running ones take in each update. Range 1e-9 to 1,
  /// default NAN ("auto"), which is 0.1 for CEL_NORM_BATCH and 0.01 for CEL_NORM_BATCH_RENORM.
  double norm_momentum;
  /// Updates in which batch renorm is batch norm, so that its running statistics can settle. Range
  /// 0 to 1e12, default 100000.
  int64_t norm_warmup;
  /// Probability that dropout sets a unit of the critics' hidden layers to zero, in updates only.
  /// Range 0 to 0.99, default 0. DroQ has 0.01, with CEL_NORM_LAYER and many gradient_steps.
  /// Source: Hiraoka et al., "Dropout Q-functions for doubly efficient reinforcement learning",
  /// 2022.
  double dropout;
  /// Critics whose minimum is the target, drawn anew for each update; the policy then follows the
  /// mean of all critics, and critic_reduce has no meaning. Range 0 to 64, at most n_critics;
  /// default 0, which combines all critics by critic_reduce in both places. Only with
  /// CEL_CRITIC_MEAN.
  /// Source: Chen et al., "Randomized ensembled double Q-learning: learning fast without a model",
  /// 2021 (REDQ).
  int64_t critic_subset;
  /// Values (atoms) of a categorical critic, at equal distances. Range 2 to 1001, default 101.
  /// Source: Bellemare, Dabney, Munos, "A distributional perspective on reinforcement learning",
  /// 2017; Palenicek et al., 2025 (XQC).
  int64_t n_atoms;
  /// Smallest of them, reward units (scaled ones with common.normalize_reward). Range -1e9 to 1e9,
  /// default -5. Must be below v_max.
  double v_min;
  /// Largest of them, in the same units. Range -1e9 to 1e9, default 5.
  double v_max;
  /// Projects the weights of dense layers, in critics and policy, to norm 1 for each output after
  /// every step of the optimizer. Default CEL_WEIGHT_NORM_NONE. Use it with batch norm.
  /// Source: Palenicek et al., 2025; Lyle et al., "Normalization and effective learning rates in
  /// reinforcement learning", 2024.
  CelWeightNorm weight_norm;
  /// Factor of an automatic target entropy, which is -factor * A for A action dimensions. Range 0
  /// to 100, default 1. XQC and SimBa have 0.5.
  double target_entropy_factor;
  /// Residual blocks instead of plain hidden layers, in critics and policy: one for each hidden
  /// width, which must all be equal. A block of width H adds to its input a layer of 4H units with
  /// the activation, behind the normalization; one more normalization stands before the last layer.
  /// Default false. norm_place and norm_input have no meaning for them.
  /// Source: Lee et al., "SimBa: simplicity bias for scaling up parameters in deep reinforcement
  /// learning", 2025.
  bool residual;
} CelSacConfig;

/// Returns the field table of CelSacConfig. Static; never NULL.
CEL_API const CelField *cel_sac_fields(void);
/// Returns the default settings.
CEL_API CelSacConfig cel_sac_config_default(void);

CEL_END
#endif
