/* send and receive: bytes between the application's memory and the streams. */
#include "stack/socket/socket.h"

#include <errno.h>

/* 0 when the connection takes data now. */
static int send_check(struct socket *socket)
{
    struct connection *connection = socket->connection;
    if (socket->error != 0)
        return -socket_take_error(socket);
    if (connection == NULL)
        return -ENOTCONN;
    if (socket->shut_write || connection->ended)
        return -EPIPE;
    if (connection_opening(socket))
        return -EAGAIN;
    return 0;
}

/* Writes as much as fits; *all tells whether that was everything. */
static size_t send_copy(struct connection *connection, const struct daytona_span *spans,
                        size_t count, bool *all)
{
    struct sender *send = &connection->send;
    size_t room = tcp_space(connection);
    size_t done = 0;
    *all = true;
    for (size_t i = 0; i < count && *all; i++) {
        struct daytona_span part = spans[i];
        if (part.length > room)
            part.length = room;
        size_t written = pages_write(&send->pages, connection->tcp->memory, send->pages.end, part);
        if (written < part.length)
            connection->tcp->counters.allocation_failures++;
        done += written;
        room -= written;
        *all = written == spans[i].length;
    }
    return done;
}

static ptrdiff_t send_to(struct socket *socket, const struct daytona_span *spans, size_t count,
                         unsigned flags)
{
    int error = send_check(socket);
    if (error < 0)
        return error;
    struct connection *connection = socket->connection;
    bool all;
    profile_found(socket);
    daytona_profile_enter(socket->tcp->profiler, DAYTONA_ACTIVITY_copy);
    size_t done = send_copy(connection, spans, count, &all);
    daytona_profile_leave(socket->tcp->profiler);
    /* Who waits for space need not have failed to send first. */
    if (!all || (socket_readiness(socket) & DAYTONA_READY_OUT) == 0)
        socket->wants_space = true;
    if (done == 0 && !all) /* with nothing queued no acknowledgment will ever make room */
        return send_queued(&connection->send) > 0 ? -EAGAIN : -ENOBUFS;
    if (done > 0)
        tcp_send_queued(connection, all && (flags & DAYTONA_SEND_MORE) != 0,
                        all && (flags & DAYTONA_SEND_URGENT) != 0);
    return (ptrdiff_t)done;
}

ptrdiff_t daytona_stack_send(struct daytona_stack *stack, struct daytona_instant now,
                             struct daytona_socket_id id, const struct daytona_span *spans,
                             size_t count, unsigned flags)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    if (stack->tcp.config.calls_are_told)
        return send_to(socket, spans, count, flags);
    struct daytona_call call;
    uint64_t asked = 0;
    for (size_t i = 0; i < count; i++)
        asked += spans[i].length;
    socket_call_begin(socket, DAYTONA_CALL_SEND, asked, &call);
    ptrdiff_t result = send_to(socket, spans, count, flags);
    socket_call_end(socket, &call, result);
    return result;
}

/* Linux's order: the end of the stream, then an error, then what shutdown left. */
static ptrdiff_t nothing_to_receive(struct socket *socket)
{
    const struct connection *connection = socket->connection;
    if (socket_end_of_stream(connection))
        return 0;
    if (socket->error != 0)
        return -socket_take_error(socket);
    if (socket->shut_read || connection->ended)
        return 0;
    return -EAGAIN;
}

/* A read stops before the urgent byte; one that begins there leaves it out, unless it is inline.
 * Returns the bytes to leave out (0 or 1) and shortens *available. */
static uint32_t heed_mark(const struct socket *socket, uint32_t *available)
{
    const struct receiver *receive = &socket->connection->receive;
    if (receive->urgent == URGENT_NONE || receive->urgent_at >= receive->read + *available)
        return 0;
    if (receive->urgent_at > receive->read) {
        *available = (uint32_t)(receive->urgent_at - receive->read);
        return 0;
    }
    if (option_on(socket, DAYTONA_OPTION_URGENT_INLINE))
        return 0;
    (*available)--;
    return 1;
}

