// A search through an ivfflat index: the lists nearest to the query are scanned in two passes. README.md, "Scan".
#pragma once

#include <cmath>

#include "pg/postgres.h"

#include "codec/rabitq.h"
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
};

struct Result {
    double bound;    // of a row that was looked up: its distance
    float estimate;  // as if exact, with 1-bit codes
    ItemPointerData tid;
};

struct Search {
    Search(const IvfIndex& opened, index::ScanCounts& counted, MemoryContext memory)
        : context(memory), index(opened), reader(opened.rel), probes(memory), candidates(memory), best(memory),
          results(memory), handed_out(memory), numbers(memory), counts(counted) {}

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
    size_t at_first = 0;     // so many of them in the first batch
    bool by_target = false;  // of recall
    size_t from = 0, to = 0;  // the probes of the current batch
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
    index::ScanCounts& counts;
    const index::ScanLimit* stopped_by = nullptr;

    index::Rerank* rerank = nullptr;  // where vectors pages have no codes

    // Gives back what is not memory alone.
    void release() {
        if (rerank != nullptr) rerank->end();
    }
};

inline IterativeScan mode() { return static_cast<IterativeScan>(settings.iterative_scan); }

// Whether batches come one list after the other, in whatever order. (What is left of a range is not seen that way.)
inline bool is_relaxed(const Search& s) { return mode() == IterativeScan::relaxed_order && !s.by.has_range; }

inline uint64 number_of(const ItemPointerData& tid) {
    return static_cast<uint64>(BlockIdGetBlockNumber(&tid.ip_blkid)) << 16 | tid.ip_posid;
}

// Asks the disk for a page that this backend has not seen in memory yet.
inline void ask_for(Search& s, BlockNumber block) {
    (void)s.reader.guess_or_ask(block);
}

// ---- the first pass: ivf_first_pass.cpp
// The nearest of the rows of lists from..to, by estimate or certain bound, into `candidates`: `keep` of them.
void find_candidates(Search& s);

// ---- the second pass: ivf_second_pass.cpp
// The candidates' certain bounds, into `results`.
void score_candidates(Search& s);

}  // namespace vext::ivf
