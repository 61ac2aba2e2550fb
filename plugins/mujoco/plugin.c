/// The entry point of the plug-in: the list of its environments.
#include "robot.h"
#include <math.h>

static const CelEnvType *const types[] = {
    &celi_half_cheetah_v4.type,
    &celi_half_cheetah_v5.type,
    &celi_hopper_v4.type,
    &celi_hopper_v5.type,
    &celi_walker2d_v4.type,
    &celi_walker2d_v5.type,
    &celi_ant_v4.type,
    &celi_ant_v5.type,
    &celi_humanoid_v4.type,
    &celi_humanoid_v5.type,
    &celi_humanoid_standup_v4.type,
    &celi_humanoid_standup_v5.type,
    &celi_swimmer_v4.type,
    &celi_swimmer_v5.type,
    &celi_reacher_v4.type,
    &celi_reacher_v5.type,
    &celi_pusher_v5.type,
    &celi_inverted_pendulum_v4.type,
    &celi_inverted_pendulum_v5.type,
    &celi_inverted_double_pendulum_v4.type,
    &celi_inverted_double_pendulum_v5.type,
    NULL,
};

/// Called once by src/env/pack.c. *fail: the function of the library that this shared object uses.
/// Returns the types, ended by NULL, or NULL with a message.
__attribute__((visibility("default"))) const CelEnvType *const *
    celsius_environments(CelStatus (**fail)(CelStatus status, const char *format, ...));

const CelEnvType *const *celsius_environments(CelStatus (**fail)(CelStatus status,
                                                                 const char *format, ...)) {
  *fail = cel_fail;
  if (mj_version() == mjVERSION_HEADER) return types;
  (void)cel_fail(CEL_E_UNSUPPORTED,
                 "built for MuJoCo %d, but the loaded library is MuJoCo %d; run `script/setup "
                 "mujoco` and build again",
                 mjVERSION_HEADER, mj_version());
  return NULL;
}

/// Called by src/env/pack.c for a name such as "robot.yaml".
__attribute__((visibility("default"))) CelStatus celsius_file_environment(const char *path,
                                                                          const CelEnvType **type);

CelStatus celsius_file_environment(const char *path, const CelEnvType **type) {
  return celi_robot_type(path, type);
}
