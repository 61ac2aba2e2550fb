/// Shared by the tests of src/run: temporary folders, checks of a status and its message.
#ifndef RUN_TEST_H
#define RUN_TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "celsius/celsius.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// Fails with the library's message unless the call returns CEL_OK.
#define OK(call)                                                                                   \
  do {                                                                                             \
    const CelStatus ok_status_ = (call);                                                           \
    if (ok_status_ != CEL_OK)                                                                      \
      fail_msg("%s: %s: %s", #call, cel_status_name(ok_status_), cel_error());                     \
  } while (0)

/// The call must fail with this status and a message that contains `part`.
#define FAILS(call, status, part)                                                                  \
  do {                                                                                             \
    const CelStatus fails_status_ = (call);                                                        \
    if (fails_status_ != (status))                                                                 \
      fail_msg("%s: returned %s, expected %s", #call, cel_status_name(fails_status_),              \
               cel_status_name(status));                                                           \
    if (!strstr(cel_error(), part))                                                                \
      fail_msg("%s: the message '%s' does not contain '%s'", #call, cel_error(), part);            \
  } while (0)

/// Makes a new folder and changes to it.
static inline int enter_folder(void **state) {
  char name[] = "/tmp/celsius-run-XXXXXX";
  if (!mkdtemp(name) || chdir(name) != 0) return -1;
  *state = strdup(name);
  return 0;
}

static inline int leave_folder(void **state) {
  char command[256];
  snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
  free(*state);
  return chdir("/") != 0 || system(command) != 0;
}

/// Reads a file. The caller frees the text.
static inline char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("%s cannot be opened", path);
  char *text = calloc(1, 1 << 20);
  const size_t n = fread(text, 1, (1 << 20) - 1, file);
  text[n] = 0;
  fclose(file);
  return text;
}

static inline void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  if (!file || fputs(text, file) < 0 || fclose(file) != 0) fail_msg("%s cannot be written", path);
}

#endif
