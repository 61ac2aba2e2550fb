/// Field tables: defaults, conversion from and to text, checks, error messages.
#include "base/field.h"
#include "base_test.h"
#include <limits.h>
#include <math.h>

typedef struct Motor {
  double gravity;
  int64_t poles;
} Motor;

typedef struct Outer {
  bool first;
  Motor motor;
} Outer;

typedef struct Config {
  bool flag;
  int64_t steps;
  uint64_t seed;
  double rate, bound, any, missing;
  int32_t activation;
  char id[CEL_TEXT_MAX];
  char file[CEL_PATH_MAX];
  CelIntList widths;
  CelSchedule schedule;
  double entropy;
  CelInterval height, push;
  Outer outer;
} Config;

static const CelField motor_table[] = {{.name = "gravity",
                                        .type = CEL_FIELD_DOUBLE,
                                        .offset = offsetof(Motor, gravity),
                                        .def = "9.8",
                                        .max = 20,
                                        .unit = "m/s^2",
                                        .doc = "Pull"},
                                       {.name = "poles",
                                        .type = CEL_FIELD_INT,
                                        .offset = offsetof(Motor, poles),
                                        .def = "2",
                                        .doc = "n"},
                                       {0}};
static const CelField outer_table[] = {
    {.name = "first", .type = CEL_FIELD_BOOL, .offset = offsetof(Outer, first), .doc = "f"},
    {.name = "motor",
     .type = CEL_FIELD_GROUP,
     .offset = offsetof(Outer, motor),
     .group = motor_table,
     .doc = "m"},
    {0}};
#define FIELD(n, t) .name = #n, .type = t, .offset = offsetof(Config, n), .doc = #n
static const CelField table[] = {
    {FIELD(flag, CEL_FIELD_BOOL), .def = "true"},
    {FIELD(steps, CEL_FIELD_INT), .def = "1e6", .min = -5, .max = 1e9, .unit = "steps"},
    {FIELD(seed, CEL_FIELD_U64), .def = "1"},
    {FIELD(rate, CEL_FIELD_DOUBLE), .def = "3e-4", .min = 0, .max = 1},
    {FIELD(bound, CEL_FIELD_DOUBLE), .def = "inf", .min = 0, .max = (double)INFINITY},
    {FIELD(any, CEL_FIELD_DOUBLE), .def = "0"},
    {FIELD(missing, CEL_FIELD_DOUBLE), .def = "nan"},
    {FIELD(activation, CEL_FIELD_ENUM), .def = "tanh", .choices = "relu|tanh|silu"},
    {FIELD(id, CEL_FIELD_STRING), .def = "Pendulum-v1"},
    {FIELD(file, CEL_FIELD_PATH)},
    {FIELD(widths, CEL_FIELD_INT_LIST), .def = "256,256", .min = 1, .max = 4096},
    {FIELD(schedule, CEL_FIELD_SCHEDULE), .def = "lin_1e-3", .min = 0, .max = 1},
    {FIELD(entropy, CEL_FIELD_AUTO), .def = "auto", .min = -100, .max = 100},
    {FIELD(height, CEL_FIELD_INTERVAL), .def = "0.5,inf", .min = 0, .max = 10},
    {FIELD(push, CEL_FIELD_INTERVAL), .def = "-1,1", .min = -2, .max = 2},
    {FIELD(outer, CEL_FIELD_GROUP), .group = outer_table},
    {0}};

static Config new_config(void) {
  Config config;
  memset(&config, 0xa5, sizeof config);
  cel_fields_default(table, &config);
  return config;
}

static void check_text(const Config *config, const char *name, const char *text) {
  char got[CEL_PATH_MAX];
  int n = cel_fields_get(table, config, name, got, sizeof got);
  assert_int_equal(n, strlen(text));
  assert_string_equal(got, text);
}

