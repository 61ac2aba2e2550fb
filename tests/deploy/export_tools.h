/// What tests of exports share: compilers, shared objects, Python.
#ifndef EXPORT_TOOLS_H
#define EXPORT_TOOLS_H
#include "run/run_test.h"

#include <dlfcn.h>

static inline const char *tool(const char *variable, const char *otherwise) {
  const char *value = getenv(variable);
  return value && value[0] ? value : otherwise;
}

/// Runs a command line. On failure, the test fails with its output.
static inline void shell(const char *format, ...) CEL_PRINTF(1, 2);
static inline void shell(const char *format, ...) {
  char command[2048], whole[2200];
  va_list args;
  va_start(args, format);
  vsnprintf(command, sizeof command, format, args);
  va_end(args);
  snprintf(whole, sizeof whole, "( %s ) >log 2>&1", command);
  if (system(whole) != 0) {
    char *log = read_text("log");
    fail_msg("%s\n%s", command, log);
    free(log);
  }
}

#define STRICT "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

/// Finds a function of a shared object.
static inline void find_function(void *library, const char *name, void *out, size_t size) {
  void *symbol = dlsym(library, name);
  assert_non_null(symbol);
  memcpy(out, &symbol, size);
}

/// Whether Python has these modules. Says so if not.
static inline bool has_python(const char *modules) {
  char command[1024];
  snprintf(command, sizeof command, "'%s' -c 'import %s' 2>/dev/null",
           tool("CELSIUS_PYTHON", "python3"), modules);
  if (system(command) == 0) return true;
  print_message("skipped: %s lacks one of %s\n", tool("CELSIUS_PYTHON", "python3"), modules);
  return false;
}

#endif
