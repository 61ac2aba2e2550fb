/// Trains, evaluates and resumes runs. A run trains one agent on a native vector environment and
/// writes its files to a run folder.
///
/// A run folder:
///     config.yaml          every field, the version, the seed
///     progress.csv         one row per log interval, Stable-Baselines3's column names
///     evaluations.csv      one row per evaluation
///     events.out.tfevents.* TensorBoard
///     checkpoints/step-000010000.safetensors   the last `keep` of them
///     replay/              stored transitions, append-only
///     best.safetensors     the model with the best evaluation
///     final.safetensors    the last model
#ifndef CELSIUS_TRAIN_H
#define CELSIUS_TRAIN_H
#include "celsius/agent.h"
#include "celsius/env.h"
CEL_BEGIN

/// A run's own fields. The algorithm and the environment have further ones. Start from
/// cel_run_config_default(); the field table is cel_run_fields().
typedef struct CelRunConfig {
  /// Name of the algorithm. Default "", which you must replace.
  char algo[CEL_TEXT_MAX];
  /// The environment: an id, FILE.so:Name, or FILE.yaml. Default "", which you must replace.
  char env[CEL_PATH_MAX];
  /// Run folder, new or empty. Default "", which is runs/ALGO-ENV-SEED, or with -2, -3, ... when
  /// that exists.
  char out[CEL_PATH_MAX];
  /// Environment steps to train, all environments together. Range 1 to 1e15, default 100000.
  int64_t steps;
  /// Seed of all random numbers of the run. Default 1.
  uint64_t seed;
  /// Environments that step together. Range 1 to 65536, default 1. Raise it for more data per
  /// update.
  int64_t n_envs;
  /// Threads. Range 1 to 256, default 1. Any number gives the same bits. Raise it for speed.
  int64_t threads;
  /// Steps between rows of progress.csv. Range 1 to 1e15, default 1000.
  int64_t log_every;
  /// Steps between evaluations. Range 0 to 1e15, default 5000; 0: only at the end.
  int64_t eval_every;
  /// Episodes of each evaluation. Range 1 to 1e6, default 10. Raise it when evaluations are noisy.
  int64_t eval_episodes;
  /// Steps between checkpoints. Range 0 to 1e15, default 10000; 0: only at the end.
  int64_t checkpoint_every;
  /// Number of checkpoints kept, the newest ones. Range 1 to 1e6, default 2.
  int64_t keep;
  /// Writes TensorBoard events into the run folder. Default true.
  bool tensorboard;
} CelRunConfig;
/// Returns the field table of CelRunConfig. Static; never NULL.
CEL_API const CelField *cel_run_fields(void);
/// Returns the default settings. Fill in algo and env, which are empty.
CEL_API CelRunConfig cel_run_config_default(void);

/// Progress of a run or an evaluation, for a progress bar.
typedef struct CelProgress {
  int64_t steps, total_steps, updates, episodes; ///< total_steps: 0 in an evaluation
  double fraction;                               ///< part of the work that is done, 0 to 1
  double seconds, steps_per_second, eta;         ///< eta: seconds left
  double mean_return; ///< mean of the last 100 training episodes; NAN before the first
  double eval_return; ///< mean of the last evaluation; NAN before the first
} CelProgress;

/// Callbacks and options of a run. The library calls the callbacks on the calling thread. Any
/// callback may be NULL.
typedef struct CelRunHooks {
  /// Passed to every callback.
  void *user;
  /// Called with a message for people, such as where the run folder is, or that an older checkpoint
  /// was used.
  void (*note)(void *user, const char *text);
  /// Suppresses startup messages. Warnings are still passed to `note`.
  bool quiet;
  /// Replaces the results in a folder: cel_train may use the folder of another run, and
  /// cel_train_resume starts a run without checkpoints from the beginning.
  bool overwrite;
  /// Called about every 50 ms of wall time.
  void (*progress)(void *user, const CelProgress *progress);
  /// Called after each step of training or evaluation, and about every 50 ms during a long update.
  /// When it returns true, the run saves a checkpoint and returns CEL_E_INTERRUPTED. If this
  /// interrupts an update or an evaluation, the resumed run repeats it.
  bool (*stop)(void *user);
  /// Called once before the first step, with the agent as it starts or resumes. folder: the run
  /// folder; NULL in cel_learn. A status other than CEL_OK ends the run with that status.
  CelStatus (*begun)(void *user, CelAgent *agent, const CelEnvSpec *spec, const char *folder);
  /// Called at the end of every training episode, with its return and its length in steps.
  void (*episode)(void *user, double episode_return, int64_t length);
  /// Called after every update, which may have many gradient steps. A status other than CEL_OK ends
  /// the run with that status.
  CelStatus (*updated)(void *user, CelAgent *agent);
} CelRunHooks;

