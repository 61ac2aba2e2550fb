/// The tests of every off-policy learner: losses and gradients compared with PyTorch, the same bits
/// for any number of threads, saving and loading, no allocations, updates at the right steps.
///
/// A golden file holds PyTorch's results for the same parameters, batch and noise. The test wrote
/// those inputs (CELSIUS_DUMP=FOLDER), so it first checks that they still equal its own
/// ("in.NAME"). Then it compares tensors ("out.NAME") and metrics.
#ifndef LEARNER_TEST_H
#define LEARNER_TEST_H
#include "celsius/agent.h"
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

enum { LEARNER_O = 3, LEARNER_N = 2, LEARNER_STEPS = 60, LEARNER_ACTIONS = 4, LEARNER_DIMS = 2 };

typedef struct LearnerCase {
  const char *name;
  const char *settings[9][2]; ///< fields that differ from the learner's
} LearnerCase;

typedef struct Learner {
  const char *algo;
  bool discrete; ///< LEARNER_ACTIONS discrete actions, or LEARNER_DIMS numbers in [-2, 3]
  const char *settings[12][2]; ///< fields that differ from the defaults
  const LearnerCase *cases;
  int n_cases;
  int compared;        ///< least number of results in each golden file
  int64_t total_steps; ///< planned steps, for schedules; 0: schedules keep their initial value
} Learner;

static inline const CelAlgoInfo *learner_info(const Learner *learner) {
  const CelAlgoInfo *info;
  assert_int_equal(cel_algo_find(learner->algo, &info), CEL_OK);
  return info;
}

static inline void learner_set(const CelAlgoInfo *info, void *config,
                               const char *const (*settings)[2]) {
  for (int i = 0; settings && settings[i][0]; i++)
    if (cel_fields_set(info->fields, config, settings[i][0], settings[i][1]) != CEL_OK)
      fail_msg("%s", cel_error());
}

/// Creates an agent for case `c` (NULL: none), with the settings `more` (NULL: none).
static inline CelAgent *learner_make(const Learner *learner, const LearnerCase *c,
                                     const char *const (*more)[2], int threads) {
  const CelAlgoInfo *info = learner_info(learner);
  const CelSpace observation = cel_space_box(LEARNER_O, -(double)INFINITY, (double)INFINITY),
                 action = learner->discrete ? cel_space_discrete(LEARNER_ACTIONS)
                                            : cel_space_box(LEARNER_DIMS, -2, 3);
  const CelAgentOptions options = {
      .n_envs = LEARNER_N, .seed = 7, .threads = threads, .total_steps = learner->total_steps};
  CelAgent *agent;
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  learner_set(info, config, learner->settings);
  if (c) learner_set(info, config, c->settings);
  learner_set(info, config, more);
  if (cel_agent_create(&agent, learner->algo, config, &observation, &action, &options) != CEL_OK)
    fail_msg("create: %s", cel_error());
  free(config);
  return agent;
}

static inline void learner_check_actions(const Learner *learner, const void *actions) {
  const int32_t *choice = actions;
  const float *a = actions;
  for (int k = 0; learner->discrete && k < LEARNER_N; k++)
    assert_in_range(choice[k], 0, LEARNER_ACTIONS - 1);
  for (int k = 0; !learner->discrete && k < LEARNER_N * LEARNER_DIMS; k++)
    assert_true(isfinite(a[k])); // an unsquashed policy ignores the bounds
}

