/*
 * RFC 9293 section 3.10.7.4, sixth to eighth: urgent pointer, segment text, FIN. Text goes straight
 * into the receive buffer at its offset, in order or not.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#include <errno.h>

/* Ranges held beyond gaps, a list that is walked for each segment: an attacker's crumbs end here.
 * As many as when every second segment of 1.5 MB is lost; what does not fit is sent again. */
#define GAPS_MAX 512u

/* States in which the peer may still send text. */
static bool text_welcome(enum daytona_tcp_state state)
{
    return state == DAYTONA_TCP_ESTABLISHED || state == DAYTONA_TCP_FIN_WAIT_1 ||
           state == DAYTONA_TCP_FIN_WAIT_2 ||
           state == DAYTONA_TCP_SYN_RECEIVED; /* what a SYN brought by Fast Open */
}

/* The mark moves on while the reader stands at the old one: the old byte, which has been told
 * apart from the stream, is not put back into it. */
static void drop_old_urgent(struct connection *connection)
{
    const struct receiver *receive = &connection->receive;
    if (receive->urgent != URGENT_NONE && receive->urgent_at == receive->read &&
        receive->read < receive->nxt &&
        !option_on(connection->socket, DAYTONA_OPTION_URGENT_INLINE))
        tcp_received(connection, 1);
}

/* Linux reads the pointer as BSD did: it points one past the urgent byte (RFC 6093 section 3). */
bool tcp_step_urgent(struct connection *connection, struct segment *segment,
                     enum daytona_verdict *verdict)
{
    struct receiver *receive = &connection->receive;
    *verdict = DAYTONA_VERDICT_ACCEPTED;
    if ((segment->flags & TCP_URG) == 0 || segment->header.urgent_pointer == 0 ||
        !text_welcome(connection->socket->state))
        return true;
    uint64_t at = segment->seq + segment->header.urgent_pointer - 1;
    if (at < receive->read || (receive->urgent != URGENT_NONE && at <= receive->urgent_at))
        return true;
    drop_old_urgent(connection);
    receive->urgent = URGENT_EXPECTED;
    receive->urgent_at = at;
    socket_changed(connection->socket, DAYTONA_READY_URGENT);
    return true;
}

/* Cuts away what is already here, what lies beyond the window, and what would follow FIN. */
static void trim(const struct receiver *receive, struct segment *segment)
{
    uint64_t limit = receive->edge;
    if (receive->fin_seen && receive->fin_at < limit)
        limit = receive->fin_at;
    if (segment->seq < receive->nxt) {
        uint64_t old = receive->nxt - segment->seq;
        size_t cut = old < segment->payload.length ? (size_t)old : segment->payload.length;
        segment->payload.data += cut;
        segment->payload.length -= cut;
        segment->seq += cut;
    }
    uint64_t room = segment->seq < limit ? limit - segment->seq : 0;
    if (segment->payload.length > room) {
        segment->payload.length = (size_t)room;
        segment->flags &= (uint8_t)~TCP_FIN;
    }
}

/* Throws away the text that is farthest beyond a gap, if that is beyond `end`: it is the last that
 * will be of use, and RFC 2018 section 8 allows it although it has been SACKed. */
static bool prune(struct connection *connection, uint64_t end)
{
    struct receiver *receive = &connection->receive;
    struct memory *memory = connection->tcp->memory;
    const struct range *last = ranges_last(&receive->ranges);
    if (last == NULL || last->start <= end)
        return false;
    ranges_drop_from(&receive->ranges, memory, last->start);
    last = ranges_last(&receive->ranges);
    pages_cut(&receive->pages, memory, last != NULL ? last->end : receive->nxt);
    connection->tcp->counters.out_of_order_pruned++;
    return true;
}

/* Writes text to its place; returns the bytes for which there was memory. */
static size_t keep_text(struct connection *connection, const struct segment *segment)
{
    struct receiver *receive = &connection->receive;
    struct memory *memory = connection->tcp->memory;
    struct daytona_profiler *profiler = connection->tcp->profiler;
    uint64_t end = segment->seq + segment->payload.length;
    size_t kept;
    daytona_profile_enter(profiler, DAYTONA_ACTIVITY_copy_in);
    do
        kept = pages_write(&receive->pages, memory, segment->seq, segment->payload);
    while (kept < segment->payload.length && prune(connection, end));
    daytona_profile_leave(profiler);
    if (kept < segment->payload.length)
        connection->tcp->counters.allocation_failures++;
    return kept;
}

