/// The temperature sweep of `celsius solve`: value, return and entropy as functions of alpha.
///
///     value         J at alpha, including the entropy
///     hard return   discounted rewards of the optimal policy at alpha (evaluated at alpha 0)
///     entropy       nats per step: the policy's entropy, averaged over the discounted distribution
///                   of states that have actions
///     entropy_sum   discounted sum of the entropies: value = hard return + alpha entropy_sum
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t direct_most = 50000; ///< a direct solve is fast up to this many states
static const double solved = 1e-12;       ///< tolerance of an evaluation

typedef struct Point {
  CelSweepPoint shown;
  double entropy_sum;
} Point;

/// Buffers of a measurement.
typedef struct Buffers {
  double *V, *Q, *p; ///< (states), (pairs), (2, states)
} Buffers;

static void buffers_free(Buffers *b) {
  free(b->V);
  free(b->Q);
  free(b->p);
}

static CelStatus buffers_make(Buffers *b, const CelMdp *mdp) {
  const size_t S = (size_t)mdp->states;
  *b = (Buffers){malloc(S * sizeof(double)), malloc((size_t)mdp->pairs * sizeof(double)),
                 malloc(2 * S * sizeof(double))};
  if (b->V && b->Q && b->p) return CEL_OK;
  buffers_free(b);
  (void)cel_fail(CEL_E_MEMORY, "not enough memory to evaluate %zu states", S);
  return CEL_E_MEMORY;
}

static double entropy(const double *pi, int64_t n) {
  double sum = 0;
  for (int64_t a = 0; a < n; a++)
    if (pi[a] > 0) sum -= pi[a] * log(pi[a]);
  return sum;
}

/// Adds `weight` times the number of steps and the entropy under pi (pairs), with the state drawn
/// from p (states).
static void add_steps(const CelMdp *mdp, const double *p, const double *pi, double weight,
                      double *steps, double *sum) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t first = mdp->pair[s], n = mdp->pair[s + 1] - first;
    if (n == 0) continue;
    *steps += weight * p[s];
    *sum += weight * p[s] * entropy(pi + first, n);
  }
}

/// One step of a state distribution: next = p P_pi. Transitions that end the episode are dropped.
static void propagate(const CelMdp *mdp, const double *p, const double *pi, double *next) {
  memset(next, 0, (size_t)mdp->states * sizeof *next);
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++)
      for (int64_t t = mdp->row[k]; t < mdp->row[k + 1]; t++)
        if (!mdp->ends || !mdp->ends[t])
          next[cel_mdp_next(mdp, t)] += p[s] * pi[k] * mdp->probability[t];
}

/// Adds `weight` times the reward under pi (pairs), with the state drawn from p (states).
static void add_rewards(const CelMdp *mdp, const double *p, const double *pi, double weight,
                        double *sum) {
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++)
      *sum += weight * p[s] * pi[k] * mdp->reward[k];
}

/// Propagates the state distribution forward from the start, which needs no values per time step.
/// Errors: CEL_E_INTERRUPTED.
static CelStatus measure_horizon(const CelMdp *mdp, const CelSolution *solution, Buffers *b,
                                 double *steps, Point *point) {
  double *p = b->p, *next = b->p + mdp->states, weight = 1;
  memcpy(p, mdp->start, (size_t)mdp->states * sizeof *p);
  for (int64_t t = 0; t < mdp->horizon; t++, weight *= solution->gamma) {
    const double *pi = solution->pi + t * mdp->pairs;
    if (cli_stop_asked()) return cel_fail(CEL_E_INTERRUPTED, "stopped on request");
    add_steps(mdp, p, pi, weight, steps, &point->entropy_sum);
    add_rewards(mdp, p, pi, weight, &point->shown.hard_return);
    propagate(mdp, p, pi, next);
    double *swap = p;
    p = next, next = swap;
  }
  return CEL_OK;
}

