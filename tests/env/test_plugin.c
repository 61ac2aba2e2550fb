/// Environments in shared objects: a valid one, and every kind of invalid one.
#include "env_test.h"
#include <unistd.h>

static void a_shared_object_is_an_environment(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec(PLUGIN ":Walk", "stride=2 max_episode_steps=5");
  assert_string_equal(spec->type->id, "Walk");
  assert_int_equal(spec->max_episode_steps, 5);
  Fleet *fleet = make_fleet(spec, 2, 3, 0);
  assert_ok(cel_vecenv_reset(&fleet->env));
  const double start = fleet->env.states[0];
  const int32_t actions[2] = {1, 0};
  assert_ok(cel_vecenv_step(&fleet->env, actions, 0, 2));
  assert_true(fleet->env.states[0] == start + 2.0);
  assert_true(fleet->env.reward[0] == (float)(start + 2.0));
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void a_type_outlives_find(void **state) {
  (void)state;
  const CelEnvType *type;
  assert_ok(cel_env_find(PLUGIN ":Walk", &type));
  assert_string_equal(type->doc, "a walk on a line");
}

/// A file name without a slash means a file in the working directory.
static void a_file_of_the_working_directory(void **state) {
  (void)state;
  char folder[512], old[512];
  snprintf(folder, sizeof folder, "%s", PLUGIN);
  *strrchr(folder, '/') = 0;
  assert_non_null(getcwd(old, sizeof old));
  assert_int_equal(chdir(folder), 0);
  const CelEnvType *type;
  CelStatus status = cel_env_find("plugin.so:Walk", &type);
  assert_int_equal(chdir(old), 0);
  assert_int_equal(status, CEL_OK);
}

static void refusals(void **state) {
  (void)state;
  const CelEnvType *type = NULL;
  CelEnvSpec *spec = NULL;
  assert_fails(cel_env_find(PLUGIN ":Run", &type), CEL_E_NAME,
               "plugin.so|Run|const CelEnvType *Run(void)");
  assert_fails(cel_env_find(PLUGIN ":", &type), CEL_E_NAME, "FILE.so:Name");
  assert_fails(cel_env_find("./nowhere.so:Walk", &type), CEL_E_IO, "nowhere.so");
  assert_fails(cel_env_find(CELSIUS_TEST_DIR "/env/plugin.c:Walk", &type), CEL_E_IO, "plugin.c");
  assert_fails(cel_env_find(PLUGIN ":OldWalk", &type), CEL_E_UNSUPPORTED,
               "OldWalk|version 2|version 1");
  assert_fails(cel_env_find(PLUGIN ":StillWalk", &type), CEL_E_ARGUMENT, "StillWalk|step");
  assert_fails(cel_env_find(PLUGIN ":NoWalk", &type), CEL_E_ENV, "NoWalk|NULL");
  assert_fails(cel_env_spec_create(&spec, PLUGIN ":OldWalk", NULL, NULL), CEL_E_UNSUPPORTED,
               "version");
  assert_null(type);
  assert_null(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_shared_object_is_an_environment),
      cmocka_unit_test(a_type_outlives_find),
      cmocka_unit_test(a_file_of_the_working_directory),
      cmocka_unit_test(refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
