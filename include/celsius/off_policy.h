/// What learners from a replay buffer have in common: the fields that all of them take.
#ifndef CELSIUS_OFF_POLICY_H
#define CELSIUS_OFF_POLICY_H
#include "celsius/field.h"
CEL_BEGIN

/// A group of fields, the first member of a learner's config. On the command line and in YAML its fields stand beside
/// the learner's own.
typedef struct CelOffPolicyConfig {
  CelSchedule learning_rate; ///< of all networks, and of a learned temperature
  int64_t
      buffer_size; ///< rows of replay memory: one a transition, one more an episode that has ended
  int64_t learning_starts;        ///< steps of uniformly random actions before the first update
  int64_t batch_size;             ///< B
  double tau;                     ///< weight of the newest parameters in the target network
  double gamma;                   ///< discount
  int64_t train_freq;             ///< steps of each environment between updates
  int64_t gradient_steps;         ///< updates each time; -1: as many as steps were taken
  int64_t target_update_interval; ///< updates between moves of the target network
  CelIntList net_arch;            ///< widths of hidden layers, of every network
  int32_t activation;             ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;                ///< before each hidden activation
  int32_t init; ///< 0 kaiming_uniform (PyTorch's default), 1 orthogonal, 2 xavier_uniform
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
  double adam_beta1, adam_beta2, adam_epsilon, weight_decay;
  double max_grad_norm; ///< of each network; 0: no clipping
} CelOffPolicyConfig;

CEL_END
#endif
