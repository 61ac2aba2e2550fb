/// Fields of CelOffPolicyConfig, for learners whose config has it as its member `common`.
#ifndef CELI_OFF_POLICY_FIELDS_H
#define CELI_OFF_POLICY_FIELDS_H
#include "celsius/off_policy.h"

#include <stddef.h>

// A macro, because a table is constant: fields cannot be copied into it at run time.
// clang-format off
#define CELI_AT(Config, field) (offsetof(Config, common) + offsetof(CelOffPolicyConfig, field))
#define CELI_OFF_POLICY_FIELDS(Config) \
    {.name = "learning_rate", .type = CEL_FIELD_SCHEDULE, \
     .offset = CELI_AT(Config, learning_rate), .def = "3e-4", .min = 0, .max = 1, \
     .doc = "learning rate of all networks and a learned temperature; lower it when losses or " \
            "Q values grow without end"}, \
    {.name = "buffer_size", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, buffer_size), \
     .def = "1000000", .min = 1, .max = 1e12, .unit = "transitions", \
     .doc = "rows of the replay buffer; a transition takes one row, an ended episode one more; " \
            "lower it to save memory"}, \
    {.name = "learning_starts", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, learning_starts), \
     .def = "100", .min = 0, .max = 1e12, .unit = "steps", \
     .doc = "steps with uniformly random actions before the first update; raise it when good " \
            "states are rare"}, \
    {.name = "batch_size", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, batch_size), \
     .def = "256", .min = 1, .max = 65536, .unit = "transitions", \
     .doc = "transitions in the batch of one gradient step"}, \
    {.name = "tau", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, tau), .def = "0.005", \
     .min = 0, .max = 1, \
     .doc = "weight of the trained network in each soft update of the target network; 1: copy " \
            "it; lower it when targets oscillate"}, \
    {.name = "gamma", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, gamma), .def = "0.99", \
     .min = 0, .max = 1, \
     .doc = "discount per step; raise it when rewards come late", \
     .source = "[maximum-entropy, 8.1]"}, \
    {.name = "train_freq", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, train_freq), \
     .def = "1", .min = 1, .max = 1e9, .unit = "steps", \
     .doc = "steps of each environment between updates"}, \
    {.name = "gradient_steps", .type = CEL_FIELD_INT, .offset = CELI_AT(Config, gradient_steps), \
     .def = "1", .min = -1, .max = 1e6, \
     .doc = "gradient steps per update; -1: as many as environment steps since the last one"}, \
    {.name = "target_update_interval", .type = CEL_FIELD_INT, \
     .offset = CELI_AT(Config, target_update_interval), .def = "1", .min = 1, .max = 1e9, \
     .unit = "updates", \
     .doc = "gradient steps between moves of the target network"}, \
    {.name = "net_arch", .type = CEL_FIELD_INT_LIST, .offset = CELI_AT(Config, net_arch), \
     .def = "256,256", .min = 1, .max = 8192, \
     .doc = "widths of the hidden layers of every network; an empty list makes them linear"}, \
    {.name = "activation", .type = CEL_FIELD_ENUM, .offset = CELI_AT(Config, activation), \
     .def = "relu", .choices = "relu|tanh|silu|gelu|leaky_relu", \
     .doc = "activation function of the hidden layers"}, \
    {.name = "layer_norm", .type = CEL_FIELD_BOOL, .offset = CELI_AT(Config, layer_norm), \
     .def = "false", \
     .doc = "apply layer normalization before each hidden activation; turn it on when Q values " \
            "diverge"}, \
    {.name = "init", .type = CEL_FIELD_ENUM, .offset = CELI_AT(Config, init), \
     .def = "kaiming_uniform", .choices = "kaiming_uniform|orthogonal|xavier_uniform", \
     .doc = "distribution of the initial weights"}, \
    {.name = "normalize_observation", .type = CEL_FIELD_BOOL, \
     .offset = CELI_AT(Config, normalize_observation), .def = "false", \
     .doc = "normalize observations by their running mean and variance; turn it on when their " \
            "scales differ"}, \
    {.name = "normalize_reward", .type = CEL_FIELD_BOOL, \
     .offset = CELI_AT(Config, normalize_reward), .def = "false", \
     .doc = "divide rewards by the running standard deviation of the discounted return; the " \
            "temperature then has the unit of scaled rewards"}, \
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
     .doc = "decay of Adam's second moment"}, \
    {.name = "adam_epsilon", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, adam_epsilon), \
     .def = "1e-8", .min = 0, .max = 1, \
     .doc = "term added to the root of Adam's second moment"}, \
    {.name = "weight_decay", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, weight_decay), \
     .def = "0", .min = 0, .max = 1, \
     .doc = "decoupled weight decay of the networks (AdamW)"}, \
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = CELI_AT(Config, max_grad_norm), \
     .def = "0", .min = 0, .max = 1e12, \
     .doc = "largest gradient norm of each network; a longer gradient is scaled down; 0: no " \
            "limit"}
