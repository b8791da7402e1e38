/*
 * couple.h - two stacks and the path between them, in virtual time, for tests that let things
 * happen to a path. Both are observed: what each sees goes through a ring, as in a program, and
 * into a blame (scripts/blame.h).
 */
#ifndef TESTS_UNIT_COUPLE_H
#define TESTS_UNIT_COUPLE_H

#include "preload/ring.h"
#include "scripts/blame.h"
#include "scripts/ring_reader.h"
#include <daytona/stack.h>

enum couple_side { CLIENT, SERVER };

#define COUPLE_PACKETS_MAX 4096

struct couple_packet {
    uint64_t at_ns;
    enum couple_side to;
    size_t length;
    uint8_t bytes[2048];
};

struct couple {
    struct daytona_instant now;
    uint64_t delay_us; /**< one way */
    uint16_t mtu[2];   /**< of what each side sends, 0 any: what is larger is dropped, and its
                            sender told by ICMP */
    /** Whether a packet of `from` with so much payload gets lost; may be NULL. */
    bool (*loses)(struct couple *couple, enum couple_side from, uint32_t payload);
    unsigned counter; /**< loses()'s own */
    struct end {
        void *region, *ring_memory;
        struct daytona_stack *stack;
        struct daytona_socket_id id;
        struct ring ring;
        struct ring_reader reader;
        struct blame *blame;
        unsigned told[DAYTONA_EVENT_COUNT];
    } ends[2];
    struct couple_packet *packets; /**< in no order */
    size_t packet_count;
};

/** Connected and accepted, 10 ms one way. `window`: the client's receive buffer, 0 the usual. */
void couple_start(struct couple *couple, uint32_t window);
void couple_stop(struct couple *couple);

/** Lets time pass. */
void couple_run_us(struct couple *couple, uint64_t us);

/** One write, which must fit. */
void couple_write(struct couple *couple, enum couple_side side, uint32_t bytes);
/** Reads all there is; returns how much. */
uint32_t couple_read(struct couple *couple, enum couple_side side);
/** `from` writes so much as there is room, the other one reads, until all is there. */
void couple_carry(struct couple *couple, enum couple_side from, uint32_t bytes);
/** A request of 100 bytes by the client, which the server has read. */
void couple_ask(struct couple *couple);

#endif
