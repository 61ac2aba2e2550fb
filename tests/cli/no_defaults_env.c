/// An environment whose arguments have no default text, with one field of each type. It tests
/// every place that reads a default.
#include "celsius/env.h"

#include <math.h>

typedef struct Config {
  bool flag;
  int64_t whole;
  uint64_t natural;
  double real, chosen;
  int32_t choice;
  char text[CEL_TEXT_MAX], path[CEL_PATH_MAX];
  CelIntList list;
  CelSchedule schedule;
  struct {
    bool flag;
  } group;
} Config;

#define ROW(field, kind, texts, table)                                                             \
  {                                                                                                \
    .name = #field, .type = kind, .offset = offsetof(Config, field), .choices = texts,             \
    .group = table, .doc = "a " #field                                                             \
  }
// clang-format off
static const CelField below[] = {
    {.name = "flag", .type = CEL_FIELD_BOOL,
     .doc = "a flag below"},
    {0},
};
// clang-format on
static const CelField fields[] = {
    ROW(flag, CEL_FIELD_BOOL, NULL, NULL),     ROW(whole, CEL_FIELD_INT, NULL, NULL),
    ROW(natural, CEL_FIELD_U64, NULL, NULL),   ROW(real, CEL_FIELD_DOUBLE, NULL, NULL),
    ROW(chosen, CEL_FIELD_AUTO, NULL, NULL),   ROW(choice, CEL_FIELD_ENUM, "first|second", NULL),
    ROW(text, CEL_FIELD_STRING, NULL, NULL),   ROW(path, CEL_FIELD_PATH, NULL, NULL),
    ROW(list, CEL_FIELD_INT_LIST, NULL, NULL), ROW(schedule, CEL_FIELD_SCHEDULE, NULL, NULL),
    ROW(group, CEL_FIELD_GROUP, NULL, below),  {0}};

static CelStatus env_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -1, 1);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 1;
  return CEL_OK;
}

static CelStatus env_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec;
  (void)rng;
  state[0] = 0;
  ((float *)obs)[0] = 0;
  return CEL_OK;
}

static CelStatus env_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                          void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)spec;
  (void)states;
  (void)actions;
  (void)rng;
  for (int64_t i = 0; i < n; i++) {
    ((float *)obs)[i] = 0;
    reward[i] = 1;
    terminated[i] = 0;
  }
  return CEL_OK;
}

static const CelEnvType type = {
    .abi = CEL_ENV_ABI,
    .id = "NoDefaults-v0",
    .doc = "arguments without default text",
    .max_episode_steps = 5,
    .reward_threshold = (double)NAN,
    .config_size = sizeof(Config),
    .fields = fields,
    .open = env_open,
    .reset = env_reset,
    .step = env_step,
};

const CelEnvType *NoDefaults(void);
const CelEnvType *NoDefaults(void) {
  return &type;
}
