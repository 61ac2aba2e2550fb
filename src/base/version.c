/// The version of the library, from celsius/version.h.
#include "celsius/version.h"

const char *cel_version(void) {
  return CEL_VERSION;
}
