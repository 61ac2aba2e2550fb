/// YAML configs: bit-exact writing and reading, PyYAML, and error messages for wrong files.
#include "base/base.h"
#include "base/yaml.h"
#include "base_test.h"
#include "celsius/rng.h"
#include <float.h>
#include <math.h>

typedef struct Motor {
  double gravity;
  int64_t poles;
} Motor;

typedef struct Config {
  bool flag;
  int64_t steps;
  double rate, large, tiny, whole, limit;
  int32_t activation;
  char id[CEL_TEXT_MAX], word[CEL_TEXT_MAX], number[CEL_TEXT_MAX];
  char path[CEL_PATH_MAX];
  CelIntList widths;
  CelSchedule schedule, constant;
  double entropy;
  CelInterval height;
  Motor motor;
} Config;

typedef struct Top {
  uint64_t seed;
} Top;

#define ROW(c, n, t) .name = #n, .type = t, .offset = offsetof(c, n), .doc = "The " #n
static const CelField motor_table[] = {
    {ROW(Motor, gravity, CEL_FIELD_DOUBLE), .def = "9.81", .min = 0, .max = 20, .unit = "m/s^2"},
    {ROW(Motor, poles, CEL_FIELD_INT), .def = "2"},
    {0}};
static const CelField config_table[] = {
    {ROW(Config, flag, CEL_FIELD_BOOL), .def = "true"},
    {ROW(Config, steps, CEL_FIELD_INT), .def = "-5"},
    {ROW(Config, rate, CEL_FIELD_DOUBLE), .def = "1e-5", .min = 0, .max = 1, .unit = "1/step"},
    {ROW(Config, large, CEL_FIELD_DOUBLE), .def = "1e22"},
    {ROW(Config, tiny, CEL_FIELD_DOUBLE), .def = "5e-324"},
    {ROW(Config, whole, CEL_FIELD_DOUBLE), .def = "3"},
    {ROW(Config, limit, CEL_FIELD_DOUBLE), .def = "inf"},
    {ROW(Config, activation, CEL_FIELD_ENUM), .def = "off", .choices = "relu|off|tanh"},
    {ROW(Config, id, CEL_FIELD_STRING), .def = "yes: \"no\" # \\ \xe2\x80\xa8\xc3\xa9"},
    {ROW(Config, word, CEL_FIELD_STRING), .def = "true"},
    {ROW(Config, number, CEL_FIELD_STRING), .def = "1e5"},
    {ROW(Config, path, CEL_FIELD_PATH), .def = "/tmp/a b"},
    {ROW(Config, widths, CEL_FIELD_INT_LIST), .def = "64,32", .min = 1, .max = 4096},
    {ROW(Config, schedule, CEL_FIELD_SCHEDULE), .def = "lin_3e-4"},
    {ROW(Config, constant, CEL_FIELD_SCHEDULE), .def = "3e-7"},
    {ROW(Config, entropy, CEL_FIELD_AUTO), .def = "auto"},
    {ROW(Config, height, CEL_FIELD_INTERVAL), .def = "-3,inf"},
    {ROW(Config, motor, CEL_FIELD_GROUP), .group = motor_table},
    {0}};
static const CelField top_table[] = {{ROW(Top, seed, CEL_FIELD_U64), .def = "18446744073709551615"},
                                     {0}};

typedef struct Configs {
  Top top;
  Config algo;
  CelYamlSection sections[2];
} Configs;

static void fill(Configs *configs) {
  memset(configs, 0, sizeof *configs);
  cel_fields_default(top_table, &configs->top);
  cel_fields_default(config_table, &configs->algo);
  configs->sections[0] = (CelYamlSection){"", top_table, &configs->top};
  configs->sections[1] = (CelYamlSection){"algo", config_table, &configs->algo};
}

static CelStatus parse(Configs *configs, const char *text) {
  return celi_yaml_parse("c.yaml", text, strlen(text), configs->sections, 2);
}

// As cel_fields_set leaves it: zeros after the end.
static void set_text(char *field, const char *text, size_t room) {
  memset(field, 0, room);
  memcpy(field, text, strlen(text));
}

// ---- writing and reading back

