/// Field table of soft Q-learning with discrete actions (SQL): defaults, ranges, help.
/// The struct is in celsius/sql.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/sql.h"

#include <string.h>

#define CONFIG CelSqlConfig

// clang-format off
const CelField celi_sql_fields[] = {
#include "algo/fields/off_policy.inc"
    {.name = "ent_coef", .type = CEL_FIELD_DOUBLE, .offset = F(ent_coef),
     .def = "0.1", .min = 1e-9, .max = 1e9, .unit = "reward per nat",
     .doc = "temperature alpha of values and behavior; raise it to explore more",
     .source = "[soft-q-learning, 3.1]"},
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
