/*
 * pair.h - two stacks back to back: what one sends the other gets, in memory, at once and in
 * order. Time is virtual and moves by a microsecond with each turn.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <daytona/stack.h>

#define BENCH_BATCH_MAX 64

/** What the way between the two is like. */
struct bench_way {
    unsigned batch; /**< packets that one stack sends before the other gets them and may
                         answer; at most BENCH_BATCH_MAX. 2: an ACK for every two segments */
    bool super;     /**< packets may be of many segments, which a kernel or a card would split */
    uint32_t lose_every;                     /**< 0: none; n: every nth packet with data */
    const struct daytona_observer *observer; /**< of both stacks; NULL: nobody */
};

struct bench_packet {
    size_t length;
    uint8_t bytes[65536];
};

struct bench_pair {
    struct daytona_instant now;
    void *regions[2];
    struct daytona_stack *stacks[2]; /**< 10.0.0.1 and 10.0.0.2, each in a region of 64 MB */
    struct bench_packet *batch;      /**< room for BENCH_BATCH_MAX */
    uint64_t packets, segments;      /**< carried; `segments` with data, as they are on the wire */
    struct bench_way way;
};

void bench_pair_prepare(struct bench_pair *pair, const struct bench_way *way);
void bench_pair_release(struct bench_pair *pair);

/** Carries what stacks[from] has to send now, at most a batch; returns how many. */
unsigned bench_pair_carry(struct bench_pair *pair, unsigned from);

/** Carries both ways until there is nothing to send at this instant. */
void bench_pair_settle(struct bench_pair *pair);

/** Listens on port 80 of stacks[1]. */
struct daytona_socket_id bench_pair_listen(struct bench_pair *pair);

/** Connects stacks[0] from a local port and accepts. */
void bench_pair_connect(struct bench_pair *pair, struct daytona_socket_id listener, uint16_t port,
                        struct daytona_socket_id ends[2]);

/** Ends the process when a call of the stack fails. */
void bench_demand(bool holds, const char *what);

#endif
