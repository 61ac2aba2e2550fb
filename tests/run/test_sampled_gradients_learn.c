/// Sampled gradients of REINFORCE and actor-critic against the exact policy gradient of finite
/// problems.
///
/// Without hidden layers, a network of one-hot observations is a table of logits theta(s,a). The
/// gradient that the library computes has one number per pair, an estimate of -dJ/dtheta(s,a). The
/// algorithms run as usual, but with learning rate 0, and the hook `updated` reads the tensors of
/// role CEL_GRAD. Let X_k be the gradient of rollout k, summed over its steps, and C_k the number
/// of episodes that ended in it. Then sum X / sum C tends to the gradient per episode, with the
/// standard error sqrt(sum (X - r C)^2) / sum C. (Rollouts may cut episodes anywhere; this is a
/// renewal process.)
///
/// Every component must be within 4 standard errors of the exact gradient. For a correct form, z
/// must have a root mean square between 0.5 and 1.5, so that the errors are neither too small nor
/// too large. A wrong form (another weighting, a wrong critic) must have a component more than 8
/// standard errors away, so that the test can tell right from wrong.
#include "celsius/improve.h"
#include "celsius/solve.h"
#include "trained.h"

#include <math.h>
#include <string.h>

static const double wrong_is_beyond = 8, bar = 4;

// ---- problems

typedef struct Problem {
  const char *generator, *arguments, *limit; ///< limit: steps of an episode
  double gamma;
} Problem;

static const Problem garnet20 = {"garnet", "states=10 actions=3 branching=3 reward=normal seed=4",
                                 "20", 0.9},
                     garnet150 = {"garnet", "states=10 actions=3 branching=3 reward=normal seed=4",
                                  "150", 0.9},
                     lake = {"frozenlake-4x4", "", "150", 0.9};

typedef struct Fixture {
  const Problem *problem;
  CelSetup *setup;
  CelEnvSpec *spec;
  const CelMdp *mdp;
  double *pi, *V, *exact; ///< (pairs), (states), (pairs)
} Fixture;

/// Settings with which the library's gradient is the sampled one.
static const char *const plain[][2] = {{"net_arch", "[]"},
                                       {"learning_rate", "0"},
                                       {"critic_learning_rate", "0"},
                                       {"max_grad_norm", "0"},
                                       {"discount_weight", "true"}};

static void set_all(CelSetup *setup, const char *const (*settings)[2], size_t n) {
  for (size_t i = 0; i < n && settings[i][0]; i++)
    ok(cel_setup_set(setup, settings[i][0], settings[i][1]));
}

/// A policy that differs in every state: half soft-optimal, half uniform. It explores and still
/// finds rewards.
static void make_policy(Fixture *f) {
  CelSolution *soft;
  CelSolveConfig config = cel_solve_config_default();
  CelRng rng = cel_rng(12, CEL_RNG_USER, 0);
  config.alpha = 0.05, config.gamma = f->problem->gamma;
  ok(cel_solve(f->mdp, &config, &soft));
  for (int64_t s = 0; s < f->mdp->states; s++) {
    const int64_t first = f->mdp->pair[s], end = f->mdp->pair[s + 1];
    double sum = 0;
    for (int64_t p = first; p < end; p++)
      sum += f->pi[p] = 0.5 * soft->pi[p] + (0.1 + cel_rng_uniform(&rng)) / (double)(end - first);
    for (int64_t p = first; p < end; p++) f->pi[p] /= sum;
  }
  cel_solution_destroy(soft);
}

static void open_fixture(Fixture *f, const char *algo, const Problem *problem) {
  *f = (Fixture){.problem = problem};
  ok(cel_setup_create(&f->setup, algo, "mdp"));
  ok(cel_setup_set(f->setup, "env.generator", problem->generator));
  ok(cel_setup_set(f->setup, "env.arguments", problem->arguments));
  ok(cel_setup_set(f->setup, "env.max_episode_steps", problem->limit));
  set_all(f->setup, plain, sizeof plain / sizeof plain[0]);
  char gamma[32];
  snprintf(gamma, sizeof gamma, "%g", problem->gamma);
  ok(cel_setup_set(f->setup, "gamma", gamma));
  ok(cel_setup_env(f->setup, &f->spec));
  ok(cel_mdp_of_env(f->spec, &f->mdp));
  f->pi = calloc((size_t)f->mdp->pairs, sizeof *f->pi);
  f->exact = calloc((size_t)f->mdp->pairs, sizeof *f->exact);
  f->V = calloc((size_t)f->mdp->states, sizeof *f->V);
  assert_true(f->pi && f->V && f->exact);
  make_policy(f);
  double bound;
  ok(cel_mdp_evaluate(f->mdp, f->pi, 0, problem->gamma, CEL_EVALUATE_SWEEPS, 1e-12, f->V, NULL,
                      &bound));
}

