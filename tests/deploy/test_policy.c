/// Policies: against references, with the same bits as the agent that saved them, and invalid
/// files.
#include "deploy/model_cases.h"

#include "support/allocations.h"
#include <float.h>
#include <pthread.h>

/// The description lists every layer, and counts their parameters.
static void check_info(const ModelData *m) {
  CelModelInfo info;
  int64_t parameters = 0;
  int n = 0;
  OK(cel_model_info("model.safetensors", &info));
  for (int l = 0; l <= m->shape->layers; l++) {
    const int64_t in = m->width[l], out = m->width[l + 1];
    assert_string_equal(info.layer[n].kind, "dense");
    assert_int_equal(info.layer[n].in, in);
    assert_int_equal(info.layer[n].out, out);
    parameters += (in + 1) * out + (m->g[l] ? 2 * out : 0);
    n += 1 + (m->g[l] != NULL) + (l < m->shape->layers); // an activation behind hidden layers
  }
  assert_int_equal(info.n, n);
  assert_int_equal(info.parameters, parameters);
  assert_string_equal(info.algo, "sac");
  assert_int_equal(info.normalized_observation, m->shape->normaliser);
}

static void test_every_shape(void **state) {
  (void)state;
  for (int k = 0; k < MODEL_CASES; k++) {
    ModelData m = model_create(&model_cases[k], "model.safetensors", (uint64_t)k);
    CelRng rng = cel_rng((uint64_t)k, CEL_RNG_USER, 2);
    CelPolicy *policy;
    check_info(&m);
    OK(cel_policy_load("model.safetensors", &policy));
    assert_int_equal(cel_space_floats(cel_policy_observation(policy)), m.shape->O);
    assert_int_equal(cel_policy_action(policy)->part[0].kind, m.action.part[0].kind);
    for (int i = 0; i < 200; i++) {
      float obs[32];
      fill_random(obs, m.shape->O, &rng, -3, 3);
      if (model_discrete(m.shape)) {
        int32_t row[8];
        int choice[8], expected[8];
        OK(cel_policy_act(policy, obs, row));
        model_row(m.shape, row, choice);
        reference_choices(&m, obs, expected);
        for (int64_t n = 0; n < model_numbers(m.shape); n++)
          if (expected[n] >= 0) assert_int_equal(choice[n], expected[n]);
        continue;
      }
      float action[16];
      double want[16];
      OK(cel_policy_act(policy, obs, action));
      reference_action(&m, obs, NULL, want);
      for (int64_t a = 0; a < m.shape->A; a++)
        if (!(fabs((double)action[a] - want[a]) <= 1e-5))
          fail_msg("%s, action %d: %.9g, not %.9g", m.shape->name, (int)a, (double)action[a],
                   want[a]);
    }
    cel_policy_destroy(policy);
    model_destroy(&m);
  }
  cel_policy_destroy(NULL);
}

static void test_no_allocation(void **state) {
  (void)state;
  for (int k = 0; k < MODEL_CASES; k++) {
    ModelData m = model_create(&model_cases[k], "model.safetensors", (uint64_t)k);
    CelPolicy *policy;
    long long before = allocations();
    OK(cel_policy_load("model.safetensors", &policy));
    if (counting_allocations()) assert_true(allocations() > before); // the counter works
    const float obs[32] = {0.5f};
    float action[16];
    before = allocations();
    for (int i = 0; i < 50; i++) OK(cel_policy_act(policy, obs, action));
    assert_int_equal(allocations(), before);
    cel_policy_destroy(policy);
    model_destroy(&m);
  }
}

// ---- the same bits as the agent

static void teach(CelAgent *agent, int64_t O, int64_t A, int steps) {
  CelRng rng = cel_rng(3, CEL_RNG_USER, 3);
  float obs[32], action[16];
  fill_random(obs, O, &rng, -2, 5);
  for (int t = 0; t < steps; t++) {
    OK(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, action));
    const float reward = obs[0] - action[A - 1] * action[A - 1];
    const uint8_t terminated = t % 17 == 16, truncated = t % 23 == 22;
    fill_random(obs, O, &rng, -2, 5);
    const CelOutcome outcome = {&reward, &terminated, &truncated, obs, obs};
    OK(cel_agent_observe(agent, &outcome));
    OK(cel_agent_update(agent));
  }
}

