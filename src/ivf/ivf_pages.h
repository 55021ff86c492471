// Pages that an index gets and loses after its build: which list has them, and the lists of free ones. README.md has
// the order of locks.
#pragma once

#include "pg/postgres.h"

#include "ivf/ivf_index.h"
#include "pg/guards.h"

namespace vext::ivf {

// An exclusively locked page. publish() writes the record in which it was changed and releases it.
class [[nodiscard]] LockedPage {
public:
    LockedPage(const IvfIndex& index, BlockNumber block, const SlotShape& shape);
    LockedPage(const LockedPage&) = delete;
    LockedPage& operator=(const LockedPage&) = delete;
    ~LockedPage() { UnlockReleaseBuffer(buffer_); }

    Buffer buffer() const { return buffer_; }
    BlockNumber block() const { return BufferGetBlockNumber(buffer_); }
    Page page() const { return BufferGetPage(buffer_); }
    // The copy to be changed in a record.
    Page copy(GenericXLogState* record) const { return GenericXLogRegisterBuffer(record, buffer_, 0); }

private:
    Buffer buffer_;
};

// A list gets a further entries page behind `tail` (or its first one), unless somebody else has added one.
void add_entries_page(const IvfIndex& index, uint32 list, BlockNumber tail);
// Takes an empty entries page out of its list; `previous` is the page before it, or InvalidBlockNumber. False: an
// insert came first, the page stays.
bool drop_entries_page(const IvfIndex& index, uint32 list, BlockNumber previous, BlockNumber block);
// The entries page where inserts begin to look, if it still is `seen`.
void set_insert_page(const IvfIndex& index, uint32 list, BlockNumber seen, BlockNumber block);

// A list gets an empty vectors page.
void add_vectors_page(const IvfIndex& index, uint32 list);
// A vectors page with free slots joins the list's stack, unless it is in one.
void push_vectors_page(const IvfIndex& index, uint32 list, BlockNumber block);
// Takes a full page off the top of the stack, if it still is both.
void pop_vectors_page(const IvfIndex& index, uint32 list, BlockNumber block);
// Takes the pages without any row out of the stack, for any list to use. Gives how many.
uint32 give_back_vectors_pages(const IvfIndex& index, uint32 list);

// Frees a page that a crash has left without a list: one that was added and never linked, or left its list and is not
// in that of free pages. False for all others.
bool recover_page(const IvfIndex& index, BlockNumber block, BufferAccessStrategy strategy);

// The number of a free slot; per_page: there is none.
uint32 free_slot(const IvfIndex& index, Page page);

}  // namespace vext::ivf
