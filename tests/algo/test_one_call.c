/// An agent handles one call at a time. A second call gets CEL_E_STATE and changes nothing.
#include "celsius/agent.h"
#include "celsius/sac.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float obs[3] = {0.1f, 0.2f, 0.3f};

typedef struct Second {
  CelAgent *agent;
  int calls;
  CelStatus predict, save, update;
} Second;

static void *use(void *arg) {
  Second *s = arg;
  float action[1];
  s->predict = cel_agent_predict(s->agent, obs, 1, action);
  s->save = cel_agent_save_model(s->agent, "/nonexistent/model");
  s->update = cel_agent_update_n(s->agent, 1);
  return NULL;
}

/// Called in the middle of an update: another thread tries to use the same agent.
static double rate(double left, void *user) {
  Second *s = user;
  pthread_t thread;
  (void)left;
  if (!s->agent) return 1e-3;
  s->calls++;
  assert_int_equal(pthread_create(&thread, NULL, use, s), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  return 1e-3;
}

static void a_second_call_is_refused(void **state) {
  (void)state;
  Second second = {0};
  CelSacConfig config = cel_sac_config_default();
  config.common.learning_rate =
      (CelSchedule){.kind = CEL_CALLBACK, .callback = rate, .user = &second};
  config.common.net_arch = (CelIntList){.n = 1, .v = {4}};
  config.common.batch_size = 4;
  config.common.buffer_size = 100;
  const CelSpace observation = cel_space_box(3, -1, 1), action = cel_space_box(1, -1, 1);
  CelAgent *agent;
  float chosen[1], reward[1] = {1};
  const uint8_t none[1] = {0};
  const CelOutcome outcome = {reward, none, none, obs, obs};
  assert_int_equal(cel_agent_create(&agent, "sac", &config, &observation, &action, NULL), CEL_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, chosen), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  second.agent = agent;
  assert_int_equal(cel_agent_update_n(agent, 1), CEL_OK);
  assert_int_equal(second.calls, 1);
  assert_int_equal(second.predict, CEL_E_STATE);
  assert_int_equal(second.save, CEL_E_STATE);
  assert_int_equal(second.update, CEL_E_STATE);
  assert_int_equal(cel_agent_updates(agent), 1);
  second.agent = NULL;
  assert_int_equal(cel_agent_predict(agent, obs, 1, chosen), CEL_OK); // available again
  cel_agent_destroy(agent);
}

/// Calls out of order: a vector environment before its memory, an observation before an action.
static void calls_out_of_order(void **state) {
  (void)state;
  CelAgent *agent;
  const CelSpace observation = cel_space_box(3, -1, 1), action = cel_space_box(1, -1, 1);
  float reward[1] = {1};
  const uint8_t none[1] = {0};
  const CelOutcome outcome = {reward, none, none, obs, obs};
  assert_int_equal(cel_agent_create(&agent, "sac", NULL, &observation, &action, NULL), CEL_OK);
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_E_STATE);
  assert_int_equal(cel_agent_update_n(agent, 1), CEL_E_STATE);
  const CelOutcome empty = {0};
  assert_int_equal(cel_agent_observe(agent, &empty), CEL_E_ARGUMENT);
  assert_non_null(strstr(cel_error(), "outcome->obs is NULL"));
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_second_call_is_refused),
                                     cmocka_unit_test(calls_out_of_order)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
