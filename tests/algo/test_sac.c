/// Soft actor-critic against PyTorch in float64, its determinism, its bad input.
///
/// tests/golden/torch_sac.py holds what PyTorch makes of the same parameters, batch and noise: those
/// inputs were written by this program (CELSIUS_DUMP=FOLDER), so the test first checks that they are still
/// what it feeds in, then compares targets, log-probs, losses and every gradient.
#include "sac_cases.h"

#include "celsius/safetensors.h"
#include "support/allocations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { O = 3, A = 2, N = 2, STEPS = 60 };

static CelSacConfig small_config(const SacCase *c) {
  static const char *const small[][2] = {{"net_arch", "6,5"},      {"batch_size", "7"},
                                         {"buffer_size", "200"},   {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},   {"gamma", "0.9"},
                                         {"ent_coef_init", "0.3"}, {"tau", "0"}};
  CelSacConfig config = cel_sac_config_default();
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
    assert_int_equal(cel_fields_set(cel_sac_fields(), &config, small[i][0], small[i][1]), CEL_OK);
  for (int i = 0; c && c->settings[i][0]; i++)
    assert_int_equal(
        cel_fields_set(cel_sac_fields(), &config, c->settings[i][0], c->settings[i][1]), CEL_OK);
  return config;
}

static CelAgent *make(const CelSacConfig *config, int threads) {
  const CelSpace observation = cel_space_box(O, -INFINITY, INFINITY),
                 action = cel_space_box(A, -2, 3);
  const CelAgentOptions options = {.n_envs = N, .seed = 7, .threads = threads, .total_steps = 0};
  CelAgent *agent;
  if (cel_agent_create(&agent, "sac", config, &observation, &action, &options) != CEL_OK)
    fail_msg("create: %s", cel_error());
  return agent;
}

/// A made-up problem: observations and rewards from a stream, episodes of 9 (terminated) and 14 (truncated) steps.
static void feed(CelAgent *agent, int steps) {
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  float obs[N * O], final[N * O], actions[N * A], reward[N];
  uint8_t terminated[N], truncated[N];
  for (int k = 0; k < N * O; k++) obs[k] = (float)cel_rng_normal(&rng);
  for (int t = 1; t <= steps; t++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    for (int k = 0; k < N * A; k++) assert_true(actions[k] >= -2 && actions[k] <= 3);
    for (int k = 0; k < N * O; k++) {
      obs[k] = (float)cel_rng_normal(&rng);
      final[k] = (float)cel_rng_normal(&rng);
    }
    for (int i = 0; i < N; i++) {
      reward[i] = (float)cel_rng_normal(&rng);
      terminated[i] = (t + i) % 9 == 0;
      truncated[i] = !terminated[i] && (t + i) % 14 == 0;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, final};
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
}

/// PyTorch's parameters would be as good; these are ours, with every bias and gain made non-trivial.
static void disturb(CelAgent *agent) {
  CelRng rng = cel_rng(5, CEL_RNG_USER, 1);
  CelTensors *tensors = cel_agent_tensors(agent);
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role != CEL_PARAM && t->role != CEL_TARGET) continue;
    for (int64_t k = 0; k < t->size; k++)
      ((float *)t->data)[k] += (float)(0.2 * cel_rng_normal(&rng));
  }
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
}

static CelAgent *updated(const SacCase *c, int threads) {
  const CelSacConfig config = small_config(c);
  CelAgent *agent = make(&config, threads);
  disturb(agent);
  feed(agent, STEPS);
  if (cel_agent_update_n(agent, 1) != CEL_OK) fail_msg("update: %s", cel_error());
  return agent;
}

/// Distance relative to the tensor's norm; `expected` holds doubles. The critics' copies of the target are compared each.
static double distance(const CelTensor *have, const CelTensor *expected) {
  double difference = 0, norm = 0;
  const bool copies = strcmp(have->name, "batch.y") == 0;
  assert_int_equal(copies ? have->size % expected->size : have->size - expected->size, 0);
  for (int64_t k = 0; k < have->size; k++) {
    const double e = ((const double *)expected->data)[k % expected->size],
                 d = (double)((const float *)have->data)[k] - e;
    difference += d * d, norm += e * e;
  }
  return sqrt(difference) / (sqrt(norm) + 1e-12);
}

