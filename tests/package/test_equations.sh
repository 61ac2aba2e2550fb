#!/bin/bash
# Every equation that a comment, a field table or a test cites as [note, number] has a row in
# docs/equations.md, and what the rows name exists.
set -uo pipefail
cd "$CELSIUS_SOURCE_DIR" || exit 1
table=docs/equations.md
bad=0

# "[note, 8.21]", "[note, (7)]", "[note, Theorem 2]"; comments are joined first, as a label may be
# broken over two lines. Intervals such as [low, high] have no number behind the comma.
labels=$(find src include cli tests -name '*.[ch]' | sort | while read -r file; do
  sed -E 's,^ *(///?|\*) ?,,' "$file" | tr '\n' ' ' |
    grep -oE '\[[a-z][a-z-]+, (\(?[0-9]|[A-Z])[^]"]*\]' | sed "s,^,$file ,"
done)
[ -n "$labels" ] || { echo "found no label in src/ and include/; is the pattern still right?"; exit 1; }
rows=$(sed -nE 's/^\| (\[[^]]+\]) \|.*/\1/p' $table)
[ -n "$rows" ] || { echo "found no row in $table"; exit 1; }
while read -r file label; do
  grep -qxF -- "$label" <<<"$rows" || { echo "$file cites $label, which has no row in $table"; bad=1; }
done <<<"$labels"
twice=$(sort <<<"$rows" | uniq -d)
[ -z "$twice" ] || { echo "two rows in $table for: $twice"; bad=1; }

# Of each row's last column: files and folders exist, and functions stand in the files named.
while IFS='|' read -r _ label _ where _; do
  files=$(grep -oE '`(src|include)/[^`]*`' <<<"$where" | tr -d '`')
  [ -n "$files" ] || { echo "$table:$label: names no file"; bad=1; continue; }
  for file in $files; do
    [ -e "$file" ] || { echo "$table:$label: there is no $file"; bad=1; }
  done
  for name in $(grep -oE '`[a-z_]+`' <<<"$where" | tr -d '`'); do
    # shellcheck disable=SC2086
    grep -rqwF -- "$name" $files || { echo "$table:$label: no $name in" $files; bad=1; }
  done
done < <(grep -E '^\| ' $table | grep -vE '^\| (label|---) ')

echo "$(wc -l <<<"$labels") citations, $(wc -l <<<"$rows") rows with a label"
exit $bad
