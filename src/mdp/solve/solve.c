/// Solves a finite MDP: config, selection of the method, and the final steps of every solution.
///
/// A method leaves V. This file runs the last sweep from it, which gives the residual and the bound
/// of that V, Q = r + gamma P V, and pi.
#include "celsius/solve.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "celsius/safetensors.h"
#include "mdp/backup/values.h"
#include "mdp/interrupt.h"
#include "mdp/model.h"
#include "mdp/solve/solve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- config

#define F(field) offsetof(CelSolveConfig, field)
static const char METHODS[] = "auto|vi|gauss-seidel|mpi|pi|newton|backward";
// clang-format off
static const CelField fields[] = {
    {.name = "alpha", .type = CEL_FIELD_DOUBLE, .offset = F(alpha), .def = "0.1", .min = 0,
     .max = 1e12, .unit = "reward/nat",
     .doc = "temperature; 0: unregularized, without entropy",
     .source = "[maximum-entropy, 8.22-8.30]"},
    {.name = "gamma", .type = CEL_FIELD_AUTO, .offset = F(gamma), .def = "auto", .min = 0, .max = 1,
     .doc = "discount; auto: the MDP's own"},
    {.name = "method", .type = CEL_FIELD_ENUM, .offset = F(method), .def = "auto",
     .choices = METHODS,
     .doc = "solver: value iteration, Gauss-Seidel, modified policy iteration, policy iteration "
            "with a sparse direct solve, Newton-Krylov, or backward induction (finite horizons)"},
    {.name = "tolerance", .type = CEL_FIELD_DOUBLE, .offset = F(tolerance), .def = "1e-9",
     .min = 1e-300, .max = 1e300,
     .doc = "certified error of V in the sup-norm, relative to max(1, max |V|)"},
    {.name = "max_iterations", .type = CEL_FIELD_INT, .offset = F(max_iterations), .def = "0",
     .min = 0, .max = 9e15,
     .doc = "largest number of iterations; 0: no limit"},
    {.name = "max_seconds", .type = CEL_FIELD_DOUBLE, .offset = F(max_seconds), .def = "0",
     .min = 0, .max = 1e12, .unit = "s",
     .doc = "largest time; 0: no limit"},
    {.name = "threads", .type = CEL_FIELD_INT, .offset = F(threads), .def = "1", .min = 1,
     .max = 1024,
     .doc = "threads; the result has the same bits for any number"},
    {0},
};
// clang-format on

const CelField *cel_solve_fields(void) {
  return fields;
}

CelSolveConfig cel_solve_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelSolveConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(fields, &config);
  return config;
}

/// The name of the method, as in the field table.
static void method_name(CelSolveMethod method, char *text, size_t size) {
  const CelSolveConfig config = {.method = method};
  cel_fields_get(fields, &config, "method", text, size);
}

static CelStatus check(const CelMdp *mdp, const CelSolveConfig *config) {
  CELI_TRY(cel_fields_check(fields, config));
  const double gamma = isnan(config->gamma) ? mdp->discount : config->gamma;
  if (mdp->horizon == 0 && !(gamma >= 0.0 && gamma < 1.0))
    return cel_fail(CEL_E_RANGE,
                    "gamma is %g; it must be in [0, 1) for an infinite horizon (cel_solve_total "
                    "solves problems with gamma 1)",
                    gamma);
  CELI_TRY(celi_check_magnitude(mdp, gamma, false));
  const bool backward = config->method == CEL_SOLVE_BACKWARD;
  if (backward && mdp->horizon == 0)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "method backward needs an MDP with a finite horizon; use auto");
  if (mdp->horizon > 0 && !backward && config->method != CEL_SOLVE_AUTO)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the MDP has a horizon of %lld steps; use method backward or auto",
                    (long long)mdp->horizon);
  return CEL_OK;
}

// ---- the solution

