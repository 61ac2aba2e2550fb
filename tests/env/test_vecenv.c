/// The vector environment: episodes, time limits, repeats, streams, ranges, bad numbers.
///
/// Most tests use Counter, an environment of this test. It counts its steps, adds a random number
/// from its stream, and ends or fails at configured counts.
#include "env_test.h"
#include <inttypes.h>

typedef struct Counter {
  double end;           ///< count at which the episode terminates; 0: never
  double nan_reward_at; ///< count at which the reward is NaN; 0: never
  double inf_obs_at;    ///< count at which the observation is infinite
  double fail_at;       ///< count at which step returns an error
  bool nan_reset;       ///< the observation of a reset is NaN
} Counter;

#define AT(member) offsetof(Counter, member)
#define DOUBLE(member)                                                                             \
  .name = #member, .type = CEL_FIELD_DOUBLE, .offset = AT(member), .def = "0", .max = 1e9,         \
  .doc = "a count"
// clang-format off
static const CelField counter_fields[] = {
    {DOUBLE(end)},
    {DOUBLE(nan_reward_at)},
    {DOUBLE(inf_obs_at)},
    {DOUBLE(fail_at)},
    {.name = "nan_reset", .type = CEL_FIELD_BOOL, .offset = AT(nan_reset), .def = "false",
     .doc = "break"},
    {0},
};
// clang-format on

static CelStatus counter_open(CelEnvSpec *spec) {
  const double low[2] = {-1.0, -2.0}, high[2] = {1.0, 2.0};
  spec->observation = cel_space_box(2, -(double)INFINITY, (double)INFINITY);
  spec->action = cel_space_box_bounds(2, low, high);
  spec->state_size = 2;
  return CEL_OK;
}

/// State and observation: the count and the last random number.
static CelStatus counter_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  state[0] = 0.0;
  state[1] = cel_rng_uniform(rng);
  ((float *)obs)[0] = ((const Counter *)spec->config)->nan_reset ? NAN : 0.0f;
  ((float *)obs)[1] = (float)state[1];
  return CEL_OK;
}

static CelStatus counter_step(const CelEnvSpec *spec, double *states, int64_t n,
                              const void *actions, void *obs, float *reward, uint8_t *terminated,
                              CelRng *rng) {
  const Counter *c = spec->config;
  for (int64_t i = 0; i < n; i++) {
    double *state = states + 2 * i, count = state[0] + 1.0;
    if (count == c->fail_at) return cel_fail(CEL_E_ENV, "the counter is stuck");
    state[0] = count;
    state[1] = cel_rng_uniform(&rng[i]);
    ((float *)obs)[2 * i] = count == c->inf_obs_at ? -INFINITY : (float)count;
    ((float *)obs)[2 * i + 1] = (float)state[1];
    const float *action = (const float *)actions + 2 * i;
    reward[i] = count == c->nan_reward_at ? NAN : action[0] + action[1];
    terminated[i] = count == c->end ? 7 : 0; // any number except 0 means true
  }
  return CEL_OK;
}

static const CelEnvType counter = {
    .abi = CEL_ENV_ABI,
    .id = "Counter",
    .doc = "counts",
    .max_episode_steps = 0,
    .reward_threshold = 0,
    .config_size = sizeof(Counter),
    .fields = counter_fields,
    .open = counter_open,
    .reset = counter_reset,
    .step = counter_step,
};

static int register_counter(void **state) {
  (void)state;
  return cel_env_register(&counter) == CEL_OK ? 0 : -1;
}

/// Creates and resets a fleet of an environment with arguments.
static Fleet *fleet_of(const char *id, const char *arguments, int64_t N, uint64_t seed) {
  Fleet *fleet = make_fleet(make_spec(id, arguments), N, seed, 0);
  assert_ok(cel_vecenv_reset(&fleet->env));
  return fleet;
}

