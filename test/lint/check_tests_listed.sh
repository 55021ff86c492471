#!/bin/bash
# No test is left out: every SQL file has its output and the reverse, and nothing lies where no runner looks.
cd "$(dirname "$0")/../.." || exit 1
bad=0
complain() { echo "$1"; bad=1; }
shopt -s nullglob
[[ $(readlink test/expected) == ../expected ]] || complain "test/expected: not the link to ../expected"
for f in test/sql/*.sql; do
    name=$(basename "$f" .sql)
    [[ -f expected/$name.out ]] || complain "$f: no expected/$name.out"
done
for f in expected/*.out; do
    name=$(basename "$f" .out)
    [[ -f test/sql/$name.sql || -f test/sql/${name%_[0-9]}.sql ]] || complain "$f: no test/sql/$name.sql"
done
for f in test/sql/* expected/* test/t/*; do
    [[ $f =~ ^test/sql/.*\.sql$|^expected/.*\.out$|^test/t/[0-9]+_.*\.pl$|^test/t/[A-Za-z]+(\.pm)?$ ]] || complain "$f: no runner takes it"
done
for f in $(find test/unit -mindepth 2 -name '*.cpp'); do complain "$f: make unit takes test/unit/*.cpp only"; done
for f in test/unit/*.cpp; do grep -q 'test::finish(' "$f" || complain "$f: does not end with test::finish()"; done
exit $bad
