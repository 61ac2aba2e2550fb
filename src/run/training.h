/// A run in progress: what the files of src/run share.
#ifndef CELI_RUN_TRAINING_H
#define CELI_RUN_TRAINING_H
#include "celsius/agent.h"
#include "celsius/setup.h"
#include "run/csv.h"

#define CELI_WINDOW 100         ///< episodes in rollout/ep_rew_mean, as in Stable-Baselines3
#define CELI_IDENTITY_MAX 16384 ///< bytes of a run's identity in its checkpoints

/// State of a run besides its agent and environments. All are tensors of role CEL_STATE, so a
/// checkpoint includes them.
typedef struct CeliRunState {
  int64_t *episodes;      ///< (1,) training episodes finished so far
  double *window_return;  ///< (CELI_WINDOW,) returns; episode k is at index k mod CELI_WINDOW
  int64_t *window_length; ///< (CELI_WINDOW,) lengths, in the same order
  double *best_return;    ///< (1,) best mean return of all evaluations; -INFINITY before the first
  int64_t *eval_step;     ///< (1,) step of the last evaluation; -1 before the first
  double *eval;           ///< (3,) mean, standard deviation of the return, and mean length there
  uint8_t *identity;      ///< (CELI_IDENTITY_MAX,) text of celi_setup_identity
} CeliRunState;

/// Wall time and speed, for progress reports and the time columns of tables. Results do not depend
/// on them.
typedef struct CeliPace {
  double start;           ///< celi_seconds() when this process began to train
  double before;          ///< seconds of training by earlier processes
  int64_t start_steps;    ///< steps when this process began to train
  double reported;        ///< celi_seconds() at the last progress report
  int64_t reported_steps; ///< steps at the last progress report
  double rate;            ///< steps per second, smoothed over about three seconds
} CeliPace;

/// Outputs for measured numbers: progress.csv, evaluations.csv, TensorBoard.
typedef struct CeliMetrics {
  CeliCsv progress, evaluations;
  struct CeliEvents *events;           ///< NULL: no TensorBoard
  double flushed;                      ///< celi_seconds() when events were last flushed
  const char *names[CELI_CSV_COLUMNS]; ///< columns of progress.csv
  int n;                               ///< number of columns
} CeliMetrics;

typedef struct CeliTraining {
  const CelSetup *setup;
  const CelRunHooks *hooks; ///< never NULL
  char folder[CEL_PATH_MAX];
  char replay[CEL_PATH_MAX];        ///< folder/replay
  CeliFolder home;                  ///< the run folder, locked
  CeliFolder checkpoints, segments; ///< its subfolders "checkpoints" and "replay"
  int64_t total;                    ///< steps at which the run ends
  CelEnvSpec *spec;
  CelAgent *agent;
  CelTensors *tensors; ///< tensors of the environments and CeliRunState, and scratch
  CelVecEnv env;
  CeliRunState state;
  uint8_t *actions; ///< (N rows) scratch
  CeliMetrics metrics;
  CeliPace pace;
  int64_t saved_step;   ///< step of the newest usable checkpoint; -1: none
  char agent_note[512]; ///< the last note of the agent that was passed on
  bool noted_cut;       ///< the note on evaluations that cut off episodes was passed on
} CeliTraining;

// ---- training.c
/// Creates environments, agent and run state, but no files. The caller zeroes `training` before,
/// and calls celi_training_end afterwards even if this fails.
CelStatus celi_training_open(CeliTraining *training, const CelSetup *setup, int64_t total,
                             const CelRunHooks *hooks) CEL_WARN_UNUSED;
/// Closes everything after training returned `status`. If the run failed, notes which checkpoint it
/// can resume from.
void celi_training_end(CeliTraining *training, CelStatus status, CelRunResult *result);
/// Calls the hook `note` with a message in printf form.
void celi_training_note(const CeliTraining *training, const char *format, ...) CEL_PRINTF(2, 3);
/// Passes the agent's note to the hook `note` if it has changed.
void celi_training_note_agent(CeliTraining *training);

// ---- train.c
/// Trains up to training->total steps, or until a hook asks to stop.
CelStatus celi_training_run(CeliTraining *training, CelRunResult *result) CEL_WARN_UNUSED;
/// Whether the evaluation of the present step is missing because a stop request interrupted it.
bool celi_training_is_behind(const CeliTraining *training);

// ---- loop.c
/// Called for each training episode that ends.
typedef void CeliEpisodeEnded(void *user, double episode_return, int64_t length);
/// Calls the hook `begun`. folder: the run's, or NULL.
CelStatus celi_loop_begin(const CelRunHooks *hooks, CelAgent *agent, const CelEnvSpec *spec,
                          const char *folder) CEL_WARN_UNUSED;
/// Takes at least one and at most `steps` steps of all environments, then runs the update that is
/// due. actions: (N rows) scratch.
CelStatus celi_loop_advance(CelAgent *agent, CelVecEnv *env, void *actions, int64_t steps,
                            CeliEpisodeEnded *note, void *user,
                            const CelRunHooks *hooks) CEL_WARN_UNUSED;
/// Runs the update that is due, if any, and calls the hook `updated`.
CelStatus celi_loop_update(CelAgent *agent, const CelRunHooks *hooks) CEL_WARN_UNUSED;
/// Whether the hook `stop` asks to stop.
bool celi_loop_stop(const CelRunHooks *hooks);

// ---- pace.c
void celi_pace_start(CeliPace *pace, int64_t steps);
/// Returns true if a progress report is due, always with `now`. Updates the smoothed rate then.
bool celi_pace_tick(CeliPace *pace, int64_t steps, bool now);
/// A progress report without episodes and returns.
CelProgress celi_progress_make(const CeliPace *pace, const CelAgent *agent, int64_t steps,
                               int64_t total);

// ---- evaluate.c
/// Errors: CEL_E_SHAPE (the agent was created for other spaces than the environment's).
CelStatus celi_check_fit(const CelAgent *agent, const CelEnvSpec *spec) CEL_WARN_UNUSED;
/// cel_evaluate that calls hooks->stop after each step and, with report_progress, hooks->progress.
/// Errors: those of cel_evaluate, and CEL_E_INTERRUPTED.
CelStatus celi_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes, uint64_t seed,
                        CelActMode mode, const CelRunHooks *hooks, bool report_progress,
                        double *returns, int64_t *lengths, CelEvalResult *result) CEL_WARN_UNUSED;

// ---- metrics.c
/// Opens the tables and TensorBoard. step: rows of later steps are removed; -1: creates new tables.
CelStatus celi_metrics_open(CeliTraining *training, int64_t step) CEL_WARN_UNUSED;
/// Adds a row for the present step. evaluated: the row includes the last evaluation.
CelStatus celi_metrics_log(CeliTraining *training, bool evaluated) CEL_WARN_UNUSED;
/// Adds a row to evaluations.csv.
CelStatus celi_metrics_evaluation(CeliTraining *training,
                                  const CelEvalResult *result) CEL_WARN_UNUSED;
/// Flushes everything to disk.
CelStatus celi_metrics_sync(CeliTraining *training) CEL_WARN_UNUSED;
CelStatus celi_metrics_close(CeliTraining *training) CEL_WARN_UNUSED;
/// Mean over the last CELI_WINDOW finished episodes; NAN before the first.
double celi_window_return(const CeliRunState *state);
double celi_window_length(const CeliRunState *state);

#endif
