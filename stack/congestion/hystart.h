/*
 * hystart.h - HyStart++ (RFC 9406): the first slow start ends when round trips grow longer,
 * before the queue overflows. A round trip that looks long may be noise; so slow start first
 * becomes conservative, and goes on if the delay goes away.
 */
#ifndef STACK_CONGESTION_HYSTART_H
#define STACK_CONGESTION_HYSTART_H

#include "stack/congestion/state.h"

/** Zeroed it is at the beginning of slow start. Part of the state of who uses it. */
struct CONTROLLER_STATE hystart {
    uint64_t window_end;          /**< windowEnd: the round is over when una reaches it */
    uint32_t last_round_min_us;   /**< lastRoundMinRTT; 0: infinite */
    uint32_t round_min_us;        /**< currentRoundMinRTT; 0: infinite */
    uint32_t baseline_us;         /**< cssBaselineMinRtt */
    uint32_t credit;              /**< bytes acknowledged, not yet a byte of growth */
    uint32_t samples;             /**< rttSampleCount */
    uint32_t conservative_rounds; /**< of conservative slow start, this one counted; 0: not in it */
};

/**
 * An ACK in slow start: measures, and changes between slow start and conservative slow start.
 * Returns how many bytes cwnd may grow by when slow start would grow it by `bytes`. After five
 * conservative rounds sets ssthresh to cwnd and returns 0: congestion avoidance begins.
 * Does nothing but return `bytes` when ssthresh is known: only the first slow start is blind
 * (section 4.3).
 */
uint32_t hystart_growth(struct hystart *hystart, struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample, uint32_t bytes);

#endif
