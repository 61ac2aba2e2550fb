/// Scores of presets: trains with the preset of an environment and evaluates the deterministic
/// policy after the last step, on 100 episodes with fixed seeds. Checkpoints are not compared.
#ifndef SCORE_H
#define SCORE_H
#include "trained.h"

enum { EPISODES = 100, EVALUATION_SEED = 10000 };

/// Trains with the environment's preset and returns the mean return of the evaluation.
static double score(const char *algo, const char *id, uint64_t seed) {
  CelEnvSpec *spec;
  CelEvalResult result;
  CelSetup *setup = preset(algo, id);
  ok(cel_env_spec_create(&spec, id, NULL, NULL));
  CelAgent *agent = trained(setup, spec, seed);
  ok(cel_evaluate(agent, spec, EPISODES, EVALUATION_SEED, CEL_MODE, NULL, NULL, &result));
  print_message("%s on %s, seed %llu: %.1f\n", algo, id, (unsigned long long)seed,
                result.mean_return);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
  return result.mean_return;
}

static uint64_t first_seed(void) {
  const char *text = getenv("CELSIUS_FIRST_SEED");
  return text ? strtoull(text, NULL, 10) : 1;
}

static inline int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/// The scores of n seeds of an environment, in ascending order.
static inline void scores(const char *algo, const char *id, double *out, int n) {
  for (int i = 0; i < n; i++) out[i] = score(algo, id, first_seed() + (uint64_t)i);
  qsort(out, (size_t)n, sizeof *out, by_value);
}

#endif
