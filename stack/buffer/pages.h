/*
 * pages.h - bytes of a stream in 4 KB pages, addressed by stream offset. Pages appear when a
 * byte of theirs is written and go when all before an offset is dropped; an empty stream
 * holds no page (and a table of 32 bytes at most). Under both the send and the receive buffer.
 */
#ifndef STACK_BUFFER_PAGES_H
#define STACK_BUFFER_PAGES_H

#include "stack/base/memory.h"

#define PAGE_BYTES 4096

/** Zeroed at first. */
struct pages {
    uint8_t **table;     /**< ring of page pointers, indexed by page number modulo table_size */
    uint32_t table_size; /**< a power of two, 0 when none */
    uint32_t page_count; /**< pages held */
    uint64_t start;      /**< offset of the first byte kept */
    uint64_t end;        /**< one past the highest byte ever written */
};

/** Copies `bytes` to `offset` (>= start; may leave a gap below). Returns the bytes written:
 *  fewer when memory is short. */
size_t pages_write(struct pages *pages, struct memory *memory, uint64_t offset,
                   struct daytona_span bytes);

/** Copies out from `offset`; the caller knows that the bytes were written. */
void pages_read(const struct pages *pages, uint64_t offset, struct daytona_room out);

/** Borrows up to `span_max` spans that cover [offset, offset + length); returns how many. */
size_t pages_borrow(const struct pages *pages, uint64_t offset, size_t length,
                    struct daytona_span *spans, size_t span_max);

/** Drops everything before `offset` (<= end, or beyond it when the gap was skipped). */
void pages_drop(struct pages *pages, struct memory *memory, uint64_t offset);

/** Drops everything from `offset` (>= start) on, as if it had not been written. */
void pages_cut(struct pages *pages, struct memory *memory, uint64_t offset);

/** Drops all pages and the table; offsets stay, what was written is gone. */
void pages_release(struct pages *pages, struct memory *memory);

#endif
