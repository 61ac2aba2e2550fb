/// The loop { act, step, observe, update }, and what happens between its steps: evaluations, rows
/// of the log, checkpoints, progress, a stop on request.
///
/// What is due at a step is a function of the step alone, and the clock decides nothing but when
/// progress is told, so that a run that was stopped and resumed cannot be told from one that was
/// not.
#include "celsius/train.h"
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "run/config.h"
#include "run/runfolder.h"
#include "run/training.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TELL_EVERY 0.05   // seconds between two calls of the progress hook
#define RATE_MEMORY 3.0   // seconds over which the rate is smoothed
#define COLLECT_ROWS 8192 // steps of all environments between two questions whether to stop

static const CelRunHooks no_hooks = {0};

double celi_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void celi_training_note(const CeliTraining *training, const char *format, ...) {
  char text[1024];
  if (!training->hooks->note) return;
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  training->hooks->note(training->hooks->user, text);
  celi_floats_keep();
}

/// Passes on what the agent has to say, once.
static void tell_agent_note(CeliTraining *training) {
  const char *note = cel_agent_note(training->agent);
  if (strcmp(note, training->agent_note) == 0) return;
  snprintf(training->agent_note, sizeof training->agent_note, "%s", note);
  celi_training_note(training, "%s", note);
}

// ---- the loop itself

/// What a sitting's loop knows of episodes that ended.
typedef void Ended(void *user, double episode_return, int64_t length);

/// One step of all environments.
static CelStatus step(CelAgent *agent, CelVecEnv *env, void *actions, Ended *note, void *user) {
  CELI_TRY(cel_agent_act(agent, env->obs, NULL, CEL_EXPLORE, actions));
  CELI_TRY(cel_fail_in(cel_vecenv_step(env, actions, 0, env->N),
                       "training step %lld: ", (long long)cel_agent_steps(agent) + 1));
  const CelOutcome outcome = {.reward = env->reward,
                              .terminated = env->terminated,
                              .truncated = env->truncated,
                              .obs = env->obs,
                              .final_obs = env->final_obs};
  CELI_TRY(cel_agent_observe(agent, &outcome));
  for (int64_t i = 0; i < env->N; i++)
    if (env->terminated[i] || env->truncated[i])
      note(user, env->final_return[i], env->final_length[i]);
  return CEL_OK;
}

/// Tells the caller that the run begins.
static CelStatus begin(const CelRunHooks *hooks, CelAgent *agent, const CelEnvSpec *spec,
                       const char *folder) {
  if (!hooks->begun) return CEL_OK;
  const CelStatus status = hooks->begun(hooks->user, agent, spec, folder);
  celi_floats_keep();
  return status;
}

/// Up to `steps` steps at once, by an algorithm that can; the same bits as one by one.
static CelStatus collect(CelAgent *agent, CelVecEnv *env, int64_t steps, Ended *note, void *user) {
  CELI_FLOATS(CELI_FLUSH);
  const CeliRollout *r = agent->algo->rollout(agent);
  const int64_t begin = *r->filled * r->N;
  CELI_TRY(agent->algo->collect(agent, env, steps));
  for (int64_t row = begin; row < *r->filled * r->N; row++)
    if (celi_rollout_ended(r, row)) note(user, r->final_return[row], r->final_length[row]);
  return CEL_OK;
}

/// The gradient steps that are due.
static CelStatus update(CelAgent *agent, const CelRunHooks *hooks, CeliUpdateTime *time) {
  const int64_t updates = cel_agent_updates(agent);
  CELI_TRY(celi_update(agent, hooks, time));
  if (!hooks->updated || cel_agent_updates(agent) == updates) return CEL_OK;
  const CelStatus status = hooks->updated(hooks->user, agent);
  celi_floats_keep();
  return status;
}

/// At least one step of all environments and at most `steps`, and the gradient steps that are due after it.
static CelStatus advance(CelAgent *agent, CelVecEnv *env, void *actions, int64_t steps, Ended *note,
                         void *user, const CelRunHooks *hooks, CeliUpdateTime *time) {
  const int64_t most = env->N < COLLECT_ROWS ? COLLECT_ROWS / env->N : 1;
  if (agent->algo->collect)
    CELI_TRY(collect(agent, env, steps < most ? steps : most, note, user));
  else
    CELI_TRY(step(agent, env, actions, note, user));
  return update(agent, hooks, time);
}

// ---- progress

static void pace_start(CeliPace *pace, int64_t steps) {
  pace->start = pace->told = celi_seconds();
  pace->start_steps = pace->told_steps = steps;
  pace->rate = 0;
}

