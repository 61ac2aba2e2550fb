/// clang-tidy includes this file before every source (script/test). Nothing else does. It tells the
/// analyzer that each failure function returns the status that it was given. The analyzer cannot
/// see that across files, and would follow paths on which a failed call looks like a success.
#ifndef CELSIUS_ANALYZER_H
#define CELSIUS_ANALYZER_H
#include "base/arguments.h"
#include "base/file.h"
#include "celsius/status.h"

#define cel_fail(status, ...) ((void)(cel_fail)(status, __VA_ARGS__), (status))
#define cel_fail_in(status, ...) ((void)(cel_fail_in)(status, __VA_ARGS__), (status))
#define celi_fail_null(function, name) ((void)(celi_fail_null)(function, name), CEL_E_ARGUMENT)
#define celi_fail_errno(path, doing, error) ((void)(celi_fail_errno)(path, doing, error), CEL_E_IO)

#endif
