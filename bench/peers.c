/// Runs bench/peers/run.py and turns its lines into rows.
#include "bench.h"

#include <stdio.h>

/// A row of ours that peers are compared with.
typedef struct Ours {
  const char *name;
  double value;
  const char *unit;
  int threads;
} Ours;

static void add(const cJSON *line, void *user) {
  const Ours *ours = user;
  BenchRow row = {.value = ours->value,
                  .unit = ours->unit,
                  .limit = NAN,
                  .peer_value = bench_number(line, "value")};
  snprintf(row.name, sizeof row.name, "%s, %d thread%s", ours->name, ours->threads,
           ours->threads > 1 ? "s" : "");
  snprintf(row.peer, sizeof row.peer, "%s", bench_string(line, "name"));
  bench_row(&row);
  if (isnan(row.peer_value)) fprintf(stderr, "%s: %s\n", row.peer, bench_string(line, "error"));
}

void bench_peers(const char *ours, double value, const char *unit, const char *size, int threads) {
  char command[256];
  snprintf(command, sizeof command, "python3 bench/peers/run.py --threads %d --size %s", threads,
           size);
  bench_lines(command, add, &(Ours){ours, value, unit, threads});
}
