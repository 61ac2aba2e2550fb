#!/bin/bash
# Runs script/setup as a user who is not root, on a machine without sudo. It must name the missing
# packages, print the command that installs them, and fail. PATH holds only replacements of the
# system's programs, so that nothing is installed.
set -uo pipefail
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
bad=0
say() { echo "$*"; bad=1; }

mkdir "$here/bin"
for tool in bash cat dirname env mkdir mktemp rm sed sha256sum tail; do
  ln -s "$(command -v $tool)" "$here/bin/$tool"
done
# stand_in NAME: makes a program of that name from the text on stdin. It records each call in
# $here/calls.
stand_in() {
  { echo '#!/bin/bash'; echo "echo \"$1 \$*\" >>'$here/calls'"; cat; } >"$here/bin/$1"
  chmod +x "$here/bin/$1"
}
echo 'echo 1000' | stand_in id
echo 'exit 1' | stand_in apt-get
stand_in dpkg-query <<'END'
case " $MISSING " in *" ${!#} "*) echo not-installed ;; *) echo installed ;; esac
END

# setup MISSING [PART...]: runs script/setup while the packages MISSING are missing. Its output is
# in $here/out.
setup() {
  local missing=$1
  shift
  rm -f "$here/calls"
  env -i PATH="$here/bin" MISSING="$missing" \
    "$here/bin/bash" "$CELSIUS_SOURCE_DIR/script/setup" "$@" >"$here/out" 2>&1 </dev/null
}
# expect TEXT: checks that the output contains the text.
expect() { grep -qF -- "$1" "$here/out" || say "expected '$1' in:"$'\n'"$(cat "$here/out")"; }
untouched() {
  ! grep -q '^apt-get' "$here/calls" || say "$1: apt-get was called without root"
}

refused() { # refused MISSING [PART...]
  setup "$@"
  local code=$?
  [ $code = 1 ] || say "script/setup ${*:2} ended with $code instead of 1 when '$1' was missing"
  expect "packages are missing: $1"
  expect "needs root, and sudo was not found"
  expect "apt-get install -y --no-install-recommends $1"
  untouched "script/setup ${*:2}"
}
refused "cmake libyaml-dev"
refused "libcmocka-dev python3-venv" tests
refused "clang-14 cppcheck" lint

# The last line is the command to run. Nothing is printed after it.
[[ $(tail -n 1 "$here/out") == *"apt-get install"*"clang-14 cppcheck" ]] ||
  say "the last line is not the command"

# Root is needed only if a package is missing.
setup ""
code=$?
[ $code = 0 ] || say "script/setup ended with $code when nothing was missing: $(cat "$here/out")"
[ ! -s "$here/out" ] || say "script/setup printed this when nothing was missing: $(cat "$here/out")"
untouched "script/setup with nothing missing"
[ $(grep -c '^dpkg-query' "$here/calls") -gt 10 ] ||
  say "script/setup looked for too few packages: $(cat "$here/calls")"

# With sudo it installs through sudo. An error of apt is shown.
stand_in sudo <<'END'
echo "E: no such mirror"
exit 1
END
setup cmake
code=$?
[ $code = 1 ] || say "script/setup ended with $code instead of 1 when apt failed"
expect "E: no such mirror"
expect "apt-get could not install: cmake"
grep -q '^sudo apt-get .*update' "$here/calls" || say "sudo was not called: $(cat "$here/calls")"
exit $bad
