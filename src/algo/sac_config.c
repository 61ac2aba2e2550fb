/// Soft actor-critic's fields: defaults, ranges, help. The struct is in celsius/sac.h.
#include "algo/algo.h"
#include "algo/off_policy_fields.h"
#include "base/floats.h"
#include "celsius/sac.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelSacConfig, field)

const CelField celi_sac_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelSacConfig),
    CELI_TEMPERATURE_FIELDS(F),
    CELI_CRITIC_FIELDS(F),
    CELI_NSTEP_FIELDS(F),
    CELI_GAUSSIAN_FIELDS(F),
    {"noise", CEL_FIELD_ENUM, F(noise), "none", 0, 0, "", "none|normal|ou|gsde", NULL,
     "exploration noise beside the policy's own", ""},
    {"noise_sigma", CEL_FIELD_DOUBLE, F(noise_sigma), "0.1", 0, 100, "", NULL, NULL,
     "standard deviation of normal and ou noise, scaled actions", ""},
    {"noise_theta", CEL_FIELD_DOUBLE, F(noise_theta), "0.15", 0, 1000, "1/time", NULL, NULL,
     "rate of return of ou noise", ""},
    {"noise_dt", CEL_FIELD_DOUBLE, F(noise_dt), "0.01", 1e-9, 1000, "time", NULL, NULL,
     "time step of ou noise", ""},
    {"log_std_init", CEL_FIELD_DOUBLE, F(log_std_init), "-3", -50, 50, "", NULL, NULL,
     "start of gsde's log sigma", ""},
    {"sde_sample_freq", CEL_FIELD_INT, F(sde_sample_freq), "-1", -1, 1e9, "steps", NULL, NULL,
     "steps between new gsde matrices; -1: every train_freq steps", ""},
    {0},
};
// clang-format on

const CelField *cel_sac_fields(void) {
  return celi_sac_fields;
}

CelSacConfig cel_sac_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSacConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sac_fields, &config);
  return config;
}
