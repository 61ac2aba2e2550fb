/// Resuming a run as if it had never stopped, and opening a run for evaluation.
///
/// A run resumes at its newest readable checkpoint. Later rows of tables, TensorBoard events and
/// stored transitions are removed and made again with the same values. A run that stopped before
/// its first checkpoint starts from step 0 with the same results.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/safetensors.h"
#include "celsius/train.h"
#include "run/config.h"
#include "run/runfolder.h"
#include "run/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- identity of a run

/// Finds the first line in which two identities differ. Writes its name and both values, "" for a
/// missing line. Returns false if the identities are equal.
static bool first_difference(const char *was, const char *is, char name[128], char was_value[128],
                             char is_value[128]) {
  while (*was || *is) {
    const size_t n_was = strcspn(was, "\n"), n_is = strcspn(is, "\n");
    if (n_was != n_is || memcmp(was, is, n_was) != 0) {
      const char *line = n_was ? was : is;
      const int name_length = (int)strcspn(line, "=\n");
      const char *const lines[] = {was, is};
      const size_t lengths[] = {n_was, n_is};
      char *const values[] = {was_value, is_value};
      snprintf(name, 128, "%.*s", name_length, line);
      for (int i = 0; i < 2; i++) {
        const size_t head = strcspn(lines[i], "=\n") + 1;
        const int length = lengths[i] > head ? (int)(lengths[i] - head) : 0;
        snprintf(values[i], 128, "%.*s", length, length ? lines[i] + head : "");
      }
      return true;
    }
    was += n_was + (was[n_was] == '\n');
    is += n_is + (is[n_is] == '\n');
  }
  return false;
}

/// Errors: CEL_E_UNSUPPORTED (the message names the field that changed since the checkpoint).
static CelStatus check_identity(const CeliTraining *training, const CelSafetensors *file) {
  char was[CELI_IDENTITY_MAX + 1] = "", is[CELI_IDENTITY_MAX + 1] = "";
  char name[128], was_value[128], is_value[128];
  const CelTensor *saved = cel_safetensors_find(file, "run.identity");
  if (!saved || saved->type != CEL_U8 || saved->size != CELI_IDENTITY_MAX)
    return cel_fail(CEL_E_FORMAT, "this file is not a checkpoint of a run");
  memcpy(was, saved->data, CELI_IDENTITY_MAX);
  memcpy(is, training->state.identity, CELI_IDENTITY_MAX);
  if (!first_difference(was, is, name, was_value, is_value)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s was '%s' when the checkpoint was saved and is '%s' in config.yaml now; "
                  "restore the old value, or start a new run",
                  name, was_value, is_value);
}

// ---- the newest readable checkpoint

/// Errors: CEL_E_CORRUPT (a counter is negative, or so large that it would overflow).
static CelStatus check_counters(const CeliTraining *training) {
  const int64_t episodes = *training->state.episodes, most = INT64_MAX / 2;
  if (episodes < 0 || episodes > most)
    return cel_fail(CEL_E_CORRUPT, "run.episodes is %lld; it must be 0 to 2^62",
                    (long long)episodes);
  for (int64_t i = 0; i < training->env.N; i++)
    if (training->env.elapsed[i] < 0 || training->env.elapsed[i] > most)
      return cel_fail(CEL_E_CORRUPT,
                      "env.elapsed of environment %lld is %lld; it must be 0 to 2^62", (long long)i,
                      (long long)training->env.elapsed[i]);
  return CEL_OK;
}

static CelStatus load(CeliTraining *training, int64_t step) {
  char path[CEL_PATH_MAX];
  CelSafetensors *file = NULL;
  CELI_TRY(celi_checkpoint_path(path, training->folder, step));
  CELI_TRY(cel_safetensors_open(path, &file));
  const CelStatus status = check_identity(training, file);
  cel_safetensors_close(file);
  CELI_TRY(cel_fail_in(status, "%s: ", path));
  CELI_TRY(cel_agent_load(training->agent, path, training->replay, training->tensors));
  if (cel_agent_steps(training->agent) != step)
    return cel_fail(CEL_E_CORRUPT,
                    "%s: the checkpoint was saved at step %lld, which is not the step in its name",
                    path, (long long)cel_agent_steps(training->agent));
  return cel_fail_in(check_counters(training), "%s: ", path);
}

static bool is_broken(CelStatus status) {
  return status == CEL_E_CORRUPT || status == CEL_E_FORMAT;
}

