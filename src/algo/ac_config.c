/// Field table of actor-critic (AC): defaults, ranges, help. The struct is in celsius/ac.h.
#include "algo/algo.h"
#include "algo/fields.h"
#include "base/floats.h"
#include "celsius/ac.h"

#include <string.h>

#define CONFIG CelAcConfig
#define LEARNING_RATE "3e-4"
#define LEARNS "the policy"
#define N_STEPS "1"
#define STATE_DEPENDENT_STD "true"
#define ADAM_EPSILON "1e-8"

// clang-format off
const CelField celi_ac_fields[] = {
#include "algo/fields/on_policy.inc"
    {.name = "critic_learning_rate", .type = CEL_FIELD_SCHEDULE, .offset = F(critic_learning_rate),
     .def = "1e-3", .min = 0, .max = 10,
     .doc = "learning rate of the values; they should learn at least as fast as the policy"},
    {.name = "discount_weight", .type = CEL_FIELD_BOOL, .offset = F(discount_weight),
     .def = "false",
     .doc = "weight the gradient of step t of an episode by gamma^t, which makes the policy "
            "gradient exact; late steps then teach little",
     .source = "[actor-critic, 4.6]"},
    {.name = "reduction", .type = CEL_FIELD_ENUM, .offset = F(reduction), .def = "mean",
     .choices = "mean|sum",
     .doc = "how the losses of the steps are combined; sum: the step size grows with n_steps",
     .source = "[actor-critic, 4.22]"},
#include "algo/fields/entropy_bonus.inc"
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = F(max_grad_norm), .def = "0",
     .min = 0, .max = 1e12,
     .doc = "largest gradient norm of policy and values each; a longer gradient is scaled down; "
            "0: no limit"},
    {.name = "optimizer", .type = CEL_FIELD_ENUM, .offset = F(optimizer), .def = "adam",
     .choices = "adam|sgd",
     .doc = "optimizer of policy and values; sgd: plain gradient steps",
     .source = "[actor-critic, 4.23]"},
#include "algo/fields/adam_epsilon.inc"
    {0},
};
// clang-format on

const CelField *cel_ac_fields(void) {
  return celi_ac_fields;
}

CelAcConfig cel_ac_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelAcConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_ac_fields, &config);
  return config;
}
