/// Basics of the whole library: assertions, error propagation, sizes without overflow, allocation.
/// Includes text.h, file.h and floats.h.
#ifndef CELI_BASE_BASE_H
#define CELI_BASE_BASE_H
#include "base/file.h"
#include "base/floats.h"
#include "base/text.h"
#include "celsius/space.h"
#include "celsius/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Aborts if the condition is false, which is a bug of the library. Every build checks it. The
/// condition must not have side effects.
#define CEL_ASSERT(condition)                                                                      \
  ((condition) ? (void)0 : celi_assert_failed(__FILE__, __LINE__, #condition))
/// Calls the hook, and aborts if the hook returns.
_Noreturn void celi_assert_failed(const char *file, int line, const char *expression);

/// Returns the status of `call` from the calling function unless it is CEL_OK.
#define CELI_TRY(call)                                                                             \
  do {                                                                                             \
    CelStatus celi_try_status_ = (call);                                                           \
    if (celi_try_status_ != CEL_OK) return celi_try_status_;                                       \
  } while (0)

/// a * b, a + b, and a rounded up to a multiple of `to`, a power of two. Returns false and does not
/// write *out if the result does not fit.
bool celi_size_mul(size_t a, size_t b, size_t *out) CEL_WARN_UNUSED;
bool celi_size_add(size_t a, size_t b, size_t *out) CEL_WARN_UNUSED;
bool celi_size_round(size_t a, size_t to, size_t *out) CEL_WARN_UNUSED;

/// Checks that `bytes` of memory are available. what: their purpose, for the message. old: a block
/// that they replace, or NULL. Linux grants more memory than it has and later kills a process that
/// touches it. Every allocation whose size depends on input must therefore check first. Sizes up to
/// 16 MiB pass.
/// Errors: CEL_E_MEMORY (the message has the size, the available memory and the limit).
CelStatus celi_memory_room(size_t bytes, void *old, const char *what) CEL_WARN_UNUSED;
/// malloc, calloc and realloc of n elements of `size` bytes, after celi_memory_room. out: address
/// of a pointer of any type. On failure *out is unchanged. n = 0 gives a block of one byte.
/// Errors: CEL_E_MEMORY (the message has the purpose `what`).
CelStatus celi_alloc(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;
CelStatus celi_calloc(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;
CelStatus celi_resize(void *out, size_t n, size_t size, const char *what) CEL_WARN_UNUSED;

/// Bytes that this process can still allocate: the minimum of MemAvailable and what is left of the
/// limits of its control groups and of RLIMIT_AS. *limit (limit may be NULL): a constant text that
/// names the minimum. Returns SIZE_MAX if none of them is known.
size_t celi_memory_available(const char **limit);

/// cel_space_box in place. A space has 33 KiB, too much for a small stack.
void celi_space_box(CelSpace *out, int64_t size, double low, double high);

/// Philox 4x32-10: out = the block of `key` at `counter`.
void celi_philox(uint32_t out[4], const uint32_t key[2], const uint32_t counter[4]);

/// Checks a status that a user's function returned. A status that does not exist, or that such a
/// function must not return, becomes CEL_E_ENV with a message that names the function ("reset").
/// Others pass.
CelStatus celi_status_given(CelStatus status, const char *function) CEL_WARN_UNUSED;

#endif
