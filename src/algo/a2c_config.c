/// Advantage actor-critic's fields: defaults, ranges, help. The struct is in celsius/a2c.h.
#include "algo/algo.h"
#include "algo/onpolicy_fields.h"
#include "base/floats.h"
#include "celsius/a2c.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelA2cConfig, field)

const CelField celi_a2c_fields[] = {
    CELI_ONPOLICY_FIELDS(CelA2cConfig, "7e-4", "policy and values", "5", "false"),
    {"gae_lambda", CEL_FIELD_DOUBLE, F(gae_lambda), "1", 0, 1, "", NULL, NULL,
     "decay of advantage estimates: 0 one step, 1 all n steps", "[actor-critic, 4.21]"},
    {"normalize_advantage", CEL_FIELD_BOOL, F(normalize_advantage), "false", 0, 0, "", NULL, NULL,
     "mean 0 and deviation 1 in each update", ""},
    {"ent_coef", CEL_FIELD_DOUBLE, F(ent_coef), "0", 0, 1e6, "reward per nat", NULL, NULL,
     "weight of the entropy bonus", ""},
    {"vf_coef", CEL_FIELD_DOUBLE, F(vf_coef), "0.5", 0, 1e6, "", NULL, NULL,
     "weight of the values' squared error", ""},
    {"max_grad_norm", CEL_FIELD_DOUBLE, F(max_grad_norm), "0.5", 0, 1e12, "", NULL, NULL,
     "clip of the norm of all gradients together; 0: none", ""},
    {"optimizer", CEL_FIELD_ENUM, F(optimizer), "rmsprop", 0, 0, "", "rmsprop|adam", NULL,
     "how gradients are followed", ""},
    {"rms_decay", CEL_FIELD_DOUBLE, F(rms_decay), "0.99", 0, 0.999999, "", NULL, NULL,
     "decay of RMSProp's mean square", ""},
    {"epsilon", CEL_FIELD_DOUBLE, F(epsilon), "1e-5", 0, 1, "", NULL, NULL,
     "added to the root of the mean square", ""},
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
