// vectorext_prewarm(index): reads an index into shared buffers, what every search needs first.
#include <algorithm>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_graph.h"
#include "hnsw/hnsw_store.h"
#include "index/access_method.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_index.h"
#include "pg/arena.h"
#include "pg/block_stream.h"
#include "pg/guards.h"
#include "tools/vector_index.h"

namespace vext::tools {
namespace {

class Prewarmer {
public:
    Prewarmer(Relation rel, MemoryContext context)
        : rel_(rel), blocks_(RelationGetNumberOfBlocks(rel)), read_(context) {
        read_.resize(blocks_, 0);
        // The rest of the buffers is for the table, and for what is in use.
        most_ = static_cast<BlockNumber>(std::min<int64>(blocks_, static_cast<int64>(NBuffers) * 3 / 4));
    }

    // False when nothing more should be read.
    bool read(BlockNumber block) {
        if (block >= blocks_ || read_[block]) return true;
        if (done_ >= most_) return false;
        CHECK_FOR_INTERRUPTS();
        ReleaseBuffer(ReadBuffer(rel_, block));
        read_[block] = 1;
        done_++;
        return true;
    }

    // Pages that follow each other.
    void read_range(BlockNumber from, BlockNumber to) {
        next_ = from;
        end_ = std::min(to, blocks_);
        pg::BlockStream stream{rel_, pg::BlockStream::For::maintenance, nullptr, next_block, this};
        for (Buffer buffer; (buffer = stream.next()) != InvalidBuffer; ReleaseBuffer(buffer)) {
            CHECK_FOR_INTERRUPTS();
        }
        stream.end();
    }

    void read_rest() { read_range(0, blocks_); }
    BlockNumber done() const { return done_; }
    BlockNumber left() const { return blocks_ - done_; }

private:
    static BlockNumber next_block(void* self) {
        auto* p = static_cast<Prewarmer*>(self);
        while (p->next_ < p->end_ && p->read_[p->next_]) p->next_++;
        if (p->next_ >= p->end_ || p->done_ >= p->most_) return InvalidBlockNumber;
        p->read_[p->next_] = 1;
        p->done_++;
        return p->next_++;
    }

    Relation rel_;
    BlockNumber blocks_, done_ = 0, most_;
    BlockNumber next_ = 0, end_ = 0;  // of a range
    ArenaVec<uint8> read_;  // by block
};

// Upper levels are walked from the entry point, so that their pages, and those of their nodes, come first.
void read_upper_levels(const hnsw::HnswIndex& index, Prewarmer& prewarmer) {
    pg::ScratchContext scratch{"vectorext prewarm"};
    hnsw::EntryPoint entry = hnsw::read_entry(index.rel);
    if (entry.node == format::kNoSlot) return;
    auto* store = new (palloc(sizeof(hnsw::HnswStore))) hnsw::HnswStore(index, scratch.context());
    hnsw::NodeSet<ArenaVec> seen{scratch.context()};
    ArenaVec<format::SlotNumber> nodes{scratch.context()};
    seen.reset(hnsw::kMaxLinks);
    seen.insert(entry.node);
    nodes.push_back(entry.node);
    // Who is on a level is on all below: nodes found above are where the next level begins.
    for (int level = entry.level; level >= 1; level--) {
        for (size_t i = 0; i < nodes.size(); i++) {
            CHECK_FOR_INTERRUPTS();
            const page::SlotShape& shape = index.layout.nodes;
            if (!prewarmer.read(shape.block(nodes[i]))) return;
            hnsw::LinkRow row;
            if (!store->find_row(nodes[i], level, &row) || !prewarmer.read(row.block)) continue;
            format::SlotNumber links[hnsw::kMaxLinks];
            size_t n = store->links(nodes[i], level, links);
            for (size_t j = 0; j < n; j++) {
                if (seen.insert(links[j])) nodes.push_back(links[j]);
            }
        }
    }
}

// Lists, centroids, their groups and the mean lie at the front of the file.
void read_centroids(const ivf::IvfIndex& index, Prewarmer& prewarmer) {
    const format::IvfMeta& meta = index.meta;
    auto pages = [&](const page::SlotShape& shape) {
        return static_cast<BlockNumber>((meta.lists + shape.per_page - 1) / shape.per_page);
    };
    prewarmer.read_range(meta.first_list, meta.first_list + pages(index.layout.lists));
    prewarmer.read_range(meta.first_centroid, meta.first_centroid + pages(index.layout.centroids));
    if (meta.groups > 0) prewarmer.read_range(meta.first_group, meta.first_centroid);
    if (meta.first_mean != InvalidBlockNumber) prewarmer.read(meta.first_mean);
}

void add_row(ReturnSetInfo* result, const char* part, int64 pages) {
    Datum values[] = {CStringGetTextDatum(part), Int64GetDatum(pages)};
    bool nulls[] = {false, false};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void prewarm(Oid oid, ReturnSetInfo* result) {
    bool hnsw;
    Relation rel = open_vector_index(oid, AccessShareLock, &hnsw);
    index::check_may_inspect(rel);
    auto* prewarmer = new (palloc(sizeof(Prewarmer))) Prewarmer(rel, CurrentMemoryContext);
    prewarmer->read(page::kMetaBlock);
    if (hnsw) {
        hnsw::HnswIndex index = hnsw::open_index(rel);
        read_upper_levels(index, *prewarmer);
    } else {
        read_centroids(ivf::open_index(rel), *prewarmer);
    }
    BlockNumber first = prewarmer->done();
    prewarmer->read_rest();
    add_row(result, hnsw ? "upper levels" : "centroids", first);
    add_row(result, "rest", prewarmer->done() - first);
    add_row(result, "left out", prewarmer->left());
    relation_close(rel, AccessShareLock);
}

}  // namespace
}  // namespace vext::tools

extern "C" {
PG_FUNCTION_INFO_V1(vectorext_prewarm);
PGDLLEXPORT Datum vectorext_prewarm(PG_FUNCTION_ARGS);

Datum vectorext_prewarm(PG_FUNCTION_ARGS) {
    InitMaterializedSRF(fcinfo, 0);
    vext::tools::prewarm(PG_GETARG_OID(0), reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
    return static_cast<Datum>(0);
}
}
