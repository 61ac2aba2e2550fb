/// Complete updates of soft Q-learning with continuous actions per second: soft values, critic,
/// particles, sampler, Adam.
///
/// The limit is the time of the matrix products alone at the FMA peak of one core. A product of m x
/// k x n counts 2 m k n. An update has B states, K actions per state for values, and n fixed and m
/// updated particles per state. The networks have O+A inputs and two layers of H. It computes: the
/// critic forward and its weight gradients on B rows; the target critic forward on B K rows; the
/// sampler forward on B n rows; the critic forward on those, and the gradient of the action's
/// columns; the sampler forward on B m rows, with data and weight gradients.
/// The rows of a state share its observation, so the first layer's part of it counts once per state
/// (although it is computed once per row). Distances, kernels and medians do not count.
#include "bench.h"

#include "celsius/agent.h"
#include "celsius/rng.h"
#include "celsius/sqlc.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { O = 2, A = 2, H = 128, B = 64, PARTICLES = 32, TRANSITIONS = 20000, ENVS = 100 };

/// FLOP of the matrix products of one update; see above.
static double flop(void) {
  const double o = O, a = A, h = H, b = B, rows = (double)B * PARTICLES;
  const double critic = a * h + h * h + h, critic_back = h + h * h + h * a;
  const double sampler = a * h + h * h + h * a, sampler_back = h * a + h * h;
  const double of_batch = b * (2 * (o * h + critic) + h * h + h);
  const double of_states = 5 * b * o * h; // four forward, one weight gradient
  return 2 * (of_batch + of_states +
              rows * (2 * critic + critic_back + 2 * sampler + sampler_back + sampler));
}

/// Fills the replay buffer with random transitions through the public functions.
static void fill(CelAgent *agent) {
  static float obs[ENVS * O], actions[ENVS * A], reward[ENVS];
  uint8_t terminated[ENVS] = {0}, truncated[ENVS];
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  for (int t = 0; t < TRANSITIONS / ENVS; t++) {
    if (cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions) != CEL_OK)
      bench_die("%s", cel_error());
    for (int k = 0; k < ENVS * O; k++) obs[k] = (float)cel_rng_normal(&rng);
    for (int i = 0; i < ENVS; i++) {
      reward[i] = (float)cel_rng_normal(&rng);
      truncated[i] = (t + i) % 30 == 29;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, obs};
    if (cel_agent_observe(agent, &outcome) != CEL_OK) bench_die("%s", cel_error());
  }
}

static CelAgent *make(int threads) {
  CelSqlcConfig config = cel_sqlc_config_default();
  config.common.buffer_size = TRANSITIONS;
  config.common.batch_size = B;
  config.common.learning_starts = 1000000000;
  config.common.net_arch = (CelIntList){.n = 2, .v = {H, H}};
  config.value_particles = config.fixed_particles = config.updated_particles = PARTICLES;
  const CelSpace observation = cel_space_box(O, -INFINITY, INFINITY),
                 action = cel_space_box(A, -1, 1);
  const CelAgentOptions options = {.n_envs = ENVS, .seed = 1, .threads = threads, .total_steps = 0};
  CelAgent *agent;
  if (cel_agent_create(&agent, "sqlc", &config, &observation, &action, &options) != CEL_OK)
    bench_die("%s", cel_error());
  fill(agent);
  return agent;
}

/// Updates per second over n updates.
static double rate(CelAgent *agent, int64_t n) {
  const double start = bench_now();
  if (cel_agent_update_n(agent, n) != CEL_OK) bench_die("%s", cel_error());
  return (double)n / (bench_now() - start);
}

void bench_sqlc(const BenchOptions *options, const char *name) {
  CelAgent *agent[2] = {make(1), make(2)};
  double *updates[4]; // 1 and 2 threads, and their fractions of the peaks around them
  for (int k = 0; k < 4; k++)
    if (!(updates[k] = calloc((size_t)options->repeats, sizeof(double))))
      bench_die("not enough memory");
  const int64_t n = 1 + (int64_t)(options->seconds / options->repeats * rate(agent[0], 20));
  (void)rate(agent[1], 20);
  for (int r = 0; r < options->repeats; r++) {
    const double before = celi_ops_peak(0.05);
    updates[0][r] = rate(agent[0], n);
    const double between = celi_ops_peak(0.05);
    updates[1][r] = rate(agent[1], n);
    const double after = celi_ops_peak(0.05);
    updates[2][r] = (before + between) / 2 / flop();
    updates[3][r] = 2 * (between + after) / 2 / flop();
  }
  for (int threads = 1; threads <= 2; threads++) {
    BenchRow row = {.unit = "updates/s",
                    .value = bench_median(updates[threads - 1], options->repeats),
                    .limit = bench_median(updates[threads + 1], options->repeats),
                    .limit_of = threads == 1 ? "FMA peak of one core" : "FMA peak of two cores",
                    .peer_value = NAN};
    snprintf(row.name, sizeof row.name, "%s, %d thread%s", name, threads, threads > 1 ? "s" : "");
    bench_row(&row);
  }
  for (int k = 0; k < 2; k++) cel_agent_destroy(agent[k]);
  for (int k = 0; k < 4; k++) free(updates[k]);
}
