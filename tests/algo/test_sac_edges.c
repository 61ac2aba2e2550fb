/// Soft actor-critic in unusual loops: samples without exploration, observations that the last
/// outcome did not report, NaN at the end of an episode, unsquashed policies, broken files.
#include "celsius/agent.h"
#include "celsius/sac.h"

#include "celsius/rng.h"
#include "celsius/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { O = 2, A = 2 };

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("status %d: %s", (int)status, cel_error());
}

/// Asserts an error whose message contains `part`.
static void refused(CelStatus status, CelStatus wanted, const char *part) {
  if (status != wanted) fail_msg("status %d, not %d: %s", (int)status, (int)wanted, cel_error());
  if (!strstr(cel_error(), part))
    fail_msg("the message '%s' does not contain '%s'", cel_error(), part);
}

typedef const char *Setting[2];

static CelAgent *make(const Setting *settings, int64_t n_envs, double low, double high) {
  static const Setting small[] = {{"net_arch", "4"},       {"batch_size", "5"},
                                  {"buffer_size", "100"},  {"learning_starts", "0"},
                                  {"gradient_steps", "1"}, {"learning_rate", "1e-3"}};
  CelSacConfig config = cel_sac_config_default();
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
    ok(cel_fields_set(cel_sac_fields(), &config, small[i][0], small[i][1]));
  for (int i = 0; settings && settings[i][0]; i++)
    ok(cel_fields_set(cel_sac_fields(), &config, settings[i][0], settings[i][1]));
  const CelSpace observation = cel_space_box(O, -(double)INFINITY, (double)INFINITY),
                 action = cel_space_box(A, low, high);
  const CelAgentOptions options = {.n_envs = n_envs, .seed = 3, .threads = 1};
  CelAgent *agent;
  ok(cel_agent_create(&agent, "sac", &config, &observation, &action, &options));
  return agent;
}

static void *data_of(CelAgent *agent, const char *name) {
  const CelTensor *tensor = cel_tensors_find(cel_agent_tensors(agent), name);
  if (!tensor) fail_msg("no tensor %s", name);
  return tensor->data;
}

/// One step of one environment that continues. The next observation is (2 obs[0] + 1, obs[1]).
static void step(CelAgent *agent, float obs[O]) {
  float actions[A];
  const float reward = 1;
  const uint8_t no = 0;
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
  obs[0] = 2 * obs[0] + 1;
  const CelOutcome outcome = {&reward, &no, &no, obs, NULL};
  ok(cel_agent_observe(agent, &outcome));
}

// ---- acting

/// A policy with gSDE that never explored can sample, without a change of the current matrices.
static void test_gsde_samples(void **state) {
  (void)state;
  const Setting settings[] = {{"use_sde", "true"}, {"log_std_init", "0"}, {0}};
  CelAgent *agent = make(settings, 1, -1, 1);
  const float obs[O] = {0.5f, -2};
  float mode[A], first[A], second[A], matrix[4 * A];
  memcpy(matrix, data_of(agent, "sde_matrix"), sizeof matrix);
  ok(cel_agent_act(agent, obs, NULL, CEL_MODE, mode));
  ok(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, first));
  ok(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, second));
  assert_memory_not_equal(mode, first, sizeof mode);
  assert_memory_not_equal(first, second, sizeof first);
  assert_memory_equal(matrix, data_of(agent, "sde_matrix"), sizeof matrix);
  cel_agent_destroy(agent);
}