static void configs_read_back(void **state) {
  const char *path = in_folder(state, "config.yaml");
  Configs written, read;
  fill(&written);
  fill(&read);
  written.algo.rate = 0.1 + 0.2;
  written.algo.motor.gravity = 1.0 / 3;
  written.algo.widths = (CelIntList){0};
  written.algo.entropy = -3;
  written.algo.height = (CelInterval){-(double)INFINITY, 0.1};
  set_text(written.algo.id, "", CEL_TEXT_MAX);
  set_text(written.algo.path, "null", CEL_PATH_MAX);
  assert_ok(cel_yaml_write(path, written.sections, 2));
  assert_ok(cel_yaml_read(path, read.sections, 2));
  assert_memory_equal(&read.top, &written.top, sizeof read.top);
  assert_memory_equal(&read.algo, &written.algo, sizeof read.algo);
}

static void pyyaml_reads_our_configs(void **state) {
  const char *path = in_folder(state, "python.yaml");
  Configs configs;
  fill(&configs);
  assert_ok(cel_yaml_write(path, configs.sections, 2));
  run_python("yaml", "check_yaml.py", path);
}

static void files_are_readable(void **state) {
  (void)state;
  Configs configs;
  CeliText text = {0};
  fill(&configs);
  assert_ok(celi_yaml_format(&text, configs.sections, 2));
  const char *const lines[] = {
      "seed: 18446744073709551615          # The seed\nalgo:\n  flag: true",
      "\n  rate: 0.00001                     # The rate [1/step]\n",
      "\n  large: 1.0e+22 ",
      "\n  tiny: 5.0e-324 ",
      "\n  whole: 3.0 ",
      "\n  limit: .inf ",
      "\n  activation: \"off\" ",
      "\n  id: \"yes: \\\"no\\\" # \\\\ \\u2028\xc3\xa9\" ",
      "\n  word: \"true\" ",
      "\n  number: \"1e5\" ",
      "\n  path: \"/tmp/a b\" ",
      "\n  widths: [64, 32] ",
      "\n  schedule: lin_0.0003 ",
      "\n  constant: 3.0e-7 ",
      "\n  entropy: auto ",
      "\n  height: [-3.0, .inf] ",
      "\n  motor:                            # The motor\n    gravity: 9.81                   # ",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    if (strstr(text.data, lines[i]) == NULL) print_error("%s\nlacks: %s\n", text.data, lines[i]);
    assert_non_null(strstr(text.data, lines[i]));
  }
  celi_text_free(&text);
}

// Random bits, including denormals and extremes, through the text of a file.
static void doubles_round_trip(void **state) {
  (void)state;
  static const CelField one[] = {{.name = "x", .type = CEL_FIELD_DOUBLE, .doc = "x"}, {0}};
  static const CelField any[] = {{.name = "x", .type = CEL_FIELD_DOUBLE, .def = "nan", .doc = "x"},
                                 {0}};
  CelRng rng = cel_rng(30, CEL_RNG_USER, 0);
  const double special[] = {0, -0.0, DBL_MAX, -DBL_MAX, DBL_MIN, DBL_TRUE_MIN, 1 + DBL_EPSILON};
  for (int i = 0; i < 3000; i++) {
    double x, back = 77;
    uint64_t bits = cel_rng_below(&rng, UINT64_MAX);
    if (i % 3 == 0) bits &= 0x800fffffffffffffu;
    memcpy(&x, &bits, sizeof x);
    if (i < 7) x = special[i];
    if (!isfinite(x)) continue;
    CeliText text = {0};
    CelYamlSection out = {"", one, &x}, in = {"", one, &back};
    assert_ok(celi_yaml_format(&text, &out, 1));
    assert_ok(celi_yaml_parse("x", text.data, text.size, &in, 1));
    assert_memory_equal(&x, &back, sizeof x);
    celi_text_free(&text);
  }
  double nan = (double)NAN, back = 77;
  CeliText text = {0};
  CelYamlSection out = {"", any, &nan}, in = {"", any, &back};
  assert_ok(celi_yaml_format(&text, &out, 1));
  assert_non_null(strstr(text.data, "x: .nan"));
  assert_ok(celi_yaml_parse("x", text.data, text.size, &in, 1));
  assert_true(isnan(back));
  celi_text_free(&text);
  out.table = one; // a value that cannot be read back is not written
  assert_fails(celi_yaml_format(&text, &out, 1), CEL_E_RANGE, "x: the value is nan");
  celi_text_free(&text);
}

