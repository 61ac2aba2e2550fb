/// Environment steps per second on one core, including random actions and automatic resets.
#include "bench.h"

#include "celsius/env.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 256 };

/// Draws random actions for N rows: one of n, or uniform within the bounds.
static void draw(const CelEnvSpec *spec, void *actions, float *uniform, uint64_t counter) {
  const CelSpacePart *part = &spec->action.part[0];
  const int64_t n = N * part->size;
  celi_ops()->uniform(uniform, 1, CEL_RNG_USER, 0, counter, 0, n);
  if (part->kind == CEL_DISCRETE) {
    for (int64_t i = 0; i < n; i++)
      ((int32_t *)actions)[i] = (int32_t)(uniform[i] * (float)part->n);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    const float low = part->low[i % part->size], high = part->high[i % part->size];
    ((float *)actions)[i] = low + uniform[i] * (high - low);
  }
}

static double measure(const BenchOptions *options, const char *id) {
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
  double *rates = calloc((size_t)options->repeats, sizeof *rates);
  if (!rates || cel_env_spec_create(&spec, id, NULL, NULL) != CEL_OK ||
      cel_tensors_create(&tensors) != CEL_OK ||
      cel_vecenv_declare(&env, tensors, "env.", spec, N, 1, CEL_RNG_ENV, 0) != CEL_OK ||
      cel_tensors_allocate(tensors) != CEL_OK || cel_vecenv_reset(&env) != CEL_OK)
    bench_die("%s: %s", id, cel_error());
  const size_t width = cel_space_bytes(&spec->action);
  void *actions = calloc(N, width);
  float *uniform = calloc((size_t)(N * spec->action.part[0].size), sizeof *uniform);
  if (!actions || !uniform) bench_die("not enough memory");
  uint64_t counter = 0;
  const double each = options->seconds / options->repeats;
  for (int r = 0; r < options->repeats; r++) {
    const double start = bench_now();
    int64_t steps = 0;
    while (steps % 65536 != 0 || steps == 0 || bench_now() - start < each) {
      draw(spec, actions, uniform, counter);
      counter += N;
      if (cel_vecenv_step(&env, actions, 0, N) != CEL_OK) bench_die("%s: %s", id, cel_error());
      steps += N;
    }
    rates[r] = (double)steps / (bench_now() - start);
  }
  const double median = bench_median(rates, options->repeats);
  free(rates);
  free(actions);
  free(uniform);
  cel_tensors_destroy(tensors);
  cel_env_spec_destroy(spec);
  return median;
}

void bench_env(const BenchOptions *options, const char *name) {
  static const char *const ids[] = {"CartPole-v1", "Pendulum-v1", "MountainCar-v0",
                                    "MountainCarContinuous-v0", "Acrobot-v1"};
  (void)name;
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    BenchRow row = {
        .value = measure(options, ids[i]), .unit = "steps/s", .limit = NAN, .peer_value = NAN};
    snprintf(row.name, sizeof row.name, "%s, random actions", ids[i]);
    bench_row(&row);
  }
}
