#!/bin/sh
# The extension's files under the name vector in a server's directories.
#   files.sh install LIBDIR EXTENSIONDIR FROM FORCE    puts the files of directory FROM there, and a link to the library
#   files.sh uninstall LIBDIR EXTENSIONDIR             takes them away, and nothing else
# Files of that name that are not ours stop an install; with FORCE they are renamed to NAME.pgvector, and uninstall gives
# them their names back.  Ours are told by the link's target and by the first line.
set -eu
action=$1 lib=$2 ext=$3

ours() {
    case $1 in
    *.so) [ "$(readlink "$1")" = vectorext.so ] ;;
    *.control) [ "$(head -n 1 "$1")" = "# vectorext under the name vector" ] ;;
    *.sql) [ "$(head -n 1 "$1")" = "-- vectorext" ] ;;
    *) false ;;
    esac
}

# What decides whose extension vector is: library, control file, and what the server's JIT would inline.
names="$lib/vector.so $ext/vector.control $lib/bitcode/vector.index.bc"

install_ours() {
    from=$1 force=$2 foreign=''
    for f in $names; do
        if { [ -e "$f" ] || [ -L "$f" ]; } && ! ours "$f"; then foreign="$foreign $f"; fi
    done
    if [ -n "$foreign" ] && [ -z "$force" ]; then
        echo "install-as-vector: another extension vector is installed:" >&2
        printf '    %s\n' $foreign >&2
        echo "Remove its package first, or set its files aside with make install-as-vector FORCE=1" >&2
        exit 1
    fi
    for f in $foreign; do mv -f "$f" "$f.pgvector"; done
    mkdir -p "$lib" "$ext"
    ln -sfn vectorext.so "$lib/vector.so"
    for f in "$from"/vector.control "$from"/vector--*.sql; do install -m 644 "$f" "$ext/"; done
}

uninstall_ours() {
    for f in "$lib/vector.so" "$ext/vector.control" "$ext"/vector--*.sql; do
        if { [ -e "$f" ] || [ -L "$f" ]; } && ours "$f"; then rm -f "$f"; fi
    done
    for f in $names; do
        if [ -e "$f.pgvector" ] && [ ! -e "$f" ]; then mv "$f.pgvector" "$f"; fi
    done
}

case $action in
install) install_ours "$4" "${5:-}" ;;
uninstall) uninstall_ours ;;
*) exit 2 ;;
esac
