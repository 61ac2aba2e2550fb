/// A run in progress: creating its parts, closing it, and its messages.
#include "run/training.h"
#include "algo/algo.h"
#include "base/base.h"
#include "run/config.h"
#include "run/runfolder.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const CelRunHooks no_hooks = {0};

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

void celi_training_note_agent(CeliTraining *training) {
  const char *note = cel_agent_note(training->agent);
  if (strcmp(note, training->agent_note) == 0) return;
  snprintf(training->agent_note, sizeof training->agent_note, "%s", note);
  celi_training_note(training, "%s", note);
}

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
    status =
        cel_fail(CEL_E_RANGE, "the configuration is %zu bytes long as text; the limit is %d bytes",
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
  training->home = (CeliFolder){.fd = -1};
  training->checkpoints = training->home;
  training->segments = training->home;
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
  celi_training_note_agent(training);
  CELI_TRY(cel_tensors_create(&training->tensors));
  CELI_TRY(cel_vecenv_declare(&training->env, training->tensors, "env", training->spec, run->n_envs,
                              run->seed, CEL_RNG_ENV, 0));
  CELI_TRY(declare_state(training));
  CELI_TRY(cel_tensors_allocate(training->tensors));
  CELI_TRY(fill_state(training));
  return cel_vecenv_reset(&training->env);
}

static void training_close(CeliTraining *training) {
  if (!training->setup) return;
  const CelStatus status = celi_metrics_close(training);
  (void)status; // celi_training_run has flushed, or an earlier error is already reported
  cel_tensors_destroy(training->tensors);
  cel_agent_destroy(training->agent);
  cel_env_spec_destroy(training->spec);
  celi_folder_close(&training->segments);
  celi_folder_close(&training->checkpoints);
  celi_folder_close(&training->home);
}

/// Notes which checkpoint a failed run can resume from, if there is one.
static void note_checkpoint(const CeliTraining *training) {
  char path[CEL_PATH_MAX];
  if (training->saved_step < 0 ||
      celi_checkpoint_path(path, training->folder, training->saved_step) != CEL_OK ||
      access(path, R_OK) != 0)
    return;
  celi_training_note(training, "the run can resume from its checkpoint of step %lld: %s",
                     (long long)training->saved_step, training->folder);
}

void celi_training_end(CeliTraining *training, CelStatus status, CelRunResult *result) {
  if (status != CEL_OK && result) {
    memset(result, 0, sizeof *result);
    snprintf(result->folder, sizeof result->folder, "%s", training->folder);
  }
  if (status != CEL_OK && status != CEL_E_INTERRUPTED) note_checkpoint(training);
  training_close(training);
}
