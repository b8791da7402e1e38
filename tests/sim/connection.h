/*
 * connection.h - two sides and what their plan says of them together.
 */
#ifndef SIM_CONNECTION_H
#define SIM_CONNECTION_H

#include "tests/sim/side.h"

struct sim_connection {
    unsigned number;
    const struct sim_connection_plan *plan; /**< borrowed */
    struct sim_side sides[2];
    uint64_t keys[2];     /**< contents of the client's and the server's stream */
    uint16_t client_port; /**< once chosen */
    unsigned order;       /**< of the ports' users the one that started last counts */
    bool given_up;        /**< one side is dead without the other's knowing it */
};

/** The client begins; both sides when they cross. */
void sim_connection_start(struct sim_connection *connection);

/** A host's server accepts until -EAGAIN, or rests a while. */
void sim_connection_accept(struct sim_host *host);

/** Both ends have finished, and the stack has let go of their sockets. */
bool sim_connection_is_over(const struct sim_connection *connection);

/** Ends what waits for a peer that died without a word; true when there was something. */
bool sim_connection_give_up(struct sim_connection *connection);

/** Of one that is over: all bytes arrived, ends and errors are those of the plan. */
void sim_connection_check_end(const struct sim_connection *connection);

#endif
