# Shell functions that demo/run and test/run share: messages, packages, the build.  Sourced, not run.
# shellcheck shell=bash disable=SC2154,SC2034
# The caller sets `root` (the repository) and `prog` (its own name in messages).

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() { # MESSAGE [HINT]...
    printf '%s: %s\n' "$prog" "$1" >&2
    shift
    [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null; then
        # without a terminal nobody can type a password: fail at once
        if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        die "this needs root rights, and there is no sudo: $*" "Run it as root once, then start $prog again."
    fi
}

# Runs a server program: a PostgreSQL server refuses to run as root, so root hands it to user postgres.
as_server() {
    if is_root; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp USER=postgres LOGNAME=postgres "$@")
    else
        "$@"
    fi
}

# Neither the caller's server settings nor the outer make's flags may reach what we start.
clean_environment() {
    local v
    for v in "${!PG@}"; do [ "$v" = PG_CONFIG ] || unset "$v"; done
    unset MAKEFLAGS MFLAGS MAKELEVEL PSQLRC PSQL_PAGER PAGER
    export LC_ALL=C.UTF-8 PSQL_PAGER=cat
    umask 022
}

# ---- packages --------------------------------------------------------------------------------------

pg_usable() { # PG_CONFIG: PostgreSQL 15 or later with server and headers
    local v
    v=$("$1" --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/') && [ "${v:-0}" -ge 15 ] &&
        [ -f "$("$1" --pgxs)" ] && [ -f "$("$1" --includedir-server)/postgres.h" ] && [ -x "$("$1" --bindir)/postgres" ]
}

find_pg() { # sets pg_config to one that is complete: the named one, else the oldest packaged one from 15 on
    local c
    if [ -n "${PG_CONFIG:-}" ]; then
        pg_usable "$PG_CONFIG" || die "PG_CONFIG=$PG_CONFIG is not a PostgreSQL 15 or later with its server and headers."
        pg_config=$(command -v "$PG_CONFIG")
        return 0
    fi
    for c in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -V) "$(command -v pg_config)"; do
        if [ -n "$c" ] && pg_usable "$c"; then pg_config=$c && return 0; fi
    done
    return 1
}

missing_packages() { # demo | test: prints the Debian packages that are not there
    local v
    command -v make >/dev/null || echo make
    command -v g++ >/dev/null || echo g++
    command -v gzip >/dev/null || echo gzip
    [ -f /usr/include/xsimd/xsimd.hpp ] || echo libxsimd-dev
    if ! find_pg; then
        v=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)
        echo "postgresql-${v:-15} postgresql-server-dev-${v:-15}"
    fi
    if [ "${1:-}" = test ]; then
        perl -MTest::More -e 1 2>/dev/null || echo perl
        perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
    fi
}

# The server package would create and start a cluster "main".  While we install, it must not; the file goes
# away again afterwards, so what the user installs later behaves as ever.
apt_install() ( # PACKAGE...
    dir=/etc/postgresql-common/createcluster.d
    trap 'as_root rm -f "$dir/vectorext-demo.conf"; as_root rmdir --ignore-fail-on-non-empty "$dir"' EXIT
    as_root mkdir -p "$dir"
    echo "create_main_cluster = false" | as_root tee "$dir/vectorext-demo.conf" >/dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install "$@" </dev/null
)

install_missing() { # demo | test
    local -a want
    [ -z "${PG_CONFIG:-}" ] || find_pg # complains if that one is of no use
    read -r -a want <<<"$(missing_packages "$@" | tr '\n' ' ')"
    if [ ${#want[@]} -gt 0 ]; then
        command -v apt-get >/dev/null ||
            die "these are missing: ${want[*]}" "Install them (the names are Debian's) and start $prog again."
        step "Installing ${want[*]}"
        as_root apt-get -qq update || die "apt-get update failed; see above."
        read -r -a want <<<"$(missing_packages "$@" | tr '\n' ' ')" # which PostgreSQL there is, is known only now
        apt_install "${want[@]}" || die "apt-get could not install: ${want[*]}" "Its messages are above."
    fi
    find_pg || die "no PostgreSQL with server headers found, although its packages are installed."
    want=("$(missing_packages "$@")")
    [ -z "${want[*]}" ] || die "still missing after the installation: ${want[*]}"
    pg_bin=$("$pg_config" --bindir)
    if is_root && ! id postgres >/dev/null 2>&1; then
        die "there is no user postgres to run the server as." "Create one, or start $prog as an ordinary user."
    fi
}

# ---- the build -------------------------------------------------------------------------------------

# the server's record names a compiler, and make takes that before the environment's
run_make() { make -s -C "$root" --no-print-directory PG_CONFIG="$pg_config" ${CXX:+CXX="$CXX"} "$@"; }
build() {
    [[ $root != *[[:space:]]* ]] || die "make cannot build in a directory with a space in its name: $root"
    run_make -j"$(nproc)" "$@"
}

extension_files() { # pairs: what is built, where it belongs
    local lib ext version
    lib=$("$pg_config" --pkglibdir) ext=$("$pg_config" --sharedir)/extension
    version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$root/vectorext.control")
    printf '%s\n' "$root/vectorext.so" "$lib/vectorext.so" "$root/vectorext.control" "$ext/vectorext.control" \
        "$root/sql/vectorext--$version.sql" "$ext/vectorext--$version.sql"
}

installed() { # is what is built what is installed?
    local from to
    while read -r from && read -r to; do cmp -s "$from" "$to" || return 1; done < <(extension_files)
}

install_extension() {
    installed && return 0
    if [ -w "$("$pg_config" --pkglibdir)" ] && [ -w "$("$pg_config" --sharedir)/extension" ]; then
        run_make install
    else
        as_root make -s -C "$root" --no-print-directory PG_CONFIG="$pg_config" install
    fi
}
