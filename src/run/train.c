/// Training with a run folder: evaluations, rows of the tables, checkpoints, progress, stopping.
///
/// Schedules depend on the step count only. Wall time affects only progress output. A run that was
/// stopped and resumed therefore has the same results as one that was not.
#include "celsius/train.h"
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/clock.h"
#include "run/config.h"
#include "run/runfolder.h"
#include "run/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Calls the progress hook if it is due, or in any case with `now`.
static void report(CeliTraining *training, bool now) {
  const int64_t steps = cel_agent_steps(training->agent);
  if (!celi_pace_tick(&training->pace, steps, now) || !training->hooks->progress) return;
  CelProgress progress =
      celi_progress_make(&training->pace, training->agent, steps, training->total);
  progress.episodes = *training->state.episodes;
  progress.mean_return = celi_window_return(&training->state);
  if (*training->state.eval_step >= 0) progress.eval_return = training->state.eval[0];
  training->hooks->progress(training->hooks->user, &progress);
  celi_floats_keep();
}

// ---- between steps

/// Whether the last step of all environments reached a multiple of `every`.
static bool is_due(const CeliTraining *training, int64_t every) {
  const int64_t now = cel_agent_steps(training->agent), before = now - training->env.N;
  return every > 0 && now / every > before / every;
}

/// Notes, once a run, that an evaluation cut off episodes.
static void note_cut(CeliTraining *training, const CelEvalResult *result) {
  if (result->cut == 0 || training->noted_cut) return;
  training->noted_cut = true;
  celi_training_note(training,
                     "evaluation at step %lld: %lld of %lld episode%s did not end and %s cut off "
                     "after %d steps; --env.max-episode-steps N sets a time limit for a new run",
                     (long long)cel_agent_steps(training->agent), (long long)result->cut,
                     (long long)result->episodes, celi_s(result->episodes),
                     result->cut == 1 ? "was" : "were", CEL_EVAL_STEPS_MAX);
}

static CelStatus evaluate(CeliTraining *training) {
  const CelRunConfig *run = &training->setup->run;
  CeliRunState *state = &training->state;
  CelEvalResult result;
  CELI_TRY(cel_fail_in(celi_evaluate(training->agent, training->spec, run->eval_episodes, run->seed,
                                     CEL_MODE, training->hooks, false, NULL, NULL, &result),
                       "evaluation at step %lld: ", (long long)cel_agent_steps(training->agent)));
  note_cut(training, &result);
  *state->eval_step = cel_agent_steps(training->agent);
  state->eval[0] = result.mean_return;
  state->eval[1] = result.std_return;
  state->eval[2] = result.mean_length;
  if (result.mean_return > *state->best_return) {
    CELI_TRY(celi_agent_save_model_in(training->agent, &training->home, "best.safetensors"));
    *state->best_return = result.mean_return;
  }
  return celi_metrics_evaluation(training, &result);
}

static CelStatus save(CeliTraining *training) {
  char name[64];
  const int64_t now = cel_agent_steps(training->agent);
  if (training->saved_step == now) return CEL_OK;
  CELI_TRY(celi_metrics_sync(training));
  celi_checkpoint_name(name, now);
  CELI_TRY(celi_agent_save_in(training->agent, &training->checkpoints, name, &training->segments,
                              training->tensors));
  training->saved_step = now;
  return celi_checkpoint_prune(training->agent, training->folder, &training->checkpoints,
                               &training->segments, now, training->setup->run.keep);
}

/// Writes the present model as final.safetensors.
static CelStatus save_final(CeliTraining *training) {
  return celi_agent_save_model_in(training->agent, &training->home, "final.safetensors");
}

/// Saves the agent after an evaluation failed with `status`; the failure does not affect the agent.
/// Returns `status` with its message.
static CelStatus keep(CeliTraining *training, CelStatus status) {
  char *message = strdup(cel_error());
  const CelStatus saved = save(training);
  if (saved != CEL_OK)
    celi_training_note(training, "the checkpoint could not be saved: %s", cel_error());
  if (message) status = cel_fail(status, "%s", message);
  free(message);
  return status;
}

