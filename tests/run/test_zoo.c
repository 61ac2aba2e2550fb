/// RL Zoo files: YAML with anchors and merges, Python literals, what each setting means, and that
/// no setting is ignored.
#include "run_test.h"

#include "run/zoo.h"

static CelZoo *open_text(const char *text) {
  CelZoo *zoo = NULL;
  OK(celi_zoo_parse("zoo.yml", text, strlen(text), &zoo));
  return zoo;
}

static void expect_json(const char *text, const char *entry, const char *json) {
  CelZoo *zoo = open_text(text);
  int64_t i;
  const char *got;
  OK(cel_zoo_find(zoo, entry, &i));
  OK(cel_zoo_json(zoo, i, &got));
  assert_string_equal(got, json);
  cel_zoo_close(zoo);
}

static void expect_error(const char *text, CelStatus status, const char *part) {
  CelZoo *zoo = NULL;
  FAILS(celi_zoo_parse("zoo.yml", text, strlen(text), &zoo), status, part);
  assert_null(zoo);
}

/// Applies the only entry of a text, whose settings are lines "  key: value".
static CelStatus apply(CelSetup *setup, const char *settings) {
  char text[4096];
  snprintf(text, sizeof text, "entry:\n%s", settings);
  CelZoo *zoo = open_text(text);
  const CelStatus status = cel_zoo_apply(zoo, 0, setup);
  cel_zoo_close(zoo);
  return status;
}

static CelSetup *make(const char *algo) {
  CelSetup *setup = NULL;
  OK(cel_setup_create(&setup, algo, "Pendulum-v1"));
  return setup;
}

/// Each setting must set a field: `field` has `value` afterwards, and had another value before.
static void expect_field(const char *algo, const char *settings, const char *field,
                         const char *value) {
  CelSetup *setup = make(algo);
  char text[CEL_PATH_MAX];
  assert_true(cel_setup_get(setup, field, text, sizeof text) >= 0);
  if (strcmp(text, value) == 0) fail_msg("%s: %s is already %s", settings, field, value);
  OK(apply(setup, settings));
  cel_setup_get(setup, field, text, sizeof text);
  if (strcmp(text, value) != 0) fail_msg("%s: %s is %s, expected %s", settings, field, text, value);
  cel_setup_destroy(setup);
}

static void expect_same(const char *algo, const char *settings) {
  CelSetup *setup = make(algo), *before = make(algo);
  OK(apply(setup, settings));
  assert_memory_equal(&setup->run, &before->run, sizeof setup->run);
  assert_memory_equal(setup->algo_config, before->algo_config, setup->algo->config_size);
  cel_setup_destroy(setup);
  cel_setup_destroy(before);
}

static void expect_refused(const char *algo, const char *settings, CelStatus status,
                           const char *part) {
  CelSetup *setup = make(algo), *before = make(algo);
  FAILS(apply(setup, settings), status, part);
  if (!strstr(cel_error(), "zoo.yml: entry: line "))
    fail_msg("the message '%s' does not say where", cel_error());
  assert_memory_equal(&setup->run, &before->run, sizeof setup->run);
  assert_memory_equal(setup->algo_config, before->algo_config, setup->algo->config_size);
  cel_setup_destroy(setup);
  cel_setup_destroy(before);
}

static void scalars(void **state) {
  (void)state;
  expect_json("e: {a: !!float 1e6, b: 1_000_000, c: '1', d: !!int 3, e: ~, f: yes, g: text,\n"
              "    h: !!str 5, i: .5, j: -2.5e-4, k: .inf, l: 7.77e-05, m: off, n: !!float '2',\n"
              "    o: 1__0, p: 0x10, q: '', r: 007, s: +3, t: 12345678901234567890}\n",
              "e",
              "{\"a\":1000000.0,\"b\":1000000,\"c\":\"1\",\"d\":3,\"e\":null,\"f\":true,"
              "\"g\":\"text\",\"h\":\"5\",\"i\":0.5,\"j\":-0.00025,\"k\":Infinity,"
              "\"l\":0.0000777,\"m\":false,\"n\":2,\"o\":\"1__0\",\"p\":\"0x10\",\"q\":\"\","
              "\"r\":\"007\",\"s\":3,\"t\":12345678901234567890}");
}

