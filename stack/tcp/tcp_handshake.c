/*
 * What a listener's side of a handshake agrees on, and the connection that follows from it; the
 * same whether a request remembered it or a cookie brought it back.
 */
#include "stack/tcp/tcp_request.h"
#include "stack/tcp/tcp_signature.h"

/* The window that a connection made of this would offer first, unscaled. */
static uint16_t first_window(const struct socket *listener, uint32_t mss)
{
    uint64_t window = (uint64_t)listener->options[DAYTONA_OPTION_RECEIVE_BUFFER];
    uint64_t clamp = (uint64_t)listener->options[DAYTONA_OPTION_WINDOW_CLAMP];
    if (clamp != 0 && clamp < window)
        window = clamp;
    if (tcp_memory_short(listener->tcp) && window > TRICKLE_SEGMENTS * mss)
        window = TRICKLE_SEGMENTS * mss;
    return window > UINT16_MAX ? UINT16_MAX : (uint16_t)window;
}

void handshake_agree(struct handshake *out, const struct socket *listener,
                     const struct demux_entry *tuple, const struct segment *syn,
                     const struct seq *isn, uint16_t path_mtu)
{
    const struct tcp_header *header = &syn->header;
    uint32_t mss = tcp_mss_for(listener, path_mtu);
    *out = (struct handshake){
        .iss = isn != NULL ? *isn : tcp_isn(listener->tcp, tuple),
        .irs = header->seq,
        .timestamp_offset = tcp_timestamp_offset(listener->tcp, tuple),
        .timestamp_recent = header->timestamp_value,
        .peer_mss = header->mss,
        .peer_window = header->window,
        .advertised_mss = (uint16_t)mss,
        .window = first_window(listener, mss),
        .path_mtu = path_mtu,
        .peer_scale = header->window_scale > TCP_SCALE_MAX ? TCP_SCALE_MAX : header->window_scale,
        .scale = header->has_window_scale ? tcp_scale_for(listener) : 0,
        .syn_flags = header->flags,
        .ecn = (uint8_t)tcp_ecn_judge(listener, syn),
        .syn_ecn = (uint8_t)syn->ecn,
        .timestamps = header->has_timestamps &&
                      signature_room(listener, &tuple->remote.address) != TCP_SIGNATURE_LENGTH,
        .sack = header->has_sack_permitted &&
                listener->options[DAYTONA_OPTION_LOSS_DETECTION] != DETECTION_NEWRENO,
        .scaling = header->has_window_scale,
    };
}

struct tcp_header handshake_syn_ack(const struct handshake *handshake,
                                    const struct demux_entry *tuple, uint32_t timestamp)
{
    struct tcp_header header = {
        .source_port = tuple->local.port,
        .destination_port = tuple->remote.port,
        .seq = handshake->iss,
        .ack = seq_add(handshake->irs, 1),
        .window = handshake->window,
        .flags = TCP_SYN | TCP_ACK,
        .mss = handshake->advertised_mss,
        .has_sack_permitted = handshake->sack,
        .has_window_scale = handshake->scaling,
        .window_scale = handshake->scale,
        .has_timestamps = handshake->timestamps,
        .timestamp_value = timestamp,
        .timestamp_echo = handshake->timestamp_recent,
    };
    tcp_ecn_syn_ack((enum daytona_ecn_mode)handshake->ecn, (enum ip_ecn)handshake->syn_ecn,
                    &header);
    return header;
}

/* The SYN, as far as it was remembered. */
static struct segment syn_remembered(const struct handshake *handshake)
{
    return (struct segment){
        .header =
            {
                .seq = handshake->irs,
                .window = handshake->peer_window,
                .flags = handshake->syn_flags,
                .mss = handshake->peer_mss,
                .has_sack_permitted = handshake->sack,
                .has_window_scale = handshake->scaling,
                .window_scale = handshake->peer_scale,
                .has_timestamps = handshake->timestamps,
                .timestamp_value = handshake->timestamp_recent,
            },
        .flags = handshake->syn_flags,
    };
}

/* The connection as it would be, had it been there since the SYN. */
static void connection_catch_up(struct connection *connection, const struct handshake *handshake)
{
    struct sender *send = &connection->send;
    struct receiver *receive = &connection->receive;
    const struct segment syn = syn_remembered(handshake);
    connection->passive = true;
    connection_set_iss(connection, handshake->iss);
    connection_set_irs(connection, handshake->irs);
    tcp_options_offer(connection);
    tcp_options_agree(connection, &syn);
    tcp_ecn_adopt(connection, (enum daytona_ecn_mode)handshake->ecn,
                  (enum ip_ecn)handshake->syn_ecn);
    /* What was said counts, also when a setting has changed since. */
    receive->advertised_mss = handshake->advertised_mss;
    receive->window_scale = handshake->scale;
    receive->edge = receive->nxt + handshake->window;
    send->wnd = send->wnd_max = handshake->peer_window;
    connection->tally.segments_in = connection->tally.segments_out = 1;
}

/* RFC 6298: the SYN-ACK is timed unless it was repeated; and what its repetitions say of the path
 * counts for the first window. */
static void handshake_time(struct connection *connection, const struct request *request)
{
    struct sender *send = &connection->send;
    struct tally *tally = &connection->tally;
    connection->since = request->begun;
    send->timing = !request->ambiguous && request->sent.ns != 0;
    send->timed_at = request->sent;
    send->syn_tries = request->tries;
    tally->segments_out += request->repeated;
    tally->segments_retransmitted = request->repeated;
    tally->timeouts = request->tries;
    if (request->tries > 1)
        trouble_add(connection, TROUBLE_TIMEOUTS_REPEATED, request->tries - 1u);
}

/* The listener's settings and the segment's ends; nothing in a table yet. */
static struct socket *child_new(struct socket *listener, const struct demux_entry *tuple)
{
    struct socket *child = socket_unnamed(listener->tcp);
    if (child == NULL)
        return NULL;
    child->entry.local = tuple->local;
    child->entry.remote = tuple->remote;
    child->congestion = listener->congestion;
    child->receive_buffer_set = listener->receive_buffer_set;
    child->send_buffer_set = listener->send_buffer_set;
    child->events = listener->events;
    settings_share(child, listener->settings);
    return child;
}

struct connection *handshake_child(struct socket *listener, const struct demux_entry *tuple,
                                   const struct handshake *handshake, struct request *request,
                                   const char *cause)
{
    struct demux *demux = &listener->tcp->demux;
    struct socket *child = child_new(listener, tuple);
    if (child == NULL)
        return NULL;
    bool entered =
        signature_inherit(child, listener) &&
        (request != NULL || (socket_name(child) && demux_insert_tuple(demux, &child->entry) == 0));
    if (!entered || demux_insert_port(demux, &child->entry) < 0 ||
        connection_new(child, handshake->path_mtu) == NULL) {
        socket_drop(child);
        return NULL;
    }
    struct connection *connection = child->connection;
    connection_catch_up(connection, handshake);
    if (request == NULL) {
        listener->listener.kept++;
        tcp_state_set(child, DAYTONA_TCP_SYN_RECEIVED, cause);
    } else {
        handshake_time(connection, request);
        demux_replace_tuple(demux, &request->entry, &child->entry);
        socket_name_after(child, request);
        tcp_state_inherit(child);
        request_release(request);
    }
    child->parent = listener;
    list_append(&listener->listener.embryos, &child->sibling);
    listener->tcp->counters.passive_opens++;
    tcp_rto_restart(connection);
    return connection;
}