static void count_episode(void *user, double episode_return, int64_t length) {
  CeliRunState *state = user;
  const int64_t slot = (*state->episodes)++ % CELI_WINDOW;
  state->window_return[slot] = episode_return;
  state->window_length[slot] = length;
}

/// The number of steps of all environments until something is due.
static int64_t steps_ahead(const CeliTraining *training) {
  const CelRunConfig *run = &training->setup->run;
  const int64_t every[] = {run->eval_every, run->log_every, run->checkpoint_every};
  const int64_t now = cel_agent_steps(training->agent), N = training->env.N;
  int64_t next = training->total;
  for (int i = 0; i < 3; i++) {
    const int64_t due = every[i] > 0 ? (now / every[i] + 1) * every[i] : next;
    if (due < next) next = due;
  }
  return (next - now + N - 1) / N;
}

static bool is_last(const CeliTraining *training) {
  return cel_agent_steps(training->agent) >= training->total;
}

static bool evaluation_is_due(const CeliTraining *training) {
  return is_due(training, training->setup->run.eval_every) || is_last(training);
}

bool celi_training_is_behind(const CeliTraining *training) {
  const int64_t now = cel_agent_steps(training->agent);
  return now > 0 && *training->state.eval_step != now && evaluation_is_due(training);
}

/// Does everything that is due at the present step. The checkpoint comes last, so that it includes
/// the rest. The final model is saved before its evaluation, because the evaluation may fail.
static CelStatus do_what_is_due(CeliTraining *training) {
  const CelRunConfig *run = &training->setup->run;
  const bool last = is_last(training), eval = evaluation_is_due(training);
  if (last) CELI_TRY(save_final(training));
  if (eval) {
    const CelStatus status = evaluate(training);
    if (status != CEL_OK) return status == CEL_E_INTERRUPTED ? status : keep(training, status);
    report(training, true);
  }
  celi_training_note_agent(training);
  if (eval || is_due(training, run->log_every)) CELI_TRY(celi_metrics_log(training, eval));
  if (last || is_due(training, run->checkpoint_every)) CELI_TRY(save(training));
  return CEL_OK;
}

static CelStatus interrupt(CeliTraining *training) {
  char folder[4 * CEL_PATH_MAX + 8];
  CELI_TRY(cel_fail_in(save(training), "saving after a stop request: "));
  return cel_fail(CEL_E_INTERRUPTED,
                  "stopped after %lld of %lld step%s; everything is saved; resume with: "
                  "celsius train --resume %s%s",
                  (long long)cel_agent_steps(training->agent), (long long)training->total,
                  celi_s(training->total), cel_shell_quote(folder, sizeof folder, training->folder),
                  training->spec->library ? " --allow-plugins" : "");
}

static void fill_result(const CeliTraining *training, CelRunResult *result) {
  const CeliRunState *state = &training->state;
  *result = (CelRunResult){.steps = cel_agent_steps(training->agent),
                           .updates = cel_agent_updates(training->agent),
                           .episodes = *state->episodes,
                           .seconds = training->pace.before + celi_seconds() - training->pace.start,
                           .mean_return = state->eval[0],
                           .std_return = state->eval[1],
                           .best_return = *state->best_return,
                           .renders = training->spec->type->render != NULL,
                           .plugin = training->spec->library != NULL};
  snprintf(result->folder, sizeof result->folder, "%s", training->folder);
}

/// Does what is due now. If a stop request interrupts it, saves; resuming repeats what is due.
static CelStatus catch_up(CeliTraining *training) {
  const CelStatus status = do_what_is_due(training);
  return status == CEL_E_INTERRUPTED ? interrupt(training) : status;
}

