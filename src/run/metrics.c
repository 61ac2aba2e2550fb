/// The measurements of a run: progress.csv, evaluations.csv, TensorBoard. Names are those of
/// Stable-Baselines3.
#include "base/base.h"
#include "base/clock.h"
#include "run/runfolder.h"
#include "run/tensorboard.h"
#include "run/training.h"

#include <math.h>
#include <string.h>

#define FLUSH_EVERY 2.0 // seconds between two flushes of TensorBoard events

/// Columns of progress.csv: these, then the agent's metrics, then those of the evaluation.
enum { STEP, EPISODES, FPS, ELAPSED, REWARD, LENGTH, UPDATES, N_FIXED, N_EVAL = 2 };
static const char *const fixed_names[N_FIXED] = {
    "time/total_timesteps", "time/episodes",       "time/fps",       "time/time_elapsed",
    "rollout/ep_rew_mean",  "rollout/ep_len_mean", "train/n_updates"};
static const char *const eval_names[N_EVAL] = {"eval/mean_reward", "eval/mean_ep_length"};

enum { N_EVALUATION = 8 };
static const char *const evaluation_names[N_EVALUATION] = {
    "time/total_timesteps", "eval/episodes",      "eval/mean_reward", "eval/std_reward",
    "eval/min_reward",      "eval/median_reward", "eval/max_reward",  "eval/mean_ep_length"};

// ---- the last episodes

static int64_t window_size(const CeliRunState *state) {
  return *state->episodes < CELI_WINDOW ? *state->episodes : CELI_WINDOW;
}

double celi_window_return(const CeliRunState *state) {
  double sum = 0;
  for (int64_t i = 0; i < window_size(state); i++) sum += state->window_return[i];
  return *state->episodes ? sum / (double)window_size(state) : (double)NAN;
}

double celi_window_length(const CeliRunState *state) {
  double sum = 0;
  for (int64_t i = 0; i < window_size(state); i++) sum += (double)state->window_length[i];
  return *state->episodes ? sum / (double)window_size(state) : (double)NAN;
}

// ---- open and close

static void list_columns(CeliTraining *training) {
  CeliMetrics *metrics = &training->metrics;
  double value;
  metrics->n = 0;
  for (int i = 0; i < N_FIXED; i++) metrics->names[metrics->n++] = fixed_names[i];
  for (int i = 0; cel_agent_metric(training->agent, i, &metrics->names[metrics->n], &value); i++)
    metrics->n++;
  for (int i = 0; i < N_EVAL; i++) metrics->names[metrics->n++] = eval_names[i];
  CEL_ASSERT(metrics->n <= CELI_CSV_COLUMNS);
}

/// Opens the event file. Without TensorBoard support it only notes that and succeeds.
static CelStatus open_events(CeliTraining *training, int64_t step) {
  const CelStatus status =
      celi_events_open(&training->metrics.events, &training->home, step < 0 ? -1 : step + 1);
  if (status != CEL_E_UNSUPPORTED) return status;
  celi_training_note(training, "TensorBoard events are not written: %s", cel_error());
  return CEL_OK;
}

CelStatus celi_metrics_open(CeliTraining *training, int64_t step) {
  CeliMetrics *metrics = &training->metrics;
  static const char progress[] = "progress.csv", evaluations[] = "evaluations.csv";
  const CeliFolder *home = &training->home;
  double last[CELI_CSV_COLUMNS];
  list_columns(training);
  if (step < 0) {
    CELI_TRY(celi_csv_create(&metrics->progress, home, progress, metrics->names, metrics->n));
    CELI_TRY(
        celi_csv_create(&metrics->evaluations, home, evaluations, evaluation_names, N_EVALUATION));
  } else {
    CELI_TRY(celi_csv_resume(&metrics->evaluations, home, evaluations, evaluation_names,
                             N_EVALUATION, step, last));
    CELI_TRY(celi_csv_resume(&metrics->progress, home, progress, metrics->names, metrics->n, step,
                             last));
    if (isfinite(last[ELAPSED])) training->pace.before = last[ELAPSED];
  }
  if (!training->setup->run.tensorboard) return CEL_OK;
  return open_events(training, step);
}

CelStatus celi_metrics_sync(CeliTraining *training) {
  CELI_TRY(celi_csv_sync(&training->metrics.progress));
  CELI_TRY(celi_csv_sync(&training->metrics.evaluations));
  return training->metrics.events ? celi_events_flush(training->metrics.events) : CEL_OK;
}

CelStatus celi_metrics_close(CeliTraining *training) {
  CeliMetrics *metrics = &training->metrics;
  celi_csv_close(&metrics->progress);
  celi_csv_close(&metrics->evaluations);
  struct CeliEvents *events = metrics->events;
  metrics->events = NULL;
  return events ? celi_events_close(events) : CEL_OK;
}

// ---- rows

static CelStatus write_events(CeliMetrics *metrics, const double *values) {
  const int64_t step = (int64_t)values[STEP];
  const double now = celi_seconds();
  if (!metrics->events) return CEL_OK;
  for (int i = 0; i < metrics->n; i++)
    if (i != STEP && !isnan(values[i]))
      CELI_TRY(celi_events_scalar(metrics->events, metrics->names[i], step, values[i]));
  if (now - metrics->flushed < FLUSH_EVERY) return CEL_OK;
  metrics->flushed = now;
  return celi_events_flush(metrics->events);
}

CelStatus celi_metrics_log(CeliTraining *training, bool evaluated) {
  CeliMetrics *metrics = &training->metrics;
  const CeliRunState *state = &training->state;
  const CeliPace *pace = &training->pace;
  const int64_t steps = cel_agent_steps(training->agent);
  const double seconds = celi_seconds() - pace->start;
  double values[CELI_CSV_COLUMNS];
  values[STEP] = (double)steps;
  values[EPISODES] = (double)*state->episodes;
  values[FPS] = seconds > 0 ? floor((double)(steps - pace->start_steps) / seconds) : (double)NAN;
  values[ELAPSED] = pace->before + seconds;
  values[REWARD] = celi_window_return(state);
  values[LENGTH] = celi_window_length(state);
  values[UPDATES] = (double)cel_agent_updates(training->agent);
  int n = N_FIXED;
  for (int i = 0; n < metrics->n - N_EVAL; i++, n++) {
    const char *name;
    (void)cel_agent_metric(training->agent, i, &name, &values[n]);
  }
  values[n++] = evaluated ? state->eval[0] : (double)NAN;
  values[n++] = evaluated ? state->eval[2] : (double)NAN;
  CELI_TRY(celi_csv_row(&metrics->progress, values));
  return write_events(metrics, values);
}

CelStatus celi_metrics_evaluation(CeliTraining *training, const CelEvalResult *result) {
  const double values[N_EVALUATION] = {(double)cel_agent_steps(training->agent),
                                       (double)result->episodes,
                                       result->mean_return,
                                       result->std_return,
                                       result->min_return,
                                       result->median_return,
                                       result->max_return,
                                       result->mean_length};
  return celi_csv_row(&training->metrics.evaluations, values);
}
