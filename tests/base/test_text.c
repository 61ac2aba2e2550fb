/// Conversion between numbers and text in every locale; UTF-8; nearest names; growing text.
#include "base/base.h"
#include "base_test.h"
#include "celsius/field.h"
#include "celsius/rng.h"
#include <float.h>
#include <locale.h>
#include <math.h>

static const char *text_of(double value) {
  static char text[CELI_NUMBER_MAX];
  return celi_double_text(text, value);
}

static void doubles_are_written_readably(void **state) {
  (void)state;
  assert_string_equal(text_of(0), "0");
  assert_string_equal(text_of(-0.0), "-0");
  assert_string_equal(text_of(1), "1");
  assert_string_equal(text_of(-250), "-250");
  assert_string_equal(text_of(1000000), "1000000");
  assert_string_equal(text_of(3e-4), "0.0003");
  assert_string_equal(text_of(0.1), "0.1");
  assert_string_equal(text_of(0.1 + 0.2), "0.30000000000000004");
  assert_string_equal(text_of(2.0 / 3), "0.6666666666666666");
  assert_string_equal(text_of(1e-6), "1e-6");
  assert_string_equal(text_of(1.5e-7), "1.5e-7");
  assert_string_equal(text_of(1e15), "1000000000000000");
  assert_string_equal(text_of(1e16), "1e+16");
  assert_string_equal(text_of(DBL_MAX), "1.7976931348623157e+308");
  assert_string_equal(text_of(DBL_MIN), "2.2250738585072014e-308");
  assert_string_equal(text_of(DBL_TRUE_MIN), "5e-324");
  assert_string_equal(text_of((double)INFINITY), "inf");
  assert_string_equal(text_of(-(double)INFINITY), "-inf");
  assert_string_equal(text_of((double)NAN), "nan");
}

static size_t count_digits(const char *text) {
  size_t n = 0;
  bool leading = true;
  for (; *text != 0 && *text != 'e'; text++) {
    if (*text >= '1' && *text <= '9') leading = false;
    if (*text >= '0' && *text <= '9' && !leading) n++;
  }
  return n;
}

// Random bit patterns, including denormals. The text reads back to the same bits, and one digit
// less would not.
static void doubles_round_trip_by_their_shortest_text(void **state) {
  (void)state;
  const uint64_t seed = 20;
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 0);
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = cel_rng_below(&rng, UINT64_MAX);
    if (i % 4 == 0) bits &= 0x800fffffffffffffu;                               // denormal
    if (i % 4 == 1) bits = (bits & 0x800fffffffffffffu) | 0x3ff0000000000000u; // near one
    double value, back;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    const char *text = text_of(value);
    assert_int_equal(celi_parse_double(text, &back), CELI_NUMBER_OK);
    assert_memory_equal(&back, &value, sizeof value);
    assert_true(strtod(text, NULL) == value); // the C library agrees with our reader
    size_t digits = count_digits(text);
    if (digits > 1 && digits < 16) {
      char shorter[40];
      snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
      assert_true(strtod(shorter, NULL) != value);
    }
  }
}

typedef struct Case {
  const char *text;
  CeliNumber result;
  double value;
} Case;

