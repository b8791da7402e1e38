#include "stack/tcp/tcp_extras.h"

#include "stack/tcp/tcp_signature.h"

struct extras *extras_of(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    if (socket->extras != NULL)
        return socket->extras;
    socket->extras = memory_take_zeroed(tcp->memory, sizeof *socket->extras);
    tcp->counters.allocation_failures += socket->extras == NULL;
    return socket->extras;
}

void extras_release(struct socket *socket)
{
    signature_release(socket);
    memory_return(socket->tcp->memory, socket->extras);
    socket->extras = NULL;
}
