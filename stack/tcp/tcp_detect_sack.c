/*
 * The loss detection of RFC 6675: a segment is lost when three blocks beyond it, or more than two
 * segments' worth of bytes, have been SACKed.
 */
#include "stack/tcp/tcp_loss.h"

/* Section 4, IsLost(): the offset before which it holds for everything that is not SACKed. As
 * it holds for all before when it holds for one, it is found from the end. */
static struct sent *last_lost(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    uint32_t bytes = 0, blocks = 0;
    bool inside = false;
    struct sent *record = sent_last(&send->sent);
    for (; record != NULL && sent_end(record) > send->lost_to;
         record = sent_previous(&send->sent, record)) {
        bool sacked = record->fate == SENT_SACKED;
        if (!sacked && (blocks >= DUP_THRESH || bytes > (DUP_THRESH - 1) * send->mss))
            return record;
        bytes += sacked ? record->length : 0;
        blocks += sacked && !inside;
        inside = sacked;
    }
    return NULL;
}

static void sack_detect(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    if (!report->sacked)
        return;
    /* Three duplicates condemn the first segment at least (section 5 step 1). */
    struct sent *first = sent_first(&send->sent);
    if (send->duplicate_acks >= DUP_THRESH && send->recovery == RECOVERY_NONE &&
        first->fate == SENT_IN_FLIGHT) {
        tcp_cut_to_segment(connection, first);
        tcp_mark_lost(connection, first);
    }
    struct sent *record = last_lost(connection);
    uint64_t lost_to = record == NULL ? send->lost_to : sent_end(record);
    while (record != NULL && sent_previous(&send->sent, record) != NULL &&
           sent_previous(&send->sent, record)->start >= send->lost_to)
        record = sent_previous(&send->sent, record);
    for (; record != NULL && sent_end(record) <= lost_to; record = sent_next(&send->sent, record))
        if (record->fate == SENT_IN_FLIGHT && record->retransmissions == 0)
            tcp_mark_lost(connection, record);
    send->lost_to = lost_to;
}

/* Section 5.1 NextSeg(), rule 3: the next hole below what is SACKed; and rule 4: once in a
 * recovery the last segment, so that an ACK comes back. */
static struct sent *sack_last_resort(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->recovery != RECOVERY_FAST)
        return NULL;
    struct sent *last = sent_last(&send->sent);
    for (struct sent *record = sent_oldest(&send->sent); record != NULL;
         record = sent_younger(&send->sent, record))
        if (record->retransmissions == 0 && sent_end(record) <= send->rack.fack)
            return record;
    if (send->rescued || last == NULL || last->fate != SENT_IN_FLIGHT ||
        last->retransmissions > 0 || sent_end(last) <= send->rack.fack)
        return NULL;
    send->rescued = true;
    return last;
}

const struct loss_detector detector_sack = {
    .name = "sack",
    .source = "RFC 6675",
    .detect = sack_detect,
    .last_resort = sack_last_resort,
};