/// An artificial problem: random observations and rewards, episodes of 9 (terminated) and 14
/// (truncated) steps.
static inline void learner_feed(const Learner *learner, CelAgent *agent, int steps) {
  enum { NUMBERS = LEARNER_N * LEARNER_O };
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  float obs[NUMBERS], final[NUMBERS], actions[LEARNER_N * LEARNER_DIMS], reward[LEARNER_N];
  uint8_t terminated[LEARNER_N], truncated[LEARNER_N];
  for (int k = 0; k < NUMBERS; k++) obs[k] = (float)cel_rng_normal(&rng);
  for (int t = 1; t <= steps; t++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    learner_check_actions(learner, actions);
    for (int k = 0; k < NUMBERS; k++) {
      obs[k] = (float)cel_rng_normal(&rng);
      final[k] = (float)cel_rng_normal(&rng);
    }
    for (int i = 0; i < LEARNER_N; i++) {
      reward[i] = (float)cel_rng_normal(&rng);
      terminated[i] = (t + i) % 9 == 0;
      truncated[i] = !terminated[i] && (t + i) % 14 == 0;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, final};
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
}

/// Gives every bias and gain a nontrivial value, and makes targets differ from their networks.
static inline void learner_disturb(CelAgent *agent) {
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

static inline void learner_update(CelAgent *agent, int64_t n) {
  if (cel_agent_update_n(agent, n) != CEL_OK) fail_msg("update: %s", cel_error());
}

static inline CelAgent *learner_updated(const Learner *learner, const LearnerCase *c, int threads) {
  CelAgent *agent = learner_make(learner, c, NULL, threads);
  learner_disturb(agent);
  learner_feed(learner, agent, LEARNER_STEPS);
  learner_update(agent, 1);
  return agent;
}

// ---- comparison with PyTorch; from here on cmocka's state is the learner (LEARNER_TESTS)

/// Distance relative to the tensor's norm. `expected` holds doubles. Each copy of a target is
/// compared.
static inline double learner_distance(const CelTensor *have, const CelTensor *expected) {
  double difference = 0, norm = 0;
  assert_int_equal(strcmp(have->name, "batch.y") == 0 ? have->size % expected->size
                                                      : have->size - expected->size,
                   0);
  for (int64_t k = 0; k < have->size; k++) {
    const double e = ((const double *)expected->data)[k % expected->size],
                 d = (double)((const float *)have->data)[k] - e;
    difference += d * d, norm += e * e;
  }
  return sqrt(difference) / (sqrt(norm) + 1e-12);
}

static inline double learner_metric(const CelAgent *agent, const char *wanted) {
  const char *name;
  double value;
  for (int i = 0; cel_agent_metric(agent, i, &name, &value); i++)
    if (strcmp(name, wanted) == 0) return value;
  fail_msg("no metric %s", wanted);
  return (double)NAN;
}

static inline void learner_check(const Learner *learner, const LearnerCase *c, CelAgent *agent,
                                 const CelSafetensors *golden) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  int compared = 0;
  for (int64_t i = 0; i < cel_safetensors_count(golden); i++) {
    const CelTensor *t = cel_safetensors_at(golden, i);
    if (strncmp(t->name, "in.", 3) == 0) {
      const CelTensor *have = cel_tensors_find(tensors, t->name + 3);
      if (!have || memcmp(have->data, t->data, (size_t)t->size * 4) != 0)
        fail_msg("%s: the input %s differs from that of the golden file", c->name, t->name + 3);
    } else if (strncmp(t->name, "out.", 4) == 0) {
      const CelTensor *have = cel_tensors_find(tensors, t->name + 4);
      assert_non_null(have);
      const double d = learner_distance(have, t);
      if (!(d < 1e-5)) fail_msg("%s: %s is off by %.2e of its norm", c->name, t->name + 4, d);
      compared++;
    } else {
      const double want = *(const double *)t->data, have = learner_metric(agent, t->name);
      if (!(fabs(have - want) < 1e-5 * (1 + fabs(want))))
        fail_msg("%s: %s is %.9g, PyTorch says %.9g", c->name, t->name, have, want);
      compared++;
    }
  }
  assert_true(compared >= learner->compared);
}

static inline void learner_against_pytorch(void **state) {
  const Learner *learner = *state;
  const char *dump = getenv("CELSIUS_DUMP");
  for (int i = 0; i < learner->n_cases; i++) {
    const LearnerCase *c = &learner->cases[i];
    char path[512];
    CelAgent *agent = learner_updated(learner, c, 1);
    if (dump) {
      snprintf(path, sizeof path, "%s/%s.safetensors", dump, c->name);
      assert_int_equal(
          cel_safetensors_write(path, cel_agent_tensors(agent), ~(1u << CEL_REPLAY), NULL, 0),
          CEL_OK);
    } else {
      CelSafetensors *golden;
      snprintf(path, sizeof path, "%s/golden/%s/%s.safetensors", CELSIUS_TEST_DIR, learner->algo,
               c->name);
      if (cel_safetensors_open(path, &golden) != CEL_OK) fail_msg("%s", cel_error());
      learner_check(learner, c, agent, golden);
      cel_safetensors_close(golden);
    }
    cel_agent_destroy(agent);
  }
}

// ---- tests of every learner

/// Acting, observing and updating allocate nothing, also with threads.
static inline void learner_allocates_nothing(void **state) {
  const Learner *learner = *state;
  if (!counting_allocations()) skip();
  for (int i = 0; i < learner->n_cases; i++) {
    CelAgent *agent = learner_make(learner, &learner->cases[i], NULL, 2);
    learner_feed(learner, agent, LEARNER_STEPS);
    learner_update(agent, 1); // starts the threads
    const long long before = allocations();
    assert_true(before > 0);
    learner_feed(learner, agent, LEARNER_STEPS);
    learner_update(agent, 20);
    assert_int_equal(cel_agent_update(agent), CEL_OK);
    assert_int_equal(allocations() - before, 0);
    cel_agent_destroy(agent);
  }
}

/// 1, 2 and 3 threads give the same bits, over many updates with a real learning rate and with
/// actions between them.
static inline void learner_same_bits(void **state) {
  const Learner *learner = *state;
  static const char *const real[][2] = {{"learning_rate", "1e-3"},
                                        {"batch_size", "33"},
                                        {"tau", "0.01"},
                                        {"learning_starts", "20"},
                                        {NULL, NULL}};
  for (int i = 0; i < learner->n_cases; i++) {
    uint64_t first[2] = {0, 0};
    for (int threads = 1; threads <= 3; threads++) {
      uint64_t digest[2];
      CelAgent *agent = learner_make(learner, &learner->cases[i], real, threads);
      learner_feed(learner, agent, LEARNER_STEPS);
      for (int k = 0; k < 5; k++) learner_update(agent, 3);
      learner_feed(learner, agent, 3);
      assert_int_equal(cel_agent_updates(agent), 15);
      cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, digest);
      cel_agent_destroy(agent);
      if (threads == 1)
        memcpy(first, digest, sizeof first);
      else if (memcmp(first, digest, sizeof first) != 0)
        fail_msg("%s: the bits of %d threads differ from those of one", learner->cases[i].name,
                 threads);
    }
  }
}

