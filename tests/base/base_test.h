/// Shared by the tests of base: cmocka, temporary folders, checks of a status and its message.
#ifndef CELSIUS_BASE_TEST_H
#define CELSIUS_BASE_TEST_H
#include "celsius/status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/// The call must return `status`. Otherwise its message is printed.
#define assert_status(call, status) check_status((call), (status), NULL, #call, __FILE__, __LINE__)
#define assert_ok(call) assert_status(call, CEL_OK)
/// The call must fail with `status` and a message that contains `part`.
#define assert_fails(call, status, part)                                                           \
  check_status((call), (status), (part), #call, __FILE__, __LINE__)

static inline void check_status(CelStatus got, CelStatus want, const char *part, const char *call,
                                const char *file, int line) {
  if (got == want && (part == NULL || strstr(cel_error(), part) != NULL)) return;
  print_error("%s: %s, expected %s%s%s; the message is: %s\n", call, cel_status_name(got),
              cel_status_name(want), part != NULL ? " and " : "", part != NULL ? part : "",
              cel_error());
  _fail(file, line);
}

/// Makes a new empty folder as the state of a test group. It is removed with its contents.
static inline int folder_setup(void **state) {
  char *path = malloc(64);
  if (path == NULL) return -1;
  strcpy(path, "base-test-XXXXXX");
  if (mkdtemp(path) == NULL) return -1;
  *state = path;
  return 0;
}

static inline int folder_teardown(void **state) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf -- '%s'", (char *)*state);
  int result = system(command);
  free(*state);
  return result;
}

/// FOLDER/NAME, in one of 16 buffers that are used in turn.
static inline const char *in_folder(void **state, const char *name) {
  static char paths[16][256];
  static int turn;
  char *path = paths[turn++ % 16];
  snprintf(path, sizeof paths[0], "%s/%s", (char *)*state, name);
  return path;
}

/// Writes `size` bytes to a file with the C library.
static inline void put_file(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

/// Reads a file with the C library. The caller frees the bytes.
static inline char *get_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) print_error("%s does not exist\n", path);
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*size + 1);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, *size, file), *size);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

/// Runs tests/base/SCRIPT with Python on FILE; skips the test if Python does not have `module`.
static inline void run_python(const char *module, const char *script, const char *file) {
  const char *python = getenv("CELSIUS_PYTHON");
  char command[1024];
  if (python == NULL) python = "python3";
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null", python, module);
  if (system(command) != 0) {
    print_message("skipped: %s does not have the module %s\n", python, module);
    skip();
  }
  snprintf(command, sizeof command, "'%s' '%s/base/%s' '%s'", python, CELSIUS_TEST_DIR, script,
           file);
  assert_int_equal(system(command), 0);
}

/// True if a sanitizer controls the address space or the allocator.
static inline bool sanitized(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

#endif
