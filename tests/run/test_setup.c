/// Setups: three tables behind one set of names, written to and read from a file; presets.
#include "run_test.h"

#include "run/config.h"

static CelSetup *make(void) {
  CelSetup *setup = NULL;
  OK(cel_setup_create(&setup, "sac", "Pendulum-v1"));
  return setup;
}

static void expect(const CelSetup *setup, const char *name, const char *value) {
  char text[CEL_PATH_MAX];
  if (cel_setup_get(setup, name, text, sizeof text) < 0) fail_msg("there is no field %s", name);
  assert_string_equal(text, value);
}

static void names_reach_all_tables(void **state) {
  (void)state;
  CelSetup *setup = make();
  OK(cel_setup_set(setup, "steps", "1234"));
  OK(cel_setup_set(setup, "batch-size", "17"));
  OK(cel_setup_set(setup, "env.action_repeat", "3"));
  OK(cel_setup_set(setup, "env.max-episode-steps", "50"));
  assert_int_equal(setup->run.steps, 1234);
  assert_int_equal(((const CelSacConfig *)setup->algo_config)->common.batch_size, 17);
  assert_int_equal(celi_setup_env_options(setup)->action_repeat, 3);
  assert_int_equal(celi_setup_env_options(setup)->max_episode_steps, 50);
  assert_non_null(cel_setup_find(setup, "learning_rate"));
  assert_null(cel_setup_find(setup, "action_repeat"));
  cel_setup_destroy(setup);
}

static void own_arguments_come_after_the_shared(void **state) {
  (void)state;
  CelSetup *setup = make();
  const CelField *own = setup->env->fields;
  if (!own) fail_msg("Pendulum-v1 has no arguments, so the test needs another environment");
  char name[160], before[64];
  snprintf(name, sizeof name, "env.%s", own->name);
  assert_true(cel_setup_get(setup, name, before, sizeof before) > 0);
  char direct[64];
  cel_fields_get(own, celi_setup_env_config(setup), own->name, direct, sizeof direct);
  assert_string_equal(before, direct);
  cel_setup_destroy(setup);
}

static void wrong_names_and_values(void **state) {
  (void)state;
  CelSetup *setup = make(), *none = NULL;
  FAILS(cel_setup_set(setup, "bach_size", "1"), CEL_E_NAME, "batch_size");
  FAILS(cel_setup_set(setup, "stepz", "1"), CEL_E_NAME, "steps");
  FAILS(cel_setup_set(setup, "env.action_repat", "1"), CEL_E_NAME, "env.action_repeat");
  FAILS(cel_setup_set(setup, "steps", "0"), CEL_E_RANGE, "steps");
  FAILS(cel_setup_set(setup, "steps", "many"), CEL_E_TYPE, "steps");
  FAILS(cel_setup_set(setup, "env", "CartPole-v1"), CEL_E_STATE, "env");
  FAILS(cel_setup_create(&none, "sacc", "Pendulum-v1"), CEL_E_NAME, "sac");
  FAILS(cel_setup_create(&none, "sac", "Pendulum-v2"), CEL_E_NAME, "Pendulum-v1");
  assert_null(none);
  cel_setup_destroy(setup);
}

static void a_file_restores_everything(void **state) {
  (void)state;
  CelSetup *setup = make(), *again = NULL;
  OK(cel_setup_set(setup, "seed", "18446744073709551615"));
  OK(cel_setup_set(setup, "learning_rate", "lin_0.1"));
  OK(cel_setup_set(setup, "net_arch", "3,5,7"));
  OK(cel_setup_set(setup, "ent_coef", "0.3"));
  OK(cel_setup_set(setup, "env.action_repeat", "2"));
  OK(cel_setup_write(setup, "config.yaml"));
  OK(celi_setup_open("config.yaml", &again));
  expect(again, "seed", "18446744073709551615");
  expect(again, "learning_rate", "lin_0.1");
  expect(again, "ent_coef", "0.3");
  expect(again, "env.action_repeat", "2");
  CeliText one = {0}, two = {0};
  celi_setup_identity(setup, &one);
  celi_setup_identity(again, &two);
  assert_string_equal(one.data, two.data);
  celi_text_free(&one);
  celi_text_free(&two);
  cel_setup_destroy(again);
  cel_setup_destroy(setup);
}

static void identity_covers_what_matters(void **state) {
  (void)state;
  const struct {
    const char *name, *value;
    bool matters;
  } rows[] = {{"steps", "7", false},    {"threads", "2", false},  {"log_every", "7", false},
              {"keep", "7", false},     {"seed", "7", true},      {"n_envs", "2", true},
              {"gamma", "0.5", true},   {"net_arch", "8", true},  {"env.action_repeat", "2", true},
              {"out", "/a/b/c", false}, {"use_sde", "true", true}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    CelSetup *plain = make(), *changed = make();
    CeliText one = {0}, two = {0};
    OK(cel_setup_set(changed, rows[i].name, rows[i].value));
    celi_setup_identity(plain, &one);
    celi_setup_identity(changed, &two);
    if ((strcmp(one.data, two.data) != 0) != rows[i].matters)
      fail_msg("%s should %schange the identity", rows[i].name, rows[i].matters ? "" : "not ");
    assert_null(strstr(one.data, "use_sde")); // newer than the first runs, which must resume
    celi_text_free(&one);
    celi_text_free(&two);
    cel_setup_destroy(plain);
    cel_setup_destroy(changed);
  }
  assert_string_equal(celi_env_short_id("./a/b/my.so:Robot"), "my.so:Robot");
  assert_string_equal(celi_env_short_id("Pendulum-v1"), "Pendulum-v1");
}

