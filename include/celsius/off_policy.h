/// Settings that all off-policy learners (those that learn from a replay buffer) share.
#ifndef CELSIUS_OFF_POLICY_H
#define CELSIUS_OFF_POLICY_H
#include "celsius/field.h"
#include "celsius/network.h"
CEL_BEGIN

/// How a learner combines the values of several critics.
typedef enum CelCriticReduce {
  CEL_CRITIC_REDUCE_MIN = 0, ///< smallest: counters overestimation, but is biased low
  CEL_CRITIC_REDUCE_MEAN = 1 ///< mean: adds no bias of its own
} CelCriticReduce;
CEL_ENUM_IS_INT32(CelCriticReduce);

/// What critics learn of the soft return.
typedef enum CelCriticKind {
  CEL_CRITIC_MEAN = 0,       ///< its mean Q(s, a)
  CEL_CRITIC_QUANTILE = 1,   ///< quantiles of its distribution, truncated in the target (TQC)
  CEL_CRITIC_CATEGORICAL = 2 ///< probabilities of fixed values (XQC)
} CelCriticKind;
CEL_ENUM_IS_INT32(CelCriticKind);

/// Where the values in a critic's target come from.
typedef enum CelTargetNetwork {
  CEL_TARGET_NETWORK_POLYAK = 0, ///< target networks: averages of the critics' parameters (tau)
  CEL_TARGET_NETWORK_NONE = 1    ///< the critics themselves, without a gradient (CrossQ)
} CelTargetNetwork;
CEL_ENUM_IS_INT32(CelTargetNetwork);

/// Distribution of continuous actions.
typedef enum CelPolicyKind {
  CEL_POLICY_SQUASHED_GAUSSIAN = 0, ///< tanh of a Gaussian, scaled to the action bounds
  CEL_POLICY_GAUSSIAN = 1           ///< a Gaussian without squashing
} CelPolicyKind;
CEL_ENUM_IS_INT32(CelPolicyKind);

/// Exploration noise that is added to the policy's action.
typedef enum CelNoise {
  CEL_NOISE_NONE = 0,   ///< none
  CEL_NOISE_NORMAL = 1, ///< independent Gaussian noise at each step
  CEL_NOISE_OU = 2,     ///< an Ornstein-Uhlenbeck process, correlated in time
  CEL_NOISE_GSDE = 3    ///< SAC: old name of use_sde; the next version will not have it
} CelNoise;
CEL_ENUM_IS_INT32(CelNoise);

/// The first member of an off-policy learner's config. On the command line and in YAML, its fields
/// appear among the learner's own.
typedef struct CelOffPolicyConfig {
  /// Step size of Adam for all networks and for a learned temperature. Range 0 to 1, default 3e-4.
  /// Lower it when losses or Q values grow without end.
  CelSchedule learning_rate;
  /// Rows of the replay buffer. A transition takes one row, an ended episode one more. Range 1 to
  /// 1e12, default 1000000. Lower it to save memory.
  int64_t buffer_size;
  /// Environment steps with uniformly random actions before the first update, all environments
  /// together. Range 0 to 1e12, default 100. Raise it when good states are rare.
  int64_t learning_starts;
  /// Transitions B in the batch of one gradient step. Range 1 to 65536, default 256.
  int64_t batch_size;
  /// Weight of the current parameters in each move of the target network. Range 0 to 1, default
  /// 0.005; 1 copies the parameters. Lower it when targets oscillate.
  double tau;
  /// Discount per step. Range 0 to 1, default 0.99. Raise it when rewards come late.
  double gamma;
  /// Steps of each environment between updates. Range 1 to 1e9, default 1.
  int64_t train_freq;
  /// Gradient steps per update. Range -1 to 1e6, default 1; -1 takes one per environment step
  /// since the last update.
  int64_t gradient_steps;
  /// Gradient steps between moves of the target network. Range 1 to 1e9, default 1.
  int64_t target_update_interval;
  /// Widths of the hidden layers of every network. At most 16 layers of 1 to 8192 units, default
  /// 256,256. An empty list makes the networks linear; with one-hot observations, that is a table.
  CelIntList net_arch;
  /// Activation function of the hidden layers. Default CEL_ACTIVATION_RELU.
  CelActivation activation;
  /// Applies layer normalization before each hidden activation. Default false. Turn it on when Q
  /// values diverge.
  bool layer_norm;
  /// Distribution of the initial weights. Default CEL_INIT_KAIMING_UNIFORM.
  CelInit init;
  /// Normalizes observations by their running mean and variance. Default false. Turn it on when
  /// observations have very different scales.
  bool normalize_observation;
  /// Divides rewards by the running standard deviation of the discounted return. Default false.
  /// The temperature then has the unit of scaled rewards.
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
  /// Term that Adam adds to the root of its second moment. Range 0 to 1, default 1e-8.
  double adam_epsilon;
  /// Decoupled weight decay of the networks (AdamW). Range 0 to 1, default 0.
  double weight_decay;
  /// Largest gradient norm of each network; a longer gradient is scaled down. Range 0 to 1e12,
  /// default 0; 0 turns clipping off.
  double max_grad_norm;
  /// Widths of the hidden layers of the networks that compute values (Q or V). At most 16 layers of
  /// 1 to 8192 units, default n = -1 ("auto"), which is net_arch. Widen them when Q or V is harder
  /// to represent than the policy.
  CelIntList critic_arch;
} CelOffPolicyConfig;

CEL_END
#endif
