// Functions that operator classes of pgvector name for what depends on the type. Here that follows from the distance
// function (opclass.cpp), and nobody calls these; they are there for catalogs that name them.
#include "type/entry.h"

SQL_FUNCTION(hnsw_halfvec_support) { return PointerGetDatum(nullptr); }
SQL_FUNCTION(hnsw_bit_support) { return PointerGetDatum(nullptr); }
SQL_FUNCTION(hnsw_sparsevec_support) { return PointerGetDatum(nullptr); }
SQL_FUNCTION(ivfflat_halfvec_support) { return PointerGetDatum(nullptr); }
SQL_FUNCTION(ivfflat_bit_support) { return PointerGetDatum(nullptr); }
