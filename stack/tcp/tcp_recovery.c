/*
 * Loss recovery: what follows when a detector has marked something lost. Fast recovery lowers the
 * window once and sends again what is lost, until all that was in flight when it began is
 * acknowledged (RFC 5681 section 3.2, RFC 6675 section 5); the recovery that a timeout began
 * starts slowly (RFC 5681 section 3.1).
 */
#include "stack/tcp/tcp_loss.h"

uint32_t tcp_pipe(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint64_t gone = (uint64_t)send->sent.sacked_bytes + send->sent.lost_bytes + send->inflation;
    uint64_t out = send->nxt - send->una;
    return out > gone ? (uint32_t)(out - gone) : 0;
}

uint32_t tcp_flight(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint32_t flight = offset_span(send->una, send->nxt);
    uint32_t cwnd = connection->controls.cwnd_bytes;
    return send->limited_to >= send->una || flight > cwnd ? cwnd : flight;
}

const struct loss_detector *tcp_detector(const struct connection *connection)
{
    if (!connection->sack)
        return &detector_newreno;
    bool rack = connection->socket->options[DAYTONA_OPTION_LOSS_DETECTION] == DETECTION_RACK;
    return rack ? &detector_rack : &detector_sack;
}

static void fast_recovery_enter(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    uint32_t flight = tcp_flight(connection);
    tcp_undo_save(connection);
    bool answered = !tcp_ecn_loss(connection); /* its mark has reduced the window already */
    if (!answered)
        flight = tcp_validation_congested(connection, flight);
    send->probe_end = 0;
    send->recovery = RECOVERY_FAST;
    send->recovery_point = send->nxt;
    send->rescued = false;
    send->retransmit_due = true;
    connection->tcp->counters.fast_recoveries++;
    connection->tally.fast_retransmits++;
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, flight, 0);
    if (!answered)
        tcp_congestion_call(connection, CONGESTION_LOSS, &sample);
    tcp_validation_reduced(connection);
    tcp_prr_begin(connection, report);
    send->inflation = connection->sack ? 0 : DUP_THRESH * send->mss;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RECOVERY_ENTER,
            offset_seq(send->recovery_point).value, send->sent.lost_bytes, NULL);
    tcp_output_want(connection);
}

/* What is lost is to be sent again: without a word to congestion control when it was a probe of
 * the path's MTU, which was too large. */
static void repair_begin(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    if (!tcp_plpmtud_explains_loss(connection)) {
        fast_recovery_enter(connection, report);
        return;
    }
    tcp_rate_losses_told(connection);
    send->recovery = RECOVERY_LOSS;
    send->recovery_point = send->nxt;
    send->rescued = true;
    send->retransmit_due = true;
    tcp_output_want(connection);
}

static void recovery_exit(struct connection *connection)
{
    struct sender *send = &connection->send;
    bool fast = send->recovery == RECOVERY_FAST;
    tcp_rto_recovered(connection);
    send->recovery = RECOVERY_NONE;
    send->frto = FRTO_OFF;
    send->inflation = 0;
    tcp_rack_recovered(connection);
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RECOVERY_EXIT,
            offset_seq(send->recovery_point).value, 0, fast ? "fast" : "timeout");
    if (fast) {
        struct daytona_congestion_sample sample =
            tcp_congestion_sample(connection, 0, tcp_pipe(connection), 0);
        tcp_congestion_call(connection, CONGESTION_RECOVERED, &sample);
    }
    tcp_validation_recovered(connection, false);
}

/* An ACK for which the controller may open the window. What only SACKs leaves it as it is (RFC
 * 3042 section 2), unless the path is known to reorder (as in Linux). */
static bool controller_wants(const struct connection *connection, const struct ack_report *report,
                             bool was_fast)
{
    if (report->delivered == 0)
        return false;
    if (connection->socket->congestion->models_path)
        return true;
    if (connection->ecn.holding && !connection->socket->congestion->needs_ecn)
        return false;
    return !was_fast && connection->send.recovery != RECOVERY_FAST &&
           (report->acked > 0 || connection->send.rack.reordering_seen);
}

static void note_reordering(struct connection *connection)
{
    const struct sender *send = &connection->send;
    connection->tally.reorderings++;
    connection->tcp->counters.reorderings++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_REORDER, send->rack.reordering,
            send->rack.reo_wnd_mult, NULL);
}

/* An event for each run of neighbours among what has been marked lost since `prior_lost`. */
static void tell_losses(struct connection *connection, uint64_t prior_lost)
{
    const struct sender *send = &connection->send;
    const struct sent_queue *sent = &send->sent;
    if (!observe_wanted(connection->tcp, DAYTONA_EVENT_LOSS))
        return;
    uint64_t bytes = send->rate.lost - prior_lost;
    const struct sent *record = sent_last_lost(sent);
    while (record != NULL && bytes > 0) {
        uint64_t start = record->start;
        uint32_t run = 0, segments = 0;
        for (; record != NULL && bytes > 0 && (run == 0 || sent_end(record) == start);
             record = sent_lost_before(sent, record)) {
            start = record->start;
            run += record->length;
            segments += (record->length + send->mss - 1) / send->mss;
            bytes -= record->length < bytes ? record->length : bytes;
        }
        observe_more(connection->tcp, connection->socket, DAYTONA_EVENT_LOSS,
                     (struct event_numbers){offset_seq(start).value, run, segments, 0},
                     segments > 1 ? "burst" : "single");
    }
}

