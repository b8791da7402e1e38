/*
 * The state of RFC 9293 section 3.3.2 has one writer. The table holds the edges of figure 5, the
 * edges to CLOSED by reset, timeout and abort, and LISTEN's end.
 */
#include "stack/tcp/tcp_parts.h"

#include <assert.h>

#define TO(state) (1u << DAYTONA_TCP_##state)

static const uint16_t legal_edges[] = {
    [DAYTONA_TCP_CLOSED] = TO(LISTEN) | TO(SYN_SENT) | TO(SYN_RECEIVED),
    [DAYTONA_TCP_LISTEN] = TO(CLOSED),
    [DAYTONA_TCP_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSED),
    [DAYTONA_TCP_SYN_RECEIVED] = TO(ESTABLISHED) | TO(CLOSED),
    [DAYTONA_TCP_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
    [DAYTONA_TCP_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(CLOSED),
    [DAYTONA_TCP_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
    [DAYTONA_TCP_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
    [DAYTONA_TCP_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
    [DAYTONA_TCP_LAST_ACK] = TO(CLOSED),
    [DAYTONA_TCP_TIME_WAIT] = TO(CLOSED),
};

#define SYNCHRONIZED                                                                               \
    (TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(FIN_WAIT_2) | TO(CLOSE_WAIT) | TO(CLOSING) |            \
     TO(LAST_ACK) | TO(TIME_WAIT))

bool tcp_state_synchronized(enum daytona_tcp_state state)
{
    return (SYNCHRONIZED >> state & 1) != 0;
}

void tcp_state_inherit(struct socket *socket)
{
    assert(socket->state == DAYTONA_TCP_CLOSED);
    socket->state = DAYTONA_TCP_SYN_RECEIVED;
}

void tcp_state_set(struct socket *socket, enum daytona_tcp_state state, const char *cause)
{
    enum daytona_tcp_state old = socket->state;
    assert((legal_edges[old] >> state & 1) != 0);
    socket->state = state;
    if (state == DAYTONA_TCP_ESTABLISHED)
        socket->tcp->counters.established++;
    observe(socket->tcp, socket, DAYTONA_EVENT_STATE, old, state, cause);
}