static void anchors_and_merges(void **state) {
  (void)state;
  static const char text[] = "a: &base\n  x: 1\n  y: 2\n"
                             "b: &more\n  y: 3\n  <<: *base\n  z: [4, &five 5, *five]\n"
                             "c:\n  <<: [*more, *base]\n  x: 9\n"
                             "d: *more\n"
                             "e: {<<: {x: 7}}\n"
                             "f: {'<<': 1}\n";
  expect_json(text, "b", "{\"y\":3,\"z\":[4,5,5],\"x\":1}");
  expect_json(text, "c", "{\"x\":9,\"y\":3,\"z\":[4,5,5]}");
  expect_json(text, "d", "{\"y\":3,\"z\":[4,5,5],\"x\":1}");
  expect_json(text, "e", "{\"x\":7}");
  expect_json(text, "f", "{\"<<\":1}");
  expect_error("a: {<<: *gone}", CEL_E_NAME, "*gone has no anchor");
  expect_error("base: &base {x: 1}\na: {<<: *bas}", CEL_E_NAME, "did you mean *base?");
  expect_json("a: &a {x: 1}\nb: &a {x: 2}\nc: *a\n", "c", "{\"x\":2}");
  expect_error("a: &a {x: *a}", CEL_E_NAME, "*a has no anchor &a before it");
  expect_error("a: {<<: 3}", CEL_E_TYPE, "only a mapping can be merged, not a number");
  expect_error("a: {<<: {x: 1}, <<: {y: 1}}", CEL_E_NAME, "\"<<\" appears twice");
}

static void yaml_errors(void **state) {
  (void)state;
  expect_error("", CEL_E_FORMAT, "zoo.yml: the file is empty");
  expect_error("[1, 2]", CEL_E_FORMAT, "must be a mapping with one entry per environment");
  expect_error("a: 1\na: 2\n", CEL_E_NAME, "line 2, column 1: the key \"a\" appears twice");
  expect_error("a: !!python/tuple [1, 2]", CEL_E_FORMAT, "python/tuple\" is not supported");
  expect_error("a: !!python/object/apply:os.system [x]", CEL_E_FORMAT, "is not supported");
  expect_error("a: !mine 1", CEL_E_FORMAT, "\"!mine\" is not supported");
  expect_error("a: !!float many", CEL_E_TYPE, "\"many\" is not of the type !!float");
  expect_error("a: !!map [1]", CEL_E_TYPE, "a list is not of the type !!map");
  expect_error("a: 1\n---\nb: 2\n", CEL_E_FORMAT, "second document");
  expect_error("[a]: 1\n", CEL_E_FORMAT, "a key must be a single value");
  expect_error("a: \"x\\0y\"\n", CEL_E_FORMAT, "zero character");
  expect_error("a: [1\n", CEL_E_FORMAT, "line ");
  char deep[200] = "a: ";
  for (int i = 0; i < 40; i++) strcat(deep, "[");
  expect_error(deep, CEL_E_FORMAT, "more than 32 levels");
}

