/*
 * Segment arrives: RFC 9293 section 3.10.7. Checks the checksum, finds the connection, and for a
 * synchronized one walks the steps of section 3.10.7.4, which are the tables below.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/tcp/tcp_signature.h"

#include <errno.h>

#define TICKS_LOST_MAX     1
#define TIMESTAMP_STALE_US (UINT64_C(24) * 24 * 3600 * 1000000) /* RFC 7323 section 5.5 */

/* Text that cannot be taken is acknowledged each time, or its sender would never learn; anything
 * else at a bounded rate, or two ends could answer each other for ever. */
static void acknowledge_unacceptable(struct connection *connection, const struct segment *segment)
{
    if ((segment->flags & TCP_SYN) != 0) { /* RFC 5961 section 4.2: in the window or not */
        tcp_ack_challenge(connection);
    } else if (segment->payload.length > 0 || (segment->flags & TCP_FIN) != 0) {
        connection->tcp->counters.duplicates++;
        tcp_sack_duplicate(
            connection, segment->seq,
            offset_earlier(segment->seq + segment_length(segment), connection->receive.nxt));
        tcp_ack_duplicate(connection);
    } else {
        tcp_ack_unacceptable(connection);
    }
}

/* How much newer the segment's timestamp is than TS.Recent; 0 when that is too old to compare. */
static int32_t timestamp_ahead(const struct connection *connection, const struct segment *segment)
{
    const struct receiver *receive = &connection->receive;
    int32_t ahead = (int32_t)(segment->header.timestamp_value - receive->timestamp_recent);
    bool stale =
        daytona_instant_since_us(connection->tcp->now, receive->timestamp_at) > TIMESTAMP_STALE_US;
    return stale && ahead < 0 ? 0 : ahead;
}

/* Linux tcp_disordered_ack(): a bare ACK that was overtaken not long ago is harmless, and what it
 * SACKs may be news. */
static bool is_overtaken_ack(const struct connection *connection, const struct segment *segment,
                             int32_t ahead)
{
    const struct sender *send = &connection->send;
    int64_t late_us = -(int64_t)ahead * 1000;
    return (segment->flags & ~(TCP_ECE | TCP_CWR)) == TCP_ACK && segment->payload.length == 0 &&
           segment->seq == connection->receive.nxt && segment->ack == send->una &&
           segment->window == send->wnd && late_us <= (int64_t)send->rto_us * 6 / 5;
}

/* RFC 7323 section 5.3 R1: an old timestamp is an old duplicate. A reset needs no timestamp; and
 * one tick may be lost between two processors of the peer (Linux TCP_PAWS_WINDOW). */
static bool step_timestamp(struct connection *connection, struct segment *segment,
                           enum daytona_verdict *verdict)
{
    if (!connection->timestamps || !segment->header.has_timestamps)
        return true;
    int32_t ahead = timestamp_ahead(connection, segment);
    if (ahead < -TICKS_LOST_MAX && (segment->flags & TCP_RST) == 0 &&
        !is_overtaken_ack(connection, segment, ahead)) {
        statistics_soft_error(connection, SOFT_ERROR_OLD_TIMESTAMP);
        acknowledge_unacceptable(connection, segment);
        *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
        return false;
    }
    return true;
}

/* RFC 9293 section 3.4, the four cases; and with a closed window ACK, URG and RST still count. A
 * bare ACK on the right edge counts too, as in Linux: so a peer speaks that has filled the window
 * and whose text is still on its way or lost. */
static bool sequence_acceptable(const struct receiver *receive, const struct segment *segment)
{
    uint32_t length = segment_length(segment);
    uint64_t window = receive->edge > receive->nxt ? receive->edge - receive->nxt : 0;
    if (window == 0)
        return segment->seq == receive->nxt;
    if (length == 0)
        return segment->seq >= receive->nxt && segment->seq <= receive->nxt + window;
    return segment->seq < receive->nxt + window && segment->seq + length > receive->nxt;
}

/* Text that is here already, but was not when we acknowledged last: whatever else it says may be
 * news. So a peer speaks whose tail probe has met our delayed ACK. (Linux's rcv_wup.) */
