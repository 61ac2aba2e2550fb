/// Every field of every learner has an effect: another value changes the learner's behavior. A
/// field without a row here fails. Each row names the test that checks the meaning of the field,
/// and that test must mention the field.
#include "learner_test.h"

#define SOFT "sac sacv dsac sql sqlc"
#define OFF SOFT " td3 dqn"
#define ON "ppo a2c ac reinforce trpo"

typedef const char *Settings[4][2];

typedef struct Row {
  const char *algos; ///< separated by blanks
  const char *field, *value;
  Settings with;       ///< of both runs, with and without the value
  const char *defined; ///< relative to tests/: the test of the field's meaning
} Row;

static const Row rows[] = {
    // Fields of all off-policy learners.
    {OFF, "learning_rate", "0.02", {{0}}, "algo/test_sequence.c"},
    {OFF, "buffer_size", "40", {{0}}, "algo/test_fields.c"},
    {OFF, "learning_starts", "60", {{0}}, "algo/test_sac.c"},
    {OFF, "batch_size", "15", {{0}}, "algo/test_sac_edges.c"},
    {OFF, "tau", "0.2", {{0}}, "algo/test_sequence.c"},
    {OFF, "gamma", "0.8", {{0}}, "algo/test_sac.c"},
    {OFF, "train_freq", "3", {{0}}, "algo/test_sac.c"},
    {OFF, "gradient_steps", "2", {{0}}, "algo/test_sac.c"},
    {SOFT " td3", "target_update_interval", "3", {{0}}, "algo/test_sequence.c"},
    {"dqn", "target_update_interval", "6", {{0}}, "algo/test_dqn.c"},
    {OFF, "net_arch", "6", {{0}}, "algo/test_sac.c"},
    {OFF, "critic_arch", "7", {{0}}, "algo/test_own_loop.c"},
    {OFF, "activation", "tanh", {{0}}, "algo/test_sac.c"},
    {OFF, "layer_norm", "true", {{0}}, "algo/test_sac.c"},
    {OFF, "init", "orthogonal", {{0}}, "nn/test_init.c"},
    {OFF, "normalize_observation", "true", {{0}}, "algo/test_dsac.c"},
    {OFF, "normalize_reward", "true", {{0}}, "algo/test_fields.c"},
    {OFF, "clip_observation", "0.5", {{"normalize_observation", "true"}}, "algo/test_fields.c"},
    {OFF, "clip_reward", "0.3", {{"normalize_reward", "true"}}, "algo/test_fields.c"},
    {OFF, "adam_beta1", "0.8", {{0}}, "algo/test_sequence.c"},
    {OFF, "adam_beta2", "0.9", {{0}}, "algo/test_sequence.c"},
    {OFF, "adam_epsilon", "1e-3", {{0}}, "algo/test_sequence.c"},
    {OFF, "weight_decay", "0.1", {{0}}, "algo/test_sequence.c"},
    {OFF, "max_grad_norm", "0.1", {{0}}, "algo/test_sequence.c"},
    // Temperatures, critics, policies.
    {SOFT, "ent_coef", "0.2", {{0}}, "algo/test_sac.c"},
    {"sac sacv dsac", "ent_coef_init", "0.3", {{0}}, "algo/test_sac.c"},
    {"sac sacv", "target_entropy", "-1", {{0}}, "algo/test_fields.c"},
    {"dsac", "target_entropy", "0.2", {{0}}, "algo/test_fields.c"},
    {"dsac", "target_entropy_factor", "0.8", {{0}}, "algo/test_fields.c"},
    {"dsac", "critic_ent_coef", "0", {{0}}, "algo/test_dsac.c"},
    {"sac sacv dsac td3", "n_critics", "3", {{0}}, "algo/test_sac.c"},
    {"sac sacv dsac td3", "critic_reduce", "mean", {{0}}, "algo/test_sac.c"},
    {"sac", "critic", "quantile", {{0}}, "algo/test_sac.c"},
    {"sac", "n_quantiles", "5", {{"critic", "quantile"}}, "algo/test_sac.c"},
    {"sac", "top_quantiles_to_drop_per_net", "1", {{"critic", "quantile"}}, "algo/test_critic.c"},
    {"sac dsac td3 dqn", "n_steps", "3", {{0}}, "algo/test_sac.c"},
    {"sac sacv", "policy", "gaussian", {{0}}, "algo/test_sac.c"},
    {"sac sacv", "log_std_min", "-0.1", {{0}}, "nn/test_dist.c"},
    {"sac sacv", "log_std_max", "-0.1", {{0}}, "nn/test_dist.c"},
    // Exploration of sac.
    {"sac", "noise", "normal", {{0}}, "algo/test_sac.c"},
    {"sac td3", "noise_sigma", "0.5", {{"noise", "normal"}}, "algo/test_sac.c"},
    {"sac td3", "noise_theta", "3", {{"noise", "ou"}}, "algo/test_fields.c"},
    {"sac td3", "noise_dt", "0.1", {{"noise", "ou"}}, "algo/test_fields.c"},
    {"sac", "use_sde", "true", {{0}}, "algo/test_sac.c"},
    {"sac", "log_std_init", "-1", {{"use_sde", "true"}}, "algo/test_sac.c"},
    {"sac", "sde_sample_freq", "3", {{"use_sde", "true"}}, "algo/test_fields.c"},
    {"sac", "use_sde_at_warmup", "true", {{"use_sde", "true"}}, "algo/test_own_loop.c"},
    {"sac", "use_expln", "true", {{"use_sde", "true"}, {"log_std_init", "1"}}, "algo/test_sac.c"},
    {"sac", "clip_mean", "0.01", {{"use_sde", "true"}}, "algo/test_sac.c"},
    // Networks of sac.
    {"sac", "target", "none", {{0}}, "algo/test_sac_networks.c"},
    {"sac", "norm", "batch", {{"target", "none"}}, "algo/test_sac_networks.c"},
    {"sac", "norm_networks", "critics", {{"norm", "rms"}}, "algo/test_sac_networks.c"},
    {"sac", "norm_place", "after", {{"norm", "rms"}}, "algo/test_sac_networks.c"},
    {"sac", "norm_input", "true", {{"norm", "rms"}}, "algo/test_sac_networks.c"},
    {"sac",
     "norm_momentum",
     "0.5",
     {{"target", "none"}, {"norm", "batch"}},
     "algo/test_sac_networks.c"},
    {"sac",
     "norm_warmup",
     "1",
     {{"target", "none"}, {"norm", "batch_renorm"}},
     "algo/test_sac_networks.c"},
    {"sac", "dropout", "0.4", {{0}}, "algo/test_sac_networks.c"},
    {"sac", "critic_subset", "1", {{0}}, "algo/test_sac_networks.c"},
    {"sac", "n_atoms", "9", {{"critic", "categorical"}}, "algo/test_sac_networks.c"},
    {"sac", "v_min", "-2", {{"critic", "categorical"}}, "algo/test_sac_networks.c"},
    {"sac", "v_max", "3", {{"critic", "categorical"}}, "algo/test_sac_networks.c"},
    {"sac", "weight_norm", "hidden", {{0}}, "algo/test_sac_networks.c"},
    {"sac", "target_entropy_factor", "0.5", {{0}}, "algo/test_sac_networks.c"},
    {"sac", "residual", "true", {{"net_arch", "6,6"}}, "algo/test_sac_networks.c"},
    // td3 and dqn.
    {"sac td3", "policy_delay", "3", {{0}}, "algo/test_policy_delay.c"},
    {"td3", "noise", "ou", {{0}}, "algo/test_td3.c"},
    {"td3", "target_policy_noise", "0.4", {{0}}, "algo/test_td3.c"},
    {"td3", "target_noise_clip", "0.1", {{0}}, "algo/test_td3.c"},
    {"dqn", "double_q", "true", {{0}}, "algo/test_dqn.c"},
    {"dqn", "dueling", "true", {{0}}, "algo/test_dqn.c"},
    {"dqn", "loss", "squared", {{0}}, "algo/test_dqn.c"},
    {"dqn", "exploration_fraction", "0.9", {{0}}, "algo/test_dqn.c"},
    {"dqn", "exploration_initial_eps", "0.5", {{0}}, "algo/test_dqn.c"},
    {"dqn", "exploration_final_eps", "0.5", {{0}}, "algo/test_dqn.c"},
    // Particles in sqlc.
    {"sqlc", "value_particles", "9", {{0}}, "algo/test_sqlc.c"},
    {"sqlc", "value_proposal", "policy", {{0}}, "algo/test_sqlc.c"},
    {"sqlc", "proposal_uniform", "0.6", {{"value_proposal", "policy"}}, "algo/test_fields.c"},
    {"sqlc", "fixed_particles", "7", {{0}}, "algo/test_sqlc.c"},
    {"sqlc", "updated_particles", "6", {{0}}, "algo/test_sqlc.c"},
    {"sqlc", "bandwidth", "2", {{0}}, "algo/test_sqlc.c"},
    // Fields of all on-policy learners.
    {ON, "learning_rate", "0.02", {{0}}, "algo/test_steps.c"},
    {ON, "n_steps", "8", {{0}}, "algo/test_ppo.c"},
    {ON, "gamma", "0.8", {{0}}, "algo/test_ppo.c"},
    {ON, "net_arch", "6", {{0}}, "algo/test_ppo.c"},
    {ON, "critic_arch", "7", {{0}}, "algo/test_own_loop.c"},
    {ON, "activation", "relu", {{0}}, "algo/test_ppo.c"},
    {ON, "layer_norm", "true", {{0}}, "algo/test_ppo.c"},
    {ON, "init", "xavier_uniform", {{0}}, "nn/test_init.c"},
    {"ppo a2c reinforce trpo", "state_dependent_std", "true", {{0}}, "algo/test_ppo.c"},
    {"ac", "state_dependent_std", "false", {{0}}, "algo/test_ac.c"},
    {ON, "use_sde", "true", {{"state_dependent_std", "false"}}, "algo/test_ppo.c"},
    {ON,
     "sde_sample_freq",
     "3",
     {{"state_dependent_std", "false"}, {"use_sde", "true"}},
     "algo/test_ppo.c"},
    {ON, "log_std_init", "-1", {{"state_dependent_std", "false"}}, "algo/test_ppo.c"},
    {ON,
     "use_expln",
     "true",
     {{"state_dependent_std", "false"}, {"use_sde", "true"}, {"log_std_init", "1"}},
     "algo/test_ppo.c"},
    {ON,
     "squash_output",
     "true",
     {{"state_dependent_std", "false"}, {"use_sde", "true"}},
     "algo/test_ppo.c"},
    {ON, "normalize_observation", "true", {{0}}, "algo/test_ppo.c"},
    {ON, "normalize_reward", "true", {{0}}, "algo/test_ppo.c"},
    {ON, "clip_observation", "0.5", {{"normalize_observation", "true"}}, "algo/test_fields.c"},
    {ON, "clip_reward", "0.3", {{"normalize_reward", "true"}}, "algo/test_fields.c"},
    {"ppo ac reinforce trpo", "adam_beta1", "0.8", {{0}}, "algo/test_steps.c"},
    {"ppo ac reinforce trpo", "adam_beta2", "0.9", {{0}}, "algo/test_steps.c"},
    {"ppo ac reinforce trpo", "adam_epsilon", "1e-2", {{0}}, "algo/test_steps.c"},
    {"a2c", "adam_beta1", "0.8", {{"optimizer", "adam"}}, "algo/test_steps.c"},
    {"a2c", "adam_beta2", "0.9", {{"optimizer", "adam"}}, "algo/test_steps.c"},
    {"a2c", "epsilon", "1e-2", {{0}}, "algo/test_steps.c"},
    {"a2c", "optimizer", "adam", {{0}}, "algo/test_steps.c"},
    {"a2c", "rms_decay", "0.9", {{0}}, "algo/test_steps.c"},
    {"ac", "optimizer", "sgd", {{0}}, "algo/test_steps.c"},
    {"ppo", "weight_decay", "0.1", {{0}}, "algo/test_steps.c"},
    {"ppo a2c ac reinforce", "max_grad_norm", "0.01", {{0}}, "algo/test_steps.c"},
    {"ac reinforce", "critic_learning_rate", "0.02", {{0}}, "algo/test_steps.c"},
    // Losses.
    {"ppo a2c trpo", "gae_lambda", "0.5", {{0}}, "algo/test_ppo.c"},
    {"ppo reinforce trpo", "normalize_advantage", "false", {{0}}, "algo/test_ppo.c"},
    {"a2c", "normalize_advantage", "true", {{0}}, "algo/test_a2c.c"},
    {"ppo a2c ac reinforce", "ent_coef", "0.05", {{0}}, "algo/test_ppo.c"},
    {"ppo a2c", "vf_coef", "0.1", {{0}}, "algo/test_fields.c"},
    {"ppo trpo", "batch_size", "7", {{0}}, "algo/test_ppo.c"},
    {"ppo", "n_epochs", "2", {{0}}, "algo/test_ppo.c"},
    {"ppo", "clip_range", "0.01", {{0}}, "algo/test_ppo.c"},
    {"ppo", "clip_range_vf", "0.01", {{0}}, "algo/test_ppo.c"},
    {"ppo", "target_kl", "1e-9", {{0}}, "algo/test_ppo.c"},
    {"ac reinforce", "discount_weight", "true", {{0}}, "algo/test_ac.c"},
    {"ac", "reduction", "sum", {{0}}, "algo/test_ac.c"},
    {"reinforce", "reduction", "episodes", {{0}}, "algo/test_reinforce.c"},
    {"reinforce", "reward_to_go", "false", {{0}}, "algo/test_reinforce.c"},
    {"reinforce", "baseline", "mean", {{0}}, "algo/test_reinforce.c"},
    {"reinforce", "baseline_steps", "3", {{0}}, "algo/test_steps.c"},
    // The trust region of TRPO.
    {"trpo", "n_critic_updates", "3", {{0}}, "algo/test_steps.c"},
    {"trpo", "target_kl", "0.02", {{0}}, "algo/test_trpo.c"},
    {"trpo", "cg_max_steps", "1", {{0}}, "algo/test_trpo.c"},
    {"trpo", "cg_damping", "0.01", {{0}}, "algo/test_trpo.c"},
    {"trpo", "line_search_shrinking_factor", "0.5", {{"target_kl", "5"}}, "algo/test_trpo.c"},
    {"trpo", "line_search_max_iter", "1", {{"target_kl", "5"}}, "algo/test_trpo.c"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/// Whether the list `algos` contains `algo`.
static bool names(const char *algos, const char *algo) {
  const size_t n = strlen(algo);
  for (const char *at = algos; (at = strstr(at, algo)) != NULL; at += n)
    if ((at == algos || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0)) return true;
  return false;
}

/// Settings that make every learner do many small updates in a short run.
static const char *const off_base[][2] = {
    {"net_arch", "6,5"},         {"batch_size", "16"},      {"buffer_size", "1000"},
    {"learning_starts", "20"},   {"gamma", "0.9"},          {"tau", "0.1"},
    {"init", "kaiming_uniform"}, {"learning_rate", "0.01"}, {NULL, NULL}};
static const char *const on_base[][2] = {{"net_arch", "6,5"},       {"n_steps", "10"},
                                         {"gamma", "0.9"},          {"init", "orthogonal"},
                                         {"learning_rate", "0.01"}, {NULL, NULL}};
static const char *const dqn_base[][2] = {{"target_update_interval", "4"},
                                          {"train_freq", "1"},
                                          {"exploration_fraction", "0.4"},
                                          {NULL, NULL}};
static const char *const particles[][2] = {
    {"value_particles", "8"}, {"fixed_particles", "6"}, {"updated_particles", "5"}, {NULL, NULL}};

static CelStatus make(CelAgent **agent, const CelAlgoInfo *info, const char *const (*with)[2],
                      const char *field, const char *value) {
  const bool discrete = names("dsac sql dqn", info->name);
  const CelSpace observation = cel_space_box(LEARNER_O, -INFINITY, INFINITY),
                 action = discrete ? cel_space_discrete(LEARNER_ACTIONS)
                                   : cel_space_box(LEARNER_DIMS, -2, 3);
  // dqn's exploration rate falls with the planned steps.
  const CelAgentOptions options = {.n_envs = LEARNER_N,
                                   .seed = 7,
                                   .threads = 1,
                                   .total_steps = strcmp(info->name, "dqn") == 0 ? 200 : 0};
  const char *const change[][2] = {{field, value}, {NULL, NULL}};
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  learner_set(info, config, names(ON, info->name) ? on_base : off_base);
  if (strcmp(info->name, "sqlc") == 0) learner_set(info, config, particles);
  if (strcmp(info->name, "dqn") == 0) learner_set(info, config, dqn_base);
  for (int i = 0; with && i < 4 && with[i][0]; i++)
    learner_set(info, config, (const char *const[][2]){{with[i][0], with[i][1]}, {NULL, NULL}});
  learner_set(info, config, change);
  const CelStatus status =
      cel_agent_create(agent, info->name, config, &observation, &action, &options);
  free(config);
  return status;
}

/// FNV-1a.
static void mix(uint64_t *hash, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) *hash = (*hash ^ ((const uint8_t *)data)[i]) * 0x100000001b3;
}

/// Lets an agent act, observe and update at the right steps. Adds its exploration actions to the
/// hash.
static void live(CelAgent *agent, int steps, uint64_t *hash) {
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  float obs[LEARNER_N * LEARNER_O], final[LEARNER_N * LEARNER_O], reward[LEARNER_N];
  float actions[LEARNER_N * LEARNER_DIMS] = {0};
  uint8_t terminated[LEARNER_N], truncated[LEARNER_N];
  for (int k = 0; k < LEARNER_N * LEARNER_O; k++) obs[k] = (float)cel_rng_normal(&rng);
  for (int t = 1; t <= steps; t++) {
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    mix(hash, actions, sizeof actions);
    for (int k = 0; k < LEARNER_N * LEARNER_O; k++) {
      obs[k] = (float)cel_rng_normal(&rng);
      final[k] = (float)cel_rng_normal(&rng);
    }
    for (int i = 0; i < LEARNER_N; i++) {
      reward[i] = (float)cel_rng_normal(&rng);
      terminated[i] = (t + i) % 4 == 3, truncated[i] = !terminated[i] && (t + i) % 7 == 6;
    }
    const CelOutcome outcome = {reward, terminated, truncated, obs, final};
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
    if (cel_agent_update(agent) != CEL_OK) fail_msg("%s", cel_error());
  }
}

static CelAgent *made(const CelAlgoInfo *info, const char *const (*with)[2], const char *field,
                      const char *value) {
  CelAgent *agent;
  if (make(&agent, info, with, field, value) != CEL_OK)
    fail_msg("%s, %s: %s", info->name, field ? field : "no change", cel_error());
  return agent;
}

/// The hash of 60 steps in two environments: exploration actions, and the actor's final parameters.
/// Other networks count by their effect on the actor.
static uint64_t behavior(const CelAlgoInfo *info, const char *const (*with)[2], const char *field,
                         const char *value) {
  uint64_t hash = 0xcbf29ce484222325;
  CelAgent *agent = made(info, with, field, value);
  live(agent, 60, &hash);
  const CelTensors *tensors = cel_agent_tensors(agent);
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role == CEL_PARAM && strncmp(t->name, "actor.", 6) == 0)
      mix(&hash, t->data, (size_t)t->size * sizeof(float));
  }
  cel_agent_destroy(agent);
  return hash;
}

