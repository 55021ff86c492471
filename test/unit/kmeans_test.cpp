// k-means over 8-bit and bit codes beside a plain one over floats (k-means++ and Lloyd to the end, best of three): the sum
// of squared distances to the nearest centre must not be more than 2 % worse.
#include "ivf/ivf_kmeans.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "test_heap.h"
#include "test_util.h"

using namespace vext;
using test::Heap;
using test::Random;
using test::Vec;

namespace {

// A run whose pieces are done in some order by several workers in turn, each with a view of its own.
class Clusters {
public:
    using Workers = ivf::KMeans<Vec, Heap>;
    Clusters(const ivf::Space& space, const ivf::KMeansOptions& options, size_t workers = 1)
        : space_(space), options_(options), workers_(workers) {}

    size_t run(const uint8_t* points, size_t n, size_t k) {
        arrays_ = {};
        Placer size{nullptr};
        bool two_levels = k >= options_.two_levels;
        arrays_.place(size, space_, n, k, two_levels);
        memory_.assign(size.used() / 64 + 1, {});
        Placer placer{reinterpret_cast<char*>(memory_.data())};
        arrays_.place(placer, space_, n, k, two_levels);
        arrays_.points = points;
        crew_.clear();
        for (size_t i = 0; i < workers_; i++) {
            crew_.push_back(new (malloc(sizeof(Workers))) Workers(Heap{}, space_, options_, arrays_));
        }
        found_ = crew_[0]->run(*this, k);
        return found_;
    }
    void run(ivf::KMeansTask task, size_t pieces) {
        for (size_t i = 0; i < pieces; i++) {
            size_t piece = workers_ == 1 ? i : pieces - 1 - i;
            crew_[piece % workers_]->work(task, uint32_t(piece), *this);
        }
    }
    void progress(double share) { last = std::max(last, share); }
    void check() {}

    const uint8_t* code(size_t i) const { return arrays_.codes + i * space_.stride(); }
    size_t size() const { return found_; }

