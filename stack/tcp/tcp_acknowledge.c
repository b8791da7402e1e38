/*
 * RFC 9293 section 3.10.7.4, fifth check: what the ACK field does. Here `una` moves, round trips
 * are measured, and the congestion controller hears of it.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_loss.h"

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
    if (!was_closed && send->wnd == 0)
        trouble_count(connection, TROUBLE_ZERO_WINDOWS_RECEIVED);
    if (was_closed != (send->wnd == 0))
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_ZERO_WINDOW, was_closed ? 2 : 1,
                0, was_closed ? "peer opened" : "peer closed");
    if (send->timer.set && send->timer.kind == TIMER_PERSIST && send->wnd != 0) {
        timer_cancel(&connection->tcp->timers, &send->timer);
        send->backoff = 0;
        send->stalled_since.ns = 0; /* it was the peer's wish; what follows has all its retries */
    }
}

struct daytona_congestion_sample tcp_congestion_sample(const struct connection *connection,
                                                       uint32_t acked_bytes, uint32_t prior_pipe,
                                                       uint32_t rtt_us)
{
    const struct sender *send = &connection->send;
    struct daytona_congestion_sample sample = {
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
        .cwnd_limited = send->limited_to >= send->una && tcp_validated(connection),
        .ce_bytes = tcp_ecn_marked(connection, acked_bytes),
        .in_recovery = send->recovery != RECOVERY_NONE || connection->ecn.holding,
        .after_timeout = send->recovery == RECOVERY_LOSS,
        .without_sack = !connection->sack,
    };
    tcp_rate_fill(connection, NULL, &sample);
    return sample;
}

void tcp_congestion_bound(struct connection *connection)
{
    struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t cwnd = (uint32_t)connection->socket->options[DAYTONA_OPTION_CWND_MAXIMUM];
    uint32_t threshold = (uint32_t)connection->socket->options[DAYTONA_OPTION_SSTHRESH_MAXIMUM];
    if (cwnd != 0 && controls->cwnd_bytes > cwnd)
        controls->cwnd_bytes = cwnd;
    if (threshold != 0 && controls->ssthresh_bytes > threshold)
        controls->ssthresh_bytes = threshold;
    if (controls->cwnd_bytes < connection->send.mss)
        controls->cwnd_bytes = connection->send.mss;
}

void tcp_congestion_call(struct connection *connection, enum congestion_call call,
                         const struct daytona_congestion_sample *sample)
{
    const struct daytona_congestion *table = connection->socket->congestion;
    struct daytona_congestion_controls *controls = &connection->controls;
    uint32_t old = controls->cwnd_bytes, old_ssthresh = controls->ssthresh_bytes;
    const char *reason = NULL;
    if (call == CONGESTION_LOSS || call == CONGESTION_MARKED || call == CONGESTION_TIMEOUT)
        statistics_signal(connection);
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
    case CONGESTION_MARKED:
        (table->marked != NULL ? table->marked : table->loss)(&connection->congestion, controls,
                                                              sample);
        connection->send.undo.possible = false; /* the network has said it itself */
        reason = "marked";
        break;
    case CONGESTION_RECOVERED:
        table->recovered(&connection->congestion, controls, sample);
        reason = "recovered";
        break;
    case CONGESTION_TIMEOUT:
        table->timeout(&connection->congestion, controls, sample);
        reason = "timeout";
        break;
    case CONGESTION_UNDONE:
        if (table->undone != NULL)
            table->undone(&connection->congestion, controls, sample);
        reason = "undone";
        break;
    case CONGESTION_RESTART:
        table->restart(&connection->congestion, controls, sample,
                       daytona_instant_since_us(sample->now, connection->send.last_sent));
        reason = "idle";
        break;
    }
    tcp_rate_losses_told(connection);
    tcp_congestion_bound(connection);
    if (call == CONGESTION_ACKED)
        statistics_acked(connection, old, old_ssthresh);
    else if (controls->ssthresh_bytes != old_ssthresh)
        statistics_reduced(connection);
    if (call == CONGESTION_RESTART && controls->cwnd_bytes < old)
        trouble_count(connection, TROUBLE_OTHER_REDUCTIONS);
    if (controls->cwnd_bytes != old)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_CWND, old, controls->cwnd_bytes,
                reason);
    if (controls->ssthresh_bytes != old_ssthresh)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_SSTHRESH, old_ssthresh,
                controls->ssthresh_bytes, reason);
}

