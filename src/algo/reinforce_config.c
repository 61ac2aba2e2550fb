/// REINFORCE's fields: defaults, ranges, help. The struct is in celsius/reinforce.h.
#include "algo/algo.h"
#include "algo/onpolicy_fields.h"
#include "base/floats.h"
#include "celsius/reinforce.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelReinforceConfig, field)

const CelField celi_reinforce_fields[] = {
    CELI_ONPOLICY_FIELDS(CelReinforceConfig, "1e-3", "the policy", "2048", "false"),
    {"critic_learning_rate", CEL_FIELD_SCHEDULE, F(critic_learning_rate), "1e-3", 0, 10, "", NULL, NULL,
     "learning rate of a learned baseline", ""},
    {"reward_to_go", CEL_FIELD_BOOL, F(reward_to_go), "true", 0, 0, "", NULL, NULL,
     "each step learns from the rewards that follow it; else from the whole return of its episode", "[actor-critic, 4.1]"},
    {"discount_weight", CEL_FIELD_BOOL, F(discount_weight), "false", 0, 0, "", NULL, NULL,
     "weigh the gradient of step t of an episode by gamma^t, which is exact", "[actor-critic, 4.1]"},
    {"baseline", CEL_FIELD_ENUM, F(baseline), "value", 0, 0, "", "none|mean|value", NULL,
     "what is taken off the returns", "[actor-critic, 4.11]"},
    {"normalize_advantage", CEL_FIELD_BOOL, F(normalize_advantage), "true", 0, 0, "", NULL, NULL,
     "mean 0 and deviation 1 of what log-probs weigh", ""},
    {"reduction", CEL_FIELD_ENUM, F(reduction), "steps", 0, 0, "", "steps|episodes", NULL,
     "mean over steps, or sum over steps and mean over episodes", ""},
    {"ent_coef", CEL_FIELD_DOUBLE, F(ent_coef), "0", 0, 1e6, "reward per nat", NULL, NULL,
     "weight of an entropy bonus", ""},
    {"max_grad_norm", CEL_FIELD_DOUBLE, F(max_grad_norm), "0.5", 0, 1e12, "", NULL, NULL,
     "clip of the norm of the gradients of policy and baseline each; 0: none", ""},
    {"baseline_steps", CEL_FIELD_INT, F(baseline_steps), "10", 1, 1e6, "", NULL, NULL,
     "gradient steps of a learned baseline an update", ""},
    {"adam_epsilon", CEL_FIELD_DOUBLE, F(adam_epsilon), "1e-5", 0, 1, "", NULL, NULL,
     "Adam's epsilon", ""},
    {0},
};
// clang-format on

const CelField *cel_reinforce_fields(void) {
  return celi_reinforce_fields;
}

CelReinforceConfig cel_reinforce_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelReinforceConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_reinforce_fields, &config);
  return config;
}
