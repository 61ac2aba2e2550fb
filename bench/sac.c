/// Complete SAC updates per second: sampling, both networks, temperature, Adam, target networks.
///
/// The limit is the time of the matrix products alone at the FMA peak of one core. A product of m x
/// k x n counts 2 m k n. On B batch rows an update computes: the actor forward twice (s, s'); the
/// target critics forward; the critics forward on (s,a) and on (s,a_pi); their weight gradients;
/// their data gradients down to the first hidden layer, and once more down to the action's columns;
/// the weight and data gradients of the actor.
#include "bench.h"

#include "celsius/agent.h"
#include "celsius/rng.h"
#include "celsius/sac.h"
#include "ops/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Size {
  const char *name, *peer_size;
  int64_t O, A, H, B;
} Size;

static const Size sizes[] = {
    {"sac-small", "small", 3, 1, 64, 100},
    {"sac-large", "large", 17, 6, 256, 256},
};

/// FLOP of the matrix products of one update; see above.
static double flop(const Size *s) {
  const double O = (double)s->O, A = (double)s->A, H = (double)s->H, B = (double)s->B, E = 2;
  const double actor = O * H + H * H + H * 2 * A, critic = (O + A) * H + H * H + H;
  const double actor_back = H * H + H * 2 * A, critic_back = H * H + H;
  const double actor_total = 2 * actor + actor + actor_back;
  const double critic_total = 3 * critic + critic + critic_back + (critic_back + A * H);
  return 2 * B * (actor_total + E * critic_total);
}

enum { TRANSITIONS = 100000, ENVS = 100 };

/// Fills the replay buffer with random transitions through the public functions.
static void fill(CelAgent *agent, const Size *s) {
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  float *obs = calloc((size_t)(ENVS * s->O), sizeof *obs),
        *actions = calloc((size_t)(ENVS * s->A), sizeof *actions);
  float reward[ENVS];
  uint8_t terminated[ENVS] = {0}, truncated[ENVS];
  if (!obs || !actions) bench_die("not enough memory");
  for (int t = 0; t < TRANSITIONS / ENVS; t++) {
    if (cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions) != CEL_OK)
      bench_die("%s", cel_error());
    for (int64_t k = 0; k < ENVS * s->O; k++) obs[k] = (float)cel_rng_normal(&rng);
    for (int i = 0; i < ENVS; i++) {
      reward[i] = (float)cel_rng_normal(&rng);
      truncated[i] = (t + i) % 200 == 199;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, obs};
    if (cel_agent_observe(agent, &outcome) != CEL_OK) bench_die("%s", cel_error());
  }
  free(obs);
  free(actions);
}

static CelAgent *make(const Size *s, int threads) {
  CelSacConfig config = cel_sac_config_default();
  config.common.buffer_size = TRANSITIONS;
  config.common.batch_size = s->B;
  config.common.learning_starts = 1000000000;
  config.common.net_arch = (CelIntList){.n = 2, .v = {(int32_t)s->H, (int32_t)s->H}};
  const CelSpace observation = cel_space_box(s->O, -INFINITY, INFINITY),
                 action = cel_space_box(s->A, -1, 1);
  const CelAgentOptions options = {.n_envs = ENVS, .seed = 1, .threads = threads, .total_steps = 0};
  CelAgent *agent;
  if (cel_agent_create(&agent, "sac", &config, &observation, &action, &options) != CEL_OK)
    bench_die("%s", cel_error());
  fill(agent, s);
  return agent;
}

/// Updates per second over about `seconds`.
static double rate(CelAgent *agent, int64_t n) {
  const double start = bench_now();
  if (cel_agent_update_n(agent, n) != CEL_OK) bench_die("%s", cel_error());
  return (double)n / (bench_now() - start);
}

/// Makes an agent whose gradients are zero: no weights, and moments that decay to the smallest
/// numbers.
static void fade(CelAgent *agent) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    float *x = t->data;
    const bool moment = t->role == CEL_MOMENT1 || t->role == CEL_MOMENT2;
    if (!moment && t->role != CEL_PARAM) continue;
    for (int64_t k = 0; k < t->size; k++) x[k] = moment ? 0x1p-120f : 0.0f;
  }
  if (cel_agent_sync(agent) != CEL_OK) bench_die("%s", cel_error());
}

void bench_sac(const BenchOptions *options, const char *name) {
  const Size *s = strcmp(name, "sac-small") == 0 ? &sizes[0] : &sizes[1];
  CelAgent *agent[3] = {make(s, 1), make(s, 2), make(s, 1)};
  double *updates[4], peaks = 0;
  for (int k = 0; k < 4; k++)
    if (!(updates[k] = calloc((size_t)options->repeats, sizeof(double))))
      bench_die("not enough memory");
  const double each = options->seconds / options->repeats;
  const int64_t n = 1 + (int64_t)(each * rate(agent[0], 20));
  (void)rate(agent[1], 20);
  for (int r = 0; r < options->repeats; r++) {
    const double before = celi_ops_peak(0.05);
    updates[0][r] = rate(agent[0], n);
    const double after = celi_ops_peak(0.05);
    updates[1][r] = rate(agent[1], n);
    updates[2][r] = updates[1][r] / updates[0][r];
    const double paired = rate(agent[0], n);
    fade(agent[2]);
    updates[3][r] = rate(agent[2], n) / paired;
    peaks += (before + after) / 2;
  }
  const double one = bench_median(updates[0], options->repeats),
               two = bench_median(updates[1], options->repeats);
  const double floor = peaks / options->repeats / flop(s);
  BenchRow row = {.unit = "updates/s",
                  .limit = floor,
                  .limit_of = "FMA peak of one core",
                  .peer_value = NAN,
                  .value = one};
  snprintf(row.name, sizeof row.name, "%s, 1 thread", name);
  bench_row(&row);
  row.value = two, row.limit = 2 * floor, row.limit_of = "FMA peak of two cores";
  snprintf(row.name, sizeof row.name, "%s, 2 threads", name);
  bench_row(&row);
  BenchRow scaling = {.value = bench_median(updates[2], options->repeats),
                      .unit = "x one",
                      .limit = 2,
                      .limit_of = "two cores",
                      .peer_value = NAN};
  snprintf(scaling.name, sizeof scaling.name, "%s, 2 threads over 1", name);
  bench_row(&scaling);
  BenchRow fading = {.value = bench_median(updates[3], options->repeats),
                     .unit = "x ordinary",
                     .limit = 1,
                     .limit_of = "an ordinary update",
                     .peer_value = NAN};
  snprintf(fading.name, sizeof fading.name, "%s, on decaying gradients", name);
  bench_row(&fading);
  for (int k = 0; k < 3; k++) cel_agent_destroy(agent[k]);
  for (int k = 0; k < 4; k++) free(updates[k]);
  if (!options->peers) return;
  bench_peers(name, one, "updates/s", s->peer_size, 1);
  bench_peers(name, two, "updates/s", s->peer_size, 2);
}
