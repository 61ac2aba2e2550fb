/// Field table of trust region policy optimization (TRPO): defaults, ranges, help.
/// The struct is in celsius/trpo.h.
#include "algo/algo.h"
#include "algo/fields.h"
#include "base/floats.h"
#include "celsius/trpo.h"

#include <string.h>

#define CONFIG CelTrpoConfig
#define LEARNING_RATE "1e-3"
#define LEARNS "the values"
#define N_STEPS "2048"
#define STATE_DEPENDENT_STD "false"
#define GAE_LAMBDA "0.95"
#define ADAM_EPSILON "1e-8"

// clang-format off
const CelField celi_trpo_fields[] = {
#include "algo/fields/on_policy.inc"
    {.name = "batch_size", .type = CEL_FIELD_INT, .offset = F(batch_size), .def = "128", .min = 1,
     .max = 1e6, .unit = "steps",
     .doc = "rows of a minibatch of the values"},
    {.name = "n_critic_updates", .type = CEL_FIELD_INT, .offset = F(n_critic_updates), .def = "10",
     .min = 1, .max = 1e6,
     .doc = "passes of the values over each rollout; raise it when the values lag behind the "
            "returns"},
#include "algo/fields/gae.inc"
    {.name = "normalize_advantage", .type = CEL_FIELD_BOOL, .offset = F(normalize_advantage),
     .def = "true",
     .doc = "scale the advantages of each rollout to mean 0 and standard deviation 1"},
    {.name = "target_kl", .type = CEL_FIELD_DOUBLE, .offset = F(target_kl), .def = "0.01",
     .min = 1e-12, .max = 1e6, .unit = "nats",
     .doc = "largest mean KL divergence of one update; lower it for smaller, safer updates"},
    {.name = "cg_max_steps", .type = CEL_FIELD_INT, .offset = F(cg_max_steps), .def = "15",
     .min = 1, .max = 1000,
     .doc = "conjugate gradient steps per update"},
    {.name = "cg_damping", .type = CEL_FIELD_DOUBLE, .offset = F(cg_damping), .def = "0.1",
     .min = 0, .max = 1e6,
     .doc = "damping added to the diagonal of the Fisher matrix; raise it when updates are "
            "unstable"},
    {.name = "line_search_shrinking_factor", .type = CEL_FIELD_DOUBLE,
     .offset = F(line_search_shrinking_factor), .def = "0.8", .min = 1e-6, .max = 0.999999,
     .doc = "factor by which each try of the line search shortens the step"},
    {.name = "line_search_max_iter", .type = CEL_FIELD_INT, .offset = F(line_search_max_iter),
     .def = "10", .min = 1, .max = 1000,
     .doc = "tries of the line search; when all fail, the policy does not change"},
#include "algo/fields/adam_epsilon.inc"
    {0},
};
// clang-format on

const CelField *cel_trpo_fields(void) {
  return celi_trpo_fields;
}

CelTrpoConfig cel_trpo_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelTrpoConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_trpo_fields, &config);
  return config;
}
