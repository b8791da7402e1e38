/* Looking in: a socket's state, and the walk over all sockets. */
#include "stack/socket/socket.h"

#include <errno.h>

int daytona_stack_info(struct daytona_stack *stack, struct daytona_instant now,
                       struct daytona_socket_id id, struct daytona_connection_info *out)
{
    tcp_enter(&stack->tcp, now);
    const struct socket *socket = socket_find(&stack->tcp, id);
    const struct request *request = request_find(&stack->tcp, id);
    if (request == NULL && (socket == NULL || socket->gone))
        return -EBADF;
    if (request != NULL)
        tcp_request_info(request, out);
    else
        tcp_info(socket, out);
    return 0;
}

bool daytona_stack_next(struct daytona_stack *stack, struct daytona_socket_id *id)
{
    uint32_t from = id->generation == 0 ? 0 : id->index + 1;
    return tcp_next_id(&stack->tcp, from, id);
}
