/// Rows that the tables of learners from rollouts have in common, for configs with fields of these names.
#ifndef CELI_ONPOLICY_FIELDS_H
#define CELI_ONPOLICY_FIELDS_H
#include "celsius/field.h"

#include <stddef.h>

// A macro, since a table is const and its rows cannot be copied into it.
// clang-format off
#define CELI_ONPOLICY_FIELDS(Config, std_default) \
    {"net_arch", CEL_FIELD_INT_LIST, offsetof(Config, net_arch), "64,64", 1, 8192, "", NULL, NULL, \
     "widths of the hidden layers, policy and values each", ""}, \
    {"activation", CEL_FIELD_ENUM, offsetof(Config, activation), "tanh", 0, 0, "", "relu|tanh|silu", NULL, \
     "activation of the hidden layers", ""}, \
    {"layer_norm", CEL_FIELD_BOOL, offsetof(Config, layer_norm), "false", 0, 0, "", NULL, NULL, \
     "layer norm before each hidden activation", ""}, \
    {"init", CEL_FIELD_ENUM, offsetof(Config, init), "orthogonal", 0, 0, "", "kaiming_uniform|orthogonal|xavier_uniform", NULL, \
     "how weights start", ""}, \
    {"state_dependent_std", CEL_FIELD_BOOL, offsetof(Config, state_dependent_std), std_default, 0, 0, "", NULL, NULL, \
     "continuous actions: sigma from the network, not a parameter", "[actor-critic, 4.24]"}, \
    {"log_std_init", CEL_FIELD_DOUBLE, offsetof(Config, log_std_init), "0", -50, 50, "", NULL, NULL, \
     "start of log sigma where it is a parameter", ""}, \
    {"normalize_observation", CEL_FIELD_BOOL, offsetof(Config, normalize_observation), "false", 0, 0, "", NULL, NULL, \
     "normalise observations by mean and variance of the rollouts before", ""}, \
    {"normalize_reward", CEL_FIELD_BOOL, offsetof(Config, normalize_reward), "false", 0, 0, "", NULL, NULL, \
     "scale rewards by the deviation of the return", ""}, \
    {"clip_observation", CEL_FIELD_DOUBLE, offsetof(Config, clip_observation), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of normalised observations", ""}, \
    {"clip_reward", CEL_FIELD_DOUBLE, offsetof(Config, clip_reward), "10", 1e-6, 1e9, "", NULL, NULL, \
     "clip of scaled rewards", ""}
// clang-format on

#endif
