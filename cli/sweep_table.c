/// The results of a sweep. Interface: sweep_table.h.
#include "sweep_table.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- one run

/// The number in a column of a line; NaN if there is none.
static double column(const char *line, int at) {
  for (; at > 0 && line; at--) line = (line = strchr(line, ',')) ? line + 1 : NULL;
  if (!line) return (double)NAN;
  char *end;
  const double x = strtod(line, &end);
  return end == line ? (double)NAN : x;
}

/// The place of a name in a header; -1 if it is not there.
static int find_column(const char *header, const char *name) {
  int at = 0;
  const size_t n = strlen(name);
  for (const char *c = header; c; c = strchr(c, ','), at++) {
    if (*c == ',') c++;
    if (strncmp(c, name, n) == 0 && strchr(",\r\n", c[n])) return at;
  }
  return -1;
}

/// Reads the last and the largest number of a column, and the last number of steps.
static void read_table(const char *folder, const char *file, const char *name, double *last,
                       double *most, double *steps) {
  char path[CEL_PATH_MAX + 32], *line = NULL;
  size_t room = 0;
  int value_at = -1, steps_at = -1;
  *last = *most = *steps = (double)NAN;
  snprintf(path, sizeof path, "%s/%s", folder, file);
  FILE *stream = fopen(path, "r");
  if (!stream) return;
  for (bool header = true; getline(&line, &room, stream) > 0; header = false) {
    if (header) {
      value_at = find_column(line, name), steps_at = find_column(line, "time/total_timesteps");
      if (value_at < 0 || steps_at < 0) break;
      continue;
    }
    const double value = column(line, value_at);
    *steps = column(line, steps_at);
    if (isnan(value)) continue;
    *last = value;
    *most = fmax(*most, value); // ignores NaN
  }
  free(line);
  fclose(stream);
}

/// The planned steps of a run.
static double planned(const char *folder) {
  char path[CEL_PATH_MAX + 16], text[CEL_TEXT_MAX] = "";
  bool found;
  snprintf(path, sizeof path, "%s/config.yaml", folder);
  if (cel_yaml_peek(path, "steps", text, sizeof text, &found) != CEL_OK) return (double)NAN;
  return strtod(text, NULL);
}

SweepResult sweep_result(const char *folder) {
  SweepResult result = {.mean_return = (double)NAN, .best_return = (double)NAN};
  double steps, returns, best, eval_steps;
  char path[CEL_PATH_MAX + 32];
  read_table(folder, "progress.csv", "rollout/ep_rew_mean", &returns, &best, &steps);
  read_table(folder, "evaluations.csv", "eval/mean_reward", &result.mean_return,
             &result.best_return, &eval_steps);
  if (isnan(result.mean_return)) result.mean_return = returns, result.best_return = best;
  result.steps = (int64_t)fmax(fmax(steps, eval_steps), 0);
  snprintf(path, sizeof path, "%s/final.safetensors", folder);
  result.complete = access(path, R_OK) == 0 && (double)result.steps >= planned(folder);
  return result;
}

// ---- all runs of a combination

typedef struct Row {
  char name[CEL_PATH_MAX];
  int runs, complete;
  double mean, deviation, middle, best; ///< over the complete runs
} Row;

/// The name of a run's combination: the folder above the run.
static void name_of(const CliJob *job, char name[CEL_PATH_MAX]) {
  snprintf(name, CEL_PATH_MAX, "%s", job->folder);
  *strrchr(name, '/') = 0;
  char *slash = strrchr(name, '/');
  if (slash) memmove(name, slash + 1, strlen(slash));
}

static void average_row(Row *row, double *values) {
  double squares = 0;
  cli_average(values, row->complete, &row->mean, &row->middle);
  for (int i = 0; i < row->complete; i++)
    squares += (values[i] - row->mean) * (values[i] - row->mean);
  row->deviation = row->complete > 1 ? sqrt(squares / (row->complete - 1)) : (double)NAN;
}

/// The best mean first; rows without a complete run last.
static int by_mean(const void *a, const void *b) {
  const Row *x = a, *y = b;
  if (isnan(x->mean) || isnan(y->mean)) return isnan(x->mean) - isnan(y->mean);
  return (x->mean < y->mean) - (x->mean > y->mean);
}

