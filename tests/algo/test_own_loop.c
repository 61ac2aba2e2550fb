/// What a loop of one's own needs besides act, observe and update: other actions, a new count of
/// steps, an update that a function ends early, a checkpoint without transitions.
#include "celsius/agent.h"
#include "celsius/ppo.h"
#include "celsius/sac.h"
#include "celsius/safetensors.h"
#include "celsius/sql.h"
#include "celsius/trpo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 2 };
static const float obs[N][3] = {{0.1f, 0.2f, 0.3f}, {0.4f, 0.5f, 0.6f}};
static const float reward[N] = {1, 2};
static const uint8_t none[N] = {0, 0};
static const CelOutcome outcome = {reward, none, none, obs, obs};

static CelAgent *make(const char *algo, const void *config, bool discrete) {
  const CelSpace observation = cel_space_box(3, -1, 1),
                 action = discrete ? cel_space_discrete(4) : cel_space_box(2, -2, 6);
  CelAgentOptions options = cel_agent_options_default();
  CelAgent *agent;
  options.n_envs = N, options.seed = 3;
  if (cel_agent_create(&agent, algo, config, &observation, &action, &options) != CEL_OK)
    fail_msg("%s", cel_error());
  return agent;
}

static CelSacConfig small_sac(void) {
  CelSacConfig config = cel_sac_config_default();
  config.common.net_arch = (CelIntList){.n = 1, .v = {4}};
  config.common.batch_size = 4, config.common.buffer_size = 100;
  config.common.learning_starts = 4;
  return config;
}

static void step(CelAgent *agent, void *actions) {
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
}

static const void *data(CelAgent *agent, const char *name) {
  const CelTensor *tensor = cel_tensors_find(cel_agent_tensors(agent), name);
  assert_non_null(tensor);
  return tensor->data;
}

/// The buffer holds the replaced actions, scaled to [-1, 1].
static void box_actions_are_replaced(void **state) {
  (void)state;
  const CelSacConfig config = small_sac();
  CelAgent *agent = make("sac", &config, false);
  float chosen[N * 2];
  const float mine[N * 2] = {-2, 6, 2, 4}, bad[N * 2] = {0, NAN, 0, 0};
  assert_int_equal(cel_agent_replace_actions(agent, mine), CEL_E_STATE);
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, chosen), CEL_OK);
  assert_int_equal(cel_agent_replace_actions(agent, bad), CEL_E_NAN);
  assert_int_equal(cel_agent_replace_actions(agent, mine), CEL_OK);
  const float *stored = data(agent, "last_action");
  const float want[N * 2] = {-1, 1, 0, 0.5f};
  for (int i = 0; i < N * 2; i++) assert_float_equal(stored[i], want[i], 1e-7f);
  assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  cel_agent_destroy(agent);
}

static void discrete_actions_are_replaced(void **state) {
  (void)state;
  CelAgent *agent = make("sql", NULL, true);
  int32_t chosen[N];
  const int32_t mine[N] = {3, 0}, bad[N] = {0, 4};
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, chosen), CEL_OK);
  assert_int_equal(cel_agent_replace_actions(agent, bad), CEL_E_RANGE);
  assert_int_equal(cel_agent_replace_actions(agent, mine), CEL_OK);
  assert_memory_equal(data(agent, "last_action"), mine, sizeof mine);
  cel_agent_destroy(agent);
}

static void on_policy_learners_refuse_other_actions(void **state) {
  (void)state;
  CelAgent *agent = make("ppo", NULL, true);
  int32_t chosen[N];
  assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, chosen), CEL_OK);
  assert_int_equal(cel_agent_replace_actions(agent, chosen), CEL_E_UNSUPPORTED);
  cel_agent_destroy(agent);
}