/// Saves, continues, loads into another agent and continues: both give the same bits.
static inline void learner_save_and_load(void **state) {
  const Learner *learner = *state;
  char folder[] = "/tmp/celsius-learner-XXXXXX", path[64], replay[64], command[128];
  static const char *const real[][2] = {
      {"learning_rate", "1e-3"}, {"learning_starts", "0"}, {NULL, NULL}};
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/agent.safetensors", folder);
  snprintf(replay, sizeof replay, "%s/replay", folder);
  for (int i = 0; i < learner->n_cases; i++) {
    uint64_t want[2], have[2];
    const LearnerCase *c = &learner->cases[i];
    CelAgent *agent = learner_make(learner, c, real, 1), *other = learner_make(learner, c, real, 2);
    learner_feed(learner, agent, LEARNER_STEPS);
    learner_update(agent, 3);
    assert_int_equal(cel_agent_save(agent, path, replay, NULL), CEL_OK);
    if (cel_agent_load(other, path, replay, NULL) != CEL_OK) fail_msg("load: %s", cel_error());
    CelAgent *const both[] = {agent, other};
    for (int k = 0; k < 2; k++) {
      learner_feed(learner, both[k], 5);
      learner_update(both[k], 4);
      cel_tensors_digest(cel_agent_tensors(both[k]), CEL_ROLES_RESUME, k ? have : want);
      cel_agent_destroy(both[k]);
    }
    assert_memory_equal(want, have, sizeof want);
    snprintf(command, sizeof command, "rm -rf %s/replay %s/agent.safetensors", folder, folder);
    assert_int_equal(system(command), 0);
  }
  assert_int_equal(rmdir(folder), 0);
}

