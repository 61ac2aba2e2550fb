/// The tests of every on-policy learner: losses and gradients compared with PyTorch, the same bits
/// for any number of threads, pushed and pulled, saving and loading in the middle of a rollout, no
/// allocations, invalid input.
///
/// A golden file holds PyTorch's results for the same parameters and rollout. The test wrote those
/// inputs (CELSIUS_DUMP=FOLDER), so it first checks that they still equal its own ("in.NAME"). Then
/// it compares tensors ("out.NAME") and metrics.
#ifndef ON_POLICY_TEST_H
#define ON_POLICY_TEST_H
#include "algo/algo.h"
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

enum { ON_O = 3, ON_N = 2, ON_T = 10, ON_ACTION_BYTES = 8 };

typedef enum OnActions { ON_BOX, ON_CHOICE, ON_CHOICES, ON_BITS } OnActions;

typedef struct OnCase {
  const char *name;
  OnActions actions;
  const char *settings[10][2]; ///< fields that differ from the learner's
} OnCase;

typedef struct OnLearner {
  const char *algo;
  const char *settings[14][2]; ///< fields that differ from the defaults
  const OnCase *cases;
  int n_cases;
  int compared; ///< least number of results in each golden file
} OnLearner;

static inline void on_set(const CelAlgoInfo *info, void *config, const char *const (*settings)[2]) {
  for (int i = 0; settings && settings[i][0]; i++)
    if (cel_fields_set(info->fields, config, settings[i][0], settings[i][1]) != CEL_OK)
      fail_msg("%s", cel_error());
}

static inline CelSpace on_actions(OnActions kind) {
  static const int64_t choices[] = {2, 3};
  switch (kind) {
  case ON_CHOICE: return cel_space_discrete(4);
  case ON_CHOICES: return cel_space_multi_discrete(2, choices);
  case ON_BITS: return cel_space_multi_binary(3);
  default: return cel_space_box(2, -2, 3);
  }
}

static inline CelStatus on_try(CelAgent **agent, const OnLearner *learner, const OnCase *c,
                               const char *const (*more)[2], const CelSpace *observation,
                               const CelSpace *action, int64_t n_envs, int threads) {
  const CelAlgoInfo *info;
  const CelAgentOptions options = {.n_envs = n_envs, .seed = 7, .threads = threads};
  assert_int_equal(cel_algo_find(learner->algo, &info), CEL_OK);
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  on_set(info, config, learner->settings);
  if (c) on_set(info, config, c->settings);
  on_set(info, config, more);
  const CelStatus status =
      cel_agent_create(agent, learner->algo, config, observation, action, &options);
  free(config);
  return status;
}

/// Creates an agent for case `c`, with the settings `more` (NULL: none).
static inline CelAgent *on_make(const OnLearner *learner, const OnCase *c,
                                const char *const (*more)[2], int threads) {
  const CelSpace observation = cel_space_box(ON_O, -INFINITY, INFINITY),
                 action = on_actions(c->actions);
  CelAgent *agent;
  if (on_try(&agent, learner, c, more, &observation, &action, ON_N, threads) != CEL_OK)
    fail_msg("create: %s", cel_error());
  return agent;
}

/// An artificial problem, from step `from` on: random observations and rewards, episodes of 4
/// (terminated) and 7 (truncated) steps.
static inline void on_feed(CelAgent *agent, int from, int steps) {
  float obs[ON_N * ON_O], final[ON_N * ON_O], reward[ON_N];
  uint8_t terminated[ON_N], truncated[ON_N], actions[ON_N * ON_ACTION_BYTES];
  for (int t = from; t < from + steps; t++) {
    CelRng now = cel_rng(11, CEL_RNG_USER, (uint32_t)t),
           next = cel_rng(11, CEL_RNG_USER, (uint32_t)t + 1);
    for (int k = 0; k < ON_N * ON_O; k++) obs[k] = (float)cel_rng_normal(&now);
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    for (int k = 0; k < ON_N * ON_O; k++) obs[k] = (float)cel_rng_normal(&next);
    for (int k = 0; k < ON_N * ON_O; k++) final[k] = (float)cel_rng_normal(&next);
    for (int i = 0; i < ON_N; i++) {
      reward[i] = (float)cel_rng_normal(&next);
      terminated[i] = (t + i) % 4 == 3;
      truncated[i] = (t + i) % 7 == 6;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, final};
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
}

/// Moves every parameter a little. Stored data stay the same.
static inline void on_disturb(CelAgent *agent, uint32_t stream) {
  CelRng rng = cel_rng(5, CEL_RNG_USER, stream);
  CelTensors *tensors = cel_agent_tensors(agent);
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    for (int64_t k = 0; t->role == CEL_PARAM && k < t->size; k++)
      ((float *)t->data)[k] += (float)(0.2 * cel_rng_normal(&rng));
  }
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
}

