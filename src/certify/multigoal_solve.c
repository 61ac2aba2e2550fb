/// Solving the multi-goal plane: soft value iteration on three grids from coarse to fine. Each grid
/// starts from the previous solution.
///
/// On a grid the operator T is a contraction by gamma in the sup-norm. V is therefore within
/// gamma/(1-gamma) |V - TV| of its fixed point. The differences of the grids give an estimate of
/// the distance between the fixed point and the plane's V. Let d1 = |V_4h - V_2h| and d2 = |V_2h -
/// V_h| at common points. The error decreases as h^p with p = log2(d1/d2), and d2/(2^p - 1)
/// remains. p is limited to 1. The estimate is then at least d2, about three times the error of a
/// second-order rule.
/// Source: [soft-q-learning, 3.1]; Richardson, "The approximate arithmetical solution by finite
/// differences", 1911.
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/floats.h"
#include "certify/multigoal.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 3, CELLS_MAX = 4096, SWEEPS_MAX = 100000 };
enum { CUTS = 64 }; ///< cells per side of the table of actions

#define F(field) offsetof(CelMultigoalGrid, field)
// clang-format off
static const CelField fields[] = {
    {.name = "cells", .type = CEL_FIELD_INT, .offset = F(cells), .def = "0", .min = 0,
     .max = CELLS_MAX, .unit = "cells",
     .doc = "cells of the grid from the origin to the bound; 0: 32 per step"},
    {.name = "tolerance", .type = CEL_FIELD_DOUBLE, .offset = F(tolerance), .def = "1e-9",
     .min = 1e-14, .max = 1,
     .doc = "tolerance of the iteration on the grid, relative to the largest value"},
    {0},
};
// clang-format on
#undef F

const CelField *cel_multigoal_grid_fields(void) {
  return fields;
}

CelMultigoalGrid cel_multigoal_grid_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelMultigoalGrid grid;
  memset(&grid, 0, sizeof grid);
  cel_fields_default(fields, &grid);
  return grid;
}

// ---- one grid

typedef double Backup(CeliPlaneGrid *grid, double *out, const double *in);

/// Iterates V (n,) to its fixed point. next (n,): scratch. Errors: CEL_E_NAN, CEL_E_RANGE (did not
/// converge).
static CelStatus iterate(CeliPlaneGrid *grid, Backup *backup, double tolerance, double *V,
                         double *next, double *residual, int64_t *sweeps) {
  const int64_t n = (grid->cells + 1) * (grid->cells + 1);
  for (int64_t k = 0; k < SWEEPS_MAX; k++) {
    double size = 1;
    *residual = backup(grid, next, V);
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(next[i]));
    memcpy(V, next, (size_t)n * sizeof *V);
    ++*sweeps;
    if (!isfinite(*residual))
      return cel_fail(CEL_E_NAN, "the values of the plane are not finite at alpha %g", grid->alpha);
    const double slack = fmax(tolerance, 64 * DBL_EPSILON) * size;
    if (grid->gamma * *residual <= (1 - grid->gamma) * slack) return CEL_OK;
  }
  return cel_fail(CEL_E_RANGE, "the values of the plane did not converge in %d sweeps", SWEEPS_MAX);
}

/// E[V(s0)] with s0 ~ N(0, sd^2 I) clipped to the bound, by the trapezoid rule within 6 standard
/// deviations.
static double start_value(const CelMultigoal *plane, const double *V, int64_t cells, double step) {
  enum { SIDE = 24 };
  double sum = 0, mass = 0;
  if (plane->start_sd <= 0) return V[0];
  for (int i = -SIDE; i <= SIDE; i++)
    for (int j = -SIDE; j <= SIDE; j++) {
      const double x = 6.0 * j / SIDE, y = 6.0 * i / SIDE, p = exp(-0.5 * (x * x + y * y));
      const double s[2] = {fmin(fabs(x) * plane->start_sd, plane->bound),
                           fmin(fabs(y) * plane->start_sd, plane->bound)};
      sum += p * celi_plane_at(V, cells, step, s);
      mass += p;
    }
  return sum / mass;
}

