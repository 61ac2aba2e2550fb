/// Fields of soft Q-learning with continuous actions: defaults, ranges, help. The struct is in celsius/sqlc.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "base/floats.h"
#include "celsius/sqlc.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelSqlcConfig, field)

const CelField celi_sqlc_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelSqlcConfig),
    {"ent_coef", CEL_FIELD_DOUBLE, F(ent_coef), "0.1", 1e-9, 1e9, "reward per nat", NULL, NULL,
     "temperature alpha; entropy is that of actions scaled to [-1, 1]", "[soft-q-learning, 3.1]"},
    {"value_particles", CEL_FIELD_INT, F(value_particles), "32", 1, 65536, "actions", NULL, NULL,
     "actions that a soft value is estimated from", "[soft-q-learning, 3.2]"},
    {"value_proposal", CEL_FIELD_ENUM, F(value_proposal), "uniform", 0, 0, "", "uniform|policy", NULL,
     "what those actions are drawn from: the whole box, or around draws of the sampler, some uniform",
     "[soft-q-learning, 3.2]"},
    {"proposal_uniform", CEL_FIELD_DOUBLE, F(proposal_uniform), "0.25", 0, 1, "", NULL, NULL,
     "value_proposal policy: share of the actions that is uniform, at least one action",
     "[soft-q-learning, 3.2]"},
    {"fixed_particles", CEL_FIELD_INT, F(fixed_particles), "16", 2, 256, "actions", NULL, NULL,
     "actions a state whose scores and places move the others", "[soft-q-learning, 4]"},
    {"updated_particles", CEL_FIELD_INT, F(updated_particles), "16", 1, 256, "actions", NULL, NULL,
     "actions a state that are moved", "[soft-q-learning, 4]"},
    {"bandwidth", CEL_FIELD_DOUBLE, F(bandwidth), "0", 0, 1e9, "", NULL, NULL,
     "h of the kernel exp(-|u - v|^2 / h); 0: median heuristic", "[soft-q-learning, 4]"},
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
