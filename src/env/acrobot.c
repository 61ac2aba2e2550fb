/// Acrobot-v1: swing the free end of a two-link chain above a line. Torque acts only at the joint
/// between the links.
///
///     state   theta1, theta2, dtheta1, dtheta2    rad, rad/s; theta1 0: hanging; theta2: relative
///     action  0, 1, 2: torque -1, 0, 1            N m
///     obs     cos theta1, sin theta1, cos theta2, sin theta2, dtheta1, dtheta2
///     reward  -1 per step, 0 for the last step
///     ends    -cos theta1 - cos(theta2 + theta1) > 1
///
/// The equations of motion are those of Sutton's book, or of the NIPS paper, which omits a term. A
/// step is one step of the classic fourth-order Runge-Kutta method over dt. It then wraps angles to
/// [-pi, pi] and limits speeds. Operations are in double and in the order of Gymnasium's
/// Acrobot-v1.
/// Source: Sutton, "Generalization in reinforcement learning: successful examples using sparse
/// coarse coding", NIPS 1996; Sutton, Barto, "Reinforcement learning: an introduction", 2018.
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stddef.h>

typedef struct Acrobot {
  int32_t book_or_nips;
  double torque_noise_max, avail_torque, dt, gravity;
  double link_length_1, link_length_2, link_mass_1, link_mass_2;
  double link_com_pos_1, link_com_pos_2, link_moi, max_vel_1, max_vel_2;
  double start_low, start_high;
} Acrobot;

enum { BOOK, NIPS };

#define AT(member) offsetof(Acrobot, member)
// clang-format off
static const CelField fields[] = {
    {.name = "book_or_nips", .type = CEL_FIELD_ENUM, .offset = AT(book_or_nips), .def = "book",
     .choices = "book|nips",
     .doc = "equations of motion: of the book or of the NIPS paper",
     .source = "Sutton 1996; Sutton, Barto 2018"},
    {.name = "torque_noise_max", .type = CEL_FIELD_DOUBLE, .offset = AT(torque_noise_max),
     .def = "0", .min = 0, .max = 1e3, .unit = "N m",
     .doc = "bound of the uniform noise that is added to the torque"},
    {.name = "avail_torque", .type = CEL_FIELD_DOUBLE, .offset = AT(avail_torque), .def = "1",
     .min = 0, .max = 1e3, .unit = "N m",
     .doc = "torque of actions 0 (negative) and 2 (positive)"},
    {.name = "dt", .type = CEL_FIELD_DOUBLE, .offset = AT(dt), .def = "0.2", .min = 1e-6, .max = 1,
     .unit = "s",
     .doc = "time step"},
    {.name = "gravity", .type = CEL_FIELD_DOUBLE, .offset = AT(gravity), .def = "9.8", .min = 0,
     .max = 1000, .unit = "m/s^2",
     .doc = "acceleration of gravity"},
    {.name = "link_length_1", .type = CEL_FIELD_DOUBLE, .offset = AT(link_length_1), .def = "1",
     .min = 1e-3, .max = 1e3, .unit = "m",
     .doc = "length of the upper link"},
    {.name = "link_length_2", .type = CEL_FIELD_DOUBLE, .offset = AT(link_length_2), .def = "1",
     .min = 1e-3, .max = 1e3, .unit = "m",
     .doc = "length of the lower link; only the picture uses it"},
    {.name = "link_mass_1", .type = CEL_FIELD_DOUBLE, .offset = AT(link_mass_1), .def = "1",
     .min = 1e-6, .max = 1e6, .unit = "kg",
     .doc = "mass of the upper link"},
    {.name = "link_mass_2", .type = CEL_FIELD_DOUBLE, .offset = AT(link_mass_2), .def = "1",
     .min = 1e-6, .max = 1e6, .unit = "kg",
     .doc = "mass of the lower link"},
    {.name = "link_com_pos_1", .type = CEL_FIELD_DOUBLE, .offset = AT(link_com_pos_1), .def = "0.5",
     .min = 1e-3, .max = 1e3, .unit = "m",
     .doc = "distance of the upper link's center of mass from its joint"},
    {.name = "link_com_pos_2", .type = CEL_FIELD_DOUBLE, .offset = AT(link_com_pos_2), .def = "0.5",
     .min = 1e-3, .max = 1e3, .unit = "m",
     .doc = "distance of the lower link's center of mass from its joint"},
    {.name = "link_moi", .type = CEL_FIELD_DOUBLE, .offset = AT(link_moi), .def = "1", .min = 1e-6,
     .max = 1e6, .unit = "kg m^2",
     .doc = "moment of inertia of each link"},
    {.name = "max_vel_1", .type = CEL_FIELD_DOUBLE, .offset = AT(max_vel_1),
     .def = "12.566370614359172", .min = 1e-3, .max = 1e3, .unit = "rad/s",
     .doc = "largest speed of the upper joint"},
    {.name = "max_vel_2", .type = CEL_FIELD_DOUBLE, .offset = AT(max_vel_2),
     .def = "28.274333882308138", .min = 1e-3, .max = 1e3, .unit = "rad/s",
     .doc = "largest speed of the lower joint"},
    {.name = "start_low", .type = CEL_FIELD_DOUBLE, .offset = AT(start_low), .def = "-0.1",
     .min = -1e3, .max = 1e3,
     .doc = "lower end of the uniform initial states (all four)"},
    {.name = "start_high", .type = CEL_FIELD_DOUBLE, .offset = AT(start_high), .def = "0.1",
     .min = -1e3, .max = 1e3,
     .doc = "upper end of the uniform initial states"},
    {0},
};
// clang-format on
#undef AT

