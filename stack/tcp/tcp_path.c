/*
 * What a connection believes of its path: IP_MTU_DISCOVER, and how long a smaller MTU that the
 * network has told of is believed (RFC 1191).
 */
#include "stack/tcp/tcp_parts.h"

static enum path_discovery discovery(const struct connection *connection)
{
    return (enum path_discovery)connection->socket->options[DAYTONA_OPTION_PATH_DISCOVERY];
}

bool tcp_path_dont_fragment(const struct connection *connection)
{
    switch (discovery(connection)) {
    case PATH_DISCOVERY_WANT:
        /* Below that no router's word can be trusted, and packets are small enough anyway. */
        return connection->send.path_mtu >= PATH_MTU_UNBROKEN;
    case PATH_DISCOVERY_DO:
    case PATH_DISCOVERY_PROBE:
        return true;
    case PATH_DISCOVERY_DONT:
    case PATH_DISCOVERY_INTERFACE:
    case PATH_DISCOVERY_OMIT:
        break;
    }
    return false;
}

bool tcp_path_heeds_routers(const struct connection *connection)
{
    return discovery(connection) == PATH_DISCOVERY_WANT ||
           discovery(connection) == PATH_DISCOVERY_DO;
}

void tcp_path_refresh(struct connection *connection)
{
    struct sender *send = &connection->send;
    const struct tcp *tcp = connection->tcp;
    if (send->path_lowered_at.ns == 0 ||
        daytona_instant_since_us(tcp->now, send->path_lowered_at) < PATH_MTU_AGE_US)
        return;
    uint32_t old = send->path_mtu, mtu = tcp_path_mtu_ask(tcp, &connection->socket->entry);
    send->path_lowered_at.ns = 0;
    if (mtu <= old)
        return;
    send->path_mtu = mtu;
    tcp_mss_update(connection);
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_PATH_MTU, old, mtu, NULL);
}
