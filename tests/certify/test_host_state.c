/// Independence of the host program's floating-point state. Learners, solvers, policies and text
/// give the same bits under each state of host_state.h and restore it. No learner stores a
/// subnormal number.
#include "celsius/celsius.h"
#include "support/host_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
  const char *algo, *env;
} LEARNERS[] = {{"sac", "Pendulum-v1"},       {"sacv", "Pendulum-v1"}, {"sqlc", "Pendulum-v1"},
                {"dsac", "FrozenLake-v1"},    {"sql", "CartPole-v1"},  {"ac", "Pendulum-v1"},
                {"reinforce", "CartPole-v1"}, {"a2c", "CartPole-v1"},  {"ppo", "Pendulum-v1"},
                {"trpo", "Pendulum-v1"},      {"td3", "Pendulum-v1"},  {"dqn", "FrozenLake-v1"}};
enum { N_LEARNERS = 12 };

typedef struct Learner {
  CelSetup *setup;
  CelEnvSpec *spec;
  CelTensors *tensors;
  CelVecEnv env;
  CelAgent *agent;
  const HostState *late; ///< set by the hook after the first update
} Learner;

static void set(CelSetup *setup, const char *name, const char *value) {
  if (cel_setup_find(setup, name)) assert_int_equal(cel_setup_set(setup, name, value), CEL_OK);
}

static void open_learner(Learner *l, int i, int threads) {
  CelAgentOptions options = cel_agent_options_default();
  memset(l, 0, sizeof *l);
  options.threads = threads, options.seed = 7, options.n_envs = 2;
  assert_int_equal(cel_setup_create(&l->setup, LEARNERS[i].algo, LEARNERS[i].env), CEL_OK);
  set(l->setup, "net_arch", "16,16");
  set(l->setup, "buffer_size", "500");
  set(l->setup, "batch_size", "16");
  set(l->setup, "learning_starts", "30");
  if (strcmp(LEARNERS[i].algo, "a2c") != 0) set(l->setup, "n_steps", "32");
  assert_int_equal(cel_setup_env(l->setup, &l->spec), CEL_OK);
  assert_int_equal(cel_tensors_create(&l->tensors), CEL_OK);
  assert_int_equal(cel_vecenv_declare(&l->env, l->tensors, "env", l->spec, 2, 7, CEL_RNG_ENV, 0),
                   CEL_OK);
  assert_int_equal(cel_tensors_allocate(l->tensors), CEL_OK);
  assert_int_equal(cel_vecenv_reset(&l->env), CEL_OK);
  assert_int_equal(cel_agent_create(&l->agent, LEARNERS[i].algo, l->setup->algo_config,
                                    &l->spec->observation, &l->spec->action, &options),
                   CEL_OK);
}

static void close_learner(Learner *l) {
  cel_agent_destroy(l->agent);
  cel_tensors_destroy(l->tensors);
  cel_env_spec_destroy(l->spec);
  cel_setup_destroy(l->setup);
}

static CelStatus on_update(void *user, CelAgent *agent) {
  const Learner *l = user;
  (void)agent;
  if (l->late) host_set(l->late);
  return CEL_OK;
}

/// Runs a learner under one state, and under another one after its first update.
static void digest_learner(int i, int threads, const HostState *early, const HostState *late,
                           uint64_t digest[2]) {
  Learner l;
  host_set(early);
  const HostWords before = host_words();
  open_learner(&l, i, threads);
  const CelRunHooks hooks = {.user = &l, .updated = on_update};
  CelStatus status = cel_learn(l.agent, &l.env, 200, NULL);
  l.late = late;
  if (status == CEL_OK) status = cel_learn(l.agent, &l.env, 200, &hooks);
  const bool same = host_same(before, host_words());
  host_set(&HOST_STATES[0]);
  assert_int_equal(status, CEL_OK);
  assert_true(same);
  cel_tensors_digest(cel_agent_tensors(l.agent), CEL_ROLES_RESUME, digest);
  close_learner(&l);
}

static void test_learners(void **state) {
  (void)state;
  for (int i = 0; i < N_LEARNERS; i++) {
    uint64_t expected[2], digest[2];
    digest_learner(i, 1, &HOST_STATES[0], NULL, expected);
    for (int s = 0; s < N_HOST_STATES; s++)
      for (int threads = 1; threads <= 2; threads++)
        for (int late = 0; late < 2; late++) {
          if (s != 3 && late != threads - 1) continue; // "both" in all four combinations
          digest_learner(i, threads, &HOST_STATES[late ? 0 : s], late ? &HOST_STATES[s] : NULL,
                         digest);
          if (memcmp(digest, expected, sizeof digest) != 0)
            fail_msg("%s, %d threads, state \"%s\" set %s: other bits", LEARNERS[i].algo, threads,
                     HOST_STATES[s].name, late ? "after the first update" : "at the start");
        }
  }
}

// ---- subnormal numbers in a state

static int64_t count_subnormal(const CelTensors *tensors, const char **where) {
  int64_t found = 0;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (!((1u << t->role) & CEL_ROLES_RESUME)) continue;
    for (int64_t k = 0; k < t->size; k++) {
      uint32_t x = 0;
      uint64_t y = 0;
      if (t->type == CEL_F32) memcpy(&x, (const char *)t->data + k * 4, 4);
      if (t->type == CEL_F64) memcpy(&y, (const char *)t->data + k * 8, 8);
      if (((x & 0x7f800000u) == 0 && (x & 0x007fffffu)) ||
          ((y & 0x7ff0000000000000u) == 0 && (y & 0x000fffffffffffffu)))
        found++, *where = t->name;
    }
  }
  return found;
}

