// The first pass of a search: all rows of the lists, by 1-bit codes where there are any.

#include "ivf/ivf_search.h"

namespace vext::ivf {
namespace {

// What estimates of a list have in common: the part that does not depend on the row, and |q - c| by the margin.
struct ListTerms {
    float base, slack;
};

ListTerms terms_of(const Search& s, const Probe& probe, const IvfList& list) {
    if (!s.index.inner_product()) return {probe.key * probe.key, s.margin * probe.key};
    // `key` is the distance to the query scaled to length one.
    double norm = std::sqrt(s.norm_sq), scale = list.scale;
    double dot = scale * norm * (1 + list.norm_sq - static_cast<double>(probe.key) * probe.key) / 2;
    double distance_sq = std::max(0.0, s.norm_sq + scale * scale * list.norm_sq - 2 * dot);
    return {static_cast<float>(-dot), s.margin * static_cast<float>(std::sqrt(distance_sq))};
}

void scan_bits(Search& s, Page page, const ListTerms& terms) {
    float lower[kBlockRows];
    for (uint32 i = 0; i < s.index.layout.blocks_per_page; i++) {
        IvfBlock* block = block_at(s.index, page, i);
        uint32 live = entries_to_look_at(s, block);
        if (live == 0) continue;
        codec::estimate(s.bits, bits_of(block), terms.base, terms.slack, lower);
        s.counts.scored += static_cast<uint32>(__builtin_popcount(live));
        // Most blocks have none; this loop is vectorized, the next one is not.
        uint32 count = 0, near = 0;
        for (uint32 row = 0; row < kBlockRows; row++) count += lower[row] < s.cutoff;
        for (uint32 row = 0; count > 0 && row < kBlockRows; row++)
            near |= static_cast<uint32>(lower[row] < s.cutoff) << row;
        s.truncated |= (near & live) != live;
        for (near &= live; near != 0; near &= near - 1) {
            auto row = static_cast<uint32>(__builtin_ctz(near));
            s.candidates.push_back({lower[row], block->vector[row]});
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
            size_t batch = 0;
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
                add_result(s, bound, bound, vectors[j]->tid);
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

IvfList list_of(Search& s, const Probe& probe) {
    pg::Pin pin{s.reader.pin(s.index.block_of_list(probe.list), s.index.layout.lists)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    return *list_at(s.index, pin.page(), probe.list);
}

// Reads the slots of some of the lists `from` to s.to into s.next_lists. Their pages that follow each other since the build
// come into memory together, as many as a search may count on to stay there.
void begin_lists(Search& s, size_t from) {
    constexpr uint64 kTogether = 64;
    uint64 most = std::min<uint64>(kTogether, static_cast<uint64>(NBuffers) / 16), pages = 0;
    BlockNumber count = RelationGetNumberOfBlocks(s.index.rel);
    s.next_lists.clear();
    s.soon.clear();
    for (size_t i = from; i < s.to; i++) {
        IvfList list = list_of(s, s.probes[i]);
        if (i > from && pages + list.run > most) break;
        pages += list.run;
        s.next_lists.push_back(list);
        if (list.head == InvalidBlockNumber) continue;
        uint64 end = std::min<uint64>(static_cast<uint64>(list.head) + list.run, count);
        for (BlockNumber block = list.head; block < end; block++) s.soon.push_back(block);
    }
    s.reader.bring(s.soon.data(), s.soon.size(), s.index.layout.entries);
}

void scan_list(Search& s, const Probe& probe, const IvfList& list) {
    ArenaVec<SlotNumber>& numbers = s.numbers;
    ListTerms terms = s.index.has_bits() ? terms_of(s, probe, list) : ListTerms{};
    page::ChainGuard chain;
    s.candidates.clear();
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
    look_at_candidates(s);
}

// Lists `from` to s.to.
void scan_lists(Search& s, size_t from) {
    s.counts.visited += s.to - from;
    for (size_t i = from; i < s.to;) {
        begin_lists(s, i);
        for (const IvfList& list : s.next_lists.span()) {
            s.late = i >= s.from + (s.to - s.from) / 2;
            scan_list(s, s.probes[i++], list);
        }
    }
    trim_results(s);
}

}  // namespace

void find_results(Search& s) {
    s.best.clear();
    s.results.clear();
    s.cutoff = HUGE_VALF;
    s.nearest_left = HUGE_VAL;
    s.trim_at = 2 * s.wanted;
    s.truncated = false;
    scan_lists(s, s.from);
}

void find_further(Search& s, size_t to) {
    for (Result& r : s.results.span()) r.late = false;
    size_t from = s.to;
    s.to = to;
    scan_lists(s, from);
}

}  // namespace vext::ivf