static CelStatus measure_infinite(const CelMdp *mdp, const CelSolution *solution, Buffers *b,
                                  double *steps, Point *point) {
  const double gamma = solution->gamma;
  CelEvaluateMethod method = mdp->states <= direct_most ? CEL_EVALUATE_DIRECT : CEL_EVALUATE_KRYLOV;
  double bound;
  CelStatus status =
      cel_mdp_evaluate(mdp, solution->pi, 0, gamma, method, solved, b->V, b->Q, &bound);
  if (status == CEL_E_UNSUPPORTED) { // the build has no direct solver
    method = CEL_EVALUATE_SWEEPS;
    status = cel_mdp_evaluate(mdp, solution->pi, 0, gamma, method, solved, b->V, b->Q, &bound);
  }
  if (status == CEL_OK)
    status = cel_discounted_distribution(mdp, solution->pi, gamma, method, solved, b->p);
  if (status != CEL_OK) return status;
  point->shown.hard_return = cel_value_start(mdp, b->V);
  add_steps(mdp, b->p, solution->pi, 1 / (1 - gamma), steps, &point->entropy_sum);
  return CEL_OK;
}

/// Without a discount the entropy is averaged over the expected steps of an episode.
static CelStatus measure_undiscounted(const Solve *solve, const CelSolution *solution,
                                      Point *point) {
  SolveParts parts;
  const CelStatus status = solve_measure(solve, solution, &parts);
  if (status == CEL_E_UNSUPPORTED) { // infinite, or too many steps
    parts = (SolveParts){.hard_return = (double)NAN, .entropy_sum = (double)NAN, .steps = 1};
  } else if (status != CEL_OK) {
    return status;
  }
  point->shown.hard_return = parts.hard_return;
  point->entropy_sum = parts.entropy_sum;
  point->shown.entropy = parts.steps > 0 ? parts.entropy_sum / parts.steps : 0;
  return CEL_OK;
}

static CelStatus measure(const Solve *solve, const CelSolution *solution, Point *point) {
  const CelMdp *mdp = solve->mdp;
  Buffers b;
  double steps = 0;
  *point = (Point){.shown = {.alpha = solution->alpha, .value = solution->value_start}};
  if (solve->undiscounted) return measure_undiscounted(solve, solution, point);
  CelStatus status = buffers_make(&b, mdp);
  if (status != CEL_OK) return status;
  if (mdp->horizon)
    status = measure_horizon(mdp, solution, &b, &steps, point);
  else
    status = measure_infinite(mdp, solution, &b, &steps, point);
  if (status == CEL_OK) point->shown.entropy = steps > 0 ? point->entropy_sum / steps : 0;
  buffers_free(&b);
  return status;
}

// ---- output

static void print_row(const CelSolution *solution, const Point *point) {
  char method[CEL_TEXT_MAX], sweeps[32];
  solve_method_name(solution, method);
  printf("%10.6g %14.8g %14.8g %9.4f   %-13s %9s %9.3g  %8.1e%s\n", point->shown.alpha,
         point->shown.value, point->shown.hard_return, point->shown.entropy, method,
         cli_count(sweeps, solution->sweeps), solution->seconds, solution->bound,
         solution->certified ? "" : " (not certified)");
}

static void print_head(const Solve *solve, double gamma) {
  solve_print_problem(solve->mdp, gamma);
  printf("%10s %14s %14s %9s   %-13s %9s %9s  %8s\n", "alpha", "value", "hard return", "entropy",
         "method", "sweeps", "seconds", "bound");
}

static cJSON *json_row(const CelSolution *solution, const Point *point) {
  cJSON *row = cJSON_CreateObject();
  solve_json_solution(row, solution);
  cJSON_AddNumberToObject(row, "hard_return", point->shown.hard_return);
  cJSON_AddNumberToObject(row, "entropy", point->shown.entropy);
  cJSON_AddNumberToObject(row, "entropy_sum", point->entropy_sum);
  return row;
}

