/*
 * flight.h - a congestion controller alone: a sender that always fills its window, over a path
 * whose round trip is constant. For the controllers' tests.
 */
#ifndef TESTS_UNIT_FLIGHT_H
#define TESTS_UNIT_FLIGHT_H

#include "stack/congestion/controllers.h"
#include "tests/unit/region.h"

#define MSS 1460u

struct flight {
    const struct daytona_congestion *controller;
    struct daytona_congestion_state state;
    struct daytona_congestion_controls controls;
    struct daytona_congestion_sample sample;
};

static inline struct flight flight_begin(const struct daytona_congestion *controller, uint32_t cwnd,
                                         uint32_t ssthresh, uint32_t rtt_us)
{
    struct flight flight = {
        .controller = controller,
        .controls = {.cwnd_bytes = cwnd, .ssthresh_bytes = ssthresh},
        .sample = {.now = {5000000000},
                   .mss = MSS,
                   .rtt_us = rtt_us,
                   .srtt_us = rtt_us,
                   .rtt_min_us = rtt_us,
                   .cwnd_limited = true},
    };
    controller->init(&flight.state, &flight.controls, &flight.sample);
    return flight;
}

static inline void flight_wait_us(struct flight *flight, uint64_t us)
{
    flight->sample.now = daytona_instant_after_us(flight->sample.now, us);
}

/** One ACK of `bytes`, with a full window in flight. */
static inline void flight_ack(struct flight *flight, uint32_t bytes)
{
    flight->sample.acked_bytes = bytes;
    flight->sample.prior_in_flight_bytes = flight->controls.cwnd_bytes;
    flight->sample.in_flight_bytes = flight->controls.cwnd_bytes - bytes;
    flight->controller->acked(&flight->state, &flight->controls, &flight->sample);
}

/** One round trip: the window as it is now is acknowledged, an ACK for each `per_ack` bytes. */
static inline void flight_round(struct flight *flight, uint32_t per_ack)
{
    uint32_t acks = flight->controls.cwnd_bytes / per_ack;
    uint32_t us = flight->sample.srtt_us;
    for (uint32_t i = 0; i < acks; i++) {
        flight_wait_us(flight, us / acks);
        flight_ack(flight, per_ack);
    }
}

/** A loss noticed with `in_flight` bytes out, and its repair one round trip later. */
static inline void flight_lose(struct flight *flight, uint32_t in_flight)
{
    flight->sample.prior_in_flight_bytes = flight->sample.in_flight_bytes = in_flight;
    flight->controller->loss(&flight->state, &flight->controls, &flight->sample);
    flight_wait_us(flight, flight->sample.srtt_us);
    flight->controller->recovered(&flight->state, &flight->controls, &flight->sample);
}

static inline void flight_time_out(struct flight *flight, uint32_t in_flight)
{
    flight->sample.prior_in_flight_bytes = in_flight;
    flight->sample.in_flight_bytes = 0;
    flight->controller->timeout(&flight->state, &flight->controls, &flight->sample);
}

#endif