/// Loads the newest checkpoint that is not damaged. *step: its step, or -1 if the run has none.
static CelStatus load_newest(CeliTraining *training, int64_t *step) {
  int64_t *steps = NULL, n = 0;
  CELI_TRY(celi_checkpoint_list(training->folder, &steps, &n));
  CelStatus status = CEL_OK;
  *step = -1;
  for (int64_t i = 0; i < n; i++) {
    status = load(training, steps[i]);
    if (status == CEL_OK) *step = steps[i];
    if (!is_broken(status)) break;
    celi_training_note(training, "%s; %s", cel_error(),
                       i + 1 < n ? "trying the previous checkpoint"
                                 : "there is no earlier checkpoint");
  }
  free(steps);
  if (n && is_broken(status))
    return cel_fail_in(status, "%s: no checkpoint can be read; the oldest one: ", training->folder);
  return status;
}

// ---- resume

/// The step of a table's last row, or -1 if there is none.
static int64_t last_row(const char *folder, const char *name) {
  char path[CEL_PATH_MAX], *text = NULL;
  size_t size = 0;
  int64_t step = -1;
  if (celi_path_join(path, folder, name) != CEL_OK) return -1;
  if (celi_file_read(path, (size_t)1 << 30, &text, &size) != CEL_OK) return -1;
  for (const char *line = text; line && *line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (*line >= '0' && *line <= '9') step = strtoll(line, NULL, 10);
  }
  free(text);
  return step;
}

/// Whether a run without checkpoints has results that a restart would lose. The results of a run
/// that stopped before its first checkpoint do not count, because a restart makes them again.
static bool is_trained(const CeliTraining *training) {
  char path[CEL_PATH_MAX];
  const CelRunConfig *run = &training->setup->run;
  static const char *const models[] = {"final.safetensors", "best.safetensors"};
  bool has[2] = {false, false};
  for (int i = 0; i < 2; i++)
    has[i] = celi_path_join(path, training->folder, models[i]) == CEL_OK && access(path, F_OK) == 0;
  const int64_t rows = last_row(training->folder, "progress.csv"),
                evaluations = last_row(training->folder, "evaluations.csv");
  const int64_t last = rows > evaluations ? rows : evaluations;
  if (has[0] || (has[1] && run->checkpoint_every == 0)) return true;
  return last > training->total ||
         (run->checkpoint_every > 0 && last >= run->checkpoint_every + training->env.N);
}

/// Errors: CEL_E_STATE (the run has results, but its checkpoints are missing).
static CelStatus check_start(const CeliTraining *training) {
  if (training->hooks->overwrite) return celi_runfolder_clear(training->folder, false);
  if (!is_trained(training)) return CEL_OK;
  char config[CEL_PATH_MAX], quoted[4 * CEL_PATH_MAX + 8];
  CELI_TRY(celi_path_join(config, training->folder, "config.yaml"));
  return cel_fail(
      CEL_E_STATE,
      "%s: the run has results but no checkpoint; start a new run with celsius train --config %s, "
      "or add --overwrite to restart this run and replace its models and tables",
      training->folder, cel_shell_quote(quoted, sizeof quoted, config));
}

/// Checks the total number of steps. A run may exceed it by up to N - 1 steps, because all N
/// environments step together.
static CelStatus check_steps(const CeliTraining *training, int64_t step) {
  if (step >= training->total + training->env.N)
    return cel_fail(
        CEL_E_RANGE,
        "%s: the run already has %lld step%s, but steps is %lld; give the total number of steps",
        training->folder, (long long)step, celi_s(step), (long long)training->total);
  return CEL_OK;
}

/// Writes a changed total number of steps to the run's config.yaml.
static CelStatus write_plan(const CeliTraining *training, const char *path) {
  if (training->setup->run.steps == training->total) return CEL_OK;
  return celi_setup_replan(training->setup, &training->home, "config.yaml", path, training->total);
}