static const Row *row_of(const char *algo, const char *field) {
  for (int i = 0; i < ROWS; i++)
    if (strcmp(rows[i].field, field) == 0 && names(rows[i].algos, algo)) return &rows[i];
  return NULL;
}

static void test_every_field_has_an_effect(void **state) {
  (void)state;
  int tried = 0, wrong = 0;
  for (int a = 0; cel_algo_at(a); a++) {
    const CelAlgoInfo *info = cel_algo_at(a);
    for (const CelField *field = info->fields; field->name; field++) {
      const Row *row = row_of(info->name, field->name);
      if (!row) fail_msg("%s: the field %s has no row here: add one", info->name, field->name);
      const uint64_t plain = behavior(info, row->with, NULL, NULL),
                     changed = behavior(info, row->with, field->name, row->value);
      if (plain == changed) {
        print_error("%s: %s %s changes nothing\n", info->name, field->name, row->value);
        wrong++;
      }
      tried++;
    }
  }
  assert_true(tried > 200);
  assert_int_equal(wrong, 0);
}

/// Rows whose field no learner has, and tests that do not mention their field.
static void test_rows_are_up_to_date(void **state) {
  (void)state;
  for (int i = 0; i < ROWS; i++) {
    char path[512], algos[64], *save;
    snprintf(algos, sizeof algos, "%s", rows[i].algos);
    for (char *algo = strtok_r(algos, " ", &save); algo; algo = strtok_r(NULL, " ", &save)) {
      const CelAlgoInfo *info;
      const CelField *field;
      if (cel_algo_find(algo, &info) != CEL_OK) fail_msg("%s", cel_error());
      for (field = info->fields; field->name && strcmp(field->name, rows[i].field) != 0;) field++;
      if (!field->name) fail_msg("%s has no field %s", algo, rows[i].field);
      if (row_of(algo, rows[i].field) != &rows[i]) fail_msg("%s: %s twice", algo, rows[i].field);
    }
    static char text[1 << 18];
    snprintf(path, sizeof path, "%s/%s", CELSIUS_TEST_DIR, rows[i].defined);
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("there is no %s", path);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *mention = strstr(text, rows[i].field);
    if (mention && strstr(rows[i].defined, "test_fields.c")) {
      mention = strstr(text, "// ---- what fields mean"); // in more than its row
      mention = mention ? strstr(mention, rows[i].field) : NULL;
    }
    if (!mention) fail_msg("%s does not mention %s", rows[i].defined, rows[i].field);
  }
}

