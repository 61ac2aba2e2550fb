/// Finite problems as environments: against Gymnasium step by step, frequencies against
/// probabilities, and the features of problems (ends, terminal states, action numbers, rewards by
/// transition, horizons).
#include "celsius/canvas.h"
#include "celsius/mdp.h"
#include "celsius/safetensors.h"
#include "celsius/solve.h"
#include "env_test.h"

/// Creates a spec of the environment mdp. A setting of NULL means the argument's default.
static CelStatus try_spec(CelEnvSpec **out, const char *const settings[][2], int n) {
  const CelEnvType *type;
  assert_ok(cel_env_find("mdp", &type));
  void *config = calloc(1, type->config_size);
  assert_non_null(config);
  cel_fields_default(type->fields, config);
  for (int i = 0; i < n; i++) {
    assert_ok(cel_fields_set(type->fields, config, settings[i][0], settings[i][1]));
  }
  const CelStatus status = cel_env_spec_create(out, "mdp", config, NULL);
  free(config);
  return status;
}

static CelEnvSpec *generated(const char *generator, const char *arguments) {
  CelEnvSpec *spec = NULL;
  const char *const settings[][2] = {{"generator", generator}, {"arguments", arguments}};
  assert_ok(try_spec(&spec, settings, 2));
  return spec;
}

static CelEnvSpec *spec_of(const CelMdp *mdp) {
  CelEnvSpec *spec = NULL;
  assert_ok(cel_mdp_env_spec(&spec, mdp, NULL));
  return spec;
}

/// Expects that obs is 1 at s and 0 elsewhere.
static void expect_one_hot(const float *obs, int64_t S, int64_t s) {
  for (int64_t i = 0; i < S; i++) assert_true(obs[i] == (i == s ? 1.0f : 0.0f));
}

// ---- deterministic problems of Gymnasium's toy text

static const void *part(const CelSafetensors *file, const char *name, const char *what,
                        int64_t *n) {
  char full[64];
  snprintf(full, sizeof full, "%s.%s", name, what);
  const CelTensor *tensor = cel_safetensors_find(file, full);
  assert_non_null(tensor);
  *n = tensor->size;
  return tensor->data;
}

static void follow(const CelSafetensors *file, const char *name, const char *generator,
                   const char *arguments) {
  int64_t n;
  const int32_t *from = part(file, name, "state", &n), *action = part(file, name, "action", &n);
  const int32_t *next = part(file, name, "next", &n);
  const float *reward = part(file, name, "reward", &n);
  const uint8_t *terminated = part(file, name, "terminated", &n);
  CelEnvSpec *spec = generated(generator, arguments);
  const int64_t S = cel_space_floats(&spec->observation);
  Fleet *fleet = make_fleet(spec, 1, 1, 0);
  CelVecEnv *env = &fleet->env;
  assert_ok(cel_vecenv_reset(env));
  int64_t ended = 0;
  for (int64_t i = 0; i < n; i++) {
    env->states[0] = from[i];
    assert_ok(cel_vecenv_step(env, &action[i], 0, 1));
    assert_true(env->reward[0] == reward[i]);
    assert_int_equal(env->terminated[0], terminated[i]);
    const bool over = env->terminated[0] || env->truncated[0];
    expect_one_hot((const float *)(over ? env->final_obs : env->obs), S, next[i]);
    if (!over) assert_true(env->states[0] == next[i]);
    ended += terminated[i];
  }
  print_message("%s: %d steps, %d episodes ended\n", name, (int)n, (int)ended);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void steps_are_gymnasiums(void **state) {
  (void)state;
  CelSafetensors *file;
  assert_ok(cel_safetensors_open(CELSIUS_TEST_DIR "/golden/gymnasium_toy_text.safetensors", &file));
  follow(file, "taxi", "taxi", "");
  follow(file, "cliffwalking", "cliffwalking", "");
  follow(file, "frozenlake", "frozenlake-8x8", "slippery=false");
  cel_safetensors_close(file);
}

// ---- frequencies

static CelMdpBuilder *builder_of(int64_t states, int64_t horizon) {
  CelMdpBuilder *builder = NULL;
  assert_ok(cel_mdp_builder_create(&builder, states, 0.9, horizon));
  return builder;
}

static CelMdp *built(CelMdpBuilder *builder) {
  CelMdp *mdp = NULL;
  assert_ok(cel_mdp_build(builder, &mdp));
  cel_mdp_builder_destroy(builder);
  return mdp;
}

/// A problem with four states. State 0 has the transitions to 0 (probability 0.1), 1 (0.2), 2 with
/// the end of the episode (0.3), 2 without it (0.15), and the terminal state 3 (0.25). The reward
/// is ten times the index in this list. Episodes start in 0 (0.6), 1 (0.3) and 3 (0.1).
static CelMdp *small(void) {
  CelMdpBuilder *b = builder_of(4, 0);
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 0, 0.1, 10, false));
  assert_ok(cel_mdp_transition(b, 1, 0.2, 20, false));
  assert_ok(cel_mdp_transition(b, 2, 0.3, 30, true));
  assert_ok(cel_mdp_transition(b, 2, 0.15, 40, false));
  assert_ok(cel_mdp_transition(b, 3, 0.25, 50, false));
  for (int64_t s = 1; s < 3; s++) {
    assert_ok(cel_mdp_pair(b, s, 0, -1));
    assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  }
  assert_ok(cel_mdp_start(b, 0, 0.6));
  assert_ok(cel_mdp_start(b, 1, 0.3));
  assert_ok(cel_mdp_start(b, 3, 0.1));
  return built(b);
}

