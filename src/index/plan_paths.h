// Index paths that the planner does not make by itself.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// The hook; from _PG_init. The planner calls the access method's handler for every table with an index of ours before
// it looks for paths, so the library is there even in a session's first query.
void init_plan_paths();

}  // namespace vext::index
