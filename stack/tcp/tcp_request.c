/*
 * SYN-RECEIVED of a listener's side, without a connection: the SYN-ACK and its repetitions, and
 * the steps of RFC 9293 section 3.10.7.4 until the ACK that makes a connection.
 */
#include "stack/tcp/tcp_fastopen.h"

#include <errno.h>

#define SYN_ACK_RETRIES_MAX 5u /* Linux net.ipv4.tcp_synack_retries */

/* ------------------------------------------------------------------ life */

static void syn_ack_want(struct request *request)
{
    if (!list_holds(&request->due))
        list_append(&request->listener->tcp->requests, &request->due);
}

int request_new(struct socket *listener, const struct demux_entry *tuple,
                const struct handshake *handshake)
{
    struct tcp *tcp = listener->tcp;
    struct request *request = memory_take_zeroed(tcp->memory, sizeof *request);
    tcp->counters.allocation_failures += request == NULL;
    if (request == NULL)
        return -ENOMEM;
    request->entry.local = tuple->local;
    request->entry.remote = tuple->remote;
    request->entry.owner = DEMUX_REQUEST;
    request->listener = listener;
    request->handshake = *handshake;
    request->begun = tcp->now;
    request->timer.kind = TIMER_SYN_ACK;
    if (demux_insert_tuple(&tcp->demux, &request->entry) < 0 || !request_name(tcp, request)) {
        demux_remove_tuple(&tcp->demux, &request->entry);
        memory_return(tcp->memory, request);
        return -ENOMEM;
    }
    list_append(&listener->listener.requests, &request->sibling);
    listener->listener.request_count++;
    listener->listener.kept++;
    observe_request(request, DAYTONA_EVENT_STATE, DAYTONA_TCP_CLOSED, DAYTONA_TCP_SYN_RECEIVED,
                    "SYN received");
    syn_ack_want(request);
    return 0;
}

void request_release(struct request *request)
{
    struct tcp *tcp = request->listener->tcp;
    demux_remove_tuple(&tcp->demux, &request->entry);
    timer_cancel(&tcp->timers, &request->timer);
    list_remove(&request->due);
    list_remove(&request->sibling);
    request->listener->listener.request_count--;
    memory_return(tcp->memory, request);
}

void request_drop(struct request *request, const char *cause)
{
    observe_request(request, DAYTONA_EVENT_STATE, DAYTONA_TCP_SYN_RECEIVED, DAYTONA_TCP_CLOSED,
                    cause);
    request_unname(request->listener->tcp, request);
    request_release(request);
}

static uint32_t timeout_us(const struct request *request)
{
    uint64_t us = RTO_INITIAL_US;
    for (uint32_t i = 0; i < request->tries && us < RTO_MAX_US; i++)
        us *= 2;
    return us > RTO_MAX_US ? RTO_MAX_US : (uint32_t)us;
}

void tcp_request_info(const struct request *request, struct daytona_connection_info *out)
{
    const struct handshake *handshake = &request->handshake;
    *out = (struct daytona_connection_info){
        .id = request->id,
        .local = request->entry.local,
        .remote = request->entry.remote,
        .state = DAYTONA_TCP_SYN_RECEIVED,
        .congestion = request->listener->congestion->name,
        .timestamps_on = handshake->timestamps,
        .sack_on = handshake->sack,
        .window_scaling_on = handshake->scaling,
        .send_window_scale = handshake->peer_scale,
        .receive_window_scale = handshake->scale,
        .backoff = request->tries,
        .retransmit_tries = request->tries,
        .rto_us = timeout_us(request),
        .advertised_mss = handshake->advertised_mss,
        .path_mtu = handshake->path_mtu,
        .ssthresh_bytes = UINT32_MAX,
        .send_window = handshake->peer_window,
        .receive_window = handshake->window,
        .timeouts = request->tries,
        .segments_retransmitted = request->repeated,
        .age_us = daytona_instant_since_us(request->listener->tcp->now, request->begun),
    };
}

/* ------------------------------------------------------------------ the SYN-ACK */

