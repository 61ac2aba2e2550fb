/// TensorBoard event files. Framing and checksums are read by our own reader, values by
/// TensorBoard.
#include "run_test.h"

#include <fcntl.h>

#include "celsius/events.h"
#include "run/tensorboard.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const CeliFolder here = {AT_FDCWD, (char[]){"."}};

#ifdef CELSIUS_WITH_PROTOBUF

// ---- a reader of records, written from the description of the format

/// CRC-32C one bit at a time.

static uint32_t slow_crc32c(const uint8_t *data, size_t n) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < 8 * n; i++) {
    const uint32_t bit = (crc ^ (uint32_t)(data[i / 8] >> i % 8)) & 1;
    crc = crc >> 1 ^ (bit ? 0x82f63b78u : 0);
  }
  return crc ^ 0xffffffffu;
}

static uint64_t little(const uint8_t *data, int bytes) {
  uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | data[i];
  return value;
}

static void expect_checksum(const uint8_t *at, const uint8_t *data, size_t n) {
  const uint32_t crc = slow_crc32c(data, n);
  const uint32_t masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  assert_int_equal((uint32_t)little(at, 4), masked);
}

/// Checks every record of a file and returns their number. first: the first bytes of the first
/// event.
static int count_records(const char *path, uint8_t first[64]) {
  static uint8_t data[1 << 22];
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  const size_t size = fread(data, 1, sizeof data, file);
  fclose(file);
  int n = 0;
  for (size_t at = 0; at < size; n++) {
    assert_true(size - at >= 16);
    const uint64_t length = little(data + at, 8);
    expect_checksum(data + at + 8, data + at, 8);
    assert_true(length <= size - at - 16);
    expect_checksum(data + at + 12 + length, data + at + 12, length);
    if (n == 0) memcpy(first, data + at + 12, length < 64 ? length : 64);
    at += 16 + length;
  }
  return n;
}

/// The only event file of a folder, or the last by name.
static void newest_file(const char *folder, char path[512]) {
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  path[0] = 0;
  for (const struct dirent *entry; (entry = readdir(dir));) {
    char name[512];
    if (strncmp(entry->d_name, "events.out.tfevents.", 20) != 0) continue;
    snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
    if (strcmp(name, path) > 0) memcpy(path, name, sizeof name);
  }
  closedir(dir);
}

// ---- tests

static void checksum_is_known(void **state) {
  (void)state;
  assert_int_equal(slow_crc32c((const uint8_t *)"123456789", 9),
                   0xe3069283u); // RFC 3720's polynomial
}

static void records_are_complete(void **state) {
  (void)state;
  CeliEvents *events;
  char path[512];
  uint8_t first[64] = {0};
  OK(celi_events_open(&events, &here, -1));
  newest_file(".", path);
  assert_int_equal(count_records(path, first), 1); // the first event is written at once
  assert_int_equal(first[0], 1 << 3 | 1);          // field 1, 64 bits: wall_time
  assert_int_equal(first[9], 3 << 3 | 2);          // field 3, bytes: file_version
  assert_int_equal(first[10], 13);
  assert_memory_equal(first + 11, "brain.Event:2", 13);
  for (int i = 0; i < 5000; i++) OK(celi_events_scalar(events, "train/critic_loss", i, 0.5 * i));
  OK(celi_events_flush(events));
  assert_int_equal(count_records(path, first), 5001);
  OK(celi_events_close(events));
  assert_int_equal(count_records(path, first), 5001);
}

/// Runs check_events.py on the working folder. Its output must be `expected`.
static void expect_scalars(const char *expected) {
  char command[1024], *text;
  const char *python = getenv("CELSIUS_PYTHON");
  if (!python) python = "python3";
  snprintf(command, sizeof command, "%s -c 'import tensorboard' 2>/dev/null", python);
  if (system(command) != 0) {
    struct stat venv;
    const char *source = getenv("CELSIUS_SOURCE_DIR");
    snprintf(command, sizeof command, "%s/build/venv-test/bin/python", source ? source : ".");
    if (stat(command, &venv) == 0)
      fail_msg("%s has no module tensorboard; run script/setup tests", command);
    print_message("skipped: %s has no module tensorboard\n", python);
    skip();
  }
  snprintf(command, sizeof command, "%s '%s/run/check_events.py' . >scalars.txt 2>log.txt", python,
           CELSIUS_TEST_DIR);
  if (system(command) != 0) {
    text = read_text("log.txt");
    fail_msg("check_events.py: %s", text);
  }
  text = read_text("scalars.txt");
  assert_string_equal(text, expected);
  free(text);
}

