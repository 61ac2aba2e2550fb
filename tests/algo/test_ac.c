/// Actor-critic compared with PyTorch in float64 (tests/golden/torch_pg.py), its determinism,
/// invalid input.
#include "on_policy_test.h"

#include "celsius/ac.h"

static const OnCase cases[] = {
    {"state-std", ON_BOX, {{"ent_coef", "0.01"}, {"activation", "silu"}}},
    {"box", ON_BOX, {{"state_dependent_std", "false"}, {"reduction", "sum"}}},
    {"choice", ON_CHOICE, {{"discount_weight", "true"}}},
    {"sgd", ON_CHOICE, {{"optimizer", "sgd"}, {"learning_rate", "0.1"}, {"reduction", "sum"}}},
    {"sde",
     ON_BOX,
     {{"use_sde", "true"},
      {"sde_sample_freq", "4"},
      {"log_std_init", "-1"},
      {"ent_coef", "0.02"},
      {"state_dependent_std", "false"}}},
};

static const OnLearner learner = {"ac",
                                  {{"net_arch", "6,5"},
                                   {"n_steps", "10"},
                                   {"learning_rate", "0"},
                                   {"critic_learning_rate", "0"},
                                   {"gamma", "0.9"},
                                   {"init", "kaiming_uniform"}},
                                  cases,
                                  sizeof cases / sizeof cases[0],
                                  12};

static void test_bits(void **state) {
  (void)state;
  on_check_bits(&learner, "CartPole-v1", 0x43b422d28a9dee88, 0x798f7fa9e0443a9f);
  on_check_bits(&learner, "Pendulum-v1", 0xb5d6c66c35d7d771, 0xc133b6fb045eda08);
}
static void test_bad_input(void **state) {
  (void)state;
  on_check_bad_input(&learner);
  on_check_zero_variance(&learner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_TESTS(learner),
      ON_GOLDEN(learner),
      cmocka_unit_test(test_bits),
      cmocka_unit_test(test_bad_input),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