typedef struct CelRunResult {
  char folder[CEL_PATH_MAX]; ///< run folder
  int64_t steps, updates, episodes;
  double seconds;
  double mean_return, std_return; ///< of the final evaluation
  double best_return;             ///< best mean return of an evaluation
  bool renders; ///< the environment has pictures, so `celsius eval --render` works
  bool plugin;  ///< the environment comes from a shared object; see cel_plugin_allow
} CelRunResult;

/// Trains from the start. `algo_config`, `env_config` and `env_options` NULL: the defaults. `hooks`
/// and `result` may be NULL.
/// Errors: those of creating agent and environment; CEL_E_IO (folder not empty, not writable, disk
/// full; the last good checkpoint stays), CEL_E_NAN (names environment and step), CEL_E_INTERRUPTED
/// (saved; the message explains how to resume).
CEL_API CelStatus cel_train(const CelRunConfig *config, const void *algo_config,
                            const void *env_config, const CelEnvOptions *env_options,
                            const CelRunHooks *hooks, CelRunResult *result) CEL_WARN_UNUSED;
/// Resumes a run from its newest checkpoint. The results equal those of an uninterrupted run.
/// `steps`: new total number of steps. `threads`: number of threads. For both, 0 means the value in
/// the run's config. `hooks` and `result` may be NULL.
CEL_API CelStatus cel_train_resume(const char *folder, int64_t steps, int64_t threads,
                                   const CelRunHooks *hooks, CelRunResult *result) CEL_WARN_UNUSED;

/// Steps after which an evaluation cuts off an episode of an environment without a time limit.
#define CEL_EVAL_STEPS_MAX 100000

/// Returns and lengths of an evaluation's episodes.
typedef struct CelEvalResult {
  int64_t episodes;
  int64_t
      cut; ///< episodes cut off at CEL_EVAL_STEPS_MAX; their returns are those of that many steps
  double mean_return, std_return, min_return, max_return, median_return, mean_length;
  double *returns;  ///< (episodes,) the caller's array, or NULL
  int64_t *lengths; ///< (episodes,) the caller's array, or NULL
} CelEvalResult;

/// Evaluates an agent on new environments that it creates from `spec`. Episode i always uses random
/// number stream (seed, CEL_RNG_EVAL, i), so different agents get the same initial states. returns
/// (episodes,), lengths (episodes,) and `result` may be NULL.
/// Without a time limit, episodes may never end; they are cut off at CEL_EVAL_STEPS_MAX steps.
/// Errors: CEL_E_RANGE (episodes), CEL_E_ARGUMENT (mode), CEL_E_SHAPE (the agent has other spaces),
/// and those of acting and stepping.
CEL_API CelStatus cel_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes,
                               uint64_t seed, CelActMode mode, double *returns, int64_t *lengths,
                               CelEvalResult *result) CEL_WARN_UNUSED;

/// Evaluates as cel_evaluate does, with progress and a way to stop. Calls only `progress` (with
/// steps and episodes of the evaluation) and `stop`; hooks may be NULL. Errors: as cel_evaluate,
/// and CEL_E_INTERRUPTED (stopped; nothing is returned).
CEL_API CelStatus cel_evaluate_watched(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes,
                                       uint64_t seed, CelActMode mode, const CelRunHooks *hooks,
                                       double *returns, int64_t *lengths,
                                       CelEvalResult *result) CEL_WARN_UNUSED;

/// An open run: its agent and environment.
typedef struct CelRun {
  CelRunConfig config;
  char model[CEL_PATH_MAX]; ///< file of the model
  CelAgent *agent;          ///< owned by the run; it only acts
  CelEnvSpec *spec;         ///< owned by the run
} CelRun;
/// Opens a run folder for evaluation. `which`: as in cel_run_model. Close it with cel_run_close.
CEL_API CelStatus cel_run_open(const char *folder, const char *which, CelRun **out) CEL_WARN_UNUSED;
/// Finds the path of a run's model. `which`: "best", "final", a path (returned unchanged), or NULL:
/// best, else final, else the newest checkpoint. Errors: CEL_E_IO (not a run, no model yet).
CEL_API CelStatus cel_run_model(const char *folder, const char *which,
                                char path[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Closes a run and frees its agent and environment. Takes NULL.
CEL_API void cel_run_close(CelRun *run);

/// Trains your agent on your vector environment with a plain loop: act, step, observe, update. It
/// stops after `steps` environment steps in total. `hooks` may be NULL. Writes no file.
/// Errors: CEL_E_SHAPE (spaces or number of environments differ from the agent's),
/// CEL_E_INTERRUPTED, and those of each call.
CEL_API CelStatus cel_learn(CelAgent *agent, CelVecEnv *env, int64_t steps,
                            const CelRunHooks *hooks) CEL_WARN_UNUSED;

CEL_END
#endif
