#!/bin/bash
# Includes point down only (src/README.md): what each layer may include besides itself and the C++ library.
cd "$(dirname "$0")/../.." || exit 1
declare -A may=(
    [base]="" [simd]="base" [codec]="simd base"
    [pg]="base" [format]="pg" [page]="format pg base" [type]="pg codec simd base"
    [index]="page format pg type codec simd base"
    [hnsw]="index page format pg codec simd base" [ivf]="index page format pg codec simd base"
    [check]="hnsw ivf index page format pg codec simd base"
    [tools]="hnsw ivf index page format pg codec simd base"
    [module]="hnsw ivf index page format type pg codec simd base"
)
# The algorithms of the access methods, which also run without a server.
pg_free=" hnsw/hnsw_horizon.h hnsw/hnsw_pool.h hnsw/hnsw_graph.h hnsw/hnsw_connect.h hnsw/hnsw_memory.h hnsw/hnsw_order.h hnsw/hnsw_build_bits.h hnsw/hnsw_build_search.h hnsw/hnsw_build_graph.h hnsw/hnsw_calibrate_nearest.h ivf/ivf_space.h ivf/ivf_kmeans.h ivf/ivf_nearest.h "
# Library headers whose classes allocate, throw or need destructors.
banned=" vector string functional memory mutex thread iostream sstream map set unordered_map deque list format stdexcept "
bad=0; complain() { echo "$1"; bad=1; }
while IFS=: read -r file line text; do
    from=${file#src/} inc=$(sed -E 's/.*["<]([^">]*)[">].*/\1/' <<<"$text")
    layer=${from%%/*} to=${inc%%/*}; [[ $layer == *.cpp ]] && layer=module
    [[ -v "may[$layer]" ]] || complain "$file: no layer of this name"
    if [[ $text == *\<* ]]; then
        [[ $banned == *" $inc "* ]] && complain "$file:$line: <$inc> is not used here"
        [[ $layer == pg || $inc != *.h || $inc =~ ^(immintrin|emmintrin|arm_neon|cpuid)\.h$ ]] || complain "$file:$line: C header <$inc>"
    elif [[ $layer != pg || $to == pg ]]; then  # pg/ is the door to the server's own headers
        [[ " $layer ${may[$layer]} " == *" $to "* ]] || complain "$file:$line: $layer may not include $inc"
        [[ $pg_free != *" $from "* || $to =~ ^(base|simd|codec)$ || $pg_free == *" $inc "* ]] || complain "$file:$line: $from is free of Postgres"
    fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' src --include=*.h --include=*.cpp)
grep -rn PG_VERSION_NUM src --include=*.h --include=*.cpp | grep -v '^src/pg/' && complain "PG_VERSION_NUM belongs in src/pg/"
grep -rn __builtin_prefetch src --include=*.h --include=*.cpp | grep -v '^src/base/prefetch.h' && complain "__builtin_prefetch belongs in src/base/prefetch.h, which says why"
exit $bad
