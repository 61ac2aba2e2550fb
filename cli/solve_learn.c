/// celsius solve --q-learning: tabular soft Q-learning from sampled transitions, compared with the
/// exact solution.
#include "solve.h"

#include "celsius/q_learning.h"
#include "celsius/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 20000 }; ///< at most 1000 rows per factor of ten, over 16 of them, and the last

/// A printed round.
typedef struct Row {
  CelErrorPoint point;
  double samples, residual;
} Row;

typedef struct Log {
  const Solve *solve;
  const CelSolution *exact;
  Row *rows; ///< (ROWS_MAX)
  int64_t n;
  CliBar bar;
} Log;

static double distance(const double *a, const double *b, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
  return most;
}

static void print_row(const Row *row) {
  char round[32], samples[32];
  printf("%15s %19s %12.5g %12.5g %12.5g\n", cli_count(round, (int64_t)row->point.round),
         cli_count(samples, (int64_t)row->samples), row->point.error, row->residual,
         row->point.bound);
}

static void show_bar(CliBar *bar, const CelQLearningProgress *now) {
  char text[160], brief[64], eta[32];
  const double left = now->seconds * (1 - now->fraction) / now->fraction;
  cli_duration(eta, left);
  snprintf(text, sizeof text, "round %lld  bound %.2g  ETA %s", (long long)now->round, now->bound,
           eta);
  snprintf(brief, sizeof brief, "bound %.2g  ETA %s", now->bound, eta);
  cli_bar_draw(bar, &(CliProgress){now->fraction, now->seconds, text, brief});
}

static bool on_progress(void *user, const CelQLearningProgress *now) {
  Log *log = user;
  if (now->scheduled && log->n < ROWS_MAX) {
    const double error = distance(now->Q, log->exact->Q, log->exact->pairs);
    Row *row = &log->rows[log->n++];
    *row = (Row){{(double)now->round, error, now->bound}, (double)now->samples, now->residual};
    cli_bar_clear(&log->bar);
    if (!log->solve->options.json) print_row(row);
  } else {
    show_bar(&log->bar, now);
  }
  return !cli_stop_asked();
}

/// The slope of log error against log round over the last two factors of ten, by least squares. NAN
/// with fewer than four points. (A Log called `log` would hide the function.)
static double slope(const Log *rounds) {
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  const double last = rounds->n ? rounds->rows[rounds->n - 1].point.round : 0;
  for (int64_t i = 0; i < rounds->n; i++) {
    const CelErrorPoint *p = &rounds->rows[i].point;
    if (p->round < last / 100 || !(p->error > 0)) continue;
    const double u = log(p->round), v = log(p->error);
    n++, x += u, y += v, xx += u * u, xy += u * v;
  }
  return n >= 4 ? (n * xy - x * y) / (n * xx - x * x) : (double)NAN;
}

// ---- files

static CelStatus write_table(const Log *log, const char *path) {
  CliFile table;
  const CelStatus status = cli_file_open(&table, path);
  if (status != CEL_OK) return status;
  FILE *file = table.stream;
  fprintf(file, "round,samples,error,residual,bound\n");
  for (int64_t i = 0; i < log->n; i++) {
    const Row *row = &log->rows[i];
    fprintf(file, "%.0f,%.0f,%.17g,%.17g,%.17g\n", row->point.round, row->samples, row->point.error,
            row->residual, row->point.bound);
  }
  return cli_file_close(&table, CEL_OK);
}

static CelStatus save(const CelQLearning *learned, const char *path) {
  CelTensor list[3];
  char numbers[4][32];
  double *const data[3] = {learned->V, learned->Q, learned->pi};
  const char *const names[3] = {"V", "Q", "pi"};
  memset(list, 0, sizeof list);
  for (int i = 0; i < 3; i++) {
    snprintf(list[i].name, sizeof list[i].name, "%s", names[i]);
    list[i].type = CEL_F64, list[i].role = CEL_MODEL, list[i].ndim = 2, list[i].shape[0] = 1;
    list[i].size = list[i].shape[1] = i ? learned->pairs : learned->states;
    list[i].data = data[i];
  }
  const double values[4] = {learned->alpha, learned->gamma, learned->value_start, learned->bound};
  for (int i = 0; i < 4; i++) snprintf(numbers[i], sizeof numbers[i], "%.17g", values[i]);
  const CelMeta meta[] = {{"format", "celsius-solution"}, {"method", "q-learning"},
                          {"alpha", numbers[0]},          {"gamma", numbers[1]},
                          {"value_start", numbers[2]},    {"bound", numbers[3]}};
  return cel_safetensors_write_list(path, list, 3, meta, (int)(sizeof meta / sizeof *meta));
}

