#!/bin/bash
# What the compiled library may not contain: C++ allocation, exceptions, guards and static objects (a Postgres ERROR jumps
# over all of them), and inline functions that two instruction sets share (the linker keeps one of them for both).
cd "$(dirname "$0")/../.." || exit 1
lib=${1:-vectorext.so} objects=${2:-src/simd}
bad=0
if [[ -f $lib ]]; then
    pattern='operator (new|delete)|__cxa_(throw|guard|atexit|begin_catch|pure_virtual|thread_atexit)|std::__throw|std::terminate|_Unwind_Resume|__gxx_personality'
    if nm -uC "$lib" | grep -E "$pattern"; then echo "$lib: must not need the above"; bad=1; fi
    if nm -C --defined-only "$lib" | grep -E '_GLOBAL__sub_I|guard variable'; then echo "$lib: static initialisers"; bad=1; fi
else
    echo "skipped: no $lib (make builds it)"
fi
if compgen -G "$objects/kernels_*.o" >/dev/null; then
    shared=$(for o in "$objects"/kernels_*.o; do nm --defined-only "$o" | awk '$2 ~ /[WVu]/ { print $3 }' | sort -u; done | sort | uniq -d)
    if [[ -n $shared ]]; then echo "$shared" | c++filt; echo "$objects/kernels_*.o: share the above"; bad=1; fi
else
    echo "skipped: no $objects/kernels_*.o (make builds them)"
fi
exit $bad