/// The solution on one grid.
typedef struct Level {
  int64_t cells;
  double step, *V, *next;
  double start, uniform, residual;
} Level;

static CelStatus solve_level(Level *level, const CelMultigoal *plane, double gamma, double alpha,
                             double tolerance, const Level *coarser, bool with_uniform,
                             int64_t *sweeps) {
  CeliPlaneGrid grid;
  const size_t n = (size_t)((level->cells + 1) * (level->cells + 1));
  double ignored;
  CELI_TRY(celi_alloc(&level->V, n, sizeof *level->V, "a grid"));
  CELI_TRY(celi_alloc(&level->next, n, sizeof *level->next, "a grid"));
  CelStatus status = celi_plane_grid_open(&grid, plane, gamma, alpha, level->cells);
  level->step = grid.step;
  memset(level->V, 0, n * sizeof *level->V);
  if (status == CEL_OK && with_uniform)
    status = iterate(&grid, celi_plane_backup_uniform, tolerance, level->V, level->next, &ignored,
                     sweeps);
  if (status == CEL_OK && with_uniform) {
    level->uniform = start_value(plane, level->V, level->cells, level->step);
    memset(level->V, 0, n * sizeof *level->V);
  }
  for (int64_t at = 0; status == CEL_OK && coarser && at < (int64_t)n; at++) {
    const int64_t i = at / (level->cells + 1), j = at % (level->cells + 1);
    const double s[2] = {(double)j * level->step, (double)i * level->step};
    level->V[at] = celi_plane_at(coarser->V, coarser->cells, coarser->step, s);
  }
  if (status == CEL_OK)
    status = iterate(&grid, celi_plane_backup, tolerance, level->V, level->next, &level->residual,
                     sweeps);
  celi_plane_grid_close(&grid);
  if (status == CEL_OK) level->start = start_value(plane, level->V, level->cells, level->step);
  return status;
}

// ---- three grids

/// Sup-norm of the difference of two grids at the points of the coarser one.
static double gap(const Level *fine, const Level *coarse) {
  double most = 0;
  for (int64_t i = 0; i <= coarse->cells; i++)
    for (int64_t j = 0; j <= coarse->cells; j++) {
      const double f = fine->V[2 * i * (fine->cells + 1) + 2 * j];
      most = fmax(most, fabs(f - coarse->V[i * (coarse->cells + 1) + j]));
    }
  return most;
}

/// Estimates the remaining error from the differences d1, d2 of finer and finer grids. The order is
/// limited to 1, and d2 to at least d1 / 4, the value for a second-order rule.
static double remaining_error(double d1, double d2, double *order) {
  *order = d2 > 0 && d1 > 0 ? log2(d1 / d2) : 0;
  if (d2 <= 0 && d1 <= 0) return 0;
  if (d2 >= d1) return HUGE_VAL;
  return fmax(d2, d1 / 4) / (pow(2, fmin(log2(d1 / d2), 1)) - 1);
}

static CelStatus check(const CelMultigoal *plane, double gamma, double alpha, int64_t cells) {
  if (!(gamma >= 0 && gamma < 1))
    return cel_fail(CEL_E_RANGE, "gamma is %g; it must be at least 0 and below 1", gamma);
  if (!(alpha >= 0 && isfinite(alpha)))
    return cel_fail(CEL_E_RANGE, "alpha is %g; it must be finite and not negative", alpha);
  if (!(plane->reach > 0 && plane->bound > 0))
    return cel_fail(CEL_E_RANGE, "reach is %g and bound %g; both must be above 0", plane->reach,
                    plane->bound);
  // The grid is padded by cells * reach / bound on each side, which a narrow plane makes huge.
  if (plane->reach > 2 * plane->bound)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "bound is %g; a plane with steps up to %g needs a bound of at least half a step, %g",
        plane->bound, plane->reach, plane->reach / 2);
  const double least = 8 * plane->bound / plane->reach;
  if (least > CELLS_MAX)
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "bound is %g; with steps up to %g the grid would need %.0f cells, but the limit is %d",
        plane->bound, plane->reach, ceil(least), CELLS_MAX);
  if ((double)cells < least || cells > CELLS_MAX)
    return cel_fail(CEL_E_RANGE, "cells is %lld; it must be %.0f (8 per step) to %d",
                    (long long)cells, ceil(least), CELLS_MAX);
  return CEL_OK;
}

