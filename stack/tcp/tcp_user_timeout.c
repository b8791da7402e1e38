/*
 * How long data may stay unacknowledged: TCP_USER_TIMEOUT, and the option of RFC 5482 by which the
 * ends tell each other.
 */
#include "stack/tcp/tcp_parts.h"

#define SECOND_US     UINT64_C(1000000)
#define TOLD_IN_BITS  0x7fffu                 /* RFC 5482 section 3: 15 bits of a number */
#define TOLD_MINUTES  0x8000u                 /* and one that says of what */
#define ADOPTED_LEAST (100 * SECOND_US)       /* L_LIMIT of section 3.1: RFC 1122's R2 */
#define ADOPTED_MOST  (24 * 3600 * SECOND_US) /* U_LIMIT: a peer may not bind our memory longer */

static uint64_t own_us(const struct connection *connection)
{
    return (uint64_t)connection->socket->options[DAYTONA_OPTION_USER_TIMEOUT_US];
}

uint64_t tcp_user_timeout_us(const struct connection *connection)
{
    uint64_t own = own_us(connection);
    return own != 0 ? own : connection->send.adopted_timeout_s * SECOND_US;
}

static uint64_t stalled_us(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return send->stalled_since.ns == 0
               ? 0
               : daytona_instant_since_us(connection->tcp->now, send->stalled_since);
}

bool tcp_user_timeout_over(const struct connection *connection)
{
    uint64_t limit_us = tcp_user_timeout_us(connection);
    return limit_us != 0 && connection->send.stalled_since.ns != 0 &&
           stalled_us(connection) >= limit_us;
}

uint32_t tcp_user_timeout_clamp(const struct connection *connection, uint32_t us)
{
    uint64_t limit_us = tcp_user_timeout_us(connection), passed_us = stalled_us(connection);
    if (limit_us == 0 || connection->send.stalled_since.ns == 0)
        return us;
    uint64_t left_us = limit_us > passed_us ? limit_us - passed_us : 1;
    return left_us < us ? (uint32_t)left_us : us;
}

/* ------------------------------------------------------------------ RFC 5482 */

void tcp_user_timeout_tell(struct connection *connection, uint32_t length,
                           struct tcp_header *header)
{
    struct sender *send = &connection->send;
    bool syn = (header->flags & TCP_SYN) != 0;
    uint64_t seconds = own_us(connection) / SECOND_US;
    if (!option_on(connection->socket, DAYTONA_OPTION_USER_TIMEOUT_TELL) || seconds == 0 ||
        (!syn && (send->timeout_told || length + TCP_USER_TIMEOUT_LENGTH > send->mss)) ||
        tcp_header_length(header) + TCP_USER_TIMEOUT_LENGTH > TCP_HEADER_MAX)
        return;
    uint64_t minutes = seconds / 60 < TOLD_IN_BITS ? seconds / 60 : TOLD_IN_BITS;
    header->has_user_timeout = true;
    header->user_timeout = (uint16_t)(seconds <= TOLD_IN_BITS ? seconds : (minutes | TOLD_MINUTES));
    /* Section 3.1: in the SYN, and in the first segment after it, since that of a SYN may go
     * unheard. */
    send->timeout_told = !syn;
}

void tcp_user_timeout_take(struct connection *connection, const struct tcp_header *header)
{
    if (!header->has_user_timeout ||
        !option_on(connection->socket, DAYTONA_OPTION_USER_TIMEOUT_TELL) || own_us(connection) != 0)
        return;
    uint64_t told = header->user_timeout & TOLD_IN_BITS;
    uint64_t us = told * SECOND_US * ((header->user_timeout & TOLD_MINUTES) != 0 ? 60 : 1);
    if (told == 0) /* section 3: reserved, to be ignored */
        return;
    us = us < ADOPTED_LEAST ? ADOPTED_LEAST : us > ADOPTED_MOST ? ADOPTED_MOST : us;
    connection->send.adopted_timeout_s = (uint32_t)(us / SECOND_US);
}
