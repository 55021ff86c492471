// Index scans: ORDER BY distance. Rows are handed out in the order of certain lower bounds of their distances; the
// executor computes the true distances and reorders (xs_recheckorderby).
#include <cmath>
#include <new>

#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_filtered.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"
#include "index/attribute_filter.h"
#include "index/calibration.h"
#include "index/heap_ahead.h"
#include "index/order_scan.h"
#include "index/rerank.h"

namespace vext::hnsw {

using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;

namespace {

// The executor hands out the last row of a LIMIT only when it has seen that the next bound is not below it. Entries
// past the beam, which were scored anyway, answer that without another search.
constexpr size_t kFewSpares = 8;
size_t spare_entries(size_t ef) { return kFewSpares + ef / 2; }

constexpr size_t kMaxBatch = 65535;

// How many of the nearest of these are kept in the pool, to tell how far the beam's bounds reach.
constexpr size_t kNextToBeam = 4;

// A node. Most results of a beam are never asked for: they are sorted by what was seen of their codes in passing, and
// read, under pin and lock, when they are about to be handed out.
struct Result {
    float bound = HUGE_VALF;
    SlotNumber node = kNoSlot;
    bool read = false;  // else the bound is not certain, and what follows not known
    uint32 generation = 0;
    ItemPointerData tid{};  // invalid when only postings are left, or none
    SlotNumber posting = kNoSlot;
    Buffer heap_buffer = InvalidBuffer;  // known once it was announced
};

// A row whose distance was looked up; the nearest comes first out of a heap.
struct RankedRow {
    double distance;
    ItemPointerData tid;
};

bool farther(const RankedRow& a, const RankedRow& b) { return a.distance > b.distance; }

// The rest of a node with many rows, put off until nothing nearer is left: rows of one vector and its distance.
struct Run {
    double distance;
    Result node;
    SlotNumber chunk;
    uint32 fingerprint;
};

bool farther_run(const Run& a, const Run& b) { return a.distance > b.distance; }

struct Scan {
    Scan(const HnswIndex& opened, IndexScanDesc scan, MemoryContext memory)
        : desc(scan), context(memory), index(opened), store(index, memory), pool(memory), seen(memory), spilled(memory),
          left(memory), unexpanded(memory), results(memory), rows(memory), runs(memory), ahead(scan->heapRelation),
          ranked(memory), filter(memory) {}

    IndexScanDesc desc;
    MemoryContext context;
    HnswIndex index;
    HnswStore store;
    uint8* code = nullptr;  // of the query
    Pool<ArenaVec> pool;
    NodeSet<ArenaVec> seen;
    ArenaVec<Candidate> spilled;      // scored, not in the pool: where an iterative scan goes on
    ArenaVec<Candidate> left;         // the last batch's spilled
    ArenaVec<SlotNumber> unexpanded;  // given out as results before the search passed through them
    ArenaVec<Result> results;         // of the current batch, by bound
    size_t next_result = 0, announced = 0, touched = 0;
    ArenaVec<ItemPointerData> rows;  // of the current node
    size_t next_row = 0;
    SlotNumber next_posting = kNoSlot;
    page::ChainGuard chain;  // of postings
    Result current{};
    Run run{};                    // of the current node; fingerprint 0: none yet
    bool distance_known = false;  // of the rows at hand: that of the run
    ArenaVec<Run> runs;           // a heap: put off
    index::HeapAhead ahead;
    index::Rerank* rerank = nullptr;  // of an uncertain codec
    ArenaVec<RankedRow> ranked;       // a heap: looked up, not handed out
    index::AttributeFilter filter;
    FilteredSearch* filtered = nullptr;  // in place of pool, spilled and what goes with them
    size_t ef = 0;
    size_t quota = 0;  // with a recall target: so many results for each first_ef of a beam
    size_t first_ef = 0;
    index::OrderKeeper order;
    float beyond = HUGE_VALF;    // the least bound that the batch left to the next one
    size_t taken = 0;            // how many of the pool were handed out
    size_t spares = 0;           // how many of what was spilled may be handed out before the next batch
    bool drained = false;        // no further batch
    index::OrderBy by{};         // every_row: block by block