void tcp_recovery_acknowledged(struct connection *connection, struct ack_report *report)
{
    struct sender *send = &connection->send;
    bool was_fast = send->recovery == RECOVERY_FAST;
    tcp_rate_sample(connection, report);
    tcp_validation_sample(connection, report);
    tcp_rack_adapt(connection, report);
    if (report->reordered)
        note_reordering(connection);
    if (!tcp_undo_if_spurious(connection, report))
        tcp_frto_acknowledged(connection, report, tcp_new_data_possible(connection));
    tcp_tail_probe_acknowledged(connection, report);
    tcp_detector(connection)->detect(connection, report);
    tell_losses(connection, report->prior_lost);
    if (send->recovery != RECOVERY_NONE && report->acked > 0 && send->una >= send->recovery_point)
        recovery_exit(connection);
    tcp_ecn_advance(connection);
    if (send->recovery == RECOVERY_NONE && send->sent.lost_bytes > 0)
        repair_begin(connection, report);
    if (send->recovery == RECOVERY_FAST && connection->sack)
        tcp_prr_delivered(connection, report);
    if (!controller_wants(connection, report, was_fast))
        return;
    struct daytona_congestion_sample sample =
        tcp_congestion_sample(connection, report->delivered, report->prior_pipe, report->rtt_us);
    tcp_rate_fill(connection, report, &sample);
    tcp_congestion_call(connection, CONGESTION_ACKED, &sample);
}

void tcp_reorder_fired(struct connection *connection)
{
    struct sender *send = &connection->send;
    tcp_rto_resume(connection);
    const struct loss_detector *detector = tcp_detector(connection);
    uint64_t prior_lost = send->rate.lost;
    if (detector->timer != NULL)
        detector->timer(connection);
    tell_losses(connection, prior_lost);
    if (send->recovery == RECOVERY_NONE && send->sent.lost_bytes > 0)
        repair_begin(connection, NULL);
    tcp_output_want(connection);
}

void tcp_recovery_begin_loss(struct connection *connection, bool all)
{
    struct sender *send = &connection->send;
    struct sent *first = sent_first(&send->sent);
    if (first == NULL) /* sent when there was no memory for a record */
        first = sent_append(&send->sent, &connection->tcp->sent, send->una,
                            offset_span(send->una, send->nxt));
    if (first == NULL)
        return; /* nor is there now: the timer will try again */
    if (tcp_sacks_renounced(connection)) {
        tcp_scoreboard_reneged(connection);
        connection->tcp->counters.sacks_renounced++;
        all = true; /* nothing that the peer has said counts any more */
    }
    for (struct sent *record = first; record != NULL; record = sent_next(&send->sent, record))
        if (record->fate == SENT_IN_FLIGHT &&
            (all || record == first || tcp_rack_overdue(connection, record)))
            tcp_mark_lost(connection, record);
    sent_hasten(&send->sent, first);
    send->probe_end = 0;
    send->tail_probe_due = false;
    send->recovery = RECOVERY_LOSS;
    send->recovery_point = send->lost_to = send->nxt;
    send->inflation = 0;
    send->duplicate_acks = 0;
    send->rescued = true;
    send->retransmit_due = true;
}

void tcp_recovery_resend(struct connection *connection)
{
    struct sent_queue *sent = &connection->send.sent;
    tcp_recovery_begin_loss(connection, true);
    for (struct sent *record = sent_first(sent), *next; record != NULL; record = next) {
        next = sent_next(sent, record);
        if (next == NULL || record->fate != SENT_LOST || next->fate != SENT_LOST)
            continue;
        sent_join(sent, &connection->tcp->sent, record); /* to be cut in segments of another size */
        next = record;
    }
    tcp_output_want(connection);
}

struct sent *tcp_recovery_next(struct connection *connection, bool after_new)
{
    struct sender *send = &connection->send;
    struct sent *lost = sent_first_lost(&send->sent);
    bool due = send->retransmit_due;
    if (!after_new) {
        send->retransmit_due = false;
        if (lost != NULL && due)
            return lost;
    }
    if (send->recovery == RECOVERY_NONE)
        return NULL;
    if (tcp_pipe(connection) + send->mss > tcp_cwnd_now(connection)) {
        if (lost != NULL)
            send->limited_to = send->nxt; /* or cwnd would not grow while losses are repaired */
        return NULL;
    }
    if (!after_new)
        return send->frto == FRTO_SECOND_ACK ? NULL : lost;
    const struct loss_detector *detector = tcp_detector(connection);
    return detector->last_resort != NULL ? detector->last_resort(connection) : NULL;
}
