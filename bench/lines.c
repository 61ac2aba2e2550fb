/// Measurements by other programs, which print one JSON object per line.
#include "bench.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

double bench_number(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

const char *bench_string(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(item) ? item->valuestring : "";
}

void bench_lines(const char *command, BenchLine *each, void *user) {
  char line[8192];
  FILE *pipe = popen(command, "r");
  if (!pipe) bench_die("cannot run %s", command);
  while (fgets(line, sizeof line, pipe)) {
    cJSON *object = cJSON_Parse(line);
    if (!object) bench_die("%s: the output is not JSON: %s", command, line);
    each(object, user);
    cJSON_Delete(object);
  }
  if (pclose(pipe) != 0) bench_die("%s failed", command);
}
