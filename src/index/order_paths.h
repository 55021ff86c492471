// Orders that an index of ours serves though the planner does not see it.
#pragma once

#include "pg/postgres.h"

namespace vext::index {

// A number that grows with a distance, or falls as it grows: as far as arithmetic with constants leads to it.
struct DistanceIn {
    Expr* distance;  // what the arithmetic is done with
    bool falls;
};
DistanceIn distance_in(PlannerInfo* root, Expr* number);

// From a bound of the number to an upper one of the distance, such that no distance above it is within the first. False:
// not all of the arithmetic is with known values.
bool bound_of_distance(PlannerInfo* root, Expr* number, double* bound);

// Adds the paths of ORDER BY 1 - (v <=> q) DESC, and on servers before 17 of ORDER BY v <-> q, id, whose last part an
// incremental sort does.
void add_order_paths(PlannerInfo* root, RelOptInfo* rel, const RangeTblEntry* rte);

}  // namespace vext::index