/* RFC 6298 section 5.5; the peer of a SYN that came again is alive, and the next timeout is
 * reckoned from there. */
static void timer_restart(struct request *request)
{
    struct tcp *tcp = request->listener->tcp;
    timer_set(&tcp->timers, &request->timer,
              daytona_instant_after_us(tcp->now, timeout_us(request)));
}

/* TCP_DEFER_ACCEPT, as Linux counts it: so many timeouts are waited for the client to speak. */
static uint32_t deferred_tries(const struct request *request)
{
    return (uint32_t)request->listener->options[DAYTONA_OPTION_DEFER_ACCEPT];
}

/* The client is there, and all that is missing is that it says something. */
static bool defers(const struct request *request)
{
    return request->acknowledged && request->tries < deferred_tries(request);
}

/* Linux reqsk_timer_handler(): while a silent client is waited for, nothing is sent; with the last
 * timeout it gets one more SYN-ACK, and the ACK of that will do. */
void tcp_request_fired(struct request *request)
{
    struct tcp *tcp = request->listener->tcp;
    bool again = !request->acknowledged || request->tries + 1u >= deferred_tries(request);
    if (request->tries >= SYN_ACK_RETRIES_MAX && !defers(request)) {
        request_drop(request, "no answer to SYN");
        return;
    }
    tcp->counters.timeouts++;
    observe_request(request, DAYTONA_EVENT_TIMEOUT, timeout_us(request), request->tries + 1u,
                    "SYN");
    request->tries++;
    timer_restart(request);
    if (again)
        syn_ack_want(request);
}

static void count_repetition(struct request *request)
{
    request->ambiguous = true;
    request->repeated++;
    request->listener->tcp->counters.segments_retransmitted++;
    observe_request(request, DAYTONA_EVENT_RETRANSMIT, request->handshake.iss.value, 1, "SYN");
}

bool tcp_request_output(struct tcp *tcp, struct daytona_packet_out *out)
{
    struct list_node *node = list_first(&tcp->requests);
    if (node == NULL)
        return false;
    struct request *request = OWNER_OF(node, struct request, due);
    list_remove(node);
    if (request->sent.ns != 0)
        count_repetition(request);
    else
        request->sent = tcp->now;
    if (!request->timer.set)
        timer_restart(request);
    const struct handshake *handshake = &request->handshake;
    struct tcp_header header = handshake_syn_ack(handshake, &request->entry,
                                                 tcp_timestamp(tcp, handshake->timestamp_offset));
    if (handshake->ecn == DAYTONA_ECN_MODE_ACCURATE && request->repeated == 0)
        tcp_accecn_begin_option(&header);
    header.has_fastopen = handshake->gives_cookie;
    if (handshake->gives_cookie)
        header.fastopen = tcp_fastopen_cookie(request->listener, &request->entry);
    tcp_bare_output(request->listener, &request->entry, &header, out);
    return true;
}

/* ------------------------------------------------------------------ arrival */

/* A challenge ACK (RFC 5961), or the ACK of an unacceptable segment. */
static void acknowledge(struct request *request)
{
    struct tcp *tcp = request->listener->tcp;
    const struct handshake *handshake = &request->handshake;
    if (!tcp_challenge_allowed(tcp, NULL, &request->answered))
        return;
    const struct reply reply = {
        .local = request->entry.local,
        .remote = request->entry.remote,
        .header = {.seq = seq_add(handshake->iss, 1),
                   .ack = seq_add(handshake->irs, 1),
                   .window = (uint16_t)(handshake->window >> handshake->scale),
                   .flags = TCP_ACK,
                   .has_timestamps = handshake->timestamps,
                   .timestamp_value = tcp_timestamp(tcp, handshake->timestamp_offset),
                   .timestamp_echo = handshake->timestamp_recent},
    };
    tcp_reply(tcp, &reply);
}

/* RFC 7323 section 5.3 R1. */
static bool is_old(const struct handshake *handshake, const struct segment *segment)
{
    const struct tcp_header *header = &segment->header;
    return handshake->timestamps && header->has_timestamps && (segment->flags & TCP_RST) == 0 &&
           (int32_t)(header->timestamp_value - handshake->timestamp_recent) < 0;
}

