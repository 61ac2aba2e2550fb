/// Field table of advantage actor-critic (A2C): defaults, ranges, help.
/// The struct is in celsius/a2c.h.
#include "algo/algo.h"
#include "algo/fields.h"
#include "base/floats.h"
#include "celsius/a2c.h"

#include <string.h>

#define CONFIG CelA2cConfig
#define LEARNING_RATE "7e-4"
#define LEARNS "policy and values"
#define N_STEPS "5"
#define STATE_DEPENDENT_STD "false"
#define GAE_LAMBDA "1"

// clang-format off
const CelField celi_a2c_fields[] = {
#include "algo/fields/on_policy.inc"
#include "algo/fields/gae.inc"
    {.name = "normalize_advantage", .type = CEL_FIELD_BOOL, .offset = F(normalize_advantage),
     .def = "false",
     .doc = "scale the advantages of each update to mean 0 and standard deviation 1"},
#include "algo/fields/joint_loss.inc"
    {.name = "optimizer", .type = CEL_FIELD_ENUM, .offset = F(optimizer), .def = "rmsprop",
     .choices = "rmsprop|adam",
     .doc = "optimizer of policy and values"},
    {.name = "rms_decay", .type = CEL_FIELD_DOUBLE, .offset = F(rms_decay), .def = "0.99", .min = 0,
     .max = 0.999999,
     .doc = "decay of RMSProp's running mean of squared gradients"},
    {.name = "epsilon", .type = CEL_FIELD_DOUBLE, .offset = F(epsilon), .def = "1e-5", .min = 0,
     .max = 1,
     .doc = "term that the optimizer adds to the root of the mean square"},
    {0},
};
// clang-format on

const CelField *cel_a2c_fields(void) {
  return celi_a2c_fields;
}

CelA2cConfig cel_a2c_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelA2cConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_a2c_fields, &config);
  return config;
}
