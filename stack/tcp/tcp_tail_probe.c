/*
 * Tail loss probes (RFC 8985 section 7): when the last segments of a flight are lost nothing comes
 * back that would tell. After two round trips of silence one more segment goes out, a new one or
 * the last again, and its ACK starts what would else have waited for the retransmission timer.
 */
#include "stack/tcp/tcp_loss.h"

#define PROBE_SLACK_US         2000u    /* Linux TCP_TIMEOUT_MIN: what clocks and schedulers cost */
#define PEER_DELAYS_US         200000u  /* Linux: a lone segment's ACK may be delayed that long */
#define PROBE_TIMEOUT_FIRST_US 1000000u /* section 7.2: no round trip is known */

/* Section 7.2 step 1. */
static bool wanted(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return connection->sack && send->recovery == RECOVERY_NONE && send->probe_end == 0 &&
           send->sent.sacked_bytes == 0 && send->sent.lost_bytes == 0 &&
           sent_first(&send->sent) != NULL &&
           option_on(connection->socket, DAYTONA_OPTION_TAIL_PROBES) &&
           tcp_detector(connection) == &detector_rack &&
           tcp_state_synchronized(connection->socket->state);
}

uint32_t tcp_tail_probe_timeout_us(const struct connection *connection, uint32_t at_most_us)
{
    const struct sender *send = &connection->send;
    if (!wanted(connection))
        return 0;
    uint64_t us = PROBE_TIMEOUT_FIRST_US;
    if (send->srtt_us != 0) {
        bool lone = sent_end(sent_first(&send->sent)) == send->nxt &&
                    sent_first(&send->sent)->length <= send->mss;
        us = 2 * (uint64_t)send->srtt_us + (lone ? PEER_DELAYS_US : PROBE_SLACK_US);
    }
    return us < at_most_us ? (uint32_t)us : at_most_us;
}

void tcp_tail_probe_fired(struct connection *connection)
{
    if (wanted(connection)) {
        connection->send.tail_probe_due = true;
        tcp_output_want(connection);
    } else {
        tcp_rto_resume(connection);
    }
}

struct sent *tcp_tail_probe_record(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct sent *last = sent_last(&send->sent);
    if (last == NULL || last->fate != SENT_IN_FLIGHT)
        return NULL;
    if (last->length > send->mss &&
        sent_split(&send->sent, &connection->tcp->sent, last, last->length - send->mss))
        last = sent_last(&send->sent);
    return last;
}

void tcp_tail_probe_sent(struct connection *connection, bool again)
{
    struct sender *send = &connection->send;
    send->probe_end = send->nxt;
    send->probe_again = again;
    if (again && send->stalled_since.ns == 0)
        send->stalled_since = connection->tcp->now;
    connection->tally.tail_probes++;
    connection->tcp->counters.tail_probes++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_TAIL_PROBE,
            offset_seq(sent_last(&send->sent)->start).value, sent_last(&send->sent)->length,
            again ? "again" : "new");
    tcp_rto_restart(connection);
}

/* Section 7.4.2: the probe has repaired a loss that nobody noticed, and congestion control must
 * hear of it. */
static void probe_repaired(struct connection *connection)
{
    if (connection->send.recovery != RECOVERY_NONE)
        return;
    uint32_t flight = tcp_flight(connection);
    tcp_undo_save(connection);
    if (!tcp_ecn_loss(connection))
        return; /* a mark in the same window has reduced it already */
    flight = tcp_validation_congested(connection, flight);
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, flight, 0);
    tcp_congestion_call(connection, CONGESTION_LOSS, &sample);
    tcp_validation_reduced(connection);
    tcp_congestion_call(connection, CONGESTION_RECOVERED, &sample);
    tcp_validation_recovered(connection, false);
}

void tcp_tail_probe_acknowledged(struct connection *connection, const struct ack_report *report)
{
    struct sender *send = &connection->send;
    const struct segment *segment = report->segment;
    if (send->probe_end == 0 || send->una < send->probe_end)
        return;
    bool told = report->dsack && report->dsack_end == send->probe_end;
    bool bare = report->acked == 0 && segment->payload.length == 0 &&
                segment->header.sack_count == 0 && segment->ack == send->una;
    bool repaired = send->probe_again && !told && send->una > send->probe_end;
    if (!send->probe_again || told || bare || repaired)
        send->probe_end = 0;
    if (repaired)
        probe_repaired(connection);
}
