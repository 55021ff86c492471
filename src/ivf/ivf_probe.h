// Which lists are near a point: their centroids on pages, and groups of these where there are many. All of it is written
// by the build and never changes, so a pin suffices to read it.
#pragma once

#include <algorithm>

#include "pg/postgres.h"

#include "ivf/ivf_index.h"
#include "page/page_reader.h"
#include "pg/arena.h"
#include "pg/guards.h"

namespace vext::ivf {

struct Probe {
    codec::Key key;
    uint32 list;
};

// A key that lies below `cutoff` joins the nearest `wanted`, a heap. When these are so many, the cutoff is the farthest.
// True when one had to leave for it.
inline bool keep_nearest(ArenaVec<codec::Key>& nearest, size_t wanted, codec::Key key, codec::Key* cutoff) {
    nearest.push_back(key);
    std::push_heap(nearest.begin(), nearest.end());
    bool full = nearest.size() > wanted;
    if (full) {
        std::pop_heap(nearest.begin(), nearest.end());
        nearest.pop_back();
    }
    if (nearest.size() == wanted) *cutoff = nearest[0];
    return full;
}

// The lists in the order of their distance from a point, as far as it is asked for. Without groups all centroids are
// scored at once. With them groups are opened, the nearest first, until a number of them has brought nothing more that is
// among the lists wanted; of an opened group those centroids are scored that look near enough by their 1-bit codes.
class Probes {
public:
    Probes(const IvfIndex& index, page::PageReader& reader, MemoryContext context)
        : index_(index), reader_(reader), groups_(context), probes_(context), put_off_(context), best_(context) {}

    // A point in the space of centroids; must live as long. Working memory comes from the current context.
    void begin(const uint8* place);
    // Makes the first `end` ones known, where there are so many lists. Those that were known stay what they are.
    void extend(size_t end);
    const Probe& operator[](size_t i) const { return probes_[i]; }

private:
    // Nearest on top of a heap.
    struct Group {
        codec::Key key;
        uint32 first, lists, first_block;
    };

    void read_groups();
    bool open_group(const Group& group);
    template <typename Scored>
    void score(const uint32* lists, uint32 n, Scored scored);
    template <typename Scored>
    void score_all(uint32 first, uint32 end, Scored scored);
    bool add(const Probe& probe);
    void begin_best();
    void look_at_what_was_put_off();

    const IvfIndex& index_;
    page::PageReader& reader_;
    codec::Query query_{};
    codec::BitQuery bits_{};
    ArenaVec<Group> groups_;   // not opened yet
    ArenaVec<Probe> probes_;   // lists whose centroids are scored; sorted up to sorted_
    ArenaVec<Probe> put_off_;  // lists of opened groups that are not: what they hardly lie below
    size_t sorted_ = 0;
    size_t wanted_ = 0;
    ArenaVec<codec::Key> best_;     // a heap of the `wanted_` nearest keys
    codec::Key cutoff_ = HUGE_VALF; // its top, once there are so many
};

// The list that a row at a place belongs to.
Probe nearest_list(const IvfIndex& index, page::PageReader& reader, const uint8* place);
// Copies the code of a list's centroid.
void read_centroid(const IvfIndex& index, page::PageReader& reader, uint32 list, uint8* code);

}  // namespace vext::ivf
