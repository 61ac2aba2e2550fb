/// Seconds of training PPO on CartPole-v1 until 20 deterministic episodes first return 500.
///
/// It uses the preset and one thread. Evaluations every 2048 steps use episodes of their own, and
/// their time is not counted. The value is the median over seeds. With --peers, Stable-Baselines3
/// does the same with the same settings.
#include "bench.h"

#include "celsius/setup.h"

#include <stdio.h>
#include <string.h>

enum { SEEDS = 5, EVERY = 2048, EPISODES = 20, GOAL = 500 };

static void check(CelStatus status) {
  if (status != CEL_OK) bench_die("%s", cel_error());
}

/// Seconds of training until the goal; infinite if the run ends first. *steps: the steps that it
/// took.
static double train(const CelSetup *setup, const CelEnvSpec *spec, uint64_t seed, double *steps) {
  const CelRunConfig *run = &setup->run;
  const CelAgentOptions options = {
      .n_envs = run->n_envs, .seed = seed, .threads = 1, .total_steps = run->steps};
  CelTensors *tensors;
  CelAgent *agent;
  CelVecEnv env;
  CelEvalResult result = {.mean_return = 0};
  double seconds = 0;
  int64_t done = 0;
  check(cel_agent_create(&agent, "ppo", setup->algo_config, &spec->observation, &spec->action,
                         &options));
  check(cel_tensors_create(&tensors));
  check(cel_vecenv_declare(&env, tensors, "env", spec, run->n_envs, seed, CEL_RNG_ENV, 0));
  check(cel_tensors_allocate(tensors));
  check(cel_vecenv_reset(&env));
  while (result.mean_return < GOAL && done < run->steps) {
    const double start = bench_now();
    check(cel_learn(agent, &env, EVERY, NULL));
    seconds += bench_now() - start;
    done += EVERY;
    check(cel_evaluate(agent, spec, EPISODES, 1000 + seed, CEL_MODE, NULL, NULL, &result));
  }
  cel_agent_destroy(agent);
  cel_tensors_destroy(tensors);
  *steps = result.mean_return < GOAL ? HUGE_VAL : (double)done;
  return result.mean_return < GOAL ? HUGE_VAL : seconds;
}

void bench_ppo_cartpole(const BenchOptions *options, const char *name) {
  CelSetup *setup;
  CelEnvSpec *spec;
  double seconds[SEEDS], steps[SEEDS];
  check(cel_setup_create(&setup, "ppo", "CartPole-v1"));
  check(cel_setup_preset(setup, "auto"));
  check(cel_setup_env(setup, &spec));
  for (int i = 0; i < SEEDS; i++) seconds[i] = train(setup, spec, (uint64_t)i + 1, &steps[i]);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
  BenchRow row = {
      .value = bench_median(seconds, SEEDS), .unit = "s", .limit = NAN, .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s, to a return of %d", name, GOAL);
  bench_row(&row);
  BenchRow count = {
      .value = bench_median(steps, SEEDS), .unit = "steps", .limit = NAN, .peer_value = NAN};
  snprintf(count.name, sizeof count.name, "%s, steps that took", name);
  bench_row(&count);
  if (options->peers) bench_peers(row.name, row.value, "s", "ppo-cartpole", 1);
}
