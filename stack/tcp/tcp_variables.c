/* The variables of RFC 4898 and Daytona's own, out of the records: RFC 9293 section 3.10.6 STATUS,
 * in full. */
#include "stack/tcp/tcp_loss.h"
#include "stack/tcp/tcp_request.h"

#include <string.h>

static uint64_t known(uint64_t value)
{
    return value != 0 ? value : DAYTONA_VARIABLE_NONE;
}

static uint64_t bounded(uint32_t value)
{
    return value != UINT32_MAX ? value : DAYTONA_VARIABLE_NONE;
}

static uint64_t ago(const struct connection *connection, struct daytona_instant then)
{
    return then.ns == 0 ? DAYTONA_VARIABLE_NONE
                        : daytona_instant_since_us(connection->tcp->now, then);
}

static void fill_traffic(const struct connection *connection, struct daytona_variables *out)
{
    const struct tally *tally = &connection->tally;
    out->segs_out = tally->segments_out;
    out->data_segs_out = tally->data_segments_out;
    out->data_octets_out = tally->bytes_sent;
    out->segs_retrans = tally->segments_retransmitted;
    out->octets_retrans = tally->bytes_retransmitted;
    out->segs_in = tally->segments_in;
    out->data_segs_in = tally->data_segments_in;
    out->data_octets_in = connection->statistics.bytes_in;
    out->elapsed_micro_secs = daytona_instant_since_us(connection->tcp->now, connection->since);
    out->start_time_stamp = connection->since.ns / 1000;
    out->thru_octets_acked = tally->bytes_acked;
    out->thru_octets_received = tally->bytes_received;
    out->out_of_order_in = tally->out_of_order_in;
    out->csum_errors = tally->checksum_errors;
    out->busy_time = tally->busy_us;
    if (tally->busy_since.ns != 0)
        out->busy_time += daytona_instant_since_us(connection->tcp->now, tally->busy_since);
}

static void fill_windows(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct receiver *receive = &connection->receive;
    const struct statistics *statistics = &connection->statistics;
    out->cur_mss = send->mss;
    out->max_mss = known(statistics->mss_max);
    out->min_mss = known(statistics->mss_min);
    out->pipe_size = tcp_pipe(connection);
    out->max_pipe_size = statistics->pipe_max;
    out->cur_cwnd = tcp_cwnd_now(connection);
    out->cur_ssthresh = bounded(connection->controls.ssthresh_bytes);
    out->cur_rwin_sent = offset_span(receive->nxt, receive->edge);
    out->max_rwin_sent = statistics->receive_window_max;
    out->zero_rwin_sent = trouble_of(connection, TROUBLE_ZERO_WINDOWS_SENT);
    out->cur_rwin_rcvd = send->wnd;
    out->max_rwin_rcvd = send->wnd_max;
    out->zero_rwin_rcvd = trouble_of(connection, TROUBLE_ZERO_WINDOWS_RECEIVED);
    out->snd_buffer = send->buffer_bytes;
    out->rcv_buffer = receive->limit;
    out->rcv_mss = receive->mss;
}

static void fill_limits(const struct connection *connection, struct daytona_variables *out)
{
    const struct statistics *statistics = &connection->statistics;
    struct daytona_instant now = connection->tcp->now;
    uint64_t congestion = statistics_limited_us(connection, LIMIT_CONGESTION);
    uint64_t peer = statistics_limited_us(connection, LIMIT_PEER);
    out->limited_by = connection->limit;
    out->snd_lim_time_cwnd = congestion;
    out->snd_lim_time_rwin = peer;
    out->snd_lim_time_snd = daytona_instant_since_us(now, connection->since) - congestion - peer;
    out->snd_lim_trans_cwnd = statistics->limited_times[LIMIT_CONGESTION];
    out->snd_lim_trans_rwin = statistics->limited_times[LIMIT_PEER];
    out->snd_lim_trans_snd = statistics->limited_times[LIMIT_SENDER];
}

