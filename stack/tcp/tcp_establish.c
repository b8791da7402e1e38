/* What happens at the moment a connection becomes ESTABLISHED. */
#include "stack/congestion/window.h"
#include "stack/tcp/tcp_calls.h"
#include "stack/tcp/tcp_parts.h"

#define RTO_AFTER_LOSS_US 3000000u /* RFC 6298 section 5.7 */

/* One segment when the SYN had to be repeated more than once (Linux's reading of RFC 5681 section
 * 3.1: a single loss may be an early timeout). */
static uint32_t first_window(const struct connection *connection)
{
    uint32_t mss = connection->send.mss;
    return connection->send.syn_tries > 1 ? mss : window_initial(mss);
}

void tcp_set_congestion(struct connection *connection, const struct daytona_congestion *table)
{
    struct socket *socket = connection->socket;
    socket->congestion = table;
    connection->congestion = (struct daytona_congestion_state){{0}};
    struct daytona_congestion_sample sample =
        tcp_congestion_sample(connection, 0, tcp_pipe(connection), 0);
    tcp_congestion_call(connection, CONGESTION_INIT, &sample);
    observe(connection->tcp, socket, DAYTONA_EVENT_CONGESTION, 0, 0, table->name);
}

void tcp_window_open(struct connection *connection)
{
    connection->controls.cwnd_bytes = first_window(connection);
    connection->controls.ssthresh_bytes = UINT32_MAX;
    tcp_set_congestion(connection, connection->socket->congestion);
}

void tcp_establish(struct connection *connection, const struct segment *segment)
{
    struct socket *socket = connection->socket;
    struct sender *send = &connection->send;
    tcp_syn_acknowledged(connection, segment);
    if (send->srtt_us == 0 && send->syn_tries > 0)
        send->rto_us = RTO_AFTER_LOSS_US;
    send->backoff = 0;
    connection->soft_error = 0;
    send->syn_due = false;
    if (connection->fastopen != FASTOPEN_EARLY)
        tcp_window_open(connection);
    connection->fastopen = FASTOPEN_NONE;
    tcp_state_set(socket, DAYTONA_TCP_ESTABLISHED, "SYN acknowledged");
    tcp_keepalive_restart(connection);
    socket_changed(socket, DAYTONA_READY_OUT);
    if (send->fin) /* closed or shut before the handshake was over */
        tcp_state_set(socket, DAYTONA_TCP_FIN_WAIT_1, "close");
    tcp_output_want(connection);
}