static void defaults_come_from_the_table(void **state) {
  (void)state;
  assert_ok(cel_fields_check_table(table));
  Config config = new_config();
  assert_ok(cel_fields_check(table, &config));
  assert_true(config.flag);
  assert_int_equal(config.steps, 1000000);
  assert_int_equal(config.seed, 1);
  assert_true(config.rate == 3e-4);
  assert_true(isinf(config.bound) && isnan(config.missing) && isnan(config.entropy));
  assert_int_equal(config.activation, 1);
  assert_string_equal(config.id, "Pendulum-v1");
  assert_string_equal(config.file, "");
  assert_int_equal(config.widths.n, 2);
  assert_int_equal(config.widths.v[1], 256);
  assert_int_equal(config.schedule.kind, CEL_LINEAR);
  assert_false(config.outer.first);
  assert_true(config.outer.motor.gravity == 9.8);
  assert_int_equal(celi_fields_extent(table), offsetof(Config, outer) + sizeof(Outer));
}

static void values_become_text_and_back(void **state) {
  (void)state;
  const char *const texts[][2] = {
      {"flag", "false"},
      {"steps", "-5"},
      {"seed", "18446744073709551615"},
      {"rate", "1e-9"},
      {"rate", "0.30000000000000004"},
      {"bound", "inf"},
      {"any", "-5e-324"},
      {"any", "-0"},
      {"missing", "nan"},
      {"activation", "silu"},
      {"id", "a, b: \"c\" \xc3\xa9"},
      {"id", ""},
      {"file", "/tmp/with space/x"},
      {"widths", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,4096"},
      {"widths", "[]"},
      {"schedule", "0.5"},
      {"schedule", "lin_0.0003"},
      {"entropy", "auto"},
      {"entropy", "-3.5"},
      {"height", "0.7,inf"},
      {"height", "0.1,0.30000000000000004"},
      {"push", "-2,-2"},
      {"outer.first", "true"},
      {"outer.motor.gravity", "1.625"},
  };
  Config config = new_config();
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_ok(cel_fields_set(table, &config, texts[i][0], texts[i][1]));
    check_text(&config, texts[i][0], texts[i][1]);
    assert_ok(cel_fields_check(table, &config));
  }
  assert_true(config.outer.motor.gravity == 1.625);
  char small[4] = "zzz";
  assert_int_equal(cel_fields_get(table, &config, "seed", small, sizeof small), 20);
  assert_string_equal(small, "184");
  assert_int_equal(cel_fields_get(table, &config, "seed", NULL, 0), 20);
  assert_int_equal(cel_fields_get(table, &config, "sed", small, sizeof small), -1);
  assert_int_equal(cel_fields_get(table, &config, "outer", small, sizeof small), -1);
}

static void spellings_are_accepted(void **state) {
  (void)state;
  Config config = new_config();
  const char *const yes[] = {"true", "True", "yes", "ON", "1"};
  const char *const no[] = {"false", "FALSE", "no", "off", "0"};
  for (int i = 0; i < 5; i++) {
    assert_ok(cel_fields_set(table, &config, "flag", yes[i]));
    assert_true(config.flag);
    assert_ok(cel_fields_set(table, &config, "flag", no[i]));
    assert_false(config.flag);
  }
  assert_ok(cel_fields_set(table, &config, "steps", "2.5e3"));
  assert_int_equal(config.steps, 2500);
  assert_ok(cel_fields_set(table, &config, "widths", "[64,  32 , 16]"));
  check_text(&config, "widths", "64,32,16");
  assert_ok(cel_fields_set(table, &config, "widths", ""));
  assert_int_equal(config.widths.n, 0);
  assert_ok(cel_fields_set(table, &config, "outer.motor.gravity", "1e1"));
  assert_ptr_equal(cel_fields_find(table, "outer.motor.gravity"), &motor_table[0]);
  assert_null(cel_fields_find(table, "outer.motor"
                                     ".x"));
  assert_null(cel_fields_find(table, "steps.x"));
  assert_null(cel_fields_find(table, ""));
  assert_null(cel_fields_find(table, "."));
}

typedef struct Wrong {
  const char *name, *text;
  CelStatus status;
  const char *part;
} Wrong;

