// EXPLAIN (ANALYZE) shows what searches did, on servers that let it.
#pragma once

namespace vext::index {

// The hook; from _PG_init.
void init_scan_explain();

}  // namespace vext::index
