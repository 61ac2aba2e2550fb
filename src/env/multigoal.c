/// MultiGoal-v0: a point in the plane and four goals around it.
///
///     state   x, y                          within +-7
///     action  step in x and in y, within +-1
///     obs     x, y
///     reward  -30 |a|^2 - min_g |s' - g|^2, plus 10 at a goal
///     ends    |s' - g| < 1 for a goal g of (+-5, 0), (0, +-5)
///
/// s' = clip(s + a, +-7), with the action clipped too, both element by element. s_0 ~ N(0, 0.1^2
/// I).
/// Source: Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017, 5.1.
#include "celsius/multigoal.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "celsius/canvas.h"
#include "env/env_internal.h"
#include <math.h>
#include <stddef.h>

#define AT(member) offsetof(CelMultigoal, member)
// clang-format off
static const CelField fields[] = {
    {.name = "goal_distance", .type = CEL_FIELD_DOUBLE, .offset = AT(goal_distance), .def = "5",
     .min = 1e-3, .max = 1e6,
     .doc = "distance of the four goals from the middle"},
    {.name = "goal_radius", .type = CEL_FIELD_DOUBLE, .offset = AT(goal_radius), .def = "1",
     .min = 0, .max = 1e6,
     .doc = "distance from a goal below which the episode ends"},
    {.name = "goal_reward", .type = CEL_FIELD_DOUBLE, .offset = AT(goal_reward), .def = "10",
     .min = -1e6, .max = 1e6,
     .doc = "reward for reaching a goal"},
    {.name = "action_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(action_cost), .def = "30",
     .min = 0, .max = 1e6,
     .doc = "cost of a step of length 1; quadratic in the length"},
    {.name = "distance_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(distance_cost), .def = "1",
     .min = 0, .max = 1e6,
     .doc = "cost at distance 1 from the nearest goal; quadratic in the distance"},
    {.name = "reach", .type = CEL_FIELD_DOUBLE, .offset = AT(reach), .def = "1", .min = 1e-3,
     .max = 1e6,
     .doc = "largest step in each direction"},
    {.name = "bound", .type = CEL_FIELD_DOUBLE, .offset = AT(bound), .def = "7", .min = 1e-3,
     .max = 1e6,
     .doc = "end of the plane in each direction"},
    {.name = "start_sd", .type = CEL_FIELD_DOUBLE, .offset = AT(start_sd), .def = "0.1", .min = 0,
     .max = 1e3,
     .doc = "standard deviation of the initial position around the middle"},
    {0},
};
// clang-format on
#undef AT

static double clip(double x, double limit) {
  return x < -limit ? -limit : x > limit ? limit : x;
}

void cel_multigoal_goal(const CelMultigoal *plane, int g, double place[2]) {
  CELI_NEED_OR(plane, );
  CELI_NEED_OR(place, );
  place[g / 2] = g % 2 ? -plane->goal_distance : plane->goal_distance;
  place[1 - g / 2] = 0;
}

/// The squared distance to the nearest goal.
static double nearest_goal(const CelMultigoal *plane, const double s[2]) {
  double least = (double)INFINITY;
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    const double x = s[0] - goal[0], y = s[1] - goal[1], square = x * x + y * y;
    if (square < least) least = square;
  }
  return least;
}

bool cel_multigoal_step(const CelMultigoal *plane, double next[2], double *reward,
                        const double s[2], const double a[2]) {
  CELI_NEED_OR(plane, false);
  CELI_NEED_OR(next, false);
  CELI_NEED_OR(reward, false);
  CELI_NEED_OR(s, false);
  CELI_NEED_OR(a, false);
  CELI_FLOATS(CELI_IEEE);
  double length = 0;
  for (int k = 0; k < 2; k++) {
    const double step = clip(a[k], plane->reach);
    length += step * step;
    next[k] = clip(s[k] + step, plane->bound);
  }
  const double square = nearest_goal(plane, next);
  const bool reached = square < plane->goal_radius * plane->goal_radius;
  *reward = -plane->action_cost * length - plane->distance_cost * square;
  if (reached) *reward += plane->goal_reward;
  return reached;
}

static CelStatus multigoal_open(CelEnvSpec *spec) {
  const CelMultigoal *plane = spec->config;
  spec->observation = cel_space_box(2, -plane->bound, plane->bound);
  spec->action = cel_space_box(2, -plane->reach, plane->reach);
  spec->state_size = 2;
  return CEL_OK;
}

static CelStatus multigoal_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const CelMultigoal *plane = spec->config;
  for (int k = 0; k < 2; k++) {
    state[k] = clip(plane->start_sd * cel_rng_normal(rng), plane->bound);
    ((float *)obs)[k] = (float)state[k];
  }
  return CEL_OK;
}

static CelStatus multigoal_step(const CelEnvSpec *spec, double *states, int64_t n,
                                const void *actions, void *obs, float *reward, uint8_t *terminated,
                                CelRng *rng) {
  (void)rng;
  const CelMultigoal *plane = spec->config;
  for (int64_t i = 0; i < n; i++) {
    const float *u = (const float *)actions + 2 * i;
    const double s[2] = {states[2 * i], states[2 * i + 1]};
    const double a[2] = {(double)u[0], (double)u[1]};
    double r;
    terminated[i] = cel_multigoal_step(plane, states + 2 * i, &r, s, a);
    reward[i] = (float)r;
    for (int k = 0; k < 2; k++) ((float *)obs)[2 * i + k] = (float)states[2 * i + k];
  }
  return CEL_OK;
}

static void multigoal_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  static const CelColor goal_color = {0.62f, 0.80f, 0.66f, 1}, point = {0.80f, 0.31f, 0.30f, 1},
                        cross = {0.90f, 0.91f, 0.93f, 1};
  const CelMultigoal *plane = spec->config;
  const double b = plane->bound, edge = 1.05 * b;
  cel_canvas_clear(canvas, -edge, edge, -edge, edge);
  const double ends[2] = {-b, b}, middle[2] = {0, 0};
  cel_canvas_polyline(canvas, 2, ends, middle, 1.5, cross);
  cel_canvas_polyline(canvas, 2, middle, ends, 1.5, cross);
  const double x[5] = {-b, b, b, -b, -b}, y[5] = {-b, -b, b, b, -b};
  cel_canvas_polyline(canvas, 5, x, y, 1.5, cross);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double place[2];
    cel_multigoal_goal(plane, g, place);
    cel_canvas_circle(canvas, place[0], place[1], plane->goal_radius, goal_color);
  }
  cel_canvas_circle(canvas, state[0], state[1], 0.03 * b, point);
}

const CelEnvType celi_env_multigoal = {
    .abi = CEL_ENV_ABI,
    .id = "MultiGoal-v0",
    .doc = "walk to any of four goals around the start",
    .max_episode_steps = 30,
    .reward_threshold = (double)NAN,
    .config_size = sizeof(CelMultigoal),
    .fields = fields,
    .open = multigoal_open,
    .reset = multigoal_reset,
    .step = multigoal_step,
    .render = multigoal_render,
};

CelStatus cel_multigoal_of_env(const CelEnvSpec *spec, CelMultigoal *out) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  if (spec->type != &celi_env_multigoal)
    return cel_fail(CEL_E_UNSUPPORTED, "%s is not the multi-goal plane", spec->type->id);
  *out = *(const CelMultigoal *)spec->config;
  return CEL_OK;
}
