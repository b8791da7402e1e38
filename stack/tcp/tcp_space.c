/*
 * Room in the send buffer: how much a write may queue, and when poll() says that one would not
 * block. SO_SNDBUF bounds what is queued, TCP_NOTSENT_LOWAT what of it waits to be sent.
 */
#include "stack/tcp/tcp_parts.h"

static uint32_t not_sent(const struct sender *send)
{
    return offset_span(offset_later(send->nxt, send->pages.start), send->pages.end);
}

static uint32_t low_water(const struct connection *connection)
{
    int64_t bytes = connection->socket->options[DAYTONA_OPTION_NOT_SENT_LOW_WATER];
    return bytes == 0 ? UINT32_MAX : (uint32_t)bytes;
}

/* Linux __sk_stream_is_writable(): as __sk_stream_memory_free() with half the low water. */
bool tcp_writable(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint32_t queued = send_queued(send), limit = send->buffer_bytes;
    return limit > queued && limit - queued >= queued / 2 &&
           2 * (uint64_t)not_sent(send) < low_water(connection);
}

size_t tcp_space(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint32_t queued = send_queued(send), waits = not_sent(send), most = low_water(connection);
    if (queued >= send->buffer_bytes || waits >= most)
        return 0;
    /* A segment is filled whatever the low water says, as Linux fills its buffers. */
    uint32_t wanted = most - waits > send->mss ? most - waits : send->mss;
    uint32_t room = send->buffer_bytes - queued;
    return room < wanted ? room : wanted;
}

void tcp_space_report(struct connection *connection)
{
    struct socket *socket = connection->socket;
    if (!socket->wants_space || !tcp_writable(connection))
        return;
    socket->wants_space = false;
    socket_changed(socket, DAYTONA_READY_OUT);
}
