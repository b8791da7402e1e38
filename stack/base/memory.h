/*
 * memory.h - blocks out of the donated region. The region is cut into slabs of 32 KB; a slab
 * serves one size class (powers of two, three quarters of them up to 1,536 bytes, and the sizes of
 * a socket and of a connection), an emptied slab can serve another class. Blocks above 16 KB take
 * whole neighbouring slabs.
 *
 * Blocks up to 16 KB cost constant time and no bytes beside their own. Larger ones (hash
 * tables, whole datagrams) search the slabs. Under AddressSanitizer free blocks are poisoned.
 */
#ifndef STACK_BASE_MEMORY_H
#define STACK_BASE_MEMORY_H

#include <daytona/types.h>

struct memory;

#define MEMORY_BLOCK_MAX ((size_t)1 << 26) /* largest block that can be asked for */

/** Lays out `region` (aligned to 64 bytes); NULL when it is too small. The struct memory lives
 *  at its start. Slabs are taken in address order, so pages never needed are never touched. */
struct memory *memory_init(struct daytona_room region);

/** A block of at least `bytes`, contents undefined; NULL when none is left. Aligned to the
 *  largest power of two that divides its class's size, 64 at most; that is never under 16. */
void *memory_take(struct memory *memory, size_t bytes);

/** The same, zeroed. */
void *memory_take_zeroed(struct memory *memory, size_t bytes);

/** Gives a block back; NULL is allowed. */
void memory_return(struct memory *memory, void *block);

/** Bytes that a block of `bytes` really takes: its class, or whole slabs. */
size_t memory_block_bytes(size_t bytes);

/** Bytes in blocks now taken (rounded to their class), and the peak. */
size_t memory_used(const struct memory *memory);
size_t memory_peak(const struct memory *memory);
size_t memory_region(const struct memory *memory);

#endif
