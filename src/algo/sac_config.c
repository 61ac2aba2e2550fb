/// Soft actor-critic's fields: defaults, ranges, help. The struct is in celsius/sac.h.
#include "algo/algo.h"
#include "celsius/sac.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelSacConfig, field)

const CelField celi_sac_fields[] = {
    {"learning_rate", CEL_FIELD_SCHEDULE, F(learning_rate), "3e-4", 0, 1, "", NULL, NULL,
     "learning rate of actor, critics and temperature", ""},
    {"buffer_size", CEL_FIELD_INT, F(buffer_size), "1000000", 1, 1e12, "transitions", NULL, NULL,
     "transitions kept for replay", ""},
    {"learning_starts", CEL_FIELD_INT, F(learning_starts), "100", 0, 1e12, "steps", NULL, NULL,
     "steps of uniformly random actions before learning", ""},
    {"batch_size", CEL_FIELD_INT, F(batch_size), "256", 1, 65536, "transitions", NULL, NULL,
     "transitions of one gradient step", ""},
    {"tau", CEL_FIELD_DOUBLE, F(tau), "0.005", 0, 1, "", NULL, NULL,
     "weight of the newest critics in their targets", ""},
    {"gamma", CEL_FIELD_DOUBLE, F(gamma), "0.99", 0, 1, "", NULL, NULL,
     "discount a step", "[maximum-entropy, 8.1]"},
    {"train_freq", CEL_FIELD_INT, F(train_freq), "1", 1, 1e9, "steps", NULL, NULL,
     "steps of each environment between updates", ""},
    {"gradient_steps", CEL_FIELD_INT, F(gradient_steps), "1", -1, 1e6, "", NULL, NULL,
     "gradient steps each time; -1: as many as steps were taken", ""},
    {"ent_coef", CEL_FIELD_AUTO, F(ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL,
     "temperature alpha; auto: learned", "[maximum-entropy, 8.2]"},
    {"ent_coef_init", CEL_FIELD_DOUBLE, F(ent_coef_init), "1", 1e-12, 1e12, "reward per nat", NULL, NULL,
     "start of a learned temperature", ""},
    {"target_entropy", CEL_FIELD_AUTO, F(target_entropy), "auto", -1e9, 1e9, "nats", NULL, NULL,
     "entropy that a learned temperature aims at; auto: -dim(A)", ""},
    {"target_update_interval", CEL_FIELD_INT, F(target_update_interval), "1", 1, 1e9, "updates", NULL, NULL,
     "gradient steps between moves of the target networks", ""},
    {"n_critics", CEL_FIELD_INT, F(n_critics), "2", 1, 64, "", NULL, NULL,
     "number of critics", ""},
    {"critic_reduce", CEL_FIELD_ENUM, F(critic_reduce), "min", 0, 0, "", "min|mean", NULL,
     "how critics are combined", ""},
    {"n_steps", CEL_FIELD_INT, F(n_steps), "1", 1, 64, "steps", NULL, NULL,
     "steps of reward (and entropy) before bootstrapping", "[maximum-entropy, 8.13]"},
    {"net_arch", CEL_FIELD_INT_LIST, F(net_arch), "256,256", 1, 8192, "", NULL, NULL,
     "widths of the hidden layers", ""},
    {"activation", CEL_FIELD_ENUM, F(activation), "relu", 0, 0, "", "relu|tanh|silu", NULL,
     "activation of the hidden layers", ""},
    {"layer_norm", CEL_FIELD_BOOL, F(layer_norm), "false", 0, 0, "", NULL, NULL,
     "layer norm before each hidden activation", ""},
    {"init", CEL_FIELD_ENUM, F(init), "kaiming_uniform", 0, 0, "", "kaiming_uniform|orthogonal|xavier_uniform", NULL,
     "how weights start", ""},
    {"policy", CEL_FIELD_ENUM, F(policy), "squashed_gaussian", 0, 0, "", "squashed_gaussian|gaussian", NULL,
     "action distribution", "[actor-critic, 4.24]"},
    {"log_std_min", CEL_FIELD_DOUBLE, F(log_std_min), "-20", -50, 50, "", NULL, NULL,
     "lower clamp of log sigma", ""},
    {"log_std_max", CEL_FIELD_DOUBLE, F(log_std_max), "2", -50, 50, "", NULL, NULL,
     "upper clamp of log sigma", ""},
    {"noise", CEL_FIELD_ENUM, F(noise), "none", 0, 0, "", "none|normal|ou|gsde", NULL,
     "exploration noise beside the policy's own", ""},
    {"noise_sigma", CEL_FIELD_DOUBLE, F(noise_sigma), "0.1", 0, 100, "", NULL, NULL,
     "standard deviation of normal and ou noise, scaled actions", ""},
    {"noise_theta", CEL_FIELD_DOUBLE, F(noise_theta), "0.15", 0, 1000, "1/time", NULL, NULL,
     "rate of return of ou noise", ""},
    {"noise_dt", CEL_FIELD_DOUBLE, F(noise_dt), "0.01", 1e-9, 1000, "time", NULL, NULL,
     "time step of ou noise", ""},
    {"log_std_init", CEL_FIELD_DOUBLE, F(log_std_init), "-3", -50, 50, "", NULL, NULL,
     "start of gsde's log sigma", ""},
    {"sde_sample_freq", CEL_FIELD_INT, F(sde_sample_freq), "-1", -1, 1e9, "steps", NULL, NULL,
     "steps between new gsde matrices; -1: every train_freq steps", ""},
    {"normalize_observation", CEL_FIELD_BOOL, F(normalize_observation), "false", 0, 0, "", NULL, NULL,
     "normalise observations by running mean and variance", ""},
    {"normalize_reward", CEL_FIELD_BOOL, F(normalize_reward), "false", 0, 0, "", NULL, NULL,
     "scale rewards by the running deviation of the return", ""},
    {"clip_observation", CEL_FIELD_DOUBLE, F(clip_observation), "10", 1e-6, 1e9, "", NULL, NULL,
     "clip of normalised observations", ""},
    {"clip_reward", CEL_FIELD_DOUBLE, F(clip_reward), "10", 1e-6, 1e9, "", NULL, NULL,
     "clip of scaled rewards", ""},
    {"adam_beta1", CEL_FIELD_DOUBLE, F(adam_beta1), "0.9", 0, 0.999999, "", NULL, NULL,
     "decay of Adam's first moment", ""},
    {"adam_beta2", CEL_FIELD_DOUBLE, F(adam_beta2), "0.999", 0, 0.99999999, "", NULL, NULL,
     "decay of Adam's second moment", ""},
    {"adam_epsilon", CEL_FIELD_DOUBLE, F(adam_epsilon), "1e-8", 0, 1, "", NULL, NULL,
     "Adam's epsilon", ""},
    {"weight_decay", CEL_FIELD_DOUBLE, F(weight_decay), "0", 0, 1, "", NULL, NULL,
     "decoupled weight decay of actor and critics", ""},
    {"max_grad_norm", CEL_FIELD_DOUBLE, F(max_grad_norm), "0", 0, 1e12, "", NULL, NULL,
     "clip of the gradient's norm, actor and critics each; 0: none", ""},
    {0},
};
// clang-format on

const CelField *cel_sac_fields(void) {
  return celi_sac_fields;
}

CelSacConfig cel_sac_config_default(void) {
  CelSacConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sac_fields, &config);
  return config;
}
