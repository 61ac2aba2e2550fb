/// CartPole-v1: a pole on a cart, pushed left or right.
///
///     state   x, x_dot, theta, theta_dot   m, m/s, rad (0: upright), rad/s
///     action  0: push left, 1: push right
///     reward  1 per step
///     ends    |x| > 2.4 or |theta| > 12 degrees
///
/// With m the pole's mass, M the total mass, l half the pole's length and F the force:
///     temp      = (F + m l theta_dot^2 sin theta) / M
///     theta_acc = (g sin theta - cos theta temp) / (l (4/3 - m cos^2 theta / M))
///     x_acc     = temp - m l theta_acc cos theta / M
/// integrated by Euler's method. Operations are in double and in the order of Gymnasium's
/// CartPole-v1.
/// Source: Barto, Sutton, Anderson, "Neuronlike adaptive elements that can solve difficult learning
/// control problems", IEEE SMC 1983; the corrected equations of Florian (2007).
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stddef.h>

typedef struct CartPole {
  double gravity, masscart, masspole, length, force_mag, tau;
  int32_t kinematics_integrator;
  double theta_threshold, x_threshold;
  double start_low, start_high;
  bool sutton_barto_reward;
} CartPole;

enum { EULER, SEMI_IMPLICIT };

#define AT(member) offsetof(CartPole, member)
// clang-format off
static const CelField fields[] = {
    {.name = "sutton_barto_reward", .type = CEL_FIELD_BOOL, .offset = AT(sutton_barto_reward),
     .def = "false",
     .doc = "reward 0 per step and -1 for the last, instead of 1 per step"},
    {.name = "gravity", .type = CEL_FIELD_DOUBLE, .offset = AT(gravity), .def = "9.8", .min = 0,
     .max = 1000, .unit = "m/s^2",
     .doc = "acceleration of gravity"},
    {.name = "masscart", .type = CEL_FIELD_DOUBLE, .offset = AT(masscart), .def = "1", .min = 1e-6,
     .max = 1e6, .unit = "kg",
     .doc = "mass of the cart"},
    {.name = "masspole", .type = CEL_FIELD_DOUBLE, .offset = AT(masspole), .def = "0.1",
     .min = 1e-6, .max = 1e6, .unit = "kg",
     .doc = "mass of the pole"},
    {.name = "length", .type = CEL_FIELD_DOUBLE, .offset = AT(length), .def = "0.5", .min = 1e-3,
     .max = 1e3, .unit = "m",
     .doc = "half the length of the pole"},
    {.name = "force_mag", .type = CEL_FIELD_DOUBLE, .offset = AT(force_mag), .def = "10", .min = 0,
     .max = 1e6, .unit = "N",
     .doc = "force of a push"},
    {.name = "tau", .type = CEL_FIELD_DOUBLE, .offset = AT(tau), .def = "0.02", .min = 1e-6,
     .max = 1, .unit = "s",
     .doc = "time step"},
    {.name = "kinematics_integrator", .type = CEL_FIELD_ENUM, .offset = AT(kinematics_integrator),
     .def = "euler", .choices = "euler|semi-implicit",
     .doc = "integration of the equations of motion"},
    {.name = "theta_threshold", .type = CEL_FIELD_DOUBLE, .offset = AT(theta_threshold),
     .def = "0.20943951023931953", .min = 0, .max = 1e3, .unit = "rad",
     .doc = "angle of the pole beyond which the episode ends"},
    {.name = "x_threshold", .type = CEL_FIELD_DOUBLE, .offset = AT(x_threshold), .def = "2.4",
     .min = 0, .max = 1e6, .unit = "m",
     .doc = "distance of the cart from the middle beyond which the episode ends"},
    {.name = "start_low", .type = CEL_FIELD_DOUBLE, .offset = AT(start_low), .def = "-0.05",
     .min = -1e3, .max = 1e3,
     .doc = "lower end of the uniform initial states (all four)"},
    {.name = "start_high", .type = CEL_FIELD_DOUBLE, .offset = AT(start_high), .def = "0.05",
     .min = -1e3, .max = 1e3,
     .doc = "upper end of the uniform initial states"},
    {0},
};
// clang-format on
#undef AT

