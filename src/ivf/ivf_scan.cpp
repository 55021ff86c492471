// Index scans: ORDER BY distance. The lists nearest to the query are scanned; what looks nearest by 1-bit codes is
// scored by its finer code, and rows are handed out in the order of certain lower bounds of their distances. The
// executor computes the true distances and reorders (xs_recheckorderby).
#include <cmath>
#include <new>

#include "index/calibration.h"
#include "ivf/ivf_calibrate.h"
#include "ivf/ivf_search.h"
#include "codec/rotation.h"

namespace vext::ivf {
namespace {

// Of the lists of a batch the nearest rows are found, so many; what lies farther off, the next batch finds.
constexpr size_t kWanted = 32;
constexpr size_t kWantedWithoutBits = 256;
constexpr size_t kGrowth = 4;
// Who asks for more than the first batch finds pays for a wider margin: the rows about its cutoff come next.
constexpr float kMargin = 2;
constexpr float kWideMargin = 3;

// Under a filter the first batch begins with such a part of the lists, and every one ends when no more than such a share
// of its rows is from the further half of the lists.
constexpr size_t kFilteredPart = 16;
constexpr double kLate = 0.02;

size_t first_wanted(const Search& s) {
    return s.by_target || s.index.has_bits() || s.filter.filters() ? kWanted : kWantedWithoutBits;
}

// ---- which lists -------------------------------------------------------------------------------------

void choose_probes(Search& s, const void* elements) {
    auto* floats = static_cast<float*>(palloc(s.index.dim() * sizeof(float)));
    auto* place = static_cast<uint8*>(palloc0(s.index.space.stride()));
    s.index.space.place(elements, floats, place);
    s.probes.begin(place);
    s.lists = s.index.meta.lists;
}

// By what the index knows of its recall, where a target is set. That is the recall of the first ten rows: who asks for
// more gets them from more lists. (The executor looks at a few more than ten before it hands out ten.)
void choose_how_many(Search& s) {
    s.at_first = settings.recall_target > 0 ? probes_for(s.index, settings.recall_target) : 0;
    s.by_target = s.at_first > 0;
    if (!s.by_target) s.at_first = static_cast<size_t>(settings.probes);
}

constexpr index::ScanLimit kOneBatch = {"ivfflat.iterative_scan", "With strict_order it goes on."};
constexpr index::ScanLimit kMaxProbes = {"ivfflat.max_probes", "A higher limit lets it go on."};

// There are no further lists to scan, by a setting or because these were all.
bool at_last_probe(Search& s) {
    if (s.limit < s.lists) s.stopped_by = mode() == IterativeScan::off ? &kOneBatch : &kMaxProbes;
    return false;
}

// Which lists the next batch scans, and how many rows it finds; false when there is nothing left.
bool widen(Search& s) {
    if (s.lists == 0) return false;
    size_t probes = std::min(s.at_first, s.lists);
    if (s.wanted == 0) {
        size_t most = mode() == IterativeScan::off ? probes : static_cast<size_t>(settings.max_probes);
        s.limit = std::min(std::max(probes, most), s.lists);
        s.to = s.filter.filters() ? std::min(std::max(probes, s.lists / kFilteredPart), s.limit) : probes;
        s.wanted = first_wanted(s);
    } else if (!has_batches_apart(s)) {
        if (!s.truncated && s.to == s.limit) return at_last_probe(s);
        // The same lists again, with as many new ones: what they hold may come before what is left.
        s.to = std::min(s.to * 2, s.limit);
        s.wanted = std::max(s.truncated ? s.wanted * kGrowth : s.wanted, 2 * s.handed_out.size());
    } else if (s.truncated) {
        s.wanted *= kGrowth;
    } else if (s.to < s.limit) {
        s.from = s.to;
        s.to = std::min(s.from + probes, s.limit);
        s.wanted = first_wanted(s);
    } else {
        return at_last_probe(s);
    }
    s.margin = s.wanted == kWanted ? kMargin : kWideMargin;
    s.probes.extend(s.to);
    return true;
}

// ---- batches -----------------------------------------------------------------------------------------

size_t count_up_to(const Search& s, double bound) {
    auto beyond = [](double b, const Result& r) { return b < r.bound; };
    return std::upper_bound(s.results.begin(), s.results.end(), bound, beyond) - s.results.begin();
}

// How many of the sorted results are handed out now: of a batch that left rows out those that come before these, else
// the nearer half, since further lists may have rows that come before the others.
size_t count_certain(const Search& s) {
    if (s.truncated) return count_up_to(s, s.nearest_left);
    return has_batches_apart(s) || s.to == s.limit ? s.results.size() : (s.results.size() + 1) / 2;
}

// How many lists have the nearest rows that pass a filter, their number does not say: few rows may pass, or only those
// of a part of the space that is far from the query. But the nearest, as many as are wanted, hardly change any more.
bool is_settled(const Search& s) {
    if (!s.filter.filters() || s.to == s.limit) return true;
    if (s.best.size() < s.wanted) return false;
    auto late = std::count_if(s.results.begin(), s.results.end(), [](const Result& r) { return r.late; });
    return static_cast<double>(late) <= kLate * static_cast<double>(s.wanted);
}

// The next batch; `results` becomes what to hand out. False when there is none.
bool next_batch(Search& s) {
    if (!widen(s)) return false;
    s.counts.batches++;
    s.next_result = 0;
    std::sort(s.handed_out.begin(), s.handed_out.end());
    find_results(s);
    while (!is_settled(s)) {
        size_t to = std::min(2 * s.to, s.limit);
        s.probes.extend(to);
        find_further(s, to);
    }
    std::sort(s.results.begin(), s.results.end(), [](const Result& a, const Result& b) {
        return a.bound != b.bound ? a.bound < b.bound : number_of(a.tid) < number_of(b.tid);
    });
    s.results.resize_uninitialized(count_certain(s));
    return true;
}

// The next batch to hand out. Lists near the query may have rows beyond a range while others still have some within:
// nothing of a range is handed out before a wider batch finds no more of it.
bool next_results(Search& s) {
    if (!next_batch(s)) return false;
    if (!s.by.has_range) return true;
    for (size_t n = count_up_to(s, s.by.radius), before = 0; n > before && next_batch(s);) {
        before = n;
        n = count_up_to(s, s.by.radius);
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
            if (vector->flags != 0) s.results.push_back({NAN, NAN, vector->tid, false});
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
    s->filter.compile(scan);
    if (target.nothing || s->filter.never()) return s;  // there are no probes
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
    // Pages of rows have no attributes: where all rows are read, the executor tests the filter.
    bool rechecks = s.filter.rechecks() || (s.by.every_row && s.filter.filters());
    index::return_row(scan, row->tid, {s.index.codec->exact || s.rerank != nullptr, rechecks}, s.by, row->bound);
    return true;
}

void end_scan(IndexScanDesc scan) { index::end_scan<Search>(scan); }

}  // namespace vext::ivf
