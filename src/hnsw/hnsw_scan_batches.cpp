// The batches of an index scan: the nearest of what a search found become its results, the rest is left to the next one,
// whose beam is wider.
#include <algorithm>
#include <cmath>
#include <new>

#include "hnsw/hnsw_calibrate.h"
#include "hnsw/hnsw_scan.h"

#include "index/calibration.h"

namespace vext::hnsw {

using format::kNoSlot;

namespace {

// The executor hands out the last row of a LIMIT only when it has seen that the next bound is not below it. Entries
// past the beam, which were scored anyway, answer that without another search.
constexpr size_t kFewSpares = 8;
size_t spare_entries(size_t ef) { return kFewSpares + ef / 2; }

constexpr size_t kMaxBatch = 65535;

// How many of the nearest of these are kept in the pool, to tell how far the beam's bounds reach.
constexpr size_t kNextToBeam = 4;

// Of a batch so many are handed out: about those farther off the next one knows better, and what it finds too late is
// lost under strict order. That matters where many more rows are looked at than asked for, or the first batch is small.
// Where the first rows are the answer, the first batch is all that is wanted of it.
bool is_careful(const Scan& s) {
    const index::ScanUse& use = frame_of(s)->use;
    return use.drops_rows || use.merges || s.by.has_range;
}
size_t first_share(const Scan& s) {
    size_t most = is_careful(s) ? std::max<size_t>(s.ef / 4, 1) : s.ef;
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

// Where the LIMIT of just the rows of this scan is known. For a target of recall the beam is what was measured.
Horizon scan_horizon(const Scan& s) {
    const HnswIndex& index = s.index;
    if (!settings.adaptive_beam || s.quota > 0 || s.by.has_range) return {};
    codec::Metric metric = index.codec->metric;
    double length = grows_as_power(metric) ? 1 : s.store.query_length(s.code, codec::query_codec(*index.codec));
    return horizon_of(metric, index.meta.growth, length, frame_of(s)->use.rows, s.ef);
}

constexpr index::ScanLimit kOneBatch = {"hnsw.iterative_scan", "With strict_order it goes on."};
constexpr index::ScanLimit kMaxScanTuples = {"hnsw.max_scan_tuples", "A higher limit lets it go on."};
constexpr index::ScanLimit kScanMemory = {"hnsw.scan_mem_multiplier and work_mem", "A higher limit lets it go on."};

// No further batch, although there may be more rows.
void stop(Scan& s, const index::ScanLimit& limit) {
    s.drained = true;
    index::stopped(frame_of(s), limit);
}

// The bound of a scored node, whether its page has stayed in memory or not. False: it is gone.
bool find_bound(Scan& s, const Candidate& c, Result* r) {
    r->node = c.node;
    return s.store.glimpse_bound(c, &r->bound, &r->certain) || read_result(s, *r);
}

bool add_result(Scan& s, const Candidate& c) {
    Result r;
    if (!find_bound(s, c, &r)) return false;
    s.results.push_back(r);
    return true;
}

void leave_to_next(Scan& s, const Candidate& c) {
    Result r;
    if (find_bound(s, c, &r)) s.beyond = std::min(s.beyond, r.bound);
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
    s.left_over = s.pool.size() - n;
    for (size_t i = n; i < s.pool.size(); i++) {
        if (i < n + kNextToBeam) leave_to_next(s, s.pool[i]);
        s.spilled.push_back(s.pool[i]);
    }
    float least = std::max(s.beyond, s.order.next());
    for (Result& r : s.results.span()) r.bound = std::min(r.bound, least);
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
    s.ceiling = -HUGE_VALF;
    for (size_t i = 0; i < n; i++) {
        // About as far above the estimate as the lower bound is below it.
        if (add_result(s, s.pool[i])) {
            s.ceiling = std::max(s.ceiling, 2 * s.store.estimate(s.pool[i].key) - s.results.back().bound);
        }
        if (!s.pool[i].expanded) s.unexpanded.push_back(s.pool[i].node);
    }
    leave_rest(s, n);
    sort_results(s);
    count_batch(s);
}

// By what the index knows of its recall, where a target is set. That is the recall of the first ten rows: who asks for
// more gets them from wider beams. (The executor looks at a few more than ten before it hands out ten.)
size_t choose_ef(Scan& s) {
    auto ef_search = static_cast<size_t>(settings.ef_search);
    if (settings.recall_target <= 0) return ef_search;
    size_t width = ef_for(s.index, settings.recall_target);
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
        n, kNextToBeam, [&](const Candidate& c) { add_result(s, c); }, [&](const Candidate& c) { leave_to_next(s, c); });
    float least = std::max(s.beyond, s.order.next());
    for (Result& r : s.results.span()) r.bound = std::min(r.bound, least);
    sort_results(s);
    count_batch(s);
    s.drained = last || s.results.empty();
}

// The descent goes through all nodes.
void start_filtered(Scan& s, const EntryPoint& entry) {
    descend(s.store, entry.node, {entry.level, 0, search_beam(s.ef), s.ef, 0}, s.pool, s.seen);
    for (size_t i = 0; i < s.pool.size(); i++) s.filtered->add(s.pool[i]);
    SlotNumber node = entry.node;
    if (s.seen.insert(node)) s.store.score_into(&node, 1, *s.filtered);
    filtered_batch(s, true);
}

}  // namespace

size_t under_filter(double rows, size_t ef_search) {
    constexpr double kRows = 65536, kThere = 1.25, kDoubled = 0.3125, kMost = 2.5;
    constexpr size_t kSuffices = 100;
    double factor = std::clamp(kThere + kDoubled * std::log2(std::max(rows, 1.0) / kRows), 1.0, kMost);
    return std::max(ef_search, std::min(static_cast<size_t>(factor * static_cast<double>(ef_search)), kSuffices));
}

bool read_result(Scan& s, Result& r) {
    HnswStore::Found f;
    r.read = true;
    if (!s.store.read_result(r.node, !r.certain, &f)) return false;
    if (!r.certain) r.bound = std::min(r.bound, f.bound);
    r.generation = f.generation;
    r.tid = f.tid;
    r.posting = f.posting;
    return true;
}

// The executor asks for more than the beam: most often only to see that a last row may be handed out. A spare entry may
// lie far off, with nearer ones not found yet. A bound just above the beam's distances is a bound too, lets the
// executor hand out the beam, and leaves room for what the next batch finds.
void take_spares(Scan& s) {
    ArenaVec<Candidate>& rest = s.spilled;
    size_t n = std::min(s.spares, rest.size());
    s.spares = 0;
    // What the pool has left is nearer than all else.
    Candidate* nearest = rest.begin();
    if (s.left_over >= n / 2) {
        nearest = rest.end() - s.left_over;
        n = std::min(n, s.left_over);
    } else {
        std::nth_element(rest.begin(), rest.begin() + n, rest.end(),
                         [](const Candidate& a, const Candidate& b) { return a.key < b.key; });
    }
    s.results.clear();
    for (size_t i = n; i-- > 0; rest.pop_back()) {
        add_result(s, nearest[i]);
        if (!nearest[i].expanded) s.unexpanded.push_back(nearest[i].node);
        nearest[i] = rest.back();
    }
    // (Not below what was handed out: strict order would drop them.)
    float ceiling = std::max(s.ceiling, s.order.next());
    for (Result& r : s.results.span()) r.bound = std::min(r.bound, ceiling);
    // Rows that are ranked here wait themselves: those beyond the beam until the next batch has been.
    bool ranked = s.index.codec->uncertain && s.taken > 0;
    s.beyond = ranked ? s.store.estimate(s.pool[s.taken - 1].key) : HUGE_VALF;
    sort_results(s);
}

void first_batch(Scan& s) {
    EntryPoint entry{s.index.meta.entry, static_cast<int>(s.index.meta.entry_level)};
    if (entry.node == kNoSlot) {
        s.drained = true;
        return;
    }
    bool iterative = settings.iterative_scan != static_cast<int>(IterativeScan::off);
    size_t ef_search = choose_ef(s);
    if (s.filter.filters()) {
        s.filtered = new (palloc(sizeof(FilteredSearch))) FilteredSearch(s.store, s.seen, s.context);
        if (s.quota == 0) ef_search = under_filter(static_cast<double>(s.filtered->places()), ef_search);
    }
    s.first_ef = beam_of(s.index, ef_search);
    s.ef = iterative ? first_beam(s) : s.first_ef;
    if (s.filtered != nullptr) {
        start_filtered(s, entry);
        if (!iterative) s.drained = true;
        return;
    }
    Horizon horizon = scan_horizon(s);
    if (iterative) s.pool.keep_spilled(&s.spilled);
    if (iterative && !s.index.codec->exact) {
        s.spares = s.quota > 0 || horizon.rank > 0 ? kFewSpares : spare_entries(s.ef);
    }
    search_from_top(s.store, entry.node, entry.level, s.ef, s.spares > 0 ? kNextToBeam : 0, s.pool, s.seen, horizon);
    take_results(s, iterative ? std::min(first_share(s), s.pool.within()) : ef_search);
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

}  // namespace vext::hnsw
