#!/bin/bash
# Names, sizes and leftovers of the sources. PGXS keeps dependencies by base name, so base names are unique.
cd "$(dirname "$0")/../.." || exit 1
bad=0
complain() { echo "$1"; bad=1; }
sources=$(find src test/unit bench demo \( -name '*.cpp' -o -name '*.h' \) | sort)
for name in $(find src -name '*.cpp' -printf '%f\n' | sort | uniq -d); do complain "$name: two files of this name under src/"; done
for f in $sources; do
    n=$(wc -l <"$f")
    if ((n > 700)); then complain "$f: $n lines, split it"
    elif ((n > 600)); then echo "warning: $f has $n lines: two ideas in one file?"
    elif ((n > 500)); then echo "note: $f has $n lines"; fi
done
grep -nE '\b(TODO|FIXME|XXX)\b' $(grep '^src/' <<<"$sources") && complain "src/: finish it or write an issue"
LC_ALL=C grep -nP '[^\x00-\x7F]' $sources && complain "sources are ASCII"
exit $bad
