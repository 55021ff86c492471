// Codecs: how a vector becomes bytes in an index, and how distances are computed on those bytes. The access
// methods know nothing else of types and metrics. A codec is one row of the table in codec.cpp; adding a metric,
// an element type or a codec adds a row there.
//
// A code is `factors` followed by the coded dimensions; it is position independent, 4-byte aligned, and the query
// of a search is a code too, so that searching and building use the same functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vext::codec {

// These values are stored in metapages: never renumber.
enum class Metric : uint8_t { l2 = 1, inner_product = 2, cosine = 3, l1 = 4, hamming = 5, jaccard = 6 };
enum class Element : uint8_t { f32 = 1, f16 = 2, bit = 3, sparse = 4 };
enum class CodecId : uint8_t { none = 1, sq8 = 2, sq4 = 3, rabitq = 4, bits = 5 };

// What a scored code says. `key` orders candidates and means nothing else; smaller is nearer.
using Key = float;

// A code made ready to be the left side of many comparisons. Plain data; points into the code it was made from.
struct Query {
    const uint8_t* code;
    uint32_t dim;
    double top;        // sq8, sq4: the largest code
    double lo, step;   // the affine map of the code
    double step_sum;   // step * sum of the code
    double sq;         // step^2 * sum of squares of the code
    double norm;       // sparse: an upper bound of the norm of the coded vector
    double residual;   // norm of what the code lost, rounded up
    double magnitude;  // largest |value| the code can stand for
    uint32_t terms;        // sparse: elements of the vector that was coded
    uint32_t table_bits;   // sparse: of the table's size
    const void* table;     // what tabulate() wrote, or nullptr
};

// Of sparse vectors. A vector whose code would be longer loses its smallest elements: so a node with 200 links and
// eight attributes fits a page.
inline constexpr uint32_t kMaxSparseElements = 16000;
inline constexpr size_t kMinSparseCode = 20, kMaxSparseCode = 7236;

struct Codec {
    CodecId id;
    Element element;
    Metric metric;
    // The scan's order is the operator's own: rows need no recheck.
    bool exact;
    // A neighbour that is this many times nearer (in keys) to another neighbour than to the node is superfluous:
    // alpha of DiskANN's RobustPrune. 1.05 in distances; 1 where keys are no distances.
    float prune_relax;

    // Bytes of a code of `dim` dimensions, factors included; where codes differ in size, the most there may be.
    size_t (*bytes)(uint32_t dim);
    // Writes the code of `dim` elements (bits, of Element::bit; a SparseView, of Element::sparse). False: the value is
    // not indexed (zero norm under cosine). `scratch` holds scratch_floats().
    bool (*encode)(const void* values, uint32_t dim, float* scratch, uint8_t* code);
    void (*prepare)(const uint8_t* code, uint32_t dim, Query* query);
    void (*score)(const Query& query, const uint8_t* const* codes, size_t n, Key* keys);
    // A certain lower bound of what the SQL operator computes for any row of a code, whatever the order of summation
    // in the operator, and under overflow and underflow: lower_bound(query, key, slack(query, code)). A slack of
    // infinity promises nothing. Of an uncertain codec: it holds for nearly all.
    float (*slack)(const Query& query, const uint8_t* code);
    float (*lower_bound)(const Query& query, Key key, float slack);
    // Scores one code by the values of the query, not by their code, and gives its slack, which lacks what the query's code
    // lost: for bounds that lie closer. `values`: as encode() codes them (normalized, for cosine); scratch: as many floats.
    // False: it is up to score() and slack(). Optional.
    bool (*score_closely)(const Query& query, const float* values, const uint8_t* code, float* scratch, Key* key,
                          float* slack) = nullptr;
    // The bounds are only likely to hold: a scan must look at the rows itself.
    bool uncertain = false;
    // Whose bytes, encode and prepare make the queries of a scan, where that is another codec's.
    CodecId query_codec = CodecId{};

    // Where codes differ in size: that of this one. Codes are equal when size and bytes are.
    size_t (*size)(const uint8_t* code) = nullptr;
    // Where a prepared query takes memory of its own to be fast: how much, and what fills it. Optional before scoring.
    size_t (*table_bytes)(const Query& query) = nullptr;
    void (*tabulate)(Query* query, void* table) = nullptr;
};

// Floats of scratch that encode() needs.
inline size_t scratch_floats(const Codec& codec, uint32_t dim) {
    return codec.element == Element::sparse ? kMaxSparseElements + kMaxSparseElements / 4 : dim;
}

// After encode() of a codec that can score_closely(): which values it has coded. What was converted or normalized is in scratch.
inline const float* coded_values(const Codec& codec, const void* values, const float* scratch) {
    bool as_given = codec.element == Element::f32 && codec.metric == Metric::l2;
    return as_given ? static_cast<const float*>(values) : scratch;
}

// The row of the table, or nullptr where there is none.
const Codec* find(CodecId id, Element element, Metric metric);

// What codes the queries of a scan.
const Codec& query_codec(const Codec& codec);

// What an index takes when its options do not say.
CodecId default_codec(Element element);

// Names as in the index option `quantization`.
const char* codec_name(CodecId id);
const char* metric_name(Metric metric);

}  // namespace vext::codec
