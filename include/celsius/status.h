/// Status codes and error messages.
///
/// Every function that can fail for a reason outside the library returns a CelStatus and leaves one
/// sentence for people in a buffer of the calling thread: what was wrong, where, and what would be
/// right. The library never prints, exits or jumps.
#ifndef CELSIUS_STATUS_H
#define CELSIUS_STATUS_H
#include <stddef.h>

#if defined(__GNUC__)
#define CEL_API __attribute__((visibility("default")))
#define CEL_WARN_UNUSED __attribute__((warn_unused_result))
#define CEL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CEL_API
#define CEL_WARN_UNUSED
#define CEL_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
#define CEL_BEGIN extern "C" {
#define CEL_END }
#else
#define CEL_BEGIN
#define CEL_END
#endif

CEL_BEGIN

/// What a call came to. The numbers are stable: the command uses them as exit codes.
typedef enum CelStatus {
  CEL_OK = 0,
  CEL_E_ARGUMENT = 2,     ///< a call or a command line that makes no sense
  CEL_E_RANGE = 3,        ///< a value outside of what is allowed
  CEL_E_NAME = 4,         ///< no such environment, algorithm, field, tensor
  CEL_E_TYPE = 5,         ///< a value of the wrong type
  CEL_E_SHAPE = 6,        ///< sizes that do not fit together
  CEL_E_MEMORY = 7,       ///< not enough memory, or a size that overflows
  CEL_E_IO = 8,           ///< the file system said no (missing, unwritable, full)
  CEL_E_FORMAT = 9,       ///< a file that is not what it should be
  CEL_E_CORRUPT = 10,     ///< a file whose digest or length is wrong
  CEL_E_UNSUPPORTED = 11, ///< a combination that is not offered
  CEL_E_NAN = 12,         ///< a reward, observation, loss or parameter that is not finite
  CEL_E_STATE = 13,       ///< a call out of order
  CEL_E_ENV = 14,         ///< an environment of the user's failed
  CEL_E_INTERRUPTED = 15  ///< stopped on request, everything saved
} CelStatus;

/// The short name of a status, "CEL_E_RANGE". Never NULL.
CEL_API const char *cel_status_name(CelStatus status);

/// The message of the calling thread's last failed call; "" when none failed yet. The text stays
/// valid until the next failure on the same thread.
CEL_API const char *cel_error(void);

/// Records a message (at most 1023 bytes, printf form) and returns `status`, so that an
/// environment or callback of the user's can fail the way the library does:
/// `return cel_fail(CEL_E_ENV, "motor %d does not answer", i);`
CEL_API CelStatus cel_fail(CelStatus status, const char *format, ...) CEL_PRINTF(2, 3);

/// Puts a context in front of the recorded message: "config.yaml: line 3: " and so on.
/// Returns `status` unchanged; does nothing when it is CEL_OK.
CEL_API CelStatus cel_fail_in(CelStatus status, const char *format, ...) CEL_PRINTF(2, 3);

/// Quotes a path for a POSIX shell, so that a message can suggest a command: run 1 -> 'run 1'. A path
/// of letters, digits and _-./+,:@%= is left as it is. A result that does not fit in `size` bytes is
/// cut. Returns `text`. Allocates: no.
CEL_API const char *cel_shell_quote(char *text, size_t size, const char *path);

/// Called when the library finds a bug of its own (a broken invariant). The default prints nothing
/// and aborts; a hook may log and abort in its own way. It must not return.
typedef void (*CelAssertHook)(const char *file, int line, const char *expression);
CEL_API void cel_set_assert_hook(CelAssertHook hook);

CEL_END
#endif