static void close_fixture(Fixture *f) {
  free(f->pi);
  free(f->V);
  free(f->exact);
  cel_env_spec_destroy(f->spec);
  cel_setup_destroy(f->setup);
}

// ---- sampling

typedef struct Sampled {
  const Fixture *f;
  bool per_episode; ///< the library averages over episodes
  double factor;    ///< factor of the critic's values
  int64_t n;
  double C, CC;
  double *X, *XX, *XC; ///< (pairs)
} Sampled;

static float *tensor(CelAgent *agent, const char *name) {
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), name);
  if (!t) fail_msg("there is no tensor %s", name);
  return t->data;
}

/// Sets the policy, and the critic if there is one, as tables.
static void write_tables(CelAgent *agent, const Sampled *sampled) {
  const Fixture *f = sampled->f;
  float *theta = tensor(agent, "actor.0.weight"), *bias = tensor(agent, "actor.0.bias");
  const int64_t A = f->mdp->max_actions;
  for (int64_t a = 0; a < A; a++) bias[a] = 0;
  for (int64_t s = 0; s < f->mdp->states; s++)
    for (int64_t p = f->mdp->pair[s]; p < f->mdp->pair[s + 1]; p++)
      theta[s * A + p - f->mdp->pair[s]] = (float)log(f->pi[p]);
  if (!cel_tensors_find(cel_agent_tensors(agent), "critic.0.weight")) return;
  float *V = tensor(agent, "critic.0.weight");
  tensor(agent, "critic.0.bias")[0] = 0;
  for (int64_t s = 0; s < f->mdp->states; s++) V[s] = (float)(sampled->factor * f->V[s]);
}

static CelStatus begun(void *user, CelAgent *agent, const CelEnvSpec *spec, const char *folder) {
  assert_true(spec != NULL && folder == NULL);
  write_tables(agent, user);
  return cel_agent_sync(agent);
}

static int64_t episodes_ended(const CelAgent *agent) {
  const CelTensors *tensors = cel_agent_tensors((CelAgent *)(uintptr_t)agent);
  const CelTensor *over[] = {cel_tensors_find(tensors, "rollout.terminated"),
                             cel_tensors_find(tensors, "rollout.truncated")};
  int64_t n = 0;
  for (int64_t i = 0; i < over[0]->size; i++)
    n += ((uint8_t *)over[0]->data)[i] || ((uint8_t *)over[1]->data)[i];
  return n;
}

static CelStatus updated(void *user, CelAgent *agent) {
  Sampled *s = user;
  const CelMdp *mdp = s->f->mdp;
  const float *g = tensor(agent, "grad.actor.0.weight");
  const double C = (double)episodes_ended(agent), scale = s->per_episode ? C : 1;
  for (int64_t state = 0; state < mdp->states; state++)
    for (int64_t p = mdp->pair[state]; p < mdp->pair[state + 1]; p++) {
      const double X = -scale * (double)g[state * mdp->max_actions + p - mdp->pair[state]];
      s->X[p] += X, s->XX[p] += X * X, s->XC[p] += X * C;
    }
  s->C += C, s->CC += C * C, s->n++;
  return CEL_OK;
}

/// Samples `rollouts` rollouts of n_steps of n_envs environments. factor: of the critic's values.
static Sampled sample(Fixture *f, const char *n_envs, const char *n_steps, int64_t rollouts,
                      double factor) {
  const size_t pairs = (size_t)f->mdp->pairs;
  Sampled s = {.f = f, .per_episode = strcmp(f->setup->algo->name, "reinforce") == 0};
  s.factor = factor;
  s.X = calloc(3 * pairs, sizeof *s.X);
  assert_non_null(s.X);
  s.XX = s.X + pairs, s.XC = s.XX + pairs;
  ok(cel_setup_set(f->setup, "n_envs", n_envs));
  ok(cel_setup_set(f->setup, "n_steps", n_steps));
  ok(cel_setup_set(f->setup, "reduction", s.per_episode ? "episodes" : "sum"));
  f->setup->run.steps = atoll(n_envs) * atoll(n_steps) * rollouts;
  const CelRunHooks hooks = {.user = &s, .begun = begun, .updated = updated};
  const char *seed = getenv("CELSIUS_FIRST_SEED");
  cel_agent_destroy(trained_with(f->setup, f->spec, seed ? strtoull(seed, NULL, 10) : 3, &hooks));
  assert_int_equal(s.n, rollouts);
  return s;
}

