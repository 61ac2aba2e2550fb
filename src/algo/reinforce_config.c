/// Field table of REINFORCE: defaults, ranges, help. The struct is in celsius/reinforce.h.
#include "algo/algo.h"
#include "algo/fields.h"
#include "base/floats.h"
#include "celsius/reinforce.h"

#include <string.h>

#define CONFIG CelReinforceConfig
#define LEARNING_RATE "1e-3"
#define LEARNS "the policy"
#define N_STEPS "2048"
#define STATE_DEPENDENT_STD "false"
#define ADAM_EPSILON "1e-5"

// clang-format off
const CelField celi_reinforce_fields[] = {
#include "algo/fields/on_policy.inc"
    {.name = "critic_learning_rate", .type = CEL_FIELD_SCHEDULE, .offset = F(critic_learning_rate),
     .def = "1e-3", .min = 0, .max = 10,
     .doc = "learning rate of a learned baseline"},
    {.name = "reward_to_go", .type = CEL_FIELD_BOOL, .offset = F(reward_to_go), .def = "true",
     .doc = "each step learns from the rewards that follow it; otherwise from the whole return "
            "of its episode, which has more variance",
     .source = "[actor-critic, 4.1]"},
    {.name = "discount_weight", .type = CEL_FIELD_BOOL, .offset = F(discount_weight),
     .def = "false",
     .doc = "weight the gradient of step t of an episode by gamma^t, which makes the policy "
            "gradient exact; late steps then teach little",
     .source = "[actor-critic, 4.1]"},
    {.name = "baseline", .type = CEL_FIELD_ENUM, .offset = F(baseline), .def = "value",
     .choices = "none|mean|value",
     .doc = "what is subtracted from the returns: nothing, their mean, or a learned value of the "
            "state",
     .source = "[actor-critic, 4.11]"},
    {.name = "normalize_advantage", .type = CEL_FIELD_BOOL, .offset = F(normalize_advantage),
     .def = "true",
     .doc = "scale returns minus baseline to mean 0 and standard deviation 1"},
    {.name = "reduction", .type = CEL_FIELD_ENUM, .offset = F(reduction), .def = "steps",
     .choices = "steps|episodes",
     .doc = "how the gradient is averaged; steps: over all steps; episodes: summed over steps, "
            "then averaged over episodes"},
#include "algo/fields/entropy_bonus.inc"
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = F(max_grad_norm), .def = "0.5",
     .min = 0, .max = 1e12,
     .doc = "largest gradient norm of policy and baseline each; a longer gradient is scaled "
            "down; 0: no limit"},
    {.name = "baseline_steps", .type = CEL_FIELD_INT, .offset = F(baseline_steps), .def = "10",
     .min = 1, .max = 1e6,
     .doc = "gradient steps of a learned baseline per update"},
#include "algo/fields/adam_epsilon.inc"
    {0},
};
// clang-format on

const CelField *cel_reinforce_fields(void) {
  return celi_reinforce_fields;
}

CelReinforceConfig cel_reinforce_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelReinforceConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_reinforce_fields, &config);
  return config;
}