// ---- the meaning of fields that no other test compares with a number

static const CelAlgoInfo *info_of(const char *algo) {
  const CelAlgoInfo *info;
  if (cel_algo_find(algo, &info) != CEL_OK) fail_msg("%s", cel_error());
  return info;
}

static void *data_of(CelAgent *agent, const char *name) {
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), name);
  if (!t) fail_msg("no tensor %s", name);
  return t->data;
}

/// The first tensor in `names` that the agent has.
static const CelTensor *first_of(CelAgent *agent, const char *const *choices) {
  for (; *choices; choices++) {
    const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), *choices);
    if (t) return t;
  }
  fail_msg("no such tensor");
  return NULL;
}

/// clip_observation and clip_reward: with a small clip, most entries of a batch equal the clip, and
/// none is larger.
static void test_clips(void **state) {
  (void)state;
  static const char *const x[] = {"batch.x", "trpo.x", "batch.obs", "batch.sa", NULL},
                           *const r[] = {"rollout.scaled", "batch.reward", NULL};
  static const Settings on = {{"normalize_observation", "true"}, {"normalize_reward", "true"}};
  uint64_t hash = 0;
  for (int a = 0; cel_algo_at(a); a++)
    for (int rewards = 0; rewards < 2; rewards++) {
      const CelAlgoInfo *info = cel_algo_at(a);
      CelAgent *agent = made(info, on, rewards ? "clip_reward" : "clip_observation", "0.25");
      live(agent, 60, &hash);
      const CelTensor *t = first_of(agent, rewards ? r : x);
      const bool beside = strcmp(t->name, "batch.sa") == 0; // rows hold actions too
      int at = 0, n = 0;
      for (int64_t k = 0; k < t->size; k++) {
        if (beside && k % (LEARNER_O + LEARNER_DIMS) >= LEARNER_O) continue;
        const float size = fabsf(((const float *)t->data)[k]);
        if (!(size <= 0.25f)) fail_msg("%s: %g in %s", info->name, (double)size, t->name);
        at += size >= 0.25f, n++;
      }
      if (!(at > n / 2))
        fail_msg("%s: %d of %d entries of %s equal the clip", info->name, at, n, t->name);
      cel_agent_destroy(agent);
    }
}

