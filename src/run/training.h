/// A run in progress: what train.c, resume.c and metrics.c share.
#ifndef CELI_RUN_TRAINING_H
#define CELI_RUN_TRAINING_H
#include "celsius/agent.h"
#include "celsius/setup.h"
#include "run/csv.h"

#define CELI_WINDOW 100         ///< episodes in rollout/ep_rew_mean, as in Stable-Baselines3
#define CELI_IDENTITY_MAX 16384 ///< bytes of a run's identity in its checkpoints

/// What a run knows besides its agent and environments; tensors of role CEL_STATE, so that it is
/// saved with them.
typedef struct CeliRunState {
  int64_t *episodes;      ///< (1,) finished so far
  double *window_return;  ///< (CELI_WINDOW,) episode k lies at k mod CELI_WINDOW
  int64_t *window_length; ///< (CELI_WINDOW,)
  double *best_return;    ///< (1,) best mean return of an evaluation; -INFINITY before the first
  int64_t *eval_step;     ///< (1,) step of the last evaluation; -1 before the first
  double *eval;           ///< (3,) its mean return, standard deviation, mean length
  uint8_t *identity;      ///< (CELI_IDENTITY_MAX,) text, see celi_setup_identity
} CeliRunState;

/// Wall time, for people only: nothing that is saved depends on it.
typedef struct CeliPace {
  double start;        ///< seconds on the monotonic clock
  double before;       ///< seconds of earlier sittings
  int64_t start_steps; ///< steps when this sitting began
  double told;         ///< when progress was last told
  int64_t told_steps;
  double rate; ///< steps a second, smoothed over about three seconds
} CeliPace;

/// How long the last update took, and whether a stop broke it off.
typedef struct CeliUpdateTime {
  bool known, broken_off;
  double seconds;
} CeliUpdateTime;

/// Where numbers go: progress.csv, evaluations.csv, TensorBoard.
typedef struct CeliMetrics {
  CeliCsv progress, evaluations;
  struct CeliEvents *events; ///< NULL: no TensorBoard
  double flushed;            ///< seconds on the monotonic clock when events were last flushed
  const char *names[CELI_CSV_COLUMNS];
  int n;
} CeliMetrics;

typedef struct CeliTraining {
  const CelSetup *setup;
  const CelRunHooks *hooks; ///< never NULL
  char folder[CEL_PATH_MAX];
  char replay[CEL_PATH_MAX];        ///< folder/replay
  CeliFolder home;                  ///< the run folder, locked
  CeliFolder checkpoints, segments; ///< the folders in it
  int64_t total;                    ///< steps to reach
  CelEnvSpec *spec;
  CelAgent *agent;
  CelTensors *tensors; ///< environments, CeliRunState, scratch
  CelVecEnv env;
  CeliRunState state;
  uint8_t *actions; ///< (N rows)
  CeliMetrics metrics;
  CeliPace pace;
  CeliUpdateTime update_time;
  int64_t saved_step;   ///< step of the newest checkpoint of this sitting; -1: none
  char agent_note[512]; ///< what the agent had to say, told already
  bool told_cut;        ///< that evaluations are cut off was told
} CeliTraining;

// ---- train.c
/// Everything but files: environments, agent, state; all at their start. `training` is zeroed by
/// the caller and closed by celi_training_close in any case.
CelStatus celi_training_open(CeliTraining *training, const CelSetup *setup, int64_t total,
                             const CelRunHooks *hooks) CEL_WARN_UNUSED;
void celi_training_close(CeliTraining *training);
/// An evaluation is due at the present step that was not made: it was broken off by a stop.
bool celi_training_is_behind(const CeliTraining *training);
/// Goes on to the end, or until a hook says stop.
CelStatus celi_training_run(CeliTraining *training, CelRunResult *result) CEL_WARN_UNUSED;
/// Ends a sitting that came to `status`: tells what is left of a run that failed, then closes.
void celi_training_end(CeliTraining *training, CelStatus status, CelRunResult *result);
/// Tells the hook `note`, printf form.
void celi_training_note(const CeliTraining *training, const char *format, ...) CEL_PRINTF(2, 3);

// ---- update.c
/// Gradient steps are due: after observing, or where an update was broken off by a stop.
bool celi_update_is_due(const CelAgent *agent);
/// Runs the gradient steps that are due. Errors: CEL_E_INTERRUPTED (`hooks` asked to stop in the middle of a long update:
/// the agent is as it was before the update), and those of cel_agent_update.
CelStatus celi_update(CelAgent *agent, const CelRunHooks *hooks,
                      CeliUpdateTime *time) CEL_WARN_UNUSED;

// ---- evaluate.c
/// Errors: CEL_E_SHAPE: the environment's spaces are not those that the agent was made for.
CelStatus celi_check_fit(const CelAgent *agent, const CelEnvSpec *spec) CEL_WARN_UNUSED;
/// cel_evaluate that calls hooks->stop after each step and, with report_progress, hooks->progress.
/// Errors: CEL_E_INTERRUPTED, and its own.
CelStatus celi_evaluate(CelAgent *agent, const CelEnvSpec *spec, int64_t episodes, uint64_t seed,
                        CelActMode mode, const CelRunHooks *hooks, bool report_progress,
                        double *returns, int64_t *lengths, CelEvalResult *result) CEL_WARN_UNUSED;

// ---- metrics.c
/// `step`: what lies past it is cut off; -1: everything is new.
CelStatus celi_metrics_open(CeliTraining *training, int64_t step) CEL_WARN_UNUSED;
/// A row for the present step. `evaluated`: with the evaluation that was just made.
CelStatus celi_metrics_log(CeliTraining *training, bool evaluated) CEL_WARN_UNUSED;
CelStatus celi_metrics_evaluation(CeliTraining *training,
                                  const CelEvalResult *result) CEL_WARN_UNUSED;
CelStatus celi_metrics_sync(CeliTraining *training) CEL_WARN_UNUSED;
CelStatus celi_metrics_close(CeliTraining *training) CEL_WARN_UNUSED;
/// Mean over the window of finished episodes, NAN before the first.
double celi_window_return(const CeliRunState *state);
double celi_window_length(const CeliRunState *state);

#endif
