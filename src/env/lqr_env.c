/// LQR-v0: a linear system with quadratic cost, whose soft-optimal policy is known exactly.
///
///     state   x (n,)
///     action  u (m,)                       unbounded, unless `action_limit` says otherwise
///     x'      = A x + B u + noise w,  w ~ N(0, I)
///     reward  -(x'Q x + u'R u)             with the state before the step
///     start   x ~ N(0, start^2 I)
///     ends    never; the time limit truncates episodes
///
/// Every problem is stable without a controller, so that a bad policy costs much, but values stay
/// finite. cel_lqr_solve (celsius/lqr.h) gives the exact solution for a discount and a temperature.
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/canvas.h"
#include "celsius/lqr.h"
#include "env/env_internal.h"
#include "env/sincos.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct LqrArguments {
  int32_t problem;
  int64_t dimension, actions;
  uint64_t problem_seed;
  double radius, noise, start, action_cost, action_limit;
} LqrArguments;

enum { RANDOM, SCALAR, OSCILLATOR, CHAIN };

#define AT(member) offsetof(LqrArguments, member)
// clang-format off
static const CelField fields[] = {
    {.name = "problem", .type = CEL_FIELD_ENUM, .offset = AT(problem), .def = "oscillator",
     .choices = "random|scalar|oscillator|chain",
     .doc = "the problem: random matrices; one state; a damped mass on a spring; dimension/2 such "
            "masses in a row"},
    {.name = "dimension", .type = CEL_FIELD_INT, .offset = AT(dimension), .def = "4", .min = 1,
     .max = CEL_LQR_MAX,
     .doc = "number of states of the random problem and the chain"},
    {.name = "actions", .type = CEL_FIELD_INT, .offset = AT(actions), .def = "2", .min = 1,
     .max = CEL_LQR_MAX,
     .doc = "number of actions of the random problem"},
    {.name = "problem_seed", .type = CEL_FIELD_U64, .offset = AT(problem_seed), .def = "0",
     .doc = "seed of the random problem's matrices"},
    {.name = "radius", .type = CEL_FIELD_DOUBLE, .offset = AT(radius), .def = "0.9", .min = 0,
     .max = 0.999,
     .doc = "spectral norm of the random problem's A"},
    {.name = "noise", .type = CEL_FIELD_DOUBLE, .offset = AT(noise), .def = "0.1", .min = 0,
     .max = 1e3,
     .doc = "standard deviation of the noise on each state per step"},
    {.name = "start", .type = CEL_FIELD_DOUBLE, .offset = AT(start), .def = "1", .min = 0,
     .max = 1e3,
     .doc = "standard deviation of each initial state"},
    {.name = "action_cost", .type = CEL_FIELD_DOUBLE, .offset = AT(action_cost), .def = "0.1",
     .min = 1e-6, .max = 1e6,
     .doc = "cost of actions: R is this times the identity, Q is the identity"},
    {.name = "action_limit", .type = CEL_FIELD_DOUBLE, .offset = AT(action_limit), .def = "0",
     .min = 0, .max = 1e6,
     .doc = "bound of each action; 0: none, as the exact solution requires"},
    {0},
};
// clang-format on
#undef AT

// ---- problems

/// Spectral norm of A (n, n), by power iteration on A'A.
static double spectral_norm(const double *A, int n) {
  double v[CEL_LQR_MAX], w[CEL_LQR_MAX], norm = 0.0;
  for (int i = 0; i < n; i++) v[i] = 1.0 + 0.01 * i;
  for (int round = 0; round < 500; round++) {
    double square = 0.0;
    for (int i = 0; i < n; i++) {
      w[i] = 0.0;
      for (int j = 0; j < n; j++) w[i] += A[i * n + j] * v[j];
    }
    for (int j = 0; j < n; j++) {
      v[j] = 0.0;
      for (int i = 0; i < n; i++) v[j] += A[i * n + j] * w[i];
      square += v[j] * v[j];
    }
    norm = sqrt(sqrt(square));
    if (!(square > 0.0)) return 0.0;
    for (int j = 0; j < n; j++) v[j] /= sqrt(square);
  }
  return norm;
}

