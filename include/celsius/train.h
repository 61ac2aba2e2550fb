/// Training, evaluating and resuming runs: an agent over a native vector environment, with
/// everything that a run leaves on disk.
///
/// A run folder:
///     config.yaml          every field, the version, the seed
///     progress.csv         one row a log, Stable-Baselines3's key names
///     evaluations.csv      one row an evaluation
///     events.out.tfevents.* TensorBoard
///     checkpoints/step-000010000.safetensors   the last `keep` of them
///     replay/              stored transitions, append-only
///     best.safetensors     the model with the best evaluation; final.safetensors: the last
#ifndef CELSIUS_TRAIN_H
#define CELSIUS_TRAIN_H
#include "celsius/agent.h"
#include "celsius/env.h"
CEL_BEGIN

/// A run's own fields (table: cel_run_fields); the algorithm's and the environment's come beside
/// them.
typedef struct CelRunConfig {
  char algo[CEL_TEXT_MAX];
  char env[CEL_PATH_MAX]; ///< id, or FILE.so:Name
  char out[CEL_PATH_MAX]; ///< run folder; "" : runs/ALGO-ENV-SEED[-k], the first that is free
  int64_t steps;          ///< environment steps in all
  uint64_t seed;
  int64_t n_envs;
  int64_t threads;    ///< changes no bit
  int64_t log_every;  ///< steps between rows of progress.csv
  int64_t eval_every; ///< steps between evaluations; 0: only at the end
  int64_t eval_episodes;
  int64_t checkpoint_every; ///< steps between checkpoints; 0: only at the end
  int64_t keep;             ///< checkpoints kept
  bool tensorboard;
} CelRunConfig;
CEL_API const CelField *cel_run_fields(void);
/// The defaults; algo and env are empty and have to be filled in.
CEL_API CelRunConfig cel_run_config_default(void);

/// Progress of a run or of an evaluation, for a progress bar. Reported from the calling thread.
typedef struct CelProgress {
  int64_t steps, total_steps, updates, episodes; ///< total_steps: 0 in an evaluation
  double fraction;                               ///< of the work that is done, 0 to 1
  double seconds, steps_per_second, eta;
  double mean_return; ///< of the last 100 training episodes; NAN before the first
  double eval_return; ///< of the last evaluation; NAN before the first
} CelProgress;

/// What a program is asked and told while a run goes on; each may be NULL.
typedef struct CelRunHooks {
  void *user;
  /// Something worth a line: where the run is, that an older checkpoint had to do.
  void (*note)(void *user, const char *text);
  /// Nothing is noted of how the run begins; warnings are.
  bool quiet;
  /// Replaces the results that a folder already holds: cel_train takes the folder of another run, cel_train_resume starts
  /// a trained run without checkpoints from the beginning.
  bool overwrite;
  /// About every 50 ms of wall time.
  void (*progress)(void *user, const CelProgress *progress);
  /// Asked after each step, of an evaluation too, and every 50 ms within an update that takes long. True: save a
  /// checkpoint and return CEL_E_INTERRUPTED. An update or evaluation that was broken off is made again where the run
  /// continues.
  bool (*stop)(void *user);
  /// Once, before the first step: the agent as it starts or goes on. folder: the run's, NULL where there is none
  /// (cel_learn). A status that is not CEL_OK ends the run with it.
  CelStatus (*begun)(void *user, CelAgent *agent, const CelEnvSpec *spec, const char *folder);
  /// After every update, of however many gradient steps. A status that is not CEL_OK ends the run with it.
  CelStatus (*updated)(void *user, CelAgent *agent);
} CelRunHooks;

typedef struct CelRunResult {
  char folder[CEL_PATH_MAX];
  int64_t steps, updates, episodes;
  double seconds;
  double mean_return, std_return; ///< of the final evaluation
  double best_return;
  bool renders; ///< the environment can be drawn: `celsius eval --render` works
  bool plugin;  ///< the environment comes from a shared object: see cel_plugin_allow
} CelRunResult;

