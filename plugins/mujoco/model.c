/// Loading models, and MuJoCo's messages.
#include "mujoco_env.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "CELSIUS_MUJOCO_MODELS"

// ---- messages

/// A call of MuJoCo that may fail. MuJoCo ends the process after a fatal error unless the handler
/// of its messages leaves by longjmp.
typedef struct Guard {
  jmp_buf jump;
  char message[1024];
} Guard;

static _Thread_local Guard guard; ///< of the call that this thread is in
static _Thread_local bool guarded;
static mjfLogHandler previous;

/// Puts a message of several lines on one line.
static void join_lines(char *text) {
  char *to = text;
  for (const char *c = text; *c; c++) {
    const bool blank = *c == ' ' || *c == '\n';
    if (!blank || (to > text && to[-1] != ' ')) *to++ = blank ? ' ' : *c;
  }
  *to = 0;
}

/// Warnings of a guarded call are dropped: engine.c reads their counts from mjData.
static void handle(const mjLogMessage *message) {
  if (!guarded) {
    previous(message);
    return;
  }
  if (message->level != mjLOG_ERROR) return;
  snprintf(guard.message, sizeof guard.message, "%s", message->subject);
  longjmp(guard.jump, 1);
}

void celi_mujoco_catch_messages(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  if (!previous) previous = mju_setLogHandler(handle);
  pthread_mutex_unlock(&lock);
}

CelStatus celi_mujoco_guard(CelStatus (*run)(void *argument), void *argument) {
  if (setjmp(guard.jump)) {
    guarded = false;
    join_lines(guard.message);
    return cel_fail(CEL_E_ENV, "MuJoCo reports: %s", guard.message);
  }
  guarded = true;
  const CelStatus status = run(argument);
  guarded = false;
  return status;
}

// ---- files

/// The folder of the models: CELSIUS_MUJOCO_MODELS, or the folder mujoco-models beside this shared
/// object.
static void models_folder(char folder[CEL_PATH_MAX]) {
  const char *given = secure_getenv(VARIABLE);
  Dl_info info;
  folder[0] = 0;
  if (given && given[0]) {
    snprintf(folder, CEL_PATH_MAX, "%s", given);
    return;
  }
  static const char here = 0; // an address in this shared object
  if (!dladdr(&here, &info) || !info.dli_fname) return;
  const char *slash = strrchr(info.dli_fname, '/');
  const int n = slash ? (int)(slash - info.dli_fname) : 0;
  snprintf(folder, CEL_PATH_MAX, "%.*s/mujoco-models", n, info.dli_fname);
}

bool celi_mujoco_find_installed(const char *name, char path[CEL_PATH_MAX]) {
  char folder[CEL_PATH_MAX];
  models_folder(folder);
  return snprintf(path, CEL_PATH_MAX, "%s/%s", folder, name) < CEL_PATH_MAX &&
         access(path, R_OK) == 0;
}

CelStatus celi_mujoco_find(const char *name, char path[CEL_PATH_MAX]) {
  char folder[CEL_PATH_MAX];
  if (access(name, R_OK) == 0) {
    snprintf(path, CEL_PATH_MAX, "%s", name);
    return CEL_OK;
  }
  if (strchr(name, '/')) return cel_fail(CEL_E_IO, "xml_file: the model %s cannot be read", name);
  if (celi_mujoco_find_installed(name, path)) return CEL_OK;
  models_folder(folder);
  return cel_fail(CEL_E_IO,
                  "the model %s is not in the folder %s; run `script/setup mujoco` and build "
                  "again, or set " VARIABLE " to a folder with Gymnasium's models "
                  "(gymnasium/envs/mujoco/assets)",
                  name, folder);
}

typedef struct Load {
  const char *path;
  mjModel *model;
  char error[512];
} Load;

static CelStatus load(void *argument) {
  Load *l = argument;
  l->model = mj_loadXML(l->path, NULL, l->error, (int)sizeof l->error);
  return CEL_OK;
}

CelStatus celi_mujoco_load(const char *path, mjModel **model) {
  Load l = {.path = path};
  CELI_MUJOCO_TRY(celi_mujoco_guard(load, &l));
  if (!l.model) {
    join_lines(l.error);
    return cel_fail(CEL_E_FORMAT, "%s: MuJoCo cannot load this model: %s", path, l.error);
  }
  *model = l.model;
  return CEL_OK;
}
