/// DQN compared with PyTorch in float64 (tests/golden/torch_dqn.py), its exploration, its target
/// network, and the tests of every learner.
#include "algo/discrete.h"
#include "learner_test.h"

static const LearnerCase cases[] = {
    {"dqn", {{"max_grad_norm", "0"}}},
    {"double", {{"double_q", "true"}, {"activation", "tanh"}}},
    {"dueling", {{"dueling", "true"}, {"n_steps", "3"}}},
    {"double-dueling", {{"double_q", "true"}, {"dueling", "true"}, {"layer_norm", "true"}}},
    {"squared", {{"loss", "squared"}, {"normalize_observation", "true"}, {"activation", "silu"}}},
};
static const Learner dqn = {.algo = "dqn",
                            .discrete = true,
                            .settings = {{"net_arch", "6,5"},
                                         {"batch_size", "17"},
                                         {"buffer_size", "200"},
                                         {"learning_starts", "1000000"},
                                         {"learning_rate", "0"},
                                         {"gamma", "0.9"},
                                         {"tau", "0"}},
                            .cases = cases,
                            .n_cases = sizeof cases / sizeof cases[0],
                            .compared = 8};

static void test_bad_input(void **state) {
  (void)state;
  learner_bad_input(&dqn);
  CelAgent *agent = learner_updated(&dqn, &cases[0], 1);
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), "actor.1.bias");
  ((float *)t->data)[0] = NAN;
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  learner_expect(cel_agent_update_n(agent, 1), CEL_E_NAN, "train/loss is nan");
  cel_agent_destroy(agent);
}

/// Gradients of both losses and of the dueling outputs, compared with central differences.
static void test_losses(void **state) {
  (void)state;
  enum { A = 3, B = 50 };
  CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
  float outputs[B * (A + 1)], Q[B * A], dQ[B * A], d[B * (A + 1)], y[B], loss[B];
  int32_t action[B];
  for (int i = 0; i < B * (A + 1); i++) outputs[i] = (float)(2 * cel_rng_normal(&rng));
  for (int b = 0; b < B; b++)
    y[b] = (float)cel_rng_normal(&rng), action[b] = (int32_t)cel_rng_below(&rng, A);
  for (int squared = 0; squared < 2; squared++) {
    celi_dueling_q(Q, outputs, A, 0, B);
    if (squared)
      celi_discrete_squared_error(dQ, loss, Q, action, y, 1, A, 0, B);
    else
      celi_discrete_huber(dQ, loss, Q, action, y, 1, A, 0, B);
    celi_dueling_backward(d, dQ, A, 0, B);
    for (int b = 0; b < B; b++)
      for (int k = 0; k <= A; k++) {
        double value[2];
        for (int side = 0; side < 2; side++) {
          double x[A + 1], sum = 0;
          for (int a = 0; a <= A; a++)
            x[a] = (double)outputs[b * (A + 1) + a] + (a == k ? (side ? 1e-6 : -1e-6) : 0);
          for (int a = 0; a < A; a++) sum += x[a];
          const double error = x[A] + x[action[b]] - sum / A - (double)y[b];
          value[side] = squared || fabs(error) < 1 ? error * error / 2 : fabs(error) - 0.5;
          if (side == 0 && fabs(value[0] - (double)loss[b]) > 1e-4)
            fail_msg("loss %g, expected %g", (double)loss[b], value[0]);
        }
        const double want = (value[1] - value[0]) / 2e-6;
        if (fabs(want - (double)d[b * (A + 1) + k]) > 1e-4)
          fail_msg("gradient %g, expected %g", (double)d[b * (A + 1) + k], want);
      }
  }
  celi_dueling_q(outputs, outputs, A, 0, B); // in place
  assert_memory_equal(outputs, Q, sizeof Q);
}

