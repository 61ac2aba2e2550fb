/// Proximal policy optimisation's fields: defaults, ranges, help. The struct is in celsius/ppo.h.
#include "algo/algo.h"
#include "algo/onpolicy_fields.h"
#include "base/floats.h"
#include "celsius/ppo.h"

#include <string.h>

// One row a field: name, type, offset, default, lowest, highest, unit, choices, table of a group, help, source.
// clang-format off
#define F(field) offsetof(CelPpoConfig, field)

const CelField celi_ppo_fields[] = {
    CELI_ONPOLICY_FIELDS(CelPpoConfig, "3e-4", "policy and values", "2048", "false"),
    {"batch_size", CEL_FIELD_INT, F(batch_size), "64", 1, 1e6, "steps", NULL, NULL,
     "rows of one gradient step", ""},
    {"n_epochs", CEL_FIELD_INT, F(n_epochs), "10", 1, 1e6, "", NULL, NULL,
     "passes over a rollout", ""},
    {"gae_lambda", CEL_FIELD_DOUBLE, F(gae_lambda), "0.95", 0, 1, "", NULL, NULL,
     "decay of advantage estimates: 0 one step, 1 all that is left", "[actor-critic, 4.21]"},
    {"clip_range", CEL_FIELD_SCHEDULE, F(clip_range), "0.2", 0, 1e6, "", NULL, NULL,
     "how far the probability ratio may move from 1", ""},
    {"clip_range_vf", CEL_FIELD_SCHEDULE, F(clip_range_vf), "0", 0, 1e12, "reward", NULL, NULL,
     "how far values may move in an update; 0: no limit", ""},
    {"normalize_advantage", CEL_FIELD_BOOL, F(normalize_advantage), "true", 0, 0, "", NULL, NULL,
     "mean 0 and deviation 1 in each minibatch", ""},
    {"ent_coef", CEL_FIELD_DOUBLE, F(ent_coef), "0", 0, 1e6, "reward per nat", NULL, NULL,
     "weight of the entropy bonus", ""},
    {"vf_coef", CEL_FIELD_DOUBLE, F(vf_coef), "0.5", 0, 1e6, "", NULL, NULL,
     "weight of the values' squared error", ""},
    {"max_grad_norm", CEL_FIELD_DOUBLE, F(max_grad_norm), "0.5", 0, 1e12, "", NULL, NULL,
     "clip of the norm of all gradients together; 0: none", ""},
    {"target_kl", CEL_FIELD_DOUBLE, F(target_kl), "0", 0, 1e6, "nats", NULL, NULL,
     "an update ends where the divergence passes 1.5 times this; 0: never", ""},
    {"adam_epsilon", CEL_FIELD_DOUBLE, F(adam_epsilon), "1e-5", 0, 1, "", NULL, NULL,
     "Adam's epsilon", ""},
    {"weight_decay", CEL_FIELD_DOUBLE, F(weight_decay), "0", 0, 1, "", NULL, NULL,
     "decoupled weight decay", ""},
    {0},
};
// clang-format on

const CelField *cel_ppo_fields(void) {
  return celi_ppo_fields;
}

CelPpoConfig cel_ppo_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelPpoConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_ppo_fields, &config);
  return config;
}
