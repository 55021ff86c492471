// A walk along pages, or slots of them, that lead to each other. In a damaged index they may lead back to where the walk
// has been: it ends when it has taken more steps than the file has room for.
#pragma once

#include "pg/postgres.h"

#include "page/slot_page.h"

namespace vext::page {

class ChainWalk {
public:
    // per_block: how many links of the chain a block may hold.
    explicit ChainWalk(Relation index, uint32 per_block = 1) : index_(index), per_block_(per_block) {}

    // ERROR (index corrupted) where the walk has gone astray. Others may lengthen the chain and the file meanwhile.
    void step(BlockNumber at) {
        if (++steps_ <= limit_) return;
        limit_ = uint64{RelationGetNumberOfBlocks(index_)} * per_block_ + kSpare;
        if (steps_ > limit_) report_corrupted(index_, at, "a chain that leads back to itself");
    }

private:
    static constexpr uint64 kSpare = 1000;  // steps that are taken again, since somebody else was there first

    Relation index_;
    uint32 per_block_;
    uint64 steps_ = 0, limit_ = kSpare;
};

}  // namespace vext::page
