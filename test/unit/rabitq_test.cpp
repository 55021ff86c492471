// 1-bit codes: the rotation keeps lengths; estimates are as exact as the RaBitQ paper's theorem 3.2 says; what is put into
// a block is found there.
#include "codec/rabitq.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "codec/rotation.h"
#include "simd/kernels.h"
#include "test_util.h"

using namespace vext;
using test::Random;

namespace {

double normal(Random& r) {
    return std::sqrt(-2 * std::log(1 - r.uniform())) * std::cos(2 * M_PI * r.uniform());
}

struct Rotator {
    std::vector<float> signs;
    codec::Rotation rotation;
    explicit Rotator(uint32_t dim) : signs(codec::Rotation::signs_for(dim)), rotation(dim, signs.data()) {}
    std::vector<float> operator()(const std::vector<float>& x) const {
        std::vector<float> out(codec::rotated_dims(uint32_t(x.size())));
        rotation.apply(x.data(), out.data());
        return out;
    }
};

double dot(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) sum += double(a[i]) * b[i];
    return sum;
}

void rotations() {
    Random r{1};
    for (uint32_t dim : {1u, 3u, 64u, 65u, 100u, 384u, 768u, 1536u, 3072u}) {
        test::context("rotation of %u", dim);
        Rotator rotate(dim);
        std::vector<float> x(dim), y(dim), one(dim, 0);
        for (float& v : x) v = float(normal(r));
        for (float& v : y) v = float(normal(r));
        CHECK(std::fabs(dot(rotate(x), rotate(x)) / dot(x, x) - 1) < 1e-5);
        CHECK(std::fabs(dot(rotate(x), rotate(y)) - dot(x, y)) < 1e-4 * dim);
        // What was in one dimension is in all of them, none with much more than its share.
        one[dim / 2] = 1;
        double largest = 0;
        auto spread = rotate(one);
        for (float v : spread) largest = std::max(largest, std::fabs(double(v)));
        CHECK(largest < 9 / std::sqrt(double(spread.size())), "%g", largest);
    }
}

// A block of rows near a centroid, and what is estimated for a query.
struct Block {
    uint32_t dim, bits;
    std::vector<uint32_t> storage;
    codec::BitBlock* block;
    explicit Block(uint32_t d)
        : dim(d), bits(codec::bits_for(d)), storage(codec::bit_block_bytes(bits) / 4),
          block(reinterpret_cast<codec::BitBlock*>(storage.data())) {}
};

enum class Kind { gaussian, few, offset };

void fill(Random& r, Kind kind, std::vector<float>& x, double scale) {
    for (float& v : x) {
        double z = normal(r) * scale;
        if (kind == Kind::few && r.uniform() < 0.97) z = 0;
        if (kind == Kind::offset) z += 3 * scale;
        v = float(z);
    }
}

// Errors in units of the deviation that the theorem gives: their mean, their own deviation, the share beyond three. Of
// rows in a block, or one by one.
void estimator(uint32_t dim, bool inner_product, Kind kind, double scale, bool one_by_one) {
    test::context("estimator, dim %u, inner product %d, kind %d, scale %g, one by one %d", dim, inner_product, int(kind), scale, one_by_one);
    Random r{dim * 7 + uint64_t(kind)};
    Rotator rotate(dim);
    double sum = 0, sum_sq = 0;
    long beyond = 0, n = 0;
    for (int round = 0; round < 60; round++) {
        Block b(dim);
        std::vector<float> c(dim), q(dim);
        std::vector<std::vector<float>> rows(codec::kBlockRows, std::vector<float>(dim));
        std::vector<uint8_t> code(b.bits / 8), table(b.bits * 4);
        fill(r, kind, c, scale);
        fill(r, kind, q, scale);
        auto rotated_c = rotate(c);
        std::vector<uint8_t> singles(codec::kBlockRows * codec::bit_row_bytes(b.bits));
        const uint8_t* at[codec::kBlockRows];
        for (uint32_t i = 0; i < codec::kBlockRows; i++) {
            fill(r, kind, rows[i], scale);
            auto x = rotate(rows[i]);
            auto f = codec::encode_bits(x.data(), rotated_c.data(), uint32_t(x.size()), b.bits,
                                        inner_product, code.data());
            codec::put_row(b.block, b.bits, i, f, code.data());
            uint8_t* single = singles.data() + i * codec::bit_row_bytes(b.bits);
            codec::encode_row(x.data(), rotated_c.data(), uint32_t(x.size()), b.bits, inner_product, single);
            at[i] = single;
        }
        std::vector<float> v(dim);
        for (uint32_t d = 0; d < dim; d++) v[d] = q[d] - c[d];
        double distance = std::sqrt(dot(v, v));
        auto query = codec::prepare_bits(rotate(q).data(), b.bits, table.data());
        float estimates[codec::kBlockRows];
        double base = inner_product ? -dot(q, c) : distance * distance;
        if (one_by_one) {
            std::vector<uint8_t> values(b.bits);
            auto terms = codec::prepare_for_rows(rotate(q).data(), b.bits, float(base), 0, values.data());
            codec::estimate_rows(terms, at, codec::kBlockRows, b.bits, estimates);
        } else {
            codec::estimate(query, b.block, float(base), 0, estimates);
        }
        for (uint32_t i = 0; i < codec::kBlockRows; i++) {
            double truth = -dot(q, rows[i]);
            if (!inner_product) {
                truth = 0;
                for (uint32_t d = 0; d < dim; d++) truth += std::pow(double(q[d]) - rows[i][d], 2);
            }
            double deviation = codec::deviation(b.block, i) * distance;
            if (!(deviation > 0)) continue;
            double error = (estimates[i] - truth) / deviation;
            sum += error;
            sum_sq += error * error;
            beyond += std::fabs(error) > 3;
            n++;
        }
    }
    double mean = sum / double(n), deviation = std::sqrt(sum_sq / double(n) - mean * mean);
    CHECK(n > 1000);
    CHECK(std::fabs(mean) < 0.12, "mean %g", mean);
    CHECK(deviation > 0.75 && deviation < 1.15, "deviation %g", deviation);
    CHECK(double(beyond) < 0.01 * double(n), "%ld of %ld beyond three deviations", beyond, n);
}

