/* SYN-SENT: RFC 9293 section 3.10.7.3. */
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_parts.h"

#include <errno.h>

#define SYN_ACK_ACK_US 200000u /* Linux TCP_DELACK_MAX */

static enum daytona_verdict refused(struct connection *connection, bool acknowledged)
{
    if (!acknowledged)
        return DAYTONA_VERDICT_UNACCEPTABLE;
    connection->tcp->counters.resets_received++;
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RESET, 2, 0, "refused");
    connection_end(connection, ECONNREFUSED, "refused");
    return DAYTONA_VERDICT_ACCEPTED;
}

/* Both ends have sent SYN: answer with SYN-ACK. */
static enum daytona_verdict open_crossed(struct connection *connection,
                                         const struct segment *segment)
{
    tcp_ecn_adopt(connection, tcp_ecn_judge(connection->socket, segment), segment->ecn);
    tcp_window_take(connection, segment);
    connection->send.wl2 = connection->send.una;
    connection->send.syn_due = true;
    tcp_state_set(connection->socket, DAYTONA_TCP_SYN_RECEIVED, "simultaneous open");
    tcp_output_want(connection);
    return DAYTONA_VERDICT_ACCEPTED;
}

/* Linux tcp_rcv_synsent_state_process(): the ACK waits for data to ride on when the application has
 * set TCP_DEFER_ACCEPT, or TCP_QUICKACK to 0, and so has promised some. */
static void acknowledge_syn_ack(struct connection *connection)
{
    const struct socket *socket = connection->socket;
    if (option_on(socket, DAYTONA_OPTION_DEFER_ACCEPT) ||
        !option_on(socket, DAYTONA_OPTION_QUICK_ACK))
        tcp_ack_later(connection, SYN_ACK_ACK_US);
    else
        tcp_ack_now(connection);
}

enum daytona_verdict tcp_syn_sent_input(struct connection *connection, struct segment *segment)
{
    const struct sender *send = &connection->send;
    uint8_t flags = segment->flags;
    bool acknowledged = (flags & TCP_ACK) != 0;
    /* First, the ACK bit. */
    if (acknowledged &&
        (segment->ack <= send->iss || segment->ack > send->nxt + connection->syn_data))
        return (flags & TCP_RST) != 0
                   ? DAYTONA_VERDICT_UNACCEPTABLE
                   : tcp_reset_unknown(connection->tcp, &connection->socket->entry,
                                       &segment->header, segment_length(segment));
    /* Second, the RST bit. Third, security, is not used. */
    if ((flags & TCP_RST) != 0)
        return refused(connection, acknowledged);
    /* Fourth, the SYN bit; fifth, neither. */
    if ((flags & TCP_SYN) == 0)
        return DAYTONA_VERDICT_UNACCEPTABLE;
    connection_set_irs(connection, segment->header.seq);
    tcp_options_agree(connection, segment);
    segment->seq = connection->receive.irs;
    if (!acknowledged)
        return open_crossed(connection, segment);

    tcp_ecn_answered(connection, segment);
    tcp_fastopen_answered(connection, segment);
    tcp_window_take(connection, segment);
    tcp_establish(connection, segment);
    acknowledge_syn_ack(connection);
    segment->flags &= (uint8_t)~TCP_SYN;
    segment->seq++;
    return tcp_arrival_after_ack(connection, segment);
}
