/// Status codes and error messages.
///
/// A function that can fail for a reason outside the library returns a CelStatus. It leaves a
/// message in a buffer of the calling thread: what is wrong, where, and the remedy. The library
/// never prints, exits or calls longjmp.
#ifndef CELSIUS_STATUS_H
#define CELSIUS_STATUS_H
#include <stddef.h>

#if defined(__GNUC__)
#define CEL_API __attribute__((visibility("default")))
#define CEL_WARN_UNUSED __attribute__((warn_unused_result))
#define CEL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CEL_OLD_NAME(name) __attribute__((deprecated("use " name))) ///< for one version
#define CEL_EXTENSION __extension__ ///< before an unnamed union, which C99 does not have
#else
#define CEL_API
#define CEL_WARN_UNUSED
#define CEL_PRINTF(fmt, args)
#define CEL_OLD_NAME(name)
#define CEL_EXTENSION
#endif

/// Fails to compile unless an enum has the size of an int32_t. Field tables read and write enum
/// members as int32_t, which breaks under options such as -fshort-enums.
#if defined(__cplusplus)
#define CEL_ENUM_IS_INT32(Enum) static_assert(sizeof(Enum) == 4, #Enum " must have 4 bytes")
#elif defined(__GNUC__)
#define CEL_ENUM_IS_INT32(Enum)                                                                    \
  __extension__ _Static_assert(sizeof(Enum) == 4, #Enum " must have 4 bytes")
#else
#define CEL_ENUM_IS_INT32(Enum) enum { CEL_CHECK_##Enum = 1 / (sizeof(Enum) == 4) }
#endif

#ifdef __cplusplus
#define CEL_BEGIN extern "C" {
#define CEL_END }
#else
#define CEL_BEGIN
#define CEL_END
#endif

CEL_BEGIN

/// Result of a call. The numbers are stable: the command uses them as exit codes.
typedef enum CelStatus {
  CEL_OK = 0,
  CEL_E_ARGUMENT = 2,     ///< a call or a command line that makes no sense
  CEL_E_RANGE = 3,        ///< a value out of range
  CEL_E_NAME = 4,         ///< no such environment, algorithm, field or tensor
  CEL_E_TYPE = 5,         ///< a value of the wrong type
  CEL_E_SHAPE = 6,        ///< sizes that do not match
  CEL_E_MEMORY = 7,       ///< not enough memory, or a size that overflows
  CEL_E_IO = 8,           ///< the file system failed (missing, not writable, full)
  CEL_E_FORMAT = 9,       ///< a file of another or a broken format
  CEL_E_CORRUPT = 10,     ///< a file whose digest or length is wrong
  CEL_E_UNSUPPORTED = 11, ///< a combination that the library does not support
  CEL_E_NAN = 12,         ///< a reward, observation, loss or parameter that is not finite
  CEL_E_STATE = 13,       ///< a call in the wrong order
  CEL_E_ENV = 14,         ///< the caller's own environment failed
  CEL_E_INTERRUPTED = 15  ///< stopped on request; everything is saved
} CelStatus;

/// Returns the short name of a status, such as "CEL_E_RANGE". Never NULL.
CEL_API const char *cel_status_name(CelStatus status);

/// Returns the message of the calling thread's last failed call, or "" when no call has failed. The
/// text stays valid until the next failure in the same thread.
CEL_API const char *cel_error(void);

/// Records a message (printf form, at most 1023 bytes) and returns `status`. An environment or a
/// callback of your own uses it to fail as the library does:
/// `return cel_fail(CEL_E_ENV, "motor %d does not answer", i);`
CEL_API CelStatus cel_fail(CelStatus status, const char *format, ...) CEL_PRINTF(2, 3);

/// Puts context in front of the recorded message, such as "config.yaml: line 3: ". Returns `status`
/// unchanged. Does nothing when `status` is CEL_OK.
CEL_API CelStatus cel_fail_in(CelStatus status, const char *format, ...) CEL_PRINTF(2, 3);

/// Quotes a path for a POSIX shell, so that a message can suggest a command: run 1 -> 'run 1'. A
/// path of letters, digits and _-./+,:@%= stays unquoted. A result of more than `size` bytes is
/// cut. Returns `text`. Allocates: no.
CEL_API const char *cel_shell_quote(char *text, size_t size, const char *path);

/// Called when the library finds a bug of its own (a broken invariant). Without a hook, the library
/// aborts and prints nothing. A hook may log and abort in its own way. It must not return.
typedef void (*CelAssertHook)(const char *file, int line, const char *expression);
/// Sets the hook of the whole process. NULL restores the default.
CEL_API void cel_set_assert_hook(CelAssertHook hook);

CEL_END
#endif