/* The round trip that an ACK measures which moves una over nothing that was sent once, 0 none: of
 * the SYN, or by the echoed timestamp (Karn's algorithm, RFC 7323 section 4). */
static uint32_t round_trip(struct connection *connection, const struct segment *segment)
{
    struct sender *send = &connection->send;
    if (send->timing) {
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
    if (data_to > send->pages.start) {
        daytona_profile_enter(connection->tcp->profiler, DAYTONA_ACTIVITY_buffers);
        pages_drop(&send->pages, connection->tcp->memory, data_to);
        daytona_profile_leave(connection->tcp->profiler);
    }
    return bytes;
}

void tcp_delivered(struct connection *connection, const struct sent *record,
                   struct ack_report *report)
{
    uint32_t bytes =
        offset_span(record->start, offset_earlier(sent_end(record), connection->send.pages.end));
    report->delivered += bytes;
    uint64_t rtt_us = daytona_instant_since_us(connection->tcp->now, record->at);
    if (record->retransmissions > 0) {
        report->repaired = true;
    } else {
        report->original |= sent_end(record) <= connection->send.recovery_point;
        report->reordered |= sent_end(record) < report->prior_fack;
        if (rtt_us < UINT32_MAX && (report->rtt_us == 0 || rtt_us < report->rtt_us))
            report->rtt_us = rtt_us > 0 ? (uint32_t)rtt_us : 1;
    }
    tcp_rack_delivered(connection, record, report);
    tcp_rate_delivered(connection, record, report, bytes);
}

static void busy_end(struct connection *connection)
{
    struct tally *tally = &connection->tally;
    if (tally->busy_since.ns != 0)
        tally->busy_us += daytona_instant_since_us(connection->tcp->now, tally->busy_since);
    tally->busy_since.ns = 0;
}

/* Takes the round trip that this ACK measures. SACKs measure, too, as in Linux: while a hole keeps
 * una where it is they alone say that round trips have become longer, as a slow start that fills
 * a queue makes them; else its repair would be taken for lost. Without SACK nobody says when what
 * lies beyond a repaired hole has arrived. */
static void measure(struct connection *connection, struct ack_report *report)
{
    if (report->repaired && !connection->sack)
        report->rtt_us = 0;
    uint32_t rtt_us = report->rtt_us;
    if (rtt_us == 0 && report->acked > 0)
        rtt_us = round_trip(connection, report->segment);
    if (rtt_us == 0 || (report->acked == 0 && connection->send.backoff > 0))
        return; /* a timeout in a row waits twice as long as the last, whatever is SACKed */
    tcp_rtt_sample(connection, rtt_us);
    if (report->acked > 0)
        connection->send.backoff =
            0; /* only now: Karn's algorithm, RFC 6298 section 5 at the end */
}

/* una moves to the segment's ACK, which is beyond it. */
static void una_advance(struct connection *connection, struct ack_report *report)
{
    struct sender *send = &connection->send;
    uint64_t ack = report->segment->ack;
    connection->tally.bytes_acked += drop_acknowledged(connection, ack);
    report->acked = offset_span(send->una, ack);
    statistics_una_moves(connection, report->acked);
    send->una = ack;
    tcp_scoreboard_advance(connection, report);
    send->lost_to = offset_later(send->lost_to, send->una);
    send->duplicate_acks = 0;
    send->tail_probe_due = false;
    send->tries = send->probes = 0;
    send->stalled_since.ns = 0;
    connection->soft_error = 0;
    if (send->una == send->nxt)
        busy_end(connection);
    measure(connection, report);
    tcp_rto_restart(connection);
    tcp_plpmtud_acknowledged(connection);
}

static struct ack_report report_begin(const struct connection *connection,
                                      const struct segment *segment)
{
    const struct sender *send = &connection->send;
    return (struct ack_report){
        .segment = segment,
        .prior_fack = send->rack.fack,
        .prior_lost = send->rate.lost,
        .prior_pipe = tcp_pipe(connection),
    };
}

void tcp_syn_acknowledged(struct connection *connection, const struct segment *segment)
{
    struct ack_report report = report_begin(connection, segment);
    una_advance(connection, &report);
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
    if (connection->fastopen == FASTOPEN_EARLY)
        tcp_listen_caught_up(socket);
    else if (connection->passive)
        tcp_listen_established(socket);
    tcp_window_take(connection, segment);
    tcp_establish(connection, segment);
    return true;
}

/* RFC 5961 section 5.2 narrows what RFC 9293 calls an old ACK. As in Linux, what was never sent
 * is not old either: a young connection would believe half of all numbers if its peer's window is
 * large. */
static bool acknowledgment_plausible(const struct connection *connection, uint64_t ack)
{
    const struct sender *send = &connection->send;
    return ack > send->iss && ack <= send->nxt && ack + send->wnd_max >= send->una;
}

/* The test of RFC 9293 section 3.10.7.4 with wl1 and wl2. As in Linux an ACK that moves una is news
 * even on a retransmission, whose sequence number is old: the window counts from una. */
static bool window_is_news(const struct sender *send, const struct segment *segment)
{
    return segment->ack > send->una || send->wl1 < segment->seq ||
           (send->wl1 == segment->seq && send->wl2 <= segment->ack);
}

static void count_duplicate(struct connection *connection)
{
    connection->tally.duplicate_acks_in++;
    if (connection->send.duplicate_acks == 0)
        trouble_count(connection, TROUBLE_DUPLICATE_EPISODES);
    if (connection->send.duplicate_acks < UINT8_MAX)
        connection->send.duplicate_acks++;
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
        statistics_soft_error(connection, segment->ack > send->nxt ? SOFT_ERROR_ABOVE_ACK
                                                                   : SOFT_ERROR_BELOW_ACK);
        tcp_ack_challenge(connection);
        return false;
    }
    uint32_t flight = tcp_flight(connection), cwnd = connection->controls.cwnd_bytes;
    bool window_news = segment->ack >= send->una && window_is_news(send, segment);
    struct ack_report report = report_begin(connection, segment);
    report.duplicate = !connection->sack && duplicate_without_sack(connection, segment);
    if (connection->sack && segment->header.sack_count > 0) {
        trouble_count(connection, TROUBLE_SACKS);
        trouble_add(connection, TROUBLE_SACK_BLOCKS, segment->header.sack_count);
        tcp_sacks_take(connection, &report);
    }
    if (segment->ack > send->una) {
        una_advance(connection, &report);
    } else if (report.sacked) {
        report.duplicate = true;
        measure(connection, &report);
    }
    if (report.duplicate)
        count_duplicate(connection);
    bool marked = tcp_ecn_feedback(connection, segment, report.delivered);
    if (report.acked > 0 || report.sacked || report.duplicate || report.dsack ||
        send->probe_end != 0)
        tcp_recovery_acknowledged(connection, &report);
    if (report.acked > 0) {
        tcp_autotune_sender(connection);
        tcp_space_report(connection);
    }

    if (marked)
        tcp_ecn_reduce(connection, flight, cwnd);
    if (report.acked > 0 && tcp_sacks_renounced(connection))
        tcp_rto_hasten(connection);
    if (segment->ack >= send->una)
        send->probes = 0;
    if (window_news)
        tcp_window_take(connection, segment);
    tcp_output_want(connection);
    *verdict = DAYTONA_VERDICT_ACCEPTED;
    bool fin_acknowledged = send->fin && send->una > send->pages.end;
    return !fin_acknowledged || after_fin_acknowledged(connection);
}
