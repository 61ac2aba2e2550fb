#!/bin/bash
# A folder of src/ includes private headers only of its own module and of modules on lower floors.
# The command includes no private header at all.
#   0 base | 1 ops | 2 nn, mdp | 3 env, rl | 4 algo | 5 run, deploy | 6 view, certify | 7 verify
set -uo pipefail
cd "$CELSIUS_SOURCE_DIR" || exit 1
declare -A may=(
  [base]="base"
  [ops]="base ops"
  [mdp]="base ops mdp"
  [nn]="base ops nn"
  [env]="base ops mdp nn env"
  [rl]="base ops mdp nn rl"
  [algo]="base ops mdp nn env rl algo"
  [run]="base ops mdp nn env rl algo run"
  [deploy]="base ops mdp nn rl deploy"
  [view]="base ops mdp nn env rl algo run view"
  [verify]="base ops mdp nn env rl algo run deploy certify verify"
  [certify]="base ops mdp nn env rl algo run deploy certify"
)
bad=0
seen=0
for folder in src/*/; do
  module=$(basename "$folder")
  [ -n "${may[$module]:-}" ] ||
    { echo "src/$module has no floor; add it to the table in this test"; bad=1; continue; }
  while IFS=: read -r file line text; do
    seen=$((seen + 1))
    used=$(sed -E 's/.*"([^/"]*)\/.*/\1/' <<<"$text")
    [ "$used" != celsius ] || continue
    [[ " ${may[$module]} " == *" $used "* ]] ||
      { echo "$file:$line: src/$module must not use src/$used"; bad=1; }
  done < <(grep -rnE --include='*.[ch]' '^ *# *include "[^/"]+/' "$folder" /dev/null)
done
private='base|ops|mdp|nn|env|rl|algo|run|deploy|view|verify|certify|\.\.'
if grep -nE "^ *# *include \"($private)/" cli/*.[ch]; then
  echo "cli/ must include only public headers"
  bad=1
fi
[ $seen -gt 0 ] || { echo "found no #include to check"; exit 1; }
exit $bad
