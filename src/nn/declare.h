/// Declares tensors with composed names.
#ifndef CELI_NN_DECLARE_H
#define CELI_NN_DECLARE_H
#include "celsius/tensors.h"

/// Declares a float32 tensor with up to three dimensions (a negative size ends the shape). `format`
/// gives its name. Errors: as cel_tensors_declare.
CelStatus celi_declare_f32(CelTensors *tensors, CelRole role, float **place, const int64_t shape[3],
                           const char *format, ...) CEL_WARN_UNUSED CEL_PRINTF(5, 6);

/// Declares a tensor of this shape or returns the error. `place` points to the pointer to set.
#define CELI_DECLARE(tensors, name, type, role, place, ...)                                        \
  CELI_TRY(cel_tensors_declare(tensors, name, type, role, place,                                   \
                               (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                               (int64_t[]){__VA_ARGS__}))

/// "" for parameters and targets, "grad.", "adam.m." or "adam.v." for their mirrors.
const char *celi_mirror_prefix(CelRole role);

#endif
