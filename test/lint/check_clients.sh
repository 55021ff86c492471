#!/bin/bash
# The versions that docs/clients.md names are those that test/clients installs.
cd "$(dirname "$0")/../.." || exit 1
bad=0 rows=0
while IFS='|' read -r _ language client version with _; do
    language=${language// /} dir=test/clients/${language,,}
    [[ -x $dir/run ]] || { echo "docs/clients.md: there is no $dir/run"; bad=1; continue; }
    for v in $version ${with##* }; do
        grep -rqwF --include='*.txt' --include='*.json' --include='*.mod' --include='*.toml' --include='*.xml' -- "$v" "$dir" ||
            { echo "docs/clients.md: no file in $dir pins version $v ($client)"; bad=1; }
    done
    rows=$((rows + 1))
done < <(grep -E '^\| [A-Z][a-z]+ \|' docs/clients.md)
[[ $rows -gt 0 ]] || { echo "docs/clients.md: no table of clients"; bad=1; }
exit $bad
