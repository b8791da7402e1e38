/*
 * What to send next. daytona_stack_output() pulls; connections that may have something wait in a
 * ring and take turns. In order: an ACK that tells of a gap or a mark, SYN, a tail loss probe, what
 * is lost, new data and FIN, other probes, bare ACKs.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_ecn.h"
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_loss.h"

#include <assert.h>

#define SUPER_SEGMENT_MAX 65400u  /* an IP packet stays below 64 KB, headers and all */
#define CORK_US           200000u /* Linux: a corked partial segment waits no longer */

void tcp_output_want(struct connection *connection)
{
    if (!list_holds(&connection->output))
        list_append(&connection->tcp->output, &connection->output);
}

/* Room that the peer's window leaves for new data. */
static uint32_t window_room(const struct sender *send)
{
    return offset_span(send->nxt, send->una + send->wnd);
}

/* Data queued and never sent. */
static uint32_t unsent(const struct sender *send)
{
    return offset_span(send->nxt, send->pages.end);
}

bool tcp_new_data_possible(const struct connection *connection)
{
    return unsent(&connection->send) > 0 && window_room(&connection->send) > 0;
}

static bool fin_unsent(const struct sender *send)
{
    return send->fin && send->nxt <= send->pages.end;
}

/* Nagle's algorithm as Minshall refined it: a partial segment waits while another partial one is
 * unacknowledged (RFC 9293 section 3.7.4). Corked data wait for more or for the timer. */
bool tcp_partial_allowed(const struct connection *connection)
{
    const struct sender *send = &connection->send;
    const struct socket *socket = connection->socket;
    if (send->fin || send->up > send->nxt)
        return true;
    if ((send->more || option_on(socket, DAYTONA_OPTION_CORK)) && !send->cork_over)
        return false;
    return option_on(socket, DAYTONA_OPTION_NO_DELAY) || send->small_end <= send->una;
}

/* Sender SWS avoidance, RFC 9293 section 3.8.6.2.1: how many bytes of new data may go in one
 * packet now, 0 none. */
static uint32_t new_data_length(struct connection *connection)
{
    struct sender *send = &connection->send;
    uint32_t pending = unsent(send);
    uint32_t window = window_room(send);
    assert(send->mss > 0);
    uint32_t pipe = tcp_pipe(connection);
    uint32_t cwnd = tcp_cwnd_now(connection);
    uint32_t cwnd_room = cwnd > pipe ? cwnd - pipe : 0;
    uint32_t segment = pending < send->mss ? pending : send->mss;
    if (window > 0 && cwnd_room < (segment < window ? segment : window)) {
        send->limited_to = send->nxt;
        return 0;
    }
    uint32_t whole = pending < window ? pending : window;
    if (whole > cwnd_room)
        whole = cwnd_room;
    if (whole >= send->mss) {
        /* What splits a super-segment does not sign its parts. */
        uint32_t most = connection->signature ? 0 : connection->tcp->config.super_segment_bytes_max;
        most = most > SUPER_SEGMENT_MAX ? SUPER_SEGMENT_MAX : most;
        uint32_t quantum = tcp_pacing_quantum(connection);
        most = most > quantum ? quantum : most;
        /* Each has an urgent pointer of its own. */
        if (most < send->mss || tcp_ecn_writes_cwr(connection) || send->up > send->nxt)
            most = send->mss;
        whole = whole < most ? whole : most;
        return whole - whole % send->mss;
    }
    if (whole == pending)
        return tcp_partial_allowed(connection) ? whole : 0;
    return send->push_due || whole >= send->wnd_max / 2 ? whole : 0;
}

