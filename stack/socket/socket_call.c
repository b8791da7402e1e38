/* The application's calls, numbered: what an observer ties events to. */
#include "stack/socket/socket.h"

#include <errno.h>

/* Where the bytes that a call moves begin. */
static uint32_t first_byte(const struct connection *connection, enum daytona_call_kind kind)
{
    switch (kind) {
    case DAYTONA_CALL_RECEIVE:
        return offset_seq(connection->receive.read).value;
    case DAYTONA_CALL_SEND:
    case DAYTONA_CALL_SHUTDOWN:
    case DAYTONA_CALL_CLOSE:
        return offset_seq(connection->send.pages.end).value;
    case DAYTONA_CALL_CONNECT:
    case DAYTONA_CALL_ACCEPT:
        return offset_seq(connection->send.iss).value;
    }
    return 0;
}

void socket_call_number(struct socket *socket, enum daytona_call_kind kind, uint64_t asked,
                        struct daytona_call *call)
{
    struct tcp *tcp = socket->tcp;
    const struct connection *connection = socket->connection;
    *call = (struct daytona_call){
        .number = ++tcp->call_number,
        .kind = kind,
        .id = socket->id,
        .began = tcp->now,
        .asked = asked,
        .sequence = connection == NULL ? 0 : first_byte(connection, kind),
    };
    socket->call = call->number;
}

void daytona_stack_call_begin(struct daytona_stack *stack, struct daytona_instant now,
                              struct daytona_socket_id id, enum daytona_call_kind kind,
                              uint64_t asked, struct daytona_call *call)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    call->number = 0;
    if (socket != NULL)
        socket_call_begin(socket, kind, asked, call);
}

void daytona_stack_call_waits(struct daytona_stack *stack, struct daytona_instant now,
                              const struct daytona_call *call, uint64_t done)
{
    tcp_enter(&stack->tcp, now);
    const struct socket *socket = call->number == 0 ? NULL : socket_find(&stack->tcp, call->id);
    if (socket != NULL)
        tcp_observe_call(socket, DAYTONA_EVENT_CALL_WAITS, call, done, 0);
}

void daytona_stack_call_end(struct daytona_stack *stack, struct daytona_instant now,
                            const struct daytona_call *call, int64_t result)
{
    tcp_enter(&stack->tcp, now);
    const struct socket *socket = call->number == 0 ? NULL : socket_find(&stack->tcp, call->id);
    if (socket != NULL)
        socket_call_end(socket, call, result);
}

void daytona_stack_observe(struct daytona_stack *stack, uint64_t mask)
{
    tcp_observe_all(&stack->tcp, mask);
}

int daytona_stack_observe_socket(struct daytona_stack *stack, struct daytona_socket_id id,
                                 uint64_t mask)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    tcp_observe_socket(socket, mask);
    return 0;
}
