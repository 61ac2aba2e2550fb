/// The scores of test_limits_learn.c with four more seeds: TD3 on Pendulum-v1 (at least -200 with
/// each), DQN on CartPole-v1 (at least 475, the threshold for solved, with each).
#include "score.h"

enum { SEEDS = 4 };

static void all_reach(const char *algo, const char *id, double least) {
  for (int i = 1; i <= SEEDS; i++) {
    const double s = score(algo, id, first_seed() + (uint64_t)i);
    if (!(s >= least)) fail_msg("%s on %s: %.1f, expected at least %g", algo, id, s, least);
  }
}

static void test_pendulum_td3(void **state) {
  (void)state;
  all_reach("td3", "Pendulum-v1", -200);
}

static void test_cartpole_dqn(void **state) {
  (void)state;
  all_reach("dqn", "CartPole-v1", 475);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pendulum_td3),
                                     cmocka_unit_test(test_cartpole_dqn)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
