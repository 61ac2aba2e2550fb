/// Running a trained policy: load, act. No threads, no allocation after load.
///
/// Every policy has a mode, and actions can be drawn from it. A sampler (soft Q-learning with continuous actions) turns
/// noise into actions and knows no density, so that what stands for its mode is the action that it makes of no noise: one of
/// its actions, not always a likely one.
#ifndef CELSIUS_POLICY_H
#define CELSIUS_POLICY_H
#include "celsius/rng.h"
#include "celsius/space.h"
CEL_BEGIN

typedef struct CelPolicy CelPolicy;
/// Reads a model file (cel_agent_save_model, a run's best.safetensors).
/// Errors: CEL_E_IO, CEL_E_FORMAT, CEL_E_CORRUPT, CEL_E_SHAPE.
CEL_API CelStatus cel_policy_load(const char *path, CelPolicy **out) CEL_WARN_UNUSED;
CEL_API void cel_policy_destroy(CelPolicy *policy);
CEL_API const CelSpace *cel_policy_observation(const CelPolicy *policy);
CEL_API const CelSpace *cel_policy_action(const CelPolicy *policy);
/// The policy's mode for one observation (one row) -> one row of the action space, within its bounds as float32.
/// Errors: CEL_E_NAN (names the element; an output of the policy too).
CEL_API CelStatus cel_policy_act(CelPolicy *policy, const void *obs, void *action) CEL_WARN_UNUSED;
/// An action drawn from the policy; `rng` moves on.
/// Errors: CEL_E_NAN, CEL_E_UNSUPPORTED (generalised state-dependent exploration, whose noise belongs to an episode; a
/// Gaussian whose file tells no sigma).
CEL_API CelStatus cel_policy_sample(CelPolicy *policy, const void *obs, CelRng *rng,
                                    void *action) CEL_WARN_UNUSED;
/// The same from random numbers of yours: noise (cel_policy_noise,), standard normals where actions are real numbers,
/// uniforms on [0, 1) where they are choices.
/// Errors: as cel_policy_sample; CEL_E_NAN (noise that is not finite too).
CEL_API CelStatus cel_policy_sample_noise(CelPolicy *policy, const void *obs, const float *noise,
                                          void *action) CEL_WARN_UNUSED;
/// How many random numbers an action takes.
CEL_API int64_t cel_policy_noise(const CelPolicy *policy);

CEL_END
#endif