// Fields of several learners. F(field) is the offset of the field in the learner's config.
#define CELI_TEMPERATURE_FIELDS(F) \
    {.name = "ent_coef", .type = CEL_FIELD_AUTO, .offset = F(ent_coef), .def = "auto", .min = 0, \
     .max = 1e12, .unit = "reward per nat", \
     .doc = "temperature alpha: how much a nat of entropy is worth; auto: learned; auto_X: " \
            "learned, starting at X", \
     .source = "[maximum-entropy, 8.2]"}, \
    {.name = "ent_coef_init", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef_init), .def = "1", \
     .min = 1e-12, .max = 1e12, .unit = "reward per nat", \
     .doc = "initial value of a learned temperature; raise it to explore longer; --ent-coef " \
            "auto_X sets it too"}
#define CELI_CRITIC_FIELDS(F) \
    {.name = "n_critics", .type = CEL_FIELD_INT, .offset = F(n_critics), .def = "2", .min = 1, \
     .max = 64, \
     .doc = "number of critics"}, \
    {.name = "critic_reduce", .type = CEL_FIELD_ENUM, .offset = F(critic_reduce), .def = "min", \
     .choices = "min|mean", \
     .doc = "how critics are combined: min counters overestimation, mean is unbiased"}
#define CELI_NSTEP_FIELDS(F) \
    {.name = "n_steps", .type = CEL_FIELD_INT, .offset = F(n_steps), .def = "1", .min = 1, \
     .max = 64, .unit = "steps", \
     .doc = "steps of reward (and entropy) before bootstrapping; raise it when rewards are " \
            "sparse", \
     .source = "[maximum-entropy, 8.13]"}
#define CELI_GAUSSIAN_FIELDS(F) \
    {.name = "policy", .type = CEL_FIELD_ENUM, .offset = F(policy), .def = "squashed_gaussian", \
     .choices = "squashed_gaussian|gaussian", \
     .doc = "distribution of the actions; take gaussian for unbounded actions", \
     .source = "[actor-critic, 4.24]"}, \
    {.name = "log_std_min", .type = CEL_FIELD_DOUBLE, .offset = F(log_std_min), .def = "-20", \
     .min = -50, .max = 50, \
     .doc = "lower bound of log sigma"}, \
    {.name = "log_std_max", .type = CEL_FIELD_DOUBLE, .offset = F(log_std_max), .def = "2", \
     .min = -50, .max = 50, \
     .doc = "upper bound of log sigma"}, \
    {.name = "target_entropy", .type = CEL_FIELD_AUTO, .offset = F(target_entropy), .def = "auto", \
     .min = -1e9, .max = 1e9, .unit = "nats", \
     .doc = "entropy that a learned temperature aims for, of actions scaled to [-1, 1] (policy " \
            "gaussian: unscaled); auto: -A for A action dimensions"}
// clang-format on

#endif