static CelStatus resume(CeliTraining *training, const CelSetup *setup, const char *folder,
                        const char *config, int64_t steps, const CelRunHooks *hooks,
                        CelRunResult *result) {
  int64_t step;
  snprintf(training->folder, sizeof training->folder, "%s", folder);
  for (size_t n = strlen(training->folder); n > 1 && training->folder[n - 1] == '/';)
    training->folder[--n] = 0;
  CELI_TRY(celi_training_open(training, setup, steps ? steps : setup->run.steps, hooks));
  CELI_TRY(celi_runfolder_lock(training->folder, &training->home));
  CELI_TRY(celi_path_join(training->replay, training->folder, "replay"));
  CELI_TRY(celi_runfolder_open_parts(&training->home, &training->checkpoints, &training->segments));
  CELI_TRY(load_newest(training, &step));
  CELI_TRY(check_steps(training, step));
  const bool begun = last_row(training->folder, "progress.csv") >= 0;
  if (step < 0) CELI_TRY(check_start(training));
  CELI_TRY(write_plan(training, config));
  if (step >= 0) {
    // A killed process may have left checkpoints and segments that are no longer needed.
    CELI_TRY(celi_checkpoint_prune(training->agent, training->folder, &training->checkpoints,
                                   &training->segments, step, setup->run.keep));
    training->saved_step = step;
    const bool complete = step >= training->total && !celi_agent_update_is_due(training->agent);
    if (complete)
      celi_training_note(
          training, "the run is complete: %lld of %lld step%s; --steps N continues it to N steps",
          (long long)step, (long long)training->total, celi_s(training->total));
    else if (!training->hooks->quiet)
      celi_training_note(training, "resuming at step %lld of %lld", (long long)step,
                         (long long)training->total);
  } else {
    if (begun) celi_training_note(training, "the run has no checkpoint yet; starting from step 0");
  }
  // An evaluation or update that was interrupted is repeated, so its rows are written again.
  const bool behind =
      celi_training_is_behind(training) || celi_agent_update_is_due(training->agent);
  if (behind) training->saved_step = -1;
  CELI_TRY(celi_metrics_open(training, step < 0 ? 0 : step - behind));
  return celi_training_run(training, result);
}

CelStatus cel_train_resume(const char *folder, int64_t steps, int64_t threads,
                           const CelRunHooks *hooks, CelRunResult *result) {
  CELI_NEED(folder);
  CELI_FLOATS(CELI_IEEE);
  char config[CEL_PATH_MAX];
  CelSetup *setup = NULL;
  if (steps < 0)
    return cel_fail(CEL_E_RANGE, "steps is %lld; it must not be negative", (long long)steps);
  if (threads < 0)
    return cel_fail(CEL_E_RANGE, "threads is %lld; it must not be negative", (long long)threads);
  CELI_TRY(celi_runfolder_check(folder, config));
  CELI_TRY(celi_setup_open(config, &setup));
  if (threads) setup->run.threads = threads;
  CeliTraining training = {0};
  const CelStatus status = resume(&training, setup, folder, config, steps, hooks, result);
  celi_training_end(&training, status, result);
  cel_setup_destroy(setup);
  return status;
}

// ---- opening a run for evaluation

/// Loads from a checkpoint only the tensors that acting needs.
static CelStatus load_from_checkpoint(CelAgent *agent, const CelSafetensors *file) {
  CELI_TRY(cel_safetensors_load_some(file, cel_agent_tensors(agent), CEL_ROLES_MODEL));
  return cel_agent_sync(agent);
}

/// Checks that config.yaml still has the discount and temperature of training, which define the
/// model's values. Errors: CEL_E_UNSUPPORTED (one of them was changed).
static CelStatus check_objective(const CelSetup *setup, const CelSafetensors *file) {
  static const char *const names[] = {"gamma", "ent_coef"};
  for (int i = 0; i < 2; i++) {
    char key[CEL_NAME_MAX], now[CEL_TEXT_MAX];
    snprintf(key, sizeof key, "config.%s", names[i]);
    const char *was = cel_safetensors_meta(file, key);
    if (!was || !cel_fields_find(setup->algo->fields, names[i])) continue;
    cel_fields_get(setup->algo->fields, setup->algo_config, names[i], now, sizeof now);
    if (strcmp(was, now) != 0)
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s was %s when the model was trained and is %s in config.yaml now; restore "
                      "the old value",
                      names[i], was, now);
  }
  return CEL_OK;
}

static CelStatus load_model(CelAgent *agent, const CelSetup *setup, const char *path,
                            const CelSafetensors *file) {
  const char *format = cel_safetensors_meta(file, "format");
  const bool is_checkpoint = format && strcmp(format, CELI_CHECKPOINT_FORMAT) == 0;
  CelStatus status = check_objective(setup, file);
  if (status == CEL_OK && is_checkpoint) status = load_from_checkpoint(agent, file);
  CELI_TRY(cel_fail_in(status, "%s: ", path));
  return is_checkpoint ? CEL_OK : cel_agent_load_model(agent, path);
}

