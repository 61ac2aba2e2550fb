/// An environment that fails in a chosen way after some steps, for tests of the error messages.
#include "celsius/env.h"

#include <math.h>

typedef struct Config {
  int64_t after;
  int32_t what;
} Config;

#define F(field) offsetof(Config, field)
// clang-format off
static const CelField fields[] = {
    {.name = "after", .type = CEL_FIELD_INT, .offset = F(after), .def = "700", .min = 0,
     .max = 1000000, .unit = "steps",
     .doc = "steps of an environment before it fails"},
    {.name = "what", .type = CEL_FIELD_ENUM, .offset = F(what), .def = "reward",
     .choices = "reward|observation|error|nothing",
     .doc = "what fails"},
    {0},
};
// clang-format on

static CelStatus env_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(2, -INFINITY, INFINITY);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 2; // position, total steps
  return CEL_OK;
}

static CelStatus env_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec;
  state[0] = cel_rng_range(rng, -1, 1);
  ((float *)obs)[0] = (float)state[0];
  ((float *)obs)[1] = 1;
  return CEL_OK;
}

static CelStatus env_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                          void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  const Config *config = spec->config;
  (void)rng;
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 2 * i;
    float *o = (float *)obs + 2 * i;
    state[0] = .9 * state[0] + .1 * (double)((const float *)actions)[i];
    state[1] += 1;
    const bool now = state[1] >= (double)config->after && (n == 1 || i == 1);
    reward[i] = (float)(-state[0] * state[0]);
    terminated[i] = 0;
    o[0] = (float)state[0];
    o[1] = 1;
    if (now && config->what == 0) reward[i] = NAN;
    if (now && config->what == 1) o[1] = INFINITY;
    if (now && config->what == 2) return cel_fail(CEL_E_ENV, "the motor does not answer");
  }
  return CEL_OK;
}

static const CelEnvType type = {.abi = CEL_ENV_ABI,
                                .id = "Broken-v0",
                                .doc = "Fails after some steps.",
                                .max_episode_steps = 100,
                                .reward_threshold = NAN,
                                .config_size = sizeof(Config),
                                .fields = fields,
                                .open = env_open,
                                .reset = env_reset,
                                .step = env_step};

const CelEnvType *Broken(void);
const CelEnvType *Broken(void) {
  return &type;
}
