#include "scripts/half_open.h"

#include "stack/wire/bare_packet.h"

#include <daytona/rawtx.h>

static bool is_unicast(uint32_t ipv4)
{
    return ipv4 >> 24 != 0 && ipv4 >> 24 < 224;
}

static bool has_port(const struct plan *plan, uint16_t port)
{
    for (size_t i = 0; i < plan->port_count; i++)
        if (plan->ports[i].low <= port && port <= plan->ports[i].high)
            return true;
    return plan->every_port;
}

bool half_open_is_planned(const struct ledger_connection *connection, const struct plan *plan)
{
    return is_unicast(connection->local) && is_unicast(connection->remote) &&
           connection->local_port != 0 && connection->remote_port != 0 &&
           has_port(plan, connection->local_port);
}

bool half_open_is_here(const struct ledger_connection *connection)
{
    struct daytona_route route;
    const struct daytona_address local = daytona_address_from_ipv4(connection->local);
    return daytona_route_ask(&local, NULL, &route) == 0 && route.local;
}

void half_open_compose(const struct ledger_connection *connection, struct daytona_packet_out *out)
{
    struct tcp_header header = {
        .source_port = connection->local_port,
        .destination_port = connection->remote_port,
        .seq = {connection->una - 2}, /* the SYN was at una - 1, or is at una */
        .flags = TCP_ACK,
    };
    *out = (struct daytona_packet_out){
        .transport_offset = IPV4_HEADER_MIN,
        .source = daytona_address_from_ipv4(connection->local),
        .destination = daytona_address_from_ipv4(connection->remote),
    };
    out->header_length = bare_packet_emit(&header, &out->source, &out->destination, out->header);
}
