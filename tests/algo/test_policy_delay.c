/// policy_delay: which updates change the policy, its temperature and the target networks, what is
/// logged meanwhile, and that it does not matter how updates are grouped.
#include "learner_test.h"

enum { DELAY = 3, UPDATES = 8 };

static const Learner learners[] = {
    {.algo = "sac", .settings = {{"policy_delay", "3"}, {"tau", "0.3"}}},
    {.algo = "sac",
     .settings =
         {{"policy_delay", "3"}, {"tau", "0.3"}, {"critic", "quantile"}, {"use_sde", "true"}}},
    {.algo = "td3", .settings = {{"policy_delay", "3"}, {"tau", "0.3"}}},
};
enum { LEARNERS = sizeof learners / sizeof learners[0] };

static const char *const small[][2] = {{"net_arch", "6,5"},
                                       {"batch_size", "7"},
                                       {"buffer_size", "200"},
                                       {"learning_starts", "1000000"},
                                       {NULL, NULL}};

static CelAgent *begin(const Learner *learner, int threads) {
  CelAgent *agent = learner_make(learner, NULL, small, threads);
  learner_disturb(agent);
  learner_feed(learner, agent, LEARNER_STEPS);
  return agent;
}

/// Copies the tensors whose names start with `name` in a role.
static size_t copy_of(CelAgent *agent, const char *name, CelRole role, float *to) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  size_t n = 0;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role != role || strncmp(t->name, name, strlen(name)) != 0) continue;
    memcpy(to + n, t->data, (size_t)t->size * sizeof *to);
    n += (size_t)t->size;
  }
  assert_in_range(n, 1, 4000);
  return n * sizeof *to;
}

/// Update k changes `name` exactly if `due`.
static void check_changed(const Learner *learner, const char *name, const float *before,
                          const float *after, size_t bytes, int k, bool due) {
  if ((memcmp(before, after, bytes) != 0) != due)
    fail_msg("%s: update %d %s %s", learner->algo, k, due ? "leaves" : "changes", name);
}

static void test_which_updates(void **state) {
  (void)state;
  static const struct {
    const char *name;
    CelRole role;
    bool sac_delays, td3_delays;
  } parts[] = {{"critic.", CEL_PARAM, false, false},
               {"actor.", CEL_PARAM, true, true},
               {"log_ent_coef", CEL_PARAM, true, true},
               {"target.", CEL_TARGET, false, true},
               {"actor_target.", CEL_TARGET, true, true}};
  static float before[5][4000], after[4000];
  for (int l = 0; l < LEARNERS; l++) {
    const bool td3 = strcmp(learners[l].algo, "td3") == 0;
    CelAgent *agent = begin(&learners[l], 2);
    for (int k = 1; k <= UPDATES; k++) {
      for (int p = 0; p < 5; p++)
        if (p != (td3 ? 2 : 4)) copy_of(agent, parts[p].name, parts[p].role, before[p]);
      learner_update(agent, 1);
      for (int p = 0; p < 5; p++) {
        if (p == (td3 ? 2 : 4)) continue;
        const size_t bytes = copy_of(agent, parts[p].name, parts[p].role, after);
        const bool delayed = td3 ? parts[p].td3_delays : parts[p].sac_delays;
        check_changed(&learners[l], parts[p].name, before[p], after, bytes, k,
                      !delayed || k % DELAY == 0);
      }
    }
    cel_agent_destroy(agent);
  }
}

/// The actor's loss is logged by calls that update the policy; other calls keep the last one.
static void test_logged_means(void **state) {
  (void)state;
  for (int l = 0; l < LEARNERS; l++) {
    CelAgent *agent = begin(&learners[l], 1);
    double loss[7] = {0};
    for (int k = 1; k <= 6; k++) {
      learner_update(agent, 1);
      loss[k] = learner_metric(agent, "train/actor_loss");
    }
    assert_true(isnan(loss[1]) && isnan(loss[2]) && isfinite(loss[3]));
    assert_true(loss[4] == loss[3] && loss[5] == loss[3] && loss[6] != loss[3]);
    CelAgent *other = begin(&learners[l], 1);
    learner_update(other, 6);
    const double mean = learner_metric(other, "train/actor_loss");
    assert_true(fabs(mean - (loss[3] + loss[6]) / 2) < 1e-12 * (1 + fabs(mean)));
    cel_agent_destroy(agent);
    cel_agent_destroy(other);
  }
}

static void test_groups_of_updates(void **state) {
  (void)state;
  static const int groups[][4] = {{8}, {1, 2, 3, 2}, {4, 4}, {3, 5}};
  const uint32_t roles = 1u << CEL_PARAM | 1u << CEL_TARGET | 1u << CEL_MOMENT1 | 1u << CEL_MOMENT2;
  for (int l = 0; l < LEARNERS; l++) {
    uint64_t first[2], digest[2];
    for (int g = 0; g < 4; g++) {
      CelAgent *agent = begin(&learners[l], 1 + g % 3);
      for (int i = 0; i < 4 && groups[g][i]; i++) learner_update(agent, groups[g][i]);
      assert_int_equal(cel_agent_updates(agent), UPDATES);
      cel_tensors_digest(cel_agent_tensors(agent), roles, g ? digest : first);
      if (g) assert_memory_equal(first, digest, sizeof first);
      cel_agent_destroy(agent);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_which_updates),
                                     cmocka_unit_test(test_logged_means),
                                     cmocka_unit_test(test_groups_of_updates)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
