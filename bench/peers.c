/// Runs bench/peers/run.py and turns its lines into rows.
#include "bench.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

static const char *string(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(item) ? item->valuestring : "";
}

void bench_peers(const char *ours, double value, const char *unit, const char *size, int threads) {
  char command[256], line[8192];
  snprintf(command, sizeof command, "python3 bench/peers/run.py --threads %d --size %s", threads,
           size);
  FILE *pipe = popen(command, "r");
  if (!pipe) bench_die("cannot run %s", command);
  while (fgets(line, sizeof line, pipe)) {
    cJSON *object = cJSON_Parse(line);
    if (!object) bench_die("%s: the output is not JSON: %s", command, line);
    BenchRow row = {
        .value = value, .unit = unit, .limit = NAN, .peer_value = number(object, "value")};
    snprintf(row.name, sizeof row.name, "%s, %d thread%s", ours, threads, threads > 1 ? "s" : "");
    snprintf(row.peer, sizeof row.peer, "%s", string(object, "name"));
    bench_row(&row);
    if (isnan(row.peer_value)) fprintf(stderr, "%s: %s\n", row.peer, string(object, "error"));
    cJSON_Delete(object);
  }
  if (pclose(pipe) != 0) bench_die("%s failed", command);
}