/// Files that would take too much time or memory are refused.
static void hostile_files(void **state) {
  (void)state;
  CeliText text = {0};
  celi_text_format(&text, "m0: &m0 {k: 1}\n");
  for (int i = 1; i < 60; i++)
    celi_text_format(&text, "m%d: &m%d {a: *m%d, b: *m%d}\n", i, i, i - 1, i - 1);
  CelZoo *zoo = open_text(text.data); // 2^60 values if aliases were copied
  const char *json;
  FAILS(cel_zoo_json(zoo, 59, &json), CEL_E_RANGE, "1048576 bytes as JSON");
  cel_zoo_close(zoo);
  celi_text_free(&text);
  celi_text_format(&text, "a: &a {");
  for (int i = 0; i < 600; i++) celi_text_format(&text, "k%d: 1, ", i);
  celi_text_format(&text, "}\n");
  expect_error(text.data, CEL_E_FORMAT, "more than 512 keys");
  celi_text_free(&text);
  celi_text_format(&text, "a: &a {");
  for (int i = 0; i < 500; i++) celi_text_format(&text, "k%d: 1, ", i);
  celi_text_format(&text, "}\nb: [");
  for (int i = 0; i < 20000; i++) celi_text_format(&text, "{<<: [*a, *a, *a]},");
  celi_text_format(&text, "]\n");
  expect_error(text.data, CEL_E_FORMAT, "too many keys in its mappings and merges");
  celi_text_free(&text);
  celi_text_format(&text, "b: [");
  for (int i = 0; i < 1100; i++) celi_text_format(&text, "&a%d 1,", i);
  celi_text_format(&text, "]\n");
  expect_error(text.data, CEL_E_FORMAT, "more than 1024 anchors");
  celi_text_free(&text);
}

static void literals(void **state) {
  (void)state;
  expect_json("e: {policy_kwargs: \"dict(log_std_init=-3, net_arch=[400, 300,], f=nn.ReLU,\n"
              "    d={'a': True, \\\"b\\\": None}, t=(1, 'x'), one=(5), u=(5,), n=1_000, s='',\n"
              "    e=[], g=dict( ), h=.5e-3)\"}\n",
              "e",
              "{\"policy_kwargs\":{\"log_std_init\":-3,\"net_arch\":[400,300],\"f\":\"nn.ReLU\","
              "\"d\":{\"a\":true,\"b\":null},\"t\":[1,\"x\"],\"one\":5,\"u\":[5],\"n\":1000,"
              "\"s\":\"\",\"e\":[],\"g\":{},\"h\":0.0005}}");
  static const char *const bad[][2] = {
      {"dict(a=__import__('os').system('x'))", "__import__(...) is not supported; only dict(...)"},
      {"dict(a=1+1)", "expected ')' before \"+1)\""},
      {"dict(a=[i for i in x])", "expected ']' before \"for"},
      {"dict(a=lambda x: 1)", "expected ')' before \"x: 1)\""},
      {"dict(a=1, a=2)", "the key \"a\" appears twice"},
      {"dict(1)", "expected a name and '='"},
      {"{1: 2}", "a key in braces must be a text in quotes, not a number"},
      {"dict(a=1", "expected ')' at the end"},
      {"dict(a=)", "expected a value before \")\""},
      {"dict(a=1) or 2", "nothing may follow the value"},
      {"dict(a='x)", "has no closing '"},
      {"dict(a='\\\\x')", "backslash"},
      {"dict(a=1.2.3)", "\"1.2.3\" is not a number"},
      {"dict(a=--1)", "\"-\" is not a number"},
      {"dict(a=b'x')", "expected ')' before \"'x')\""},
      {"", "a value is missing at the end"},
      {"dict(a=nn.)", "expected ')' before \".)\""},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CeliZooTree tree = {0};
    CeliZooValue *value;
    if (celi_zoo_literal(&tree, bad[i][0], 1, &value) == CEL_OK) fail_msg("read %s", bad[i][0]);
    if (!strstr(cel_error(), bad[i][1]))
      fail_msg("%s: the message '%s' does not contain '%s'", bad[i][0], cel_error(), bad[i][1]);
    celi_zoo_free(&tree);
  }
}

