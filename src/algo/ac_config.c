/// Field table of actor-critic (AC): defaults, ranges, help. The struct is in celsius/ac.h.
#include "algo/algo.h"
#include "algo/on_policy_fields.h"
#include "base/floats.h"
#include "celsius/ac.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelAcConfig, field)

const CelField celi_ac_fields[] = {
    CELI_ON_POLICY_FIELDS(CelAcConfig, "3e-4", "the policy", "1", "true"),
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
    {.name = "ent_coef", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef), .def = "0", .min = 0,
     .max = 1e6, .unit = "reward per nat",
     .doc = "weight of the entropy bonus; raise it when the policy becomes deterministic too "
            "early"},
    {.name = "max_grad_norm", .type = CEL_FIELD_DOUBLE, .offset = F(max_grad_norm), .def = "0",
     .min = 0, .max = 1e12,
     .doc = "largest gradient norm of policy and values each; a longer gradient is scaled down; "
            "0: no limit"},
    {.name = "optimizer", .type = CEL_FIELD_ENUM, .offset = F(optimizer), .def = "adam",
     .choices = "adam|sgd",
     .doc = "optimizer of policy and values; sgd: plain gradient steps",
     .source = "[actor-critic, 4.23]"},
    {.name = "adam_epsilon", .type = CEL_FIELD_DOUBLE, .offset = F(adam_epsilon), .def = "1e-8",
     .min = 0, .max = 1,
     .doc = "term added to the root of Adam's second moment"},
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
