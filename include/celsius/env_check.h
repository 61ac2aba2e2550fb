/// Checks of an environment: does it keep the promises of celsius/env.h?
///
/// For the tests of an environment of your own; `celsius env check` prints what they find.
///
///     cel_env_spec_create(&spec, "./point.so:Point", NULL, NULL);
///     cel_env_check(spec, NULL, &report);
///     for (int i = 0; i < report.n; i++) printf("%s %s\n", report.row[i].name, report.row[i].message);
#ifndef CELSIUS_ENV_CHECK_H
#define CELSIUS_ENV_CHECK_H
#include "celsius/env.h"
CEL_BEGIN

enum { CEL_ENV_CHECKS_MAX = 16 };

/// One check.
typedef struct CelEnvCheck {
  const char *name; ///< "determinism"
  bool passed;
  char message[256]; ///< what is wrong, where, and the remedy; "" where it passed
} CelEnvCheck;

typedef struct CelEnvReport {
  int n, failed;
  CelEnvCheck row[CEL_ENV_CHECKS_MAX]; ///< (n,)
} CelEnvReport;

typedef struct CelEnvCheckOptions {
  uint64_t seed; ///< of the episodes and the random actions
  int64_t steps; ///< of each environment in each check; 0: 1000
  /// Called before each check, or NULL. A check that crashes is the last one that was announced.
  void (*begun)(void *user, const char *name);
  void *user;
} CelEnvCheckOptions;

/// Runs all checks: spaces, reset, step, buffers, determinism, independence, constants, render. Random actions, three
/// environments at once. The environment's buffers lie between pages that cannot be touched, so an environment
/// that writes or reads past them ends the process with SIGSEGV in the check "buffers". To report that instead, run it in
/// a child process, as `celsius env check` does.
/// Failed checks are no error. Errors: CEL_E_ARGUMENT, CEL_E_MEMORY.
CEL_API CelStatus cel_env_check(const CelEnvSpec *spec, const CelEnvCheckOptions *options,
                                CelEnvReport *report) CEL_WARN_UNUSED;

CEL_END
#endif
