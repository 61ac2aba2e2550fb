/// Pendulum-v1: swing a pendulum up and balance it with little torque.
///
///     state   theta, theta_dot, u          rad (0: upright), rad/s, last torque (for the picture)
///     action  u in [-2, 2]                 N m
///     obs     cos theta, sin theta, theta_dot
///     reward  -(theta^2 + 0.1 theta_dot^2 + 0.001 u^2), with theta wrapped to [-pi, pi)
///     ends    never
///
///     theta_dot' = clip(theta_dot + (3 g / (2 l) sin theta + 3 / (m l^2) u) dt, -8, 8)
///     theta'     = theta + theta_dot' dt
/// Types are those of Gymnasium's Pendulum-v1 under NumPy 2: the state is double. Terms of u alone
/// are float32, because the action is a float32 array.
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stddef.h>

typedef struct Pendulum {
  double g, m, l, dt, max_speed, max_torque;
  double x_init, y_init;
} Pendulum;

#define AT(member) offsetof(Pendulum, member)
// clang-format off
static const CelField fields[] = {
    {.name = "g", .type = CEL_FIELD_DOUBLE, .offset = AT(g), .def = "10", .min = 0, .max = 1000,
     .unit = "m/s^2",
     .doc = "acceleration of gravity"},
    {.name = "m", .type = CEL_FIELD_DOUBLE, .offset = AT(m), .def = "1", .min = 1e-6, .max = 1e6,
     .unit = "kg",
     .doc = "mass of the rod"},
    {.name = "l", .type = CEL_FIELD_DOUBLE, .offset = AT(l), .def = "1", .min = 1e-3, .max = 1e3,
     .unit = "m",
     .doc = "length of the rod"},
    {.name = "dt", .type = CEL_FIELD_DOUBLE, .offset = AT(dt), .def = "0.05", .min = 1e-6, .max = 1,
     .unit = "s",
     .doc = "time step"},
    {.name = "max_speed", .type = CEL_FIELD_DOUBLE, .offset = AT(max_speed), .def = "8",
     .min = 1e-6, .max = 1e6, .unit = "rad/s",
     .doc = "largest speed"},
    {.name = "max_torque", .type = CEL_FIELD_DOUBLE, .offset = AT(max_torque), .def = "2",
     .min = 1e-6, .max = 1e6, .unit = "N m",
     .doc = "bound of the torque"},
    {.name = "x_init", .type = CEL_FIELD_DOUBLE, .offset = AT(x_init), .def = "3.141592653589793",
     .min = 0, .max = 1e3, .unit = "rad",
     .doc = "the initial angle is uniform between minus and plus this"},
    {.name = "y_init", .type = CEL_FIELD_DOUBLE, .offset = AT(y_init), .def = "1", .min = 0,
     .max = 1e3, .unit = "rad/s",
     .doc = "the initial speed is uniform between minus and plus this"},
    {0},
};
// clang-format on
#undef AT

static CelStatus pendulum_open(CelEnvSpec *spec) {
  const Pendulum *c = spec->config;
  double high[3] = {1.0, 1.0, c->max_speed}, low[3] = {-1.0, -1.0, -c->max_speed};
  spec->observation = cel_space_box_bounds(3, low, high);
  spec->action = cel_space_box(1, -c->max_torque, c->max_torque);
  spec->state_size = 3;
  return CEL_OK;
}

static CelStatus pendulum_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const Pendulum *c = spec->config;
  float *o = obs;
  double s, k;
  state[0] = cel_rng_range(rng, -c->x_init, c->x_init);
  state[1] = cel_rng_range(rng, -c->y_init, c->y_init);
  state[2] = 0.0;
  celi_sincos(state[0], &s, &k);
  o[0] = (float)k;
  o[1] = (float)s;
  o[2] = (float)state[1];
  return CEL_OK;
}

/// ((theta + pi) mod 2 pi) - pi, with a remainder of the divisor's sign.
static double normal_angle(double theta) {
  double shifted = theta + CELI_PI, turn = 2.0 * CELI_PI;
  if (shifted < 0.0 || shifted >= turn) {
    shifted = fmod(shifted, turn);
    if (shifted < 0.0) shifted += turn;
  }
  return shifted - CELI_PI;
}

