/// Checks of the pointer arguments of public functions.
#ifndef CELI_BASE_ARGUMENTS_H
#define CELI_BASE_ARGUMENTS_H
#include "celsius/status.h"

/// Returns CEL_E_ARGUMENT from the calling function if a pointer is NULL. The message names both.
#define CELI_NEED(pointer)                                                                         \
  do {                                                                                             \
    if ((pointer) == NULL) return celi_fail_null(__func__, #pointer);                              \
  } while (0)
/// The same for functions that return no status: records the message and returns `value`.
#define CELI_NEED_OR(pointer, value)                                                               \
  do {                                                                                             \
    if ((pointer) == NULL) {                                                                       \
      (void)celi_fail_null(__func__, #pointer);                                                    \
      return value;                                                                                \
    }                                                                                              \
  } while (0)
/// Records "FUNCTION: the argument NAME is NULL". Returns CEL_E_ARGUMENT.
CelStatus celi_fail_null(const char *function, const char *name);

#endif