void cel_solution_destroy(CelSolution *solution) {
  if (!solution) return;
  free(solution->V);
  free(solution->Q);
  free(solution->pi);
  free(solution->lower);
  free(solution->upper);
  free(solution);
}

/// Zeroed memory. Pages that are never written take no space, so a horizon that is not solved to
/// its end takes less.
static CelStatus zeroed(double **out, size_t n, const char *what) {
  *out = calloc(n > 0 ? n : 1, sizeof **out);
  if (*out) return CEL_OK;
  return cel_fail(CEL_E_MEMORY, "%s: not enough memory for %zu numbers", what, n);
}

/// Makes an empty solution. Sets `bytes` to the size of its arrays, and checks that they fit in
/// memory.
static CelStatus begin(CelSolution **out, const CelMdp *mdp, size_t *bytes) {
  CELI_TRY(celi_alloc(out, 1, sizeof **out, "a solution"));
  CelSolution *solution = *out;
  *solution = (CelSolution){
      .states = mdp->states, .pairs = mdp->pairs, .horizon = mdp->horizon, .bound = HUGE_VAL};
  const size_t T = mdp->horizon > 0 ? (size_t)mdp->horizon : 1;
  size_t values, pairs, more;
  if (!celi_size_mul(T, (size_t)mdp->states, &values) ||
      !celi_size_mul(T, (size_t)mdp->pairs, &pairs) || !celi_size_mul(8, values, bytes) ||
      !celi_size_mul(16, pairs, &more) || !celi_size_add(*bytes, more, bytes))
    return cel_fail(CEL_E_MEMORY, "the values of %zu time steps are too many to address", T);
  char what[64];
  snprintf(what, sizeof what, "values and policies of %zu time step%s", T, T == 1 ? "" : "s");
  return celi_mdp_room(*bytes, what);
}

/// Allocates the arrays of a solution. begin() has checked their sizes.
static CelStatus allocate(CelSolution *solution) {
  const size_t T = solution->horizon > 0 ? (size_t)solution->horizon : 1;
  const size_t values = T * (size_t)solution->states, pairs = T * (size_t)solution->pairs;
  CELI_TRY(zeroed(&solution->V, values, "the values of a solution"));
  CELI_TRY(zeroed(&solution->Q, pairs, "the action values of a solution"));
  return zeroed(&solution->pi, pairs, "the policy of a solution");
}

CelStatus cel_solution_save(const CelSolution *solution, const char *path) {
  CELI_NEED(solution);
  CELI_NEED(solution->V);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  const int64_t T = solution->horizon > 0 ? solution->horizon : 1;
  const struct {
    const char *name;
    int64_t columns;
    double *data;
  } parts[] = {{"V", solution->states, solution->V},
               {"Q", solution->pairs, solution->Q},
               {"pi", solution->pairs, solution->pi},
               {"lower", solution->states, solution->lower},
               {"upper", solution->states, solution->upper}};
  const int n = solution->lower && solution->upper ? 5 : 3;
  CelTensor list[5];
  memset(list, 0, sizeof list);
  for (int i = 0; i < n; i++) {
    snprintf(list[i].name, sizeof list[i].name, "%s", parts[i].name);
    list[i].type = CEL_F64, list[i].role = CEL_MODEL;
    list[i].ndim = 2, list[i].shape[0] = T, list[i].shape[1] = parts[i].columns;
    list[i].size = T * parts[i].columns, list[i].data = parts[i].data;
  }
  char method[CEL_TEXT_MAX], numbers[6][32];
  method_name(solution->method, method, sizeof method);
  const double values[6] = {solution->alpha,    solution->gamma, solution->value_start,
                            solution->residual, solution->bound, solution->seconds};
  for (int i = 0; i < 6; i++) snprintf(numbers[i], sizeof numbers[i], "%.17g", values[i]);
  const CelMeta meta[] = {{"format", "celsius-solution"},
                          {"method", method},
                          {"alpha", numbers[0]},
                          {"gamma", numbers[1]},
                          {"value_start", numbers[2]},
                          {"residual", numbers[3]},
                          {"bound", numbers[4]},
                          {"seconds", numbers[5]},
                          {"certified", solution->certified ? "true" : "false"}};
  return cel_safetensors_write_list(path, list, n, meta, (int)(sizeof meta / sizeof *meta));
}

