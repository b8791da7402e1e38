/*
 * RFC 9293 section 3.10.7.4, fifth check: what the ACK field does. Here `una` moves, round trips
 * are measured, and the congestion controller hears of it.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#define TIMESTAMP_RTT_MAX_MS 120000u /* an echo older than that is no measurement */

void tcp_window_take(struct connection *connection, const struct segment *segment)
{
    struct sender *send = &connection->send;
    bool was_closed = send->wnd == 0;
    send->wnd = segment->window;
    send->wl1 = segment->seq;
    send->wl2 = segment->ack;
    if (send->wnd > send->wnd_max)
        send->wnd_max = send->wnd;
    if (was_closed != (send->wnd == 0))
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_ZERO_WINDOW, was_closed ? 2 : 1,
                0, NULL);
    if (send->timer.set && send->timer.kind == TIMER_PERSIST && send->wnd != 0) {
        timer_cancel(&connection->tcp->timers, &send->timer);
        send->backoff = 0;
    }
}

struct daytona_congestion_sample tcp_congestion_sample(const struct connection *connection,
                                                       uint32_t acked_bytes, uint32_t prior_pipe,
                                                       uint32_t rtt_us)
{
    const struct sender *send = &connection->send;
    return (struct daytona_congestion_sample){
        .now = connection->tcp->now,
        .mss = send->mss,
        .acked_bytes = acked_bytes,
        .in_flight_bytes = tcp_pipe(connection),
        .prior_in_flight_bytes = prior_pipe,
        .rtt_us = rtt_us,
        .srtt_us = send->srtt_us,
        .rtt_min_us = send->rtt_min_us,
        .una = send->una,
        .nxt = send->nxt,
        .cwnd_limited = send->limited_to >= send->una,
        .in_recovery = send->recovery != RECOVERY_NONE,
        .after_timeout = send->recovery == RECOVERY_LOSS,
        .without_sack = !connection->sack,
    };
}

void tcp_congestion_call(struct connection *connection, enum congestion_call call,
                         const struct daytona_congestion_sample *sample)
{
    const struct daytona_congestion *table = connection->socket->congestion;
    struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t old = controls->cwnd_bytes;
    const char *reason = NULL;
    switch (call) {
    case CONGESTION_INIT:
        table->init(&connection->congestion, controls, sample);
        break;
    case CONGESTION_ACKED:
        table->acked(&connection->congestion, controls, sample);
        reason = "acked";
        break;
    case CONGESTION_LOSS:
        table->loss(&connection->congestion, controls, sample);
        reason = "loss";
        break;
    case CONGESTION_RECOVERED:
        table->recovered(&connection->congestion, controls, sample);
        reason = "recovered";
        break;
    case CONGESTION_TIMEOUT:
        table->timeout(&connection->congestion, controls, sample);
        reason = "timeout";
        break;
    case CONGESTION_RESTART:
        table->restart(&connection->congestion, controls, sample,
                       daytona_instant_since_us(sample->now, connection->send.last_sent));
        reason = "idle";
        break;
    }
    if (controls->cwnd_bytes < connection->send.mss)
        controls->cwnd_bytes = connection->send.mss;
    if (controls->cwnd_bytes != old)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_CWND, old, controls->cwnd_bytes,
                reason);
}

/* The round trip that this ACK measures, 0 none: of the segment being timed, or by the echoed
 * timestamp when retransmission has spoilt that (Karn's algorithm, RFC 7323 section 4). */
static uint32_t round_trip(struct connection *connection, const struct segment *segment)
{
    struct sender *send = &connection->send;
    if (send->timing) {
        if (segment->ack <= send->timed)
            return 0;
        send->timing = false;
        uint64_t us = daytona_instant_since_us(connection->tcp->now, send->timed_at);
        return us == 0 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    }
    if (!connection->timestamps || !segment->header.has_timestamps ||
        segment->header.timestamp_echo == 0)
        return 0;
    uint32_t ms = tcp_timestamp(connection->tcp, connection->timestamp_offset) -
                  segment->header.timestamp_echo;
    if (ms > TIMESTAMP_RTT_MAX_MS)
        return 0;
    return ms == 0 ? 1000 : ms * 1000;
}

/* Drops what is acknowledged; returns the data bytes among it. */
static uint32_t drop_acknowledged(struct connection *connection, uint64_t ack)
{
    struct sender *send = &connection->send;
    uint64_t data_to = offset_earlier(ack, send->pages.end);
    uint32_t bytes = offset_span(send->pages.start, data_to);
    if (data_to > send->pages.start)
        pages_drop(&send->pages, connection->tcp->memory, data_to);
    return bytes;
}

