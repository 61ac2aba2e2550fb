/// Trust region policy optimization: the trust region, determinism, invalid input.
/// (tests/nn/test_tangent.c tests its Fisher matrix. The gradient of its surrogate is PPO's at
/// ratio 1.)
#include "on_policy_test.h"

#include "celsius/trpo.h"

static const OnCase cases[] = {
    {"box", ON_BOX, {{NULL, NULL}}},
    {"state-std", ON_BOX, {{"state_dependent_std", "true"}, {"activation", "silu"}}},
    {"sde", ON_BOX, {{"use_sde", "true"}, {"sde_sample_freq", "4"}, {"log_std_init", "-1"}}},
    {"choice", ON_CHOICE, {{"target_kl", "0.05"}}},
    {"choices", ON_CHOICES, {{"activation", "relu"}}},
    {"bits", ON_BITS, {{"normalize_advantage", "false"}}},
    {"minibatches", ON_BOX, {{"batch_size", "7"}}},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static const OnLearner learner = {"trpo",
                                  {{"net_arch", "6,5"},
                                   {"n_steps", "10"},
                                   {"gamma", "0.9"},
                                   {"n_critic_updates", "2"},
                                   {"init", "kaiming_uniform"}},
                                  cases,
                                  N_CASES,
                                  0};

static void test_bits(void **state) {
  (void)state;
  on_check_bits(&learner, "CartPole-v1", 0x9ed0fd77ea77adba, 0x21dfaa5d2dcd3ad0);
  on_check_bits(&learner, "Pendulum-v1", 0x126a8822de10562d, 0xdcf9341c35b89628);
}
static void test_bad_input(void **state) {
  (void)state;
  on_check_bad_input(&learner);
  on_check_zero_variance(&learner);
}

/// Steps stay within the trust region and use most of it, and the surrogate rises about as much as
/// the gradient predicts.
static void test_trust_region(void **state) {
  (void)state;
  for (int i = 0; i < N_CASES; i++) {
    static const char *const more[][2] = {{"cg_damping", "1e-3"},
                                          {"n_steps", "200"},
                                          {"cg_max_steps", "50"},
                                          {"target_kl", "1e-4"},
                                          {NULL, NULL}};
    const double target = 1e-4;
    CelAgent *agent = on_make(&learner, &cases[i], more, 1);
    int successes = 0;
    for (int k = 0; k < 3; k++) {
      on_feed(agent, 200 * k, 200);
      on_update(agent);
      const double kl = on_metric(agent, "train/kl_divergence_loss"),
                   predicted = on_metric(agent, "train/predicted_improvement"),
                   gained = on_metric(agent, "train/surrogate_improvement");
      if (on_metric(agent, "train/is_line_search_success") == 0) continue;
      successes++;
      if (!(kl > 0.2 * target && kl < target))
        fail_msg("%s: the KL is %g, the limit is %g", cases[i].name, kl, target);
      // Gradients treat the latent features of gSDE as fixed, but the step changes them.
      const bool latent_fixed = strcmp(cases[i].name, "sde") == 0;
      if (latent_fixed ? !(gained > 0) : !(gained > 0.7 * predicted && gained < 1.3 * predicted))
        fail_msg("%s: the surrogate rose by %g, predicted was %g", cases[i].name, gained,
                 predicted);
    }
    if (successes < 2) fail_msg("%s: the line search accepted no step", cases[i].name);
    cel_agent_destroy(agent);
  }
}

/// Copies the actor's parameters, or their gradient, to one array. Returns their number.
static int actor_row(CelAgent *agent, CelRole role, float *row, int most) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  const char *prefix = role == CEL_GRAD ? "grad.actor." : "actor.";
  int n = 0;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role != role || strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
    assert_true(n + t->size <= most);
    memcpy(row + n, t->data, (size_t)t->size * sizeof *row);
    n += (int)t->size;
  }
  return n;
}

enum { MOST = 512 };