static double metric(const CelAgent *agent, const char *wanted) {
  const char *name;
  double value;
  for (int i = 0; cel_agent_metric(agent, i, &name, &value); i++)
    if (strcmp(name, wanted) == 0) return value;
  fail_msg("no metric %s", wanted);
  return NAN;
}

static void check_case(const SacCase *c, CelAgent *agent, const CelSafetensors *golden) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  int compared = 0;
  for (int64_t i = 0; i < cel_safetensors_count(golden); i++) {
    const CelTensor *t = cel_safetensors_at(golden, i);
    if (strncmp(t->name, "in.", 3) == 0) {
      const CelTensor *have = cel_tensors_find(tensors, t->name + 3);
      if (!have || memcmp(have->data, t->data, (size_t)t->size * 4) != 0)
        fail_msg("%s: input %s is no longer what the golden file was made from", c->name,
                 t->name + 3);
    } else if (strncmp(t->name, "out.", 4) == 0) {
      const CelTensor *have = cel_tensors_find(tensors, t->name + 4);
      assert_non_null(have);
      const double d = distance(have, t);
      if (!(d < 1e-5)) fail_msg("%s: %s is off by %.2e of its norm", c->name, t->name + 4, d);
      compared++;
    } else {
      const double want = *(const double *)t->data, have = metric(agent, t->name);
      if (!(fabs(have - want) < 1e-5 * (1 + fabs(want))))
        fail_msg("%s: %s is %.9g, PyTorch says %.9g", c->name, t->name, have, want);
      compared++;
    }
  }
  assert_true(compared >= 12);
}

static void test_against_pytorch(void **state) {
  (void)state;
  const char *dump = getenv("CELSIUS_DUMP");
  for (int i = 0; i < N_SAC_CASES; i++) {
    char path[512];
    CelAgent *agent = updated(&sac_cases[i], 1);
    if (dump) {
      snprintf(path, sizeof path, "%s/%s.safetensors", dump, sac_cases[i].name);
      assert_int_equal(
          cel_safetensors_write(path, cel_agent_tensors(agent), ~(1u << CEL_REPLAY), NULL, 0),
          CEL_OK);
    } else {
      CelSafetensors *golden;
      snprintf(path, sizeof path, "%s/golden/sac/%s.safetensors", CELSIUS_TEST_DIR,
               sac_cases[i].name);
      if (cel_safetensors_open(path, &golden) != CEL_OK) fail_msg("%s", cel_error());
      check_case(&sac_cases[i], agent, golden);
      cel_safetensors_close(golden);
    }
    cel_agent_destroy(agent);
  }
}

/// Acting, observing and updating allocate nothing, for any of the agents and with threads.
static void test_allocates_nothing(void **state) {
  (void)state;
  if (!counting_allocations()) skip();
  for (int i = 0; i < N_SAC_CASES; i++) {
    const CelSacConfig config = small_config(&sac_cases[i]);
    CelAgent *agent = make(&config, 2);
    feed(agent, STEPS);
    assert_int_equal(cel_agent_update_n(agent, 1), CEL_OK); // starts the threads
    const long long before = allocations();
    assert_true(before > 0);
    feed(agent, STEPS);
    assert_int_equal(cel_agent_update_n(agent, 50), CEL_OK);
    assert_int_equal(cel_agent_update(agent), CEL_OK);
    assert_int_equal(allocations() - before, 0);
    cel_agent_destroy(agent);
  }
}

