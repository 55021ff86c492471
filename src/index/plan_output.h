// What ordered scans compute and nobody reads.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// The planner's hook; from _PG_init.
void init_plan_output();

}  // namespace vext::index