/// The largest |z| against `expected`, and their root mean square.
static double worst(const Sampled *s, const double *expected, double *rms) {
  double most = 0, square = 0;
  int64_t n = 0;
  for (int64_t p = 0; p < s->f->mdp->pairs; p++) {
    const double r = s->X[p] / s->C;
    const double rest = s->XX[p] - 2 * r * s->XC[p] + r * r * s->CC;
    const double error = sqrt(fmax(rest, 0) * (double)s->n / (double)(s->n - 1)) / s->C;
    if (error == 0 && fabs(r - expected[p]) < 1e-12) continue; // a state that is never visited
    const double z = fabs(r - expected[p]) / error;
    most = fmax(most, z), square += z * z, n++;
  }
  assert_true(n > 0);
  *rms = sqrt(square / (double)n);
  return most;
}

/// The norm of the standard errors divided by the norm of the gradient.
static double precision(const Sampled *s) {
  double square = 0, norm = 0;
  for (int64_t p = 0; p < s->f->mdp->pairs; p++) {
    const double r = s->X[p] / s->C;
    square += fmax(s->XX[p] - 2 * r * s->XC[p] + r * r * s->CC, 0) / (s->C * s->C);
    norm += r * r;
  }
  return sqrt(square / norm);
}

static void expect_right(const Sampled *s, const double *expected, const char *what) {
  double rms;
  const double most = worst(s, expected, &rms), share = precision(s);
  print_message("%s: %.0f episodes, error %.1f%% of the gradient, |z| <= %.2f, rms %.2f\n", what,
                s->C, 100 * share, most, rms);
  if (!(most <= bar)) fail_msg("%s: a component is %.2f standard errors off", what, most);
  if (!(rms > 0.5 && rms < 1.5))
    fail_msg("%s: the rms of z is %.2f, expected 0.5 to 1.5", what, rms);
  if (!(share < 0.1))
    fail_msg("%s: an error of %.1f%% is too large to show anything", what, 100 * share);
}

static void expect_wrong(const Sampled *s, const double *expected, const char *what) {
  double rms;
  const double most = worst(s, expected, &rms);
  print_message("%s: |z| up to %.1f, as expected of a wrong form\n", what, most);
  if (!(most > wrong_is_beyond))
    fail_msg("%s: a wrong form is only %.2f standard errors off", what, most);
}

// ---- exact gradients

static void exact_for_ever(Fixture *f) {
  ok(cel_policy_gradient(f->mdp, f->pi, 0, f->problem->gamma, false, f->exact));
}

static void exact_horizon(Fixture *f, bool discounted) {
  ok(cel_policy_gradient_horizon(f->mdp, f->pi, 0, f->problem->gamma, atoll(f->problem->limit),
                                 discounted, f->exact));
}

/// sum_{t < limit} sum_s p_t(s) pi A with A of the infinite horizon. TD errors of the exact critic
/// tend to this without gamma^t. Computed by propagation, not by the library's gradients.
static void exact_without_weight(Fixture *f) {
  const CelMdp *mdp = f->mdp;
  const int64_t T = atoll(f->problem->limit), S = mdp->states;
  double *p = calloc((size_t)((T + 1) * S), sizeof *p), *Q = calloc((size_t)mdp->pairs, sizeof *Q);
  assert_true(p && Q);
  ok(cel_state_distribution(mdp, f->pi, T, p));
  cel_q_of_v(mdp, f->V, f->problem->gamma, Q);
  memset(f->exact, 0, (size_t)mdp->pairs * sizeof *f->exact);
  for (int64_t t = 0; t < T; t++)
    for (int64_t s = 0; s < S; s++)
      for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++)
        f->exact[k] += p[t * S + s] * f->pi[k] * (Q[k] - f->V[s]);
  free(p);
  free(Q);
}

/// 1 - cosine of two gradients.
static double turn(const Fixture *f, const double *a, const double *b) {
  double aa = 0, bb = 0, ab = 0;
  for (int64_t p = 0; p < f->mdp->pairs; p++)
    aa += a[p] * a[p], bb += b[p] * b[p], ab += a[p] * b[p];
  return 1 - ab / sqrt(aa * bb);
}