/// If no feature is active, the variance of gSDE is its floor of 1e-6. Then the density at the mean
/// is (2 pi 1e-6)^(-1/2) in each dimension, and the slope of tanh at 0 is 1.
static void test_gsde_variance_floor(void **state) {
  (void)state;
  const Setting settings[] = {{"use_sde", "true"}, {0}};
  CelAgent *agent = make(settings, 1, -1, 1);
  static const char *const zero[] = {"actor.0.weight", "actor.0.bias", "actor.1.bias"};
  for (int i = 0; i < 3; i++) {
    const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), zero[i]);
    memset(t->data, 0, (size_t)t->size * sizeof(float));
  }
  ok(cel_agent_sync(agent));
  float obs[O] = {0.5f, -2};
  step(agent, obs);
  ok(cel_agent_update_n(agent, 1));
  const float *logp = data_of(agent, "gsde.pi.logp");
  const double want = -0.5 * A * log(2 * 3.141592653589793 * 1e-6);
  for (int b = 0; b < 5; b++)
    if (!(fabs((double)logp[b] - want) < 1e-4))
      fail_msg("the log-prob is %.6f, expected %.6f", (double)logp[b], want);
  cel_agent_destroy(agent);
}

/// Noise on an unsquashed policy does not clip its actions to [-1, 1], which are not its bounds.
static void test_gaussian_noise_is_not_clipped(void **state) {
  (void)state;
  const Setting settings[] = {
      {"policy", "gaussian"}, {"noise", "normal"}, {"noise_sigma", "0.1"}, {0}};
  CelAgent *agent = make(settings, 1, -(double)INFINITY, (double)INFINITY);
  float *bias = data_of(agent, "actor.1.bias");
  const float obs[O] = {0, 0};
  float actions[A];
  bias[0] = bias[1] = 40;
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
  for (int a = 0; a < A; a++)
    if (actions[a] < 5) fail_msg("action %d is %g, the mean about 40", a, (double)actions[a]);
  cel_agent_destroy(agent);
}

/// Actions are stored in the policy's scale, [-1, 1], for any kind of exploration. Those of an
/// unsquashed policy are stored in the environment's scale. The range of the environment is [10,
/// 30]: its middle is 20, half its width 10.
static void test_actions_are_stored_scaled(void **state) {
  (void)state;
  static const Setting settings[][4] = {
      {{"learning_starts", "1000"}, {0}},
      {{"learning_starts", "0"}, {0}},
      {{"noise", "normal"}, {"noise_sigma", "0.2"}, {0}},
      {{"noise", "ou"}, {"noise_sigma", "0.2"}, {0}},
      {{"use_sde", "true"}, {"log_std_init", "-1"}, {0}},
      {{"policy", "gaussian"}, {"learning_starts", "1000"}, {0}},
      {{"policy", "gaussian"}, {0}},
  };
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
    const bool scaled = i < 5;
    CelAgent *agent = make(settings[i], 1, 10, 30);
    float obs[O] = {0.5f, -2}, actions[A];
    const float reward = 1;
    const uint8_t no = 0;
    for (int k = 0; k < 10; k++) {
      ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
      const CelOutcome outcome = {&reward, &no, &no, obs, NULL};
      ok(cel_agent_observe(agent, &outcome));
      ok(cel_agent_update_n(agent, 1));
      const float *last = data_of(agent, "last_action"), *sa = data_of(agent, "batch.sa");
      for (int a = 0; a < A; a++) {
        // A sample of an unsquashed policy is stored as it is. The action that the agent returns is
        // clipped.
        const double stored = (double)last[a];
        const double want = scaled ? 20 + 10 * stored : fmin(fmax(stored, 10), 30);
        if (!(fabs((double)actions[a] - want) < 1e-4))
          fail_msg("setting %zu: the action %g is stored as %g, which means %g", i,
                   (double)actions[a], stored, want);
        if (scaled && !(fabsf(sa[O + a]) <= 1))
          fail_msg("setting %zu: an action of %g in a batch", i, (double)sa[O + a]);
      }
    }
    cel_agent_destroy(agent);
  }
}

/// Random actions before learning starts cover the bounds, for any policy.
static void test_gaussian_random_actions(void **state) {
  (void)state;
  const Setting settings[] = {{"policy", "gaussian"}, {"learning_starts", "1000"}, {0}};
  CelAgent *agent = make(settings, 1, 10, 30);
  const float obs[O] = {0, 0};
  float actions[A], low = INFINITY, high = -INFINITY;
  for (int i = 0; i < 200; i++) {
    ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
    for (int a = 0; a < A; a++) low = fminf(low, actions[a]), high = fmaxf(high, actions[a]);
  }
  if (low < 10 || low > 11 || high > 30 || high < 29)
    fail_msg("random actions from %g to %g", (double)low, (double)high);
  cel_agent_destroy(agent);
}