/* Keeps text beyond a gap; returns the bytes that are new. */
static int64_t keep_block(struct connection *connection, const struct segment *segment)
{
    struct ranges *ranges = &connection->receive.ranges;
    struct memory *memory = connection->tcp->memory;
    int64_t added;
    do {
        uint64_t end = segment->seq + keep_text(connection, segment);
        added = ranges_add(ranges, memory, segment->seq, end, GAPS_MAX);
    } while (added < 0 && prune(connection, segment->seq + segment->payload.length));
    return added;
}

/* Text beyond a gap. */
static void take_beyond_gap(struct connection *connection, const struct segment *segment)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    uint64_t end = segment->seq + segment->payload.length;
    tcp_sack_overlap(connection, segment->seq, end);
    int64_t added = keep_block(connection, segment);
    if (added > 0)
        tcp_sack_remember(receive, segment->seq);
    if (added == 0)
        tcp->counters.duplicates++;
    tcp->counters.out_of_order++;
    connection->tally.out_of_order_in++;
    trouble_raise(connection, TROUBLE_REASSEMBLY_MAX, (uint32_t)receive->ranges.bytes);
    observe_more(tcp, connection->socket, DAYTONA_EVENT_OUT_OF_ORDER,
                 (struct event_numbers){offset_seq(segment->seq).value, segment->payload.length,
                                        offset_seq(receive->nxt).value, receive->ranges.count},
                 NULL);
    receive->last_data = tcp->now;
    tcp_ack_duplicate(connection);
}

/* Text at nxt, and what it makes contiguous. */
static void take_in_order(struct connection *connection, const struct segment *segment)
{
    struct receiver *receive = &connection->receive;
    struct tcp *tcp = connection->tcp;
    uint64_t before = receive->nxt;
    tcp_autotune_arrival(connection, segment);
    tcp_sack_overlap(connection, segment->seq, segment->seq + segment->payload.length);
    receive->nxt += keep_text(connection, segment);
    bool filled = receive->ranges.count > 0;
    if (filled && receive->ranges.first->start <= receive->nxt) {
        receive->nxt = offset_later(receive->nxt, receive->ranges.first->end);
        ranges_drop_before(&receive->ranges, tcp->memory, receive->nxt);
    }
    connection->tally.bytes_received += receive->nxt - before;
    statistics_raise(&receive->queued_max, receive_queued(receive));
    receive->pushed = receive->pushed || (segment->flags & TCP_PSH) != 0;
    tcp_ack_schedule(connection, (uint32_t)segment->payload.length, filled);
    if (receive->nxt == before)
        return;
    unsigned edges = DAYTONA_READY_IN;
    if (receive->urgent == URGENT_EXPECTED && receive->urgent_at < receive->nxt &&
        receive->urgent_at >= before)
        edges |= DAYTONA_READY_URGENT;
    socket_changed(connection->socket, edges);
}

/* Closed, or shut for both ways. */
static bool nobody_reads(const struct socket *socket)
{
    bool fin_wait =
        socket->state == DAYTONA_TCP_FIN_WAIT_1 || socket->state == DAYTONA_TCP_FIN_WAIT_2;
    return socket->closed || (socket->shut_read && fin_wait);
}

/* RFC 9293 section 3.10.7.4 and RFC 1122 section 4.2.2.13: text that nobody will read. */
static bool reset_unread(struct connection *connection, const struct segment *segment,
                         enum daytona_verdict *verdict)
{
    const struct socket *socket = connection->socket;
    if (!nobody_reads(socket) || segment->payload.length == 0 ||
        segment->seq + segment->payload.length <= connection->receive.nxt)
        return false;
    tcp_reset_answer(connection, segment, "data after close");
    connection_end(connection, socket->closed ? 0 : ECONNRESET, "data after close");
    *verdict = DAYTONA_VERDICT_RESET_SENT;
    return true;
}

/* A FIN beyond a gap is only a claim, which a forger can make as well: text beyond it takes it
 * back. A true one is not acknowledged yet, and comes again. */
