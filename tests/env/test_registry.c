/// The registry: types by name, arguments, required parts of a type.
#include "env_test.h"

static CelStatus plain_open(CelEnvSpec *spec) {
  spec->observation = cel_space_box(1, -1, 1);
  spec->action = cel_space_discrete(2);
  spec->state_size = 1;
  return CEL_OK;
}

static CelStatus plain_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec, (void)rng;
  state[0] = 0.0;
  *(float *)obs = 0.0f;
  return CEL_OK;
}

static CelStatus plain_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                            void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)spec, (void)states, (void)actions, (void)rng;
  for (int64_t i = 0; i < n; i++) {
    ((float *)obs)[i] = reward[i] = 0.0f;
    terminated[i] = 0;
  }
  return CEL_OK;
}

static const CelEnvType plain = {.abi = CEL_ENV_ABI,
                                 .id = "Plain",
                                 .doc = "nothing happens",
                                 .open = plain_open,
                                 .reset = plain_reset,
                                 .step = plain_step};

static void built_in_types(void **state) {
  (void)state;
  static const char *const ids[] = {
      "CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1",
      "LQR-v0",      "mdp"};
  for (int i = 0; i < 7; i++) {
    const CelEnvType *type;
    assert_ok(cel_env_find(ids[i], &type));
    assert_string_equal(type->id, ids[i]);
    assert_ptr_equal(cel_env_type_at(i), type);
    assert_ok(cel_fields_check_table(type->fields));
  }
  assert_null(cel_env_type_at(-1));
  assert_null(cel_env_type_at(100000));
}

static void unknown_names(void **state) {
  (void)state;
  const CelEnvType *type;
  assert_fails(cel_env_find("Pendulum-v0", &type), CEL_E_NAME, "Pendulum-v0|'Pendulum-v1'");
  assert_fails(cel_env_find("cartpole", &type), CEL_E_NAME, "'CartPole-v1'");
  assert_fails(cel_env_find("zzzzzzzzzz", &type), CEL_E_NAME, "zzz|FILE.so:Name");
  assert_fails(cel_env_find("", &type), CEL_E_ARGUMENT, "name is empty");
}

static void registering(void **state) {
  (void)state;
  assert_ok(cel_env_register(&plain));
  CelEnvSpec *spec = make_spec("Plain", "max_episode_steps=3");
  assert_ptr_equal(spec->type, &plain);
  cel_env_spec_destroy(spec);
  assert_fails(cel_env_register(&plain), CEL_E_NAME, "Plain|already");
  CelEnvType other = plain;
  other.id = "Pendulum-v1";
  assert_fails(cel_env_register(&other), CEL_E_NAME, "Pendulum-v1|already");
}

/// Registers more types than the initial capacity of the list.
static void registering_many(void **state) {
  (void)state;
  static CelEnvType many[40];
  static char ids[40][16];
  for (int i = 0; i < 40; i++) {
    snprintf(ids[i], sizeof ids[i], "Many-%d", i);
    many[i] = plain;
    many[i].id = ids[i];
    assert_ok(cel_env_register(&many[i]));
  }
  const CelEnvType *type;
  assert_ok(cel_env_find("Many-0", &type));
  assert_ptr_equal(type, &many[0]);
  assert_ok(cel_env_find("Many-39", &type));
}

static void incomplete_types(void **state) {
  (void)state;
  // clang-format off
  static const CelField taken[] = {
      {.name = "max_episode_steps", .type = CEL_FIELD_INT, .def = "1", .min = 0, .max = 9,
       .doc = "a field"},
      {0},
  };
  // clang-format on
  // clang-format off
  static const CelField outside[] = {
      {.name = "x", .type = CEL_FIELD_INT, .offset = 8, .def = "1", .min = 0, .max = 9,
       .doc = "a field"},
      {0},
  };
  // clang-format on
  // clang-format off
  static const CelField too_long[] = {
      {.name = "path", .type = CEL_FIELD_PATH, .def = "",
       .doc = "a field"},
      {0},
  };
  // clang-format on
  // clang-format off
  static const CelField wrong[] = {
      {.name = "x", .type = CEL_FIELD_INT, .def = "10", .min = 0, .max = 9,
       .doc = "a field"},
      {0},
  };
  // clang-format on
  CelEnvType type = plain;
  type.id = "Other";
  type.abi = 99;
  assert_fails(cel_env_register(&type), CEL_E_UNSUPPORTED, "version 99");
  type.abi = CEL_ENV_ABI;
  type.reset = NULL;
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "Other|reset");
  type.reset = plain_reset;
  type.config_size = 8;
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "config_size and fields");
  type.fields = taken;
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "max_episode_steps is reserved");
  type.fields = outside;
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "field x|config_size");
  type.fields = too_long;
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "field path|config_size");
  type.fields = wrong;
  assert_fails(cel_env_register(&type), CEL_E_RANGE, "Other|x");
  type = plain;
  type.id = "a.so:B";
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "FILE.so:Name");
  type.id = "";
  assert_fails(cel_env_register(&type), CEL_E_ARGUMENT, "id");
  assert_fails(cel_env_register(NULL), CEL_E_ARGUMENT, "type");
}