// A refused value leaves the config unchanged.
static void wrong_values_are_refused(void **state) {
  (void)state;
  char text64[65], text1024[1025];
  memset(text64, 'a', 64), text64[64] = 0;
  memset(text1024, 'a', 1024), text1024[1024] = 0;
  const Wrong wrongs[] = {
      {"flag", "maybe", CEL_E_TYPE, "flag: \"maybe\" is not true or false"},
      {"flag", "", CEL_E_TYPE, "not true or false"},
      {"flag", "2", CEL_E_TYPE, "not true or false"},
      {"steps", "1.5", CEL_E_TYPE, "steps: \"1.5\" has a fraction"},
      {"steps", "ten", CEL_E_TYPE, "steps: \"ten\" is not a whole number"},
      {"steps", "", CEL_E_TYPE, "steps"},
      {"steps", "12x", CEL_E_TYPE, "\"12x\" is not"},
      {"steps", "0x10", CEL_E_TYPE, "hexadecimal; write the number in decimal"},
      {"steps", "9223372036854775808", CEL_E_RANGE, "too large for a whole number"},
      {"steps", "-6", CEL_E_RANGE, "steps: -6 is out of range; it must be -5 to 1000000000 steps"},
      {"steps", "1000000001", CEL_E_RANGE, "out of range"},
      {"steps", "inf", CEL_E_TYPE, "not a whole number"},
      {"seed", "-1", CEL_E_RANGE, "seed: -1 is negative"},
      {"seed", "18446744073709551616", CEL_E_RANGE, "too large"},
      {"rate", "-1e-9", CEL_E_RANGE, "rate: -1e-9 is out of range; it must be 0 to 1"},
      {"rate", "1.0000000000000002", CEL_E_RANGE, "1.0000000000000002 is out"},
      {"rate", "nan", CEL_E_RANGE, "value is nan; it must be finite"},
      {"rate", "1,5", CEL_E_TYPE, "not a number"},
      {"bound", "nan", CEL_E_RANGE, "finite"},
      {"any", "inf", CEL_E_RANGE, "any: the value is inf; it must be finite"},
      {"any", "-inf", CEL_E_RANGE, "value is -inf"},
      {"any", "1e309", CEL_E_RANGE, "too large"},
      {"any", "0x1p3", CEL_E_TYPE, "hexadecimal"},
      {"activation", "ReLU", CEL_E_RANGE,
       "\"ReLU\" is not one of relu|tanh|silu; did you mean \"relu\"?"},
      {"activation", "softmax", CEL_E_RANGE, "\"softmax\" is not one of relu|tanh|silu"},
      {"activation", "rel", CEL_E_RANGE, "did you mean \"relu\"?"},
      {"activation", "", CEL_E_RANGE, "not one of"},
      {"activation", "relu|tanh", CEL_E_RANGE, "not one of"},
      {"id", text64, CEL_E_RANGE, "the text has 64 bytes; the limit is 63"},
      {"id", "a\nb", CEL_E_RANGE, "control characters"},
      {"id", "a\xff", CEL_E_RANGE, "not UTF-8"},
      {"file", text1024, CEL_E_RANGE, "the text has 1024 bytes; the limit is 1023"},
      {"widths", "64,", CEL_E_TYPE, "not a list"},
      {"widths", ",64", CEL_E_TYPE, "list"},
      {"widths", "64,,64", CEL_E_TYPE, "list"},
      {"widths", "[64", CEL_E_TYPE, "not a list"},
      {"widths", "64]", CEL_E_TYPE, "not a list"},
      {"widths", "[64]x", CEL_E_TYPE, "not a list"},
      {"widths", "64 64", CEL_E_TYPE, "not a list"},
      {"widths", "64,x", CEL_E_TYPE, "\"x\" is not"},
      {"widths", "64,1.5", CEL_E_TYPE, "has a fraction"},
      {"widths", "0", CEL_E_RANGE, "widths: 0 is out of range; it must be 1 to 4096"},
      {"widths", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", CEL_E_RANGE, "more than 16"},
      {"schedule", "lin_", CEL_E_TYPE, "schedule"},
      {"schedule", "lin_2", CEL_E_RANGE, "schedule: 2 is out of range"},
      {"entropy", "automatic", CEL_E_TYPE, "\"automatic\" is not a number or auto"},
      {"schedule", "exp_1", CEL_E_TYPE, "\"exp_1\" is not a number or a schedule"},
      {"schedule", "callback", CEL_E_TYPE, "only a program can set"},
      {"schedule", "inf", CEL_E_RANGE, "finite"},
      {"entropy", "Auto", CEL_E_TYPE, "not a number"},
      {"entropy", "nan", CEL_E_RANGE, "finite"},
      {"entropy", "101", CEL_E_RANGE, "out of range"},
      {"height", "0.7", CEL_E_TYPE, "height: \"0.7\" is not an interval such as \"0.2,1\""},
      {"height", "0.7,", CEL_E_TYPE, "not an interval"},
      {"height", "1,2,3", CEL_E_TYPE, "not an interval"},
      {"height", "[1,2", CEL_E_TYPE, "not an interval"},
      {"height", "1,2]", CEL_E_TYPE, "not an interval"},
      {"height", "1 2", CEL_E_TYPE, "not an interval"},
      {"height", "a,2", CEL_E_TYPE, "not an interval"},
      {"height", "2,1", CEL_E_RANGE, "height: the interval's low end, 2, is above its high end, 1"},
      {"height", "nan,1", CEL_E_RANGE, "an end of the interval is nan"},
      {"height", "-0.5,1", CEL_E_RANGE, "height: -0.5 is out of range; it must be 0 to 10"},
      {"push", "-inf,1", CEL_E_RANGE, "push: an end of the interval is -inf; it must be finite"},
      {"push", "-1,2.5", CEL_E_RANGE, "push: 2.5 is out of range"},
      {"outer", "1", CEL_E_TYPE,
       "outer: this is a group of fields; set one of them, such as \"outer.first\""},
      {"outer.motor.gravity", "21", CEL_E_RANGE, "it must be 0 to 20 m/s^2"},
      {"outer.motor.gravty", "1", CEL_E_NAME, "did you mean \"outer.motor.gravity\"?"},
      {"gravity", "1", CEL_E_NAME, "did you mean \"outer.motor.gravity\"?"},
      {"stps", "1", CEL_E_NAME, "no field \"stps\"; did you mean \"steps\"?"},
      {"Steps", "1", CEL_E_NAME, "did you mean \"steps\"?"},
      {"schedul", "1", CEL_E_NAME, "did you mean \"schedule\"?"},
      {"xyzzy", "1", CEL_E_NAME, "the table has: flag, steps, seed"},
      {"", "1", CEL_E_NAME, "no field \"\""},
  };
  Config config = new_config(), before = config;
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    assert_fails(cel_fields_set(table, &config, wrongs[i].name, wrongs[i].text), wrongs[i].status,
                 wrongs[i].part);
    assert_memory_equal(&config, &before, sizeof config);
  }
  char name[3000];
  memset(name, 'n', sizeof name), name[2999] = 0;
  assert_status(cel_fields_set(table, &config, name, "1"), CEL_E_NAME);
  assert_null(cel_fields_nearest(table, name));
}

