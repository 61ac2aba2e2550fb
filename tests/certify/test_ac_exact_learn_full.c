/// Actor-critic in its literal form against the exact solution. It has one environment and an
/// update after every step, by gradient descent on 4.20 and 4.22 with fixed critic target and
/// advantage.
///
/// Without hidden layers, policy and critic are tables over one-hot observations. J of the learned
/// policy is therefore computed exactly. The test checks the relative shortfall (J* - J)/(J* -
/// J_uniform), and the error of the critic against the exact values of the learned policy.
/// Source: [actor-critic, 4.16-4.26]
#include "celsius/guarantee.h"
#include "celsius/solve.h"
#include "run/trained.h"

#include <math.h>
#include <string.h>

/// A problem, settings, and the allowed relative shortfall. Without an entropy bonus, as in the
/// note, the policy may become deterministic too early. On this Garnet problem the shortfall is
/// within 5%. On FrozenLake it is 2.3% for two of three seeds and 67% for the third; a bonus of
/// 0.003 per nat prevents that.
typedef struct Case {
  const char *generator, *arguments, *ent_coef, *steps, *rate, *critic_rate;
  double bar;
} Case;

static const double discount = 0.99;
static const Case cases[] = {
    {"garnet", "states=10 actions=3 seed=2", "0", "2000000", "lin_0.1", "lin_0.2", 0.05},
    {"garnet", "states=10 actions=3 seed=2", "0.03", "2000000", "lin_0.1", "lin_0.2", 0.01},
    {"frozenlake-4x4", "", "0.003", "1000000", "lin_0.2", "lin_0.2", 0.05},
};

static double return_of(const CelMdp *mdp, const double *pi, double *V) {
  double bound;
  ok(cel_mdp_evaluate(mdp, pi, 0, discount, CEL_EVALUATE_SWEEPS, 1e-10, V, NULL, &bound));
  return cel_value_start(mdp, V);
}

/// |critic - V| / |V|, with states weighted by the discounted state distribution of pi.
static double critic_error(CelAgent *agent, const CelMdp *mdp, const double *pi, const double *V) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  const float *table = cel_tensors_find(tensors, "critic.0.weight")->data,
              *bias = cel_tensors_find(tensors, "critic.0.bias")->data;
  double *d = calloc((size_t)mdp->states, sizeof *d), sum = 0, norm = 0;
  assert_non_null(d);
  ok(cel_discounted_distribution(mdp, pi, discount, CEL_EVALUATE_SWEEPS, 1e-12, d));
  for (int64_t s = 0; s < mdp->states; s++) {
    if (mdp->pair[s] == mdp->pair[s + 1]) continue;
    const double off = (double)table[s] + (double)bias[0] - V[s];
    sum += d[s] * off * off, norm += d[s] * V[s] * V[s];
  }
  free(d);
  return sqrt(sum / norm);
}

static double uniform_return(const CelMdp *mdp, double *pi, double *V) {
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      pi[p] = 1.0 / (double)(mdp->pair[s + 1] - mdp->pair[s]);
  return return_of(mdp, pi, V);
}

static double best_return(const CelMdp *mdp) {
  CelSolution *best;
  CelSolveConfig config = cel_solve_config_default();
  config.alpha = 0, config.gamma = discount;
  ok(cel_solve(mdp, &config, &best));
  const double J = best->value_start;
  assert_true(best->bound < 1e-6);
  cel_solution_destroy(best);
  return J;
}

static CelSetup *literal_setup(const Case *c) {
  const char *const settings[][2] = {{"n_envs", "1"},
                                     {"n_steps", "1"},
                                     {"optimizer", "sgd"},
                                     {"reduction", "sum"},
                                     {"net_arch", "[]"},
                                     {"gamma", "0.99"},
                                     {"ent_coef", c->ent_coef},
                                     {"learning_rate", c->rate},
                                     {"critic_learning_rate", c->critic_rate},
                                     {"steps", c->steps},
                                     {"env.generator", c->generator},
                                     {"env.arguments", c->arguments}};
  CelSetup *setup;
  ok(cel_setup_create(&setup, "ac", "mdp"));
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    ok(cel_setup_set(setup, settings[i][0], settings[i][1]));
  return setup;
}

static void learn(const Case *c, uint64_t seed) {
  CelSetup *setup = literal_setup(c);
  CelEnvSpec *spec;
  const CelMdp *mdp;
  ok(cel_setup_env(setup, &spec));
  ok(cel_mdp_of_env(spec, &mdp));
  double *pi = calloc((size_t)mdp->pairs, sizeof *pi), *V = calloc((size_t)mdp->states, sizeof *V);
  assert_true(pi && V);
  const double best = best_return(mdp), uniform = uniform_return(mdp, pi, V);
  CelAgent *agent = trained(setup, spec, seed);
  assert_int_equal(cel_agent_updates(agent), setup->run.steps); // one per step
  ok(cel_agent_policy(agent, mdp, pi));
  const double J = return_of(mdp, pi, V), lost = (best - J) / (best - uniform);
  const double off = critic_error(agent, mdp, pi, V);
  print_message("%s, ent_coef %s, seed %d: J* %.4f, J %.4f, uniform %.4f: %.2f%% lost; critic off "
                "by %.1f%%\n",
                c->generator, c->ent_coef, (int)seed, best, J, uniform, 100 * lost, 100 * off);
  if (!(lost <= c->bar && lost >= -1e-6))
    fail_msg("%.2f%% lost, expected at most %.0f%%", 100 * lost, 100 * c->bar);
  if (!(off < 0.1)) fail_msg("the critic is off by %.1f%%", 100 * off);
  free(pi);
  free(V);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

static void test_literal_form(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (uint64_t seed = 1; seed <= 3; seed++) learn(&cases[i], seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_literal_form)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
