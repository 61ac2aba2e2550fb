/// Declares tensors with composed names.
#include "nn/declare.h"
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

CelStatus celi_declare_f32(CelTensors *tensors, CelRole role, float **place, const int64_t shape[3],
                           const char *format, ...) {
  char name[CEL_NAME_MAX];
  va_list args;
  va_start(args, format);
  const int length = vsnprintf(name, sizeof name, format, args);
  va_end(args);
  if (length < 0 || length >= CEL_NAME_MAX)
    return cel_fail(CEL_E_NAME, "tensor \"%s...\": its name is longer than %d bytes", name,
                    CEL_NAME_MAX - 1);
  int ndim = 0;
  while (ndim < 3 && shape[ndim] >= 0) ndim++;
  return cel_tensors_declare(tensors, name, CEL_F32, role, place, ndim, shape);
}

const char *celi_mirror_prefix(CelRole role) {
  switch (role) {
  case CEL_GRAD: return "grad.";
  case CEL_MOMENT1: return "adam.m.";
  case CEL_MOMENT2: return "adam.v.";
  default: return "";
  }
}
