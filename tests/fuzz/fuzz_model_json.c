/// Any text as the JSON in a model's metadata. It is refused, or its content is equal after writing
/// and reading.
#include "rl/model.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_space(const char *text) {
  static CelSpace space, back;
  char *first, *second;
  if (celi_space_from_json(&space, text)) return;
  if (celi_space_to_json(&space, &first) || celi_space_from_json(&back, first) ||
      celi_space_to_json(&back, &second) || strcmp(first, second) != 0)
    abort();
  free(first);
  free(second);
}

static void check_policy(const char *text) {
  CeliPolicySpec spec, back;
  char *written;
  if (celi_policy_from_json(&spec, text)) return;
  if (celi_policy_to_json(&spec, &written) || celi_policy_from_json(&back, written) ||
      memcmp(&spec, &back, sizeof spec) != 0)
    abort();
  free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  check_space(text);
  check_policy(text);
  free(text);
  return 0;
}
