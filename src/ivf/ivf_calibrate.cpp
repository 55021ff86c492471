// How many lists must be scanned to find a share of the nearest rows, measured on rows of the index itself: for each of a
// sample of queries the nearest rows are found by looking at all, and their lists' places in the order in which the query
// would scan lists say at how many probes they are found. docs/recall-target.md.
#include "ivf/ivf_calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "base/half.h"
#include "base/hash.h"
#include "index/calibration.h"
#include "ivf/ivf_am.h"
#include "ivf/ivf_nearest.h"
#include "pg/arena.h"

namespace vext::ivf {

using index::kCalibratedRows;

namespace {

constexpr uint64 kSeed = 0x63616C6962726174;
// Queries lie where rows are few, and may be of another kind (a line, where rows are whole descriptions). A sample is a row
// moved away from a neighbour, so far that on all sets measured it takes about the same number of lists to find as much for
// samples as for queries, once what samples miss is divided by kMoreMisses. (Rows themselves find their nearest in half as
// many lists as queries of debian-packages-384, and in as many as those of the synthetic sets.)
constexpr float kAway = 3.5f;
constexpr double kMoreMisses = 2.15;
// The neighbour is the nearest of so many rows of the list, however many there are to a page.
constexpr size_t kOthers = 16;
// Of all but small indexes only every sixth row is looked at, and the nearest of these stands for the ten nearest of all:
// more queries say more than more neighbours of each.
constexpr double kSmall = 3000;
constexpr uint32 kEach = 6;
// Where rows cannot be compared by matrix products (l1).
constexpr size_t kFewerSamples = 4;
constexpr size_t kLeastSamples = 100;
// Shares of the nearest rows at which a step of the calibration is made.
constexpr double kShares[format::kCalibrationSteps] = {0.5,  0.7,  0.8,  0.85, 0.9,   0.925,
                                                       0.95, 0.97, 0.98, 0.99, 0.995, 1};

struct Neighbour {
    float distance;  // or a key
    SlotNumber row;
};

struct Sample {
    SlotNumber row;      // that it was made of, which it must not find
    const uint8* code;   // as codes of rows
    const uint8* place;  // as codes of centroids
    codec::Query query;  // where rows are compared one by one
    Neighbour nearest[kCalibratedRows];  // ascending
    size_t known;
};

class Calibrator {
public:
    Calibrator(const IvfIndex& index, MemoryContext context)
        : index_(index), context_(context), strategy_(GetAccessStrategy(BAS_BULKREAD)),
          blocks_(RelationGetNumberOfBlocks(index.rel)), samples_(context), by_rank_(context), limit_(context),
          nearest_(new (palloc(sizeof(Nearest))) Nearest) {
        auto metric = index.metric();
        const codec::Codec* sq8 = codec::find(codec::CodecId::sq8, index.space.element, metric);
        by_products_ = sq8 != nullptr && metric != codec::Metric::l1;
        by_ = by_products_ ? sq8 : index.codec;
        size_t floats = index.dim() * sizeof(float);
        for (float** p : {&floats_, &moved_, &scratch_}) *p = static_cast<float*>(palloc(floats));
        values_ = palloc(floats);
        stride_ = std::max(by_->bytes(index.dim()), index.space.stride());
        codes_ = static_cast<uint8*>(palloc0(Nearest::kPoints * stride_));
    }

