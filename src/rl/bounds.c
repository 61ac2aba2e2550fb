/// Clipping to bounds. Contract: bounds.h.
#include "rl/bounds.h"

#include <string.h>

/// An integer in the order of x. Both zeros are 0.
static int32_t order_of(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? INT32_MIN - bits : bits;
}

static float clip(float x, float low, float high) {
  if (x != x) return x; // NaN
  if (order_of(x) < order_of(low)) return low;
  return order_of(x) > order_of(high) ? high : x;
}

void celi_bounds_clip(const CelSpace *space, void *rows, int64_t n) {
  const size_t bytes = cel_space_bytes(space);
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    const bool one_bound = part->size > CEL_SPACE_BOUNDS_MAX;
    if (part->kind != CEL_BOX || part->type != CEL_F32) continue;
    const size_t offset = cel_space_offset(space, p);
    for (int64_t i = 0; i < n; i++) {
      float *x = (float *)(void *)((uint8_t *)rows + (size_t)i * bytes + offset);
      for (int64_t k = 0; k < part->size; k++) {
        const int64_t bound = one_bound ? 0 : k;
        x[k] = clip(x[k], part->low[bound], part->high[bound]);
      }
    }
  }
}