/// Trains from the start. `algo_config`, `env_config`: NULL for the defaults.
/// Errors: everything that creating can say; CEL_E_IO (folder not empty, unwritable, disk full: the
/// last good checkpoint stays), CEL_E_NAN (with env index and step), CEL_E_INTERRUPTED (saved; the
/// message says how to go on).
CEL_API CelStatus cel_train(const CelRunConfig *config, const void *algo_config,
                            const void *env_config, const CelEnvOptions *env_options,
                            const CelRunHooks *hooks, CelRunResult *result) CEL_WARN_UNUSED;
/// Goes on with a run as if it had never stopped, up to the steps of its config, or to `steps` when
/// that is not 0.
CEL_API CelStatus cel_train_resume(const char *folder, int64_t steps, int64_t threads,
                                   const CelRunHooks *hooks, CelRunResult *result) CEL_WARN_UNUSED;

/// Steps at which an evaluation cuts off an episode of an environment that has no time limit.
#define CEL_EVAL_STEPS_MAX 100000

/// Episode returns and lengths of an evaluation.
typedef struct CelEvalResult {
  int64_t episodes;
  int64_t
      cut; ///< episodes that were cut off at CEL_EVAL_STEPS_MAX; their returns are those of the steps until then
  double mean_return, std_return, min_return, max_return, median_return, mean_length;
  double *returns; ///< (episodes,) owned by the caller's arrays below, or NULL
  int64_t *lengths;
} CelEvalResult;

/// Evaluates an agent on its own environments: episode i always starts from stream (seed,
/// CEL_RNG_EVAL, i), so that results compare between agents. returns (episodes,) and lengths
/// (episodes,) may be NULL.
/// An environment without a time limit may have episodes that never end: they are cut off at CEL_EVAL_STEPS_MAX steps.
/// Errors: CEL_E_RANGE (episodes), CEL_E_ARGUMENT (mode), CEL_E_SHAPE (other spaces than the agent's), and those of
/// acting and stepping.
CEL_API CelStatus cel_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes,
                               uint64_t seed, CelActMode mode, double *returns, int64_t *lengths,
                               CelEvalResult *result) CEL_WARN_UNUSED;

/// cel_evaluate with progress and a way to stop. Of `hooks` it calls `progress` (steps and episodes are
/// those of the evaluation) and `stop`; hooks may be NULL. Errors: as cel_evaluate, and CEL_E_INTERRUPTED
/// (stopped; nothing is returned).
CEL_API CelStatus cel_evaluate_watched(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes,
                                       uint64_t seed, CelActMode mode, const CelRunHooks *hooks,
                                       double *returns, int64_t *lengths,
                                       CelEvalResult *result) CEL_WARN_UNUSED;

/// Opens a run folder for evaluation: the agent with its best (or "final", or a checkpoint path's)
/// model and the environment.
typedef struct CelRun {
  CelRunConfig config;
  char model[CEL_PATH_MAX]; ///< the file that was read
  CelAgent *agent;
  CelEnvSpec *spec;
} CelRun;
CEL_API CelStatus cel_run_open(const char *folder, const char *which, CelRun **out) CEL_WARN_UNUSED;
/// The path of a run's model: `which` "best", "final", a path (given back as it is), or NULL: best,
/// else final, else the newest checkpoint. Errors: CEL_E_IO (not a run, nothing there yet).
CEL_API CelStatus cel_run_model(const char *folder, const char *which,
                                char path[CEL_PATH_MAX]) CEL_WARN_UNUSED;
CEL_API void cel_run_close(CelRun *run);

/// The simplest loop over an agent of yours and a vector environment: act, step, observe, update,
/// `steps` in all; hooks may be NULL. Nothing is written. Errors: CEL_E_SHAPE (other spaces, or another number of
/// environments, than the agent was made for), CEL_E_INTERRUPTED, and those of each call.
CEL_API CelStatus cel_learn(CelAgent *agent, CelVecEnv *env, int64_t steps,
                            const CelRunHooks *hooks) CEL_WARN_UNUSED;

CEL_END
#endif
