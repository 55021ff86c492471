#include "codec/sq8_sparse.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/sparse.h"
#include "codec/bounds.h"

namespace vext::codec {
namespace {

constexpr uint32_t kMaxWidth = 3;
constexpr size_t kCodeRoom = kMaxSparseCode - sizeof(SparseFactors);

constexpr uint32_t capacity_of(uint32_t width) { return static_cast<uint32_t>(kCodeRoom / (width + 1)); }

// Factors as they may be believed: of a code on a damaged page, too, all reads stay within kMaxSparseCode.
SparseFactors factors_of(const uint8_t* code) {
    SparseFactors f;
    memcpy(&f, code, sizeof f);
    f.width = std::clamp<uint8_t>(f.width, 1, kMaxWidth);
    f.count = static_cast<uint16_t>(std::min<uint32_t>(f.count, capacity_of(f.width)));
    return f;
}

size_t size_of(const SparseFactors& f) {
    return sizeof(SparseFactors) + (f.count * (f.width + 1u) + 3) / 4 * 4;
}

size_t sparse_bytes(uint32_t) { return kMaxSparseCode; }
size_t sparse_size(const uint8_t* code) { return size_of(factors_of(code)); }

// Calls use(index, byte - zero) for each element of a code, those that bridge gaps too.
template <uint32_t Width, class Use>
void each_element(const uint8_t* gaps, const uint8_t* bytes, uint32_t count, int zero, Use use) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t* g = gaps + i * Width;
        uint32_t gap = g[0];
        if constexpr (Width > 1) gap |= static_cast<uint32_t>(g[1]) << 8;
        if constexpr (Width > 2) gap |= static_cast<uint32_t>(g[2]) << 16;
        use(next + gap, bytes[i] - zero);
        next += gap + 1;
    }
}

template <class Use>
void for_each_element(const SparseFactors& f, const uint8_t* code, Use use) {
    const uint8_t* gaps = code + sizeof(SparseFactors);
    const uint8_t* bytes = gaps + f.count * f.width;
    if (f.width == 1) each_element<1>(gaps, bytes, f.count, f.zero, use);
    else if (f.width == 2) each_element<2>(gaps, bytes, f.count, f.zero, use);
    else each_element<3>(gaps, bytes, f.count, f.zero, use);
}

// ---- encoding ------------------------------------------------------------------------------------

// Bytes of a vector, and which of them the code keeps: those larger than `threshold`, and of the equal ones the first.
struct Quantized {
    SparseView x;
    const uint8_t* bytes;
    int zero;
    int threshold = 0;
    int ties = 0;

    int magnitude(int i) const { return std::abs(bytes[i] - zero); }

    // Calls use(i, kept) for each element.
    template <class Use>
    void each(Use use) const {
        for (int i = 0, left = ties; i < x.n; i++) {
            const int m = magnitude(i);
            use(i, m > threshold || (m == threshold && left-- > 0));
        }
    }

    // Elements of a code of gaps of that many bytes.
    uint32_t coded_count(uint32_t width) const {
        uint32_t count = 0, next = 0;
        each([&](int i, bool kept) {
            if (!kept) return;
            const auto index = static_cast<uint32_t>(x.index[i]);
            count += 1 + ((index - next) >> (8 * width));
            next = index + 1;
        });
        return count;
    }
};

// Keeps the n largest elements.
void keep_largest(const uint32_t (&histogram)[256], uint32_t n, Quantized* q) {
    int t = 255;
    for (; t > 0 && n >= histogram[t]; t--) n -= histogram[t];
    // What became 0 is not worth an element.
    q->threshold = t;
    q->ties = t == 0 ? 0 : static_cast<int>(n);
}

// The width of gaps that makes the shortest code; of a vector that fits no code, that keeps the most elements.
uint32_t fit(Quantized* q) {
    uint32_t histogram[256] = {};
    for (int i = 0; i < q->x.n; i++) histogram[q->magnitude(i)]++;
    const uint32_t all = static_cast<uint32_t>(q->x.n) - histogram[0];
    keep_largest(histogram, all, q);
    uint32_t best = 0, best_bytes = 0;
    for (uint32_t width = 1; width <= kMaxWidth; width++) {
        const uint32_t count = q->coded_count(width), bytes = count * (width + 1);
        if (count > capacity_of(width) || (best != 0 && bytes >= best_bytes)) continue;
        best = width;
        best_bytes = bytes;
    }
    if (best != 0) return best;
    uint32_t most = 0;
    for (uint32_t width = 1; width <= kMaxWidth; width++) {
        // An element that goes takes at least as many elements with it as the wider gap needs.
        uint32_t low = 0, high = std::min(all, capacity_of(width)) + 1;
        while (high - low > 1) {
            const uint32_t middle = (low + high) / 2;
            keep_largest(histogram, middle, q);
            (q->coded_count(width) <= capacity_of(width) ? low : high) = middle;
        }
        if (best != 0 && low <= most) continue;
        best = width;
        most = low;
    }
    keep_largest(histogram, most, q);
    return best;
}

