/// Checkpoints with impossible counters and discrete actions. An agent checks the range of every
/// integer that it restores, so that nothing later overflows, loops for years or reads outside of
/// an array.
#include "celsius/agent.h"
#include "celsius/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 2, O = 3, STEPS = 11 };

static const struct Case {
  const char *algo;
  bool discrete;
} cases[] = {{"sac", false}, {"sacv", false}, {"dsac", true},     {"sql", true},  {"sqlc", false},
             {"td3", false}, {"dqn", true},   {"ppo", true},      {"ppo", false}, {"a2c", true},
             {"ac", true},   {"trpo", true},  {"reinforce", true}};
enum { CASES = sizeof cases / sizeof cases[0] };

/// Names that an algorithm does not have are skipped.
static const char *const settings[][2] = {
    {"net_arch", "4"},      {"batch_size", "4"},      {"n_steps", "8"},
    {"buffer_size", "64"},  {"learning_starts", "4"}, {"n_particles", "4"},
    {"value_samples", "4"}, {"gradient_steps", "1"},  {"normalize_reward", "true"}};

#define OK(call)                                                                                   \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

static CelAgent *make(const struct Case *c) {
  _Alignas(16) static char config[1 << 16];
  const CelAlgoInfo *info;
  const CelSpace observation = cel_space_box(O, -1, 1);
  const CelSpace action = c->discrete ? cel_space_discrete(3) : cel_space_box(2, -1, 1);
  const CelAgentOptions options = {.n_envs = N, .seed = 1, .threads = 1};
  CelAgent *agent;
  OK(cel_algo_find(c->algo, &info));
  assert_true(info->config_size <= sizeof config);
  cel_fields_default(info->fields, config);
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    (void)!cel_fields_set(info->fields, config, settings[i][0], settings[i][1]);
  OK(cel_agent_create(&agent, c->algo, config, &observation, &action, &options));
  return agent;
}

static CelStatus go_on(CelAgent *agent, int steps) {
  float obs[N * O] = {0}, reward[N] = {1, 2};
  _Alignas(16) uint8_t actions[64];
  const uint8_t none[N] = {0};
  for (int t = 0; t < steps; t++) {
    const uint8_t ended[N] = {t % 4 == 3, 0};
    const CelOutcome outcome = {reward, none, ended, obs, obs};
    CelStatus status = cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions);
    for (int i = 0; i < N * O; i++) obs[i] = 0.1f * (float)((i + t) % 5);
    if (status == CEL_OK) status = cel_agent_observe(agent, &outcome);
    if (status == CEL_OK) status = cel_agent_update(agent);
    if (status != CEL_OK) return status;
  }
  return CEL_OK;
}

/// Copies `from` to `to` with element `at` of one tensor changed, and computes new digests.
static void write_changed(const CelSafetensors *from, const char *to, const char *name, int64_t at,
                          const void *value) {
  CelMeta meta[256];
  int n_meta = 0;
  const int64_t n = cel_safetensors_count(from);
  CelTensor *list = calloc((size_t)n, sizeof *list);
  void *copy = NULL;
  assert_non_null(list);
  for (int64_t i = 0; i < n; i++) {
    list[i] = *cel_safetensors_at(from, i);
    if (strcmp(list[i].name, name) != 0) continue;
    const size_t width = cel_type_size(list[i].type), bytes = (size_t)list[i].size * width;
    copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, list[i].data, bytes);
    memcpy((char *)copy + (size_t)at * width, value, width);
    list[i].data = copy;
  }
  assert_non_null(copy);
  for (int i = 0; cel_safetensors_meta_at(from, i).key; i++) {
    assert_true(n_meta < 256);
    if (!strstr(cel_safetensors_meta_at(from, i).key, "digest"))
      meta[n_meta++] = cel_safetensors_meta_at(from, i);
  }
  OK(cel_safetensors_write_list(to, list, n, meta, n_meta));
  free(copy);
  free(list);
}

typedef struct Saved {
  CelSafetensors *file;
  char path[64], changed[64], replay[64];
} Saved;

