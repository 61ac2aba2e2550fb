#!/bin/bash
# Installs to a temporary prefix and builds examples/ against it: examples/c by find_package, by
# pkg-config and statically, and examples/env as a shared object that the installed command trains.
set -euo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
prefix=$here/prefix
step() { echo "== $*"; }

step install
cmake --install "$CELSIUS_BUILD_DIR" --prefix "$prefix" >"$here/log" || { cat "$here/log"; exit 1; }
cp -r "$CELSIUS_SOURCE_DIR/examples" "$here/examples"
lib=$(dirname "$(find "$prefix" -name libcelsius.a)")
export PKG_CONFIG_PATH=$lib/pkgconfig
readelf -d "$lib/libcelsius.so" | grep -q 'SONAME.*libcelsius\.so\.[0-9.]*[0-9]\]' ||
  { echo "libcelsius.so has no versioned SONAME"; exit 1; }

step "examples/c by find_package"
cmake -S "$here/examples/c" -B "$here/c" -G Ninja -DCMAKE_C_COMPILER="$CELSIUS_CC" \
  -DCMAKE_PREFIX_PATH="$prefix" >"$here/log" && cmake --build "$here/c" >>"$here/log" ||
  { cat "$here/log"; exit 1; }
"$here/c/train_pendulum" 600

step "examples/c by pkg-config"
# The prefix is not in the search path of the loader, so the program needs LD_LIBRARY_PATH.
# shellcheck disable=SC2046
"$CELSIUS_CC" -std=c99 -Wall -Wextra -Werror "$here/examples/c/train_pendulum.c" \
  -o "$here/by-pkg-config" $(pkg-config --cflags --libs celsius)
LD_LIBRARY_PATH=$lib "$here/by-pkg-config" 600 >"$here/shared.txt"
cat "$here/shared.txt"

step "examples/c statically"
# shellcheck disable=SC2046
"$CELSIUS_CC" -std=c99 -Wall -Wextra -Werror "$here/examples/c/train_pendulum.c" \
  -o "$here/static" $(pkg-config --cflags celsius) "$lib/libcelsius.a" \
  $(pkg-config --static --libs celsius | sed 's/-lcelsius//')
if ldd "$here/static" | grep libcelsius; then
  echo "the program is not linked statically"
  exit 1
fi
"$here/static" 600 >"$here/static.txt"
diff "$here/shared.txt" "$here/static.txt" ||
  { echo "the shared and the static program print different results"; exit 1; }

step "examples/env as a shared object"
cmake -S "$here/examples/env" -B "$here/env" -G Ninja -DCMAKE_C_COMPILER="$CELSIUS_CC" \
  -DCMAKE_PREFIX_PATH="$prefix" >"$here/log" && cmake --build "$here/env" >>"$here/log" ||
  { cat "$here/log"; exit 1; }
[ -x "$prefix/bin/celsius" ] || { echo "the command is not installed"; exit 1; }
"$prefix/bin/celsius" train sac --env "$here/env/corridor.so:Corridor" --steps 600 --seed 1 \
  --out "$here/run" >"$here/log" 2>&1 </dev/null || { cat "$here/log"; exit 1; }
"$prefix/bin/celsius" eval "$here/run" --allow-plugins --episodes 5 </dev/null
