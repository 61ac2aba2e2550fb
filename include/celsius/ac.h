/// Actor-critic with a one-step temporal difference.
#ifndef CELSIUS_AC_H
#define CELSIUS_AC_H
#include "celsius/agent.h"
CEL_BEGIN

/// Source: [actor-critic, 4.16-4.26].
typedef struct CelAcConfig {
  CelSchedule learning_rate;        ///< of the policy
  CelSchedule critic_learning_rate; ///< of the values
  int64_t n_steps;                  ///< update after every n steps
  double gamma;                     ///< discount
  bool discount_weight; ///< gradients of step t of an episode weigh gamma^t: the gradient of J
  int32_t reduction;    ///< 0 mean over the steps, 1 their sum
  double ent_coef;      ///< weight of an entropy bonus
  double max_grad_norm; ///< of policy and values each; 0: no clipping
  int32_t optimizer;    ///< 0 adam, 1 sgd
  double adam_beta1, adam_beta2, adam_epsilon;
  CelIntList net_arch; ///< widths of hidden layers, policy and values each
  int32_t activation;  ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;
  int32_t init;             ///< 0 kaiming_uniform, 1 orthogonal, 2 xavier_uniform
  bool state_dependent_std; ///< continuous: log sigma from the network, not a parameter
  double log_std_init;      ///< start of a free log sigma
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
} CelAcConfig;

CEL_API const CelField *cel_ac_fields(void);
CEL_API CelAcConfig cel_ac_config_default(void);

CEL_END
#endif
