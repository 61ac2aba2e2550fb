/// Environments: they step in batches and write straight into the learner's buffers.
///
/// - An environment type (CelEnvType) is a constant description with four functions.
/// - A spec (CelEnvSpec) is a type with its arguments; it is constant once created.
/// - A vector environment (CelVecEnv) is N copies of a spec with their states, time limits, random
///   number streams and Gymnasium's SAME_STEP autoreset.
///
/// To write your own, fill in a CelEnvType. Either register it (cel_env_register), or build it into
/// a shared object and name that on the command line: `--env ./my.so:Name`.
#ifndef CELSIUS_ENV_H
#define CELSIUS_ENV_H
#include "celsius/field.h"
#include "celsius/rng.h"
#include "celsius/space.h"
CEL_BEGIN

/// Version of the structs below. A plug-in puts it into CelEnvType.abi.
#define CEL_ENV_ABI 1

typedef struct CelEnvSpec CelEnvSpec;
typedef struct CelCanvas CelCanvas; ///< target of render; see celsius/canvas.h

/// An environment type. States are rows of state_size doubles; row i belongs to environment i. The
/// library calls the functions under plain IEEE rules (round to nearest, subnormal numbers kept, no
/// traps), whatever the host program set. Several threads may call step at once, for different
/// rows.
typedef struct CelEnvType {
  int abi;                   ///< CEL_ENV_ABI
  const char *id;            ///< "Pendulum-v1"
  const char *doc;           ///< one line
  int64_t max_episode_steps; ///< default time limit, steps; 0: none
  double reward_threshold;   ///< return that counts as solved; NAN: not defined
  size_t config_size;        ///< bytes of the arguments' struct; 0: no arguments
  const CelField *fields;    ///< its field table; NULL: no arguments

  /// Sets observation, action and state_size of the spec from its arguments. May allocate
  /// spec->data (shared between environments, constant afterwards). May set max_episode_steps where
  /// the default time limit depends on the arguments. Returns an error for arguments that do not
  /// make sense.
  CelStatus (*open)(CelEnvSpec *spec);
  /// Frees spec->data. NULL: nothing to free.
  void (*close)(CelEnvSpec *spec);
  /// Starts an episode of one environment: out state (state_size,), obs (one row of the observation
  /// space).
  CelStatus (*reset)(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng);
  /// Steps n environments once: in/out states (n, state_size); in actions (n rows of the action
  /// space); out obs (n rows), reward (n,), terminated (n,) 0 or 1; rng (n,). It never resets and
  /// applies no time limit. Discrete actions are in range; box actions are clipped to the bounds
  /// before the call.
  CelStatus (*step)(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                    void *obs, float *reward, uint8_t *terminated, CelRng *rng);
  /// Draws one state (state_size,). NULL: the environment has no picture.
  void (*render)(const CelEnvSpec *spec, const double *state, CelCanvas *canvas);
} CelEnvType;

/// A type with its arguments.
struct CelEnvSpec {
  const CelEnvType *type;
  CelSpace observation, action;
  int64_t state_size;        ///< doubles in the state of one environment
  int64_t max_episode_steps; ///< time limit in force, steps; 0: none
  int64_t action_repeat;     ///< times that each action is applied; rewards are summed
  void *config;              ///< the type's arguments (config_size bytes)
  void *data;                ///< made by open, freed by close
  void *library;             ///< handle of the shared object, or NULL
  /// Seconds of animation per environment step, set by open. If 0, the value of the type's field dt
  /// or tau is used, and 0.04 if it has neither.
  double seconds_per_step;
};

/// Arguments that every environment has. "--env.KEY" sets these and the type's own.
typedef struct CelEnvOptions {
  /// Time limit of an episode, steps. Range -1 to 1e15, default -1, which is the type's own; 0: no
  /// limit.
  int64_t max_episode_steps;
  /// Times that each action is applied; rewards are summed. Range 1 to 1e6, default 1. Raise it
  /// when the environment's time step is too short to learn from.
  int64_t action_repeat;
} CelEnvOptions;
/// Returns the field table of CelEnvOptions. Static; never NULL.
CEL_API const CelField *cel_env_option_fields(void);

/// Adds a type to the registry of the process. Thread-safe. Keeps the pointer, so the type must
/// stay valid. Errors: CEL_E_NAME (the id is taken), CEL_E_UNSUPPORTED (abi), CEL_E_ARGUMENT (a
/// function is missing; an invalid field table), CEL_E_MEMORY.
CEL_API CelStatus cel_env_register(const CelEnvType *type) CEL_WARN_UNUSED;
/// Returns type i of the registry, or NULL past the end.
CEL_API const CelEnvType *cel_env_type_at(int i);
/// Finds a type by id, or by "FILE.so:Name", where the shared object exports
/// `const CelEnvType *Name(void)`. A file without a slash is in the working directory. Shared
/// objects stay loaded. "FILE.yaml" is an environment that the file describes
/// (docs/mujoco-models.md); opening it reads the file.
/// Errors: CEL_E_NAME (suggests the nearest id; no such symbol), CEL_E_IO (dlopen's message),
/// CEL_E_UNSUPPORTED (abi), CEL_E_ARGUMENT (a function is missing).
CEL_API CelStatus cel_env_find(const char *id, const CelEnvType **out) CEL_WARN_UNUSED;

