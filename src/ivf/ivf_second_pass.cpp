// The second pass of a search: candidates by their finer codes, or by the rows themselves.
#include <algorithm>

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
    for (uint32 at = 0; at < shape.slot_bytes; at += 64) __builtin_prefetch(slot + at);
}

bool was_handed_out(const Search& s, const ItemPointerData& tid) {
    return std::binary_search(s.handed_out.begin(), s.handed_out.end(), number_of(tid));
}

// A row's place among the nearest that were not handed out.
void rank_result(Search& s, double bound, float estimate, const ItemPointerData& tid) {
    if (was_handed_out(s, tid)) return;
    s.results.push_back({bound, estimate, tid});
    s.best.push_back(estimate);
    std::push_heap(s.best.begin(), s.best.end());
    if (s.best.size() > s.hand_out) {
        std::pop_heap(s.best.begin(), s.best.end());
        s.best.pop_back();
    }
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
    rank_result(s, bound, as_estimate(s, key), vector->tid);
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
    rank_result(s, distance, static_cast<float>(estimate), tid);
}

// In the order of what candidates hardly lie below; those that cannot be among the rows handed out any more are left.
void look_at_nearest(Search& s) {
    constexpr size_t kAhead = 4;
    std::sort(s.candidates.begin(), s.candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.bound < b.bound; });
    s.best.clear();
    for (const Candidate& c : s.candidates) ask_for(s, s.index.layout.vectors.block(c.vector));
    for (size_t i = 0; i < s.candidates.size(); i++) {
        const Candidate& c = s.candidates[i];
        if (hands_out_few(s) && s.best.size() == s.hand_out && c.bound > s.best[0]) break;
        if ((i & 0x3F) == 0) CHECK_FOR_INTERRUPTS();
        if (s.rerank == nullptr && i + kAhead < s.candidates.size())
            prefetch_vector(s, s.candidates[i + kAhead].vector);
        if (s.rerank != nullptr) {
            look_up(s, c);
        } else {
            look_closely(s, c);
        }
    }
}

}  // namespace

void score_candidates(Search& s) {
    s.results.clear();
    std::sort(s.handed_out.begin(), s.handed_out.end());
    if (s.index.has_bits()) {
        look_at_nearest(s);
    } else {
        for (const Candidate& c : s.candidates) {
            if (!was_handed_out(s, c.tid)) s.results.push_back({c.bound, c.estimate, c.tid});
        }
    }
    std::sort(s.results.begin(), s.results.end(), [](const Result& a, const Result& b) {
        return a.bound != b.bound ? a.bound < b.bound : number_of(a.tid) < number_of(b.tid);
    });
}

}  // namespace vext::ivf
