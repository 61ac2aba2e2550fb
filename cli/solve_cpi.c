/// celsius solve --cpi: conservative policy iteration from the uniform policy.
#include "solve.h"

#include "celsius/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/// The steps so far.
typedef struct Log {
  const Solve *solve;
  double gamma;
  cJSON *rows;         ///< NULL: rows are printed as text
  bool header;         ///< the header was printed
  int64_t next;        ///< the next step to print
  double start;        ///< time of the monotonic clock, seconds
  int64_t steps, held; ///< held: steps that gained at least their bound
} Log;

static void add_row(cJSON *rows, int64_t iteration, const CelConservativeStep *step) {
  cJSON *row = cJSON_CreateObject();
  cJSON_AddNumberToObject(row, "iteration", (double)iteration + 1);
  cJSON_AddNumberToObject(row, "J", step->J);
  cJSON_AddNumberToObject(row, "J_next", step->J_next);
  cJSON_AddNumberToObject(row, "eps", step->eps);
  cJSON_AddNumberToObject(row, "surrogate", step->surrogate);
  cJSON_AddNumberToObject(row, "penalty", step->drift_penalty);
  cJSON_AddNumberToObject(row, "rounding", step->rounding);
  cJSON_AddNumberToObject(row, "bound", step->lower_bound);
  cJSON_AddNumberToObject(row, "gain", step->J_next - step->J);
  cJSON_AddBoolToObject(row, "held", step->held);
  cJSON_AddNumberToObject(row, "gap", step->gap);
  cJSON_AddItemToArray(rows, row);
}

/// The first ten steps are printed, then fewer and fewer, so that the table stays short.
/// --guarantee prints all of them. A step below its bound is always printed.
static bool is_printed(Log *log, int64_t iteration, const CelConservativeStep *step) {
  if (step->stopped) return iteration > 0;
  if (iteration < log->next && step->held && !log->solve->options.guarantee) return false;
  if (iteration >= log->next)
    log->next = iteration < 9 ? iteration + 1 : iteration + 1 + (iteration + 1) / 2;
  return true;
}

static void print_header(Log *log) {
  if (log->header) return;
  solve_print_problem(log->solve->mdp, log->gamma);
  printf("%9s %13s %13s %9s %11s %11s %11s %11s %5s %9s\n", "iteration", "J", "J_next", "eps",
         "surrogate", "penalty", "bound", "gain", "held", "gap");
  log->header = true;
}

static void print_row(int64_t iteration, const CelConservativeStep *step) {
  if (step->stopped) {
    printf("%9lld  no step is guaranteed to gain more than the tolerance\n",
           (long long)iteration + 1);
    return;
  }
  printf("%9lld %13.8g %13.8g %9.3g %11.4g %11.4g %11.4g %11.4g %5s %9.2g\n",
         (long long)iteration + 1, step->J, step->J_next, step->eps, step->surrogate,
         step->drift_penalty, step->lower_bound, step->J_next - step->J, step->held ? "yes" : "NO",
         step->gap);
}

static bool on_step(void *user, int64_t iteration, const CelConservativeStep *step) {
  Log *log = user;
  const double limit = log->solve->config.max_seconds, seconds = cli_seconds() - log->start;
  log->steps += !step->stopped;
  log->held += !step->stopped && step->held;
  if (!log->rows) print_header(log);
  if (log->rows && !step->stopped) add_row(log->rows, iteration, step);
  if (!log->rows && is_printed(log, iteration, step)) print_row(iteration, step);
  return !cli_stop_asked() && !(limit > 0 && seconds >= limit);
}

static void uniform(const CelMdp *mdp, double *pi) {
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t n = mdp->pair[s + 1] - mdp->pair[s];
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) pi[p] = 1.0 / (double)n;
  }
}

// ---- at the end

/// Values of the last policy.
static CelStatus evaluate(const Solve *solve, double gamma, const double *pi, double *V,
                          double *Q) {
  double bound;
  const CelMdp *mdp = solve->mdp;
  const CelStatus status =
      cel_mdp_evaluate(mdp, pi, 0, gamma, CEL_EVALUATE_DIRECT, 1e-12, V, Q, &bound);
  if (status != CEL_E_UNSUPPORTED) return status;
  return cel_mdp_evaluate(mdp, pi, 0, gamma, CEL_EVALUATE_SWEEPS, 1e-12, V, Q, &bound);
}

static CelStatus save(const Solve *solve, double gamma, const CelConservativeStep *last, double *pi,
                      double *V, double *Q) {
  CelTensor list[3];
  char numbers[3][32];
  double *const data[3] = {V, Q, pi};
  const char *const names[3] = {"V", "Q", "pi"};
  memset(list, 0, sizeof list);
  for (int i = 0; i < 3; i++) {
    snprintf(list[i].name, sizeof list[i].name, "%s", names[i]);
    list[i].type = CEL_F64, list[i].role = CEL_MODEL, list[i].ndim = 2, list[i].shape[0] = 1;
    list[i].size = list[i].shape[1] = i ? solve->mdp->pairs : solve->mdp->states;
    list[i].data = data[i];
  }
  const double values[3] = {gamma, last->J_next, last->gap};
  for (int i = 0; i < 3; i++) snprintf(numbers[i], sizeof numbers[i], "%.17g", values[i]);
  const CelMeta meta[] = {
      {"format", "celsius-solution"}, {"method", "conservative"},  {"alpha", "0"},
      {"gamma", numbers[0]},          {"value_start", numbers[1]}, {"gap", numbers[2]},
      {"certified", "true"}};
  return cel_safetensors_write_list(solve->options.out, list, 3, meta,
                                    (int)(sizeof meta / sizeof *meta));
}

