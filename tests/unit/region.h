/*
 * region.h - what the tests of the leaves need: cmocka, and a donated region of memory.
 */
#ifndef TESTS_UNIT_REGION_H
#define TESTS_UNIT_REGION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stack/base/memory.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/** A struct memory in `bytes` (a multiple of 64) of heap; give it to region_free(). The region
 *  is filled with a pattern first, as a driver's may be. */
static inline struct memory *region_make(size_t bytes)
{
    uint8_t *data = aligned_alloc(64, bytes);
    assert_non_null(data);
    memset(data, 0xa5, bytes);
    struct memory *memory = memory_init((struct daytona_room){data, bytes});
    assert_non_null(memory);
    return memory;
}

/** Asserts that every block was returned. */
static inline void region_free(struct memory *memory)
{
    assert_int_equal(memory_used(memory), 0);
    free(memory);
}

#endif
