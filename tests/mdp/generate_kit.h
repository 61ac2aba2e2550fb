/// MDPs from a generator's name and "key=value key=value", for tests.
#ifndef GENERATE_KIT_H
#define GENERATE_KIT_H
#include "base/base_test.h"
#include "celsius/mdp.h"

/// Sets the config of a generator from text. The caller frees it.
static inline void *generator_config(const CelMdpGenerator *generator, const char *arguments) {
  static _Thread_local char copy[4096];
  void *config = calloc(1, generator->config_size);
  assert_non_null(config);
  assert_true(strlen(arguments) < sizeof copy);
  strcpy(copy, arguments);
  cel_fields_default(generator->fields, config);
  char *rest = copy;
  for (char *key; (key = strsep(&rest, " ")) != NULL;) {
    char *value = strchr(key, '=');
    if (!value) continue;
    *value++ = 0;
    assert_ok(cel_fields_set(generator->fields, config, key, value));
  }
  return config;
}

/// Returns the status of generating. *out is NULL on failure.
static inline CelStatus try_generate(CelMdp **out, const char *name, const char *arguments) {
  const CelMdpGenerator *generator = NULL;
  *out = NULL;
  assert_ok(cel_mdp_generator_find(name, &generator));
  void *config = generator_config(generator, arguments);
  const CelStatus status = cel_mdp_generate(out, name, config);
  free(config);
  return status;
}

/// Generates an MDP and checks it.
static inline CelMdp *generate(const char *name, const char *arguments) {
  CelMdp *mdp;
  const CelStatus status = try_generate(&mdp, name, arguments);
  if (status != CEL_OK) fail_msg("%s %s: %s", name, arguments, cel_error());
  assert_ok(cel_mdp_check(mdp));
  return mdp;
}

#endif