/// Random actions and the wait for learning_starts come again; stored transitions stay.
static void restart_counts_from_zero(void **state) {
  (void)state;
  const CelSacConfig config = small_sac();
  CelAgent *agent = make("sac", &config, false);
  float chosen[N * 2];
  for (int i = 0; i < 3; i++) step(agent, chosen);
  assert_int_equal(cel_agent_update(agent), CEL_OK);
  assert_int_equal(cel_agent_updates(agent), 1);
  const int64_t stored = *(const int64_t *)data(agent, "replay.transitions");
  assert_int_equal(cel_agent_restart(agent), CEL_OK);
  assert_int_equal(cel_agent_steps(agent), 0);
  assert_int_equal(*(const int64_t *)data(agent, "replay.transitions"), stored);
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  for (int i = 0; i < 2; i++) step(agent, chosen);
  assert_int_equal(cel_agent_update(agent), CEL_OK);
  assert_int_equal(cel_agent_updates(agent), 1); // 4 steps are not above learning_starts
  step(agent, chosen);
  assert_int_equal(cel_agent_update(agent), CEL_OK);
  assert_int_equal(cel_agent_updates(agent), 2);
  cel_agent_destroy(agent);
}

static void restart_drops_a_rollout(void **state) {
  (void)state;
  CelPpoConfig config = cel_ppo_config_default();
  config.common.n_steps = 3, config.batch_size = 3;
  CelAgent *agent = make("ppo", &config, true);
  int32_t chosen[N];
  for (int i = 0; i < 2; i++) step(agent, chosen);
  assert_int_equal(cel_agent_restart(agent), CEL_OK);
  for (int i = 0; i < 2; i++) step(agent, chosen);
  assert_int_equal(cel_agent_update(agent), CEL_OK);
  assert_int_equal(cel_agent_updates(agent), 0);
  step(agent, chosen);
  assert_int_equal(cel_agent_update(agent), CEL_OK);
  assert_true(cel_agent_updates(agent) > 0);
  cel_agent_destroy(agent);
}

static bool count_and_stop(void *user) {
  ++*(int *)user;
  return true;
}

/// A stopped update leaves the state before it, and stays due.
static void a_stopped_update_changes_nothing(void **state) {
  (void)state;
  CelTrpoConfig config = cel_trpo_config_default();
  config.common.n_steps = 512, config.n_critic_updates = 1000000;
  config.common.net_arch = (CelIntList){.n = 2, .v = {64, 64}};
  CelAgent *agent = make("trpo", &config, false);
  float chosen[N * 2];
  uint64_t before[2], after[2];
  int asked = 0;
  for (int i = 0; i < 512; i++) step(agent, chosen);
  cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, before);
  assert_int_equal(cel_agent_update_watched(agent, count_and_stop, &asked), CEL_E_INTERRUPTED);
  cel_tensors_digest(cel_agent_tensors(agent), CEL_ROLES_RESUME, after);
  assert_int_equal(asked, 1);
  assert_memory_equal(before, after, sizeof before);
  assert_int_equal(cel_agent_updates(agent), 0);
  assert_int_equal(cel_agent_update_watched(agent, count_and_stop, &asked), CEL_E_INTERRUPTED);
  cel_agent_destroy(agent);
}

/// The file has the note, a policy, and every tensor of a checkpoint.
static void a_checkpoint_without_transitions(void **state) {
  (void)state;
  const CelSacConfig config = small_sac();
  CelAgent *agent = make("sac", &config, false);
  char path[] = "/tmp/celsius-own-loop-XXXXXX";
  float chosen[N * 2];
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (int i = 0; i < 5; i++) {
    step(agent, chosen);
    assert_int_equal(cel_agent_update(agent), CEL_OK);
  }
  assert_int_equal(cel_agent_save_alone(agent, path, "{\"mine\": 1}"), CEL_OK);
  CelSafetensors *file;
  assert_int_equal(cel_safetensors_open(path, &file), CEL_OK);
  assert_string_equal(cel_safetensors_meta(file, "note"), "{\"mine\": 1}");
  assert_non_null(cel_safetensors_find(file, "adam.m.critic.0.weight"));
  assert_null(cel_safetensors_find(file, "replay.rows"));
  assert_non_null(cel_safetensors_meta(file, "policy")); // so that cel_policy_load reads it
  cel_safetensors_close(file);
  unlink(path);
  cel_agent_destroy(agent);
}

