/// Soft Bellman backups of the multi-goal plane on a grid.
///
/// The value of arriving at s' is G(s') = -distance_cost d(s')^2 + (goal_reward in a goal, else
/// gamma V(s')).
///     V(s) = alpha log int exp(-action_cost |a|^2 / alpha) exp(G(s + a) / alpha) da
/// This is a convolution whose kernel is a product over x and y: one pass along rows, one along
/// columns. States are x_j = j h. Actions are the multiples k h with the weights of the trapezoid
/// rule over [-reach, reach]; the last interval is partial and integrated along the line between
/// its ends. exp(G/alpha) jumps at the edge of a goal. Each point therefore has the mean over its
/// cell, by the fraction of the cell in the goal, which keeps the rule of second order. Goals,
/// costs and bounds are symmetric in x, y and the diagonal, so one quarter of the plane is enough.
/// For alpha = 0, and if exp would leave the range of double precision, the passes compute max or
/// log-sum-exp of logarithms instead, which are separable too.
/// Source: [soft-q-learning, 3.1]; Haarnoja et al., "Reinforcement learning with deep energy-based
/// policies", 2017, 5.1.
#include "certify/multigoal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 24 };                   ///< points per side for the fraction of a cell in a goal
static const double exp_range = 600.0; ///< range of exponents without overflow or underflow

static double square_to_goal(const CelMultigoal *plane, double x, double y) {
  double least = HUGE_VAL;
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    double goal[2];
    cel_multigoal_goal(plane, g, goal);
    const double dx = x - goal[0], dy = y - goal[1];
    least = fmin(least, dx * dx + dy * dy);
  }
  return least;
}

/// The fraction of the cell of side h around (x, y) that is in a goal.
static double share_inside(const CelMultigoal *plane, double x, double y, double h) {
  const double distance = sqrt(square_to_goal(plane, x, y)), reach = 0.7072 * h;
  if (distance + reach < plane->goal_radius) return 1;
  if (distance - reach > plane->goal_radius) return 0;
  int in = 0;
  for (int i = 0; i < PARTS; i++)
    for (int j = 0; j < PARTS; j++) {
      const double u = x + h * ((j + 0.5) / PARTS - 0.5), v = y + h * ((i + 0.5) / PARTS - 0.5);
      in += square_to_goal(plane, u, v) < plane->goal_radius * plane->goal_radius;
    }
  return (double)in / (PARTS * PARTS);
}

/// Trapezoid weights of k h, k = -pad..pad, over [-reach, reach]. The last interval has the length
/// `rest` and is integrated along the line between its ends, which get the weights rest - rest^2/2h
/// and rest^2/2h.
static void set_weights(CeliPlaneGrid *grid) {
  const double h = grid->step, reach = grid->plane->reach;
  const int64_t whole = grid->pad - 1;
  const double rest = fmax(0, reach - (double)whole * h), far = rest * rest / (2 * h);
  double *w = grid->weight + grid->pad;
  for (int64_t k = 0; k <= grid->pad; k++) {
    w[k] = k < whole ? h : k == whole ? (whole == 0 ? 0 : 0.5 * h) + rest - far : far;
    if (k == 0 && whole == 0) w[k] *= 2;
    w[-k] = w[k];
  }
}

CelStatus celi_plane_grid_open(CeliPlaneGrid *grid, const CelMultigoal *plane, double gamma,
                               double alpha, int64_t cells) {
  const double h = plane->bound / (double)cells;
  *grid =
      (CeliPlaneGrid){.plane = plane, .gamma = gamma, .alpha = alpha, .cells = cells, .step = h};
  grid->pad = (int64_t)floor(plane->reach / h * (1 + 1e-12)) + 1;
  grid->side = cells + 1 + 2 * grid->pad;
  const size_t n = (size_t)((cells + 1) * (cells + 1)), padded = (size_t)(grid->side * grid->side);
  CELI_TRY(celi_alloc(&grid->weight, (size_t)(2 * grid->pad + 1), sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->factor, (size_t)(2 * grid->pad + 1), sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->inside, n, sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->ends, n, sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->stay, n, sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->E, padded, sizeof(double), "a grid"));
  CELI_TRY(celi_alloc(&grid->T, padded, sizeof(double), "a grid"));
  set_weights(grid);
  for (int64_t i = 0; i <= cells; i++)
    for (int64_t j = 0; j <= cells; j++) {
      const int64_t at = i * (cells + 1) + j;
      const double x = (double)j * h, y = (double)i * h;
      grid->inside[at] = share_inside(plane, x, y, h);
      grid->stay[at] = -plane->distance_cost * square_to_goal(plane, x, y);
      grid->ends[at] = grid->stay[at] + plane->goal_reward;
    }
  return CEL_OK;
}