/// The temperature's loss is log alpha (H - target_entropy), with alpha from before the update.
/// "auto" means -dim(A) for continuous actions and target_entropy_factor (0.5) log A for discrete
/// ones.
static void test_target_entropy(void **state) {
  (void)state;
  static const struct {
    const char *algo, *field, *value;
    double target;
  } cases[] = {
      {"sac", "target_entropy", "-0.7", -0.7},
      {"sac", "target_entropy", "auto", -LEARNER_DIMS},
      {"sacv", "target_entropy", "-0.7", -0.7},
      {"sacv", "target_entropy", "auto", -LEARNER_DIMS},
      {"dsac", "target_entropy", "0.3", 0.3},
      {"dsac", "target_entropy_factor", "0.8", 0.8 * 1.3862943611198906},
      {"dsac", "target_entropy", "auto", 0.5 * 1.3862943611198906},
  };
  static const Settings start = {{"ent_coef_init", "0.3"}, {"learning_starts", "1000"}};
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CelAgent *agent = made(info_of(cases[i].algo), start, cases[i].field, cases[i].value);
    live(agent, 40, &hash);
    learner_update(agent, 1);
    const double H = learner_metric(agent, "train/entropy"),
                 loss = learner_metric(agent, "train/ent_coef_loss"),
                 want = log(0.3) * (H - cases[i].target);
    if (!(fabs(loss - want) < 1e-5))
      fail_msg("%s, %s %s: a loss of %.9g, not %.9g", cases[i].algo, cases[i].field, cases[i].value,
               loss, want);
    cel_agent_destroy(agent);
  }
}

