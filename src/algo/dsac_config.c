/// Discrete soft actor-critic's fields: defaults, ranges, help. The struct is in celsius/dsac.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "base/floats.h"
#include "celsius/dsac.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelDsacConfig, field)

const CelField celi_dsac_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelDsacConfig),
    CELI_TEMPERATURE_FIELDS(F),
    {"target_entropy", CEL_FIELD_AUTO, F(target_entropy), "auto", 0, 1e9, "nats", NULL, NULL,
     "entropy that a learned temperature aims at; auto: target_entropy_factor log A", ""},
    {"target_entropy_factor", CEL_FIELD_DOUBLE, F(target_entropy_factor), "0.5", 0, 1, "", NULL, NULL,
     "target entropy as a share of the uniform policy's", ""},
    {"critic_ent_coef", CEL_FIELD_AUTO, F(critic_ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL,
     "temperature in the critics' target; auto: alpha; 0: critics without entropy", "[maximum-entropy, 8.14]"},
    CELI_CRITIC_FIELDS(F),
    CELI_NSTEP_FIELDS(F),
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
