// The second pass of a search: candidates by their finer codes, or by the rows themselves.
#include <algorithm>
#include <limits>

#include "ivf/ivf_search.h"

namespace vext::ivf {
namespace {

// What an estimate would be if it were exact.
float as_estimate(const Search& s, codec::Key key) { return s.index.inner_product() ? key : key * key; }

void prefetch_vector(Search& s, SlotNumber number) {
    const SlotShape& shape = s.index.layout.vectors;
    const char* page = s.reader.guess(shape.block(number));
    if (page == nullptr) return;
    const char* slot = page + page::kSlotAreaStart + shape.slot(number) * shape.slot_bytes;
    prefetch(slot, shape.slot_bytes);
}

bool was_handed_out(const Search& s, const ItemPointerData& tid) {
    return std::binary_search(s.handed_out.begin(), s.handed_out.end(), number_of(tid));
}

// Scores a candidate by its finer code.
void look_closely(Search& s, const Candidate& c) {
    const SlotShape& shape = s.index.layout.vectors;
    pg::Pin pin{s.reader.pin(shape.block(c.vector), shape)};
    pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
    IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(c.vector));
    if (vector->flags == 0) return;  // removed since its entry was read
    const uint8* code = code_of(vector);
    codec::Key key;
    s.index.codec->score(s.query, &code, 1, &key);
    s.counts.scored++;
    float bound = s.index.codec->lower_bound(s.query, key, s.index.codec->slack(s.query, code));
    add_result(s, bound, as_estimate(s, key), vector->tid);
}

// Looks a candidate's row up in the table.
void look_up(Search& s, const Candidate& c) {
    const SlotShape& shape = s.index.layout.vectors;
    ItemPointerData tid;
    {
        pg::Pin pin{s.reader.pin(shape.block(c.vector), shape)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        const IvfVector* vector = vector_at(s.index, pin.page(), shape.slot(c.vector));
        if (vector->flags == 0) return;
        tid = vector->tid;
    }
    double distance;
    if (!s.rerank->distance(tid, &distance)) return;
    bool cosine = s.index.metric() == codec::Metric::cosine;
    double estimate = cosine ? 2 * distance : s.index.inner_product() ? distance : distance * distance;
    add_result(s, distance, static_cast<float>(estimate), tid);
}

}  // namespace

void trim_results(Search& s) {
    auto beyond = [&](const Result& r) {
        if (r.estimate <= s.cutoff) return false;
        s.nearest_left = std::min(s.nearest_left, r.bound);
        return true;
    };
    s.results.resize_uninitialized(std::remove_if(s.results.begin(), s.results.end(), beyond) - s.results.begin());
    s.trim_at = 2 * std::max(s.wanted, s.results.size());
}

void add_result(Search& s, double bound, float estimate, const ItemPointerData& tid) {
    estimate = std::min(estimate, std::numeric_limits<float>::max());  // an infinite one counts, too
    bool is_new = !was_handed_out(s, tid);
    if (!(estimate < s.cutoff)) {
        s.truncated = true;
        if (is_new) s.nearest_left = std::min(s.nearest_left, bound);
        return;
    }
    s.truncated |= keep_nearest(s.best, s.wanted, estimate, &s.cutoff);
    if (is_new) s.results.push_back({bound, estimate, tid, s.late});
    if (s.results.size() >= s.trim_at) trim_results(s);
}

// The nearest by what they hardly lie below first, a few at a time, so that the memory has been asked for all of them
// when the first is looked at.
void look_at_candidates(Search& s) {
    auto farther = [](const Candidate& a, const Candidate& b) { return a.lower > b.lower; };
    const size_t at_once = s.rerank == nullptr ? 8 : 1;
    ArenaVec<Candidate>& heap = s.candidates;
    std::make_heap(heap.begin(), heap.end(), farther);
    while (!heap.empty() && heap[0].lower < s.cutoff) {
        CHECK_FOR_INTERRUPTS();
        size_t end = heap.size(), begin = end;
        s.soon.clear();
        for (; begin > 0 && end - begin < at_once && heap[0].lower < s.cutoff; begin--) {
            s.soon.push_back(s.index.layout.vectors.block(heap[0].vector));
            if (s.rerank == nullptr) prefetch_vector(s, heap[0].vector);
            std::pop_heap(heap.begin(), heap.begin() + begin, farther);
        }
        s.reader.bring(s.soon.data(), s.soon.size(), s.index.layout.vectors);
        for (size_t i = end; i-- > begin;) {
            if (s.rerank != nullptr) {
                look_up(s, heap[i]);
            } else {
                look_closely(s, heap[i]);
            }
        }
        heap.resize_uninitialized(begin);
    }
    s.truncated |= !heap.empty();
}

}  // namespace vext::ivf
