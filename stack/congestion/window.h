/*
 * window.h - the window arithmetic that controllers share.
 */
#ifndef STACK_CONGESTION_WINDOW_H
#define STACK_CONGESTION_WINDOW_H

#include "stack/congestion/hystart.h"

#define INITIAL_SEGMENTS 10u /* Linux TCP_INIT_CWND */

/** Ten segments of any size. RFC 6928 section 2 allows no more than 14,600 bytes, or two segments
 *  when they are larger than 1,460 bytes; Linux, whose peers and users these connections are
 *  compared with, has left that bound out, and over loopback (MSS 65,483) it would be felt. */
static inline uint32_t window_initial(uint32_t mss)
{
    return INITIAL_SEGMENTS * mss;
}

/** cwnd + bytes, at most `limit`. */
static inline uint32_t window_grown(uint32_t cwnd, uint64_t bytes, uint32_t limit)
{
    return cwnd >= limit || bytes >= limit - cwnd ? limit : cwnd + (uint32_t)bytes;
}

/** What a reduction leaves: two segments at least (RFC 5681 section 3.1 equation (4)). */
static inline uint32_t window_reduced(uint64_t bytes, uint32_t mss)
{
    return bytes > 2 * (uint64_t)mss ? (uint32_t)bytes : 2 * mss;
}

static inline bool window_in_slow_start(const struct daytona_congestion_controls *controls)
{
    return controls->cwnd_bytes < controls->ssthresh_bytes;
}

/**
 * Slow start, counting bytes (RFC 3465 section 2.2): cwnd grows by what was acknowledged, and stops
 * at ssthresh. The bound for one ACK, L, is the window itself: a round trip doubles it whatever
 * the receiver's way of acknowledging is. While a timeout's losses are repaired L is one segment
 * (section 2.3). `hystart` NULL: without HyStart++.
 */
void window_slow_start(struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample, struct hystart *hystart);

/**
 * Congestion avoidance, RFC 3465 section 2.1: one segment for each cwnd that is acknowledged.
 * `*credit` is what was acknowledged towards the next one.
 */
void window_avoid_congestion(struct daytona_congestion_controls *controls,
                             const struct daytona_congestion_sample *sample, uint64_t *credit);

/** The outstanding data when the loss was noticed: FlightSize of RFC 5681 section 3.1. */
static inline uint32_t window_flight(const struct daytona_congestion_sample *sample)
{
    return sample->prior_in_flight_bytes > sample->in_flight_bytes ? sample->prior_in_flight_bytes
                                                                   : sample->in_flight_bytes;
}

/** RFC 5681 section 3.1 equation (4): max (FlightSize / 2, 2*SMSS). */
static inline uint32_t window_halved(const struct daytona_congestion_sample *sample)
{
    return window_reduced(window_flight(sample) / 2, sample->mss);
}

/** RFC 5681 section 4.1: after more than an RTO of silence the ACK clock is gone; cwnd falls to
 *  the restart window min(IW, cwnd). */
static inline void window_restart(struct daytona_congestion_controls *controls,
                                  const struct daytona_congestion_sample *sample)
{
    uint32_t initial = window_initial(sample->mss);
    if (controls->cwnd_bytes > initial)
        controls->cwnd_bytes = initial;
}

#endif