/// When updates fall due: after learning_starts, every train_freq steps, gradient_steps each (or one a step).
static void test_updates_fall_due(void **state) {
  (void)state;
  static const struct {
    const char *train_freq, *gradient_steps, *learning_starts;
    int64_t updates; // after 20 steps of 2 environments
  } cases[] = {{"1", "1", "0", 20},  {"1", "-1", "0", 40}, {"4", "3", "0", 15},
               {"4", "-1", "0", 40}, {"1", "1", "10", 15}, {"1", "1", "40", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CelSacConfig config = small_config(NULL);
    const CelField *fields = cel_sac_fields();
    assert_int_equal(cel_fields_set(fields, &config, "train_freq", cases[i].train_freq), CEL_OK);
    assert_int_equal(cel_fields_set(fields, &config, "gradient_steps", cases[i].gradient_steps),
                     CEL_OK);
    assert_int_equal(cel_fields_set(fields, &config, "learning_starts", cases[i].learning_starts),
                     CEL_OK);
    CelAgent *agent = make(&config, 1);
    for (int t = 0; t < 20; t++) {
      feed(agent, 1);
      assert_int_equal(cel_agent_update(agent), CEL_OK);
    }
    assert_int_equal(cel_agent_steps(agent), 40);
    assert_int_equal(cel_agent_updates(agent), cases[i].updates);
    cel_agent_destroy(agent);
  }
}

/// Exploration noise changes the actions, stays within the bounds and is reproducible.
static void test_exploration_noise(void **state) {
  (void)state;
  static const char *const kinds[] = {"none", "normal", "ou", "gsde"};
  float first[4][N * A];
  for (int k = 0; k < 4; k++)
    for (int again = 0; again < 2; again++) {
      CelSacConfig config = small_config(NULL);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "noise", kinds[k]), CEL_OK);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "noise_sigma", "0.5"), CEL_OK);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "learning_starts", "0"), CEL_OK);
      CelAgent *agent = make(&config, 1);
      float obs[N * O] = {0.1f, 0.2f, 0.3f, -0.1f, -0.2f, -0.3f}, actions[N * A];
      feed(agent, STEPS);
      assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
      if (again) assert_memory_equal(actions, first[k], sizeof actions);
      memcpy(first[k], actions, sizeof actions);
      cel_agent_destroy(agent);
    }
  for (int k = 1; k < 4; k++) assert_memory_not_equal(first[0], first[k], sizeof first[0]);
}

/// The same bits for 1, 2 and 3 threads, over many updates at a real learning rate.
static void test_same_bits_for_any_threads(void **state) {
  (void)state;
  for (int i = 0; i < N_SAC_CASES; i++) {
    uint64_t first[2] = {0, 0};
    for (int threads = 1; threads <= 3; threads++) {
      uint64_t digest[2];
      CelSacConfig config = small_config(&sac_cases[i]);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "learning_rate", "1e-3"), CEL_OK);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "batch_size", "33"), CEL_OK);
      assert_int_equal(cel_fields_set(cel_sac_fields(), &config, "tau", "0.01"), CEL_OK);
      CelAgent *agent = make(&config, threads);
      feed(agent, STEPS);
      for (int k = 0; k < 5; k++) assert_int_equal(cel_agent_update_n(agent, 3), CEL_OK);
      assert_int_equal(cel_agent_updates(agent), 15);
      cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, digest);
      cel_agent_destroy(agent);
      if (threads == 1)
        memcpy(first, digest, sizeof first);
      else if (memcmp(first, digest, sizeof first) != 0)
        fail_msg("%s: %d threads give other bits than one", sac_cases[i].name, threads);
    }
  }
}

/// Save, go on, load into another agent, go on: the same bits.
static void test_save_and_load(void **state) {
  (void)state;
  char folder[] = "/tmp/celsius-sac-XXXXXX", path[64], replay[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/agent.safetensors", folder);
  snprintf(replay, sizeof replay, "%s/replay", folder);
  for (int i = 0; i < N_SAC_CASES; i++) {
    uint64_t want[2], have[2];
    CelAgent *agent = updated(&sac_cases[i], 1),
             *other = updated(&sac_cases[(i + 1) % N_SAC_CASES], 1);
    assert_int_equal(cel_agent_save(agent, path, replay, NULL), CEL_OK);
    assert_int_equal(cel_agent_update_n(agent, 4), CEL_OK);
    cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, want);
    cel_agent_destroy(other);
    const CelSacConfig config = small_config(&sac_cases[i]);
    other = make(&config, 2);
    if (cel_agent_load(other, path, replay, NULL) != CEL_OK) fail_msg("load: %s", cel_error());
    assert_int_equal(cel_agent_update_n(other, 4), CEL_OK);
    cel_tensors_digest(cel_agent_tensors(other), CEL_ROLES_RESUME, have);
    assert_memory_equal(want, have, sizeof want);
    cel_agent_destroy(agent);
    cel_agent_destroy(other);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s/replay %s/agent.safetensors", folder, folder);
    assert_int_equal(system(command), 0);
  }
  assert_int_equal(rmdir(folder), 0);
}

static void expect(CelStatus status, CelStatus wanted, const char *word) {
  assert_int_equal(status, wanted);
  if (!strstr(cel_error(), word))
    fail_msg("the message '%s' does not speak of '%s'", cel_error(), word);
}