void write_elements(const Quantized& q, SparseFactors* f, uint8_t* code) {
    uint8_t* gaps = code + sizeof(SparseFactors);
    uint8_t* bytes = gaps + f->count * f->width;
    const uint32_t most = (1u << (8 * f->width)) - 1;
    auto put = [&](uint32_t gap, int byte) {
        for (uint32_t i = 0; i < f->width; i++) *gaps++ = static_cast<uint8_t>(gap >> (8 * i));
        *bytes++ = static_cast<uint8_t>(byte);
    };
    uint32_t next = 0;
    q.each([&](int i, bool kept) {
        if (!kept) return;
        const auto index = static_cast<uint32_t>(q.x.index[i]);
        for (; index - next > most; next += most + 1) put(most, q.zero);
        put(index - next, q.bytes[i]);
        next = index + 1;
    });
    uint8_t* end = code + size_of(*f);
    memset(bytes, 0, static_cast<size_t>(end - bytes));
}

// `lost` is an error that x already carries (from normalising), in the same norm as the residual. `bytes` has room for
// a byte per element.
void encode_values(SparseView x, bool l1, double lost, uint8_t* bytes, uint8_t* code) {
    double low = 0, high = 0;
    for (int i = 0; i < x.n; i++) {
        low = std::min<double>(low, x.value[i]);
        high = std::max<double>(high, x.value[i]);
    }
    SparseFactors f{};
    // A width near the subnormals has no usable reciprocal: all become 0, the residual says what is lost.
    if (high - low >= 0x1.0p-100) f.step = static_cast<float>((high - low) / 255);
    const double scale = f.step > 0 ? 1 / static_cast<double>(f.step) : 0;
    f.zero = static_cast<uint8_t>(std::clamp(std::nearbyint(-low * scale), 0.0, 255.0));
    for (int i = 0; i < x.n; i++) {
        bytes[i] = static_cast<uint8_t>(std::clamp(std::nearbyint(x.value[i] * scale) + f.zero, 0.0, 255.0));
    }
    Quantized q{x, bytes, f.zero};
    f.width = static_cast<uint8_t>(fit(&q));
    f.count = static_cast<uint16_t>(q.coded_count(f.width));
    f.nnz = static_cast<uint16_t>(x.n);
    double residual = 0;
    q.each([&](int i, bool kept) {
        const int m = kept ? q.magnitude(i) : 0;
        f.size += static_cast<uint32_t>(l1 ? m : m * m);
        const double gone = x.value[i] - static_cast<double>(f.step) * (kept ? bytes[i] - q.zero : 0);
        residual += l1 ? std::fabs(gone) : gone * gone;
    });
    if (!l1) residual = std::sqrt(residual);
    f.residual = round_up((residual + lost) * (1 + 1e-7));
    write_elements(q, &f, code);
    memcpy(code, &f, sizeof f);
}

template <Metric M>
bool encode(const void* values, uint32_t, float* scratch, uint8_t* code) {
    SparseView x = *static_cast<const SparseView*>(values);
    auto* bytes = reinterpret_cast<uint8_t*>(scratch + kMaxSparseElements);
    double lost = 0;
    if constexpr (M == Metric::cosine) {
        double norm_sq = 0;
        for (int i = 0; i < x.n; i++) norm_sq += static_cast<double>(x.value[i]) * x.value[i];
        if (!(norm_sq > 0)) return false;
        const double norm = std::sqrt(norm_sq);
        for (int i = 0; i < x.n; i++) scratch[i] = static_cast<float>(x.value[i] / norm);
        x.value = scratch;
        // The operator sums squares in float32: out of this range it may overflow or underflow, and answer anything.
        lost = norm_sq > 1e-25 && norm_sq < 1e37 ? 0x1.0p-23 : kInfinity;
    }
    encode_values(x, M == Metric::l1, lost, bytes, code);
    return true;
}

