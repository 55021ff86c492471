// Pages, nodes one by one, and lists of pages with free slots.
#include "check/check_hnsw.h"

#include "codec/verify.h"
#include "index/attribute_sketch.h"

namespace vext::check {

using format::HnswLinks;
using format::HnswMeta;
using format::HnswNode;
using format::HnswPosting;
using format::kNoSlot;

namespace {

const char* const kKindNames[] = {"nodes", "base_links", "upper_links", "postings"};

// The transaction id at which a slot was freed.
uint64 freed_at(const HnswNode* node) {
    uint64 value = BlockIdGetBlockNumber(&node->tid.ip_blkid);
    return value | static_cast<uint64>(node->tid.ip_posid) << 32 | static_cast<uint64>(node->null_attributes) << 48;
}

}  // namespace

HnswCheck::HnswCheck(const hnsw::HnswIndex& index, Pages& pages, MemoryContext context)
    : index_(index), pages_(pages), findings_(pages.findings()), context_(context),
      next_xid_(U64FromFullTransactionId(ReadNextFullTransactionId())), states_(context),
      referred_{BitSet{context}, BitSet{context}, BitSet{context}, BitSet{context}}, suspects_(context),
      reached_(context), queue_(context), scratch_(context),
      code_(static_cast<uint8*>(MemoryContextAllocZero(context, index.layout.code_bytes))) {
    scratch_.resize_uninitialized(codec::scratch_floats(*index.codec, index.dim()));
}

void HnswCheck::add(Severity severity, PageKind kind, SlotNumber number, const char* what) {
    const SlotShape& shape = index_.shape(kind);
    findings_.add(severity, shape.block(number), shape.slot(number), "%s", what);
}

void HnswCheck::run() {
    check_meta();
    check_slots();
    check_references();
    pages_.check_lists([&] { check_free_lists(); });
    check_entry();
    settle();
    check_reach();
    findings_.add(Severity::info, InvalidBlockNumber, -1,
                  "%s index, format %u: " UINT64_FORMAT " rows in " UINT64_FORMAT " nodes on %u pages", "hnsw",
                  index_.meta.version, rows_, live_, RelationGetNumberOfBlocks(pages_.index()));
    if (pages_.empty() > 0) {
        findings_.add(Severity::info, InvalidBlockNumber, -1, UINT64_FORMAT " empty pages", pages_.empty());
    }
}

void HnswCheck::check_meta() {
    const HnswMeta& meta = index_.meta;
    pages_.check_meta(page::kMetaShape<HnswMeta>);
    auto error = [&](const char* what) { findings_.add(Severity::error, format::kHnswMetaBlock, -1, "%s", what); };
    if (meta.dimensions != static_cast<uint32>(TupleDescAttr(index_.rel->rd_att, 0)->atttypmod)) {
        error("the index is of other dimensions than its column");
    }
}

// ---- the first pass: slots by themselves

void HnswCheck::check_slots() {
    elog(DEBUG1, "checking pages of index \"%s\"", RelationGetRelationName(pages_.index()));
    states_.resize(static_cast<size_t>(RelationGetNumberOfBlocks(pages_.index())) * nodes().per_page, none);
    auto shape_of = [&](uint16 kind) -> const SlotShape* {
        if (kind < 1 || kind > format::kSlotKinds) return nullptr;
        if (kind == static_cast<uint16>(PageKind::base_links) && index_.layout.links_inline) return nullptr;
        return &index_.shape(static_cast<PageKind>(kind));
    };
    pages_.each(true, shape_of, [&](BlockNumber block, Page page, const SlotShape& shape) {
        if (shape.kind == PageKind::nodes) {
            check_node_page(block, page);
        } else {
            for (uint32 i = 0; i < shape.per_page; i++) {
                const char* slot = page::slot_at(page, shape, i);
                if (shape.kind == PageKind::postings) check_posting_slot(slot, shape.number(block, i));
                else check_link_slot(shape.kind, slot, shape.number(block, i));
            }
        }
        if (lacks_list(shape.kind, page)) suspects_.push_back({Suspect::unlisted, shape.kind, block, kNoSlot});
    });
}

void HnswCheck::check_run_map(BlockNumber block, Page page) {
    if (!nodes().runs) return;
    bool wrong = page::starts_run(page, 0) || !page::starts_run(page, page::kFirstRun);
    for (uint32 i = nodes().per_page; i < sizeof(format::RunMap) * 8; i++) wrong |= page::starts_run(page, i);
    if (wrong) findings_.add(Severity::error, block, 0, "the map of runs is not valid");
}

void HnswCheck::check_sketches(BlockNumber block, Page page) {
    for (uint32 i = 0; i < index_.sketches(); i++) {
        if (index::is_valid_sketch(hnsw::sketch_at(index_, page, i), nodes().per_page)) continue;
        findings_.add(Severity::error, block, -1, "the sketch of an attribute is not valid");
    }
}

void HnswCheck::check_node_page(BlockNumber block, Page page) {
    check_run_map(block, page);
    check_sketches(block, page);
    for (uint32 i = page::first_entry(nodes()); i < nodes().per_page; i = page::next_entry(page, nodes(), i)) {
        SlotNumber number = nodes().number(block, i);
        uint8 state = check_node(page, i, number);
        if (number >= states_.size()) states_.resize(static_cast<size_t>(block + 1) * nodes().per_page, none);
        states_[number] = state;
        if (state == dead) dead_++;
        if (state < live) continue;
        live_++;
        if (state - live > top_) {
            top_ = state - live;
            highest_ = number;
        }
    }
}

uint8 HnswCheck::check_node(Page page, uint32 slot, SlotNumber number) {
    const HnswNode* node = hnsw::node_at(index_, page, slot);
    if (node->generation > 0x7FFFFFFF) error(PageKind::nodes, number, "a generation is out of range");
    if (node->flags == 0) {
        if (node->generation == 0) return none;
        if (freed_at(node) > next_xid_) error(PageKind::nodes, number, "a slot was freed in the future");
        return was_freed;
    }
    if (node->flags != format::kSlotUsed && node->flags != (format::kSlotUsed | format::kNodeDead)) {
        error(PageKind::nodes, number, "a node has impossible flags");
        return none;
    }
    if (!hnsw::has_node(index_, page, slot)) {
        error(PageKind::nodes, number, "a node does not fit its page");
        return none;
    }
    bool is_dead = node->flags & format::kNodeDead, has_row = ItemPointerIsValid(&node->tid);
    if (node->generation == 0) error(PageKind::nodes, number, "a node in use has no generation");
    if (node->mark != hnsw::mark_of(index_, number)) error(PageKind::nodes, number, "a node has another one's mark");
    if (node->level > hnsw::kMaxLevel) {
        error(PageKind::nodes, number, "a node has an impossible level");
        return none;
    }
    if (node->level == 0 && node->upper != kNoSlot) error(PageKind::nodes, number, "a node of level 0 has upper links");
    if (node->link_count > (index_.layout.links_inline ? index_.max_links(0) : 0)) {
        error(PageKind::nodes, number, "a node has too many links");
    }
    if (is_dead && (has_row || node->posting != kNoSlot)) error(PageKind::nodes, number, "a dead node has rows");
    if (is_dead) {
        warning(PageKind::nodes, number, "a dead node that a vacuum has left");
    } else if (!has_row && node->posting == kNoSlot) {
        warning(PageKind::nodes, number, "a live node without rows");
    }
    check_code(page, slot, number);
    if (!is_dead && !hnsw::is_sketched(index_, page, slot)) {
        error(PageKind::nodes, number, "the sketches of the page leave out a node");
    }
    return is_dead ? uint8{dead} : static_cast<uint8>(live + node->level);
}

void HnswCheck::check_code(Page page, uint32 slot, SlotNumber number) {
    const uint8* code = hnsw::code_at(index_, hnsw::node_at(index_, page, slot));
    if (nodes().runs && slot + index_.node_slots(code) > page::next_entry(page, nodes(), slot)) {
        return error(PageKind::nodes, number, "a node is longer than its run");
    }
    const char* problem = codec::code_problem(*index_.codec, code, index_.dim());
    if (problem == nullptr) return;
    findings_.add(Severity::error, nodes().block(number), nodes().slot(number), "a code is not valid: %s", problem);
}

void HnswCheck::check_link_slot(PageKind kind, const char* slot, SlotNumber number) {
    const auto* links = reinterpret_cast<const HnswLinks*>(slot);
    if (links->flags > format::kSlotUsed) return error(kind, number, "a row of links has impossible flags");
    if (links->flags == 0) return;
    bool base = kind == PageKind::base_links;
    if (base ? links->level != 0 : links->level < 1 || links->level > hnsw::kMaxLevel) {
        error(kind, number, "a row of links has an impossible level");
    }
    if (links->count > index_.max_links(base ? 0 : 1)) error(kind, number, "a row of links is too long");
    if (base && links->above != kNoSlot) error(kind, number, "a row of links of level 0 leads to a further one");
}

void HnswCheck::check_posting_slot(const char* slot, SlotNumber number) {
    const auto* posting = reinterpret_cast<const HnswPosting*>(slot);
    constexpr PageKind kind = PageKind::postings;
    if (posting->flags > format::kSlotUsed) return error(kind, number, "a chunk of rows has impossible flags");
    if (posting->flags == 0) {
        uint64 freed;
        memcpy(&freed, posting + 1, sizeof freed);
        if (freed > next_xid_) error(kind, number, "a slot was freed in the future");
        return;
    }
    if (posting->count > index_.layout.posting_capacity) return error(kind, number, "a chunk of rows is too long");
    if (posting->uniform > 1 || posting->reserved != 0) error(kind, number, "a chunk of rows has an impossible header");
    for (uint32 i = 0; i < posting->count; i++) {
        const auto* entry = hnsw::entry_at(index_, const_cast<HnswPosting*>(posting), i);
        if (!ItemPointerIsValid(&entry->tid)) error(kind, number, "a chunk of rows has an invalid row pointer");
    }
}

// ---- lists of pages with free slots

void HnswCheck::check_free_lists() {
    for (int kind = 0; kind <= format::kSlotKinds; kind++) {
        bool large = kind == format::kSlotKinds;
        const SlotShape& shape = index_.shape(large ? PageKind::nodes : static_cast<PageKind>(kind + 1));
        const char* name = psprintf("the list of pages with free slots, %s,", large ? "large nodes" : kKindNames[kind]);
        pages_.check_list(format::kHnswMetaBlock, page::kMetaShape<HnswMeta>, shape, name, [&](Page page) {
            const HnswMeta* meta = hnsw::meta_of(page);
            BlockNumber passed = meta->passed_last[kind];
            return Pages::Heads{large ? meta->free_large : meta->free_head[kind], passed == 0 ? InvalidBlockNumber : passed};
        });
    }
}

// Whether a page has free slots and is in no list. Pages of runs stay out of theirs until much is free.
bool HnswCheck::lacks_list(PageKind kind, Page page) {
    const SlotShape& shape = index_.shape(kind);
    if (shape.runs || page::tail_of(page)->listed) return false;
    for (uint32 i = 0; i < shape.per_page; i++) {
        const char* slot = page::slot_at(page, shape, i);
        uint8 flags = kind == PageKind::nodes      ? reinterpret_cast<const HnswNode*>(slot)->flags
                      : kind == PageKind::postings ? reinterpret_cast<const HnswPosting*>(slot)->flags
                                                   : reinterpret_cast<const HnswLinks*>(slot)->flags;
        if (flags == 0) return true;
    }
    return false;
}

// ---- second looks

void HnswCheck::settle() {
    look_again([&] {
        size_t kept = 0;
        for (size_t i = 0; i < suspects_.size(); i++) {
            CHECK_FOR_INTERRUPTS();
            if (is_still(suspects_[i])) suspects_[kept++] = suspects_[i];
        }
        suspects_.resize(kept);
        return kept > 0;
    });
    for (const Suspect& s : suspects_) report(s);
}

bool HnswCheck::is_still(const Suspect& s) {
    HnswNode node;
    SlotNumber base;
    switch (s.kind) {
    case Suspect::no_base_row:
        return read_node(s.number, &node, &base) && base == kNoSlot;
    case Suspect::no_upper_rows:
        return read_node(s.number, &node) && node.upper == kNoSlot;
    case Suspect::unowned:
        return !refers(s.page, s.owner, s.number);
    case Suspect::unlisted: {
        bool lacks = false;
        pages_.look(s.number, index_.shape(s.page), [&](Page page) { lacks = lacks_list(s.page, page); });
        return lacks;
    }
    case Suspect::low_entry: {
        HnswMeta meta = index_.meta;
        pages_.look(format::kHnswMetaBlock, page::kMetaShape<HnswMeta>, [&](Page page) { meta = *hnsw::meta_of(page); });
        return meta.entry == kNoSlot || static_cast<int>(meta.entry_level) < top_;
    }
    }
    return true;
}

void HnswCheck::report(const Suspect& s) {
    switch (s.kind) {
    case Suspect::no_base_row:
        return warning(PageKind::nodes, s.number, "a node without links, whose insert has failed");
    case Suspect::no_upper_rows:
        return warning(PageKind::nodes, s.number, "a node without its upper links, whose insert has failed");
    case Suspect::unowned:
        return warning(s.page, s.number, "a slot in use that no node refers to");
    case Suspect::unlisted:
        findings_.add(Severity::warning, s.number, -1, "the page has free slots and is in no list");
        return;
    case Suspect::low_entry:
        return warning(PageKind::nodes, s.number, "the entry point is below the level of this node");
    }
}

// ---- rows

bool HnswCheck::code_row(const index::VectorValue& value) {
    return index_.codec->encode(value.elements, index_.dim(), scratch_.data(), code_);
}

// Of the row in its node (part 0), or in a chunk. It may have moved by now.
bool HnswCheck::read_attributes(const IndexedRow& row, const HnswNode* node, index::RowAttributes* attributes) {
    auto copy = [&](const auto* holder) {
        attributes->nulls = holder->null_attributes;
        memcpy(attributes->values, holder + 1, index_.layout.attribute_bytes);
        return ItemPointerEquals(const_cast<ItemPointerData*>(&holder->tid), const_cast<ItemPointerData*>(&row.tid));
    };
    if (row.part == 0) return copy(node);
    const SlotShape& shape = index_.layout.postings;
    bool same = false;
    pages_.look(shape.block(row.beside), shape, [&](Page page) {
        auto* posting = reinterpret_cast<HnswPosting*>(page::slot_at(page, shape, shape.slot(row.beside)));
        if (row.part <= index_.layout.posting_capacity) same = copy(hnsw::entry_at(index_, posting, row.part - 1u));
    });
    return same;
}

bool HnswCheck::compare(const IndexedRow& row, index::RowAttributes* attributes) {
    PGAlignedBlock buffer;
    Page page = pages_.copy(nodes().block(row.at), nodes(), &buffer);
    uint32 slot = nodes().slot(row.at);
    if (page == nullptr || !hnsw::has_whole_node(index_, page, slot)) return false;  // reported before
    HnswNode* node = hnsw::node_at(index_, page, slot);
    const uint8* there = hnsw::code_at(index_, node);
    BlockNumber block = ItemPointerGetBlockNumberNoCheck(&row.tid);
    OffsetNumber item = ItemPointerGetOffsetNumberNoCheck(&row.tid);
    if (!codec::may_be_of_one_vector(*index_.codec, there, code_, index_.dim())) {
        findings_.add(Severity::error, nodes().block(row.at), slot, "the code is not that of row (%u,%u)", block, item);
    }
    if (searched_ && !reached_.contains(row.at) && is_live(state_of(row.at))) {
        findings_.add(Severity::error, nodes().block(row.at), slot,
                      "row (%u,%u) cannot be found: the entry point does not lead to its node", block, item);
    }
    return read_attributes(row, node, attributes);
}

}  // namespace vext::check
