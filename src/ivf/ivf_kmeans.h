// k-means over coded points: k-means++ seeding (Arthur and Vassilvitskii 2007), Lloyd's iterations, empty clusters
// repaired, in two levels where there are many clusters. The work is cut into pieces that any number of processes may
// do; the same points give the same centres, whoever does what. No Postgres here.
#pragma once

#include <new>

#include "base/hash.h"
#include "ivf/ivf_nearest.h"

namespace vext::ivf {

struct KMeansOptions {
    int iterations = 10;
    double enough = 2e-3;      // stop when an iteration gains a smaller share of the cost
    size_t two_levels = 2000;  // from so many clusters on
    uint64_t seed = 0x6B6D65616E73;
};

enum class KMeansTask : uint32_t {
    approach,  // points, to the last centres that were drawn
    assign,    // points, to the nearest of all centres
    move,      // centres, into the middle of their points
    divide,    // clusters, into clusters of their own
};

// The arrays of a run over n points and at most k centres. A view: they may lie in memory shared with other processes.
struct KMeansArrays {
    struct Header {
        uint32_t first;  // number of the table's first centre
        uint32_t groups;
    };

    size_t n, k;
    bool two_levels;
    const uint8_t* points;  // codes, one after the other
    Header* header;
    CentreTable table;
    uint8_t* codes;      // of the centres
    float* distance;     // of each point to its centre: what k-means adds up
    uint32_t* assigned;  // its centre
    uint32_t* members;   // points by centre
    uint32_t* starts;    // of a centre's members; one more than centres
    uint8_t* divided;    // in two levels: the codes of all groups
    uint32_t* shares;    // of a group in them: where it begins
    uint32_t* found;     // so many there are

    void place(Placer& memory, const Space& space, size_t points_n, size_t most, bool in_two_levels) {
        n = points_n;
        k = most;
        two_levels = in_two_levels;
        memory.next(header, 1);
        table.place(memory, space, k);
        memory.next(codes, k * space.stride());
        memory.next(distance, n);
        memory.next(assigned, n);
        memory.next(members, n);
        memory.next(starts, k + 1);
        memory.next(divided, two_levels ? k * space.stride() : 0);
        memory.next(shares, two_levels ? k + 1 : 0);
        memory.next(found, two_levels ? k : 0);
        table.codes = codes;
    }
};

// Team: run(task, pieces) has all pieces done by work(), here or elsewhere; progress(share done, 0 to 1) and check() are
// called often, for interrupts.
template <template <typename> class Vec, typename Source>
class KMeans {
public:
    KMeans(Source source, const Space& space, const KMeansOptions& options, const KMeansArrays& arrays)
        : source_(source), space_(space), options_(options), a_(arrays), sums_(source), scratch_(source),
          inner_memory_(source), inner_points_(source) {
        sums_.resize(space.dim);
        scratch_.resize(space.dim);
    }

    // Finds at most k centres (fewer where fewer points differ); gives how many. Only one process calls this.
    template <typename Team>
    size_t run(Team& team, size_t k) {
        k = std::min(k, a_.n);
        if (k == 0) return 0;
        if (a_.two_levels) {
            run_in_two_levels(team, k);
        } else {
            seed(team, k);
            lloyd(team, options_.iterations);
        }
        return size_;
    }

    // A team of one.
    struct Alone {
        KMeans& k;
        void* outer;
        void (*check_outer)(void*);
        void run(KMeansTask task, size_t pieces) {
            for (uint32_t piece = 0; piece < pieces; piece++) {
                check();
                k.work(task, piece, *this);
            }
        }
        void progress(double) {}
        void check() { check_outer(outer); }
    };

    double cost() const { return cost_; }  // of the last assignment, sum over the points

    // A piece of a task.
    template <typename Team>
    void work(KMeansTask task, uint32_t piece, Team& team) {
        switch (task) {
        case KMeansTask::approach:
        case KMeansTask::assign:
            compare_points(piece, task == KMeansTask::assign);
            break;
        case KMeansTask::move:
            move_centres(piece);
            break;
        case KMeansTask::divide:
            divide(piece, team);
            break;
        }
    }

private:
    static constexpr size_t kPoints = 768, kCentres = 16;  // of a piece
    static constexpr size_t kBatch = 64;                   // centres drawn between two looks at all points

    size_t point_pieces() const { return (a_.n + kPoints - 1) / kPoints; }
    const uint8_t* point(size_t i) const { return a_.points + i * space_.stride(); }
    uint8_t* code(size_t i) const { return a_.codes + i * space_.stride(); }

