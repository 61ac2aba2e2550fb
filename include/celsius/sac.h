/// Soft actor-critic with an ensemble of critics, target networks and a fixed or learned temperature.
///
/// Names and defaults are those that practitioners know from Stable-Baselines3.
#ifndef CELSIUS_SAC_H
#define CELSIUS_SAC_H
#include "celsius/agent.h"
#include "celsius/off_policy.h"
CEL_BEGIN

/// Source: [maximum-entropy, 8.13-8.30], [policy-guarantees, SAC]; Haarnoja et al., "Soft actor-critic algorithms and
/// applications", 2018.
typedef struct CelSacConfig {
  CelOffPolicyConfig common;
  double ent_coef;       ///< alpha, reward units per nat; NAN ("auto"): learned
  double ent_coef_init;  ///< a learned alpha's start
  double target_entropy; ///< nats, of actions scaled to [-1, 1]; NAN ("auto"): -dim(A)
  int64_t n_critics;     ///< E
  int32_t critic_reduce; ///< 0 min, 1 mean over the critics
  int64_t n_steps;       ///< steps of reward before bootstrapping, the entropies between included
  int32_t policy;        ///< 0 squashed_gaussian, 1 gaussian (unsquashed)
  double log_std_min, log_std_max; ///< clamp of log sigma
  int32_t noise;                   ///< 0 none, 1 normal, 2 ou, 3 gsde
  double noise_sigma;              ///< of normal and ou, in units of the scaled action
  double noise_theta, noise_dt;    ///< of ou
  double log_std_init;             ///< of gsde
  int64_t sde_sample_freq;         ///< steps between new gsde matrices; -1: every train_freq steps
} CelSacConfig;

CEL_API const CelField *cel_sac_fields(void);
CEL_API CelSacConfig cel_sac_config_default(void);

CEL_END
#endif