/// Draws A and B with normal entries. Scales A to the configured spectral norm and B by 1/sqrt(n).
static void make_random(CelLqr *lqr, const LqrArguments *c) {
  const int n = lqr->n = (int)c->dimension, m = lqr->m = (int)c->actions;
  CelRng rng = cel_rng(c->problem_seed, CEL_RNG_ENV, UINT32_MAX);
  for (int i = 0; i < n * n; i++) lqr->A[i] = cel_rng_normal(&rng);
  for (int i = 0; i < n * m; i++) lqr->B[i] = cel_rng_normal(&rng) / sqrt((double)n);
  const double norm = spectral_norm(lqr->A, n);
  for (int i = 0; i < n * n; i++) lqr->A[i] *= c->radius / norm;
}

/// A chain of masses of 1 between two walls. Springs of stiffness 1 connect neighbors, the friction
/// is 0.2, and a force acts on each mass. Semi-implicit Euler method with dt = 0.2:
///     v' = v + dt a, x' = x + dt v'
static CelStatus make_chain(CelLqr *lqr, int64_t dimension) {
  if (dimension % 2 != 0) {
    return cel_fail(CEL_E_RANGE,
                    "dimension is %lld; a chain needs an even dimension, because each mass has a "
                    "position and a velocity",
                    (long long)dimension);
  }
  const double dt = 0.2, friction = 0.2;
  const int n = lqr->n = (int)dimension, masses = lqr->m = n / 2, m = masses;
  for (int i = 0; i < masses; i++) {
    double *speed = &lqr->A[(masses + i) * n], *place = &lqr->A[i * n];
    speed[i] = -dt * 2.0;
    if (i > 0) speed[i - 1] = dt;
    if (i + 1 < masses) speed[i + 1] = dt;
    speed[masses + i] = 1.0 - dt * friction;
    for (int j = 0; j < n; j++) place[j] = dt * speed[j];
    place[i] += 1.0;
    lqr->B[(masses + i) * m + i] = dt;
    lqr->B[i * m + i] = dt * dt;
  }
  return CEL_OK;
}

static CelStatus make(CelLqr *lqr, const LqrArguments *c) {
  memset(lqr, 0, sizeof *lqr);
  switch (c->problem) {
  case RANDOM: make_random(lqr, c); break;
  case SCALAR:
    lqr->n = lqr->m = 1;
    lqr->A[0] = 0.9;
    lqr->B[0] = 0.5;
    break;
  case OSCILLATOR: CELI_TRY(make_chain(lqr, 2)); break;
  default: CELI_TRY(make_chain(lqr, c->dimension)); break;
  }
  for (int i = 0; i < lqr->n; i++) lqr->Q[i * lqr->n + i] = 1.0;
  for (int i = 0; i < lqr->m; i++) lqr->R[i * lqr->m + i] = c->action_cost;
  lqr->noise = c->noise;
  return CEL_OK;
}

static CelStatus lqr_open(CelEnvSpec *spec) {
  const LqrArguments *c = spec->config;
  CelLqr *lqr = NULL;
  CELI_TRY(celi_alloc(&lqr, 1, sizeof *lqr, "regulator"));
  CelStatus status = make(lqr, c);
  if (status != CEL_OK) {
    free(lqr);
    return status;
  }
  const double limit = c->action_limit > 0.0 ? c->action_limit : (double)INFINITY;
  spec->observation = cel_space_box(lqr->n, -(double)INFINITY, (double)INFINITY);
  spec->action = cel_space_box(lqr->m, -limit, limit);
  spec->state_size = lqr->n;
  spec->data = lqr;
  return CEL_OK;
}

static void lqr_close(CelEnvSpec *spec) {
  free(spec->data);
  spec->data = NULL;
}

CelStatus cel_lqr_of_env(const CelEnvSpec *spec, CelLqr *out) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  if (spec->type != &celi_env_lqr) {
    return cel_fail(CEL_E_UNSUPPORTED, "%s is not a linear-quadratic regulator; LQR-v0 is one",
                    spec->type->id);
  }
  *out = *(const CelLqr *)spec->data;
  return CEL_OK;
}