/// Bounds whose difference exceeds the range of float.
static void test_wide_bounds(void **state) {
  (void)state;
  CelAgent *agent = make(NULL, 1, -3e38, 3e38);
  const float obs[O] = {0.5f, -2};
  float actions[A];
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
  for (int a = 0; a < A; a++)
    if (!isfinite(actions[a])) fail_msg("action %d is %g", a, (double)actions[a]);
  cel_agent_destroy(agent);
}

// ---- observing

/// The final observation of an episode is stored, so it must be finite too.
static void test_final_observation_is_checked(void **state) {
  (void)state;
  CelAgent *agent = make(NULL, 2, -1, 1);
  const float obs[2 * O] = {0}, final[2 * O] = {NAN, NAN, 0, NAN}, reward[2] = {0};
  const uint8_t terminated[2] = {0, 1}, truncated[2] = {0};
  float actions[2 * A];
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions));
  const CelOutcome outcome = {reward, terminated, truncated, obs, final};
  refused(cel_agent_observe(agent, &outcome), CEL_E_NAN,
          "final observation of environment 1, element 1");
  assert_int_equal(cel_agent_steps(agent), 0);
  cel_agent_destroy(agent);
}

/// A caller that acts on another observation than the last outcome reported, such as a robot that
/// was moved by hand, learns from what was seen. No transition connects the two observations.
static void test_other_observation(void **state) {
  (void)state;
  const Setting settings[] = {{"batch_size", "64"}, {0}};
  CelAgent *agent = make(settings, 1, -1, 1);
  float obs[O] = {1, 7};
  step(agent, obs); // 1 -> 3
  obs[0] = 100;
  step(agent, obs); // 100 -> 201
  assert_int_equal(*(int64_t *)data_of(agent, "replay.transitions"), 2);
  ok(cel_agent_update_n(agent, 1));
  const float *sa = data_of(agent, "batch.sa"), *next = data_of(agent, "batch.sa_next");
  bool seen = false;
  for (int b = 0; b < 64; b++) {
    const float from = sa[b * (O + A)], to = next[b * (O + A)];
    seen = seen || from > 99;
    if (to < 2 * from + 1 || to > 2 * from + 1)
      fail_msg("a transition from %g to %g", (double)from, (double)to);
  }
  assert_true(seen);
  cel_agent_destroy(agent);
}

/// The same with episode_start alone: the window of two steps ends between them.
static void test_episode_start_cuts(void **state) {
  (void)state;
  const Setting settings[] = {{"batch_size", "64"}, {"n_steps", "2"}, {0}};
  CelAgent *agent = make(settings, 1, -1, 1);
  float obs[O] = {1, 7}, actions[A];
  const float reward = 1;
  const uint8_t no = 0, yes = 1;
  step(agent, obs); // 1 -> 3
  ok(cel_agent_act(agent, obs, &yes, CEL_EXPLORE, actions));
  obs[0] = 7;
  const CelOutcome outcome = {&reward, &no, &no, obs, NULL};
  ok(cel_agent_observe(agent, &outcome)); // 3 -> 7, in another episode
  ok(cel_agent_update_n(agent, 1));
  const float *rewards = data_of(agent, "batch.reward");
  for (int b = 0; b < 64; b++)
    if (rewards[b] > 1)
      fail_msg("a window crosses the start of an episode: reward %g", (double)rewards[b]);
  cel_agent_destroy(agent);
}

// ---- files

typedef struct Files {
  char folder[64], path[128], replay[128];
} Files;

static Files temporary(void) {
  Files files;
  snprintf(files.folder, sizeof files.folder, "/tmp/celsius-edges-XXXXXX");
  assert_non_null(mkdtemp(files.folder));
  snprintf(files.path, sizeof files.path, "%s/agent.safetensors", files.folder);
  snprintf(files.replay, sizeof files.replay, "%s/replay", files.folder);
  return files;
}

