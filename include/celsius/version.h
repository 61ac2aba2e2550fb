/// The version. It is written only here; CMake reads it from here.
#ifndef CELSIUS_VERSION_H
#define CELSIUS_VERSION_H
#include "celsius/status.h"
CEL_BEGIN

#define CEL_VERSION_MAJOR 0
#define CEL_VERSION_MINOR 1
#define CEL_VERSION_PATCH 0
#define CEL_VERSION "0.1.0" ///< version of these headers

/// Returns the version of the library at run time, "0.1.0". It differs from CEL_VERSION when a
/// program was compiled with the headers of another version. Static.
CEL_API const char *cel_version(void);

CEL_END
#endif
