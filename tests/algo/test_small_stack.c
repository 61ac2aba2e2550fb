/// Threads with 32 KiB of stack, as in real-time systems, describe spaces, act and learn.
/// tests/deploy/test_policy.c tests such threads with policies.
#include "celsius/agent.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__) ||         \
    !defined(__OPTIMIZE__)
enum { MEASURED = 0 }; // instrumented stack frames are larger; clang was not measured
#else
enum { MEASURED = 1 };
#endif

enum { STACK = 32 * 1024 };

/// Skips the test where the stack is not measured, or where no thread starts with so little: glibc
/// on 64-bit ARM needs 128 KiB. Call it before anything is allocated.
static void need_small_stack(void) {
  pthread_attr_t attributes;
  if (!MEASURED) skip();
  assert_int_equal(pthread_attr_init(&attributes), 0);
  const bool possible = pthread_attr_setstacksize(&attributes, STACK) == 0;
  pthread_attr_destroy(&attributes);
  if (!possible) skip();
}

/// Runs fn(argument) with 32 KiB of stack. fn returns NULL, or a text that says what failed.
static void with_small_stack(void *(*fn)(void *), void *argument) {
  pthread_attr_t attributes;
  pthread_t thread;
  void *failed;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attributes, fn, argument), 0);
  pthread_attr_destroy(&attributes);
  assert_int_equal(pthread_join(thread, &failed), 0);
  if (failed) fail_msg("%s", (char *)failed);
}

// ---- spaces

static void *use_space(void *argument) {
  static char text[200];
  static double row[1024];
  const CelSpace *space = argument;
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  if (cel_space_check(space) != CEL_OK) return (void *)(uintptr_t)cel_error();
  if (cel_space_bytes(space) > sizeof row) return "the row is too large";
  if (cel_space_offset(space, 0) != 0) return "the first part is not at 0";
  (void)cel_space_floats(space);
  if (cel_space_describe(space, text, sizeof text) < 1) return "no description";
  cel_space_sample(space, row, 1, &rng);
  return NULL;
}

static void spaces(void **state) {
  (void)state;
  need_small_stack();
  static CelSpace space[4];
  const int64_t n[] = {3, 4};
  space[0] = cel_space_box(512, -1, 1), space[1] = cel_space_discrete(5);
  space[2] = cel_space_multi_discrete(2, n), space[3] = cel_space_multi_binary(7);
  for (int i = 0; i < 4; i++) with_small_stack(use_space, &space[i]);
}

// ---- agents

enum { N = 8, O = 37, ROUNDS = 40 }; // odd widths, so that matrix products copy their factors

static void *learn(void *argument) {
  static float obs[N * O], reward[N];
  static uint8_t ended[N], cut[N];
  static double actions[N * 8];
  CelAgent *agent = argument;
  CelRng rng = cel_rng(2, CEL_RNG_USER, 0);
  const int64_t before = cel_agent_updates(agent);
  for (int t = 0; t < ROUNDS; t++) {
    if (cel_agent_act(agent, obs, NULL, t % 2 ? CEL_EXPLORE : CEL_MODE, actions) != CEL_OK ||
        cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions) != CEL_OK)
      return (void *)(uintptr_t)cel_error();
    for (int i = 0; i < N * O; i++) obs[i] = (float)cel_rng_normal(&rng);
    for (int i = 0; i < N; i++) reward[i] = 1, cut[i] = (t + i) % 20 == 19;
    const CelOutcome outcome = {reward, ended, cut, obs, obs};
    if (cel_agent_observe(agent, &outcome) != CEL_OK || cel_agent_update(agent) != CEL_OK)
      return (void *)(uintptr_t)cel_error();
  }
  return cel_agent_updates(agent) > before ? NULL : "no update was made";
}

static void agents(void **state) {
  (void)state;
  need_small_stack();
  static CelSpace observation, box, choice;
  observation = cel_space_box(O, -HUGE_VAL, HUGE_VAL);
  box = cel_space_box(3, -1, 1), choice = cel_space_discrete(5);
  for (int i = 0; cel_algo_at(i); i++) {
    const CelAlgoInfo *algo = cel_algo_at(i);
    int created = 0;
    for (int k = 0; k < 2; k++) {
      CelAgent *agent;
      CelAgentOptions options = cel_agent_options_default();
      void *config = calloc(1, algo->config_size);
      options.n_envs = N;
      cel_fields_default(algo->fields, config);
      static const char *const settings[][2] = {{"net_arch", "300,37"},
                                                {"learning_starts", "64"},
                                                {"buffer_size", "10000"},
                                                {"batch_size", "32"},
                                                {"n_steps", "32"}};
      for (int j = 0; j < (int)(sizeof settings / sizeof settings[0]); j++)
        if (cel_fields_find(algo->fields, settings[j][0]))
          assert_int_equal(cel_fields_set(algo->fields, config, settings[j][0], settings[j][1]),
                           CEL_OK);
      if (cel_agent_create(&agent, algo->name, config, &observation, k ? &choice : &box,
                           &options) == CEL_OK) {
        created++;
        with_small_stack(learn, agent);
        cel_agent_destroy(agent);
      }
      free(config);
    }
    assert_true(created > 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(spaces), cmocka_unit_test(agents)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