static void check_against_agent(const CelSacConfig *config, int64_t O, int64_t A) {
  const double low[3] = {-2, -1, 0}, high[3] = {2, 3, 0.1};
  const CelSpace observation = cel_space_box(O, -HUGE_VAL, HUGE_VAL);
  const CelSpace action = cel_space_box_bounds(A, low, high);
  CelAgent *agent;
  CelPolicy *policy;
  OK(cel_agent_create(&agent, "sac", config, &observation, &action, NULL));
  teach(agent, O, A, 60);
  OK(cel_agent_save_model(agent, "agent.safetensors"));
  OK(cel_policy_load("agent.safetensors", &policy));
  float obs[100][8], want[100][3], got[3];
  CelRng rng = cel_rng(4, CEL_RNG_USER, 4);
  float *rows = calloc((size_t)(100 * O), sizeof *rows),
        *actions = calloc((size_t)(100 * A), sizeof *actions);
  for (int i = 0; i < 100; i++) {
    fill_random(obs[i], O, &rng, -4, 6);
    memcpy(rows + i * O, obs[i], (size_t)O * sizeof(float));
    OK(cel_agent_predict(agent, obs[i], 1, want[i]));
    OK(cel_policy_act(policy, obs[i], got));
    assert_memory_equal(got, want[i], (size_t)A * sizeof *got);
  }
  // Several rows in one call have the same bits too.
  OK(cel_agent_predict(agent, rows, 100, actions));
  for (int i = 0; i < 100; i++)
    assert_memory_equal(actions + i * A, want[i], (size_t)A * sizeof *got);
  free(rows), free(actions);
  cel_policy_destroy(policy);
  cel_agent_destroy(agent);
}

/// Actions drawn from a file, with the noise of the learner, have the same bits as the learner's,
/// and so has the mode. A deterministic policy takes no noise.
static void check_draws(const char *algo, const CelSpace *action, const char *field,
                        const char *value) {
  enum { ROWS = 50 };
  const CelAlgoInfo *info;
  const CelSpace observation = cel_space_box(3, -HUGE_VAL, HUGE_VAL);
  const size_t bytes = cel_space_bytes(action);
  CelAgent *agent;
  CelPolicy *policy;
  float obs[ROWS * 3], noise[8] = {0};
  uint8_t want[ROWS * 16], mode[ROWS * 16], got[16];
  CelRng rng = cel_rng(6, CEL_RNG_USER, 6);
  OK(cel_algo_find(algo, &info));
  void *config = calloc(1, info->config_size);
  cel_fields_default(info->fields, config);
  OK(cel_fields_set(info->fields, config, "net_arch", "24,17"));
  OK(cel_fields_set(info->fields, config, field, value));
  OK(cel_agent_create(&agent, algo, config, &observation, action, NULL));
  fill_random(obs, ROWS * 3, &rng, -3, 3);
  OK(cel_agent_draw(agent, obs, ROWS, 9, 4, want));
  OK(cel_agent_save_model(agent, "drawn.safetensors"));
  OK(cel_policy_load("drawn.safetensors", &policy));
  const int64_t W = cel_policy_noise(policy);
  const bool fixed = strcmp(algo, "td3") == 0 || strcmp(algo, "dqn") == 0;
  assert_in_range(W, fixed ? 0 : 1, fixed ? 0 : 8);
  OK(cel_agent_predict(agent, obs, ROWS, mode));
  for (uint32_t i = 0; i < ROWS; i++) {
    const uint64_t block = 4 * (uint64_t)((W + 3) / 4);
    if (action->part[0].kind == CEL_BOX)
      celi_ops()->normal(noise, 9, CEL_RNG_EVAL_ACT, i, block, 0, W);
    else
      celi_ops()->uniform(noise, 9, CEL_RNG_EVAL_ACT, i, block, 0, W);
    OK(cel_policy_sample_noise(policy, obs + 3 * i, noise, got));
    if (memcmp(got, want + i * bytes, bytes) != 0)
      fail_msg("%s: draw %d differs from the agent's", algo, (int)i);
    OK(cel_policy_act(policy, obs + 3 * i, got));
    if (memcmp(got, mode + i * bytes, bytes) != 0)
      fail_msg("%s: mode %d differs from the agent's", algo, (int)i);
  }
  // With its own random numbers the actions differ, unless they are fixed.
  OK(cel_policy_sample(policy, obs, &rng, got));
  int changes = 0;
  for (int i = 0; i < 100; i++) {
    memcpy(want, got, bytes);
    OK(cel_policy_sample(policy, obs, &rng, got));
    changes += memcmp(got, want, bytes) != 0;
  }
  if (fixed ? changes > 0 : changes <= 10)
    fail_msg("%s: %d of 100 draws differ from the one before", algo, changes);
  noise[0] = NAN;
  if (fixed)
    OK(cel_policy_sample_noise(policy, obs, noise, got));
  else
    FAILS(cel_policy_sample_noise(policy, obs, noise, got), CEL_E_NAN, "element 0 of the noise");
  noise[0] = 0, obs[1] = NAN;
  FAILS(cel_policy_sample_noise(policy, obs, noise, got), CEL_E_NAN, "element 1 of the obs");
  free(config);
  cel_policy_destroy(policy);
  cel_agent_destroy(agent);
}