/// Finds the path of a model. which: "best", "final" or a file; NULL or "": the best model, else
/// the final one, else the newest checkpoint.
static CelStatus find_model(const char *folder, const char *which, char path[CEL_PATH_MAX]) {
  const bool any = !which || !which[0];
  if (!any && strcmp(which, "best") != 0 && strcmp(which, "final") != 0) {
    if (strlen(which) >= CEL_PATH_MAX)
      return cel_fail(CEL_E_RANGE,
                      "the model's path is %zu bytes long; it must be shorter than 4096 bytes",
                      strlen(which));
    memcpy(path, which, strlen(which) + 1);
    if (access(path, F_OK) == 0) return CEL_OK;
    return cel_fail(CEL_E_IO, "%s: no such file; give best, final or the path of a file", path);
  }
  if (!any) {
    CELI_TRY(celi_path_join(path, folder,
                            strcmp(which, "best") == 0 ? "best.safetensors" : "final.safetensors"));
    if (access(path, F_OK) == 0) return CEL_OK;
    return cel_fail(CEL_E_IO, "%s: the run has no %s model yet", folder, which);
  }
  static const char *const names[] = {"best.safetensors", "final.safetensors"};
  for (int i = 0; i < 2; i++) {
    CELI_TRY(celi_path_join(path, folder, names[i]));
    if (access(path, F_OK) == 0) return CEL_OK;
  }
  int64_t *steps = NULL, n = 0;
  CELI_TRY(celi_checkpoint_list(folder, &steps, &n));
  CelStatus status =
      n ? celi_checkpoint_path(path, folder, steps[0])
        : cel_fail(CEL_E_IO, "%s: the run has no model and no checkpoint yet", folder);
  free(steps);
  return status;
}

CelStatus cel_run_model(const char *folder, const char *which, char path[CEL_PATH_MAX]) {
  CELI_NEED(folder);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  char config[CEL_PATH_MAX];
  CELI_TRY(celi_runfolder_check(folder, config));
  return find_model(folder, which, path);
}

static CelStatus open_run(CelRun *run, const CelSetup *setup, const char *path,
                          const CelSafetensors *file) {
  run->config = setup->run;
  snprintf(run->model, sizeof run->model, "%s", path);
  CELI_TRY(cel_env_spec_create(&run->spec, setup->run.env, celi_setup_env_config(setup),
                               celi_setup_env_options(setup)));
  const CelAgentOptions options = {
      .n_envs = 1, .seed = setup->run.seed, .threads = 1, .act_only = true};
  CELI_TRY(cel_agent_create(&run->agent, setup->run.algo, setup->algo_config,
                            &run->spec->observation, &run->spec->action, &options));
  return load_model(run->agent, setup, path, file);
}

static CelStatus open_once(const char *folder, const char *which, CelRun **out,
                           char path[CEL_PATH_MAX]) {
  CELI_FLOATS(CELI_IEEE);
  char config[CEL_PATH_MAX];
  CelSetup *setup = NULL;
  CelRun *run = NULL;
  CELI_TRY(celi_runfolder_check(folder, config));
  CelSafetensors *file = NULL;
  CELI_TRY(find_model(folder, which, path));
  CELI_TRY(cel_safetensors_open(path, &file)); // first, because a running training may delete it
  CelStatus status = celi_setup_open(config, &setup);
  if (status == CEL_OK) status = celi_alloc(&run, 1, sizeof *run, "run");
  if (status == CEL_OK) {
    memset(run, 0, sizeof *run);
    status = open_run(run, setup, path, file);
  }
  cel_safetensors_close(file);
  cel_setup_destroy(setup);
  if (status != CEL_OK) {
    cel_run_close(run);
    return status;
  }
  *out = run;
  return CEL_OK;
}

/// A running training deletes its older checkpoints. If a checkpoint disappears before it is
/// opened, looks for the newest one again.
CelStatus cel_run_open(const char *folder, const char *which, CelRun **out) {
  CELI_NEED(folder);
  CELI_NEED(out);
  enum { TRIES = 100 };
  CelStatus status = CEL_OK;
  for (int i = 0; i < TRIES; i++) {
    char path[CEL_PATH_MAX] = "";
    status = open_once(folder, which, out, path);
    const bool vanished = status == CEL_E_IO && path[0] && access(path, F_OK) != 0;
    if (!vanished || (which && which[0])) break;
  }
  return status;
}

void cel_run_close(CelRun *run) {
  CELI_FLOATS(CELI_IEEE);
  if (!run) return;
  cel_agent_destroy(run->agent);
  cel_env_spec_destroy(run->spec);
  free(run);
}
