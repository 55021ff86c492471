// What exceeds maintenance_work_mem in a build: rows that are inserted into the pages of the finished graph, by one
// process or several.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_index.h"

namespace vext::hnsw {

struct SharedRest;
class HnswInserter;

class RestOfBuild {
public:
    RestOfBuild(const HnswIndex& index, MemoryContext context, int workers, bool concurrent);

    // Takes a row by the code of its vector.
    void add(const uint8* code, const NewRow& row);
    // The end: all rows are in the index after it.
    void finish();

private:
    void flush();

    const HnswIndex& index_;
    HnswInserter* inserter_;
    ParallelContext* workers_ = nullptr;
    SharedRest* shared_ = nullptr;  // with workers: rows are gathered, and inserted by all
};

}  // namespace vext::hnsw