static void test_draws_as_agent(void **state) {
  (void)state;
  const CelSpace box = cel_space_box(2, -2, 3), choice = cel_space_discrete(4),
                 choices = cel_space_multi_discrete(MODEL_CHOICES, model_choices),
                 bits = cel_space_multi_binary(3);
  check_draws("ppo", &choices, "activation", "relu");
  check_draws("a2c", &bits, "activation", "tanh");
  check_draws("sac", &box, "log_std_max", "-1");
  check_draws("sacv", &box, "policy", "gaussian");
  check_draws("sqlc", &box, "activation", "silu");
  check_draws("ppo", &box, "normalize_observation", "true");
  check_draws("ppo", &box, "state_dependent_std", "true");
  check_draws("ppo", &choice, "activation", "tanh");
  check_draws("sql", &choice, "ent_coef", "0.5");
  check_draws("dsac", &choice, "activation", "tanh");
  check_draws("td3", &box, "normalize_observation", "true");
  check_draws("dqn", &choice, "dueling", "false");
  check_draws("dqn", &choice, "dueling", "true");
}

/// A sampler without noise; old files that call a sampler a squashed Gaussian; policies without
/// draws.
static void test_samplers(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[SAMPLER_CASE], "model.safetensors", 3);
  const ModelCase *c = m.shape;
  CelPolicy *policy;
  CelRng rng = cel_rng(7, CEL_RNG_USER, 6);
  float obs[8], noise[8], action[8];
  double want[16];
  // An old file: kind squashed_gaussian, algorithm sqlc.
  CelSafetensors *file;
  CelTensor list[32];
  OK(cel_safetensors_open("model.safetensors", &file));
  const int64_t n = cel_safetensors_count(file);
  for (int64_t i = 0; i < n; i++) list[i] = *cel_safetensors_at(file, i);
  const CelMeta meta[] = {
      {"format", CELI_MODEL_FORMAT},
      {"version", "0.0"},
      {"algo", "sqlc"},
      {"observation", cel_safetensors_meta(file, "observation")},
      {"action", cel_safetensors_meta(file, "action")},
      {"policy", "{\"kind\":\"squashed_gaussian\",\"activation\":\"relu\",\"action_dim\":3}"}};
  OK(cel_safetensors_write_list("old.safetensors", list, n, meta, 6));
  cel_safetensors_close(file);
  static const char *const paths[] = {"model.safetensors", "old.safetensors"};
  for (int k = 0; k < 2; k++) {
    OK(cel_policy_load(paths[k], &policy));
    assert_int_equal(cel_policy_noise(policy), c->A);
    for (int i = 0; i < 20; i++) {
      fill_random(obs, c->O, &rng, -3, 3);
      fill_random(noise, c->A, &rng, -2, 2);
      OK(cel_policy_sample_noise(policy, obs, noise, action));
      reference_action(&m, obs, noise, want);
      for (int64_t a = 0; a < c->A; a++) assert_true(fabs((double)action[a] - want[a]) <= 1e-5);
    }
    cel_policy_destroy(policy);
  }
  model_destroy(&m);
  m = model_create(&model_cases[3], "model.safetensors", 3); // no sigma
  OK(cel_policy_load("model.safetensors", &policy));
  FAILS(cel_policy_sample(policy, obs, &rng, action), CEL_E_UNSUPPORTED, "no sigma");
  cel_policy_destroy(policy);
  model_destroy(&m);
}

