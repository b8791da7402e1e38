/*
 * window.h - the window arithmetic that loss-based controllers share.
 */
#ifndef STACK_CONGESTION_WINDOW_H
#define STACK_CONGESTION_WINDOW_H

#include <daytona/congestion.h>

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

static inline bool window_in_slow_start(const struct daytona_congestion_controls *controls)
{
    return controls->cwnd_bytes < controls->ssthresh_bytes;
}

/**
 * Slow start with appropriate byte counting (RFC 3465 section 2.2): cwnd grows by what was
 * acknowledged, 2*MSS an ACK at most; 1*MSS while a timeout's losses are repaired (section 2.3).
 * Stops at ssthresh.
 */
void window_slow_start(struct daytona_congestion_controls *controls,
                       const struct daytona_congestion_sample *sample);

/** The outstanding data when the loss was noticed: FlightSize of RFC 5681 section 3.1. */
static inline uint32_t window_flight(const struct daytona_congestion_sample *sample)
{
    return sample->prior_in_flight_bytes > sample->in_flight_bytes ? sample->prior_in_flight_bytes
                                                                   : sample->in_flight_bytes;
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