/// What is read and added to another agent is the same: the same batches, the same learning.
static void transitions_go_to_another_agent(void **state) {
  (void)state;
  enum { STEPS = 12 };
  CelSacConfig config = small_sac();
  config.common.learning_starts = 0;
  CelAgent *a = make("sac", &config, false), *b = make("sac", &config, false);
  float seen[N][3] = {{0.1f}, {0.2f}}, final[N][3] = {{9}, {8}}, chosen[N * 2];
  for (int t = 0; t < STEPS; t++) {
    const uint8_t ended[N] = {t % 5 == 4, t == 6};
    assert_int_equal(cel_agent_act(a, seen, NULL, CEL_EXPLORE, chosen), CEL_OK);
    for (int i = 0; i < N; i++) seen[i][0] += 0.5f, final[i][1] = (float)t;
    const CelOutcome step = {reward, t % 2 ? ended : none, t % 2 ? none : ended, seen, final};
    assert_int_equal(cel_agent_observe(a, &step), CEL_OK);
  }
  static float o[2][STEPS * N * 3], next[2][STEPS * N * 3], act[2][STEPS * N * 2], r[2][STEPS * N];
  static uint8_t terminated[2][STEPS * N], truncated[2][STEPS * N];
  assert_int_equal(cel_agent_stored(a), STEPS);
  assert_int_equal(cel_agent_stored(b), 0);
  CelAgent *const agents[] = {a, b};
  for (int k = 0; k < 2; k++) {
    const CelTransitions all = {o[k], next[k], act[k], r[k], terminated[k], truncated[k]};
    assert_int_equal(cel_agent_read_transitions(agents[k], &all, STEPS), CEL_OK);
    if (k == 0) assert_int_equal(cel_agent_add_transitions(b, &all, STEPS), CEL_OK);
  }
  assert_memory_equal(o[0], o[1], sizeof o[0]);
  assert_memory_equal(next[0], next[1], sizeof next[0]);
  assert_memory_equal(act[0], act[1], sizeof act[0]);
  assert_memory_equal(r[0], r[1], sizeof r[0]);
  assert_memory_equal(terminated[0], terminated[1], sizeof terminated[0]);
  assert_memory_equal(truncated[0], truncated[1], sizeof truncated[0]);
  assert_int_equal(terminated[0][9 * N], 1);
  assert_int_equal(truncated[0][4 * N], 1);
  assert_float_equal(next[0][(4 * N) * 3 + 1], 4, 0); // the final observation
  assert_int_equal(cel_agent_update_n(a, 3), CEL_OK);
  assert_int_equal(cel_agent_update_n(b, 3), CEL_OK);
  uint64_t digest[2][2];
  for (int k = 0; k < 2; k++)
    cel_tensors_digest(cel_agent_tensors(agents[k]), CEL_ROLES_MODEL, digest[k]);
  assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
  cel_agent_destroy(a);
  cel_agent_destroy(b);
}

static void bad_transitions_are_refused(void **state) {
  (void)state;
  const CelSacConfig config = small_sac();
  CelAgent *agent = make("sac", &config, false), *choices = make("sql", NULL, true),
           *ppo = make("ppo", NULL, true);
  float o[N * 3] = {0}, r[N] = {0, NAN}, a[N * 2] = {0};
  uint8_t ends[N] = {0};
  int32_t choice[N] = {0, 4};
  const CelTransitions bad = {o, o, a, r, ends, ends};
  assert_int_equal(cel_agent_add_transitions(agent, &bad, 1), CEL_E_NAN);
  assert_int_equal(cel_agent_stored(agent), 0);
  assert_int_equal(cel_agent_add_transitions(ppo, &bad, 1), CEL_E_UNSUPPORTED);
  assert_int_equal(cel_agent_read_transitions(agent, &bad, 1), CEL_E_RANGE);
  r[1] = 0;
  const CelTransitions outside = {o, o, choice, r, ends, ends};
  assert_int_equal(cel_agent_add_transitions(choices, &outside, 1), CEL_E_RANGE);
  assert_int_equal(cel_agent_add_transitions(agent, &(CelTransitions){0}, 1), CEL_E_ARGUMENT);
  cel_agent_destroy(agent);
  cel_agent_destroy(choices);
  cel_agent_destroy(ppo);
}