/// True when it is time to tell of progress; advances the smoothed rate.
static bool pace_tick(CeliPace *pace, int64_t steps, bool now) {
  const double time = celi_seconds(), passed = time - pace->told;
  if (!now && passed < TELL_EVERY) return false;
  if (passed > 0) {
    const double rate = (double)(steps - pace->told_steps) / passed;
    const double keep = pace->rate > 0 ? exp(-passed / RATE_MEMORY) : 0;
    pace->rate = keep * pace->rate + (1 - keep) * rate;
    pace->told = time;
    pace->told_steps = steps;
  }
  return true;
}

static CelProgress make_progress(const CeliPace *pace, const CelAgent *agent, int64_t steps,
                                 int64_t total) {
  return (CelProgress){.steps = steps,
                       .total_steps = total,
                       .updates = cel_agent_updates(agent),
                       .fraction = steps < total ? (double)steps / (double)total : 1,
                       .seconds = pace->before + celi_seconds() - pace->start,
                       .steps_per_second = pace->rate,
                       .eta = pace->rate > 0 ? (double)(total - steps) / pace->rate : (double)NAN,
                       .mean_return = (double)NAN,
                       .eval_return = (double)NAN};
}

static void tell(CeliTraining *training, bool now) {
  const int64_t steps = cel_agent_steps(training->agent);
  if (!pace_tick(&training->pace, steps, now) || !training->hooks->progress) return;
  CelProgress progress = make_progress(&training->pace, training->agent, steps, training->total);
  progress.episodes = *training->state.episodes;
  progress.mean_return = celi_window_return(&training->state);
  if (*training->state.eval_step >= 0) progress.eval_return = training->state.eval[0];
  training->hooks->progress(training->hooks->user, &progress);
  celi_floats_keep();
}

static bool asked_to_stop(const CelRunHooks *hooks) {
  const bool stop = hooks->stop && hooks->stop(hooks->user);
  celi_floats_keep();
  return stop;
}

// ---- a loop over an agent and environments of the caller's

typedef struct Tally {
  double returns[CELI_WINDOW];
  int64_t episodes;
} Tally;

static void tally(void *user, double episode_return, int64_t length) {
  Tally *seen = user;
  (void)length;
  seen->returns[seen->episodes++ % CELI_WINDOW] = episode_return;
}

static double tally_mean(const Tally *tally) {
  const int64_t n = tally->episodes < CELI_WINDOW ? tally->episodes : CELI_WINDOW;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += tally->returns[i];
  return n ? sum / (double)n : (double)NAN;
}

static CelStatus learn(CelAgent *agent, CelVecEnv *env, int64_t steps, const CelRunHooks *hooks,
                       void *actions) {
  Tally seen = {.episodes = 0};
  CeliPace pace = {0};
  CeliUpdateTime time = {0};
  pace_start(&pace, 0);
  const int64_t start = cel_agent_steps(agent);
  CELI_TRY(begin(hooks, agent, env->spec, NULL));
  CELI_TRY(update(agent, hooks, &time)); // one that a stop broke off
  for (int64_t done = 0; done < steps;) {
    CELI_TRY(advance(agent, env, actions, (steps - done + env->N - 1) / env->N, tally, &seen, hooks,
                     &time));
    done = cel_agent_steps(agent) - start;
    if (pace_tick(&pace, done, false) && hooks->progress) {
      CelProgress progress = make_progress(&pace, agent, done, steps);
      progress.episodes = seen.episodes;
      progress.mean_return = tally_mean(&seen);
      hooks->progress(hooks->user, &progress);
      celi_floats_keep();
    }
    if (done < steps && asked_to_stop(hooks))
      return cel_fail(CEL_E_INTERRUPTED, "stopped after %lld of %lld step%s", (long long)done,
                      (long long)steps, celi_s(steps));
  }
  return CEL_OK;
}

CelStatus cel_learn(CelAgent *agent, CelVecEnv *env, int64_t steps, const CelRunHooks *hooks) {
  CELI_NEED(agent);
  CELI_NEED(env);
  if (!env->spec || !env->obs)
    return cel_fail(CEL_E_STATE, "the environments are not allocated: call cel_vecenv_declare, "
                                 "cel_tensors_allocate and cel_vecenv_reset first");
  CELI_FLOATS(CELI_IEEE);
  void *actions = NULL;
  CELI_TRY(celi_check_fit(agent, env->spec));
  if (agent->options.act_only)
    return cel_fail(CEL_E_STATE, "this agent only acts (act_only): it cannot learn");
  if (agent->options.n_envs != env->N)
    return cel_fail(CEL_E_SHAPE,
                    "the agent was made for %lld environment%s (n_envs), but there %s %lld",
                    (long long)agent->options.n_envs, celi_s(agent->options.n_envs),
                    env->N == 1 ? "is" : "are", (long long)env->N);
  CELI_TRY(celi_alloc(&actions, (size_t)env->N, cel_space_bytes(&env->spec->action), "actions"));
  const CelStatus status = learn(agent, env, steps, hooks ? hooks : &no_hooks, actions);
  free(actions);
  return status;
}