/// Trains long enough for the moments of dead units to decay, with a host that does not flush.
static void test_no_subnormal(void **state) {
  (void)state;
  for (int i = 0; i < N_LEARNERS; i++) {
    Learner l;
    const char *where = "";
    open_learner(&l, i, 1);
    assert_int_equal(cel_learn(l.agent, &l.env, 300, NULL), CEL_OK);
    CelTensors *tensors = cel_agent_tensors(l.agent);
    for (int64_t k = 0; k < cel_tensors_count(tensors); k++) { // tiny moments, as of a dead unit
      const CelTensor *t = cel_tensors_at(tensors, k);
      float *x = t->data;
      if (t->role == CEL_MOMENT1 || t->role == CEL_MOMENT2)
        for (int64_t e = 0; e < t->size; e++) x[e] = 0x1p-120f * (float)(1 + e % 7);
      if (t->role == CEL_PARAM && t->ndim == 2) memset(x, 0, (size_t)t->size * sizeof *x);
    }
    assert_int_equal(cel_agent_sync(l.agent), CEL_OK);
    for (int part = 0; part < 4; part++) {
      assert_int_equal(cel_learn(l.agent, &l.env, 300, NULL), CEL_OK);
      const int64_t found = count_subnormal(tensors, &where);
      if (found)
        fail_msg("%s: %lld subnormal numbers, in %s", LEARNERS[i].algo, (long long)found, where);
    }
    close_learner(&l);
  }
}

// ---- what computes in double, text, policies

static void add(uint64_t *hash, const void *data, size_t size) {
  const unsigned char *byte = data;
  for (size_t i = 0; i < size; i++) *hash = (*hash ^ byte[i]) * 0x100000001b3u;
}

static void hash_text(uint64_t *hash) {
  char text[CEL_TEXT_MAX];
  CelSacConfig sac = cel_sac_config_default();
  assert_int_equal(cel_fields_set(cel_sac_fields(), &sac, "gamma", "0.1000000000000000055511"), 0);
  add(hash, &sac.common.gamma, sizeof sac.common.gamma);
  assert_int_equal(cel_fields_set(cel_sac_fields(), &sac, "learning_rate", "3.3333333333333e-7"),
                   0);
  add(hash, text,
      (size_t)cel_fields_get(cel_sac_fields(), &sac, "learning_rate", text, sizeof text));
  (void)cel_fail(CEL_E_RANGE, "%.3g %.17g", 0.00123450000001, sac.common.tau);
  add(hash, cel_error(), strlen(cel_error()));
}

static void hash_random(uint64_t *hash) {
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  CelSpace space = cel_space_box(3, -0.1, 0.7);
  add(hash, &space.part[0].low, 3 * sizeof(float));
  add(hash, &space.part[0].high, 3 * sizeof(float));
  for (int i = 0; i < 100; i++) {
    const double x[] = {cel_rng_uniform(&rng), cel_rng_range(&rng, -0.1, 0.3),
                        cel_rng_normal(&rng)};
    const CelSchedule schedule = {.kind = CEL_LINEAR, .value = 0.1};
    const double y = cel_schedule_at(&schedule, x[0]);
    float sample[3];
    cel_space_sample(&space, sample, 1, &rng);
    add(hash, x, sizeof x);
    add(hash, &y, sizeof y);
    add(hash, sample, sizeof sample);
  }
}

static void hash_solved(uint64_t *hash) {
  CelMdp *mdp;
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution;
  assert_int_equal(cel_mdp_generate(&mdp, "garnet", NULL), CEL_OK);
  config.alpha = 0.1;
  for (int threads = 1; threads <= 2; threads++) {
    config.threads = threads;
    assert_int_equal(cel_solve(mdp, &config, &solution), CEL_OK);
    add(hash, solution->V, (size_t)mdp->states * sizeof(double));
    add(hash, &solution->bound, sizeof solution->bound);
    cel_solution_destroy(solution);
  }
  cel_mdp_destroy(mdp);
}

static void hash_policy(uint64_t *hash, const char *path) {
  CelPolicy *policy;
  CelRng rng = cel_rng(2, CEL_RNG_USER, 0);
  assert_int_equal(cel_policy_load(path, &policy), CEL_OK);
  for (int i = 0; i < 50; i++) {
    float action[2];
    const float obs[3] = {0.125f * (float)i, i % 2 ? 1e-40f : 0.7f,
                          -0.3f}; // exact under every state
    assert_int_equal(cel_policy_act(policy, obs, &action[0]), CEL_OK);
    assert_int_equal(cel_policy_sample(policy, obs, &rng, &action[1]), CEL_OK);
    add(hash, action, sizeof action);
  }
  cel_policy_destroy(policy);
}

static void test_all_else(void **state) {
  (void)state;
  char path[] = "/tmp/celsius_host_state_XXXXXX";
  Learner l;
  uint64_t expected = 0;
  const int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  open_learner(&l, 0, 1);
  assert_int_equal(cel_learn(l.agent, &l.env, 200, NULL), CEL_OK);
  assert_int_equal(cel_agent_save_model(l.agent, path), CEL_OK);
  close_learner(&l);
  for (int s = 0; s < N_HOST_STATES; s++) {
    uint64_t hash = 0xcbf29ce484222325u;
    host_set(&HOST_STATES[s]);
    const HostWords before = host_words();
    hash_text(&hash);
    hash_random(&hash);
    hash_solved(&hash);
    hash_policy(&hash, path);
    const bool same = host_same(before, host_words());
    host_set(&HOST_STATES[0]);
    assert_true(same);
    if (s == 0) expected = hash;
    if (hash != expected) fail_msg("other bits in state \"%s\"", HOST_STATES[s].name);
  }
  remove(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_learners),
      cmocka_unit_test(test_no_subnormal),
      cmocka_unit_test(test_all_else),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
