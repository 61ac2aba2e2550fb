/// Field table of proximal policy optimization (PPO): defaults, ranges, help.
/// The struct is in celsius/ppo.h.
#include "algo/algo.h"
#include "algo/on_policy_fields.h"
#include "base/floats.h"
#include "celsius/ppo.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelPpoConfig, field)

const CelField celi_ppo_fields[] = {
    CELI_ON_POLICY_FIELDS(CelPpoConfig, "3e-4", "policy and values", "2048", "false"),
    {.name = "batch_size", .type = CEL_FIELD_INT, .offset = F(batch_size), .def = "64", .min = 1,
     .max = 1e6, .unit = "steps",
     .doc = "rows of a minibatch; best when it divides n_steps times n_envs"},
    {.name = "n_epochs", .type = CEL_FIELD_INT, .offset = F(n_epochs), .def = "10", .min = 1,
     .max = 1e6,
     .doc = "passes over each rollout; lower it when the divergence grows too fast"},
    {.name = "gae_lambda", .type = CEL_FIELD_DOUBLE, .offset = F(gae_lambda), .def = "0.95",
     .min = 0, .max = 1,
     .doc = "decay lambda of advantage estimates: 0: one-step TD errors; 1: full returns; lower "
            "it to reduce variance",
     .source = "[actor-critic, 4.21]"},
    {.name = "clip_range", .type = CEL_FIELD_SCHEDULE, .offset = F(clip_range), .def = "0.2",
     .min = 0, .max = 1e6,
     .doc = "distance of the probability ratio from 1 at which the surrogate is clipped; lower "
            "it for smaller, safer updates"},
    {.name = "clip_range_vf", .type = CEL_FIELD_SCHEDULE, .offset = F(clip_range_vf), .def = "0",
     .min = 0, .max = 1e12, .unit = "reward",
     .doc = "change of a value at which the value loss is clipped; 0: no clipping"},
    {.name = "normalize_advantage", .type = CEL_FIELD_BOOL, .offset = F(normalize_advantage),
     .def = "true",
     .doc = "scale the advantages of each minibatch to mean 0 and standard deviation 1"},
    {.name = "ent_coef", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef), .def = "0", .min = 0,
     .max = 1e6, .unit = "reward per nat",
     .doc = "weight of the entropy bonus; raise it when the policy becomes deterministic too "
            "early"},
    {.name = "vf_coef", .type = CEL_FIELD_DOUBLE, .offset = F(vf_coef), .def = "0.5", .min = 0,
     .max = 1e6,
     .doc = "weight of the squared error of the values in the loss"},
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = F(max_grad_norm), .def = "0.5",
     .min = 0, .max = 1e12,
     .doc = "largest norm of all gradients together; a longer gradient is scaled down; 0: no "
            "limit"},
    {.name = "target_kl", .type = CEL_FIELD_DOUBLE, .offset = F(target_kl), .def = "0", .min = 0,
     .max = 1e6, .unit = "nats",
     .doc = "stop an update early when the mean KL divergence exceeds 1.5 times this; 0: never"},
    {.name = "adam_epsilon", .type = CEL_FIELD_DOUBLE, .offset = F(adam_epsilon), .def = "1e-5",
     .min = 0, .max = 1,
     .doc = "term added to the root of Adam's second moment"},
    {.name = "weight_decay", .type = CEL_FIELD_DOUBLE, .offset = F(weight_decay), .def = "0",
     .min = 0, .max = 1,
     .doc = "decoupled weight decay (AdamW)"},
    {0},
};
// clang-format on

const CelField *cel_ppo_fields(void) {
  return celi_ppo_fields;
}

CelPpoConfig cel_ppo_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelPpoConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_ppo_fields, &config);
  return config;
}
