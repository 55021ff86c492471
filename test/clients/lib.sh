# Shell functions for test/clients/<language>/run: where packages are kept, what is printed.  Sourced, not run.
# shellcheck shell=bash
# The server is the one that PGHOST, PGPORT and PGUSER name; every client gets a database of its own in it.
# Programs print "ok - NAME" and "not ok - NAME: why"; their exit status is 0 if all was well, 1 if a check failed, and
# another if they did not come to their end.  The harness reads
#     client<TAB>name<TAB>version<TAB>passed<TAB>failed
#     skip<TAB>name<TAB>reason
# from standard output (test/clients/run), everything else goes to standard error.

export PGHOST=${PGHOST:-127.0.0.1} PGPORT=${PGPORT:-5432} PGUSER=${PGUSER:-postgres}
language=$(basename "$here")
cache=${CLIENTS_CACHE:-$(cd "$here/../../.." && pwd -P)/build/clients}/$language
only=" $* " # clients named on the command line: these alone
log() { printf '%s\n' "$*" >&2; }
asked() { [ "$only" = "  " ] || [[ $only == *" $1 "* ]]; }

skip() { # NAME REASON
    if asked "$1"; then printf 'skip\t%s\t%s\n' "$1" "$2"; fi
}

# Runs a command whose packages are kept, unless it has done so for the same files: its output goes to the log, and
# why it failed (the first line that says error, or the last of all) to `reason`.
once_for() { # FILES... -- COMMAND...
    local -a files=()
    while [ "$1" != -- ]; do files+=("$1") && shift; done
    shift
    local stamp=$cache/installed.$(basename "${files[0]}")
    local sum
    sum=$(cat "${files[@]}" | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ]; then return 0; fi
    mkdir -p "$cache" && rm -f "$stamp"
    if "$@" >"$cache/install.log" 2>&1 </dev/null; then echo "$sum" >"$stamp" && return 0; fi
    cat "$cache/install.log" >&2
    # shellcheck disable=SC2034  # the caller's
    reason="its packages could not be installed: $({ grep -E '(^|[^a-zA-Z])(error|ERROR)[: ]' || tail -n 1 "$cache/install.log"; } <"$cache/install.log" | head -n 1)"
    return 1
}

sql() { psql -X -q -v ON_ERROR_STOP=1 -d postgres "$@" >&2; }

client() { # NAME VERSION COMMAND...: runs a program in a fresh database
    local name=$1 version=$2 rc out passed failed
    shift 2
    asked "$name" || return 0
    log "# $language $name $version"
    export PGDATABASE=client_$name
    export DATABASE_URL=postgresql://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE
    sql -c "SET client_min_messages = warning" -c "DROP DATABASE IF EXISTS $PGDATABASE" -c "CREATE DATABASE $PGDATABASE"
    out=$(timeout -k 10 "${CLIENT_TIMEOUT:-120}" "$@" </dev/null)
    rc=$?
    log "$out"
    passed=$(grep -c '^ok - ' <<<"$out") failed=$(grep -c '^not ok - ' <<<"$out")
    # died or ran out of time between two checks, or made none
    if [ $rc -gt 1 ] || [ $((rc + passed)) = 0 ] || { [ $rc = 1 ] && [ "$failed" = 0 ]; }; then
        failed=$((failed + 1)) && log "not ok - $language $name ended with exit status $rc after $((passed + failed - 1)) checks"
    fi
    printf 'client\t%s\t%s\t%s\t%s\n' "$name" "$version" "$passed" "$failed"
}

# The program of docs/getting-started.md in a language, written to a file.
quickstart() { # LANGUAGE FILE
    mkdir -p "$(dirname "$2")" &&
        awk -v fence='```'"$1" '$0 == "```" { inside = 0 } inside { print } $0 == fence { inside = 1 }' "$here/../../../docs/getting-started.md" >"$2" &&
        [ -s "$2" ]
}
