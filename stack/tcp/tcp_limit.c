/*
 * What keeps the sender from sending more: what RFC 4898 counts as SndLimTransRwin, SndLimTransCwnd
 * and SndLimTransSnd, the last one told apart by what is missing.
 */
#include "stack/tcp/tcp_loss.h"

/* Something is to be sent, and fewer bytes than that may go. */
static enum daytona_limit limit_of_data(const struct connection *connection, uint32_t pending)
{
    const struct sender *send = &connection->send;
    const struct socket *socket = connection->socket;
    uint32_t window = offset_span(send->nxt, send->una + send->wnd);
    uint32_t segment = pending < send->mss ? pending : send->mss;
    uint32_t needed = segment < window ? segment : window;
    uint32_t pipe = tcp_pipe(connection), cwnd = tcp_cwnd_now(connection);
    if (window > 0 && (connection->ecn.paused || cwnd < pipe + needed))
        return DAYTONA_LIMITED_BY_CONGESTION;
    if (window < segment)
        return DAYTONA_LIMITED_BY_PEER;
    if (pending >= send->mss || tcp_partial_allowed(connection))
        return DAYTONA_LIMITED_BY_UNKNOWN; /* no memory to remember it */
    return send->more || option_on(socket, DAYTONA_OPTION_CORK) ? DAYTONA_LIMITED_BY_CORK
                                                                : DAYTONA_LIMITED_BY_NAGLE;
}

static enum daytona_limit limit_now(const struct connection *connection, uint32_t pending)
{
    const struct sender *send = &connection->send;
    if (sent_first_lost(&send->sent) != NULL)
        return DAYTONA_LIMITED_BY_CONGESTION;
    if (pending == 0)
        return connection->socket->wants_space ? DAYTONA_LIMITED_BY_BUFFER
                                               : DAYTONA_LIMITED_BY_APPLICATION;
    if (send->pacing.set)
        return DAYTONA_LIMITED_BY_PACING;
    return limit_of_data(connection, pending);
}

void tcp_limit_note(struct connection *connection)
{
    struct tcp *tcp = connection->tcp;
    uint32_t pending = offset_span(connection->send.nxt, connection->send.pages.end);
    enum daytona_limit limit = limit_now(connection, pending);
    if (limit == connection->limit)
        return;
    uint64_t lasted_us = connection->limit_since.ns == 0
                             ? 0
                             : daytona_instant_since_us(tcp->now, connection->limit_since);
    statistics_limit(connection, limit, lasted_us);
    observe_more(tcp, connection->socket, DAYTONA_EVENT_LIMITED,
                 (struct event_numbers){connection->limit, limit, lasted_us, pending}, NULL);
    connection->limit = (uint8_t)limit;
    connection->limit_since = tcp->now;
}