// ---- open and close

static CelStatus declare_state(CeliTraining *training) {
  CeliRunState *s = &training->state;
  CelTensors *list = training->tensors;
  const int64_t one = 1, three = 3, window = CELI_WINDOW, identity = CELI_IDENTITY_MAX;
  const int64_t actions = training->env.N * (int64_t)cel_space_bytes(&training->spec->action);
  const struct {
    const char *name;
    CelType type;
    CelRole role;
    void *place;
    const int64_t *size;
  } rows[] = {{"run.episodes", CEL_I64, CEL_STATE, &s->episodes, &one},
              {"run.window_return", CEL_F64, CEL_STATE, &s->window_return, &window},
              {"run.window_length", CEL_I64, CEL_STATE, &s->window_length, &window},
              {"run.best_return", CEL_F64, CEL_STATE, &s->best_return, &one},
              {"run.eval_step", CEL_I64, CEL_STATE, &s->eval_step, &one},
              {"run.eval", CEL_F64, CEL_STATE, &s->eval, &three},
              {"run.identity", CEL_U8, CEL_STATE, &s->identity, &identity},
              {"run.actions", CEL_U8, CEL_SCRATCH, &training->actions, &actions}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    CELI_TRY(cel_tensors_declare(list, rows[i].name, rows[i].type, rows[i].role, rows[i].place, 1,
                                 rows[i].size));
  return CEL_OK;
}

static CelStatus fill_state(CeliTraining *training) {
  CeliRunState *s = &training->state;
  CeliText identity = {0};
  *s->best_return = -(double)INFINITY;
  *s->eval_step = -1;
  celi_setup_identity(training->setup, &identity);
  CelStatus status = celi_text_status(&identity);
  if (status == CEL_OK && identity.size > CELI_IDENTITY_MAX)
    status = cel_fail(CEL_E_RANGE, "the configuration's text is %zu bytes long; at most %d fit",
                      identity.size, CELI_IDENTITY_MAX);
  if (status == CEL_OK) memcpy(s->identity, identity.data, identity.size);
  celi_text_free(&identity);
  return status;
}

CelStatus celi_training_open(CeliTraining *training, const CelSetup *setup, int64_t total,
                             const CelRunHooks *hooks) {
  const CelRunConfig *run = &setup->run;
  training->setup = setup;
  training->hooks = hooks ? hooks : &no_hooks;
  training->total = total;
  training->home = training->checkpoints = training->segments = (CeliFolder){.fd = -1};
  training->saved_step = -1;
  CELI_TRY(cel_fields_check(cel_run_fields(), run));
  CELI_TRY(cel_env_spec_create(&training->spec, run->env, celi_setup_env_config(setup),
                               celi_setup_env_options(setup)));
  const CelAgentOptions options = {
      .n_envs = run->n_envs, .seed = run->seed, .threads = (int)run->threads, .total_steps = total};
  CELI_TRY(
      cel_fail_in(cel_agent_create(&training->agent, run->algo, setup->algo_config,
                                   &training->spec->observation, &training->spec->action, &options),
                  "%s: ", celi_env_short_id(run->env)));
  tell_agent_note(training);
  CELI_TRY(cel_tensors_create(&training->tensors));
  CELI_TRY(cel_vecenv_declare(&training->env, training->tensors, "env", training->spec, run->n_envs,
                              run->seed, CEL_RNG_ENV, 0));
  CELI_TRY(declare_state(training));
  CELI_TRY(cel_tensors_allocate(training->tensors));
  CELI_TRY(fill_state(training));
  return cel_vecenv_reset(&training->env);
}

void celi_training_close(CeliTraining *training) {
  if (!training->setup) return;
  const CelStatus status = celi_metrics_close(training);
  (void)status; // what mattered was flushed before; an error here comes after one that was told
  cel_tensors_destroy(training->tensors);
  cel_agent_destroy(training->agent);
  cel_env_spec_destroy(training->spec);
  celi_folder_close(&training->segments);
  celi_folder_close(&training->checkpoints);
  celi_folder_close(&training->home);
}

/// Tells that a run that failed has a checkpoint to go on from, where that is so.
static void note_checkpoint(const CeliTraining *training) {
  char path[CEL_PATH_MAX];
  if (training->saved_step < 0 ||
      celi_checkpoint_path(path, training->folder, training->saved_step) != CEL_OK ||
      access(path, R_OK) != 0)
    return;
  celi_training_note(training, "the checkpoint of step %lld stays: %s",
                     (long long)training->saved_step, training->folder);
}

void celi_training_end(CeliTraining *training, CelStatus status, CelRunResult *result) {
  if (status != CEL_OK && result) {
    memset(result, 0, sizeof *result);
    snprintf(result->folder, sizeof result->folder, "%s", training->folder);
  }
  if (status != CEL_OK && status != CEL_E_INTERRUPTED) note_checkpoint(training);
  celi_training_close(training);
}

// ---- between steps

/// True when a multiple of `every` was reached by the last step.
static bool is_due(const CeliTraining *training, int64_t every) {
  const int64_t now = cel_agent_steps(training->agent), before = now - training->env.N;
  return every > 0 && now / every > before / every;
}

/// Tells once that episodes were cut off, and how to set a limit.
static void note_cut(CeliTraining *training, const CelEvalResult *result) {
  if (result->cut == 0 || training->told_cut) return;
  training->told_cut = true;
  celi_training_note(training,
                     "evaluation at step %lld: %lld of %lld episode%s did not end and %s cut off "
                     "at %d steps; --env.max-episode-steps N gives a new run a time limit",
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

/// The model as it is now, as final.safetensors.
static CelStatus save_final(CeliTraining *training) {
  return celi_agent_save_model_in(training->agent, &training->home, "final.safetensors");
}

/// An evaluation failed with `status`. The agent is whole, so it is saved: what was learned is not lost.
static CelStatus keep(CeliTraining *training, CelStatus status) {
  char *message = strdup(cel_error());
  const CelStatus saved = save(training);
  if (saved != CEL_OK) celi_training_note(training, "nothing could be saved: %s", cel_error());
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

/// Steps of all environments until something is due.
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

/// What is due at the present step, in an order that makes a checkpoint the last of it. The last model is saved before it
/// is evaluated, which may fail.
static CelStatus do_what_is_due(CeliTraining *training) {
  const CelRunConfig *run = &training->setup->run;
  const bool last = is_last(training), eval = evaluation_is_due(training);
  if (last) CELI_TRY(save_final(training));
  if (eval) {
    const CelStatus status = evaluate(training);
    if (status != CEL_OK) return status == CEL_E_INTERRUPTED ? status : keep(training, status);
    tell(training, true);
  }
  tell_agent_note(training);
  if (eval || is_due(training, run->log_every)) CELI_TRY(celi_metrics_log(training, eval));
  if (last || is_due(training, run->checkpoint_every)) CELI_TRY(save(training));
  return CEL_OK;
}

static CelStatus interrupt(CeliTraining *training) {
  char folder[4 * CEL_PATH_MAX + 8];
  CELI_TRY(cel_fail_in(save(training), "while saving on request: "));
  return cel_fail(CEL_E_INTERRUPTED,
                  "stopped after %lld of %lld step%s, everything is saved; go on with: "
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

/// What is due now; a stop in the middle of it saves, and leaves it to be done again.
static CelStatus catch_up(CeliTraining *training) {
  const CelStatus status = do_what_is_due(training);
  return status == CEL_E_INTERRUPTED ? interrupt(training) : status;
}

/// The status of an update; a stop in the middle of it saves, and leaves it to be done again.
static CelStatus or_save(CeliTraining *training, CelStatus status) {
  const bool broken_off = status == CEL_E_INTERRUPTED && training->update_time.broken_off;
  return broken_off ? interrupt(training) : status;
}

/// What a stop broke off: an update and what is due after it, or an evaluation.
static CelStatus finish_step(CeliTraining *training) {
  if (celi_update_is_due(training->agent)) {
    CELI_TRY(or_save(training, update(training->agent, training->hooks, &training->update_time)));
    training->saved_step = -1; // what is saved lacks the update
    return catch_up(training);
  }
  if (celi_training_is_behind(training)) return catch_up(training);
  return is_last(training) ? save_final(training) : CEL_OK;
}

CelStatus celi_training_run(CeliTraining *training, CelRunResult *result) {
  const CelRunHooks *hooks = training->hooks;
  pace_start(&training->pace, cel_agent_steps(training->agent));
  CELI_TRY(begin(hooks, training->agent, training->spec, training->folder));
  CELI_TRY(finish_step(training));
  while (!is_last(training)) {
    const CelStatus status =
        advance(training->agent, &training->env, training->actions, steps_ahead(training),
                count_episode, &training->state, hooks, &training->update_time);
    CELI_TRY(or_save(training, status));
    CELI_TRY(catch_up(training));
    tell(training, false);
    if (!is_last(training) && asked_to_stop(hooks)) return interrupt(training);
  }
  CELI_TRY(celi_metrics_close(training));
  if (training->pace.start_steps < training->total) tell(training, true);
  if (result) fill_result(training, result);
  return CEL_OK;
}

// ---- from the start

static CelStatus start_files(CeliTraining *training) {
  CelSetup written = *training->setup;
  written.run.out[0] = 0; // the folder may be moved; a new run from this file gets one of its own
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
