/* Local ports: who may share one, and which to propose (RFC 6056). */
#include "stack/base/tuple_hash.h"
#include "stack/socket/socket.h"

#include <errno.h>

#define INCREMENT_MAX 32u /* RFC 6056 section 3.3.5: random steps hide how many were used */

static bool addresses_overlap(const struct daytona_address *a, const struct daytona_address *b)
{
    return daytona_address_is_unspecified(a) || daytona_address_is_unspecified(b) ||
           daytona_address_equal(a, b);
}

/* In TIME-WAIT and forgotten by its application: stands in nobody's way but its own peer's. */
static bool only_waiting(const struct socket *socket)
{
    return socket->state == DAYTONA_TCP_TIME_WAIT && socket->closed;
}

bool socket_port_conflict(const struct socket *socket, const struct daytona_endpoint *local,
                          bool listening)
{
    struct demux_entry *entry = NULL;
    while ((entry = demux_next_on_port(&socket->tcp->demux, local->port, entry)) != NULL) {
        const struct socket *other = OWNER_OF(entry, struct socket, entry);
        if (other == socket || only_waiting(other) ||
            !addresses_overlap(&entry->local.address, &local->address))
            continue;
        bool both_port = option_on(socket, DAYTONA_OPTION_REUSE_PORT) &&
                         option_on(other, DAYTONA_OPTION_REUSE_PORT);
        bool both_address = option_on(socket, DAYTONA_OPTION_REUSE_ADDRESS) &&
                            option_on(other, DAYTONA_OPTION_REUSE_ADDRESS);
        bool listens = other->state == DAYTONA_TCP_LISTEN;
        bool clash = listening ? listens : listens || !both_address;
        if (clash && !both_port)
            return true;
    }
    return false;
}

int daytona_stack_bind(struct daytona_stack *stack, struct daytona_socket_id id,
                       const struct daytona_endpoint *local)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    if (local->port == 0 || socket->entry.local.port != 0 || socket->connection != NULL)
        return -EINVAL;
    if (socket_port_conflict(socket, local, false))
        return -EADDRINUSE;
    socket->entry.local = *local;
    int error = demux_insert_port(&stack->tcp.demux, &socket->entry);
    if (error < 0)
        socket->entry.local = (struct daytona_endpoint){0};
    return error;
}

/* Nobody has the port, or only connections in TIME-WAIT to other remote ends, or one that a new
 * connection may take over. */
static bool port_is_free(const struct tcp *tcp, const struct daytona_endpoint *local,
                         const struct daytona_endpoint *remote)
{
    struct demux_entry *entry = NULL;
    while ((entry = demux_next_on_port(&tcp->demux, local->port, entry)) != NULL) {
        const struct socket *other = OWNER_OF(entry, struct socket, entry);
        if (!only_waiting(other))
            return false;
        if (daytona_endpoint_equal(&entry->remote, remote) && !tcp_time_wait_reusable(other))
            return false;
    }
    return true;
}

/* RFC 6056 section 3.3.3: an offset that only who knows the secret can reckon. */
static uint32_t destination_offset(const struct tcp *tcp, const struct daytona_address *local,
                                   const struct daytona_endpoint *remote)
{
    struct daytona_endpoint any_port = {.address = *local};
    return (uint32_t)tuple_hash(tcp->config.secret, TUPLE_FOR_PORT, &any_port, remote);
}

int daytona_stack_choose_port(struct daytona_stack *stack, const struct daytona_address *local,
                              const struct daytona_endpoint *remote)
{
    struct tcp *tcp = &stack->tcp;
    uint32_t low = tcp->config.port_low;
    uint32_t count = tcp->config.port_high - low + 1u;
    uint32_t offset = destination_offset(tcp, local, remote) % count;
    tcp->port_offset += 1 + random_below(&tcp->random, INCREMENT_MAX);
    for (uint32_t tried = 0; tried < count; tried++, tcp->port_offset++) {
        uint32_t port = low + (offset + tcp->port_offset % count) % count;
        struct daytona_endpoint candidate = {*local, (uint16_t)port};
        if (port_is_free(tcp, &candidate, remote))
            return (int)port;
    }
    return -EADDRNOTAVAIL;
}