static void general_settings(void **state) {
  (void)state;
  expect_field("ppo", "  n_timesteps: !!float 2e6\n", "steps", "2000000");
  expect_field("ppo", "  n_envs: 8\n", "n_envs", "8");
  expect_field("ppo", "  learning_rate: lin_7.3e-4\n", "learning_rate", "lin_0.00073");
  expect_field("ppo", "  clip_range: lin_0.4\n", "clip_range", "lin_0.4");
  expect_field("ppo", "  target_kl: 0.04\n", "target_kl", "0.04");
  expect_field("ppo", "  use_sde: True\n", "use_sde", "true");
  expect_field("ppo", "  max_grad_norm: 2\n", "max_grad_norm", "2");
  expect_field("sac", "  ent_coef: 'auto_0.1'\n", "ent_coef_init", "0.1");
  expect_field("sac", "  ent_coef: 0.005\n", "ent_coef", "0.005");
  expect_field("sac", "  train_freq: [8, \"step\"]\n", "train_freq", "8");
  expect_field("sac", "  train_freq: 64\n", "train_freq", "64");
  expect_field("sac", "  gradient_steps: -1\n", "gradient_steps", "-1");
  expect_field("sac", "  use_sde: True\n", "use_sde", "true");
  expect_field("sac", "  noise_type: 'normal'\n  noise_std: 0.3\n", "noise", "normal");
  expect_field("sac", "  noise_type: 'normal'\n  noise_std: 0.3\n", "noise_sigma", "0.3");
  expect_field("sac", "  noise_type: ornstein-uhlenbeck\n  noise_std: 1\n", "noise", "ou");
  expect_field("a2c", "  use_rms_prop: False\n", "optimizer", "adam");
  expect_field("a2c", "  rms_prop_eps: 1e-3\n", "epsilon", "0.001");
  expect_field("trpo", "  cg_damping: !!float 1e-3\n", "cg_damping", "0.001");
  expect_field("sac", "  env_wrapper:\n    - rl_zoo3.wrappers.FrameSkip:\n        skip: 2\n",
               "env.action_repeat", "2");
  expect_field("sac", "  env_wrapper: rl_zoo3.wrappers.FrameSkip\n", "env.action_repeat", "4");
  expect_field("sac", "  env_kwargs: \"dict(g=9.81)\"\n", "env.g", "9.81");
  expect_same("ppo", "  policy: 'MlpPolicy'\n  clip_range_vf: null\n  target_kl: ~\n"
                     "  env_wrapper: null\n  callback: []\n  frame_stack: 1\n  device: cpu\n");
  expect_same("trpo", "  sub_sampling_factor: 1\n");
  expect_field("sac", "  use_sde_at_warmup: True\n", "use_sde_at_warmup", "true");
  expect_field("sac", "  use_sde: True\n", "clip_mean", "2"); // the default there
  expect_same("sac", "  optimize_memory_usage: True\n"
                     "  replay_buffer_kwargs: \"dict(handle_timeout_termination=True)\"\n");
}

static void policy_kwargs(void **state) {
  (void)state;
  expect_field("sac", "  policy_kwargs: \"dict(use_expln=True)\"\n  use_sde: True\n", "use_expln",
               "true");
  expect_field("sac", "  policy_kwargs: \"dict(clip_mean=0.5)\"\n  use_sde: True\n", "clip_mean",
               "0.5");
  expect_field("ppo", "  use_sde: True\n  policy_kwargs: \"dict(squash_output=True)\"\n",
               "squash_output", "true");
  expect_field("sac", "  policy_kwargs: \"dict(log_std_init=-3.67, net_arch=[64, 64])\"\n",
               "net_arch", "64,64");
  expect_field("sac", "  policy_kwargs: \"dict(log_std_init=-3.67, net_arch=[64, 64])\"\n",
               "log_std_init", "-3.67");
  expect_field("sac", "  policy_kwargs: {net_arch: {pi: [8], qf: [8]}, n_critics: 1}\n", "net_arch",
               "8");
  expect_field("sac", "  policy_kwargs: \"dict(n_critics=1)\"\n", "n_critics", "1");
  expect_field("ppo", "  policy_kwargs: \"dict(net_arch=[dict(pi=[256], vf=[256])])\"\n",
               "net_arch", "256");
  expect_field("ppo", "  policy_kwargs: \"dict(net_arch=dict(pi=[], vf=[]))\"\n", "net_arch", "[]");
  expect_field("ppo", "  policy_kwargs: \"dict(net_arch=dict(pi=[64], vf=[32]))\"\n", "net_arch",
               "64");
  expect_field("ppo", "  policy_kwargs: \"dict(net_arch=dict(pi=[64], vf=[32]))\"\n", "critic_arch",
               "32");
  expect_field("sac", "  policy_kwargs: \"dict(net_arch=dict(pi=[8], qf=[4, 4]))\"\n",
               "critic_arch", "4,4");
  expect_field("ppo", "  policy_kwargs: \"dict(activation_fn=nn.ReLU)\"\n", "activation", "relu");
  expect_field("ppo", "  policy_kwargs: \"dict(activation_fn=th.nn.GELU)\"\n", "activation",
               "gelu");
  expect_field("ppo", "  policy_kwargs: \"dict(ortho_init=False)\"\n", "init", "kaiming_uniform");
  expect_field("a2c", "  policy_kwargs: \"dict(optimizer_class=th.optim.Adam)\"\n", "optimizer",
               "adam");
  expect_field("a2c", "  policy_kwargs: \"dict(optimizer_kwargs=dict(eps=1e-4, alpha=0.9))\"\n",
               "epsilon", "0.0001");
  expect_field("ppo", "  policy_kwargs: \"dict(optimizer_kwargs=dict(betas=(0.5, 0.9)))\"\n",
               "adam_beta1", "0.5");
  expect_same("ppo", "  policy_kwargs: null\n");
  expect_same("ppo", "  policy_kwargs: \"dict(share_features_extractor=False, full_std=True)\"\n");
}