/// The uniform policy's value, extrapolated from the two coarser grids with an error of second
/// order.
static double extrapolated(const Level *level) {
  return level[1].uniform + (level[1].uniform - level[0].uniform) / 3;
}

static CelStatus solve_levels(CelMultigoalSolution *out, Level *level, double tolerance) {
  for (int l = 0; l < LEVELS; l++) {
    level[l].cells = out->cells >> (LEVELS - 1 - l);
    CELI_TRY(solve_level(&level[l], &out->plane, out->gamma, out->alpha, tolerance,
                         l ? &level[l - 1] : NULL, l + 1 < LEVELS, &out->sweeps));
  }
  const Level *fine = &level[LEVELS - 1];
  double ignored;
  out->step = fine->step;
  out->residual = fine->residual;
  out->value_start = fine->start;
  out->uniform_start = extrapolated(level);
  out->bound = out->gamma * fine->residual / (1 - out->gamma);
  out->error = out->bound +
               remaining_error(gap(&level[1], &level[0]), gap(&level[2], &level[1]), &out->order);
  out->value_error = out->bound + remaining_error(fabs(level[1].start - level[0].start),
                                                  fabs(level[2].start - level[1].start), &ignored);
  return CEL_OK;
}

CelStatus cel_multigoal_solve(const CelMultigoal *plane, double gamma, double alpha,
                              const CelMultigoalGrid *grid, CelMultigoalSolution **out) {
  CELI_NEED(plane);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelMultigoalGrid how = grid ? *grid : cel_multigoal_grid_default();
  const double begin = celi_seconds();
  Level level[LEVELS] = {{0}};
  *out = NULL;
  CELI_TRY(cel_fields_check(fields, &how));
  int64_t cells = how.cells;
  if (cells == 0) cells = (int64_t)fmin(ceil(32 * plane->bound / plane->reach), 1e9);
  CELI_TRY(check(plane, gamma, alpha, cells));
  cells = (cells + 3) / 4 * 4; // a multiple of 4, because each coarser grid has half as many cells
  CelMultigoalSolution *solution = calloc(1, sizeof *solution);
  if (!solution) return cel_fail(CEL_E_MEMORY, "not enough memory for the solution of the plane");
  solution->plane = *plane;
  solution->gamma = gamma;
  solution->alpha = alpha;
  solution->cells = cells;
  const CelStatus status = solve_levels(solution, level, how.tolerance);
  solution->V = level[LEVELS - 1].V;
  level[LEVELS - 1].V = NULL;
  for (int l = 0; l < LEVELS; l++) {
    free(level[l].V);
    free(level[l].next);
  }
  solution->seconds = celi_seconds() - begin;
  if (status == CEL_OK)
    *out = solution;
  else
    cel_multigoal_solution_destroy(solution);
  return status;
}

void cel_multigoal_solution_destroy(CelMultigoalSolution *solution) {
  if (!solution) return;
  free(solution->V);
  free(solution);
}

// ---- values and policy at any state