// Every character that a text field accepts, alone and at both ends.
static void texts_round_trip(void **state) {
  (void)state;
  Configs written, read;
  for (unsigned point = 0x20; point < 0x11000; point++) {
    char c[5] = {0};
    if (point < 0x80)
      c[0] = (char)point;
    else if (point < 0x800)
      c[0] = (char)(0xc0 | point >> 6), c[1] = (char)(0x80 | (point & 63));
    else if (point < 0x10000)
      c[0] = (char)(0xe0 | point >> 12), c[1] = (char)(0x80 | (point >> 6 & 63)),
      c[2] = (char)(0x80 | (point & 63));
    else
      c[0] = (char)0xf0, c[1] = (char)(0x80 | point >> 12), c[2] = (char)(0x80 | (point >> 6 & 63)),
      c[3] = (char)(0x80 | (point & 63));
    if (point > 0x300 && point < 0x2000) point += 7; // a sample of the ordinary ones
    if (point > 0x3000 && point < 0xd700) point += 97;
    if (!celi_text_plain(c)) continue;
    fill(&written);
    fill(&read);
    CeliText text = {0};
    char mixed[32];
    snprintf(mixed, sizeof mixed, "%sa%s b%s", c, c, c);
    set_text(written.algo.id, c, CEL_TEXT_MAX);
    set_text(written.algo.word, mixed, CEL_TEXT_MAX);
    set_text(written.algo.path, mixed + strlen(c), CEL_PATH_MAX);
    assert_ok(celi_yaml_format(&text, written.sections, 2));
    assert_ok(celi_yaml_parse("t", text.data, text.size, read.sections, 2));
    assert_memory_equal(&read.algo, &written.algo, sizeof read.algo);
    celi_text_free(&text);
  }
}

// ---- reading

static void only_given_fields_change(void **state) {
  (void)state;
  Configs configs;
  fill(&configs);
  assert_ok(
      parse(&configs, "algo:\n  rate: 0.5\n  motor: {gravity: 3}\n  widths:\n  - 8\n  - 9\n"));
  assert_true(configs.algo.rate == 0.5 && configs.algo.motor.gravity == 3);
  assert_int_equal(configs.algo.motor.poles, 2);
  assert_int_equal(configs.algo.widths.v[1], 9);
  assert_ok(parse(&configs,
                  "seed: 4 # comment\nalgo: {steps: 1e6, flag: off, limit: -.inf, id: 'a''b'}"));
  assert_int_equal(configs.top.seed, 4);
  assert_int_equal(configs.algo.steps, 1000000);
  assert_false(configs.algo.flag);
  assert_true(configs.algo.limit < 0 && isinf(configs.algo.limit));
  assert_string_equal(configs.algo.id, "a'b");
  assert_ok(parse(&configs, "algo:\n  motor.gravity: 4\n  widths: 7,8\n  entropy: \"auto\"\n"));
  assert_true(configs.algo.motor.gravity == 4);
  assert_int_equal(configs.algo.widths.n, 2);
}

static void odd_files_are_read(void **state) {
  (void)state;
  const char *const nothing[] = {
      "",   "\n", "# only a comment", "---\n",   "---\n...\n",
      "{}", "~",  "\xef\xbb\xbf",     "algo:\n", "algo: {}\nseed: 18446744073709551615"};
  Configs configs, before;
  fill(&configs);
  fill(&before);
  for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
    assert_ok(parse(&configs, nothing[i]));
    assert_memory_equal(&configs.algo, &before.algo, sizeof before.algo);
  }
  assert_ok(parse(&configs, "\xef\xbb\xbfseed: 3\r\nalgo:\r\n  steps: 7\r\n"));
  assert_int_equal(configs.top.seed, 3);
  assert_int_equal(configs.algo.steps, 7);
  assert_ok(parse(&configs, "%YAML 1.1\n---\nseed:\t5\t# tabs between are fine\n"));
  assert_int_equal(configs.top.seed, 5);
  const char utf16[] = "\xff\xfes\0e\0e\0d\0:\0 \0"
                       "9\0\n\0";
  assert_ok(celi_yaml_parse("w", utf16, sizeof utf16 - 1, configs.sections, 2));
  assert_int_equal(configs.top.seed, 9);
}

