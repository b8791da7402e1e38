/*
 * address_space.h - what an engine takes of the address space of its program.
 */
#ifndef DAYTONA_PRELOAD_ADDRESS_SPACE_H
#define DAYTONA_PRELOAD_ADDRESS_SPACE_H

#include <daytona/types.h>

#include <stddef.h>

/** `wanted` bytes, or less where RLIMIT_AS bounds what the process may map: a part of what it may
 * map yet, so that the program keeps the most. */
size_t address_space_share(size_t wanted);

/** Zeroed memory, which is taken only as it is touched: a share of `wanted` bytes. To be given back
 * with munmap(). No data: there is none. */
struct daytona_room address_space_take(size_t wanted);

#endif
