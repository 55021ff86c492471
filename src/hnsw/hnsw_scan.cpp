// Index scans: ORDER BY distance. Rows are handed out in the order of certain lower bounds of their distances; the
// executor computes the true distances and reorders (xs_recheckorderby).
#include "hnsw/hnsw_scan.h"

namespace vext::hnsw {

using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;

namespace {

bool farther(const RankedRow& a, const RankedRow& b) { return a.distance > b.distance; }
bool farther_run(const Run& a, const Run& b) { return a.distance > b.distance; }

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

// How many results are made ready behind the one at `at`. Where scans are merged, most of them are asked for one row only. A
// LIMIT that is known takes a few more than its rows, and where rows are ranked half as many again.
size_t made_ready(const Scan& s, size_t at) {
    constexpr size_t kMost = 20;
    const index::ScanUse& use = frame_of(s)->use;
    if (at == 0 && use.merges) return 0;
    if (use.rows == 0) return index::HeapAhead::kAnnounce;
    if (at > 0 || s.ranked.size() >= use.rows) return 1;
    return std::min<size_t>(use.rows + 2 + (s.rerank != nullptr ? use.rows / 2 : 0), kMost);
}

// The next result, with its rows, and those behind it.
const Result& next_of_results(Scan& s) {
    size_t at = s.next_result++;
    size_t ready = std::min(at + made_ready(s, at) + 1, s.results.size());
    for (size_t i = s.announced; i < ready; i++) {
        if (!s.results[i].read) read_result(s, s.results[i]);
    }
    for (; s.announced < ready; s.announced++) {
        Result& c = s.results[s.announced];
        if (ItemPointerIsValid(&c.tid)) c.heap_buffer = s.ahead.announce(c.tid);
    }
    for (size_t end = std::min(at + index::HeapAhead::kTouch + 1, s.announced); s.touched < end; s.touched++) {
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
            Result result{NAN, nodes.number(s.next_block, i), true, true, node->generation, node->tid, node->posting,
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
        s.ahead.hand_over(s.desc, found.tid);
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
    s->store.set_values(s->by.values);
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
        s.ahead.hand_over(scan, row.tid);
        index::return_row(scan, row.tid, {true, s.filter.rechecks()}, s.by, row.distance);
        return true;
    }
    if (!next_row(s)) return false;
    bool exact = s.index.codec->exact || s.distance_known;
    s.ahead.hand_over(scan, s.rows[s.next_row]);
    index::return_row(scan, s.rows[s.next_row++], {exact, s.filter.rechecks()}, s.by,
                      s.distance_known ? s.run.distance : s.current.bound);
    return true;
}

void end_scan(IndexScanDesc scan) { index::end_scan<Scan>(scan); }

}  // namespace vext::hnsw
