/// Any bytes as a safetensors file. It is refused with a message, or all of it is read and loaded.
#include "celsius/safetensors.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Touches all that the file says, so that the sanitizers see whether it is there.
static void look_at(const CelSafetensors *file) {
  for (int64_t i = 0; i < cel_safetensors_count(file); i++) {
    const CelTensor *tensor = cel_safetensors_at(file, i);
    size_t bytes = (size_t)tensor->size * cel_type_size(tensor->type);
    volatile unsigned char sum = 0;
    for (size_t b = 0; b < bytes; b++)
      sum = (unsigned char)(sum + ((const unsigned char *)tensor->data)[b]);
    if (cel_safetensors_find(file, tensor->name) != tensor) abort();
    if ((uintptr_t)tensor->data % cel_type_size(tensor->type) != 0) abort();
  }
  for (int64_t i = 0; cel_safetensors_meta_at(file, i).key != NULL; i++)
    if (cel_safetensors_meta(file, cel_safetensors_meta_at(file, i).key) == NULL) abort();
}

// Declares the file's tensors, loads them, and compares.
static void load(const CelSafetensors *file) {
  CelTensors *tensors;
  if (cel_tensors_create(&tensors) != CEL_OK) return;
  CelStatus status = CEL_OK;
  for (int64_t i = 0; i < cel_safetensors_count(file) && status == CEL_OK; i++) {
    const CelTensor *t = cel_safetensors_at(file, i);
    status = cel_tensors_declare(tensors, t->name, t->type, CEL_MODEL, NULL, t->ndim, t->shape);
  }
  if (status != CEL_OK) abort(); // what a file may hold can be declared
  if (cel_tensors_allocate(tensors) == CEL_OK) {
    if (cel_safetensors_load(file, tensors, CEL_ROLES_MODEL) != CEL_OK) abort();
    for (int64_t i = 0; i < cel_safetensors_count(file); i++) {
      const CelTensor *have = cel_safetensors_at(file, i);
      const CelTensor *got = cel_tensors_find(tensors, have->name);
      size_t bytes = (size_t)have->size * cel_type_size(have->type);
      if (bytes > 0 && memcmp(have->data, got->data, bytes) != 0) abort();
    }
  }
  cel_tensors_destroy(tensors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelSafetensors *file = NULL;
  if (cel_safetensors_open_bytes("fuzz", data, size, &file) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    return 0;
  }
  look_at(file);
  if (cel_safetensors_count(file) < 100) load(file);
  cel_safetensors_close(file);
  return 0;
}
