// k-means over coded points: seeding as k-means++ (Arthur and Vassilvitskii 2007), Lloyd's iterations, empty clusters
// repaired, in two levels where there are many clusters. The same points give the same centroids. No Postgres here.
//
// Only the seeding compares every point with every centre. An iteration looks for a point's next centre among the
// neighbours of its present one: the centres move little, and that is where the next one is.
#pragma once

#include "base/hash.h"
#include "ivf/ivf_space.h"

namespace vext::ivf {

struct KMeansOptions {
    int iterations = 10;
    double enough = 2e-3;  // stop when an iteration gains a smaller share of the cost
    size_t neighbours = 24;
    size_t two_levels = 2000;  // from so many clusters on
    uint64_t seed = 0x6B6D65616E73;
};

// Step: called as step(share done, 0 to 1) often enough for interrupts.
template <template <typename> class Vec, typename Source, typename Step>
class KMeans {
public:
    KMeans(Source source, const Space& space, const KMeansOptions& options, Step step)
        : source_(source), space_(space), options_(options), step_(step), nearest_(source, space), codes_(source),
          sums_(source), scratch_(source), counts_(source), assigned_(source), distance_(source), neighbours_(source),
          ranked_(source) {
        scratch_.resize(space.dim);
    }

    // Clusters n points into at most k; gives how many there are (fewer where fewer points differ).
    size_t run(const uint8_t* const* points, size_t n, size_t k) {
        k = std::min(k, n);
        if (k >= options_.two_levels) return run_in_two_levels(points, n, k);
        seed(points, n, k);
        lloyd(points, n, options_.iterations);
        return size();
    }

    size_t size() const { return codes_.size() / space_.stride(); }
    const uint8_t* code(size_t i) const { return codes_.data() + i * space_.stride(); }
    double cost() const { return cost_; }  // of the last assignment, sum over the points
    size_t clusters_of(size_t i) const { return counts_[i]; }

    // Bytes that a run takes besides the points.
    static size_t memory(const Space& space, size_t n, size_t k) {
        return n * (sizeof(uint32_t) + sizeof(float)) +
               k * (2 * space.stride() + space.dim * sizeof(float) + 32 + 24 * sizeof(uint32_t));
    }

private:
    struct Ranked {
        codec::Key key;
        uint32_t centre;
    };
    static bool nearer(const Ranked& a, const Ranked& b) {
        return a.key != b.key ? a.key < b.key : a.centre < b.centre;
    }
    static constexpr size_t kKeys = 256;
    using ArrayOfKeys = codec::Key[kKeys];

    // Each next centre is a point drawn with a probability proportional to its cost so far.
    void seed(const uint8_t* const* points, size_t n, size_t k) {
        size_t stride = space_.stride();
        codes_.clear();
        codes_.reserve(k * stride);
        distance_.clear();
        distance_.resize(n, HUGE_VALF);
        assigned_.resize(n);
        add_centre(points[mix64(options_.seed) % n]);
        ArrayOfKeys keys;
        for (size_t c = 0;; c++) {
            codec::Query query;
            space_.codec->prepare(code(c), space_.dim, &query);
            double total = 0;
            for (size_t from = 0; from < n; from += kKeys) {
                size_t batch = std::min(kKeys, n - from);
                space_.codec->score(query, points + from, batch, keys);
                for (size_t i = 0; i < batch; i++) {
                    float cost = static_cast<float>(space_.cost(keys[i]));
                    float& least = distance_[from + i];
                    if (cost < least) {
                        least = cost;
                        assigned_[from + i] = static_cast<uint32_t>(c);
                    }
                    total += least;
                }
            }
            progress(0.5 * static_cast<double>(c) / static_cast<double>(k));
            if (c + 1 == k || !(total > 0)) return;
            double left = unit_interval(mix64(options_.seed + c + 1)) * total;
            size_t chosen = n;
            for (size_t i = 0; i < n && left > 0; i++) {
                if (distance_[i] > 0) chosen = i;
                left -= distance_[i];
            }
            if (chosen == n) return;
            add_centre(points[chosen]);
        }
    }

    void add_centre(const uint8_t* point) {
        size_t at = codes_.size();
        codes_.resize_uninitialized(at + space_.stride());
        memcpy(codes_.data() + at, point, space_.stride());
    }

    // From the assignment of the seeding on.
    void lloyd(const uint8_t* const* points, size_t n, int iterations) {
        double before = HUGE_VAL;
        for (int iteration = 0; iteration < iterations; iteration++) {
            add_up(points, n);
            bool settled = cost_ >= before * (1 - options_.enough);
            before = cost_;
            bool repaired = move_centres(points, n, size());
            if ((settled && !repaired) || iteration + 1 == iterations) break;
            nearest_.set(codes_.data(), size());
            find_neighbours();
            double done = 0.5 + 0.5 * iteration / iterations;
            reassign(points, n, done);
        }
    }

    // Sums and counts of what each centre has got.
    void add_up(const uint8_t* const* points, size_t n) {
        counts_.clear();
        counts_.resize(size(), 0);
        sums_.clear();
        sums_.resize(size() * space_.dim, 0);
        cost_ = 0;
        for (size_t i = 0; i < n; i++) {
            cost_ += distance_[i];
            counts_[assigned_[i]]++;
            codec::decode(*space_.codec, points[i], space_.dim, scratch_.data());
            float* sum = &sums_[assigned_[i] * space_.dim];
            for (uint32_t d = 0; d < space_.dim; d++) sum[d] += scratch_[d];
        }
    }

