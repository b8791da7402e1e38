/*
 * The receive window. `receive.edge` is the right edge that the peer knows: it never moves back,
 * whatever the buffer's size becomes (RFC 9293 section 3.8.6), and forward only by steps worth
 * telling (receiver SWS avoidance, section 3.8.6.2.2).
 */
#include "stack/tcp/tcp_parts.h"

/* The window may be this many bytes, counted from the reader. */
static uint32_t window_limit(const struct connection *connection)
{
    uint32_t clamp = (uint32_t)connection->socket->options[DAYTONA_OPTION_WINDOW_CLAMP];
    uint32_t limit = connection->receive.limit;
    return clamp != 0 && clamp < limit ? clamp : limit;
}

/* Where the edge would be if it moved now, as far as the buffer and the header let it. */
static uint64_t edge_possible(const struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    uint64_t edge = receive->read + window_limit(connection);
    /* Until the handshake is over a repeated SYN-ACK must be able to say the same, unscaled. */
    bool scaled = tcp_state_synchronized(connection->socket->state);
    uint64_t largest =
        receive->nxt + ((uint64_t)UINT16_MAX << (scaled ? receive->window_scale : 0));
    return offset_earlier(edge, largest);
}

/* The same, but no more than a trickle when the region has no room for what would come. */
static uint64_t edge_wanted(const struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    uint64_t trickle = receive->nxt + TRICKLE_SEGMENTS * receive->advertised_mss;
    uint64_t edge = edge_possible(connection);
    return tcp_memory_short(connection->tcp) ? offset_earlier(edge, trickle) : edge;
}

static bool edge_worth_moving(const struct connection *connection, uint64_t edge)
{
    uint32_t step = window_limit(connection) / 2;
    if (step > connection->receive.mss)
        step = connection->receive.mss;
    return edge >= connection->receive.edge + step;
}

/* The closing and the opening of our window are events, not each value. */
static void window_observe(struct connection *connection, bool closed)
{
    struct receiver *receive = &connection->receive;
    if (receive->window_closed == closed)
        return;
    receive->window_closed = closed;
    if (closed)
        trouble_count(connection, TROUBLE_ZERO_WINDOWS_SENT);
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_ZERO_WINDOW, closed ? 3 : 4, 0,
            closed ? "ours closed" : "ours opened");
}

uint16_t tcp_window_field(struct connection *connection, bool syn)
{
    struct receiver *receive = &connection->receive;
    uint64_t possible = edge_possible(connection), wanted = edge_wanted(connection);
    if (edge_worth_moving(connection, wanted))
        receive->edge = wanted;
    uint8_t scale = syn ? 0 : receive->window_scale;
    uint64_t unit = UINT64_C(1) << scale, window = offset_span(receive->nxt, receive->edge);
    /* Rounded up, or the edge would move back by what the scale cannot say; but not so that many
     * roundings add up to more than one unit beyond the buffer (RFC 7323 section 2.4). */
    uint64_t field = (window + unit - 1) >> scale;
    if (receive->nxt + (field << scale) > possible + unit)
        field = window >> scale;
    if (field > UINT16_MAX)
        field = UINT16_MAX;
    receive->edge = offset_later(receive->edge, receive->nxt + (field << scale));
    statistics_raise(&connection->statistics.receive_window_max, (uint32_t)(field << scale));
    window_observe(connection, field == 0);
    return (uint16_t)field;
}

bool tcp_window_update_due(const struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    uint64_t possible = edge_wanted(connection);
    uint64_t now = offset_span(receive->nxt, receive->edge);
    uint64_t then = offset_span(receive->nxt, possible);
    return then >= 2 * now && then > now && edge_worth_moving(connection, possible);
}
