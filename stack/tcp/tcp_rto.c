/*
 * The retransmission timer of RFC 6298, with Linux's bounds: the smallest RTO is the smoothed
 * RTT plus 200 ms, the largest 120 s, and a connection is given up after the time that 15
 * doublings from 200 ms take (net.ipv4.tcp_retries2). Zero-window probes back off alike.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_loss.h"

#include <errno.h>

#define RETRIES_MAX         15u     /* Linux net.ipv4.tcp_retries2 */
#define ORPHAN_RETRIES_MAX  8u      /* Linux, when net.ipv4.tcp_orphan_retries is 0 */
#define SYN_ACK_RETRIES_MAX 5u      /* Linux net.ipv4.tcp_synack_retries */
#define THIN_SEGMENTS       4u      /* Linux tcp_stream_is_thin() */
#define THIN_TRIES_MAX      6u      /* Linux TCP_THIN_LINEAR_RETRIES */
#define RENOUNCED_MIN_US    10000u  /* Linux tcp_check_sack_reneging() */
#define RTO_MIN_LINUX_US    200000u /* the retries are counted in doublings of this */

static uint32_t at_most_the_largest(const struct connection *connection, uint64_t us)
{
    uint64_t largest = (uint64_t)connection->socket->options[DAYTONA_OPTION_RTO_MAXIMUM_US];
    return (uint32_t)(us > largest ? largest : us);
}

void tcp_rtt_sample(struct connection *connection, uint32_t rtt_us)
{
    struct sender *send = &connection->send;
    uint32_t rtt = rtt_us == 0 ? 1 : rtt_us;
    if (send->srtt_us == 0) {
        send->srtt_us = rtt;
        send->rttvar_us = rtt / 2;
    } else {
        uint32_t error = send->srtt_us > rtt ? send->srtt_us - rtt : rtt - send->srtt_us;
        send->rttvar_us = (uint32_t)((UINT64_C(3) * send->rttvar_us + error) / 4);
        send->srtt_us = (uint32_t)((UINT64_C(7) * send->srtt_us + rtt) / 8);
    }
    if (send->rtt_min_us == 0 || rtt < send->rtt_min_us)
        send->rtt_min_us = rtt;
    uint64_t slack = UINT64_C(4) * send->rttvar_us;
    uint64_t least = (uint64_t)connection->socket->options[DAYTONA_OPTION_RTO_MINIMUM_US];
    if (slack < least)
        slack = least;
    uint64_t rto = send->srtt_us + slack;
    send->rto_us = at_most_the_largest(connection, rto);
    statistics_round_trip(connection, rtt);
    observe_more(connection->tcp, connection->socket, DAYTONA_EVENT_RTT_SAMPLE,
                 (struct event_numbers){rtt, send->rto_us, send->rttvar_us, 0}, NULL);
}

uint64_t tcp_backoff_span_us(uint32_t base_us, uint32_t tries)
{
    uint64_t span = 0, step = base_us;
    for (uint32_t i = 0; i <= tries; i++) {
        span += step;
        step = step * 2 > RTO_MAX_US ? RTO_MAX_US : step * 2;
    }
    return span;
}

/* The timeout in force, backoff applied. */
static uint32_t timeout_us(const struct connection *connection)
{
    uint64_t us = connection->send.rto_us;
    for (uint32_t i = 0; i < connection->send.backoff && us < RTO_MAX_US; i++)
        us *= 2;
    return at_most_the_largest(connection, us);
}

static void sender_timer_set(struct connection *connection, enum timer_kind kind, uint32_t us)
{
    connection->send.timer.kind = (uint8_t)kind;
    timer_set(
        &connection->tcp->timers, &connection->send.timer,
        daytona_instant_after_us(connection->tcp->now, tcp_user_timeout_clamp(connection, us)));
}

void tcp_rto_restart(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->nxt == send->una) {
        timer_cancel(&connection->tcp->timers, &send->timer);
        return;
    }
    send->timeout_from = connection->tcp->now;
    uint32_t probe_us = tcp_tail_probe_timeout_us(connection, timeout_us(connection));
    if (probe_us != 0)
        sender_timer_set(connection, TIMER_TAIL_PROBE, probe_us);
    else
        sender_timer_set(connection, TIMER_RETRANSMIT, timeout_us(connection));
}

