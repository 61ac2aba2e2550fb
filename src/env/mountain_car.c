/// MountainCar-v0: the engine is too weak for the hill, so the car must gain speed by swinging.
///
///     state   position, velocity
///     action  0: full throttle back, 1: none, 2: forward
///     reward  -1 per step
///     ends    position >= goal_position and velocity >= goal_velocity
///
///     velocity' = clip(velocity + (action - 1) force - gravity cos(3 position), +-max_speed)
///     position' = clip(position + velocity', min_position, max_position)
/// At the left end the velocity becomes 0.
/// Source: Moore, "Efficient memory-based learning for robot control", PhD thesis, Cambridge 1990.
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stddef.h>

typedef struct MountainCar {
  double goal_velocity, goal_position;
  double min_position, max_position, max_speed, force, gravity;
  double start_low, start_high;
} MountainCar;

#define AT(member) offsetof(MountainCar, member)
#define GOAL_POSITION "0.5"
// clang-format off
static const CelField fields[] = {
#include "env/mountain_road.inc"
    {.name = "force", .type = CEL_FIELD_DOUBLE, .offset = AT(force), .def = "0.001", .min = 0,
     .max = 1e3, .unit = "1/step^2",
     .doc = "speed that the engine adds per step"},
#include "env/mountain_start.inc"
    {0},
};
// clang-format on
#undef AT

static CelStatus mountain_open(CelEnvSpec *spec) {
  const MountainCar *c = spec->config;
  if (c->min_position >= c->max_position || c->start_low > c->start_high) {
    return cel_fail(CEL_E_RANGE,
                    "the interval [min_position %g, max_position %g] or [start_low %g, start_high "
                    "%g] is empty; the lower bound must be below the upper one",
                    c->min_position, c->max_position, c->start_low, c->start_high);
  }
  double low[2] = {c->min_position, -c->max_speed}, high[2] = {c->max_position, c->max_speed};
  spec->observation = cel_space_box_bounds(2, low, high);
  spec->action = cel_space_discrete(3);
  spec->state_size = 2;
  return CEL_OK;
}

static CelStatus mountain_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const MountainCar *c = spec->config;
  float *o = obs;
  state[0] = cel_rng_range(rng, c->start_low, c->start_high);
  state[1] = 0.0;
  o[0] = (float)state[0];
  o[1] = 0.0f;
  return CEL_OK;
}

static double clip(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

static CelStatus mountain_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  (void)rng;
  const MountainCar *c = spec->config;
  for (int64_t i = 0; i < n; i++) {
    double position = states[2 * i], velocity = states[2 * i + 1];
    double throttle = (double)(((const int32_t *)actions)[i] - 1);
    velocity += throttle * c->force + celi_cos(3.0 * position) * -c->gravity;
    velocity = clip(velocity, -c->max_speed, c->max_speed);
    position = clip(position + velocity, c->min_position, c->max_position);
    if (position == c->min_position && velocity < 0.0) velocity = 0.0;
    states[2 * i] = position;
    states[2 * i + 1] = velocity;
    ((float *)obs)[2 * i] = (float)position;
    ((float *)obs)[2 * i + 1] = (float)velocity;
    reward[i] = -1.0f;
    terminated[i] = position >= c->goal_position && velocity >= c->goal_velocity;
  }
  return CEL_OK;
}

// ---- the picture, for both cars

static double height(double position) {
  return celi_sin(3.0 * position) * 0.45 + 0.55;
}

/// Draws a polygon of n points in the car's frame (along the road, above it). The frame's origin is
/// (x, y), and it is turned by `angle`.
static void part_of_car(CelCanvas *canvas, double x, double y, double angle, int n,
                        const double *along, const double *above, CelColor color) {
  double s = celi_sin(angle), c = celi_cos(angle), px[8], py[8];
  for (int i = 0; i < n; i++) {
    px[i] = x + along[i] * c - above[i] * s;
    py[i] = y + along[i] * s + above[i] * c;
  }
  cel_canvas_polygon(canvas, n, px, py, color);
}

