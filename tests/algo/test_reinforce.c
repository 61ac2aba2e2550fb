/// REINFORCE against PyTorch in float64 (tests/golden/torch_pg.py), its determinism, its bad input.
#include "onpolicy_test.h"

#include "celsius/reinforce.h"

static const OnCase cases[] = {
    {"value", ON_BOX, {{"ent_coef", "0.01"}}},
    {"mean", ON_CHOICE, {{"baseline", "mean"}, {"normalize_advantage", "false"}}},
    {"exact",
     ON_CHOICE,
     {{"baseline", "none"},
      {"normalize_advantage", "false"},
      {"discount_weight", "true"},
      {"reduction", "episodes"}}},
    {"normalized", ON_CHOICES, {{"baseline", "none"}, {"activation", "relu"}}},
};

static const OnLearner learner = {"reinforce",
                                  {{"net_arch", "6,5"},
                                   {"n_steps", "10"},
                                   {"learning_rate", "0"},
                                   {"critic_learning_rate", "0"},
                                   {"gamma", "0.9"},
                                   {"init", "kaiming_uniform"}},
                                  cases,
                                  sizeof cases / sizeof cases[0],
                                  6};

static void test_against_pytorch(void **state) {
  (void)state;
  on_check_golden(&learner);
}
static void test_same_bits_for_any_threads(void **state) {
  (void)state;
  on_check_threads(&learner);
}
static void test_save_and_load(void **state) {
  (void)state;
  on_check_save(&learner);
}
static void test_allocates_nothing(void **state) {
  (void)state;
  on_check_allocations(&learner);
}
static void test_pushed_is_pulled(void **state) {
  (void)state;
  on_check_pull(&learner, "CartPole-v1");
  on_check_pull(&learner, "Pendulum-v1");
}

/// A rollout in which no episode ends says so where returns are needed whole.
static void test_bits(void **state) {
  (void)state;
  on_check_bits(&learner, "CartPole-v1", 0xc6b083e2b70af7b9, 0x53f25b7a71dba82d);
  on_check_bits(&learner, "Pendulum-v1", 0x9ffd596edbc34abc, 0x519ae624346e31ed);
}
static void test_bad_input(void **state) {
  (void)state;
  const CelSpace box = cel_space_box(ON_O, -1, 1), choice = cel_space_discrete(2);
  static const char *const none[][2] = {{"baseline", "none"}, {NULL, NULL}};
  float obs[ON_N * ON_O] = {0}, reward[ON_N] = {0};
  uint8_t no[ON_N] = {0}, actions[ON_N * 16];
  CelAgent *agent;
  on_check_bad_input(&learner);
  on_check_zero_variance(&learner);
  assert_int_equal(on_try(&agent, &learner, NULL, none, &box, &choice, ON_N, 1), CEL_OK);
  const CelOutcome outcome = {reward, no, no, obs, obs};
  for (int k = 0; k < ON_T; k++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  on_expect(cel_agent_update(agent), CEL_E_RANGE, "n_steps");
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_pytorch),  cmocka_unit_test(test_same_bits_for_any_threads),
      cmocka_unit_test(test_save_and_load),    cmocka_unit_test(test_allocates_nothing),
      cmocka_unit_test(test_pushed_is_pulled), cmocka_unit_test(test_bits),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
