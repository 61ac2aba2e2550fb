/// Field table of advantage actor-critic (A2C): defaults, ranges, help.
/// The struct is in celsius/a2c.h.
#include "algo/algo.h"
#include "algo/on_policy_fields.h"
#include "base/floats.h"
#include "celsius/a2c.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelA2cConfig, field)

const CelField celi_a2c_fields[] = {
    CELI_ON_POLICY_FIELDS(CelA2cConfig, "7e-4", "policy and values", "5", "false"),
    {.name = "gae_lambda", .type = CEL_FIELD_DOUBLE, .offset = F(gae_lambda), .def = "1", .min = 0,
     .max = 1,
     .doc = "decay lambda of advantage estimates: 0: one-step TD errors; 1: n-step returns; "
            "lower it to reduce variance",
     .source = "[actor-critic, 4.21]"},
    {.name = "normalize_advantage", .type = CEL_FIELD_BOOL, .offset = F(normalize_advantage),
     .def = "false",
     .doc = "scale the advantages of each update to mean 0 and standard deviation 1"},
    {.name = "ent_coef", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef), .def = "0", .min = 0,
     .max = 1e6, .unit = "reward per nat",
     .doc = "weight of the entropy bonus; raise it when the policy becomes deterministic too "
            "early"},
    {.name = "vf_coef", .type = CEL_FIELD_DOUBLE, .offset = F(vf_coef), .def = "0.5", .min = 0,
     .max = 1e6,
     .doc = "weight of the squared error of the values in the loss"},
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = F(max_grad_norm), .def = "0.5",
     .min = 0, .max = 1e12,
     .doc = "largest norm of all gradients together; a longer gradient is scaled down; 0: no "
            "limit"},
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
