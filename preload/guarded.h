/*
 * guarded.h - words that readers in other processes may copy at any time (daytona/record.h): an odd
 * sequence says that they are changing. One writer.
 */
#ifndef DAYTONA_PRELOAD_GUARDED_H
#define DAYTONA_PRELOAD_GUARDED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** Copies `bytes` (a multiple of 8) from `from` to `to`, both aligned to words, under *sequence. */
static inline void guarded_write(uint64_t *sequence, void *to, const void *from, size_t bytes)
{
    _Atomic uint64_t *guard = (_Atomic uint64_t *)sequence;
    _Atomic uint64_t *target = (_Atomic uint64_t *)to;
    const uint64_t *words = from;
    uint64_t before = atomic_load_explicit(guard, memory_order_relaxed);
    atomic_store_explicit(guard, before + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < bytes / sizeof *words; i++)
        atomic_store_explicit(&target[i], words[i], memory_order_relaxed);
    atomic_store_explicit(guard, before + 2, memory_order_release);
}

#endif