static inline void on_update(CelAgent *agent) {
  if (cel_agent_update(agent) != CEL_OK) fail_msg("update: %s", cel_error());
}

/// Writes dump/ALGO.CASEending if a dump is wanted.
static inline void on_dump(const OnLearner *learner, const OnCase *c, CelAgent *agent,
                           const char *ending) {
  const char *dump = getenv("CELSIUS_DUMP");
  char path[512];
  if (!dump) return;
  snprintf(path, sizeof path, "%s/%s.%s%s", dump, learner->algo, c->name, ending);
  assert_int_equal(cel_safetensors_write(path, cel_agent_tensors(agent), ~0u, NULL, 0), CEL_OK);
}

/// A rollout with one policy and an update of another, so that ratios differ from 1.
static inline CelAgent *on_updated(const OnLearner *learner, const OnCase *c) {
  CelAgent *agent = on_make(learner, c, NULL, 1);
  on_disturb(agent, 1);
  on_feed(agent, 0, ON_T);
  on_disturb(agent, 2);
  on_dump(learner, c, agent, ".before");
  on_update(agent);
  on_dump(learner, c, agent, ".safetensors");
  assert_true(cel_agent_updates(agent) > 0);
  return agent;
}

/// Distance relative to the tensor's norm; `expected` holds doubles.
static inline double on_distance(const CelTensor *have, const CelTensor *expected) {
  double difference = 0, norm = 0;
  assert_int_equal(have->size, expected->size);
  for (int64_t k = 0; k < have->size; k++) {
    const double e = ((const double *)expected->data)[k],
                 d = (double)((const float *)have->data)[k] - e;
    difference += d * d, norm += e * e;
  }
  return sqrt(difference) / (sqrt(norm) + 1e-12);
}

static inline double on_metric(const CelAgent *agent, const char *wanted) {
  const char *name;
  double value;
  for (int i = 0; cel_agent_metric(agent, i, &name, &value); i++)
    if (strcmp(name, wanted) == 0) return value;
  fail_msg("no metric %s", wanted);
  return (double)NAN;
}

static inline void on_compare(const OnCase *c, const CelAgent *agent, const CelTensors *tensors,
                              const CelTensor *t) {
  if (strncmp(t->name, "in.", 3) == 0) {
    const CelTensor *have = cel_tensors_find(tensors, t->name + 3);
    if (!have || memcmp(have->data, t->data, (size_t)t->size * cel_type_size(t->type)) != 0)
      fail_msg("%s: the input %s differs from that of the golden file", c->name, t->name + 3);
  } else if (strncmp(t->name, "out.", 4) == 0) {
    const CelTensor *have = cel_tensors_find(tensors, t->name + 4);
    if (!have) fail_msg("%s: no tensor %s", c->name, t->name + 4);
    const double d = on_distance(have, t);
    if (!(d < 1e-5)) fail_msg("%s: %s is off by %.2e of its norm", c->name, t->name + 4, d);
  } else {
    const double want = *(const double *)t->data, have = on_metric(agent, t->name);
    if (!(fabs(have - want) < 1e-5 * (1 + fabs(want))))
      fail_msg("%s: %s is %.9g, PyTorch says %.9g", c->name, t->name, have, want);
  }
}

static inline void on_check_golden(const OnLearner *learner) {
  const char *dump = getenv("CELSIUS_DUMP");
  for (int i = 0; i < learner->n_cases; i++) {
    const OnCase *c = &learner->cases[i];
    char path[512];
    CelAgent *agent = on_updated(learner, c);
    CelSafetensors *golden;
    int compared = 0;
    if (dump) {
      cel_agent_destroy(agent);
      continue;
    }
    snprintf(path, sizeof path, "%s/golden/pg/%s.%s.safetensors", CELSIUS_TEST_DIR, learner->algo,
             c->name);
    if (cel_safetensors_open(path, &golden) != CEL_OK) fail_msg("%s", cel_error());
    for (int64_t k = 0; k < cel_safetensors_count(golden); k++) {
      const CelTensor *t = cel_safetensors_at(golden, k);
      compared += strncmp(t->name, "in.", 3) != 0;
      on_compare(c, agent, cel_agent_tensors(agent), t);
    }
    assert_true(compared >= learner->compared);
    cel_safetensors_close(golden);
    cel_agent_destroy(agent);
  }
}

