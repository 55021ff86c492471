// The parts of CREATE INDEX: rows are loaded, linked to a graph by one process or several, and written to pages.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_memory.h"
#include "pg/arena.h"

namespace vext::hnsw {

// A further row of a node.
struct Duplicate {
    uint32 node;
    uint32 fingerprint;  // of the vector
    ItemPointerData tid;
    uint32 row;  // in BuildRows.duplicate_attributes
};

// Codes of all nodes, one behind the other.
struct BuildCodes {
    BuildCodes(MemoryContext context, const codec::Codec& of, uint32 dim)
        : codec(of), stride(of.bytes(dim)), memory(AllocSetContextCreate(context, "hnsw build codes", ALLOCSET_DEFAULT_SIZES)),
          bytes(memory) {}

    // Room for one more.
    uint8* add() {
        size_t used = bytes.size();
        if (used + stride > bytes.capacity()) bytes.reserve(bytes.capacity() + bytes.capacity() / 2 + 64 * stride);
        bytes.resize_uninitialized(used + stride);
        return bytes.data() + used;
    }
    void free() { MemoryContextReset(memory); }

    const codec::Codec& codec;
    size_t stride;         // of the codes, or the most there may be
    MemoryContext memory;  // holds them and nothing else
    ArenaVec<uint8> bytes;
};

// What a build keeps of the rows. Nodes are numbered as their rows come.
struct BuildRows {
    BuildRows(MemoryContext context, const GraphParameters& parameters, int attributes)
        : p(parameters),
          attribute_count(static_cast<size_t>(attributes)),
          codes(context, *p.codec, p.dim),
          starts(context),
          levels(context),
          tids(context),
          duplicates(context),
          node_attributes(context),
          duplicate_attributes(context) {}

    size_t size() const { return levels.size(); }
    const uint8* code(size_t node) const { return codes.bytes.data() + (vary() ? starts[node] : node * codes.stride); }
    // Codes of some codecs differ in size.
    bool vary() const { return p.codec->size != nullptr; }
    size_t code_size(uint32 node) const { return vary() ? p.codec->size(code(node)) : codes.stride; }
    // Of all codes of a node.
    size_t mean_code_size() const {
        size_t mean = size() == 0 ? codes.stride : codes.bytes.size() / size();
        return mean + (fine != nullptr ? fine->stride : 0);
    }

    // Room for one more code; the caller writes it and may take it back.
    uint8* add_node() {
        levels.push_back(static_cast<uint8>(level_of_nth(size(), p.m)));
        if (vary()) starts.push_back(codes.bytes.size());
        return codes.add();
    }
    void drop_last() {
        codes.bytes.resize_uninitialized(static_cast<size_t>(code(size() - 1) - codes.bytes.data()));
        levels.pop_back();
        if (vary()) starts.pop_back();
    }
    // Where codes differ in size: gives back what the last one does not take.
    void trim_last() {
        if (vary()) codes.bytes.resize_uninitialized(starts.back() + p.codec->size(&codes.bytes[starts.back()]));
    }
    void drop_fine() {
        fine->free();
        fine = nullptr;
    }

    // What the graph is linked by, and the bytes of codes that stay beside it.
    BuildCodes& linked() { return fine != nullptr ? *fine : codes; }
    size_t bytes_beside() const { return fine != nullptr ? codes.bytes.size() : 0; }
    GraphParameters linked_parameters() { return {p.dim, p.m, p.ef_construction, &linked().codec}; }

    // Of the rows in their order, what a slot holds: the bits of NULLs, then the values.
    void push_attributes(ArenaVec<int64>& to, const index::RowAttributes& row) const {
        if (attribute_count == 0) return;
        to.push_back(row.nulls);
        for (size_t i = 0; i < attribute_count; i++) to.push_back(row.values[i]);
    }
    NewRow new_row(const ArenaVec<int64>& from, size_t at, const ItemPointerData& tid) const {
        NewRow row{tid, 0, {}};
        if (attribute_count == 0) return row;
        const int64* words = from.data() + at * (attribute_count + 1);
        row.attributes.nulls = static_cast<uint16>(words[0]);
        memcpy(row.attributes.values, words + 1, attribute_count * sizeof(int64));
        return row;
    }

    GraphParameters p;
    size_t attribute_count;
    BuildCodes codes;
    BuildCodes* fine = nullptr;  // where the codec is a coarse one: that of queries
    ArenaVec<uint64> starts;  // of the codes, where they differ in size
    ArenaVec<uint8> levels;
    ArenaVec<ItemPointerData> tids;   // of the first row of each node
    ArenaVec<Duplicate> duplicates;   // all further rows
    ArenaVec<int64> node_attributes, duplicate_attributes;
};

// The graph of the loaded rows, linked, and where it lies. hnsw_build_parallel.cpp
struct BuiltGraph {
    MemoryGraph graph;
    dsm_segment* shared = nullptr;  // to be detached; nullptr: the memory is a context's
};
BuiltGraph link_graph(const HnswIndex& index, BuildRows& rows, MemoryContext context, int workers);

// Writes the graph to the pages behind the metapage, and the metapage. hnsw_build_pages.cpp
void write_graph(HnswIndex& index, const MemoryGraph& graph, BuildRows& rows, MemoryContext context);

void set_build_phase(BuildPhase phase, int64 total);

}  // namespace vext::hnsw
