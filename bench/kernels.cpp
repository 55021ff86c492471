// ns a call and GB/s of every kernel and instruction set: operands in the L1 cache, and rows in random order from
// 256 MB, with the share of one thread's memory bandwidth that the latter are.
// Run by `make bench-kernels` (DIM=384).
#include "simd/kernels.h"

#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

using namespace vext::simd;

namespace {

double now_ns() {
    return double(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

volatile double sink;

// Best of five rounds of f(calls), each about a tenth of a second: ns a call.
template <class Run> double best_of(size_t calls, Run run) {
    double best = 1e300;
    for (int round = 0; round < 5; round++) {
        const double start = now_ns();
        sink = run(calls);
        const double ns = (now_ns() - start) / double(calls);
        best = ns < best ? ns : best;
    }
    return best;
}

constexpr size_t kMemory = size_t(256) << 20;
uint8_t* memory;
double bandwidth;  // bytes a ns, of one thread that reads in order
std::vector<uint32_t> order;  // random numbers below 2^31

size_t random_row(size_t rows) {
    static size_t next;
    return uint64_t(order[next++ % (1 << 20)]) * rows >> 31;
}

void print(const Kernels& k, const char* kernel, double ns, double cold_ns, size_t hot_bytes, size_t cold_bytes) {
    const double cold = double(cold_bytes) / cold_ns;
    printf("%-9s %-16s %8.1f ns %7.1f GB/s %9.1f ns %7.1f GB/s %4.0f %%\n", k.name, kernel, ns, double(hot_bytes) / ns,
           cold_ns, cold, 100 * cold / bandwidth);
}

// Bytes a ns of `threads` threads that read the memory in order, a part each.
double read_in_order(size_t threads) {
    const auto sum = [](const uint64_t* words, size_t n, double* out) {
        uint64_t s[8] = {};
        for (size_t i = 0; i + 8 <= n; i += 8) {
            for (size_t j = 0; j < 8; j++) s[j] += words[i + j];
        }
        *out = double(std::accumulate(s, s + 8, uint64_t(0)));
    };
    const double ns = best_of(1, [&](size_t) {
        const size_t words = kMemory / 8 / threads;
        std::vector<double> sums(threads);
        std::vector<std::thread> others;
        for (size_t t = 1; t < threads; t++) {
            others.emplace_back(sum, reinterpret_cast<const uint64_t*>(memory) + t * words, words, &sums[t]);
        }
        sum(reinterpret_cast<const uint64_t*>(memory), words, &sums[0]);
        for (auto& t : others) t.join();
        return std::accumulate(sums.begin(), sums.end(), 0.0);
    });
    return double(kMemory) / ns;
}

// call(row): the kernel on one row of row_bytes at `row`; hot_bytes counts all operands, from memory only the row.
template <class Call>
void measure(const Kernels& k, const char* name, size_t row_bytes, size_t hot_bytes, Call call) {
    const double hot = best_of(500000, [&](size_t calls) {
        double s = 0;
        for (size_t i = 0; i < calls; i++) s += call(memory);
        return s;
    });
    const size_t rows = kMemory / row_bytes;
    const double cold = best_of(100000, [&](size_t calls) {
        double s = 0;
        for (size_t i = 0; i < calls; i++) s += call(memory + random_row(rows) * row_bytes);
        return s;
    });
    print(k, name, hot, cold, hot_bytes, row_bytes);
}

// 32 rows a call, ns a row
template <typename Dot>
void measure_many(const Kernels& k, const char* name, Dot dot, const uint8_t* query, size_t dim, size_t row_bytes) {
    constexpr size_t kBatch = 32;
    const uint8_t* rows[kBatch];
    uint32_t out[kBatch];
    const auto run = [&](size_t spread) {
        return best_of(400000 / kBatch, [&](size_t calls) {
            double s = 0;
            for (size_t i = 0; i < calls; i++) {
                for (auto& row : rows) row = memory + random_row(spread) * row_bytes;
                dot(query, rows, kBatch, dim, out);
                s += out[0];
            }
            return s;
        });
    };
    print(k, name, run(32) / kBatch, run(kMemory / row_bytes) / kBatch, dim + row_bytes, row_bytes);
}

void measure_table(const Kernels& k, size_t dim) {
    static std::vector<float> query(16000, 0.5f);
    static std::vector<uint8_t> code(16000, 100), out(16000);
    const float* q = query.data();
    const uint8_t* c = code.data();
    const auto f = [](const uint8_t* row) { return reinterpret_cast<const float*>(row); };
    const size_t fb = 4 * dim;
    measure(k, "l2_sq_f32", fb, 2 * fb, [&](auto* r) { return k.l2_sq_f32(q, f(r), dim); });
    measure(k, "dot_f32", fb, 2 * fb, [&](auto* r) { return k.dot_f32(q, f(r), dim); });
    measure(k, "l1_f32", fb, 2 * fb, [&](auto* r) { return k.l1_f32(q, f(r), dim); });
    measure(k, "cosine_sums_f32", fb, 2 * fb, [&](auto* r) { return k.cosine_sums_f32(q, f(r), dim).dot; });
    measure(k, "norm_sq_f32", fb, fb, [&](auto* r) { return k.norm_sq_f32(f(r), dim); });
    static std::vector<vext::Half> half_query(16000, vext::float_to_half(0.5f)), halves(16000);
    static std::vector<float> floats(16000);
    const vext::Half* hq = half_query.data();
    const auto h = [](const uint8_t* row) { return reinterpret_cast<const vext::Half*>(row); };
    const size_t hb = 2 * dim, bits = dim / 8 + (dim % 8 != 0);
    measure(k, "l2_sq_f16", hb, 2 * hb, [&](auto* r) { return k.l2_sq_f16(hq, h(r), dim); });
    measure(k, "dot_f16", hb, 2 * hb, [&](auto* r) { return k.dot_f16(hq, h(r), dim); });
    measure(k, "l1_f16", hb, 2 * hb, [&](auto* r) { return k.l1_f16(hq, h(r), dim); });
    measure(k, "cosine_sums_f16", hb, 2 * hb, [&](auto* r) { return k.cosine_sums_f16(hq, h(r), dim).dot; });
    measure(k, "norm_sq_f16", hb, hb, [&](auto* r) { return k.norm_sq_f16(h(r), dim); });
    measure(k, "f16_to_f32", hb, hb + fb, [&](auto* r) { return k.f16_to_f32(h(r), dim, floats.data()), floats[0]; });
    measure(k, "f32_to_f16", fb, hb + fb,
            [&](auto* r) { return k.f32_to_f16(f(r), dim, halves.data()), halves[0].bits; });
    measure(k, "differing_bits", bits, 2 * bits, [&](auto* r) { return double(k.differing_bits(c, r, bits)); });
    measure(k, "common_bits", bits, 2 * bits, [&](auto* r) { return double(k.common_bits(c, r, bits).both); });
    measure(k, "dot_u8", dim, 2 * dim, [&](auto* r) { return k.dot_u8(c, r, dim); });
    measure_many(k, "dot_u8_many", k.dot_u8_many, c, dim, dim);
    const size_t packed = (dim + 1) / 2;
    measure(k, "dot_u8_u4", packed, dim + packed, [&](auto* r) { return k.dot_u8_u4(c, r, dim); });
    measure_many(k, "dot_u8_u4_many", k.dot_u8_u4_many, c, dim, packed);
    measure(k, "dot_u4", packed, 2 * packed, [&](auto* r) { return k.dot_u4(c, r, dim); });
    measure(k, "l1_u8", dim, 2 * dim, [&](auto* r) { return k.l1_u8(c, r, 0.1f, 0.2f, 0.3f, dim); });
    measure(k, "min_max_f32", fb, fb, [&](auto* r) { return k.min_max_f32(f(r), dim).max; });
    measure(k, "quantize_u8", fb, fb, [&](auto* r) { return k.quantize_u8(f(r), dim, -1, 127, 255, out.data()).sum; });
    measure(k, "residual_sq_u8", fb, fb + dim, [&](auto* r) { return k.residual_sq_u8(f(r), c, dim, -1, 0.01f); });
    measure(k, "residual_abs_u8", fb, fb + dim, [&](auto* r) { return k.residual_abs_u8(f(r), c, dim, -1, 0.01f); });
}

}  // namespace

int main(int argc, char** argv) {
    const size_t dim = argc > 1 ? size_t(atoi(argv[1])) : 384;
    if (dim < 1 || dim > 16000) return fprintf(stderr, "usage: kernels [dimensions, 1..16000]\n"), 2;
    void* p = mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return perror("mmap"), 1;
    memory = static_cast<uint8_t*>(p);
    uint64_t state = 1;
    const auto random = [&] { return state = state * 6364136223846793005 + 1442695040888963407, uint32_t(state >> 33); };
    for (size_t i = 0; i < kMemory / 4; i++) {  // floats in [1, 2), whose bytes serve as codes
        reinterpret_cast<uint32_t*>(memory)[i] = 0x3f800000 | (random() >> 8);
    }
    order.resize(1 << 20);
    for (auto& o : order) o = random();

    const size_t threads = std::thread::hardware_concurrency() > 0 ? std::thread::hardware_concurrency() : 1;
    bandwidth = read_in_order(1);
    printf("%zu dimensions; memory bandwidth, 256 MB read in order: one thread %.1f GB/s, %zu threads %.1f GB/s\n", dim,
           bandwidth, threads, read_in_order(threads));
    printf("%-9s %-16s %11s %12s %12s %12s\n", "", "", "L1", "", "from memory", "");
    for (Level level : {Level::scalar, Level::baseline, Level::avx2, Level::avx512, Level::vnni}) {
        if (const Kernels* k = table_for(level)) measure_table(*k, dim);
    }
}
