// Taking and giving back slots. Pages with free slots are chained from the metapage, one list per kind.
#pragma once

#include "pg/postgres.h"

#include "hnsw/hnsw_index.h"
#include "page/page_change.h"

namespace vext::hnsw {

// A free slot on an exclusively locked page that belongs to an open change. The caller writes the slot
// and calls publish(); it takes no other lock before that.
struct SlotClaim {
    page::PageChange record;
    Buffer buffer;
    Page page;  // as it will be
    char* slot;
    SlotNumber number;

    void publish();
};

// `need` slots in a row, where the kind has runs. ERROR when the relation cannot be extended or slot numbers are used
// up.
SlotClaim claim_slot(const HnswIndex& index, format::PageKind kind, uint32 need = 1);

// Frees a node slot (its code stays readable for searches that still hold its number), or a links or posting slot.
// The page is exclusively locked and registered; the caller calls list_page() once it has let go of it.
void free_node(format::HnswNode* node);
void free_posting(format::HnswPosting* posting);
void free_slot(format::PageKind kind, char* slot);

// The node that a slot of links or postings belongs to; false when the slot is free.
bool slot_owner(format::PageKind kind, char* slot, SlotNumber* owner);

// Puts a page with free slots into its kind's list, behind, for whoever needs so many in a row. The caller holds no lock.
void list_page(const HnswIndex& index, format::PageKind kind, BlockNumber block, uint32 need = 1);

}  // namespace vext::hnsw