typedef struct Wrong {
  const char *text;
  CelStatus status;
  const char *part;
} Wrong;

// A refused file leaves both configs unchanged, whatever came before the error.
static void wrong_files_are_refused(void **state) {
  (void)state;
  const Wrong wrongs[] = {
      {"sed: 3", CEL_E_NAME, "c.yaml: line 1, column 1: no field \"sed\"; did you mean \"seed\"?"},
      {"seed: 3\nalog:\n  rate: 1", CEL_E_NAME,
       "line 2, column 1: no key \"alog\"; did you mean \"algo\"?"},
      {"algo:\n  rat: 1", CEL_E_NAME, "line 2, column 3: no field \"rat\"; did you mean"},
      {"algo:\n  motor:\n    gravty: 1", CEL_E_NAME, "did you mean \"motor.gravity\"?"},
      {"algo:\n  xyzzy: 1", CEL_E_NAME, "the table has: flag, steps, rate"},
      {"algo: {motor: {xyzzy: 1}}", CEL_E_NAME, "\"motor.xyzzy\""},
      {"seed: 3\nseed: 4", CEL_E_NAME,
       "line 2, column 1: seed: the key appears twice; the first is on line 1"},
      {"algo:\n  rate: 1\n  steps: 2\n  rate: 1", CEL_E_NAME,
       "rate: the key appears twice; the first is on line 2"},
      {"algo: {rate: 1}\nseed: 1\nalgo: {steps: 2}", CEL_E_NAME, "algo: the key appears twice"},
      {"algo: {motor: {poles: 1}, motor: {gravity: 2}}", CEL_E_NAME,
       "motor: the key appears twice"},
      {"algo: {motor.poles: 1, motor: {poles: 1}}", CEL_E_NAME, "appears twice"},
      {"algo:\n  rate: 0.5\n  steps: many", CEL_E_TYPE,
       "line 3, column 10: steps: \"many\" is not"},
      {"algo:\n  rate: 2", CEL_E_RANGE,
       "line 2, column 9: rate: 2 is out of range; it must be 0 to 1"},
      {"seed: 3\nalgo:\n  rate: .inf", CEL_E_RANGE, "rate: the value is inf; it must be finite"},
      {"algo: {rate: .nan}", CEL_E_RANGE, "value is nan"},
      {"algo: {rate: \".inf\"}", CEL_E_TYPE, "\".inf\" is not a number"},
      {"algo: {steps: 0x10}", CEL_E_TYPE, "hexadecimal"},
      {"algo: {steps: 010}", CEL_E_TYPE, "\"010\" is not a whole number"},
      {"algo: {steps: 1_000}", CEL_E_TYPE, "not a whole number"},
      {"algo: {rate: 0,5}", CEL_E_NAME, "\"5\""},
      {"algo: {flag: maybe}", CEL_E_TYPE, "not true or false"},
      {"algo: {activation: relo}", CEL_E_RANGE, "did you mean \"relu\"?"},
      {"algo: {id: \"a\\tb\"}", CEL_E_RANGE, "control characters"},
      {"algo: {id: \"a\\0b\"}", CEL_E_FORMAT, "a zero character"},
      {"algo:\n  id: |\n    two\n    lines\n", CEL_E_RANGE, "control characters"},
      {"algo: {rate: }", CEL_E_TYPE, "rate: the value is missing"},
      {"seed: ~", CEL_E_TYPE, "seed: the value is missing"},
      {"algo: {id: null}", CEL_E_TYPE, "id: the value is missing"},
      {"algo: {rate: [1]}", CEL_E_TYPE, "the value must be a single value, not a list"},
      {"algo: {rate: {a: 1}}", CEL_E_TYPE, "the value must be a single value, not a mapping"},
      {"algo: {motor: 1}", CEL_E_TYPE, "motor: the value must be a mapping"},
      {"algo: {motor: [1]}", CEL_E_TYPE, "motor: the value must be a mapping"},
      {"algo: sac", CEL_E_TYPE, "algo: the value must be a mapping"},
      {"algo: {widths: [64, [64]]}", CEL_E_TYPE, "a list may contain only whole numbers"},
      {"algo: {widths: [64, {a: b}]}", CEL_E_TYPE, "a list may contain only whole numbers"},
      {"algo: {widths: [64, 1.5]}", CEL_E_TYPE, "has a fraction"},
      {"algo: {widths: [64, ]}", CEL_OK, ""},
      {"algo: {height: [1, [2]]}", CEL_E_TYPE, "a list may contain only numbers"},
      {"algo: {height: [1]}", CEL_E_TYPE, "is not an interval"},
      {"algo: {height: [1, .nan]}", CEL_E_RANGE, "an end of the interval is nan"},
      {"algo: {height: [2, 1]}", CEL_E_RANGE, "above its high end"},
      {"algo: {widths: [\"1,2\"]}", CEL_E_TYPE, "\"1,2\" is not a whole number"},
      {"algo: {widths: [64, ~]}", CEL_E_TYPE, "\"~\" is not"},
      {"algo: {widths: [\"\"]}", CEL_E_TYPE, "\"\" is not"},
      {"algo: {widths: {a: b}}", CEL_E_TYPE, "not a mapping"},
      {"- seed", CEL_E_FORMAT, "line 1, column 1: expected \"key: value\""},
      {"seed", CEL_E_FORMAT, "expected \"key: value\""},
      {"[a]: b", CEL_E_FORMAT, "a key must be a plain name"},
      {"{[a]: b}", CEL_E_FORMAT, "a key must be a plain name"},
      {"? {a: b}\n: c", CEL_E_FORMAT, "a key must be a plain name"},
      {"seed: 3\n---\nseed: 4", CEL_E_FORMAT, "line 2, column 1: the file has a second document"},
      {"seed: &a 3", CEL_E_FORMAT, "anchors and aliases are not supported (\"a\")"},
      {"algo: &a {rate: 1}", CEL_E_FORMAT, "anchors and aliases are not supported"},
      {"algo: {widths: &a [1]}", CEL_E_FORMAT, "anchors and aliases are not supported"},
      {"seed: *a", CEL_E_FORMAT, "anchors and aliases are not supported"},
      {"seed: !!int 3", CEL_E_FORMAT, "tags are not supported"},
      {"algo: !x {rate: 1}", CEL_E_FORMAT, "tags are not supported"},
      {"<<: {seed: 1}", CEL_E_NAME, "\"<<\""},
      {"algo:\n\trate: 1", CEL_E_FORMAT, "line 2, column 1: "},
      {"algo:\n  rate: 1\n seed: 2", CEL_E_FORMAT, "line 3, column 2: "},
      {"seed: \"3", CEL_E_FORMAT, "unexpected end of stream"},
      {"algo: {rate: 1", CEL_E_FORMAT, "line"},
      {"algo: [", CEL_E_TYPE, "the value must be a mapping"},
      {"seed: 3\x01", CEL_E_FORMAT, "byte 8: control characters are not allowed"},
      {"seed: \xff", CEL_E_FORMAT, "byte 7: invalid leading UTF-8 octet"},
      {"seed: 3: 4", CEL_E_FORMAT, "mapping values are not allowed in this context"},
      {"@seed: 3", CEL_E_FORMAT, "cannot start any token"},
  };
  Configs configs, before;
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    fill(&configs);
    fill(&before);
    CelStatus status = parse(&configs, wrongs[i].text);
    if (status != wrongs[i].status) print_error("file: %s\n", wrongs[i].text);
    assert_fails(status, wrongs[i].status, wrongs[i].part);
    if (status == CEL_OK) continue;
    assert_int_equal(strncmp(cel_error(), "c.yaml: ", 8), 0);
    assert_memory_equal(&configs.top, &before.top, sizeof before.top);
    assert_memory_equal(&configs.algo, &before.algo, sizeof before.algo);
  }
}