void celi_plane_grid_close(CeliPlaneGrid *grid) {
  free(grid->weight);
  free(grid->factor);
  free(grid->inside);
  free(grid->ends);
  free(grid->stay);
  free(grid->E);
  free(grid->T);
  *grid = (CeliPlaneGrid){0};
}

// ---- padding

/// Fills the padding of a row: mirror images before column pad, copies of the last column after it.
static void pad_row(const CeliPlaneGrid *grid, double *row) {
  const int64_t pad = grid->pad, last = pad + grid->cells;
  for (int64_t k = 1; k <= pad; k++) {
    row[pad - k] = row[pad + (k <= grid->cells ? k : grid->cells)];
    row[last + k] = row[last];
  }
}

/// Fills the padding rows in the same way.
static void pad_rows(const CeliPlaneGrid *grid, double *data) {
  const int64_t pad = grid->pad, last = pad + grid->cells;
  const size_t bytes = (size_t)grid->side * sizeof *data;
  for (int64_t k = 1; k <= pad; k++) {
    const int64_t from = pad + (k <= grid->cells ? k : grid->cells);
    memcpy(data + (pad - k) * grid->side, data + from * grid->side, bytes);
    memcpy(data + (last + k) * grid->side, data + last * grid->side, bytes);
  }
}

// ---- passes over rows and columns of the quarter

typedef enum Sum { PLAIN, LOGARITHMS, LARGEST } Sum;

/// acc (n,): acc_j = sum_k weight_k in[k stride + j], or log-sum-exp or maximum of weight_k + in.
static void accumulate(double *acc, const double *in, int64_t n, int64_t stride, int64_t pad,
                       const double *weight, Sum sum) {
  if (sum == PLAIN) {
    for (int64_t j = 0; j < n; j++) acc[j] = 0;
    for (int64_t k = -pad; k <= pad; k++) {
      const double w = weight[k], *from = in + k * stride;
      for (int64_t j = 0; j < n; j++) acc[j] += w * from[j];
    }
    return;
  }
  for (int64_t j = 0; j < n; j++) {
    double top = -HUGE_VAL, rest = 0;
    for (int64_t k = -pad; k <= pad; k++) top = fmax(top, weight[k] + in[k * stride + j]);
    acc[j] = top;
    if (sum == LARGEST || !isfinite(top)) continue;
    for (int64_t k = -pad; k <= pad; k++) {
      const double off = weight[k] + in[k * stride + j] - top;
      if (off > -40) rest += exp(off);
    }
    acc[j] = top + log(rest);
  }
}

/// Convolves E along rows into T, then T along columns into E.
static void convolve(CeliPlaneGrid *grid, const double *weight, Sum sum) {
  const int64_t pad = grid->pad, side = grid->side, n = grid->cells + 1;
  for (int64_t i = 0; i < n; i++) {
    double *row = grid->E + (pad + i) * side;
    pad_row(grid, row);
    accumulate(grid->T + (pad + i) * side + pad, row + pad, n, 1, pad, weight + pad, sum);
  }
  pad_rows(grid, grid->T);
  for (int64_t i = 0; i < n; i++)
    accumulate(grid->E + (pad + i) * side + pad, grid->T + (pad + i) * side + pad, n, side, pad,
               weight + pad, sum);
}

// ---- operators

/// Factors of the actions along one axis: weight_k exp(-cost a_k^2 / alpha), or its logarithm.
/// alpha = 0: minus the cost of actions within reach.
static void action_factors(const CeliPlaneGrid *grid, double *factor, Sum sum) {
  for (int64_t k = -grid->pad; k <= grid->pad; k++) {
    const double a = (double)k * grid->step, cost = grid->plane->action_cost * a * a;
    const double w = grid->weight[k + grid->pad];
    double *f = &factor[k + grid->pad];
    if (sum == PLAIN)
      *f = w * exp(-cost / grid->alpha);
    else if (sum == LOGARITHMS)
      *f = w > 0 ? log(w) - cost / grid->alpha : -HUGE_VAL;
    else
      *f = fabs(a) <= grid->plane->reach * (1 + 1e-12) ? -cost : -HUGE_VAL;
  }
}