/// The noise of state-dependent exploration depends on the episode, so there are no single draws.
static void test_no_draws_of_an_episode(void **state) {
  (void)state;
  CelSacConfig config = cel_sac_config_default();
  const CelSpace observation = cel_space_box(2, -1, 1), action = cel_space_box(1, -1, 1);
  const float obs[2] = {0, 0};
  float drawn;
  CelRng rng = cel_rng(8, CEL_RNG_USER, 0);
  CelAgent *agent;
  CelPolicy *policy;
  OK(cel_fields_set(cel_sac_fields(), &config, "net_arch", "8"));
  OK(cel_fields_set(cel_sac_fields(), &config, "use_sde", "true"));
  OK(cel_agent_create(&agent, "sac", &config, &observation, &action, NULL));
  OK(cel_agent_save_model(agent, "sde.safetensors"));
  OK(cel_policy_load("sde.safetensors", &policy));
  FAILS(cel_policy_sample(policy, obs, &rng, &drawn), CEL_E_UNSUPPORTED, "episode");
  OK(cel_policy_act(policy, obs, &drawn));
  cel_policy_destroy(policy);
  cel_agent_destroy(agent);
}

static void set(CelSacConfig *config, const char *field, const char *value) {
  OK(cel_fields_set(cel_sac_fields(), config, field, value));
}

static CelSacConfig small_config(void) {
  CelSacConfig config = cel_sac_config_default();
  set(&config, "net_arch", "24,17");
  set(&config, "buffer_size", "1000");
  set(&config, "batch_size", "16");
  set(&config, "learning_starts", "10");
  return config;
}

static void test_same_bits_as_agent(void **state) {
  (void)state;
  CelSacConfig config = small_config();
  check_against_agent(&config, 3, 1);
  set(&config, "normalize_observation", "true");
  check_against_agent(&config, 5, 3);
  set(&config, "layer_norm", "true");
  set(&config, "activation", "silu");
  check_against_agent(&config, 4, 2);
  config = small_config();
  set(&config, "use_sde", "true");
  set(&config, "activation", "tanh");
  check_against_agent(&config, 2, 1);
  set(&config, "clip_mean", "0.05");
  check_against_agent(&config, 2, 1);
  config = small_config();
  set(&config, "policy", "gaussian");
  check_against_agent(&config, 3, 2);
  config = small_config();
  set(&config, "target", "none");
  set(&config, "norm", "batch_renorm");
  set(&config, "norm_input", "true");
  set(&config, "norm_place", "after");
  check_against_agent(&config, 3, 2);
}

/// A checkpoint contains a model too.
static void test_checkpoint(void **state) {
  (void)state;
  const CelSacConfig config = small_config();
  const CelSpace observation = cel_space_box(3, -1, 1), action = cel_space_box(1, -2, 2);
  CelAgent *agent;
  CelPolicy *policy;
  OK(cel_agent_create(&agent, "sac", &config, &observation, &action, NULL));
  teach(agent, 3, 1, 30);
  OK(cel_agent_save(agent, "checkpoint.safetensors", "replay", NULL));
  OK(cel_policy_load("checkpoint.safetensors", &policy));
  const float obs[3] = {0.3f, -0.1f, 2};
  float want, got;
  OK(cel_agent_predict(agent, obs, 1, &want));
  OK(cel_policy_act(policy, obs, &got));
  assert_memory_equal(&got, &want, sizeof got);
  cel_policy_destroy(policy);
  cel_agent_destroy(agent);
}

// ---- bad input

