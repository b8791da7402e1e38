/*
 * Loss recovery: with SACK as in RFC 6675, without it NewReno (RFC 6582); limited transmit
 * (RFC 3042) for the first two duplicate ACKs.
 *
 * The scoreboard is `send.sacked` and three marks (see struct sender). IsLost() of RFC 6675 holds
 * for a prefix of the holes, so `lost_to`, where that prefix ends, says it all.
 */
#include "stack/tcp/tcp_parts.h"

#define DUP_THRESH 3u /* RFC 6675 section 2 */

/* Blocks remembered, a list that is walked for each ACK; more are as good as not reported. Twice as
 * many as a receiver of ours would hold (GAPS_MAX), for peers that hold more. */
#define SACKED_RANGES_MAX 1024u

uint32_t tcp_pipe(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint64_t pipe;
    if (send->sacked.count == 0 && send->lost_to <= send->una) {
        pipe = send->nxt - send->una; /* the usual case */
        if (send->high_rxt > send->una)
            pipe += send->high_rxt - send->una;
    } else {
        uint64_t kept_from = offset_later(send->lost_to, send->una);
        uint64_t kept = send->nxt - kept_from - ranges_covered(&send->sacked, kept_from, send->nxt);
        uint64_t again =
            send->high_rxt - send->una - ranges_covered(&send->sacked, send->una, send->high_rxt);
        pipe = kept + again;
    }
    return pipe > send->inflation ? (uint32_t)(pipe - send->inflation) : 0;
}

uint32_t tcp_flight(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint32_t flight = offset_span(send->una, send->nxt);
    uint32_t cwnd = connection->controls.cwnd_bytes;
    return send->limited_to >= send->una || flight > cwnd ? cwnd : flight;
}

/* One past the last hole above which there are DUP_THRESH blocks or more than
 * (DUP_THRESH - 1) segments SACKed: RFC 6675 section 4, IsLost(). */
static uint64_t lost_by_sack(const struct sender *send)
{
    uint64_t lost_to = send->una;
    uint64_t bytes_above = send->sacked.bytes;
    uint32_t blocks_above = send->sacked.count;
    for (const struct range *range = send->sacked.first; range != NULL; range = range->next) {
        if (blocks_above < DUP_THRESH && bytes_above <= (DUP_THRESH - 1) * send->mss)
            break;
        lost_to = range->start;
        bytes_above -= range->end - range->start;
        blocks_above--;
    }
    return lost_to;
}

/* One past the highest SACKed byte; una when nothing is SACKed. */
static uint64_t highest_sacked(const struct sender *send)
{
    uint64_t end = send->una;
    for (const struct range *range = send->sacked.first; range != NULL; range = range->next)
        end = range->end;
    return end;
}

/* What was sent after a retransmission has arrived, three segments of it, and the retransmission
 * has not: it is lost, too. Only for the segment at una; RFC 6675 would wait for the timeout. */
static void check_retransmission(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->recovery == RECOVERY_FAST &&
        highest_sacked(send) > send->repaired_at + (DUP_THRESH - 1) * send->mss)
        send->retransmit_due = true;
}

uint32_t tcp_sacks_take(struct connection *connection, const struct segment *segment)
{
    struct sender *send = &connection->send;
    uint64_t floor = offset_later(segment->ack, send->una);
    int64_t added = 0;
    for (uint32_t i = 0; i < segment->header.sack_count; i++) {
        uint64_t left = offset_near(send->una, segment->header.sacks[i].left);
        uint64_t right = offset_near(send->una, segment->header.sacks[i].right);
        if (left < floor) /* a report of duplicates, or old news */
            left = floor;
        if (right > send->nxt || left >= right)
            continue;
        int64_t bytes =
            ranges_add(&send->sacked, connection->tcp->memory, left, right, SACKED_RANGES_MAX);
        if (bytes > 0)
            added += bytes;
    }
    if (added > 0) {
        send->lost_to = offset_later(send->lost_to, lost_by_sack(send));
        check_retransmission(connection);
    }
    return (uint32_t)added;
}

static void fast_recovery_enter(struct connection *connection)
{
    struct sender *send = &connection->send;
    uint32_t flight = tcp_flight(connection);
    send->recovery = RECOVERY_FAST;
    send->recovery_point = send->nxt;
    send->high_rxt = send->una;
    send->rescued = false;
    send->retransmit_due = true;
    send->repaired_at = send->nxt;
    if (connection->sack) /* three duplicates condemn the first segment at least */
        send->lost_to =
            offset_later(send->lost_to, offset_earlier(send->una + send->mss, send->nxt));
    connection->tcp->counters.fast_recoveries++;
    connection->tally.fast_retransmits++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RECOVERY_ENTER,
            offset_seq(send->recovery_point).value, send->lost_to - send->una, NULL);
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, flight, 0);
    tcp_congestion_call(connection, CONGESTION_LOSS, &sample);
    tcp_prr_begin(connection, offset_span(send->una, send->nxt));
    send->inflation = connection->sack ? 0 : DUP_THRESH * send->mss;
    tcp_output_want(connection);
}

