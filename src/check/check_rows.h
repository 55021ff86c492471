// An index against its table: row pointers lead to rows, none is there twice, codes are those of the rows, and every row
// is in the index.
#pragma once

#include "pg/postgres.h"

#include "check/check_findings.h"
#include "check/check_pages.h"
#include "index/attributes.h"
#include "index/opclass.h"
#include "pg/arena.h"

namespace vext::check {

// Where an index has a row; what `at`, `beside` and `part` are is the access method's business.
struct IndexedRow {
    ItemPointerData tid;
    uint16 part;
    uint32 at, beside;
};
static_assert(sizeof(IndexedRow) == 16);

// What an access method does for it.
class RowSource {
public:
    // Rows that it found in its first pass.
    virtual uint64 rows() const = 0;
    // Gives all rows of the index to add_row(), in any order.
    virtual void each_row(class RowCheck& to) = 0;
    // Prepares the code of a row of the table. False: such a row is not indexed.
    virtual bool code_row(const index::VectorValue& value) = 0;
    // Compares what the index has of a row with what code_row() has prepared, and reports what differs. Gives its
    // attributes; false where they are not to be read.
    virtual bool compare(const IndexedRow& row, index::RowAttributes* attributes) = 0;
    // Where it is, for messages.
    virtual BlockNumber block_of(const IndexedRow& row) const = 0;
    virtual int64 slot_of(const IndexedRow& row) const = 0;

protected:
    ~RowSource() = default;
};

class RowCheck {
public:
    // `all_indexed`: also that each row which the snapshot sees is in the index. It is older than the first look at the
    // index, and vacuum is locked out: so whatever it sees has to be there.
    RowCheck(Relation heap, Relation index, Snapshot snapshot, bool all_indexed, Findings& findings, RowSource& source,
             MemoryContext context);
    void run();

    void add_row(const IndexedRow& row) {
        BlockNumber block = ItemPointerGetBlockNumberNoCheck(&row.tid);
        if (block >= from_ && block - from_ < count_) rows_.push_back(row);
    }

private:
    static void row_callback(Relation, ItemPointer tid, Datum* values, bool* is_null, bool, void* state);
    void sort_rows();
    void check_pointers();
    void scan_table(bool part);
    void check_row(ItemPointer tid, const Datum* values, const bool* nulls);
    void check_attributes(const IndexedRow& row, const Datum* values, const bool* nulls);

    Relation heap_, index_;
    Snapshot snapshot_;
    bool all_indexed_;
    Findings& findings_;
    RowSource& source_;
    bool is_heap_;  // the table's access method is the server's own
    MemoryContext row_context_;
    index::AttributeEncoder encoder_;
    codec::Element element_;
    uint32 dim_;
    ArenaVec<IndexedRow> rows_;  // those with pointers to `count_` blocks from `from_` on, sorted by pointer
    BitSet seen_;                // of these, those that the snapshot sees
    BlockNumber from_ = 0;
    uint64 count_ = 0;
};

}  // namespace vext::check
