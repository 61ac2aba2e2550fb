/// Deep Q-networks (DQN): Q-learning with a replay buffer and a target network, the limit of soft
/// Q-learning as the temperature goes to 0. Discrete actions.
///
/// Field names and defaults are those of Stable-Baselines3.
#ifndef CELSIUS_DQN_H
#define CELSIUS_DQN_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Loss of an error d = Q(s, a) - y.
typedef enum CelDqnLoss {
  CEL_DQN_LOSS_HUBER = 0,  ///< 1/2 d^2 if |d| < 1, else |d| - 1/2: bounds the gradient
  CEL_DQN_LOSS_SQUARED = 1 ///< 1/2 d^2: Q is the mean of the targets
} CelDqnLoss;
CEL_ENUM_IS_INT32(CelDqnLoss);

/// Settings of DQN. Start from cel_dqn_config_default().
/// Source: Mnih et al., "Human-level control through deep reinforcement learning", 2015.
typedef struct CelDqnConfig {
  /// Settings of all off-policy learners. Other defaults: learning_rate 1e-4, batch_size 32, tau 1,
  /// train_freq 4, target_update_interval 10000, net_arch 64,64, max_grad_norm 10.
  /// target_update_interval counts steps of all environments together, not updates.
  CelOffPolicyConfig common;
  /// Double Q-learning: Q chooses the action of the target, the target network values it. Default
  /// false. Turn it on when Q values are too large.
  /// Source: van Hasselt, Guez, Silver, "Deep reinforcement learning with double Q-learning", 2016.
  bool double_q;
  /// Dueling network: the outputs are V and one advantage per action, over shared hidden layers.
  /// Default false. Turn it on when many actions have about the same value.
  /// Source: Wang et al., "Dueling network architectures for deep reinforcement learning", 2016.
  bool dueling;
  /// Number n of rewards in an n-step target. Range 1 to 64, default 1. Raise it when rewards are
  /// sparse.
  int64_t n_steps;
  /// Loss. Default CEL_DQN_LOSS_HUBER. Take CEL_DQN_LOSS_SQUARED when Q must converge to the exact
  /// solution of a random problem.
  CelDqnLoss loss;
  /// Fraction of the planned steps in which the exploration rate falls. Range 0 to 1, default 0.1.
  double exploration_fraction;
  /// Probability of a uniformly random action at the start. Range 0 to 1, default 1. It falls
  /// linearly to exploration_final_eps. It does not fall for an agent without planned steps
  /// (CelAgentOptions.total_steps).
  double exploration_initial_eps;
  /// The same after exploration_fraction. Range 0 to 1, default 0.05.
  double exploration_final_eps;
} CelDqnConfig;

/// Returns the field table of CelDqnConfig. Static; never NULL.
CEL_API const CelField *cel_dqn_fields(void);
/// Returns the default settings.
CEL_API CelDqnConfig cel_dqn_config_default(void);

CEL_END
#endif
