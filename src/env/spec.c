/// Environment specs: a type with its arguments and options.
#include "base/arguments.h"
#include "base/base.h"
#include "env/env_internal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(CelEnvOptions, member)
// clang-format off
static const CelField option_fields[] = {
    {.name = "max_episode_steps", .type = CEL_FIELD_INT, .offset = AT(max_episode_steps),
     .def = "-1", .min = -1, .max = 1e15, .unit = "steps",
     .doc = "time limit of an episode; -1: the environment's own; 0: none"},
    {.name = "action_repeat", .type = CEL_FIELD_INT, .offset = AT(action_repeat), .def = "1",
     .min = 1, .max = 1e6, .unit = "steps",
     .doc = "times that each action is applied; rewards are summed; raise it when the time step "
            "is too short to learn from"},
    {0},
};
// clang-format on
#undef AT

const CelField *cel_env_option_fields(void) {
  return option_fields;
}

/// Checks the spec after the type's open.
static CelStatus check_opened(const CelEnvSpec *spec) {
  CELI_TRY(cel_fail_in(cel_space_check(&spec->observation), "observation space: "));
  CELI_TRY(cel_fail_in(cel_space_check(&spec->action), "action space: "));
  if (spec->max_episode_steps < 0) {
    return cel_fail(CEL_E_ARGUMENT,
                    "max_episode_steps is %" PRId64 "; it must be 0 (no limit) or more",
                    spec->max_episode_steps);
  }
  if (spec->state_size < 0 || spec->state_size > INT32_MAX) {
    return cel_fail(CEL_E_SHAPE, "state_size is %" PRId64 "; it must be 0 to 2^31 - 1",
                    spec->state_size);
  }
  return CEL_OK;
}

/// Calls the type's open, which may change the default time limit. A time limit in `options` has
/// priority over both defaults.
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

/// Frees what the library allocated. Does not call the type's close.
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
  CELI_TRY(celi_env_type_find(id, &type, &library));
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