static int closed;
static void count_close(CelEnvSpec *spec) {
  (void)spec;
  closed++;
}

static CelStatus bad_space_open(CelEnvSpec *spec) {
  if (plain_open(spec) != CEL_OK) return CEL_E_ENV;
  spec->action = cel_space_box(1, 2.0, 1.0);
  return CEL_OK;
}

static CelStatus refusing_open(CelEnvSpec *spec) {
  (void)spec;
  return cel_fail(CEL_E_ENV, "the motor is off");
}

static void open_that_fails(void **state) {
  (void)state;
  static CelEnvType bad_space, refusing;
  bad_space = refusing = plain;
  bad_space.id = "BadSpace";
  bad_space.open = bad_space_open;
  bad_space.close = refusing.close = count_close;
  refusing.id = "Refusing";
  refusing.open = refusing_open;
  assert_ok(cel_env_register(&bad_space));
  assert_ok(cel_env_register(&refusing));
  CelEnvSpec *spec = NULL;
  assert_fails(cel_env_spec_create(&spec, "BadSpace", NULL, NULL), CEL_E_RANGE,
               "BadSpace|action space|[2, 1]");
  assert_int_equal(closed, 1); // close is called after a successful open
  assert_fails(cel_env_spec_create(&spec, "Refusing", NULL, NULL), CEL_E_ENV,
               "Refusing|the motor is off");
  assert_int_equal(closed, 1); // close is not called after a failed open
  assert_null(spec);
}

static void bad_arguments(void **state) {
  (void)state;
  CelEnvSpec *spec = NULL;
  CelEnvOptions options = {.max_episode_steps = -2, .action_repeat = 1};
  assert_fails(cel_env_spec_create(&spec, "Pendulum-v1", NULL, &options), CEL_E_RANGE,
               "Pendulum-v1|max_episode_steps");
  options = (CelEnvOptions){.max_episode_steps = -1, .action_repeat = 0};
  assert_fails(cel_env_spec_create(&spec, "Pendulum-v1", NULL, &options), CEL_E_RANGE,
               "action_repeat");
  const CelEnvType *type;
  assert_ok(cel_env_find("CartPole-v1", &type));
  void *config = calloc(1, type->config_size);
  cel_fields_default(type->fields, config);
  assert_fails(cel_fields_set(type->fields, config, "masspole", "-1"), CEL_E_RANGE, "masspole");
  assert_ok(cel_fields_set(type->fields, config, "start_low", "1"));
  assert_fails(cel_env_spec_create(&spec, "CartPole-v1", config, NULL), CEL_E_RANGE,
               "CartPole-v1|start_low");
  assert_ok(cel_fields_set(type->fields, config, "start_high", "1"));
  const CelField *length = cel_fields_find(type->fields, "length");
  *(double *)(void *)((char *)config + length->offset) = (double)NAN;
  assert_fails(cel_env_spec_create(&spec, "CartPole-v1", config, NULL), CEL_E_RANGE, "length");
  free(config);
  assert_null(spec);
  cel_env_spec_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(built_in_types),   cmocka_unit_test(unknown_names),
      cmocka_unit_test(registering),      cmocka_unit_test(registering_many),
      cmocka_unit_test(incomplete_types), cmocka_unit_test(open_that_fails),
      cmocka_unit_test(bad_arguments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