/* Nothing in flight will bring an ACK that lets held-back data go: a timer must. */
static void arm_when_held(struct connection *connection)
{
    struct sender *send = &connection->send;
    bool pending = unsent(send) > 0 || fin_unsent(send);
    if (!pending || send->nxt != send->una || send->timer.set || send->pacing.set)
        return;
    uint32_t needed = unsent(send) < send->mss ? unsent(send) : send->mss;
    if (window_room(send) < needed || window_room(send) == 0) {
        tcp_persist_start(connection);
    } else { /* corked, or there was no memory to remember it */
        send->timer.kind = TIMER_CORK;
        timer_set(&connection->tcp->timers, &send->timer,
                  daytona_instant_after_us(connection->tcp->now, CORK_US));
    }
}

/* RFC 5681 section 4.1: after an idle RTO the window is no longer known to be right. */
static void restart_when_idle(struct connection *connection)
{
    struct sender *send = &connection->send;
    if (send->nxt != send->una || send->last_sent.ns == 0)
        return;
    if (daytona_instant_since_us(connection->tcp->now, send->last_sent) <= send->rto_us ||
        tcp_validation_idle(connection))
        return;
    struct daytona_congestion_sample sample = tcp_congestion_sample(connection, 0, 0, 0);
    tcp_congestion_call(connection, CONGESTION_RESTART, &sample);
}

/* The offsets from `what->seq` on are in flight now. False: there is no memory to remember them;
 * what is in flight will free some. */
static bool sent_new(struct connection *connection, const struct outgoing *what)
{
    struct sender *send = &connection->send;
    bool fin = (what->flags & TCP_FIN) != 0;
    bool idle = send->nxt == send->una;
    struct sent *record =
        sent_append(&send->sent, &connection->tcp->sent, what->seq, what->length + fin);
    if (record == NULL) {
        connection->tcp->counters.allocation_failures++;
        return false;
    }
    send->nxt = what->seq + what->length + fin;
    if (idle)
        connection->tally.busy_since = connection->tcp->now;
    tcp_rate_sent(connection, record, idle);
    tcp_pacing_sent(connection, what->length);
    send->prr_out += what->length;
    if (what->length % send->mss != 0 && !what->probe)
        send->small_end = send->nxt;
    send->push_due = send->cork_over = false;
    tcp_rto_new_data(connection);
    tcp_space_report(connection); /* less waits to be sent */
    uint32_t pipe = tcp_pipe(connection);
    statistics_raise(&connection->statistics.pipe_max, pipe);
    statistics_raise(&send->flight_max, offset_span(send->una, send->nxt));
    if (pipe + send->mss > tcp_cwnd_now(connection))
        send->limited_to = send->nxt;
    return true;
}

/* RFC 9293 section 3.9.1.2: PSH at the end of what the application wrote. */
static uint8_t push_flag(const struct sender *send, uint64_t start, uint64_t end)
{
    bool covers = start < send->pushed && send->pushed <= end;
    return covers || (end == send->pages.end && !send->more) ? TCP_PSH : 0;
}

/* Less than a segment waits, if anything: what leaves next shows what the application gives, not
 * what the path takes (draft-ietf-ccwg-bbr-06 section 4.1.2.4, CheckIfApplicationLimited). */
static void note_if_app_limited(struct connection *connection)
{
    const struct sender *send = &connection->send;
    if (unsent(send) < send->mss && sent_first_lost(&send->sent) == NULL &&
        tcp_pipe(connection) + unsent(send) < connection->controls.cwnd_bytes)
        tcp_rate_app_limited(connection);
}

static bool new_data(struct connection *connection, struct outgoing *what)
{
    struct sender *send = &connection->send;
    bool fin = fin_unsent(send);
    if (connection->ecn.paused)
        return false;
    if (unsent(send) == 0 && !fin) {
        note_if_app_limited(connection);
        return false;
    }
    restart_when_idle(connection);
    uint32_t length = 0;
    bool probe = tcp_plpmtud_due(connection, &length);
    if (unsent(send) > 0 && !probe)
        length = new_data_length(connection);
    if (unsent(send) > 0 && length == 0) {
        note_if_app_limited(connection);
        return false;
    }
    *what = (struct outgoing){.seq = send->nxt, .length = length, .probe = probe};
    uint64_t end = send->nxt + length;
    if (fin && end == send->pages.end && window_room(send) > length)
        what->flags |= TCP_FIN;
    else if (length == 0)
        return false;
    if (length > 0)
        what->flags |= push_flag(send, what->seq, end);
    bool remembered = sent_new(connection, what);
    if (probe && remembered)
        tcp_plpmtud_sent(connection, what->seq, length);
    return remembered;
}

