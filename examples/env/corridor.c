/// Corridor: push a cart on a rail to the middle and hold it there.
///
///     state   x, v          m, m/s
///     action  u in [-1, 1]  m/s^2
///     obs     x, v
///     reward  -(x^2 + .1 v^2 + .01 u^2)
///     end     when the cart leaves the rail, |x| > length; the time limit is 100 steps
///
///     v' = v + u dt,  x' = x + v' dt
///
/// An environment is four functions and one description. Build this file as a shared object and
/// pass it to the command: `celsius train sac --env ./corridor.so:Corridor --env.length 3`.
#include <celsius/canvas.h>
#include <celsius/env.h>
#include <math.h>
#include <stddef.h>

/// The arguments. The command sets them with --env.KEY.
typedef struct CorridorConfig {
  double length, dt;
} CorridorConfig;

// clang-format off
static const CelField fields[] = {
    {.name = "length", .type = CEL_FIELD_DOUBLE, .offset = offsetof(CorridorConfig, length),
     .def = "2", .min = 0.1, .max = 100, .unit = "m",
     .doc = "distance from the middle of the rail to each end"},
    {.name = "dt", .type = CEL_FIELD_DOUBLE, .offset = offsetof(CorridorConfig, dt), .def = "0.1",
     .min = 1e-3, .max = 1, .unit = "s",
     .doc = "duration of a step"},
    {.name = NULL},
};
// clang-format on

static CelStatus corridor_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(2, -INFINITY, INFINITY);
  spec->action = cel_space_box(1, -1.0, 1.0);
  spec->state_size = 2;
  return CEL_OK;
}

static void observe(const double *state, float *obs) {
  obs[0] = (float)state[0];
  obs[1] = (float)state[1];
}

static CelStatus corridor_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const CorridorConfig *c = spec->config;
  state[0] = cel_rng_range(rng, -0.5 * c->length, 0.5 * c->length);
  state[1] = 0.0;
  observe(state, obs);
  return CEL_OK;
}

static CelStatus corridor_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  const CorridorConfig *c = spec->config;
  (void)rng; // only the start is random
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 2 * i;
    double u = ((const float *)actions)[i];
    double cost = state[0] * state[0] + 0.1 * state[1] * state[1] + 0.01 * u * u;
    state[1] += u * c->dt;
    state[0] += state[1] * c->dt;
    observe(state, (float *)obs + 2 * i);
    reward[i] = (float)-cost;
    terminated[i] = fabs(state[0]) > c->length;
  }
  return CEL_OK;
}

static void corridor_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  const CorridorConfig *c = spec->config;
  const CelColor rail = {0.6f, 0.6f, 0.6f, 1.0f}, cart = {0.1f, 0.4f, 0.7f, 1.0f};
  const double x[2] = {-c->length, c->length}, y[2] = {0.0, 0.0};
  cel_canvas_clear(canvas, -1.1 * c->length, 1.1 * c->length, -c->length, c->length);
  cel_canvas_polyline(canvas, 2, x, y, 3.0, rail);
  cel_canvas_circle(canvas, state[0], 0.0, 0.08 * c->length, cart);
}

static const CelEnvType corridor = {
    .abi = CEL_ENV_ABI,
    .id = "Corridor",
    .doc = "push a cart on a rail to the middle and hold it there",
    .max_episode_steps = 100,
    .reward_threshold = NAN,
    .config_size = sizeof(CorridorConfig),
    .fields = fields,
    .open = corridor_open,
    .reset = corridor_reset,
    .step = corridor_step,
    .render = corridor_render,
};

/// The function that "corridor.so:Corridor" names. It must be exported; it returns the description.
__attribute__((visibility("default"))) const CelEnvType *Corridor(void);
const CelEnvType *Corridor(void) {
  return &corridor;
}
