/* The life of a socket: open, connect, shutdown, close, abort; its ends and its error. */
#include "stack/socket/socket.h"

#include <errno.h>

struct socket *socket_held(const struct daytona_stack *stack, struct daytona_socket_id id)
{
    struct socket *socket = socket_find(&stack->tcp, id);
    if (socket == NULL || !socket->owned)
        return NULL;
    socket_stir(socket);
    return socket;
}

const struct socket *socket_seen(const struct daytona_stack *stack, struct daytona_socket_id id)
{
    const struct socket *socket = socket_find(&stack->tcp, id);
    return socket != NULL && socket->owned ? socket : NULL;
}

int daytona_stack_open(struct daytona_stack *stack, struct daytona_socket_id *out)
{
    int error = 0;
    struct socket *socket = socket_new(&stack->tcp, &error);
    if (socket == NULL)
        return error;
    socket->owned = true;
    *out = socket->id;
    return 0;
}

int daytona_stack_set_user(struct daytona_stack *stack, struct daytona_socket_id id, void *user)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    socket->user = user;
    return 0;
}

/* Puts the socket under its port anew, with or without a remote end. */
static int entry_set_ends(struct socket *socket, const struct daytona_address *local,
                          const struct daytona_endpoint *remote)
{
    struct demux *demux = &socket->tcp->demux;
    demux_remove_port(demux, &socket->entry);
    socket->entry.local.address = *local;
    socket->entry.remote = *remote;
    return demux_insert_port(demux, &socket->entry);
}

/* A connection attempt that failed: this call tells why, the next one may try again. */
static int failed_before(struct socket *socket)
{
    int error = socket_take_error(socket);
    connection_forget(socket);
    return error != 0 ? -error : -ECONNABORTED;
}

/* RFC 9293 section 3.9.2.3: nobody can be at the other end of a connection to a group. */
static bool group(const struct daytona_address *address)
{
    return daytona_address_is_ipv4(address) && address->bytes[12] >= 224;
}

/* 0 when a connection may begin. */
static int connect_check(struct socket *socket, const struct daytona_address *local)
{
    const struct connection *connection = socket->connection;
    if (socket->state == DAYTONA_TCP_LISTEN || socket->entry.local.port == 0)
        return -EINVAL;
    if (socket->state == DAYTONA_TCP_SYN_SENT || socket->state == DAYTONA_TCP_SYN_RECEIVED)
        return -EALREADY;
    if (connection != NULL && connection->ended && connection->send.una == connection->send.iss)
        return failed_before(socket);
    if (connection != NULL)
        return -EISCONN;
    if (local == NULL && daytona_address_is_unspecified(&socket->entry.local.address))
        return -EINVAL;
    return 0;
}

static int connect_with(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id, const struct daytona_address *local,
                        const struct daytona_endpoint *remote, bool fast)
{
    static const struct daytona_endpoint nobody;
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    struct daytona_call call;
    socket_call_begin(socket, DAYTONA_CALL_CONNECT, 0, &call);
    int error = connect_check(socket, local);
    if (error == 0 && remote->port == 0)
        error = -EINVAL;
    if (error == 0 && group(&remote->address))
        error = -ENETUNREACH;
    if (error == 0) {
        struct daytona_address bound = socket->entry.local.address;
        bool keep = !daytona_address_is_unspecified(&bound);
        error = entry_set_ends(socket, keep ? &bound : local, remote);
        if (error == 0)
            error =
                tcp_open_active(socket, fast || option_on(socket, DAYTONA_OPTION_FASTOPEN_CONNECT));
        if (error < 0 && error != -EINPROGRESS)
            entry_set_ends(socket, &bound, &nobody);
    }
    socket_call_end(socket, &call, error);
    tcp_leave(&stack->tcp);
    return error;
}

int daytona_stack_connect(struct daytona_stack *stack, struct daytona_instant now,
                          struct daytona_socket_id id, const struct daytona_address *local,
                          const struct daytona_endpoint *remote)
{
    return connect_with(stack, now, id, local, remote, false);
}

int daytona_stack_connect_fast(struct daytona_stack *stack, struct daytona_instant now,
                               struct daytona_socket_id id, const struct daytona_address *local,
                               const struct daytona_endpoint *remote)
{
    return connect_with(stack, now, id, local, remote, true);
}

int daytona_stack_forget(struct daytona_stack *stack, struct daytona_instant now,
                         struct daytona_socket_id id)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    int error = socket == NULL ? -EBADF : 0;
    if (error == 0 && (socket->connection == NULL || !socket->connection->ended))
        error = -EISCONN;
    if (error == 0)
        connection_forget(socket);
    tcp_leave(&stack->tcp);
    return error;
}

