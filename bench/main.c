/// celsius-bench: measures, prints a table, writes JSON.
#include "bench.h"

#include "celsius/version.h"
#include "ops/ops.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: script/bench [NAME...] [--json FILE] [--peers] [--seconds S] [--repeats N]\n"
    "\n"
    "  sac-small    whole SAC updates: obs 3, act 1, 2x64, batch 100; one thread and two\n"
    "  sac-large    whole SAC updates: obs 17, act 6, 2x256, batch 256; one thread and two\n"
    "  sqlc         whole updates of soft Q-learning: obs 2, act 2, 2x128, batch 64, 32 particles\n"
    "  ppo          whole PPO on Pendulum: 4 x 1024 steps, 2x64, minibatch 256, 2 epochs\n"
    "  ppo-relu     the same with ReLU for tanh\n"
    "  ppo-cartpole seconds of training PPO until CartPole first returns 500; median of 5 seeds\n"
    "  env          environment steps with random actions, one thread\n"
    "  kernels      the dense products at these sizes\n"
    "  memory       bytes that a million Pendulum transitions take\n"
    "  mdp-sweep    soft and hard sweeps over a grid of a million states; one thread and two\n"
    "  mdp-methods  how long each way to solve takes on grids and a Garnet\n"
    "  mdp-large    ten million states, four actions: seconds and memory\n"
    "\n"
    "  --json FILE  writes the rows as a JSON list as well\n"
    "  --peers      also measures Stable-Baselines3, SBX, RLtools, quantecon (script/setup peers "
    "installs them)\n"
    "  --seconds S  time to measure a row, default 2; the ceiling is measured in between\n"
    "  --repeats N  repetitions of which the median counts, default 9\n";

static const struct {
  const char *name;
  void (*run)(const BenchOptions *options, const char *name);
} benches[] = {
    {"sac-small", bench_sac},   {"sac-large", bench_sac}, {"sqlc", bench_sqlc},
    {"env", bench_env},         {"ppo", bench_ppo},       {"ppo-relu", bench_ppo},
    {"kernels", bench_kernels}, {"memory", bench_memory}, {"mdp-sweep", bench_mdp},
    {"mdp-methods", bench_mdp}, {"mdp-large", bench_mdp}, {"ppo-cartpole", bench_ppo_cartpole},
};
enum { N_BENCHES = sizeof benches / sizeof benches[0] };

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
  printf("%-34s %10.4g %-12s %10s %8s  %-20s %7s\n", row->name, row->value, row->unit, limit, part,
         row->peer, times);
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

static void write_json(const char *path) {
  char *text = cJSON_Print(rows);
  FILE *file = fopen(path, "w");
  if (!text || !file || fputs(text, file) < 0 || fputc('\n', file) < 0 || fclose(file) != 0)
    bench_die("cannot write %s", path);
  cJSON_free(text);
}

/// The value of an option that needs one.
static const char *value_of(int argc, char **argv, int *i) {
  if (*i + 1 >= argc) bench_die("%s needs a value; see --help", argv[*i]);
  return argv[++*i];
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
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      return fputs(usage, stdout), 0;
    if (strcmp(argv[i], "--peers") == 0)
      options.peers = true;
    else if (strcmp(argv[i], "--json") == 0)
      json = value_of(argc, argv, &i);
    else if (strcmp(argv[i], "--seconds") == 0)
      options.seconds = atof(value_of(argc, argv, &i));
    else if (strcmp(argv[i], "--repeats") == 0)
      options.repeats = atoi(value_of(argc, argv, &i));
    else
      bench_die("no benchmark or option '%s'; see --help", argv[i]);
  }
  if (!(options.seconds > 0) || options.repeats < 1 || options.repeats > 1000)
    bench_die("--seconds must be positive, --repeats 1 to 1000");
  rows = cJSON_CreateArray();
  printf("Celsius %s, %s, one core's FMA peak %.4g GFLOP/s\n\n", CEL_VERSION, celi_ops()->name,
         celi_ops_peak(0.3) / 1e9);
  printf("%-34s %10s %-12s %10s %8s  %-20s %7s\n", "name", "value", "unit", "limit", "fraction",
         "peer", "ratio");
  for (int k = 0; k < N_BENCHES; k++)
    if (!any || chosen[k]) benches[k].run(&options, benches[k].name);
  if (json) write_json(json);
  cJSON_Delete(rows);
  return 0;
}
