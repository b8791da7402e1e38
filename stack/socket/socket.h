/*
 * socket.h - the socket calls: what the files of this folder share.
 */
#ifndef STACK_SOCKET_SOCKET_H
#define STACK_SOCKET_SOCKET_H

#include "stack/tcp/tcp_calls.h"

/** What the socket calls know of a stack; stack.c has the rest behind it. */
struct daytona_stack {
    struct tcp tcp;
};

/** The socket of an id that the application holds, for a call that may change it; NULL: -EBADF. */
struct socket *socket_held(const struct daytona_stack *stack, struct daytona_socket_id id);

/** The same, for a call that only looks. */
const struct socket *socket_seen(const struct daytona_stack *stack, struct daytona_socket_id id);

/** DAYTONA_READY_* that hold now. socket_ready.c */
unsigned socket_readiness(const struct socket *socket);

/** Do `socket` and another on its port exclude each other? As in Linux: not when both share by
 *  REUSE_PORT, nor when both have REUSE_ADDRESS and nobody listens; `listening` says that
 *  `socket` is about to. socket_port.c */
bool socket_port_conflict(const struct socket *socket, const struct daytona_endpoint *local,
                          bool listening);

/** Gives a call of the application its number; socket_call.c. */
void socket_call_number(struct socket *socket, enum daytona_call_kind kind, uint64_t asked,
                        struct daytona_call *call);

/** A call begins. While nobody observes anything it gets no number. */
static inline void socket_call_begin(struct socket *socket, enum daytona_call_kind kind,
                                     uint64_t asked, struct daytona_call *call)
{
    call->number = 0;
    if (socket->tcp->wanted != 0)
        socket_call_number(socket, kind, asked, call);
}

/** It is over: event CALL. */
static inline void socket_call_end(const struct socket *socket, const struct daytona_call *call,
                                   int64_t result)
{
    if (call->number != 0)
        tcp_observe_call(socket, DAYTONA_EVENT_CALL, call, 0, result);
}

/** The pending error, cleared; 0 none. */
static inline int socket_take_error(struct socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

/** The peer's FIN has been reached. */
static inline bool socket_end_of_stream(const struct connection *connection)
{
    return connection->receive.fin_seen && connection->receive.nxt > connection->receive.fin_at;
}

#endif