static CelStatus plot(const Log *log, const CelQLearning *learned) {
  const Solve *solve = log->solve;
  char subtitle[256];
  CelErrorPoint *point = calloc((size_t)log->n + 1, sizeof *point);
  if (!point) return cel_fail(CEL_E_MEMORY, "not enough memory for a curve");
  for (int64_t i = 0; i < log->n; i++) point[i] = log->rows[i].point;
  solve_subtitle(subtitle, sizeof subtitle, "soft Q-learning", solve->mdp, learned->alpha,
                 learned->gamma, learned->value_start);
  const char *title = solve->picture.title[0] ? solve->picture.title : solve->mdp->name;
  const CelStatus status = cel_plot_error(point, log->n, title, subtitle, solve->options.plot);
  free(point);
  return status;
}

static CelStatus write_files(const Log *log, const CelQLearning *learned) {
  const SolveOptions *options = &log->solve->options;
  const size_t n = strlen(options->out);
  const bool table = n >= 5 && strcmp(options->out + n - 4, ".csv") == 0;
  CelStatus status = CEL_OK;
  if (n) status = table ? write_table(log, options->out) : save(learned, options->out);
  if (status == CEL_OK && options->plot[0]) status = plot(log, learned);
  return status;
}

// ---- the summary

/// Exact J of the optimum minus exact J of the learned policy.
static CelStatus shortfall(const Log *log, const CelQLearning *learned, double *lost) {
  const CelMdp *mdp = log->solve->mdp;
  double bound, *V = malloc((size_t)mdp->states * sizeof *V);
  if (!V) return cel_fail(CEL_E_MEMORY, "not enough memory for a policy's values");
  CelStatus status = cel_mdp_evaluate(mdp, learned->pi, learned->alpha, learned->gamma,
                                      CEL_EVALUATE_DIRECT, 1e-12, V, NULL, &bound);
  if (status == CEL_E_UNSUPPORTED)
    status = cel_mdp_evaluate(mdp, learned->pi, learned->alpha, learned->gamma, CEL_EVALUATE_SWEEPS,
                              1e-12, V, NULL, &bound);
  if (status == CEL_OK) *lost = log->exact->value_start - cel_value_start(mdp, V);
  free(V);
  return status;
}

static const char *sampling_name(const CelQLearningConfig *config) {
  return config->sampling == CEL_Q_SYNCHRONOUS ? "synchronous" : "asynchronous";
}

static void print_summary(const Log *log, const CelQLearning *learned, double lost) {
  char rounds[32], samples[32], unvisited[32];
  const double rate = slope(log), error = distance(learned->Q, log->exact->Q, learned->pairs);
  const char *soft = learned->alpha > 0 ? "soft " : "";
  printf("\nvalue at start  %.6g (J of the learned Q, at alpha %.6g); the exact J is %.6g\n",
         learned->value_start, learned->alpha, log->exact->value_start);
  printf("learned from    %s sample%s in %s %s round%s, %.3g s\n",
         cli_count(samples, learned->samples), cli_s(learned->samples),
         cli_count(rounds, learned->rounds), sampling_name(&log->solve->q), cli_s(learned->rounds),
         learned->seconds);
  printf("error           %.4g, the largest difference from the exact Q\n", error);
  printf("bound           %.4g, without the exact Q: sup-norm of TQ - Q (%.4g) / (1 - gamma)\n",
         learned->bound, learned->residual);
  if (isfinite(rate))
    printf("slope           %.2f (log error against log rounds, over the last factor of 100)\n",
           rate);
  if (fabs(lost) > 1e-9 * fmax(1, fabs(log->exact->value_start)))
    printf("policy          its %sreturn is %.4g below the best\n", soft, lost);
  else
    printf("policy          its %sreturn is the best, up to rounding\n", soft);
  if (learned->unvisited)
    printf("never sampled   %s state-action pairs; their Q is still 0\n",
           cli_count(unvisited, learned->unvisited));
}