// ---- keys ----------------------------------------------------------------------------------------

// The elements of a query by index: open addressing, at most a sixteenth full (a quarter, of long queries), so that a
// look-up hardly ever sees more than one entry, and its branch is foreseen. A free entry has the value 0.
struct Entry {
    uint32_t index;
    int32_t value;
};
constexpr uint32_t kFree = 0xFFFFFFFFu;
constexpr uint32_t kMaxTableBits = 14;
static_assert(4 * capacity_of(1) <= 1u << kMaxTableBits);

// Few more terms in a vector than that, and the rounding of its sums is not worth a thought (bound_cosine).
constexpr uint32_t kOrdinaryTerms = 1024;

// l1: the norm, else its square.
template <Metric M>
double size_in_full(const SparseFactors& f) {
    const double step = f.step;
    return M == Metric::l1 ? step * f.size : step * step * f.size;
}

template <Metric M>
double norm_of(const SparseFactors& f) {
    const double size = size_in_full<M>(f);
    return (M == Metric::l1 ? size : std::sqrt(size)) * (1 + 1e-9);
}

template <Metric M>
void prepare(const uint8_t* code, uint32_t dim, Query* q) {
    const SparseFactors f = factors_of(code);
    *q = {};
    q->code = code;
    q->dim = dim;
    q->step = f.step;
    q->sq = size_in_full<M>(f);
    q->norm = norm_of<M>(f);
    q->residual = f.residual;
    q->terms = f.nnz;
    q->table_bits = std::min(std::bit_width(std::max<uint32_t>(f.count, 16) - 1u) + 4u, kMaxTableBits);
}

size_t table_bytes(const Query& q) { return sizeof(Entry) << q.table_bits; }

uint32_t place_of(uint32_t index, uint32_t bits) { return index * 0x9E3779B1u >> (32 - bits); }

void tabulate(Query* q, void* memory) {
    auto* table = static_cast<Entry*>(memory);
    const uint32_t mask = (1u << q->table_bits) - 1;
    std::fill(table, table + mask + 1, Entry{kFree, 0});
    for_each_element(factors_of(q->code), q->code, [&](uint32_t index, int value) {
        if (value == 0) return;
        uint32_t at = place_of(index, q->table_bits);
        while (table[at].index != kFree) at = (at + 1) & mask;
        table[at] = {index, value};
    });
    q->table = table;
}

// What query and code have at the same index: the sum of products; under l1 of the smaller of two of one sign.
template <Metric M>
double in_common(const Query& q, const Entry* table, const SparseFactors& f, const uint8_t* code) {
    const uint32_t bits = q.table_bits, mask = (1u << bits) - 1;
    auto find = [&](uint32_t index) {
        uint32_t at = place_of(index, bits);
        while (table[at].index != index && table[at].index != kFree) at = (at + 1) & mask;
        return table[at].value;
    };
    if constexpr (M == Metric::l1) {
        double sum = 0;
        const double q_step = q.step, step = f.step;
        for_each_element(f, code, [&](uint32_t index, int value) {
            const int other = find(index);
            if (other * value > 0) sum += std::min(q_step * std::abs(other), step * std::abs(value));
        });
        return sum;
    } else {
        int32_t sum = 0;  // at most 255^2 * capacity_of(1)
        for_each_element(f, code, [&](uint32_t index, int value) { sum += find(index) * value; });
        return q.step * f.step * sum;
    }
}

template <Metric M>
void score(const Query& q, const uint8_t* const* codes, size_t n, Key* keys) {
    Entry local[1u << kMaxTableBits];
    const auto* table = static_cast<const Entry*>(q.table);
    if (table == nullptr) {
        Query copy = q;
        tabulate(&copy, local);
        table = local;
    }
    for (size_t i = 0; i < n; i++) {
        const SparseFactors f = factors_of(codes[i]);
        const double common = in_common<M>(q, table, f, codes[i]);
        // Sizes are added first: of equal codes nothing remains, not even a rounding error.
        const double apart = at_least_zero(q.sq + size_in_full<M>(f) - 2 * common);
        double key = apart;
        if constexpr (M == Metric::inner_product) key = -common;
        // The root keeps huge vectors (1e30) apart in a float.
        if constexpr (M == Metric::l2 || M == Metric::cosine) key = std::sqrt(apart);
        keys[i] = static_cast<float>(std::min<double>(key, std::numeric_limits<float>::max()));
    }
}