static void normalize(void **state) {
  (void)state;
  expect_field("ppo", "  normalize: true\n", "normalize_observation", "true");
  expect_field("ppo", "  normalize: true\n", "normalize_reward", "true");
  expect_field("ppo", "  normalize: \"dict(norm_obs=True, norm_reward=False)\"\n",
               "normalize_observation", "true");
  expect_field("ppo", "  normalize: \"{'norm_obs': False, 'norm_reward': True}\"\n",
               "normalize_reward", "true");
  expect_field("ppo", "  normalize: {clip_obs: 5.0}\n", "clip_observation", "5");
  expect_field("ppo", "  normalize: {clip_reward: 5.0}\n", "clip_reward", "5");
  expect_field("ppo", "  normalize: \"dict(gamma=0.5)\"\n  gamma: 0.9\n", "gamma", "0.9");
  expect_same("ppo", "  normalize: false\n");
  expect_same("ppo", "  normalize: \"dict(norm_obs=False, norm_reward=False, gamma=0.99)\"\n");
  expect_refused("ppo", "  normalize: \"dict(gamma=0.5)\"\n", CEL_E_UNSUPPORTED, "0.99");
  expect_refused("ppo", "  normalize: \"dict(epsilon=1e-4)\"\n", CEL_E_UNSUPPORTED, "1e-8");
  expect_refused("ppo", "  normalize: \"dict(norm_ob=True)\"\n", CEL_E_UNSUPPORTED, "norm_obs");
  expect_refused("ppo", "  normalize: 3\n", CEL_E_TYPE, "must be true, false or");
}