static void test_bad_observation(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[0], "model.safetensors", 1);
  CelPolicy *policy;
  OK(cel_policy_load("model.safetensors", &policy));
  float action = 7;
  const float nan[3] = {0, 1, NAN}, infinite[3] = {0, INFINITY, 0};
  FAILS(cel_policy_act(policy, nan, &action), CEL_E_NAN, "element 2");
  FAILS(cel_policy_act(policy, infinite, &action), CEL_E_NAN, "element 1");
  assert_true(action >= 7 && action <= 7);
  cel_policy_destroy(policy);
  model_destroy(&m);
}

/// Finite weights whose output is not finite.
static void test_output_that_overflows(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[0], NULL, 1);
  CelPolicy *policy;
  char *space, *action, *spec;
  const CeliPolicySpec policy_spec = {
      .kind = CELI_SQUASHED_GAUSSIAN, .activation = CELI_RELU, .A = 1};
  OK(celi_space_to_json(&m.observation, &space));
  OK(celi_space_to_json(&m.action, &action));
  OK(celi_policy_to_json(&policy_spec, &spec));
  const CelMeta meta[] = {{"format", CELI_MODEL_FORMAT}, {"version", "1"},   {"algo", "sac"},
                          {"observation", space},        {"action", action}, {"policy", spec}};
  for (int l = 0; l < 2; l++)
    for (int k = 0; k < 100; k++) m.W[l][k] = 3e38f;
  OK(cel_safetensors_write("large.safetensors", m.tensors, CEL_ROLES_MODEL, meta, 6));
  OK(cel_policy_load("large.safetensors", &policy));
  float out = 7;
  const float obs[3] = {1, 1, 1};
  FAILS(cel_policy_act(policy, obs, &out), CEL_E_NAN, "of the policy");
  assert_true(out >= 7 && out <= 7);
  cel_policy_destroy(policy);
  free(space), free(action), free(spec);
  model_destroy(&m);
}

/// Writes a model of a shape with one error and expects that loading it fails.
static void refuse_case(const ModelCase *shape, const char *key, const char *value,
                        const char *drop, CelStatus status, const char *says) {
  ModelData m = model_create(shape, "good.safetensors", 1);
  CelSafetensors *file;
  OK(cel_safetensors_open("good.safetensors", &file));
  static const char *const keys[] = {"format",      "version", "algo",
                                     "observation", "action",  "policy"};
  CelMeta meta[6];
  int n_meta = 0;
  for (int i = 0; i < 6; i++) {
    const bool this = strcmp(keys[i], key) == 0;
    if (this && !value) continue;
    meta[n_meta++] = (CelMeta){keys[i], this ? value : cel_safetensors_meta(file, keys[i])};
  }
  CelTensor list[32];
  int64_t n = 0;
  for (int64_t i = 0; i < cel_safetensors_count(file); i++)
    if (strcmp(cel_safetensors_at(file, i)->name, drop) != 0)
      list[n++] = *cel_safetensors_at(file, i);
  OK(cel_safetensors_write_list("bad.safetensors", list, n, meta, n_meta));
  cel_safetensors_close(file);
  model_destroy(&m);
  CelPolicy *policy;
  FAILS(cel_policy_load("bad.safetensors", &policy), status, says);
  FAILS(cel_policy_load("bad.safetensors", &policy), status, "bad.safetensors");
  assert_null(policy);
}

static void refuse(const char *key, const char *value, const char *drop, CelStatus status,
                   const char *says) {
  refuse_case(&model_cases[1], key, value, drop, status, says);
}

/// Renames one tensor of a model and expects that loading it fails.
static void refuse_renamed(const ModelCase *shape, const char *from, const char *to,
                           CelStatus status, const char *says) {
  ModelData m = model_create(shape, "good.safetensors", 1);
  const char *const keys[] = {"format", "version", "algo", "observation", "action", "policy"};
  CelSafetensors *file;
  CelMeta meta[6];
  CelTensor list[32];
  int64_t n = 0;
  CelPolicy *policy;
  OK(cel_safetensors_open("good.safetensors", &file));
  for (int i = 0; i < 6; i++) meta[i] = (CelMeta){keys[i], cel_safetensors_meta(file, keys[i])};
  for (; n < cel_safetensors_count(file); n++) {
    list[n] = *cel_safetensors_at(file, n);
    if (strcmp(list[n].name, from) == 0) snprintf(list[n].name, sizeof list[n].name, "%s", to);
  }
  OK(cel_safetensors_write_list("bad.safetensors", list, n, meta, 6));
  cel_safetensors_close(file);
  model_destroy(&m);
  FAILS(cel_policy_load("bad.safetensors", &policy), status, says);
}

