/// Evaluation on an environment whose returns are known. Episode i does not depend on the others.
#include "run_test.h"

#include <math.h>

/// Counts down from a random number of steps, with reward 1 per step. The return is the length.
static CelStatus count_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -HUGE_VAL, HUGE_VAL);
  spec->action = cel_space_box(1, -1, 1);
  spec->state_size = 1;
  return CEL_OK;
}

static CelStatus count_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec;
  state[0] = 1 + (double)cel_rng_below(rng, 40);
  *(float *)obs = (float)state[0];
  return CEL_OK;
}

static CelStatus count_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                            void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)spec, (void)actions, (void)rng;
  for (int64_t i = 0; i < n; i++) {
    states[i] -= 1;
    ((float *)obs)[i] = (float)states[i];
    reward[i] = 1;
    terminated[i] = states[i] <= 0;
  }
  return CEL_OK;
}

static const CelEnvType count_type = {.abi = CEL_ENV_ABI,
                                      .id = "TestCount-v0",
                                      .doc = "Counts down.",
                                      .reward_threshold = (double)NAN,
                                      .open = count_open,
                                      .reset = count_reset,
                                      .step = count_step};

typedef struct Fixture {
  CelEnvSpec *spec;
  CelAgent *agent;
} Fixture;

static int set_up(void **state) {
  static bool registered;
  Fixture *f = calloc(1, sizeof *f);
  if (!registered) OK(cel_env_register(&count_type));
  registered = true;
  OK(cel_env_spec_create(&f->spec, "TestCount-v0", NULL, NULL));
  CelSacConfig config = cel_sac_config_default();
  config.common.net_arch = (CelIntList){1, {8}};
  config.common.buffer_size = 100;
  CelAgentOptions options = cel_agent_options_default();
  options.n_envs = 3;
  OK(cel_agent_create(&f->agent, "sac", &config, &f->spec->observation, &f->spec->action,
                      &options));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  Fixture *f = *state;
  cel_agent_destroy(f->agent);
  cel_env_spec_destroy(f->spec);
  free(f);
  return 0;
}

static void returns_are_those_of_the_streams(void **state) {
  const Fixture *f = *state;
  enum { N = 150 }; // more than one block
  double returns[N];
  int64_t lengths[N];
  CelEvalResult result;
  OK(cel_evaluate(f->agent, f->spec, N, 7, CEL_MODE, returns, lengths, &result));
  double sum = 0, least = 1e9, most = 0;
  for (int i = 0; i < N; i++) {
    CelRng rng = cel_rng(7, CEL_RNG_EVAL, (uint32_t)i);
    const double expected = 1 + (double)cel_rng_below(&rng, 40);
    assert_true(returns[i] == expected);
    assert_int_equal(lengths[i], (int64_t)expected);
    sum += expected;
    least = fmin(least, expected);
    most = fmax(most, expected);
  }
  assert_true(fabs(result.mean_return - sum / N) < 1e-12);
  assert_true(result.min_return == least && result.max_return == most);
  assert_int_equal(result.episodes, N);
  assert_true(result.mean_length == result.mean_return);
}

static void fewer_episodes_are_the_first_ones(void **state) {
  const Fixture *f = *state;
  double many[70], few[5];
  OK(cel_evaluate(f->agent, f->spec, 70, 3, CEL_MODE, many, NULL, NULL));
  OK(cel_evaluate(f->agent, f->spec, 5, 3, CEL_MODE, few, NULL, NULL));
  assert_memory_equal(many, few, sizeof few);
  OK(cel_evaluate(f->agent, f->spec, 5, 3, CEL_SAMPLE, few, NULL, NULL));
  assert_memory_equal(many, few, sizeof few); // actions have no effect in this environment
}