static void refusals(void **state) {
  (void)state;
  static const struct {
    const char *algo, *settings;
    CelStatus status;
    const char *part;
  } cases[] = {
      {"ppo", "  gae_lamda: 0.9\n", CEL_E_NAME,
       "ppo has no such setting; did you mean \"gae_lambda\""},
      {"sac", "  gae_lambda: 0.9\n", CEL_E_NAME, "sac has no such setting"},
      {"ppo", "  n_timestep: 1e6\n", CEL_E_NAME, "did you mean \"n_timesteps\""},
      {"ppo", "  gamma: 2\n", CEL_E_RANGE, "gamma: 2 is out of range"},
      {"ppo", "  gamma: high\n", CEL_E_TYPE, "is not a number"},
      {"ppo", "  gamma: [1]\n", CEL_E_TYPE, "must be a single value, not a list"},
      {"ppo", "  gamma: {a: 1}\n", CEL_E_TYPE, "must be a single value, not a mapping"},
      {"ppo", "  gamma:\n", CEL_E_TYPE, "the value is missing"},
      {"ppo", "  n_timesteps: 1.5\n", CEL_E_TYPE, "steps"},
      {"ppo", "  policy: CnnPolicy\n", CEL_E_UNSUPPORTED, "images"},
      {"ppo", "  policy: my.Policy\n", CEL_E_UNSUPPORTED, "my.Policy is not supported"},
      {"ppo", "  frame_stack: 4\n", CEL_E_UNSUPPORTED, "frame_stack"},
      {"ppo", "  env_wrapper: gymnasium.wrappers.TimeLimit\n", CEL_E_UNSUPPORTED, "TimeLimit"},
      {"ppo", "  env_wrapper: [a.FrameSkip, b.FrameSkip]\n", CEL_E_UNSUPPORTED,
       "only one FrameSkip"},
      {"ppo", "  env_wrapper: [{a.FrameSkip: {skp: 2}}]\n", CEL_E_UNSUPPORTED, "only the argument"},
      {"ppo", "  callback: [x.Callback]\n", CEL_E_UNSUPPORTED, "callbacks"},
      {"ppo", "  vec_env_wrapper: x.W\n", CEL_E_UNSUPPORTED, "wrappers of vector environments"},
      {"ppo", "  monitor_kwargs: \"dict(a=1)\"\n", CEL_E_UNSUPPORTED, "Monitor"},
      {"ppo", "  device: cuda\n", CEL_E_UNSUPPORTED, "only cpu and auto"},
      {"ppo", "  env_kwargs: {gravity: 1}\n", CEL_E_NAME, "env.gravity"},
      {"ppo", "  optimize_memory_usage: True\n", CEL_E_NAME, "optimize_memory_usage"},
      {"trpo", "  sub_sampling_factor: 2\n", CEL_E_UNSUPPORTED, "only 1"},
      {"sac", "  train_freq: [1, \"episode\"]\n", CEL_E_UNSUPPORTED, "between episodes"},
      {"sac", "  train_freq: [1, \"day\"]\n", CEL_E_TYPE, "\"day\" is not step or episode"},
      {"sac", "  train_freq: [1]\n", CEL_E_TYPE, "must be a number or [number, \"step\"]"},
      {"sac", "  use_sde: 1\n", CEL_E_TYPE, "must be true or false"},
      {"sac", "  use_sde: True\n  noise_type: normal\n  noise_std: 1\n", CEL_E_UNSUPPORTED,
       "cannot be combined"},
      {"sac", "  noise_type: normal\n", CEL_E_ARGUMENT, "noise_std is missing"},
      {"sac", "  noise_std: 1\n", CEL_E_UNSUPPORTED, "no effect without noise_type"},
      {"sac", "  noise_type: pink\n  noise_std: 1\n", CEL_E_RANGE, "\"pink\" is not normal"},
      {"a2c", "  use_rms_prop: False\n  rms_prop_eps: 1e-4\n", CEL_E_UNSUPPORTED, "no effect"},
      {"sac", "  replay_buffer_class: HerReplayBuffer\n", CEL_E_UNSUPPORTED, "HerReplayBuffer"},
      {"sac", "  replay_buffer_kwargs: \"dict(handle_timeout_termination=False)\"\n",
       CEL_E_UNSUPPORTED, "only True"},
      {"sac", "  replay_buffer_kwargs: \"dict(n_sampled_goal=4)\"\n", CEL_E_UNSUPPORTED,
       "n_sampled_goal has no counterpart"},
      {"ppo", "  policy_kwargs: \"dict(net_arch=[64, dict(pi=[64], vf=[64])])\"\n",
       CEL_E_UNSUPPORTED, "share"},
      {"ppo", "  policy_kwargs: \"dict(net_arch=dict(pi=[64]))\"\n", CEL_E_UNSUPPORTED,
       "pi and vf"},
      {"ppo", "  policy_kwargs: \"dict(net_arch=['a'])\"\n", CEL_E_TYPE, "list of whole numbers"},
      {"ppo", "  policy_kwargs: \"dict(net_arch=5)\"\n", CEL_E_TYPE, "must be a list or dict"},
      {"ppo", "  policy_kwargs: \"dict(activation_fn=nn.ELU)\"\n", CEL_E_UNSUPPORTED, "nn.ELU"},
      {"ppo", "  policy_kwargs: \"dict(ortho=False)\"\n", CEL_E_UNSUPPORTED, "ortho_init"},
      {"ppo", "  policy_kwargs: \"dict(full_std=False)\"\n", CEL_E_UNSUPPORTED, "only True"},
      {"ppo", "  policy_kwargs: \"dict(n_critics=1)\"\n", CEL_E_NAME, "no field \"n_critics\""},
      {"ppo", "  policy_kwargs: \"dict(log_std_init=foo())\"\n", CEL_E_FORMAT, "character 19"},
      {"ppo", "  policy_kwargs: \"[1]\"\n", CEL_E_TYPE, "must be a mapping"},
      {"sac", "  policy_kwargs: \"dict(ortho_init=True)\"\n", CEL_E_UNSUPPORTED, "orthogonal"},
      {"ppo", "  policy_kwargs: \"dict(optimizer_class=RMSpropTFLike)\"\n", CEL_E_UNSUPPORTED,
       "RMSpropTFLike is not supported"},
      {"ppo", "  policy_kwargs: \"dict(optimizer_kwargs=dict(weight_decay=1e-4))\"\n",
       CEL_E_UNSUPPORTED, "AdamW"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    expect_refused(cases[i].algo, cases[i].settings, cases[i].status, cases[i].part);
}

static void entries(void **state) {
  (void)state;
  CelZoo *zoo = open_text("default: {gamma: 0.5}\nCartPole-v1: {gamma: 0.6}\nbroken: 3\n");
  CelSetup *setup = make("ppo");
  int64_t i;
  OK(cel_zoo_find(zoo, "CartPole-v1", &i));
  assert_int_equal(i, 1);
  OK(cel_zoo_find(zoo, "CartPole-v2", &i));
  assert_int_equal(i, 0);
  assert_string_equal(cel_zoo_entry(zoo, 2), "broken");
  assert_null(cel_zoo_entry(zoo, 3));
  assert_null(cel_zoo_entry(zoo, -1));
  FAILS(cel_zoo_apply(zoo, 2, setup), CEL_E_TYPE, "broken: the value must be a mapping");
  FAILS(cel_zoo_apply(zoo, 3, setup), CEL_E_RANGE, "no entry 3; the file has 3");
  FAILS(cel_zoo_apply(zoo, -1, setup), CEL_E_RANGE, "no entry -1");
  cel_zoo_close(zoo);
  zoo = open_text("CartPole-v1: {}\n");
  FAILS(cel_zoo_find(zoo, "CartPole-v2", &i), CEL_E_NAME, "did you mean \"CartPole-v1\"");
  cel_zoo_close(zoo);
  FAILS(cel_zoo_open("missing.yml", &zoo), CEL_E_IO, "missing.yml");
  assert_null(zoo);
  write_text("one.yml", "a: {gamma: 0.7}\n");
  OK(cel_zoo_open("one.yml", &zoo));
  OK(cel_zoo_apply(zoo, 0, setup));
  char text[64];
  cel_setup_get(setup, "gamma", text, sizeof text);
  assert_string_equal(text, "0.7");
  cel_zoo_close(zoo);
  cel_zoo_close(NULL);
  cel_setup_destroy(setup);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scalars),       cmocka_unit_test(anchors_and_merges),
      cmocka_unit_test(yaml_errors),   cmocka_unit_test(hostile_files),
      cmocka_unit_test(literals),      cmocka_unit_test(general_settings),
      cmocka_unit_test(policy_kwargs), cmocka_unit_test(normalize),
      cmocka_unit_test(refusals),      cmocka_unit_test(entries),
  };
  return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
