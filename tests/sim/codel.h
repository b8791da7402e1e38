/*
 * codel.h - controlled delay, RFC 8289: whether the packet at the head of a queue that has been
 * too long for too long is to be dropped (or marked).
 */
#ifndef SIM_CODEL_H
#define SIM_CODEL_H

#include <daytona/types.h>

/** Zeroed at first. */
struct sim_codel {
    bool dropping;
    uint32_t count, last_count;         /**< drops of this and of the last dropping state */
    struct daytona_instant first_above; /**< when the delay will have been high for an interval;
                                             0: it is low */
    struct daytona_instant next_drop;
};

/** The head of the queue has waited since `queued`, and `left_bytes` are behind it: true when it is
 * to be dropped or marked. To be asked again about the next head when it was dropped. */
bool sim_codel_decides_against(struct sim_codel *codel, struct daytona_instant now,
                               struct daytona_instant queued, uint64_t left_bytes,
                               uint64_t target_us, uint64_t interval_us);

#endif
