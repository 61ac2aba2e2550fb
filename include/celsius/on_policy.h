/// What learners from rollouts have in common: the fields that all of them take.
#ifndef CELSIUS_ON_POLICY_H
#define CELSIUS_ON_POLICY_H
#include "celsius/field.h"
CEL_BEGIN

/// A group of fields, the first member of a learner's config. On the command line and in YAML its fields stand beside
/// the learner's own.
typedef struct CelOnPolicyConfig {
  CelSchedule learning_rate;
  int64_t n_steps;          ///< T: steps of each environment between updates
  double gamma;             ///< discount
  CelIntList net_arch;      ///< widths of hidden layers, policy and values each
  int32_t activation;       ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;          ///< before each hidden activation
  int32_t init;             ///< 0 kaiming_uniform, 1 orthogonal, 2 xavier_uniform
  bool state_dependent_std; ///< continuous: log sigma from the network, not a parameter
  bool use_sde;             ///< continuous: generalised state-dependent exploration
  int64_t sde_sample_freq;  ///< steps between its matrices; -1: one a rollout
  double log_std_init;      ///< start of a log sigma that is a parameter
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
  double adam_beta1, adam_beta2;
} CelOnPolicyConfig;

CEL_END
#endif