static void tensorboard_reads_it(void **state) {
  (void)state;
  CeliEvents *events;
  OK(celi_events_open(&events, &here, -1));
  OK(celi_events_scalar(events, "rollout/ep_rew_mean", 100, -1234.5));
  OK(celi_events_scalar(events, "rollout/ep_rew_mean", 1099511627776, 0)); // a zero is a value
  OK(celi_events_scalar(events, "train/ent_coef", 0, 0.1));
  OK(celi_events_scalar(events, "train/loss", 7, (double)NAN));
  OK(celi_events_scalar(events, "train/loss", 8, 1e300)); // too large for a float
  OK(celi_events_close(events));
  expect_scalars("rollout/ep_rew_mean 100 -1234.5\n"
                 "rollout/ep_rew_mean 1099511627776 0.0\n"
                 "train/ent_coef 0 0.10000000149011612\n"
                 "train/loss 7 nan\n"
                 "train/loss 8 inf\n");
}

static void resume_purges_what_follows(void **state) {
  (void)state;
  CeliEvents *events;
  char before[512], after[512];
  OK(celi_events_open(&events, &here, -1));
  for (int step = 100; step <= 500; step += 100)
    OK(celi_events_scalar(events, "rollout/ep_rew_mean", step, step));
  OK(celi_events_close(events));
  newest_file(".", before);
  // In the same second too, the second file must sort after the first.
  OK(celi_events_open(&events, &here, 301));
  OK(celi_events_scalar(events, "rollout/ep_rew_mean", 400, -1));
  OK(celi_events_close(events));
  newest_file(".", after);
  assert_string_not_equal(before, after);
  expect_scalars("rollout/ep_rew_mean 100 100.0\n"
                 "rollout/ep_rew_mean 200 200.0\n"
                 "rollout/ep_rew_mean 300 300.0\n"
                 "rollout/ep_rew_mean 400 -1.0\n");
}

static void full_disk_leaves_complete_records(void **state) {
  (void)state;
  CeliEvents *events;
  struct rlimit old;
  char path[512];
  uint8_t first[64];
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  OK(celi_events_open(&events, &here, -1));
  newest_file(".", path);
  for (int i = 0; i < 100; i++) OK(celi_events_scalar(events, "a", i, i));
  const struct rlimit small = {1000, old.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const CelStatus status = celi_events_flush(events);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, CEL_E_IO);
  assert_non_null(strstr(cel_error(), "events.out.tfevents."));
  assert_int_equal(count_records(path, first), 1);
  OK(celi_events_close(events)); // there is space again, and nothing is lost
  assert_int_equal(count_records(path, first), 101);
}

/// The public functions write the same files.
static void public_functions_write_files(void **state) {
  (void)state;
  CelEvents *events;
  char path[512];
  uint8_t first[64];
  FAILS(cel_events_open(&events, "nowhere", -1), CEL_E_IO, "nowhere");
  assert_null(events);
  OK(cel_events_open(&events, ".", -1));
  OK(cel_events_scalar(events, "a", 1, 2.5));
  OK(cel_events_flush(events));
  newest_file(".", path);
  assert_int_equal(count_records(path, first), 2);
  OK(cel_events_close(events));
  OK(cel_events_close(NULL));
}

static void bad_input_is_named(void **state) {
  (void)state;
  CeliEvents *events;
  FAILS(celi_events_open(&events, &(CeliFolder){-1, (char[]){"nowhere"}}, -1), CEL_E_IO,
        "nowhere/events.out.tfevents.");
  assert_null(events);
  char tag[400];
  memset(tag, 'a', sizeof tag - 1);
  tag[sizeof tag - 1] = 0;
  OK(celi_events_open(&events, &here, -1));
  FAILS(celi_events_scalar(events, tag, 0, 0), CEL_E_RANGE, "255 bytes");
  OK(celi_events_close(events));
  OK(celi_events_close(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(checksum_is_known),
      cmocka_unit_test_setup_teardown(records_are_complete, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(tensorboard_reads_it, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(resume_purges_what_follows, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(full_disk_leaves_complete_records, enter_folder,
                                      leave_folder),
      cmocka_unit_test_setup_teardown(public_functions_write_files, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(bad_input_is_named, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void says_what_to_install(void **state) {
  (void)state;
  CeliEvents *events;
  FAILS(celi_events_open(&events, &here, -1), CEL_E_UNSUPPORTED, "libprotobuf-c-dev");
  assert_null(events);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_to_install)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