/// Settings that move the parameters.
static const char *const on_moving[][2] = {{"learning_rate", "1e-2"}, {NULL, NULL}};

static inline void on_digest(CelAgent *agent, uint64_t digest[2]) {
  cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, digest);
}

static inline void on_check_threads(const OnLearner *learner) {
  for (int i = 0; i < learner->n_cases; i++) {
    uint64_t first[2] = {0, 0}, digest[2];
    for (int threads = 1; threads <= 3; threads++) {
      CelAgent *agent = on_make(learner, &learner->cases[i], on_moving, threads);
      for (int k = 0; k < 3 * ON_T; k++) {
        on_feed(agent, k, 1);
        on_update(agent);
      }
      on_digest(agent, threads == 1 ? first : digest);
      cel_agent_destroy(agent);
      if (threads > 1 && memcmp(first, digest, sizeof first) != 0)
        fail_msg("%s: the bits of %d threads differ from those of one", learner->cases[i].name,
                 threads);
    }
  }
}

/// Saves in the middle of a rollout, continues, loads into another agent and continues: both give
/// the same bits.
static inline void on_check_save(const OnLearner *learner) {
  char folder[] = "/tmp/celsius-on_policy-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/agent.safetensors", folder);
  for (int i = 0; i < learner->n_cases; i++) {
    const OnCase *c = &learner->cases[i];
    uint64_t want[2], have[2];
    CelAgent *agent[2] = {on_make(learner, c, on_moving, 1), on_make(learner, c, on_moving, 2)};
    for (int k = 0; k < ON_T + 3; k++) {
      on_feed(agent[0], k, 1);
      on_update(agent[0]);
    }
    assert_int_equal(cel_agent_save(agent[0], path, folder, NULL), CEL_OK);
    if (cel_agent_load(agent[1], path, folder, NULL) != CEL_OK) fail_msg("load: %s", cel_error());
    for (int a = 0; a < 2; a++) {
      for (int k = ON_T + 3; k < 3 * ON_T; k++) {
        on_feed(agent[a], k, 1);
        on_update(agent[a]);
      }
      on_digest(agent[a], a ? have : want);
      cel_agent_destroy(agent[a]);
    }
    if (memcmp(want, have, sizeof want) != 0)
      fail_msg("%s: the bits differ after loading", c->name);
    assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(rmdir(folder), 0);
}

static inline void on_check_allocations(const OnLearner *learner) {
  if (!counting_allocations()) skip();
  for (int i = 0; i < learner->n_cases; i++) {
    CelAgent *agent = on_make(learner, &learner->cases[i], on_moving, 2);
    on_feed(agent, 0, ON_T);
    on_update(agent); // starts the threads
    const long long before = allocations();
    assert_true(before > 0);
    for (int k = 0; k < 3 * ON_T; k++) {
      on_feed(agent, k, 1);
      on_update(agent);
    }
    assert_int_equal(allocations() - before, 0);
    cel_agent_destroy(agent);
  }
}

typedef struct OnEnv {
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
} OnEnv;

static inline void on_env_open(OnEnv *e, const char *id, int64_t N) {
  const CelEnvOptions options = {.max_episode_steps = 30, .action_repeat = 1};
  if (cel_env_spec_create(&e->spec, id, NULL, &options) != CEL_OK ||
      cel_tensors_create(&e->tensors) != CEL_OK ||
      cel_vecenv_declare(&e->env, e->tensors, "env", e->spec, N, 3, CEL_RNG_ENV, 0) != CEL_OK ||
      cel_tensors_allocate(e->tensors) != CEL_OK || cel_vecenv_reset(&e->env) != CEL_OK)
    fail_msg("%s", cel_error());
}

static inline void on_env_close(OnEnv *e) {
  cel_tensors_destroy(e->tensors);
  cel_env_spec_destroy(e->spec);
}