/// A collection of environments that needs another library, in a shared object of Celsius itself.
/// cel_env_find and cel_env_type_at know its environments like built-in ones.
typedef struct CelEnvPack {
  const char *name;    ///< "mujoco"
  const char *missing; ///< NULL, or what is missing and how to get it
} CelEnvPack;
/// Returns collection i, or NULL past the end. Loads all of them at the first call. Thread-safe.
CEL_API const CelEnvPack *cel_env_pack_at(int i);

/// Allows files (a config.yaml, a run folder) to name plug-ins in this folder or below; "/" allows
/// all. Loading a plug-in runs its code. cel_env_find loads whatever its caller names.
/// cel_run_open, cel_train_resume and cel_setup_peek_env refuse a plug-in that a file names, unless
/// it is allowed. The environment variable CELSIUS_PLUGIN_PATH (absolute folders, separated by
/// colons) allows plug-ins too. Other users must not have write access to the folders that it
/// lists, or to any folder or file on the way from there to the plug-in. The permission applies to
/// the whole process. Thread-safe. Errors: CEL_E_ARGUMENT, CEL_E_IO (no such folder), CEL_E_MEMORY.
CEL_API CelStatus cel_plugin_allow(const char *folder) CEL_WARN_UNUSED;

/// Creates a spec. `config`: the type's arguments (copied), or NULL for the defaults. `options`:
/// NULL for the defaults. Free it with cel_env_spec_destroy.
/// Errors: as cel_env_find; CEL_E_RANGE (an argument), CEL_E_MEMORY, and those of the type's open.
CEL_API CelStatus cel_env_spec_create(CelEnvSpec **out, const char *id, const void *config,
                                      const CelEnvOptions *options) CEL_WARN_UNUSED;
/// Frees a spec. Takes NULL.
CEL_API void cel_env_spec_destroy(CelEnvSpec *spec);

/// N environments of one spec. A CelTensors holds the whole state (states, random number counters,
/// elapsed steps, running returns, last observations), so that it is saved with the agent.
typedef struct CelVecEnv {
  const CelEnvSpec *spec;
  int64_t N;
  uint64_t seed;
  CelRngPurpose purpose;
  uint32_t first_index;           ///< stream index of environment 0
  size_t obs_bytes, action_bytes; ///< bytes of a row
  // Declared tensors, (N, ...):
  double *states;        ///< (N, state_size)
  uint64_t *rng_counter; ///< (N,)
  int64_t *elapsed; ///< (N,) steps of the current episode; an action applied k times is k steps
  double *episode_return; ///< (N,) sum of rewards so far
  uint8_t *obs;           ///< (N rows) observations to act on next
  // Results of the last step, (N, ...), scratch:
  float *reward;         ///< (N,)
  float *reward_part;    ///< (N,) reward of a single step under action repeat
  uint8_t *terminated;   ///< (N,)
  uint8_t *truncated;    ///< (N,)
  uint8_t *final_obs;    ///< (N rows) last observation; valid where the episode ended
  double *final_return;  ///< (N,) return; valid where the episode ended
  int64_t *final_length; ///< (N,) steps; valid where the episode ended
  uint8_t *actions;      ///< (N rows) clipped copy of the actions
  struct CelRng *rng;    ///< (N,) scratch for step
} CelVecEnv;

/// Declares the tensors "PREFIX.states" and so on. Then call cel_tensors_allocate and
/// cel_vecenv_reset. Environment i draws from stream (seed, purpose, first_index + i). `env` must
/// not move before allocation, and `spec` must outlive it.
/// Errors: CEL_E_RANGE (N), and those of cel_tensors_declare.
CEL_API CelStatus cel_vecenv_declare(CelVecEnv *env, CelTensors *tensors, const char *prefix,
                                     const CelEnvSpec *spec, int64_t N, uint64_t seed,
                                     CelRngPurpose purpose, uint32_t first_index) CEL_WARN_UNUSED;
/// Starts all N episodes and sets obs.
CEL_API CelStatus cel_vecenv_reset(CelVecEnv *env) CEL_WARN_UNUSED;
/// Steps environments [begin, end) with actions (N rows). Box values out of bounds are clipped, as
/// Gymnasium's wrappers do. Where an episode ends, final_obs, final_return and final_length are
/// set, and obs is the first observation of the next episode (SAME_STEP).
///
/// The last step of an episode may set both flags, as in Gymnasium. `terminated`: the environment
/// ended the episode, so do not bootstrap. `truncated`: the time limit is reached. Check
/// `terminated` first. With action_repeat k, one call takes up to k steps of the environment and
/// sums their rewards. The time limit and the lengths count these steps. When an episode ends, its
/// remaining repeats are skipped. Several threads may call this at once for disjoint ranges.
/// Errors: CEL_E_RANGE (a discrete action, the range), CEL_E_NAN (an action, reward or observation
/// that is not finite; names environment and step), CEL_E_CORRUPT (elapsed is negative or at least
/// 2^62, as after loading a damaged file), CEL_E_ENV, or the error of the caller's own environment.
/// A refused action or counter changes nothing. After any other error the environments are in the
/// middle of a step; call cel_vecenv_reset or load their state. Allocates: no.
CEL_API CelStatus cel_vecenv_step(CelVecEnv *env, const void *actions, int64_t begin,
                                  int64_t end) CEL_WARN_UNUSED;

CEL_END
#endif
