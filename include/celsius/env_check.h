/// Checks that an environment keeps the rules of celsius/env.h.
///
/// For the tests of your own environment. `celsius env check` prints the results.
///
///     cel_env_spec_create(&spec, "./point.so:Point", NULL, NULL);
///     cel_env_check(spec, NULL, &report);
///     for (int i = 0; i < report.n; i++)
///       printf("%s %s\n", report.row[i].name, report.row[i].message);
#ifndef CELSIUS_ENV_CHECK_H
#define CELSIUS_ENV_CHECK_H
#include "celsius/env.h"
CEL_BEGIN

enum { CEL_ENV_CHECKS_MAX = 16 };

/// Result of one check.
typedef struct CelEnvCheck {
  const char *name; ///< "determinism"
  bool passed;
  char message[256]; ///< what is wrong, where, and the remedy; "" when passed
} CelEnvCheck;

typedef struct CelEnvReport {
  int n, failed;                       ///< checks, failed checks
  CelEnvCheck row[CEL_ENV_CHECKS_MAX]; ///< (n,)
} CelEnvReport;

/// Settings of the checks.
typedef struct CelEnvCheckOptions {
  /// Seed of the episodes and of the random actions.
  uint64_t seed;
  /// Steps of each environment in each check. 0: 1000. Raise it when episodes are long.
  int64_t steps;
  /// Called with `user` before each check. May be NULL. The last name before a crash is the check
  /// that crashed.
  void (*begun)(void *user, const char *name);
  /// Passed to `begun`.
  void *user;
} CelEnvCheckOptions;

/// Runs all checks with random actions on three environments at once: spaces, reset, step, buffers,
/// determinism, independence, constants, render. `options` NULL: the defaults.
/// The environment's buffers have protected pages on both sides. An environment that reads or
/// writes past them ends the process with SIGSEGV in the check "buffers". To report that instead,
/// run the checks in a child process, as `celsius env check` does.
/// A failed check is not an error. Errors: CEL_E_ARGUMENT, CEL_E_MEMORY.
CEL_API CelStatus cel_env_check(const CelEnvSpec *spec, const CelEnvCheckOptions *options,
                                CelEnvReport *report) CEL_WARN_UNUSED;

CEL_END
#endif
