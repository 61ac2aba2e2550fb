/// Resident memory of a million stored Pendulum transitions.
#include "bench.h"

#include "rl/replay.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/// Resident bytes of this process.
static double resident(void) {
  long pages = 0, ignored;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &ignored, &pages) != 2)
    bench_die("cannot read /proc/self/statm");
  fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void bench_memory(const BenchOptions *options, const char *name) {
  (void)options, (void)name;
  enum { TRANSITIONS = 1000000 };
  const CelSpace observation = cel_space_box(3, -8, 8), action = cel_space_box(1, -2, 2);
  const uint8_t no = 0, yes = 1;
  const double before = resident();
  CelTensors *tensors;
  CeliReplay replay;
  if (cel_tensors_create(&tensors) != CEL_OK ||
      celi_replay_declare(&replay, tensors, &observation, &action, 1, TRANSITIONS) != CEL_OK ||
      cel_tensors_allocate(tensors) != CEL_OK)
    bench_die("%s", cel_error());
  float obs[3] = {1, 0, 0}, a = 0, reward = -1;
  celi_replay_start(&replay, obs);
  for (int t = 1; t <= TRANSITIONS; t++)
    celi_replay_add(&replay, &a, &reward, &no, t % 200 ? &no : &yes, obs, obs);
  BenchRow row = {.value = (resident() - before) / 1e6,
                  .unit = "MB",
                  .limit = 30,
                  .limit_of = "30 MB",
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "a million Pendulum transitions");
  bench_row(&row);
  cel_tensors_destroy(tensors);
}
