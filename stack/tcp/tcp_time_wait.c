/*
 * TIME-WAIT: RFC 9293 sections 3.6.1 and 3.10.7.4, RFC 6191 (a SYN that is certainly new may take
 * the place), RFC 1337 (an inexact reset does not end it). Needs only socket->time_wait.
 */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#define REUSE_AFTER_US 1000000u /* Linux tcp_tw_reuse: one tick of the oldest timestamps */
#define ISN_STEP       65537u   /* Linux: beyond an unscaled window of the old incarnation */

static void time_wait_timer(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    socket->life.kind = TIMER_TIME_WAIT;
    timer_set(&tcp->timers, &socket->life,
              daytona_instant_after_us(tcp->now, tcp->config.time_wait_us));
}

static void time_wait_acknowledge(struct socket *socket)
{
    struct tcp *tcp = socket->tcp;
    const struct time_wait *wait = &socket->time_wait;
    struct reply reply = {
        .local = socket->entry.local,
        .remote = socket->entry.remote,
        .header = {.seq = offset_seq(wait->send_nxt),
                   .ack = offset_seq(wait->receive_nxt),
                   .window = wait->window,
                   .flags = TCP_ACK,
                   .has_timestamps = wait->timestamps,
                   .timestamp_value = tcp_timestamp(tcp, wait->timestamp_offset),
                   .timestamp_echo = wait->timestamp_recent},
    };
    tcp_reply(tcp, &reply);
}

void tcp_time_wait_shrink(struct connection *connection)
{
    struct tcp *tcp = connection->tcp;
    if (connection->receive.acks_owed > 0)
        time_wait_acknowledge(connection->socket);
    tcp_sender_timers_cancel(connection);
    timer_cancel(&tcp->timers, &connection->receive.timer);
    list_remove(&connection->output);
    connection->ended = true;
    connection_drop(connection);
}

void tcp_time_wait_enter(struct connection *connection)
{
    struct socket *socket = connection->socket;
    tcp_state_set(socket, DAYTONA_TCP_TIME_WAIT, "both FINs acknowledged");
    tcp_sender_timers_cancel(connection);
    socket->time_wait = (struct time_wait){
        .send_nxt = connection->send.nxt,
        .receive_nxt = connection->receive.nxt,
        .iss = connection->send.iss,
        .irs = connection->receive.irs,
        .window = tcp_window_field(connection, false),
        .timestamp_offset = connection->timestamp_offset,
        .timestamp_recent = connection->receive.timestamp_recent,
        .timestamps = connection->timestamps,
        .since = connection->tcp->now,
    };
    time_wait_timer(socket);
    if (socket->closed)
        tcp_time_wait_shrink(connection);
}

void tcp_time_wait_end(struct socket *socket, const char *cause)
{
    if (socket->connection != NULL) {
        connection_end(socket->connection, 0, cause);
        return;
    }
    tcp_state_set(socket, DAYTONA_TCP_CLOSED, cause);
    socket_finish(socket);
}

struct seq tcp_time_wait_next_isn(const struct socket *socket)
{
    return seq_add(offset_seq(socket->time_wait.send_nxt), ISN_STEP);
}

bool tcp_time_wait_reusable(const struct socket *socket)
{
    return socket->state == DAYTONA_TCP_TIME_WAIT && socket->closed &&
           socket->time_wait.timestamps &&
           daytona_instant_since_us(socket->tcp->now, socket->time_wait.since) >= REUSE_AFTER_US;
}

/* RFC 6191 section 2: newer by timestamp, or by sequence number. */
static bool syn_is_new(const struct time_wait *wait, const struct segment *segment)
{
    if (wait->timestamps && segment->header.has_timestamps) {
        int32_t ahead = (int32_t)(segment->header.timestamp_value - wait->timestamp_recent);
        if (ahead != 0)
            return ahead > 0;
    }
    return offset_near(wait->receive_nxt, segment->header.seq) > wait->receive_nxt;
}

static enum daytona_verdict time_wait_syn(struct socket *socket, const struct demux_entry *tuple,
                                          const struct segment *segment)
{
    struct tcp *tcp = socket->tcp;
    struct socket *listener = tcp_listener_find(tcp, &tuple->local, &tuple->remote);
    if (listener == NULL || !syn_is_new(&socket->time_wait, segment)) {
        time_wait_acknowledge(socket);
        return DAYTONA_VERDICT_UNACCEPTABLE;
    }
    struct seq isn = tcp_time_wait_next_isn(socket);
    tcp_time_wait_end(socket, "new SYN");
    return tcp_listen_input(listener, tuple, segment, &isn);
}

/* RFC 9293 section 3.10.7.4 lets a reset end TIME-WAIT, RFC 1337 warns of old duplicates that do.
 * Only the exact sequence number does, as in Linux: so answers a peer that has forgotten the
 * connection, and whose SYN for a new one was not new enough to take its place. */
static enum daytona_verdict time_wait_reset(struct socket *socket, const struct segment *segment)
{
    struct tcp *tcp = socket->tcp;
    const struct time_wait *wait = &socket->time_wait;
    if (offset_near(wait->receive_nxt, segment->header.seq) != wait->receive_nxt)
        return DAYTONA_VERDICT_UNACCEPTABLE;
    tcp->counters.resets_received++;
    observe(tcp, socket, DAYTONA_EVENT_RESET, 2, 0, "received");
    tcp_time_wait_end(socket, "RST received");
    return DAYTONA_VERDICT_ACCEPTED;
}

enum daytona_verdict tcp_time_wait_input(struct socket *socket, const struct demux_entry *tuple,
                                         const struct segment *segment)
{
    struct time_wait *wait = &socket->time_wait;
    uint8_t flags = segment->flags;
    if ((flags & TCP_RST) != 0)
        return time_wait_reset(socket, segment);
    if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        return time_wait_syn(socket, tuple, segment);
    uint64_t seq = offset_near(wait->receive_nxt, segment->header.seq);
    uint64_t end = seq + segment_length(segment);
    if ((flags & TCP_FIN) != 0 && end == wait->receive_nxt) {
        time_wait_timer(socket); /* the peer has not seen our last ACK */
        time_wait_acknowledge(socket);
        return DAYTONA_VERDICT_ACCEPTED;
    }
    if (seq == wait->receive_nxt && end == seq)
        return DAYTONA_VERDICT_ACCEPTED;
    if (tcp_answer_due(socket->tcp, wait->answered)) {
        wait->answered = socket->tcp->now;
        time_wait_acknowledge(socket);
    }
    return DAYTONA_VERDICT_UNACCEPTABLE;
}
