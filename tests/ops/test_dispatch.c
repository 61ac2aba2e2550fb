/// The selection of the instruction set. The environment variable is used, or the note says why
/// not. Each case runs in its own process, because the selection happens once.
#include "kit.h"
#include <sys/wait.h>
#include <unistd.h>

/// Runs `check` in a child process with CELSIUS_ISA set to `wish`. Returns the child's exit code.
static int in_child(const char *wish, int (*check)(const char *wish)) {
  const pid_t child = fork();
  if (child == 0) {
    if (wish)
      setenv("CELSIUS_ISA", wish, 1);
    else
      unsetenv("CELSIUS_ISA");
    _exit(check(wish));
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int is_followed(const char *wish) {
  return strcmp(celi_ops()->name, wish) == 0 && !celi_ops_note() ? 0 : 1;
}

static int is_best(const char *wish) {
  (void)wish;
  return celi_ops() == celi_ops_at(0) && !celi_ops_note() ? 0 : 1;
}

static int is_refused(const char *wish) {
  const char *note = celi_ops_note();
  return celi_ops() == celi_ops_at(0) && note && strstr(note, wish) ? 0 : 1;
}

static void test_selection(void **state) {
  (void)state;
  assert_int_equal(in_child(NULL, is_best), 0);
  assert_int_equal(in_child("", is_best), 0);
  assert_int_equal(in_child("avx9", is_refused), 0);
  const CeliOps *ops;
  int t = 0;
  for (; (ops = celi_ops_at(t)); t++) assert_int_equal(in_child(ops->name, is_followed), 0);
  assert_string_equal(celi_ops_at(t - 1)->name, "portable"); // always available, and last
  assert_null(celi_ops_at(t + 5));
}

static void test_tables_are_full(void **state) {
  (void)state;
  const CeliOps *ops;
  for (int t = 0; (ops = celi_ops_at(t)); t++) {
    void *entries[sizeof *ops / sizeof(void *)];
    memcpy(entries, ops, sizeof *ops);
    for (size_t i = 0; i < sizeof *ops / sizeof(void *); i++) assert_non_null(entries[i]);
  }
}

static void test_peak(void **state) {
  (void)state;
  assert_true(celi_ops_peak(0.01) >
              1e7); // slower than any machine; above what a broken clock gives
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_selection),
      cmocka_unit_test(test_tables_are_full),
      cmocka_unit_test(test_peak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
