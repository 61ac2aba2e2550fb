#!/bin/bash
# The list of mutations is up to date, and run.py reports every way in which a mutation can fail.
set -u
run=$CELSIUS_SOURCE_DIR/tests/mutations/run.py
list=$(mktemp --suffix=.toml)
trap 'rm -f "$list"' EXIT

"$CELSIUS_PYTHON" "$run" --check || exit 1
[ -f "$CELSIUS_BUILD_DIR/build.ninja" ] || exit 0 # other generators do not list their commands

# refused WORD NEW [OLD]: a mutation of nn/init.c must not count as seen, and the output has WORD.
refused() {
  printf '[[mutation]]\nbreaks = "x"\nfile = "src/nn/init.c"\nold = %s\nnew = %s\n%s\n' \
    "'${3-#include <math.h>}'" "'$2'" 'red = ["nn/test_init"]' >"$list"
  local said
  if said=$("$CELSIUS_PYTHON" "$run" "$CELSIUS_BUILD_DIR" --jobs 1 --list "$list"); then
    echo "the mutation to '$2' counts as seen"
    exit 1
  fi
  [[ $said == *"$1"* ]] || { echo "the output does not contain '$1': $said"; exit 1; }
}
refused "not seen by nn/test_init" '#include <math.h> // unchanged'
refused "does not compile" '#include <math.hh>'
refused "found 0 times" 'x' 'this is not in the file'
echo "every failure is reported"
