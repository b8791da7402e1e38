/*
 * Delivery rate samples (draft-ietf-ccwg-bbr section 4.1; N. Cardwell et al., draft-cheng-iccrg-
 * delivery-rate-estimation): how much the network delivered while one segment was on its way, over
 * the longer of the time in which that much was sent and the time in which it was acknowledged.
 */
#include "stack/tcp/tcp_loss.h"

void tcp_rate_sent(struct connection *connection, struct sent *record, bool idle)
{
    struct rate *rate = &connection->send.rate;
    struct daytona_instant now = connection->tcp->now;
    if (idle) /* section 4.1.2.2: the time before is no part of any sample */
        rate->first_sent_at = rate->delivered_at = now;
    record->at = now;
    record->delivered = rate->delivered;
    record->delivered_at = rate->delivered_at;
    record->first_sent_at = rate->first_sent_at;
    record->lost = rate->lost;
    record->app_limited = rate->app_limited_to != 0;
    record->in_flight = tcp_pipe(connection);
}

/* Section 4.1.2.3: of two segments sent at once the later one of the stream is the newer one. */
static bool newer(const struct sent *a, const struct sent *b)
{
    return a->at.ns != b->at.ns ? a->at.ns > b->at.ns : sent_end(a) > sent_end(b);
}

void tcp_rate_delivered(struct connection *connection, const struct sent *record,
                        struct ack_report *report, uint32_t bytes)
{
    struct rate *rate = &connection->send.rate;
    rate->delivered += bytes;
    rate->delivered_at = connection->tcp->now;
    if (report->any && !newer(record, &report->newest))
        return;
    report->any = true;
    report->newest = *record;
}

void tcp_rate_sample(struct connection *connection, struct ack_report *report)
{
    struct rate *rate = &connection->send.rate;
    if (rate->app_limited_to != 0 && rate->delivered > rate->app_limited_to)
        rate->app_limited_to = 0;
    if (!report->any)
        return;
    const struct sent *newest = &report->newest;
    if (rate->first_sent_at.ns < newest->at.ns)
        rate->first_sent_at = newest->at;
    uint64_t send_us = daytona_instant_since_us(newest->at, newest->first_sent_at);
    uint64_t ack_us = daytona_instant_since_us(connection->tcp->now, newest->delivered_at);
    uint64_t interval_us = send_us > ack_us ? send_us : ack_us;
    /* Section 4.1.2.3: shorter than any round trip, it was a retransmission whose original has
     * arrived. */
    if (interval_us == 0 || interval_us < connection->send.rtt_min_us || interval_us > UINT32_MAX)
        return;
    uint64_t bytes = rate->delivered - newest->delivered;
    report->rate_interval_us = (uint32_t)interval_us;
    report->rate_bytes_per_second = bytes * 1000000 / interval_us;
    /* What the application held back says little: it is kept only when it says more. */
    if (newest->app_limited && report->rate_bytes_per_second < rate->bytes_per_second)
        return;
    rate->bytes_per_second = report->rate_bytes_per_second;
    rate->app_limited = newest->app_limited;
}

void tcp_rate_app_limited(struct connection *connection)
{
    struct rate *rate = &connection->send.rate;
    uint64_t to = rate->delivered + tcp_pipe(connection);
    rate->app_limited_to = to != 0 ? to : 1;
}

void tcp_rate_lost(struct connection *connection, const struct sent *record)
{
    struct rate *rate = &connection->send.rate;
    rate->lost += record->length;
    rate->loss_in_flight = record->in_flight;
    rate->loss_lost_before = record->lost;
}

void tcp_rate_fill(const struct connection *connection, const struct ack_report *report,
                   struct daytona_congestion_sample *sample)
{
    const struct rate *rate = &connection->send.rate;
    sample->delivered_bytes = rate->delivered;
    sample->lost_total_bytes = rate->lost;
    sample->lost_bytes = (uint32_t)(rate->lost - rate->lost_told);
    if (sample->lost_bytes > 0) {
        sample->loss_in_flight_when_sent = rate->loss_in_flight;
        sample->loss_lost_before = rate->loss_lost_before;
    }
    if (report == NULL || !report->any)
        return;
    sample->delivered_before = report->newest.delivered;
    sample->lost_before = report->newest.lost;
    sample->in_flight_when_sent = report->newest.in_flight;
    sample->rate_bytes_per_second = report->rate_bytes_per_second;
    sample->rate_interval_us = report->rate_interval_us;
    sample->rate_app_limited = report->newest.app_limited;
}

void tcp_rate_losses_told(struct connection *connection)
{
    connection->send.rate.lost_told = connection->send.rate.lost;
}
