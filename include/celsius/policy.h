/// Trained policies: load one and act. No threads, and no allocation after loading.
///
/// Every policy has a mode, and you can sample actions from it. A sampler (soft Q-learning with
/// continuous actions) turns noise into actions and has no density. Its action for zero noise
/// replaces the mode: a possible action, but not always a likely one. A deterministic policy (TD3,
/// DQN) has one action for each observation: every sample is its mode.
///
/// Only one thread at a time may use one policy, because acting uses its buffers.
#ifndef CELSIUS_POLICY_H
#define CELSIUS_POLICY_H
#include "celsius/rng.h"
#include "celsius/space.h"
CEL_BEGIN

typedef struct CelPolicy CelPolicy;
/// Reads a model file (from cel_agent_save_model, or a run's best.safetensors). Free the policy
/// with cel_policy_destroy.
/// Errors: CEL_E_IO, CEL_E_FORMAT, CEL_E_CORRUPT, CEL_E_SHAPE.
CEL_API CelStatus cel_policy_load(const char *path, CelPolicy **out) CEL_WARN_UNUSED;
/// Frees a policy. Takes NULL.
CEL_API void cel_policy_destroy(CelPolicy *policy);
/// Returns the observation space. The policy owns it.
CEL_API const CelSpace *cel_policy_observation(const CelPolicy *policy);
/// Returns the action space. The policy owns it.
CEL_API const CelSpace *cel_policy_action(const CelPolicy *policy);
/// Computes the policy's mode for one observation (one row): one row of the action space, within
/// its bounds as float32.
/// Errors: CEL_E_NAN (names the element of the observation, or of the policy's output).
/// Allocates: no.
CEL_API CelStatus cel_policy_act(CelPolicy *policy, const void *obs, void *action) CEL_WARN_UNUSED;
/// Samples one action from the policy and advances `rng`.
/// Errors: CEL_E_NAN, CEL_E_UNSUPPORTED (generalized state-dependent exploration, whose noise
/// belongs to an episode; a Gaussian whose file has no sigma). Allocates: no.
CEL_API CelStatus cel_policy_sample(CelPolicy *policy, const void *obs, CelRng *rng,
                                    void *action) CEL_WARN_UNUSED;
/// Computes the action for random numbers of your own: noise (cel_policy_noise,), standard normals
/// for continuous actions, uniforms on [0, 1) for discrete ones.
/// Errors: as cel_policy_sample; CEL_E_NAN also for noise that is not finite. Allocates: no.
CEL_API CelStatus cel_policy_sample_noise(CelPolicy *policy, const void *obs, const float *noise,
                                          void *action) CEL_WARN_UNUSED;
/// Returns how many random numbers one action takes; 0 for a deterministic policy.
CEL_API int64_t cel_policy_noise(const CelPolicy *policy);

CEL_END
#endif