static CelStatus write_files(const Solve *solve, double gamma, const CelConservativeStep *last,
                             double *pi) {
  const SolveOptions *options = &solve->options;
  const CelMdp *mdp = solve->mdp;
  if (!options->out[0] && !options->plot[0]) return CEL_OK;
  double *V = malloc((size_t)mdp->states * sizeof *V), *Q = malloc((size_t)mdp->pairs * sizeof *Q);
  CelStatus status = V && Q ? evaluate(solve, gamma, pi, V, Q)
                            : cel_fail(CEL_E_MEMORY, "not enough memory for a policy's values");
  const SolveTables tables = {V, Q, pi, 0};
  if (status == CEL_OK && solve_is_csv(options->out))
    status = solve_write_policy(mdp, &tables, options->out);
  else if (status == CEL_OK && options->out[0])
    status = save(solve, gamma, last, pi, V, Q);
  if (status == CEL_OK && options->plot[0]) {
    char subtitle[256];
    solve_subtitle(subtitle, sizeof subtitle, "conservative policy iteration", mdp, 0, gamma,
                   last->J_next);
    status = cel_plot_grid(mdp, V, pi, subtitle, options->plot, &solve->picture);
  }
  free(V);
  free(Q);
  return status;
}

static void print_summary(const Log *log, const CelConservativeStep *last) {
  char steps[32], held[32];
  printf("\nvalue at start  %.10g (J), after %s step%s, %.3g s\n", last->J_next,
         cli_count(steps, log->steps), cli_s(log->steps), cli_seconds() - log->start);
  if (log->held == log->steps)
    printf("guarantee       every step raised J by at least its bound; ");
  else
    printf("guarantee       BROKEN: only %s of %s bound%s held; ", cli_count(held, log->held),
           cli_count(steps, log->steps), cli_s(log->steps));
  printf("the optimum is at most %.2g higher\n", last->gap);
}

static CelStatus finish(Log *log, double gamma, const CelConservativeStep *last, double *pi,
                        cJSON *json) {
  const CelStatus status = write_files(log->solve, gamma, last, pi);
  if (status != CEL_OK) return status;
  if (!json) {
    print_summary(log, last);
    return CEL_OK;
  }
  cJSON_AddStringToObject(json, "method", "conservative");
  cJSON_AddNumberToObject(json, "value_start", last->J_next);
  cJSON_AddNumberToObject(json, "iterations", (double)log->steps);
  cJSON_AddNumberToObject(json, "seconds", cli_seconds() - log->start);
  cJSON_AddNumberToObject(json, "gap", last->gap);
  cJSON_AddNumberToObject(json, "held", (double)log->held);
  cJSON_AddBoolToObject(json, "stopped", last->stopped);
  cJSON_AddItemToObject(json, "steps", log->rows);
  log->rows = NULL;
  return CEL_OK;
}

static bool time_is_up(void *user) {
  const Log *log = user;
  const double limit = log->solve->config.max_seconds;
  return cli_stop_asked() || (limit > 0 && cli_seconds() - log->start >= limit);
}

CelStatus solve_cpi(Solve *solve) {
  const CelMdp *mdp = solve->mdp;
  const double gamma = isnan(solve->config.gamma) ? mdp->discount : solve->config.gamma;
  CelConservativeConfig config = cel_conservative_config_default();
  CelConservativeStep last;
  cJSON *json = solve->options.json ? cJSON_CreateObject() : NULL;
  Log log = {.solve = solve, .gamma = gamma, .start = cli_seconds()};
  double *pi = malloc((size_t)mdp->pairs * sizeof *pi);
  if (!pi)
    return cel_fail(CEL_E_MEMORY, "not enough memory for a policy of %lld state-action pairs",
                    (long long)mdp->pairs);
  uniform(mdp, pi);
  config.gamma = gamma, config.tolerance = solve->config.tolerance;
  config.max_iterations = solve->config.max_iterations;
  config.step = on_step, config.user = &log;
  if (json) {
    solve_json_problem(json, mdp, gamma);
    log.rows = cJSON_CreateArray();
  }
  cel_set_interrupt_hook(time_is_up, &log);
  CelStatus status = cel_conservative_iteration(mdp, &config, pi, &last);
  cel_set_interrupt_hook(NULL, NULL); // a stop must not interrupt evaluating and writing the result
  if (status == CEL_OK) status = finish(&log, gamma, &last, pi, json);
  if (status == CEL_OK && json) {
    status = cli_print_json(json);
    json = NULL;
  }
  cJSON_Delete(json);
  cJSON_Delete(log.rows);
  free(pi);
  solve->broken = solve->options.guarantee && log.held < log.steps;
  if (status == CEL_OK && cli_stop_asked())
    status = cel_fail(CEL_E_INTERRUPTED, "stopped after %lld step%s; the printed result is valid",
                      (long long)log.steps, cli_s(log.steps));
  return status;
}