/* What was lost of several small writes fits one segment now (RFC 1122 section 4.2.2.15 allows it;
 * Linux tcp_retrans_try_collapse()). What may still be on its way stays as it is. */
static void collapse(struct connection *connection, struct sent *record)
{
    struct sent_queue *sent = &connection->send.sent;
    if (!option_on(connection->socket, DAYTONA_OPTION_COLLAPSE) || record->fate != SENT_LOST)
        return;
    for (;;) {
        const struct sent *next = sent_next(sent, record);
        if (next == NULL || next->fate != SENT_LOST ||
            record->length + next->length > connection->send.mss)
            return;
        sent_join(sent, &connection->tcp->sent, record);
    }
}

/* The record goes out again, as much of it as a segment takes. */
static void send_again(struct connection *connection, struct sent *record, struct outgoing *what)
{
    struct sender *send = &connection->send;
    tcp_cut_to_segment(connection, record);
    collapse(connection, record);
    uint64_t start = record->start, end = sent_end(record);
    uint64_t data_end = offset_earlier(end, send->pages.end);
    uint32_t length = offset_span(start, data_end);
    bool whole = length <= send->mss; /* else there was no memory to cut it */
    *what = (struct outgoing){.seq = start, .length = whole ? length : send->mss};
    if (whole && end > send->pages.end)
        what->flags |= TCP_FIN;
    if (what->length > 0)
        what->flags |= push_flag(send, start, start + what->length);
    if (record->retransmissions == 0)
        tcp_validation_repeated(connection, length);
    sent_mark_again(&send->sent, record);
    tcp_rate_sent(connection, record, false);
    tcp_pacing_sent(connection, what->length);
    tcp_undo_repeated(connection, record->length);
    statistics_raise(&connection->statistics.pipe_max, tcp_pipe(connection));
    connection->tally.segments_retransmitted++;
    connection->tally.bytes_retransmitted += what->length;
    send->prr_out += what->length;
    connection->tcp->counters.segments_retransmitted++;
    if (start == send->una && !(send->timer.set && send->timer.kind == TIMER_REORDER))
        tcp_rto_restart(connection);
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RETRANSMIT, offset_seq(start).value,
            what->length + ((what->flags & TCP_FIN) != 0),
            send->recovery == RECOVERY_LOSS   ? "timeout"
            : send->recovery == RECOVERY_NONE ? "probe"
                                              : "fast");
}

/* A tail loss probe (RFC 8985 section 7.3): a segment of new data if the peer has room for it, else
 * the last one again. */
static bool tail_probe(struct connection *connection, struct outgoing *what)
{
    struct sender *send = &connection->send;
    send->tail_probe_due = false;
    uint32_t pending = unsent(send), room = window_room(send);
    uint32_t length = pending < send->mss ? pending : send->mss;
    *what = (struct outgoing){.seq = send->nxt, .length = length};
    bool allowed = length == send->mss || tcp_partial_allowed(connection);
    if (length > 0 && length <= room && allowed) {
        what->flags = push_flag(send, send->nxt, send->nxt + length);
        if (fin_unsent(send) && length == pending && length < room)
            what->flags |= TCP_FIN;
        if (sent_new(connection, what)) {
            tcp_tail_probe_sent(connection, false);
            return true;
        }
    }
    struct sent *record = tcp_tail_probe_record(connection);
    if (record == NULL) {
        tcp_rto_resume(connection);
        return false;
    }
    send_again(connection, record, what);
    tcp_tail_probe_sent(connection, true);
    return true;
}

