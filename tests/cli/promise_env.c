/// An environment with a chosen fault, for tests of `celsius env check`.
#include "celsius/canvas.h"
#include "celsius/env.h"

#include <math.h>
#include <stdlib.h>

enum {
  NOTHING,
  RANGE,
  NOT_FINITE,
  REWARD,
  TERMINATED,
  UNWRITTEN,
  ACTIONS,
  BEHIND,
  BEFORE,
  RANDOM,
  NEIGHBOR,
  RENDER,
  ABORT
};

typedef struct Config {
  int32_t what;
} Config;

// clang-format off
static const CelField fields[] = {
    {.name = "what", .type = CEL_FIELD_ENUM, .offset = offsetof(Config, what), .def = "nothing",
     .choices = "nothing|range|nan|reward|terminated|unwritten|actions|behind|before|random|"
                "neighbor|render|abort",
     .doc = "the fault"},
    {0},
};
// clang-format on

static int what_of(const CelEnvSpec *spec) {
  return ((const Config *)spec->config)->what;
}

static CelStatus env_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(2, -1, 1);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 2; // position, steps
  return CEL_OK;
}

static CelStatus env_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  float *o = obs;
  if (what_of(spec) == ABORT) abort();
  state[0] = cel_rng_range(rng, -1, 1);
  state[1] = 0;
  o[0] = what_of(spec) == RANGE ? 2 : (float)state[0];
  o[1] = 0;
  return CEL_OK;
}

static CelStatus env_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                          void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  static long calls; // hidden state outside of `states`
  const int what = what_of(spec);
  (void)rng;
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 2 * i;
    float *o = (float *)obs + 2 * i;
    const double a = (double)((const float *)actions)[i];
    state[0] = fmax(-1, fmin(1, state[0] + 0.1 * a));
    if (what == NEIGHBOR) state[0] = 0.5 * state[0] + 0.1 * states[0];
    state[1]++;
    o[0] = what == NOT_FINITE ? NAN : (float)state[0];
    if (what != UNWRITTEN) o[1] = (float)sin(state[1]);
    reward[i] = what == REWARD ? INFINITY : (float)-fabs(state[0]);
    if (what == RANDOM) reward[i] += (float)(calls++ % 1009);
    terminated[i] = what == TERMINATED ? 7 : state[1] >= 20;
    if (what == ACTIONS) ((float *)(uintptr_t)actions)[i] = 0.25f;
  }
  if (what == BEHIND) reward[n] = 1;
  if (what == BEFORE) reward[-1] = 1;
  return CEL_OK;
}

static void env_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  const CelColor ink = {0, 0, 0, 1};
  cel_canvas_clear(canvas, -1, 1, -1, 1);
  if (what_of(spec) != RENDER) cel_canvas_circle(canvas, state[0], 0, 0.1, ink);
}

static const CelEnvType type = {
    .abi = CEL_ENV_ABI,
    .id = "Promise-v0",
    .doc = "has a chosen fault",
    .max_episode_steps = 50,
    .reward_threshold = (double)NAN,
    .config_size = sizeof(Config),
    .fields = fields,
    .open = env_open,
    .reset = env_reset,
    .step = env_step,
    .render = env_render,
};

const CelEnvType *Promise(void);
const CelEnvType *Promise(void) {
  return &type;
}
