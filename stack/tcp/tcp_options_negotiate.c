/* What SYN and SYN-ACK agree on: segment size, timestamps, SACK, window scale. */
#include "stack/tcp/tcp_parts.h"

#define IP_AND_TCP     40u  /* both headers without options */
#define TIMESTAMP_SIZE 12u  /* nop, nop, timestamps */
#define MSS_DEFAULT    536u /* RFC 9293 section 3.7.1, for IPv4 */
#define MSS_MIN        48u  /* Linux tcp_min_snd_mss: no smaller segments, whatever a peer asks */

/* However small the path and the peer, a segment has room for data. On a path of 68 bytes it is
 * then larger than the path, but such a path fragments (PATH_MTU_UNBROKEN). */
#define SEGMENT_MIN 8u

uint8_t tcp_scale_for(const struct socket *socket)
{
    uint64_t window = socket->tcp->config.receive_buffer_max;
    if (window < (uint64_t)socket->options[DAYTONA_OPTION_RECEIVE_BUFFER])
        window = (uint64_t)socket->options[DAYTONA_OPTION_RECEIVE_BUFFER];
    uint64_t clamp = (uint64_t)socket->options[DAYTONA_OPTION_WINDOW_CLAMP];
    if (clamp != 0 && clamp < window)
        window = clamp;
    uint8_t scale = 0;
    while (scale < TCP_SCALE_MAX && window >> scale > UINT16_MAX)
        scale++;
    return scale;
}

uint32_t tcp_mss_for(const struct socket *socket, uint32_t path_mtu)
{
    uint32_t mss = path_mtu - IP_AND_TCP;
    uint32_t bound = (uint32_t)socket->options[DAYTONA_OPTION_MAXIMUM_SEGMENT];
    if (bound != 0 && bound < mss)
        mss = bound;
    return mss > UINT16_MAX ? UINT16_MAX : mss;
}

void tcp_options_offer(struct connection *connection)
{
    /* As in Linux: beside the signatures of RFC 2385 there is no room for them. */
    connection->timestamps = connection->signature != TCP_SIGNATURE_LENGTH;
    connection->window_scaling = true;
    connection->sack =
        connection->socket->options[DAYTONA_OPTION_LOSS_DETECTION] != DETECTION_NEWRENO;
    connection->receive.window_scale = tcp_scale_for(connection->socket);
    connection->receive.advertised_mss = tcp_mss_for(connection->socket, connection->send.path_mtu);
    connection->send.peer_mss = MSS_DEFAULT;
    tcp_mss_update(connection);
    tcp_ecn_offer(connection);
}

void tcp_options_agree(struct connection *connection, const struct segment *syn)
{
    const struct tcp_header *header = &syn->header;
    connection->timestamps = connection->timestamps && header->has_timestamps;
    connection->sack = connection->sack && header->has_sack_permitted;
    connection->window_scaling = connection->window_scaling && header->has_window_scale;
    if (connection->window_scaling)
        connection->send.window_scale =
            header->window_scale > TCP_SCALE_MAX ? TCP_SCALE_MAX : header->window_scale;
    else
        connection->receive.window_scale = 0;
    if (connection->timestamps) {
        connection->receive.timestamp_recent = header->timestamp_value;
        connection->receive.timestamp_at = connection->tcp->now;
    }
    tcp_user_timeout_take(connection, header);
    connection->statistics.mss_min = connection->statistics.mss_max =
        0; /* nothing was sent by it */
    connection->send.peer_mss = header->mss != 0 ? header->mss : MSS_DEFAULT;
    if (connection->send.peer_mss < MSS_MIN)
        connection->send.peer_mss = MSS_MIN;
    tcp_mss_update(connection);
}

uint32_t tcp_segment_for(const struct connection *connection, uint32_t mtu)
{
    uint32_t mss = tcp_mss_for(connection->socket, mtu);
    if (mss > connection->send.peer_mss)
        mss = connection->send.peer_mss;
    uint32_t options = connection->signature + (connection->timestamps ? TIMESTAMP_SIZE : 0);
    return mss > options + SEGMENT_MIN ? mss - options : SEGMENT_MIN;
}

void tcp_mss_update(struct connection *connection)
{
    struct sender *send = &connection->send;
    uint32_t mss = tcp_segment_for(connection, tcp_plpmtud_mtu(connection));
    if (mss != send->mss)
        observe(connection->tcp, connection->socket, DAYTONA_EVENT_MSS, send->mss, mss, NULL);
    send->mss = mss;
    statistics_mss(connection);
    /* A window that is smaller than a segment would let none out. */
    if (connection->controls.cwnd_bytes < mss)
        connection->controls.cwnd_bytes = mss;
    if (send->prr_cwnd < mss)
        send->prr_cwnd = mss;
}
