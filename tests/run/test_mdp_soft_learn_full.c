/// Discrete algorithms with the presets of finite problems, against the exact soft-optimal
/// solution. Measures: the shortfall of the soft return, relative to the gain of the best policy
/// over the uniform one, and the KL divergence of the policy.
///
/// Without hidden layers, a network of one-hot observations is a table. The policy of every state
/// can then be read off and evaluated exactly. Tolerance: (J* - J) / (J* - J_uniform) <= 1%.
#include "celsius/mdp.h"
#include "celsius/solve.h"
#include "trained.h"

#include <math.h>
#include <string.h>

static const char *const problems[] = {"Taxi-v3", "FrozenLake-v1", "FrozenLake8x8-v1", "Garnet-v0",
                                       "CliffWalking-v1"};
enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/// A field of the preset as a number.
static double number(const CelSetup *setup, const char *field) {
  char text[64];
  assert_in_range(cel_setup_get(setup, field, text, sizeof text), 1, sizeof text - 1);
  return strtod(text, NULL);
}

/// Out pi (pairs): softmax of the actor's output over `temperature`, in every state.
static void read_policy(CelAgent *agent, const CelMdp *mdp, double temperature, double *pi) {
  const CelTensors *t = cel_agent_tensors(agent);
  const CelTensor *W = cel_tensors_find(t, "actor.0.weight");
  const float *w = W->data, *b = cel_tensors_find(t, "actor.0.bias")->data;
  const int64_t A = W->shape[2];
  assert_null(cel_tensors_find(t, "actor.1.weight"));
  assert_int_equal(W->shape[1], mdp->states);
  for (int64_t s = 0; s < mdp->states; s++) {
    double Z = 0;
    const int64_t begin = mdp->pair[s], end = mdp->pair[s + 1];
    assert_true(begin == end || end - begin == A);
    for (int64_t p = begin; p < end; p++) {
      const int64_t a = cel_mdp_action(mdp, s, p);
      pi[p] = ((double)w[s * A + a] + (double)b[a]) / temperature;
    }
    const double first = begin < end ? pi[begin] : 0;
    for (int64_t p = begin; p < end; p++) Z += pi[p] = exp(pi[p] - first);
    for (int64_t p = begin; p < end; p++) pi[p] /= Z;
  }
}

/// The soft return of pi from the start of the problem.
static double soft_return(const CelMdp *mdp, const double *pi, double alpha, double gamma,
                          double *V) {
  double bound;
  ok(cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, &bound));
  return cel_value_start(mdp, V);
}

/// KL(pi, pi*), averaged over the discounted state distribution of the best policy.
static double divergence(const CelMdp *mdp, const double *pi, const CelSolution *exact) {
  double *d = calloc((size_t)mdp->states, sizeof *d), sum = 0;
  assert_non_null(d);
  ok(cel_discounted_distribution(mdp, exact->pi, exact->gamma, CEL_EVALUATE_SWEEPS, 1e-9, d));
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      if (pi[p] > 0)
        sum += d[s] * pi[p] * (log(pi[p]) - (exact->Q[p] - exact->V[s]) / exact->alpha);
  free(d);
  return sum;
}

/// The shortfall of the agent relative to the gain of the best policy.
static double loss(const CelSetup *setup, CelAgent *agent, const CelMdp *mdp) {
  CelSolution *exact;
  CelSolveConfig config = cel_solve_config_default();
  const bool of_q = strcmp(setup->algo->name, "sql") == 0; // otherwise the output is logits
  const double alpha = number(setup, "ent_coef"), gamma = number(setup, "gamma");
  config.alpha = alpha, config.gamma = gamma;
  ok(cel_solve(mdp, &config, &exact));
  double *pi = calloc((size_t)mdp->pairs, sizeof *pi), *V = calloc((size_t)mdp->states, sizeof *V);
  assert_true(pi != NULL && V != NULL);
  cel_policy_of_q(mdp, pi, alpha, pi); // Q = 0 gives the uniform policy
  const double uniform = soft_return(mdp, pi, alpha, gamma, V);
  read_policy(agent, mdp, of_q ? alpha : 1, pi);
  const double have = soft_return(mdp, pi, alpha, gamma, V);
  const double lost = (exact->value_start - have) / (exact->value_start - uniform);
  print_message("%s on %s, %lld steps: J* %.4f, J %.4f, uniform %.4f: %.2f%% lost, KL %.4f\n",
                setup->algo->name, setup->run.env, (long long)setup->run.steps, exact->value_start,
                have, uniform, 100 * lost, divergence(mdp, pi, exact));
  free(pi);
  free(V);
  cel_solution_destroy(exact);
  return lost;
}

static void learn(const char *algo, const char *id, uint64_t seed) {
  CelEnvSpec *spec;
  const CelMdp *mdp;
  CelSetup *setup = preset(algo, id);
  ok(cel_env_spec_create(&spec, id, NULL, NULL));
  ok(cel_mdp_of_env(spec, &mdp));
  CelAgent *agent = trained(setup, spec, seed);
  const double lost = loss(setup, agent, mdp);
  if (!(lost <= 0.01 && lost >= -1e-6)) fail_msg("%.2f%% lost, expected at most 1%%", 100 * lost);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

static uint64_t first_seed(void) {
  const char *text = getenv("CELSIUS_FIRST_SEED");
  return text ? strtoull(text, NULL, 10) : 1;
}

static void test_sql(void **state) {
  (void)state;
  for (int i = 0; i < PROBLEMS; i++) learn("sql", problems[i], first_seed());
}

static void test_dsac(void **state) {
  (void)state;
  for (int i = 0; i < PROBLEMS; i++) learn("dsac", problems[i], first_seed());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sql), cmocka_unit_test(test_dsac)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
