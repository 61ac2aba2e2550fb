/// What the tests of the MuJoCo plug-in share.
#ifndef MUJOCO_TEST_H
#define MUJOCO_TEST_H
#include "env/env_test.h"
#include "mujoco_env.h"

extern const CelEnvType *const *celsius_environments(CelStatus (**fail)(CelStatus status,
                                                                        const char *format, ...));

/// Registers the plug-in's environments, whose code is part of the test.
static inline void register_tasks(void) {
  CelStatus (*fail)(CelStatus status, const char *format, ...);
  const CelEnvType *const *types = celsius_environments(&fail);
  if (!types) fail_msg("%s", cel_error());
  for (int i = 0; types[i]; i++) assert_ok(cel_env_register(types[i]));
}

#endif
