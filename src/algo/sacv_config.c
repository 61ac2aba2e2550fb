/// Fields of soft actor-critic with a value network: defaults, ranges, help. The struct is in celsius/sacv.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "celsius/sacv.h"

#include <string.h>

// clang-format off
#define F(field) offsetof(CelSacvConfig, field)

const CelField celi_sacv_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelSacvConfig),
    {"ent_coef", CEL_FIELD_AUTO, F(ent_coef), "auto", 0, 1e12, "reward per nat", NULL, NULL,
     "temperature alpha; auto: learned", "[maximum-entropy, 8.2]"},
    {"ent_coef_init", CEL_FIELD_DOUBLE, F(ent_coef_init), "1", 1e-12, 1e12, "reward per nat", NULL, NULL,
     "start of a learned temperature", ""},
    {"target_entropy", CEL_FIELD_AUTO, F(target_entropy), "auto", -1e9, 1e9, "nats", NULL, NULL,
     "entropy that a learned temperature aims at; auto: -dim(A)", ""},
    {"n_critics", CEL_FIELD_INT, F(n_critics), "2", 1, 64, "", NULL, NULL,
     "number of critics", ""},
    {"critic_reduce", CEL_FIELD_ENUM, F(critic_reduce), "min", 0, 0, "", "min|mean", NULL,
     "how critics are combined", ""},
    {"policy", CEL_FIELD_ENUM, F(policy), "squashed_gaussian", 0, 0, "", "squashed_gaussian|gaussian", NULL,
     "action distribution", "[actor-critic, 4.24]"},
    {"log_std_min", CEL_FIELD_DOUBLE, F(log_std_min), "-20", -50, 50, "", NULL, NULL,
     "lower clamp of log sigma", ""},
    {"log_std_max", CEL_FIELD_DOUBLE, F(log_std_max), "2", -50, 50, "", NULL, NULL,
     "upper clamp of log sigma", ""},
    {0},
};
// clang-format on

const CelField *cel_sacv_fields(void) {
  return celi_sacv_fields;
}

CelSacvConfig cel_sacv_config_default(void) {
  CelSacvConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sacv_fields, &config);
  return config;
}
