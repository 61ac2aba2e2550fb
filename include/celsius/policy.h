/// Running a trained policy: load, act. No threads, no allocation after load.
#ifndef CELSIUS_POLICY_H
#define CELSIUS_POLICY_H
#include "celsius/space.h"
CEL_BEGIN

typedef struct CelPolicy CelPolicy;
/// Reads a model file (cel_agent_save_model, a run's best.safetensors).
/// Errors: CEL_E_IO, CEL_E_FORMAT, CEL_E_CORRUPT, CEL_E_SHAPE.
CEL_API CelStatus cel_policy_load(const char *path, CelPolicy **out) CEL_WARN_UNUSED;
CEL_API void cel_policy_destroy(CelPolicy *policy);
CEL_API const CelSpace *cel_policy_observation(const CelPolicy *policy);
CEL_API const CelSpace *cel_policy_action(const CelPolicy *policy);
/// The policy's mode for one observation (one row) -> one row of the action space.
/// Errors: CEL_E_NAN (names the element).
CEL_API CelStatus cel_policy_act(CelPolicy *policy, const void *obs, void *action) CEL_WARN_UNUSED;

CEL_END
#endif
