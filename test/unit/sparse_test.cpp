// Distances of sparse vectors against the same vectors with their zeros, in double.
#include "base/sparse.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "test_util.h"

using vext::SparseView;

namespace {

vext::test::Random rng{3};

struct Sparse {
    std::vector<int32_t> index;
    std::vector<float> value;
    std::vector<double> dense;

    // Each element is there with the probability given.
    Sparse(size_t dim, double density, bool integers) : dense(dim, 0.0) {
        for (size_t i = 0; i < dim; i++) {
            if (rng.uniform() >= density) continue;
            const float x = integers ? float(1 + int(rng.next() % 9)) : float(rng.between(-1, 1));
            index.push_back(int32_t(i));
            value.push_back(x);
            dense[i] = double(x);
        }
    }
    SparseView view() const { return {index.data(), value.data(), int(index.size())}; }
};

void check_pair(const Sparse& a, const Sparse& b, bool exact) {
    double l2 = 0, dot = 0, l1 = 0, dot_size = 0;
    for (size_t i = 0; i < a.dense.size(); i++) {
        const double x = a.dense[i], y = b.dense[i];
        l2 += (x - y) * (x - y);
        dot += x * y;
        dot_size += std::fabs(x * y);
        l1 += std::fabs(x - y);
    }
    const double slack = exact ? 0 : (double(a.dense.size()) + 3) * 0x1p-24;
    CHECK(std::fabs(double(sparse_l2_sq(a.view(), b.view())) - l2) <= slack * l2);
    CHECK(std::fabs(double(sparse_dot(a.view(), b.view())) - dot) <= slack * dot_size);
    CHECK(std::fabs(double(sparse_l1(a.view(), b.view())) - l1) <= slack * l1);
}

void check_merge_order(const Sparse& a, const Sparse& b) {
    std::vector<int32_t> seen;
    std::vector<double> x(a.dense.size(), 0.0), y(a.dense.size(), 0.0);
    vext::merge(
        a.view(), b.view(),
        [&](int32_t i, float p, float q) { seen.push_back(i), x[size_t(i)] = double(p), y[size_t(i)] = double(q); },
        [&](int32_t i, float p) { seen.push_back(i), x[size_t(i)] = double(p); },
        [&](int32_t i, float q) { seen.push_back(i), y[size_t(i)] = double(q); });
    CHECK(std::is_sorted(seen.begin(), seen.end()) && std::adjacent_find(seen.begin(), seen.end()) == seen.end());
    CHECK(x == a.dense && y == b.dense);
}

}  // namespace

int main() {
    for (size_t dim : {1, 2, 3, 10, 100, 1000}) {
        for (double density_a : {0.0, 0.1, 0.5, 1.0}) {
            for (double density_b : {0.0, 0.02, 0.5, 1.0}) {
                for (int round = 0; round < 10; round++) {
                    vext::test::context("dim %zu, densities %g and %g", dim, density_a, density_b);
                    const bool integers = round % 2 == 0;
                    const Sparse a(dim, density_a, integers), b(dim, density_b, integers);
                    check_pair(a, b, integers);
                    check_merge_order(a, b);
                }
            }
        }
    }
    return vext::test::finish("sparse");
}