/// normalize_reward divides by the standard deviation of the discounted return, with a prior of
/// 1e-4 samples of variance 1.
static void test_normalized_rewards(void **state) {
  (void)state;
  static const Settings on = {{"learning_starts", "1000"}, {"clip_reward", "1000"}};
  double G[LEARNER_N] = {0}, mean = 0, m2 = 1e-4, count = 1e-4;
  float all[40 * LEARNER_N];
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  for (int k = 0; k < LEARNER_N * LEARNER_O; k++) (void)cel_rng_normal(&rng);
  for (int t = 1; t <= 40; t++) {
    for (int k = 0; k < 2 * LEARNER_N * LEARNER_O; k++) (void)cel_rng_normal(&rng);
    for (int i = 0; i < LEARNER_N; i++) {
      const double r = all[(t - 1) * LEARNER_N + i] = (float)cel_rng_normal(&rng);
      G[i] = 0.9 * G[i] + r, count += 1;
      const double d = G[i] - mean;
      mean += d / count, m2 += d * (G[i] - mean);
      if ((t + i) % 4 == 3 || (t + i) % 7 == 6) G[i] = 0;
    }
  }
  uint64_t hash = 0;
  CelAgent *agent = made(info_of("sac"), on, "normalize_reward", "true");
  live(agent, 40, &hash);
  learner_update(agent, 1);
  const float *reward = data_of(agent, "batch.reward");
  for (int b = 0; b < 16; b++) {
    double nearest = INFINITY;
    for (int k = 0; k < 40 * LEARNER_N; k++)
      nearest = fmin(nearest, fabs((double)all[k] / sqrt(m2 / count + 1e-8) - (double)reward[b]));
    if (!(nearest < 1e-5)) fail_msg("%g is not a scaled reward", (double)reward[b]);
  }
  cel_agent_destroy(agent);
}