/// "auto_X" sets the field to "auto" and the next row to X, in a nested table too.
static void test_auto_with_a_start(void **state) {
  (void)state;
  typedef struct Learned {
    double alpha, alpha_init, beta;
  } Learned;
  typedef struct Holder {
    bool first;
    Learned inner;
  } Holder;
  // clang-format off
  static const CelField inner[] = {
      {.name = "alpha", .type = CEL_FIELD_AUTO, .offset = offsetof(Learned, alpha), .def = "auto",
       .min = 0, .max = 10,
       .doc = "alpha"},
      {.name = "alpha_init", .type = CEL_FIELD_DOUBLE, .offset = offsetof(Learned, alpha_init),
       .def = "1", .min = 0.001, .max = 10,
       .doc = "start"},
      {.name = "beta", .type = CEL_FIELD_AUTO, .offset = offsetof(Learned, beta), .def = "auto",
       .min = 0, .max = 10,
       .doc = "beta"},
      {0},
  };
  // clang-format on
  // clang-format off
  static const CelField outer[] = {
      {.name = "first", .type = CEL_FIELD_BOOL, .offset = offsetof(Holder, first), .def = "false",
       .doc = "first"},
      {.name = "inner", .type = CEL_FIELD_GROUP, .offset = offsetof(Holder, inner), .group = inner,
       .doc = "group"},
      {0},
  };
  // clang-format on
  Holder config;
  cel_fields_default(outer, &config);
  config.inner.alpha = 5;
  assert_ok(cel_fields_set(outer, &config, "inner.alpha", "auto_0.25"));
  assert_true(isnan(config.inner.alpha) && config.inner.alpha_init == 0.25);
  const char *const wrong[][2] = {
      {"auto_0", "inner.alpha: 0 is out of range; it must be 0.001 to 10"},
      {"auto_", "inner.alpha: \"\" is not a number"},
      {"auto_x", "inner.alpha: \"x\" is not a number"}};
  for (int i = 0; i < 3; i++) {
    config.inner.alpha = 5;
    assert_int_not_equal(cel_fields_set(outer, &config, "inner.alpha", wrong[i][0]), CEL_OK);
    if (!strstr(cel_error(), wrong[i][1])) fail_msg("%s", cel_error());
    assert_true(config.inner.alpha == 5 && config.inner.alpha_init == 0.25);
  }
  assert_int_equal(cel_fields_set(outer, &config, "inner.beta", "auto_0.25"), CEL_E_TYPE);
  assert_ptr_equal(cel_field_start(&inner[0]), &inner[1]);
  assert_null(cel_field_start(&inner[1]));
  assert_null(cel_field_start(&inner[2]));
}

