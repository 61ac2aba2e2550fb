/// Which shared objects a configuration file may load.
///
/// Loading a shared object runs its code. A caller that passes its name to cel_env_find decides to
/// run it. A caller that opens a run folder or a config.yaml does not. Such a file may only name a
/// shared object in a folder that the user has allowed, by cel_plugin_allow or by
/// CELSIUS_PLUGIN_PATH.
#include "base/base.h"
#include "env/env_internal.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE "CELSIUS_PLUGIN_PATH"

/// Real paths of the folders that cel_plugin_allow has allowed, for the whole process.
static struct {
  pthread_mutex_t lock;
  char **folder;
  int n;
} allowed = {.lock = PTHREAD_MUTEX_INITIALIZER};

CelStatus cel_plugin_allow(const char *folder) {
  CELI_FLOATS(CELI_IEEE);
  if (!folder || !folder[0])
    return cel_fail(CEL_E_ARGUMENT, "the plug-in folder is empty; give the path of a folder");
  char *real = realpath(folder, NULL);
  if (!real) return celi_fail_errno(folder, "the plug-in folder cannot be opened", errno);
  pthread_mutex_lock(&allowed.lock);
  bool known = false;
  for (int i = 0; i < allowed.n; i++) known = known || strcmp(allowed.folder[i], real) == 0;
  const CelStatus status = known ? CEL_OK
                                 : celi_resize(&allowed.folder, (size_t)(allowed.n + 1),
                                               sizeof *allowed.folder, "folders of plug-ins");
  if (status == CEL_OK && !known) {
    allowed.folder[allowed.n++] = real;
    real = NULL;
  }
  pthread_mutex_unlock(&allowed.lock);
  free(real);
  return status;
}

/// Whether a file is in a folder or below it. Both are real paths.
static bool lies_in(const char *file, const char *folder) {
  const size_t n = strlen(folder);
  if (strcmp(folder, "/") == 0) return true;
  return strncmp(file, folder, n) == 0 && file[n] == '/';
}

static bool is_allowed_by_call(const char *file) {
  bool found = false;
  pthread_mutex_lock(&allowed.lock);
  for (int i = 0; i < allowed.n && !found; i++) found = lies_in(file, allowed.folder[i]);
  pthread_mutex_unlock(&allowed.lock);
  return found;
}

/// Whether a folder of CELSIUS_PLUGIN_PATH holds the file. root: the real path of that folder.
/// Ignores empty and relative entries, which would depend on the working directory.
static bool is_allowed_by_variable(const char *file, char root[PATH_MAX]) {
  const char *list = secure_getenv(VARIABLE);
  for (; list && *list; list += strcspn(list, ":"), list += *list == ':') {
    char folder[PATH_MAX];
    const size_t n = strcspn(list, ":");
    if (list[0] != '/' || n >= sizeof folder) continue;
    memcpy(folder, list, n);
    folder[n] = 0;
    if (realpath(folder, root) && lies_in(file, root)) return true;
  }
  return false;
}

CelStatus celi_plugin_check_owners(const char *file, const char *root, const char *remedy) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s", file);
  for (;;) {
    struct stat info;
    if (stat(path, &info) != 0) return celi_fail_errno(path, "cannot be read", errno);
    if ((info.st_uid != geteuid() && info.st_uid != 0) || (info.st_mode & 02))
      return cel_fail(CEL_E_STATE,
                      "%s can be changed by other users, so it is not trusted; change its owner or "
                      "mode (chmod o-w)%s",
                      path, remedy);
    if (strcmp(path, root) == 0) return CEL_OK;
    char *slash = strrchr(path, '/');
    if (slash == path && path[1] == 0) return CEL_OK;
    slash[slash == path] = 0;
  }
}

CelStatus celi_plugin_check(const char *id) {
  char file[PATH_MAX], real[PATH_MAX], root[PATH_MAX];
  if (!celi_plugin_is(id)) return CEL_OK;
  const char *colon = strrchr(id, ':');
  snprintf(file, sizeof file, "%.*s", (int)(colon - id), id);
  if (!realpath(file, real))
    return celi_fail_errno(file, "the shared object cannot be opened", errno);
  if (is_allowed_by_call(real)) return CEL_OK;
  if (is_allowed_by_variable(real, root))
    return celi_plugin_check_owners(real, root, ", or use --allow-plugins");
  const int folder = (int)(strrchr(real, '/') - real);
  return cel_fail(CEL_E_STATE,
                  "this file names the shared object %s, whose code runs when it is loaded. If you "
                  "trust it, add "
                  "--allow-plugins, or set " VARIABLE "=%.*s (in C: cel_plugin_allow)",
                  real, folder ? folder : 1, real);
}