/// Runs `steps` steps of each environment, pushed (chunk 0) or pulled in chunks. Returns digests of
/// agent and environments.
static inline void on_run(const OnLearner *learner, const char *id, int64_t N, int64_t steps,
                          int64_t chunk, int threads, const char *const (*more)[2],
                          uint64_t digest[4]) {
  OnEnv e;
  CelAgent *agent;
  uint8_t actions[16 * ON_ACTION_BYTES];
  on_env_open(&e, id, N);
  if (on_try(&agent, learner, NULL, more, &e.spec->observation, &e.spec->action, N, threads) !=
      CEL_OK)
    fail_msg("%s", cel_error());
  while (cel_agent_steps(agent) < steps * N) {
    const int64_t left = steps - cel_agent_steps(agent) / N;
    CelStatus status = CEL_OK;
    if (chunk > 0) {
      status = agent->algo->collect(agent, &e.env, chunk < left ? chunk : left);
    } else {
      assert_int_equal(cel_agent_act(agent, e.env.obs, NULL, CEL_EXPLORE, actions), CEL_OK);
      assert_int_equal(cel_vecenv_step(&e.env, actions, 0, N), CEL_OK);
      const CelOutcome outcome = {e.env.reward, e.env.terminated, e.env.truncated, e.env.obs,
                                  e.env.final_obs};
      status = cel_agent_observe(agent, &outcome);
    }
    if (status != CEL_OK) fail_msg("%s", cel_error());
    on_update(agent);
  }
  on_digest(agent, digest);
  cel_tensors_digest(e.tensors, CEL_ROLES_RESUME, digest + 2);
  cel_agent_destroy(agent);
  on_env_close(&e);
}

/// Pushed step by step, or pulled in chunks of any length, with any number of threads: the same
/// bits. Cases are plain, normalized, and with state-dependent exploration for continuous actions.
static inline void on_check_pull(const OnLearner *learner, const char *id) {
  static const char *const normal[][2] = {{"normalize_observation", "true"},
                                          {"normalize_reward", "true"},
                                          {"learning_rate", "1e-2"},
                                          {NULL, NULL}},
                           *const sde[][2] = {{"use_sde", "true"},
                                              {"sde_sample_freq", "3"},
                                              {"state_dependent_std", "false"},
                                              {"normalize_observation", "true"},
                                              {"learning_rate", "1e-2"},
                                              {NULL, NULL}};
  const char *const(*const settings[])[2] = {on_moving, normal, sde};
  static const char *const names[] = {"plain", "normalised", "with gSDE"};
  for (int k = 0; k < (strcmp(id, "Pendulum-v1") == 0 ? 3 : 2); k++) {
    uint64_t want[4], have[4];
    on_run(learner, id, 5, 47, 0, 1, settings[k], want);
    for (int threads = 1; threads <= 3; threads++)
      for (int chunk = 1; chunk <= 64; chunk *= 4) {
        on_run(learner, id, 5, 47, chunk, threads, settings[k], have);
        if (memcmp(want, have, sizeof want) != 0)
          fail_msg("%s, %s: %d threads, chunks of %d: other bits than pushed", id, names[k],
                   threads, chunk);
      }
  }
}

/// The bits of a short run. They change only if an algorithm is changed on purpose.
static inline void on_check_bits(const OnLearner *learner, const char *id, uint64_t low,
                                 uint64_t high) {
  uint64_t have[4];
  on_run(learner, id, 5, 47, 0, 1, on_moving, have);
  if (have[0] != low || have[1] != high)
    fail_msg("%s: the digest of a run is 0x%016llx, 0x%016llx; it was 0x%016llx, 0x%016llx", id,
             (unsigned long long)have[0], (unsigned long long)have[1], (unsigned long long)low,
             (unsigned long long)high);
}

static inline void on_expect(CelStatus status, CelStatus wanted, const char *word) {
  if (status != wanted || !strstr(cel_error(), word))
    fail_msg("status %d with '%s', expected %d with '%s'", (int)status, status ? cel_error() : "",
             (int)wanted, word);
}

