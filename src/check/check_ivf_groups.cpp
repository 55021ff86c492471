// Groups of lists: they have all lists, and the 1-bit codes of these.
#include <utility>

#include "check/check_ivf.h"
#include "codec/verify.h"

namespace vext::check {

using ivf::IvfGroup;
using ivf::kBlockRows;

void IvfCheck::check_groups() {
    const SlotShape& shape = index_.layout.groups;
    bool nearest = std::exchange(nearest_lists_, false);
    auto* centre = static_cast<uint8*>(palloc(index_.space.stride()));
    uint32 lists = 0, blocks = 0;
    for (uint32 i = 0; i < index_.meta.groups; i++) {
        BlockNumber block = index_.block_of_group(i);
        IvfGroup group{};
        bool there = pages_.look(block, shape, [&](Page page) {
            group = *ivf::group_at(index_, page, i);
            memcpy(centre, ivf::code_of(ivf::group_at(index_, page, i)), index_.space.stride());
        });
        if (!there) return error(block, -1, "the page of a group is missing");
        if (group.first != lists || group.lists > index_.meta.lists - lists) {
            return error(block, shape.slot(i), "a group has other lists than those that follow");
        }
        if (const char* problem = codec::code_problem(*index_.space.codec, centre, index_.dim())) {
            findings_.add(Severity::error, block, shape.slot(i), "the centre of a group is not valid: %s", problem);
            return;
        }
        if (!check_group_codes(group, centre, blocks)) return;
        lists += group.lists;
        blocks += ivf::blocks_of_group(group.lists);
    }
    if (index_.meta.groups > 0 && lists != index_.meta.lists) {
        return error(index_.meta.first_group, -1, "groups have not all lists");
    }
    nearest_lists_ = nearest;
    pfree(centre);
}

// Derived again from the centroids. False where a page is missing.
bool IvfCheck::check_group_codes(const IvfGroup& group, const uint8* centre, uint32 first_block) {
    if (index_.layout.group_bits == 0) return true;
    pg::ScratchContext scratch{"codes of a group"};
    size_t bytes = codec::bit_block_bytes(index_.layout.group_bits);
    auto *there = static_cast<codec::BitBlock*>(palloc(bytes)), *fresh = static_cast<codec::BitBlock*>(palloc0(bytes));
    ivf::GroupCoder coder{index_};
    coder.set_group(centre);
    const SlotShape& shape = index_.layout.group_codes;
    for (uint32 i = 0; i < group.lists; i++) {
        uint32 number = first_block + i / kBlockRows;
        BlockNumber block = index_.block_of_group_code(number);
        if (i % kBlockRows == 0 && !pages_.look(block, shape, [&](Page page) {
                memcpy(there, ivf::group_code_at(index_, page, number), bytes);
            })) {
            error(block, -1, "the page of the codes of a group is missing");
            return false;
        }
        if (!read_centroid(group.first + i, centroid_)) return false;  // reported
        coder.put(centroid_, fresh, i % kBlockRows);
        if (!codec::same_row(fresh, there, i % kBlockRows, index_.layout.group_bits)) {
            error(block, shape.slot(number), "the code of a centroid in its group is not that of the centroid");
        }
    }
    return true;
}

}  // namespace vext::check
