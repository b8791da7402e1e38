/*
 * When to acknowledge: at once at the start of a connection, for what is out of order, and for
 * every second full segment; otherwise up to 40 ms later, so that the ACK can ride on an answer
 * (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2, and Linux's habits).
 */
#include "stack/tcp/tcp_parts.h"

#define ANSWER_INTERVAL_US 500000u /* Linux tcp_invalid_ratelimit */
#define QUICK_MAX          16u     /* Linux TCP_MAX_QUICKACKS */
#define OWED_MAX           8u      /* pure ACKs in a row; more tell the peer nothing */

static void quick_again(struct connection *connection)
{
    connection->receive.quick = QUICK_MAX;
}

void tcp_ack_now(struct connection *connection)
{
    if (connection->receive.acks_owed == 0)
        connection->receive.acks_owed = 1;
    tcp_output_want(connection);
}

void tcp_ack_later(struct connection *connection, uint32_t us)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    if (receive->timer.set)
        return;
    receive->timer.kind = TIMER_DELAYED_ACK;
    timer_set(&tcp->timers, &receive->timer, daytona_instant_after_us(tcp->now, us));
}

void tcp_ack_duplicate(struct connection *connection)
{
    struct receiver *receive = &connection->receive;
    receive->interactive = false;
    quick_again(connection);
    /* With SACK one ACK says all that several would; without, the peer counts them. */
    if (!connection->sack && receive->acks_owed < OWED_MAX)
        receive->acks_owed++;
    tcp_ack_now(connection);
}

void tcp_ack_before(struct connection *connection)
{
    struct tcp *tcp = connection->tcp;
    struct receiver *receive = &connection->receive;
    const struct outgoing nothing = {.seq = connection->send.nxt};
    struct reply reply = {
        .local = connection->socket->entry.local,
        .remote = connection->socket->entry.remote,
        .header = {.seq = offset_seq(nothing.seq),
                   .ack = offset_seq(receive->nxt),
                   .flags = TCP_ACK,
                   .window = tcp_window_field(connection, false),
                   .has_timestamps = connection->timestamps,
                   .timestamp_value = tcp_timestamp(tcp, connection->timestamp_offset),
                   .timestamp_echo = receive->timestamp_recent},
    };
    if (tcp_sack_pending(connection))
        tcp_sack_fill(connection, 0, &reply.header);
    tcp_ecn_write(connection, &nothing, TCP_HEADER_MAX, &reply.header);
    if (!tcp_reply(tcp, &reply))
        return;
    connection->tally.segments_out++;
    receive->acked = receive->nxt;
}

uint32_t tcp_segments_in(const struct connection *connection, const struct segment *segment)
{
    const struct receiver *receive = &connection->receive;
    uint32_t bytes = (uint32_t)segment->payload.length;
    return bytes <= receive->advertised_mss ? 1 : (bytes + receive->mss - 1) / receive->mss;
}

uint32_t tcp_segments_of(const struct connection *connection, uint32_t bytes)
{
    return (bytes + connection->send.mss - 1) / connection->send.mss;
}

bool tcp_answer_due(const struct tcp *tcp, struct daytona_instant answered)
{
    return answered.ns == 0 || daytona_instant_since_us(tcp->now, answered) >= ANSWER_INTERVAL_US;
}

void tcp_ack_unacceptable(struct connection *connection)
{
    struct receiver *receive = &connection->receive;
    if (!tcp_answer_due(connection->tcp, receive->answered))
        return;
    receive->answered = connection->tcp->now;
    tcp_ack_now(connection);
}

void tcp_ack_challenge(struct connection *connection)
{
    if (tcp_challenge_allowed(connection->tcp, connection->socket, &connection->receive.answered))
        tcp_ack_now(connection);
}

void tcp_ack_schedule(struct connection *connection, uint32_t bytes, bool filled)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    uint64_t pause_us = daytona_instant_since_us(tcp->now, receive->last_data);
    bool first = receive->last_data.ns == 0;
    receive->last_data = tcp->now;
    /* After a long pause the peer starts from a small window again and wants quick ACKs. */
    if (first || pause_us > connection->send.rto_us)
        quick_again(connection);
    uint32_t full = bytes > receive->advertised_mss ? receive->advertised_mss : bytes;
    if (full > receive->mss)
        receive->mss = full;

    bool second_full = receive->nxt - receive->acked > receive->mss;
    bool quick = receive->quick > 0 && !receive->interactive;
    if (filled || second_full || quick) {
        tcp_ack_now(connection);
    } else {
        tcp_ack_later(connection, tcp_delayed_ack_us(connection));
    }
}

void tcp_ack_sent(struct connection *connection, bool with_data)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    if (receive->quick > 0)
        receive->quick--;
    if (with_data && receive->last_data.ns != 0 &&
        daytona_instant_since_us(tcp->now, receive->last_data) < tcp_delayed_ack_us(connection))
        receive->interactive = true;
    if (receive->acks_owed > 0)
        receive->acks_owed--;
    if (!with_data && receive->acked == receive->nxt && receive->ranges.count > 0)
        trouble_count(connection, TROUBLE_DUPLICATES_SENT);
    if (with_data)
        receive->acks_owed = 0;
    receive->acked = receive->nxt;
    receive->pushed = false;
    timer_cancel(&tcp->timers, &receive->timer);
}

void tcp_delayed_ack_fired(struct connection *connection)
{
    /* Nothing was sent in time: this is no exchange of requests and answers. */
    struct receiver *receive = &connection->receive;
    receive->interactive = false;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_DELAYED_ACK,
            offset_seq(receive->nxt).value, offset_span(receive->acked, receive->nxt), NULL);
    tcp_ack_now(connection);
}