/// The jobs are sorted by combination.
static int make_rows(const CliGroup *group, const SweepResult *results, Row *rows, double *values) {
  int n = 0;
  for (int i = 0; i < group->n; i++) {
    char name[CEL_PATH_MAX];
    name_of(&group->jobs[i], name);
    if (n == 0 || strcmp(rows[n - 1].name, name) != 0) {
      if (n) average_row(&rows[n - 1], values);
      rows[n] = (Row){.best = (double)NAN};
      snprintf(rows[n++].name, sizeof name, "%s", name);
    }
    Row *row = &rows[n - 1];
    row->runs++;
    if (!results[i].complete) continue;
    values[row->complete++] = results[i].mean_return;
    row->best = fmax(row->best, results[i].best_return);
  }
  if (n) average_row(&rows[n - 1], values);
  qsort(rows, (size_t)n, sizeof *rows, by_mean);
  return n;
}

// ---- output

static CelStatus print_json(const Row *rows, int n, const CliGroup *group) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddStringToObject(json, "folder", group->folder);
  cJSON *list = cJSON_AddArrayToObject(json, "combinations");
  for (int i = 0; i < n; i++) {
    cJSON *row = cJSON_CreateObject();
    cJSON_AddStringToObject(row, "name", rows[i].name);
    cJSON_AddNumberToObject(row, "runs", rows[i].runs);
    cJSON_AddNumberToObject(row, "complete", rows[i].complete);
    cJSON_AddNumberToObject(row, "mean_return", rows[i].mean);
    cJSON_AddNumberToObject(row, "std_return", rows[i].deviation);
    cJSON_AddNumberToObject(row, "iqm_return", rows[i].middle);
    cJSON_AddNumberToObject(row, "best_return", rows[i].best);
    cJSON_AddItemToArray(list, row);
  }
  return cli_print_json(json);
}

static void print_number(double x) {
  if (isnan(x))
    printf("  %11s", "-");
  else
    printf("  %11.5g", x);
}

static void print_rows(const Row *rows, int n, const CliGroup *group) {
  int width = 8;
  for (int i = 0; i < n; i++) width = (int)fmax(width, (double)strlen(rows[i].name));
  printf("%-*s  %9s  %11s  %11s  %11s  %11s\n", width, "settings", "complete", "mean return",
         "deviation", "IQM", "best");
  for (int i = 0; i < n; i++) {
    char count[32];
    snprintf(count, sizeof count, "%d of %d", rows[i].complete, rows[i].runs);
    printf("%-*s  %9s", width, rows[i].name, count);
    print_number(rows[i].mean);
    print_number(rows[i].deviation);
    print_number(rows[i].middle);
    print_number(rows[i].best);
    putchar('\n');
  }
  char folder[CLI_QUOTE_MAX];
  printf("next step   celsius plot %s/*/ --out curve.png\n",
         cel_shell_quote(folder, sizeof folder, group->folder));
}

static CelStatus write_results(const CliGroup *group, const SweepResult *results) {
  CliFile file;
  char path[CEL_PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/results.csv", group->folder);
  const CelStatus status = cli_file_open(&file, path);
  if (status != CEL_OK) return status;
  fprintf(file.stream, "folder,seed,steps,complete,mean_return,best_return\n");
  for (int i = 0; i < group->n; i++)
    fprintf(file.stream, "\"%s\",%llu,%lld,%d,%.17g,%.17g\n",
            group->jobs[i].folder + strlen(group->folder) + 1,
            (unsigned long long)group->jobs[i].seed, (long long)results[i].steps,
            results[i].complete, results[i].mean_return, results[i].best_return);
  return cli_file_close(&file, CEL_OK);
}

/// Fills and prints the table. The arrays have a place for each run.
static CelStatus make_table(const CliGroup *group, SweepResult *results, Row *rows, double *values,
                            bool json, bool write) {
  int complete = 0;
  for (int i = 0; i < group->n; i++) {
    results[i] = sweep_result(group->jobs[i].folder);
    complete += results[i].complete;
  }
  if (!write && complete < group->n) {
    char folder[CLI_QUOTE_MAX];
    if (!group->options->quiet)
      cli_note("%d of %d runs are complete; for the table: celsius sweep --resume %s", complete,
               group->n, cel_shell_quote(folder, sizeof folder, group->folder));
    return CEL_OK;
  }
  const int n = make_rows(group, results, rows, values);
  const CelStatus status = write_results(group, results);
  if (status != CEL_OK) return status;
  if (json) return print_json(rows, n, group);
  print_rows(rows, n, group);
  return CEL_OK;
}

CelStatus sweep_table(const CliGroup *group, bool json, bool write) {
  const size_t n = (size_t)group->n;
  SweepResult *results = calloc(n, sizeof *results);
  Row *rows = calloc(n, sizeof *rows);
  double *values = calloc(n, sizeof *values);
  CelStatus status;
  if (results && rows && values)
    status = make_table(group, results, rows, values, json, write);
  else
    status = cel_fail(CEL_E_MEMORY, "not enough memory for a table of %d runs", group->n);
  free(results), free(rows), free(values);
  return status;
}
