#!/bin/bash
# The shared library exports only cel_ functions. All global names of the static library start with
# cel_ or celi_. Every function that a public header declares is exported.
set -uo pipefail
so=$CELSIUS_BUILD_DIR/libcelsius.so
a=$CELSIUS_BUILD_DIR/libcelsius.a
bad=0

exported=$(nm -D --defined-only --format=posix "$so" | cut -d' ' -f1 | sed 's/@.*//' | sort -u) ||
  exit 1
[ -n "$exported" ] || { echo "$so exports no symbol"; exit 1; }
strange=$(grep -v '^cel_' <<<"$exported")
[ -z "$strange" ] ||
  { echo "$so exports names that do not start with cel_:"; echo "$strange"; bad=1; }

global=$(nm -g --defined-only --format=posix "$a" 2>/dev/null | awk 'NF > 1 {print $1}' | sort -u)
[ -n "$global" ] || { echo "$a has no global symbol"; exit 1; }
strange=$(grep -Ev '^celi?_' <<<"$global")
[ -z "$strange" ] ||
  { echo "$a has global names that do not start with cel_ or celi_:"; echo "$strange"; bad=1; }

# Declarations, from the preprocessed headers: "cel_name(" after the visibility attribute.
declared=$(for header in "$CELSIUS_SOURCE_DIR"/include/celsius/*.h; do
  "$CELSIUS_CC" -E -P -I"$CELSIUS_SOURCE_DIR/include" "$header"
done | tr '\n' ' ' | sed 's/__attribute__((visibility("default")))/\nAPI /g' | sed -n '/^API /p' |
  sed -nE 's/^API [^(]*[ *](cel_[a-z0-9_]+) *\(.*/\1/p' | sort -u)
[ -n "$declared" ] || { echo "found no declaration in the public headers"; exit 1; }
missing=$(comm -23 <(echo "$declared") <(echo "$exported"))
[ -z "$missing" ] ||
  { echo "declared in a public header, but not exported by $so:"; echo "$missing"; bad=1; }
extra=$(comm -13 <(echo "$declared") <(echo "$exported"))
[ -z "$extra" ] ||
  { echo "exported by $so, but not declared in a public header:"; echo "$extra"; bad=1; }

echo "$(wc -l <<<"$exported") exported, $(wc -l <<<"$declared") declared," \
  "$(wc -l <<<"$global") global"
exit $bad