static void free_all(Fleet *fleet) {
  CelEnvSpec *spec = (CelEnvSpec *)(uintptr_t)fleet->env.spec;
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static float obs_of(const CelVecEnv *env, const uint8_t *rows, int64_t i, int j) {
  return ((const float *)(const void *)(rows + (size_t)i * env->obs_bytes))[j];
}

// ---- episodes

static void same_step_autoreset(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "end=3", 2, 1);
  CelVecEnv *env = &fleet->env;
  const float actions[4] = {0.5f, 1.0f, 0.25f, 0.0f};
  for (int t = 1; t <= 7; t++) {
    assert_ok(cel_vecenv_step(env, actions, 0, 2));
    for (int i = 0; i < 2; i++) {
      const bool end = t % 3 == 0;
      assert_int_equal(env->terminated[i], end);
      assert_int_equal(env->truncated[i], 0);
      assert_int_equal(env->elapsed[i], t % 3);
      assert_true(obs_of(env, env->obs, i, 0) == (float)(t % 3));
      if (!end) continue;
      assert_true(obs_of(env, env->final_obs, i, 0) == 3.0f);
      assert_int_equal(env->final_length[i], 3);
      assert_true(env->final_return[i] == (i == 0 ? 4.5 : 0.75));
      assert_true(env->episode_return[i] == 0.0);
    }
  }
  free_all(fleet);
}

static void the_time_limit_truncates(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "max_episode_steps=4", 1, 1);
  CelVecEnv *env = &fleet->env;
  const float actions[2] = {0, 0};
  for (int t = 1; t <= 9; t++) {
    assert_ok(cel_vecenv_step(env, actions, 0, 1));
    assert_int_equal(env->terminated[0], 0);
    assert_int_equal(env->truncated[0], t % 4 == 0);
  }
  assert_int_equal(env->final_length[0], 4);
  free_all(fleet);
}

/// As in Gymnasium, both flags are set if the last allowed step also terminates the episode.
static void both_at_once(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "end=4 max_episode_steps=4", 1, 1);
  const float actions[2] = {0, 0};
  for (int t = 0; t < 4; t++) assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 1));
  assert_int_equal(fleet->env.terminated[0], 1);
  assert_int_equal(fleet->env.truncated[0], 1);
  free_all(fleet);
}

static void the_time_limit_can_be_changed(void **state) {
  (void)state;
  CelEnvSpec *own = make_spec("CartPole-v1", ""),
             *shorter = make_spec("CartPole-v1", "max_episode_steps=7");
  CelEnvSpec *none = make_spec("CartPole-v1", "max_episode_steps=0");
  assert_int_equal(own->max_episode_steps, 500);
  assert_int_equal(shorter->max_episode_steps, 7);
  assert_int_equal(none->max_episode_steps, 0);
  cel_env_spec_destroy(own);
  cel_env_spec_destroy(shorter);
  cel_env_spec_destroy(none);
  Fleet *fleet = fleet_of("Pendulum-v1", "max_episode_steps=0", 1, 1);
  const float action = 0.0f;
  for (int t = 0; t < 1000; t++) {
    assert_ok(cel_vecenv_step(&fleet->env, &action, 0, 1));
    assert_int_equal(fleet->env.truncated[0], 0);
  }
  free_all(fleet);
}

static void action_repeat_adds_rewards_and_stops_at_the_end(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "end=5 action_repeat=3", 1, 1);
  CelVecEnv *env = &fleet->env;
  const float actions[2] = {1, 0};
  assert_ok(cel_vecenv_step(env, actions, 0, 1));
  assert_true(env->reward[0] == 3.0f);
  assert_true(obs_of(env, env->obs, 0, 0) == 3.0f);
  assert_int_equal(env->terminated[0], 0);
  assert_ok(cel_vecenv_step(env, actions, 0, 1)); // steps 4 and 5; there must be no step 6
  assert_true(env->reward[0] == 2.0f);
  assert_int_equal(env->terminated[0], 1);
  assert_int_equal(env->final_length[0], 5);
  assert_true(env->final_return[0] == 5.0);
  assert_true(obs_of(env, env->final_obs, 0, 0) == 5.0f);
  assert_true(obs_of(env, env->obs, 0, 0) == 0.0f);
  free_all(fleet);
}

static void the_time_limit_counts_repeated_steps(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "max_episode_steps=5 action_repeat=3", 1, 1);
  const float actions[2] = {1, 0};
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 1));
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 1));
  assert_int_equal(fleet->env.truncated[0], 1);
  assert_int_equal(fleet->env.final_length[0], 5);
  assert_true(fleet->env.reward[0] == 2.0f);
  free_all(fleet);
}

