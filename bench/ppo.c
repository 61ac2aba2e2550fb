/// PPO on Pendulum-v1: environment steps per second, including rollouts, values, advantages and
/// updates.
///
/// 4 environments x 1024 steps, minibatches of 256, 2 epochs, two 2x64 networks. The limit is the
/// time of the matrix products alone at the FMA peak of one core. A product of m x k x n counts 2 m
/// k n. Per step: the actor forward to act, and the critic forward for the value. Per epoch and for
/// both networks: forward, weight gradients, and data gradients down to the first hidden layer.
#include "bench.h"

#include "celsius/agent.h"
#include "celsius/ppo.h"
#include "celsius/train.h"
#include "ops/ops.h"
#include "ops/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENVS = 4, STEPS = 1024, MINIBATCH = 256, EPOCHS = 2, H = 64, O = 3 };

/// FLOP of the matrix products of one environment step; see above.
static double flop(void) {
  const double net = O * H + H * H + H, back = H * H + H;
  return 2 * (2 * net + EPOCHS * 2 * (net + net + back));
}

typedef struct Learner {
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
  CelAgent *agent;
} Learner;

static void make(Learner *learner, int threads, CelActivation activation) {
  CelPpoConfig config = cel_ppo_config_default();
  config.common.n_steps = STEPS, config.batch_size = MINIBATCH, config.n_epochs = EPOCHS;
  config.common.activation = activation;
  const CelAgentOptions options = {.n_envs = ENVS, .seed = 1, .threads = threads, .total_steps = 0};
  if (cel_env_spec_create(&learner->spec, "Pendulum-v1", NULL, NULL) != CEL_OK ||
      cel_agent_create(&learner->agent, "ppo", &config, &learner->spec->observation,
                       &learner->spec->action, &options) != CEL_OK ||
      cel_tensors_create(&learner->tensors) != CEL_OK ||
      cel_vecenv_declare(&learner->env, learner->tensors, "env", learner->spec, ENVS, 1,
                         CEL_RNG_ENV, 0) != CEL_OK ||
      cel_tensors_allocate(learner->tensors) != CEL_OK || cel_vecenv_reset(&learner->env) != CEL_OK)
    bench_die("%s", cel_error());
}

static void destroy(Learner *learner) {
  cel_agent_destroy(learner->agent);
  cel_tensors_destroy(learner->tensors);
  cel_env_spec_destroy(learner->spec);
}

/// Steps per second over n rollouts and their updates.
static double rate(Learner *learner, int64_t n) {
  const double start = bench_now();
  const int64_t steps = n * ENVS * STEPS;
  if (cel_learn(learner->agent, &learner->env, steps, NULL) != CEL_OK) bench_die("%s", cel_error());
  return (double)steps / (bench_now() - start);
}

static void report(const char *name, int threads, double value, double limit) {
  BenchRow row = {.unit = "steps/s", .limit = limit, .peer_value = NAN, .value = value};
  row.limit_of = threads == 1 ? "FMA peak of one core" : "FMA peak of two cores";
  snprintf(row.name, sizeof row.name, "%s, %d thread%s", name, threads, threads > 1 ? "s" : "");
  bench_row(&row);
}

typedef struct Barriers {
  CeliTeam *team;
  int n;
} Barriers;

static void wait_often(void *arg, int thread, int size) {
  const Barriers *b = arg;
  (void)size;
  for (int i = 0; i < b->n; i++) celi_team_barrier(b->team, thread);
}

/// The time of a barrier of two threads. It is several times longer between cores that share no
/// cache, which slows two threads on small networks.
static void report_barrier(const char *name, int repeats) {
  enum { N = 2000 };
  double *each = calloc((size_t)repeats, sizeof *each);
  Barriers b = {NULL, N};
  if (!each || celi_team_create(&b.team, 2) != CEL_OK) bench_die("not enough memory");
  for (int r = -1; r < repeats; r++) {
    const double start = bench_now();
    if (celi_team_run(b.team, wait_often, &b) != CEL_OK) bench_die("%s", cel_error());
    if (r >= 0) each[r] = (bench_now() - start) / N;
  }
  BenchRow row = {
      .value = 1e9 * bench_median(each, repeats), .unit = "ns", .limit = NAN, .peer_value = NAN};
  snprintf(row.name, sizeof row.name, "%s, a barrier of 2 threads", name);
  bench_row(&row);
  celi_team_destroy(b.team);
  free(each);
}

void bench_ppo(const BenchOptions *options, const char *name) {
  const CelActivation activation =
      strcmp(name, "ppo-relu") == 0 ? CEL_ACTIVATION_RELU : CEL_ACTIVATION_TANH;
  const int repeats = options->repeats;
  Learner learner[2];
  double *rates[3], peaks = 0;
  for (int k = 0; k < 3; k++)
    if (!(rates[k] = calloc((size_t)repeats, sizeof(double)))) bench_die("not enough memory");
  for (int k = 0; k < 2; k++) make(&learner[k], k + 1, activation);
  const double each = options->seconds / repeats / (ENVS * STEPS);
  (void)rate(&learner[1], 2);
  const int64_t n = 1 + (int64_t)(each * rate(&learner[0], 2));
  for (int r = 0; r < repeats; r++) {
    const double before = celi_ops_peak(0.05);
    rates[0][r] = rate(&learner[0], n);
    const double after = celi_ops_peak(0.05);
    rates[1][r] = rate(&learner[1], n);
    rates[2][r] = rates[1][r] / rates[0][r];
    peaks += (before + after) / 2;
  }
  const double one = bench_median(rates[0], repeats), two = bench_median(rates[1], repeats);
  const double floor = peaks / repeats / flop();
  report(name, 1, one, floor);
  report(name, 2, two, 2 * floor);
  BenchRow scaling = {.value = bench_median(rates[2], repeats),
                      .unit = "x one",
                      .limit = 2,
                      .limit_of = "two cores",
                      .peer_value = NAN};
  snprintf(scaling.name, sizeof scaling.name, "%s, 2 threads over 1", name);
  bench_row(&scaling);
  report_barrier(name, repeats);
  for (int k = 0; k < 2; k++) destroy(&learner[k]);
  for (int k = 0; k < 3; k++) free(rates[k]);
  if (!options->peers || activation != CEL_ACTIVATION_TANH) return;
  bench_peers(name, one, "steps/s", "ppo", 1);
  bench_peers(name, two, "steps/s", "ppo", 2);
}