static uint32_t receive_copy(const struct receiver *receive, uint64_t offset, uint32_t available,
                             const struct daytona_room *rooms, size_t count, bool discard)
{
    uint32_t done = 0;
    for (size_t i = 0; i < count && available > 0; i++) {
        struct daytona_room part = rooms[i];
        if (part.length > available)
            part.length = available;
        if (!discard && part.length > 0)
            pages_read(&receive->pages, offset + done, part);
        done += (uint32_t)part.length;
        available -= (uint32_t)part.length;
    }
    return done;
}

/* MSG_OOB, RFC 9293 section 3.8.5 as Linux has it. */
static ptrdiff_t receive_urgent(struct socket *socket, const struct daytona_room *rooms,
                                size_t count, bool peek)
{
    struct receiver *receive = &socket->connection->receive;
    if (option_on(socket, DAYTONA_OPTION_URGENT_INLINE) || receive->urgent != URGENT_EXPECTED)
        return -EINVAL;
    if (receive->urgent_at >= receive->read + receive_queued(receive)) {
        bool comes = !socket->connection->ended && !socket->shut_read && !receive_at_fin(receive);
        return comes ? -EAGAIN : 0;
    }
    if (!peek)
        receive->urgent = URGENT_TAKEN;
    for (size_t i = 0; i < count; i++) {
        if (rooms[i].length == 0)
            continue;
        pages_read(&receive->pages, receive->urgent_at, (struct daytona_room){rooms[i].data, 1});
        return 1;
    }
    return 0;
}

static ptrdiff_t receive_stream(struct socket *socket, const struct daytona_room *rooms,
                                size_t count, unsigned flags)
{
    struct connection *connection = socket->connection;
    struct receiver *receive = &connection->receive;
    bool peek = (flags & DAYTONA_RECEIVE_PEEK) != 0;
    uint32_t available = receive_queued(receive);
    uint32_t left_out = heed_mark(socket, &available);
    profile_found(socket);
    daytona_profile_enter(socket->tcp->profiler, DAYTONA_ACTIVITY_copy);
    uint32_t done = receive_copy(receive, receive->read + left_out, available, rooms, count,
                                 (flags & DAYTONA_RECEIVE_DISCARD) != 0);
    daytona_profile_leave(socket->tcp->profiler);
    if (!peek && done + left_out > 0) {
        tcp_received(connection, done + left_out);
        if (receive->urgent != URGENT_NONE && receive->read > receive->urgent_at)
            receive->urgent = URGENT_NONE;
    }
    if (done > 0 || available > 0) /* or room for nothing was given */
        return done;
    return nothing_to_receive(socket);
}

static ptrdiff_t receive_from(struct socket *socket, const struct daytona_room *rooms, size_t count,
                              unsigned flags)
{
    if (socket->connection == NULL)
        return socket->error != 0 ? -socket_take_error(socket) : -ENOTCONN;
    if ((flags & DAYTONA_RECEIVE_URGENT) != 0)
        return receive_urgent(socket, rooms, count, (flags & DAYTONA_RECEIVE_PEEK) != 0);
    return receive_stream(socket, rooms, count, flags);
}

ptrdiff_t daytona_stack_receive(struct daytona_stack *stack, struct daytona_instant now,
                                struct daytona_socket_id id, const struct daytona_room *rooms,
                                size_t count, unsigned flags)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    struct daytona_call call = {0};
    uint64_t asked = 0;
    bool told = stack->tcp.config.calls_are_told;
    for (size_t i = 0; i < count && !told; i++)
        asked += rooms[i].length;
    if (!told)
        socket_call_begin(socket, DAYTONA_CALL_RECEIVE, asked, &call);
    ptrdiff_t result = receive_from(socket, rooms, count, flags);
    if (!told)
        socket_call_end(socket, &call, result);
    tcp_leave(&stack->tcp);
    return result;
}
