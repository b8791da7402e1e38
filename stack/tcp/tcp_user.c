/* The user calls of RFC 9293 section 3.10.1 to 3.10.5, as far as they touch the state machine. */
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_parts.h"

#include <errno.h>

/* Frees the four-tuple if a TIME-WAIT that may be taken over holds it; *iss is then beyond all
 * that the old incarnation sent. */
static int tuple_claim(struct socket *socket, struct seq *iss)
{
    struct tcp *tcp = socket->tcp;
    *iss = tcp_isn(tcp, &socket->entry);
    struct demux_entry *entry =
        demux_find_tuple(&tcp->demux, &socket->entry.local, &socket->entry.remote);
    if (entry != NULL) {
        if (entry->owner != DEMUX_SOCKET)
            return -EADDRINUSE;
        struct socket *old = OWNER_OF(entry, struct socket, entry);
        if (!tcp_time_wait_reusable(old))
            return -EADDRINUSE;
        *iss = tcp_time_wait_next_isn(old);
        tcp_time_wait_end(old, "new connection");
    }
    return demux_insert_tuple(&tcp->demux, &socket->entry);
}

int tcp_open_active(struct socket *socket, bool fast)
{
    struct tcp *tcp = socket->tcp;
    struct seq iss;
    int error = tuple_claim(socket, &iss);
    if (error < 0)
        return error;
    struct connection *connection = connection_new(socket, tcp_path_mtu_ask(tcp, &socket->entry));
    if (connection == NULL) {
        demux_remove_tuple(&tcp->demux, &socket->entry);
        return -ENOMEM;
    }
    connection_set_iss(connection, iss);
    tcp_options_offer(connection);
    bool waits = fast && tcp_fastopen_begin(connection);
    connection->send.syn_due = !waits;
    tcp_state_set(socket, DAYTONA_TCP_SYN_SENT, "connect");
    tcp->counters.active_opens++;
    tcp_output_want(connection);
    return waits ? 0 : -EINPROGRESS;
}

void tcp_send_queued(struct connection *connection, bool more, bool urgent)
{
    struct sender *send = &connection->send;
    statistics_raise(&connection->statistics.write_queue_max,
                     offset_span(offset_later(send->nxt, send->pages.start), send->pages.end));
    if (connection->fastopen == FASTOPEN_DEFERRED) {
        connection->fastopen = FASTOPEN_ASKING;
        send->syn_due = true;
    }
    send->more = more;
    if (!more)
        send->pushed = send->pages.end;
    if (urgent)
        send->up = send->pages.end;
    tcp_output_want(connection);
}

void tcp_received(struct connection *connection, uint32_t bytes)
{
    struct receiver *receive = &connection->receive;
    receive->read += bytes;
    daytona_profile_enter(connection->tcp->profiler, DAYTONA_ACTIVITY_buffers);
    pages_drop(&receive->pages, connection->tcp->memory, receive->read);
    daytona_profile_leave(connection->tcp->profiler);
    if (connection->ended || !tcp_state_synchronized(connection->socket->state))
        return;
    tcp_autotune_reader(connection);
    bool drained = receive_queued(receive) == 0 && receive->pushed && !receive->interactive;
    if (receive->timer.set && drained)
        tcp_ack_now(connection);
    else if (!receive->fin_seen && tcp_window_update_due(connection))
        tcp_ack_now(connection);
}

void tcp_close(struct connection *connection)
{
    struct socket *socket = connection->socket;
    struct sender *send = &connection->send;
    if (send->fin || connection->ended)
        return;
    send->fin = true;
    send->pushed = send->pages.end;
    /* In SYN-SENT and SYN-RECEIVED the FIN waits until the handshake is over. */
    if (socket->state == DAYTONA_TCP_ESTABLISHED)
        tcp_state_set(socket, DAYTONA_TCP_FIN_WAIT_1, "close");
    else if (socket->state == DAYTONA_TCP_CLOSE_WAIT)
        tcp_state_set(socket, DAYTONA_TCP_LAST_ACK, "close");
    tcp_output_want(connection);
}

/* RFC 9293 section 3.10.5: these states owe the peer a reset. */
static bool reset_owed(enum daytona_tcp_state state)
{
    return state == DAYTONA_TCP_SYN_RECEIVED || state == DAYTONA_TCP_ESTABLISHED ||
           state == DAYTONA_TCP_FIN_WAIT_1 || state == DAYTONA_TCP_FIN_WAIT_2 ||
           state == DAYTONA_TCP_CLOSE_WAIT;
}

void tcp_abort(struct connection *connection, int error, const char *cause)
{
    if (reset_owed(connection->socket->state))
        tcp_reset_send(connection, cause);
    connection_end(connection, error, cause);
}

void tcp_option_changed(struct connection *connection, enum daytona_option option)
{
    const struct socket *socket = connection->socket;
    if (connection->ended)
        return;
    if (option == DAYTONA_OPTION_KEEP_ALIVE || option == DAYTONA_OPTION_KEEP_IDLE_US) {
        tcp_keepalive_restart(connection);
    } else if (option == DAYTONA_OPTION_RECEIVE_BUFFER) {
        tcp_autotune_limit(connection);
    } else if (option == DAYTONA_OPTION_SEND_BUFFER) {
        connection->send.buffer_bytes = (uint32_t)socket->options[option];
    } else if (option == DAYTONA_OPTION_MAXIMUM_SEGMENT) {
        tcp_mss_update(connection);
    } else if (option == DAYTONA_OPTION_USER_TIMEOUT_US ||
               option == DAYTONA_OPTION_USER_TIMEOUT_TELL) {
        connection->send.timeout_told = false;
    } else if (option == DAYTONA_OPTION_RECEIVE_LOW_WATER) {
        tcp_autotune_low_water(connection);
    } else if (option == DAYTONA_OPTION_NOT_SENT_LOW_WATER) {
        tcp_space_report(connection);
    } else if (option == DAYTONA_OPTION_CWND_MAXIMUM || option == DAYTONA_OPTION_SSTHRESH_MAXIMUM) {
        tcp_congestion_bound(connection);
        tcp_output_want(connection);
    } else if (option == DAYTONA_OPTION_QUICK_ACK) {
        connection->receive.interactive = socket->options[option] == 0;
        if (option_on(socket, option) && connection->receive.timer.set)
            tcp_ack_now(connection);
    } else if (option == DAYTONA_OPTION_NO_DELAY || option == DAYTONA_OPTION_CORK) {
        connection->send.more = false;
        tcp_output_want(connection);
    }
}
