// How much a search of a given ef finds, measured on samples that are made of the index's own rows: what is found is
// compared with the nearest of all. docs/recall-target.md.
#include "hnsw/hnsw_calibrate.h"

#include <algorithm>

#include "codec/decode.h"
#include "hnsw/hnsw_am.h"
#include "hnsw/hnsw_calibrate_samples.h"
#include "hnsw/hnsw_store.h"
#include "simd/kernels.h"

namespace vext::hnsw {

using format::HnswNode;

namespace {

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

bool can_mix(const codec::Codec& c) {
    bool decodes = c.id == codec::CodecId::sq8 || c.id == codec::CodecId::none;
    return decodes && (c.element == codec::Element::f32 || c.element == codec::Element::f16);
}

class Calibrator {
public:
    Calibrator(const HnswIndex& index, size_t samples, MemoryContext context)
        : index_(index), context_(context), blocks_(RelationGetNumberOfBlocks(index.rel)),
          strategy_(GetAccessStrategy(BAS_BULKREAD)), store_(index, context), samples_(context), wanted_(samples) {}

    // False: there is nothing to measure.
    bool run(const CalibrationHelp& help, format::Calibration* c, float* growth) {
        count(c);
        if (c->rows <= kCalibratedRows) return false;
        EntryPoint entry = read_entry(index_.rel);
        take_samples(static_cast<uint64>(c->rows), entry);
        if (samples_.empty() || entry.node == format::kNoSlot) return false;
        FoundBySamples found = search_samples(index_, entry, samples_.span(), blocks_, help);
        draw_curve(found, c);
        *growth = found.growth.mean();
        return true;
    }

private:
    template <typename Use>
    void each_page(Use use) {
        hnsw::each_page(index_, format::kHnswMetaBlock + 1, blocks_, strategy_, use);
    }

    void count(format::Calibration* c) {
        each_page([&](Page page, const uint32*, size_t n, BlockNumber) {
            c->rows += static_cast<double>(n);
            c->lives += lives_on(index_, page);
        });
    }

    // Evenly over the file, in which neighbours are beside each other.
    void take_samples(uint64 nodes, const EntryPoint& entry) {
        uint64 wanted = std::min<uint64>(wanted_, nodes), at = 0;
        each_page([&](Page page, const uint32* live, size_t n, BlockNumber block) {
            for (size_t i = 0; i < n; i++, at++) {
                SlotNumber number = index_.layout.nodes.number(block, live[i]);
                bool due = at * wanted / nodes != (at + 1) * wanted / nodes;
                if (due && number != entry.node) add_sample(number, code_at(index_, node_at(index_, page, live[i])));
            }
        });
        if (can_mix(*index_.codec)) vary_samples();
        for (size_t i = 0; i < samples_.size(); i += kExactEach) samples_[i].exact = true;
    }

    void add_sample(SlotNumber number, const uint8* code) {
        auto* copy = static_cast<uint8*>(MemoryContextAlloc(context_, index_.layout.code_bytes));
        memcpy(copy, code, index_.code_size(code));
        samples_.push_back({number, copy, false});
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
        size_t n = store_.read_links(s.node, 0, links);
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

    void draw_curve(const FoundBySamples& found, format::Calibration* c) {
        const FoundCounts &exact = found.exact, &reference = found.reference;
        if (exact.all == 0) return;
        c->samples = static_cast<uint32>(samples_.size());
        for (int step = 0; step < format::kCalibrationSteps; step++) {
            double recall = exact.share(step), least = step == 0 ? 0 : c->step[step - 1].recall;
            if (step < kReference) recall += reference.share(step) - found.reference_of_exact.share(step);
            c->step[step] = {kWidths[step], static_cast<float>(std::clamp(recall, least, 1.0))};
            c->steps++;
            if (exact.found[step] == exact.all) break;
        }
    }

    const HnswIndex& index_;
    MemoryContext context_;
    BlockNumber blocks_;
    BufferAccessStrategy strategy_;
    HnswStore store_;
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

bool calibrate(const HnswIndex& index, const CalibrationHelp& help) {
    pg::ScratchContext scratch{"hnsw calibration"};
    auto samples = static_cast<size_t>(settings.calibration_samples);
    auto* calibrator = new (palloc(sizeof(Calibrator))) Calibrator(index, samples, scratch.context());
    format::Calibration measured{};
    float growth = 0;
    bool searched = calibrator->run(help, &measured, &growth);
    index::store_calibration<format::HnswMeta>(index.rel, index.logged, [&](format::HnswMeta* meta) {
        meta->calibration = measured;
        meta->growth = growth;
    });
    return searched && help.log;
}

}  // namespace vext::hnsw
