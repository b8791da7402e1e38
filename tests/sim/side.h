/*
 * side.h - the program at one end of a connection. It reads and writes only when the stack has
 * told it to (an edge), as an edge-triggered epoll program does: an edge that is not told
 * shows as a connection that stands still.
 */
#ifndef SIM_SIDE_H
#define SIM_SIDE_H

#include "tests/sim/scenario.h"

struct sim_host;
struct sim_connection;

/** One end. */
struct sim_side {
    uint32_t tail_probes;              /**< sent when new data were last judged */
    struct sim_connection *connection; /**< borrowed */
    struct sim_host *host;             /**< borrowed */
    const struct sim_side_plan *plan;  /**< borrowed */
    unsigned role;                     /**< SIM_CLIENT or SIM_SERVER */
    struct daytona_socket_id id;
    struct sim_random random;
    uint64_t bytes; /**< to send; fewer than planned when it was stopped */
    uint64_t sent, received;
    uint64_t reads;               /**< calls to receive or set an option, which may make room */
    uint64_t bytes_told;          /**< sent, repetitions included, as the stack said in the end */
    bool ended_told;              /**< it has said so */
    uint64_t rounds;              /**< bursts written, requests asked; see the plan's gap */
    struct daytona_instant asked; /**< when the first byte of the open request was written */
    unsigned attempts;            /**< to connect, failed */
    bool opened;                  /**< has had a socket */
    bool connected;               /**< handshake done as far as this side was told */
    bool can_read, can_write;     /**< told by an edge, not yet used up */
    bool slept;                   /**< the plan's long sleep is over or has begun */
    bool reading_rests, writing_rests; /**< a pause: an event will go on */
    bool shut, ended;                  /**< own stream shut; the peer's stream has ended */
    bool end_told; /**< RDHUP: a short count does not mean that nothing is left */
    bool closed;   /**< the application has let go of the socket */
    bool gone;     /**< the stack has let go of it too */
    struct daytona_instant opened_at, closed_at;
    struct daytona_instant ended_at; /**< when the end of the peer's stream was read */
    int error;                       /**< positive errno that the stack told, 0 none */
};

/** The readiness in `ready` is true or happened again: reads and writes may go on. */
void sim_side_told(struct sim_side *side, unsigned ready);

/** The stack's report about the side's socket. */
void sim_side_ready(struct sim_side *side, const struct daytona_ready *ready);

/** Reads and writes as far as edges, plan and pauses allow. */
void sim_side_run(struct sim_side *side);

/** The scenario's time for the application is up: what is written is all. */
void sim_side_stop(struct sim_side *side);

/** The stack told of an error (positive errno): judges it and closes the socket. */
void sim_side_failed(struct sim_side *side, int error);

/** The connection of a closed side went from `from` to CLOSED. */
void sim_side_orphan_ended(struct sim_side *side, enum daytona_tcp_state from);

/** Aborts the connection. */
void sim_side_abort(struct sim_side *side);

/** After the stack came to rest: what it says of readiness is what the side was told. */
void sim_side_check_edges(const struct sim_side *side);

/** sim_fail() with the side's name in front. */
__attribute__((format(printf, 2, 3))) void sim_side_complain(const struct sim_side *side,
                                                             const char *format, ...);

#endif
