/*
 * offset.h - stream offsets: sequence numbers unwrapped to 64 bits. The low 32 bits of an offset
 * are the number on the wire; a stream begins at 2^32 + ISN, so that numbers before it stay
 * positive. Offsets never wrap in practice and compare with `<`.
 */
#ifndef STACK_TCP_OFFSET_H
#define STACK_TCP_OFFSET_H

#include "stack/base/seq.h"

/** The offset of the SYN that carries `isn`. */
static inline uint64_t offset_first(struct seq isn)
{
    return UINT64_C(1) << 32 | isn.value;
}

static inline struct seq offset_seq(uint64_t offset)
{
    return (struct seq){(uint32_t)offset};
}

/** The offset nearest to `reference` that has `seq` on the wire. */
static inline uint64_t offset_near(uint64_t reference, struct seq seq)
{
    int32_t away = (int32_t)(seq.value - (uint32_t)reference);
    return reference + (uint64_t)(int64_t)away;
}

static inline uint64_t offset_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t offset_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** Bytes from `from` to `to`, 0 when `to` is not later, at most UINT32_MAX. */
static inline uint32_t offset_span(uint64_t from, uint64_t to)
{
    uint64_t bytes = to > from ? to - from : 0;
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

#endif
