// Centroids on pages. They are written by the build and never change, so a pin suffices to read them.
#pragma once

#include "pg/postgres.h"

#include "ivf/ivf_index.h"
#include "page/page_reader.h"
#include "pg/guards.h"

namespace vext::ivf {

// Calls use(list, key, centroid's code) for every list; `place` is a point in the space of centroids.
template <typename Use>
void score_centroids(const IvfIndex& index, page::PageReader& reader, const uint8* place, Use use) {
    constexpr uint32 kBatch = 64;
    const SlotShape& shape = index.layout.centroids;
    codec::Query query;
    index.space.codec->prepare(place, index.dim(), &query);
    const uint8* codes[kBatch];
    codec::Key keys[kBatch];
    for (uint32 list = 0; list < index.meta.lists;) {
        CHECK_FOR_INTERRUPTS();
        pg::Pin pin{reader.pin(index.block_of_centroid(list), shape)};
        uint32 end = std::min(index.meta.lists, (list / shape.per_page + 1) * shape.per_page);
        while (list < end) {
            uint32 n = std::min(end - list, kBatch);
            for (uint32 i = 0; i < n; i++) {
                codes[i] = reinterpret_cast<uint8*>(page::slot_at(pin.page(), shape, shape.slot(list + i)));
            }
            index.space.codec->score(query, codes, n, keys);
            for (uint32 i = 0; i < n; i++) use(list + i, keys[i], codes[i]);
            list += n;
        }
    }
}

}  // namespace vext::ivf
