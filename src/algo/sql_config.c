/// Soft Q-learning's fields (discrete actions): defaults, ranges, help. The struct is in celsius/sql.h.
#include "algo/off_policy.h"
#include "algo/off_policy_fields.h"
#include "base/floats.h"
#include "celsius/sql.h"

#include <string.h>

// clang-format off
const CelField celi_sql_fields[] = {
    CELI_OFF_POLICY_FIELDS(CelSqlConfig),
    {"ent_coef", CEL_FIELD_DOUBLE, offsetof(CelSqlConfig, ent_coef), "0.1", 1e-9, 1e9, "reward per nat", NULL, NULL,
     "temperature alpha of values and behaviour", "[soft-q-learning, 3.1]"},
    {0},
};
// clang-format on

const CelField *cel_sql_fields(void) {
  return celi_sql_fields;
}

CelSqlConfig cel_sql_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSqlConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_sql_fields, &config);
  return config;
}
