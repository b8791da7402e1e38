/*
 * rate.h - what controllers that pace share: rates in bytes a second, and volumes that follow.
 */
#ifndef STACK_CONGESTION_RATE_H
#define STACK_CONGESTION_RATE_H

#include <daytona/types.h>

/** 8.8 Tbit/s: products with a gain or a time stay within 64 bits. */
#define RATE_MAX (UINT64_C(1) << 40)

/** What passes at `bytes_per_second` in `us`, below UINT32_MAX. */
static inline uint32_t rate_volume(uint64_t bytes_per_second, uint32_t us)
{
    uint64_t whole = bytes_per_second / 1000000 * us;
    uint64_t rest = bytes_per_second % 1000000 * us / 1000000;
    return whole + rest < UINT32_MAX ? (uint32_t)(whole + rest) : UINT32_MAX - 1;
}

/** A rate to pace at: a segment a second at least, so that what was measured over an outage does
 *  not stop a flow for good. */
static inline uint64_t rate_within_bounds(uint64_t bytes_per_second, uint32_t mss)
{
    return bytes_per_second < mss ? mss : bytes_per_second > RATE_MAX ? RATE_MAX : bytes_per_second;
}

/** What leaves as one batch (draft-ietf-ccwg-bbr-06 section 5.6.3): a millisecond's worth, at least
 *  two segments, at most 64 KB. */
static inline uint32_t rate_quantum(uint64_t bytes_per_second, uint32_t mss)
{
    uint32_t quantum = rate_volume(bytes_per_second, 1000);
    quantum = quantum < 65536 ? quantum : 65536;
    return quantum > 2 * mss ? quantum : 2 * mss;
}

/** Four segments, so that a receiver that acknowledges every other one keeps the sender going
 *  (draft-ietf-ccwg-bbr-06 section 5.6.4.3). */
static inline uint32_t rate_min_cwnd(uint32_t mss)
{
    return 4 * mss;
}

#endif
