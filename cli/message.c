/// Messages on the error stream, and numbers as people write them.
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

static const char *message_prefix = "";

void cli_message_prefix(const char *prefix) {
  message_prefix = prefix ? prefix : "";
}

int cli_error(CelStatus status) {
  const char *kind = status == CEL_E_INTERRUPTED ? "" : "error: ";
  fprintf(stderr, "celsius: %s%s%s\n", kind, message_prefix, cel_error());
  return (int)status;
}

void cli_note(const char *format, ...) {
  va_list args;
  fprintf(stderr, "celsius: %s", message_prefix);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

CelStatus cli_flush(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return CEL_OK;
  return cel_fail(CEL_E_IO, "standard output: cannot be written: %s", strerror(errno));
}

const char *cli_count(char text[32], int64_t n) {
  char digits[32];
  const int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
  int out = 0;
  for (int i = 0; i < length; i++) {
    text[out++] = digits[i];
    const int after = length - 1 - i;
    if (after > 0 && after % 3 == 0 && digits[i] != '-') text[out++] = ',';
  }
  text[out] = 0;
  return text;
}

const char *cli_duration(char text[32], double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) {
    snprintf(text, 32, "-:--");
    return text;
  }
  const long s = lround(seconds);
  if (s >= 3600)
    snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
  return text;
}