static void expect_share(const char *what, int64_t count, int64_t n, double p) {
  const double share = (double)count / (double)n, error = sqrt(p * (1 - p) / (double)n);
  if (fabs(share - p) > 4.5 * error) fail_msg("%s: %g of the time, not %g", what, share, p);
}

static void frequencies_are_the_probabilities(void **state) {
  (void)state;
  enum { N = 40000 };
  CelMdp *mdp = small();
  CelEnvSpec *spec = spec_of(mdp);
  assert_int_equal(cel_space_floats(&spec->observation), 4);
  assert_int_equal(spec->action.part[0].n, 1);
  Fleet *fleet = make_fleet(spec, N, 5, 0);
  CelVecEnv *env = &fleet->env;
  int32_t *action = calloc(N, sizeof *action);
  int64_t starts[4] = {0}, kinds[5] = {0};
  assert_ok(cel_vecenv_reset(env));
  for (int64_t i = 0; i < N; i++) starts[(int)env->states[i]]++;
  expect_share("start in 0", starts[0], N, 0.6);
  expect_share("start in 1", starts[1], N, 0.3);
  expect_share("start in 3", starts[3], N, 0.1);
  assert_int_equal(starts[2], 0);
  for (int64_t i = 0; i < N; i++) env->states[i] = 0;
  assert_ok(cel_vecenv_step(env, action, 0, N));
  for (int64_t i = 0; i < N; i++) {
    static const int next[5] = {0, 1, 2, 2, 3}, over[5] = {0, 0, 1, 0, 1};
    const int kind = (int)env->reward[i] / 10 - 1;
    assert_true(env->reward[i] == (float)(10 * (kind + 1)));
    kinds[kind]++;
    assert_int_equal(env->terminated[i], over[kind]);
    expect_one_hot((const float *)(over[kind] ? env->final_obs : env->obs) + 4 * i, 4, next[kind]);
  }
  static const double p[5] = {0.1, 0.2, 0.3, 0.15, 0.25};
  for (int k = 0; k < 5; k++) expect_share("transition", kinds[k], N, p[k]);
  free(action);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
  cel_mdp_destroy(mdp);
}

static void starting_in_a_terminal_state_is_over_at_once(void **state) {
  (void)state;
  CelMdp *mdp = small();
  CelEnvSpec *spec = spec_of(mdp);
  Fleet *fleet = make_fleet(spec, 1, 5, 0);
  const int32_t action = 0;
  assert_ok(cel_vecenv_reset(&fleet->env));
  fleet->env.states[0] = 3;
  assert_ok(cel_vecenv_step(&fleet->env, &action, 0, 1));
  assert_true(fleet->env.terminated[0] == 1 && fleet->env.reward[0] == 0);
  expect_one_hot((const float *)fleet->env.final_obs, 4, 3);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
  cel_mdp_destroy(mdp);
}

/// J of the uniform policy over A actions, for T steps without discount.
static double exact_return(const CelMdp *mdp, int64_t A) {
  const int64_t T = mdp->horizon;
  double *pi = calloc((size_t)(T * mdp->pairs), sizeof *pi);
  double *V = calloc((size_t)((T + 1) * mdp->states), sizeof *V);
  double *Q = calloc((size_t)(T * mdp->pairs), sizeof *Q);
  for (int64_t i = 0; i < T * mdp->pairs; i++) pi[i] = 1.0 / (double)A;
  assert_ok(cel_mdp_evaluate_horizon(mdp, pi, 0.0, 1.0, T, V, Q));
  const double J = cel_value_start(mdp, V);
  free(pi);
  free(V);
  free(Q);
  return J;
}

