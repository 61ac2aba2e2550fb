/// MountainCarContinuous-v0: the mountain car with a throttle between -1 and 1.
///
///     state   position, velocity, fresh     (fresh: 1 until the episode's first step)
///     action  u in [-1, 1]
///     reward  100 at the goal, minus 0.1 u^2 per step
///     ends    position >= goal_position and velocity >= goal_velocity
///
/// Gymnasium keeps this environment's state in float32, except for the state after a reset, which
/// is double. There are therefore two step functions, one for each type, in Gymnasium's order of
/// operations. Their results differ in the eighth digit. `fresh` chooses between them.
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stddef.h>

typedef struct MountainCarContinuous {
  double goal_velocity, goal_position;
  double min_position, max_position, max_speed, power, gravity;
  double start_low, start_high;
} MountainCarContinuous;

#define AT(member) offsetof(MountainCarContinuous, member)
#define GOAL_POSITION "0.45"
// clang-format off
static const CelField fields[] = {
#include "env/mountain_road.inc"
    {.name = "power", .type = CEL_FIELD_DOUBLE, .offset = AT(power), .def = "0.0015", .min = 0,
     .max = 1e3, .unit = "1/step^2",
     .doc = "speed that the engine at full throttle adds per step"},
#include "env/mountain_start.inc"
    {0},
};
// clang-format on
#undef AT

static CelStatus mountain_open(CelEnvSpec *spec) {
  const MountainCarContinuous *c = spec->config;
  if (c->min_position >= c->max_position || c->start_low > c->start_high) {
    return cel_fail(CEL_E_RANGE,
                    "the interval [min_position %g, max_position %g] or [start_low %g, start_high "
                    "%g] is empty; the lower bound must be below the upper one",
                    c->min_position, c->max_position, c->start_low, c->start_high);
  }
  double low[2] = {c->min_position, -c->max_speed}, high[2] = {c->max_position, c->max_speed};
  spec->observation = cel_space_box_bounds(2, low, high);
  spec->action = cel_space_box(1, -1.0, 1.0);
  spec->state_size = 3;
  return CEL_OK;
}

static CelStatus mountain_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const MountainCarContinuous *c = spec->config;
  float *o = obs;
  state[0] = cel_rng_range(rng, c->start_low, c->start_high);
  state[1] = 0.0;
  state[2] = 1.0;
  o[0] = (float)state[0];
  o[1] = 0.0f;
  return CEL_OK;
}

/// The change of speed by engine and slope. It is float32 for both types of state.
static float thrust(const MountainCarContinuous *c, float u, double angle) {
  return u * (float)c->power - (float)(c->gravity * celi_cos(angle));
}

/// The first step of an episode, with a double state. Returns whether the goal is reached.
static bool step_double(const MountainCarContinuous *c, double *state, float u) {
  double position = state[0], velocity = state[1];
  velocity += (double)thrust(c, u, 3.0 * position);
  if (velocity > c->max_speed) velocity = c->max_speed;
  if (velocity < -c->max_speed) velocity = -c->max_speed;
  position += velocity;
  if (position > c->max_position) position = c->max_position;
  if (position < c->min_position) position = c->min_position;
  if (position == c->min_position && velocity < 0.0) velocity = 0.0;
  state[0] = (double)(float)position;
  state[1] = (double)(float)velocity;
  return position >= c->goal_position && velocity >= c->goal_velocity;
}

/// All later steps, with state and arithmetic in float32. A clipped value is a double again in the
/// test for the goal, as in Gymnasium.
static bool step_float(const MountainCarContinuous *c, double *state, float u) {
  float position = (float)state[0], velocity = (float)state[1];
  const float max_speed = (float)c->max_speed, min_position = (float)c->min_position;
  const float max_position = (float)c->max_position;
  velocity += thrust(c, u, (double)(3.0f * position));
  bool fast_enough = velocity >= (float)c->goal_velocity;
  if (velocity > max_speed) {
    velocity = max_speed;
    fast_enough = c->max_speed >= c->goal_velocity;
  } else if (velocity < -max_speed) {
    velocity = -max_speed;
    fast_enough = -c->max_speed >= c->goal_velocity;
  }
  position += velocity;
  bool far_enough = position >= (float)c->goal_position;
  if (position > max_position) {
    position = max_position;
    far_enough = c->max_position >= c->goal_position;
  } else if (position < min_position) {
    position = min_position;
    far_enough = c->min_position >= c->goal_position;
  }
  if (position == min_position && velocity < 0.0f) {
    velocity = 0.0f;
    fast_enough = c->goal_velocity <= 0.0;
  }
  state[0] = (double)position;
  state[1] = (double)velocity;
  return far_enough && fast_enough;
}

static CelStatus mountain_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  (void)rng;
  const MountainCarContinuous *c = spec->config;
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 3 * i;
    float u = ((const float *)actions)[i];
    bool there = state[2] != 0.0 ? step_double(c, state, u) : step_float(c, state, u);
    state[2] = 0.0;
    ((float *)obs)[2 * i] = (float)state[0];
    ((float *)obs)[2 * i + 1] = (float)state[1];
    reward[i] = (float)((there ? 100.0 : 0.0) - (double)u * (double)u * 0.1);
    terminated[i] = there;
  }
  return CEL_OK;
}

static void mountain_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  const MountainCarContinuous *c = spec->config;
  celi_mountain_render(canvas, c->min_position, c->max_position, c->goal_position, state[0]);
}

const CelEnvType celi_env_mountain_car_continuous = {
    .abi = CEL_ENV_ABI,
    .id = "MountainCarContinuous-v0",
    .doc = "drive a weak car up a hill with a smooth throttle, sparing fuel",
    .max_episode_steps = 999,
    .reward_threshold = 90.0,
    .config_size = sizeof(MountainCarContinuous),
    .fields = fields,
    .open = mountain_open,
    .reset = mountain_reset,
    .step = mountain_step,
    .render = mountain_render,
};
