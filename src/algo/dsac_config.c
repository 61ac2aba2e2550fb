/// Field table of discrete soft actor-critic (DSAC): defaults, ranges, help.
/// The struct is in celsius/dsac.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/dsac.h"

#include <string.h>

#define CONFIG CelDsacConfig

// clang-format off
const CelField celi_dsac_fields[] = {
#include "algo/fields/off_policy.inc"
#include "algo/fields/temperature.inc"
    {.name = "target_entropy", .type = CEL_FIELD_AUTO, .offset = F(target_entropy), .def = "auto",
     .min = 0, .max = 1e9, .unit = "nats",
     .doc = "entropy that a learned temperature aims for; auto: target_entropy_factor log A for "
            "A actions"},
    {.name = "target_entropy_factor", .type = CEL_FIELD_DOUBLE, .offset = F(target_entropy_factor),
     .def = "0.5", .min = 0, .max = 1,
     .doc = "target entropy as a fraction of the uniform policy's log A"},
    {.name = "critic_ent_coef", .type = CEL_FIELD_AUTO, .offset = F(critic_ent_coef), .def = "auto",
     .min = 0, .max = 1e12, .unit = "reward per nat",
     .doc = "temperature in the critics' target; auto: alpha; 0: critics without entropy",
     .source = "[maximum-entropy, 8.14]"},
#include "algo/fields/critics.inc"
#include "algo/fields/nstep.inc"
    {0},
};
// clang-format on

const CelField *cel_dsac_fields(void) {
  return celi_dsac_fields;
}

CelDsacConfig cel_dsac_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelDsacConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_dsac_fields, &config);
  return config;
}
