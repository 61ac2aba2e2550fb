/// Field table of soft actor-critic with a value network (SAC-V): defaults, ranges, help.
/// The struct is in celsius/sacv.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/sacv.h"

#include <string.h>

#define CONFIG CelSacvConfig

// clang-format off
const CelField celi_sacv_fields[] = {
#include "algo/fields/off_policy.inc"
#include "algo/fields/temperature.inc"
#include "algo/fields/critics.inc"
#include "algo/fields/gaussian.inc"
    {0},
};
// clang-format on

const CelField *cel_sacv_fields(void) {
  return celi_sacv_fields;
}

CelSacvConfig cel_sacv_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSacvConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sacv_fields, &config);
  return config;
}