static inline void learner_expect(CelStatus status, CelStatus wanted, const char *word) {
  assert_int_equal(status, wanted);
  if (!strstr(cel_error(), word))
    fail_msg("the message '%s' does not contain '%s'", cel_error(), word);
}

/// Spaces that the learner does not support, calls out of order, NaN and infinity.
static inline void learner_bad_input(const Learner *learner) {
  const CelSpace box = cel_space_box(3, -1, 1), choice = cel_space_discrete(2);
  CelAgent *agent;
  learner_expect(
      cel_agent_create(&agent, learner->algo, NULL, &box, learner->discrete ? &box : &choice, NULL),
      CEL_E_UNSUPPORTED, learner->discrete ? "Box(3,)" : "Discrete(2)");
  learner_expect(cel_agent_create(&agent, learner->algo, NULL, &choice,
                                  learner->discrete ? &choice : &box, NULL),
                 CEL_E_UNSUPPORTED, "observations");
  agent = learner_make(learner, NULL, NULL, 1);
  const float obs[LEARNER_N * LEARNER_O] = {0};
  const float reward[LEARNER_N] = {0, NAN};
  const uint8_t no[LEARNER_N] = {0};
  float actions[LEARNER_N * LEARNER_DIMS];
  CelOutcome outcome = {reward, no, no, obs, NULL};
  learner_expect(cel_agent_update_n(agent, 1), CEL_E_STATE, "nothing to learn from");
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  learner_expect(cel_agent_observe(agent, &outcome), CEL_E_NAN, "environment 1");
  cel_agent_destroy(agent);
}

/// The next update reports a parameter that is not finite.
static inline void learner_nan_is_told(const Learner *learner, const char *tensor) {
  CelAgent *agent = learner_updated(learner, &learner->cases[0], 1);
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), tensor);
  assert_non_null(t);
  ((float *)t->data)[0] = NAN;
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  learner_expect(cel_agent_update_n(agent, 1), CEL_E_NAN, "_loss is nan");
  cel_agent_destroy(agent);
}

/// Predicting many rows equals predicting them one by one, and equals the mode of act.
static inline void learner_predicts_rows(void **state) {
  const Learner *learner = *state;
  enum { ROWS = 150 };
  const size_t row = learner->discrete ? sizeof(int32_t) : LEARNER_DIMS * sizeof(float);
  for (int i = 0; i < learner->n_cases; i++) {
    CelAgent *agent = learner_updated(learner, &learner->cases[i], 1);
    float obs[ROWS * LEARNER_O], one[LEARNER_DIMS], both[LEARNER_N * LEARNER_DIMS];
    uint8_t many[ROWS * LEARNER_DIMS * sizeof(float)];
    CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
    for (int k = 0; k < ROWS * LEARNER_O; k++) obs[k] = (float)cel_rng_normal(&rng);
    assert_int_equal(cel_agent_predict(agent, obs, ROWS, many), CEL_OK);
    for (int k = 0; k < ROWS; k++) {
      assert_int_equal(cel_agent_predict(agent, obs + k * LEARNER_O, 1, one), CEL_OK);
      assert_memory_equal(one, many + (size_t)k * row, row);
    }
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, both), CEL_OK);
    assert_memory_equal(both, many, LEARNER_N * row);
    cel_agent_destroy(agent);
  }
}

/// The tests that every learner must pass. `learner` is a Learner.
#define LEARNER_TESTS(learner)                                                                     \
  cmocka_unit_test_prestate(learner_against_pytorch, (void *)&(learner)),                          \
      cmocka_unit_test_prestate(learner_allocates_nothing, (void *)&(learner)),                    \
      cmocka_unit_test_prestate(learner_same_bits, (void *)&(learner)),                            \
      cmocka_unit_test_prestate(learner_save_and_load, (void *)&(learner)),                        \
      cmocka_unit_test_prestate(learner_predicts_rows, (void *)&(learner))

#endif
