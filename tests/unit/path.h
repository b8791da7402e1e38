/*
 * path.h - a congestion controller on a path, without TCP around it: a sender that always has data
 * and knows of each segment what became of it, one bottleneck with a drop-tail queue, and ACKs
 * for each segment. For the controllers' tests: what a figure should be can be worked out by hand.
 */
#ifndef TESTS_UNIT_PATH_H
#define TESTS_UNIT_PATH_H

#include "tests/unit/flight.h"

#define PATH_SEGMENTS 65536u /* in flight at most; a power of two */

/** Set by the test; may be changed at any time. */
struct path_line {
    uint64_t bytes_per_second;
    uint32_t rtt_us;           /**< without a queue */
    uint32_t queue_bytes;      /**< that fit in front of the line */
    uint32_t mark_above_bytes; /**< of queue: CE; 0 never */
    uint32_t loss_ppm;         /**< at random */
};

struct path_segment {
    uint64_t sent_ns, acked_ns; /**< acked_ns 0: lost on the way */
    uint64_t delivered, delivered_ns, first_sent_ns, lost;
    uint32_t in_flight;
    bool marked, app_limited;
};

struct path {
    struct flight flight; /**< the controller, its state, its controls */
    struct path_line line;
    struct path_segment segments[PATH_SEGMENTS];
    uint64_t una, nxt;        /**< segments ever sent are [0, nxt), judged are [0, una) */
    uint64_t free_ns;         /**< the line is idle from then on */
    uint64_t next_send_ns;    /**< pacing */
    uint64_t delivered, lost; /**< bytes */
    uint64_t delivered_ns, first_sent_ns;
    uint64_t recovery_end, mark_end; /**< segment; 0: not going on */
    uint64_t last_sent_ns;
    uint64_t queue_ns_sum; /**< of the segments sent, and */
    uint64_t queue_count;  /**< how many they were */
    uint64_t marks;        /**< segments that came marked */
    uint32_t in_flight;    /**< bytes */
    uint32_t lost_now;     /**< bytes lost since the last call */
    uint32_t random;
    bool recovering, reducing; /**< after a loss, after a mark */
    bool without_ecn;          /**< never calls marked() */
};

/** A new connection with ten segments of cwnd and a round trip measured by its handshake. Free it
 *  with free(). */
struct path *path_begin(const struct daytona_congestion *controller, struct path_line line);

/** Runs for `us`. */
void path_run_us(struct path *path, uint64_t us);

/** Nothing is sent for `us`; all that is in flight comes back. */
void path_idle_us(struct path *path, uint64_t us);

/** Runs for `us`; what was delivered meanwhile in percent of the line. */
unsigned path_share(struct path *path, uint64_t us);

/** The mean time in the queue of the segments sent since the last call. */
uint32_t path_queue_us(struct path *path);

#endif