// ---- reset, step

static CelStatus lqr_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  const LqrArguments *c = spec->config;
  for (int64_t i = 0; i < spec->state_size; i++) {
    state[i] = c->start * cel_rng_normal(rng);
    ((float *)obs)[i] = (float)state[i];
  }
  return CEL_OK;
}

/// x'Q x of a symmetric Q (n, n).
static double quadratic(const double *Q, const double *x, int n) {
  double sum = 0.0;
  for (int i = 0; i < n; i++) {
    double row = 0.0;
    for (int j = 0; j < n; j++) row += Q[i * n + j] * x[j];
    sum += x[i] * row;
  }
  return sum;
}

static CelStatus lqr_step(const CelEnvSpec *spec, double *states, int64_t N, const void *actions,
                          void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  const CelLqr *lqr = spec->data;
  const int n = lqr->n, m = lqr->m;
  for (int64_t e = 0; e < N; e++) {
    double *x = states + e * n, u[CEL_LQR_MAX], next[CEL_LQR_MAX];
    for (int j = 0; j < m; j++) u[j] = (double)((const float *)actions)[e * m + j];
    reward[e] = (float)-(quadratic(lqr->Q, x, n) + quadratic(lqr->R, u, m));
    for (int i = 0; i < n; i++) {
      double sum = 0.0;
      for (int j = 0; j < n; j++) sum += lqr->A[i * n + j] * x[j];
      for (int j = 0; j < m; j++) sum += lqr->B[i * m + j] * u[j];
      next[i] = lqr->noise > 0.0 ? sum + lqr->noise * cel_rng_normal(&rng[e]) : sum;
    }
    for (int i = 0; i < n; i++) {
      x[i] = next[i];
      ((float *)obs)[e * n + i] = (float)next[i];
    }
    terminated[e] = 0;
  }
  return CEL_OK;
}

// ---- picture: each element of the state as a bar from its target 0

static void lqr_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  static const CelColor axis = {0.30f, 0.32f, 0.36f, 1}, grid = {0.91f, 0.92f, 0.93f, 1};
  static const CelColor bar = {0.35f, 0.55f, 0.78f, 1}, tip = {0.16f, 0.33f, 0.55f, 1};
  const int n = (int)spec->state_size;
  const double unit = 0.32 / fmax(1.0, ((const LqrArguments *)spec->config)->start);
  const double column = 2.0 / n;
  cel_canvas_clear(canvas, -1, 1, -1, 1);
  for (int line = -3; line <= 3; line++) {
    const double x[2] = {-1, 1}, y[2] = {0.32 * line, 0.32 * line};
    cel_canvas_polyline(canvas, 2, x, y, line == 0 ? 2.0 : 1.0, line == 0 ? axis : grid);
  }
  for (int i = 0; i < n; i++) {
    const double middle = -1.0 + column * (i + 0.5), y = unit * state[i];
    const double left = middle - 0.25 * column, right = middle + 0.25 * column;
    const double x[4] = {left, left, right, right}, top[4] = {0, y, y, 0};
    const double tip_x[2] = {middle - 0.3 * column, middle + 0.3 * column}, tip_y[2] = {y, y};
    char name[16];
    cel_canvas_polygon(canvas, 4, x, top, bar);
    cel_canvas_polyline(canvas, 2, tip_x, tip_y, 4, tip);
    snprintf(name, sizeof name, "x%d", i + 1);
    cel_canvas_text(canvas, middle - 0.03, -0.95, name, axis);
  }
}

const CelEnvType celi_env_lqr = {
    .abi = CEL_ENV_ABI,
    .id = "LQR-v0",
    .doc = "keep a noisy linear system at rest; its soft-optimal policy is known exactly",
    .max_episode_steps = 200,
    .reward_threshold = (double)NAN,
    .config_size = sizeof(LqrArguments),
    .fields = fields,
    .open = lqr_open,
    .close = lqr_close,
    .reset = lqr_reset,
    .step = lqr_step,
    .render = lqr_render,
};
