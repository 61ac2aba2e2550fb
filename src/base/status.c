/// Status names, the error message of each thread, and the assertion hook.
#include "base/arguments.h"
#include "base/base.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 1024

static _Thread_local char message[MESSAGE_MAX];

const char *cel_status_name(CelStatus status) {
  switch (status) {
  case CEL_OK: return "CEL_OK";
  case CEL_E_ARGUMENT: return "CEL_E_ARGUMENT";
  case CEL_E_RANGE: return "CEL_E_RANGE";
  case CEL_E_NAME: return "CEL_E_NAME";
  case CEL_E_TYPE: return "CEL_E_TYPE";
  case CEL_E_SHAPE: return "CEL_E_SHAPE";
  case CEL_E_MEMORY: return "CEL_E_MEMORY";
  case CEL_E_IO: return "CEL_E_IO";
  case CEL_E_FORMAT: return "CEL_E_FORMAT";
  case CEL_E_CORRUPT: return "CEL_E_CORRUPT";
  case CEL_E_UNSUPPORTED: return "CEL_E_UNSUPPORTED";
  case CEL_E_NAN: return "CEL_E_NAN";
  case CEL_E_STATE: return "CEL_E_STATE";
  case CEL_E_ENV: return "CEL_E_ENV";
  case CEL_E_INTERRUPTED: return "CEL_E_INTERRUPTED";
  }
  return "CEL_E_UNKNOWN";
}

const char *cel_error(void) {
  return message;
}

// Replaces control characters by '?': C0 except the line feed, DEL, and C1 in UTF-8. Messages can
// contain text of untrusted files, and programs print them on terminals.
static void make_printable(char *text) {
  for (unsigned char *c = (unsigned char *)text; *c != 0; c++) {
    if ((*c < 0x20 && *c != '\n') || *c == 0x7f) *c = '?';
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) c[0] = c[1] = '?';
  }
}

// Ends a message that was truncated at `size` bytes with "...", and removes an incomplete
// character.
static void end_cut(char *text, size_t size) {
  size_t end = size - 4;
  while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) end--;
  memcpy(text + end, "...", 4);
}

CelStatus cel_fail(CelStatus status, const char *format, ...) {
  CELI_FLOATS(CELI_IEEE);
  char text[MESSAGE_MAX]; // not `message` itself, because arguments may point into it
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0) snprintf(text, sizeof text, "(the message could not be formatted: %s)", format);
  if (n >= (int)sizeof text) end_cut(text, sizeof text);
  make_printable(text);
  memcpy(message, text, strlen(text) + 1);
  return status;
}

CelStatus cel_fail_in(CelStatus status, const char *format, ...) {
  CELI_FLOATS(CELI_IEEE);
  if (status == CEL_OK) return status;
  char context[MESSAGE_MAX];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(context, sizeof context, format, args);
  va_end(args);
  if (n < 0) return status;
  return cel_fail(status, "%s%s", context, message);
}

CelStatus celi_status_given(CelStatus status, const char *function) {
  if (status == CEL_E_INTERRUPTED)
    return cel_fail(
        CEL_E_ENV,
        "%s returned CEL_E_INTERRUPTED, which means a stop on request; it should return "
        "CEL_OK, or fail with cel_fail(CEL_E_ENV, ...)",
        function);
  if (strcmp(cel_status_name(status), "CEL_E_UNKNOWN") != 0) return status;
  return cel_fail(CEL_E_ENV,
                  "%s returned status %d, which does not exist; it should return CEL_OK, or fail "
                  "with cel_fail(CEL_E_ENV, ...)",
                  function, (int)status);
}

// The program sets it once. It is read only before the library aborts.
static _Atomic(CelAssertHook) assert_hook;

void cel_set_assert_hook(CelAssertHook hook) {
  atomic_store(&assert_hook, hook);
}

_Noreturn void celi_assert_failed(const char *file, int line, const char *expression) {
  CelAssertHook hook = atomic_load(&assert_hook);
  if (hook != NULL) hook(file, line, expression);
  abort();
}

CelStatus celi_fail_null(const char *function, const char *name) {
  return cel_fail(CEL_E_ARGUMENT, "%s: the argument %s is NULL", function, name);
}
