/// A shared object with valid and invalid environments, for test_plugin.c.
#include "celsius/env.h"
#include <stddef.h>

const CelEnvType *Walk(void);
const CelEnvType *OldWalk(void);
const CelEnvType *StillWalk(void);
const CelEnvType *NoWalk(void);

/// A walk on a line. Each step is +-stride, the reward is the position, and episodes end past
/// `goal`.
typedef struct WalkArguments {
  double stride, goal;
} WalkArguments;

// clang-format off
static const CelField fields[] = {
    {.name = "stride", .type = CEL_FIELD_DOUBLE, .offset = offsetof(WalkArguments, stride),
     .def = "1", .min = 0.01, .max = 10, .unit = "m",
     .doc = "length of a step"},
    {.name = "goal", .type = CEL_FIELD_DOUBLE, .offset = offsetof(WalkArguments, goal), .def = "3",
     .min = 0, .max = 100, .unit = "m",
     .doc = "where the walk ends"},
    {0},
};
// clang-format on

static CelStatus walk_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -1000, 1000);
  spec->action = cel_space_discrete(2);
  spec->state_size = 1;
  return CEL_OK;
}

static CelStatus walk_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec;
  state[0] = cel_rng_range(rng, -1.0, 1.0);
  *(float *)obs = (float)state[0];
  return CEL_OK;
}

static CelStatus walk_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                           void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)rng;
  const WalkArguments *arguments = spec->config;
  for (int64_t i = 0; i < n; i++) {
    states[i] += ((const int32_t *)actions)[i] == 1 ? arguments->stride : -arguments->stride;
    ((float *)obs)[i] = (float)states[i];
    reward[i] = (float)states[i];
    terminated[i] = states[i] > arguments->goal;
  }
  return CEL_OK;
}

#define WALK(abi_, step_)                                                                          \
  {                                                                                                \
    .abi = (abi_), .id = "Walk", .doc = "a walk on a line", .max_episode_steps = 50,               \
    .reward_threshold = 0, .config_size = sizeof(WalkArguments), .fields = fields,                 \
    .open = walk_open, .reset = walk_reset, .step = (step_)                                        \
  }

static const CelEnvType walk = WALK(CEL_ENV_ABI, walk_step);
static const CelEnvType old_walk = WALK(CEL_ENV_ABI + 1, walk_step);
static const CelEnvType still_walk = WALK(CEL_ENV_ABI, NULL);

CEL_API const CelEnvType *Walk(void) {
  return &walk;
}
CEL_API const CelEnvType *OldWalk(void) {
  return &old_walk;
}
CEL_API const CelEnvType *StillWalk(void) {
  return &still_walk;
}
CEL_API const CelEnvType *NoWalk(void) {
  return NULL;
}
