#!/bin/bash
# Checks all built and installed binaries. The loader must not search an empty or relative path,
# because it would load a library from the working directory. The flags of
# cmake/CelsiusHardening.cmake must have had their effect.
set -uo pipefail
bad=0
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
complain() { echo "$*"; bad=1; }

cmake --install "$CELSIUS_BUILD_DIR" --prefix "$here/prefix" >"$here/log" ||
  { cat "$here/log"; exit 1; }
# A program of a user finds the package through the build folder on PATH, as README.md shows.
PATH=$CELSIUS_BUILD_DIR:$PATH cmake -S "$CELSIUS_SOURCE_DIR/examples/c" -B "$here/by-path" \
  -G Ninja -DCMAKE_C_COMPILER="$CELSIUS_CC" >"$here/log" &&
  cmake --build "$here/by-path" >>"$here/log" ||
  { cat "$here/log"; exit 1; }
grep -q "celsius_DIR:PATH=$CELSIUS_BUILD_DIR" "$here/by-path/CMakeCache.txt" ||
  complain "CMake did not find the package through the build folder on PATH"
"$here/by-path/train_pendulum" 600 >"$here/log" ||
  { cat "$here/log"; complain "the program built against the build folder fails"; }

# elf_files FOLDER...: lists programs and shared objects, but not object files.
elf_files() {
  find "$@" -type f \( -perm -u+x -o -name '*.so*' \) -exec sh -c \
    'for f; do [ "$(head -c 4 "$f" | tail -c 3)" = ELF ] && echo "$f"; done' _ {} + | sort
}

# check_search FILE: every entry of RPATH and RUNPATH must be absolute or start with $ORIGIN.
check_search() {
  local path entry
  while read -r path; do
    while read -r entry; do
      case $entry in
      /* | "\$ORIGIN" | "\$ORIGIN/"*) ;;
      *) complain "$1: the entry '$entry' of the search path '$path' is empty or relative" ;;
      esac
    done <<<"${path//:/$'\n'}"
  done < <(readelf -d "$1" 2>/dev/null | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]$/\2/p')
}

n=0
while read -r file; do
  check_search "$file"
  n=$((n + 1))
done < <(elf_files "$CELSIUS_BUILD_DIR" "$here")
[ "$n" -ge 20 ] || complain "found only $n programs and libraries"

# A library in the working directory is not loaded, whatever its name.
mkdir "$here/trap"
echo '#include <unistd.h>
__attribute__((constructor)) static void run(void) { _exit(66); }' >"$here/trap.c"
"$CELSIUS_CC" -shared -fPIC "$here/trap.c" -o "$here/trap/libcjson.so.1"
(cd "$here/trap" && "$CELSIUS_BIN" --version >/dev/null) ||
  complain "the command loads ./libcjson.so.1"

so=$(readlink -f "$CELSIUS_BUILD_DIR/libcelsius.so")
for file in "$so" "$CELSIUS_BIN" "$here/prefix/bin/celsius"; do
  dynamic=$(readelf -d "$file") segments=$(readelf -lW "$file")
  grep -q 'BIND_NOW' <<<"$dynamic" ||
    complain "$file: symbols are not resolved at startup (no -z now)"
  grep -q 'GNU_RELRO' <<<"$segments" || complain "$file: no read-only relocations (-z relro)"
  grep -E 'GNU_STACK' <<<"$segments" | grep -q 'RW ' || complain "$file: its stack is executable"
  grep -q 'RWE' <<<"$segments" && complain "$file: a segment is writable and executable"
done
readelf -hW "$CELSIUS_BIN" | grep -q 'DYN' || complain "$CELSIUS_BIN: not position-independent"

# Effects of the flags in the machine code of the library.
symbols=$(nm -D "$so")
grep -q '__stack_chk_fail' <<<"$symbols" || complain "$so: no stack protector"
grep -qE '__(snprintf|memcpy|vsnprintf|strncat|read|fprintf)_chk' <<<"$symbols" ||
  complain "$so: no checked C functions (_FORTIFY_SOURCE)"
code=$(objdump -d --no-show-raw-insn "$so")
case $(uname -m) in
x86_64)
  # Every exported function starts with a landing pad.
  pads=$(grep -A1 -E '^[0-9a-f]+ <cel_[a-z0-9_]+>:$' <<<"$code" | grep -c endbr64)
  functions=$(grep -cE '^[0-9a-f]+ <cel_[a-z0-9_]+>:$' <<<"$code")
  [ "$functions" -gt 100 ] || complain "$so: found only $functions functions"
  [ "$pads" -eq "$functions" ] || complain "$so: $pads of $functions functions start with endbr64"
  # A stack frame larger than a page is touched page by page.
  grep -qE 'or[lq] +\$0x0,(0x[0-9a-f]+)?\(%rsp\)|or[lq] +\$0x0,\(%rsp\)' <<<"$code" ||
    grep -qE 'movq +\$0x0,\(%rsp\)' <<<"$code" || complain "$so: no stack clash protection"
  ;;
aarch64) grep -q 'paciasp' <<<"$code" || complain "$so: no branch protection" ;;
esac
echo "$n programs and libraries"
exit $bad
