/// Operations of learners' plans touch only what they declare: one case of every learner. The
/// number of barriers does not grow.
#include "plan_cases.h"

static void operations_touch_what_they_declare(void **state) {
  (void)state;
#if defined(__SANITIZE_THREAD__)
  skip(); // one thread simulates the team, which takes minutes here and has no races
#endif
  plan_check_all(true);
}

/// Barriers of each plan with the default settings and two threads, in the plans' order.
static const struct {
  const char *algo;
  bool discrete;
  int barriers[5];
} limits[] = {
    {"sac", .barriers = {10}},
    {"sacv", .barriers = {15}},
    {"dsac", .discrete = true, .barriers = {8}},
    {"sql", .discrete = true, .barriers = {3}},
    {"sqlc", .barriers = {10}},
    {"td3", .barriers = {10}},
    {"dqn", .discrete = true, .barriers = {4}},
    {"ppo", .barriers = {1, 2, 4}},
    {"a2c", .barriers = {5}},
    {"ac", .barriers = {3}},
    {"trpo", .barriers = {1, 1, 1, 0, 3}},
    {"reinforce", .barriers = {6, 4}},
};

static void barriers_do_not_grow(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    const Learner learner = {.algo = limits[i].algo, .discrete = limits[i].discrete};
    CelAgent *agent = learner_make(&learner, NULL, NULL, 2);
    const char *plan = NULL;
    int barriers[6] = {0}, n = 0;
    CelPlanOp op;
    for (int64_t k = 0; cel_agent_plan_op(agent, k, &op); k++) {
      if (!plan || strcmp(plan, op.plan) != 0) n++;
      plan = op.plan;
      barriers[n] += op.barrier;
      assert_true(op.read > 0 || op.written > 0);
    }
    for (int p = 0; p < 5; p++)
      if (barriers[p + 1] > limits[i].barriers[p])
        fail_msg("%s: plan %d has %d barriers; it had %d", limits[i].algo, p, barriers[p + 1],
                 limits[i].barriers[p]);
    assert_false(cel_agent_plan_op(agent, -1, &op));
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(operations_touch_what_they_declare),
                                     cmocka_unit_test(barriers_do_not_grow)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