static void draw_car(CelCanvas *canvas, double position, double unit) {
  static const CelColor body = {0.16f, 0.33f, 0.55f, 1}, glass = {0.80f, 0.88f, 0.95f, 1};
  static const CelColor tyre = {0.17f, 0.18f, 0.20f, 1}, hub = {0.75f, 0.77f, 0.80f, 1};
  static const double body_x[8] = {-2.2, -2.2, -1.2, -0.8, 0.7, 1.2, 2.2, 2.2};
  static const double body_y[8] = {0.7, 1.6, 1.7, 2.6, 2.6, 1.7, 1.5, 0.7};
  static const double glass_x[4] = {-0.8, -0.55, 0.55, 0.85}, glass_y[4] = {1.7, 2.35, 2.35, 1.7};
  double along[8], above[8], slope = 1.35 * celi_cos(3.0 * position); // d height / d position
  double angle = atan(slope), y = height(position);
  for (int i = 0; i < 8; i++) {
    along[i] = unit * body_x[i];
    above[i] = unit * body_y[i];
  }
  part_of_car(canvas, position, y, angle, 8, along, above, body);
  for (int i = 0; i < 4; i++) {
    along[i] = unit * glass_x[i];
    above[i] = unit * glass_y[i];
  }
  part_of_car(canvas, position, y, angle, 4, along, above, glass);
  for (int side = -1; side <= 1; side += 2) {
    double wheel = 1.25 * unit * side, up = 0.7 * unit;
    double x = position + wheel * celi_cos(angle) - up * celi_sin(angle);
    double z = y + wheel * celi_sin(angle) + up * celi_cos(angle);
    cel_canvas_circle(canvas, x, z, 0.7 * unit, tyre);
    cel_canvas_circle(canvas, x, z, 0.3 * unit, hub);
  }
}

void celi_mountain_render(CelCanvas *canvas, double min_position, double max_position,
                          double goal_position, double position) {
  static const CelColor hill = {0.87f, 0.90f, 0.86f, 1}, road = {0.30f, 0.36f, 0.31f, 1};
  static const CelColor pole = {0.25f, 0.25f, 0.28f, 1}, flag = {0.93f, 0.72f, 0.13f, 1};
  enum { POINTS = 101 };
  double width = max_position - min_position, bottom = 0.55 - 0.35 * width;
  cel_canvas_clear(canvas, min_position, max_position, bottom, bottom + width);
  double x[POINTS + 2], y[POINTS + 2];
  for (int i = 0; i < POINTS; i++) {
    x[i] = min_position + width * i / (POINTS - 1);
    y[i] = height(x[i]);
  }
  x[POINTS] = max_position;
  y[POINTS] = bottom;
  x[POINTS + 1] = min_position;
  y[POINTS + 1] = bottom;
  cel_canvas_polygon(canvas, POINTS + 2, x, y, hill);
  cel_canvas_polyline(canvas, POINTS, x, y, 2.5, road);
  double foot = height(goal_position), top = foot + 0.16 * width;
  const double pole_x[2] = {goal_position, goal_position}, pole_y[2] = {foot, top};
  const double flag_x[3] = {goal_position, goal_position + 0.045 * width, goal_position};
  const double flag_y[3] = {top, top - 0.025 * width, top - 0.05 * width};
  cel_canvas_polyline(canvas, 2, pole_x, pole_y, 2.5, pole);
  cel_canvas_polygon(canvas, 3, flag_x, flag_y, flag);
  draw_car(canvas, position, 0.026 * width);
}

static void mountain_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  const MountainCar *c = spec->config;
  celi_mountain_render(canvas, c->min_position, c->max_position, c->goal_position, state[0]);
}

const CelEnvType celi_env_mountain_car = {
    .abi = CEL_ENV_ABI,
    .id = "MountainCar-v0",
    .doc = "drive a weak car up a hill, throttle forward, back or off",
    .max_episode_steps = 200,
    .reward_threshold = -110.0,
    .config_size = sizeof(MountainCar),
    .fields = fields,
    .open = mountain_open,
    .reset = mountain_reset,
    .step = mountain_step,
    .render = mountain_render,
};