    void compare_points(size_t piece, bool all) {
        size_t end = std::min(a_.n, (piece + 1) * kPoints);
        const uint8_t* points[Nearest::kPoints];
        Found found[Nearest::kPoints];
        // `codes` is this process's own; the rest of the table is shared.
        a_.table.codes = code(a_.header->first);
        for (size_t from = piece * kPoints; from < end; from += Nearest::kPoints) {
            size_t n = std::min(Nearest::kPoints, end - from);
            for (size_t i = 0; i < n; i++) points[i] = point(from + i);
            nearest_.find(space_, a_.table, points, n, found);
            for (size_t i = 0; i < n; i++) {
                if (!all && !(found[i].cost < a_.distance[from + i])) continue;
                a_.distance[from + i] = found[i].cost;
                a_.assigned[from + i] = a_.header->first + found[i].centre;
            }
        }
    }

    template <typename Team>
    void compare(Team& team, size_t first, bool all) {
        a_.header->first = static_cast<uint32_t>(first);
        a_.table.set(space_, code(first), size_ - first);
        team.run(all ? KMeansTask::assign : KMeansTask::approach, point_pieces());
    }

    // ---- seeding: each next centre is a point drawn with a probability proportional to its cost so far. Centres are
    // drawn in batches by the costs before the batch; those drawn too often, since one of the batch is near, are
    // rejected in that proportion, which gives the same probabilities (Cohen-Addad et al. 2020).

    template <typename Team>
    void seed(Team& team, size_t k) {
        std::fill(a_.distance, a_.distance + a_.n, HUGE_VALF);
        draws_ = 0;
        size_ = 0;
        add_centre(draw() % a_.n);
        for (size_t first = 0;; first = size_ - drawn_) {
            compare(team, first, false);
            team.progress(0.4 * static_cast<double>(size_) / static_cast<double>(k));
            if (size_ == k || !draw_batch(k)) return;
        }
    }

    uint64_t draw() { return mix64(options_.seed + draws_++); }

    void add_centre(size_t i) { memcpy(code(size_++), point(i), space_.stride()); }

    // False when every point is a centre.
    bool draw_batch(size_t k) {
        double sums[kSections + 1] = {0};
        size_t section = a_.n / kSections + 1;
        for (size_t i = 0; i < a_.n; i++) sums[i / section + 1] += a_.distance[i];
        for (size_t s = 0; s < kSections; s++) sums[s + 1] += sums[s];
        if (!(sums[kSections] > 0)) return false;
        drawn_ = 0;
        for (size_t tries = 0; tries < 2 * kBatch && drawn_ < kBatch && size_ < k; tries++) {
            double left = unit_interval(draw()) * sums[kSections];
            size_t s = static_cast<size_t>(std::lower_bound(sums + 1, sums + kSections, left) - sums) - 1;
            left -= sums[s];
            size_t chosen = a_.n;
            for (size_t i = s * section; i < a_.n && (left > 0 || chosen == a_.n); i++) {
                if (a_.distance[i] > 0) chosen = i;
                left -= a_.distance[i];
            }
            if (chosen == a_.n) continue;
            if (unit_interval(draw()) * a_.distance[chosen] > distance_to_batch(chosen)) continue;
            add_centre(chosen);
            drawn_++;
        }
        return drawn_ > 0;
    }

    // To the nearest centre drawn since the last look at all points.
    double distance_to_batch(size_t i) const {
        if (drawn_ == 0) return HUGE_VAL;
        const uint8_t* codes[kBatch];
        codec::Key keys[kBatch];
        for (size_t c = 0; c < drawn_; c++) codes[c] = code(size_ - drawn_ + c);
        codec::Query query;
        space_.codec->prepare(point(i), space_.dim, &query);
        space_.codec->score(query, codes, drawn_, keys);
        return space_.cost(*std::min_element(keys, keys + drawn_));
    }

    // ---- Lloyd's iterations, from an assignment on

    template <typename Team>
    void lloyd(Team& team, int iterations) {
        double before = HUGE_VAL;
        for (int iteration = 0;; iteration++) {
            cost_ = 0;
            for (size_t i = 0; i < a_.n; i++) cost_ += a_.distance[i];
            bool settled = cost_ >= before * (1 - options_.enough);
            before = cost_;
            group_points();
            team.run(KMeansTask::move, (size_ + kCentres - 1) / kCentres);
            bool repaired = fill_empty();
            if ((settled && !repaired) || iteration + 1 >= iterations) return;
            team.progress(0.4 + 0.6 * iteration / iterations);
            compare(team, 0, true);
        }
    }

    // Points by centre, in their order.
    void group_points() {
        uint32_t* starts = a_.starts;
        std::fill(starts, starts + size_ + 1, 0u);
        for (size_t i = 0; i < a_.n; i++) starts[a_.assigned[i] + 1]++;
        for (size_t c = 0; c < size_; c++) starts[c + 1] += starts[c];
        for (size_t i = 0; i < a_.n; i++) a_.members[starts[a_.assigned[i]]++] = static_cast<uint32_t>(i);
        for (size_t c = size_; c > 0; c--) starts[c] = starts[c - 1];
        starts[0] = 0;
    }

