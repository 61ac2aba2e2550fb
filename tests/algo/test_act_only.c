/// Agents that only act: the same actions as agents that learn, without the memory for learning.
#include "celsius/agent.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { O = 3, ROWS = 7 };

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("status %d: %s", (int)status, cel_error());
}

static void refused(CelStatus status) {
  if (status != CEL_E_STATE) fail_msg("status %d, not CEL_E_STATE: %s", (int)status, cel_error());
  if (!strstr(cel_error(), "act_only"))
    fail_msg("the message '%s' does not contain act_only", cel_error());
}

static bool takes_choices(const char *algo) {
  return strcmp(algo, "dsac") == 0 || strcmp(algo, "sql") == 0 || strcmp(algo, "dqn") == 0;
}

/// `large`: sizes that would need gibibytes for learning.
static CelAgent *make(const CelAlgoInfo *info, bool act_only, bool large) {
  static const char *const sizes[][2] = {
      {"buffer_size", "200000000"}, {"batch_size", "50000000"}, {"n_steps", "100000000"}};
  const CelSpace observation = cel_space_box(O, -(double)INFINITY, (double)INFINITY),
                 action =
                     takes_choices(info->name) ? cel_space_discrete(4) : cel_space_box(2, -2, 3);
  const CelAgentOptions options = {.n_envs = 1, .seed = 5, .threads = 1, .act_only = act_only};
  CelAgent *agent;
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  ok(cel_fields_set(info->fields, config, "net_arch", "8"));
  if (!large && cel_fields_find(info->fields, "buffer_size"))
    ok(cel_fields_set(info->fields, config, "buffer_size", "100"));
  for (size_t i = 0; large && i < sizeof sizes / sizeof sizes[0]; i++) {
    const CelField *field = cel_fields_find(info->fields, sizes[i][0]);
    if (field && atof(sizes[i][1]) <= (field->min < field->max ? field->max : 1e18))
      ok(cel_fields_set(info->fields, config, sizes[i][0], sizes[i][1]));
  }
  ok(cel_agent_create(&agent, info->name, config, &observation, &action, &options));
  free(config);
  return agent;
}

static size_t bytes_of(CelAgent *agent) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  size_t bytes = 0;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *tensor = cel_tensors_at(tensors, i);
    bytes += (size_t)tensor->size * cel_type_size(tensor->type);
  }
  return bytes;
}

/// The modes for several rows, then a few samples for one.
static void act(CelAgent *agent, unsigned char out[(ROWS + 4) * 8]) {
  float obs[ROWS * O];
  for (int i = 0; i < ROWS * O; i++) obs[i] = (float)sin(1.3 * i);
  memset(out, 0, (ROWS + 4) * 8);
  ok(cel_agent_predict(agent, obs, ROWS, out));
  for (int i = 0; i < 4; i++)
    ok(cel_agent_act(agent, obs + i, NULL, CEL_SAMPLE, out + (ROWS + i) * 8));
}

static void same_actions(void **state) {
  (void)state;
  char path[] = "/tmp/celsius-act-only-XXXXXX";
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (int i = 0; cel_algo_at(i); i++) {
    unsigned char wanted[(ROWS + 4) * 8], found[(ROWS + 4) * 8];
    CelAgent *learner = make(cel_algo_at(i), false, false),
             *actor = make(cel_algo_at(i), true, true);
    ok(cel_agent_save_model(learner, path));
    ok(cel_agent_load_model(actor, path));
    act(learner, wanted);
    act(actor, found);
    if (memcmp(wanted, found, sizeof wanted) != 0)
      fail_msg("%s acts differently from an agent that learns", cel_algo_at(i)->name);
    cel_agent_destroy(learner);
    cel_agent_destroy(actor);
  }
  unlink(path);
}

static void no_memory_for_learning(void **state) {
  (void)state;
  for (int i = 0; cel_algo_at(i); i++) {
    CelAgent *actor = make(cel_algo_at(i), true, true);
    const size_t bytes = bytes_of(actor);
    if (bytes > (size_t)4 << 20) fail_msg("%s takes %zu bytes", cel_algo_at(i)->name, bytes);
    cel_agent_destroy(actor);
  }
}

static void learning_is_refused(void **state) {
  (void)state;
  for (int i = 0; cel_algo_at(i); i++) {
    CelAgent *actor = make(cel_algo_at(i), true, false);
    const float obs[O] = {0}, reward = 0;
    const uint8_t no = 0;
    unsigned char action[8];
    const CelOutcome outcome = {&reward, &no, &no, obs, obs};
    refused(cel_agent_act(actor, obs, NULL, CEL_EXPLORE, action));
    refused(cel_agent_observe(actor, &outcome));
    refused(cel_agent_update(actor));
    refused(cel_agent_update_n(actor, 1));
    refused(cel_agent_save(actor, "/tmp/no.safetensors", "/tmp", NULL));
    refused(cel_agent_load(actor, "/tmp/no.safetensors", "/tmp", NULL));
    cel_agent_destroy(actor);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(same_actions),
                                     cmocka_unit_test(no_memory_for_learning),
                                     cmocka_unit_test(learning_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
