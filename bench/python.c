/// Runs bench/python.py, which measures the Python package, and turns its lines into rows.
#include "bench.h"

#include <stdio.h>
#include <unistd.h>

#define PYTHON "build/venv-python/bin/python"
#define PACKAGE "build/release/python"

static void add(const cJSON *line, const void *user) {
  const BenchOptions *options = user;
  const char *size = bench_string(line, "size");
  BenchRow row = {.value = bench_number(line, "value"),
                  .unit = bench_string(line, "unit"),
                  .limit = bench_number(line, "limit"),
                  .limit_of = bench_string(line, "limit_of"),
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s", bench_string(line, "name"));
  bench_row(&row);
  if (options->peers && *size) bench_peers(row.name, row.value, row.unit, size, 1);
}

void bench_python(const BenchOptions *options, const char *name) {
  char command[256];
  if (access(PYTHON, X_OK) != 0 || access(PACKAGE "/celsius/_celsius.abi3.so", R_OK) != 0) {
    fprintf(stderr, "%s: the Python package is not built; run script/bench python\n", name);
    return;
  }
  snprintf(command, sizeof command,
           "PYTHONPATH=" PACKAGE " " PYTHON " bench/python.py --seconds %g --repeats %d",
           options->seconds, options->repeats);
  bench_lines(command, add, options);
}
