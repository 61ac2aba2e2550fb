/// Probabilities, Q and V that an agent reports, compared with its own actions, with samples, and
/// with networks without hidden layers, whose outputs are computed here.
#include "learner_test.h"

#define NONE                                                                                       \
  { NULL, NULL }
static const Learner sac = {.algo = "sac",
                            .settings = {{"net_arch", "6,5"}, {"batch_size", "7"}, NONE}},
                     sacv = {.algo = "sacv",
                             .settings = {{"net_arch", "[]"}, {"batch_size", "7"}, NONE}},
                     dsac = {.algo = "dsac",
                             .discrete = true,
                             .settings = {{"net_arch", "[]"}, {"batch_size", "7"}, NONE}},
                     sql = {.algo = "sql",
                            .discrete = true,
                            .settings = {{"net_arch", "[]"}, {"ent_coef", "0.4"}, NONE}},
                     sqlc = {.algo = "sqlc",
                             .settings = {{"net_arch", "6"}, {"batch_size", "7"}, NONE}},
                     ppo = {.algo = "ppo",
                            .settings = {{"n_steps", "8"}, {"batch_size", "16"}, NONE}},
                     ppo_choice = {.algo = "ppo",
                                   .discrete = true,
                                   .settings = {{"n_steps", "8"}, {"batch_size", "16"}, NONE}};

enum { ROWS = 300, DRAWS = 4000 }; // more rows than one block

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("%s", cel_error());
}

static CelAgent *make(const Learner *learner, const char *key, const char *value) {
  const char *const more[][2] = {{key, value}, NONE};
  CelAgent *agent = learner_make(learner, NULL, more, 1);
  learner_disturb(agent);
  return agent;
}

static const float *tensor(CelAgent *agent, const char *name) {
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), name);
  if (!t) fail_msg("no tensor %s", name);
  return t->data;
}

static void draw_observations(float *obs, int64_t n) {
  CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
  for (int64_t i = 0; i < n * LEARNER_O; i++) obs[i] = (float)cel_rng_normal(&rng);
}

/// sum_k x_k W(k, j) + b_j of member e.
static double linear(const float *W, const float *b, const float *x, int e, int in, int out,
                     int j) {
  double y = (double)b[e * out + j];
  for (int k = 0; k < in; k++) y += (double)x[k] * (double)W[(e * in + k) * out + j];
  return y;
}

static void near(double have, double want, const char *what) {
  if (!(fabs(have - want) <= 2e-6 * (1 + fabs(want))))
    fail_msg("%s %.9g, expected %.9g", what, have, want);
}

/// Probabilities sum to 1, the largest one is that of the mode, and samples follow them
/// (chi-square, 3 degrees of freedom, one in 10^4).
static void check_choices(const Learner *learner) {
  float obs[ROWS * LEARNER_O], p[ROWS * LEARNER_ACTIONS];
  int32_t mode[ROWS], drawn[ROWS], again[ROWS];
  CelAgent *agent = make(learner, NULL, NULL);
  draw_observations(obs, ROWS);
  ok(cel_agent_probabilities(agent, obs, ROWS, p));
  ok(cel_agent_predict(agent, obs, ROWS, mode));
  for (int i = 0; i < ROWS; i++) {
    double sum = 0;
    for (int a = 0; a < LEARNER_ACTIONS; a++) {
      sum += (double)p[i * LEARNER_ACTIONS + a];
      assert_true(p[i * LEARNER_ACTIONS + a] <= p[i * LEARNER_ACTIONS + mode[i]]);
    }
    near(sum, 1, "sum of probabilities");
  }
  double chi = 0, count[LEARNER_ACTIONS] = {0};
  for (int k = 0; k < DRAWS; k++) {
    ok(cel_agent_draw(agent, obs, 1, 9, k, drawn));
    count[drawn[0]]++;
  }
  for (int a = 0; a < LEARNER_ACTIONS; a++)
    chi += pow(count[a] - DRAWS * (double)p[a], 2) / (DRAWS * (double)p[a]);
  if (!(chi < 21.1)) fail_msg("chi-square %.1f of 3 degrees, expected less than 21.1", chi);
  ok(cel_agent_draw(agent, obs, ROWS, 9, 5, drawn));
  ok(cel_agent_draw(agent, obs, ROWS, 9, 5, again));
  assert_memory_equal(drawn, again, sizeof drawn);
  float mean[LEARNER_ACTIONS];
  bool squashed;
  assert_int_equal(cel_agent_gaussian(agent, obs, 1, mean, mean, &squashed), CEL_E_UNSUPPORTED);
  cel_agent_destroy(agent);
}

static void test_discrete_actions(void **state) {
  (void)state;
  check_choices(&sql);
  check_choices(&dsac);
  check_choices(&ppo_choice);
}

