/// Discrete soft actor-critic's fields: defaults, ranges, help. The struct is in celsius/dsac.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "celsius/dsac.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelDsacConfig, field)

const CelField celi_dsac_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelDsacConfig),
    {"ent_coef", CEL_FIELD_AUTO, F(ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL,
     "temperature alpha; auto: learned", "[maximum-entropy, 8.2]"},
    {"ent_coef_init", CEL_FIELD_DOUBLE, F(ent_coef_init), "1", 1e-12, 1e12, "reward per nat", NULL, NULL,
     "start of a learned temperature", ""},
    {"target_entropy", CEL_FIELD_AUTO, F(target_entropy), "auto", 0, 1e9, "nats", NULL, NULL,
     "entropy that a learned temperature aims at; auto: target_entropy_factor log A", ""},
    {"target_entropy_factor", CEL_FIELD_DOUBLE, F(target_entropy_factor), "0.5", 0, 1, "", NULL, NULL,
     "target entropy as a share of the uniform policy's", ""},
    {"critic_ent_coef", CEL_FIELD_AUTO, F(critic_ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL,
     "temperature in the critics' target; auto: alpha; 0: critics without entropy", "[maximum-entropy, 8.14]"},
    {"n_critics", CEL_FIELD_INT, F(n_critics), "2", 1, 64, "", NULL, NULL,
     "number of critics", ""},
    {"critic_reduce", CEL_FIELD_ENUM, F(critic_reduce), "min", 0, 0, "", "min|mean", NULL,
     "how critics are combined, action by action", ""},
    {"n_steps", CEL_FIELD_INT, F(n_steps), "1", 1, 64, "steps", NULL, NULL,
     "steps of reward (and entropy) before bootstrapping", "[maximum-entropy, 8.13]"},
    {0},
};
// clang-format on

const CelField *cel_dsac_fields(void) {
  return celi_dsac_fields;
}

CelDsacConfig cel_dsac_config_default(void) {
  CelDsacConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_dsac_fields, &config);
  return config;
}
