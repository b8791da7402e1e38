/*
 * ranges.h - a sorted list of disjoint ranges of stream offsets: what has arrived beyond a gap
 * (receiver), what the peer has SACKed (sender). Bounded; nodes from the stack's memory.
 */
#ifndef STACK_BUFFER_RANGES_H
#define STACK_BUFFER_RANGES_H

#include "stack/base/memory.h"

struct range {
    uint64_t start, end; /**< [start, end) */
    struct range *next;
};

/** Zeroed at first. */
struct ranges {
    struct range *first;
    uint32_t count;
    uint64_t bytes; /**< covered in all */
};

/** Adds [start, end), merging what touches. Returns the bytes that were not covered before;
 *  -ENOMEM when a node is needed and memory is short, -ENOSPC above `count_max` ranges (nothing
 * changed then). */
int64_t ranges_add(struct ranges *ranges, struct memory *memory, uint64_t start, uint64_t end,
                   uint32_t count_max);

/** Removes everything below `offset`; returns bytes removed. */
uint64_t ranges_drop_before(struct ranges *ranges, struct memory *memory, uint64_t offset);

/** Removes everything from `offset` on. */
void ranges_drop_from(struct ranges *ranges, struct memory *memory, uint64_t offset);

/** The last range, NULL when there is none. */
const struct range *ranges_last(const struct ranges *ranges);

/** The range that holds `offset`, or NULL. */
const struct range *ranges_find(const struct ranges *ranges, uint64_t offset);

/** Covered bytes within [start, end). */
uint64_t ranges_covered(const struct ranges *ranges, uint64_t start, uint64_t end);

void ranges_release(struct ranges *ranges, struct memory *memory);

#endif
