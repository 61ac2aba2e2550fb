/// Any bytes as an RL Zoo file. The file is refused, or every entry of it has JSON, or an error;
/// and every entry is applied or changes nothing.
#include "base/base.h"
#include "run/zoo.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static CelSetup *make(const char *algo) {
  CelSetup *setup;
  if (cel_setup_create(&setup, algo, "Pendulum-v1") != CEL_OK) abort();
  return setup;
}

static bool same(const CelSetup *a, const CelSetup *b) {
  return memcmp(&a->run, &b->run, sizeof a->run) == 0 &&
         memcmp(a->algo_config, b->algo_config, a->algo->config_size) == 0;
}

static void apply(const CelZoo *zoo, int64_t i, const char *algo) {
  CelSetup *setup = make(algo), *before = make(algo);
  if (cel_zoo_apply(zoo, i, setup) != CEL_OK) {
    if (cel_error()[0] == 0 || !same(setup, before)) abort();
  } else if (cel_fields_check(setup->algo->fields, setup->algo_config) != CEL_OK) {
    abort();
  }
  cel_setup_destroy(setup);
  cel_setup_destroy(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const algos[] = {"sac", "ppo", "a2c", "trpo"};
  CelZoo *zoo;
  const char *json;
  if (celi_zoo_parse("fuzz", (const char *)data, size, &zoo) != CEL_OK) {
    if (cel_error()[0] == 0 || zoo) abort();
    return 0;
  }
  for (int64_t i = 0; cel_zoo_entry(zoo, i) && i < 8; i++) {
    if (cel_zoo_json(zoo, i, &json) == CEL_OK ? json[0] != '{' : json != NULL) abort();
    for (size_t k = 0; k < sizeof algos / sizeof algos[0]; k++) apply(zoo, i, algos[k]);
  }
  cel_zoo_close(zoo);
  return 0;
}
