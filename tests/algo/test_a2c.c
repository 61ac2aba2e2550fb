/// Advantage actor-critic compared with PyTorch in float64 (tests/golden/torch_pg.py), its
/// determinism, invalid input.
#include "on_policy_test.h"

#include "celsius/a2c.h"

static const OnCase cases[] = {
    {"box", ON_BOX, {{"ent_coef", "0.01"}}},
    {"choice", ON_CHOICE, {{"gae_lambda", "0.8"}, {"ent_coef", "0.02"}}},
    {"choices", ON_CHOICES, {{"activation", "relu"}}},
    {"bits", ON_BITS, {{"normalize_advantage", "true"}}},
    {"rmsprop", ON_BOX, {{"learning_rate", "0.01"}}},
    {"adam", ON_CHOICE, {{"learning_rate", "0.01"}, {"optimizer", "adam"}}},
    {"sde",
     ON_BOX,
     {{"use_sde", "true"}, {"sde_sample_freq", "4"}, {"log_std_init", "-1"}, {"ent_coef", "0.05"}}},
    {"sde-squashed",
     ON_BOX,
     {{"use_sde", "true"},
      {"squash_output", "true"},
      {"log_std_init", "-1"},
      {"ent_coef", "0.05"}}},
};

static const OnLearner learner = {"a2c",
                                  {{"net_arch", "6,5"},
                                   {"n_steps", "10"},
                                   {"learning_rate", "0"},
                                   {"gamma", "0.9"},
                                   {"init", "kaiming_uniform"}},
                                  cases,
                                  sizeof cases / sizeof cases[0],
                                  12};

static void test_bits(void **state) {
  (void)state;
  on_check_bits(&learner, "CartPole-v1", 0x9adf2a71ea1a5b2b, 0xde90a6873b2b5083);
  on_check_bits(&learner, "Pendulum-v1", 0x81a5e7a0dc163b00, 0xdf52e5ae9aad9dd8);
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
