// What SQL has to say to search through an index of ours, and how functions here talk to the server in SQL: as the
// caller, with all names qualified, so that neither rights nor search_path matter.
#pragma once

#include <cmath>

#include "pg/postgres.h"

namespace vext::tools {

struct VectorIndex {
    Oid oid, table;
    bool hnsw;               // else ivfflat
    const char* name;        // as SQL, with its schema
    const char* table_name;  // likewise
    const char* value;       // its first key, in parentheses
    const char* where;       // of a partial index: its predicate in parentheses, else "true"
    const char* op;          // OPERATOR(schema.name)
    Oid type;                // of both sides of it
    Oid op_function, collation;
};

// An index of ours, which its caller closes. ERROR: it is none.
Relation open_vector_index(Oid index, LOCKMODE mode, bool* hnsw);
// ERROR: not an index of ours, or not one that can be searched. In the current memory context.
VectorIndex describe_index(Oid index);

// What an access method's searches are made better and slower by.
inline const char* search_setting(bool hnsw) { return hnsw ? "hnsw.ef_search" : "ivfflat.probes"; }
// What it is for a search now: as set, or as a target of recall chooses it.
int search_value(const VectorIndex& index);

// SPI, in a function of this layer: its memory goes at the end, its settings are undone. On ERROR: abort ends SPI and
// undoes settings.
class [[nodiscard]] SqlSession {
public:
    SqlSession();
    SqlSession(const SqlSession&) = delete;
    SqlSession& operator=(const SqlSession&) = delete;
    void finish();

private:
    int settings_;
};
// Until the session's end.
void set_setting(const char* name, const char* value);
void set_setting(const char* name, int value);

// Runs one statement; ERROR unless it does what it is for (an SPI_OK_ code).
void run_sql(const char* sql, int expected, bool read_only);
// A statement with one row of one value.
double ask_number(const char* sql);

// Microseconds since some moment.
double now_us();

// To so many decimal places, a power of ten.
inline double rounded(double value, double scale) { return std::round(value * scale) / scale; }

// schema.name as SQL.
const char* qualified(Oid schema, const char* name);

}  // namespace vext::tools
