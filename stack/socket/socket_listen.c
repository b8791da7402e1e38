/* listen and accept. */
#include "stack/socket/socket.h"

#include <errno.h>

int daytona_stack_listen(struct daytona_stack *stack, struct daytona_socket_id id, int backlog)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    bool again = socket->state == DAYTONA_TCP_LISTEN;
    if (!again && (socket->state != DAYTONA_TCP_CLOSED || socket->entry.local.port == 0 ||
                   socket->connection != NULL))
        return -EINVAL;
    if (!again && socket_port_conflict(socket, &socket->entry.local, true))
        return -EADDRINUSE;
    tcp_open_passive(socket, backlog < 0 ? 0 : (uint32_t)backlog);
    return 0;
}

int daytona_stack_accept(struct daytona_stack *stack, struct daytona_socket_id listener,
                         struct daytona_socket_id *out)
{
    struct socket *socket = socket_held(stack, listener);
    if (socket == NULL)
        return -EBADF;
    if (socket->state != DAYTONA_TCP_LISTEN)
        return -EINVAL;
    struct list_node *node = list_first(&socket->listener.queue);
    if (node == NULL)
        return -EAGAIN;
    struct socket *child = OWNER_OF(node, struct socket, sibling);
    tcp_listen_forget(child);
    socket->listener.accepted++;
    child->owned = true;
    socket_changed(child, socket_readiness(child));
    *out = child->id;
    if (!stack->tcp.config.calls_are_told) {
        struct daytona_call call;
        socket_call_begin(child, DAYTONA_CALL_ACCEPT, 0, &call);
        socket_call_end(child, &call, 0);
    }
    return 0;
}