static void fill_round_trips(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct statistics *statistics = &connection->statistics;
    out->smoothed_rtt = known(send->srtt_us);
    out->rtt_var = known(send->rttvar_us);
    out->sample_rtt = known(statistics->rtt_last_us);
    out->min_rtt = known(send->rtt_min_us);
    out->max_rtt = known(statistics->rtt_max_us);
    out->sum_rtt = statistics->rtt_sum_us;
    out->count_rtt = statistics->rtt_count;
    out->cur_rto = send->rto_us;
    out->min_rto = known(statistics->rto_min_us);
    out->max_rto = known(statistics->rto_max_us);
    out->rcv_rtt = known(connection->receive.round_trip_us);
    out->backoff = send->backoff;
    out->rack_rtt = known(send->rack.rtt_us);
    out->rack_reo_wnd = tcp_rack_wait_us(connection);
}

static void fill_congestion(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct statistics *statistics = &connection->statistics;
    out->cong_signals = trouble_of(connection, TROUBLE_SIGNALS);
    out->pre_cong_sum_cwnd = trouble_of(connection, TROUBLE_CWND_BEFORE_SUM);
    out->pre_cong_sum_rtt = trouble_of(connection, TROUBLE_RTT_BEFORE_SUM);
    out->post_cong_sum_rtt = trouble_of(connection, TROUBLE_RTT_AFTER_SUM);
    out->post_cong_count_rtt = trouble_of(connection, TROUBLE_RTT_AFTER_COUNT);
    out->max_ss_cwnd = statistics->slow_start_cwnd_max;
    out->max_ca_cwnd = trouble_of(connection, TROUBLE_AVOIDANCE_CWND_MAX);
    out->max_ssthresh = known(trouble_of(connection, TROUBLE_SSTHRESH_MAX));
    out->min_ssthresh = known(trouble_of(connection, TROUBLE_SSTHRESH_MIN));
    out->slow_start = statistics->slow_starts;
    out->cong_avoid = trouble_of(connection, TROUBLE_AVOIDANCES);
    out->other_reductions = trouble_of(connection, TROUBLE_OTHER_REDUCTIONS);
    out->cong_over_count = connection->tally.undos;
    out->pacing_rate = tcp_pacing_rate(connection);
    out->delivery_rate = known(send->rate.bytes_per_second);
    out->delivery_rate_app_limited = send->rate.app_limited;
    out->delivered = send->rate.delivered;
    out->lost = send->rate.lost;
}

static uint64_t recovery_state(const struct sender *send)
{
    if (send->recovery == RECOVERY_LOSS)
        return DAYTONA_RECOVERY_LOSS;
    if (send->recovery == RECOVERY_FAST)
        return DAYTONA_RECOVERY_FAST;
    return send->sent.sacked_bytes > 0 ? DAYTONA_RECOVERY_DISORDER : DAYTONA_RECOVERY_OPEN;
}

static void fill_losses(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct tally *tally = &connection->tally;
    out->timeouts = tally->timeouts - trouble_of(connection, TROUBLE_TIMEOUTS_REPEATED);
    out->subsequent_timeouts = trouble_of(connection, TROUBLE_TIMEOUTS_REPEATED);
    out->total_timeouts = tally->timeouts;
    out->abrupt_timeouts = trouble_of(connection, TROUBLE_TIMEOUTS_ABRUPT);
    out->cur_timeout_count =
        tcp_state_synchronized(connection->socket->state) ? send->tries : send->syn_tries;
    out->syn_retrans = send->syn_tries;
    out->fast_retran = tally->fast_retransmits;
    out->spurious_rto_detected = trouble_of(connection, TROUBLE_TIMEOUTS_SPURIOUS);
    out->spurious_fr_detected = tally->undos - trouble_of(connection, TROUBLE_TIMEOUTS_SPURIOUS);
    out->in_recovery = send->recovery != RECOVERY_NONE;
    out->ca_state = recovery_state(send);
    out->recover_point = send->recovery != RECOVERY_NONE ? offset_seq(send->recovery_point).value
                                                         : DAYTONA_VARIABLE_NONE;
    out->prr_delivered = send->prr_delivered;
    out->prr_out = send->prr_out;
    out->frto_state = send->frto;
    out->lost_out = send->sent.lost_bytes;
    out->sacked_out = send->sent.sacked_bytes;
    out->retrans_out = send->sent.again_bytes;
    out->tlp_probes = tally->tail_probes;
    out->probes = send->probes;
}