/// Expects a mean return of 20,000 random episodes within 4.5 standard errors of the solver's J.
static void expect_return(const char *generator, const char *arguments) {
  enum { N = 200, EPISODES = 20000 };
  const CelMdp *mdp;
  CelEnvSpec *spec = generated(generator, arguments);
  assert_ok(cel_mdp_of_env(spec, &mdp));
  Fleet *fleet = make_fleet(spec, N, 21, 0);
  CelRng rng = cel_rng(22, CEL_RNG_USER, 0);
  const int64_t A = spec->action.part[0].n;
  int64_t begun = N, n = 0; // counts the first episodes that start; else long ones would be missing
  bool counts[N];
  double sum = 0.0, squares = 0.0;
  for (int e = 0; e < N; e++) counts[e] = true;
  assert_ok(cel_vecenv_reset(&fleet->env));
  while (n < EPISODES) {
    int32_t action[N];
    for (int e = 0; e < N; e++) action[e] = (int32_t)cel_rng_below(&rng, (uint64_t)A);
    assert_ok(cel_vecenv_step(&fleet->env, action, 0, N));
    for (int e = 0; e < N; e++) {
      if (!fleet->env.terminated[e] && !fleet->env.truncated[e]) continue;
      const double got = fleet->env.final_return[e];
      if (counts[e]) sum += got, squares += got * got, n++;
      counts[e] = begun++ < EPISODES;
    }
  }
  const double mean = sum / EPISODES, error = sqrt((squares / EPISODES - mean * mean) / EPISODES);
  const double J = exact_return(mdp, A);
  print_message("%s %s: %.5f +- %.5f, exactly %.5f\n", generator, arguments, mean, error, J);
  assert_true(error > 0 && fabs(mean - J) < 4.5 * error);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void returns_are_the_solvers(void **state) {
  (void)state;
  expect_return("frozenlake-4x4", "gamma=1 horizon=40 hole_reward=-0.5 frozen_reward=-0.01");
  expect_return("garnet", "gamma=1 horizon=15 states=20 terminal=0.2 reward_of=transition seed=3");
  expect_return("cliffwalking", "gamma=1 horizon=60");
}

/// The same streams give the same steps for any split of the batch.
static void steps_depend_on_seed_and_index_alone(void **state) {
  (void)state;
  enum { N = 16, T = 200 };
  CelEnvSpec *spec = generated("garnet", "states=30 actions=3 branching=5 terminal=0.1 seed=4");
  Fleet *whole = make_fleet(spec, N, 9, 0), *tail = make_fleet(spec, N - 5, 9, 5);
  Fleet *other = make_fleet(spec, N, 10, 0);
  assert_ok(cel_vecenv_reset(&whole->env));
  assert_ok(cel_vecenv_reset(&tail->env));
  assert_ok(cel_vecenv_reset(&other->env));
  int differ = 0;
  for (int t = 0; t < T; t++) {
    int32_t action[N];
    for (int i = 0; i < N; i++) action[i] = (t * 7 + i) % 3;
    assert_ok(cel_vecenv_step(&whole->env, action, 0, 3));
    assert_ok(cel_vecenv_step(&whole->env, action, 3, N));
    assert_ok(cel_vecenv_step(&tail->env, action + 5, 0, N - 5));
    assert_ok(cel_vecenv_step(&other->env, action, 0, N));
    assert_memory_equal(whole->env.states + 5, tail->env.states, (N - 5) * sizeof(double));
    assert_memory_equal(whole->env.reward + 5, tail->env.reward, (N - 5) * sizeof(float));
    differ += memcmp(whole->env.states, other->env.states, N * sizeof(double)) != 0;
  }
  assert_true(differ > T / 2);
  free_fleet(whole);
  free_fleet(tail);
  free_fleet(other);
  cel_env_spec_destroy(spec);
}

// ---- missing actions

static void numbered_and_missing_actions(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(4, 0);
  for (int64_t s = 0; s < 2; s++) { // state 0 has the actions 1 and 4, state 1 has the action 0
    assert_ok(cel_mdp_pair(b, s, s == 0 ? 1 : 0, 0));
    assert_ok(cel_mdp_transition(b, s == 0 ? 1 : 3, 1, 0, false));
    if (s == 1) break;
    assert_ok(cel_mdp_pair(b, s, 4, 0));
    assert_ok(cel_mdp_transition(b, 2, 1, 0, false));
  }
  assert_ok(cel_mdp_pair(b, 2, 0, 0));
  assert_ok(cel_mdp_transition(b, 2, 1, 0, false));
  CelMdp *mdp = built(b);
  CelEnvSpec *spec = spec_of(mdp);
  assert_int_equal(spec->action.part[0].n, 5);
  Fleet *fleet = make_fleet(spec, 1, 1, 0);
  assert_ok(cel_vecenv_reset(&fleet->env));
  static const struct {
    int32_t from, action, to;
  } cases[] = {{0, 1, 1}, {0, 4, 2}, {0, 0, 1}, {0, 2, 1}, {0, 3, 2}, {1, 4, 3}, {2, 3, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fleet->env.states[0] = cases[i].from;
    assert_ok(cel_vecenv_step(&fleet->env, &cases[i].action, 0, 1));
    const bool over = fleet->env.terminated[0];
    assert_int_equal(over, cases[i].to == 3);
    expect_one_hot((const float *)(over ? fleet->env.final_obs : fleet->env.obs), 4, cases[i].to);
  }
  const CelMdp *same = NULL;
  assert_ok(cel_mdp_of_env(spec, &same));
  assert_ptr_equal(same, mdp);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
  cel_mdp_destroy(mdp);
}

/// The problem from a file, where unavailable=refuse is possible.
static void missing_actions_can_be_refused(void **state) {
  (void)state;
  CelMdpBuilder *b = builder_of(2, 0);
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 1, 1, 0, false));
  assert_ok(cel_mdp_pair(b, 1, 0, 0));
  assert_ok(cel_mdp_transition(b, 1, 1, 0, false));
  assert_ok(cel_mdp_pair(b, 1, 1, 0));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  assert_ok(cel_mdp_start(b, 0, 1));
  CelMdp *mdp = built(b);
  char folder[] = "mdp-env-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/two.safetensors", folder);
  assert_ok(cel_mdp_save(mdp, path, CEL_MDP_AUTO));
  cel_mdp_destroy(mdp);
  CelEnvSpec *spec = NULL;
  const char *const settings[][2] = {{"file", path}, {"unavailable", "refuse"}};
  assert_ok(try_spec(&spec, settings, 2));
  remove(path);
  remove(folder);
  Fleet *fleet = make_fleet(spec, 1, 1, 0);
  const int32_t one = 1, zero = 0;
  assert_ok(cel_vecenv_reset(&fleet->env));
  assert_fails(cel_vecenv_step(&fleet->env, &one, 0, 1), CEL_E_RANGE, "state 0 has no action 1");
  assert_ok(cel_vecenv_step(&fleet->env, &zero, 0, 1));
  assert_ok(cel_vecenv_step(&fleet->env, &one, 0, 1));
  assert_true(fleet->env.states[0] == 0);
  for (int i = 0; i < 3; i++) { // states of a damaged checkpoint
    fleet->env.states[0] = i == 0 ? 2.0 : i == 1 ? -1.0 : (double)NAN;
    assert_fails(cel_vecenv_step(&fleet->env, &zero, 0, 1), CEL_E_ENV, "below 2");
  }
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