static void configs_filled_by_code_are_checked(void **state) {
  (void)state;
  Config good = new_config(), config = good;
#define BREAK(change, status, part)                                                                \
  config = good;                                                                                   \
  change;                                                                                          \
  assert_fails(cel_fields_check(table, &config), status, part)
  unsigned char two = 2;
  BREAK(memcpy(&config.flag, &two, 1), CEL_E_RANGE, "flag: the value must be true or false");
  BREAK(config.steps = -6, CEL_E_RANGE, "steps: -6 is out of range");
  BREAK(config.rate = (double)NAN, CEL_E_RANGE, "rate: the value is nan");
  BREAK(config.any = (double)INFINITY, CEL_E_RANGE, "any: the value is inf");
  BREAK(config.activation = 3, CEL_E_RANGE,
        "activation: the value is 3, which is not an index into relu|tanh");
  BREAK(config.activation = -1, CEL_E_RANGE, "value is -1");
  BREAK(memset(config.id, 'a', CEL_TEXT_MAX), CEL_E_RANGE, "id: the text is longer than 63 bytes");
  BREAK(strcpy(config.file, "a\x1b"), CEL_E_RANGE, "file: the text contains control characters");
  BREAK(config.widths.n = 17, CEL_E_RANGE, "widths: the list has 17");
  BREAK(config.widths.n = -1, CEL_E_RANGE, "widths: the list has -1");
  BREAK(config.widths.v[1] = 0, CEL_E_RANGE, "widths: 0 is out of range");
  BREAK(config.schedule.kind = CEL_CALLBACK, CEL_E_RANGE, "schedule: the schedule has kind");
  BREAK(config.schedule.kind = (CelScheduleKind)9, CEL_E_RANGE, "kind is 9");
  BREAK(config.schedule.value = 1.5, CEL_E_RANGE, "schedule: 1.5 is out");
  BREAK(config.entropy = -101, CEL_E_RANGE, "entropy: -101");
  BREAK(config.outer.motor.gravity = 30, CEL_E_RANGE, "outer.motor.gravity: 30 is out");
#undef BREAK
  config = good;
  config.bound = (double)INFINITY, config.missing = (double)NAN;
  assert_ok(cel_fields_check(table, &config));
}