/// noise_theta and noise_dt: Ornstein-Uhlenbeck noise is x <- (1 - theta dt) x + sigma sqrt(dt) n.
/// With a policy of mean 0 and almost no deviation, the stored action is the noise alone.
static void test_ou_noise(void **state) {
  (void)state;
  enum { STEPS = 4000 };
  static const char *const with[][2] = {
      {"noise", "ou"}, {"noise_theta", "3"}, {"noise_dt", "0.1"}, {"noise_sigma", "0.2"}};
  CelAgent *agent = made(info_of("sac"), with, "learning_starts", "0");
  const CelTensor *w = cel_tensors_find(cel_agent_tensors(agent), "actor.2.weight");
  float *b = data_of(agent, "actor.2.bias");
  memset(w->data, 0, (size_t)w->size * sizeof(float));
  for (int a = 0; a < LEARNER_DIMS; a++) b[a] = 0, b[LEARNER_DIMS + a] = -20;
  assert_int_equal(cel_agent_sync(agent), CEL_OK);
  const float obs[LEARNER_N * LEARNER_O] = {0}, reward[LEARNER_N] = {0};
  const uint8_t no[LEARNER_N] = {0};
  float actions[LEARNER_N * LEARNER_DIMS], last[LEARNER_N * LEARNER_DIMS] = {0};
  double xx = 0, xy = 0, ee = 0;
  for (int t = 0; t < STEPS; t++) {
    const CelOutcome outcome = {reward, no, no, obs, NULL};
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    const float *x = data_of(agent, "last_action");
    for (int k = 0; k < LEARNER_N * LEARNER_DIMS; k++) {
      const double before = (double)last[k], now = (double)x[k];
      xx += before * before, xy += before * now, ee += pow(now - 0.7 * before, 2);
    }
    memcpy(last, x, sizeof last);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  // 16,000 samples: the standard error of the slope is sqrt((1 - .49) / 16000) = .0056, that of the
  // deviation .56%.
  const double slope = xy / xx, sd = sqrt(ee / (STEPS * LEARNER_N * LEARNER_DIMS));
  if (!(fabs(slope - 0.7) < 0.025)) fail_msg("1 - theta dt is .7, the noise has %.3f", slope);
  if (!(fabs(sd / (0.2 * sqrt(0.1)) - 1) < 0.025))
    fail_msg("sigma sqrt(dt) is .0632, not %.4f", sd);
  cel_agent_destroy(agent);
}

/// sde_sample_freq: the matrices of gSDE change at every third step and at no other.
static void test_sde_sample_freq(void **state) {
  (void)state;
  static const Settings sde = {{"use_sde", "true"}, {"learning_starts", "0"}};
  CelAgent *agent = made(info_of("sac"), sde, "sde_sample_freq", "3");
  const CelTensor *t = cel_tensors_find(cel_agent_tensors(agent), "sde_matrix");
  assert_non_null(t);
  uint64_t hash = 0, last = 0;
  for (int k = 0; k < 12; k++) {
    uint64_t now = 0xcbf29ce484222325;
    live(agent, 1, &hash);
    mix(&now, t->data, (size_t)t->size * sizeof(float));
    assert_int_equal(now != last, k % 3 == 0);
    last = now;
  }
  cel_agent_destroy(agent);
}

/// vf_coef is a factor of the critic's gradient and of no other.
static void test_vf_coef(void **state) {
  (void)state;
  static const char *const algos[] = {"ppo", "a2c"};
  static const Settings still = {{"learning_rate", "0"}, {"max_grad_norm", "0"}, {"n_steps", "10"}};
  uint64_t hash = 0;
  for (int i = 0; i < 2; i++) {
    CelAgent *half = made(info_of(algos[i]), still, "vf_coef", "0.5"),
             *tenth = made(info_of(algos[i]), still, "vf_coef", "0.1");
    live(half, 10, &hash), live(tenth, 10, &hash);
    static const char *const names_of[] = {"grad.critic.2.bias", "grad.actor.2.bias"};
    for (int k = 0; k < 2; k++) {
      const float a = *(float *)data_of(half, names_of[k]),
                  b = *(float *)data_of(tenth, names_of[k]);
      if (!(fabsf(b / a - (k ? 1.0f : 0.2f)) < 1e-5f))
        fail_msg("%s: %s is %g times that of five times the vf_coef", algos[i], names_of[k],
                 (double)(b / a));
    }
    cel_agent_destroy(half), cel_agent_destroy(tenth);
  }
}

/// buffer_size: with room for 40 transitions, a batch contains rewards of the last ones only.
static void test_buffer_size(void **state) {
  (void)state;
  enum { STEPS = 200, KEPT = 60 /* 40, and a few for observations that end episodes */ };
  static const Settings start = {{"learning_starts", "100000"}, {"batch_size", "256"}};
  CelAgent *agent = made(info_of("sac"), start, "buffer_size", "40");
  const float obs[LEARNER_N * LEARNER_O] = {0};
  const uint8_t no[LEARNER_N] = {0};
  float actions[LEARNER_N * LEARNER_DIMS], oldest = INFINITY, newest = 0;
  for (int t = 0; t < STEPS; t++) {
    const float reward[LEARNER_N] = {(float)t, (float)t};
    const CelOutcome outcome = {reward, no, no, obs, NULL};
    assert_int_equal(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, actions), CEL_OK);
    assert_int_equal(cel_agent_observe(agent, &outcome), CEL_OK);
  }
  learner_update(agent, 1);
  const float *reward = data_of(agent, "batch.reward");
  for (int b = 0; b < 256; b++)
    oldest = fminf(oldest, reward[b]), newest = fmaxf(newest, reward[b]);
  if (!(newest > STEPS - 2 && oldest >= STEPS - KEPT / LEARNER_N &&
        oldest <= STEPS - 40 / LEARNER_N + 1))
    fail_msg("transitions of steps %g to %g of %d are stored", (double)oldest, (double)newest,
             STEPS);
  cel_agent_destroy(agent);
}