static void remove_all(const Files *files) {
  char command[256];
  snprintf(command, sizeof command, "rm -r '%s'", files->folder);
  assert_int_equal(system(command), 0);
}

/// Writes an agent's tensors of some roles with the metadata of a valid file to the same path. A
/// broken or malicious program could write such a file, with a correct digest.
static void forge(const Files *files, CelAgent *agent, unsigned roles) {
  static const char *const keys[] = {"format",      "version", "algo",
                                     "observation", "action",  "policy"};
  CelSafetensors *file;
  ok(cel_safetensors_open(files->path, &file));
  char value[6][1024];
  CelMeta meta[6];
  for (int i = 0; i < 6; i++) {
    snprintf(value[i], sizeof value[i], "%s", cel_safetensors_meta(file, keys[i]));
    meta[i] = (CelMeta){keys[i], value[i]};
  }
  cel_safetensors_close(file);
  ok(cel_safetensors_write(files->path, cel_agent_tensors(agent), roles, meta, 6));
}

static void test_nan_weights_are_refused(void **state) {
  (void)state;
  const Files files = temporary();
  CelAgent *agent = make(NULL, 1, -1, 1), *other = make(NULL, 1, -1, 1);
  ok(cel_agent_save_model(agent, files.path));
  ((float *)data_of(agent, "actor.0.weight"))[3] = NAN;
  forge(&files, agent, CEL_ROLES_MODEL);
  refused(cel_agent_load_model(other, files.path), CEL_E_NAN, "actor.0.weight");
  assert_true(isfinite(((float *)data_of(other, "actor.0.weight"))[3]));
  cel_agent_destroy(agent);
  cel_agent_destroy(other);
  remove_all(&files);
}

/// A checkpoint in which one environment has started and the other has not.
static void test_impossible_state_is_refused(void **state) {
  (void)state;
  const Files files = temporary();
  CelAgent *agent = make(NULL, 2, -1, 1), *other = make(NULL, 2, -1, 1);
  ok(cel_agent_save(agent, files.path, files.replay, NULL));
  *(int64_t *)data_of(agent, "replay.head") = 1;
  forge(&files, agent, CEL_ROLES_RESUME);
  refused(cel_agent_load(other, files.path, files.replay, NULL), CEL_E_CORRUPT, "replay.head");
  cel_agent_destroy(agent);
  cel_agent_destroy(other);
  remove_all(&files);
}

/// Counters that would overflow or run backwards.
static void test_impossible_counters_are_refused(void **state) {
  (void)state;
  static const char *const names[] = {"steps", "updates", "env_steps", "pending", "since_train"};
  const Files files = temporary();
  CelAgent *agent = make(NULL, 2, -1, 1), *other = make(NULL, 2, -1, 1);
  for (int i = 0; i < 5; i++)
    for (int sign = -1; sign <= 1; sign += 2) {
      int64_t *counter = data_of(agent, names[i]);
      ok(cel_agent_save(agent, files.path, files.replay, NULL));
      *counter = sign < 0 ? -1 : INT64_MAX;
      forge(&files, agent, CEL_ROLES_RESUME);
      *counter = 0;
      refused(cel_agent_load(other, files.path, files.replay, NULL), CEL_E_CORRUPT, names[i]);
    }
  cel_agent_destroy(agent);
  cel_agent_destroy(other);
  remove_all(&files);
}