/// The exploration rate falls linearly from exploration_initial_eps to exploration_final_eps over
/// exploration_fraction of the planned steps. A random action is uniform; any other is greedy.
static void test_exploration(void **state) {
  (void)state;
  enum { STEPS = 400 };
  Learner planned = dqn;
  planned.total_steps = LEARNER_N * STEPS;
  const LearnerCase c = {"",
                         {{"exploration_initial_eps", "0.8"},
                          {"exploration_final_eps", "0.2"},
                          {"exploration_fraction", "0.5"},
                          {"learning_starts", "0"}}};
  CelAgent *agent = learner_make(&planned, &c, NULL, 1);
  const float obs[LEARNER_N * LEARNER_O] = {0.5f, -1, 2, 0.5f, -1, 2}, reward[LEARNER_N] = {0};
  const uint8_t no[LEARNER_N] = {0};
  const CelOutcome outcome = {reward, no, no, obs, NULL};
  int32_t greedy[LEARNER_N], action[LEARNER_N];
  double count[LEARNER_ACTIONS] = {0}, expected = 0, variance = 0;
  int others = 0;
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, greedy), CEL_OK);
  for (int t = 0; t < STEPS; t++) {
    const double done = (double)t / STEPS, eps = done < 0.5 ? 0.8 - 0.6 * done / 0.5 : 0.2;
    const double p = eps * (1 - 1.0 / LEARNER_ACTIONS);
    expected += LEARNER_N * p, variance += LEARNER_N * p * (1 - p);
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_SAMPLE, action), CEL_OK);
    assert_memory_equal(action, greedy, sizeof greedy);
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, action), CEL_OK);
    for (int i = 0; i < LEARNER_N; i++) count[action[i]]++, others += action[i] != greedy[i];
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
    if (t % 100 == 99) {
      learner_update(agent, 1);
      const double next = (double)(t + 1) / STEPS;
      assert_true(fabs(learner_metric(agent, "rollout/exploration_rate") -
                       (next < 0.5 ? 0.8 - 0.6 * next / 0.5 : 0.2)) < 1e-12);
    }
  }
  if (!(fabs(others - expected) < 4 * sqrt(variance)))
    fail_msg("%d actions that are not greedy, expected %.1f", others, expected);
  for (int a = 0; a < LEARNER_ACTIONS; a++)
    if (a != greedy[0] && !(fabs(count[a] - expected / 3) < 4 * sqrt(expected / 3)))
      fail_msg("action %d was taken %g times, expected %.1f", a, count[a], expected / 3);
  cel_agent_destroy(agent);
}

/// The target network moves every target_update_interval steps of all environments together,
/// whether or not there are updates.
static void test_target_update_interval(void **state) {
  (void)state;
  const LearnerCase c = {"", {{"target_update_interval", "6"}, {"tau", "0.25"}}};
  CelAgent *agent = learner_make(&dqn, &c, NULL, 1);
  learner_disturb(agent);
  const CelTensors *tensors = cel_agent_tensors(agent);
  const float *p = cel_tensors_find(tensors, "actor.1.weight")->data,
              *target = cel_tensors_find(tensors, "target.1.weight")->data;
  double gap = (double)(p[3] - target[3]);
  assert_true(fabs(gap) > 1e-4);
  for (int t = 1; t <= 9; t++) {
    learner_feed(&dqn, agent, 1);
    if (t % (6 / LEARNER_N) == 0) gap *= 0.75;
    assert_true(fabs((double)(p[3] - target[3]) - gap) < 1e-6);
  }
  cel_agent_destroy(agent);
}

/// Probabilities are those of the greedy action, V is the largest Q, and dueling outputs count as
/// the Q that they stand for.
static void test_inspection(void **state) {
  (void)state;
  enum { ROWS = 40 };
  for (int dueling = 0; dueling < 2; dueling++) {
    CelAgent *agent = learner_updated(&dqn, &cases[dueling ? 2 : 0], 1);
    float obs[ROWS * LEARNER_O], p[ROWS * LEARNER_ACTIONS], v[ROWS];
    float q[LEARNER_ACTIONS][ROWS];
    int32_t action[ROWS], draw[ROWS];
    CelRng rng = cel_rng(3, CEL_RNG_USER, 2);
    for (int k = 0; k < ROWS * LEARNER_O; k++) obs[k] = (float)cel_rng_normal(&rng);
    for (int a = 0; a < LEARNER_ACTIONS; a++) {
      for (int i = 0; i < ROWS; i++) action[i] = a;
      assert_int_equal(cel_agent_q(agent, obs, action, ROWS, q[a]), CEL_OK);
    }
    assert_int_equal(cel_agent_probabilities(agent, obs, ROWS, p), CEL_OK);
    assert_int_equal(cel_agent_v(agent, obs, ROWS, v), CEL_OK);
    assert_int_equal(cel_agent_predict(agent, obs, ROWS, action), CEL_OK);
    assert_int_equal(cel_agent_draw(agent, obs, ROWS, 3, 0, draw), CEL_OK);
    for (int i = 0; i < ROWS; i++) {
      assert_int_equal(draw[i], action[i]);
      assert_true(fabsf(v[i] - q[action[i]][i]) < 1e-6f);
      for (int a = 0; a < LEARNER_ACTIONS; a++) {
        assert_true(q[a][i] <= v[i] + 1e-6f);
        assert_true(p[i * LEARNER_ACTIONS + a] == (a == action[i] ? 1.0f : 0.0f));
      }
    }
    assert_true(cel_agent_temperature(agent) == 0);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {LEARNER_TESTS(dqn),
                                     cmocka_unit_test(test_losses),
                                     cmocka_unit_test(test_exploration),
                                     cmocka_unit_test(test_target_update_interval),
                                     cmocka_unit_test(test_inspection),
                                     cmocka_unit_test(test_bad_input)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