/// Action repeat gives the same result as several single steps with the action.
static void repeats_equal_single_steps(void **state) {
  (void)state;
  enum { N = 9, K = 4 };
  Fleet *repeated = fleet_of("CartPole-v1", "action_repeat=4", N, 5);
  Fleet *single = fleet_of("CartPole-v1", "", N, 5);
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  int64_t ends = 0;
  for (int t = 0; t < 200; t++) {
    int32_t actions[N];
    cel_space_sample(&repeated->env.spec->action, actions, N, &rng);
    assert_ok(cel_vecenv_step(&repeated->env, actions, 0, N));
    for (int64_t i = 0; i < N; i++) {
      float sum = 0.0f;
      bool done = false;
      for (int k = 0; k < K && !done; k++) {
        assert_ok(cel_vecenv_step(&single->env, actions, i, i + 1));
        sum += single->env.reward[i];
        done = single->env.terminated[i] || single->env.truncated[i];
      }
      ends += done;
      assert_true(sum == repeated->env.reward[i]);
      assert_int_equal(done, repeated->env.terminated[i] || repeated->env.truncated[i]);
    }
    assert_memory_equal(single->env.obs, repeated->env.obs, N * repeated->env.obs_bytes);
    assert_memory_equal(single->env.states, repeated->env.states, N * 4 * sizeof(double));
  }
  assert_true(ends > 50);
  free_all(repeated);
  free_all(single);
}

// ---- streams and ranges

static const char *const all_ids[] = {
    "CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0",
    "Acrobot-v1",  "LQR-v0",      "Counter"};
enum { IDS = sizeof all_ids / sizeof all_ids[0] };

/// Arguments that add randomness and ends of episodes to an environment without them.
static const char *lively(const char *id) {
  if (strcmp(id, "Acrobot-v1") == 0) return "torque_noise_max=0.5 max_episode_steps=30";
  return strcmp(id, "Counter") == 0 ? "end=7" : "max_episode_steps=30";
}

/// Expects that environment i and environment j of another fleet have equal results and states.
static void assert_same(const CelVecEnv *a, int64_t i, const CelVecEnv *b, int64_t j) {
  const size_t S = (size_t)a->spec->state_size;
  assert_memory_equal(a->states + (size_t)i * S, b->states + (size_t)j * S, S * sizeof(double));
  assert_memory_equal(a->obs + (size_t)i * a->obs_bytes, b->obs + (size_t)j * b->obs_bytes,
                      a->obs_bytes);
  assert_memory_equal(&a->reward[i], &b->reward[j], sizeof(float));
  assert_int_equal(a->terminated[i], b->terminated[j]);
  assert_int_equal(a->truncated[i], b->truncated[j]);
  assert_int_equal(a->rng_counter[i], b->rng_counter[j]);
  assert_int_equal(a->elapsed[i], b->elapsed[j]);
  assert_true(a->episode_return[i] == b->episode_return[j]);
  assert_true(a->final_return[i] == b->final_return[j]);
  assert_int_equal(a->final_length[i], b->final_length[j]);
  assert_memory_equal(a->final_obs + (size_t)i * a->obs_bytes,
                      b->final_obs + (size_t)j * b->obs_bytes, a->obs_bytes);
}

/// N environments equal N single ones with their own streams, for any split of the range.
static void many_are_single_ones(void **state) {
  (void)state;
  enum { N = 67 };
  for (int k = 0; k < IDS; k++) {
    Fleet *whole = fleet_of(all_ids[k], lively(all_ids[k]), N, 9);
    Fleet *pieces = fleet_of(all_ids[k], lively(all_ids[k]), N, 9);
    Fleet *single[N];
    for (uint32_t i = 0; i < N; i++) {
      single[i] = make_fleet(whole->env.spec, 1, 9, i);
      assert_ok(cel_vecenv_reset(&single[i]->env));
    }
    const size_t width = whole->env.action_bytes;
    uint8_t *actions = calloc(N, width);
    CelRng rng = cel_rng(3, CEL_RNG_USER, (uint32_t)k);
    for (int t = 0; t < 100; t++) {
      cel_space_sample(&whole->env.spec->action, actions, N, &rng);
      assert_ok(cel_vecenv_step(&whole->env, actions, 0, N));
      const int64_t cut = (int64_t)cel_rng_below(&rng, N + 1);
      assert_ok(cel_vecenv_step(&pieces->env, actions, cut, N));
      assert_ok(cel_vecenv_step(&pieces->env, actions, 0, cut));
      for (int64_t i = 0; i < N; i++) {
        assert_ok(cel_vecenv_step(&single[i]->env, actions + (size_t)i * width, 0, 1));
        assert_same(&whole->env, i, &single[i]->env, 0);
        assert_same(&whole->env, i, &pieces->env, i);
      }
    }
    for (int i = 0; i < N; i++) free_fleet(single[i]);
    free(actions);
    free_all(whole);
    free_all(pieces);
  }
}

