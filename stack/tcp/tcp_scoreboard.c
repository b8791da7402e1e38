/*
 * The scoreboard of RFC 6675: the records of what was sent, and what ACK and SACK say of them.
 *
 * A block that was told before is not looked for again, and one that has grown only where it has,
 * so that an ACK costs about what it brings. A peer that tells something else each time is
 * listened to for so many steps an ACK; what it says beyond them is not taken in, as SACK is
 * advice (RFC 2018 section 8).
 */
#include "stack/tcp/tcp_loss.h"

#define STEPS_MAX 4096u /* records passed in search of an ACK's blocks */

void tcp_mark_lost(struct connection *connection, struct sent *record)
{
    tcp_rate_lost(connection, record);
    sent_mark_lost(&connection->send.sent, record);
}

void tcp_cut_to_segment(struct connection *connection, struct sent *record)
{
    const struct sender *send = &connection->send;
    uint64_t data_end = offset_earlier(sent_end(record), send->pages.end); /* FIN has room */
    if (data_end > record->start + send->mss)
        sent_split(&connection->send.sent, &connection->tcp->sent, record, send->mss);
}

/* One record, or the part of it that lies in [left, right), is SACKed. False: memory is short. */
static bool sack_record(struct connection *connection, struct sent *record, uint64_t left,
                        uint64_t right, struct ack_report *report)
{
    struct sent_queue *sent = &connection->send.sent;
    struct sent_store *store = &connection->tcp->sent;
    if (record->fate == SENT_SACKED)
        return true;
    if (record->start < left) {
        if (!sent_split(sent, store, record, offset_span(record->start, left)))
            return false;
        record = sent_next(sent, record);
    }
    if (sent_end(record) > right &&
        !sent_split(sent, store, record, offset_span(record->start, right)))
        return false;
    tcp_delivered(connection, record, report);
    sent_mark_sacked(sent, record);
    report->sacked = true;
    return true;
}

static void sack_range(struct connection *connection, uint64_t left, uint64_t right,
                       struct ack_report *report, uint32_t *steps)
{
    struct sent_queue *sent = &connection->send.sent;
    while (*steps > 0 && left < right) {
        struct sent *record = sent_find(sent, left, steps);
        if (record == NULL || record->start >= right)
            return;
        uint64_t end = sent_end(record);
        if (!sack_record(connection, record, left, right, report)) {
            connection->tcp->counters.allocation_failures++;
            *steps = 0;
        }
        left = end;
    }
}

/* Where the news of a block begins, its end when there are none. */
static uint64_t news_from(const struct sender *send, uint64_t left, uint64_t right)
{
    for (unsigned i = 0; i < SACK_BLOCKS_KNOWN; i++) {
        const struct sack_block *known = &send->sacks[i];
        if (known->start <= left && left < known->end)
            left = offset_earlier(known->end, right);
    }
    return left;
}

void tcp_sacks_take(struct connection *connection, struct ack_report *report)
{
    struct sender *send = &connection->send;
    const struct tcp_header *header = &report->segment->header;
    uint64_t floor = offset_later(report->segment->ack, send->una);
    struct sack_block taken[SACK_BLOCKS_KNOWN] = {{0, 0}};
    unsigned count = 0;
    uint32_t steps = STEPS_MAX;
    tcp_dsack_take(connection, report);
    for (uint32_t i = 0; i < header->sack_count; i++) {
        uint64_t left = offset_near(send->una, header->sacks[i].left);
        uint64_t right = offset_near(send->una, header->sacks[i].right);
        if (left < floor) /* a report of duplicates, or old news */
            left = floor;
        if (right > send->nxt || left >= right)
            continue;
        sack_range(connection, news_from(send, left, right), right, report, &steps);
        if (count < SACK_BLOCKS_KNOWN && steps > 0)
            taken[count++] = (struct sack_block){left, right};
    }
    for (unsigned i = 0; i < count; i++)
        send->sacks[i] = taken[i];
}

void tcp_scoreboard_advance(struct connection *connection, struct ack_report *report)
{
    struct sender *send = &connection->send;
    struct sent *record;
    while ((record = sent_first(&send->sent)) != NULL && record->start < send->una) {
        struct sent arrived = *record;
        bool whole = sent_end(record) <= send->una;
        if (!whole)
            arrived.length = offset_span(record->start, send->una);
        if (record->fate != SENT_SACKED) {
            report->repaired_una |=
                record->retransmissions > 0 &&
                !daytona_instant_before(record->at, connection->send.undo.first_repeat_at);
            tcp_delivered(connection, &arrived, report);
        }
        if (whole)
            sent_drop(&send->sent, &connection->tcp->sent, record);
        else
            sent_trim(&send->sent, record, arrived.length);
    }
}

bool tcp_sacks_renounced(const struct connection *connection)
{
    const struct sent *first = sent_first(&connection->send.sent);
    return first != NULL && first->fate == SENT_SACKED;
}

void tcp_scoreboard_reneged(struct connection *connection)
{
    struct sender *send = &connection->send;
    for (struct sent *record = sent_last(&send->sent); record != NULL;
         record = sent_previous(&send->sent, record))
        if (record->fate == SENT_SACKED)
            sent_unmark_sacked(&send->sent, record);
    for (unsigned i = 0; i < SACK_BLOCKS_KNOWN; i++)
        send->sacks[i] = (struct sack_block){0, 0};
}
