// The metapage of an index, at block 0: one slot, whose struct begins with a magic number and a version.
#pragma once

#include "pg/postgres.h"

#include "page/slot_page.h"
#include "pg/guards.h"

namespace vext::page {

inline constexpr BlockNumber kMetaBlock = 0;

template <typename Meta>
inline constexpr SlotShape kMetaShape = {PageKind::meta, sizeof(Meta), 1};

template <typename Meta>
Meta* meta_at(Page page) {
    return reinterpret_cast<Meta*>(slot_at(page, kMetaShape<Meta>, 0));
}

template <typename Meta>
void init_meta_page(Page page, const Meta& meta) {
    init_page(page, kMetaShape<Meta>);
    *meta_at<Meta>(page) = meta;
}

// Copies the metapage of an index. What is wrong with it, as a sentence, or nullptr.
template <typename Meta>
const char* read_meta(Relation rel, uint32 magic, uint32 version, Meta* meta) {
    {
        pg::Pin pin{ReadBuffer(rel, kMetaBlock)};
        pg::ContentLock lock{pin.buffer(), BUFFER_LOCK_SHARE};
        // An index that another extension or a later version wrote must not be read past its page header.
        if (!has_kind(pin.page(), PageKind::meta)) return "Its first page is not a metapage of vectorext.";
        *meta = *meta_at<Meta>(pin.page());
    }
    if (meta->magic != magic) return "Its metapage has another magic number.";
    if (meta->version != version) return "It was written by another version.";
    return nullptr;
}

}  // namespace vext::page