// ---- bounds --------------------------------------------------------------------------------------

// What the coded distance may exceed the true one by: the residuals, and the rounding of the square, which loses at
// most 1e-14 of the squared norms (and sqrt(d^2 - e) >= d - sqrt(e)).
template <Metric M>
double coding_slack(const Query& q, const SparseFactors& f) {
    return q.residual + f.residual + 1e-7 * (q.norm + norm_of<M>(f));
}

// The most that query and row are apart.
template <Metric M>
double reach(const Query& q, const SparseFactors& f) {
    return q.norm + q.residual + norm_of<M>(f) + f.residual;
}

double operator_error(const Query& q, const SparseFactors& f) { return sum_error(q.terms + f.nnz); }

float slack_l2(const Query& q, const uint8_t* code) {
    const SparseFactors f = factors_of(code);
    return round_up(coding_slack<Metric::l2>(q, f) + reach<Metric::l2>(q, f) * operator_error(q, f));
}

double less_slack(Key key, float slack) { return at_least_zero(static_cast<double>(key) * (1 - 0x1.0p-23) - slack); }

float bound_l2(const Query&, Key key, float slack) {
    const double d = less_slack(key, slack);
    return round_down(std::sqrt(at_least_zero(d * d - underflow_error(2 * kMaxSparseElements))) * (1 - 0x1.0p-50));
}

// The rounding of the operator does not shrink with the distance. What it is for rows of up to so many elements comes
// off in bound_cosine; for others the slack has more: (d - s)^2 <= d^2 - s^2 where d >= s.
double cosine_error(const Query& q, uint32_t nnz) { return 5 * sum_error(std::max({q.terms, nnz, kOrdinaryTerms})); }

float slack_cosine(const Query& q, const uint8_t* code) {
    const SparseFactors f = factors_of(code);
    const double more = cosine_error(q, f.nnz) - cosine_error(q, 0);
    return round_up(coding_slack<Metric::cosine>(q, f) + std::sqrt(more));
}

float bound_cosine(const Query& q, Key key, float slack) {
    const double d = less_slack(key, slack);
    return round_down(at_least_zero((d * d - cosine_error(q, 0)) / 2));
}

float slack_inner_product(const Query& q, const uint8_t* code) {
    const SparseFactors f = factors_of(code);
    const double norm = norm_of<Metric::inner_product>(f);
    const double size = (q.norm + q.residual) * (norm + f.residual);
    // The operator's float32 sums may overflow to either infinity.
    if (!(size < 1e38)) return std::numeric_limits<float>::infinity();
    return round_up((q.norm + q.residual) * f.residual + q.residual * norm +
                    size * (operator_error(q, f) + 0x1.0p-22) + underflow_error(kMaxSparseElements));
}

float bound_inner_product(const Query&, Key key, float slack) {
    if (std::isinf(slack)) return -slack;
    return round_down(static_cast<double>(key) - slack);
}

float slack_l1(const Query& q, const uint8_t* code) {
    const SparseFactors f = factors_of(code);
    const double most = reach<Metric::l1>(q, f);
    if (!(most < 1e37)) return std::numeric_limits<float>::infinity();
    return round_up(coding_slack<Metric::l1>(q, f) + most * operator_error(q, f));
}

float bound_l1(const Query&, Key key, float slack) { return round_down(less_slack(key, slack)); }

template <Metric M>
constexpr Codec row(float relax, decltype(Codec::slack) slack, decltype(Codec::lower_bound) bound) {
    Codec c{CodecId::sq8, Element::sparse, M,        false, relax, sparse_bytes,
            encode<M>,    prepare<M>,      score<M>, slack, bound};
    c.size = sparse_size;
    c.table_bytes = table_bytes;
    c.tabulate = tabulate;
    return c;
}

constexpr Codec kCodecs[] = {
    row<Metric::l2>(1.05f, slack_l2, bound_l2),
    row<Metric::inner_product>(1, slack_inner_product, bound_inner_product),
    row<Metric::cosine>(1.05f, slack_cosine, bound_cosine),
    row<Metric::l1>(1.05f, slack_l1, bound_l1),
};

}  // namespace

std::span<const Codec> sparse_codecs() { return kCodecs; }

}  // namespace vext::codec
