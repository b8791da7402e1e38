#include "stack/tcp/tcp_extras.h"

struct extras *extras_of(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    if (socket->extras != NULL)
        return socket->extras;
    socket->extras = memory_take_zeroed(tcp->memory, sizeof *socket->extras);
    tcp->counters.allocation_failures += socket->extras == NULL;
    return socket->extras;
}

bool extras_inherit(struct socket *child, const struct socket *listener)
{
    if (listener->extras == NULL)
        return true;
    struct extras *extras = extras_of(child);
    if (extras == NULL)
        return false;
    *extras = *listener->extras;
    return true;
}

void extras_release(struct socket *socket)
{
    memory_return(socket->tcp->memory, socket->extras);
    socket->extras = NULL;
}