    void move_centres(size_t piece) {
        // The number of centres is that of the table: what is compared next.
        size_t end = std::min<size_t>(a_.header->first + *a_.table.count, (piece + 1) * kCentres);
        for (size_t c = piece * kCentres; c < end; c++) {
            const uint32_t *begin = a_.members + a_.starts[c], *after = a_.members + a_.starts[c + 1];
            if (begin == after) continue;
            float *sums = sums_.data(), *position = scratch_.data();
            const uint32_t dim = space_.dim;
            std::fill(sums, sums + dim, 0.0f);
            for (const uint32_t* i = begin; i < after; i++) {
                codec::decode(*space_.codec, point(*i), dim, position);
                for (uint32_t d = 0; d < dim; d++) sums[d] += position[d];
            }
            space_.centre(sums, static_cast<double>(after - begin), code(c));
        }
    }

    // An empty cluster gets the point that is farthest from its centre. True when there was one.
    bool fill_empty() {
        bool repaired = false;
        for (size_t c = 0; c < size_; c++) {
            if (a_.starts[c] < a_.starts[c + 1]) continue;
            auto farthest = static_cast<size_t>(std::max_element(a_.distance, a_.distance + a_.n) - a_.distance);
            if (!(a_.distance[farthest] > 0)) continue;
            a_.distance[farthest] = 0;
            memcpy(code(c), point(farthest), space_.stride());
            repaired = true;
        }
        return repaired;
    }

    // ---- two levels: about sqrt(k) groups, each of them clustered by itself; then all points among all centres

    template <typename Team>
    void run_in_two_levels(Team& team, size_t k) {
        auto groups = static_cast<size_t>(std::sqrt(static_cast<double>(k)));
        seed(team, groups);
        lloyd(team, options_.iterations);
        compare(team, 0, true);
        group_points();
        groups = size_;
        // By the share of points, rounded so that the sum is about k, and never above it.
        a_.header->groups = static_cast<uint32_t>(groups);
        size_t given = 0;
        for (size_t g = 0; g < groups; g++) {
            size_t size = a_.starts[g + 1] - a_.starts[g], until = (a_.starts[g + 1] * k) / a_.n;
            a_.shares[g] = static_cast<uint32_t>(given);
            size_t share = std::max<size_t>(until > given ? until - given : 0, 1);
            given = std::min(given + std::min(share, size), k);
        }
        a_.shares[groups] = static_cast<uint32_t>(given);
        team.run(KMeansTask::divide, groups);
        size_ = 0;
        for (size_t g = 0; g < groups; g++) {
            memcpy(code(size_), a_.divided + a_.shares[g] * space_.stride(), a_.found[g] * space_.stride());
            size_ += a_.found[g];
        }
        compare(team, 0, true);
        lloyd(team, 2);
    }

    // A run of its own over the members of a group, in this process's memory.
    template <typename Team>
    void divide(size_t group, Team& team) {
        size_t from = a_.starts[group], n = a_.starts[group + 1] - from;
        size_t share = a_.shares[group + 1] - a_.shares[group];
        a_.found[group] = 0;
        if (n == 0 || share == 0) return;
        inner_points_.resize_uninitialized(n * space_.stride());
        for (size_t i = 0; i < n; i++) {
            memcpy(&inner_points_[i * space_.stride()], point(a_.members[from + i]), space_.stride());
        }
        KMeansArrays arrays{};
        Placer size{nullptr};
        arrays.place(size, space_, n, share, false);
        inner_memory_.resize_uninitialized(size.used() + Placer::kAlignment);
        Placer memory = Placer::aligned(inner_memory_.data());
        arrays.place(memory, space_, n, share, false);
        arrays.points = inner_points_.data();
        if (inner_ == nullptr) {
            inner_ = new (source_.resize(nullptr, sizeof(KMeans))) KMeans(source_, space_, options_, arrays);
        } else {
            inner_->a_ = arrays;
        }
        Alone alone{*inner_, &team, [](void* outer) { static_cast<Team*>(outer)->check(); }};
        size_t found = inner_->run(alone, share);
        memcpy(a_.divided + a_.shares[group] * space_.stride(), arrays.codes, found * space_.stride());
        a_.found[group] = static_cast<uint32_t>(found);
    }

    static constexpr size_t kSections = 256;  // of the points, to find one by the sum of costs before it

    Source source_;
    const Space& space_;
    KMeansOptions options_;
    KMeansArrays a_;
    size_t size_ = 0;   // centres
    size_t drawn_ = 0;  // of them in the batch
    uint64_t draws_ = 0;
    double cost_ = 0;
    Nearest nearest_;
    Vec<float> sums_, scratch_;
    Vec<uint8_t> inner_memory_, inner_points_;
    KMeans* inner_ = nullptr;
};

}  // namespace vext::ivf
