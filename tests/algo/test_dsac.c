/// Discrete soft actor-critic compared with PyTorch in float64 (tests/golden/torch_dsac.py), the
/// distribution of its policy, and the tests of every learner.
#include "algo/discrete.h"
#include "learner_test.h"
#include "nn/dist.h"

static const LearnerCase cases[] = {
    {"twin", {{"ent_coef_init", "0.3"}}},
    {"fixed-alpha", {{"ent_coef", "0.2"}, {"activation", "tanh"}}},
    {"decoupled", {{"ent_coef", "0.2"}, {"critic_ent_coef", "0"}, {"activation", "silu"}}},
    {"mean-of-three", {{"n_critics", "3"}, {"critic_reduce", "mean"}, {"layer_norm", "true"}}},
    {"three-steps", {{"n_steps", "3"}, {"n_critics", "1"}, {"activation", "tanh"}}},
    {"one-layer", {{"net_arch", "9"}, {"normalize_observation", "true"}}},
};
static const Learner dsac = {.algo = "dsac",
                             .discrete = true,
                             .settings = {{"net_arch", "6,5"},
                                          {"batch_size", "7"},
                                          {"buffer_size", "200"},
                                          {"learning_starts", "1000000"},
                                          {"learning_rate", "0"},
                                          {"gamma", "0.9"},
                                          {"tau", "0"}},
                             .cases = cases,
                             .n_cases = sizeof cases / sizeof cases[0],
                             .compared = 11};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&dsac);
  learner_nan_is_told(&dsac, "actor.0.bias");
  learner_nan_is_told(&dsac, "critic.1.bias");
}

/// The policy's gradient in the logits, compared with a central difference of the loss in double.
/// Its rows sum to zero.
static void test_policy_gradient(void **state) {
  (void)state;
  enum { A = 5, B = 40 };
  CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
  float logits[B * A], q[B * A], log_pi[B * A], pi[B * A], d[B * A], loss[B];
  const double alpha = 0.3;
  for (int i = 0; i < B * A; i++)
    logits[i] = (float)(2 * cel_rng_normal(&rng)), q[i] = (float)cel_rng_normal(&rng);
  celi_dist_softmax(log_pi, pi, logits, A, 0, B);
  celi_discrete_policy_gradient(d, loss, q, log_pi, pi, (float)alpha, 1, A, 0, B);
  for (int b = 0; b < B; b++) {
    double sum = 0;
    for (int k = 0; k < A; k++) {
      double value[2];
      for (int side = 0; side < 2; side++) {
        double Z = 0, V = 0;
        double x[A];
        for (int a = 0; a < A; a++)
          x[a] = (double)logits[b * A + a] + (a == k ? (side ? 1e-5 : -1e-5) : 0), Z += exp(x[a]);
        for (int a = 0; a < A; a++)
          V += exp(x[a]) / Z * ((double)q[b * A + a] - alpha * (x[a] - log(Z)));
        value[side] = -V;
      }
      assert_true(fabs((value[1] - value[0]) / 2e-5 - (double)d[b * A + k]) < 2e-6);
      sum += (double)d[b * A + k];
    }
    assert_true(fabs(sum) < 1e-6);
  }
}

/// The loss of the temperature is log alpha (H - target). The target is a fraction of log A, one
/// half by default, or a number of nats, which takes precedence over the fraction.
static void test_target_entropy(void **state) {
  (void)state;
  static const LearnerCase aims[] = {
      {"default", {{"ent_coef_init", "0.3"}}},
      {"share", {{"ent_coef_init", "0.3"}, {"target_entropy_factor", "0.98"}}},
      {"nats",
       {{"ent_coef_init", "0.3"}, {"target_entropy_factor", "0.98"}, {"target_entropy", "0.2"}}}};
  const double target[] = {0.5 * log(LEARNER_ACTIONS), 0.98 * log(LEARNER_ACTIONS), 0.2};
  for (int i = 0; i < 3; i++) {
    CelAgent *agent = learner_updated(&dsac, &aims[i], 1);
    const double entropy = learner_metric(agent, "train/entropy");
    const double alpha = learner_metric(agent, "train/ent_coef");
    const double loss = learner_metric(agent, "train/ent_coef_loss");
    assert_true(fabs(log(alpha)) > 0.1);
    if (fabs(loss - log(alpha) * (entropy - target[i])) > 1e-5)
      fail_msg("%s: loss %.6f, expected %.6f", aims[i].name, loss,
               log(alpha) * (entropy - target[i]));
    cel_agent_destroy(agent);
  }
}

/// Sampled actions follow the policy: a chi-square test over many samples for one observation. The
/// mode is the likeliest action.
static void test_actions_follow_the_policy(void **state) {
  (void)state;
  enum { DRAWS = 4000 };
  CelAgent *agent = learner_updated(&dsac, &cases[0], 1);
  const float obs[LEARNER_N * LEARNER_O] = {0.5f, -1, 2, 0.5f, -1, 2};
  int32_t actions[LEARNER_N];
  double count[LEARNER_ACTIONS] = {0}, pi[LEARNER_ACTIONS] = {0}, chi = 0;
  for (int i = 0; i < DRAWS; i++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, actions), CEL_OK);
    for (int k = 0; k < LEARNER_N; k++) count[actions[k]]++;
  }
  // The policy's probabilities, from the buffers of its last forward pass.
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), "act.head");
  assert_non_null(t);
  int likeliest = 0;
  for (int a = 0; a < LEARNER_ACTIONS; a++) {
    pi[a] = (double)((const float *)t->data)[a];
    if (pi[a] > pi[likeliest]) likeliest = a;
    const double expected = pi[a] * DRAWS * LEARNER_N;
    chi += (count[a] - expected) * (count[a] - expected) / expected;
  }
  assert_true(fabs(pi[0] + pi[1] + pi[2] + pi[3] - 1) < 1e-6);
  if (!(chi < 16.27)) fail_msg("chi-square %.1f of 3 degrees, expected less than 16.27", chi);
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, actions), CEL_OK);
  assert_int_equal(actions[0], likeliest);
  assert_int_equal(cel_agent_predict(agent, obs, 2, actions), CEL_OK);
  assert_int_equal(actions[1], likeliest);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(dsac), cmocka_unit_test(test_policy_gradient),
                                     cmocka_unit_test(test_target_entropy),
                                     cmocka_unit_test(test_actions_follow_the_policy),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