static CelStatus pendulum_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  (void)rng;
  const Pendulum *c = spec->config;
  const double pull = 3.0 * c->g / (2.0 * c->l);
  const float push = (float)(3.0 / (c->m * (c->l * c->l)));
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 3 * i;
    double theta = state[0], theta_dot = state[1], sine, cosine;
    float u = ((const float *)actions)[i];
    double angle = normal_angle(theta);
    double cost = angle * angle + 0.1 * (theta_dot * theta_dot) + (double)(0.001f * (u * u));
    celi_sincos(theta, &sine, &cosine);
    theta_dot = theta_dot + (pull * sine + (double)(push * u)) * c->dt;
    theta_dot = theta_dot < -c->max_speed ? -c->max_speed : theta_dot;
    theta_dot = theta_dot > c->max_speed ? c->max_speed : theta_dot;
    theta = theta + theta_dot * c->dt;
    state[0] = theta;
    state[1] = theta_dot;
    state[2] = (double)u;
    celi_sincos(theta, &sine, &cosine);
    float *o = (float *)obs + 3 * i;
    o[0] = (float)cosine;
    o[1] = (float)sine;
    o[2] = (float)theta_dot;
    reward[i] = (float)-cost;
    terminated[i] = 0;
  }
  return CEL_OK;
}

static void pendulum_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  static const CelColor rod = {0.80f, 0.31f, 0.30f, 1}, bob = {0.66f, 0.20f, 0.21f, 1};
  static const CelColor ring = {0.90f, 0.91f, 0.93f, 1}, axle = {0.13f, 0.14f, 0.16f, 1};
  static const CelColor torque = {0.20f, 0.40f, 0.66f, 1};
  const Pendulum *c = spec->config;
  double l = c->l, half = 0.1 * l, reach = 1.35 * l;
  cel_canvas_clear(canvas, -reach, reach, -reach, reach);
  double circle_x[97], circle_y[97];
  for (int i = 0; i < 97; i++) {
    circle_x[i] = l * celi_cos(2.0 * CELI_PI * i / 96.0);
    circle_y[i] = l * celi_sin(2.0 * CELI_PI * i / 96.0);
  }
  cel_canvas_polyline(canvas, 97, circle_x, circle_y, 1.5, ring);
  const double mark_x[2] = {0, 0}, mark_y[2] = {l * 1.12, l * 1.2};
  cel_canvas_polyline(canvas, 2, mark_x, mark_y, 2.5, axle);
  double tip_x = -l * celi_sin(state[0]), tip_y = l * celi_cos(state[0]);
  double nx = half * celi_cos(state[0]), ny = half * celi_sin(state[0]);
  const double x[4] = {-nx, nx, tip_x + nx, tip_x - nx}, y[4] = {-ny, ny, tip_y + ny, tip_y - ny};
  cel_canvas_circle(canvas, 0, 0, half, rod);
  cel_canvas_polygon(canvas, 4, x, y, rod);
  cel_canvas_circle(canvas, tip_x, tip_y, half, bob);
  double share = state[2] / c->max_torque; // positive: counterclockwise
  if (fabs(share) > 0.01) {
    cel_canvas_arc_arrow(canvas, 0, 0, 0.45 * l, 0.5 * CELI_PI,
                         0.5 * CELI_PI + 0.75 * CELI_PI * share, 4, torque);
  }
  cel_canvas_circle(canvas, 0, 0, 0.05 * l, axle);
}

const CelEnvType celi_env_pendulum = {
    .abi = CEL_ENV_ABI,
    .id = "Pendulum-v1",
    .doc = "swing a pendulum up and hold it there with little torque",
    .max_episode_steps = 200,
    .reward_threshold = (double)NAN,
    .config_size = sizeof(Pendulum),
    .fields = fields,
    .open = pendulum_open,
    .reset = pendulum_reset,
    .step = pendulum_step,
    .render = pendulum_render,
};
