/// Any bytes as a model file. It is refused with a message, or the policy is loaded, acts and is
/// exported.
#include "celsius/export.h"
#include "celsius/policy.h"
#include "fuzz/fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void act(CelPolicy *policy) {
  const int64_t O = cel_space_floats(cel_policy_observation(policy));
  const size_t bytes = cel_space_bytes(cel_policy_action(policy));
  if (O < 1 || bytes == 0) abort();
  float *obs = calloc((size_t)O, sizeof *obs);
  void *action = malloc(bytes);
  if (!obs || !action) abort();
  CelRng rng = cel_rng(1, CEL_RNG_USER, 0);
  (void)cel_policy_act(policy, obs, action);
  for (int64_t i = 0; i < O; i++) obs[i] = (float)(i % 5) * 1e4f;
  (void)cel_policy_act(policy, obs, action);
  (void)cel_policy_sample(policy, obs, &rng, action);
  free(obs);
  free(action);
}

static void export_as(const char *model, const char *format) {
  char out[128];
  snprintf(out, sizeof out, "%s/out", fuzz_folder());
  if (cel_export(model, format, out, "policy") != CEL_OK && cel_error()[0] == 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[128];
  CelPolicy *policy = NULL;
  snprintf(path, sizeof path, "%s/model.safetensors", fuzz_folder());
  fuzz_write(path, data, size);
  if (cel_policy_load(path, &policy) != CEL_OK) {
    if (policy || cel_error()[0] == 0) abort();
    return 0;
  }
  act(policy);
  cel_policy_destroy(policy);
  export_as(path, "c");
  export_as(path, "onnx");
  export_as(path, "safetensors");
  return 0;
}
