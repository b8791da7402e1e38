/*
 * host.h - one stack with its memory and the driver that pumps it: packets in, packets out,
 * readiness to the applications.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "tests/sim/quiet.h"
#include "tests/sim/scenario.h"

struct sim_world;
struct sim_side;

#define SIM_SOCKETS_WATCHED 4096 /* socket indexes whose states are followed */

/** The last that is known of a socket. */
struct sim_watch {
    struct sim_side *side; /**< whose socket it is, borrowed; NULL: none is known */
    uint32_t generation;
    uint8_t state;    /**< enum daytona_tcp_state; 0: none yet */
    uint64_t rto_us;  /**< that the last TIMEOUT event told */
    uint8_t timeouts; /**< in a row, as the last TIMEOUT event told */
};

struct sim_host {
    struct sim_world *world; /**< borrowed */
    unsigned number;
    const struct sim_host_plan *plan; /**< borrowed */
    struct daytona_stack *stack;      /**< lives in `region` */
    struct daytona_room region;
    struct sim_random random;
    struct daytona_socket_id listener;
    bool listening, accept_waits;
    struct daytona_instant wake; /**< when the driver serves the stack next */
    uint64_t lateness_us;        /**< how late it will serve the next deadline */
    uint64_t packets_given, packets_taken, resets_taken;
    size_t memory_at_rest;
    struct sim_watch *watches; /**< SIM_SOCKETS_WATCHED, owned */
    struct sim_quiet quiet;
    struct sim_side **open; /**< sides with a socket that they have not closed, owned */
    unsigned open_count, open_capacity;
    uint64_t rests; /**< times that it had nothing to do */
    bool narrowed;  /**< packets that it thinks fit may be too large for a link */
};

/** The address of a host. */
struct daytona_address sim_host_address(unsigned number);

void sim_host_init(struct sim_host *host, struct sim_world *world, unsigned number);
void sim_host_release(struct sim_host *host);

/** Gives a socket the key of the scenario, if it has one. False: no memory. */
bool sim_host_sign(struct sim_host *host, struct daytona_socket_id id);

/** Its listener may answer with SYN cookies (RFC 4987 section 3.6): the first text of a client that
 *  comes before its ACK is refused, a late copy of that ACK makes a connection of its own, and the
 *  segment size is only about what the client said. */
bool sim_host_uses_cookies(const struct sim_host *host);

/** The side whose socket it is; NULL when there is none. */
struct sim_side *sim_host_side(const struct sim_host *host, uint32_t index, uint32_t generation);

/** A side has got its socket, or has closed it. */
void sim_host_side_opened(struct sim_host *host, struct sim_side *side);
void sim_host_side_closed(struct sim_host *host, const struct sim_side *side);

/** Hands a packet to the stack; the driver goes on at once or a little later. */
void sim_host_input(struct sim_host *host, const struct sim_packet *packet);

/** The application called the stack outside the pump: serve it soon. */
void sim_host_touch(struct sim_host *host);

/** When the driver wants to run: `wake` or the stack's deadline. */
struct daytona_instant sim_host_next(const struct sim_host *host);

/** Runs the stack until it has nothing to do at this instant. */
void sim_host_pump(struct sim_host *host);

/** Stops listening; connections that wait for accept are reset. */
void sim_host_stop_listening(struct sim_host *host);

#endif
