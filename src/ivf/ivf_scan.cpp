// Index scans: ORDER BY distance. The lists nearest to the query are scanned; what looks nearest by 1-bit codes is
// scored by its finer code, and rows are handed out in the order of certain lower bounds of their distances. The
// executor computes the true distances and reorders (xs_recheckorderby).
#include <cmath>
#include <limits>
#include <new>

#include "index/order_scan.h"
#include "index/rerank.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_probe.h"
#include "codec/rotation.h"
#include "pg/arena.h"

namespace vext::ivf {
namespace {

// Of a batch so many candidates are kept, and of the rows found at most so many handed out: about those farther off the
// next batch, of four times as many, knows better.
constexpr size_t kCandidates = 128;
constexpr size_t kHandedOut = 32;
constexpr size_t kGrowth = 4;
// With 1-bit codes: only rows nearer than the candidates that were cut off, by so many of the estimates' deviations;
// who asks for more than the first batch hands out pays for a wider margin.
constexpr double kMargin = 1.5;
constexpr double kWideMargin = 3;

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

    index::Rerank* rerank = nullptr;  // where vectors pages have no codes

    // Gives back what is not memory alone.
    void release() {
        if (rerank != nullptr) rerank->end();
    }
};

IterativeScan mode() { return static_cast<IterativeScan>(settings.iterative_scan); }

uint64 number_of(const ItemPointerData& tid) {
    return static_cast<uint64>(BlockIdGetBlockNumber(&tid.ip_blkid)) << 16 | tid.ip_posid;
}

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

// Sorts the probes up to `end`, nearest first.
void sort_probes(Search& s, size_t end) {
    std::partial_sort(s.probes.begin() + s.sorted, s.probes.begin() + end, s.probes.end(),
                      [](const Probe& a, const Probe& b) { return a.key != b.key ? a.key < b.key : a.list < b.list; });
    s.sorted = end;
}

// Which lists the next batch scans, and how closely; false when there is nothing left.
bool widen(Search& s) {
    size_t probes = std::min(static_cast<size_t>(settings.probes), s.probes.size());
    if (s.keep == 0) {
        size_t most = mode() == IterativeScan::off ? probes : static_cast<size_t>(settings.max_probes);
        s.limit = std::min(std::max(probes, most), s.probes.size());
        s.to = probes;
        s.keep = kCandidates;
        s.hand_out = kHandedOut;
    } else if (mode() != IterativeScan::relaxed_order) {
        if (!s.truncated && s.to == s.limit) return false;
        // The same lists again, with as many new ones: what they hold may come before what is left.
        s.to = std::min(s.to * 2, s.limit);
        s.keep *= kGrowth;
        s.hand_out *= kGrowth;
    } else if (s.truncated) {
        s.keep *= kGrowth;
        s.hand_out *= kGrowth;
    } else if (s.to < s.limit) {
        s.from = s.to;
        s.to = std::min(s.from + probes, s.limit);
        s.keep = kCandidates;
        s.hand_out = kHandedOut;
    } else {
        return false;
    }
    sort_probes(s, s.to);
    return true;
}

// ---- the first pass ----------------------------------------------------------------------------------

// Keeps the nearest of the candidates.
void cut(Search& s) {
    auto nearer = [](const Candidate& a, const Candidate& b) { return a.estimate < b.estimate; };
    std::nth_element(s.candidates.begin(), s.candidates.begin() + s.keep, s.candidates.end(), nearer);
    s.cutoff = s.candidates[s.keep].estimate;
    s.candidates.resize_uninitialized(s.keep);
    s.truncated = true;
}

void add_candidate(Search& s, const Candidate& c) {
    s.candidates.push_back(c);
    if (s.candidates.size() == 2 * s.keep) cut(s);
}

// What estimates of a list have in common: |q - c|, and the part that does not depend on the row.
struct ListTerms {
    float distance, base;
};

ListTerms terms_of(const Search& s, const Probe& probe, const IvfList& list) {
    if (!s.index.inner_product()) return {probe.key, probe.key * probe.key};
    // `key` is the distance to the query scaled to length one.
    double norm = std::sqrt(s.norm_sq), scale = list.scale;
    double dot = scale * norm * (1 + list.norm_sq - static_cast<double>(probe.key) * probe.key) / 2;
    double distance_sq = std::max(0.0, s.norm_sq + scale * scale * list.norm_sq - 2 * dot);
    return {static_cast<float>(std::sqrt(distance_sq)), static_cast<float>(-dot)};
}

void scan_bits(Search& s, Page page, const ListTerms& terms) {
    float estimates[kBlockRows];
    for (uint32 i = 0; i < s.index.layout.blocks_per_page; i++) {
        IvfBlock* block = block_at(s.index, page, i);
        if (block->live == 0) continue;
        const codec::BitBlock* bits = bits_of(block);
        codec::estimate(s.bits, bits, terms.base, estimates);
        s.counts.scored += static_cast<uint32>(__builtin_popcount(block->live));
        // Most blocks have none; this loop is vectorized, the next one is not.
        uint32 count = 0, near = 0;
        for (uint32 row = 0; row < kBlockRows; row++) count += estimates[row] < s.cutoff;
        for (uint32 row = 0; count > 0 && row < kBlockRows; row++)
            near |= static_cast<uint32>(estimates[row] < s.cutoff) << row;
        s.truncated |= (near & block->live) != block->live;
        for (near &= block->live; near != 0; near &= near - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(near));
            if (!(estimates[row] < s.cutoff)) continue;
            float bound = estimates[row] - codec::confidence(bits, row, terms.distance);
            add_candidate(s, {estimates[row], bound, block->vector[row], {}});
        }
    }
}