static CelStatus cartpole_open(CelEnvSpec *spec) {
  const CartPole *c = spec->config;
  if (c->start_low > c->start_high) {
    return cel_fail(CEL_E_RANGE, "start_low is %g; it must not be above start_high, %g",
                    c->start_low, c->start_high);
  }
  double high[4] = {c->x_threshold * 2.0, (double)INFINITY, c->theta_threshold * 2.0,
                    (double)INFINITY};
  double low[4] = {-high[0], -(double)INFINITY, -high[2], -(double)INFINITY};
  spec->observation = cel_space_box_bounds(4, low, high);
  spec->action = cel_space_discrete(2);
  spec->state_size = 4;
  return CEL_OK;
}

static CelStatus cartpole_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const CartPole *c = spec->config;
  float *o = obs;
  for (int i = 0; i < 4; i++) {
    state[i] = cel_rng_range(rng, c->start_low, c->start_high);
    o[i] = (float)state[i];
  }
  return CEL_OK;
}

enum { BLOCK = 64 }; ///< environments in a block; a block is stepped by vectorized loops

/// A block of environments, with one array per quantity.
typedef struct Block {
  double x[BLOCK], x_dot[BLOCK], theta[BLOCK], theta_dot[BLOCK];
  double sine[BLOCK], cosine[BLOCK], force[BLOCK], x_acc[BLOCK], theta_acc[BLOCK];
} Block;

/// Computes the accelerations of n <= BLOCK environments.
static void accelerate(const CartPole *c, Block *b, int64_t n) {
  const double total_mass = c->masspole + c->masscart;
  const double polemass_length = c->masspole * c->length;
  const double gravity = c->gravity, masspole = c->masspole, length = c->length;
  celi_sincos_batch(b->sine, b->cosine, b->theta, n);
  for (int64_t i = 0; i < n; i++) {
    double sine = b->sine[i], cosine = b->cosine[i];
    double square = b->theta_dot[i] * b->theta_dot[i];
    double temp = (b->force[i] + polemass_length * square * sine) / total_mass;
    double theta_acc = (gravity * sine - cosine * temp) /
                       (length * (4.0 / 3.0 - masspole * (cosine * cosine) / total_mass));
    b->theta_acc[i] = theta_acc;
    b->x_acc[i] = temp - polemass_length * theta_acc * cosine / total_mass;
  }
}

static void integrate(const CartPole *c, Block *b, int64_t n) {
  const double tau = c->tau;
  if (c->kinematics_integrator == EULER) {
    for (int64_t i = 0; i < n; i++) {
      b->x[i] = b->x[i] + tau * b->x_dot[i];
      b->x_dot[i] = b->x_dot[i] + tau * b->x_acc[i];
      b->theta[i] = b->theta[i] + tau * b->theta_dot[i];
      b->theta_dot[i] = b->theta_dot[i] + tau * b->theta_acc[i];
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      b->x_dot[i] = b->x_dot[i] + tau * b->x_acc[i];
      b->x[i] = b->x[i] + tau * b->x_dot[i];
      b->theta_dot[i] = b->theta_dot[i] + tau * b->theta_acc[i];
      b->theta[i] = b->theta[i] + tau * b->theta_dot[i];
    }
  }
}

/// in/out state (n, 4) | in action (n,) | out obs (n, 4), reward (n,), terminated (n,); n <= BLOCK.
static void step_block(const CartPole *c, double *state, const int32_t *action, float *obs,
                       float *reward, uint8_t *terminated, int64_t n) {
  Block b;
  for (int64_t i = 0; i < n; i++) {
    b.x[i] = state[4 * i];
    b.x_dot[i] = state[4 * i + 1];
    b.theta[i] = state[4 * i + 2];
    b.theta_dot[i] = state[4 * i + 3];
    b.force[i] = action[i] == 1 ? c->force_mag : -c->force_mag;
  }
  accelerate(c, &b, n);
  integrate(c, &b, n);
  const double x_threshold = c->x_threshold, theta_threshold = c->theta_threshold;
  const float on = c->sutton_barto_reward ? 0.0f : 1.0f;
  const float last = c->sutton_barto_reward ? -1.0f : 1.0f;
  for (int64_t i = 0; i < n; i++) {
    state[4 * i] = b.x[i];
    state[4 * i + 1] = b.x_dot[i];
    state[4 * i + 2] = b.theta[i];
    state[4 * i + 3] = b.theta_dot[i];
    obs[4 * i] = (float)b.x[i];
    obs[4 * i + 1] = (float)b.x_dot[i];
    obs[4 * i + 2] = (float)b.theta[i];
    obs[4 * i + 3] = (float)b.theta_dot[i];
    bool fell = (fabs(b.x[i]) > x_threshold) | (fabs(b.theta[i]) > theta_threshold);
    terminated[i] = fell;
    reward[i] = fell ? last : on;
  }
}

