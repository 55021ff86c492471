// Version differences of the server, and nothing else: the only file that tests PG_VERSION_NUM (besides
// the include list in pg/postgres.h). Each function here has the newest server's shape.
#pragma once

#if PG_VERSION_NUM < 150000
#error vectorext needs PostgreSQL 15 or later
#endif

namespace vext::pg {

#if PG_VERSION_NUM >= 160000
using FileLocator = RelFileLocator;
inline FileLocator file_locator(Relation rel) { return rel->rd_locator; }
#else
using FileLocator = RelFileNode;
inline FileLocator file_locator(Relation rel) { return rel->rd_node; }
#endif

}  // namespace vext::pg