static void files_with_mistakes(void **state) {
  (void)state;
  CelSetup *setup = make(), *opened = NULL;
  write_text("a.yaml", "steps: 100\nsac:\n  batch_sise: 3\n");
  FAILS(cel_setup_read(setup, "a.yaml"), CEL_E_NAME, "batch_size");
  assert_non_null(strstr(cel_error(), "a.yaml"));
  assert_int_not_equal(setup->run.steps, 100); // a refused file changes nothing
  write_text("b.yaml", "steps: 100\n");
  FAILS(celi_setup_open("b.yaml", &opened), CEL_E_FORMAT, "algo");
  write_text("c.yaml", "algo: sac\nenv: Pendulun-v1\n");
  FAILS(celi_setup_open("c.yaml", &opened), CEL_E_NAME, "Pendulum-v1");
  FAILS(cel_setup_read(setup, "none.yaml"), CEL_E_IO, "none.yaml");
  write_text("d.yaml", "env: CartPole-v1\nsteps: 100\n");
  OK(cel_setup_read(setup, "d.yaml")); // algorithm and environment stay
  assert_string_equal(setup->run.env, "Pendulum-v1");
  assert_int_equal(setup->run.steps, 100);
  cel_setup_destroy(setup);
}

/// The problem of a generator has the preset of its id.
static void presets_of_finite_problems(void **state) {
  (void)state;
  static const char *const found[][2] = {{"taxi", "Taxi-v3"}, {"frozenlake_4x4", "FrozenLake-v1"}};
  CelSetup *setup, *by_id;
  for (int i = 0; i < 2; i++) {
    CelSqlConfig fresh = cel_sql_config_default();
    OK(cel_setup_create(&setup, "sql", "mdp"));
    OK(cel_setup_set(setup, "env.generator", found[i][0]));
    OK(cel_setup_preset(setup, "auto"));
    OK(cel_setup_create(&by_id, "sql", found[i][1]));
    OK(cel_setup_preset(by_id, "auto"));
    assert_memory_equal(setup->algo_config, by_id->algo_config, sizeof fresh);
    assert_int_equal(setup->run.steps, by_id->run.steps);
    assert_memory_not_equal(setup->algo_config, &fresh, sizeof fresh);
    cel_setup_destroy(setup);
    cel_setup_destroy(by_id);
  }
  OK(cel_setup_create(&setup, "sql", "mdp"));
  OK(cel_setup_set(setup, "env.generator", "grid"));
  FAILS(cel_setup_preset(setup, "auto"), CEL_E_NAME, "no preset 'mdp'");
  OK(cel_setup_set(setup, "env.generator", "taxi"));
  OK(cel_setup_set(setup, "env.file", "x.json"));
  FAILS(cel_setup_preset(setup, "auto"), CEL_E_NAME, "no preset 'mdp'");
  cel_setup_destroy(setup);
}

/// Whether a preset is a method, for any environment.
static bool is_method(const char *name) {
  static const char *const methods[] = {"tqc",  "ddpg", "crossq",    "crossq-small", "droq",
                                        "redq", "xqc",  "xqc-small", "simba"};
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
    if (strcmp(name, methods[i]) == 0) return true;
  return false;
}

/// Presets of MuJoCo's tasks are read by tests/mujoco/test_engine.c: this test has no plug-in.
static void every_preset_reads(void **state) {
  (void)state;
  int n = 0, read = 0;
  for (; cel_preset_at(n); n++) {
    const CelPreset *preset = cel_preset_at(n);
    CelSetup *setup = NULL;
    const bool method = is_method(preset->name);
    assert_true(strlen(preset->doc) > 10);
    const CelStatus status =
        cel_setup_create(&setup, preset->algo, method ? "Pendulum-v1" : preset->name);
    if (status == CEL_E_UNSUPPORTED && strstr(cel_error(), "needs mujoco")) continue;
    OK(status);
    OK(cel_setup_preset(setup, method ? preset->name : "auto"));
    cel_setup_destroy(setup);
    read++;
  }
  assert_true(read >= 25);
  assert_null(cel_preset_at(-1));
  CelSetup *setup = make();
  FAILS(cel_setup_preset(setup, "Pendulum-v2"), CEL_E_NAME, "Pendulum-v1");
  cel_setup_destroy(setup);
}

static void presets_follow_each_other(void **state) {
  (void)state;
  CelSetup *setup = make();
  char text[64];
  OK(cel_setup_preset(setup, "auto,tqc"));
  assert_true(cel_setup_get(setup, "critic", text, sizeof text) > 0);
  assert_string_equal(text, "quantile");
  assert_true(cel_setup_get(setup, "tau", text, sizeof text) > 0);
  assert_string_equal(text, "0.01"); // of Pendulum-v1
  FAILS(cel_setup_preset(setup, "tqc,"), CEL_E_NAME, "no preset ''");
  FAILS(cel_setup_preset(setup, "tqc,tqd"), CEL_E_NAME, "did you mean 'tqc'");
  cel_setup_destroy(setup);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names_reach_all_tables),
                                     cmocka_unit_test(own_arguments_come_after_the_shared),
                                     cmocka_unit_test(wrong_names_and_values),
                                     cmocka_unit_test(a_file_restores_everything),
                                     cmocka_unit_test(identity_covers_what_matters),
                                     cmocka_unit_test(files_with_mistakes),
                                     cmocka_unit_test(presets_of_finite_problems),
                                     cmocka_unit_test(presets_follow_each_other),
                                     cmocka_unit_test(every_preset_reads)};
  return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
