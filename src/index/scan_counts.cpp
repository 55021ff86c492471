// A hash table of counters. Keys are found without a lock; the lock is for who adds or removes one. A search that ends
// while its index is dropped may be counted for the index that takes the place: no more than that can go wrong. After a
// crash of a session the server makes its shared memory anew, and counting begins again.
#include "index/scan_counts.h"

#include "base/hash.h"

namespace vext::index {
namespace {

constexpr uint32 kPlaces = 4096;  // a power of two
constexpr uint32 kReach = 64;     // a key is in one of so many places

// No database has the number 0.
constexpr uint64 kFree = 0, kRemoved = 1;

enum Counter { kSearches, kVisited, kScored, kRechecked, kReturned, kBatches, kCounters };

struct alignas(64) Place {
    pg_atomic_uint64 key;
    pg_atomic_uint64 counters[kCounters];
};
struct Table {
    LWLock* lock;
    Place places[kPlaces];
};

constexpr char kName[] = "vectorext";
Table* table = nullptr;

shmem_request_hook_type earlier_request = nullptr;
shmem_startup_hook_type earlier_startup = nullptr;
object_access_hook_type earlier_access = nullptr;

uint64 key_of(Oid index) { return static_cast<uint64>(MyDatabaseId) << 32 | index; }

Place& nth_place(uint64 key, uint32 n) { return table->places[(mix64(key) + n) & (kPlaces - 1)]; }

Place* find(uint64 key) {
    for (uint32 i = 0; i < kReach; i++) {
        Place& place = nth_place(key, i);
        uint64 there = pg_atomic_read_u64(&place.key);
        if (there == key) return &place;
        if (there == kFree) return nullptr;
    }
    return nullptr;
}

Place* find_room(uint64 key) {
    for (uint32 i = 0; i < kReach; i++) {
        Place& place = nth_place(key, i);
        if (pg_atomic_read_u64(&place.key) <= kRemoved) return &place;
    }
    return nullptr;
}

Place* find_or_add(uint64 key) {
    Place* place = find(key);
    if (place != nullptr || find_room(key) == nullptr) return place;
    LWLockAcquire(table->lock, LW_EXCLUSIVE);
    place = find(key);
    if (place == nullptr && (place = find_room(key)) != nullptr) {
        for (pg_atomic_uint64& counter : place->counters) pg_atomic_write_u64(&counter, 0);
        pg_write_barrier();
        pg_atomic_write_u64(&place->key, key);
    }
    LWLockRelease(table->lock);
    return place;
}

void remove_index(uint64 key) {
    if (find(key) == nullptr) return;
    LWLockAcquire(table->lock, LW_EXCLUSIVE);
    if (Place* place = find(key); place != nullptr) pg_atomic_write_u64(&place->key, kRemoved);
    LWLockRelease(table->lock);
}

void remove_database(Oid database) {
    LWLockAcquire(table->lock, LW_EXCLUSIVE);
    for (Place& place : table->places) {
        if (pg_atomic_read_u64(&place.key) >> 32 == database) pg_atomic_write_u64(&place.key, kRemoved);
    }
    LWLockRelease(table->lock);
}

// ---- hooks

void request() {
    if (earlier_request != nullptr) earlier_request();
    RequestAddinShmemSpace(sizeof(Table) + alignof(Table));
    RequestNamedLWLockTranche(kName, 1);
}

void startup() {
    if (earlier_startup != nullptr) earlier_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    bool found;
    void* memory = ShmemInitStruct(kName, sizeof(Table) + alignof(Table), &found);
    table = reinterpret_cast<Table*>(TYPEALIGN(alignof(Table), memory));
    if (!found) {
        table->lock = &GetNamedLWLockTranche(kName)->lock;
        for (Place& place : table->places) {
            pg_atomic_init_u64(&place.key, kFree);
            for (pg_atomic_uint64& counter : place.counters) pg_atomic_init_u64(&counter, 0);
        }
    }
    LWLockRelease(AddinShmemInitLock);
}

// A drop that is rolled back makes an index begin anew.
void note_drop(ObjectAccessType access, Oid catalog, Oid object, int part, void* arg) {
    if (earlier_access != nullptr) earlier_access(access, catalog, object, part, arg);
    if (access != OAT_DROP || part != 0 || table == nullptr) return;
    if (catalog == RelationRelationId) remove_index(key_of(object));
    if (catalog == DatabaseRelationId) remove_database(object);
}

}  // namespace

void init_shared_counts() {
    earlier_request = shmem_request_hook;
    shmem_request_hook = request;
    earlier_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
    earlier_access = object_access_hook;
    object_access_hook = note_drop;
}

void count_search(Oid index, const ScanCounts& counts) {
    Place* place = table == nullptr ? nullptr : find_or_add(key_of(index));
    if (place == nullptr) return;
    uint64 more[kCounters] = {1, counts.visited, counts.scored, counts.rechecked, counts.returned, counts.batches};
    for (int i = 0; i < kCounters; i++) pg_atomic_fetch_add_u64(&place->counters[i], static_cast<int64>(more[i]));
}

bool read_shared_counts(Oid index, ScanTotals* totals) {
    if (table == nullptr) return false;
    uint64 key = key_of(index), n[kCounters] = {};
    Place* place = find(key);
    if (place == nullptr && find_room(key) == nullptr) return false;
    for (int i = 0; place != nullptr && i < kCounters; i++) n[i] = pg_atomic_read_u64(&place->counters[i]);
    *totals = {n[kSearches], {n[kVisited], n[kScored], n[kRechecked], n[kReturned], n[kBatches]}};
    return true;
}

}  // namespace vext::index