static const ModelCase *case_named(const char *name) {
  for (int k = 0; k < MODEL_CASES; k++)
    if (strcmp(model_cases[k].name, name) == 0) return &model_cases[k];
  fail_msg("no case %s", name);
  return NULL;
}

/// Every tensor of the actor must belong to a layer, or the policy would be another.
static void test_tensors_of_no_layer(void **state) {
  (void)state;
  const ModelCase *norm = case_named("silu_norm"), *batch = case_named("batch_norm");
  refuse_case(norm, "-", NULL, "actor.1.norm.weight", CEL_E_UNSUPPORTED, "actor.1.norm.bias");
  refuse_case(norm, "-", NULL, "actor.1.norm.bias", CEL_E_FORMAT, "actor.1.norm.bias");
  refuse_case(batch, "-", NULL, "actor.0.batch_norm.weight", CEL_E_UNSUPPORTED,
              "actor.0.batch_norm.");
  refuse_case(batch, "-", NULL, "actor.0.batch_norm.mean", CEL_E_FORMAT, "actor.0.batch_norm.mean");
  refuse_renamed(norm, "actor.1.norm.weight", "actor.1.rms_norm.weight", CEL_E_UNSUPPORTED,
                 "belongs to no layer");
  refuse_renamed(norm, "actor.2.norm.weight", "actor.7.norm.weight", CEL_E_UNSUPPORTED,
                 "belongs to no layer");
  refuse_renamed(batch, "actor.0.batch_norm.weight", "actor.0.norm.weight", CEL_E_FORMAT,
                 "actor.0.norm.bias");
}

/// A logit that overflows by its scale is an error, not an arbitrary action.
static void test_logits_that_overflow(void **state) {
  (void)state;
  ModelData m = model_create(case_named("discrete"), NULL, 1);
  const CeliPolicySpec spec = {
      .kind = CELI_CATEGORICAL, .activation = CELI_RELU, .A = 5, .logit_scale = 1e30};
  char *observation, *action, *policy_text;
  CelPolicy *policy;
  CelRng rng = cel_rng(1, CEL_RNG_USER, 1);
  float obs[4] = {0};
  int32_t row;
  OK(celi_space_to_json(&m.observation, &observation));
  OK(celi_space_to_json(&m.action, &action));
  OK(celi_policy_to_json(&spec, &policy_text));
  const CelMeta meta[] = {
      {"format", CELI_MODEL_FORMAT}, {"version", "1"},   {"algo", "sql"},
      {"observation", observation},  {"action", action}, {"policy", policy_text}};
  m.b[2][3] = 1e9f;
  OK(cel_safetensors_write("large.safetensors", m.tensors, CEL_ROLES_MODEL, meta, 6));
  OK(cel_policy_load("large.safetensors", &policy));
  OK(cel_policy_act(policy, obs, &row));
  assert_int_equal(row, 3);
  FAILS(cel_policy_sample(policy, obs, &rng, &row), CEL_E_NAN, "output 3 of the policy times");
  cel_policy_destroy(policy);
  free(observation), free(action), free(policy_text);
  model_destroy(&m);
}