/// Noise fields that exclude each other or have no meaning.
static inline void on_check_bad_sigma(const OnLearner *learner) {
  static const char *const sde[] = {"use_sde", "true"}, *const free_std[] = {"state_dependent_std",
                                                                             "false"};
  const struct {
    const char *more[2], *word;
    bool discrete;
    CelStatus status;
  } cases[] = {
      {{"seed", NULL}, "continuous", true, CEL_E_UNSUPPORTED},
      {{"state_dependent_std", "true"}, "state_dependent_std to false", false, CEL_E_RANGE},
      {{"net_arch", ""}, "hidden layer", false, CEL_E_RANGE},
      {{"sde_sample_freq", "0"}, "sde_sample_freq", false, CEL_E_RANGE},
      {{"squash_output", "true"}, "no finite bounds", false, CEL_E_UNSUPPORTED}};
  const CelSpace box = cel_space_box(ON_O, -1, 1), choice = cel_space_discrete(2),
                 open = cel_space_box(2, -1, INFINITY);
  CelAgent *agent;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *const more[][2] = {{sde[0], sde[1]},
                                   {free_std[0], free_std[1]},
                                   {i ? cases[i].more[0] : NULL, cases[i].more[1]},
                                   {NULL, NULL}};
    on_expect(
        on_try(&agent, learner, NULL, more, &box, cases[i].discrete ? &choice : &open, ON_N, 1),
        cases[i].status, cases[i].word);
  }
  static const char *const alone[][2] = {{"squash_output", "true"}, {NULL, NULL}};
  on_expect(on_try(&agent, learner, NULL, alone, &box, &box, ON_N, 1), CEL_E_RANGE,
            "squash_output needs use_sde");
}

/// What every learner refuses.
static inline void on_check_bad_input(const OnLearner *learner) {
  const CelSpace box = cel_space_box(ON_O, -1, 1), choice = cel_space_discrete(2);
  CelSpace two = box;
  CelAgent *agent;
  float obs[ON_N * ON_O] = {0}, reward[ON_N] = {0};
  uint8_t no[ON_N] = {0}, actions[ON_N * 16];
  on_check_bad_sigma(learner);
  two.n_parts = 2, two.part[1] = two.part[0];
  snprintf(two.part[0].name, sizeof two.part[0].name, "a");
  snprintf(two.part[1].name, sizeof two.part[1].name, "b");
  on_expect(on_try(&agent, learner, NULL, NULL, &choice, &box, ON_N, 1), CEL_E_UNSUPPORTED,
            "observations");
  on_expect(on_try(&agent, learner, NULL, NULL, &box, &two, ON_N, 1), CEL_E_UNSUPPORTED, "actions");
  assert_int_equal(on_try(&agent, learner, NULL, NULL, &box, &choice, ON_N, 1), CEL_OK);
  const CelOutcome outcome = {reward, no, no, obs, NULL};
  on_expect(cel_agent_observe(agent, &outcome), CEL_E_STATE, "act");
  on_expect(cel_agent_update_n(agent, 1), CEL_E_STATE, "rollout");
  for (int k = 0; k < ON_T; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  on_expect(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_E_STATE, "full");
  ((float *)cel_tensors_find(cel_agent_tensors(agent), "actor.0.weight")->data)[0] = NAN;
  on_expect(cel_agent_update(agent), CEL_E_NAN, "update 1");
  cel_agent_destroy(agent);
}

/// Equal rewards and values give advantages without variance. The update is finite all the same.
static inline void on_check_zero_variance(const OnLearner *learner) {
  const CelSpace box = cel_space_box(ON_O, -1, 1), choice = cel_space_discrete(2);
  CelAgent *agent;
  float obs[ON_N * ON_O] = {0}, reward[ON_N] = {0};
  uint8_t yes[ON_N] = {1, 1}, no[ON_N] = {0}, actions[ON_N * 16];
  assert_int_equal(on_try(&agent, learner, NULL, on_moving, &box, &choice, ON_N, 1), CEL_OK);
  const CelOutcome outcome = {reward, yes, no, obs, obs};
  for (int k = 0; k < ON_T; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  on_update(agent);
  cel_agent_destroy(agent);
}

// ---- the tests that every file runs; cmocka's state is the learner

static inline void test_against_pytorch(void **state) {
  on_check_golden(*state);
}
static inline void test_same_bits_for_any_threads(void **state) {
  on_check_threads(*state);
}
static inline void test_save_and_load(void **state) {
  on_check_save(*state);
}
static inline void test_allocates_nothing(void **state) {
  on_check_allocations(*state);
}
static inline void test_pushed_is_pulled(void **state) {
  on_check_pull(*state, "CartPole-v1");
  on_check_pull(*state, "Pendulum-v1");
}

#define ON_TEST(test, learner) cmocka_unit_test_prestate(test, (void *)(uintptr_t) & (learner))
#define ON_GOLDEN(learner) ON_TEST(test_against_pytorch, learner)
#define ON_TESTS(learner)                                                                          \
  ON_TEST(test_same_bits_for_any_threads, learner), ON_TEST(test_save_and_load, learner),          \
      ON_TEST(test_allocates_nothing, learner), ON_TEST(test_pushed_is_pulled, learner)

#endif