static void doubles_are_read_strictly(void **state) {
  (void)state;
  const Case cases[] = {
      {"1e-3", CELI_NUMBER_OK, 1e-3},
      {"-.5", CELI_NUMBER_OK, -0.5},
      {"5.", CELI_NUMBER_OK, 5},
      {"+3", CELI_NUMBER_OK, 3},
      {"0", CELI_NUMBER_OK, 0},
      {"0.25E+2", CELI_NUMBER_OK, 25},
      {"1e-400", CELI_NUMBER_OK, 0},
      {"1e-0000000000000000002", CELI_NUMBER_OK, 0.01},
      {"inf", CELI_NUMBER_OK, (double)INFINITY},
      {"-INF", CELI_NUMBER_OK, -(double)INFINITY},
      {"0x10", CELI_NUMBER_JUNK, 0},
      {"1e", CELI_NUMBER_JUNK, 0},
      {"1e+", CELI_NUMBER_JUNK, 0},
      {"", CELI_NUMBER_JUNK, 0},
      {".", CELI_NUMBER_JUNK, 0},
      {"-", CELI_NUMBER_JUNK, 0},
      {" 1", CELI_NUMBER_JUNK, 0},
      {"1 ", CELI_NUMBER_JUNK, 0},
      {"1\n", CELI_NUMBER_JUNK, 0},
      {"1,5", CELI_NUMBER_JUNK, 0},
      {"1.5.2", CELI_NUMBER_JUNK, 0},
      {"1_000", CELI_NUMBER_JUNK, 0},
      {"007", CELI_NUMBER_JUNK, 0},
      {"--1", CELI_NUMBER_JUNK, 0},
      {"infinity", CELI_NUMBER_JUNK, 0},
      {"nan(3)", CELI_NUMBER_JUNK, 0},
      {"-nan", CELI_NUMBER_JUNK, 0},
      {"1e5x", CELI_NUMBER_JUNK, 0},
      {"1e400", CELI_NUMBER_LARGE, 0},
      {"-1e999999999999", CELI_NUMBER_LARGE, 0},
      {"1.8e308", CELI_NUMBER_LARGE, 0},
      {"1f", CELI_NUMBER_JUNK, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double value = 77;
    CeliNumber result = celi_parse_double(cases[i].text, &value);
    if (result != cases[i].result) print_error("\"%s\" gives %d\n", cases[i].text, (int)result);
    assert_int_equal(result, cases[i].result);
    assert_true(value == (result == CELI_NUMBER_OK ? cases[i].value : 77));
  }
  double value = 0;
  assert_int_equal(celi_parse_double("NaN", &value), CELI_NUMBER_OK);
  assert_true(isnan(value));
}

static void whole_numbers_are_read_exactly(void **state) {
  (void)state;
  int64_t i = 77;
  uint64_t u = 77;
  assert_int_equal(celi_parse_i64("9223372036854775807", &i), CELI_NUMBER_OK);
  assert_true(i == INT64_MAX);
  assert_int_equal(celi_parse_i64("-9223372036854775808", &i), CELI_NUMBER_OK);
  assert_true(i == INT64_MIN);
  assert_int_equal(celi_parse_i64("9223372036854775808", &i), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_i64("-9223372036854775809", &i), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_i64("1e19", &i), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_i64("1e999999999999999", &i), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_i64("0e99", &i), CELI_NUMBER_OK);
  assert_true(i == 0);
  assert_int_equal(celi_parse_i64("1e6", &i), CELI_NUMBER_OK);
  assert_true(i == 1000000);
  assert_int_equal(celi_parse_i64("2.5e3", &i), CELI_NUMBER_OK);
  assert_true(i == 2500);
  assert_int_equal(celi_parse_i64("9007199254740993e0", &i), CELI_NUMBER_OK);
  assert_true(i == 9007199254740993); // a double cannot hold it
  assert_int_equal(celi_parse_i64("1200e-2", &i), CELI_NUMBER_OK);
  assert_true(i == 12);
  assert_int_equal(celi_parse_i64("3.0", &i), CELI_NUMBER_OK);
  assert_true(i == 3);
  assert_int_equal(celi_parse_i64("0.5", &i), CELI_NUMBER_BROKEN);
  assert_int_equal(celi_parse_i64("125e-2", &i), CELI_NUMBER_BROKEN);
  assert_int_equal(celi_parse_i64("0x10", &i), CELI_NUMBER_JUNK);
  assert_int_equal(celi_parse_i64("inf", &i), CELI_NUMBER_JUNK);
  assert_int_equal(celi_parse_i64("12 ", &i), CELI_NUMBER_JUNK);
  assert_int_equal(celi_parse_u64("18446744073709551615", &u), CELI_NUMBER_OK);
  assert_true(u == UINT64_MAX);
  assert_int_equal(celi_parse_u64("18446744073709551616", &u), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_u64("-1", &u), CELI_NUMBER_LARGE);
  assert_int_equal(celi_parse_u64("-0", &u), CELI_NUMBER_OK);
  assert_true(u == 0);
}

// Makes a locale whose decimal point is a comma. Returns false if the system cannot make it.
static bool enter_comma_locale(const char *folder) {
  char command[1024];
  if (access("/usr/share/i18n/locales/de_DE", R_OK) != 0) return false;
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >'%s/log' 2>&1",
           folder, folder);
  if (system(command) != 0) return false;
  setenv("LOCPATH", folder, 1);
  return setlocale(LC_ALL, "de_DE.UTF-8") != NULL;
}

static void locales_do_not_matter(void **state) {
  char *path = realpath(*state, NULL);
  assert_non_null(path);
  bool entered = enter_comma_locale(path);
  free(path);
  if (!entered) {
    print_message("skipped: this system cannot make a locale with a decimal comma\n");
    skip();
  }
  char printed[16];
  snprintf(printed, sizeof printed, "%.1f", 0.5);
  assert_string_equal(printed, "0,5"); // the locale is active
  double value;
  assert_string_equal(text_of(1.5e-7), "1.5e-7");
  assert_string_equal(text_of(1234.5), "1234.5");
  assert_int_equal(celi_parse_double("0.5", &value), CELI_NUMBER_OK);
  assert_true(value == 0.5);
  assert_int_equal(celi_parse_double("0,5", &value), CELI_NUMBER_JUNK);
  doubles_are_read_strictly(NULL);
  const CelField table[] = {
      {.name = "x", .type = CEL_FIELD_DOUBLE, .def = "2.5", .min = 0.5, .max = 3.5, .doc = "x"},
      {0}};
  cel_fields_default(table, &value);
  assert_true(value == 2.5);
  assert_fails(cel_fields_set(table, &value, "x", "3.75"), CEL_E_RANGE,
               "3.75 is out of range; "
               "it must be 0.5 to 3.5");
  snprintf(printed, sizeof printed, "%.1f", 0.5);
  assert_string_equal(printed, "0,5"); // and it is still active
  setlocale(LC_ALL, "C");
}