// ---- time limits

static int64_t limit_of(const CelMdp *mdp, int64_t chosen) {
  CelEnvOptions options;
  CelEnvSpec *spec = NULL;
  cel_fields_default(cel_env_option_fields(), &options);
  options.max_episode_steps = chosen;
  assert_ok(cel_mdp_env_spec(&spec, mdp, &options));
  const int64_t limit = spec->max_episode_steps;
  cel_env_spec_destroy(spec);
  return limit;
}

static void time_limits(void **state) {
  (void)state;
  CelMdp *endless = small();
  CelMdpBuilder *b = builder_of(1, 12);
  assert_ok(cel_mdp_pair(b, 0, 0, 0));
  assert_ok(cel_mdp_transition(b, 0, 1, 0, false));
  CelMdp *finite = built(b);
  assert_int_equal(limit_of(endless, -1), 0);
  assert_int_equal(limit_of(endless, 7), 7);
  assert_int_equal(limit_of(finite, -1), 12);
  assert_int_equal(limit_of(finite, 0), 0);
  assert_int_equal(limit_of(finite, 7), 7);
  cel_mdp_destroy(endless);
  cel_mdp_destroy(finite);
  static const struct {
    const char *generator, *arguments;
    int64_t limit;
  } cases[] = {{"cliffwalking", "", 200}, {"taxi", "horizon=30", 30}, {"frozenlake-4x4", "", 100}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CelEnvSpec *spec = generated(cases[i].generator, cases[i].arguments);
    assert_int_equal(spec->max_episode_steps, cases[i].limit);
    cel_env_spec_destroy(spec);
  }
}

// ---- arguments, pictures