static double mixed_exp(double share, double ends, double stay) {
  double sum = 0;
  if (share > 0) sum += share * exp(ends);
  if (share < 1) sum += (1 - share) * exp(stay);
  return sum;
}

/// The value of arriving at point `at`, averaged over its cell in the form that `sum` needs.
static double arrival(const CeliPlaneGrid *grid, int64_t at, double V, Sum sum, double top) {
  const double share = grid->inside[at], ends = grid->ends[at],
               stay = grid->stay[at] + grid->gamma * V;
  if (sum == LARGEST) return share >= 0.5 ? ends : stay;
  if (sum == PLAIN) return mixed_exp(share, (ends - top) / grid->alpha, (stay - top) / grid->alpha);
  const double most = share > 0 ? (share < 1 ? fmax(ends, stay) : ends) : stay;
  return most / grid->alpha +
         log(mixed_exp(share, (ends - most) / grid->alpha, (stay - most) / grid->alpha));
}

/// The range of the values of arriving.
static void arrival_range(const CeliPlaneGrid *grid, const double *V, double *low, double *high) {
  const int64_t n = (grid->cells + 1) * (grid->cells + 1);
  *low = HUGE_VAL;
  *high = -HUGE_VAL;
  for (int64_t at = 0; at < n; at++) {
    const double stay = grid->stay[at] + grid->gamma * V[at];
    if (grid->inside[at] < 1) {
      *low = fmin(*low, stay);
      *high = fmax(*high, stay);
    }
    if (grid->inside[at] > 0) {
      *low = fmin(*low, grid->ends[at]);
      *high = fmax(*high, grid->ends[at]);
    }
  }
}

static double difference(double x, double y) {
  return fabs(x - y);
}

double celi_plane_backup(CeliPlaneGrid *grid, double *out, const double *in) {
  const int64_t n = grid->cells + 1, pad = grid->pad;
  const double alpha = grid->alpha, reach = grid->plane->reach;
  double low, high, residual = 0;
  arrival_range(grid, in, &low, &high);
  const double range = high - low + 2 * grid->plane->action_cost * reach * reach;
  const Sum sum = alpha <= 0 ? LARGEST : range <= exp_range * alpha ? PLAIN : LOGARITHMS;
  action_factors(grid, grid->factor, sum);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      grid->E[(pad + i) * grid->side + pad + j] =
          arrival(grid, i * n + j, in[i * n + j], sum, high);
  convolve(grid, grid->factor, sum);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      const double z = grid->E[(pad + i) * grid->side + pad + j];
      out[i * n + j] = sum == PLAIN ? high + alpha * log(z) : sum == LOGARITHMS ? alpha * z : z;
      residual = fmax(residual, difference(out[i * n + j], in[i * n + j]));
    }
  return residual;
}

double celi_plane_backup_uniform(CeliPlaneGrid *grid, double *out, const double *in) {
  const int64_t n = grid->cells + 1, pad = grid->pad;
  const double reach = grid->plane->reach, area = 4 * reach * reach;
  const double fixed = grid->alpha * log(area) - // entropy minus the mean cost of actions
                       grid->plane->action_cost * 2 * reach * reach / 3;
  double residual = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      const int64_t at = i * n + j;
      const double share = grid->inside[at];
      grid->E[(pad + i) * grid->side + pad + j] =
          share * grid->ends[at] + (1 - share) * (grid->stay[at] + grid->gamma * in[at]);
    }
  convolve(grid, grid->weight, PLAIN);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      out[i * n + j] = fixed + grid->E[(pad + i) * grid->side + pad + j] / area;
      residual = fmax(residual, difference(out[i * n + j], in[i * n + j]));
    }
  return residual;
}

double celi_plane_at(const double *V, int64_t cells, double step, const double s[2]) {
  const double x = fmin(fabs(s[0]) / step, (double)cells),
               y = fmin(fabs(s[1]) / step, (double)cells);
  const int64_t j = x < (double)cells ? (int64_t)x : cells - 1,
                i = y < (double)cells ? (int64_t)y : cells - 1;
  const double u = x - (double)j, v = y - (double)i;
  const double *at = V + i * (cells + 1) + j;
  return (1 - v) * ((1 - u) * at[0] + u * at[1]) +
         v * ((1 - u) * at[cells + 1] + u * at[cells + 2]);
}
