/// Actor-critic's fields: defaults, ranges, help. The struct is in celsius/ac.h.
#include "algo/algo.h"
#include "algo/onpolicy_fields.h"
#include "base/floats.h"
#include "celsius/ac.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelAcConfig, field)

const CelField celi_ac_fields[] = {
    CELI_ONPOLICY_FIELDS(CelAcConfig, "3e-4", "the policy", "1", "true"),
    {"critic_learning_rate", CEL_FIELD_SCHEDULE, F(critic_learning_rate), "1e-3", 0, 10, "", NULL, NULL,
     "learning rate of the values", ""},
    {"discount_weight", CEL_FIELD_BOOL, F(discount_weight), "false", 0, 0, "", NULL, NULL,
     "weigh the gradient of step t of an episode by gamma^t, which is exact", "[actor-critic, 4.6]"},
    {"reduction", CEL_FIELD_ENUM, F(reduction), "mean", 0, 0, "", "mean|sum", NULL,
     "how the losses of the steps are put together", "[actor-critic, 4.22]"},
    {"ent_coef", CEL_FIELD_DOUBLE, F(ent_coef), "0", 0, 1e6, "reward per nat", NULL, NULL,
     "weight of an entropy bonus", ""},
    {"max_grad_norm", CEL_FIELD_DOUBLE, F(max_grad_norm), "0", 0, 1e12, "", NULL, NULL,
     "clip of the norm of the gradients of policy and values each; 0: none", ""},
    {"optimizer", CEL_FIELD_ENUM, F(optimizer), "adam", 0, 0, "", "adam|sgd", NULL,
     "how gradients are followed", "[actor-critic, 4.23]"},
    {"adam_epsilon", CEL_FIELD_DOUBLE, F(adam_epsilon), "1e-8", 0, 1, "", NULL, NULL,
     "Adam's epsilon", ""},
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
