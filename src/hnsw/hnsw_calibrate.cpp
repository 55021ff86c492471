// How much a search of a given ef finds, measured on samples that are made of the index's own rows: what is found is
// compared with the nearest of all. docs/recall-target.md.
#include "hnsw/hnsw_calibrate.h"

#include <algorithm>

#include "codec/decode.h"
#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_pool.h"
#include "hnsw/hnsw_store.h"
#include "index/calibration.h"
#include "pg/block_stream.h"
#include "simd/kernels.h"

namespace vext::hnsw {

using format::HnswNode;
using index::kCalibratedRows;

namespace {

// Each 1.5 times the one before.
constexpr uint32 kWidths[format::kCalibrationSteps] = {10, 15, 23, 34, 51, 76, 114, 171, 256, 384, 577, 865};

// Queries are not rows, and may be of another kind (a line, where rows are whole descriptions). Of five samples two are
// rows, searched for as if they were not there; two lie between a row and another one, this part of the way to it, and
// one beyond a row, this part of the way from its nearest neighbour to it. Each kind alone misses from half to twice as
// many neighbours as queries do, and not the same one on all sets; so mixed, samples miss as many or a little more on all
// sets measured, with coarse and with fine graphs.
enum class Kind { row, between, beyond };
constexpr size_t kRound = 5;
constexpr Kind kKinds[kRound] = {Kind::row, Kind::row, Kind::between, Kind::between, Kind::beyond};
constexpr float kWayToOther = 0.39f, kWayBeyond = 0.8f;

// To look at all rows takes most of the time. Two of three samples are compared with what a wider search finds instead,
// the one of kReference; the third is compared with both, which says how much the wider search itself misses. (A control
// variate: the sum varies less than that third alone.)
constexpr size_t kExactEach = 3;
constexpr int kReference = 7;

struct Sample {
    SlotNumber node;  // that it is and must not find; kNoSlot: none
    const uint8* code;
    bool exact;  // compared with all rows: then what follows is known
    codec::Query query;
    ArenaVec<uint64> table;  // of the query
    codec::Key nearest[kCalibratedRows];  // ascending
    size_t known;
};

// The nearest that a search has found at each width.
struct Course {
    codec::Key nearest[format::kCalibrationSteps][kCalibratedRows];
    size_t known[format::kCalibrationSteps];

    size_t count(int step, codec::Key farthest) const {
        const codec::Key* keys = nearest[step];
        return static_cast<size_t>(std::upper_bound(keys, keys + known[step], farthest) - keys);
    }
};

struct Sums {
    uint64 found[format::kCalibrationSteps], all;
    void add(const Course& course, codec::Key farthest, size_t of) {
        for (int step = 0; step < format::kCalibrationSteps; step++) found[step] += course.count(step, farthest);
        all += of;
    }
    double share(int step) const { return static_cast<double>(found[step]) / static_cast<double>(all); }
};

bool can_mix(const codec::Codec& c) {
    bool decodes = c.id == codec::CodecId::sq8 || c.id == codec::CodecId::none;
    return decodes && (c.element == codec::Element::f32 || c.element == codec::Element::f16);
}

// The nodes seen by a search for a node that it must not find. Its neighbours lead to each other less well than if it
// had never been there, so what is measured is rather too low than too high.
class SeenWithout : public NodeSet<ArenaVec> {
public:
    explicit SeenWithout(MemoryContext context) : NodeSet(context) {}
    void hide(SlotNumber node) { hidden_ = node; }
    void reset(size_t expected) {
        NodeSet::reset(expected);
        if (hidden_ != format::kNoSlot) insert(hidden_);
    }

private:
    SlotNumber hidden_ = format::kNoSlot;
};

// use(page copy, slots of its live nodes, how many, block) for each page of nodes. No lock is held meanwhile.
template <typename Use>
void each_page(const HnswIndex& index, BufferAccessStrategy strategy, Use use) {
    const SlotShape& shape = index.layout.nodes;
    PGAlignedBlock copy;
    uint32 live[BLCKSZ / format::kGranule];
    pg::BlockPass pass{index.rel, format::kHnswMetaBlock + 1, strategy};
    for (Buffer buffer; (buffer = pass.next()) != InvalidBuffer;) {
        CHECK_FOR_INTERRUPTS();
        BlockNumber block = BufferGetBlockNumber(buffer);
        {
            pg::Pin pin{buffer};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            if (PageIsNew(pin.page()) || !page::has_kind(pin.page(), shape.kind)) continue;
            page::check_page(index.rel, block, pin.page(), shape);
            memcpy(copy.data, pin.page(), BLCKSZ);
        }
        size_t n = 0;
        for (uint32 i = page::first_entry(shape); i < shape.per_page; i = page::next_entry(copy.data, shape, i)) {
            if (is_live(node_at(index, copy.data, i)) && has_whole_node(index, copy.data, i)) live[n++] = i;
        }
        use(copy.data, live, n, block);
    }
    pass.end();
}

class Calibrator {
public:
    Calibrator(const HnswIndex& index, size_t samples, MemoryContext context)
        : index_(index), context_(context), store_(index, context), pool_(context), seen_(context), samples_(context),
          wanted_(samples) {}

