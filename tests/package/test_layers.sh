#!/bin/bash
# Include rules. A module (a folder of src/) includes private headers of itself and of the modules
# below it. A folder inside a module includes headers of itself, of the folders before it, and of
# the module's top folder, which includes no folder of the module. Only rows of field tables (*.inc)
# may be in any folder of the module. cli/, plugins/ and python/ include no private header.
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
# Folders inside a module, lowest first. Folders joined by a comma do not include each other.
declare -A inside=(
  [nn]="layers"
  [mdp]="formats,generators,graph backup operator evaluate solve,improve,learn,total"
  [verify]="actor_critic,discrete_soft_policy_gradient,maximum_entropy,policy_guarantees,soft_q_learning"
)
# Rank of folder $2 in module $1: 0 is the module's top folder, "" is a folder without a rank.
rank_of() {
  [ "$2" != . ] || { echo 0; return; }
  local rank=0 group
  for group in ${inside[$1]:-}; do
    rank=$((rank + 1))
    [[ ",$group," != *",$2,"* ]] || { echo $rank; return; }
  done
}
bad=0
seen=0
seen_inside=0
for folder in src/*/; do
  module=$(basename "$folder")
  [ -n "${may[$module]:-}" ] ||
    { echo "src/$module has no layer; add it to the table in this test"; bad=1; continue; }
  while IFS=: read -r file line text; do
    seen=$((seen + 1))
    used=$(sed -E 's/.*"([^/"]*)\/.*/\1/' <<<"$text")
    [ "$used" != celsius ] || continue
    [[ " ${may[$module]} " == *" $used "* ]] ||
      { echo "$file:$line: src/$module must not use src/$used"; bad=1; }
    [[ $text != *.inc\"* || $used == "$module" ]] ||
      { echo "$file:$line: src/$module must not use rows of src/$used"; bad=1; }
  done < <(grep -rnE --include='*.[ch]' --include='*.inc' '^ *# *include "[^/"]+/' "$folder" /dev/null)
done
while IFS=/ read -r _ module folder _; do
  [ -n "$(rank_of "$module" "$folder")" ] ||
    { echo "src/$module/$folder has no place in the order of $module's folders; add it here"; bad=1; }
done < <(find src -mindepth 3 -name '*.[ch]' | cut -d/ -f1-3 | sort -u)
for module in "${!inside[@]}"; do
  while IFS=: read -r file line text; do
    from=$(cut -d/ -f3- <<<"$file")
    to=$(sed -E 's/.*"[^/"]+\/([^"]*)".*/\1/' <<<"$text")
    [[ $from == */* ]] && from=${from%%/*} || from=.
    [[ $to == */* ]] && to=${to%%/*} || to=.
    [ "$from" != "$to" ] && [[ $text != *.inc\"* ]] || continue
    seen_inside=$((seen_inside + 1))
    below=$(rank_of "$module" "$to")
    [ "${below:-99}" -lt "$(rank_of "$module" "$from")" ] ||
      { echo "$file:$line: in $module, folder $from must not use folder $to"; bad=1; }
  done < <(grep -rnE --include='*.[ch]' "^ *# *include \"$module/" "src/$module" /dev/null)
done
if grep -nE '^ *# *include "(base|ops|mdp|nn|env|rl|algo|run|deploy|view|verify|certify|\.\.)/' cli/*.[ch] \
  plugins/*/*.[ch] python/*.c; then
  echo "cli/, plugins/ and python/ must use the public headers only"
  bad=1
fi
[ $seen -gt 0 ] && [ $seen_inside -gt 0 ] || { echo "found no include to check"; exit 1; }
exit $bad