// ---- a run

/// Progress of the bound from the first one to the tolerance, on a logarithmic scale.
static double fraction(const CeliRun *run, double bound, double wanted) {
  if (!(bound > wanted)) return 1.0;
  const double way = log(run->first_bound / wanted);
  return way > 0.0 && isfinite(way) ? fmax(0.0, log(run->first_bound / bound) / way) : 0.0;
}

/// Stores the result of a sweep.
static void found(CeliRun *run, CeliResidual residual) {
  run->residual = residual;
  run->rounding = celi_rounding_optimal(&run->op->shape, run->gamma, run->alpha, &residual);
  run->interval = celi_certificate(&run->op->shape, run->gamma, run->rounding, &residual);
  run->middle = celi_middle(&run->interval, residual.value_max);
  run->solution->sweeps++;
}

void celi_run_sweep(CeliRun *run) {
  found(run, celi_operator_sweep(run->op, run->alpha, run->next, run->V));
}

void celi_run_linearize(CeliRun *run) {
  found(run, celi_operator_linearize(run->op, run->alpha, run->next, run->V));
}

void celi_run_advance(CeliRun *run) {
  double *V = run->V;
  run->V = run->next;
  run->next = V;
}

void celi_run_shift(CeliRun *run, double c) {
  const int64_t *pair = run->mdp->pair;
  for (int64_t s = 0; s < run->op->states; s++)
    if (pair[s + 1] > pair[s]) run->V[s] += c;
}

static double largest_residual(const CeliResidual *residual) {
  return fmax(fabs(residual->low), fabs(residual->high));
}

/// True if only rounding errors of sweeps remain, or nothing improved for long.
static bool exhausted(CeliRun *run) {
  const double floor = 3.0 * run->rounding / (1.0 - run->gamma * run->op->shape.mass_max);
  if (!(run->middle.bound > floor)) return true;
  if (run->middle.bound < 0.9 * run->best_bound) {
    run->best_bound = run->middle.bound;
    run->best_sweep = run->solution->sweeps;
  }
  const double patience = 200.0 + 20.0 / (1.0 - run->gamma);
  return (double)(run->solution->sweeps - run->best_sweep) > patience;
}

bool celi_run_stopped(void *arg) {
  const CeliRun *run = arg;
  const double limit = run->config->max_seconds;
  return celi_interrupted() || (limit > 0.0 && celi_seconds() - run->start_seconds >= limit);
}

bool celi_run_goes_on(CeliRun *run) {
  const CelSolveConfig *config = run->config;
  CelSolution *solution = run->solution;
  const double bound = run->middle.bound;
  const double wanted = config->tolerance * fmax(1.0, run->middle.value_max);
  const double seconds = celi_seconds() - run->start_seconds;
  if (!(run->first_bound > 0.0)) run->first_bound = bound;
  const CelSolveProgress now = {.method = run->method,
                                .iteration = solution->iterations,
                                .sweeps = solution->sweeps,
                                .residual = largest_residual(&run->residual),
                                .bound = bound,
                                .seconds = seconds,
                                .fraction = fraction(run, bound, wanted)};
  const bool stop = config->progress && !config->progress(config->user, &now);
  celi_floats_keep();
  return !stop && bound > wanted && !exhausted(run) && !celi_run_stopped(run) &&
         !(config->max_iterations > 0 && solution->iterations >= config->max_iterations);
}

// ---- final steps

typedef struct Finish {
  const CeliRun *run;
  double tie;
} Finish;