/// Line 6: an accepted step raises the surrogate and is within the region, whatever the first trial
/// was. If no step is accepted, the policy is the old one, bit for bit. With a `target` of 1e6 nats
/// only the surrogate can reject a step. Counts the outcomes.
static void search(const OnCase *c, const char *target, const char *tries, int *refused,
                   int *failed) {
  const char *const more[][2] = {{"target_kl", target},
                                 {"line_search_max_iter", tries},
                                 {"line_search_shrinking_factor", "0.5"},
                                 {"batch_size", "64"},
                                 {NULL, NULL}};
  float before[MOST], after[MOST];
  for (int k = 0; k < 20; k++) {
    CelAgent *agent = on_make(&learner, c, more, 1);
    const int n = actor_row(agent, CEL_PARAM, before, MOST);
    on_feed(agent, ON_T * k, ON_T);
    on_update(agent);
    actor_row(agent, CEL_PARAM, after, MOST);
    const double kl = on_metric(agent, "train/kl_divergence_loss"),
                 gained = on_metric(agent, "train/surrogate_improvement");
    const bool success = on_metric(agent, "train/is_line_search_success") > 0,
               same = memcmp(before, after, (size_t)n * sizeof *before) == 0;
    *refused += on_metric(agent, "train/line_search_tries") > 1, *failed += !success;
    if (success && !(gained > 0)) fail_msg("%s: accepted with a gain of %g", c->name, gained);
    if (success && !(kl < strtod(target, NULL)))
      fail_msg("%s: accepted with a KL of %g, the limit is %s", c->name, kl, target);
    if (success == same)
      fail_msg("%s: success is %d, but the policy kept is %d", c->name, success, same);
    cel_agent_destroy(agent);
  }
}

static void test_line_search(void **state) {
  (void)state;
  int by_gain = 0, by_divergence = 0, failed = 0, ignored = 0;
  for (int i = 0; i < N_CASES; i++) {
    search(&cases[i], "1000000", "10", &by_gain, &ignored);
    search(&cases[i], "0.5", "10", &by_divergence, &ignored);
    search(&cases[i], "1000000", "1", &ignored, &failed);
  }
  if (by_gain < 20 || by_divergence < 20 || failed < 20)
    fail_msg("first tries refused: %d for want of gain, %d for divergence or gain; %d searches "
             "failed: too few to tell",
             by_gain, by_divergence, failed);
}

/// Line 4: with one conjugate gradient step the direction is that of the gradient. With more steps
/// it is not.
static void test_conjugate_gradient_steps(void **state) {
  (void)state;
  for (int steps = 1; steps <= 2; steps++) {
    const char *const more[][2] = {{"cg_max_steps", steps == 1 ? "1" : "2"}, {NULL, NULL}};
    float before[MOST], after[MOST], g[MOST];
    double ab = 0, aa = 0, bb = 0;
    CelAgent *agent = on_make(&learner, &cases[0], more, 1);
    on_feed(agent, 0, ON_T);
    actor_row(agent, CEL_PARAM, before, MOST);
    on_update(agent);
    const int n = actor_row(agent, CEL_PARAM, after, MOST);
    assert_int_equal(actor_row(agent, CEL_GRAD, g, MOST), n);
    assert_true(on_metric(agent, "train/is_line_search_success") > 0);
    for (int k = 0; k < n; k++) {
      const double moved = (double)after[k] - (double)before[k];
      ab += moved * (double)g[k], aa += moved * moved, bb += (double)g[k] * (double)g[k];
    }
    const double cosine = ab / sqrt(aa * bb);
    if ((cosine > 1 - 1e-6) != (steps == 1))
      fail_msg("%d steps of conjugate gradients: the cosine with the gradient is %.9f", steps,
               cosine);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_TESTS(learner),
      cmocka_unit_test(test_bits),
      cmocka_unit_test(test_bad_input),
      cmocka_unit_test(test_trust_region),
      cmocka_unit_test(test_line_search),
      cmocka_unit_test(test_conjugate_gradient_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
