/// The monotonic clock: the only place where the library reads it.
#ifndef CELI_BASE_CLOCK_H
#define CELI_BASE_CLOCK_H
#include <stdint.h>

/// Nanoseconds since a fixed moment in the past; unaffected by changes of the wall time.
int64_t celi_nanoseconds(void);
/// The same in seconds.
double celi_seconds(void);

#endif
