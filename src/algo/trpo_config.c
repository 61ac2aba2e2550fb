/// Trust region policy optimisation's fields: defaults, ranges, help. The struct is in celsius/trpo.h.
#include "algo/algo.h"
#include "algo/onpolicy_fields.h"
#include "base/floats.h"
#include "celsius/trpo.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelTrpoConfig, field)

const CelField celi_trpo_fields[] = {
    CELI_ONPOLICY_FIELDS(CelTrpoConfig, "1e-3", "the values", "2048", "false"),
    {"batch_size", CEL_FIELD_INT, F(batch_size), "128", 1, 1e6, "steps", NULL, NULL,
     "rows of one gradient step of the values", ""},
    {"n_critic_updates", CEL_FIELD_INT, F(n_critic_updates), "10", 1, 1e6, "", NULL, NULL,
     "passes over a rollout of the values", ""},
    {"gae_lambda", CEL_FIELD_DOUBLE, F(gae_lambda), "0.95", 0, 1, "", NULL, NULL,
     "decay of advantage estimates: 0 one step, 1 all that is left", "[actor-critic, 4.21]"},
    {"normalize_advantage", CEL_FIELD_BOOL, F(normalize_advantage), "true", 0, 0, "", NULL, NULL,
     "mean 0 and deviation 1 in each update", ""},
    {"target_kl", CEL_FIELD_DOUBLE, F(target_kl), "0.01", 1e-12, 1e6, "nats", NULL, NULL,
     "mean divergence that an update may reach", ""},
    {"cg_max_steps", CEL_FIELD_INT, F(cg_max_steps), "15", 1, 1000, "", NULL, NULL,
     "steps of conjugate gradients", ""},
    {"cg_damping", CEL_FIELD_DOUBLE, F(cg_damping), "0.1", 0, 1e6, "", NULL, NULL,
     "added to the diagonal of the Fisher matrix", ""},
    {"line_search_shrinking_factor", CEL_FIELD_DOUBLE, F(line_search_shrinking_factor), "0.8", 1e-6, 0.999999, "", NULL, NULL,
     "each try of the line search is this much shorter", ""},
    {"line_search_max_iter", CEL_FIELD_INT, F(line_search_max_iter), "10", 1, 1000, "", NULL, NULL,
     "tries of the line search", ""},
    {"adam_epsilon", CEL_FIELD_DOUBLE, F(adam_epsilon), "1e-8", 0, 1, "", NULL, NULL,
     "Adam's epsilon", ""},
    {0},
};
// clang-format on

const CelField *cel_trpo_fields(void) {
  return celi_trpo_fields;
}

CelTrpoConfig cel_trpo_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelTrpoConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_trpo_fields, &config);
  return config;
}
