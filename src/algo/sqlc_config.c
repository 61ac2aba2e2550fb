/// Field table of soft Q-learning with continuous actions (SQLC): defaults, ranges, help.
/// The struct is in celsius/sqlc.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/sqlc.h"

#include <string.h>

#define CONFIG CelSqlcConfig

// clang-format off
const CelField celi_sqlc_fields[] = {
#include "algo/fields/off_policy.inc"
    {.name = "ent_coef", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef), .def = "0.1", .min = 1e-9,
     .max = 1e9, .unit = "reward per nat",
     .doc = "temperature alpha; the entropy is that of actions scaled to [-1, 1]; raise it to "
            "keep several modes",
     .source = "[soft-q-learning, 3.1]"},
    {.name = "value_particles", .type = CEL_FIELD_INT, .offset = F(value_particles), .def = "32",
     .min = 1, .max = 65536, .unit = "actions",
     .doc = "actions that each soft value is estimated from; raise it with the number of action "
            "dimensions",
     .source = "[soft-q-learning, 3.2]"},
    {.name = "value_proposal", .type = CEL_FIELD_ENUM, .offset = F(value_proposal),
     .def = "uniform", .choices = "uniform|policy",
     .doc = "distribution of those actions: uniform over the box, or around samples of the "
            "policy; take policy when Q has narrow peaks",
     .source = "[soft-q-learning, 3.2]"},
    {.name = "proposal_uniform", .type = CEL_FIELD_DOUBLE, .offset = F(proposal_uniform),
     .def = "0.25", .min = 0, .max = 1,
     .doc = "fraction of uniform actions with value_proposal policy, at least one action",
     .source = "[soft-q-learning, 3.2]"},
    {.name = "fixed_particles", .type = CEL_FIELD_INT, .offset = F(fixed_particles), .def = "16",
     .min = 2, .max = 256, .unit = "actions",
     .doc = "actions per state whose scores and positions move the others",
     .source = "[soft-q-learning, 4]"},
    {.name = "updated_particles", .type = CEL_FIELD_INT, .offset = F(updated_particles),
     .def = "16", .min = 1, .max = 256, .unit = "actions",
     .doc = "actions per state that are moved",
     .source = "[soft-q-learning, 4]"},
    {.name = "bandwidth", .type = CEL_FIELD_DOUBLE, .offset = F(bandwidth), .def = "0", .min = 0,
     .max = 1e9,
     .doc = "h of the kernel exp(-|u - v|^2 / h); 0: median heuristic",
     .source = "[soft-q-learning, 4]"},
    {0},
};
// clang-format on

const CelField *cel_sqlc_fields(void) {
  return celi_sqlc_fields;
}

CelSqlcConfig cel_sqlc_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSqlcConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sqlc_fields, &config);
  return config;
}