    static inline double last = 0;

private:
    struct alignas(64) Line {
        char bytes[64];
    };
    const ivf::Space& space_;
    ivf::KMeansOptions options_;
    size_t workers_, found_ = 0;
    ivf::KMeansArrays arrays_{};
    std::vector<Line> memory_;
    std::vector<Workers*> crew_;
};

struct Set {
    size_t n, dim;
    std::vector<float> x;
    const float* row(size_t i) const { return &x[i * dim]; }
};

double normal(Random& r) { return std::sqrt(-2 * std::log(1 - r.uniform())) * std::cos(2 * M_PI * r.uniform()); }

Set clustered(size_t n, size_t dim, size_t clusters, double width, double offset, uint64_t seed) {
    Random r{seed};
    std::vector<double> centres(clusters * dim);
    for (double& v : centres) v = normal(r);
    Set s{n, dim, std::vector<float>(n * dim)};
    for (size_t i = 0; i < n; i++) {
        size_t c = r.next() % clusters;
        for (size_t d = 0; d < dim; d++) s.x[i * dim + d] = float(offset + centres[c * dim + d] + width * normal(r));
    }
    return s;
}

void normalize(Set& s) {
    for (size_t i = 0; i < s.n; i++) {
        double sum = 0;
        for (size_t d = 0; d < s.dim; d++) sum += double(s.x[i * s.dim + d]) * s.x[i * s.dim + d];
        for (size_t d = 0; d < s.dim; d++) s.x[i * s.dim + d] = float(s.x[i * s.dim + d] / std::sqrt(sum));
    }
}

double distance_sq(const float* a, const float* b, size_t dim) {
    float sum = 0;
    for (size_t d = 0; d < dim; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

double cost_of(const Set& s, const std::vector<float>& centres) {
    double total = 0;
    for (size_t i = 0; i < s.n; i++) {
        double best = HUGE_VAL;
        for (size_t c = 0; c < centres.size() / s.dim; c++) {
            best = std::min(best, distance_sq(s.row(i), &centres[c * s.dim], s.dim));
        }
        total += best;
    }
    return total;
}

// The reference: nothing is coded, nothing is skipped.
double reference(const Set& s, size_t k, bool unit) {
    double least = HUGE_VAL;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Random r{seed};
        std::vector<float> centres;
        const float* first = s.row(r.next() % s.n);
        centres.insert(centres.end(), first, first + s.dim);
        std::vector<double> nearest(s.n, HUGE_VAL);
        while (centres.size() < k * s.dim) {
            double total = 0;
            for (size_t i = 0; i < s.n; i++) {
                nearest[i] = std::min(nearest[i], distance_sq(s.row(i), &centres[centres.size() - s.dim], s.dim));
                total += nearest[i];
            }
            double left = r.uniform() * total;
            size_t i = 0;
            while (i + 1 < s.n && (left -= nearest[i]) > 0) i++;
            centres.insert(centres.end(), s.row(i), s.row(i) + s.dim);
        }
        double before = HUGE_VAL;
        for (int iteration = 0; iteration < 100; iteration++) {
            std::vector<double> sums(k * s.dim, 0);
            std::vector<size_t> counts(k, 0);
            double total = 0;
            for (size_t i = 0; i < s.n; i++) {
                size_t at = 0;
                double best = HUGE_VAL;
                for (size_t c = 0; c < k; c++) {
                    double d = distance_sq(s.row(i), &centres[c * s.dim], s.dim);
                    if (d < best) best = d, at = c;
                }
                total += best;
                counts[at]++;
                for (size_t d = 0; d < s.dim; d++) sums[at * s.dim + d] += s.row(i)[d];
            }
            for (size_t c = 0; c < k; c++) {
                double norm = 0;
                for (size_t d = 0; d < s.dim; d++) norm += sums[c * s.dim + d] * sums[c * s.dim + d];
                double scale = unit ? 1 / std::sqrt(norm) : 1 / double(counts[c]);
                for (size_t d = 0; counts[c] > 0 && d < s.dim; d++) {
                    centres[c * s.dim + d] = float(sums[c * s.dim + d] * scale);
                }
            }
            if (total > before * (1 - 1e-5)) break;
            before = total;
        }
        least = std::min(least, cost_of(s, centres));
    }
    return least;
}

std::vector<float> mean_of(const Set& s) {
    std::vector<double> sum(s.dim, 0);
    for (size_t i = 0; i < s.n * s.dim; i++) sum[i % s.dim] += s.x[i];
    std::vector<float> mean(s.dim);
    for (size_t d = 0; d < s.dim; d++) mean[d] = float(sum[d] / double(s.n));
    return mean;
}

ivf::Space space_for(const Set& s, codec::Metric metric, const float* mean) {
    return {codec::Element::f32, ivf::space_codec(codec::Element::f32, metric), uint32_t(s.dim), ivf::is_unit(metric),
            mean};
}

// Rows coded, and pointers to their codes.
struct Points {
    std::vector<uint32_t> storage;
    std::vector<const uint8_t*> codes;
    Points(const ivf::Space& space, const Set& s) : storage(s.n * space.stride() / 4) {
        std::vector<float> scratch(s.dim);
        for (size_t i = 0; i < s.n; i++) {
            auto* code = reinterpret_cast<uint8_t*>(storage.data()) + i * space.stride();
            space.place(s.row(i), scratch.data(), code);
            codes.push_back(code);
        }
    }
};

std::vector<float> centres_of(const Clusters& clusters, const ivf::Space& space) {
    std::vector<float> centres(clusters.size() * space.dim);
    for (size_t c = 0; c < clusters.size(); c++) space.position(clusters.code(c), &centres[c * space.dim]);
    return centres;
}

void objective(const char* name, const Set& s, size_t k, codec::Metric metric, ivf::KMeansOptions options,
               double allowed) {
    test::context("%s, %zu x %zu, %zu clusters", name, s.n, s.dim, k);
    auto mean = mean_of(s);
    ivf::Space space = space_for(s, metric, mean.data());
    Points points(space, s);
    Clusters clusters{space, options};
    size_t found = clusters.run(points.codes[0], s.n, k);
    CHECK(found <= k && found >= k - k / 20);
    double cost = cost_of(s, centres_of(clusters, space)), best = reference(s, k, ivf::is_unit(metric));
    printf("# %s: %.4f of the reference's cost\n", name, cost / best);
    CHECK(cost <= best * allowed, "%g, reference %g", cost, best);
    // The same points, the same centres, whoever does what.
    Clusters again{space, options, 3};
    CHECK(again.run(points.codes[0], s.n, k) == found);
    CHECK(memcmp(again.code(0), clusters.code(0), found * space.stride()) == 0);
    CHECK(Clusters::last <= 1);
}

// Fewer different points than clusters are asked for; one point; all the same.
void degenerate() {
    test::context("degenerate");
    Set s{60, 5, std::vector<float>(300)};
    for (size_t i = 0; i < 300; i++) s.x[i] = float(i / 5 % 4 * 10 + i % 5);
    ivf::Space space = space_for(s, codec::Metric::l2, nullptr);
    Points points(space, s);
    Clusters clusters{space, {}};
    CHECK(clusters.run(points.codes[0], 60, 10) == 4);
    CHECK(clusters.run(points.codes[0], 1, 10) == 1);
    CHECK(clusters.run(points.codes[0], 60, 1) == 1);
}

void bits() {
    test::context("bits");
    Random r{5};
    const uint32_t dim = 200, clusters = 8;
    std::vector<std::vector<uint8_t>> centres(clusters, std::vector<uint8_t>(28));
    for (auto& c : centres) for (size_t i = 0; i < 25; i++) c[i] = uint8_t(r.next());
    ivf::Space space{codec::Element::bit, ivf::space_codec(codec::Element::bit, codec::Metric::hamming), dim, false,
                     nullptr};
    const size_t n = 800, stride = space.stride();
    std::vector<uint8_t> rows(n * stride);
    for (size_t i = 0; i < n; i++) {
        uint8_t* row = &rows[i * stride];
        memcpy(row, centres[i % clusters].data(), 25);
        for (int flip = 0; flip < 20; flip++) {
            size_t bit = r.next() % dim;
            row[bit / 8] ^= uint8_t(1 << bit % 8);
        }
    }
    Clusters found{space, {}};
    CHECK(found.run(rows.data(), n, clusters) == clusters);
    size_t exact = 0;
    for (auto& c : centres) {
        for (size_t i = 0; i < clusters; i++) exact += memcmp(found.code(i), c.data(), 25) == 0;
    }
    CHECK(exact >= clusters - 2, "%zu of %u centres found to the bit", exact, clusters);
}

// Nearest of many against one comparison at a time.
void nearest() {
    test::context("nearest");
    Set s = clustered(600, 37, 20, 0.5, 3, 8);
    ivf::Space space = space_for(s, codec::Metric::l2, nullptr);
    Points points(space, s);
    ivf::CentreTable table{};
    Placer size{nullptr};
    table.place(size, space, 150);
    std::vector<uint64_t> memory(size.used() / 8 + 8);
    Placer placer{reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64)};
    table.place(placer, space, 150);
    table.set(space, points.codes[0], 150);
    auto nearest = std::make_unique<ivf::Nearest>();
    size_t same = 0;
    for (size_t i = 150; i < 600; i++) {
        codec::Query query;
        space.codec->prepare(points.codes[i], 37, &query);
        codec::Key best = HUGE_VALF, key;
        uint32_t at = 0;
        for (uint32_t c = 0; c < 150; c++) {
            space.codec->score(query, &points.codes[c], 1, &key);
            if (key < best) best = key, at = c;
        }
        ivf::Found found;
        nearest->find(space, table, &points.codes[i], 1, &found);
        same += found.centre == at && std::fabs(std::sqrt(found.cost) - best) < 1e-3 * best;
    }
    CHECK(same == 450, "%zu of 450", same);
}

}  // namespace

int main() {
    simd::select(simd::Level::automatic);
    using codec::Metric;
    objective("l2", clustered(4000, 24, 60, 0.5, 0, 1), 60, Metric::l2, {}, 1.02);
    objective("l2, no clusters", clustered(4000, 24, 1, 1, 0, 2), 50, Metric::l2, {}, 1.02);
    objective("l2, far from the origin", clustered(4000, 24, 60, 0.5, 1000, 1), 60, Metric::l2, {}, 1.02);
    Set unit = clustered(4000, 48, 60, 0.7, 0, 4);
    normalize(unit);
    objective("cosine", unit, 60, Metric::cosine, {}, 1.02);
    ivf::KMeansOptions two_levels;
    two_levels.two_levels = 50;
    objective("two levels", clustered(8000, 24, 100, 0.7, 0, 6), 100, Metric::l2, two_levels, 1.07);
    degenerate();
    bits();
    nearest();
    return vext::test::finish("kmeans");
}