static void seeds(void **state) {
  (void)state;
  for (int k = 0; k < IDS; k++) {
    Fleet *a = fleet_of(all_ids[k], "", 3, 1), *b = fleet_of(all_ids[k], "", 3, 1);
    Fleet *c = fleet_of(all_ids[k], "", 3, 2);
    const size_t bytes = 3 * (size_t)a->env.spec->state_size * sizeof(double);
    assert_memory_equal(a->env.states, b->env.states, bytes);
    assert_memory_not_equal(a->env.states, c->env.states, bytes);
    assert_memory_not_equal(a->env.states, a->env.states + a->env.spec->state_size, bytes / 3);
    free_all(a);
    free_all(b);
    free_all(c);
  }
}

/// The saved tensors are complete: a fleet with copied state tensors continues in the same way.
static void the_state_is_in_the_tensors(void **state) {
  (void)state;
  enum { N = 5 };
  for (int k = 0; k < IDS; k++) {
    Fleet *a = fleet_of(all_ids[k], lively(all_ids[k]), N, 4);
    Fleet *b = make_fleet(a->env.spec, N, 4, 0); // never reset
    uint8_t *actions = calloc(N, a->env.action_bytes);
    CelRng rng = cel_rng(8, CEL_RNG_USER, (uint32_t)k);
    for (int t = 0; t < 80; t++) {
      if (t == 40) {
        size_t bytes, same;
        void *from = cel_tensors_region(a->tensors, CEL_STATE, &bytes);
        void *to = cel_tensors_region(b->tensors, CEL_STATE, &same);
        assert_int_equal(bytes, same);
        memcpy(to, from, bytes);
      }
      cel_space_sample(&a->env.spec->action, actions, N, &rng);
      assert_ok(cel_vecenv_step(&a->env, actions, 0, N));
      if (t >= 40) assert_ok(cel_vecenv_step(&b->env, actions, 0, N));
    }
    for (int64_t i = 0; i < N; i++) {
      assert_memory_equal(a->env.obs, b->env.obs, N * a->env.obs_bytes);
      assert_int_equal(a->env.rng_counter[i], b->env.rng_counter[i]);
      assert_true(a->env.episode_return[i] == b->env.episode_return[i]);
    }
    free(actions);
    free_fleet(b);
    free_all(a);
  }
}

// ---- errors

static void actions_are_clipped(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "", 2, 1);
  const float actions[4] = {5.0f, -INFINITY, -0.5f, 1.5f};
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 2));
  assert_true(fleet->env.reward[0] == 1.0f - 2.0f);
  assert_true(fleet->env.reward[1] == 1.0f);
  free_all(fleet);
}

static void bad_actions(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("CartPole-v1", "", 4, 1);
  double before[16];
  memcpy(before, fleet->env.states, sizeof before);
  const int32_t high[4] = {0, 1, 2, 0}, low[4] = {0, 1, 0, -1};
  assert_fails(cel_vecenv_step(&fleet->env, high, 0, 4), CEL_E_RANGE,
               "CartPole-v1|environment 2|the action is 2|0 to 1");
  assert_fails(cel_vecenv_step(&fleet->env, low, 0, 4), CEL_E_RANGE,
               "environment 3|the action is -1");
  assert_memory_equal(before, fleet->env.states, sizeof before); // the failed call changed nothing
  assert_ok(
      cel_vecenv_step(&fleet->env, high, 0, 2)); // actions outside of the range are not checked
  assert_fails(cel_vecenv_step(&fleet->env, high, 2, 5), CEL_E_RANGE, "[2, 5)|4 environments");
  assert_fails(cel_vecenv_step(&fleet->env, high, -1, 2), CEL_E_RANGE, "[-1, 2)");
  free_all(fleet);

  fleet = fleet_of("Counter", "", 3, 1);
  float actions[6] = {0, 0, 0, NAN, 0, 0};
  assert_fails(cel_vecenv_step(&fleet->env, actions, 0, 3), CEL_E_NAN,
               "environment 1|step 0|element 1|nan");
  assert_true(fleet->env.states[0] == 0.0);
  free_all(fleet);

  fleet = fleet_of("LQR-v0", "problem=scalar", 2, 1); // unbounded, so infinity is not clipped
  const float infinite[2] = {0.0f, INFINITY};
  assert_fails(cel_vecenv_step(&fleet->env, infinite, 0, 2), CEL_E_NAN, "environment 1|inf");
  free_all(fleet);
}