/// Returns the status of an update. If a stop request interrupted the update, saves first; resuming
/// repeats the update.
static CelStatus save_if_interrupted(CeliTraining *training, CelStatus status) {
  const bool interrupted = status == CEL_E_INTERRUPTED && training->agent->update_interrupted;
  return interrupted ? interrupt(training) : status;
}

/// Repeats what a stop request interrupted before the run was resumed: an update and what is due
/// after it, or an evaluation.
static CelStatus finish_step(CeliTraining *training) {
  if (celi_agent_update_is_due(training->agent)) {
    CELI_TRY(save_if_interrupted(training, celi_loop_update(training->agent, training->hooks)));
    training->saved_step = -1; // the checkpoint on disk lacks the update
    return catch_up(training);
  }
  if (celi_training_is_behind(training)) return catch_up(training);
  return is_last(training) ? save_final(training) : CEL_OK;
}

CelStatus celi_training_run(CeliTraining *training, CelRunResult *result) {
  const CelRunHooks *hooks = training->hooks;
  celi_pace_start(&training->pace, cel_agent_steps(training->agent));
  CELI_TRY(celi_loop_begin(hooks, training->agent, training->spec, training->folder));
  CELI_TRY(finish_step(training));
  while (!is_last(training)) {
    const CelStatus status =
        celi_loop_advance(training->agent, &training->env, training->actions, steps_ahead(training),
                          count_episode, &training->state, hooks);
    CELI_TRY(save_if_interrupted(training, status));
    CELI_TRY(catch_up(training));
    report(training, false);
    if (!is_last(training) && celi_loop_stop(hooks)) return interrupt(training);
  }
  CELI_TRY(celi_metrics_close(training));
  if (training->pace.start_steps < training->total) report(training, true);
  if (result) fill_result(training, result);
  return CEL_OK;
}

// ---- a new run

static CelStatus start_files(CeliTraining *training) {
  CelSetup written = *training->setup;
  written.run.out[0] = 0; // a new run from this file must not use the same folder
  const bool overwrite = training->hooks->overwrite;
  CELI_TRY(celi_runfolder_create(training->setup, overwrite, training->folder));
  CELI_TRY(celi_runfolder_lock(training->folder, &training->home));
  if (overwrite) CELI_TRY(celi_runfolder_clear(training->folder, true));
  CELI_TRY(celi_path_join(training->replay, training->folder, "replay"));
  CELI_TRY(celi_runfolder_open_parts(&training->home, &training->checkpoints, &training->segments));
  CELI_TRY(celi_setup_write_in(&written, &training->home, "config.yaml"));
  if (!training->hooks->quiet) celi_training_note(training, "run folder %s", training->folder);
  return celi_metrics_open(training, -1);
}

CelStatus cel_setup_train(const CelSetup *setup, const CelRunHooks *hooks, CelRunResult *result) {
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_FLOATS(CELI_IEEE);
  CeliTraining training = {0};
  CelStatus status = celi_training_open(&training, setup, setup->run.steps, hooks);
  if (status == CEL_OK) status = start_files(&training);
  if (status == CEL_OK) status = celi_training_run(&training, result);
  celi_training_end(&training, status, result);
  return status;
}

CelStatus cel_train(const CelRunConfig *config, const void *algo_config, const void *env_config,
                    const CelEnvOptions *env_options, const CelRunHooks *hooks,
                    CelRunResult *result) {
  CELI_NEED(config);
  CELI_FLOATS(CELI_IEEE);
  CelSetup *setup = NULL;
  CELI_TRY(cel_fields_check(cel_run_fields(), config));
  CELI_TRY(cel_setup_create(&setup, config->algo, config->env));
  setup->run = *config;
  if (algo_config) memcpy(setup->algo_config, algo_config, setup->algo->config_size);
  if (env_options) memcpy(setup->env_args, env_options, sizeof *env_options);
  if (env_config)
    memcpy((char *)setup->env_args + celi_env_args_offset(), env_config, setup->env->config_size);
  const CelStatus status = cel_setup_train(setup, hooks, result);
  cel_setup_destroy(setup);
  return status;
}
