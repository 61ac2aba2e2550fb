/// Environment types by name, and specs made from them.
///
/// The library's own types are one line each below; types of the user's are added behind them at
/// run time, under a lock, by pointer.
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "env/env_internal.h"
#include <inttypes.h>
#include <math.h>
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

/// Types that were registered: the one thing in the library that a process shares and that changes.
static struct {
  pthread_mutex_t lock;
  const CelEnvType **type;
  int n, capacity;
} registered = {.lock = PTHREAD_MUTEX_INITIALIZER};

// ---- what every environment can be told

#define AT(member) offsetof(CelEnvOptions, member)
static const CelField option_fields[] = {
    {"max_episode_steps", CEL_FIELD_INT, AT(max_episode_steps), "-1", -1, 1e15, "steps", NULL, NULL,
     "time limit of an episode; -1: the environment's own; 0: none", ""},
    {"action_repeat", CEL_FIELD_INT, AT(action_repeat), "1", 1, 1e6, "steps", NULL, NULL,
     "times that each action is applied; rewards are summed; raise it when the time step is too "
     "short to learn from",
     ""},
    {0}};
#undef AT

const CelField *cel_env_option_fields(void) {
  return option_fields;
}

// ---- types

static CelStatus check_fields(const CelEnvType *type) {
  if ((type->config_size > 0) != (type->fields != NULL)) {
    return cel_fail(CEL_E_ARGUMENT, "environment %s: arguments need both config_size and fields",
                    type->id);
  }
  if (!type->fields) return CEL_OK;
  CELI_TRY(cel_fail_in(cel_fields_check_table(type->fields), "environment %s: ", type->id));
  for (const CelField *field = type->fields; field->name; field++) {
    const CelField alone[] = {*field, {0}};
    if (celi_fields_extent(alone) > type->config_size) {
      return cel_fail(CEL_E_ARGUMENT, "environment %s: field %s lies outside of config_size",
                      type->id, field->name);
    }
    if (cel_fields_find(option_fields, field->name)) {
      return cel_fail(CEL_E_ARGUMENT, "environment %s: every environment has a field %s already",
                      type->id, field->name);
    }
  }
  return CEL_OK;
}

CelStatus celi_env_type_check(const CelEnvType *type) {
  if (!type) return cel_fail(CEL_E_ARGUMENT, "no environment type given");
  if (type->abi != CEL_ENV_ABI) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "the environment was built for version %d of the interface, this library has "
                    "version %d: build it again with this library's headers",
                    type->abi, CEL_ENV_ABI);
  }
  if (!type->id || !type->id[0]) return cel_fail(CEL_E_ARGUMENT, "an environment type needs an id");
  const char *missing = !type->doc     ? "doc"
                        : !type->open  ? "open"
                        : !type->reset ? "reset"
                        : !type->step  ? "step"
                                       : NULL;
  if (missing) return cel_fail(CEL_E_ARGUMENT, "environment %s has no %s", type->id, missing);
  if (type->max_episode_steps < 0) {
    return cel_fail(CEL_E_ARGUMENT, "environment %s: time limit %" PRId64 " is negative (0: none)",
                    type->id, type->max_episode_steps);
  }
  return check_fields(type);
}

/// Type i, with the lock held.
static const CelEnvType *type_at(int i) {
  if (i < 0) return NULL;
  if (i < BUILT_IN) return built_in[i];
  return i - BUILT_IN < registered.n ? registered.type[i - BUILT_IN] : NULL;
}

const CelEnvType *cel_env_type_at(int i) {
  pthread_mutex_lock(&registered.lock);
  const CelEnvType *type = type_at(i);
  pthread_mutex_unlock(&registered.lock);
  return type;
}

/// With the lock held.
static CelStatus add_type(const CelEnvType *type) {
  for (int i = 0; type_at(i); i++) {
    if (strcmp(type_at(i)->id, type->id) == 0) {
      return cel_fail(CEL_E_NAME, "there is an environment %s already", type->id);
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
    return cel_fail(CEL_E_ARGUMENT, "environment %s: an id may not look like FILE.so:Name",
                    type->id);
  }
  pthread_mutex_lock(&registered.lock);
  CelStatus status = add_type(type);
  pthread_mutex_unlock(&registered.lock);
  return status;
}

/// By id among those in the registry.
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
  if (nearest.best) {
    return cel_fail(CEL_E_NAME, "no environment '%s': did you mean '%s'?", id, nearest.best);
  }
  return cel_fail(CEL_E_NAME, "no environment '%s'; one of your own is given as FILE.so:Name", id);
}

