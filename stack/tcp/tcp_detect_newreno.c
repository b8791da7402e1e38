/*
 * The loss detection of peers without SACK: the third duplicate ACK says that a segment is lost
 * (RFC 5681 section 3.2), a partial ACK that the next one is, too (NewReno, RFC 6582). What has
 * arrived in between is reckoned by `inflation`: a segment has left the network for each
 * duplicate.
 */
#include "stack/tcp/tcp_loss.h"

static void first_is_lost(struct connection *connection)
{
    struct sent *first = sent_first(&connection->send.sent);
    while (first != NULL && first->fate == SENT_SACKED)
        first = sent_next(&connection->send.sent, first);
    if (first == NULL || first->fate != SENT_IN_FLIGHT)
        return;
    tcp_cut_to_segment(connection, first);
    tcp_mark_lost(connection, first);
}

static void duplicate(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->recovery == RECOVERY_FAST)
        send->inflation += send->mss; /* RFC 5681 section 3.2 step 4 */
    if (send->recovery != RECOVERY_NONE)
        return;
    /* Duplicates that a retransmission caused look like new loss: RFC 6582 section 3.2 step 2
     * waits until more than the last recovery is acknowledged. */
    if (send->duplicate_acks < DUP_THRESH)
        send->inflation = send->duplicate_acks * send->mss; /* RFC 3042 */
    else if (send->una > send->recovery_point)
        first_is_lost(connection);
}

/* RFC 6582 section 3.2 step 3: an ACK of a part uncovers the next hole. */
static void partial_acknowledgment(struct connection *connection, uint32_t acked)
{
    struct sender *send = &connection->send;
    first_is_lost(connection);
    send->retransmit_due = true;
    send->inflation = send->inflation > acked ? send->inflation - acked : 0;
    if (acked >= send->mss)
        send->inflation += send->mss;
}

static void newreno_detect(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    if (report->duplicate)
        duplicate(connection);
    else if (report->acked > 0 && send->recovery == RECOVERY_NONE)
        send->inflation = 0;
    else if (report->acked > 0 && send->recovery == RECOVERY_FAST &&
             send->una < send->recovery_point)
        partial_acknowledgment(connection, report->acked);
}

const struct loss_detector detector_newreno = {
    .name = "newreno",
    .source = "RFC 6582",
    .detect = newreno_detect,
};