uint32_t tcp_una_advance(struct connection *connection, const struct segment *segment,
                         uint32_t sacked_bytes)
{
    struct sender *send = &connection->send;
    uint32_t prior_pipe = tcp_pipe(connection) + sacked_bytes;
    uint32_t data_bytes = drop_acknowledged(connection, segment->ack);
    uint32_t sacked_before =
        (uint32_t)ranges_drop_before(&send->sacked, connection->tcp->memory, segment->ack);
    uint32_t acked = offset_span(send->una, segment->ack);
    uint32_t rtt_us = round_trip(connection, segment);

    send->una = segment->ack;
    send->high_rxt = offset_later(send->high_rxt, send->una);
    send->lost_to = offset_later(send->lost_to, send->una);
    connection->tally.bytes_acked += data_bytes;
    send->tries = send->backoff = send->probes = 0;
    send->stalled_since.ns = 0;
    connection->soft_error = 0;
    if (rtt_us != 0)
        tcp_rtt_sample(connection, rtt_us);

    bool fast = send->recovery == RECOVERY_FAST;
    tcp_recovery_advance(connection, acked);
    uint32_t newly = data_bytes + sacked_bytes;
    newly = newly > sacked_before ? newly - sacked_before : 0;
    if (!fast && newly > 0) {
        struct daytona_congestion_sample sample =
            tcp_congestion_sample(connection, newly, prior_pipe, rtt_us);
        tcp_congestion_call(connection, CONGESTION_ACKED, &sample);
    }
    tcp_rto_restart(connection);
    tcp_autotune_sender(connection);
    tcp_space_report(connection);
    return newly;
}

/* RFC 5681 section 2: a duplicate for a peer without SACK. */
static bool duplicate_without_sack(const struct connection *connection,
                                   const struct segment *segment)
{
    const struct sender *send = &connection->send;
    return segment->ack == send->una && send->nxt != send->una && segment->payload.length == 0 &&
           (segment->flags & (TCP_SYN | TCP_FIN)) == 0 && segment->window == send->wnd;
}

/* Our FIN has been acknowledged: first of the state changes of the fifth check. */
static bool after_fin_acknowledged(struct connection *connection)
{
    struct socket *socket = connection->socket;
    switch (socket->state) {
    case DAYTONA_TCP_FIN_WAIT_1:
        tcp_state_set(socket, DAYTONA_TCP_FIN_WAIT_2, "FIN acknowledged");
        if (socket->closed)
            tcp_orphaned(connection);
        return !connection->ended;
    case DAYTONA_TCP_CLOSING:
        tcp_time_wait_enter(connection);
        return false;
    case DAYTONA_TCP_LAST_ACK:
        connection_end(connection, 0, "FIN acknowledged");
        return false;
    case DAYTONA_TCP_ESTABLISHED:
    case DAYTONA_TCP_SYN_SENT:
    case DAYTONA_TCP_SYN_RECEIVED:
    case DAYTONA_TCP_FIN_WAIT_2:
    case DAYTONA_TCP_TIME_WAIT:
    case DAYTONA_TCP_CLOSED:
    case DAYTONA_TCP_CLOSE_WAIT:
    case DAYTONA_TCP_LISTEN:
        return true;
    }
    return true;
}

/* SYN-RECEIVED: an ACK of our SYN establishes, any other is answered with RST. */
static bool acknowledge_syn(struct connection *connection, const struct segment *segment,
                            enum daytona_verdict *verdict)
{
    struct socket *socket = connection->socket;
    struct sender *send = &connection->send;
    if (segment->ack <= send->una || segment->ack > send->nxt) {
        *verdict = tcp_reset_unknown(connection->tcp, &socket->entry, &segment->header,
                                     segment_length(segment));
        return false;
    }
    if (connection->passive)
        tcp_listen_established(socket);
    tcp_window_take(connection, segment);
    tcp_establish(connection, segment);
    return true;
}

/* RFC 5961 section 5.2 narrows what RFC 9293 calls an old ACK. */
static bool acknowledgment_plausible(const struct connection *connection, uint64_t ack)
{
    const struct sender *send = &connection->send;
    return ack <= send->nxt && ack + send->wnd_max >= send->una;
}

/* The test of RFC 9293 section 3.10.7.4 with wl1 and wl2. As in Linux an ACK that moves una is news
 * even on a retransmission, whose sequence number is old: the window counts from una. */
static bool window_is_news(const struct sender *send, const struct segment *segment)
{
    return segment->ack > send->una || send->wl1 < segment->seq ||
           (send->wl1 == segment->seq && send->wl2 <= segment->ack);
}

bool tcp_step_acknowledge(struct connection *connection, struct segment *segment,
                          enum daytona_verdict *verdict)
{
    struct sender *send = &connection->send;
    *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
    if ((segment->flags & TCP_ACK) == 0)
        return false;
    if (connection->socket->state == DAYTONA_TCP_SYN_RECEIVED &&
        !acknowledge_syn(connection, segment, verdict))
        return false;
    if (!acknowledgment_plausible(connection, segment->ack)) {
        tcp_ack_challenge(connection);
        return false;
    }
    uint32_t sacked_bytes = connection->sack ? tcp_sacks_take(connection, segment) : 0;
    bool duplicate = connection->sack ? sacked_bytes > 0 && segment->ack == send->una
                                      : duplicate_without_sack(connection, segment);
    bool window_news = segment->ack >= send->una && window_is_news(send, segment);
    uint32_t delivered = sacked_bytes;
    bool una_moves = segment->ack > send->una;
    if (una_moves)
        delivered = tcp_una_advance(connection, segment, sacked_bytes);
    else if (duplicate)
        tcp_duplicate_ack(connection);
    if (send->recovery == RECOVERY_FAST && connection->sack && delivered > 0)
        tcp_prr_delivered(connection, delivered, una_moves);

    if (segment->ack >= send->una)
        send->probes = 0;
    if (window_news)
        tcp_window_take(connection, segment);
    tcp_output_want(connection);
    *verdict = DAYTONA_VERDICT_ACCEPTED;
    bool fin_acknowledged = send->fin && send->una > send->pages.end;
    return !fin_acknowledged || after_fin_acknowledged(connection);
}