static void shut_writing(struct socket *socket)
{
    if (socket->shut_write)
        return;
    socket->shut_write = true;
    tcp_close(socket->connection);
    socket_changed(socket, DAYTONA_READY_OUT);
}

static int connection_shutdown(struct socket *socket, enum daytona_shutdown how)
{
    struct connection *connection = socket->connection;
    /* In TIME-WAIT, too, there is nothing left to shut: as Linux says. */
    if (connection == NULL || connection->ended || socket->state == DAYTONA_TCP_TIME_WAIT)
        return -ENOTCONN;
    if (socket->state == DAYTONA_TCP_SYN_SENT) { /* as Linux: that is the end of the attempt */
        connection_end(connection, 0, "shutdown");
        return 0;
    }
    if (how != DAYTONA_SHUTDOWN_WRITE) {
        socket->shut_read = true;
        socket_changed(socket, DAYTONA_READY_IN | DAYTONA_READY_RDHUP);
    }
    if (how != DAYTONA_SHUTDOWN_READ)
        shut_writing(socket);
    return 0;
}

int daytona_stack_shutdown(struct daytona_stack *stack, struct daytona_instant now,
                           struct daytona_socket_id id, enum daytona_shutdown how)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    struct daytona_call call;
    int error = 0;
    socket_call_begin(socket, DAYTONA_CALL_SHUTDOWN, 0, &call);
    if (socket->state != DAYTONA_TCP_LISTEN) {
        error = connection_shutdown(socket, how);
    } else if (how != DAYTONA_SHUTDOWN_WRITE) {
        tcp_listener_end(socket);
        socket_changed(socket, DAYTONA_READY_OUT | DAYTONA_READY_HUP);
    }
    socket_call_end(socket, &call, error);
    tcp_leave(&stack->tcp);
    return error;
}

/* The application lets go; what is still to be done, TCP does alone. */
static void let_go(struct socket *socket)
{
    struct connection *connection = socket->connection;
    if (socket->state == DAYTONA_TCP_LISTEN)
        tcp_listener_end(socket);
    if (socket->state == DAYTONA_TCP_CLOSED) {
        socket_finish(socket);
    } else if (socket->state == DAYTONA_TCP_TIME_WAIT) {
        tcp_orphaned(connection);
    } else if (socket->state == DAYTONA_TCP_SYN_SENT) {
        connection_end(connection, 0, "close");
    } else if (socket->options[DAYTONA_OPTION_LINGER_US] == 0) {
        tcp_abort(connection, 0, "close without lingering");
    } else if (receive_queued(&connection->receive) > 0) {
        tcp_abort(connection, 0, "close with unread data"); /* RFC 2525 section 2.17 */
    } else {
        tcp_close(connection);
        tcp_orphaned(connection);
    }
}

int daytona_stack_close(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    list_remove(&socket->changed);
    socket->edges = 0;
    socket->owned = false;
    socket->closed = true;
    struct daytona_call call;
    socket_call_begin(socket, DAYTONA_CALL_CLOSE, 0, &call);
    let_go(socket);
    socket_call_end(socket, &call, 0); /* the record is there until tcp_leave() */
    tcp_leave(&stack->tcp);
    return 0;
}

int daytona_stack_abort(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id)
{
    tcp_enter(&stack->tcp, now);
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    socket->owned = false;
    if (socket->state == DAYTONA_TCP_LISTEN)
        tcp_listener_end(socket);
    else if (socket->state != DAYTONA_TCP_CLOSED)
        tcp_abort(socket->connection, 0, "abort");
    socket_drop(socket);
    tcp_leave(&stack->tcp);
    return 0;
}

int daytona_stack_take_error(struct daytona_stack *stack, struct daytona_socket_id id)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    int error = socket_take_error(socket);
    /* Linux tells of a soft error, too, when there is no other (RFC 1122 section 4.2.3.9). */
    if (error == 0 && socket->connection != NULL) {
        error = socket->connection->soft_error;
        socket->connection->soft_error = 0;
    }
    return error;
}

int daytona_stack_endpoints(struct daytona_stack *stack, struct daytona_socket_id id,
                            struct daytona_endpoint *local, struct daytona_endpoint *remote)
{
    const struct socket *socket = socket_seen(stack, id);
    if (socket == NULL)
        return -EBADF;
    if (local != NULL)
        *local = socket->entry.local;
    if (remote == NULL)
        return 0;
    if (socket->entry.remote.port == 0 || socket->state == DAYTONA_TCP_SYN_SENT)
        return -ENOTCONN;
    *remote = socket->entry.remote;
    return 0;
}