    format::Calibration run() {
        format::Calibration c{};
        BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
        count(strategy, &c);
        if (c.rows <= kCalibratedRows) return c;
        take_samples(strategy, static_cast<uint64>(c.rows));
        find_nearest(strategy);
        measure(&c);
        return c;
    }

private:
    void count(BufferAccessStrategy strategy, format::Calibration* c) {
        each_page(index_, strategy, [&](Page page, const uint32*, size_t n, BlockNumber) {
            c->rows += static_cast<double>(n);
            c->lives += lives_on(index_, page);
        });
    }

    // Evenly over the file, in which neighbours are beside each other.
    void take_samples(BufferAccessStrategy strategy, uint64 nodes) {
        uint64 wanted = std::min<uint64>(wanted_, nodes), at = 0;
        EntryPoint entry = read_entry(index_.rel);
        each_page(index_, strategy, [&](Page page, const uint32* live, size_t n, BlockNumber block) {
            for (size_t i = 0; i < n; i++, at++) {
                SlotNumber number = index_.layout.nodes.number(block, live[i]);
                bool due = at * wanted / nodes != (at + 1) * wanted / nodes;
                if (due && number != entry.node) add_sample(number, code_at(index_, node_at(index_, page, live[i])));
            }
        });
        if (can_mix(*index_.codec)) vary_samples();
        for (size_t i = 0; i < samples_.size(); i += kExactEach) {
            Sample& s = samples_[i];
            s.exact = true;
            prepare_query(*index_.codec, s.code, index_.dim(), &s.query, s.table);
        }
    }

    void add_sample(SlotNumber number, const uint8* code) {
        auto* copy = static_cast<uint8*>(MemoryContextAlloc(context_, index_.layout.code_bytes));
        memcpy(copy, code, index_.code_size(code));
        samples_.push_back({number, copy, false, {}, ArenaVec<uint64>{context_}, {}, 0});
    }

    void vary_samples() {
        auto* neighbour = static_cast<uint8*>(MemoryContextAlloc(context_, index_.layout.code_bytes));
        bool distances = index_.codec->metric != codec::Metric::inner_product;
        size_t n = samples_.size();
        for (size_t i = 0; i < n; i++) {
            Sample& s = samples_[i];
            Kind kind = kKinds[i % kRound];
            if (kind == Kind::between) {
                // A sample that stays a row, from the other half of the file: neighbours are beside each other there.
                mix(s, samples_[(i + n / 2) % n / kRound * kRound].code, kWayToOther);
            } else if (kind == Kind::beyond && distances && nearest_linked(s, neighbour)) {
                mix(s, neighbour, -kWayBeyond);
            }
        }
    }

    // The code of the nearest node that a sample's node is linked to.
    bool nearest_linked(const Sample& s, uint8* code) {
        SlotNumber links[kMaxLinks];
        size_t n = store_.links(s.node, 0, links);
        store_.set_query(s.code, *index_.codec);
        bool known = false;
        codec::Key least{};
        for (size_t i = 0; i < n; i++) {
            store_.read_code(links[i], [&](const HnswNode*, const uint8* other) {
                codec::Key key = store_.key_of(other);
                if (known && !(key < least)) return;
                known = true;
                least = key;
                memcpy(code, other, index_.code_size(other));
            });
        }
        return known;
    }

    // Moves a sample towards another code.
    void mix(Sample& s, const uint8* other, float way) {
        uint32 dim = index_.dim();
        const codec::Codec& c = *index_.codec;
        auto* a = static_cast<float*>(palloc(3 * dim * sizeof(float)));
        float *b = a + dim, *scratch = b + dim;
        codec::decode(c, s.code, dim, a);
        codec::decode(c, other, dim, b);
        for (uint32 i = 0; i < dim; i++) a[i] += way * (b[i] - a[i]);
        if (c.element == codec::Element::f16) simd::active->f32_to_f16(a, dim, reinterpret_cast<Half*>(b));
        auto* code = static_cast<uint8*>(MemoryContextAllocZero(context_, index_.layout.code_bytes));
        if (c.encode(c.element == codec::Element::f16 ? b : a, dim, scratch, code)) {
            s.code = code;
            s.node = format::kNoSlot;
        }
        pfree(a);
    }

