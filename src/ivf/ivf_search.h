// A search through an ivfflat index: the lists nearest to the query are scanned in two passes. README.md, "Scan".
#pragma once

#include <cmath>

#include "pg/postgres.h"

#include "codec/rabitq.h"
#include "index/attribute_filter.h"
#include "index/order_scan.h"
#include "index/rerank.h"
#include "ivf/ivf_am.h"
#include "page/page_reader.h"
#include "pg/arena.h"

namespace vext::ivf {

struct Probe {
    codec::Key key;
    uint32 list;
};

// An entry that looks near. Without 1-bit codes both `estimate` and `bound` are the certain bound of the row; with them
// `estimate` is only that, and `bound` what the row hardly lies below.
struct Candidate {
    float estimate;
    float bound;
    SlotNumber vector;
    ItemPointerData tid;
    bool late;  // from the lists that were scanned last
};
static_assert(sizeof(Candidate) == 20);

struct Result {
    double bound;    // of a row that was looked up: its distance
    float estimate;  // as if exact, with 1-bit codes
    ItemPointerData tid;
};

struct Search {
    Search(const IvfIndex& opened, index::ScanCounts& counted, MemoryContext memory)
        : context(memory), index(opened), reader(opened.rel), probes(memory), candidates(memory), best(memory),
          results(memory), handed_out(memory), numbers(memory), filter(memory), counts(counted) {}

    MemoryContext context;
    IvfIndex index;
    page::PageReader reader;
    index::OrderBy by{};
    uint8* code = nullptr;  // of the query
    codec::Query query{};
    codec::BitQuery bits{};
    double norm_sq = 0;      // of the query
    ArenaVec<Probe> probes;  // all lists; sorted up to `sorted`
    size_t sorted = 0;
    size_t from = 0, to = 0;  // the probes that candidates are from
    size_t limit = 0;         // no further ones
    size_t keep = 0, hand_out = 0;

    ArenaVec<Candidate> candidates;
    float cutoff = HUGE_VALF;  // candidates must look nearer
    bool truncated = false;    // some did not
    ArenaVec<float> best;      // a heap of the nearest keys
    ArenaVec<Result> results;  // of the current batch, by bound
    size_t next_result = 0;
    ArenaVec<uint64> handed_out;  // rows; sorted when a batch begins
    index::OrderKeeper order;
    ArenaVec<SlotNumber> numbers;  // working memory
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

// Whether a batch hands out no more than `hand_out` rows: what it knows of others is not enough.
inline bool hands_out_few(const Search& s) { return s.truncated || (s.filter.filters() && s.to < s.limit); }

inline uint64 number_of(const ItemPointerData& tid) {
    return static_cast<uint64>(BlockIdGetBlockNumber(&tid.ip_blkid)) << 16 | tid.ip_posid;
}

// The entries of a block that are in use and pass the filter.
inline uint32 entries_to_look_at(const Search& s, IvfBlock* block) {
    if (block->live == 0 || !s.filter.filters()) return block->live;
    return s.filter.passing(attributes_of(s.index, block), block->live);
}

// Asks the disk for a page that this backend has not seen in memory yet.
inline void ask_for(Search& s, BlockNumber block) {
    (void)s.reader.guess_or_ask(block);
}

// ---- the first pass: ivf_first_pass.cpp
// Forgets the candidates there are.
void clear_candidates(Search& s);
// Adds rows of further lists; the nearest are kept, by estimate or certain bound, `keep` of all.
void add_candidates(Search& s, size_t from, size_t to);

// ---- the second pass: ivf_second_pass.cpp
// The candidates' certain bounds, into `results`.
void score_candidates(Search& s);

}  // namespace vext::ivf