/// Writes a number in as few digits as read back to the same bits.
static void write_number(FILE *table, double x, char after) {
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  fprintf(table, "%s%c", text, after);
}

static void write_row(FILE *table, const CelSolution *solution, const Point *point) {
  write_number(table, point->shown.alpha, ',');
  write_number(table, point->shown.value, ',');
  write_number(table, point->shown.hard_return, ',');
  write_number(table, point->shown.entropy, ',');
  write_number(table, point->entropy_sum, ',');
  write_number(table, solution->bound, '\n');
}

/// Solves at alpha i, measures the solution and prints its row. *printed is false if the solver was
/// stopped early. Measuring takes as long as solving, too long after Ctrl-C.
static CelStatus solve_at(Solve *solve, int i, cJSON *rows, FILE *table, CelSweepPoint *shown,
                          bool *printed) {
  char label[64];
  CelSolution *solution = NULL;
  Point point = {.entropy_sum = 0};
  snprintf(label, sizeof label, "alpha %.4g (%d of %d)", solve->alpha[i], i + 1, solve->n_alphas);
  CelStatus status = solve_one(solve, solve->alpha[i], label, &solution);
  if (status == CEL_OK && solve_unfinished(solution) && !cli_stop_asked())
    status = cel_fail(CEL_E_INTERRUPTED,
                      "alpha %.6g: the limit was reached before the first time step was solved; "
                      "raise --max-seconds or --max-iterations",
                      solve->alpha[i]);
  *printed = status == CEL_OK && (solution->certified || !cli_stop_asked());
  if (*printed) status = measure(solve, solution, &point);
  if (*printed && status == CEL_OK) {
    *shown = point.shown;
    if (i == 0 && !rows) print_head(solve, solution->gamma);
    if (i == 0 && rows) solve_json_problem(rows, solve->mdp, solution->gamma);
    if (rows)
      cJSON_AddItemToArray(cJSON_GetObjectItem(rows, "sweep"), json_row(solution, &point));
    else
      print_row(solution, &point);
    if (table) write_row(table, solution, &point);
  }
  cel_solution_destroy(solution);
  return status;
}

static CelStatus plot(const Solve *solve, const CelSweepPoint *shown, int n) {
  char subtitle[256];
  const double gamma = isnan(solve->config.gamma) ? solve->mdp->discount : solve->config.gamma;
  snprintf(subtitle, sizeof subtitle, "soft-optimal solutions at %d temperatures, gamma %.6g", n,
           gamma);
  const char *title = solve->picture.title[0] ? solve->picture.title : solve->mdp->name;
  return cel_plot_sweep(shown, n, title, subtitle, solve->options.plot);
}

CelStatus solve_sweep(Solve *solve) {
  const SolveOptions *options = &solve->options;
  CelSweepPoint shown[SOLVE_ALPHAS_MAX];
  CelStatus status = CEL_OK;
  cJSON *json = options->json ? cJSON_CreateObject() : NULL;
  CliFile file = {.stream = NULL};
  int n = 0;
  if (options->out[0]) status = cli_file_open(&file, options->out);
  FILE *table = file.stream;
  if (json) cJSON_AddArrayToObject(json, "sweep");
  if (table) fprintf(table, "alpha,value_start,hard_return,entropy,entropy_sum,bound\n");
  while (status == CEL_OK && n < solve->n_alphas && !cli_stop_asked()) {
    bool printed = false;
    status = solve_at(solve, n, json, table, &shown[n], &printed);
    n += printed;
  }
  if (table) status = cli_file_close(&file, status);
  if (status == CEL_OK && options->plot[0] && n > 0) status = plot(solve, shown, n);
  if (status == CEL_OK && json)
    status = cli_print_json(json);
  else
    cJSON_Delete(json);
  if (status == CEL_OK && cli_stop_asked())
    status = cel_fail(CEL_E_INTERRUPTED, "stopped after %d of %d temperatures", n, solve->n_alphas);
  return status;
}
