/// Discrete learners on finite problems against the exact soft-optimal solution: what they lose of the soft return, in units
/// of what the best policy gains over the uniform one, and the KL divergence of their policy.
///
/// Without hidden layers a network of one-hot observations is a table, so the policy of every state can be read off and
/// evaluated exactly. Tolerance: (J* - J) / (J* - J_uniform) <= 1%.
#include "celsius/mdp.h"
#include "celsius/solve.h"
#include "trained.h"

#include <math.h>
#include <string.h>

static const double gamma_of_all = 0.95;

/// A problem, a temperature that suits its rewards, and how long it takes to see enough of it.
typedef struct Problem {
  const char *generator, *ent_coef, *random, *steps; ///< of the steps, the first are random
  double alpha;
} Problem;
static const Problem problems[] = {{"taxi", "1", "60000", "100000", 1},
                                   {"frozenlake-4x4", "0.1", "20000", "60000", 0.1},
                                   {"garnet", "0.1", "20000", "60000", 0.1},
                                   {"cliffwalking", "1", "20000", "60000", 1}};

/// Out pi (pairs): softmax over the actions of every state of the actor's output over `temperature`.
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

/// The soft return of pi from the problem's start.
static double soft_return(const CelMdp *mdp, const double *pi, double alpha, double *V) {
  double bound;
  ok(cel_mdp_evaluate(mdp, pi, alpha, gamma_of_all, CEL_EVALUATE_SWEEPS, 1e-9, V, NULL, &bound));
  return cel_value_start(mdp, V);
}

/// KL(pi, pi*) a state, states weighted by how often the best policy sees them.
static double divergence(const CelMdp *mdp, const double *pi, const CelSolution *exact) {
  double *d = calloc((size_t)mdp->states, sizeof *d), sum = 0;
  assert_non_null(d);
  ok(cel_discounted_distribution(mdp, exact->pi, gamma_of_all, CEL_EVALUATE_SWEEPS, 1e-9, d));
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      if (pi[p] > 0)
        sum += d[s] * pi[p] * (log(pi[p]) - (exact->Q[p] - exact->V[s]) / exact->alpha);
  free(d);
  return sum;
}

/// What the agent loses, as a share of what there is to win.
static double loss(const Problem *problem, CelAgent *agent, const CelMdp *mdp) {
  CelSolution *exact;
  CelSolveConfig config = cel_solve_config_default();
  const char *algo = cel_agent_algo(agent)->name;
  config.alpha = problem->alpha, config.gamma = gamma_of_all;
  ok(cel_solve(mdp, &config, &exact));
  double *pi = calloc((size_t)mdp->pairs, sizeof *pi), *V = calloc((size_t)mdp->states, sizeof *V);
  assert_true(pi != NULL && V != NULL);
  cel_policy_of_q(mdp, pi, problem->alpha, pi); // of Q = 0: uniform
  const double uniform = soft_return(mdp, pi, problem->alpha, V);
  read_policy(agent, mdp, strcmp(algo, "sql") == 0 ? problem->alpha : 1, pi); // Q, or logits
  const double have = soft_return(mdp, pi, problem->alpha, V);
  const double lost = (exact->value_start - have) / (exact->value_start - uniform);
  print_message("%s on %s: J* %.4f, J %.4f, uniform %.4f: %.2f%% lost, KL %.4f\n", algo,
                problem->generator, exact->value_start, have, uniform, 100 * lost,
                divergence(mdp, pi, exact));
  free(pi);
  free(V);
  cel_solution_destroy(exact);
  return lost;
}

/// Random steps first: what a cold policy never tries keeps the value that it began with.
static void learn(const char *algo, const Problem *problem) {
  static const char *const table[][2] = {{"gamma", "0.95"},
                                         {"net_arch", "[]"},
                                         {"learning_rate", "lin_2e-2"},
                                         {"buffer_size", "100000"}};
  CelSetup *setup;
  CelEnvSpec *spec;
  const CelMdp *mdp;
  ok(cel_setup_create(&setup, algo, "mdp"));
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    ok(cel_setup_set(setup, table[i][0], table[i][1]));
  ok(cel_setup_set(setup, "ent_coef", problem->ent_coef));
  ok(cel_setup_set(setup, "learning_starts", problem->random));
  ok(cel_setup_set(setup, "steps", problem->steps));
  if (strcmp(algo, "dsac") == 0) // the smaller of two critics would be biased
    ok(cel_setup_set(setup, "critic_reduce", "mean"));
  ok(cel_setup_set(setup, "env.generator", problem->generator));
  ok(cel_env_spec_create(&spec, "mdp", (char *)setup->env_args + sizeof(CelEnvOptions),
                         setup->env_args));
  ok(cel_mdp_of_env(spec, &mdp));
  CelAgent *agent = trained(setup, spec, 1);
  const double lost = loss(problem, agent, mdp);
  if (!(lost <= 0.01 && lost >= -1e-6)) fail_msg("%.2f%% lost, expected at most 1%%", 100 * lost);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

static void test_sql(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) learn("sql", &problems[i]);
}

static void test_dsac(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) learn("dsac", &problems[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sql), cmocka_unit_test(test_dsac)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
