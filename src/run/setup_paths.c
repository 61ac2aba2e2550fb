/// Paths in a setup file. They are relative to the file's folder, so that the folder can move
/// together with the files that it names, and so that any working directory can use it.
#include "base/base.h"
#include "env/env_internal.h"
#include "run/config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// Writes the real path of a file's folder.
static CelStatus real_folder(const char *file, char folder[PATH_MAX]) {
  char copy[CEL_PATH_MAX];
  if (snprintf(copy, sizeof copy, "%s", file) >= (int)sizeof copy)
    return cel_fail(CEL_E_RANGE, "%.60s...: the path is longer than %d bytes, the limit", file,
                    CEL_PATH_MAX - 1);
  char *slash = strrchr(copy, '/');
  if (slash) slash[slash == copy] = 0;
  if (realpath(slash ? copy : ".", folder)) return CEL_OK;
  return celi_fail_errno(file, "its folder cannot be opened", errno);
}

/// Writes an absolute path relative to an absolute folder, or unchanged if only "/" is common.
/// Returns false if the result does not fit.
static bool make_relative(char text[CEL_PATH_MAX], const char *folder, const char *path) {
  size_t common = 0; // length of the common part, up to and including a slash
  for (size_t i = 0; folder[i] == path[i] && path[i]; i++)
    if (path[i] == '/') common = i + 1;
  const size_t n = strlen(folder);
  if (strncmp(folder, path, n) == 0 && path[n] == '/') common = n + 1;
  if (common <= 1) return snprintf(text, CEL_PATH_MAX, "%s", path) < CEL_PATH_MAX;
  size_t at = 0;
  text[0] = 0;
  for (const char *rest = common > n ? "" : folder + common; *rest;) {
    at += (size_t)snprintf(text + at, CEL_PATH_MAX - at, "../");
    rest += strcspn(rest, "/");
    rest += *rest == '/';
    if (at >= CEL_PATH_MAX) return false;
  }
  return snprintf(text + at, CEL_PATH_MAX - at, "%s%s", at ? "" : "./", path + common) <
         (int)(CEL_PATH_MAX - at);
}

/// Writes the real path of a file's folder and the file's own name. Does not resolve the file if it
/// is a link.
static bool place_of(const char *file, char path[PATH_MAX + NAME_MAX]) {
  char folder[PATH_MAX];
  const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
  if (access(file, F_OK) != 0 || real_folder(file, folder) != CEL_OK) return false;
  return snprintf(path, PATH_MAX + NAME_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
                  name) < PATH_MAX + NAME_MAX;
}

/// Makes the relative path of an existing file relative to the folder. Keeps everything else.
static void to_file(char value[CEL_PATH_MAX], const char *folder) {
  char path[PATH_MAX + NAME_MAX], text[CEL_PATH_MAX];
  if (!value[0] || value[0] == '/') return;
  if (place_of(value, path) && make_relative(text, folder, path)) memcpy(value, text, sizeof text);
}

/// Makes the path of a file absolute if the file exists relative to the folder. Keeps everything
/// else: values that are not paths, and paths relative to the working directory.
static void from_file(char value[CEL_PATH_MAX], const char *folder) {
  char joined[PATH_MAX + CEL_PATH_MAX], path[PATH_MAX + NAME_MAX];
  if (!value[0] || value[0] == '/') return;
  snprintf(joined, sizeof joined, "%s/%s", folder, value);
  if (place_of(joined, path) && strlen(path) < CEL_PATH_MAX) memcpy(value, path, strlen(path) + 1);
}

/// Changes the file in "FILE:Name" of a plug-in, and the path "FILE.yaml". Keeps other ids.
static void change_id(char id[CEL_PATH_MAX], const char *folder,
                      void (*change)(char value[CEL_PATH_MAX], const char *folder)) {
  char file[CEL_PATH_MAX], name[CEL_PATH_MAX], whole[2 * CEL_PATH_MAX];
  if (celi_env_file_is(id)) change(id, folder);
  if (!celi_plugin_is(id)) return;
  const char *colon = strrchr(id, ':');
  snprintf(name, sizeof name, "%s", colon);
  snprintf(file, sizeof file, "%.*s", (int)(colon - id), id);
  change(file, folder);
  if (snprintf(whole, sizeof whole, "%s%s", file, name) < CEL_PATH_MAX)
    memcpy(id, whole, strlen(whole) + 1);
}

/// Changes the paths in an environment's own arguments.
static void change_args(const CelSetup *setup, void *args, const char *folder,
                        void (*change)(char value[CEL_PATH_MAX], const char *folder)) {
  for (const CelField *field = setup->env_fields; field && field->name; field++)
    if (field->type == CEL_FIELD_PATH) change((char *)args + field->offset, folder);
}

CelStatus celi_setup_paths_to_file(const char *path, CelSetup *setup) {
  char folder[PATH_MAX];
  CELI_TRY(real_folder(path, folder));
  change_id(setup->run.env, folder, to_file);
  change_args(setup, setup->env_args, folder, to_file);
  return CEL_OK;
}

CelStatus celi_setup_id_from_file(const char *path, char id[CEL_PATH_MAX]) {
  char folder[PATH_MAX];
  if (!celi_plugin_is(id) && !celi_env_file_is(id)) return CEL_OK;
  CELI_TRY(real_folder(path, folder));
  change_id(id, folder, from_file);
  return cel_fail_in(celi_plugin_check(id), "%s: ", path);
}

/// Marks a path before a file is read, to find out whether the file sets it.
#define UNSET "//unset//"

void celi_setup_paths_mark(CelSetup *setup) {
  for (const CelField *field = setup->env_fields; field->name; field++)
    if (field->type == CEL_FIELD_PATH)
      memcpy((char *)setup->env_args + field->offset, UNSET, sizeof UNSET);
}

CelStatus celi_setup_paths_from_file(const char *path, CelSetup *setup, const void *before) {
  char folder[PATH_MAX];
  CELI_TRY(real_folder(path, folder));
  for (const CelField *field = setup->env_fields; field->name; field++) {
    if (field->type != CEL_FIELD_PATH) continue;
    char *value = (char *)setup->env_args + field->offset;
    if (strcmp(value, UNSET) == 0)
      memcpy(value, (const char *)before + field->offset, CEL_PATH_MAX);
    else
      from_file(value, folder);
  }
  return CEL_OK;
}