static void fill_acknowledgments(const struct connection *connection, struct daytona_variables *out)
{
    const struct tally *tally = &connection->tally;
    out->retran_thresh = connection->send.rack.reordering;
    out->reord_seen = tally->reorderings;
    out->dup_acks_in = tally->duplicate_acks_in;
    out->dup_ack_episodes = trouble_of(connection, TROUBLE_DUPLICATE_EPISODES);
    out->non_recov_da_episodes = trouble_of(connection, TROUBLE_HARMLESS_EPISODES);
    out->non_recov_da = trouble_of(connection, TROUBLE_HARMLESS_DUPLICATES);
    out->sum_octets_reordered = trouble_of(connection, TROUBLE_REORDERED_BYTES);
    out->dup_acks_out = trouble_of(connection, TROUBLE_DUPLICATES_SENT);
    out->sacks_rcvd = trouble_of(connection, TROUBLE_SACKS);
    out->sack_blocks_rcvd = trouble_of(connection, TROUBLE_SACK_BLOCKS);
    out->dsack_dups = tally->dsacks_in;
    out->soft_errors = trouble_of(connection, TROUBLE_SOFT_ERRORS);
    out->soft_error_reason = known(trouble_of(connection, TROUBLE_SOFT_ERROR_REASON));
    out->ecn_signals = connection->ecn.ece_in;
    out->ce_rcvd = connection->ecn.ce_in;
    out->ece_sent = trouble_of(connection, TROUBLE_ECE_SENT);
    out->delivered_ce = connection->ecn.ce_out;
    out->quick_acks = connection->receive.quick;
    out->ack_delay = tcp_delayed_ack_us(connection);
}

static void fill_handshake(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct receiver *receive = &connection->receive;
    out->active_open = !connection->passive;
    out->mss_sent = receive->advertised_mss;
    out->mss_rcvd = send->peer_mss;
    if (connection->window_scaling) {
        out->win_scale_sent = receive->window_scale;
        out->win_scale_rcvd = send->window_scale;
    }
    out->time_stamps = connection->timestamps;
    out->ts_recent = connection->timestamps ? receive->timestamp_recent : DAYTONA_VARIABLE_NONE;
    out->ecn = connection->ecn.mode;
    out->will_send_sack = out->will_use_sack = connection->sack;
    out->snd_initial = offset_seq(send->iss).value;
    out->rec_initial = offset_seq(receive->irs).value;
}

static void fill_queues(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct receiver *receive = &connection->receive;
    const struct statistics *statistics = &connection->statistics;
    out->snd_una = offset_seq(send->una).value;
    out->snd_nxt = out->snd_max = offset_seq(send->nxt).value;
    out->rcv_nxt = offset_seq(receive->nxt).value;
    out->cur_retx_queue = offset_span(send->una, send->nxt);
    out->max_retx_queue = send->flight_max;
    out->cur_reasm_queue = receive->ranges.bytes;
    out->max_reasm_queue = trouble_of(connection, TROUBLE_REASSEMBLY_MAX);
    out->cur_app_w_queue = offset_span(offset_later(send->nxt, send->pages.start), send->pages.end);
    out->max_app_w_queue = statistics->write_queue_max;
    out->cur_app_r_queue = receive_queued(receive);
    out->max_app_r_queue = receive->queued_max;
}

static void fill_path(const struct connection *connection, struct daytona_variables *out)
{
    const struct sender *send = &connection->send;
    const struct receiver *receive = &connection->receive;
    const struct statistics *statistics = &connection->statistics;
    out->ip_ttl = known(statistics->hops_in);
    out->ip_tos_in = statistics->type_of_service_in;
    out->pmtu = send->path_mtu;
    out->plpmtud_low = send->prober.low;
    out->plpmtud_high = send->prober.high != UINT16_MAX ? send->prober.high : DAYTONA_VARIABLE_NONE;
    out->last_data_sent = ago(connection, send->last_sent);
    out->last_data_rcvd = ago(connection, receive->last_data);
    out->last_ack_rcvd = ago(connection, receive->last_segment);
}