/// Q and pi for the final V.
static void finish_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                         double *sums) {
  (void)thread, (void)sums;
  const Finish *finish = args;
  const CelMdp *mdp = op->mdp;
  CelSolution *solution = finish->run->solution;
  for (int64_t s = begin; s < end; s++) {
    const int64_t p = mdp->pair[s], n = mdp->pair[s + 1] - p;
    for (int64_t a = p; a < p + n; a++)
      solution->Q[a] = celi_backup(mdp, op->gamma, finish->run->V, a);
    celi_policy_of(solution->pi + p, solution->Q + p, n, finish->run->alpha, finish->tie);
    solution->V[s] = finish->run->V[s];
  }
}

/// Shifts V to the middle of the interval and measures the residual there.
static CelStatus finish(CeliRun *run) {
  CelSolution *solution = run->solution;
  CELI_TRY(allocate(solution)); // only now, after the method freed its own arrays
  const CeliMiddle middle = run->middle;
  celi_run_shift(run, middle.c);
  celi_run_sweep(run);
  solution->residual = largest_residual(&run->residual);
  // Two bounds are valid: that of this sweep, and that of the middle to which V was shifted.
  solution->bound = fmin(middle.bound, fmax(fabs(run->interval.low), fabs(run->interval.high)));
  solution->certified =
      solution->bound <= run->config->tolerance * fmax(1.0, run->residual.value_max);
  // The error of each Q is at most gamma bound plus its rounding error, which is below (1 - gamma)
  // bound.
  Finish args = {.run = run, .tie = 2.0 * solution->bound};
  double sums[CELI_SUMS];
  celi_operator_blocks(run->op, finish_block, &args, sums);
  return CEL_OK;
}

/// `later`: size of the solution's arrays, in bytes.
static CelStatus iterate(CeliRun *run, size_t later) {
  static CelStatus (*const methods[])(CeliRun *) = {celi_solve_auto,         celi_solve_vi,
                                                    celi_solve_gauss_seidel, celi_solve_mpi,
                                                    celi_solve_pi,           celi_solve_newton};
  CelStatus status =
      celi_operator_create(&run->op, run->mdp, run->gamma, run->config->threads, later);
  if (status == CEL_OK) status = celi_operator_vector(run->op, &run->V);
  if (status == CEL_OK) status = celi_operator_vector(run->op, &run->next);
  method_name(run->solution->method, run->method, sizeof run->method);
  if (status == CEL_OK) status = methods[run->config->method](run);
  if (status == CEL_OK) status = finish(run);
  free(run->V);
  free(run->next);
  celi_operator_destroy(run->op);
  return status;
}

CelStatus cel_solve(const CelMdp *mdp, const CelSolveConfig *config, CelSolution **out) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(config);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  *out = NULL;
  CELI_TRY(check(mdp, config));
  CelSolution *solution = NULL;
  CeliRun run = {.mdp = mdp,
                 .config = config,
                 .alpha = config->alpha,
                 .gamma = isnan(config->gamma) ? mdp->discount : config->gamma,
                 .best_bound = HUGE_VAL,
                 .start_seconds = celi_seconds()};
  size_t later = 0;
  CelStatus status = begin(&solution, mdp, &later);
  if (status == CEL_OK && mdp->horizon > 0) status = allocate(solution);
  if (status == CEL_OK) {
    run.solution = solution;
    solution->alpha = run.alpha, solution->gamma = run.gamma;
    solution->method = mdp->horizon > 0 ? CEL_SOLVE_BACKWARD : (CelSolveMethod)config->method;
    status = mdp->horizon > 0 ? celi_solve_backward(&run) : iterate(&run, later);
  }
  if (status != CEL_OK) {
    cel_solution_destroy(solution);
    return status;
  }
  solution->value_start =
      mdp->horizon > 0 && isinf(solution->bound) ? (double)NAN : cel_value_start(mdp, solution->V);
  solution->seconds = celi_seconds() - run.start_seconds;
  *out = solution;
  return CEL_OK;
}
