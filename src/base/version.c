/// The version of the library, from the one header that states it.
#include "celsius/version.h"

const char *cel_version(void) {
  return CEL_VERSION;
}
