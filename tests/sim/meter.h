/*
 * meter.h - what is measured while a world runs: round trips, retransmissions and timeouts of every
 * side, bytes that reached the applications, delays in the queues of links.
 */
#ifndef SIM_METER_H
#define SIM_METER_H

#include "tests/sim/samples.h"
#include "tests/sim/world.h"

struct sim_side_meter {
    struct sim_samples rtt; /**< microseconds, as the stack measured them */
    struct sim_samples
        response; /**< microseconds from a request's first byte to its last answer's */
    uint64_t retransmitted_segments, retransmitted_bytes, timeouts, recoveries;
    uint64_t received_before; /**< bytes when the time of measuring began */
    uint64_t received_until;  /**< bytes when it ended */
};

struct sim_meter {
    struct sim_side_meter *sides;    /**< 2 * connection + role; owned */
    struct sim_samples *sojourns;    /**< by link; owned */
    struct daytona_instant from, to; /**< goodput counts from here to there */
    uint64_t period_us;              /**< between two looks at everything; 0: none */
    /** Looks at everything now; NULL: does not. */
    void (*look)(void *context, const struct sim_world *world);
    void *context;
};

/** Measures goodput between two instants after the scenario's origin. To be released. */
void sim_meter_init(struct sim_meter *meter, const struct sim_scenario *scenario,
                    struct daytona_instant from, struct daytona_instant to);
void sim_meter_release(struct sim_meter *meter, const struct sim_scenario *scenario);

/** What a side's stack told. Like the next two, does nothing without a meter. */
void sim_meter_event(struct sim_meter *meter, const struct sim_side *side,
                     const struct daytona_event *event);

/** A reply was complete `us` after its request began. */
void sim_meter_response(struct sim_meter *meter, const struct sim_side *side, uint64_t us);

/** SIM_EVENT_SAMPLE. */
void sim_meter_look(struct sim_meter *meter, struct sim_world *world);

/** What reached the two applications of a connection while it was measured, and in what time: from
 *  its start to its last byte. */
struct sim_delivery {
    uint64_t bytes;
    struct daytona_instant start, end;
};
struct sim_delivery sim_meter_delivery(const struct sim_meter *meter,
                                       const struct sim_connection *connection);

/** Bytes per second. */
double sim_delivery_rate(const struct sim_delivery *delivery);

#endif
