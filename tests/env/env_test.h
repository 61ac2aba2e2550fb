/// What the tests of src/env share: creating specs from text, and vector environments.
#ifndef ENV_TEST_H
#define ENV_TEST_H
#include "celsius/env.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(call)                                                                            \
  do {                                                                                             \
    if ((call) != CEL_OK) fail_msg("%s: %s", #call, cel_error());                                  \
  } while (0)

/// Expects a status, and a message that contains every part of `words`, separated by '|'.
#define assert_fails(call, status, words)                                                          \
  do {                                                                                             \
    CelStatus test_status_ = (call);                                                               \
    if (test_status_ != (status))                                                                  \
      fail_msg("%s: %s, not %s: %s", #call, cel_status_name(test_status_),                         \
               cel_status_name(status), cel_error());                                              \
    expect_words(words);                                                                           \
  } while (0)

static inline void expect_words(const char *words) {
  char copy[256], *rest = copy;
  snprintf(copy, sizeof copy, "%s", words);
  for (char *word; (word = strsep(&rest, "|")) != NULL;) {
    if (!strstr(cel_error(), word)) fail_msg("no '%s' in: %s", word, cel_error());
  }
}

/// A spec with arguments "key=value key=value", including options of all environments.
static inline CelEnvSpec *make_spec(const char *id, const char *arguments) {
  const CelEnvType *type;
  assert_ok(cel_env_find(id, &type));
  void *config = calloc(1, type->config_size + 1);
  CelEnvOptions options;
  cel_fields_default(cel_env_option_fields(), &options);
  if (type->fields) cel_fields_default(type->fields, config);
  char copy[512], *rest = copy;
  snprintf(copy, sizeof copy, "%s", arguments);
  for (char *pair; (pair = strsep(&rest, " ")) != NULL;) {
    char *value = strchr(pair, '=');
    if (!value) continue;
    *value++ = 0;
    if (cel_fields_find(cel_env_option_fields(), pair)) {
      assert_ok(cel_fields_set(cel_env_option_fields(), &options, pair, value));
    } else {
      assert_ok(cel_fields_set(type->fields, config, pair, value));
    }
  }
  CelEnvSpec *spec = NULL;
  assert_ok(cel_env_spec_create(&spec, id, type->config_size ? config : NULL, &options));
  free(config);
  return spec;
}

/// A vector environment and its tensors.
typedef struct Fleet {
  CelVecEnv env;
  CelTensors *tensors;
} Fleet;

/// Declares and allocates a fleet, without a reset. The result must not be moved.
static inline Fleet *make_fleet(const CelEnvSpec *spec, int64_t N, uint64_t seed, uint32_t first) {
  Fleet *fleet = calloc(1, sizeof *fleet);
  assert_non_null(fleet);
  assert_ok(cel_tensors_create(&fleet->tensors));
  assert_ok(
      cel_vecenv_declare(&fleet->env, fleet->tensors, "env", spec, N, seed, CEL_RNG_ENV, first));
  assert_ok(cel_tensors_allocate(fleet->tensors));
  return fleet;
}

static inline void free_fleet(Fleet *fleet) {
  cel_tensors_destroy(fleet->tensors);
  free(fleet);
}

#endif
