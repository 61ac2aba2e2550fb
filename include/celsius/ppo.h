/// Proximal policy optimisation: clipped surrogate, value clipping, early stop by KL divergence.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3.
#ifndef CELSIUS_PPO_H
#define CELSIUS_PPO_H
#include "celsius/agent.h"
CEL_BEGIN

/// Source: Schulman et al., "Proximal policy optimization algorithms", 2017; [policy-guarantees, surrogate].
typedef struct CelPpoConfig {
  CelSchedule learning_rate;
  int64_t n_steps;           ///< T: steps of each environment between updates
  int64_t batch_size;        ///< B: rows of a minibatch
  int64_t n_epochs;          ///< passes over the rollout
  double gamma;              ///< discount
  double gae_lambda;         ///< lambda
  CelSchedule clip_range;    ///< c: how far the probability ratio may move
  CelSchedule clip_range_vf; ///< how far values may move, reward units; 0: as far as they like
  bool normalize_advantage;  ///< of each minibatch
  double ent_coef;           ///< weight of the entropy bonus
  double vf_coef;            ///< weight of the values' squared error
  double max_grad_norm;      ///< of all gradients together; 0: no clipping
  double target_kl;    ///< stop an update where the divergence passes 1.5 times this; 0: never
  CelIntList net_arch; ///< widths of hidden layers, policy and values each
  int32_t activation;  ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;
  int32_t init;             ///< 0 kaiming_uniform, 1 orthogonal, 2 xavier_uniform
  bool state_dependent_std; ///< continuous: log sigma from the network, not a parameter
  double log_std_init;      ///< start of a free log sigma
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
  double adam_beta1, adam_beta2, adam_epsilon, weight_decay;
} CelPpoConfig;

CEL_API const CelField *cel_ppo_fields(void);
CEL_API CelPpoConfig cel_ppo_config_default(void);

CEL_END
#endif