static void fill_settings(const struct socket *socket, struct daytona_variables *out)
{
    out->state = socket->state;
    out->nagle = !option_on(socket, DAYTONA_OPTION_NO_DELAY);
    out->ip_tos_out = (uint64_t)socket->options[DAYTONA_OPTION_TYPE_OF_SERVICE];
    out->lim_rwin = known((uint64_t)socket->options[DAYTONA_OPTION_WINDOW_CLAMP]);
    out->lim_mss = known((uint64_t)socket->options[DAYTONA_OPTION_MAXIMUM_SEGMENT]);
    out->max_pacing_rate = known((uint64_t)socket->options[DAYTONA_OPTION_MAXIMUM_PACING_RATE]);
    out->lim_cwnd = known((uint64_t)socket->options[DAYTONA_OPTION_CWND_MAXIMUM]);
    out->lim_ssthresh = known((uint64_t)socket->options[DAYTONA_OPTION_SSTHRESH_MAXIMUM]);
    out->lim_rto_min = (uint64_t)socket->options[DAYTONA_OPTION_RTO_MINIMUM_US];
    out->lim_rto_max = (uint64_t)socket->options[DAYTONA_OPTION_RTO_MAXIMUM_US];
}

static void fill_listener(const struct listener *listener, struct daytona_variables *out)
{
    out->syn_rcvd = listener->syns;
    out->initial = listener->kept;
    out->established = listener->established;
    out->accepted = listener->accepted;
    out->exceed_backlog = listener->overflows;
    out->max_backlog = listener->backlog;
    out->cur_backlog = (uint64_t)listener->request_count + listener->queue_count;
    out->cur_estab_backlog = listener->queue_count;
}

void tcp_variables(const struct socket *socket, struct daytona_variables *out)
{
    const struct connection *connection = socket->connection;
    memset(out, 0xff, sizeof *out); /* DAYTONA_VARIABLE_NONE */
    fill_settings(socket, out);
    if (socket->state == DAYTONA_TCP_LISTEN)
        fill_listener(&socket->listener, out);
    if (connection == NULL)
        return;
    fill_traffic(connection, out);
    fill_windows(connection, out);
    fill_limits(connection, out);
    fill_round_trips(connection, out);
    fill_congestion(connection, out);
    fill_losses(connection, out);
    fill_acknowledgments(connection, out);
    fill_handshake(connection, out);
    fill_queues(connection, out);
    fill_path(connection, out);
}

void tcp_request_variables(const struct request *request, struct daytona_variables *out)
{
    const struct handshake *handshake = &request->handshake;
    struct daytona_connection_info info;
    tcp_request_info(request, &info);
    memset(out, 0xff, sizeof *out); /* DAYTONA_VARIABLE_NONE */
    out->state = DAYTONA_TCP_SYN_RECEIVED;
    out->active_open = false;
    out->elapsed_micro_secs = info.age_us;
    out->start_time_stamp = request->begun.ns / 1000;
    out->segs_in = 1;
    out->segs_out = request->sent.ns != 0 ? 1u + request->repeated : 0;
    out->segs_retrans = out->syn_retrans = request->repeated;
    out->total_timeouts = out->cur_timeout_count = request->tries;
    out->cur_rto = info.rto_us;
    out->pmtu = handshake->path_mtu;
    out->mss_sent = handshake->advertised_mss;
    out->mss_rcvd = handshake->peer_mss;
    out->cur_rwin_sent = handshake->window;
    out->cur_rwin_rcvd = handshake->peer_window;
    out->time_stamps = handshake->timestamps;
    out->will_send_sack = out->will_use_sack = handshake->sack;
    out->ecn = handshake->ecn;
    out->snd_initial = handshake->iss.value;
    out->rec_initial = handshake->irs.value;
}