/// Mean and deviation compared with the mode and with moments of samples, in u if the policy is
/// squashed.
static void check_gaussian(const Learner *learner, bool squash) {
  enum { A = LEARNER_DIMS };
  float obs[ROWS * LEARNER_O], mean[ROWS * A], sd[ROWS * A], mode[ROWS * A], action[A];
  bool squashed;
  CelAgent *agent = make(learner, NULL, NULL);
  draw_observations(obs, ROWS);
  ok(cel_agent_gaussian(agent, obs, ROWS, mean, sd, &squashed));
  ok(cel_agent_predict(agent, obs, ROWS, mode));
  assert_int_equal(squashed, squash);
  for (int i = 0; i < ROWS * A; i++) {
    const double u = (double)mean[i];
    near((double)mode[i], squash ? 0.5 + 2.5 * tanh(u) : u, "mode");
  }
  double sum[A] = {0}, square[A] = {0};
  for (int k = 0; k < DRAWS; k++) {
    ok(cel_agent_draw(agent, obs, 1, 9, k, action));
    for (int a = 0; a < A; a++) {
      const double x = (double)action[a];
      const double u = squash ? atanh((x - 0.5) / 2.5) : x;
      const double z = (u - (double)mean[a]) / (double)sd[a];
      sum[a] += z, square[a] += z * z;
    }
  }
  for (int a = 0; a < A; a++) { // 4 standard errors
    if (!(fabs(sum[a] / DRAWS) < 4 / sqrt(DRAWS)))
      fail_msg("the mean of the samples is off by %g", sum[a] / DRAWS);
    if (!(fabs(square[a] / DRAWS - 1) < 4 * sqrt(2.0 / DRAWS)))
      fail_msg("the variance of the samples is %g times the policy's", square[a] / DRAWS);
  }
  cel_agent_destroy(agent);
}

static void test_gaussians(void **state) {
  (void)state;
  check_gaussian(&sac, true);
  check_gaussian(&ppo, false);
}

/// Critics of discrete actions: linear ones, combined by minimum or mean. V = E_pi[Q - alpha log
/// pi].
static void check_choice_values(const Learner *learner, const char *reduce, const char *network,
                                int members) {
  enum { A = LEARNER_ACTIONS };
  float obs[ROWS * LEARNER_O], q[ROWS], v[ROWS], p[ROWS * A];
  int32_t action[ROWS];
  char weight[64], bias[64];
  CelAgent *agent = make(learner, reduce ? "critic_reduce" : NULL, reduce);
  snprintf(weight, sizeof weight, "%s.0.weight", network);
  snprintf(bias, sizeof bias, "%s.0.bias", network);
  const float *W = tensor(agent, weight), *b = tensor(agent, bias);
  const double alpha = cel_agent_temperature(agent);
  draw_observations(obs, ROWS);
  ok(cel_agent_probabilities(agent, obs, ROWS, p));
  ok(cel_agent_v(agent, obs, ROWS, v));
  for (int i = 0; i < ROWS; i++) action[i] = i % A;
  ok(cel_agent_q(agent, obs, action, ROWS, q));
  for (int i = 0; i < ROWS; i++) {
    double Q[A], V = 0;
    for (int a = 0; a < A; a++) {
      Q[a] = linear(W, b, obs + i * LEARNER_O, 0, LEARNER_O, A, a);
      const double other =
          members > 1 ? linear(W, b, obs + i * LEARNER_O, 1, LEARNER_O, A, a) : Q[a];
      Q[a] = reduce && strcmp(reduce, "mean") == 0 ? (Q[a] + other) / 2 : fmin(Q[a], other);
      const double pi = (double)p[i * A + a];
      V += pi * (Q[a] - alpha * log(pi));
    }
    near((double)q[i], Q[action[i]], "Q");
    near((double)v[i], V, "V");
  }
  action[0] = A;
  assert_int_equal(cel_agent_q(agent, obs, action, 1, q), CEL_E_RANGE);
  cel_agent_destroy(agent);
}

static void test_values_of_discrete_actions(void **state) {
  (void)state;
  check_choice_values(&sql, NULL, "actor", 1);
  check_choice_values(&dsac, "min", "critic", 2);
  check_choice_values(&dsac, "mean", "critic", 2);
}

/// Q of continuous actions takes them in the environment's units. V is a network.
static void test_values_of_actions(void **state) {
  (void)state;
  enum { A = LEARNER_DIMS, IN = LEARNER_O + A };
  float obs[ROWS * LEARNER_O], action[ROWS * A], q[ROWS], v[ROWS];
  CelAgent *agent = make(&sacv, NULL, NULL);
  const float *W = tensor(agent, "critic.0.weight"), *b = tensor(agent, "critic.0.bias");
  const float *Wv = tensor(agent, "value.0.weight"), *bv = tensor(agent, "value.0.bias");
  draw_observations(obs, ROWS);
  ok(cel_agent_draw(agent, obs, ROWS, 1, 0, action));
  ok(cel_agent_q(agent, obs, action, ROWS, q));
  ok(cel_agent_v(agent, obs, ROWS, v));
  for (int i = 0; i < ROWS; i++) {
    float x[IN];
    memcpy(x, obs + i * LEARNER_O, LEARNER_O * sizeof *x);
    for (int a = 0; a < A; a++) x[LEARNER_O + a] = (action[i * A + a] - 0.5f) / 2.5f;
    near((double)q[i], fmin(linear(W, b, x, 0, IN, 1, 0), linear(W, b, x, 1, IN, 1, 0)), "Q");
    near((double)v[i], linear(Wv, bv, x, 0, LEARNER_O, 1, 0), "V");
  }
  cel_agent_destroy(agent);
}

