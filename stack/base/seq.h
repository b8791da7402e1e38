/*
 * seq.h - TCP sequence numbers: a one-member struct, so that `<` does not compile and every
 * comparison is the modular one of RFC 9293 section 3.4.
 */
#ifndef STACK_BASE_SEQ_H
#define STACK_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

struct seq {
    uint32_t value;
};

static inline struct seq seq_add(struct seq s, uint32_t bytes)
{
    return (struct seq){s.value + bytes};
}

/** Bytes from `from` to `to`; meaningful when `to` is not before `from`. */
static inline uint32_t seq_distance(struct seq from, struct seq to)
{
    return to.value - from.value;
}

static inline bool seq_equal(struct seq a, struct seq b)
{
    return a.value == b.value;
}

static inline bool seq_before(struct seq a, struct seq b)
{
    return (int32_t)(a.value - b.value) < 0;
}

static inline bool seq_before_or_equal(struct seq a, struct seq b)
{
    return !seq_before(b, a);
}

static inline struct seq seq_later(struct seq a, struct seq b)
{
    return seq_before(a, b) ? b : a;
}

static inline struct seq seq_earlier(struct seq a, struct seq b)
{
    return seq_before(b, a) ? b : a;
}

#endif