void tcp_duplicate_ack(struct connection *connection)
{
    struct sender *send = &connection->send;
    connection->tally.duplicate_acks_in++;
    if (send->duplicate_acks < UINT8_MAX)
        send->duplicate_acks++;
    if (send->recovery == RECOVERY_FAST && !connection->sack)
        send->inflation += send->mss; /* RFC 5681 section 3.2 step 4 */
    if (send->recovery != RECOVERY_NONE)
        return;
    /* Without SACK, duplicates that a retransmission caused look like new loss: RFC 6582
     * section 3.2 step 2 waits until more than the last recovery is acknowledged. */
    bool settled =
        connection->sack ? send->una >= send->recovery_point : send->una > send->recovery_point;
    bool lost = send->duplicate_acks >= DUP_THRESH || send->lost_to > send->una;
    if (settled && lost)
        fast_recovery_enter(connection);
    else if (!connection->sack && send->duplicate_acks < DUP_THRESH)
        send->inflation = send->duplicate_acks * send->mss; /* RFC 3042 */
}

/* RFC 6582 section 3.2 step 3: an ACK of a part uncovers the next hole. */
static void partial_acknowledgment(struct connection *connection, uint32_t acked)
{
    struct sender *send = &connection->send;
    send->retransmit_due = true;
    send->inflation = send->inflation > acked ? send->inflation - acked : 0;
    if (acked >= send->mss)
        send->inflation += send->mss;
}

static void recovery_exit(struct connection *connection)
{
    struct sender *send = &connection->send;
    bool fast = send->recovery == RECOVERY_FAST;
    send->recovery = RECOVERY_NONE;
    send->inflation = 0;
    send->high_rxt = send->una;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RECOVERY_EXIT,
            offset_seq(send->recovery_point).value, 0, fast ? "fast" : "timeout");
    if (!fast)
        return;
    struct daytona_congestion_sample sample =
        tcp_congestion_sample(connection, 0, tcp_pipe(connection), 0);
    tcp_congestion_call(connection, CONGESTION_RECOVERED, &sample);
}

void tcp_recovery_advance(struct connection *connection, uint32_t acked)
{
    struct sender *send = &connection->send;
    send->duplicate_acks = 0;
    if (send->recovery == RECOVERY_NONE) {
        send->inflation = 0;
        /* A gap can show by the SACK blocks of an ACK that also moves una. */
        if (connection->sack && send->lost_to > send->una && send->una >= send->recovery_point)
            fast_recovery_enter(connection);
    } else if (send->una >= send->recovery_point) {
        recovery_exit(connection);
    } else if (connection->sack) {
        send->repaired_at = send->nxt; /* of the next hole, at the latest */
    } else if (send->recovery == RECOVERY_FAST) {
        partial_acknowledgment(connection, acked);
    }
}

/* The first offset at or after `from` that is not SACKed; *end is where the hole ends. */
static uint64_t next_hole(const struct sender *send, uint64_t from, uint64_t *end)
{
    const struct range *range = send->sacked.first;
    while (range != NULL && range->start <= from) {
        from = offset_later(from, range->end);
        range = range->next;
    }
    *end = range != NULL ? range->start : send->nxt;
    return from;
}

/* The segment at the first hole from `from` on, if it starts below `limit`. Without SACK, fast
 * recovery's window is reckoned by inflation instead of by what was sent again. */
static bool hole_segment(struct connection *connection, uint64_t from, uint64_t limit,
                         uint64_t *start, uint32_t *length)
{
    struct sender *send = &connection->send;
    uint64_t end;
    *start = next_hole(send, from, &end);
    if (*start >= limit || *start >= send->nxt)
        return false;
    end = offset_earlier(end, *start + send->mss);
    *length = offset_span(*start, end);
    if (connection->sack || send->recovery == RECOVERY_LOSS)
        send->high_rxt = offset_later(send->high_rxt, end);
    return true;
}

/* RFC 6675 rule 4: once in a recovery, the last segment, so that an ACK comes back. It does not
 * move high_rxt. */
static bool rescue_segment(struct connection *connection, uint64_t *start, uint32_t *length)
{
    struct sender *send = &connection->send;
    uint64_t from = highest_sacked(send);
    if (send->rescued || send->recovery != RECOVERY_FAST || !connection->sack || from >= send->nxt)
        return false;
    send->rescued = true;
    *start = offset_later(from, send->nxt - send->mss);
    *length = offset_span(*start, send->nxt);
    return true;
}

bool tcp_recovery_next(struct connection *connection, bool after_new, uint64_t *start,
                       uint32_t *length)
{
    struct sender *send = &connection->send;
    if (send->retransmit_due && !after_new) {
        send->retransmit_due = false;
        if (hole_segment(connection, send->una, send->nxt, start, length))
            return true;
    }
    if (send->recovery == RECOVERY_NONE ||
        tcp_pipe(connection) + send->mss > tcp_cwnd_now(connection))
        return false;
    uint64_t from = offset_later(send->high_rxt, send->una);
    if (!after_new)
        return hole_segment(connection, from, send->lost_to, start, length);
    if (send->recovery == RECOVERY_FAST && connection->sack &&
        hole_segment(connection, from, highest_sacked(send), start, length))
        return true;
    return rescue_segment(connection, start, length);
}
