// The check of an ivfflat index: the invariants of ivf/README.md.
//
// Inserts go on meanwhile, vacuum does not. So entries and rows stay where they are, an entry and its row come at once,
// and chains grow at their ends only. Vectors pages are read first: a row found there has an entry by then.
#pragma once

#include "pg/postgres.h"

#include "check/check_pages.h"
#include "check/check_rows.h"
#include "ivf/ivf_index.h"
#include "ivf/ivf_row.h"
#include "page/page_reader.h"

namespace vext::check {

class IvfCheck final : public RowSource {
public:
    IvfCheck(const ivf::IvfIndex& index, Pages& pages, bool nearest_lists, MemoryContext context);

    // All but the table.
    void run();

    uint64 rows() const override { return rows_; }
    void each_row(RowCheck& to) override;
    bool code_row(const index::VectorValue& value) override;
    bool compare(const IndexedRow& row, index::RowAttributes* attributes) override;
    // Of a row's entry, and of its slot on a vectors page.
    BlockNumber block_of(const IndexedRow& row) const override { return vectors().block(row.at); }
    int64 slot_of(const IndexedRow& row) const override { return vectors().slot(row.at); }

private:
    const SlotShape& vectors() const { return index_.layout.vectors; }
    const SlotShape& entries() const { return index_.layout.entries; }
    void error(BlockNumber block, int64 slot, const char* what) {
        findings_.add(Severity::error, block, slot, "%s", what);
    }

    // ---- check_ivf.cpp: pages by themselves
    void check_meta();
    void check_slots();
    void check_vectors_page(BlockNumber block, Page page);
    void check_entries_page(BlockNumber block, Page page);
    void check_centroids();

    // ---- check_ivf_groups.cpp: groups of lists
    void check_groups();
    bool check_group_codes(const ivf::IvfGroup& group, const uint8* centre, uint32 first_block);

    // ---- check_ivf_lists.cpp: lists, their chains and stacks
    void check_lists();
    void check_list(uint32 list, const ivf::IvfList& l);
    void check_page_lists();
    void check_entries(BlockNumber block, Page page);
    void check_unnamed();
    void check_lost_pages();
    bool read_list(uint32 list, ivf::IvfList* l);
    bool read_centroid(uint32 list, uint8* code);
    void check_bits(const IndexedRow& row, ivf::IvfBlock* block, uint32 list);
    void check_nearest(const IndexedRow& row, uint32 list);

    const ivf::IvfIndex& index_;
    Pages& pages_;
    Findings& findings_;
    MemoryContext context_;
    uint64 next_xid_;
    uint64 rows_ = 0, all_entries_ = 0;
    BitSet used_, named_;             // slots of vectors pages
    BitSet chained_;                  // entries pages
    ArenaVec<BlockNumber> unchained_; // entries pages in use, as the first pass saw them
    // Working memory of one row.
    bool nearest_lists_;
    page::PageReader reader_;
    ivf::RowCoder coder_;
    uint32 coder_list_ = UINT32_MAX;
    float* floats_;
    uint8 *code_, *place_, *centroid_, *block_;
};

}  // namespace vext::check
