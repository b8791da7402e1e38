/*
 * pair.h - two stacks and the packets between them, which a target carries as it likes.
 */
#ifndef FUZZ_PAIR_H
#define FUZZ_PAIR_H

#include "tests/fuzz/call.h"
#include "tests/sim/packet.h"

#define FUZZ_WIRE_MAX 64 /* packets on the way in one direction; more are lost */

/** One stack, its application, and the packets it has sent that have not arrived yet. */
struct fuzz_host {
    struct daytona_stack *stack;
    struct fuzz_application application;
    struct sim_packet *wire[FUZZ_WIRE_MAX]; /**< owned */
    unsigned wire_count;
    uint64_t packets_in, packets_out;
};

struct fuzz_pair {
    struct daytona_instant now;
    struct fuzz_host hosts[2];
};

/** Makes both stacks, 10.0.0.1 and 10.0.0.2, in static regions; `variant` draws settings. */
void fuzz_pair_prepare(struct fuzz_pair *pair, uint32_t variant);

/** Puts what both stacks have to send on the wires. */
void fuzz_pair_drain(struct fuzz_pair *pair);

/** Takes a packet off the wire of hosts[from]; the caller owns it. */
struct sim_packet *fuzz_pair_take(struct fuzz_pair *pair, unsigned from, unsigned place);

/** Hands the other stack what hosts[from] has sent, or what became of it; frees it. */
void fuzz_pair_deliver(struct fuzz_pair *pair, unsigned from, struct sim_packet *packet);

/** Delivers in order all that is and comes on the wires at this instant, or the first 1,000. */
void fuzz_pair_settle(struct fuzz_pair *pair);

/** Moves the clock to the next deadline of either stack; false if there is none. */
bool fuzz_pair_advance(struct fuzz_pair *pair);

/** Aborts everything and demands that nothing is left; frees what is on the wires. */
void fuzz_pair_finish(struct fuzz_pair *pair);

#endif
