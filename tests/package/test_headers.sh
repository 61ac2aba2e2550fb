#!/bin/bash
# Every public header compiles alone as C99, C17 and C++11 without a warning. A C++ program that
# includes all of them links with the library.
set -uo pipefail
include=$CELSIUS_SOURCE_DIR/include
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
check() { # check WHAT COMMAND...
  local what=$1
  shift
  "$@" || { echo "failed: $what"; bad=1; }
}

for header in "$include"/celsius/*.h; do
  name=celsius/$(basename "$header")
  printf '#include "%s"\n' "$name" >>"$here/all.c"
  # Included twice, so that a missing include guard is found.
  printf '#include "%s"\n#include "%s"\ntypedef int unused;\n' "$name" "$name" >"$here/one.c"
  for std in c99 c17; do
    check "$name as $std" "$CELSIUS_CC" -std=$std -Wall -Wextra -Wpedantic -Wstrict-prototypes \
      -Werror -fsyntax-only -I"$include" "$here/one.c"
  done
  check "$name as C++11" "$CELSIUS_CXX" -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror \
    -fsyntax-only -I"$include" "$here/one.c"
done

cat "$here/all.c" - >"$here/all.cpp" <<'EOF'
#include <cstdio>
int main() {
  std::printf("%s %s\n", cel_version(), cel_status_name(CEL_E_RANGE));
  return 0;
}
EOF
check "all headers in C++" "$CELSIUS_CXX" -std=c++11 -Wall -Wextra -Werror -I"$include" \
  "$here/all.cpp" -o "$here/all" -L"$CELSIUS_BUILD_DIR" -lcelsius -Wl,-rpath,"$CELSIUS_BUILD_DIR"
[ $bad = 0 ] || exit 1
said=$("$here/all") || exit 1
version=$(sed -n 's/^#define CEL_VERSION "\(.*\)".*/\1/p' "$include/celsius/version.h")
expected="$version CEL_E_RANGE"
[ "$said" = "$expected" ] ||
  { echo "the C++ program printed '$said'; expected '$expected'"; exit 1; }
