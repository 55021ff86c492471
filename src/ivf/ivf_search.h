// A search through an ivfflat index: the lists nearest to the query are scanned in two passes. README.md, "Scan".
#pragma once

#include <cmath>

#include "pg/postgres.h"

#include "codec/rabitq.h"
#include "index/attribute_filter.h"
#include "index/order_scan.h"
#include "index/rerank.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_probe.h"
#include "page/page_reader.h"
#include "pg/arena.h"

namespace vext::ivf {

// An entry that looks near: what its row's estimate hardly lies below, and the number of its slot.
struct Candidate {
    float lower;
    SlotNumber vector;
};

struct Result {
    double bound;    // of a row that was looked up: its distance
    float estimate;  // by the finer code or the row, comparable with those of 1-bit codes
    ItemPointerData tid;
    bool late;  // from the further half of the lists
};

struct Search {
    Search(const IvfIndex& opened, index::ScanCounts& counted, MemoryContext memory)
        : context(memory), index(opened), reader(opened.rel), probes(index, reader, memory), best(memory), results(memory),
          handed_out(memory), candidates(memory), numbers(memory), soon(memory), next_lists(memory), filter(memory), counts(counted) {}

    MemoryContext context;
    IvfIndex index;
    page::PageReader reader;
    index::OrderBy by{};
    uint8* code = nullptr;  // of the query
    codec::Query query{};
    codec::BitQuery bits{};
    double norm_sq = 0;      // of the query
    Probes probes;           // known up to `to`
    size_t lists = 0;        // so many there are; 0: nothing is looked for
    size_t at_first = 0;     // so many of them in the first batch
    bool by_target = false;  // of recall
    size_t from = 0, to = 0;  // the probes of the current batch
    size_t limit = 0;         // no further ones
    bool late = false;        // the list at hand is in their further half
    size_t wanted = 0;        // rows of a batch, those handed out before among them

    float margin = 0;         // so many standard deviations beyond the cutoff an estimate may lie

    ArenaVec<float> best;      // a heap of the nearest `wanted` estimates of the batch
    float cutoff = HUGE_VALF;  // its top, once there are so many: rows must look nearer
    bool truncated = false;    // some did not
    ArenaVec<Result> results;  // of the current batch, new ones, in the end by bound
    double nearest_left = 0;   // the least bound of a row that was scored and left out
    size_t trim_at = 0;        // so many are looked through for those beyond the cutoff
    size_t next_result = 0;
    ArenaVec<uint64> handed_out;  // rows; sorted when a batch begins
    index::OrderKeeper order;
    ArenaVec<Candidate> candidates;  // working memory: of one list
    ArenaVec<SlotNumber> numbers;    // likewise, of one page
    ArenaVec<BlockNumber> soon;      // likewise: blocks that are wanted soon
    ArenaVec<IvfList> next_lists;    // of the current batch, whose pages were brought
    BlockNumber next_block = 0;    // of every_row
    index::AttributeFilter filter;
    index::ScanCounts& counts;
    const index::ScanLimit* stopped_by = nullptr;

    index::Rerank* rerank = nullptr;  // where vectors pages have no codes

    // Gives back what is not memory alone.
    void release() {
        if (rerank != nullptr) rerank->end();
    }
};

inline IterativeScan mode() { return static_cast<IterativeScan>(settings.iterative_scan); }

// Whether a row may be handed out after one that is farther away.
inline bool is_relaxed(const Search& s) { return mode() == IterativeScan::relaxed_order && !s.by.has_range; }
// Whether batches are of different lists. (What is left of a range, or passes a filter, is not seen that way.)
inline bool has_batches_apart(const Search& s) { return is_relaxed(s) && !s.filter.filters(); }

inline uint64 number_of(const ItemPointerData& tid) {
    return static_cast<uint64>(BlockIdGetBlockNumber(&tid.ip_blkid)) << 16 | tid.ip_posid;
}

// The entries of a block that are in use and pass the filter.
inline uint32 entries_to_look_at(const Search& s, IvfBlock* block) {
    if (block->live == 0 || !s.filter.filters()) return block->live;
    return s.filter.passing(attributes_of(s.index, block), block->live);
}

// ---- the first pass: ivf_first_pass.cpp
// The nearest rows of lists from..to, `wanted` of them, into `results`: what was not handed out before.
void find_results(Search& s);
// Adds those of further lists, up to `to`.
void find_further(Search& s, size_t to);

// ---- the second pass: ivf_second_pass.cpp
// Looks at those of the candidates that may be among the nearest rows.
void look_at_candidates(Search& s);
// A row that has been scored.
void add_result(Search& s, double bound, float estimate, const ItemPointerData& tid);
// Leaves out what has come to lie beyond the cutoff.
void trim_results(Search& s);

}  // namespace vext::ivf
