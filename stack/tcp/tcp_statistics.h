/*
 * tcp_statistics.h - what RFC 4898 wants counted or remembered of a connection and TCP itself does
 * not need. Kept where it happens; tcp_variables.c gives it its names.
 *
 * What seldom happens is counted in a block of its own, 128 bytes, that a connection gets with its
 * first trouble; when there is no memory for it, those counts stay 0.
 */
#ifndef STACK_TCP_TCP_STATISTICS_H
#define STACK_TCP_TCP_STATISTICS_H

#include <daytona/state.h>

struct connection;

/** tcpEStatsStackSoftErrorReason. */
enum soft_error {
    SOFT_ERROR_NONE,
    SOFT_ERROR_BELOW_DATA,
    SOFT_ERROR_ABOVE_DATA,
    SOFT_ERROR_BELOW_ACK,
    SOFT_ERROR_ABOVE_ACK,
    SOFT_ERROR_OLD_TIMESTAMP,
    SOFT_ERROR_CHECKSUM = 7,
};

/** Whose fault it is that no more is sent: how RFC 4898 divides enum daytona_limit. */
enum limit_side { LIMIT_CONGESTION, LIMIT_PEER, LIMIT_SENDER, LIMIT_SIDES };

/** Counts of what seldom happens. Microseconds, and bytes. */
enum trouble {
    TROUBLE_SIGNALS, /**< of congestion */
    TROUBLE_CWND_BEFORE_SUM,
    TROUBLE_RTT_BEFORE_SUM,
    TROUBLE_RTT_AFTER_SUM,
    TROUBLE_RTT_AFTER_COUNT,
    TROUBLE_AVOIDANCES,
    TROUBLE_AVOIDANCE_CWND_MAX,
    TROUBLE_SSTHRESH_MIN, /**< 0: it is the initial one */
    TROUBLE_SSTHRESH_MAX,
    TROUBLE_OTHER_REDUCTIONS,
    TROUBLE_DUPLICATE_EPISODES, /**< runs of duplicate ACKs */
    TROUBLE_HARMLESS_EPISODES,  /**< those that led to no recovery */
    TROUBLE_HARMLESS_DUPLICATES,
    TROUBLE_REORDERED_BYTES,
    TROUBLE_DUPLICATES_SENT,
    TROUBLE_SACKS,
    TROUBLE_SACK_BLOCKS,
    TROUBLE_TIMEOUTS_REPEATED,
    TROUBLE_TIMEOUTS_ABRUPT,
    TROUBLE_TIMEOUTS_SPURIOUS,
    TROUBLE_ECE_SENT,
    TROUBLE_ZERO_WINDOWS_SENT,
    TROUBLE_ZERO_WINDOWS_RECEIVED,
    TROUBLE_REASSEMBLY_MAX,
    TROUBLE_SOFT_ERRORS,
    TROUBLE_SOFT_ERROR_REASON, /**< enum soft_error, of the last one */
    TROUBLE_COUNT
};

struct troubles {
    uint32_t counts[TROUBLE_COUNT];
};

_Static_assert(sizeof(struct troubles) <= 128, "troubles are one block of 128 bytes");

/** Zeroed at first. Sums of microseconds, and bytes. */
struct statistics {
    struct troubles *troubles; /**< NULL: none yet */
    uint64_t limited_us[2];    /**< by LIMIT_CONGESTION and LIMIT_PEER, until limit_since */
    uint64_t bytes_in;         /**< of data, again and again too */
    uint64_t rtt_sum_us;
    uint32_t rtt_count, rtt_last_us, rtt_max_us, rto_min_us, rto_max_us;
    uint32_t limited_times[LIMIT_SIDES];
    uint32_t pipe_max, write_queue_max;
    uint32_t receive_window_max, slow_start_cwnd_max, slow_starts;
    uint16_t mss_min, mss_max;
    uint8_t hops_in, type_of_service_in;
    bool rtt_after_awaited; /**< there was a signal, and no round trip since */
};

static inline void statistics_raise(uint32_t *maximum, uint32_t value)
{
    if (value > *maximum)
        *maximum = value;
}

/** Trouble: adds to its count; adds one; makes it the largest so far. */
void trouble_add(struct connection *connection, enum trouble trouble, uint32_t amount);
void trouble_count(struct connection *connection, enum trouble trouble);
void trouble_raise(struct connection *connection, enum trouble trouble, uint32_t value);

/** What was counted. */
uint32_t trouble_of(const struct connection *connection, enum trouble trouble);

/** The connection's record is given back. */
void troubles_release(struct connection *connection);

/** A round trip was measured; the RTO that follows from it is set. */
void statistics_round_trip(struct connection *connection, uint32_t rtt_us);

/** The congestion controller is about to be told of a loss, a timeout or a mark. */
void statistics_signal(struct connection *connection);

/** It has set ssthresh. */
void statistics_reduced(struct connection *connection);

/** It has answered an ACK; cwnd was `old` before, and ssthresh `threshold`. */
void statistics_acked(struct connection *connection, uint32_t old, uint32_t threshold);

/** connection->limit, which has lasted so long, is about to become `limit`. */
void statistics_limit(struct connection *connection, enum daytona_limit limit, uint64_t lasted_us);

/** How long it was LIMIT_CONGESTION or LIMIT_PEER, until now. */
uint64_t statistics_limited_us(const struct connection *connection, enum limit_side side);

/** How RFC 4898 counts it. */
enum limit_side statistics_limit_side(enum daytona_limit limit);

/** SND.UNA is about to move by `bytes`; duplicate ACKs may have come before. */
void statistics_una_moves(struct connection *connection, uint32_t bytes);

/** A segment was received that fails a test of RFC 9293 section 3.10.7.4. */
void statistics_soft_error(struct connection *connection, enum soft_error reason);

/** The MSS is another one. */
void statistics_mss(struct connection *connection);

#endif
