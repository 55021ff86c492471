#!/bin/bash
# One version everywhere: vectorext.control says it, META.json and CHANGELOG.md repeat it.
cd "$(dirname "$0")/../.." || exit 1
bad=0
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" vectorext.control)
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "vectorext.control: default_version '$version' is not N.N.N"; bad=1; }
# META.json: the distribution's version and that of the extension it provides; meta-spec has one of its own
mapfile -t meta < <(grep -v meta-spec META.json | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p')
[[ ${#meta[@]} == 2 ]] || { echo "META.json: expected two versions, found ${#meta[@]}"; bad=1; }
for v in "${meta[@]}"; do
    [[ $v == "$version" ]] || { echo "META.json: $v, but vectorext.control says $version"; bad=1; }
done
first=$(sed -n 's/^## \([^ ]*\).*/\1/p' CHANGELOG.md | head -1)
[[ $first == "$version" ]] || { echo "CHANGELOG.md: begins with $first, but vectorext.control says $version"; bad=1; }
# under the name vector: above all versions of pgvector that a database may come from
vector=$(sed -n "s/^# default_version under the name vector = '\(.*\)'/\1/p" vectorext.control)
[[ $vector =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "vectorext.control: version '$vector' under the name vector is not N.N.N"; bad=1; }
highest=$(sed -n 's/^versions //p' sql/as_vector/objects | tr ' ' '\n' | sort -V | tail -1)
[[ $highest != "$vector" && $(printf '%s\n' "$highest" "$vector" | sort -V | tail -1) == "$vector" ]] ||
    { echo "vectorext.control: version $vector under the name vector is not above pgvector's $highest"; bad=1; }
exit $bad