static CelStatus find_type(const char *id, const CelEnvType **type, void **library) {
  *library = NULL;
  if (!id || !id[0]) return cel_fail(CEL_E_ARGUMENT, "no environment named");
  if (celi_plugin_is(id)) return celi_plugin_open(id, type, library);
  return find_registered(id, type);
}

CelStatus cel_env_find(const char *id, const CelEnvType **out) {
  CELI_NEED(id);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  void *library;
  CELI_TRY(find_type(id, out, &library));
  celi_plugin_close(library); // its code stays: see celi_plugin_open
  return CEL_OK;
}

// ---- specs

/// What the type's open has made must hold together.
static CelStatus check_opened(const CelEnvSpec *spec) {
  CELI_TRY(cel_fail_in(cel_space_check(&spec->observation), "observation space: "));
  CELI_TRY(cel_fail_in(cel_space_check(&spec->action), "action space: "));
  if (spec->max_episode_steps < 0) {
    return cel_fail(CEL_E_ARGUMENT, "time limit %" PRId64 " is negative (0: none)",
                    spec->max_episode_steps);
  }
  if (spec->state_size < 0 || spec->state_size > INT32_MAX) {
    return cel_fail(CEL_E_SHAPE, "state_size %" PRId64 " is not 0 to 2^31 - 1", spec->state_size);
  }
  return CEL_OK;
}

/// The type's open may have a default time limit of its own; one that is chosen comes before both.
static CelStatus open_type(CelEnvSpec *spec, const CelEnvOptions *options) {
  CelEnvOptions chosen;
  cel_fields_default(option_fields, &chosen);
  if (options) chosen = *options;
  CELI_TRY(cel_fields_check(option_fields, &chosen));
  spec->max_episode_steps =
      chosen.max_episode_steps < 0 ? spec->type->max_episode_steps : chosen.max_episode_steps;
  spec->action_repeat = chosen.action_repeat;
  const CelStatus status = spec->type->open(spec);
  celi_floats_keep();
  CELI_TRY(celi_status_given(status, "open"));
  if (chosen.max_episode_steps >= 0) spec->max_episode_steps = chosen.max_episode_steps;
  return CEL_OK;
}

static CelStatus set_config(CelEnvSpec *spec, const void *config) {
  const CelEnvType *type = spec->type;
  if (type->config_size == 0) return CEL_OK;
  CELI_TRY(celi_alloc(&spec->config, 1, type->config_size, "environment arguments"));
  memset(spec->config, 0, type->config_size);
  if (config) {
    memcpy(spec->config, config, type->config_size);
  } else {
    cel_fields_default(type->fields, spec->config);
  }
  return cel_fields_check(type->fields, spec->config);
}

static CelStatus open_spec(CelEnvSpec *spec, const void *config, const CelEnvOptions *options) {
  CELI_TRY(set_config(spec, config));
  CELI_TRY(open_type(spec, options));
  CelStatus status = check_opened(spec);
  if (status != CEL_OK && spec->type->close) spec->type->close(spec);
  celi_floats_keep();
  return status;
}

/// Frees what the library made; the type's close is not called.
static void free_spec(CelEnvSpec *spec) {
  celi_plugin_close(spec->library);
  free(spec->config);
  free(spec);
}

CelStatus cel_env_spec_create(CelEnvSpec **out, const char *id, const void *config,
                              const CelEnvOptions *options) {
  CELI_NEED(out);
  CELI_NEED(id);
  CELI_FLOATS(CELI_IEEE);
  const CelEnvType *type;
  void *library;
  CELI_TRY(find_type(id, &type, &library));
  CelEnvSpec *spec = NULL;
  CelStatus status = celi_alloc(&spec, 1, sizeof *spec, "environment");
  if (status != CEL_OK) {
    celi_plugin_close(library);
    return status;
  }
  memset(spec, 0, sizeof *spec);
  spec->type = type;
  spec->library = library;
  status = open_spec(spec, config, options);
  if (status != CEL_OK) {
    free_spec(spec);
    return cel_fail_in(status, "environment %s: ", id);
  }
  *out = spec;
  return CEL_OK;
}

void cel_env_spec_destroy(CelEnvSpec *spec) {
  CELI_FLOATS(CELI_IEEE);
  if (!spec) return;
  if (spec->type->close) spec->type->close(spec);
  celi_floats_keep();
  free_spec(spec);
}