static void bad_arguments_are_reported(void **state) {
  (void)state;
  CelEnvSpec *spec = NULL;
#define EXPECT_REFUSED(status, words, ...)                                                         \
  do {                                                                                             \
    const char *const settings[][2] = {__VA_ARGS__};                                               \
    assert_fails(try_spec(&spec, settings, sizeof settings / sizeof *settings), status, words);    \
  } while (0)
  EXPECT_REFUSED(CEL_E_NAME, "environment mdp|garnit|'garnet'", {"generator", "garnit"});
  EXPECT_REFUSED(CEL_E_NAME, "garnet|state|states", {"generator", "garnet"},
                 {"arguments", "state=5"});
  EXPECT_REFUSED(CEL_E_ARGUMENT, "'states'|key=value", {"generator", "garnet"},
                 {"arguments", "states 5"});
  EXPECT_REFUSED(CEL_E_RANGE, "states", {"generator", "garnet"}, {"arguments", "states=0"});
  EXPECT_REFUSED(CEL_E_IO, "nowhere.safetensors", {"file", "nowhere.safetensors"});
  EXPECT_REFUSED(CEL_E_ARGUMENT, "only generators take arguments", {"file", "x"},
                 {"arguments", "states=5"});
#undef EXPECT_REFUSED
  assert_null(spec);
  CelEnvSpec *pole = make_spec("CartPole-v1", "");
  const CelMdp *mdp = NULL;
  assert_fails(cel_mdp_of_env(pole, &mdp), CEL_E_UNSUPPORTED, "CartPole-v1");
  cel_env_spec_destroy(pole);
  const CelEnvType *type;
  assert_ok(cel_env_find("mdp", &type));
  assert_ok(cel_fields_check_table(type->fields));
}

static void learners_find_a_default(void **state) {
  (void)state;
  CelEnvSpec *spec = NULL;
  assert_ok(cel_env_spec_create(&spec, "mdp", NULL, NULL));
  assert_int_equal(cel_space_floats(&spec->observation), 64);
  assert_int_equal(spec->action.part[0].n, 4);
  assert_int_equal(spec->max_episode_steps, 200);
  cel_env_spec_destroy(spec);
}

/// Built-in ids have Gymnasium's sizes and time limits and accept the generator's arguments, but no
/// other problem.
static void named_problems(void **state) {
  (void)state;
  static const struct {
    const char *id, *name;
    int64_t states, actions, limit;
  } all[] = {{"FrozenLake-v1", "frozenlake-4x4", 16, 4, 100},
             {"FrozenLake8x8-v1", "frozenlake-8x8", 64, 4, 200},
             {"Taxi-v3", "taxi", 500, 6, 200},
             {"CliffWalking-v1", "cliffwalking", 48, 4, 200},
             {"Garnet-v0", "garnet", 100, 4, 1000}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    CelEnvSpec *spec = make_spec(all[i].id, "");
    const CelMdp *mdp;
    assert_ok(cel_mdp_of_env(spec, &mdp));
    assert_string_equal(mdp->name, all[i].name);
    assert_int_equal(cel_space_floats(&spec->observation), all[i].states);
    assert_int_equal(spec->action.part[0].n, all[i].actions);
    assert_int_equal(spec->max_episode_steps, all[i].limit);
    assert_int_equal(spec->type->max_episode_steps, all[i].limit);
    assert_ok(cel_fields_check_table(spec->type->fields));
    assert_null(cel_fields_find(spec->type->fields, "generator"));
    cel_env_spec_destroy(spec);
  }
  CelEnvSpec *spec = make_spec("Garnet-v0", "arguments=states=7");
  assert_int_equal(cel_space_floats(&spec->observation), 7);
  cel_env_spec_destroy(spec);
  spec = make_spec("FrozenLake-v1", "arguments=slippery=false");
  const CelMdp *mdp;
  assert_ok(cel_mdp_of_env(spec, &mdp));
  assert_int_equal(mdp->transitions, mdp->pairs);
  cel_env_spec_destroy(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_are_gymnasiums),
      cmocka_unit_test(frequencies_are_the_probabilities),
      cmocka_unit_test(returns_are_the_solvers),
      cmocka_unit_test(starting_in_a_terminal_state_is_over_at_once),
      cmocka_unit_test(steps_depend_on_seed_and_index_alone),
      cmocka_unit_test(numbered_and_missing_actions),
      cmocka_unit_test(missing_actions_can_be_refused),
      cmocka_unit_test(time_limits),
      cmocka_unit_test(bad_arguments_are_reported),
      cmocka_unit_test(learners_find_a_default),
      cmocka_unit_test(named_problems),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