static cJSON *trace(const Log *log) {
  cJSON *rows = cJSON_CreateArray();
  for (int64_t i = 0; i < log->n; i++) {
    const Row *row = &log->rows[i];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddNumberToObject(item, "round", row->point.round);
    cJSON_AddNumberToObject(item, "samples", row->samples);
    cJSON_AddNumberToObject(item, "error", row->point.error);
    cJSON_AddNumberToObject(item, "residual", row->residual);
    cJSON_AddNumberToObject(item, "bound", row->point.bound);
    cJSON_AddItemToArray(rows, item);
  }
  return rows;
}

static CelStatus print_json(const Log *log, const CelQLearning *learned, double lost) {
  cJSON *json = cJSON_CreateObject();
  const double rate = slope(log);
  solve_json_problem(json, log->solve->mdp, learned->gamma);
  cJSON_AddStringToObject(json, "method", "q-learning");
  cJSON_AddStringToObject(json, "sampling", sampling_name(&log->solve->q));
  cJSON_AddNumberToObject(json, "alpha", learned->alpha);
  cJSON_AddNumberToObject(json, "value_start", learned->value_start);
  cJSON_AddNumberToObject(json, "value_exact", log->exact->value_start);
  cJSON_AddNumberToObject(json, "rounds", (double)learned->rounds);
  cJSON_AddNumberToObject(json, "samples", (double)learned->samples);
  cJSON_AddNumberToObject(json, "never_sampled", (double)learned->unvisited);
  cJSON_AddNumberToObject(json, "seconds", learned->seconds);
  cJSON_AddNumberToObject(json, "error", distance(learned->Q, log->exact->Q, learned->pairs));
  cJSON_AddNumberToObject(json, "residual", learned->residual);
  cJSON_AddNumberToObject(json, "bound", learned->bound);
  if (isfinite(rate))
    cJSON_AddNumberToObject(json, "slope", rate);
  else
    cJSON_AddNullToObject(json, "slope");
  cJSON_AddNumberToObject(json, "policy_loses", lost);
  cJSON_AddItemToObject(json, "trace", trace(log));
  return cli_print_json(json);
}

// ---- learning

/// Finds the exact solution, the reference of every error. *out stays NULL if the problem has a
/// horizon; cel_q_learning then fails with its own message.
static CelStatus solve_exactly(Solve *solve, CelSolution **out) {
  if (solve->mdp->horizon) return CEL_OK;
  solve->config.tolerance = 1e-12;
  return solve_one(solve, solve->alpha[0], "exact solution", out);
}

static CelStatus learn(Solve *solve, Log *log) {
  CelQLearning *learned = NULL;
  CelQLearningConfig config = solve->q;
  double lost = 0;
  const CelSolution *exact = log->exact;
  config.alpha = solve->alpha[0], config.gamma = solve->config.gamma;
  config.max_seconds = solve->config.max_seconds;
  config.progress = on_progress, config.user = log;
  if (!solve->options.json && exact) {
    solve_print_problem(solve->mdp, exact->gamma);
    printf("%15s %19s %12s %12s %12s\n", "round", "samples", "error", "residual", "bound");
  }
  CelStatus status = cel_q_learning(solve->mdp, &config, &learned);
  cel_set_interrupt_hook(NULL, NULL); // a stop must not interrupt measuring and writing the result
  cli_bar_clear(&log->bar);
  if (status == CEL_OK) status = shortfall(log, learned, &lost);
  if (status == CEL_OK) status = write_files(log, learned);
  if (status == CEL_OK && solve->options.json) status = print_json(log, learned, lost);
  if (status == CEL_OK && !solve->options.json) print_summary(log, learned, lost);
  if (status == CEL_OK && cli_stop_asked())
    status = cel_fail(CEL_E_INTERRUPTED, "stopped after %lld round%s; the printed result is valid",
                      (long long)learned->rounds, cli_s(learned->rounds));
  cel_q_learning_destroy(learned);
  return status;
}

CelStatus solve_q_learning(Solve *solve) {
  CelSolution *exact = NULL;
  Log log = {.solve = solve, .bar = cli_bar(solve->options.quiet)};
  if (solve->options.plot[0] && solve->q.rounds < 2)
    return cel_fail(CEL_E_ARGUMENT,
                    "--plot: an error curve needs at least two rounds; raise --q.rounds");
  log.rows = calloc(ROWS_MAX, sizeof *log.rows);
  if (!log.rows) return cel_fail(CEL_E_MEMORY, "not enough memory for %d rows", ROWS_MAX);
  CelStatus status = solve_exactly(solve, &exact);
  log.exact = exact;
  if (status == CEL_OK) status = learn(solve, &log);
  cel_solution_destroy(exact);
  free(log.rows);
  return status;
}
