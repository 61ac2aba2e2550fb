/// Environment types by name.
///
/// Each of the library's own types is one line below. A program can add types at run time; the
/// registry stores their pointers under a lock.
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "env/env_internal.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const CelEnvType *const built_in[] = {
    &celi_env_cartpole,     &celi_env_pendulum,
    &celi_env_mountain_car, &celi_env_mountain_car_continuous,
    &celi_env_acrobot,      &celi_env_lqr,
    &celi_env_mdp,          &celi_env_multigoal,
    &celi_env_frozenlake,   &celi_env_frozenlake_8x8,
    &celi_env_taxi,         &celi_env_cliffwalking,
    &celi_env_garnet,
};
enum { BUILT_IN = sizeof built_in / sizeof built_in[0] };

/// Types that the program registered, for the whole process.
static struct {
  pthread_mutex_t lock;
  const CelEnvType **type;
  int n, capacity;
} registered = {.lock = PTHREAD_MUTEX_INITIALIZER};

static CelStatus check_fields(const CelEnvType *type) {
  if ((type->config_size > 0) != (type->fields != NULL)) {
    return cel_fail(CEL_E_ARGUMENT,
                    "environment %s: config_size and fields must both be set or both be empty",
                    type->id);
  }
  if (!type->fields) return CEL_OK;
  CELI_TRY(cel_fail_in(cel_fields_check_table(type->fields), "environment %s: ", type->id));
  for (const CelField *field = type->fields; field->name; field++) {
    const CelField alone[] = {*field, {0}};
    if (celi_fields_extent(alone) > type->config_size) {
      return cel_fail(CEL_E_ARGUMENT, "environment %s: field %s is not within config_size bytes",
                      type->id, field->name);
    }
    if (cel_fields_find(cel_env_option_fields(), field->name)) {
      return cel_fail(CEL_E_ARGUMENT,
                      "environment %s: field %s is reserved, because every environment has it; "
                      "choose another name",
                      type->id, field->name);
    }
  }
  return CEL_OK;
}

CelStatus celi_env_type_check(const CelEnvType *type) {
  if (!type) return cel_fail(CEL_E_ARGUMENT, "the environment type is NULL");
  if (type->abi != CEL_ENV_ABI) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the environment was built for interface version %d, but this library has "
                    "version %d; rebuild it with this library's headers",
                    type->abi, CEL_ENV_ABI);
  }
  if (!type->id || !type->id[0]) return cel_fail(CEL_E_ARGUMENT, "the environment type has no id");
  const char *missing = !type->doc     ? "doc"
                        : !type->open  ? "open"
                        : !type->reset ? "reset"
                        : !type->step  ? "step"
                                       : NULL;
  if (missing) return cel_fail(CEL_E_ARGUMENT, "environment %s has no %s", type->id, missing);
  if (type->max_episode_steps < 0) {
    return cel_fail(CEL_E_ARGUMENT,
                    "environment %s: max_episode_steps is %" PRId64
                    "; it must be 0 (no limit) or more",
                    type->id, type->max_episode_steps);
  }
  return check_fields(type);
}

/// Type i, or NULL: built-in types, those that the program registered, those of collections. The
/// caller holds the lock.
static const CelEnvType *type_at(int i) {
  if (i < 0) return NULL;
  if (i < BUILT_IN) return built_in[i];
  i -= BUILT_IN;
  return i < registered.n ? registered.type[i] : celi_env_pack_type_at(i - registered.n);
}

const CelEnvType *cel_env_type_at(int i) {
  pthread_mutex_lock(&registered.lock);
  const CelEnvType *type = type_at(i);
  pthread_mutex_unlock(&registered.lock);
  return type;
}

/// The caller holds the lock.
static CelStatus add_type(const CelEnvType *type) {
  for (int i = 0; type_at(i); i++) {
    if (strcmp(type_at(i)->id, type->id) == 0) {
      return cel_fail(CEL_E_NAME,
                      "an environment named %s is already registered; choose another id", type->id);
    }
  }
  if (registered.n == registered.capacity) {
    int capacity = registered.capacity ? 2 * registered.capacity : 16;
    CELI_TRY(celi_resize(&registered.type, (size_t)capacity, sizeof(const CelEnvType *),
                         "environment types"));
    registered.capacity = capacity;
  }
  registered.type[registered.n++] = type;
  return CEL_OK;
}

CelStatus cel_env_register(const CelEnvType *type) {
  CELI_NEED(type);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(celi_env_type_check(type));
  if (celi_plugin_is(type->id)) {
    return cel_fail(CEL_E_ARGUMENT, "environment %s: the id must not have the form FILE.so:Name",
                    type->id);
  }
  if (celi_env_file_is(type->id)) {
    return cel_fail(CEL_E_ARGUMENT, "environment %s: the id must not have the form FILE.yaml",
                    type->id);
  }
  pthread_mutex_lock(&registered.lock);
  CelStatus status = add_type(type);
  pthread_mutex_unlock(&registered.lock);
  return status;
}

/// Finds a type of the registry by id.
static CelStatus find_registered(const char *id, const CelEnvType **out) {
  CeliNearest nearest = {.wanted = id};
  const CelEnvType *type;
  for (int i = 0; (type = cel_env_type_at(i)) != NULL; i++) {
    if (strcmp(type->id, id) == 0) {
      *out = type;
      return CEL_OK;
    }
    celi_nearest_try(&nearest, type->id);
  }
  CELI_TRY(celi_env_pack_explain(id));
  if (nearest.best) {
    return cel_fail(CEL_E_NAME, "no environment '%s': did you mean '%s'?", id, nearest.best);
  }
  return cel_fail(
      CEL_E_NAME,
      "no environment '%s'; `celsius list envs` shows all; name your own as FILE.so:Name or "
      "FILE.yaml",
      id);
}

CelStatus celi_env_type_find(const char *id, const CelEnvType **type, void **library) {
  *library = NULL;
  if (!id || !id[0]) return cel_fail(CEL_E_ARGUMENT, "the environment's name is empty");
  if (celi_plugin_is(id)) return celi_plugin_open(id, type, library);
  if (celi_env_file_is(id)) return celi_env_file_type(id, type);
  return find_registered(id, type);
}

CelStatus cel_env_find(const char *id, const CelEnvType **out) {
  CELI_NEED(id);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  void *library;
  CELI_TRY(celi_env_type_find(id, out, &library));
  celi_plugin_close(library); // the code stays loaded, see celi_plugin_open
  return CEL_OK;
}
