/// Trust region policy optimisation: a natural gradient step, as long as a bound on the divergence lets it be.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3's contrib package.
#ifndef CELSIUS_TRPO_H
#define CELSIUS_TRPO_H
#include "celsius/agent.h"
CEL_BEGIN

/// Source: Schulman et al., "Trust region policy optimization", 2015; [policy-guarantees, surrogate].
typedef struct CelTrpoConfig {
  CelSchedule learning_rate;           ///< of the values
  int64_t n_steps;                     ///< T: steps of each environment between updates
  int64_t batch_size;                  ///< rows of a minibatch of the values
  int64_t n_critic_updates;            ///< passes over the rollout of the values
  double gamma;                        ///< discount
  double gae_lambda;                   ///< lambda
  bool normalize_advantage;            ///< of each rollout
  double target_kl;                    ///< delta: mean divergence that an update may reach, nats
  int64_t cg_max_steps;                ///< steps of conjugate gradients
  double cg_damping;                   ///< added to the Fisher matrix's diagonal
  double line_search_shrinking_factor; ///< each try is this much shorter
  int64_t line_search_max_iter;        ///< tries
  double adam_beta1, adam_beta2, adam_epsilon;
  CelIntList net_arch; ///< widths of hidden layers, policy and values each
  int32_t activation;  ///< 0 relu, 1 tanh, 2 silu
  bool layer_norm;
  int32_t init;             ///< 0 kaiming_uniform, 1 orthogonal, 2 xavier_uniform
  bool state_dependent_std; ///< continuous: log sigma from the network, not a parameter
  double log_std_init;      ///< start of a free log sigma
  bool normalize_observation, normalize_reward;
  double clip_observation, clip_reward;
} CelTrpoConfig;

CEL_API const CelField *cel_trpo_fields(void);
CEL_API CelTrpoConfig cel_trpo_config_default(void);

CEL_END
#endif