/// After a load that failed because stored transitions were missing, the agent has none, and can
/// still be used.
static void test_use_after_failed_load(void **state) {
  (void)state;
  const Files files = temporary();
  CelAgent *agent = make(NULL, 1, -1, 1), *other = make(NULL, 1, -1, 1);
  char command[256];
  float obs[O] = {1, 7}, actions[A];
  step(agent, obs);
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions)); // saved between act and observe
  ok(cel_agent_save(agent, files.path, files.replay, NULL));
  snprintf(command, sizeof command, "rm '%s'/*", files.replay);
  assert_int_equal(system(command), 0);
  refused(cel_agent_load(other, files.path, files.replay, NULL), CEL_E_FORMAT, "replay");
  const float reward = 1;
  const uint8_t no = 0;
  const CelOutcome outcome = {&reward, &no, &no, obs, NULL};
  refused(cel_agent_observe(other, &outcome), CEL_E_STATE, "observe");
  step(other, obs);
  ok(cel_agent_update_n(other, 1));
  cel_agent_destroy(agent);
  cel_agent_destroy(other);
  remove_all(&files);
}

/// Checkpoints in separate folders are each complete.
static void test_two_folders(void **state) {
  (void)state;
  const Files first = temporary(), second = temporary(), third = temporary();
  CelAgent *agent = make(NULL, 1, -1, 1);
  float obs[O] = {1, 7};
  const Files *const all[] = {&first, &second, &first};
  for (int i = 0; i < 3; i++) {
    step(agent, obs);
    ok(cel_agent_save(agent, all[i]->path, all[i]->replay, NULL));
    CelAgent *other = make(NULL, 1, -1, 1);
    ok(cel_agent_load(other, all[i]->path, all[i]->replay, NULL));
    assert_int_equal(*(int64_t *)data_of(other, "replay.transitions"), i + 1);
    ok(cel_agent_save(other, third.path, third.replay, NULL));
    ok(cel_agent_load(other, third.path, third.replay, NULL));
    assert_int_equal(*(int64_t *)data_of(other, "replay.transitions"), i + 1);
    cel_agent_destroy(other);
  }
  cel_agent_destroy(agent);
  remove_all(&first);
  remove_all(&second);
  remove_all(&third);
}

static void test_unknown_mode(void **state) {
  (void)state;
  CelAgent *agent = make(NULL, 1, -1, 1);
  const float obs[O] = {0, 0};
  float actions[A];
  const int wrong = 7;
  CelActMode mode;
  memcpy(&mode, &wrong, sizeof mode);
  refused(cel_agent_act(agent, obs, NULL, mode, actions), CEL_E_ARGUMENT, "7");
  cel_agent_destroy(agent);
}

/// The last metrics are restored from a checkpoint. Rows of progress.csv show them until the next
/// update.
static void test_metrics_are_saved(void **state) {
  (void)state;
  const Files files = temporary();
  CelAgent *agent = make(NULL, 1, -1, 1), *other = make(NULL, 1, -1, 1);
  const char *name;
  double was, is;
  float obs[O] = {1, 7};
  step(agent, obs);
  ok(cel_agent_update(agent));
  ok(cel_agent_save(agent, files.path, files.replay, NULL));
  ok(cel_agent_load(other, files.path, files.replay, NULL));
  for (int i = 0; cel_agent_metric(agent, i, &name, &was); i++) {
    assert_true(cel_agent_metric(other, i, &name, &is));
    if (isnan(was) || isnan(is) || was < is || was > is)
      fail_msg("%s was %g and is %g", name, was, is);
  }
  cel_agent_destroy(agent);
  cel_agent_destroy(other);
  remove_all(&files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gsde_samples),
      cmocka_unit_test(test_gsde_variance_floor),
      cmocka_unit_test(test_gaussian_noise_is_not_clipped),
      cmocka_unit_test(test_actions_are_stored_scaled),
      cmocka_unit_test(test_gaussian_random_actions),
      cmocka_unit_test(test_wide_bounds),
      cmocka_unit_test(test_final_observation_is_checked),
      cmocka_unit_test(test_other_observation),
      cmocka_unit_test(test_episode_start_cuts),
      cmocka_unit_test(test_nan_weights_are_refused),
      cmocka_unit_test(test_impossible_state_is_refused),
      cmocka_unit_test(test_impossible_counters_are_refused),
      cmocka_unit_test(test_use_after_failed_load),
      cmocka_unit_test(test_two_folders),
      cmocka_unit_test(test_unknown_mode),
      cmocka_unit_test(test_metrics_are_saved),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