    format::Calibration run(size_t wanted) {
        format::Calibration c{};
        c.rows = index_.meta.rows;
        large_ = index_.meta.rows > kSmall;
        if (!index_.has_codes()) return c;
        if (!by_products_ && index_.space.dense()) wanted /= kFewerSamples;
        take_samples(std::min(wanted, most_samples()));
        c.rows = find_nearest();
        read_centroids();
        if (c.rows <= kCalibratedRows || samples_.empty()) return c;
        rank_lists();
        draw_curve(&c);
        return c;
    }

private:
    // Calls use(page, its slots in use, how many) for a vectors page, under a share lock.
    template <typename Use>
    void look_at(BlockNumber block, Use use) {
        const SlotShape& shape = index_.layout.vectors;
        CHECK_FOR_INTERRUPTS();
        pg::Pin pin{ReadBufferExtended(index_.rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy_)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        if (PageIsNew(pin.page()) || !page::has_kind(pin.page(), PageKind::vectors)) return;
        page::check_page(index_.rel, block, pin.page(), shape);
        uint32 used[BLCKSZ / sizeof(IvfVector)];
        size_t n = 0;
        for (uint32 i = 0; i < shape.per_page; i++) {
            if (vector_at(index_, pin.page(), i)->flags != 0) used[n++] = i;
        }
        if (n > 0) use(pin.page(), used, n);
    }
    const uint8* code_at(Page page, uint32 slot) const { return code_of(vector_at(index_, page, slot)); }

    // ---- queries

    // As many as half of maintenance_work_mem holds: with their codes, as rows, as centroids and side by side in a table.
    size_t most_samples() const {
        size_t each = sizeof(Sample) + by_->bytes(index_.dim()) + 2 * index_.space.stride();
        return std::max<size_t>(static_cast<size_t>(maintenance_work_mem) * 1024 / 2 / each, kLeastSamples);
    }

    void take_samples(size_t wanted) {
        const SlotShape& shape = index_.layout.vectors;
        for (size_t i = 0; i < 4 * wanted && samples_.size() < wanted && blocks_ > 1; i++) {
            // Multiples of the golden section, modulo one: evenly over the file, in which rows of a list are beside each other.
            uint64 part = (kSeed + (i + 1) * 0x9E3779B97F4A7C15) >> 32;
            auto block = static_cast<BlockNumber>(1 + (part * (blocks_ - 1) >> 32));
            SlotNumber row = format::kNoSlot;
            look_at(block, [&](Page page, const uint32* used, size_t n) {
                uint32 slot = used[mix64(~kSeed - i) % n];
                row = shape.number(block, slot);
                if (index_.space.dense()) {
                    codec::decode(*index_.codec, code_at(page, slot), index_.dim(), moved_);
                } else {
                    add_sample(row, code_at(page, slot));
                }
            });
            if (row == format::kNoSlot || !index_.space.dense()) continue;
            move_away(block, row);
            add_sample(row, as_values(moved_));
        }
        if (samples_.empty()) return;
        if (!by_products_) {
            for (Sample& s : samples_.span()) by_->prepare(s.code, index_.dim(), &s.query);
            return;
        }
        place([&](Placer& memory) { table_.place(memory, samples_.size(), index_.dim()); });
        auto* codes = static_cast<uint8*>(allocate(samples_.size() * index_.space.stride()));
        size_t at = 0;
        for (Sample& s : samples_.span()) memcpy(codes + at++ * index_.space.stride(), s.code, index_.space.stride());
        table_.set(codes, index_.space.stride(), samples_.size(), index_.dim(), index_.inner_product());
        size_t padded = simd::packed_rows(samples_.size());
        limit_.resize(padded, HUGE_VALF);
        std::fill(limit_.begin(), limit_.begin() + static_cast<ptrdiff_t>(samples_.size()), -HUGE_VALF);
    }

    void add_sample(SlotNumber row, const void* values) {
        Sample s{};
        s.row = row;
        auto* code = static_cast<uint8*>(allocate(by_->bytes(index_.dim())));
        auto* place = static_cast<uint8*>(allocate(index_.space.stride()));
        if (!by_->encode(values, index_.dim(), scratch_, code)) return;
        index_.space.place(values, scratch_, place);
        s.code = code;
        s.place = place;
        samples_.push_back(s);
    }

    // From the nearest of some rows beside it, which are of the same list after a build.
    void move_away(BlockNumber block, SlotNumber row) {
        float least = HUGE_VALF;
        auto* neighbour = static_cast<float*>(values_);
        size_t seen = 0;
        BlockNumber end = std::min<BlockNumber>(blocks_, block + kOthers);
        for (BlockNumber b = block; b < end && seen < kOthers; b++) {
            look_at(b, [&](Page page, const uint32* used, size_t n) {
                for (size_t i = 0; i < n && seen < kOthers; i++) {
                    if (index_.layout.vectors.number(b, used[i]) == row) continue;
                    seen++;
                    codec::decode(*index_.codec, code_at(page, used[i]), index_.dim(), floats_);
                    float distance = simd::active->l2_sq_f32(moved_, floats_, index_.dim());
                    if (!(distance > 0 && distance < least)) continue;
                    least = distance;
                    memcpy(neighbour, floats_, index_.dim() * sizeof(float));
                }
            });
        }
        if (!(least < HUGE_VALF)) return;
        const float most = index_.space.element == codec::Element::f16 ? kMaxHalf : std::numeric_limits<float>::max();
        for (uint32 i = 0; i < index_.dim(); i++) {
            scratch_[i] = moved_[i] + kAway * (moved_[i] - neighbour[i]);
            if (!(std::fabs(scratch_[i]) <= most)) return;
        }
        std::swap(moved_, scratch_);
    }

    // Floats as values of the element type.
    const void* as_values(const float* floats) {
        if (index_.space.element == codec::Element::f32) return floats;
        simd::active->f32_to_f16(floats, index_.dim(), static_cast<Half*>(values_));
        return values_;
    }

    // ---- the nearest rows of each

    // Gives how many rows there are.
    double find_nearest() {
        double rows = 0;
        for (BlockNumber block = format::kIvfMetaBlock + 1; block < blocks_; block++) {
            look_at(block, [&](Page page, const uint32* used, size_t n) {
                rows += static_cast<double>(n);
                for (size_t i = 0; i < n; i++) {
                    SlotNumber number = index_.layout.vectors.number(block, used[i]);
                    if (!large_ || number % kEach == 0) hold(number, code_at(page, used[i]));
                }
            });
        }
        compare();
        return rows;
    }

    void hold(SlotNumber number, const uint8* code) {
        uint8* copy = codes_ + held_ * stride_;
        if (by_ == index_.codec) {
            memcpy(copy, code, stride_);
        } else if (!by_->encode(code, index_.dim(), scratch_, copy)) {
            return;
        }
        numbers_[held_++] = number;
        if (held_ == Nearest::kPoints) compare();
    }

    // Those that are held with all samples.
    void compare() {
        const uint8* codes[Nearest::kPoints];
        for (size_t i = 0; i < held_; i++) codes[i] = codes_ + i * stride_;
        size_t n = held_;
        held_ = 0;
        if (n == 0) return;
        if (by_products_) {
            compare_by_products(codes, n);
            return;
        }
        codec::Key keys[Nearest::kPoints];
        for (Sample& s : samples_.span()) {
            by_->score(s.query, codes, n, keys);
            for (size_t i = 0; i < n; i++) (void)offer(s, keys[i], numbers_[i]);
        }
    }

    void compare_by_products(const uint8* const* codes, size_t n) {
        float own[Nearest::kPoints];
        for (size_t i = 0; i < n; i++) {
            codec::AffineFactors f = codec::factors_of(codes[i]);
            own[i] = index_.inner_product() ? 0 : static_cast<float>(codec::AffineMatrix::norm_sq(f, index_.dim()));
        }
        table_.each_near(&limit_[0], samples_.size(), index_.dim(), {codes, own, n}, products_,
                         [&](size_t at, size_t i, float distance) {
                             if (!offer(samples_[at], distance, numbers_[i])) return;
                             limit_[at] = table_.base[at] - samples_[at].nearest[wanted() - 1].distance;
                         });
    }

    size_t wanted() const { return large_ ? 1 : kCalibratedRows; }

    // True when as many are known as are wanted, and this is one of them.
    bool offer(Sample& s, float distance, SlotNumber row) {
        if (row == s.row || (s.known == wanted() && !(distance < s.nearest[s.known - 1].distance))) return false;
        size_t at = s.known < wanted() ? s.known++ : s.known - 1;
        for (; at > 0 && distance < s.nearest[at - 1].distance; at--) s.nearest[at] = s.nearest[at - 1];
        s.nearest[at] = {distance, row};
        return s.known == wanted();
    }

    // ---- their lists

    void read_centroids() {
        const SlotShape& shape = index_.layout.centroids;
        size_t stride = index_.space.stride();
        centroids_ = static_cast<uint8*>(allocate(index_.meta.lists * stride));
        for (uint32 list = 0; list < index_.meta.lists;) {
            CHECK_FOR_INTERRUPTS();
            BlockNumber block = index_.block_of_centroid(list);
            pg::Pin pin{ReadBuffer(index_.rel, block)};
            page::check_page(index_.rel, block, pin.page(), shape);
            do {
                memcpy(centroids_ + list * stride, page::slot_at(pin.page(), shape, shape.slot(list)), stride);
            } while (++list < index_.meta.lists && index_.block_of_centroid(list) == block);
        }
        place([&](Placer& memory) { lists_.place(memory, index_.space, index_.meta.lists); });
        lists_.set(index_.space, centroids_, index_.meta.lists);
    }

    // Counts, for each place in the order of lists, the neighbours that are in the list there.
    void rank_lists() {
        by_rank_.resize(index_.meta.lists, 0);
        ArenaVec<codec::Key> keys{context_};
        keys.resize_uninitialized(index_.meta.lists);
        for (const Sample& s : samples_.span()) {
            CHECK_FOR_INTERRUPTS();
            score_lists(s, keys);
            uint32 list[kCalibratedRows];
            size_t n = find_lists(s, list);
            for (size_t i = 0; i < n; i++) {
                size_t rank = 0;
                for (uint32 other = 0; other < index_.meta.lists; other++) {
                    rank += keys[other] < keys[list[i]] || (keys[other] == keys[list[i]] && other < list[i]);
                }
                by_rank_[rank]++;
            }
        }
    }

    void score_lists(const Sample& s, ArenaVec<codec::Key>& keys) {
        constexpr size_t kBatch = 64;
        const uint8* codes[kBatch];
        codec::Query query;
        index_.space.codec->prepare(s.place, index_.dim(), &query);
        for (uint32 from = 0; from < index_.meta.lists; from += kBatch) {
            size_t n = std::min<size_t>(kBatch, index_.meta.lists - from);
            for (size_t i = 0; i < n; i++) codes[i] = centroids_ + (from + i) * index_.space.stride();
            index_.space.codec->score(query, codes, n, &keys[from]);
        }
    }

    // Of the neighbours that are still there: as if they were inserted now.
    size_t find_lists(const Sample& s, uint32* list) {
        const SlotShape& shape = index_.layout.vectors;
        const uint8* places[kCalibratedRows];
        size_t n = 0;
        for (size_t i = 0; i < s.known; i++) {
            BlockNumber block = shape.block(s.nearest[i].row);
            pg::Pin pin{ReadBuffer(index_.rel, block)};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            page::check_page(index_.rel, block, pin.page(), shape);
            IvfVector* vector = vector_at(index_, pin.page(), shape.slot(s.nearest[i].row));
            if (vector->flags == 0) continue;
            uint8* place = codes_ + n * stride_;
            const void* values = code_of(vector);
            if (index_.space.dense()) {
                codec::decode(*index_.codec, code_of(vector), index_.dim(), floats_);
                values = as_values(floats_);
            }
            index_.space.place(values, scratch_, place);
            places[n++] = place;
        }
        Found found[kCalibratedRows];
        nearest_->find(index_.space, lists_, places, n, found);
        for (size_t i = 0; i < n; i++) list[i] = found[i].centre;
        return n;
    }

    void draw_curve(format::Calibration* c) {
        uint64 all = 0, found = 0;
        for (uint64 n : by_rank_.span()) all += n;
        if (all == 0) return;
        c->samples = static_cast<uint32>(samples_.size());
        int reached = 0;
        for (uint32 rank = 0; reached < format::kCalibrationSteps; rank++) {
            found += by_rank_[rank];
            double recall = static_cast<double>(found) / static_cast<double>(all);
            if (recall < kShares[reached]) continue;
            c->step[c->steps++] = {rank + 1, static_cast<float>(recall)};
            while (reached < format::kCalibrationSteps && recall >= kShares[reached]) reached++;
        }
    }

    void* allocate(size_t bytes) { return MemoryContextAllocExtended(context_, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO); }

    template <typename Use>
    void place(Use use) {
        Placer size{nullptr};
        use(size);
        Placer memory = Placer::aligned(allocate(size.used() + Placer::kAlignment));
        use(memory);
    }

    const IvfIndex& index_;
    MemoryContext context_;
    BufferAccessStrategy strategy_;
    BlockNumber blocks_;
    const codec::Codec* by_;  // rows and queries are compared
    bool by_products_;        // many at a time
    bool large_ = false;
    ArenaVec<Sample> samples_;
    ArenaVec<uint64> by_rank_;
    codec::AffineMatrix table_{};  // of samples
    CentreTable lists_{};
    ArenaVec<float> limit_;  // of each sample: its `base` less the farthest that it knows
    uint8* centroids_ = nullptr;
    float *floats_, *moved_, *scratch_;
    void* values_;
    size_t stride_;
    uint8* codes_;  // of rows that are held
    SlotNumber numbers_[Nearest::kPoints];
    size_t held_ = 0;
    Nearest* nearest_;
    codec::AffineMatrix::Products products_;
};

}  // namespace

void calibrate(const IvfIndex& index, uint64 changes) {
    pg::ScratchContext scratch{"ivfflat calibration"};
    auto* calibrator = new (palloc(sizeof(Calibrator))) Calibrator(index, scratch.context());
    format::Calibration measured = calibrator->run(static_cast<size_t>(settings.calibration_samples));
    measured.lives = changes;
    index::store_calibration<format::IvfMeta>(index.rel, RelationNeedsWAL(index.rel),
                                              [&](format::IvfMeta* meta) { meta->calibration = measured; });
}

size_t probes_for(const IvfIndex& index, double target) {
    double misses = index.space.dense() ? kMoreMisses : 1 / index::kFewerMissesOfRows;
    return index::width_for(index.meta.calibration, 1 - misses * (1 - target));
}

}  // namespace vext::ivf
