/// celsius-bench: runs benchmarks, prints a table, writes JSON. script/bench builds it and has the
/// description of its options.
#include "bench.h"

#include "celsius/version.h"
#include "ops/ops.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
  const char *name;
  void (*run)(const BenchOptions *options, const char *name);
} benches[] = {
    {"sac-small", bench_sac},     {"sac-large", bench_sac},
    {"sqlc", bench_sqlc},         {"env", bench_env},
    {"ppo", bench_ppo},           {"ppo-relu", bench_ppo},
    {"kernels", bench_kernels},   {"memory", bench_memory},
    {"mdp-sweep", bench_mdp},     {"mdp-methods", bench_mdp},
    {"mdp-large", bench_mdp},     {"ppo-cartpole", bench_ppo_cartpole},
    {"python", bench_python},     {"mujoco", bench_mujoco},
    {"mujoco-sac", bench_mujoco}, {"mujoco-goal", bench_mujoco},
};
enum { N_BENCHES = sizeof benches / sizeof benches[0] };

/// Widths of the columns of names. The longest names are
/// "soft sweep, 1.0M states, a tenth obstacles, 2 threads" and "rltools-ppo-skylakex".
enum { NAME = 53, PEER = 20 };

static cJSON *rows;

double bench_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

void bench_die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("celsius-bench: error: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

static void add_number(cJSON *object, const char *key, double value) {
  if (isnan(value))
    cJSON_AddNullToObject(object, key);
  else
    cJSON_AddNumberToObject(object, key, value);
}

void bench_row(const BenchRow *row) {
  const double fraction = row->value / row->limit, ratio = row->value / row->peer_value;
  char limit[32] = "", part[16] = "", times[16] = "";
  if (!isnan(row->limit)) snprintf(limit, sizeof limit, "%.4g", row->limit);
  if (!isnan(fraction)) snprintf(part, sizeof part, "%.3f", fraction);
  if (!isnan(ratio)) snprintf(times, sizeof times, "%.2f", ratio);
  printf("%-*s %10.4g %-12s %10s %8s  %-*s %7s\n", NAME, row->name, row->value, row->unit, limit,
         part, PEER, row->peer, times);
  fflush(stdout);
  cJSON *object = cJSON_CreateObject();
  cJSON_AddStringToObject(object, "name", row->name);
  add_number(object, "value", row->value);
  cJSON_AddStringToObject(object, "unit", row->unit);
  add_number(object, "limit", row->limit);
  cJSON_AddStringToObject(object, "limit_of", row->limit_of ? row->limit_of : "");
  add_number(object, "fraction", fraction);
  cJSON_AddStringToObject(object, "peer", row->peer);
  add_number(object, "peer_value", row->peer_value);
  add_number(object, "ratio", ratio);
  cJSON_AddItemToArray(rows, object);
}

static void write_json(FILE *file, const char *path) {
  char *text = cJSON_Print(rows);
  if (!text || fputs(text, file) < 0 || fputc('\n', file) < 0 || fclose(file) != 0)
    bench_die("cannot write %s", path);
  cJSON_free(text);
}

/// The value of an option.
static const char *value_of(int argc, char **argv, int *i) {
  if (*i + 1 >= argc) bench_die("%s needs a value; see script/bench --help", argv[*i]);
  return argv[++*i];
}

/// The same for a positive number. 0 if it is not one.
static double number_of(int argc, char **argv, int *i) {
  const char *text = value_of(argc, argv, i);
  char *end;
  const double x = strtod(text, &end);
  return *text && !*end && x > 0 ? x : 0;
}

static _Noreturn void unknown(const char *argument) {
  char names[512] = "";
  size_t n = 0;
  for (int k = 0; k < N_BENCHES && n < sizeof names; k++)
    n += (size_t)snprintf(names + n, sizeof names - n, " %s", benches[k].name);
  bench_die("unknown benchmark or option '%s'; the benchmarks are%s; see script/bench --help",
            argument, names);
}

int main(int argc, char **argv) {
  BenchOptions options = {.seconds = 2, .repeats = 9, .peers = false};
  const char *json = NULL;
  bool chosen[N_BENCHES] = {false}, any = false;
  for (int i = 1; i < argc; i++) {
    bool found = false;
    for (int k = 0; k < N_BENCHES; k++)
      if (strcmp(argv[i], benches[k].name) == 0) found = any = chosen[k] = true;
    if (found) continue;
    if (strcmp(argv[i], "--peers") == 0)
      options.peers = true;
    else if (strcmp(argv[i], "--json") == 0)
      json = value_of(argc, argv, &i);
    else if (strcmp(argv[i], "--seconds") == 0)
      options.seconds = number_of(argc, argv, &i);
    else if (strcmp(argv[i], "--repeats") == 0)
      options.repeats = (int)fmin(number_of(argc, argv, &i), 1e6);
    else
      unknown(argv[i]);
  }
  if (!(options.seconds > 0) || options.repeats < 1 || options.repeats > 1000)
    bench_die("--seconds must be positive, and --repeats must be 1 to 1000");
  FILE *file = json ? fopen(json, "w") : NULL; // opened first, because measuring takes minutes
  if (json && !file) bench_die("cannot write %s: %s", json, strerror(errno));
  rows = cJSON_CreateArray();
  printf("Celsius %s, %s, one core's FMA peak %.4g GFLOP/s\n\n", CEL_VERSION, celi_ops()->name,
         celi_ops_peak(0.3) / 1e9);
  printf("%-*s %10s %-12s %10s %8s  %-*s %7s\n", NAME, "name", "value", "unit", "limit", "fraction",
         PEER, "peer", "ratio");
  for (int k = 0; k < N_BENCHES; k++)
    if (chosen[k] || (!any && strcmp(benches[k].name, "mujoco-goal") != 0))
      benches[k].run(&options, benches[k].name);
  if (file) write_json(file, json);
  cJSON_Delete(rows);
  return 0;
}
