/// The rows of CelOnPolicyConfig, for the tables of learners whose config has it as its member `common`.
#ifndef CELI_ONPOLICY_FIELDS_H
#define CELI_ONPOLICY_FIELDS_H
#include "celsius/on_policy.h"

#include <stddef.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// A macro, since a table is const and its rows cannot be copied into it.
// clang-format off
#define CELI_AT(Config, field) (offsetof(Config, common) + offsetof(CelOnPolicyConfig, field))
/// `whose`: what learning_rate is of.
#define CELI_ONPOLICY_FIELDS(Config, rate, whose, steps, std) \
    {"learning_rate", CEL_FIELD_SCHEDULE, CELI_AT(Config, learning_rate), rate, 0, 10, "", NULL, NULL, \
     "learning rate of " whose, ""}, \
    {"n_steps", CEL_FIELD_INT, CELI_AT(Config, n_steps), steps, 1, 1e9, "steps", NULL, NULL, \
     "steps of each environment between updates", ""}, \
    {"gamma", CEL_FIELD_DOUBLE, CELI_AT(Config, gamma), "0.99", 0, 1, "", NULL, NULL, \
     "discount a step", ""}, \
    {"net_arch", CEL_FIELD_INT_LIST, CELI_AT(Config, net_arch), "64,64", 1, 8192, "", NULL, NULL, \
     "widths of the hidden layers, policy and values each", ""}, \
    {"activation", CEL_FIELD_ENUM, CELI_AT(Config, activation), "tanh", 0, 0, "", "relu|tanh|silu", NULL, \
     "activation of the hidden layers", ""}, \
    {"layer_norm", CEL_FIELD_BOOL, CELI_AT(Config, layer_norm), "false", 0, 0, "", NULL, NULL, \
     "layer norm before each hidden activation", ""}, \
    {"init", CEL_FIELD_ENUM, CELI_AT(Config, init), "orthogonal", 0, 0, "", "kaiming_uniform|orthogonal|xavier_uniform", NULL, \
     "how weights start", ""}, \
    {"state_dependent_std", CEL_FIELD_BOOL, CELI_AT(Config, state_dependent_std), std, 0, 0, "", NULL, NULL, \
     "continuous actions: sigma from the network, not a parameter", "[actor-critic, 4.24]"}, \
    {"use_sde", CEL_FIELD_BOOL, CELI_AT(Config, use_sde), "false", 0, 0, "", NULL, NULL, \
     "continuous actions: generalised state-dependent exploration, noise as a function of the last hidden layer", ""}, \
    {"sde_sample_freq", CEL_FIELD_INT, CELI_AT(Config, sde_sample_freq), "-1", -1, 1e9, "steps", NULL, NULL, \
     "steps between new noise functions of use_sde; -1: one a rollout", ""}, \
    {"log_std_init", CEL_FIELD_DOUBLE, CELI_AT(Config, log_std_init), "0", -50, 50, "", NULL, NULL, \
     "start of log sigma where it is a parameter", ""}, \
    {"normalize_observation", CEL_FIELD_BOOL, CELI_AT(Config, normalize_observation), "false", 0, 0, "", NULL, NULL, \
     "normalise observations by mean and variance of the rollouts before", ""}, \
    {"normalize_reward", CEL_FIELD_BOOL, CELI_AT(Config, normalize_reward), "false", 0, 0, "", NULL, NULL, \
     "scale rewards by the deviation of the return", ""}, \
    {"clip_observation", CEL_FIELD_DOUBLE, CELI_AT(Config, clip_observation), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of normalised observations", ""}, \
    {"clip_reward", CEL_FIELD_DOUBLE, CELI_AT(Config, clip_reward), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of scaled rewards", ""}, \
    {"adam_beta1", CEL_FIELD_DOUBLE, CELI_AT(Config, adam_beta1), "0.9", 0, 0.999999, "", NULL, NULL, \
     "decay of Adam's first moment", ""}, \
    {"adam_beta2", CEL_FIELD_DOUBLE, CELI_AT(Config, adam_beta2), "0.999", 0, 0.99999999, "", NULL, NULL, \
     "decay of Adam's second moment", ""}
// clang-format on

#endif
