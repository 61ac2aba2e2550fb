#!/bin/bash
# Checks the documentation: its links and paths exist, its C programs compile, and its commands and
# flags exist.
set -uo pipefail
cd "$CELSIUS_SOURCE_DIR" || exit 1
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
say() { echo "$*"; bad=1; }
pages=(README.md CONTRIBUTING.md CHANGELOG.md docs/*.md)

# Links to files are relative to the folder of the page.
for page in "${pages[@]}"; do
  for target in $(grep -oE '\]\([^)#]+' "$page" | cut -c3- | grep -v '^https\?:'); do
    [ -e "$(dirname "$page")/$target" ] || say "$page links to $target, which does not exist"
  done
done

# Paths in backticks, where * stands for any name. Placeholders (ALGO, <name>) are skipped.
paths=0
for page in "${pages[@]}"; do
  folders='src|include|docs|tests|examples|presets|script|cmake|bench|cli'
  for path in $(grep -oE "\`($folders)/[^\` ]*\`" "$page" | tr -d '`' | grep -vE '[A-Z<]' |
                sort -u); do
    paths=$((paths + 1))
    compgen -G "$path" >/dev/null || say "$page names $path, which does not exist"
  done
  for header in $(grep -oE '`celsius/[a-z_]+\.h`' "$page" | tr -d '`' | sort -u); do
    [ -e "include/$header" ] || say "$page names $header, which does not exist"
  done
done
[ $paths -gt 20 ] || say "found only $paths paths in the documentation; is the pattern still right?"

# C programs: blocks of C that start with an #include.
for page in "${pages[@]}"; do
  awk -v base="$here/$(basename "$page" .md)" '
    /^ *```c$/ { n++; inside = 1; next }
    /^ *```/ { inside = 0 }
    inside { print > (base "-" n ".c") }' "$page"
done
programs=0
for program in "$here"/*.c; do
  head -n 1 "$program" | grep -q '^#include' || continue
  programs=$((programs + 1))
  "$CELSIUS_CC" -std=c17 -Wall -Wextra -Wpedantic -Wno-unused-const-variable -Werror -Iinclude \
    -fsyntax-only "$program" || say "this block does not compile: $(basename "$program" .c)"
done
[ $programs -ge 5 ] || say "found only $programs programs in the documentation"

# Commands: "celsius WORD" and the flags after it, which the help must list.
words=0
while read -r command flags; do
  words=$((words + 1))
  case $command in
  train) help=$(
    "$CELSIUS_BIN" train sac --env Pendulum-v1 --help
    "$CELSIUS_BIN" train --resume x --help
  ) ;;
  solve) help=$(for name in "" garnet grid; do "$CELSIUS_BIN" solve $name --help; done) ;;
  --*) help=$("$CELSIUS_BIN" --help) flags="" ;;
  *) help=$("$CELSIUS_BIN" "$command" --help) || { say "no command '$command'"; continue; } ;;
  esac
  for flag in $flags; do
    [[ $flag == --help || $flag == --env.* ]] || grep -qE -- "^ *$flag( |$)" <<<"$help" ||
      say "celsius $command has no $flag"
  done
done < <(cat "${pages[@]}" | tr '\n' ' ' |
  grep -oE '[`(> ]celsius (train|eval|plot|solve|list|export|info|help|--[a-z]+)[^`#(]*' |
  sed -E 's/  +.*//; s/^.celsius //' | awk '{
    line = $1
    for (i = 2; i <= NF; i++)
      if ($i ~ /^--[a-z]/) { sub(/[=.,;:]*$/, "", $i); line = line " " $i }
    print line }')
[ $words -gt 10 ] || say "found only $words commands in the documentation"

# Names in the last column of the glossary, which the code must have.
names=0
while read -r name; do
  names=$((names + 1))
  grep -rqF -- "$name" src include cli || say "docs/glossary.md names $name, which no source has"
done < <(sed -nE 's/^\|.*\| `([^`]+)` \|$/\1/p' docs/glossary.md)
[ $names -gt 40 ] || say "found only $names names in the glossary"

echo "$paths paths, $programs programs, $words commands, $names names"
exit $bad
