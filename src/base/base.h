/// What the whole library builds on: assertions, propagation of errors, sizes that cannot overflow,
/// the memory there is. text.h and file.h belong to it and come with it.
#ifndef CELSIUS_BASE_BASE_H
#define CELSIUS_BASE_BASE_H
#include "base/file.h"
#include "base/floats.h"
#include "base/text.h"
#include "celsius/space.h"
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// A bug of ours when it does not hold; no side effects inside. It is checked in every build.
#define CEL_ASSERT(condition)                                                                      \
  ((condition) ? (void)0 : celi_assert_failed(__FILE__, __LINE__, #condition))
/// Calls the hook, then aborts should the hook return.
_Noreturn void celi_assert_failed(const char *file, int line, const char *expression);

/// Returns from the calling function with the status of `call` unless that is CEL_OK.
#define CELI_TRY(call)                                                                             \
  do {                                                                                             \
    CelStatus celi_try_status_ = (call);                                                           \
    if (celi_try_status_ != CEL_OK) return celi_try_status_;                                       \
  } while (0)

/// a * b, a + b, and a rounded up to a multiple of `to` (a power of two). False when the result
/// does not fit; *out is then left alone.
bool celi_size_mul(size_t a, size_t b, size_t *out) CEL_WARN_UNUSED;
bool celi_size_add(size_t a, size_t b, size_t *out) CEL_WARN_UNUSED;
bool celi_size_round(size_t a, size_t to, size_t *out) CEL_WARN_UNUSED;

/// Whether the machine has `bytes` left for `what`; `old`: a block that they replace, or NULL. Linux gives out memory that it
/// doesn't have and then kills who touches it, so whatever grows with the input asks first. Sizes up to 16 MiB pass.
/// Errors: CEL_E_MEMORY (what is needed, what is left, which limit).
CelStatus celi_memory_room(size_t bytes, void *old, const char *what) CEL_WARN_UNUSED;
/// malloc, calloc and realloc of n elements, with the failure as a status that says what it was for; celi_memory_room is
/// asked first. On failure *out (the block of celi_resize) is left alone. n = 0 gives a block of one byte.
/// Errors: CEL_E_MEMORY.
CelStatus celi_alloc(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;
CelStatus celi_calloc(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;
CelStatus celi_resize(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;

/// Bytes that this process can still take: the least of what the machine has available
/// (MemAvailable), what its control groups leave and what RLIMIT_AS leaves. *limit, when not NULL,
/// becomes a const text that says which of them it is. SIZE_MAX when nothing can be found out.
size_t celi_memory_available(const char **limit);

/// cel_space_box in place. A space has 33 KiB, too much for a small stack.
void celi_space_box(CelSpace *out, int64_t size, double low, double high);

/// Philox 4x32-10: out = one block under `key` at `counter`.
void celi_philox(uint32_t out[4], const uint32_t key[2], const uint32_t counter[4]);

/// What a user's function returned, as a status of ours. One that does not exist becomes CEL_E_ENV,
/// with a message that names the function ("reset"); the others pass.
CelStatus celi_status_given(CelStatus status, const char *function) CEL_WARN_UNUSED;

#endif