    // The centre itself comes first.
    void find_neighbours() {
        size_t k = size(), wanted = std::min(options_.neighbours, k);
        neighbours_.resize_uninitialized(k * wanted);
        ranked_.resize_uninitialized(k);
        ArrayOfKeys keys;
        for (size_t c = 0; c < k; c++) {
            codec::Query query;
            space_.codec->prepare(code(c), space_.dim, &query);
            for (size_t from = 0; from < k; from += kKeys) {
                size_t batch = std::min(kKeys, k - from);
                const uint8_t* codes[kKeys];
                for (size_t i = 0; i < batch; i++) codes[i] = code(from + i);
                space_.codec->score(query, codes, batch, keys);
                for (size_t i = 0; i < batch; i++) ranked_[from + i] = {keys[i], static_cast<uint32_t>(from + i)};
            }
            ranked_[c].key = -HUGE_VALF;
            std::nth_element(ranked_.begin(), ranked_.begin() + (wanted - 1), ranked_.end(), nearer);
            std::iter_swap(ranked_.begin(), std::min_element(ranked_.begin(), ranked_.begin() + wanted, nearer));
            for (size_t i = 0; i < wanted; i++) neighbours_[c * wanted + i] = ranked_[i].centre;
            if ((c & 0xF) == 0) progress(0.5);
        }
    }

    void reassign(const uint8_t* const* points, size_t n, double done) {
        size_t wanted = std::min(options_.neighbours, size());
        for (size_t i = 0; i < n; i++) {
            double cost;
            assigned_[i] = nearest_.find_among(points[i], &neighbours_[assigned_[i] * wanted], wanted, &cost);
            distance_[i] = static_cast<float>(cost);
            if ((i & 0xFF) == 0) progress(done);
        }
    }

    // Each point's nearest centre among all.
    void assign(const uint8_t* const* points, size_t n) {
        nearest_.set(codes_.data(), size());
        assigned_.resize(n);
        distance_.resize(n);
        for (size_t i = 0; i < n; i++) {
            double cost;
            assigned_[i] = nearest_.find(points[i], &cost);
            distance_[i] = static_cast<float>(cost);
            if ((i & 0xFF) == 0) progress(1);
        }
    }

    // True when an empty cluster had to be filled: with the point that is farthest from its centre.
    bool move_centres(const uint8_t* const* points, size_t n, size_t k) {
        bool repaired = false;
        for (size_t c = 0; c < k; c++) {
            uint8_t* code = codes_.data() + c * space_.stride();
            if (counts_[c] > 0) {
                space_.centre(&sums_[c * space_.dim], static_cast<double>(counts_[c]), code);
                continue;
            }
            size_t farthest =
                static_cast<size_t>(std::max_element(distance_.begin(), distance_.begin() + n) - distance_.begin());
            if (!(distance_[farthest] > 0)) continue;
            distance_[farthest] = 0;
            assigned_[farthest] = static_cast<uint32_t>(c);
            memcpy(code, points[farthest], space_.stride());
            repaired = true;
        }
        return repaired;
    }

    // About sqrt(k) groups, each of them clustered by itself; then one iteration over all.
    size_t run_in_two_levels(const uint8_t* const* points, size_t n, size_t k) {
        auto groups = static_cast<size_t>(std::sqrt(static_cast<double>(k)));
        seed(points, n, groups);
        lloyd(points, n, options_.iterations);
        groups = size();
        Vec<uint32_t> group_of(source_);
        Vec<uint8_t> all(source_);
        Vec<const uint8_t*> members(source_);
        group_of.resize(n);
        std::copy(assigned_.begin(), assigned_.begin() + n, group_of.begin());
        Vec<uint64_t> sizes(source_);
        sizes.resize(groups);
        std::copy(counts_.begin(), counts_.end(), sizes.begin());
        // By the share of points, rounded so that the sum is k.
        size_t seen = 0, given = 0;
        for (size_t g = 0; g < groups; g++) {
            seen += sizes[g];
            size_t until = seen * k / n;
            size_t share = std::min<size_t>(std::max<size_t>(until - std::min(until, given), 1), sizes[g]);
            given += share;
            if (sizes[g] == 0) continue;
            members.clear();
            for (size_t i = 0; i < n; i++) {
                if (group_of[i] == g) members.push_back(points[i]);
            }
            seed(members.data(), members.size(), share);
            lloyd(members.data(), members.size(), options_.iterations);
            for (uint8_t byte : codes_) all.push_back(byte);
        }
        codes_.clear();
        for (uint8_t byte : all) codes_.push_back(byte);
        assign(points, n);
        lloyd(points, n, 2);
        return size();
    }

    void progress(double share) { step_(std::min(share, 1.0)); }

    Source source_;
    const Space& space_;
    KMeansOptions options_;
    Step step_;
    Nearest<Vec> nearest_;
    Vec<uint8_t> codes_;
    Vec<float> sums_, scratch_;
    Vec<uint64_t> counts_;
    Vec<uint32_t> assigned_;
    Vec<float> distance_;
    Vec<uint32_t> neighbours_;
    Vec<Ranked> ranked_;
    double cost_ = 0;
};

}  // namespace vext::ivf