// ---- REINFORCE

/// An episode has exactly 20 steps and fills the rollout, so no return is incomplete.
static void test_reinforce_garnet(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f, "reinforce", &garnet20);
  ok(cel_setup_set(f.setup, "baseline", "none"));
  ok(cel_setup_set(f.setup, "normalize_advantage", "false"));
  exact_horizon(&f, true);
  Sampled s = sample(&f, "256", "20", 400, 1);
  expect_right(&s, f.exact, "REINFORCE on Garnet");
  free(s.X);
  ok(cel_setup_set(f.setup, "discount_weight", "false"));
  s = sample(&f, "256", "20", 400, 1);
  expect_wrong(&s, f.exact, "REINFORCE without gamma^t against grad J");
  exact_horizon(&f, false);
  expect_right(&s, f.exact, "REINFORCE without gamma^t against its own form");
  free(s.X);
  ok(cel_setup_set(f.setup, "reward_to_go", "false")); // the whole return includes gamma^t
  exact_horizon(&f, true);
  s = sample(&f, "256", "20", 400, 1);
  expect_right(&s, f.exact, "REINFORCE with whole returns on Garnet");
  free(s.X);
  close_fixture(&f);
}

/// Episodes end in holes and at the goal. Episodes that a rollout cuts are unknown without values,
/// so rollouts are long: only 4 of about 4000 episodes are cut. There are many rollouts, because
/// the standard error is estimated from them.
static void test_reinforce_lake(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f, "reinforce", &lake);
  ok(cel_setup_set(f.setup, "baseline", "none"));
  ok(cel_setup_set(f.setup, "normalize_advantage", "false"));
  exact_for_ever(&f);
  Sampled s = sample(&f, "4", "10000", 128, 1);
  expect_right(&s, f.exact, "REINFORCE on FrozenLake");
  free(s.X);
  ok(cel_setup_set(f.setup, "baseline", "value"));
  ok(cel_setup_set(f.setup, "baseline_steps", "1"));
  s = sample(&f, "32", "200", 400, 1);
  expect_right(&s, f.exact, "REINFORCE on FrozenLake, exact values as a baseline");
  free(s.X);
  close_fixture(&f);
}

// ---- actor-critic

/// TD errors of the exact critic; then of one whose values are 1.5 times as large; then without
/// gamma^t.
static void check_actor_critic(const Problem *problem, const char *name, const char *n_envs,
                               const char *n_steps, int64_t rollouts) {
  Fixture f;
  char what[128];
  open_fixture(&f, "ac", problem);
  exact_for_ever(&f);
  Sampled s = sample(&f, n_envs, n_steps, rollouts, 1);
  snprintf(what, sizeof what, "actor-critic with the exact critic on %s", name);
  expect_right(&s, f.exact, what);
  free(s.X);
  s = sample(&f, n_envs, n_steps, rollouts, 1.5);
  snprintf(what, sizeof what, "actor-critic with a wrong critic on %s", name);
  expect_wrong(&s, f.exact, what);
  free(s.X);
  ok(cel_setup_set(f.setup, "discount_weight", "false"));
  s = sample(&f, n_envs, n_steps, rollouts, 1);
  snprintf(what, sizeof what, "actor-critic without gamma^t on %s", name);
  expect_wrong(&s, f.exact, what);
  double *gradient = calloc((size_t)f.mdp->pairs, sizeof *gradient);
  assert_non_null(gradient);
  memcpy(gradient, f.exact, (size_t)f.mdp->pairs * sizeof *gradient);
  exact_without_weight(&f);
  snprintf(what, sizeof what, "actor-critic without gamma^t against its own form on %s", name);
  expect_right(&s, f.exact, what);
  const double turned = turn(&f, gradient, f.exact);
  print_message("%s: 1 - cosine of the two forms %.2g\n", name, turned);
  assert_true(turned > 5e-4); // their directions differ too
  free(gradient);
  free(s.X);
  close_fixture(&f);
}

static void test_actor_critic_garnet(void **state) {
  (void)state;
  check_actor_critic(&garnet150, "Garnet", "32", "150", 200);
}

static void test_actor_critic_lake(void **state) {
  (void)state;
  check_actor_critic(&lake, "FrozenLake", "32", "200", 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reinforce_garnet), cmocka_unit_test(test_reinforce_lake),
      cmocka_unit_test(test_actor_critic_garnet), cmocka_unit_test(test_actor_critic_lake)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
