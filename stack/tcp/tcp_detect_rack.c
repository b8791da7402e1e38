/*
 * RACK (RFC 8985): a segment is lost when one that was sent after it has arrived, and it has had
 * the time of a round trip and of the reordering that the path is known for to arrive, too. So
 * a lost retransmission is found like any other loss, and what is only late is not sent again.
 */
#include "stack/tcp/tcp_loss.h"

#define REO_WND_PERSIST 16u  /* section 6.2 step 4: recoveries that a larger window lasts */
#define REORDERING_MAX  300u /* Linux net.ipv4.tcp_max_reordering */

/* RFC 8985 section 6.2, RACK_sent_after(): of segments sent at once the later one of the stream
 * was sent after the other. */
static bool sent_after(struct daytona_instant at, uint64_t end, const struct sent *record)
{
    return at.ns != record->at.ns ? at.ns > record->at.ns : end > sent_end(record);
}

/* Section 6.2 step 2: is it the retransmission that has arrived, or what was sent before it? What
 * has only been SACKed lies beyond a gap, and its ACK echoes the timestamp of what came before that
 * (RFC 7323 section 4.3). */
static bool ambiguous(const struct connection *connection, const struct sent *record,
                      uint64_t rtt_us, const struct segment *segment)
{
    if (record->retransmissions == 0)
        return false;
    bool in_order = sent_end(record) <= connection->send.una;
    if (in_order && connection->timestamps && segment->header.has_timestamps) {
        uint32_t then = (uint32_t)(record->at.ns / 1000000) + connection->timestamp_offset;
        if ((int32_t)(segment->header.timestamp_echo - then) < 0)
            return true;
    }
    return rtt_us < connection->send.rtt_min_us;
}

void tcp_rack_adapt(struct connection *connection, const struct ack_report *report)
{
    struct rack *rack = &connection->send.rack;
    if (rack->dsack_round != 0 && connection->send.una >= rack->dsack_round)
        rack->dsack_round = 0;
    if (!report->dsack || rack->dsack_round != 0)
        return;
    rack->dsack_round = connection->send.nxt;
    if (rack->reo_wnd_mult < UINT8_MAX)
        rack->reo_wnd_mult++;
    rack->reo_wnd_persist = REO_WND_PERSIST;
}

void tcp_rack_recovered(struct connection *connection)
{
    struct rack *rack = &connection->send.rack;
    if (rack->reo_wnd_persist > 0 && --rack->reo_wnd_persist == 0)
        rack->reo_wnd_mult = 1;
}

/* A segment has come late: by how many others. */
static void reordered(struct connection *connection, const struct sent *record,
                      const struct ack_report *report)
{
    struct rack *rack = &connection->send.rack;
    uint32_t mss = connection->send.mss;
    uint64_t segments = (report->prior_fack - record->start + mss - 1) / mss;
    if (segments > REORDERING_MAX)
        segments = REORDERING_MAX;
    if (segments > rack->reordering)
        rack->reordering = (uint16_t)segments;
    rack->reordering_seen = true;
}

/* Whichever of its transmissions has arrived, that was after what lies before it was sent, if that
 * was never sent again: the first ones left in the order of the stream. RFC 8985 section 6.2 step 2
 * learns nothing here; but then two segments lost at the tail wait for the retransmission timer
 * whenever the probe is answered a little sooner than the shortest round trip so far. */
static void learn_from_order(struct connection *connection, const struct sent *record)
{
    struct rack *rack = &connection->send.rack;
    const struct sent *before = sent_previous(&connection->send.sent, record);
    if (before == NULL || before->fate != SENT_IN_FLIGHT || before->retransmissions > 0 ||
        sent_after(rack->xmit_at, rack->end, before))
        return;
    rack->xmit_at = before->at;
    rack->end = sent_end(record);
}

void tcp_rack_delivered(struct connection *connection, const struct sent *record,
                        const struct ack_report *report)
{
    struct rack *rack = &connection->send.rack;
    uint64_t end = sent_end(record);
    if (record->retransmissions == 0 && end < report->prior_fack)
        reordered(connection, record, report);
    if (end > rack->fack)
        rack->fack = end;
    uint64_t rtt_us = daytona_instant_since_us(connection->tcp->now, record->at);
    if (rtt_us > UINT32_MAX || ambiguous(connection, record, rtt_us, report->segment)) {
        learn_from_order(connection, record);
        return;
    }
    rack->rtt_us = (uint32_t)rtt_us;
    if (!sent_after(rack->xmit_at, rack->end, record)) {
        rack->xmit_at = record->at;
        rack->end = end;
    }
}

/* Three segments have been SACKed: large ones, of which a record may hold many, or small ones. */
static bool three_sacked(const struct sender *send)
{
    return send->sent.sacked_bytes > (DUP_THRESH - 1) * send->mss ||
           send->sent.sacked_count >= DUP_THRESH;
}

/* Section 6.2 step 4. */
uint32_t tcp_rack_wait_us(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    if (!send->rack.reordering_seen && (send->recovery != RECOVERY_NONE || three_sacked(send)))
        return 0;
    uint64_t us = (uint64_t)send->rack.reo_wnd_mult * send->rtt_min_us / 4;
    return us < send->srtt_us ? (uint32_t)us : send->srtt_us;
}

bool tcp_rack_overdue(const struct connection *connection, const struct sent *record)
{
    uint64_t age_us = daytona_instant_since_us(connection->tcp->now, record->at);
    return age_us >= connection->send.rack.rtt_us + (uint64_t)tcp_rack_wait_us(connection);
}

/* Section 6.2 step 5. Records in flight are in the order in which they were sent: the first that
 * is too young ends the search. */
static void rack_detect(struct connection *connection, const struct ack_report *report)
{
    (void)report;
    struct sender *send = &connection->send;
    const struct rack *rack = &send->rack;
    struct sent *record = sent_oldest(&send->sent);
    while (record != NULL && sent_after(rack->xmit_at, rack->end, record) &&
           tcp_rack_overdue(connection, record)) {
        struct sent *younger = sent_younger(&send->sent, record);
        tcp_mark_lost(connection, record);
        record = younger;
    }
    /* Until the first that is not overdue is: those behind it get their turn then. */
    bool waits = record != NULL && sent_after(rack->xmit_at, rack->end, record);
    uint64_t wait_us = (uint64_t)rack->rtt_us + tcp_rack_wait_us(connection);
    tcp_reorder_timer(connection, waits,
                      daytona_instant_after_us(waits ? record->at : rack->xmit_at, wait_us));
}

static void rack_timer(struct connection *connection)
{
    rack_detect(connection, NULL);
}

const struct loss_detector detector_rack = {
    .name = "rack",
    .source = "RFC 8985",
    .detect = rack_detect,
    .timer = rack_timer,
};
