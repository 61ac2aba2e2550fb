/// The rows of CelOffPolicyConfig, for the tables of learners whose config has it as its member `common`.
#ifndef CELI_OFF_POLICY_FIELDS_H
#define CELI_OFF_POLICY_FIELDS_H
#include "celsius/off_policy.h"

#include <stddef.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// A macro, since a table is const and its rows cannot be copied into it.
// clang-format off
#define CELI_AT(Config, field) (offsetof(Config, common) + offsetof(CelOffPolicyConfig, field))
#define CELI_OFF_POLICY_FIELDS(Config) \
    {"learning_rate", CEL_FIELD_SCHEDULE, CELI_AT(Config, learning_rate), "3e-4", 0, 1, "", NULL, NULL, \
     "learning rate of all networks and of a learned temperature", ""}, \
    {"buffer_size", CEL_FIELD_INT, CELI_AT(Config, buffer_size), "1000000", 1, 1e12, "transitions", NULL, NULL, \
     "rows of replay memory, one a transition and one more an episode that has ended; with short episodes it holds fewer transitions", ""}, \
    {"learning_starts", CEL_FIELD_INT, CELI_AT(Config, learning_starts), "100", 0, 1e12, "steps", NULL, NULL, \
     "steps of uniformly random actions before learning", ""}, \
    {"batch_size", CEL_FIELD_INT, CELI_AT(Config, batch_size), "256", 1, 65536, "transitions", NULL, NULL, \
     "transitions of one gradient step", ""}, \
    {"tau", CEL_FIELD_DOUBLE, CELI_AT(Config, tau), "0.005", 0, 1, "", NULL, NULL, \
     "weight of the newest parameters in the target network", ""}, \
    {"gamma", CEL_FIELD_DOUBLE, CELI_AT(Config, gamma), "0.99", 0, 1, "", NULL, NULL, \
     "discount a step", "[maximum-entropy, 8.1]"}, \
    {"train_freq", CEL_FIELD_INT, CELI_AT(Config, train_freq), "1", 1, 1e9, "steps", NULL, NULL, \
     "steps of each environment between updates", ""}, \
    {"gradient_steps", CEL_FIELD_INT, CELI_AT(Config, gradient_steps), "1", -1, 1e6, "", NULL, NULL, \
     "gradient steps each time; -1: as many as steps were taken", ""}, \
    {"target_update_interval", CEL_FIELD_INT, CELI_AT(Config, target_update_interval), "1", 1, 1e9, "updates", NULL, NULL, \
     "gradient steps between moves of the target network", ""}, \
    {"net_arch", CEL_FIELD_INT_LIST, CELI_AT(Config, net_arch), "256,256", 1, 8192, "", NULL, NULL, \
     "widths of the hidden layers", ""}, \
    {"activation", CEL_FIELD_ENUM, CELI_AT(Config, activation), "relu", 0, 0, "", "relu|tanh|silu", NULL, \
     "activation of the hidden layers", ""}, \
    {"layer_norm", CEL_FIELD_BOOL, CELI_AT(Config, layer_norm), "false", 0, 0, "", NULL, NULL, \
     "layer norm before each hidden activation", ""}, \
    {"init", CEL_FIELD_ENUM, CELI_AT(Config, init), "kaiming_uniform", 0, 0, "", "kaiming_uniform|orthogonal|xavier_uniform", NULL, \
     "how weights start", ""}, \
    {"normalize_observation", CEL_FIELD_BOOL, CELI_AT(Config, normalize_observation), "false", 0, 0, "", NULL, NULL, \
     "normalise observations by running mean and variance", ""}, \
    {"normalize_reward", CEL_FIELD_BOOL, CELI_AT(Config, normalize_reward), "false", 0, 0, "", NULL, NULL, \
     "scale rewards by the running deviation of the return", ""}, \
    {"clip_observation", CEL_FIELD_DOUBLE, CELI_AT(Config, clip_observation), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of normalised observations", ""}, \
    {"clip_reward", CEL_FIELD_DOUBLE, CELI_AT(Config, clip_reward), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of scaled rewards", ""}, \
    {"adam_beta1", CEL_FIELD_DOUBLE, CELI_AT(Config, adam_beta1), "0.9", 0, 0.999999, "", NULL, NULL, \
     "decay of Adam's first moment", ""}, \
    {"adam_beta2", CEL_FIELD_DOUBLE, CELI_AT(Config, adam_beta2), "0.999", 0, 0.99999999, "", NULL, NULL, \
     "decay of Adam's second moment", ""}, \
    {"adam_epsilon", CEL_FIELD_DOUBLE, CELI_AT(Config, adam_epsilon), "1e-8", 0, 1, "", NULL, NULL, \
     "Adam's epsilon", ""}, \
    {"weight_decay", CEL_FIELD_DOUBLE, CELI_AT(Config, weight_decay), "0", 0, 1, "", NULL, NULL, \
     "decoupled weight decay of the networks", ""}, \
    {"max_grad_norm", CEL_FIELD_DOUBLE, CELI_AT(Config, max_grad_norm), "0", 0, 1e12, "", NULL, NULL, \
     "clip of the gradient's norm, each network; 0: none", ""}
// Rows of some of them: F(field) is the field's offset in the learner's config.
#define CELI_TEMPERATURE_FIELDS(F) \
    {"ent_coef", CEL_FIELD_AUTO, F(ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL, \
     "temperature alpha; auto: learned; auto_X: learned, starting at X", "[maximum-entropy, 8.2]"}, \
    {"ent_coef_init", CEL_FIELD_DOUBLE, F(ent_coef_init), "1", 1e-12, 1e12, "reward per nat", NULL, NULL, \
     "start of a learned temperature; --ent-coef auto_X sets it too", ""}
#define CELI_CRITIC_FIELDS(F) \
    {"n_critics", CEL_FIELD_INT, F(n_critics), "2", 1, 64, "", NULL, NULL, \
     "number of critics", ""}, \
    {"critic_reduce", CEL_FIELD_ENUM, F(critic_reduce), "min", 0, 0, "", "min|mean", NULL, \
     "how critics are combined", ""}
#define CELI_NSTEP_FIELDS(F) \
    {"n_steps", CEL_FIELD_INT, F(n_steps), "1", 1, 64, "steps", NULL, NULL, \
     "steps of reward (and entropy) before bootstrapping", "[maximum-entropy, 8.13]"}
#define CELI_GAUSSIAN_FIELDS(F) \
    {"policy", CEL_FIELD_ENUM, F(policy), "squashed_gaussian", 0, 0, "", "squashed_gaussian|gaussian", NULL, \
     "action distribution", "[actor-critic, 4.24]"}, \
    {"log_std_min", CEL_FIELD_DOUBLE, F(log_std_min), "-20", -50, 50, "", NULL, NULL, \
     "lower clamp of log sigma", ""}, \
    {"log_std_max", CEL_FIELD_DOUBLE, F(log_std_max), "2", -50, 50, "", NULL, NULL, \
     "upper clamp of log sigma", ""}, \
    {"target_entropy", CEL_FIELD_AUTO, F(target_entropy), "auto", -1e9, 1e9, "nats", NULL, NULL, \
     "entropy that a learned temperature aims at, of actions scaled to [-1, 1] (policy gaussian: as they are); auto: -dim(A)", ""}
// clang-format on

#endif
