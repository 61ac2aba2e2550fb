/// MuJoCo: environment steps per second of every task, whole training of SAC on HalfCheetah, and
/// the seconds until HalfCheetah first returns 5,000.
#include "bench.h"

#include "celsius/setup.h"
#include "celsius/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 16, START = 1000, CHUNK = 200 };

static void check(CelStatus status) {
  if (status != CEL_OK) bench_die("%s", cel_error());
}

// ---- environment steps

/// Random actions for N environments, on one thread, as in bench/peers.
static double steps_per_second(const BenchOptions *options, const char *id) {
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
  double *rates = calloc((size_t)options->repeats, sizeof *rates);
  check(cel_env_spec_create(&spec, id, NULL, NULL));
  check(cel_tensors_create(&tensors));
  check(cel_vecenv_declare(&env, tensors, "env", spec, N, 1, CEL_RNG_ENV, 0));
  check(cel_tensors_allocate(tensors));
  check(cel_vecenv_reset(&env));
  const CelSpacePart *part = &spec->action.part[0];
  float *actions = calloc((size_t)(N * part->size), sizeof *actions);
  if (!rates || !actions) bench_die("not enough memory");
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  for (int r = 0; r < options->repeats; r++) {
    const double start = bench_now(), each = options->seconds / options->repeats;
    int64_t steps = 0;
    while (steps == 0 || bench_now() - start < each) {
      for (int64_t i = 0; i < N * part->size; i++)
        actions[i] = (float)cel_rng_range(&rng, (double)part->low[i % part->size],
                                          (double)part->high[i % part->size]);
      check(cel_vecenv_step(&env, actions, 0, N));
      steps += N;
    }
    rates[r] = (double)steps / (bench_now() - start);
  }
  const double median = bench_median(rates, options->repeats);
  free(rates);
  free(actions);
  cel_tensors_destroy(tensors);
  cel_env_spec_destroy(spec);
  return median;
}

static void bench_steps(const BenchOptions *options) {
  static const char *const ids[] = {
      "HalfCheetah-v4",           "Hopper-v4",  "Walker2d-v4", "Ant-v4",    "Humanoid-v4",
      "HumanoidStandup-v4",       "Swimmer-v4", "Reacher-v4",  "Pusher-v5", "InvertedPendulum-v4",
      "InvertedDoublePendulum-v4"};
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    BenchRow row = {.value = steps_per_second(options, ids[i]),
                    .unit = "steps/s",
                    .limit = NAN,
                    .peer_value = NAN};
    snprintf(row.name, sizeof row.name, "%s, random actions", ids[i]);
    bench_row(&row);
    if (options->peers) bench_peers(row.name, row.value, "steps/s", ids[i], 1);
  }
}

// ---- training

/// An agent with the preset of HalfCheetah-v4, and its environment.
typedef struct Training {
  CelSetup *setup;
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelAgent *agent;
  CelVecEnv env;
} Training;

static void open_training(Training *t, uint64_t seed, int threads, const char *learning_starts) {
  check(cel_setup_create(&t->setup, "sac", "HalfCheetah-v4"));
  check(cel_setup_preset(t->setup, "auto"));
  check(cel_setup_set(t->setup, "learning_starts", learning_starts));
  check(cel_setup_env(t->setup, &t->spec));
  const CelAgentOptions options = {
      .n_envs = 1, .seed = seed, .threads = threads, .total_steps = 1000000};
  check(cel_agent_create(&t->agent, "sac", t->setup->algo_config, &t->spec->observation,
                         &t->spec->action, &options));
  check(cel_tensors_create(&t->tensors));
  check(cel_vecenv_declare(&t->env, t->tensors, "env", t->spec, 1, seed, CEL_RNG_ENV, 0));
  check(cel_tensors_allocate(t->tensors));
  check(cel_vecenv_reset(&t->env));
}

static void close_training(Training *t) {
  cel_agent_destroy(t->agent);
  cel_tensors_destroy(t->tensors);
  cel_env_spec_destroy(t->spec);
  cel_setup_destroy(t->setup);
}

/// Steps of environment and agent per second, after the random steps at the start.
static double training_rate(const BenchOptions *options, int threads) {
  Training t;
  double *rates = calloc((size_t)options->repeats, sizeof *rates);
  if (!rates) bench_die("not enough memory");
  open_training(&t, 1, threads, "1000");
  int64_t total = START + CHUNK;
  check(cel_learn(t.agent, &t.env, total, NULL));
  for (int r = 0; r < options->repeats; r++) {
    const double start = bench_now(), each = options->seconds / options->repeats;
    int64_t steps = 0;
    while (steps == 0 || bench_now() - start < each) {
      check(cel_learn(t.agent, &t.env, CHUNK, NULL));
      steps += CHUNK;
    }
    rates[r] = (double)steps / (bench_now() - start);
  }
  close_training(&t);
  const double median = bench_median(rates, options->repeats);
  free(rates);
  return median;
}

static void bench_training(const BenchOptions *options) {
  for (int threads = 1; threads <= 2; threads++) {
    BenchRow row = {.value = training_rate(options, threads),
                    .unit = "steps/s",
                    .limit = NAN,
                    .peer_value = NAN};
    snprintf(row.name, sizeof row.name, "SAC on HalfCheetah-v4, %d thread%s", threads,
             threads > 1 ? "s" : "");
    bench_row(&row);
    if (options->peers)
      bench_peers("SAC on HalfCheetah-v4", row.value, "steps/s", "mujoco-sac", threads);
  }
}

// ---- time to a score

enum { GOAL = 5000, EVERY = 5000, EPISODES = 3, MOST = 400000 };

static void bench_goal(const BenchOptions *options) {
  Training t;
  CelEvalResult result = {.mean_return = 0};
  double seconds = 0;
  int64_t steps = 0;
  open_training(&t, 1, 1, "10000");
  while (result.mean_return < GOAL && steps < MOST) {
    const double start = bench_now();
    check(cel_learn(t.agent, &t.env, EVERY, NULL));
    seconds += bench_now() - start;
    steps += EVERY;
    check(cel_evaluate(t.agent, t.spec, EPISODES, 1001, CEL_MODE, NULL, NULL, &result));
  }
  close_training(&t);
  BenchRow row = {.value = result.mean_return < GOAL ? HUGE_VAL : seconds,
                  .unit = "s",
                  .limit = NAN,
                  .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "SAC on HalfCheetah-v4, to a return of %d", GOAL);
  bench_row(&row);
  BenchRow count = {.value = (double)steps, .unit = "steps", .limit = NAN, .peer_value = NAN};
  snprintf(count.name, sizeof count.name, "SAC on HalfCheetah-v4, steps that took");
  bench_row(&count);
  if (options->peers) bench_peers(row.name, row.value, "s", "mujoco-goal", 1);
}

void bench_mujoco(const BenchOptions *options, const char *name) {
  for (int i = 0; cel_env_pack_at(i); i++) {
    const CelEnvPack *pack = cel_env_pack_at(i);
    if (pack->missing && strcmp(pack->name, "mujoco") == 0) {
      fprintf(stderr, "%s: MuJoCo is missing: %s\n", name, pack->missing);
      return;
    }
  }
  if (strcmp(name, "mujoco-sac") == 0)
    bench_training(options);
  else if (strcmp(name, "mujoco-goal") == 0)
    bench_goal(options);
  else
    bench_steps(options);
}