/* Until the retransmission timer would fire, had nothing taken its place. */
static uint32_t timeout_left_us(const struct connection *connection)
{
    uint32_t us = timeout_us(connection);
    uint64_t passed_us =
        daytona_instant_since_us(connection->tcp->now, connection->send.timeout_from);
    return passed_us < us ? us - (uint32_t)passed_us : 0;
}

void tcp_rto_new_data(struct connection *connection)
{
    const struct timer *timer = &connection->send.timer;
    bool stands = timer->kind == TIMER_RETRANSMIT || timer->kind == TIMER_REORDER;
    if (timer->set && timer->kind == TIMER_TAIL_PROBE) {
        uint32_t us = tcp_tail_probe_timeout_us(connection, timeout_left_us(connection));
        if (us != 0)
            sender_timer_set(connection, TIMER_TAIL_PROBE, us);
        else
            tcp_rto_resume(connection);
    } else if (!timer->set || !stands) {
        tcp_rto_restart(connection);
    }
}

void tcp_rto_resume(struct connection *connection)
{
    if (connection->send.nxt == connection->send.una)
        timer_cancel(&connection->tcp->timers, &connection->send.timer);
    else
        sender_timer_set(connection, TIMER_RETRANSMIT, timeout_left_us(connection));
}

void tcp_rto_hasten(struct connection *connection)
{
    struct sender *send = &connection->send;
    uint32_t us = send->srtt_us / 2 > RENOUNCED_MIN_US ? send->srtt_us / 2 : RENOUNCED_MIN_US;
    if (us < timeout_left_us(connection))
        sender_timer_set(connection, TIMER_RETRANSMIT, us);
}

void tcp_reorder_timer(struct connection *connection, bool waits, struct daytona_instant at)
{
    struct timer *timer = &connection->send.timer;
    if (waits) {
        timer->kind = TIMER_REORDER;
        timer_set(&connection->tcp->timers, timer, at);
    } else if (timer->set && timer->kind == TIMER_REORDER) {
        tcp_rto_resume(connection);
    }
}

void tcp_sender_timers_cancel(struct connection *connection)
{
    timer_cancel(&connection->tcp->timers, &connection->send.timer);
    timer_cancel(&connection->tcp->timers, &connection->send.pacing);
}

void tcp_persist_start(struct connection *connection)
{
    sender_timer_set(connection, TIMER_PERSIST, timeout_us(connection));
}

/* The peer may only have been away for long: the reset tells it that the stream is not whole. */
static void timed_out(struct connection *connection, const char *cause)
{
    tcp_reset_send(connection, cause);
    connection_end(connection, connection->soft_error != 0 ? connection->soft_error : ETIMEDOUT,
                   cause);
}

static void back_off(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->backoff < 30)
        send->backoff++;
    if (send->stalled_since.ns == 0)
        send->stalled_since = connection->tcp->now;
}

/* Counts and tells of a timeout, before it backs off. */
static void observe_timeout(struct connection *connection, uint32_t in_a_row, const char *what)
{
    connection->tcp->counters.timeouts++;
    connection->tally.timeouts++;
    if (in_a_row > 1)
        trouble_count(connection, TROUBLE_TIMEOUTS_REPEATED);
    uint64_t fired_us = timeout_us(connection);
    uint64_t next_us = at_most_the_largest(connection, fired_us * 2);
    observe_more(connection->tcp, connection->socket, DAYTONA_EVENT_TIMEOUT,
                 (struct event_numbers){fired_us, in_a_row, next_us, 0}, what);
}

/* SYN or SYN-ACK again, or the end of the attempt. */
static void handshake_fired(struct connection *connection)
{
    struct socket *socket = connection->socket;
    struct sender *send = &connection->send;
    uint32_t tries_max = connection->passive
                             ? SYN_ACK_RETRIES_MAX
                             : (uint32_t)socket->options[DAYTONA_OPTION_SYN_RETRIES];
    if (send->syn_tries >= tries_max || tcp_user_timeout_over(connection)) {
        connection_end(connection, connection->soft_error != 0 ? connection->soft_error : ETIMEDOUT,
                       "no answer to SYN");
        return;
    }
    observe_timeout(connection, send->syn_tries + 1u, "SYN");
    send->syn_tries++;
    tcp_fastopen_timed_out(connection);
    send->syn_due = true;
    send->timing = false;
    back_off(connection);
    sender_timer_set(connection, TIMER_RETRANSMIT, timeout_us(connection));
    tcp_output_want(connection);
}