static void save(Saved *saved, int k, const char *folder) {
  CelAgent *agent = make(&cases[k]);
  snprintf(saved->path, sizeof saved->path, "%s/%d", folder, k);
  snprintf(saved->changed, sizeof saved->changed, "%s/changed", folder);
  snprintf(saved->replay, sizeof saved->replay, "%s/replay-%d", folder, k);
  OK(go_on(agent, STEPS));
  OK(cel_agent_save(agent, saved->path, saved->replay, NULL));
  OK(cel_safetensors_open(saved->path, &saved->file));
  cel_agent_destroy(agent);
}

/// The changed checkpoint must be rejected as corrupt, with a message that names the problem.
static void refused(const Saved *saved, int k, const char *name, int64_t at, const void *value,
                    long long shown) {
  write_changed(saved->file, saved->changed, name, at, value);
  CelAgent *agent = make(&cases[k]);
  const CelStatus status = cel_agent_load(agent, saved->changed, saved->replay, NULL);
  if (status != CEL_E_CORRUPT)
    fail_msg("%s: %s[%lld] = %lld is %s", cases[k].algo, name, (long long)at, shown,
             status ? cel_error() : "accepted");
  if (!strstr(cel_error(), saved->changed) && !strstr(cel_error(), "replay"))
    fail_msg("%s: the message names no file: %s", cases[k].algo, cel_error());
  cel_agent_destroy(agent);
}

static void counters_are_bounded(void **state) {
  const int64_t values[] = {-1, INT64_MIN, INT64_MAX, INT64_MAX / 2, INT64_MAX - 1};
  for (int k = 0; k < CASES; k++) {
    Saved saved;
    int tried = 0;
    save(&saved, k, *state);
    for (int64_t i = 0; i < cel_safetensors_count(saved.file); i++) {
      const CelTensor *tensor = cel_safetensors_at(saved.file, i);
      if (tensor->type != CEL_I64) continue;
      for (size_t v = 0; v < sizeof values / sizeof values[0]; v++, tried++)
        refused(&saved, k, tensor->name, tensor->size - 1, &values[v], values[v]);
    }
    assert_true(tried >= 4 * 5); // steps, updates and at least two of the algorithm's own
    cel_safetensors_close(saved.file);
  }
}

static void discrete_actions_exist(void **state) {
  const int32_t values[] = {-1, 3, INT32_MAX};
  for (int k = 0; k < CASES; k++) {
    Saved saved;
    if (!cases[k].discrete) continue;
    save(&saved, k, *state);
    for (int v = 0; v < 3; v++) {
      if (cel_safetensors_find(saved.file, "last_action")) {
        refused(&saved, k, "last_action", 1, &values[v], values[v]);
        continue;
      }
      // Bytes of an I32: the first discrete action of the rollout.
      const uint8_t three = 3, high = 0x80;
      refused(&saved, k, "rollout.actions", v == 0 ? 3 : 0, v == 0 ? &high : &three, values[v]);
    }
    cel_safetensors_close(saved.file);
  }
}

/// A checkpoint that this test rewrites without a change can still be resumed.
static void same_numbers_are_accepted(void **state) {
  for (int k = 0; k < CASES; k++) {
    Saved saved;
    save(&saved, k, *state);
    const CelTensor *updates = cel_safetensors_find(saved.file, "updates");
    write_changed(saved.file, saved.changed, "updates", 0, updates->data);
    CelAgent *agent = make(&cases[k]);
    OK(cel_agent_load(agent, saved.changed, saved.replay, NULL));
    OK(go_on(agent, 9));
    cel_agent_destroy(agent);
    cel_safetensors_close(saved.file);
  }
}

static int enter(void **state) {
  static char name[] = "/tmp/celsius-counters-XXXXXX";
  *state = mkdtemp(name);
  return *state ? 0 : -1;
}

static int leave(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(counters_are_bounded),
                                     cmocka_unit_test(discrete_actions_exist),
                                     cmocka_unit_test(same_numbers_are_accepted)};
  return cmocka_run_group_tests(tests, enter, leave);
}
