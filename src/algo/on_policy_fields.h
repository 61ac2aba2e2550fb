/// Fields of CelOnPolicyConfig, for learners whose config has it as its member `common`.
#ifndef CELI_ON_POLICY_FIELDS_H
#define CELI_ON_POLICY_FIELDS_H
#include "celsius/on_policy.h"

#include <stddef.h>

// A macro, because a table is constant: fields cannot be copied into it at run time.
// clang-format off
#define CELI_AT(Config, field) (offsetof(Config, common) + offsetof(CelOnPolicyConfig, field))
/// rate, steps, std: defaults of learning_rate, n_steps and state_dependent_std.
/// whose: the networks that learning_rate applies to.
#define CELI_ON_POLICY_FIELDS(Config, rate, whose, steps, std) \
    {.name = "learning_rate", .type = CEL_FIELD_SCHEDULE, \
     .offset = CELI_AT(Config, learning_rate), .def = rate, .min = 0, .max = 10, \
     .doc = "learning rate of " whose "; lower it when returns rise and then collapse"}, \
    {.name = "n_steps", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, n_steps), .def = steps, \
     .min = 1, .max = 1e9, .unit = "steps", \
     .doc = "length of a rollout: steps of each environment between updates; longer rollouts " \
            "give less noisy gradients but fewer updates"}, \
    {.name = "gamma", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, gamma), .def = "0.99", \
     .min = 0, .max = 1, \
     .doc = "discount per step; raise it when rewards come late"}, \
    {.name = "net_arch", .type = CEL_FIELD_INT_LIST, .offset = CELI_AT(Config, net_arch), \
     .def = "64,64", .min = 1, .max = 8192, \
     .doc = "widths of the hidden layers of each network (policy and values); an empty list " \
            "makes them linear"}, \
    {.name = "activation", .type = CEL_FIELD_ENUM, .offset = CELI_AT(Config, activation), \
     .def = "tanh", .choices = "relu|tanh|silu|gelu|leaky_relu", \
     .doc = "activation function of the hidden layers"}, \
    {.name = "layer_norm", .type = CEL_FIELD_BOOL, .offset = CELI_AT(Config, layer_norm), \
     .def = "false", \
     .doc = "apply layer normalization before each hidden activation; turn it on when training " \
            "is unstable"}, \
    {.name = "init", .type = CEL_FIELD_ENUM, .offset = CELI_AT(Config, init), .def = "orthogonal", \
     .choices = "kaiming_uniform|orthogonal|xavier_uniform", \
     .doc = "distribution of the initial weights"}, \
    {.name = "state_dependent_std", .type = CEL_FIELD_BOOL, \
     .offset = CELI_AT(Config, state_dependent_std), .def = std, \
     .doc = "continuous actions: the network computes log sigma from the observation; " \
            "otherwise it is one parameter per action", \
     .source = "[actor-critic, 4.24]"}, \
    {.name = "use_sde", .type = CEL_FIELD_BOOL, .offset = CELI_AT(Config, use_sde), \
     .def = "false", \
     .doc = "continuous actions: generalized state-dependent exploration (gSDE), with noise " \
            "that is a fixed function of the last hidden layer for several steps"}, \
    {.name = "sde_sample_freq", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, sde_sample_freq), \
     .def = "-1", .min = -1, .max = 1e9, .unit = "steps", \
     .doc = "steps between new noise functions of use_sde; -1: one per rollout"}, \
    {.name = "log_std_init", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, log_std_init), \
     .def = "0", .min = -50, .max = 50, \
     .doc = "initial log sigma where sigma is a parameter; lower it when the first actions are " \
            "too large"}, \
    {.name = "normalize_observation", .type = CEL_FIELD_BOOL, \
     .offset = CELI_AT(Config, normalize_observation), .def = "false", \
     .doc = "normalize observations by the mean and variance of the rollouts so far; turn it " \
            "on when their scales differ"}, \
    {.name = "normalize_reward", .type = CEL_FIELD_BOOL, \
     .offset = CELI_AT(Config, normalize_reward), .def = "false", \
     .doc = "divide rewards by the standard deviation of the discounted return; turn it on " \
            "when returns are far from 1"}, \
    {.name = "clip_observation", .type = CEL_FIELD_DOUBLE, \
     .offset = CELI_AT(Config, clip_observation), .def = "10", .min = 1e-6, .max = 1e9, \
     .doc = "bound on normalized observations, in standard deviations"}, \
    {.name = "clip_reward", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, clip_reward), \
     .def = "10", .min = 1e-6, .max = 1e9, \
     .doc = "bound on scaled rewards"}, \
    {.name = "adam_beta1", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, adam_beta1), \
     .def = "0.9", .min = 0, .max = 0.999999, \
     .doc = "decay of Adam's first moment"}, \
    {.name = "adam_beta2", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, adam_beta2), \
     .def = "0.999", .min = 0, .max = 0.99999999, \
     .doc = "decay of Adam's second moment"}
// clang-format on

#endif