/// With use_sde_at_warmup the first actions come from the policy: they follow the seed's matrix,
/// and a second agent without the field draws others.
static void gsde_can_replace_random_actions(void **state) {
  (void)state;
  float chosen[2][N * 2];
  for (int k = 0; k < 2; k++) {
    CelSacConfig config = small_sac();
    config.noise = CEL_NOISE_GSDE, config.log_std_init = -20, config.use_sde_at_warmup = k == 1;
    CelAgent *agent = make("sac", &config, false);
    float mode[N * 2];
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, chosen[k]), CEL_OK);
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_MODE, mode), CEL_OK);
    double far = 0;
    for (int i = 0; i < N * 2; i++) far = fmax(far, fabs((double)(chosen[k][i] - mode[i])));
    assert_true(k == 1 ? far < 1e-4 : far > 0.05); // the noise is tiny
    cel_agent_destroy(agent);
  }
}

static int64_t width(CelAgent *agent, const char *name) {
  const CelTensor *tensor = cel_tensors_find(cel_agent_tensors(agent), name);
  assert_non_null(tensor);
  return tensor->shape[tensor->ndim - 1];
}

/// critic_arch sets the widths of the values only, and the agent learns with them.
static void critics_have_their_own_widths(void **state) {
  (void)state;
  CelSacConfig sac = small_sac();
  CelPpoConfig ppo = cel_ppo_config_default();
  sac.common.critic_arch = ppo.common.critic_arch = (CelIntList){.n = 2, .v = {7, 5}};
  ppo.common.net_arch = (CelIntList){.n = 1, .v = {4}};
  ppo.common.n_steps = 8, ppo.batch_size = 8;
  CelAgent *agents[] = {make("sac", &sac, false), make("ppo", &ppo, false)};
  for (int k = 0; k < 2; k++) {
    float chosen[N * 2];
    assert_int_equal(width(agents[k], "actor.0.bias"), 4);
    assert_int_equal(width(agents[k], "critic.0.bias"), 7);
    assert_int_equal(width(agents[k], "critic.1.bias"), 5);
    for (int i = 0; i < 8; i++) step(agents[k], chosen);
    assert_int_equal(cel_agent_update(agents[k]), CEL_OK);
    assert_true(cel_agent_updates(agents[k]) > 0);
    cel_agent_destroy(agents[k]);
  }
  char text[16];
  assert_int_equal(cel_fields_set(cel_sac_fields(), &sac, "critic_arch", "auto"), CEL_OK);
  assert_int_equal(sac.common.critic_arch.n, -1);
  assert_int_equal(cel_fields_get(cel_sac_fields(), &sac, "critic_arch", text, sizeof text), 4);
  assert_string_equal(text, "auto");
  assert_int_equal(cel_fields_set(cel_sac_fields(), &sac, "net_arch", "auto"), CEL_E_TYPE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(box_actions_are_replaced),
      cmocka_unit_test(discrete_actions_are_replaced),
      cmocka_unit_test(on_policy_learners_refuse_other_actions),
      cmocka_unit_test(restart_counts_from_zero),
      cmocka_unit_test(restart_drops_a_rollout),
      cmocka_unit_test(a_stopped_update_changes_nothing),
      cmocka_unit_test(a_checkpoint_without_transitions),
      cmocka_unit_test(transitions_go_to_another_agent),
      cmocka_unit_test(bad_transitions_are_refused),
      cmocka_unit_test(gsde_can_replace_random_actions),
      cmocka_unit_test(critics_have_their_own_widths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
