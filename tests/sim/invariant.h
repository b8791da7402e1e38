/*
 * invariant.h - promises of a stack that hold at every step, and those that hold at the end.
 */
#ifndef SIM_INVARIANT_H
#define SIM_INVARIANT_H

#include "tests/sim/world.h"

/** daytona_observer.event: follows the states of every socket of a host (context). */
void sim_invariant_event(void *host, const struct daytona_event *event);

/** daytona_observer.ended: what a host's (context) connection had counted. */
void sim_invariant_ended(void *host, const struct daytona_connection_info *last);

/** The edges of RFC 9293 figure 5, and of abort and failure. */
bool sim_state_edge_is_legal(enum daytona_tcp_state from, enum daytona_tcp_state to);

/** A stack came to rest at this instant. */
void sim_invariant_rest(struct sim_host *host);

/** A side's stack has just sent `length` bytes, some of which it had never sent before, from the
 *  relative sequence number `start` on. */
void sim_invariant_sent_new(struct sim_side *side, struct sim_direction *direction, uint32_t start,
                            uint32_t length);

/** A RST left `host` on `flow`: no living connection may say that by itself. */
void sim_invariant_reset(struct sim_world *world, unsigned host, const struct sim_flow *flow);

/** Nothing at all is going to happen before `at`: judges whether that is too long. */
void sim_invariant_wait(struct sim_world *world, struct daytona_instant at);

/** Everything is closed and over: memory, counters, links. */
void sim_invariant_end(struct sim_world *world);

#endif