/// proposal_uniform: the fraction of value_particles that is sampled uniformly. The others are
/// sampled around the sampler's actions.
static void test_proposal_uniform(void **state) {
  (void)state;
  static const Settings policy = {{"value_proposal", "policy"}, {"value_particles", "10"}};
  CelAgent *agent = made(info_of("sqlc"), policy, "proposal_uniform", "0.3");
  const CelTensor *uniform = cel_tensors_find(cel_agent_tensors(agent), "batch.uniform"),
                  *draws = cel_tensors_find(cel_agent_tensors(agent), "batch.xi_draws");
  assert_int_equal(uniform->size, 16 * 3 * LEARNER_DIMS);
  assert_int_equal(draws->size, 16 * 7 * LEARNER_DIMS);
  cel_agent_destroy(agent);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_field_has_an_effect),
                                     cmocka_unit_test(test_rows_are_up_to_date),
                                     cmocka_unit_test(test_clips),
                                     cmocka_unit_test(test_target_entropy),
                                     cmocka_unit_test(test_normalized_rewards),
                                     cmocka_unit_test(test_ou_noise),
                                     cmocka_unit_test(test_sde_sample_freq),
                                     cmocka_unit_test(test_vf_coef),
                                     cmocka_unit_test(test_buffer_size),
                                     cmocka_unit_test(test_proposal_uniform)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