static void test_bad_files(void **state) {
  (void)state;
  CelPolicy *policy;
  FAILS(cel_policy_load("nothing.safetensors", &policy), CEL_E_IO, "nothing.safetensors");
  FILE *text = fopen("text", "w");
  fputs("{\"hello\": 1}, and more text than a header", text);
  fclose(text);
  assert_int_not_equal(cel_policy_load("text", &policy), CEL_OK);
  refuse("format", NULL, "", CEL_E_FORMAT, "not a model");
  refuse("format", "pt", "", CEL_E_FORMAT, "\"pt\"");
  refuse("policy", NULL, "", CEL_E_FORMAT, "policy");
  refuse("policy", "{}", "", CEL_E_FORMAT, "policy");
  refuse("policy", "{\"kind\":\"beta\",\"activation\":\"relu\",\"action_dim\":6}", "", CEL_E_NAME,
         "beta");
  refuse("policy", "{\"kind\":\"sampler\",\"activation\":\"relu\",\"action_dim\":6}", "",
         CEL_E_SHAPE, "inputs");
  refuse("policy",
         "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":6,\"log_std_min\":2,"
         "\"log_std_max\":1}",
         "", CEL_E_FORMAT, "log_std_max");
  refuse("policy",
         "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":6,\"logit_scale\":0}", "",
         CEL_E_FORMAT, "logit_scale");
  refuse("policy",
         "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":6,\"logit_scale\":1e300}",
         "", CEL_E_FORMAT, "at most 1e30");
  refuse("policy",
         "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":6,\"clip_mean\":-1}", "",
         CEL_E_FORMAT, "clip_mean");
  refuse("action",
         "{\"parts\":[{\"name\":\"\",\"kind\":\"multi_discrete\",\"type\":\"I32\",\"shape\":[2],"
         "\"low\":0,"
         "\"high\":[2.5,3]}]}",
         "", CEL_E_RANGE, "entry 0 has 2.5 actions");
  refuse("policy", "{\"kind\":\"gaussian\",\"activation\":\"relu\",\"action_dim\":5}", "",
         CEL_E_SHAPE, "Box");
  refuse("policy", "{\"kind\":\"categorical\",\"activation\":\"relu\",\"action_dim\":6}", "",
         CEL_E_SHAPE, "Box");
  refuse("observation", "[]", "", CEL_E_FORMAT, "observation");
  refuse("observation",
         "{\"parts\":[{\"name\":\"\",\"kind\":\"box\",\"type\":\"F32\",\"shape\":[16],\"low\":0,"
         "\"high\":1}]}",
         "", CEL_E_SHAPE, "actor.0.weight");
  refuse(
      "observation",
      "{\"parts\":[{\"name\":\"\",\"kind\":\"discrete\",\"type\":\"I32\",\"shape\":[1],\"n\":4}]}",
      "", CEL_E_UNSUPPORTED, "float32");
  refuse("-", NULL, "actor.0.weight", CEL_E_FORMAT, "actor.0.weight");
  refuse("-", NULL, "actor.1.bias", CEL_E_FORMAT, "actor.1.bias");
  refuse("-", NULL, "actor.2.weight", CEL_E_SHAPE, "outputs");
  refuse("-", NULL, "normalizer.clip", CEL_E_FORMAT, "normalizer.clip");
  refuse("-", NULL, "action_scale", CEL_E_FORMAT, "action_scale");
}

static void test_nan_parameter(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[0], NULL, 1);
  CelPolicy *policy;
  char *space, *action, *spec;
  const CeliPolicySpec policy_spec = {
      .kind = CELI_SQUASHED_GAUSSIAN, .activation = CELI_RELU, .A = 1};
  OK(celi_space_to_json(&m.observation, &space));
  OK(celi_space_to_json(&m.action, &action));
  OK(celi_policy_to_json(&policy_spec, &spec));
  const CelMeta meta[] = {{"format", CELI_MODEL_FORMAT}, {"version", "1"},   {"algo", "sac"},
                          {"observation", space},        {"action", action}, {"policy", spec}};
  m.W[1][77] = NAN;
  OK(cel_safetensors_write("nan.safetensors", m.tensors, CEL_ROLES_MODEL, meta, 6));
  FAILS(cel_policy_load("nan.safetensors", &policy), CEL_E_NAN, "actor.1.weight");
  free(space), free(action), free(spec);
  model_destroy(&m);
}

/// A thread with 32 KiB of stack loads a policy, acts and exports the policy. Odd widths make it
/// copy weights.
static __attribute__((unused)) void *load_and_act(void *path) {
  CelPolicy *policy;
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  float obs[64] = {0.5f}, action[16];
  if (cel_policy_load(path, &policy) != CEL_OK) return path;
  CelStatus status = cel_policy_act(policy, obs, action);
  if (!status) status = cel_policy_sample(policy, obs, &rng, action);
  cel_policy_destroy(policy);
  static const char *const formats[] = {"c", "safetensors"};
  for (int i = 0; i < 2 && !status; i++) status = cel_export(path, formats[i], "exported", NULL);
  return status ? path : NULL;
}