static CelStatus acrobot_open(CelEnvSpec *spec) {
  const Acrobot *c = spec->config;
  if (c->start_low > c->start_high) {
    return cel_fail(CEL_E_RANGE, "start_low is %g; it must not be above start_high, %g",
                    c->start_low, c->start_high);
  }
  double high[6] = {1, 1, 1, 1, c->max_vel_1, c->max_vel_2};
  double low[6] = {-1, -1, -1, -1, -c->max_vel_1, -c->max_vel_2};
  spec->observation = cel_space_box_bounds(6, low, high);
  spec->action = cel_space_discrete(3);
  spec->state_size = 4;
  return CEL_OK;
}

static void observe(float *obs, const double *state, double *cos1) {
  double sine, cosine;
  celi_sincos(state[0], &sine, &cosine);
  *cos1 = cosine;
  obs[0] = (float)cosine;
  obs[1] = (float)sine;
  celi_sincos(state[1], &sine, &cosine);
  obs[2] = (float)cosine;
  obs[3] = (float)sine;
  obs[4] = (float)state[2];
  obs[5] = (float)state[3];
}

static CelStatus acrobot_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const Acrobot *c = spec->config;
  for (int i = 0; i < 4; i++) {
    state[i] = (double)(float)cel_rng_range(rng, c->start_low, c->start_high);
  }
  double unused;
  observe(obs, state, &unused);
  return CEL_OK;
}

/// out ds (4,) time derivative of s (4,) under a torque.
static void derivative(const Acrobot *c, double *ds, const double *s, double torque) {
  const double m1 = c->link_mass_1, m2 = c->link_mass_2, l1 = c->link_length_1;
  const double lc1 = c->link_com_pos_1, lc2 = c->link_com_pos_2, I1 = c->link_moi, I2 = c->link_moi;
  const double g = c->gravity, theta1 = s[0], theta2 = s[1], dtheta1 = s[2], dtheta2 = s[3];
  double sin2, cos2;
  celi_sincos(theta2, &sin2, &cos2);
  double d1 = m1 * (lc1 * lc1) + m2 * (l1 * l1 + lc2 * lc2 + 2.0 * l1 * lc2 * cos2) + I1 + I2;
  double d2 = m2 * (lc2 * lc2 + l1 * lc2 * cos2) + I2;
  double phi2 = m2 * lc2 * g * celi_cos(theta1 + theta2 - CELI_PI / 2.0);
  double phi1 = -m2 * l1 * lc2 * (dtheta2 * dtheta2) * sin2 -
                2.0 * m2 * l1 * lc2 * dtheta2 * dtheta1 * sin2 +
                (m1 * lc1 + m2 * l1) * g * celi_cos(theta1 - CELI_PI / 2.0) + phi2;
  double inertia = m2 * (lc2 * lc2) + I2 - d2 * d2 / d1;
  double drive = torque + d2 / d1 * phi1;
  if (c->book_or_nips == BOOK) drive = drive - m2 * l1 * lc2 * (dtheta1 * dtheta1) * sin2;
  double ddtheta2 = (drive - phi2) / inertia;
  ds[0] = dtheta1;
  ds[1] = dtheta2;
  ds[2] = -(d2 * ddtheta2 + phi1) / d1;
  ds[3] = ddtheta2;
}