/// The counters may come from a damaged checkpoint.
static void bad_counters(void **state) {
  (void)state;
  Fleet *fleet = fleet_of("Counter", "", 3, 1);
  const float actions[6] = {0};
  const int64_t bad[] = {-1, INT64_MIN, INT64_C(1) << 62, INT64_MAX};
  for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
    fleet->env.elapsed[1] = bad[k];
    assert_fails(cel_vecenv_step(&fleet->env, actions, 0, 3), CEL_E_CORRUPT,
                 "Counter|elapsed of environment 1|2^62|reset");
    assert_int_equal(fleet->env.elapsed[1], bad[k]);
    assert_true(fleet->env.states[0] == 0.0); // the failed call changed nothing
  }
  assert_ok(cel_vecenv_step(&fleet->env, actions, 2, 3));
  assert_ok(cel_vecenv_reset(&fleet->env));
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 3));
  free_all(fleet);
}

static void bad_numbers_of_an_environment(void **state) {
  (void)state;
  const float actions[8] = {0};
  Fleet *fleet = make_fleet(make_spec("Counter", "nan_reward_at=3"), 4, 1, 10);
  assert_ok(cel_vecenv_reset(&fleet->env));
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 4));
  assert_ok(cel_vecenv_step(&fleet->env, actions, 2, 4));
  assert_fails(cel_vecenv_step(&fleet->env, actions, 0, 4), CEL_E_NAN,
               "Counter|environment 12|step 3|reward|nan");
  free_all(fleet);

  fleet = fleet_of("Counter", "inf_obs_at=2", 4, 1);
  assert_ok(cel_vecenv_step(&fleet->env, actions, 3, 4));
  assert_fails(cel_vecenv_step(&fleet->env, actions, 0, 4), CEL_E_NAN,
               "environment 3|step 2|observation (element 0)|-inf");
  free_all(fleet);

  fleet = fleet_of("Counter", "fail_at=2", 2, 1);
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 2));
  assert_fails(cel_vecenv_step(&fleet->env, actions, 0, 2), CEL_E_ENV,
               "Counter|environments 0 to 1|the counter is stuck");
  free_all(fleet);

  fleet = make_fleet(make_spec("Counter", "nan_reset=true"), 1, 1, 0);
  assert_fails(cel_vecenv_reset(&fleet->env), CEL_E_NAN, "environment 0|step 0|observation|nan");
  free_all(fleet);
}

static void declare_refuses(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("Counter", "");
  CelTensors *tensors;
  CelVecEnv env;
  assert_ok(cel_tensors_create(&tensors));
  assert_fails(cel_vecenv_declare(&env, tensors, "env", spec, 0, 1, CEL_RNG_ENV, 0), CEL_E_RANGE,
               "N is 0");
  assert_fails(cel_vecenv_declare(&env, tensors, "env", spec, 10, 1, CEL_RNG_ENV, UINT32_MAX - 3),
               CEL_E_RANGE, "below 2^32");
  assert_ok(cel_vecenv_declare(&env, tensors, "env", spec, 2, 1, CEL_RNG_ENV, 0));
  assert_fails(cel_vecenv_declare(&env, tensors, "env", spec, 2, 1, CEL_RNG_ENV, 0), CEL_E_NAME,
               "env.states");
  cel_tensors_destroy(tensors);
  cel_env_spec_destroy(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_step_autoreset),
      cmocka_unit_test(the_time_limit_truncates),
      cmocka_unit_test(both_at_once),
      cmocka_unit_test(the_time_limit_can_be_changed),
      cmocka_unit_test(action_repeat_adds_rewards_and_stops_at_the_end),
      cmocka_unit_test(the_time_limit_counts_repeated_steps),
      cmocka_unit_test(repeats_equal_single_steps),
      cmocka_unit_test(many_are_single_ones),
      cmocka_unit_test(seeds),
      cmocka_unit_test(the_state_is_in_the_tensors),
      cmocka_unit_test(actions_are_clipped),
      cmocka_unit_test(bad_actions),
      cmocka_unit_test(bad_counters),
      cmocka_unit_test(bad_numbers_of_an_environment),
      cmocka_unit_test(declare_refuses),
  };
  return cmocka_run_group_tests(tests, register_counter, NULL);
}
