/// Guarantees of updates: the bound on a problem where it is an equality, its parts against sums
/// over time, and whole runs. Every update of a run must satisfy its bound, and computing it must
/// not change the run.
#include "celsius/celsius.h"
#include "celsius/guarantee.h"
#include "run/run_test.h"

#include <math.h>

static void close_to(double have, double want, double tolerance, const char *what) {
  if (!(fabs(have - want) <= tolerance))
    fail_msg("%s is %.17g, expected %.17g within %.2g", what, have, want, tolerance);
}

// ---- the problem on which the bound is an equality

/// State 0 stays under action 0 and goes to the absorbing state 1 under action 1; r(0,1) = C/eps,
/// r(1,1) = -C/eps.
static CelMdp *make_tight(double gamma, double eps, double C, bool island) {
  CelMdpBuilder *b;
  CelMdp *mdp;
  OK(cel_mdp_builder_create(&b, island ? 3 : 2, gamma, 0));
  for (int64_t s = 0; s < (island ? 3 : 2); s++)
    for (int64_t a = 0; a < 2; a++) {
      OK(cel_mdp_pair(b, s, a, s == 2 || a == 0 ? 0 : s == 0 ? C / eps : -C / eps));
      OK(cel_mdp_transition(b, s == 0 ? a : s, 1, 0, false));
    }
  OK(cel_mdp_start(b, 0, 1));
  OK(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  return mdp;
}

static void tight_problem_is_an_equality(void **state) {
  (void)state;
  static const double gammas[] = {0, 0.5, 0.9, 0.99}, eps[] = {0.001, 0.1, 0.5, 1},
                      scales[] = {1, 1e6};
  for (int g = 0; g < 4; g++)
    for (int e = 0; e < 4; e++)
      for (int k = 0; k < 2; k++) {
        CelGuaranteeStep step;
        CelMdp *mdp = make_tight(gammas[g], eps[e], scales[k], false);
        const double pi[] = {1, 0, 1, 0}, next[] = {1 - eps[e], eps[e], 1 - eps[e], eps[e]};
        OK(cel_policy_guarantee(mdp, pi, next, (double)NAN, &step));
        const double size = scales[k] / (1 - gammas[g]);
        assert_true(step.held);
        close_to(step.eps, eps[e], 1e-15, "eps");
        close_to(step.advantage, scales[k], 1e-12 * size, "C");
        // Within the claimed rounding error, which must be small.
        close_to(step.gain, step.surrogate - step.penalty, step.rounding, "the gain");
        if (!(step.rounding < 1e-9 * size / (1 - gammas[g])))
          fail_msg("gamma %g, eps %g: rounding %.2g", gammas[g], eps[e], step.rounding);
        // Half of the penalty, or slightly less than all of it, would not give a bound.
        if (gammas[g] > 0) {
          assert_true(step.gain < step.surrogate - 0.5 * step.penalty - step.rounding);
          assert_true(step.gain < step.surrogate - 0.9999 * step.penalty - step.rounding);
        }
        cel_mdp_destroy(mdp);
      }
}

/// A third action with a huge penalty that neither policy takes changes no number and adds no
/// rounding.
static void untaken_actions_add_no_rounding(void **state) {
  (void)state;
  CelGuaranteeStep plain, step;
  CelMdp *tight = make_tight(0.9, 0.1, 1, false), *mdp;
  const double pi[] = {1, 0, 1, 0}, next[] = {0.9, 0.1, 0.9, 0.1};
  const double pi3[] = {1, 0, 0, 1, 0, 0}, next3[] = {0.9, 0.1, 0, 0.9, 0.1, 0};
  CelMdpBuilder *b;
  OK(cel_mdp_builder_create(&b, 2, 0.9, 0));
  for (int64_t s = 0; s < 2; s++)
    for (int64_t a = 0; a < 3; a++) {
      OK(cel_mdp_pair(b, s, a, a == 2 ? -1e15 : a == 0 ? 0 : s == 0 ? 10 : -10));
      OK(cel_mdp_transition(b, s == 0 && a < 2 ? a : s, 1, 0, false));
    }
  OK(cel_mdp_start(b, 0, 1));
  OK(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  OK(cel_policy_guarantee(tight, pi, next, (double)NAN, &plain));
  OK(cel_policy_guarantee(mdp, pi3, next3, (double)NAN, &step));
  close_to(step.gain, plain.gain, 1e-12, "the gain");
  close_to(step.bound, plain.bound, 1e-10, "the bound");
  assert_true(step.held && step.rounding < 1e-10);
  cel_mdp_destroy(tight);
  cel_mdp_destroy(mdp);
}

/// Policies may differ arbitrarily in states that no policy reaches.
static void unreachable_states_count_nowhere(void **state) {
  (void)state;
  CelGuaranteeStep step, with;
  CelMdp *mdp = make_tight(0.9, 0.1, 1, false), *island = make_tight(0.9, 0.1, 1, true);
  const double pi[] = {1, 0, 1, 0, 1, 0}, next[] = {0.9, 0.1, 0.9, 0.1, 0, 1};
  OK(cel_policy_guarantee(mdp, pi, next, (double)NAN, &step));
  OK(cel_policy_guarantee(island, pi, next, (double)NAN, &with));
  close_to(with.eps, step.eps, 0, "eps");
  close_to(with.bound, step.bound, 1e-12, "the bound");
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(island);
}

// ---- random problems

/// Draws a random policy. sharp: larger values give nearly deterministic rows.
static void random_policy(const CelMdp *mdp, CelRng *rng, double sharp, double *pi) {
  for (int64_t s = 0; s < mdp->states; s++) {
    double sum = 0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      sum += pi[p] = pow(cel_rng_uniform(rng), sharp) + 1e-9;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) pi[p] /= sum;
  }
}

/// L and C by propagation and sweeps, independent of the solver that the guarantee uses.
static void by_propagation(const CelMdp *mdp, const double *pi, const double *next, double gamma,
                           double *L, double *C) {
  const int64_t S = mdp->states, T = (int64_t)ceil(log(1e-14) / log(gamma));
  double bound, *p = calloc((size_t)((T + 1) * S), sizeof *p), *V = calloc((size_t)S, sizeof *V),
                *Q = calloc((size_t)mdp->pairs, sizeof *Q), weight = 1;
  assert_true(p && V && Q);
  OK(cel_mdp_evaluate(mdp, pi, 0, gamma, CEL_EVALUATE_SWEEPS, 1e-13, V, Q, &bound));
  OK(cel_state_distribution(mdp, pi, T, p));
  *L = *C = 0;
  for (int64_t t = 0; t <= T; t++, weight *= gamma)
    for (int64_t s = 0; s < S; s++) {
      double a = 0;
      if (mdp->pair[s] == mdp->pair[s + 1]) continue;
      for (int64_t k = mdp->pair[s]; k < mdp->pair[s + 1]; k++) a += next[k] * (Q[k] - V[s]);
      *L += weight * p[t * S + s] * a;
      *C = fmax(*C, fabs(a));
    }
  free(p);
  free(V);
  free(Q);
}

static CelMdp *garnet(int seed, const char *terminal, const char *scale) {
  const CelMdpGenerator *generator;
  CelMdp *mdp;
  char number[16];
  OK(cel_mdp_generator_find("garnet", &generator));
  void *config = calloc(1, generator->config_size);
  assert_non_null(config);
  cel_fields_default(generator->fields, config);
  snprintf(number, sizeof number, "%d", seed);
  OK(cel_fields_set(generator->fields, config, "states", "40"));
  OK(cel_fields_set(generator->fields, config, "seed", number));
  OK(cel_fields_set(generator->fields, config, "terminal", terminal));
  OK(cel_fields_set(generator->fields, config, "reward", "normal"));
  OK(cel_fields_set(generator->fields, config, "reward_scale", scale));
  OK(cel_mdp_generate(&mdp, "garnet", config));
  free(config);
  return mdp;
}

static void random_steps_hold(void **state) {
  (void)state;
  static const double gammas[] = {0.5, 0.9, 0.99}, moves[] = {1, 0.1, 1e-3, 1e-7};
  CelRng rng = cel_rng(3, CEL_RNG_USER, 0);
  for (int k = 0; k < 60; k++) {
    CelMdp *mdp = garnet(k, k % 2 ? "0.1" : "0", k % 3 ? "1" : "100");
    const double gamma = gammas[k % 3], scale = (k % 3 ? 1 : 100) / (1 - gamma);
    double *pi = calloc((size_t)(2 * mdp->pairs), sizeof *pi), *next = pi + mdp->pairs, L, C;
    CelGuaranteeStep step;
    assert_non_null(pi);
    random_policy(mdp, &rng, k % 5 ? 1 : 20, pi);
    random_policy(mdp, &rng, k % 7 ? 1 : 20, next);
    for (int64_t p = 0; p < mdp->pairs; p++)
      next[p] = pi[p] + moves[k % 4] * (next[p] - pi[p]); // steps of all sizes
    OK(cel_policy_guarantee(mdp, pi, next, gamma, &step));
    if (!step.held) fail_msg("problem %d: gain %g, bound %g", k, step.gain, step.bound);
    by_propagation(mdp, pi, next, gamma, &L, &C);
    close_to(step.surrogate, L, 1e-10 * scale, "L");
    close_to(step.advantage, C, 1e-10 * scale, "C");
    close_to(step.penalty, 2 * step.eps * gamma * C / ((1 - gamma) * (1 - gamma * (1 - step.eps))),
             1e-9 * scale * scale, "the penalty");
    assert_true(step.rounding > 0 && step.rounding < 1e-8 * scale * scale);
    free(pi);
    cel_mdp_destroy(mdp);
  }
}

static void a_policy_that_stays(void **state) {
  (void)state;
  CelMdp *mdp = make_tight(0.9, 0.5, 1, false);
  const double pi[] = {0.3, 0.7, 0.6, 0.4};
  CelGuaranteeStep step;
  OK(cel_policy_guarantee(mdp, pi, pi, (double)NAN, &step));
  assert_true(step.held && step.gain == 0 && step.surrogate == 0 && step.penalty == 0);
  cel_mdp_destroy(mdp);
}

// ---- agents

static const char *const small[][2] = {{"env.generator", "frozenlake-4x4"},
                                       {"steps", "2048"},
                                       {"n_steps", "64"},
                                       {"n_envs", "4"},
                                       {"eval_every", "0"},
                                       {"eval_episodes", "2"},
                                       {"checkpoint_every", "512"},
                                       {"tensorboard", "false"}};

static CelSetup *make_setup(const char *algo, const char *out, const char *threads) {
  CelSetup *setup;
  OK(cel_setup_create(&setup, algo, "mdp"));
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
    if (cel_setup_find(setup, small[i][0])) OK(cel_setup_set(setup, small[i][0], small[i][1]));
  OK(cel_setup_set(setup, "out", out));
  OK(cel_setup_set(setup, "threads", threads));
  return setup;
}

typedef struct Watched {
  CelGuarantee *guarantee;
  CelGuaranteeStep last;
  int64_t updates, stop_after;
  double J_best;
} Watched;

static CelStatus begun(void *user, CelAgent *agent, const CelEnvSpec *spec, const char *folder) {
  Watched *w = user;
  const CelMdp *mdp;
  double uncertain;
  OK(cel_mdp_of_env(spec, &mdp));
  OK(cel_guarantee_create(&w->guarantee, mdp, agent, (double)NAN));
  OK(cel_guarantee_optimum(w->guarantee, &w->J_best, &uncertain));
  assert_true(uncertain < 1e-6);
  return cel_guarantee_write(w->guarantee, agent, folder);
}

static CelStatus updated(void *user, CelAgent *agent) {
  Watched *w = user;
  CelGuaranteeStep step;
  OK(cel_guarantee_step(w->guarantee, agent, &step));
  if (!step.held) fail_msg("update %lld: gain %g", (long long)step.iteration, step.gain);
  if (w->updates++ && step.J != w->last.J_next) fail_msg("J jumps between two updates");
  assert_true(step.J_next <= w->J_best + 1e-9);
  w->last = step;
  return CEL_OK;
}

static bool stop(void *user) {
  Watched *w = user;
  return w->stop_after && w->updates >= w->stop_after;
}

static CelRunHooks hooks_of(Watched *w) {
  return (CelRunHooks){.user = w, .stop = stop, .begun = begun, .updated = updated};
}

static void train(const char *algo, const char *out, const char *threads, bool watched,
                  int64_t updates) {
  CelSetup *setup = make_setup(algo, out, threads);
  Watched w = {.J_best = 0};
  const CelRunHooks hooks = hooks_of(&w);
  OK(cel_setup_train(setup, watched ? &hooks : NULL, NULL));
  if (watched) {
    const CelGuaranteeSummary s = cel_guarantee_summary(w.guarantee);
    assert_int_equal(s.updates, w.updates);
    assert_int_equal(s.held, w.updates);
    if (updates) assert_int_equal(w.updates, updates);
    assert_true(w.updates > 0 && s.J == w.last.J_next);
  }
  cel_guarantee_destroy(w.guarantee);
  cel_setup_destroy(setup);
}

static void same_files(const char *a, const char *b, const char *name) {
  char path[2][128];
  char *text[2];
  size_t size[2];
  for (int i = 0; i < 2; i++) {
    snprintf(path[i], sizeof path[i], "%s/%s", i ? b : a, name);
    FILE *file = fopen(path[i], "rb");
    if (!file) fail_msg("%s does not open", path[i]);
    text[i] = calloc(1, 1 << 22);
    size[i] = fread(text[i], 1, 1 << 22, file);
    fclose(file);
  }
  if (size[0] != size[1] || memcmp(text[0], text[1], size[0]) != 0)
    fail_msg("%s and %s differ", path[0], path[1]);
  free(text[0]);
  free(text[1]);
}

/// A run has the same results with and without guarantees and for any number of threads, and the
/// table is the same too.
static void watching_changes_nothing(void **state) {
  (void)state;
  static const char *const algos[] = {"ppo", "trpo"};
  for (int i = 0; i < 2; i++) {
    char plain[16], one[16], two[16];
    snprintf(plain, sizeof plain, "%s-0", algos[i]);
    snprintf(one, sizeof one, "%s-1", algos[i]);
    snprintf(two, sizeof two, "%s-2", algos[i]);
    train(algos[i], plain, "1", false, 0);
    train(algos[i], one, "1", true, 8);
    train(algos[i], two, "2", true, 8);
    same_files(plain, one, "final.safetensors");
    same_files(plain, two, "final.safetensors");
    same_files(plain, one, "evaluations.csv");
    same_files(one, two, "guarantee.csv");
  }
}

/// A run that is stopped after some updates and resumed has the table of an uninterrupted run. A
/// run that was killed after its checkpoint has extra rows, which are removed.
static void resumed_tables_are_whole(void **state) {
  (void)state;
  train("ppo", "whole", "1", true, 8);
  CelSetup *setup = make_setup("ppo", "parts", "1");
  Watched w = {.stop_after = 3};
  CelRunHooks hooks = hooks_of(&w);
  FAILS(cel_setup_train(setup, &hooks, NULL), CEL_E_INTERRUPTED, "stopped after");
  cel_guarantee_destroy(w.guarantee);
  cel_setup_destroy(setup);
  FILE *table = fopen("parts/guarantee.csv", "ab");
  assert_non_null(table);
  fputs("1024,4,9,9,9,9,9,9,9,9,9,0\n12", table);
  fclose(table);
  w = (Watched){.stop_after = 0};
  hooks = hooks_of(&w);
  OK(cel_train_resume("parts", 0, 2, &hooks, NULL));
  const CelGuaranteeSummary s = cel_guarantee_summary(w.guarantee);
  assert_int_equal(w.updates, 5);
  assert_int_equal(s.updates, 8);
  assert_int_equal(s.held, 8);
  cel_guarantee_destroy(w.guarantee);
  same_files("whole", "parts", "guarantee.csv");
  same_files("whole", "parts", "final.safetensors");
}

/// Guarantees work for every learner with action probabilities, also for those with a replay
/// buffer.
static void other_learners(void **state) {
  (void)state;
  static const char *const algos[] = {"reinforce", "a2c", "ac", "dsac", "sql"};
  for (int i = 0; i < 5; i++) {
    CelSetup *setup = make_setup(algos[i], algos[i], "1");
    Watched w = {.J_best = 0};
    const CelRunHooks hooks = hooks_of(&w);
    OK(cel_setup_set(setup, "steps", "256"));
    if (cel_setup_find(setup, "learning_starts"))
      OK(cel_setup_set(setup, "learning_starts", "200"));
    OK(cel_setup_train(setup, &hooks, NULL));
    assert_true(w.updates > 0);
    cel_guarantee_destroy(w.guarantee);
    cel_setup_destroy(setup);
  }
}

// ---- the policy of an agent

/// State 0 has the actions 0, 1 and 3, state 1 all four, each to a state of its own.
static CelMdp *make_gappy(void) {
  static const int64_t of[2][4] = {{0, 1, 3, -1}, {0, 1, 2, 3}};
  CelMdpBuilder *b;
  CelMdp *mdp;
  OK(cel_mdp_builder_create(&b, 9, 0.9, 0));
  for (int64_t s = 0; s < 2; s++)
    for (int64_t k = 0; k < 4 && of[s][k] >= 0; k++) {
      OK(cel_mdp_pair(b, s, of[s][k], 0));
      OK(cel_mdp_transition(b, 2 + 3 * s + k, 1, 0,
                            false)); // states 2 to 4 from state 0, 5 and above from state 1
    }
  OK(cel_mdp_start(b, 0, 1));
  OK(cel_mdp_build(b, &mdp));
  cel_mdp_builder_destroy(b);
  return mdp;
}

static CelAgent *make_agent(const CelEnvSpec *spec) {
  CelAgent *agent;
  CelPpoConfig config = cel_ppo_config_default();
  CelAgentOptions options = cel_agent_options_default();
  config.common.net_arch = (CelIntList){0};
  OK(cel_agent_create(&agent, "ppo", &config, &spec->observation, &spec->action, &options));
  const CelTensor *theta = cel_tensors_find(cel_agent_tensors(agent), "actor.0.weight");
  CelRng rng = cel_rng(2, CEL_RNG_USER, 0);
  for (int64_t i = 0; i < theta->size; i++) ((float *)theta->data)[i] = (float)cel_rng_normal(&rng);
  OK(cel_agent_sync(agent));
  return agent;
}

/// The probability of a missing action counts for the action that the environment substitutes.
static void missing_actions_count_as_they_act(void **state) {
  (void)state;
  CelMdp *mdp = make_gappy();
  CelEnvSpec *spec;
  OK(cel_mdp_env_spec(&spec, mdp, NULL));
  CelAgent *agent = make_agent(spec);
  double pi[7], want[7] = {0};
  float obs[9] = {1}, p[4], reward;
  OK(cel_agent_policy(agent, mdp, pi));
  OK(cel_agent_probabilities(agent, obs, 1, p));
  for (int32_t a = 0; a < 4; a++) { // the next state of action a in state 0
    double at = 0;
    uint8_t over;
    CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
    OK(spec->type->step(spec, &at, 1, &a, obs, &reward, &over, &rng));
    want[(int64_t)at - 2] += (double)p[a];
  }
  for (int k = 0; k < 3; k++) close_to(pi[k], want[k], 1e-6, "the probability of a pair");
  close_to(pi[0] + pi[1] + pi[2], 1, 1e-15, "the sum of a row");
  close_to(pi[3] + pi[4] + pi[5] + pi[6], 1, 1e-15, "the sum of a row");
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_mdp_destroy(mdp);
}

// ---- errors

static void bad_calls(void **state) {
  (void)state;
  CelMdp *mdp = make_tight(0.9, 0.5, 1, false), *other = make_gappy(), *ending;
  CelGuaranteeStep step;
  CelGuarantee *g;
  CelMdpBuilder *b;
  CelEnvSpec *spec;
  const double pi[] = {1, 0, 1, 0}, bad[] = {1, 0, 0.5, 0.4};
  FAILS(cel_policy_guarantee(mdp, pi, pi, 1, &step), CEL_E_RANGE, "gamma is 1");
  FAILS(cel_policy_guarantee(mdp, pi, pi, -0.1, &step), CEL_E_RANGE, "gamma is -0.1");
  FAILS(cel_policy_guarantee(mdp, pi, bad, 0.9, &step), CEL_E_RANGE, "the new policy: ");
  FAILS(cel_policy_guarantee(mdp, bad, pi, 0.9, &step), CEL_E_RANGE, "the old policy: ");
  CelMdp *huge = make_tight(0.999999, 0.5, 1e305, false);
  FAILS(cel_policy_guarantee(huge, pi, pi, (double)NAN, &step), CEL_E_RANGE, "scale them down");
  cel_mdp_destroy(huge);
  OK(cel_mdp_builder_create(&b, 1, 1, 5));
  OK(cel_mdp_pair(b, 0, 0, 1));
  OK(cel_mdp_transition(b, 0, 1, 0, false));
  OK(cel_mdp_build(b, &ending));
  cel_mdp_builder_destroy(b);
  FAILS(cel_policy_guarantee(ending, pi, pi, 0.9, &step), CEL_E_UNSUPPORTED, "horizon of 5 steps");
  OK(cel_mdp_env_spec(&spec, mdp, NULL));
  CelAgent *agent = make_agent(spec);
  FAILS(cel_guarantee_create(&g, other, agent, 0.9), CEL_E_SHAPE, "9 one-hot");
  OK(cel_guarantee_create(&g, mdp, agent, (double)NAN));
  FAILS(cel_guarantee_write(g, agent, "no-such-folder"), CEL_E_IO, "no-such-folder");
  write_text("guarantee.csv", "a,b\n1,2\n");
  FAILS(cel_guarantee_write(g, agent, "."), CEL_E_FORMAT, "guarantee.csv");
  cel_guarantee_destroy(g);
  cel_guarantee_destroy(NULL);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_mdp_destroy(mdp);
  cel_mdp_destroy(other);
  cel_mdp_destroy(ending);
}

int main(void) {
#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)
  const struct CMUnitTest tests[] = {cmocka_unit_test(tight_problem_is_an_equality),
                                     cmocka_unit_test(untaken_actions_add_no_rounding),
                                     cmocka_unit_test(unreachable_states_count_nowhere),
                                     cmocka_unit_test(random_steps_hold),
                                     cmocka_unit_test(a_policy_that_stays),
                                     cmocka_unit_test(missing_actions_count_as_they_act),
                                     IN_FOLDER(watching_changes_nothing),
                                     IN_FOLDER(resumed_tables_are_whole),
                                     IN_FOLDER(other_learners),
                                     IN_FOLDER(bad_calls)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
