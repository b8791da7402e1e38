/* RFC 9293 section 3.10.6 STATUS. */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_loss.h"

static void sender_info(const struct connection *connection, struct daytona_connection_info *out)
{
    const struct sender *send = &connection->send;
    out->in_recovery = send->recovery == RECOVERY_FAST;
    out->in_loss = send->recovery == RECOVERY_LOSS;
    out->send_window_scale = send->window_scale;
    out->backoff = send->backoff;
    out->retransmit_tries = send->tries > send->syn_tries ? send->tries : send->syn_tries;
    if (tcp_state_synchronized(connection->socket->state))
        out->retransmit_tries = send->tries;
    out->probes = send->probes;
    out->rto_us = send->rto_us;
    out->srtt_us = send->srtt_us;
    out->rttvar_us = send->rttvar_us;
    out->rtt_min_us = send->rtt_min_us;
    out->send_mss = send->mss;
    out->path_mtu = send->path_mtu;
    out->cwnd_bytes = tcp_cwnd_now(connection);
    out->ssthresh_bytes = connection->controls.ssthresh_bytes;
    bool fin_in_flight = send->nxt > send->pages.end && send->una <= send->pages.end;
    uint32_t pipe = tcp_pipe(connection);
    out->in_flight_bytes = fin_in_flight && pipe > 0 ? pipe - 1 : pipe; /* FIN is no byte */
    out->sacked_bytes = send->sent.sacked_bytes;
    out->lost_bytes = send->sent.lost_bytes + send->sent.again_bytes;
    out->retransmitted_out_bytes = send->sent.again_bytes;
    out->send_window = send->wnd;
    out->send_queued = send_queued(send);
    out->not_sent = offset_span(offset_later(send->nxt, send->pages.start), send->pages.end);
}

/* Linux tcp_inq(): a read would stop at the mark. */
static uint32_t readable(const struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    uint32_t queued = receive_queued(receive);
    if (receive->urgent == URGENT_NONE || receive->urgent_at < receive->read ||
        receive->urgent_at >= receive->nxt ||
        option_on(connection->socket, DAYTONA_OPTION_URGENT_INLINE))
        return queued;
    return (uint32_t)(receive->urgent_at - receive->read);
}

static void ecn_info(const struct ecn *ecn, struct daytona_connection_info *out)
{
    out->ecn = (enum daytona_ecn_mode)ecn->mode;
    out->ecn_seen = ecn->seen;
    out->ce_received = ecn->ce_in;
    out->delivered_ce = ecn->ce_out;
    out->ece_received = ecn->ece_in;
    for (unsigned i = 0; i < TCP_ACCECN_FIELDS; i++) {
        uint32_t first = i == TCP_ACCECN_CEB || ecn->mode != DAYTONA_ECN_MODE_ACCURATE ? 0 : 1;
        out->delivered_ecn_bytes[i] = ecn->bytes_out[i] - first;
        out->received_ecn_bytes[i] = ecn->bytes_in[i] - first;
    }
}

static void path_info(const struct connection *connection, struct daytona_connection_info *out)
{
    const struct sender *send = &connection->send;
    const struct tally *tally = &connection->tally;
    out->tail_probes = tally->tail_probes;
    out->undos = tally->undos;
    out->dsacks_in = tally->dsacks_in;
    out->reorderings = tally->reorderings;
    out->reordering = send->rack.reordering;
    out->reorder_wait_us = tcp_rack_wait_us(connection);
    out->delivered_bytes = send->rate.delivered;
    out->lost_total_bytes = send->rate.lost;
    out->delivery_rate = send->rate.bytes_per_second;
    out->delivery_rate_app_limited = send->rate.app_limited;
    out->pacing_rate = tcp_pacing_rate(connection);
    out->peer_limited_us = statistics_limited_us(connection, LIMIT_PEER);
    out->pacing_rate_max =
        (uint64_t)connection->socket->options[DAYTONA_OPTION_MAXIMUM_PACING_RATE];
    out->timeout_recoveries = tally->timeout_recoveries;
    out->timeout_us = tally->timeout_us;
    struct daytona_congestion_state state = connection->congestion;
    if (connection->socket->congestion->tell != NULL)
        connection->socket->congestion->tell(&state, &out->controller);
    out->busy_us = tally->busy_us;
    if (tally->busy_since.ns != 0)
        out->busy_us += daytona_instant_since_us(connection->tcp->now, tally->busy_since);
}

static void connection_info(const struct connection *connection,
                            struct daytona_connection_info *out)
{
    const struct receiver *receive = &connection->receive;
    const struct tally *tally = &connection->tally;
    struct daytona_instant now = connection->tcp->now;
    sender_info(connection, out);
    ecn_info(&connection->ecn, out);
    path_info(connection, out);
    out->timestamps_on = connection->timestamps;
    out->sack_on = connection->sack;
    out->window_scaling_on = connection->window_scaling;
    out->receive_window_scale = receive->window_scale;
    out->delayed_ack_us = tcp_delayed_ack_us(connection);
    out->receive_mss = receive->mss;
    out->receive_round_trip_us = receive->round_trip_us;
    out->receive_space = receive->measured_bytes;
    out->receive_buffer = receive->limit;
    out->advertised_mss = receive->advertised_mss;
    out->receive_window = offset_span(receive->nxt, receive->edge);
    out->receive_queued = receive_queued(receive);
    out->receive_readable = readable(connection);
    out->bytes_sent = tally->bytes_sent;
    out->bytes_acked = tally->bytes_acked;
    out->bytes_received = tally->bytes_received;
    out->bytes_retransmitted = tally->bytes_retransmitted;
    out->segments_out = tally->segments_out;
    out->segments_in = tally->segments_in;
    out->data_segments_out = tally->data_segments_out;
    out->data_segments_in = tally->data_segments_in;
    out->segments_retransmitted = tally->segments_retransmitted;
    out->timeouts = tally->timeouts;
    out->fast_retransmits = tally->fast_retransmits;
    out->duplicate_acks_in = tally->duplicate_acks_in;
    out->out_of_order_in = tally->out_of_order_in;
    out->checksum_errors = tally->checksum_errors;
    out->syn_data_acked = connection->syn_data_acked;
    out->last_data_sent_us = daytona_instant_since_us(now, connection->send.last_sent);
    out->last_data_received_us = daytona_instant_since_us(now, receive->last_data);
    out->last_ack_received_us = daytona_instant_since_us(now, receive->last_segment);
    out->timestamp = tcp_timestamp(connection->tcp, connection->timestamp_offset);
    out->age_us = daytona_instant_since_us(now, connection->since);
}

void tcp_info(const struct socket *socket, struct daytona_connection_info *out)
{
    *out = (struct daytona_connection_info){
        .id = socket->id,
        .local = socket->entry.local,
        .remote = socket->entry.remote,
        .state = socket->state,
        .congestion = socket->congestion->name,
    };
    if (socket->state == DAYTONA_TCP_LISTEN) {
        out->accept_queued = socket->listener.queue_count;
        out->backlog_max = socket->listener.backlog;
    }
    if (socket->connection != NULL)
        connection_info(socket->connection, out);
}
