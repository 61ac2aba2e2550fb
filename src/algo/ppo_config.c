/// Field table of proximal policy optimization (PPO): defaults, ranges, help.
/// The struct is in celsius/ppo.h.
#include "algo/algo.h"
#include "algo/fields.h"
#include "base/floats.h"
#include "celsius/ppo.h"

#include <string.h>

#define CONFIG CelPpoConfig
#define LEARNING_RATE "3e-4"
#define LEARNS "policy and values"
#define N_STEPS "2048"
#define STATE_DEPENDENT_STD "false"
#define GAE_LAMBDA "0.95"
#define ADAM_EPSILON "1e-5"

// clang-format off
const CelField celi_ppo_fields[] = {
#include "algo/fields/on_policy.inc"
    {.name = "batch_size", .type = CEL_FIELD_INT, .offset = F(batch_size), .def = "64", .min = 1,
     .max = 1e6, .unit = "steps",
     .doc = "rows of a minibatch; best when it divides n_steps times n_envs"},
    {.name = "n_epochs", .type = CEL_FIELD_INT, .offset = F(n_epochs), .def = "10", .min = 1,
     .max = 1e6,
     .doc = "passes over each rollout; lower it when the divergence grows too fast"},
#include "algo/fields/gae.inc"
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
#include "algo/fields/joint_loss.inc"
    {.name = "target_kl", .type = CEL_FIELD_DOUBLE, .offset = F(target_kl), .def = "0", .min = 0,
     .max = 1e6, .unit = "nats",
     .doc = "stop an update early when the mean KL divergence exceeds 1.5 times this; 0: never"},
#include "algo/fields/adam_epsilon.inc"
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
