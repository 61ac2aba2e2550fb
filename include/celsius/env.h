/// Environments: stepped in batches, straight into the learner's buffers.
///
/// An environment type is one const description with four functions; a spec is a type with its
/// arguments, const once made; a vector environment is N copies of a spec with their states,
/// Gymnasium's SAME_STEP autoreset, time limits and rng streams. Write your own by filling in a
/// CelEnvType, and either register it (cel_env_register) or build it into a shared object and name
/// it on the command line: `--env ./my.so:Name`.
#ifndef CELSIUS_ENV_H
#define CELSIUS_ENV_H
#include "celsius/field.h"
#include "celsius/rng.h"
#include "celsius/space.h"
CEL_BEGIN

#define CEL_ENV_ABI 1

typedef struct CelEnvSpec CelEnvSpec;
typedef struct CelCanvas CelCanvas; ///< what render draws on, see celsius/canvas.h

/// An environment type. All pointers to states are (N, state_size) doubles, row i belongs to
/// environment i.
/// Its functions are called under plain IEEE rules (nearest, subnormal numbers kept, no trap), whatever the host set.
typedef struct CelEnvType {
  int abi;                   ///< CEL_ENV_ABI
  const char *id;            ///< "Pendulum-v1"
  const char *doc;           ///< one line
  int64_t max_episode_steps; ///< default time limit; 0: none
  double reward_threshold;   ///< what counts as solved; NAN: not defined
  size_t config_size;        ///< bytes of the arguments' struct; 0: no arguments
  const CelField *fields;    ///< its table; NULL: no arguments

  /// Fills in observation, action and state_size of the spec from its arguments; may allocate
  /// spec->data (shared, const afterwards), and may set max_episode_steps where the default time
  /// limit depends on the arguments. Errors: as the arguments deserve.
  CelStatus (*open)(CelEnvSpec *spec);
  /// Frees spec->data. NULL: nothing to free.
  void (*close)(CelEnvSpec *spec);
  /// Starts an episode of one environment: out state (state_size,), obs (one row of the observation
  /// space).
  CelStatus (*reset)(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng);
  /// One step of n environments: in/out states (n, state_size); in actions (n rows of the action
  /// space); out obs (n rows), reward (n,), terminated (n,) 0 or 1; rng (n,). Never resets, knows
  /// no time limit. Discrete actions are in range, box actions are clipped to the bounds already.
  CelStatus (*step)(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                    void *obs, float *reward, uint8_t *terminated, CelRng *rng);
  /// Draws one state; NULL: no picture.
  void (*render)(const CelEnvSpec *spec, const double *state, CelCanvas *canvas);
} CelEnvType;

/// A type with its arguments.
struct CelEnvSpec {
  const CelEnvType *type;
  CelSpace observation, action;
  int64_t state_size;        ///< doubles of state an environment
  int64_t max_episode_steps; ///< time limit in force; 0: none
  int64_t action_repeat;     ///< each action is applied this many times, rewards added up
  void *config;              ///< the type's arguments (config_size bytes)
  void *data;                ///< made by open
  void *library;             ///< handle of the shared object, or NULL
  /// Seconds between two steps of an animation, set by open; 0: the field dt or tau, or else 0.04.
  double seconds_per_step;
};

/// Arguments that every environment has; "--env.KEY" reaches these and the type's own.
typedef struct CelEnvOptions {
  int64_t max_episode_steps; ///< -1: the type's own; 0: none
  int64_t action_repeat;
} CelEnvOptions;
CEL_API const CelField *cel_env_option_fields(void);

/// Adds a type to the registry (process-wide, thread-safe, kept by pointer). Errors: CEL_E_NAME
/// (taken), CEL_E_UNSUPPORTED (abi), CEL_E_ARGUMENT (a missing function, a field table that makes
/// no sense), CEL_E_MEMORY.
CEL_API CelStatus cel_env_register(const CelEnvType *type) CEL_WARN_UNUSED;
/// Type i of the registry, NULL past the end.
CEL_API const CelEnvType *cel_env_type_at(int i);
/// By id, or "FILE.so:Name", where the shared object exports `const CelEnvType *Name(void)`.
/// A file without a slash is one in the working directory. Shared objects stay loaded.
/// Errors: CEL_E_NAME (the nearest; no such symbol), CEL_E_IO (dlopen's words), CEL_E_UNSUPPORTED
/// (abi), CEL_E_ARGUMENT (a function is missing).
CEL_API CelStatus cel_env_find(const char *id, const CelEnvType **out) CEL_WARN_UNUSED;

