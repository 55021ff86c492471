// Index scans: ORDER BY distance. The lists nearest to the query are scanned; what looks nearest by 1-bit codes is
// scored by its finer code, and rows are handed out in the order of certain lower bounds of their distances. The
// executor computes the true distances and reorders (xs_recheckorderby).
#include <cmath>
#include <new>

#include "index/calibration.h"
#include "ivf/ivf_calibrate.h"
#include "ivf/ivf_probe.h"
#include "ivf/ivf_search.h"
#include "codec/rotation.h"

namespace vext::ivf {
namespace {

// Of a batch so many candidates are kept, and of the rows found at most so many handed out: about those farther off the
// next batch, of four times as many, knows better.
constexpr size_t kCandidates = 256;
constexpr size_t kHandedOut = 32;
constexpr size_t kGrowth = 4;
// With 1-bit codes: only rows nearer than the candidates that were cut off, by so many of the estimates' deviations;
// who asks for more than the first batch hands out pays for a wider margin.
constexpr double kMargin = 1.5;
constexpr double kWideMargin = 3;

// ---- which lists -------------------------------------------------------------------------------------

void choose_probes(Search& s, const void* elements) {
    auto* floats = static_cast<float*>(palloc(s.index.dim() * sizeof(float)));
    auto* place = static_cast<uint8*>(palloc0(s.index.space.stride()));
    s.index.space.place(elements, floats, place);
    s.probes.reserve(s.index.meta.lists);
    score_centroids(s.index, s.reader, place, [&](uint32 list, codec::Key key, const uint8*) {
        s.probes.push_back({key, list});
    });
}

// By what the index knows of its recall, where a target is set. That is the recall of the first ten rows: who asks for
// more gets them from more lists. (The executor looks at a few more than ten before it hands out ten.)
void choose_how_many(Search& s) {
    s.at_first = settings.recall_target > 0 ? probes_for(s.index, settings.recall_target) : 0;
    s.by_target = s.at_first > 0;
    if (!s.by_target) s.at_first = static_cast<size_t>(settings.probes);
}

// Sorts the probes up to `end`, nearest first.
void sort_probes(Search& s, size_t end) {
    std::partial_sort(s.probes.begin() + s.sorted, s.probes.begin() + end, s.probes.end(),
                      [](const Probe& a, const Probe& b) { return a.key != b.key ? a.key < b.key : a.list < b.list; });
    s.sorted = end;
}

constexpr index::ScanLimit kOneBatch = {"ivfflat.iterative_scan", "With strict_order it goes on."};
constexpr index::ScanLimit kMaxProbes = {"ivfflat.max_probes", "A higher limit lets it go on."};

// There are no further lists to scan, by a setting or because these were all.
bool at_last_probe(Search& s) {
    if (s.limit < s.probes.size()) s.stopped_by = mode() == IterativeScan::off ? &kOneBatch : &kMaxProbes;
    return false;
}

// Which lists the next batch scans, and how closely; false when there is nothing left.
bool widen(Search& s) {
    size_t probes = std::min(s.at_first, s.probes.size());
    if (s.keep == 0) {
        size_t most = mode() == IterativeScan::off ? probes : static_cast<size_t>(settings.max_probes);
        s.limit = std::min(std::max(probes, most), s.probes.size());
        s.to = probes;
        s.keep = kCandidates;
        s.hand_out = s.by_target ? index::kCalibratedRows * 8 / 5 : kHandedOut;
    } else if (!is_relaxed(s)) {
        if (!s.truncated && s.to == s.limit) return at_last_probe(s);
        // The same lists again, with as many new ones: what they hold may come before what is left.
        s.to = std::min(s.to * 2, s.limit);
        if (s.truncated) {
            s.keep *= kGrowth;
            s.hand_out *= kGrowth;
        }
    } else if (s.truncated) {
        s.keep *= kGrowth;
        s.hand_out *= kGrowth;
    } else if (s.to < s.limit) {
        s.from = s.to;
        s.to = std::min(s.from + probes, s.limit);
        s.keep = kCandidates;
        s.hand_out = kHandedOut;
    } else {
        return at_last_probe(s);
    }
    sort_probes(s, s.to);
    return true;
}

// ---- batches -----------------------------------------------------------------------------------------

// How many of the sorted results are handed out now: those that hardly any row that was cut off, or is in further
// lists, would come before.
size_t count_certain(const Search& s) {
    if (!s.truncated) {
        bool last = is_relaxed(s) || s.to == s.limit;
        return last ? s.results.size() : (s.results.size() + 1) / 2;
    }
    size_t n = std::min(s.results.size(), s.hand_out);
    if (!s.index.has_bits()) return n;
    double deviations = 0;
    for (const Candidate& c : s.candidates) deviations += c.estimate - c.bound;
    double margin = s.keep == kCandidates ? kMargin : kWideMargin;
    double limit = s.cutoff - margin / codec::kDeviations * deviations / static_cast<double>(s.candidates.size());
    size_t certain = 0;
    while (certain < n && s.results[certain].estimate < limit) certain++;
    return certain;
}

// The next batch; `results` becomes what to hand out. False when there is none.
bool next_batch(Search& s) {
    if (!widen(s)) return false;
    s.counts.batches++;
    s.counts.visited += s.to - s.from;
    s.next_result = 0;
    find_candidates(s);
    score_candidates(s);
    s.results.resize_uninitialized(count_certain(s));
    return true;
}

size_t count_within(const Search& s) {
    auto beyond = [](double radius, const Result& r) { return radius < r.bound; };
    return std::upper_bound(s.results.begin(), s.results.end(), s.by.radius, beyond) - s.results.begin();
}

// The next batch to hand out. Lists near the query may have rows beyond a range while others still have some within:
// nothing of a range is handed out before a wider batch finds no more of it.
bool next_results(Search& s) {
    if (!next_batch(s)) return false;
    if (!s.by.has_range) return true;
    for (size_t n = count_within(s), before = 0; n > before && next_batch(s);) {
        before = n;
        n = count_within(s);
    }
    return true;
}

// All rows of the next page that has any; false at the end.
bool next_page_of_rows(Search& s) {
    const SlotShape& shape = s.index.layout.vectors;
    BlockNumber blocks = RelationGetNumberOfBlocks(s.index.rel);
    s.results.clear();
    s.next_result = 0;
    while (s.results.empty()) {
        CHECK_FOR_INTERRUPTS();
        if (++s.next_block >= blocks) return false;
        pg::Pin pin{ReadBuffer(s.index.rel, s.next_block)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (!page::has_kind(pin.page(), PageKind::vectors)) continue;
        page::check_page(s.index.rel, s.next_block, pin.page(), shape);
        for (uint32 i = 0; i < shape.per_page; i++) {
            const IvfVector* vector = vector_at(s.index, pin.page(), i);
            if (vector->flags != 0) s.results.push_back({NAN, NAN, vector->tid});
        }
    }
    return true;
}

// The next row; nullptr when the scan is over.
const Result* next_row(Search& s) {
    bool strict = !is_relaxed(s);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (s.next_result == s.results.size()) {
            if (!(s.by.every_row ? next_page_of_rows(s) : next_results(s))) return nullptr;
            continue;
        }
        const Result& r = s.results[s.next_result++];
        if (s.by.every_row) return &r;
        if (r.bound > s.by.radius) {
            if (s.next_result == 1) return nullptr;  // nor does any further list have some, as far as one can tell
            s.next_result = s.results.size();
            continue;
        }
        // A row that was met twice, as vacuum moved its entry, stands beside itself.
        if (!s.order.may_follow(r.bound, strict)) continue;
        if (!s.handed_out.empty() && s.handed_out.back() == number_of(r.tid)) continue;
        s.order.handed_out(r.bound);
        s.handed_out.push_back(number_of(r.tid));
        return &r;
    }
}

// ---- start -------------------------------------------------------------------------------------------

void prepare_first_pass(Search& s, const void* elements) {
    uint32 dim = s.index.dim();
    auto* floats = static_cast<float*>(palloc(dim * sizeof(float)));
    if (s.index.inner_product()) {
        codec::to_floats(s.index.codec->element, elements, dim, floats);
    } else {
        s.index.space.frame(elements, floats);
        s.index.space.subtract_mean(floats);
    }
    s.norm_sq = simd::active->norm_sq_f32(floats, dim);
    auto* rotated = static_cast<float*>(palloc(codec::rotated_dims(dim) * sizeof(float)));
    auto* signs = static_cast<float*>(palloc(codec::Rotation::signs_for(dim) * sizeof(float)));
    codec::Rotation{dim, signs}.apply(floats, rotated);
    s.bits = codec::prepare_bits(rotated, s.index.meta.bits, static_cast<uint8*>(palloc(4 * s.index.meta.bits)));
}

Search* start_scan(IndexScanDesc scan, MemoryContext context) {
    index::check_scan(scan, "ivfflat");
    auto* s = new (palloc(sizeof(Search))) Search(open_index(scan->indexRelation), index::counts_of(scan), context);
    index::Target target = index::read_target(scan);
    if (target.nothing) return s;  // there are no probes
    s->by = index::read_order_by(target, *s->index.codec, s->index.dim(), &s->code);
    if (s->by.every_row) return s;
    s->index.codec->prepare(s->code, s->index.dim(), &s->query);
    choose_probes(*s, s->by.elements);
    choose_how_many(*s);
    if (s->index.has_bits()) prepare_first_pass(*s, s->by.elements);
    if (!s->index.has_codes()) s->rerank = new (palloc(sizeof(index::Rerank))) index::Rerank(scan);
    return s;
}

}  // namespace

IndexScanDesc begin_scan(Relation rel, int keys, int order_bys) {
    return index::begin_scan<Search>(rel, keys, order_bys, "ivfflat scan");
}

void rescan(IndexScanDesc scan, ScanKey keys, int, ScanKey order_bys, int) {
    index::rescan<Search>(scan, keys, order_bys);
}

bool get_tuple(IndexScanDesc scan, ScanDirection direction) {
    Assert(ScanDirectionIsForward(direction));
    (void)direction;
    Search& s = index::search_of<Search>(scan, [&](MemoryContext context) { return start_scan(scan, context); });
    const Result* row = next_row(s);
    if (row == nullptr) {
        if (s.stopped_by != nullptr) index::stopped(index::frame_of<Search>(scan), *s.stopped_by);
        return false;
    }
    index::return_row(scan, row->tid, {s.index.codec->exact || s.rerank != nullptr, false}, s.by, row->bound);
    return true;
}

void end_scan(IndexScanDesc scan) { index::end_scan<Search>(scan); }

}  // namespace vext::ivf