static void utf8_is_checked(void **state) {
  (void)state;
  const char *const good[] = {
      "", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
  const char *const bad[] = {"\x80",
                             "\xc3",
                             "\xc0\xaf",
                             "\xe0\x80\x80",
                             "\xed\xa0\x80",
                             "\xf4\x90\x80\x80",
                             "\xf8\x88\x80\x80",
                             "a\xe2\x82"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(celi_utf8_valid(good[i], strlen(good[i])));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(celi_utf8_valid(bad[i], strlen(bad[i])));
  assert_true(celi_text_plain("caf\xc3\xa9 \"x\""));
  assert_false(celi_text_plain("a\tb"));
  assert_false(celi_text_plain("a\x7f"));
  assert_false(celi_text_plain("a\xc2\x85"));
  assert_false(celi_text_plain("a\xff"));
}

static void names_are_compared_as_flags_are(void **state) {
  (void)state;
  assert_true(celi_name_equal("learning_rate", "learning-rate"));
  assert_false(celi_name_equal("learning_rate", "learning"));
  assert_false(celi_name_equal("a", "A"));
  assert_int_equal(celi_edit_distance("gravity", "gravity"), 0);
  assert_int_equal(celi_edit_distance("gravity", "gravty"), 1);
  assert_int_equal(celi_edit_distance("gravity", "garvity"), 1);
  assert_int_equal(celi_edit_distance("kitten", "sitting"), 3);
  assert_int_equal(celi_edit_distance("", "abc"), 3);
  assert_int_equal(celi_edit_distance("Batch-Size", "batch_size"), 0);
  char a[300], b[300]; // longer than what is compared
  memset(a, 'a', sizeof a), memset(b, 'b', sizeof b);
  a[299] = b[299] = 0;
  assert_int_equal(celi_edit_distance(a, b), 127);
}

static const char *nearest(const char *wanted, const char *const *names, int n) {
  CeliNearest search = {.wanted = wanted};
  for (int i = 0; i < n; i++) celi_nearest_try(&search, names[i]);
  return search.best;
}

static void nearest_names_are_near(void **state) {
  (void)state;
  const char *const names[] = {"CartPole-v1", "Pendulum-v1", "MountainCar-v0", "Acrobot-v1"};
  assert_string_equal(nearest("Pendulum", names, 4), "Pendulum-v1");
  assert_string_equal(nearest("pendulum-v0", names, 4), "Pendulum-v1");
  assert_string_equal(nearest("Cartpole-v1", names, 4), "CartPole-v1");
  assert_string_equal(nearest("Acrobat-v1", names, 4), "Acrobot-v1");
  assert_null(nearest("Humanoid-v4", names, 4));
  assert_null(nearest("", names, 4));
  const char *const short_names[] = {"a", "tau"};
  assert_null(nearest("x", short_names, 1)); // one edit turns any letter into any other
  assert_string_equal(nearest("tua", short_names, 2), "tau");
}

static void text_grows(void **state) {
  (void)state;
  CeliText text = {0};
  for (int i = 0; i < 1000; i++) celi_text_format(&text, "%d,", i);
  celi_text_add(&text, "end", 3);
  assert_ok(celi_text_status(&text));
  assert_int_equal(text.size, 10 * 2 + 90 * 3 + 900 * 4 + 3);
  assert_int_equal(strlen(text.data), text.size);
  assert_string_equal(text.data + text.size - 7, "999,end");
  celi_text_free(&text);
  assert_null(text.data);
  celi_text_json(&text, "a\"b\\c\n\x01\xc3\xa9");
  assert_string_equal(text.data, "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\"");
  celi_text_free(&text);
  text.size = PTRDIFF_MAX - 10; // pretends to be full, so nothing more fits
  celi_text_add(&text, "0123456789abcdef", 16);
  assert_fails(celi_text_status(&text), CEL_E_MEMORY, "not enough memory");
}

static void bytes_are_written_readably(void **state) {
  (void)state;
  char text[CELI_NUMBER_MAX];
  assert_string_equal(celi_bytes_text(text, 0), "0 bytes");
  assert_string_equal(celi_bytes_text(text, 1023), "1023 bytes");
  assert_string_equal(celi_bytes_text(text, 1024), "1.0 KiB");
  assert_string_equal(celi_bytes_text(text, 31247565), "29.8 MiB");
  assert_string_equal(celi_bytes_text(text, (size_t)3 << 40), "3.0 TiB");
  assert_string_equal(celi_bytes_text(text, SIZE_MAX / 2 + 1), "8.0 EiB");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(doubles_are_written_readably),
      cmocka_unit_test(doubles_round_trip_by_their_shortest_text),
      cmocka_unit_test(doubles_are_read_strictly),
      cmocka_unit_test(whole_numbers_are_read_exactly),
      cmocka_unit_test(locales_do_not_matter),
      cmocka_unit_test(utf8_is_checked),
      cmocka_unit_test(names_are_compared_as_flags_are),
      cmocka_unit_test(nearest_names_are_near),
      cmocka_unit_test(text_grows),
      cmocka_unit_test(bytes_are_written_readably),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