double cel_multigoal_v(const CelMultigoalSolution *solution, const double s[2]) {
  CELI_NEED_OR(solution, (double)NAN);
  CELI_NEED_OR(solution->V, (double)NAN);
  CELI_NEED_OR(s, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  double V = celi_plane_at(solution->V, solution->cells, solution->step, s);
  CELI_PIN(V);
  return V;
}

double cel_multigoal_q(const CelMultigoalSolution *solution, const double s[2], const double a[2]) {
  CELI_NEED_OR(solution, (double)NAN);
  CELI_NEED_OR(solution->V, (double)NAN);
  CELI_NEED_OR(s, (double)NAN);
  CELI_NEED_OR(a, (double)NAN);
  CELI_FLOATS(CELI_IEEE);
  double next[2], reward;
  const bool ends = cel_multigoal_step(&solution->plane, next, &reward, s, a);
  if (!ends) reward += solution->gamma * cel_multigoal_v(solution, next);
  CELI_PIN(reward);
  return reward;
}

/// The center of cell k of CUTS cells over [-reach, reach].
static double middle(double reach, int k) {
  return reach * ((2.0 * k + 1) / CUTS - 1);
}

/// Computes Q (CUTS, CUTS) at the centers of the action cells. Returns the maximum. *best: its
/// cell.
static double tabulate(const CelMultigoalSolution *solution, const double s[2], double *Q,
                       int *best) {
  const double reach = solution->plane.reach;
  double top = -HUGE_VAL;
  for (int k = 0; k < CUTS * CUTS; k++) {
    const double a[2] = {middle(reach, k % CUTS), middle(reach, k / CUTS)};
    Q[k] = cel_multigoal_q(solution, s, a);
    if (Q[k] > top) {
      top = Q[k];
      *best = k;
    }
  }
  return top;
}

void cel_multigoal_log_density(const CelMultigoalSolution *solution, const double s[2],
                               const double *a, int64_t n, double *log_density) {
  CELI_NEED_OR(solution, );
  CELI_NEED_OR(solution->V, );
  CELI_NEED_OR(s, );
  CELI_NEED_OR(a, );
  CELI_NEED_OR(log_density, );
  CELI_FLOATS(CELI_IEEE);
  double Q[CUTS * CUTS], sum = 0;
  int best = 0;
  const double top = tabulate(solution, s, Q, &best), alpha = solution->alpha;
  const double side = 2 * solution->plane.reach / CUTS;
  CEL_ASSERT(alpha > 0);
  for (int k = 0; k < CUTS * CUTS; k++) sum += exp((Q[k] - top) / alpha);
  const double log_Z = top / alpha + log(sum * side * side);
  for (int64_t i = 0; i < n; i++)
    log_density[i] = cel_multigoal_q(solution, s, a + 2 * i) / alpha - log_Z;
}

void cel_multigoal_draw(const CelMultigoalSolution *solution, const double s[2], CelRng *rng,
                        double a[2]) {
  CELI_NEED_OR(solution, );
  CELI_NEED_OR(solution->V, );
  CELI_NEED_OR(s, );
  CELI_NEED_OR(rng, );
  CELI_NEED_OR(a, );
  CELI_FLOATS(CELI_IEEE);
  double Q[CUTS * CUTS], sum = 0;
  int cell = 0;
  const double top = tabulate(solution, s, Q, &cell), side = 2 * solution->plane.reach / CUTS;
  const double within = solution->alpha > 0 ? side : 0;
  if (solution->alpha > 0) {
    for (int k = 0; k < CUTS * CUTS; k++) sum += Q[k] = exp((Q[k] - top) / solution->alpha);
    double left = sum * cel_rng_uniform(rng);
    for (cell = 0; cell + 1 < CUTS * CUTS && (left -= Q[cell]) >= 0;) cell++;
  }
  a[0] = middle(solution->plane.reach, cell % CUTS) + within * (cel_rng_uniform(rng) - 0.5);
  a[1] = middle(solution->plane.reach, cell / CUTS) + within * (cel_rng_uniform(rng) - 0.5);
}
