// amvalidate, for both access methods.
#include "index/access_method.h"
#include "index/attributes.h"
#include "index/opclass.h"

namespace vext::index {
namespace {

struct Members {
    bool distance, hash;
    uint32 strategies;  // of searching operators, a bit each
};

// Looks through the family for what belongs to operands of this type alone. Gives what is wrong with it, or nullptr.
const char* read_members(Oid family, Oid type, Members* members) {
    *members = {};
    Oid distance = get_opfamily_proc(family, type, type, kDistanceProc);
    if (OidIsValid(distance)) {
        members->distance = true;
        Oid op = get_opfamily_member(family, type, type, 1);
        if (get_func_rettype(distance) != FLOAT8OID || !OidIsValid(op) || get_op_rettype(op) != FLOAT8OID) {
            return "a distance function or operator of type double precision";
        }
        return nullptr;
    }
    Oid hash = get_opfamily_proc(family, type, type, kHashProc);
    members->hash = OidIsValid(hash);
    if (members->hash && (get_func_rettype(hash) != INT8OID || get_func_nargs(hash) != 2)) {
        return "a hash function with a seed, of type bigint";
    }
    for (StrategyNumber s = kLess; s <= kContains; s++) {
        Oid op = get_opfamily_member(family, type, type, static_cast<int16>(s));
        if (!OidIsValid(op)) continue;
        if (get_op_rettype(op) != BOOLOID) return "operators of type boolean";
        members->strategies |= 1u << s;
    }
    return nullptr;
}

}  // namespace

bool validate_opclass(Oid opclass, const char* access_method) {
    HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
    auto* form = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple));
    constexpr uint32 kCompare = 1u << kLess | 1u << kLessEqual | 1u << kEqual | 1u << kGreaterEqual | 1u << kGreater;
    Members members;
    const char* lacks = read_members(form->opcfamily, form->opcintype, &members);
    if (lacks == nullptr && !members.distance) {
        uint32 wanted = members.hash                          ? 1u << kEqual
                        : form->opcintype == ANYARRAYOID      ? 1u << kOverlaps | 1u << kContains
                        : kind_of_order(form->opcintype) != AttributeKind::none ? kCompare
                                                              : 0;
        if (wanted == 0) {
            lacks = "a distance function or operator of type double precision";
        } else if (members.strategies != wanted) {
            lacks = "the operators of its kind of attribute, or has others";
        }
    }
    if (lacks != nullptr) {
        ereport(INFO, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                errmsg("operator class \"%s\" of access method %s lacks %s", NameStr(form->opcname), access_method,
                       lacks));
    }
    ReleaseSysCache(tuple);
    return lacks == nullptr;
}

}  // namespace vext::index
