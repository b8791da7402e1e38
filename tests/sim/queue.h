/*
 * queue.h - what is going to happen, in the order of virtual time. Events of one instant
 * keep the order in which they were added.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <daytona/types.h>

enum sim_event_kind {
    SIM_EVENT_PACKET,  /**< subject: struct sim_packet, arrives at `node` */
    SIM_EVENT_CONNECT, /**< subject: struct sim_connection, its client starts */
    SIM_EVENT_READ,    /**< subject: struct sim_side, its reader goes on */
    SIM_EVENT_WRITE,   /**< subject: struct sim_side, its writer goes on */
    SIM_EVENT_ACCEPT,  /**< the host `node` goes on accepting */
    SIM_EVENT_LINE,    /**< subject: struct sim_link, its line is free */
    SIM_EVENT_CHANGE,  /**< subject: struct sim_change, a link becomes another */
    SIM_EVENT_STOP,    /**< subject: struct sim_side, its application writes no more */
    SIM_EVENT_SAMPLE,  /**< the world is looked at (measure.h) */
};

struct sim_event {
    struct daytona_instant at;
    uint64_t order; /**< set by sim_queue_add */
    enum sim_event_kind kind;
    unsigned node; /**< hosts come first, then routers */
    void *subject; /**< a packet is owned by its event, all else is borrowed */
};

/** A binary heap. Zeroed at first. */
struct sim_queue {
    struct sim_event *events;
    size_t count, capacity;
    uint64_t added;
};

void sim_queue_add(struct sim_queue *queue, struct sim_event event);

/** DAYTONA_NEVER when empty. */
struct daytona_instant sim_queue_next(const struct sim_queue *queue);

/** Takes the earliest event; the queue must not be empty. */
struct sim_event sim_queue_take(struct sim_queue *queue);

/** Frees the queue and the packets in it. */
void sim_queue_release(struct sim_queue *queue);

#endif
