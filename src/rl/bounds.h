/// The bounds of an action space, in float32.
#ifndef CELI_BOUNDS_H
#define CELI_BOUNDS_H
#include "celsius/space.h"

/// Clips the float32 boxes of n rows to their bounds, in place. NaN stays NaN. Every action that
/// leaves the library is clipped here, because scaling and shifting a bound rounds it. Compares
/// integers, so that flushing subnormal numbers changes nothing.
void celi_bounds_clip(const CelSpace *space, void *rows, int64_t n);

#endif
