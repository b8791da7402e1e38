/*
 * The client's side of TCP Fast Open: RFC 7413 sections 4.1.3 and 4.2.1. A ring of servers that
 * have given us a cookie, or on whose way SYNs with data get lost.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_fastopen.h"

#include <string.h>

#define COOKIE_MIN         4u                 /* RFC 7413 section 4.1.1 */
#define LOSSES_BORNE       1u                 /* a single one may be an accident */
#define PAUSE_US           UINT64_C(60000000) /* Linux: a minute, doubled with each loss */
#define PAUSE_DOUBLING_MAX 10u
#define OPTIONS_ROOM       40u /* TCP options at most; Linux leaves as much */

static struct fastopen_server *server_find(struct tcp *tcp, const struct demux_entry *tuple)
{
    for (size_t i = 0; i < FASTOPEN_SERVERS_MAX; i++) {
        struct fastopen_server *server = &tcp->fastopen_servers[i];
        if (server->known && daytona_address_equal(&server->remote, &tuple->remote.address) &&
            daytona_address_equal(&server->local, &tuple->local.address))
            return server;
    }
    return NULL;
}

/* The one that has been in the ring longest gives way. */
static struct fastopen_server *server_add(struct tcp *tcp, const struct demux_entry *tuple)
{
    struct fastopen_server *server = server_find(tcp, tuple);
    if (server != NULL)
        return server;
    server = &tcp->fastopen_servers[tcp->fastopen_server_next];
    tcp->fastopen_server_next = (tcp->fastopen_server_next + 1) % FASTOPEN_SERVERS_MAX;
    *server = (struct fastopen_server){
        .local = tuple->local.address, .remote = tuple->remote.address, .known = true};
    return server;
}

/* RFC 7413 section 4.1.3.1: something on the way drops them. */
static bool is_black_hole(const struct tcp *tcp, const struct fastopen_server *server)
{
    if (server == NULL || server->losses <= LOSSES_BORNE)
        return false;
    unsigned doublings = server->losses < PAUSE_DOUBLING_MAX ? server->losses : PAUSE_DOUBLING_MAX;
    return daytona_instant_since_us(tcp->now, server->lost_at) < PAUSE_US << doublings;
}

bool tcp_fastopen_begin(struct connection *connection)
{
    struct socket *socket = connection->socket;
    const struct fastopen_server *server = server_find(connection->tcp, &socket->entry);
    if (is_black_hole(connection->tcp, server))
        return false;
    bool without = option_on(socket, DAYTONA_OPTION_FASTOPEN_NO_COOKIE);
    bool waits = without || (server != NULL && server->cookie.length > 0);
    connection->fastopen = waits ? FASTOPEN_DEFERRED : FASTOPEN_ASKING;
    return waits;
}

uint32_t tcp_fastopen_syn(const struct connection *connection, struct fastopen_cookie *cookie)
{
    const struct socket *socket = connection->socket;
    const struct sender *send = &connection->send;
    const struct fastopen_server *server = server_find(connection->tcp, &socket->entry);
    *cookie = server != NULL ? server->cookie : (struct fastopen_cookie){0};
    bool without = option_on(socket, DAYTONA_OPTION_FASTOPEN_NO_COOKIE);
    if (cookie->length == 0 && !without)
        return 0;
    uint32_t mss = tcp_mss_for(socket, send->path_mtu);
    if (server != NULL && server->mss != 0 && server->mss < mss)
        mss = server->mss;
    uint32_t room = mss > OPTIONS_ROOM ? mss - OPTIONS_ROOM : 0, queued = send_queued(send);
    return queued < room ? queued : room;
}

void tcp_fastopen_timed_out(struct connection *connection)
{
    if (connection->fastopen != FASTOPEN_ASKING)
        return;
    connection->fastopen = FASTOPEN_NONE;
    struct fastopen_server *server = server_add(connection->tcp, &connection->socket->entry);
    if (server->losses < UINT8_MAX)
        server->losses++;
    server->lost_at = connection->tcp->now;
}

/* A cookie of a length that RFC 7413 allows. */
static bool cookie_is_new(const struct tcp_header *header)
{
    return header->has_fastopen && header->fastopen.length >= COOKIE_MIN &&
           header->fastopen.length % 2 == 0;
}

void tcp_fastopen_answered(struct connection *connection, const struct segment *segment)
{
    struct tcp *tcp = connection->tcp;
    struct sender *send = &connection->send;
    const struct tcp_header *header = &segment->header;
    if (connection->fastopen == FASTOPEN_ASKING && cookie_is_new(header)) {
        struct fastopen_server *server = server_add(tcp, &connection->socket->entry);
        server->cookie = header->fastopen;
        server->mss = header->mss;
        server->losses = 0;
    }
    connection->fastopen = FASTOPEN_NONE;
    if (connection->syn_data == 0)
        return;
    connection->syn_data_acked = segment->ack > send->nxt;
    tcp->counters.fastopen_active += connection->syn_data_acked;
    tcp->counters.fastopen_refused += !connection->syn_data_acked;
    /* What the SYN-ACK does not acknowledge is sent as if for the first time. */
    send->nxt = offset_later(send->nxt, segment->ack);
    connection->syn_data = 0;
}
