/*
 * Readiness, as Linux's tcp_poll() reckons it; and the reports of what changed.
 */
#include "stack/socket/socket.h"

/* Enough to read for SO_RCVLOWAT; the urgent byte at the front does not count. */
static bool readable(const struct socket *socket)
{
    const struct receiver *receive = &socket->connection->receive;
    uint32_t target = (uint32_t)socket->options[DAYTONA_OPTION_RECEIVE_LOW_WATER];
    if (target > receive->limit / 2)
        target = receive->limit / 2; /* more may never be here at once */
    if (receive->urgent != URGENT_NONE && receive->urgent_at == receive->read &&
        !option_on(socket, DAYTONA_OPTION_URGENT_INLINE))
        target++;
    return receive_queued(receive) >= target;
}

static bool urgent_here(const struct receiver *receive)
{
    return receive->urgent == URGENT_EXPECTED && receive->urgent_at < receive->nxt;
}

static unsigned connection_readiness(const struct socket *socket)
{
    const struct connection *connection = socket->connection;
    unsigned ready = 0;
    bool no_more_in = socket->shut_read || connection->ended || socket_end_of_stream(connection);
    bool no_more_out = socket->shut_write || connection->ended;
    if (no_more_in)
        ready |= DAYTONA_READY_IN | DAYTONA_READY_RDHUP;
    if (no_more_in && no_more_out)
        ready |= DAYTONA_READY_HUP;
    if (!connection->ended && connection_opening(socket))
        return ready;
    if (readable(socket))
        ready |= DAYTONA_READY_IN;
    if (no_more_out || tcp_writable(connection))
        ready |= DAYTONA_READY_OUT;
    if (urgent_here(&connection->receive))
        ready |= DAYTONA_READY_URGENT;
    return ready;
}

unsigned socket_readiness(const struct socket *socket)
{
    unsigned ready = socket->error != 0 ? DAYTONA_READY_ERROR : 0;
    if (socket->connection != NULL)
        return ready | connection_readiness(socket);
    if (socket->state == DAYTONA_TCP_LISTEN)
        return ready | (socket->listener.queue_count > 0 ? DAYTONA_READY_IN : 0);
    return ready | DAYTONA_READY_OUT | DAYTONA_READY_HUP;
}

unsigned daytona_stack_readiness(struct daytona_stack *stack, struct daytona_socket_id id)
{
    const struct socket *socket = socket_seen(stack, id);
    return socket == NULL ? 0 : socket_readiness(socket);
}

/* The last report of a socket; its record goes. */
static void report_gone(struct socket *socket, struct daytona_ready *out)
{
    *out = (struct daytona_ready){.id = socket->id,
                                  .user = socket->user,
                                  .now = DAYTONA_READY_GONE,
                                  .edges = DAYTONA_READY_GONE};
    socket_drop(socket);
}

/* False when nothing that changed still holds. */
static bool report_changes(struct socket *socket, struct daytona_ready *out)
{
    unsigned now = socket_readiness(socket);
    unsigned edges = (socket->edges | (now & ~(unsigned)socket->reported)) & now;
    socket->edges = 0;
    socket->reported = (uint8_t)now;
    *out =
        (struct daytona_ready){.id = socket->id, .user = socket->user, .now = now, .edges = edges};
    return edges != 0;
}

bool daytona_stack_take_ready(struct daytona_stack *stack, struct daytona_ready *out)
{
    struct tcp *tcp = &stack->tcp;
    bool found = false;
    struct list_node *node;
    while (!found && (node = list_first(&tcp->changed)) != NULL) {
        struct socket *socket = OWNER_OF(node, struct socket, changed);
        list_remove(node);
        found = true;
        if (socket->gone)
            report_gone(socket, out);
        else
            found = report_changes(socket, out);
    }
    tcp_leave(tcp);
    return found;
}
