/// Collections of environments in shared objects of Celsius itself.
///
/// Such a shared object needs a library that Celsius never links. It is in the folder
/// celsius-plugins beside the library (or beside a program that contains the library), or in the
/// same folder of the installation. It is loaded at the first use of a name that no built-in
/// environment has.
///
/// The folder is trusted, because its owner can replace the library too. A program may contain the
/// library and lie in a folder of other users, though, so the file and its folder must belong to
/// this user or to root.
#include "base/base.h"
#include "env/env_internal.h"
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "celsius-plugins"
#ifndef CELSIUS_LIBDIR
#define CELSIUS_LIBDIR "lib"
#endif

/// Returns the types, ended by NULL, or NULL with a message. *fail: the plug-in's cel_fail.
typedef const CelEnvType *const *Entry(CelStatus (**fail)(CelStatus status, const char *format,
                                                          ...));

/// Optional. Gives the type of an environment that a file describes. The type is valid until the
/// process ends, and its id is `path`.
typedef CelStatus FileEntry(const char *path, const CelEnvType **type);

/// What a collection is called, where it comes from, and which environments it has when it is
/// missing.
typedef struct Pack {
  const char *name, *file, *remedy;
  const char *names; ///< environments without their versions, each followed by a blank
} Pack;

static const Pack packs[] = {
    {"mujoco", "mujoco.so", "run `script/setup mujoco` and build again (docs/mujoco.md)",
     "HalfCheetah Hopper Walker2d Ant Humanoid HumanoidStandup Swimmer Reacher Pusher "
     "InvertedPendulum InvertedDoublePendulum "},
};
enum { PACKS = sizeof packs / sizeof packs[0] };

static struct {
  pthread_once_t once;
  CelEnvPack pack[PACKS];
  char missing[PACKS][512];
  const CelEnvType *const *types[PACKS]; ///< ended by NULL; NULL: missing
  FileEntry *file_entry;                 ///< of the collection that reads files; NULL: missing
} loaded = {.once = PTHREAD_ONCE_INIT};

/// Writes the folder of the file that contains this code.
static bool own_folder(char folder[PATH_MAX]) {
  static const char here = 0;
  Dl_info info;
  char path[PATH_MAX];
  if (!dladdr(&here, &info) || !info.dli_fname) return false;
  if (!realpath(info.dli_fname, path) && !realpath("/proc/self/exe", path)) return false;
  *strrchr(path, '/') = 0;
  memcpy(folder, path, sizeof path);
  return true;
}

/// Finds a pack's file. path: its real path.
static bool find_file(const char *name, char path[PATH_MAX]) {
  char folder[PATH_MAX], file[2 * PATH_MAX];
  static const char *const places[] = {"/" FOLDER "/", "/../" CELSIUS_LIBDIR "/" FOLDER "/"};
  if (!own_folder(folder)) return false;
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    snprintf(file, sizeof file, "%s%s%s", folder, places[i], name);
    if (realpath(file, path)) return true;
  }
  return false;
}

static CelStatus open_pack(const Pack *pack, const CelEnvType *const **types,
                           FileEntry **file_entry) {
  char path[PATH_MAX], folder[PATH_MAX];
  if (!find_file(pack->file, path))
    return cel_fail(CEL_E_UNSUPPORTED, "this build does not have it; %s", pack->remedy);
  memcpy(folder, path, sizeof path);
  *strrchr(folder, '/') = 0;
  CELI_TRY(celi_plugin_check_owners(path, folder, ""));
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  celi_floats_keep();
  if (!handle) return cel_fail(CEL_E_IO, "cannot load it: %s", dlerror());
  Entry *entry;
  void *symbol = dlsym(handle, "celsius_environments");
  memcpy(&entry, &symbol, sizeof entry);
  if (!symbol) return cel_fail(CEL_E_NAME, "%s does not export celsius_environments", path);
  CelStatus (*fail)(CelStatus status, const char *format, ...) = NULL;
  *types = entry(&fail);
  celi_floats_keep();
  if (fail != cel_fail)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s uses another copy of the library than this program, which contains its "
                    "own; link the program with the shared library",
                    path);
  if (!*types) return CEL_E_UNSUPPORTED;
  symbol = dlsym(handle, "celsius_file_environment");
  if (symbol) memcpy(file_entry, &symbol, sizeof *file_entry);
  return CEL_OK;
}

static void load_all(void) {
  for (int i = 0; i < PACKS; i++) {
    const CelEnvType *const *types = NULL;
    FileEntry *file_entry = NULL;
    CelStatus status = open_pack(&packs[i], &types, &file_entry);
    for (int k = 0; status == CEL_OK && types[k]; k++) status = celi_env_type_check(types[k]);
    loaded.pack[i] = (CelEnvPack){.name = packs[i].name};
    if (status == CEL_OK) {
      loaded.types[i] = types;
      if (file_entry) loaded.file_entry = file_entry;
      continue;
    }
    snprintf(loaded.missing[i], sizeof loaded.missing[i], "%s", cel_error());
    loaded.pack[i].missing = loaded.missing[i];
  }
}

const CelEnvPack *cel_env_pack_at(int i) {
  CELI_FLOATS(CELI_IEEE);
  pthread_once(&loaded.once, load_all);
  return i >= 0 && i < PACKS ? &loaded.pack[i] : NULL;
}

const CelEnvType *celi_env_pack_type_at(int i) {
  pthread_once(&loaded.once, load_all);
  for (int p = 0; p < PACKS; p++)
    for (int k = 0; loaded.types[p] && loaded.types[p][k]; k++)
      if (i-- == 0) return loaded.types[p][k];
  return NULL;
}

CelStatus celi_env_pack_explain(const char *id) {
  char name[64];
  const char *dash = strrchr(id, '-');
  const size_t n = dash ? (size_t)(dash - id) : strlen(id);
  if (n == 0 || n > 60) return CEL_OK;
  snprintf(name, sizeof name, "%.*s ", (int)n, id);
  for (int p = 0; p < PACKS; p++) {
    const CelEnvPack *pack = cel_env_pack_at(p);
    const char *at = strstr(packs[p].names, name);
    if (!pack->missing || !at || (at != packs[p].names && at[-1] != ' ')) continue;
    return cel_fail(CEL_E_UNSUPPORTED, "environment %s needs %s: %s", id, pack->name,
                    pack->missing);
  }
  return CEL_OK;
}

bool celi_env_file_is(const char *id) {
  const size_t n = strlen(id);
  if (celi_plugin_is(id)) return false;
  return (n > 5 && strcmp(id + n - 5, ".yaml") == 0) || (n > 4 && strcmp(id + n - 4, ".yml") == 0);
}

CelStatus celi_env_file_type(const char *id, const CelEnvType **type) {
  pthread_once(&loaded.once, load_all);
  if (!loaded.file_entry)
    return cel_fail(CEL_E_UNSUPPORTED, "environment %s needs mujoco: %s", id, loaded.missing[0]);
  CELI_TRY(loaded.file_entry(id, type));
  return celi_env_type_check(*type);
}
