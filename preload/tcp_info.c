#include "preload/tcp_info.h"

#include <assert.h>
#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>

#define SSTHRESH_INFINITE   0x7fffffff
#define REORDERING_STANDARD 3 /* net.ipv4.tcp_reordering */

/* What Linux 6.18 has behind the members that older headers know. */
struct later_info {
    uint32_t rcv_wnd, rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time; /* ms */
    uint32_t received_ce;
    uint32_t delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
    uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
    uint16_t accecn_fail_mode, accecn_opt_seen;
};
#define LATER_AT (offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(uint32_t))
static_assert(LATER_AT == 232 && sizeof(struct later_info) == 48, "as in Linux 6.18");

/* Of the payload bytes by their ECN field, those that came with ... */
enum { WITH_ECT_0, WITH_CE, WITH_ECT_1 };

static uint32_t segments(uint32_t bytes, uint32_t mss)
{
    return mss == 0 ? 0 : (bytes + mss - 1) / mss;
}

static uint32_t milliseconds(uint64_t us)
{
    return us / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(us / 1000);
}

static uint8_t recovery_state(const struct daytona_connection_info *info)
{
    if (info->in_loss)
        return TCP_CA_Loss;
    if (info->in_recovery)
        return TCP_CA_Recovery;
    return info->sacked_bytes > 0 ? TCP_CA_Disorder : TCP_CA_Open;
}