static double half(double progress_remaining, void *user) {
  return progress_remaining * *(double *)user;
}

static void schedules_follow_progress(void **state) {
  (void)state;
  double factor = 0.5;
  CelSchedule schedule = {.kind = CEL_CONSTANT, .value = 3};
  assert_true(cel_schedule_at(&schedule, 0.25) == 3);
  schedule.kind = CEL_LINEAR;
  assert_true(cel_schedule_at(&schedule, 1) == 3);
  assert_true(cel_schedule_at(&schedule, 0.25) == 0.75);
  assert_true(cel_schedule_at(&schedule, 0) == 0);
  schedule = (CelSchedule){.kind = CEL_CALLBACK, .callback = half, .user = &factor};
  assert_true(cel_schedule_at(&schedule, 0.5) == 0.25);
  // A callback that was set from code is written as a word. Reading that word keeps the callback.
  Config config = new_config();
  config.schedule = schedule;
  check_text(&config, "schedule", "callback");
  assert_ok(cel_fields_set(table, &config, "schedule", "callback"));
  assert_true(config.schedule.callback == half && config.schedule.user == &factor);
}

static void tables_are_checked(void **state) {
  (void)state;
#define ROW(...)                                                                                   \
  (const CelField[]) {                                                                             \
    {__VA_ARGS__}, {                                                                               \
      0                                                                                            \
    }                                                                                              \
  }
  assert_fails(cel_fields_check_table(ROW(.name = "Rate", .type = CEL_FIELD_INT, .doc = "d")),
               CEL_E_NAME, "\"Rate\"");
  assert_fails(cel_fields_check_table(ROW(.name = "rate", .type = CEL_FIELD_INT)), CEL_E_ARGUMENT,
               "has no doc");
  assert_fails(cel_fields_check_table(ROW(.name = "rate", .type = CEL_FIELD_ENUM, .doc = "d")),
               CEL_E_ARGUMENT, "no choices");
  assert_fails(cel_fields_check_table(ROW(.name = "rate", .type = CEL_FIELD_GROUP, .doc = "d")),
               CEL_E_ARGUMENT, "no table");
  assert_fails(cel_fields_check_table(ROW(.name = "rate", .type = CEL_FIELD_DOUBLE, .def = "2",
                                          .min = 0, .max = 1, .doc = "d")),
               CEL_E_RANGE, "default of rate: 2 is out of range");
  assert_fails(cel_fields_check_table(
                   ROW(.name = "rate", .type = CEL_FIELD_INT, .min = 1, .max = 9, .doc = "d")),
               CEL_E_RANGE, "default of rate: 0 is out of range");
  assert_ok(cel_fields_check_table(
      ROW(.name = "rate", .type = CEL_FIELD_INT, .min = 0, .max = 9, .doc = "d")));
  char name[CEL_TEXT_MAX + 1] = {0}; // names are printed from buffers of a fixed size
  memset(name, 'a', CEL_TEXT_MAX);
  assert_fails(cel_fields_check_table(ROW(.name = name, .type = CEL_FIELD_INT, .doc = "d")),
               CEL_E_NAME, "longer than 63 bytes");
  const CelField twice[] = {{.name = "a", .type = CEL_FIELD_INT, .doc = "d"},
                            {.name = "a", .type = CEL_FIELD_INT, .doc = "d"},
                            {0}};
  assert_fails(cel_fields_check_table(twice), CEL_E_NAME, "\"a\" appears twice");
#undef ROW
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_come_from_the_table),
      cmocka_unit_test(test_auto_with_a_start),
      cmocka_unit_test(values_become_text_and_back),
      cmocka_unit_test(spellings_are_accepted),
      cmocka_unit_test(wrong_values_are_refused),
      cmocka_unit_test(configs_filled_by_code_are_checked),
      cmocka_unit_test(schedules_follow_progress),
      cmocka_unit_test(tables_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