/// Samples of a sampler are within the bounds, differ, and can be repeated.
static void test_sampler(void **state) {
  (void)state;
  float obs[ROWS * LEARNER_O], one[ROWS * LEARNER_DIMS], two[ROWS * LEARNER_DIMS];
  bool squashed;
  CelAgent *agent = make(&sqlc, NULL, NULL);
  draw_observations(obs, ROWS);
  ok(cel_agent_draw(agent, obs, ROWS, 1, 0, one));
  ok(cel_agent_draw(agent, obs, ROWS, 1, 1, two));
  for (int i = 0; i < ROWS * LEARNER_DIMS; i++) {
    assert_true(one[i] >= -2 && one[i] <= 3);
    assert_true(one[i] != two[i]);
  }
  ok(cel_agent_draw(agent, obs, ROWS, 1, 0, two));
  assert_memory_equal(one, two, sizeof one);
  assert_int_equal(cel_agent_gaussian(agent, obs, 1, one, two, &squashed), CEL_E_UNSUPPORTED);
  assert_int_equal(cel_agent_probabilities(agent, obs, 1, one), CEL_E_UNSUPPORTED);
  assert_int_equal(cel_agent_v(agent, obs, 1, one), CEL_E_UNSUPPORTED);
  cel_agent_destroy(agent);
}

/// Finite weights with outputs that overflow: every query returns an error.
static void test_outputs_that_overflow(void **state) {
  (void)state;
  static const struct {
    const Learner *learner;
    const char *tensor;
  } cases[] = {{&dsac, "actor.0.weight"}, {&sac, "actor.1.weight"}, {&sqlc, "actor.1.weight"}};
  float obs[2 * LEARNER_O] = {0}, out[2 * LEARNER_DIMS * LEARNER_O];
  for (int k = 0; k < LEARNER_O; k++) obs[LEARNER_O + k] = 3;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool squashed;
    CelAgent *agent = make(cases[i].learner, NULL, NULL);
    const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), cases[i].tensor);
    if (!t) fail_msg("no tensor %s", cases[i].tensor);
    for (int64_t k = 0; k < t->size; k++) ((float *)t->data)[k] = 3e38f;
    const CelStatus asked = i == 0   ? cel_agent_probabilities(agent, obs, 2, out)
                            : i == 1 ? cel_agent_gaussian(agent, obs, 2, out, out, &squashed)
                                     : cel_agent_draw(agent, obs, 2, 1, 0, out);
    assert_int_equal(asked, CEL_E_NAN);
    assert_non_null(strstr(cel_error(), "too large"));
    cel_agent_destroy(agent);
  }
}

static void test_bad_input(void **state) {
  (void)state;
  float obs[2 * LEARNER_O] = {0, 0, 0, 0, (float)NAN, 0}, out[2 * LEARNER_DIMS];
  bool squashed;
  CelAgent *agent = make(&ppo, NULL, NULL);
  assert_int_equal(cel_agent_gaussian(agent, obs, 2, out, out, &squashed), CEL_E_NAN);
  assert_non_null(strstr(cel_error(), "observation 1, element 1"));
  assert_int_equal(cel_agent_gaussian(agent, obs, -1, out, out, &squashed), CEL_E_RANGE);
  assert_int_equal(cel_agent_draw(agent, obs, 1, 0, -1, out), CEL_E_RANGE);
  assert_int_equal(cel_agent_q(agent, obs, out, 1, out), CEL_E_UNSUPPORTED);
  assert_true(cel_agent_temperature(agent) == 0);
  assert_true(cel_agent_gamma(agent) == 0.99);
  ok(cel_agent_gaussian(agent, obs, 0, out, out, &squashed));
  cel_agent_destroy(agent);
  agent = make(&sac, "use_sde", "true");
  assert_int_equal(cel_agent_gaussian(agent, obs, 1, out, out, &squashed), CEL_E_UNSUPPORTED);
  assert_int_equal(cel_agent_draw(agent, obs, 1, 0, 0, out), CEL_E_UNSUPPORTED);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_discrete_actions),
      cmocka_unit_test(test_gaussians),
      cmocka_unit_test(test_values_of_discrete_actions),
      cmocka_unit_test(test_values_of_actions),
      cmocka_unit_test(test_sampler),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_outputs_that_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