// Scores rows by their codes; their numbers are those of one vectors page as far as possible.
void scan_vectors(Search& s, const SlotNumber* numbers, size_t n) {
    constexpr size_t kBatch = 64;
    const SlotShape& shape = s.index.layout.vectors;
    const uint8* codes[kBatch];
    IvfVector* vectors[kBatch];
    codec::Key keys[kBatch];
    for (size_t i = 0; i < n;) {
        BlockNumber block = shape.block(numbers[i]);
        pg::Pin pin{s.reader.pin(block, shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        while (i < n && shape.block(numbers[i]) == block) {
            size_t batch = 0, first = i;
            for (; i < n && batch < kBatch && shape.block(numbers[i]) == block; i++) {
                IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(numbers[i]));
                if (vector->flags == 0) continue;  // removed since its entry was read
                vectors[batch] = vector;
                codes[batch++] = code_of(vector);
            }
            s.index.codec->score(s.query, codes, batch, keys);
            s.counts.scored += batch;
            for (size_t j = 0; j < batch; j++) {
                float bound = s.index.codec->lower_bound(s.query, keys[j], s.index.codec->slack(s.query, codes[j]));
                // An infinite one is a candidate, too.
                float estimate = std::min(bound, std::numeric_limits<float>::max());
                if (estimate < s.cutoff) {
                    add_candidate(s, {estimate, bound, numbers[first], vectors[j]->tid});
                } else {
                    s.truncated = true;
                }
            }
        }
    }
}

// The rows of a page's entries, for indexes without 1-bit codes.
void read_numbers(const IvfIndex& index, Page page, ArenaVec<SlotNumber>& numbers) {
    numbers.clear();
    for (uint32 i = 0; i < index.layout.blocks_per_page; i++) {
        const IvfBlock* block = block_at(index, page, i);
        for (uint32 live = block->live; live != 0; live &= live - 1)
            numbers.push_back(block->vector[__builtin_ctz(live)]);
    }
}

// Asks the disk for a page that this backend has not seen in memory yet.
void ask_for(Search& s, BlockNumber block) {
    (void)s.reader.guess_or_ask(block);
}

// A list's slot; the pages that follow each other since the build are asked for.
IvfList begin_list(Search& s, uint32 list) {
    IvfList l;
    {
        pg::Pin pin{s.reader.pin(s.index.block_of_list(list), s.index.layout.lists)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        l = *list_at(s.index, pin.page(), list);
    }
    if (l.head == InvalidBlockNumber) return l;
    uint64 end = std::min<uint64>(static_cast<uint64>(l.head) + l.run, RelationGetNumberOfBlocks(s.index.rel));
    for (BlockNumber block = l.head; block < end; block++) ask_for(s, block);
    return l;
}

void scan_list(Search& s, const Probe& probe, const IvfList& list) {
    ArenaVec<SlotNumber>& numbers = s.numbers;
    ListTerms terms = s.index.has_bits() ? terms_of(s, probe, list) : ListTerms{};
    page::ChainGuard chain;
    for (BlockNumber block = list.head; block != InvalidBlockNumber;) {
        CHECK_FOR_INTERRUPTS();
        chain.step(s.index.rel, block, s.index.layout.entries);
        numbers.clear();
        {
            pg::Pin pin{s.reader.pin(block, s.index.layout.entries)};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            const IvfEntries* e = entries_of(s.index, pin.page());
            if (e->list != probe.list) {
                // On a standby a page may get another list while a scan is on its way to it (README.md).
                if (RecoveryInProgress()) return;
                page::report_corrupted(s.index.rel, block, "a page of another list");
            }
            if (s.index.has_bits()) {
                scan_bits(s, pin.page(), terms);
            } else {
                read_numbers(s.index, pin.page(), numbers);
            }
            block = e->next;
        }
        scan_vectors(s, numbers.data(), numbers.size());
    }
}

// ---- the second pass ---------------------------------------------------------------------------------

// What an estimate would be if it were exact.
float as_estimate(const Search& s, codec::Key key) { return s.index.inner_product() ? key : key * key; }

void prefetch_vector(Search& s, SlotNumber number) {
    const SlotShape& shape = s.index.layout.vectors;
    const char* page = s.reader.guess(shape.block(number));
    if (page == nullptr) return;
    const char* slot = page + page::kSlotAreaStart + shape.slot(number) * shape.slot_bytes;
    for (uint32 at = 0; at < shape.slot_bytes; at += 64) __builtin_prefetch(slot + at);
}

bool was_handed_out(const Search& s, const ItemPointerData& tid) {
    return std::binary_search(s.handed_out.begin(), s.handed_out.end(), number_of(tid));
}

void add_result(Search& s, double bound, float estimate, const ItemPointerData& tid) {
    if (!was_handed_out(s, tid)) s.results.push_back({bound, estimate, tid});
}

// A row's place among the nearest.
void rank_result(Search& s, double bound, float estimate, const ItemPointerData& tid) {
    add_result(s, bound, estimate, tid);
    s.best.push_back(estimate);
    std::push_heap(s.best.begin(), s.best.end());
    if (s.best.size() > s.hand_out) {
        std::pop_heap(s.best.begin(), s.best.end());
        s.best.pop_back();
    }
}

// Scores a candidate by its finer code.
void look_closely(Search& s, const Candidate& c) {
    const SlotShape& shape = s.index.layout.vectors;
    pg::Pin pin{s.reader.pin(shape.block(c.vector), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(c.vector));
    if (vector->flags == 0) return;  // removed since its entry was read
    const uint8* code = code_of(vector);
    codec::Key key;
    s.index.codec->score(s.query, &code, 1, &key);
    s.counts.scored++;
    float bound = s.index.codec->lower_bound(s.query, key, s.index.codec->slack(s.query, code));
    rank_result(s, bound, as_estimate(s, key), vector->tid);
}

// Looks a candidate's row up in the table.
void look_up(Search& s, const Candidate& c) {
    const SlotShape& shape = s.index.layout.vectors;
    ItemPointerData tid;
    {
        pg::Pin pin{s.reader.pin(shape.block(c.vector), shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        const IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(c.vector));
        if (vector->flags == 0) return;
        tid = vector->tid;
    }
    double distance;
    if (!s.rerank->distance(tid, &distance)) return;
    bool cosine = s.index.metric() == codec::Metric::cosine;
    double estimate = cosine ? 2 * distance : s.index.inner_product() ? distance : distance * distance;
    rank_result(s, distance, static_cast<float>(estimate), tid);
}

// In the order of what candidates hardly lie below; those that cannot be among the rows handed out any more are left.
void second_pass(Search& s) {
    constexpr size_t kAhead = 4;
    std::sort(s.candidates.begin(), s.candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.bound < b.bound; });
    s.best.clear();
    for (const Candidate& c : s.candidates) ask_for(s, s.index.layout.vectors.block(c.vector));
    for (size_t i = 0; i < s.candidates.size(); i++) {
        const Candidate& c = s.candidates[i];
        if (s.truncated && s.best.size() == s.hand_out && c.bound > s.best[0]) break;
        if ((i & 0x3F) == 0) CHECK_FOR_INTERRUPTS();
        if (s.rerank == nullptr && i + kAhead < s.candidates.size())
            prefetch_vector(s, s.candidates[i + kAhead].vector);
        if (s.rerank != nullptr) {
            look_up(s, c);
        } else {
            look_closely(s, c);
        }
    }
}

// ---- batches -----------------------------------------------------------------------------------------

// How many of the sorted results are handed out now: those that hardly any row that was cut off, or is in further
// lists, would come before.
size_t count_certain(const Search& s) {
    if (!s.truncated) {
        bool last = mode() == IterativeScan::relaxed_order || s.to == s.limit;
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
    s.candidates.clear();
    s.candidates.reserve(2 * s.keep);
    s.cutoff = HUGE_VALF;
    s.truncated = false;
    s.results.clear();
    s.next_result = 0;
    std::sort(s.handed_out.begin(), s.handed_out.end());
    IvfList next = begin_list(s, s.probes[s.from].list);
    for (size_t i = s.from; i < s.to; i++) {
        IvfList list = next;
        if (i + 1 < s.to) next = begin_list(s, s.probes[i + 1].list);
        scan_list(s, s.probes[i], list);
    }
    if (s.candidates.size() > s.keep) cut(s);
    if (s.index.has_bits()) {
        second_pass(s);
    } else {
        for (const Candidate& c : s.candidates) add_result(s, c.bound, c.estimate, c.tid);
    }
    std::sort(s.results.begin(), s.results.end(), [](const Result& a, const Result& b) {
        return a.bound != b.bound ? a.bound < b.bound : number_of(a.tid) < number_of(b.tid);
    });
    s.results.resize_uninitialized(count_certain(s));
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
    bool strict = mode() != IterativeScan::relaxed_order;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        if (s.next_result == s.results.size()) {
            if (!(s.by.every_row ? next_page_of_rows(s) : next_batch(s))) return nullptr;
            continue;
        }
        const Result& r = s.results[s.next_result++];
        if (s.by.every_row) return &r;
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
    s->by = index::read_order_by(scan, *s->index.codec, s->index.dim(), &s->code);
    if (s->by.every_row) return s;
    s->index.codec->prepare(s->code, s->index.dim(), &s->query);
    choose_probes(*s, s->by.elements);
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
    if (row == nullptr) return false;
    index::return_row(scan, row->tid, {s.index.codec->exact || s.rerank != nullptr, false}, s.by, row->bound);
    return true;
}

void end_scan(IndexScanDesc scan) { index::end_scan<Search>(scan); }

}  // namespace vext::ivf