static void test_bad_input(void **state) {
  (void)state;
  const CelSpace box = cel_space_box(3, -1, 1), line = cel_space_box(1, -INFINITY, INFINITY),
                 choice = cel_space_discrete(2);
  CelAgent *agent;
  CelSacConfig config = small_config(NULL);
  expect(cel_agent_create(&agent, "sca", &config, &box, &box, NULL), CEL_E_NAME, "sac");
  expect(cel_agent_create(&agent, "sac", &config, &box, &choice, NULL), CEL_E_UNSUPPORTED,
         "Discrete(2)");
  expect(cel_agent_create(&agent, "sac", &config, &choice, &box, NULL), CEL_E_UNSUPPORTED,
         "observations");
  expect(cel_agent_create(&agent, "sac", &config, &box, &line, NULL), CEL_E_UNSUPPORTED,
         "gaussian");
  config.batch_size = 0;
  expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE, "batch_size");
  config = small_config(NULL), config.log_std_min = 3;
  expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_RANGE, "log_std_min");
  config = small_config(NULL), config.buffer_size = (int64_t)1e11;
  expect(cel_agent_create(&agent, "sac", &config, &box, &box, NULL), CEL_E_MEMORY, "replay");
  config = small_config(NULL);
  CelAgentOptions options = cel_agent_options_default();
  options.n_envs = 0;
  expect(cel_agent_create(&agent, "sac", &config, &box, &box, &options), CEL_E_RANGE, "n_envs");
}

static void test_calls_out_of_order_and_nan(void **state) {
  (void)state;
  const CelSacConfig config = small_config(NULL);
  CelAgent *agent = make(&config, 1);
  float obs[N * O] = {0}, actions[N * A], reward[N] = {0, NAN};
  uint8_t no[N] = {0}, yes[N] = {1, 0};
  CelOutcome outcome = {reward, no, no, obs, NULL};
  expect(cel_agent_update_n(agent, 1), CEL_E_STATE, "nothing to learn from");
  reward[1] = 0;
  expect(cel_agent_observe(agent, &outcome), CEL_E_STATE, "act");
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  reward[1] = NAN;
  expect(cel_agent_observe(agent, &outcome), CEL_E_NAN, "environment 1");
  reward[1] = 0, outcome.terminated = yes;
  expect(cel_agent_observe(agent, &outcome), CEL_E_ARGUMENT, "final_obs");
  outcome.terminated = no, obs[4] = INFINITY;
  expect(cel_agent_observe(agent, &outcome), CEL_E_NAN, "element 1");
  expect(cel_agent_act(agent, obs, NULL, CEL_MODE, actions), CEL_E_NAN, "environment 1");
  obs[4] = 0;
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  ((float *)cel_tensors_find(cel_agent_tensors(agent), "actor.0.weight")->data)[0] = NAN;
  expect(cel_agent_save_model(agent, "/tmp/celsius-never-written"), CEL_E_NAN, "actor.0.weight");
  expect(cel_agent_update_n(agent, 1), CEL_E_NAN, "update 1");
  cel_agent_destroy(agent);
}

/// Predicting any number of rows equals predicting one by one, and is the mode of act.
static void test_predict_rows(void **state) {
  (void)state;
  enum { ROWS = 150 };
  for (int i = 0; i < N_SAC_CASES; i++) {
    CelAgent *agent = updated(&sac_cases[i], 1);
    float obs[ROWS * O], many[ROWS * A], one[A], both[N * A];
    CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
    for (int k = 0; k < ROWS * O; k++) obs[k] = (float)cel_rng_normal(&rng);
    assert_int_equal(cel_agent_predict(agent, obs, ROWS, many), CEL_OK);
    for (int k = 0; k < ROWS; k++) {
      assert_int_equal(cel_agent_predict(agent, obs + k * O, 1, one), CEL_OK);
      assert_memory_equal(one, many + k * A, sizeof one);
    }
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, both), CEL_OK);
    assert_memory_equal(both, many, sizeof both);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_allocates_nothing),
      cmocka_unit_test(test_updates_fall_due),
      cmocka_unit_test(test_exploration_noise),
      cmocka_unit_test(test_against_pytorch),
      cmocka_unit_test(test_same_bits_for_any_threads),
      cmocka_unit_test(test_save_and_load),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_predict_rows),
      cmocka_unit_test(test_calls_out_of_order_and_nan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
