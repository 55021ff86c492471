// The little of a PostgreSQL server that input and output functions need, for a fuzzer without one: memory, errors that
// jump, messages.  Sizes are exact, so that the address sanitizer sees every byte beyond.
#pragma once

#include <csetjmp>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pg/postgres.h"

namespace shim {

inline jmp_buf on_error;

// All that was allocated since the last free_all().
struct Block {
    Block *next, *before;
};
inline Block blocks{&blocks, &blocks};

inline void* allocate(size_t bytes) {
    if (bytes > MaxAllocSize) longjmp(on_error, 1);
    // The list is apart from the bytes, or what is written before them would damage it unseen.
    auto* block = static_cast<Block*>(malloc(sizeof(Block) + sizeof(void*)));
    auto* memory = static_cast<char*>(malloc(bytes + sizeof(Block*)));
    memcpy(memory, &block, sizeof block);
    memcpy(block + 1, &memory, sizeof memory);
    *block = {blocks.next, &blocks};
    block->next->before = block->before->next = block;
    return memory + sizeof block;
}

inline void release(void* pointer) {
    auto* memory = static_cast<char*>(pointer) - sizeof(Block*);
    Block* block;
    memcpy(&block, memory, sizeof block);
    block->next->before = block->before;
    block->before->next = block->next;
    free(memory);
    free(block);
}

inline void release_all() {
    while (blocks.next != &blocks) {
        char* memory;
        memcpy(&memory, blocks.next + 1, sizeof memory);
        release(memory + sizeof(Block*));
    }
}

// Reads what the format refers to, as the server would.
inline int format_message(const char* format, va_list args) {
    static char text[256];
    vsnprintf(text, sizeof text, format, args);
    return 0;
}

}  // namespace shim

extern "C" {
void* palloc(Size bytes) { return shim::allocate(bytes); }
void* palloc0(Size bytes) { return memset(shim::allocate(bytes), 0, bytes); }
void pfree(void* pointer) { shim::release(pointer); }
char* pnstrdup(const char* in, Size most) {
    size_t length = strnlen(in, most);
    auto* out = static_cast<char*>(palloc(length + 1));
    memcpy(out, in, length);
    out[length] = '\0';
    return out;
}
struct varlena* pg_detoast_datum(struct varlena* value) { return value; }
struct varlena* pg_detoast_datum_packed(struct varlena* value) { return value; }

bool errstart(int, const char*) { return true; }
bool errstart_cold(int, const char*) { return true; }
int errcode(int) { return 0; }
int errmsg(const char* format, ...) {
    va_list args;
    va_start(args, format);
    shim::format_message(format, args);
    va_end(args);
    return 0;
}
int errdetail(const char* format, ...) {
    va_list args;
    va_start(args, format);
    shim::format_message(format, args);
    va_end(args);
    return 0;
}
void errfinish(const char*, int, const char*) { longjmp(shim::on_error, 1); }

const char* pq_getmsgbytes(StringInfo message, int length) {
    if (length < 0 || length > message->len - message->cursor) longjmp(shim::on_error, 1);
    message->cursor += length;
    return message->data + message->cursor - length;
}
unsigned int pq_getmsgint(StringInfo message, int bytes) {
    const auto* p = reinterpret_cast<const unsigned char*>(pq_getmsgbytes(message, bytes));
    unsigned int value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[i];
    return value;
}
int pg_ltoa(int32 value, char* out) { return sprintf(out, "%d", value); }
}