void tcp_rto_recovered(struct connection *connection)
{
    struct tally *tally = &connection->tally;
    if (tally->timeout_began.ns == 0)
        return;
    tally->timeout_recoveries++;
    tally->timeout_us += daytona_instant_since_us(connection->tcp->now, tally->timeout_began);
    tally->timeout_began.ns = 0;
}

/* RFC 5681 section 3.1; with RACK what was sent only just now is not thought lost (RFC 8985 section
 * 6.3). */
static void loss_recovery_enter(struct connection *connection)
{
    bool new_episode = connection->send.recovery != RECOVERY_LOSS;
    uint32_t flight = tcp_flight(connection);
    connection->send.validation.since.ns = 0; /* RFC 7661 section 4.4: standard from here */
    tcp_undo_save(connection);
    tcp_frto_begin(connection);
    tcp_recovery_begin_loss(connection, tcp_detector(connection) != &detector_rack);
    if (!new_episode)
        return;
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, flight, 0);
    tcp_ecn_loss(connection);
    tcp_congestion_call(connection, CONGESTION_TIMEOUT, &sample);
}

/* Linux tcp_retransmit_timer(): so little is in flight that nothing but the timer can notice a
 * loss, and a few more packets cannot congest anything. */
static bool thin_and_linear(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    return option_on(connection->socket, DAYTONA_OPTION_THIN_LINEAR) &&
           send->tries <= THIN_TRIES_MAX &&
           offset_span(send->una, send->nxt) < THIN_SEGMENTS * send->mss &&
           connection->controls.ssthresh_bytes != UINT32_MAX;
}

/* RFC 9293 section 3.8.6 (SHLD-17), Linux tcp_rtx_probe0_timed_out(): a peer that has taken its
 * window back, and says so again whenever it is asked, is there. */
static void closed_window_excuses(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct daytona_instant heard = connection->receive.last_segment;
    if (send->wnd == 0 && !connection->socket->closed && tcp_user_timeout_us(connection) == 0 &&
        send->stalled_since.ns != 0 && daytona_instant_before(send->stalled_since, heard))
        send->stalled_since = heard;
}

void tcp_retransmit_fired(struct connection *connection)
{
    struct socket *socket = connection->socket;
    struct sender *send = &connection->send;
    if (!tcp_state_synchronized(socket->state)) {
        handshake_fired(connection);
        return;
    }
    closed_window_excuses(connection);
    uint32_t tries_max = socket->closed ? ORPHAN_RETRIES_MAX : RETRIES_MAX;
    uint64_t stalled_us = send->stalled_since.ns == 0
                              ? 0
                              : daytona_instant_since_us(connection->tcp->now, send->stalled_since);
    bool over = tcp_user_timeout_us(connection) != 0
                    ? tcp_user_timeout_over(connection)
                    : stalled_us >= tcp_backoff_span_us(RTO_MIN_LINUX_US, tries_max);
    if (over) {
        timed_out(connection, "retransmission timeout");
        return;
    }
    if (send->recovery == RECOVERY_NONE && send->duplicate_acks == 0 &&
        send->sent.sacked_bytes == 0)
        trouble_count(connection, TROUBLE_TIMEOUTS_ABRUPT);
    observe_timeout(connection, send->tries + 1u, "data");
    if (send->tries < UINT8_MAX)
        send->tries++;
    if (connection->tally.timeout_began.ns == 0)
        connection->tally.timeout_began = connection->tcp->now;
    tcp_plpmtud_timed_out(connection);
    loss_recovery_enter(connection);
    back_off(connection);
    if (thin_and_linear(connection))
        send->backoff = 0;
    tcp_rto_restart(connection);
    tcp_output_want(connection);
}

void tcp_persist_fired(struct connection *connection)
{
    struct sender *send = &connection->send;
    struct socket *socket = connection->socket;
    uint32_t tries_max = socket->closed ? ORPHAN_RETRIES_MAX : RETRIES_MAX;
    /* Probes that are answered go on for ever (RFC 9293 section 3.8.6.1). */
    if (send->probes >= tries_max || tcp_user_timeout_over(connection)) {
        timed_out(connection, "window probes unanswered");
        return;
    }
    back_off(connection);
    if (send->wnd > offset_span(send->una, send->nxt)) {
        send->push_due = true; /* sender SWS avoidance has waited long enough */
    } else {
        send->probes++;
        send->probe_due = true;
        observe(connection->tcp, socket, DAYTONA_EVENT_PROBE, send->probes, 0, "window");
    }
    tcp_persist_start(connection);
    tcp_output_want(connection);
}