static bool repeats_the_last(const struct receiver *receive, const struct segment *segment)
{
    uint64_t end = segment->seq + segment_length(segment);
    return (segment->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK && end > segment->seq &&
           end >= receive->acked && end <= receive->nxt;
}

/* RFC 7323 section 4.3: TS.Recent is the timestamp of the segment at the left edge. */
static void timestamp_remember(struct connection *connection, const struct segment *segment)
{
    struct receiver *receive = &connection->receive;
    if (connection->timestamps && segment->header.has_timestamps &&
        segment->seq <= receive->acked && timestamp_ahead(connection, segment) >= 0) {
        receive->timestamp_recent = segment->header.timestamp_value;
        receive->timestamp_at = connection->tcp->now;
    }
}

/* Simultaneous open: the SYN-ACK repeats a SYN that is already here; what it acknowledges is
 * news. */
static bool answers_crossed_syn(const struct connection *connection, const struct segment *segment)
{
    return connection->socket->state == DAYTONA_TCP_SYN_RECEIVED && !connection->passive &&
           (segment->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
           segment->seq == connection->receive.irs;
}

/* The peer has sent FIN, and then reset with the number of the FIN: it answers what we had sent
 * before its FIN was here, and knows no other number (RFC 9293 section 3.10.7.1 takes it from the
 * ACK field). Linux believes it too. */
static bool resets_with_its_fin(const struct connection *connection, const struct segment *segment)
{
    const struct receiver *receive = &connection->receive;
    return (segment->flags & TCP_RST) != 0 && segment->payload.length == 0 && receive->fin_seen &&
           receive->nxt == receive->fin_at + 1 && segment->seq == receive->fin_at;
}

/* First, check sequence number. */
static bool step_sequence(struct connection *connection, struct segment *segment,
                          enum daytona_verdict *verdict)
{
    struct receiver *receive = &connection->receive;
    if (answers_crossed_syn(connection, segment)) {
        segment->flags &= (uint8_t)~TCP_SYN;
        segment->seq++;
    }
    if (sequence_acceptable(receive, segment)) {
        timestamp_remember(connection, segment);
        tcp_user_timeout_take(connection, &segment->header);
        receive->last_segment = connection->tcp->now;
        return true;
    }
    if (resets_with_its_fin(connection, segment))
        return true;
    segment->repeated =
        connection->socket->state != DAYTONA_TCP_SYN_RECEIVED && repeats_the_last(receive, segment);
    if (segment->repeated) {
        acknowledge_unacceptable(connection, segment);
        timestamp_remember(connection, segment);
        return true;
    }
    *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
    statistics_soft_error(connection, segment->seq < receive->nxt ? SOFT_ERROR_BELOW_DATA
                                                                  : SOFT_ERROR_ABOVE_DATA);
    if ((segment->flags & TCP_RST) != 0)
        return false;
    if (connection->socket->state == DAYTONA_TCP_SYN_RECEIVED && (segment->flags & TCP_SYN) != 0 &&
        segment->seq == receive->irs) {
        /* Our SYN-ACK was lost; the peer is alive, so the next timeout is reckoned from now. */
        if (connection->timestamps && segment->header.has_timestamps)
            receive->timestamp_recent = segment->header.timestamp_value;
        tcp_ecn_asked_again(connection, segment);
        connection->send.syn_due = true;
        tcp_rto_restart(connection);
        tcp_output_want(connection);
    } else {
        acknowledge_unacceptable(connection, segment);
    }
    return false;
}

/* RFC 5961 section 3.2 believes only the next number expected. As Linux does, the end of what has
 * arrived beyond a gap counts too: that is where a peer stands whose lost data we miss. */
static bool reset_believed(const struct connection *connection, const struct segment *segment)
{
    const struct receiver *receive = &connection->receive;
    if (segment->seq == receive->nxt || resets_with_its_fin(connection, segment))
        return true;
    const struct range *last = connection->sack ? receive->ranges.first : NULL;
    while (last != NULL && last->next != NULL)
        last = last->next;
    return last != NULL && segment->seq == last->end;
}

/* Second, check the RST bit. */
static bool step_reset(struct connection *connection, struct segment *segment,
                       enum daytona_verdict *verdict)
{
    struct socket *socket = connection->socket;
    if ((segment->flags & TCP_RST) == 0)
        return true;
    if (!reset_believed(connection, segment)) {
        tcp_ack_challenge(connection);
        *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
        return false;
    }
    connection->tcp->counters.resets_received++;
    observe(connection->tcp, socket, DAYTONA_EVENT_RESET, 2, 0, "received");
    /* Linux says "reset" also where RFC 9293 would have "refused", in SYN-RECEIVED. */
    int error = socket->state == DAYTONA_TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
    if (socket->state == DAYTONA_TCP_CLOSING || socket->state == DAYTONA_TCP_LAST_ACK)
        error = 0;
    connection_end(connection, error, "RST received");
    *verdict = DAYTONA_VERDICT_ACCEPTED;
    return false;
}

/* Fourth, check the SYN bit; RFC 5961 section 4.2. (Third, security, is not used: RFC 9293 appendix
 * A.1.) */
static bool step_syn(struct connection *connection, struct segment *segment,
                     enum daytona_verdict *verdict)
{
    if ((segment->flags & TCP_SYN) == 0)
        return true;
    *verdict = DAYTONA_VERDICT_UNACCEPTABLE;
    tcp_ack_challenge(connection);
    return false;
}

/* Fifth, check the ACK field. */
static bool step_acknowledge(struct connection *connection, struct segment *segment,
                             enum daytona_verdict *verdict)
{
    struct daytona_profiler *profiler = connection->tcp->profiler;
    daytona_profile_enter(profiler, DAYTONA_ACTIVITY_acks);
    bool go_on = tcp_step_acknowledge(connection, segment, verdict);
    daytona_profile_leave(profiler);
    return go_on;
}

/* The walk: what the header says, then what the segment brings. */
typedef bool step(struct connection *, struct segment *, enum daytona_verdict *);
static step *const header_steps[] = {
    step_timestamp, step_sequence, step_reset, step_syn, tcp_step_ecn, step_acknowledge, NULL,
};
static step *const content_steps[] = {tcp_step_urgent, tcp_step_text, tcp_step_fin, NULL};

static enum daytona_verdict walk(step *const *steps, struct connection *connection,
                                 struct segment *segment, bool *stopped)
{
    enum daytona_verdict verdict = DAYTONA_VERDICT_ACCEPTED;
    *stopped = false;
    for (; *steps != NULL && !*stopped; steps++)
        *stopped = !(*steps)(connection, segment, &verdict);
    return verdict;
}

enum daytona_verdict tcp_arrival(struct connection *connection, struct segment *segment)
{
    bool stopped;
    enum daytona_verdict verdict = walk(header_steps, connection, segment, &stopped);
    if (stopped)
        return verdict;
    return segment->repeated ? DAYTONA_VERDICT_UNACCEPTABLE
                             : tcp_arrival_after_ack(connection, segment);
}

enum daytona_verdict tcp_arrival_after_ack(struct connection *connection, struct segment *segment)
{
    bool stopped;
    return walk(content_steps, connection, segment, &stopped);
}

/* Unwraps the segment's numbers next to what the connection expects. */
static void segment_place(const struct connection *connection, struct segment *segment)
{
    const struct tcp_header *header = &segment->header;
    segment->seq = offset_near(connection->receive.nxt, header->seq);
    segment->ack = offset_near(connection->send.una, header->ack);
    bool scaled = (header->flags & TCP_SYN) == 0 && connection->window_scaling;
    segment->window = (uint32_t)header->window << (scaled ? connection->send.window_scale : 0);
}

static enum daytona_verdict connection_input(struct connection *connection, struct segment *segment)
{
    segment_place(connection, segment);
    connection->tally.segments_in++;
    connection->statistics.hops_in = segment->hops;
    connection->statistics.type_of_service_in = segment->type_of_service;
    if (connection->socket->state == DAYTONA_TCP_SYN_SENT)
        return tcp_syn_sent_input(connection, segment);
    return tcp_arrival(connection, segment);
}

/* RFC 5082: neighbours' packets have come over no router, so nobody farther off can send them. */
static bool too_far(const struct socket *socket, const struct segment *segment)
{
    return segment->hops < socket->options[DAYTONA_OPTION_MINIMUM_HOPS];
}

static void profile_segment_in(const struct socket *socket, const struct segment *segment)
{
    profile_found(socket);
    if (socket->tcp->profiler != NULL)
        daytona_profiler_arrived(socket->tcp->profiler, segment->payload.length);
}

/* A segment for no connection: a listener's, or nobody's. */
static enum daytona_verdict unconnected_input(struct tcp *tcp, const struct demux_entry *tuple,
                                              struct segment *segment)
{
    /* Only a connection may have the same end twice (it connected to itself); a listener that
     * answers would talk to itself. */
    if (daytona_endpoint_equal(&tuple->local, &tuple->remote))
        return DAYTONA_VERDICT_NOT_FOR_US;
    enum daytona_verdict verdict;
    struct socket *listener = tcp_listener_find(tcp, &tuple->local, &tuple->remote);
    if (listener != NULL)
        profile_segment_in(listener, segment);
    if (listener == NULL)
        return tcp_reset_unknown(tcp, tuple, &segment->header, segment_length(segment));
    socket_stir(listener);
    if (too_far(listener, segment))
        return DAYTONA_VERDICT_TOO_FAR;
    if (!signature_accept(listener, NULL, tuple, segment, &verdict))
        return verdict;
    if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_ACK)
        return tcp_listen_input(listener, tuple, segment, NULL);
    struct connection *child = tcp_listen_cookie(listener, tuple, segment, &verdict);
    return child == NULL ? verdict : connection_input(child, segment);
}

static enum daytona_verdict request_input(struct request *request, struct segment *segment)
{
    enum daytona_verdict verdict;
    if (!signature_accept(request->listener, &request->entry, &request->entry, segment, &verdict))
        return verdict;
    struct connection *child = tcp_request_input(request, segment, &verdict);
    return child == NULL ? verdict : connection_input(child, segment);
}

static enum daytona_verdict deliver(struct tcp *tcp, const struct demux_entry *tuple,
                                    struct demux_entry *entry, struct segment *segment)
{
    if (observe_wanted(tcp, DAYTONA_EVENT_SEGMENT_IN))
        observe_segment_in(tcp, tuple, entry, segment);
    if (entry == NULL)
        return unconnected_input(tcp, tuple, segment);
    struct request *request =
        entry->owner == DEMUX_REQUEST ? OWNER_OF(entry, struct request, entry) : NULL;
    struct socket *socket =
        request != NULL ? request->listener : OWNER_OF(entry, struct socket, entry);
    socket_stir(socket);
    if (socket->parent != NULL)
        socket_stir(socket->parent); /* whose queues it may move in */
    profile_segment_in(socket, segment);
    if (too_far(socket, segment))
        return DAYTONA_VERDICT_TOO_FAR;
    if (request != NULL)
        return request_input(request, segment);
    enum daytona_verdict verdict;
    if (!signature_accept(socket, entry, tuple, segment, &verdict))
        return verdict;
    if (socket->state == DAYTONA_TCP_TIME_WAIT)
        return tcp_time_wait_input(socket, tuple, segment);
    return connection_input(socket->connection, segment);
}

static enum daytona_verdict dispatch(struct tcp *tcp, const struct demux_entry *tuple,
                                     struct segment *segment)
{
    struct demux_entry *entry = demux_find_tuple(&tcp->demux, &tuple->local, &tuple->remote);
    daytona_profile_enter(tcp->profiler, DAYTONA_ACTIVITY_receive);
    enum daytona_verdict verdict = deliver(tcp, tuple, entry, segment);
    daytona_profile_leave(tcp->profiler);
    return verdict;
}

/* True when the checksum is right, or all that a local offloading sender leaves. */
static bool checksum_right(struct tcp *tcp, const struct daytona_address *source,
                           const struct daytona_address *destination, struct daytona_span bytes)
{
    daytona_profile_enter(tcp->profiler, DAYTONA_ACTIVITY_checksum);
    enum tcp_checksum judged = tcp_checksum_judge(source, destination, bytes);
    daytona_profile_leave(tcp->profiler);
    switch (judged) {
    case TCP_CHECKSUM_COMPLETE:
        tcp->counters.checksums_complete++;
        return true;
    case TCP_CHECKSUM_PARTIAL:
        tcp->counters.checksums_partial += tcp->config.accept_partial_checksum;
        return tcp->config.accept_partial_checksum;
    case TCP_CHECKSUM_BAD:
        break;
    }
    return false;
}

/* The damaged segment's ports are probably right. */
static enum daytona_verdict damaged(struct tcp *tcp, const struct demux_entry *tuple, size_t length)
{
    struct demux_entry *entry = demux_find_tuple(&tcp->demux, &tuple->local, &tuple->remote);
    struct connection *connection = entry == NULL || entry->owner != DEMUX_SOCKET
                                        ? NULL
                                        : OWNER_OF(entry, struct socket, entry)->connection;
    if (connection != NULL) {
        socket_stir(connection->socket);
        connection->tally.checksum_errors++;
        statistics_soft_error(connection, SOFT_ERROR_CHECKSUM);
        observe(tcp, connection->socket, DAYTONA_EVENT_BAD_CHECKSUM, length, 0, NULL);
    }
    return DAYTONA_VERDICT_BAD_CHECKSUM;
}

enum daytona_verdict tcp_input(struct tcp *tcp, const struct daytona_address *source,
                               const struct daytona_address *destination, uint8_t type_of_service,
                               uint8_t hops, struct daytona_span bytes)
{
    struct segment segment = {.bytes = bytes,
                              .ecn = (enum ip_ecn)(type_of_service & IP_ECN_MASK),
                              .type_of_service = type_of_service,
                              .hops = hops};
    if (tcp_header_parse(bytes, &segment.header, &segment.payload) < 0)
        return DAYTONA_VERDICT_BAD_TCP_HEADER;
    struct demux_entry tuple = {
        .local = {*destination, segment.header.destination_port},
        .remote = {*source, segment.header.source_port},
    };
    if (!checksum_right(tcp, source, destination, bytes))
        return damaged(tcp, &tuple, bytes.length);
    if (segment.header.source_port == 0 || segment.header.destination_port == 0)
        return DAYTONA_VERDICT_NOT_FOR_US;
    segment.flags = segment.header.flags;
    return dispatch(tcp, &tuple, &segment);
}
