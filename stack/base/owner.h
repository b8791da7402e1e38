/*
 * owner.h - from a part of a record back to the record: list nodes, timers and table entries are
 * embedded in what they stand for.
 */
#ifndef STACK_BASE_OWNER_H
#define STACK_BASE_OWNER_H

#include <stddef.h>
#include <stdint.h>

/** The record of `type` in which `*pointer` is `member`. */
#define OWNER_OF(pointer, type, member)                                                            \
    ((type *)(void *)((uint8_t *)(pointer)-offsetof(type, member)))

#endif