static CelStatus cartpole_step(const CelEnvSpec *spec, double *states, int64_t n,
                               const void *actions, void *obs, float *reward, uint8_t *terminated,
                               CelRng *rng) {
  (void)rng;
  const int32_t *action = actions;
  float *o = obs;
  for (int64_t i = 0; i < n; i += BLOCK) {
    int64_t count = n - i < BLOCK ? n - i : BLOCK;
    step_block(spec->config, states + 4 * i, action + i, o + 4 * i, reward + i, terminated + i,
               count);
  }
  return CEL_OK;
}

/// Draws a rectangle that spans [-half_width, half_width] x [bottom, top] in its own frame. The
/// frame's origin is (x, y), and it is turned clockwise by `angle`.
static void bar(CelCanvas *canvas, double x, double y, double half_width, double bottom, double top,
                double angle, CelColor color) {
  double s = celi_sin(angle), c = celi_cos(angle);
  const double across[4] = {-half_width, -half_width, half_width, half_width};
  const double along[4] = {bottom, top, top, bottom};
  double px[4], py[4];
  for (int i = 0; i < 4; i++) {
    px[i] = x + across[i] * c + along[i] * s;
    py[i] = y - across[i] * s + along[i] * c;
  }
  cel_canvas_polygon(canvas, 4, px, py, color);
}

static void cartpole_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  static const CelColor ground = {0.25f, 0.27f, 0.31f, 1}, rail = {0.72f, 0.74f, 0.78f, 1};
  static const CelColor cart = {0.16f, 0.21f, 0.30f, 1}, wheel = {0.45f, 0.48f, 0.54f, 1};
  static const CelColor pole = {0.83f, 0.58f, 0.33f, 1}, hinge = {0.45f, 0.47f, 0.80f, 1};
  static const CelColor limit = {0.83f, 0.33f, 0.31f, 1};
  const CartPole *c = spec->config;
  double reach = fmax(1.2 * c->x_threshold, 2.4 * c->length);
  double unit = reach / 12.0; // the cart is 4 units wide for any size of the world
  cel_canvas_clear(canvas, -reach, reach, -7.0 * unit, 17.0 * unit);
  double y = 1.6 * unit, x = state[0];
  const double rail_x[2] = {-reach, reach}, rail_y[2] = {0, 0};
  bar(canvas, 0, 0, reach, -7.0 * unit, -0.15 * unit, 0, (CelColor){0.95f, 0.95f, 0.96f, 1});
  cel_canvas_polyline(canvas, 2, rail_x, rail_y, 2.5, ground);
  for (int side = -1; side <= 1; side += 2) {
    const double end_x[2] = {side * c->x_threshold, side * c->x_threshold};
    const double end_y[2] = {-0.9 * unit, 0.9 * unit};
    cel_canvas_polyline(canvas, 2, end_x, end_y, 2.5, limit);
  }
  const double middle_x[2] = {0, 0}, middle_y[2] = {-0.5 * unit, 0};
  cel_canvas_polyline(canvas, 2, middle_x, middle_y, 2, rail);
  bar(canvas, x, y, 1.9 * unit, -0.95 * unit, 0.95 * unit, 0, cart);
  for (int side = -1; side <= 1; side += 2) {
    cel_canvas_circle(canvas, x + side * 1.1 * unit, 0.5 * unit, 0.5 * unit, wheel);
  }
  bar(canvas, x, y + 0.3 * unit, 0.32 * unit, -0.3 * unit, 2.0 * c->length, state[2], pole);
  cel_canvas_circle(canvas, x, y + 0.3 * unit, 0.36 * unit, hinge);
}

const CelEnvType celi_env_cartpole = {
    .abi = CEL_ENV_ABI,
    .id = "CartPole-v1",
    .doc = "balance a pole on a cart by pushing it left or right",
    .max_episode_steps = 500,
    .reward_threshold = 475.0,
    .config_size = sizeof(CartPole),
    .fields = fields,
    .open = cartpole_open,
    .reset = cartpole_reset,
    .step = cartpole_step,
    .render = cartpole_render,
};
