/*
 * memory.h - blocks out of the donated region. The region is cut into slabs of 64 KB, a slab
 * serves one power-of-two size class, an emptied slab can serve another class. Constant time.
 */
#ifndef STACK_BASE_MEMORY_H
#define STACK_BASE_MEMORY_H

#include <daytona/types.h>

struct memory;

#define MEMORY_BLOCK_MAX ((size_t)32768) /* largest block that can be taken */

/** Lays out `region` (aligned to 64 bytes); NULL when it is too small. The struct memory lives
 *  at its start. Slabs are taken in address order, so pages never needed are never touched. */
struct memory *memory_init(struct daytona_room region);

/** A block of at least `bytes`, aligned to min(size, 64), contents undefined; NULL when none is
 * left. */
void *memory_take(struct memory *memory, size_t bytes);

/** The same, zeroed. */
void *memory_take_zeroed(struct memory *memory, size_t bytes);

/** Gives a block back; NULL is allowed. */
void memory_return(struct memory *memory, void *block);

/** Bytes in blocks now taken (rounded to their class), and the peak. */
size_t memory_used(const struct memory *memory);
size_t memory_peak(const struct memory *memory);
size_t memory_region(const struct memory *memory);

#endif