static void test_small_stack(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__) ||         \
    !defined(__OPTIMIZE__)
  skip(); // stack frames are larger with sanitizers, and unknown with clang
#else
  enum { STACK = 32 * 1024 };
  pthread_attr_t attributes;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  // Some systems need a larger stack: glibc on 64-bit ARM needs 128 KiB.
  if (pthread_attr_setstacksize(&attributes, STACK) != 0) {
    pthread_attr_destroy(&attributes);
    skip();
  }
  for (int k = 0; k < 3; k++) {
    ModelData m = model_create(&model_cases[k], "model.safetensors", (uint64_t)k);
    pthread_t thread;
    void *failed;
    assert_int_equal(
        pthread_create(&thread, &attributes, load_and_act, (void *)"model.safetensors"), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    model_destroy(&m);
  }
  pthread_attr_destroy(&attributes);
#endif
}

/// Draws bounds that scale and shift exceed by rounding, and extreme bounds.
static void random_bounds(CelRng *rng, bool squash, double *low, double *high) {
  const double size = pow(10, cel_rng_range(rng, -3, 6));
  double a = (double)(float)(size * cel_rng_normal(rng)),
         b = (double)(float)(size * cel_rng_normal(rng));
  switch (cel_rng_below(rng, squash ? 6 : 9)) {
  case 0: a = -(double)FLT_MAX, b = (double)FLT_MAX; break;
  case 1: a = (double)1e-40f, b = (double)2e-40f; break;
  case 2: b = (double)nextafterf((float)a, INFINITY); break;
  case 6: a = -HUGE_VAL; break;
  case 7: b = HUGE_VAL; break;
  case 8: a = -HUGE_VAL, b = HUGE_VAL; break;
  default: break;
  }
  *low = fmin(a, b), *high = fmax(a, b);
}

/// Actions of random policies stay within random bounds in float32, also at both ends.
static void test_bounds(void **state) {
  (void)state;
  int at_bound = 0;
  for (int round = 0; round < 300; round++) {
    CelRng rng = cel_rng((uint64_t)round, CEL_RNG_USER, 2);
    static const int shapes[] = {1, 4, SAMPLER_CASE}; // squashed, Gaussian, sampler
    ModelCase c = model_cases[shapes[round % 3]];
    const bool squash = c.kind == CELI_SQUASHED_GAUSSIAN;
    double low[16], high[16];
    for (int64_t a = 0; a < c.A; a++) random_bounds(&rng, squash, &low[a], &high[a]);
    model_low = low, model_high = high;
    model_gain = 1e3;
    ModelData m = model_create(&c, "model.safetensors", (uint64_t)round);
    model_low = model_high = NULL;
    model_gain = 1;
    CelPolicy *policy;
    OK(cel_policy_load("model.safetensors", &policy));
    for (int i = 0; i < 20; i++) {
      float obs[32], action[2][16];
      fill_random(obs, c.O, &rng, -3, 3);
      OK(cel_policy_act(policy, obs, action[0]));
      OK(cel_policy_sample(policy, obs, &rng, action[1]));
      for (int64_t k = 0; k < 2 * c.A; k++) {
        const CelSpacePart *part = &m.action.part[0];
        const float x = action[k / c.A][k % c.A], lo = part->low[k % c.A], hi = part->high[k % c.A];
        if (!(x >= lo && x <= hi))
          fail_msg("round %d: %.9g is outside of [%.9g, %.9g]", round, (double)x, (double)lo,
                   (double)hi);
        at_bound += x <= lo || x >= hi;
      }
    }
    cel_policy_destroy(policy);
    model_destroy(&m);
  }
  assert_true(at_bound > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_small_stack, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bounds, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_every_shape, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_no_allocation, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_same_bits_as_agent, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_draws_as_agent, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_samplers, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_no_draws_of_an_episode, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_checkpoint, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bad_observation, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_output_that_overflows, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bad_files, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_tensors_of_no_layer, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_logits_that_overflow, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_nan_parameter, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests_name("deploy/policy", tests, NULL, NULL);
}
