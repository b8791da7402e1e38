/* Looking in: a socket's state, and the walk over all sockets. */
#include "stack/socket/socket.h"
#include "stack/tcp/tcp_request.h"

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

int daytona_stack_state(struct daytona_stack *stack, struct daytona_instant now,
                        struct daytona_socket_id id, struct daytona_connection_state *out)
{
    tcp_enter(&stack->tcp, now);
    const struct socket *socket = socket_find(&stack->tcp, id);
    const struct request *request = request_find(&stack->tcp, id);
    if (request == NULL && (socket == NULL || socket->gone))
        return -EBADF;
    const struct demux_entry *entry = request != NULL ? &request->entry : &socket->entry;
    const char *congestion = (request != NULL ? request->listener : socket)->congestion->name;
    *out = (struct daytona_connection_state){
        .id = id, .local = entry->local, .remote = entry->remote, .at = stack->tcp.now};
    for (size_t i = 0; i + 1 < sizeof out->congestion && congestion[i] != '\0'; i++)
        out->congestion[i] = congestion[i];
    if (request != NULL)
        tcp_request_variables(request, &out->variables);
    else
        tcp_variables(socket, &out->variables);
    return 0;
}

bool daytona_stack_take_stirred(struct daytona_stack *stack, struct daytona_socket_id id)
{
    struct socket *socket = socket_find(&stack->tcp, id);
    bool stirred = socket == NULL || !socket->quiet; /* half-open connections do not last */
    if (socket != NULL)
        socket->quiet = true;
    return stirred;
}

void *daytona_stack_user(struct daytona_stack *stack, struct daytona_socket_id id)
{
    const struct socket *socket = socket_find(&stack->tcp, id);
    return socket == NULL ? NULL : socket->user;
}

bool daytona_stack_next(struct daytona_stack *stack, struct daytona_socket_id *id)
{
    uint32_t from = id->generation == 0 ? 0 : id->index + 1;
    return tcp_next_id(&stack->tcp, from, id);
}