// |r|^2 / <s, r> is about sqrt(pi / 2 / D) |r|, so the deviation of <r, v> is about sqrt(pi / 2 - 1) |r| |v| / sqrt(D).
void size_of_error() {
    Random r{9};
    for (uint32_t dim : {128u, 384u, 1024u}) {
        test::context("size of the error, dim %u", dim);
        Rotator rotate(dim);
        Block b(dim);
        std::vector<float> x(dim), c(dim, 0);
        std::vector<uint8_t> code(b.bits / 8);
        fill(r, Kind::gaussian, x, 1);
        auto rotated = rotate(x), zero = rotate(c);
        auto f = codec::encode_bits(rotated.data(), zero.data(), dim, b.bits, true, code.data());
        codec::put_row(b.block, b.bits, 0, f, code.data());
        double expected = std::sqrt(M_PI / 2 - 1) * std::sqrt(dot(x, x)) / std::sqrt(double(dim));
        CHECK(std::fabs(codec::deviation(b.block, 0) / expected - 1) < 0.2);
    }
}

// Rows are where they were put, whatever is put beside them, and go along when they are copied.
void blocks() {
    Random r{4};
    Block a(384), b(384);
    std::vector<std::vector<uint8_t>> codes(32, std::vector<uint8_t>(a.bits / 8));
    for (int round = 0; round < 200; round++) {
        auto row = uint32_t(r.next() % 32);
        for (auto& byte : codes[row]) byte = uint8_t(r.next());
        codec::put_row(a.block, a.bits, row, {float(row), uint16_t(row + 1), uint16_t(row + 2)}, codes[row].data());
    }
    for (uint32_t row = 0; row < 32; row++) codec::copy_row(a.block, row, b.block, (row * 7 + 3) % 32, a.bits);
    bool moved = true, unpacked = true;
    for (uint32_t row = 0; row < 32; row++) {
        uint32_t to = (row * 7 + 3) % 32;
        moved &= b.block->add[to] == a.block->add[row] && b.block->scale[to] == a.block->scale[row] &&
                 b.block->error[to] == a.block->error[row];
        const auto* groups = reinterpret_cast<const uint8_t*>(b.block + 1);
        for (uint32_t g = 0; g < a.bits / 4; g++) {
            uint8_t pair = groups[16 * g + to % 16];
            uint8_t nibble = to < 16 ? pair & 15 : pair >> 4;
            unpacked &= nibble == (codes[row][g / 2] >> (g % 2 * 4) & 15);
        }
    }
    CHECK(moved);
    CHECK(unpacked);
}

// No NaN and no infinity comes out, whatever goes in.
void extremes() {
    for (float size : {0.0f, 1e-42f, 1e-20f, 1e18f, 3e38f}) {
        test::context("extremes, size %g", double(size));
        Block b(16);
        std::vector<float> x(64, size), c(64, -size), q(64, size);
        x[1] = -size;
        q[1] = -size;
        std::vector<uint8_t> code(8), table(256);
        for (bool inner_product : {false, true}) {
            auto f = codec::encode_bits(x.data(), c.data(), 64, b.bits, inner_product, code.data());
            for (uint32_t i = 0; i < 32; i++) codec::put_row(b.block, b.bits, i, f, code.data());
            auto query = codec::prepare_bits(q.data(), b.bits, table.data());
            float estimates[32];
            std::vector<uint8_t> row(codec::bit_row_bytes(b.bits)), values(b.bits);
            codec::encode_row(x.data(), c.data(), 64, b.bits, inner_product, row.data());
            const uint8_t* rows[] = {row.data()};
            for (float base : {0.0f, size * size, -size * size}) {
                codec::estimate(query, b.block, base, 0, estimates);
                CHECK(std::isfinite(estimates[0]) && std::isfinite(estimates[31]));
                auto terms = codec::prepare_for_rows(q.data(), b.bits, base, 1, values.data());
                codec::estimate_rows(terms, rows, 1, b.bits, estimates);
                CHECK(!(estimates[0] > 0 && std::isinf(estimates[0])), "%g", double(estimates[0]));
                CHECK(std::isfinite(estimates[0]) || size > 1e14f, "%g", double(estimates[0]));
            }
        }
    }
}

}  // namespace

int main() {
    simd::select(simd::Level::automatic);
    rotations();
    for (bool one_by_one : {false, true}) {
        for (uint32_t dim : {64u, 100u, 384u, 768u, 1536u}) {
            for (Kind kind : {Kind::gaussian, Kind::few, Kind::offset}) {
                estimator(dim, false, kind, 1, one_by_one);
                estimator(dim, true, kind, 1, one_by_one);
            }
            estimator(dim, false, Kind::gaussian, 1e-6, one_by_one);
            estimator(dim, true, Kind::gaussian, 1e6, one_by_one);
        }
        estimator(3072, false, Kind::gaussian, 1, one_by_one);  // more dimensions than are coded
        estimator(3072, true, Kind::few, 1, one_by_one);
    }
    size_of_error();
    blocks();
    extremes();
    return vext::test::finish("rabitq");
}