/// Advances s (4,) by dt.
static void runge_kutta(const Acrobot *c, double *s, double torque) {
  double k1[4], k2[4], k3[4], k4[4], at[4];
  const double dt = c->dt, half = dt / 2.0;
  derivative(c, k1, s, torque);
  for (int i = 0; i < 4; i++) at[i] = s[i] + half * k1[i];
  derivative(c, k2, at, torque);
  for (int i = 0; i < 4; i++) at[i] = s[i] + half * k2[i];
  derivative(c, k3, at, torque);
  for (int i = 0; i < 4; i++) at[i] = s[i] + dt * k3[i];
  derivative(c, k4, at, torque);
  for (int i = 0; i < 4; i++) {
    s[i] = s[i] + dt / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
  }
}

/// x plus the number of whole turns that brings it into [-pi, pi].
static double wrap(double x) {
  if (fabs(x) > 1000.0) x = fmod(x, 2.0 * CELI_PI);
  while (x > CELI_PI) x = x - 2.0 * CELI_PI;
  while (x < -CELI_PI) x = x + 2.0 * CELI_PI;
  return x;
}

static double bound(double x, double limit) {
  return x < -limit ? -limit : x > limit ? limit : x;
}

static CelStatus acrobot_step(const CelEnvSpec *spec, double *states, int64_t n,
                              const void *actions, void *obs, float *reward, uint8_t *terminated,
                              CelRng *rng) {
  const Acrobot *c = spec->config;
  for (int64_t i = 0; i < n; i++) {
    double *s = states + 4 * i, cos1;
    double torque = (double)(((const int32_t *)actions)[i] - 1) * c->avail_torque;
    if (c->torque_noise_max > 0.0) {
      torque += cel_rng_range(&rng[i], -c->torque_noise_max, c->torque_noise_max);
    }
    runge_kutta(c, s, torque);
    s[0] = wrap(s[0]);
    s[1] = wrap(s[1]);
    s[2] = bound(s[2], c->max_vel_1);
    s[3] = bound(s[3], c->max_vel_2);
    observe((float *)obs + 6 * i, s, &cos1);
    bool up = -cos1 - celi_cos(s[1] + s[0]) > 1.0;
    reward[i] = up ? 0.0f : -1.0f;
    terminated[i] = up;
  }
  return CEL_OK;
}

/// Draws a link from (x, y). angle: rad, counterclockwise from straight down.
static void draw_link(CelCanvas *canvas, double x, double y, double angle, double length,
                      double half, CelColor color) {
  double s = celi_sin(angle), c = celi_cos(angle), ex = x + length * s, ey = y - length * c;
  const double px[4] = {x - half * c, ex - half * c, ex + half * c, x + half * c};
  const double py[4] = {y - half * s, ey - half * s, ey + half * s, y + half * s};
  cel_canvas_polygon(canvas, 4, px, py, color);
  cel_canvas_circle(canvas, ex, ey, half, color);
}

static void acrobot_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  static const CelColor upper = {0.10f, 0.55f, 0.60f, 1}, lower = {0.22f, 0.70f, 0.73f, 1};
  static const CelColor joint = {0.94f, 0.76f, 0.20f, 1}, line = {0.83f, 0.33f, 0.31f, 1};
  static const CelColor grid = {0.91f, 0.92f, 0.93f, 1};
  const Acrobot *c = spec->config;
  double l1 = c->link_length_1, l2 = c->link_length_2, reach = 1.1 * (l1 + l2);
  double half = 0.045 * (l1 + l2);
  cel_canvas_clear(canvas, -reach, reach, -reach, reach);
  const double across[2] = {-reach, reach}, goal[2] = {l1, l1}, zero[2] = {0, 0};
  cel_canvas_polyline(canvas, 2, across, zero, 1.5, grid);
  cel_canvas_polyline(canvas, 2, across, goal, 2.5, line);
  double x = l1 * celi_sin(state[0]), y = -l1 * celi_cos(state[0]);
  draw_link(canvas, 0, 0, state[0], l1, half, upper);
  draw_link(canvas, x, y, state[0] + state[1], l2, half, lower);
  cel_canvas_circle(canvas, 0, 0, 1.15 * half, joint);
  cel_canvas_circle(canvas, x, y, 1.15 * half, joint);
}

const CelEnvType celi_env_acrobot = {
    .abi = CEL_ENV_ABI,
    .id = "Acrobot-v1",
    .doc = "swing a two-link chain above a line with torque at its middle joint",
    .max_episode_steps = 500,
    .reward_threshold = -100.0,
    .config_size = sizeof(Acrobot),
    .fields = fields,
    .open = acrobot_open,
    .reset = acrobot_reset,
    .step = acrobot_step,
    .render = acrobot_render,
};