/* In the order of RFC 6675 section 5.1, NextSeg(): what is lost, new data, what may be lost. */
static bool data_segment(struct connection *connection, struct outgoing *what)
{
    if (connection->send.tail_probe_due && tail_probe(connection, what))
        return true;
    if (!connection->send.retransmit_due && !tcp_pacing_allows(connection))
        return false;
    struct sent *record = tcp_recovery_next(connection, false);
    if (record == NULL && new_data(connection, what))
        return true;
    if (record == NULL)
        record = tcp_recovery_next(connection, true);
    if (record != NULL)
        send_again(connection, record, what);
    return record != NULL;
}

/* Linux's probe: an old sequence number without data, which every peer must answer. */
static bool probe_segment(struct connection *connection, struct outgoing *what)
{
    struct sender *send = &connection->send;
    if (!send->probe_due)
        return false;
    send->probe_due = false;
    *what = (struct outgoing){.seq = send->una - 1};
    return true;
}

static bool syn_segment(struct connection *connection, struct outgoing *what)
{
    struct sender *send = &connection->send;
    if (!send->syn_due)
        return false;
    send->syn_due = false;
    *what = (struct outgoing){.seq = send->iss, .flags = TCP_SYN};
    if (connection->fastopen == FASTOPEN_ASKING) {
        struct fastopen_cookie cookie;
        what->length = tcp_fastopen_syn(connection, &cookie);
        connection->syn_data = (uint16_t)what->length;
    }
    if (send->syn_tries == 0 && !send->timing && !send->timer.set) {
        send->timing = true;
        send->timed_at = connection->tcp->now;
    } else {
        send->timing = false;
        connection->tally.segments_retransmitted++;
        connection->tcp->counters.segments_retransmitted++;
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_RETRANSMIT,
                offset_seq(send->iss).value, 1, "SYN");
    }
    if (!send->timer.set)
        tcp_rto_restart(connection);
    return true;
}

/* What lies beyond a gap is told in an ACK of its own: a full segment has no room for it. */
static bool tells_of_gap(const struct connection *connection)
{
    return connection->receive.acks_owed > 0 && tcp_sack_pending(connection);
}

bool tcp_output_next(struct connection *connection, struct daytona_packet_out *out)
{
    enum daytona_tcp_state state = connection->socket->state;
    struct outgoing what = {.seq = connection->send.nxt};
    bool any;
    tcp_path_refresh(connection);
    if (tells_of_gap(connection) || tcp_ecn_reflects(connection))
        any = false;
    else if (!tcp_state_synchronized(state))
        any = syn_segment(connection, &what) ||
              (connection->fastopen == FASTOPEN_EARLY && data_segment(connection, &what));
    else
        any = data_segment(connection, &what) || probe_segment(connection, &what);
    bool acknowledge = connection->receive.acks_owed > 0 && state != DAYTONA_TCP_SYN_SENT;
    if (any || acknowledge)
        tcp_transmit(connection, &what, out);
    else if (tcp_state_synchronized(state))
        arm_when_held(connection);
    if (!any && tcp_state_synchronized(state))
        tcp_limit_note(connection);
    return any || acknowledge;
}

bool tcp_output_waits(const struct tcp *tcp)
{
    return list_first(&tcp->output) != NULL || list_first(&tcp->replies) != NULL ||
           list_first(&tcp->requests) != NULL;
}

bool tcp_output(struct tcp *tcp, struct daytona_packet_out *out)
{
    if (tcp_reply_output(tcp, out) || tcp_request_output(tcp, out)) {
        if (observe_wanted(tcp, DAYTONA_EVENT_SEGMENT_OUT))
            observe_bare_out(tcp, out);
        return true;
    }
    struct list_node *node;
    while ((node = list_first(&tcp->output)) != NULL) {
        struct connection *connection = OWNER_OF(node, struct connection, output);
        list_remove(node);
        profile_found(connection->socket);
        if (tcp_output_next(connection, out)) {
            socket_stir(connection->socket);
            tcp_output_want(connection); /* behind the others */
            return true;
        }
    }
    return false;
}
