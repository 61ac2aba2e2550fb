/// The version: the one place where it is written; CMake reads it from here.
#ifndef CELSIUS_VERSION_H
#define CELSIUS_VERSION_H
#include "celsius/status.h"
CEL_BEGIN

#define CEL_VERSION_MAJOR 0
#define CEL_VERSION_MINOR 1
#define CEL_VERSION_PATCH 0
#define CEL_VERSION "0.1.0" ///< of the headers; cel_version tells the library's

/// The version of the library that runs, "0.1.0". Differs from CEL_VERSION when a program was built
/// against the headers of another one.
CEL_API const char *cel_version(void);

CEL_END
#endif
