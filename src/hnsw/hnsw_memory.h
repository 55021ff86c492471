// The graph of a build in memory: a view of arrays that may lie in memory shared with other processes. No Postgres
// here.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "base/placer.h"
#include "codec/rabitq.h"
#include "codec/rotation.h"
#include "hnsw/hnsw_graph.h"

namespace vext::hnsw {

struct GraphParameters {
    uint32_t dim;
    uint32_t m;
    uint32_t ef_construction;
    const codec::Codec* codec;

    size_t max_links(int level) const { return level == 0 ? 2 * m : m; }
    // Of a row of links: its header, then the neighbours.
    size_t row_width(int level) const { return 1 + max_links(level); }
};

// From so many dimensions on codes are what a build mostly waits for; of fewer, one-bit codes tell little.
inline constexpr uint32_t kWideCodes = 320;

// Whether a build may have one-bit codes beside these, to look at first. Not of sparse vectors, nor where distances are
// no Euclidean ones or products.
inline bool may_have_bits(const codec::Codec& codec) {
    return codec.id == codec::CodecId::sq8 && codec.element != codec::Element::sparse && codec.metric != codec::Metric::l1;
}

// Rows of the upper levels are numbered in 32 bits; at m = 2 there are three words of them to a node.
inline constexpr size_t kMaxMemoryNodes = size_t{1} << 30;

// The level of the nth node of a build.
inline int level_of_nth(size_t n, uint32_t m) { return random_level(mix64(0x76656374u + n), m); }

// Points enter in batches: [0] alone, then each batch a fiftieth of what is in, so that few of a point's true
// neighbours are in its own batch.
struct Batch {
    uint32_t begin;  // in `order`
    uint32_t entry;  // the highest node of the batches before
};

// How far the participants are with a batch: what is claimed of its points to be linked, of its parts to be applied.
struct BatchClaims {
    std::atomic<uint32_t> linked, applied;
};

struct MemoryGraph {
    GraphParameters p;
    size_t stride;        // bytes of a code, or, where codes differ in size, of the mean
    uint32_t bits;        // of a one-bit code; 0: there are none
    size_t bit_stride;
    uint64_t code_bytes;  // of all
    uint32_t n;
    uint32_t batch_count;
    uint64_t upper_words;

    uint8_t* codes;
    uint8_t* bit_codes;  // as codec::encode_row() writes them
    float* center;       // of these, rotated
    uint64_t* starts;  // of the codes, where they differ in size
    uint8_t* levels;
    uint32_t* upper;  // where the upper rows of a node start
    uint32_t* upper_links;
    uint32_t* links0;
    uint32_t* order;       // in which the nodes enter
    Batch* batches;        // batch_count of them and an end
    BatchClaims* claims;   // and two more: of work on all nodes
    uint8_t* suspects;     // nodes that none of their neighbours leads back to

    bool codes_vary() const { return p.codec->size != nullptr; }
    const uint8_t* code(uint32_t node) const { return codes + (codes_vary() ? starts[node] : node * stride); }
    uint8_t* bit_code(uint32_t node) const { return bit_codes + node * bit_stride; }
    size_t code_size(uint32_t node) const { return codes_vary() ? p.codec->size(code(node)) : stride; }
    uint32_t entry() const { return n == 0 ? kNoNode : batches[batch_count].entry; }

    // A row of links: header, neighbours. The first neighbours of the row were chosen by the heuristic together,
    // nearest first: they are known not to make each other superfluous, and are called settled.
    uint32_t* row(uint32_t node, int level) const {
        return level == 0 ? links0 + node * p.row_width(0)
                          : upper_links + upper[node] + static_cast<size_t>(level - 1) * p.row_width(1);
    }
    static uint32_t count(const uint32_t* row) { return row[0] & 0xFFFF; }
    static uint32_t settled(const uint32_t* row) { return row[0] >> 16; }
    static void set_counts(uint32_t* row, size_t count, size_t settled) {
        row[0] = static_cast<uint32_t>(count | settled << 16);
    }

    // The sizes of a graph over these levels and so many bytes of codes, with one-bit codes beside them if there may be such.
    void measure(const GraphParameters& parameters, const uint8_t* node_levels, size_t nodes, uint64_t bytes,
                 bool with_bits) {
        p = parameters;
        code_bytes = bytes;
        n = static_cast<uint32_t>(nodes);
        set_strides(with_bits);
        upper_words = 0;
        for (size_t i = 0; i < nodes; i++) upper_words += node_levels[i] * p.row_width(1);
        batch_count = 0;
        for (size_t done = 0; done < nodes; done += batch_after(done, nodes)) batch_count++;
    }

    // From the parameters, the number of nodes and the bytes of all codes.
    void set_strides(bool with_bits) {
        stride = codes_vary() ? code_bytes / std::max<uint32_t>(n, 1) : p.codec->bytes(p.dim);
        bits = with_bits && may_have_bits(*p.codec) ? codec::bits_for(p.dim) : 0;
        bit_stride = bits > 0 ? codec::bit_row_bytes(bits) : 0;
    }

    static size_t batch_after(size_t done, size_t nodes) {
        constexpr size_t kShare = 50;
        return std::min(nodes - done, std::max<size_t>(1, done / kShare));
    }

    // Lays the arrays out, `batches` first; codes may be elsewhere. Gives the bytes that they take.
    size_t place(Placer memory, uint8_t* codes_elsewhere) {
        memory.next(batches, batch_count + 1);
        memory.next(claims, batch_count + 2);
        memory.next(upper, n);
        memory.next(order, n);
        memory.next(levels, n);
        memory.next(suspects, n);
        memory.next(starts, codes_vary() ? n : 0);
        memory.next(upper_links, upper_words);
        memory.next(links0, n * p.row_width(0));
        memory.next(bit_codes, n * bit_stride);
        memory.next(center, bits > 0 ? codec::rotated_dims(p.dim) : 0);
        if (codes_elsewhere == nullptr) {
            memory.next(codes, code_bytes);
        } else {
            codes = codes_elsewhere;
        }
        return memory.used();
    }

    // What a node takes in memory, for planning against a limit.
    static size_t node_bytes(const GraphParameters& p, size_t code_size) {
        size_t upper_rows = p.row_width(1) / (p.m - 1) + 1;
        size_t start = p.codec->size == nullptr ? 0 : sizeof(uint64_t);
        return code_size + start + (p.row_width(0) + upper_rows + 2) * sizeof(uint32_t) + 2;
    }

    // Fills in what follows from the levels: the order, the batches and their entry points.
    void plan() {
        uint64_t total = 0;
        for (uint32_t i = 0; i < n; i++) {
            upper[i] = static_cast<uint32_t>(total);
            total += levels[i] * p.row_width(1);
            order[i] = i;
        }
        for (size_t i = n; i-- > 1;) std::swap(order[i], order[mix64(i ^ 0x68E31DA4u) % (i + 1)]);
        uint32_t entry = n == 0 ? kNoNode : order[0];
        size_t done = 0;
        for (uint32_t b = 0; b < batch_count + 2; b++) {
            claims[b].linked.store(0, std::memory_order_relaxed);
            claims[b].applied.store(0, std::memory_order_relaxed);
        }
        for (uint32_t b = 0; b <= batch_count; b++) {
            batches[b] = {static_cast<uint32_t>(done), entry};
            size_t end = done + batch_after(done, n);
            for (; done < end; done++) {
                if (levels[order[done]] > levels[entry]) entry = order[done];
            }
        }
    }
};

}  // namespace vext::hnsw