// Files that would expand to gigabytes, or take a parser forever, are refused at once.
static void expansion_bombs_are_refused(void **state) {
  const char *path = in_folder(state, "bomb");
  Configs configs;
  CeliText text = {0};
  char value[64];
  bool found;
  fill(&configs);
  celi_text_format(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
  for (int i = 1; i < 9; i++)
    celi_text_format(&text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'a' + i, 'a' + i,
                     'a' + i - 1, 'a' + i - 1, 'a' + i - 1, 'a' + i - 1, 'a' + i - 1, 'a' + i - 1,
                     'a' + i - 1, 'a' + i - 1);
  put_file(path, text.data, text.size);
  assert_status(cel_yaml_read(path, configs.sections, 2),
                CEL_E_NAME); // "a" is not a key
  assert_fails(cel_yaml_peek(path, "x", value, sizeof value, &found), CEL_E_FORMAT, "anchors");
  celi_text_free(&text);

  celi_text_format(&text, "x: ");
  for (int i = 0; i < 500000; i++) celi_text_add(&text, "[", 1);
  assert_fails(celi_yaml_parse_peek("d", text.data, text.size, "y", value, sizeof value, &found),
               CEL_E_FORMAT, "more than 32 levels");
  celi_text_free(&text);
  for (int i = 0; i < 200000; i++) celi_text_format(&text, "{a: ");
  assert_status(celi_yaml_parse("d", text.data, text.size, configs.sections, 2), CEL_E_NAME);
  celi_text_free(&text);

  for (int i = 0; i < 100000; i++) celi_text_format(&text, "# a long comment\n");
  put_file(path, text.data, text.size);
  assert_fails(cel_yaml_read(path, configs.sections, 2), CEL_E_FORMAT, "longer than 1.0 MiB");
  celi_text_free(&text);
}

static void one_key_can_be_peeked(void **state) {
  const char *path = in_folder(state, "peek.yaml");
  const char text[] = "algo: sac\nenv:\n  id: x\nlist: [1, {a: b}]\nseed:\nlong: abcdefgh\n";
  char value[8] = "";
  bool found = false;
  put_file(path, text, sizeof text - 1);
  assert_ok(cel_yaml_peek(path, "algo", value, sizeof value, &found));
  assert_true(found);
  assert_string_equal(value, "sac");
  assert_ok(cel_yaml_peek(path, "id", value, sizeof value, &found)); // not at the top level
  assert_false(found);
  assert_fails(cel_yaml_peek(path, "env", value, sizeof value, &found), CEL_E_TYPE,
               "env: the value must be a single value");
  assert_fails(cel_yaml_peek(path, "list", value, sizeof value, &found), CEL_E_TYPE, "line 4");
  assert_fails(cel_yaml_peek(path, "seed", value, sizeof value, &found), CEL_E_TYPE,
               "single value");
  assert_fails(cel_yaml_peek(path, "long", value, sizeof value, &found), CEL_E_RANGE,
               "longer than 7 bytes");
  assert_false(found);
  assert_fails(celi_yaml_parse_peek("p", "a: 1\na: 2", 9, "a", value, sizeof value, &found),
               CEL_E_NAME, "appears twice");
  assert_fails(cel_yaml_peek(in_folder(state, "none"), "a", value, sizeof value, &found), CEL_E_IO,
               "No such file");
  assert_ok(celi_yaml_parse_peek("p", "", 0, "a", value, sizeof value, &found));
  assert_false(found);
}

static void bad_paths_are_reported(void **state) {
  Configs configs;
  fill(&configs);
  assert_fails(cel_yaml_read(in_folder(state, "none.yaml"), configs.sections, 2), CEL_E_IO,
               "none.yaml: cannot be opened: No such file");
  assert_fails(cel_yaml_read(*state, configs.sections, 2), CEL_E_IO, "Is a directory");
  assert_fails(cel_yaml_write("/dev/full", configs.sections, 2), CEL_E_IO, "No space left");
  configs.algo.rate = 2;
  const char *path = in_folder(state, "bad.yaml");
  assert_fails(cel_yaml_write(path, configs.sections, 2), CEL_E_RANGE, "bad.yaml: algo.rate: 2 is");
  assert_int_equal(access(path, F_OK), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(configs_read_back),
      cmocka_unit_test(pyyaml_reads_our_configs),
      cmocka_unit_test(files_are_readable),
      cmocka_unit_test(doubles_round_trip),
      cmocka_unit_test(texts_round_trip),
      cmocka_unit_test(only_given_fields_change),
      cmocka_unit_test(odd_files_are_read),
      cmocka_unit_test(wrong_files_are_refused),
      cmocka_unit_test(expansion_bombs_are_refused),
      cmocka_unit_test(one_key_can_be_peeked),
      cmocka_unit_test(bad_paths_are_reported),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
