/// Field table of soft actor-critic with a value network (SAC-V): defaults, ranges, help.
/// The struct is in celsius/sacv.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "base/floats.h"
#include "celsius/sacv.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelSacvConfig, field)

const CelField celi_sacv_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelSacvConfig),
    CELI_TEMPERATURE_FIELDS(F),
    CELI_CRITIC_FIELDS(F),
    CELI_GAUSSIAN_FIELDS(F),
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
