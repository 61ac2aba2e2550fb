/// Runs bench/python.py, which measures the Python package, and turns its lines into rows.
#include "bench.h"

#include <stdio.h>
#include <unistd.h>

#define PYTHON "build/venv-python/bin/python"
#define PACKAGE "build/release/python"

/// The row that peers are compared with.
typedef struct Compared {
  BenchRow row;
  char unit[16], size[32]; ///< size: that of the peers
} Compared;

static void add(const cJSON *line, void *user) {
  Compared *compared = user;
  const char *size = bench_string(line, "size");
  BenchRow row = {.value = bench_number(line, "value"),
                  .unit = bench_string(line, "unit"),
                  .limit = bench_number(line, "limit"),
                  .limit_of = bench_string(line, "limit_of"),
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s", bench_string(line, "name"));
  bench_row(&row);
  if (!*size) return;
  compared->row = row;
  snprintf(compared->unit, sizeof compared->unit, "%s", row.unit);
  snprintf(compared->size, sizeof compared->size, "%s", size);
}

void bench_python(const BenchOptions *options, const char *name) {
  static const char *const parts[] = {"sac", "ppo"};
  if (access(PYTHON, X_OK) != 0 || access(PACKAGE "/celsius/_celsius.abi3.so", R_OK) != 0) {
    fprintf(stderr, "%s: the Python package is not built; run script/bench python\n", name);
    return;
  }
  for (int i = 0; i < 2; i++) {
    char command[256];
    Compared ours = {0};
    snprintf(command, sizeof command,
             "PYTHONPATH=" PACKAGE " " PYTHON " bench/python.py %s --seconds %g --repeats %d",
             parts[i], options->seconds, options->repeats);
    bench_lines(command, add, &ours); // ends before the peers start
    if (options->peers) bench_peers(ours.row.name, ours.row.value, ours.unit, ours.size, 1);
  }
}