static void doubt_fin(struct receiver *receive, const struct segment *segment)
{
    bool reached = receive->nxt > receive->fin_at;
    if (receive->fin_seen && !reached && segment->seq + segment->payload.length > receive->fin_at)
        receive->fin_seen = false;
}

bool tcp_step_text(struct connection *connection, struct segment *segment,
                   enum daytona_verdict *verdict)
{
    struct receiver *receive = &connection->receive;
    if (!text_welcome(connection->socket->state))
        return true;
    if (reset_unread(connection, segment, verdict))
        return false;
    size_t length = segment->payload.length;
    connection->tally.data_segments_in += length > 0;
    connection->statistics.bytes_in += length;
    if (length > 0 && segment->seq < receive->nxt) {
        tcp_sack_duplicate(connection, segment->seq,
                           offset_earlier(segment->seq + length, receive->nxt));
        tcp_ack_now(connection);
    }
    doubt_fin(receive, segment);
    trim(receive, segment);
    if (length > 0 && segment->payload.length == 0) { /* all old, or no window at all */
        connection->tcp->counters.duplicates++;
        tcp_ack_duplicate(connection);
    } else if (length > 0 && segment->seq > receive->nxt) {
        take_beyond_gap(connection, segment);
    } else if (length > 0) {
        take_in_order(connection, segment);
    }
    return true;
}

/* All before the peer's FIN is here: eighth check. */
static void fin_reached(struct connection *connection)
{
    struct socket *socket = connection->socket;
    connection->receive.nxt = connection->receive.fin_at + 1;
    tcp_ack_now(connection);
    socket_changed(socket, DAYTONA_READY_IN | DAYTONA_READY_RDHUP |
                               (socket->shut_write ? DAYTONA_READY_HUP : 0));
    switch (socket->state) {
    case DAYTONA_TCP_ESTABLISHED:
        tcp_state_set(socket, DAYTONA_TCP_CLOSE_WAIT, "FIN received");
        break;
    case DAYTONA_TCP_FIN_WAIT_1:
        tcp_state_set(socket, DAYTONA_TCP_CLOSING, "FIN received");
        break;
    case DAYTONA_TCP_FIN_WAIT_2:
        tcp_time_wait_enter(connection);
        break;
    case DAYTONA_TCP_SYN_SENT:
    case DAYTONA_TCP_SYN_RECEIVED:
    case DAYTONA_TCP_TIME_WAIT:
    case DAYTONA_TCP_CLOSED:
    case DAYTONA_TCP_CLOSE_WAIT:
    case DAYTONA_TCP_LAST_ACK:
    case DAYTONA_TCP_LISTEN:
    case DAYTONA_TCP_CLOSING:
        break;
    }
}

/* Notes where the peer's FIN is. One in order is the end, whatever claims to lie beyond it (Linux
 * tcp_fin()); one beyond a gap counts if neither text nor another FIN contradicts it. */
static void note_fin(struct connection *connection, uint64_t at)
{
    struct receiver *receive = &connection->receive;
    struct memory *memory = connection->tcp->memory;
    if (receive->fin_seen && (at != receive->nxt || receive->nxt > receive->fin_at))
        return;
    if (at == receive->nxt) {
        ranges_drop_from(&receive->ranges, memory, at);
        pages_cut(&receive->pages, memory, at);
    }
    const struct range *last = ranges_last(&receive->ranges);
    receive->fin_seen = at >= receive->nxt && (last == NULL || last->end <= at);
    receive->fin_at = at;
}

bool tcp_step_fin(struct connection *connection, struct segment *segment,
                  enum daytona_verdict *verdict)
{
    struct receiver *receive = &connection->receive;
    *verdict = DAYTONA_VERDICT_ACCEPTED;
    bool welcome = text_welcome(connection->socket->state);
    bool fin = (segment->flags & TCP_FIN) != 0 && welcome;
    if (fin)
        note_fin(connection, segment->seq + segment->payload.length);
    if (fin && receive->fin_seen && receive->nxt != receive->fin_at && segment->payload.length == 0)
        tcp_ack_duplicate(connection); /* beyond a gap, each time it comes; text has done so */
    if (receive->fin_seen && receive->nxt == receive->fin_at && welcome)
        fin_reached(connection);
    return true;
}