static void statistics(void **state) {
  const Fixture *f = *state;
  double r[4];
  CelEvalResult result;
  OK(cel_evaluate(f->agent, f->spec, 4, 11, CEL_MODE, r, NULL, &result));
  double mean = (r[0] + r[1] + r[2] + r[3]) / 4, variance = 0;
  for (int i = 0; i < 4; i++) variance += (r[i] - mean) * (r[i] - mean) / 4;
  assert_true(fabs(result.std_return - sqrt(variance)) < 1e-12);
  for (int i = 0; i < 4; i++) // in order
    for (int k = i + 1; k < 4; k++)
      if (r[k] < r[i]) {
        const double kept = r[i];
        r[i] = r[k], r[k] = kept;
      }
  assert_true(r[1] < r[2]); // otherwise the test shows nothing
  assert_true(fabs(result.median_return - (r[1] + r[2]) / 2) < 1e-12);
  assert_null(result.lengths);
}

static void the_agent_stays_as_it_was(void **state) {
  const Fixture *f = *state;
  const unsigned all = CEL_ROLES_RESUME | (1u << CEL_REPLAY);
  uint64_t before[2], after[2];
  cel_tensors_digest(cel_agent_tensors(f->agent), all, before);
  OK(cel_evaluate(f->agent, f->spec, 20, 1, CEL_MODE, NULL, NULL, NULL));
  OK(cel_evaluate(f->agent, f->spec, 20, 1, CEL_SAMPLE, NULL, NULL, NULL));
  cel_tensors_digest(cel_agent_tensors(f->agent), all, after);
  assert_memory_equal(before, after, sizeof before);
}

static void bad_calls(void **state) {
  const Fixture *f = *state;
  CelEnvSpec *other = NULL;
  FAILS(cel_evaluate(f->agent, f->spec, 0, 1, CEL_MODE, NULL, NULL, NULL), CEL_E_RANGE, "episodes");
  FAILS(cel_evaluate(f->agent, f->spec, 1, 1, CEL_EXPLORE, NULL, NULL, NULL), CEL_E_ARGUMENT,
        "CEL_MODE or CEL_SAMPLE");
  OK(cel_env_spec_create(&other, "Pendulum-v1", NULL, NULL));
  FAILS(cel_evaluate(f->agent, other, 1, 1, CEL_MODE, NULL, NULL, NULL), CEL_E_SHAPE,
        "Pendulum-v1");
  cel_env_spec_destroy(other);
}

// ---- cel_learn

typedef struct Seen {
  int64_t calls, stop_after;
  CelProgress last;
} Seen;

static void progress(void *user, const CelProgress *p) {
  ((Seen *)user)->calls++;
  ((Seen *)user)->last = *p;
}

static bool stop(void *user) {
  return --((Seen *)user)->stop_after <= 0;
}

static void learn_steps_and_stops(void **state) {
  const Fixture *f = *state;
  CelTensors *tensors = NULL;
  CelVecEnv env;
  OK(cel_tensors_create(&tensors));
  OK(cel_vecenv_declare(&env, tensors, "env", f->spec, 3, 1, CEL_RNG_ENV, 0));
  OK(cel_tensors_allocate(tensors));
  OK(cel_vecenv_reset(&env));
  OK(cel_learn(f->agent, &env, 31, NULL)); // rounded up to a multiple of 3
  assert_int_equal(cel_agent_steps(f->agent), 33);
  Seen seen = {.stop_after = 4};
  const CelRunHooks hooks = {.user = &seen, .progress = progress, .stop = stop};
  FAILS(cel_learn(f->agent, &env, 300, &hooks), CEL_E_INTERRUPTED, "12 of 300");
  assert_int_equal(cel_agent_steps(f->agent), 45);
  cel_tensors_destroy(tensors);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {TEST(returns_are_those_of_the_streams),
                                     TEST(fewer_episodes_are_the_first_ones),
                                     TEST(statistics),
                                     TEST(the_agent_stays_as_it_was),
                                     TEST(bad_calls),
                                     TEST(learn_steps_and_stops)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
