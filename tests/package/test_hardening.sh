#!/bin/bash
# Looks into everything that was built and installed: search paths of the loader that are empty or relative
# would run a library from the working directory; the flags of cmake/CelsiusHardening.cmake must be there.
set -uo pipefail
bad=0
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
complain() { echo "$*"; bad=1; }

cmake --install "$CELSIUS_BUILD_DIR" --prefix "$here/prefix" >"$here/log" || { cat "$here/log"; exit 1; }
# Programs that users build: from the build folder found on PATH, as after the README's export, and
# from the installed package.
PATH=$CELSIUS_BUILD_DIR:$PATH cmake -S "$CELSIUS_SOURCE_DIR/examples/c" -B "$here/by-path" -G Ninja \
  -DCMAKE_C_COMPILER="$CELSIUS_CC" >"$here/log" && cmake --build "$here/by-path" >>"$here/log" ||
  { cat "$here/log"; exit 1; }
grep -q "celsius_DIR:PATH=$CELSIUS_BUILD_DIR" "$here/by-path/CMakeCache.txt" ||
  complain "the build folder on PATH is not found as a package"
"$here/by-path/train_pendulum" 600 >"$here/log" || { cat "$here/log"; complain "it does not run"; }

# elf_files FOLDER...: programs and shared objects, not object files.
elf_files() {
  find "$@" -type f \( -perm -u+x -o -name '*.so*' \) -exec sh -c \
    'for f; do [ "$(head -c 4 "$f" | tail -c 3)" = ELF ] && echo "$f"; done' _ {} + | sort
}

# check_search FILE: every entry of RPATH and RUNPATH is absolute or starts with $ORIGIN.
check_search() {
  local path entry
  while read -r path; do
    while read -r entry; do
      case $entry in
      /* | "\$ORIGIN" | "\$ORIGIN/"*) ;;
      *) complain "$1: the entry '$entry' of its search path '$path' is empty or relative" ;;
      esac
    done <<<"${path//:/$'\n'}"
  done < <(readelf -d "$1" 2>/dev/null | sed -nE 's/.*\((RPATH|RUNPATH)\).*\[(.*)\]$/\2/p')
}

n=0
while read -r file; do
  check_search "$file"
  n=$((n + 1))
done < <(elf_files "$CELSIUS_BUILD_DIR" "$here")
[ "$n" -ge 20 ] || complain "only $n programs and libraries were found"

# A library in the working directory is not loaded, whatever its name.
mkdir "$here/trap"
echo '#include <unistd.h>
__attribute__((constructor)) static void run(void) { _exit(66); }' >"$here/trap.c"
"$CELSIUS_CC" -shared -fPIC "$here/trap.c" -o "$here/trap/libcjson.so.1"
(cd "$here/trap" && "$CELSIUS_BIN" --version >/dev/null) || complain "the command runs ./libcjson.so.1"

so=$(readlink -f "$CELSIUS_BUILD_DIR/libcelsius.so")
for file in "$so" "$CELSIUS_BIN" "$here/prefix/bin/celsius"; do
  dynamic=$(readelf -d "$file") segments=$(readelf -lW "$file")
  grep -q 'BIND_NOW' <<<"$dynamic" || complain "$file: symbols are resolved late (no -z now)"
  grep -q 'GNU_RELRO' <<<"$segments" || complain "$file: no read-only relocations (-z relro)"
  grep -E 'GNU_STACK' <<<"$segments" | grep -q 'RW ' || complain "$file: its stack is executable"
  grep -q 'RWE' <<<"$segments" && complain "$file: a segment is writable and executable"
done
readelf -hW "$CELSIUS_BIN" | grep -q 'DYN' || complain "$CELSIUS_BIN: not position-independent"

# What the flags leave in the code of the library.
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
  [ "$functions" -gt 100 ] || complain "$so: only $functions functions were found"
  [ "$pads" -eq "$functions" ] || complain "$so: $pads of $functions functions start with endbr64"
  # A frame above a page is touched page by page.
  grep -qE 'or[lq] +\$0x0,(0x[0-9a-f]+)?\(%rsp\)|or[lq] +\$0x0,\(%rsp\)' <<<"$code" ||
    grep -qE 'movq +\$0x0,\(%rsp\)' <<<"$code" || complain "$so: no stack clash protection"
  ;;
aarch64) grep -q 'paciasp' <<<"$code" || complain "$so: no branch protection" ;;
esac
echo "$n programs and libraries"
exit $bad