    // Gives back what is not memory alone.
    void release() {
        if (rerank != nullptr) rerank->end();
    }
    BlockNumber next_block = 0;
};

index::WatchedScan* frame_of(const Scan& s) { return index::frame_of<Scan>(s.desc); }

// Of a batch so many are handed out: about those farther off the next one knows better, and what it finds too late is
// lost under strict order. That matters where many more rows are looked at than asked for, or the first batch is small.
// Where the first rows are the answer, the first batch is all that is wanted of it.
bool is_careful(const Scan& s) {
    const index::ScanUse& use = frame_of(s)->use;
    return use.drops_rows || use.merges || s.by.has_range;
}
size_t first_share(const Scan& s) {
    size_t most = is_careful(s) ? std::max<size_t>(s.ef / 4, 1) : s.index.codec->uncertain ? s.ef - s.ef / 4 : s.ef;
    return s.quota > 0 ? std::min(most, s.quota) : most;
}
size_t share(const Scan& s) {
    size_t most = s.ef / (is_careful(s) ? 4 : 2);
    return s.quota > 0 ? std::min(most, std::max<size_t>(s.ef / 2 * s.quota / s.first_ef, 1)) : most;
}
// Of many scans that are merged most are asked for one row only.
size_t first_beam(const Scan& s) {
    return frame_of(s)->use.merges ? std::max<size_t>(s.first_ef / 4, 1) : s.first_ef;
}

constexpr index::ScanLimit kOneBatch = {"hnsw.iterative_scan", "With strict_order it goes on."};
constexpr index::ScanLimit kMaxScanTuples = {"hnsw.max_scan_tuples", "A higher limit lets it go on."};
constexpr index::ScanLimit kScanMemory = {"hnsw.scan_mem_multiplier and work_mem", "A higher limit lets it go on."};

// No further batch, although there may be more rows.
void stop(Scan& s, const index::ScanLimit& limit) {
    s.drained = true;
    index::stopped(frame_of(s), limit);
}

bool strict() { return settings.iterative_scan == static_cast<int>(IterativeScan::strict_order); }

// Leaves a node that is gone without rows.
bool read_result(Scan& s, Result& r) {
    HnswStore::Found f;
    r.read = true;
    if (!s.store.read_result(r.node, &f)) return false;
    r.bound = std::min(r.bound, f.bound);
    r.generation = f.generation;
    r.tid = f.tid;
    r.posting = f.posting;
    return true;
}

void add_result(Scan& s, const Candidate& c) {
    Result r;
    r.node = c.node;
    if (s.store.glimpse_bound(c, &r.bound) || read_result(s, r)) s.results.push_back(r);
}

void sort_results(Scan& s) {
    std::sort(s.results.begin(), s.results.end(), [](const Result& a, const Result& b) {
        return a.bound != b.bound ? a.bound < b.bound : a.node < b.node;
    });
    s.next_result = s.announced = s.touched = 0;
    constexpr size_t kSoonRead = 16;
    const SlotShape& nodes = s.index.layout.nodes;
    for (size_t i = 0; i < std::min(kSoonRead, s.results.size()); i++) {
        s.store.reader().prefetch_pin(nodes.block(s.results[i].node));
    }
}

// What is left to the next batch must not come too late there: until then nothing beyond it is certain. Of that, what
// lies before the last bound is too late already. (The slacks of codes differ little: the first ones tell.)
void leave_rest(Scan& s, size_t n) {
    s.beyond = HUGE_VALF;
    for (size_t i = n; i < s.pool.size(); i++) {
        float bound;
        if (i < n + kNextToBeam && s.store.glimpse_bound(s.pool[i], &bound)) s.beyond = std::min(s.beyond, bound);
        s.spilled.push_back(s.pool[i]);
    }
    double least = std::max<double>(s.beyond, s.order.last());
    for (Result& r : s.results.span()) r.bound = static_cast<float>(std::min<double>(r.bound, least));
}

void count_batch(Scan& s) {
    index::ScanCounts& counts = index::counts_of(s.desc);
    counts.visited = s.store.followed();
    counts.scored = s.store.scored();
    counts.batches++;
}

// The first n of the pool become the results, the rest is left to the next batch.
void take_results(Scan& s, size_t n) {
    s.results.clear();
    s.taken = n = std::min(n, s.pool.size());
    for (size_t i = 0; i < n; i++) add_result(s, s.pool[i]);
    leave_rest(s, n);
    sort_results(s);
    count_batch(s);
}

// The largest upper bound of the nodes handed out; each mirrors the lower one.
float upper_bound_of_taken(Scan& s) {
    float ceiling = -HUGE_VALF;
    for (size_t i = 0; i < s.taken; i++) {
        float bound;
        if (!s.store.glimpse_bound(s.pool[i], &bound)) continue;
        ceiling = std::max(ceiling, 2 * s.store.estimate(s.pool[i].key) - bound);
    }
    return ceiling;
}

// The executor asks for more than the beam: most often only to see that a last row may be handed out. A spare entry may
// lie far off, with nearer ones not found yet. A bound just above the beam's distances is a bound too, lets the
// executor hand out the beam, and leaves room for what the next batch finds.
void take_spares(Scan& s) {
    ArenaVec<Candidate>& rest = s.spilled;
    size_t n = std::min(s.spares, rest.size());
    s.spares = 0;
    std::nth_element(rest.begin(), rest.begin() + n, rest.end(),
                     [](const Candidate& a, const Candidate& b) { return a.key < b.key; });
    float ceiling = upper_bound_of_taken(s);
    s.results.clear();
    for (size_t i = n; i-- > 0; rest.pop_back()) {
        add_result(s, rest[i]);
        if (!rest[i].expanded) s.unexpanded.push_back(rest[i].node);
        rest[i] = rest.back();
    }
    for (Result& r : s.results.span()) r.bound = std::min(r.bound, ceiling);
    s.beyond = HUGE_VALF;
    sort_results(s);
}

// By what the index knows of its recall, where a target is set. That is the recall of the first ten rows: who asks for
// more gets them from wider beams. (The executor looks at a few more than ten before it hands out ten.)
size_t choose_ef(Scan& s) {
    auto ef_search = static_cast<size_t>(settings.ef_search);
    if (settings.recall_target <= 0) return ef_search;
    size_t width = index::width_for(s.index.meta.calibration, settings.recall_target);
    if (width == 0) return ef_search;
    s.quota = index::kCalibratedRows * 8 / 5;
    return width;
}

const index::ScanLimit* limit_reached(const Scan& s) {
    double memory = settings.scan_mem_multiplier * work_mem * 1024.0;
    if (s.store.scored() >= static_cast<uint64>(settings.max_scan_tuples)) return &kMaxScanTuples;
    size_t bytes = s.filtered != nullptr ? s.filtered->bytes() : s.spilled.bytes() + s.seen.size() * 8;
    return static_cast<double>(bytes) > memory ? &kScanMemory : nullptr;
}

uint64 scan_limit() { return static_cast<uint64>(settings.max_scan_tuples); }

// The next batch under a filter. Of the first all is handed out, of later ones the nearer half, as without.
void filtered_batch(Scan& s, bool first) {
    FilteredSearch& search = *s.filtered;
    const index::ScanLimit* limit = first || search.exhausted() ? nullptr : limit_reached(s);
    if (limit != nullptr) stop(s, *limit);
    bool last = search.exhausted() || limit != nullptr;
    if (!first) s.ef = std::min(s.ef * 2, kMaxBatch);
    if (!last) search.search(s.ef, scan_limit());
    size_t n = last ? SIZE_MAX : search.exhausted() ? s.ef : first ? search.wanted() : search.wanted() / 2;
    s.results.clear();
    s.beyond = HUGE_VALF;
    search.take(
        n, kNextToBeam, [&](const Candidate& c) { add_result(s, c); },
        [&](const Candidate& c) {
            float bound;
            if (s.store.glimpse_bound(c, &bound)) s.beyond = std::min(s.beyond, bound);
        });
    double least = std::max<double>(s.beyond, s.order.last());
    for (Result& r : s.results.span()) r.bound = static_cast<float>(std::min<double>(r.bound, least));
    sort_results(s);
    count_batch(s);
    s.drained = last || s.results.empty();
}

// The descent goes through all nodes.
void start_filtered(Scan& s, const EntryPoint& entry) {
    s.filtered = new (palloc(sizeof(FilteredSearch))) FilteredSearch(s.store, s.seen, s.context);
    descend(s.store, entry.node, {entry.level, 0, search_beam(s.ef), s.ef, 0}, s.pool, s.seen);
    for (size_t i = 0; i < s.pool.size(); i++) s.filtered->insert(s.pool[i]);
    SlotNumber node = entry.node;
    if (s.seen.insert(node)) s.store.score_into(&node, 1, *s.filtered);
    filtered_batch(s, true);
}

void first_batch(Scan& s) {
    EntryPoint entry{s.index.meta.entry, static_cast<int>(s.index.meta.entry_level)};
    if (entry.node == kNoSlot) {
        s.drained = true;
        return;
    }
    bool iterative = settings.iterative_scan != static_cast<int>(IterativeScan::off);
    size_t ef_search = choose_ef(s);
    s.first_ef = beam_of(s.index, ef_search);
    s.ef = iterative ? first_beam(s) : s.first_ef;
    if (s.filter.filters()) {
        start_filtered(s, entry);
        if (!iterative) s.drained = true;
        return;
    }
    if (iterative) s.pool.keep_spilled(&s.spilled);
    if (iterative && !s.index.codec->exact && !s.index.codec->uncertain) {
        s.spares = s.quota > 0 ? kFewSpares : spare_entries(s.ef);
    }
    search_from_top(s.store, entry.node, entry.level, s.ef, s.spares > 0 ? kNextToBeam : 0, s.pool, s.seen);
    take_results(s, iterative ? first_share(s) : ef_search);
    if (iterative) return;
    s.drained = true;
    if (s.pool.size() >= s.ef) stop(s, kOneBatch);
}

// The next batch of an iterative scan: the search goes on from what it scored but did not keep, with a beam twice
// as wide, so that the work stays in proportion to the rows that are asked for. Over the limits: what is left, as is.
void next_batch(Scan& s) {
    if (s.filtered != nullptr) return filtered_batch(s, false);
    if (const index::ScanLimit* limit = limit_reached(s); limit != nullptr) {
        s.results.clear();
        for (const Candidate& c : s.spilled) add_result(s, c);
        s.beyond = HUGE_VALF;
        sort_results(s);
        stop(s, *limit);
        return;
    }
    // The beam does not outgrow what the limit leaves: else the last batch alone would exceed it by far.
    size_t rest = static_cast<size_t>(settings.max_scan_tuples) - s.store.scored();
    s.ef = std::min({s.ef * 2, kMaxBatch, std::max(rest, s.ef)});
    // What does not fit the pool spills back; the nearest are put in first, so each spills at once.
    ArenaVec<Candidate>& left = s.left;
    left.clear();
    std::swap(left, s.spilled);
    std::sort(left.begin(), left.end(), [](const Candidate& a, const Candidate& b) { return a.key < b.key; });
    s.pool.reset(s.ef, 0);
    for (const Candidate& c : left) s.pool.insert(c);
    for (SlotNumber node : s.unexpanded) expand(s.store, node, 0, s.pool, s.seen);
    s.unexpanded.clear();
    search_layer(s.store, 0, s.pool, s.seen);
    take_results(s, share(s));
    if (s.results.empty()) s.drained = true;
}

// ---- rows of a node --------------------------------------------------------------------------------

// Replay on a standby does not wait for scans before a slot gets another node.
bool still_there(Scan& s, const Result& c) {
    const SlotShape& nodes = s.index.layout.nodes;
    pg::Pin pin{s.store.reader().pin(nodes.block(c.node), nodes)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    uint32 slot = nodes.slot(c.node);
    const HnswNode* node = node_at(s.index, pin.page(), slot);
    return has_node(s.index, pin.page(), slot) && node->generation == c.generation;
}

// Appends the rows of the next chunk. Gives the fingerprint that they have in common with all rows behind them, or 0.
uint32 read_posting(Scan& s) {
    CHECK_FOR_INTERRUPTS();
    if (s.store.in_recovery() && !still_there(s, s.current)) {
        s.next_posting = kNoSlot;
        return 0;
    }
    const SlotShape& shape = s.index.layout.postings;
    s.chain.step(s.index.rel, shape.block(s.next_posting), shape);
    pg::Pin pin{s.store.reader().pin(shape.block(s.next_posting), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    auto* posting = reinterpret_cast<HnswPosting*>(page::slot_at(pin.page(), shape, shape.slot(s.next_posting)));
    // A freed chunk had only rows that were dead to every snapshot; the chain goes on behind it. It is not used again
    // while this scan runs (on a standby it may be: then the rest of the chain is another node's).
    if (posting->node != s.current.node) {
        s.next_posting = kNoSlot;
        return 0;
    }
    size_t count = posting->flags == 0 ? 0 : std::min<size_t>(posting->count, s.index.layout.posting_capacity);
    for (size_t i = 0; i < count; i++) {
        const format::HnswPostingEntry* entry = entry_at(s.index, posting, i);
        if (s.store.passes(entry)) s.rows.push_back(entry->tid);
    }
    s.next_posting = posting->next;
    return posting->uniform ? *fingerprint_of(s.index, posting) : 0;
}

// Thousands of rows may share a code, and all have the same bound. The executor keeps them in its queue until a bound
// is not below their distance, and so would take in all before it hands out the first. Where one vector is all that is
// left of a node behind its first chunk, its distance is looked up once; the rows are handed out with it when they are
// due, and need no recheck. False: no row of the chunk at hand is due.
bool weigh_chunk(Scan& s, SlotNumber chunk, uint32 fingerprint) {
    s.distance_known = false;
    bool lazy = !s.by.every_row && s.rerank == nullptr && !s.index.codec->exact;
    if (!lazy || fingerprint == 0 || chunk == s.current.posting) return true;
    if (fingerprint != s.run.fingerprint) {
        double distance = 0;
        bool visible = false;
        {
            pg::ScratchContext scratch{"hnsw distance"};
            auto* rerank = new (palloc(sizeof(index::Rerank))) index::Rerank(s.desc);
            for (size_t i = 0; i < s.rows.size() && !visible; i++) visible = rerank->distance(s.rows[i], &distance);
            rerank->end();
        }
        if (!visible) return false;
        s.run = {distance, s.current, chunk, fingerprint};
        bool due = s.next_result == s.results.size() || distance <= s.results[s.next_result].bound;
        if (!due || (!s.runs.empty() && s.runs[0].distance < distance)) {
            s.runs.push_back(s.run);
            std::push_heap(s.runs.begin(), s.runs.end(), farther_run);
            s.next_posting = kNoSlot;
            return false;
        }
    }
    s.order.handed_out(s.run.distance);
    s.distance_known = true;
    return true;
}

// Reads chunks of the current node until there are rows to hand out.
bool read_postings(Scan& s) {
    while (s.next_row == s.rows.size() && s.next_posting != kNoSlot) {
        SlotNumber chunk = s.next_posting;
        s.rows.clear();
        s.next_row = 0;
        uint32 fingerprint = read_posting(s);
        if (!weigh_chunk(s, chunk, fingerprint)) s.rows.clear();
    }
    return s.next_row < s.rows.size();
}

// Makes the nearest run that was put off `current` when it is due; false when none is.
bool resume_run(Scan& s) {
    if (!s.runs.empty() && s.runs[0].distance > s.by.radius) s.runs.clear();
    while (!s.runs.empty() &&
           (s.next_result == s.results.size() || s.runs[0].distance <= s.results[s.next_result].bound)) {
        std::pop_heap(s.runs.begin(), s.runs.end(), farther_run);
        s.run = s.runs.back();
        s.runs.pop_back();
        s.current = s.run.node;
        s.next_posting = s.run.chunk;
        s.chain = {};
        s.rows.clear();
        s.next_row = 0;
        if (read_postings(s)) return true;
    }
    return false;
}

// The next result, with its rows. Those behind it are made ready on the way.
const Result& next_of_results(Scan& s) {
    size_t at = s.next_result++;
    for (size_t end = std::min(at + index::HeapAhead::kAnnounce + 1, s.results.size()); s.announced < end;
         s.announced++) {
        Result& c = s.results[s.announced];
        if (!c.read) read_result(s, c);
        if (ItemPointerIsValid(&c.tid)) c.heap_buffer = s.ahead.announce(c.tid);
    }
    for (size_t end = std::min(at + index::HeapAhead::kTouch + 1, s.results.size()); s.touched < end; s.touched++) {
        const Result& c = s.results[s.touched];
        s.ahead.touch(c.heap_buffer, c.tid);
    }
    return s.results[at];
}

// All nodes of the next page that has any; false at the end.
bool next_page_of_nodes(Scan& s) {
    const SlotShape& nodes = s.index.layout.nodes;
    BlockNumber blocks = RelationGetNumberOfBlocks(s.index.rel);
    s.results.clear();
    s.next_result = s.announced = s.touched = 0;
    while (s.results.empty()) {
        CHECK_FOR_INTERRUPTS();
        if (++s.next_block >= blocks) return false;
        pg::Pin pin{ReadBuffer(s.index.rel, s.next_block)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (!page::has_kind(pin.page(), format::PageKind::nodes)) continue;
        page::check_page(s.index.rel, s.next_block, pin.page(), nodes);
        for (uint32 i = page::first_entry(nodes); i < nodes.per_page; i = page::next_entry(pin.page(), nodes, i)) {
            const HnswNode* node = node_at(s.index, pin.page(), i);
            if (!is_live(node)) continue;
            Result result{NAN, nodes.number(s.next_block, i), true, node->generation, node->tid, node->posting,
                          InvalidBuffer};
            if (!s.store.passes(node)) ItemPointerSetInvalid(&result.tid);
            s.results.push_back(result);
        }
    }
    return true;
}

// The result at hand and those behind it lie beyond the range. Under strict order nothing nearer is to come; else a batch
// without anything within the range is the last.
void leave_range(Scan& s) {
    if (strict() || s.next_result == 1) s.drained = true;
    if (s.drained) s.spares = 0;
    s.next_result = s.results.size();
}

// Makes `current` the next candidate with at least one row; false when the scan is over.
bool next_node(Scan& s) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (resume_run(s)) return true;
        if (s.next_result == s.results.size()) {
            if (s.by.every_row) {
                if (!next_page_of_nodes(s)) return false;
            } else {
                if (s.drained) return false;
                s.spares > 0 ? take_spares(s) : next_batch(s);
                continue;
            }
        }
        const Result& c = next_of_results(s);
        if (c.bound > s.by.radius) {
            leave_range(s);
            continue;
        }
        // A later batch may find something nearer than what was handed out already.
        if (!s.by.every_row && s.rerank == nullptr && !s.order.may_follow(c.bound, strict())) continue;
        s.current = c;
        s.rows.clear();
        s.next_row = 0;
        if (ItemPointerIsValid(const_cast<ItemPointer>(&c.tid))) s.rows.push_back(c.tid);
        s.next_posting = c.posting;
        s.chain = {};
        s.run.fingerprint = 0;
        s.distance_known = false;
        if (s.rows.empty() && !read_postings(s)) continue;
        if (!s.by.every_row && s.rerank == nullptr) s.order.handed_out(c.bound);
        return true;
    }
}

bool next_row(Scan& s) { return s.next_row < s.rows.size() || read_postings(s) || next_node(s); }

// ---- rows in the order of their own distances ---------------------------------------------------------

// So many wait at most: the rows of one code may be thousands, all about as far.
constexpr size_t kMaxRanked = 4096;

// Nothing that is known and was not looked up yet should be nearer.
float least_to_come(const Scan& s) {
    if (s.next_row < s.rows.size() || s.next_posting != kNoSlot) return s.current.bound;
    return s.next_result < s.results.size() ? s.results[s.next_result].bound : s.beyond;
}

bool next_ranked(Scan& s, RankedRow* row) {
    for (;;) {
        if (!s.ranked.empty() && (s.ranked[0].distance <= least_to_come(s) || s.ranked.size() >= kMaxRanked)) {
            std::pop_heap(s.ranked.begin(), s.ranked.end(), farther);
            *row = s.ranked.back();
            s.ranked.pop_back();
            if (!s.order.may_follow(row->distance, strict())) continue;
            if (row->distance > s.by.radius) continue;
            s.order.handed_out(row->distance);
            return true;
        }
        if (!next_row(s)) {
            if (s.ranked.empty()) return false;
            s.beyond = HUGE_VALF;
            continue;
        }
        RankedRow found{0, s.rows[s.next_row++]};
        if (!s.rerank->distance(found.tid, &found.distance)) continue;
        s.ranked.push_back(found);
        std::push_heap(s.ranked.begin(), s.ranked.end(), farther);
    }
}

// ---- start -----------------------------------------------------------------------------------------

Scan* start_scan(IndexScanDesc scan, MemoryContext context) {
    index::check_scan(scan, "hnsw");
    auto* s = new (palloc(sizeof(Scan))) Scan(open_index(scan->indexRelation), scan, context);
    index::Target target = index::read_target(scan);
    if (target.nothing || (s->index.meta.entry == kNoSlot && !target.null_query)) {
        // Nothing to compare the query with: not an error whatever its dimensions, as for a sequential scan.
        s->drained = true;
        return s;
    }
    s->filter.compile(scan);
    if (s->filter.filters()) s->store.set_filter(&s->filter);
    if (s->filter.never()) {
        s->drained = true;
        return s;
    }
    const codec::Codec& query_codec = codec::query_codec(*s->index.codec);
    s->by = index::read_order_by(target, query_codec, s->index.dim(), &s->code);
    if (s->by.every_row) return s;
    if (s->index.codec->uncertain) {
        s->rerank = new (palloc(sizeof(index::Rerank))) index::Rerank(scan);
    }
    s->store.set_query(s->code, query_codec);
    first_batch(*s);
    return s;
}

}  // namespace

IndexScanDesc begin_scan(Relation rel, int keys, int order_bys) {
    return index::begin_scan<Scan>(rel, keys, order_bys, "hnsw scan");
}

void rescan(IndexScanDesc scan, ScanKey keys, int, ScanKey order_bys, int) {
    index::rescan<Scan>(scan, keys, order_bys);
}

bool get_tuple(IndexScanDesc scan, ScanDirection direction) {
    Assert(ScanDirectionIsForward(direction));
    (void)direction;
    Scan& s = index::search_of<Scan>(scan, [&](MemoryContext context) { return start_scan(scan, context); });
    if (s.rerank != nullptr) {
        RankedRow row;
        if (!next_ranked(s, &row)) return false;
        index::return_row(scan, row.tid, {true, s.filter.rechecks()}, s.by, row.distance);
        return true;
    }
    if (!next_row(s)) return false;
    bool exact = s.index.codec->exact || s.distance_known;
    index::return_row(scan, s.rows[s.next_row++], {exact, s.filter.rechecks()}, s.by,
                      s.distance_known ? s.run.distance : s.current.bound);
    return true;
}

void end_scan(IndexScanDesc scan) { index::end_scan<Scan>(scan); }

}  // namespace vext::hnsw