/* RFC 9293 section 3.4, the four cases. */
static bool sequence_acceptable(const struct handshake *handshake, const struct segment *segment)
{
    int64_t start = (int32_t)(segment->header.seq.value - handshake->irs.value - 1);
    int64_t length = segment_length(segment), window = handshake->window;
    if (window == 0)
        return start == 0;
    if (length == 0)
        return start >= 0 && start <= window;
    return start < window && start + length > 0;
}

/* The peer has not seen our SYN-ACK. */
static bool is_same_syn(const struct handshake *handshake, const struct segment *segment)
{
    return (segment->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN &&
           seq_equal(segment->header.seq, handshake->irs);
}

static void answer_again(struct request *request, const struct segment *segment)
{
    if (tcp_accecn_ace(&segment->header) == 0) /* RFC 3168 section 6.1.1.1: it asks for less */
        request->handshake.ecn = DAYTONA_ECN_MODE_NONE;
    if (request->handshake.timestamps && segment->header.has_timestamps)
        request->handshake.timestamp_recent = segment->header.timestamp_value;
    if (request->sent.ns != 0)
        timer_restart(request);
    syn_ack_want(request);
}

/* First, the sequence number. */
static bool step_sequence(struct request *request, const struct segment *segment)
{
    struct handshake *handshake = &request->handshake;
    bool old = is_old(handshake, segment);
    if (!old && sequence_acceptable(handshake, segment))
        return true;
    if (!old && is_same_syn(handshake, segment))
        answer_again(request, segment);
    else if ((segment->flags & TCP_RST) == 0)
        acknowledge(request);
    return false;
}

/* Second, the RST bit; RFC 5961 section 3.2. */
static enum daytona_verdict reset(struct request *request, const struct segment *segment)
{
    struct tcp *tcp = request->listener->tcp;
    if (!seq_equal(segment->header.seq, seq_add(request->handshake.irs, 1))) {
        acknowledge(request);
        return DAYTONA_VERDICT_UNACCEPTABLE;
    }
    tcp->counters.resets_received++;
    observe_request(request, DAYTONA_EVENT_RESET, 2, 0, "received");
    request_drop(request, "RST received");
    return DAYTONA_VERDICT_ACCEPTED;
}

struct connection *tcp_request_input(struct request *request, const struct segment *segment,
                                     enum daytona_verdict *verdict)
{
    struct socket *listener = request->listener;
    *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
    if (!step_sequence(request, segment))
        return NULL;
    if ((segment->flags & TCP_RST) != 0) {
        *verdict = reset(request, segment);
        return NULL;
    }
    if ((segment->flags & TCP_SYN) != 0) { /* fourth; RFC 5961 section 4.2 */
        acknowledge(request);
        return NULL;
    }
    if ((segment->flags & TCP_ACK) == 0) /* fifth */
        return NULL;
    if (!seq_equal(segment->header.ack, seq_add(request->handshake.iss, 1))) {
        *verdict = tcp_reset_unknown(listener->tcp, &request->entry, &segment->header,
                                     segment_length(segment));
        return NULL;
    }
    if (request->tries < deferred_tries(request) && segment_length(segment) == 0) {
        request->acknowledged = true;
        *verdict = DAYTONA_VERDICT_ACCEPTED;
        return NULL;
    }
    if (tcp_listen_overflows(listener)) {
        *verdict = DAYTONA_VERDICT_BACKLOG_FULL;
        if (option_on(listener, DAYTONA_OPTION_ABORT_ON_OVERFLOW)) {
            *verdict = tcp_reset_unknown(listener->tcp, &request->entry, &segment->header,
                                         segment_length(segment));
            request_drop(request, "accept queue full");
        }
        return NULL;
    }
    *verdict = DAYTONA_VERDICT_NO_MEMORY;
    return handshake_child(listener, &request->entry, &request->handshake, request, NULL);
}
