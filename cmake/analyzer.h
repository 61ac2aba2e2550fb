/// Read in front of every source by clang-tidy (script/test), and by nothing else: tells the analyser what it
/// cannot see across files, that a failure returns the status that it was given, so that it does not
/// follow paths where a failed call looks like a success.
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