static void write_state(const struct daytona_connection_info *info, struct tcp_info *out)
{
    /* Linux takes the socket away from a connection that only waits. */
    bool only_waits = info->state == DAYTONA_TCP_TIME_WAIT;
    out->tcpi_state = (uint8_t)(only_waits ? DAYTONA_TCP_CLOSED : info->state);
    out->tcpi_ca_state = recovery_state(info);
    out->tcpi_retransmits = info->retransmit_tries;
    out->tcpi_probes = info->probes;
    out->tcpi_backoff = info->backoff;
    out->tcpi_options = (uint8_t)((info->timestamps_on ? TCPI_OPT_TIMESTAMPS : 0) |
                                  (info->sack_on ? TCPI_OPT_SACK : 0) |
                                  (info->window_scaling_on ? TCPI_OPT_WSCALE : 0) |
                                  (info->ecn != DAYTONA_ECN_MODE_NONE ? TCPI_OPT_ECN : 0) |
                                  (info->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
                                  (info->syn_data_acked ? TCPI_OPT_SYN_DATA : 0));
    out->tcpi_snd_wscale = (uint8_t)(info->send_window_scale & 0xf);
    out->tcpi_rcv_wscale = (uint8_t)(info->receive_window_scale & 0xf);
    out->tcpi_snd_mss = info->send_mss;
    out->tcpi_rcv_mss = info->receive_mss;
    out->tcpi_advmss = info->advertised_mss;
    out->tcpi_pmtu = info->path_mtu;
}

static void write_times(const struct daytona_connection_info *info, struct tcp_info *out)
{
    out->tcpi_rto = info->rto_us;
    out->tcpi_ato = info->delayed_ack_us;
    out->tcpi_rtt = info->srtt_us;
    out->tcpi_rttvar = info->rttvar_us;
    out->tcpi_rcv_rtt = info->receive_round_trip_us;
    out->tcpi_min_rtt = info->rtt_min_us == 0 ? UINT32_MAX : info->rtt_min_us;
    out->tcpi_last_data_sent = milliseconds(info->last_data_sent_us);
    out->tcpi_last_data_recv = milliseconds(info->last_data_received_us);
    out->tcpi_last_ack_recv = milliseconds(info->last_ack_received_us);
}

static void write_windows(const struct daytona_connection_info *info, struct tcp_info *out)
{
    uint32_t mss = info->send_mss;
    out->tcpi_snd_cwnd = segments(info->cwnd_bytes, mss);
    out->tcpi_snd_ssthresh = info->ssthresh_bytes == UINT32_MAX
                                 ? SSTHRESH_INFINITE
                                 : segments(info->ssthresh_bytes, mss);
    out->tcpi_unacked = segments(info->send_queued - info->not_sent, mss);
    out->tcpi_sacked = segments(info->sacked_bytes, mss);
    out->tcpi_lost = segments(info->lost_bytes, mss);
    out->tcpi_retrans = segments(info->retransmitted_out_bytes, mss);
    out->tcpi_reordering = info->reordering != 0 ? info->reordering : REORDERING_STANDARD;
    out->tcpi_rcv_ssthresh = info->receive_buffer;
    out->tcpi_rcv_space = info->receive_space;
    out->tcpi_snd_wnd = info->send_window;
    out->tcpi_notsent_bytes = info->not_sent;
    if (info->state == DAYTONA_TCP_LISTEN) {
        out->tcpi_unacked = info->accept_queued;
        out->tcpi_sacked = info->backlog_max;
    }
}

static void write_counts(const struct daytona_connection_info *info, struct tcp_info *out)
{
    out->tcpi_total_retrans = info->segments_retransmitted;
    out->tcpi_pacing_rate = info->pacing_rate != 0 ? info->pacing_rate : UINT64_MAX;
    out->tcpi_max_pacing_rate = info->pacing_rate_max != 0 ? info->pacing_rate_max : UINT64_MAX;
    out->tcpi_bytes_acked = info->bytes_acked;
    out->tcpi_bytes_received = info->bytes_received;
    out->tcpi_bytes_sent = info->bytes_sent;
    out->tcpi_bytes_retrans = info->bytes_retransmitted;
    out->tcpi_segs_out = info->segments_out;
    out->tcpi_segs_in = info->segments_in;
    out->tcpi_data_segs_out = info->data_segments_out;
    out->tcpi_data_segs_in = info->data_segments_in;
    out->tcpi_rcv_ooopack = info->out_of_order_in;
    out->tcpi_delivered_ce = info->delivered_ce;
    out->tcpi_delivered = segments((uint32_t)info->delivered_bytes, info->send_mss);
    out->tcpi_dsack_dups = info->dsacks_in;
    out->tcpi_reord_seen = info->reorderings;
    out->tcpi_delivery_rate = info->delivery_rate;
    out->tcpi_delivery_rate_app_limited = info->delivery_rate_app_limited;
    out->tcpi_busy_time = info->busy_us;
    out->tcpi_rwnd_limited = info->peer_limited_us;
}

static struct later_info later_info(const struct daytona_connection_info *info)
{
    return (struct later_info){
        .rcv_wnd = info->receive_window,
        .total_rto = (uint16_t)(info->timeouts > UINT16_MAX ? UINT16_MAX : info->timeouts),
        .total_rto_recoveries =
            (uint16_t)(info->timeout_recoveries > UINT16_MAX ? UINT16_MAX
                                                             : info->timeout_recoveries),
        .total_rto_time = milliseconds(info->timeout_us),
        .received_ce = info->ce_received,
        .delivered_e1_bytes = info->delivered_ecn_bytes[WITH_ECT_1],
        .delivered_e0_bytes = info->delivered_ecn_bytes[WITH_ECT_0],
        .delivered_ce_bytes = info->delivered_ecn_bytes[WITH_CE],
        .received_e1_bytes = info->received_ecn_bytes[WITH_ECT_1],
        .received_e0_bytes = info->received_ecn_bytes[WITH_ECT_0],
        .received_ce_bytes = info->received_ecn_bytes[WITH_CE],
    };
}

size_t tcp_info_write(const struct daytona_connection_info *info, uint8_t *out)
{
    struct tcp_info layout;
    const struct later_info later = later_info(info);
    static_assert(LATER_AT + sizeof later <= TCP_INFO_BYTES_MAX, "the bytes of TCP_INFO have room");
    memset(&layout, 0, sizeof layout);
    write_state(info, &layout);
    write_times(info, &layout);
    write_windows(info, &layout);
    write_counts(info, &layout);
    memcpy(out, &layout, LATER_AT);
    memcpy(out + LATER_AT, &later, sizeof later);
    return LATER_AT + sizeof later;
}

size_t tcp_controller_write(const struct daytona_connection_info *info, uint8_t *out)
{
    union tcp_cc_info layout;
    const struct daytona_congestion_told *told = &info->controller;
    memset(&layout, 0, sizeof layout);
    switch (told->kind) {
    case DAYTONA_CONGESTION_TELLS_NOTHING:
        return 0;
    case DAYTONA_CONGESTION_TELLS_DELAYS:
        layout.vegas.tcpv_enabled = told->measured;
        layout.vegas.tcpv_rttcnt = told->round_trips;
        layout.vegas.tcpv_rtt = told->rtt_base_us;
        layout.vegas.tcpv_minrtt = told->rtt_round_us;
        memcpy(out, &layout, sizeof layout.vegas);
        return sizeof layout.vegas;
    case DAYTONA_CONGESTION_TELLS_MARKS:
        if (info->ecn != DAYTONA_ECN_MODE_NONE) { /* else it is Reno, and Linux tells zeros */
            layout.dctcp.dctcp_enabled = 1;
            layout.dctcp.dctcp_alpha = told->alpha_1024;
            layout.dctcp.dctcp_ab_ecn = told->marked_bytes;
            layout.dctcp.dctcp_ab_tot = told->acked_bytes;
        }
        memcpy(out, &layout, sizeof layout.dctcp);
        return sizeof layout.dctcp;
    case DAYTONA_CONGESTION_TELLS_RATE:
        layout.bbr.bbr_bw_lo = (uint32_t)told->bytes_per_second;
        layout.bbr.bbr_bw_hi = (uint32_t)(told->bytes_per_second >> 32);
        layout.bbr.bbr_min_rtt = told->rtt_base_us;
        layout.bbr.bbr_pacing_gain = told->pacing_percent * 256 / 100;
        layout.bbr.bbr_cwnd_gain = told->cwnd_percent * 256 / 100;
        memcpy(out, &layout, sizeof layout.bbr);
        return sizeof layout.bbr;
    }
    return 0;
}
