/*
 * siphash.h - SipHash-2-4, the keyed hash under initial sequence numbers (RFC 6528), local
 * ports (RFC 6056) and the connection table; and a small generator for random increments.
 */
#ifndef STACK_BASE_SIPHASH_H
#define STACK_BASE_SIPHASH_H

#include <daytona/types.h>

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t length);

/** Deterministic generator (splitmix64 or xoshiro) seeded from the stack's secret; not a
 *  cryptographic one. */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *random);
/** Uniform in [0, bound); bound > 0. */
uint32_t random_below(struct random *random, uint32_t bound);

#endif
