/// The bounds of an action space, as the float32 numbers that it holds.
#ifndef CELI_BOUNDS_H
#define CELI_BOUNDS_H
#include "celsius/space.h"

/// Clips the float32 boxes of n rows to their bounds, in place; NaN stays. A bound that was scaled and shifted is off by
/// rounding, so every action that leaves the library comes through here. Compares integers, and so holds while
/// subnormal numbers are flushed.
void celi_bounds_clip(const CelSpace *space, void *rows, int64_t n);

#endif