/// Allows files (a config.yaml, a run folder) to name plug-ins in this folder or below, "/" for all.
/// To load a plug-in is to run its code. cel_env_find loads what its caller names; cel_run_open,
/// cel_train_resume and cel_setup_peek_env refuse a file's plug-in that is not allowed here or by
/// the environment variable CELSIUS_PLUGIN_PATH (absolute folders, separated by colons). A folder of
/// the variable, and everything on the way to the plug-in, must not be writable by other users.
/// For the whole process, thread-safe. Errors: CEL_E_ARGUMENT, CEL_E_IO (no such folder),
/// CEL_E_MEMORY.
CEL_API CelStatus cel_plugin_allow(const char *folder) CEL_WARN_UNUSED;

/// Makes a spec. `config`: the type's arguments (copied) or NULL for the defaults; `options`
/// likewise.
CEL_API CelStatus cel_env_spec_create(CelEnvSpec **out, const char *id, const void *config,
                                      const CelEnvOptions *options) CEL_WARN_UNUSED;
CEL_API void cel_env_spec_destroy(CelEnvSpec *spec);

/// N environments of one spec. Its whole state (states, rng counters, elapsed steps, running
/// returns, last observations) is declared in a CelTensors under "env.", so that it is saved with
/// the agent.
typedef struct CelVecEnv {
  const CelEnvSpec *spec;
  int64_t N;
  uint64_t seed;
  CelRngPurpose purpose;
  uint32_t first_index;           ///< index of the stream of environment 0
  size_t obs_bytes, action_bytes; ///< bytes of a row
  // Declared tensors, (N, ...):
  double *states;        ///< (N, state_size)
  uint64_t *rng_counter; ///< (N,)
  int64_t *elapsed; ///< (N,) steps of the running episode; an action applied k times is k steps
  double *episode_return; ///< (N,) reward so far
  uint8_t *obs;           ///< (N rows) observation to act on next
  // Results of the last step, (N, ...), scratch:
  float *reward;       ///< (N,)
  float *reward_part;  ///< (N,) of a single step where actions are repeated
  uint8_t *terminated; ///< (N,)
  uint8_t *truncated;  ///< (N,)
  /// (N rows) valid where terminated or truncated: the episode's last observation.
  uint8_t *final_obs;
  double *final_return;  ///< (N,) valid there: the episode's return
  int64_t *final_length; ///< (N,) valid there
  uint8_t *actions;      ///< (N rows) clipped copy
  struct CelRng *rng;    ///< (N,) scratch for step
} CelVecEnv;

/// Declares the tensors under `prefix`; call cel_tensors_allocate, then cel_vecenv_reset.
/// Environment i draws from stream (seed, purpose, first_index + i). The tensors are called
/// "PREFIX.states" and so on; `env` must stay where it is until they are allocated, and `spec` must
/// outlive it.
/// Errors: CEL_E_RANGE (N), and those of cel_tensors_declare.
CEL_API CelStatus cel_vecenv_declare(CelVecEnv *env, CelTensors *tensors, const char *prefix,
                                     const CelEnvSpec *spec, int64_t N, uint64_t seed,
                                     CelRngPurpose purpose, uint32_t first_index) CEL_WARN_UNUSED;
/// Starts all N episodes; fills obs.
CEL_API CelStatus cel_vecenv_reset(CelVecEnv *env) CEL_WARN_UNUSED;
/// Steps environments [begin, end) with actions (N rows; out-of-range box values are clipped, as
/// Gymnasium's own wrappers do; a discrete action out of range is CEL_E_RANGE). Where an episode
/// ends, final_obs, final_return and final_length are set, and obs is the first of the next episode
/// (SAME_STEP).
///
/// As in Gymnasium, the last step of an episode may be both: `terminated` says that the environment
/// ended it (no bootstrap), `truncated` that the time limit is reached; so look at `terminated`
/// first. With action_repeat k, time limit and lengths count the environment's own steps, rewards
/// are added up, and what is left of the k is skipped where the episode ends.
/// Calls for disjoint ranges may run in different threads at once.
/// Errors: CEL_E_RANGE (a discrete action, the range), CEL_E_NAN (an action, reward or observation
/// that is not finite: names the environment's index and step), CEL_E_ENV, or what an environment
/// of the user's returns. After a refused action nothing has changed; after the others the
/// environments are in the middle of a step, and only cel_vecenv_reset or loading their state goes
/// on. Allocates: no.
CEL_API CelStatus cel_vecenv_step(CelVecEnv *env, const void *actions, int64_t begin,
                                  int64_t end) CEL_WARN_UNUSED;

CEL_END
#endif