    // By their codes, as a search compares them.
    void find_nearest(BufferAccessStrategy strategy) {
        each_page(index_, strategy, [&](Page page, const uint32* live, size_t n, BlockNumber block) {
            const uint8* codes[BLCKSZ / format::kGranule];
            codec::Key keys[BLCKSZ / format::kGranule];
            for (size_t i = 0; i < n; i++) codes[i] = code_at(index_, node_at(index_, page, live[i]));
            for (Sample& s : samples_.span()) {
                if (!s.exact) continue;
                index_.codec->score(s.query, codes, n, keys);
                for (size_t i = 0; i < n; i++) {
                    if (index_.layout.nodes.number(block, live[i]) != s.node) offer(s, keys[i]);
                }
            }
        });
    }

    static void offer(Sample& s, codec::Key key) {
        if (s.known == kCalibratedRows && !(key < s.nearest[s.known - 1])) return;
        size_t at = s.known < kCalibratedRows ? s.known++ : s.known - 1;
        for (; at > 0 && key < s.nearest[at - 1]; at--) s.nearest[at] = s.nearest[at - 1];
        s.nearest[at] = key;
    }

    void measure(format::Calibration* c) {
        EntryPoint entry = read_entry(index_.rel);
        if (entry.node == format::kNoSlot || samples_.empty()) return;
        Sums exact{}, reference_of_exact{}, reference{};
        auto* course = static_cast<Course*>(palloc(sizeof(Course)));
        for (const Sample& s : samples_.span()) {
            CHECK_FOR_INTERRUPTS();
            search(s, entry, course);
            size_t known = course->known[kReference];
            if (known == 0) continue;
            codec::Key farthest = course->nearest[kReference][known - 1];
            reference.add(*course, farthest, known);
            if (!s.exact) continue;
            reference_of_exact.add(*course, farthest, known);
            exact.add(*course, s.nearest[s.known - 1], s.known);
        }
        if (exact.all == 0) return;
        c->samples = static_cast<uint32>(samples_.size());
        for (int step = 0; step < format::kCalibrationSteps; step++) {
            double recall = exact.share(step), least = step == 0 ? 0 : c->step[step - 1].recall;
            if (step < kReference) recall += reference.share(step) - reference_of_exact.share(step);
            c->step[step] = {kWidths[step], static_cast<float>(std::clamp(recall, least, 1.0))};
            c->steps++;
            if (exact.found[step] == exact.all) break;
        }
    }

    // A beam that grows step by step is at each step what a search of that ef would be.
    void search(const Sample& s, const EntryPoint& entry, Course* course) {
        constexpr size_t rest = kWidths[format::kCalibrationSteps - 1] - kWidths[0];
        store_.set_query(s.code, *index_.codec);
        seen_.hide(s.node);
        search_from_top(store_, entry.node, entry.level, kWidths[0], rest, pool_, seen_);
        bool all = false;
        for (int step = 0; step < format::kCalibrationSteps; step++) {
            if (step > 0 && !all && (s.exact || step <= kReference)) {
                pool_.widen(kWidths[step]);
                search_layer(store_, 0, pool_, seen_);
            }
            size_t n = std::min(kCalibratedRows, pool_.size());
            for (size_t i = 0; i < n; i++) course->nearest[step][i] = pool_[i].key;
            course->known[step] = n;
            all = s.exact && n > 0 && n == s.known && !(s.nearest[n - 1] < pool_[n - 1].key);
        }
    }

    const HnswIndex& index_;
    MemoryContext context_;
    HnswStore store_;
    Pool<ArenaVec> pool_;
    SeenWithout seen_;
    ArenaVec<Sample> samples_;
    size_t wanted_;
};

}  // namespace

size_t ef_for(const HnswIndex& index, double target) {
    double misses = can_mix(*index.codec) ? 1 : 1 / index::kFewerMissesOfRows;
    return index::width_for(index.meta.calibration, 1 - misses * (1 - target));
}

uint64 lives_on(const HnswIndex& index, Page page) {
    const SlotShape& shape = index.layout.nodes;
    if (shape.runs) return 0;
    uint64 lives = 0;
    for (uint32 i = 0; i < shape.per_page; i++) lives += node_at(index, page, i)->generation;
    return lives;
}

void calibrate(const HnswIndex& index) {
    pg::ScratchContext scratch{"hnsw calibration"};
    auto samples = static_cast<size_t>(settings.calibration_samples);
    auto* calibrator = new (palloc(sizeof(Calibrator))) Calibrator(index, samples, scratch.context());
    format::Calibration measured = calibrator->run();
    index::store_calibration<format::HnswMeta>(index.rel, index.logged, measured);
}

}  // namespace vext::hnsw
