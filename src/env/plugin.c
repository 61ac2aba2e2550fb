/// Environments in shared objects: "FILE.so:Name".
///
/// FILE.so exports `const CelEnvType *Name(void)`. A shared object stays loaded until the process
/// ends, because callers may keep pointers to its types.
#include "base/base.h"
#include "env/env_internal.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool celi_plugin_is(const char *id) {
  const char *colon = strrchr(id, ':');
  if (!colon || colon == id) return false;
  return memchr(id, '/', (size_t)(colon - id)) != NULL ||
         (colon - id > 3 && strncmp(colon - 3, ".so", 3) == 0);
}

/// Splits "FILE:Name". A file name without a slash means a file in the working directory, not one
/// on the loader's search path.
static CelStatus split(const char *id, char file[CEL_PATH_MAX], const char **name) {
  const char *colon = strrchr(id, ':');
  int length = (int)(colon - id);
  const char *here = memchr(id, '/', (size_t)length) ? "" : "./";
  if (snprintf(file, CEL_PATH_MAX, "%s%.*s", here, length, id) >= CEL_PATH_MAX) {
    return cel_fail(CEL_E_NAME, "'%.40s...': the path of the shared object is too long", id);
  }
  *name = colon + 1;
  if (!**name) {
    return cel_fail(CEL_E_NAME, "'%s': the function is missing; write FILE.so:Name", id);
  }
  return CEL_OK;
}

/// Gets the type from the shared object and checks it.
static CelStatus ask(void *library, const char *file, const char *name, const CelEnvType **type) {
  void *symbol = dlsym(library, name);
  if (!symbol) {
    return cel_fail(CEL_E_NAME,
                    "%s does not export '%s'; it must define const CelEnvType *%s(void)", file,
                    name, name);
  }
  const CelEnvType *(*get)(void);
  memcpy(&get, &symbol, sizeof get); // ISO C does not allow a cast from object to function pointers
  const CelEnvType *given = get();
  celi_floats_keep();
  if (!given)
    return cel_fail(CEL_E_ENV, "%s: %s returned NULL; it must return an environment type", file,
                    name);
  CELI_TRY(cel_fail_in(celi_env_type_check(given), "%s: %s: ", file, name));
  *type = given;
  return CEL_OK;
}

CelStatus celi_plugin_open(const char *id, const CelEnvType **type, void **library) {
  char file[CEL_PATH_MAX];
  const char *name = "";
  CELI_TRY(split(id, file, &name));
  void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  celi_floats_keep(); // loading an object linked with -ffast-math turns on flush-to-zero
  if (!handle) {
    const char *why = dlerror();
    return cel_fail(CEL_E_IO, "cannot load the environment: %s", why ? why : file);
  }
  CelStatus status = ask(handle, file, name, type);
  if (status != CEL_OK) {
    celi_plugin_close(handle);
    return status;
  }
  *library = handle;
  return CEL_OK;
}

void celi_plugin_close(void *library) {
  if (library) dlclose(library);
  celi_floats_keep();
}
