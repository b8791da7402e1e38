/*
 * Reductions of the window that were a mistake: nothing was lost, it only came late. Three things
 * tell. The echoed timestamp of the ACK that moves una over what was sent again is older than the
 * first retransmission (Eifel detection, RFC 3522). Duplicates are reported of all that was sent
 * again (RFC 3708). After a timeout something arrives that was never sent again (F-RTO, RFC 5682).
 * The window of before is put back (RFC 4015), and what was thought lost is in flight again.
 */
#include "stack/tcp/tcp_loss.h"

void tcp_undo_save(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->recovery != RECOVERY_NONE)
        return; /* what counts is the window before all of it */
    send->undo = (struct undo){
        .possible = true,
        .cwnd_bytes = connection->controls.cwnd_bytes,
        .ssthresh_bytes = connection->controls.ssthresh_bytes,
        .repeated_bytes = send->sent.again_bytes,
        .from = send->una,
    };
}

void tcp_undo_repeated(struct connection *connection, uint32_t bytes)
{
    struct undo *undo = &connection->send.undo;
    if (!undo->possible)
        return;
    undo->repeated_bytes += bytes;
    if (undo->first_repeat_at.ns == 0)
        undo->first_repeat_at = connection->tcp->now;
}

/* A duplicate has arrived of [left, right). */
static void duplicate_told(struct connection *connection, uint64_t left, uint64_t right)
{
    struct undo *undo = &connection->send.undo;
    uint32_t bytes = offset_span(left, right);
    if (undo->possible && right > undo->from)
        undo->repeated_bytes -= bytes < undo->repeated_bytes ? bytes : undo->repeated_bytes;
}

void tcp_dsack_take(struct connection *connection, struct ack_report *report)
{
    struct sender *send = &connection->send;
    const struct tcp_header *header = &report->segment->header;
    uint64_t left = offset_near(send->una, header->sacks[0].left);
    uint64_t right = offset_near(send->una, header->sacks[0].right);
    bool old = right <= report->segment->ack;
    bool inside = header->sack_count > 1 && left >= offset_near(send->una, header->sacks[1].left) &&
                  right <= offset_near(send->una, header->sacks[1].right);
    if (left >= right || !(old || inside))
        return;
    connection->tally.dsacks_in++;
    connection->tcp->counters.duplicates_told++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_DSACK, header->sacks[0].left.value,
            right - left, NULL);
    /* More duplicates than retransmissions: the network makes them. */
    if (connection->tally.dsacks_in > connection->tally.segments_retransmitted)
        return;
    report->dsack = true;
    report->dsack_end = right;
    duplicate_told(connection, left, right);
}

/* RFC 3522 section 3.2 step 5. Only for an ACK that moves una over a retransmitted segment: the
 * timestamp echoed by others is that of an older segment (RFC 7323 section 4.3). */
static bool eifel(const struct connection *connection, const struct ack_report *report)
{
    const struct tcp_header *header = &report->segment->header;
    const struct undo *undo = &connection->send.undo;
    if (!connection->timestamps || !header->has_timestamps || !report->repaired_una ||
        undo->first_repeat_at.ns == 0)
        return false;
    uint32_t then = (uint32_t)(undo->first_repeat_at.ns / 1000000) + connection->timestamp_offset;
    return (int32_t)(header->timestamp_echo - then) < 0;
}

/* What was lost came late after all: it is in flight, and was sent before the rest. */
static void nothing_is_lost(struct connection *connection)
{
    struct sent_queue *sent = &connection->send.sent;
    for (struct sent *record; (record = sent_last_lost(sent)) != NULL;)
        sent_unmark_lost(sent, record);
}

static void undo_reduction(struct connection *connection, const char *reason)
{
    struct sender *send = &connection->send;
    struct daytona_congestion_controls *controls = &connection->controls;
    const struct undo *undo = &send->undo;
    uint32_t reduced = controls->cwnd_bytes, reduced_ssthresh = controls->ssthresh_bytes;
    if (controls->cwnd_bytes < undo->cwnd_bytes)
        controls->cwnd_bytes = undo->cwnd_bytes;
    if (controls->ssthresh_bytes < undo->ssthresh_bytes)
        controls->ssthresh_bytes = undo->ssthresh_bytes;
    nothing_is_lost(connection);
    if (send->recovery == RECOVERY_LOSS)
        trouble_count(connection, TROUBLE_TIMEOUTS_SPURIOUS);
    send->undo = (struct undo){.possible = false};
    tcp_rto_recovered(connection);
    send->recovery = RECOVERY_NONE;
    send->frto = FRTO_OFF;
    send->retransmit_due = false;
    send->inflation = 0;
    connection->tally.undos++;
    connection->tcp->counters.undone++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_UNDO, reduced, controls->cwnd_bytes,
            reason);
    if (controls->ssthresh_bytes != reduced_ssthresh)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_SSTHRESH, reduced_ssthresh,
                controls->ssthresh_bytes, "undone");
    struct daytona_congestion_sample sample =
        tcp_congestion_sample(connection, 0, tcp_pipe(connection), 0);
    tcp_congestion_call(connection, CONGESTION_UNDONE, &sample);
    tcp_validation_recovered(connection, true);
}

bool tcp_undo_if_spurious(struct connection *connection, const struct ack_report *report)
{
    const struct undo *undo = &connection->send.undo;
    if (!undo->possible)
        return false;
    if (eifel(connection, report))
        undo_reduction(connection, "timestamp");
    else if (report->dsack && undo->repeated_bytes == 0 && undo->first_repeat_at.ns != 0)
        undo_reduction(connection, "DSACK");
    else
        return false;
    return true;
}

/* ------------------------------------------------------------------ F-RTO */

void tcp_frto_begin(struct connection *connection)
{
    struct sender *send = &connection->send;
    /* Not after fast recovery, whose ACKs say less. Section 2.1 step 1 also leaves out a timeout
     * during RTO recovery; Linux tries again then, and so do we. */
    send->frto = send->recovery == RECOVERY_FAST ? FRTO_OFF : FRTO_FIRST_ACK;
}

/* Something never sent again, that was out when the timer fired, has arrived. Without SACK that
 * is only sure when the ACK covers nothing that was sent again. */
static bool original_arrived(const struct connection *connection, const struct ack_report *report)
{
    return report->original && (connection->sack || !report->repaired);
}

bool tcp_frto_acknowledged(struct connection *connection, const struct ack_report *report,
                           bool can_send_new)
{
    struct sender *send = &connection->send;
    if (send->recovery != RECOVERY_LOSS || send->frto == FRTO_OFF)
        return false;
    if (send->undo.possible && original_arrived(connection, report)) {
        undo_reduction(connection, "F-RTO");
        return true;
    }
    /* Section 3.1 step 2b: the first ACK that moves una lets two new segments go, so that the next
     * one tells more; all else is step 2a or 3a, and conventional. */
    bool first = send->frto == FRTO_FIRST_ACK && report->acked > 0 &&
                 send->una < send->recovery_point && can_send_new;
    send->frto = first ? FRTO_SECOND_ACK : FRTO_OFF;
    return false;
}
