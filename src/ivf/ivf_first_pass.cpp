// The first pass of a search: all rows of the lists, by 1-bit codes where there are any.
#include <algorithm>
#include <limits>

#include "ivf/ivf_search.h"

namespace vext::ivf {
namespace {

// Keeps the nearest of the candidates.
void cut(Search& s) {
    auto nearer = [](const Candidate& a, const Candidate& b) { return a.estimate < b.estimate; };
    std::nth_element(s.candidates.begin(), s.candidates.begin() + s.keep, s.candidates.end(), nearer);
    s.cutoff = s.candidates[s.keep].estimate;
    s.candidates.resize_uninitialized(s.keep);
    s.truncated = true;
}

void add_candidate(Search& s, const Candidate& c) {
    s.candidates.push_back(c);
    if (s.candidates.size() == 2 * s.keep) cut(s);
}

// What estimates of a list have in common: |q - c|, and the part that does not depend on the row.
struct ListTerms {
    float distance, base;
};

ListTerms terms_of(const Search& s, const Probe& probe, const IvfList& list) {
    if (!s.index.inner_product()) return {probe.key, probe.key * probe.key};
    // `key` is the distance to the query scaled to length one.
    double norm = std::sqrt(s.norm_sq), scale = list.scale;
    double dot = scale * norm * (1 + list.norm_sq - static_cast<double>(probe.key) * probe.key) / 2;
    double distance_sq = std::max(0.0, s.norm_sq + scale * scale * list.norm_sq - 2 * dot);
    return {static_cast<float>(std::sqrt(distance_sq)), static_cast<float>(-dot)};
}

void scan_bits(Search& s, Page page, const ListTerms& terms) {
    float estimates[kBlockRows];
    for (uint32 i = 0; i < s.index.layout.blocks_per_page; i++) {
        IvfBlock* block = block_at(s.index, page, i);
        uint32 live = entries_to_look_at(s, block);
        if (live == 0) continue;
        const codec::BitBlock* bits = bits_of(block);
        codec::estimate(s.bits, bits, terms.base, estimates);
        s.counts.scored += static_cast<uint32>(__builtin_popcount(live));
        // Most blocks have none; this loop is vectorized, the next one is not.
        uint32 count = 0, near = 0;
        for (uint32 row = 0; row < kBlockRows; row++) count += estimates[row] < s.cutoff;
        for (uint32 row = 0; count > 0 && row < kBlockRows; row++)
            near |= static_cast<uint32>(estimates[row] < s.cutoff) << row;
        s.truncated |= (near & live) != live;
        for (near &= live; near != 0; near &= near - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(near));
            if (!(estimates[row] < s.cutoff)) continue;
            float bound = estimates[row] - codec::confidence(bits, row, terms.distance);
            add_candidate(s, {estimates[row], bound, block->vector[row], {}, true});
        }
    }
}

// Scores rows by their codes; their numbers are those of one vectors page as far as possible.
void scan_vectors(Search& s, const SlotNumber* numbers, size_t n) {
    constexpr size_t kBatch = 64;
    const SlotShape& shape = s.index.layout.vectors;
    const uint8* codes[kBatch];
    IvfVector* vectors[kBatch];
    codec::Key keys[kBatch];
    for (size_t i = 0; i < n;) {
        BlockNumber block = shape.block(numbers[i]);
        pg::Pin pin{s.reader.pin(block, shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        while (i < n && shape.block(numbers[i]) == block) {
            size_t batch = 0, first = i;
            for (; i < n && batch < kBatch && shape.block(numbers[i]) == block; i++) {
                IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(numbers[i]));
                if (vector->flags == 0) continue;  // removed since its entry was read
                vectors[batch] = vector;
                codes[batch++] = code_of(vector);
            }
            s.index.codec->score(s.query, codes, batch, keys);
            s.counts.scored += batch;
            for (size_t j = 0; j < batch; j++) {
                float bound = s.index.codec->lower_bound(s.query, keys[j], s.index.codec->slack(s.query, codes[j]));
                // An infinite one is a candidate, too.
                float estimate = std::min(bound, std::numeric_limits<float>::max());
                if (estimate < s.cutoff) {
                    add_candidate(s, {estimate, bound, numbers[first], vectors[j]->tid, true});
                } else {
                    s.truncated = true;
                }
            }
        }
    }
}

// The rows of a page's entries, for indexes without 1-bit codes.
void read_numbers(const Search& s, Page page, ArenaVec<SlotNumber>& numbers) {
    numbers.clear();
    for (uint32 i = 0; i < s.index.layout.blocks_per_page; i++) {
        IvfBlock* block = block_at(s.index, page, i);
        for (uint32 live = entries_to_look_at(s, block); live != 0; live &= live - 1)
            numbers.push_back(block->vector[__builtin_ctz(live)]);
    }
}

// A list's slot; the pages that follow each other since the build are asked for.
IvfList begin_list(Search& s, uint32 list) {
    IvfList l;
    {
        pg::Pin pin{s.reader.pin(s.index.block_of_list(list), s.index.layout.lists)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        l = *list_at(s.index, pin.page(), list);
    }
    if (l.head == InvalidBlockNumber) return l;
    uint64 end = std::min<uint64>(static_cast<uint64>(l.head) + l.run, RelationGetNumberOfBlocks(s.index.rel));
    for (BlockNumber block = l.head; block < end; block++) ask_for(s, block);
    return l;
}

void scan_list(Search& s, const Probe& probe, const IvfList& list) {
    ArenaVec<SlotNumber>& numbers = s.numbers;
    ListTerms terms = s.index.has_bits() ? terms_of(s, probe, list) : ListTerms{};
    page::ChainGuard chain;
    for (BlockNumber block = list.head; block != InvalidBlockNumber;) {
        CHECK_FOR_INTERRUPTS();
        chain.step(s.index.rel, block, s.index.layout.entries);
        numbers.clear();
        {
            pg::Pin pin{s.reader.pin(block, s.index.layout.entries)};
            pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
            const IvfEntries* e = entries_of(s.index, pin.page());
            if (e->list != probe.list) {
                // On a standby a page may get another list while a scan is on its way to it (README.md).
                if (RecoveryInProgress()) return;
                page::report_corrupted(s.index.rel, block, "a page of another list");
            }
            if (s.index.has_bits()) {
                scan_bits(s, pin.page(), terms);
            } else {
                read_numbers(s, pin.page(), numbers);
            }
            block = e->next;
        }
        scan_vectors(s, numbers.data(), numbers.size());
    }
}

}  // namespace

void clear_candidates(Search& s) {
    s.candidates.clear();
    s.cutoff = HUGE_VALF;
    s.truncated = false;
}

void add_candidates(Search& s, size_t from, size_t to) {
    if (from == to) return;
    s.counts.visited += to - from;
    for (Candidate& c : s.candidates.span()) c.late = false;
    IvfList next = begin_list(s, s.probes[from].list);
    for (size_t i = from; i < to; i++) {
        IvfList list = next;
        if (i + 1 < to) next = begin_list(s, s.probes[i + 1].list);
        scan_list(s, s.probes[i], list);
    }
    if (s.candidates.size() > s.keep) cut(s);
}

}  // namespace vext::ivf
