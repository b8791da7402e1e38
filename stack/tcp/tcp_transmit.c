/* Writes a connection's packet: headers from its state, payload borrowed from the send buffer. */
#include "stack/tcp/tcp_fastopen.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_signature.h"
#include "stack/wire/ipv4.h"

/* Bytes that begin anywhere in a page reach into two pages more than they would fill. */
_Static_assert((UINT16_MAX - 2) / PAGE_BYTES + 2 <= DAYTONA_PACKET_SPANS_MAX,
               "the payload of the largest packet has room in its spans");

static void fill_syn_options(const struct connection *connection, struct tcp_header *header)
{
    header->mss = (uint16_t)connection->receive.advertised_mss;
    header->has_sack_permitted = connection->sack;
    header->has_window_scale = connection->window_scaling;
    header->window_scale = connection->receive.window_scale;
    header->has_fastopen = connection->fastopen == FASTOPEN_ASKING;
    if (header->has_fastopen)
        tcp_fastopen_syn(connection, &header->fastopen);
}

/* RFC 9293 section 3.8.5: the pointer as BSD and Linux have it, one past the urgent byte. */
static void fill_urgent(const struct connection *connection, uint64_t seq,
                        struct tcp_header *header)
{
    uint64_t up = connection->send.up;
    if (up <= seq || (header->flags & TCP_SYN) != 0)
        return;
    header->flags |= TCP_URG;
    header->urgent_pointer = up - seq > UINT16_MAX ? UINT16_MAX : (uint16_t)(up - seq);
}

/* Bytes of options that may be added to a segment without making its packet too large. */
static uint32_t option_room(const struct connection *connection, const struct outgoing *what,
                            const struct tcp_header *header)
{
    if (what->length == 0)
        return TCP_HEADER_MAX;
    uint32_t usual = TCP_HEADER_MIN + (header->has_timestamps ? 12 : 0); /* counted in the MSS */
    uint32_t used = what->length + (uint32_t)tcp_header_length(header) - usual;
    return connection->send.mss > used ? connection->send.mss - used : 0;
}

/* The header, and the ECN field for the packet's. */
static struct tcp_header header_for(struct connection *connection, const struct outgoing *what,
                                    enum ip_ecn *ecn)
{
    const struct socket *socket = connection->socket;
    bool syn = (what->flags & TCP_SYN) != 0;
    bool acknowledges = socket->state != DAYTONA_TCP_SYN_SENT;
    struct tcp_header header = {
        .source_port = socket->entry.local.port,
        .destination_port = socket->entry.remote.port,
        .seq = offset_seq(what->seq),
        .flags = what->flags,
        .has_timestamps = connection->timestamps,
        .timestamp_value = tcp_timestamp(connection->tcp, connection->timestamp_offset),
    };
    if (acknowledges) {
        header.flags |= TCP_ACK;
        header.ack = offset_seq(connection->receive.nxt);
        header.timestamp_echo = connection->receive.timestamp_recent;
    }
    header.window = tcp_window_field(connection, syn);
    if (syn)
        fill_syn_options(connection, &header);
    else if (tcp_sack_pending(connection))
        tcp_sack_fill(connection, what->length, &header);
    fill_urgent(connection, what->seq, &header);
    tcp_user_timeout_tell(connection, what->length, &header);
    *ecn = tcp_ecn_write(connection, what, option_room(connection, what, &header), &header);
    return header;
}

static void write_ip(struct connection *connection, size_t tcp_bytes, unsigned segments,
                     enum ip_ecn ecn, struct daytona_packet_out *out)
{
    const struct socket *socket = connection->socket;
    struct ipv4_header ip = {
        .source = socket->entry.local.address,
        .destination = socket->entry.remote.address,
        .identification = connection->identification,
        .total_length = (uint16_t)(IPV4_HEADER_MIN + tcp_bytes),
        .type_of_service =
            (uint8_t)((unsigned)socket->options[DAYTONA_OPTION_TYPE_OF_SERVICE] | ecn),
        .time_to_live = (uint8_t)socket->options[DAYTONA_OPTION_TIME_TO_LIVE],
        .protocol = IP_PROTOCOL_TCP,
        .dont_fragment = tcp_path_dont_fragment(connection),
    };
    connection->identification = (uint16_t)(connection->identification + segments);
    ipv4_emit(&ip, out->header);
    out->source = ip.source;
    out->destination = ip.destination;
}

static void account(struct connection *connection, const struct outgoing *what, unsigned segments)
{
    connection->tally.segments_out += segments;
    if (what->length > 0) {
        connection->tally.data_segments_out += segments;
        connection->tally.bytes_sent += what->length;
        connection->send.last_sent = connection->tcp->now;
    }
    if (connection->tcp->profiler != NULL)
        daytona_profiler_taken(connection->tcp->profiler, segments, what->length);
    if (connection->socket->state != DAYTONA_TCP_SYN_SENT)
        tcp_ack_sent(connection, what->length > 0);
}

static void sign(const struct connection *connection, const struct outgoing *what,
                 const struct daytona_packet_out *out, struct tcp_header *header)
{
    const struct socket *socket = connection->socket;
    bool knows = socket->state != DAYTONA_TCP_SYN_SENT;
    const struct signature_numbers numbers = {connection->send.iss,
                                              knows ? connection->receive.irs : 0, what->seq};
    signature_sign(signature_key_for(socket, &socket->entry.remote.address), &socket->entry, header,
                   &numbers, out->spans, out->span_count);
}

/* A signature covers the checksum's place as zero, so that either kind may stand there. */
static void write_checksum(const struct connection *connection, uint8_t *tcp_bytes,
                           size_t header_length, struct daytona_packet_out *out)
{
    struct daytona_profiler *profiler = connection->tcp->profiler;
    out->checksum_partial = connection->tcp->config.checksum_offload && out->payload_length > 0;
    daytona_profile_enter(profiler, DAYTONA_ACTIVITY_checksum);
    if (out->checksum_partial)
        tcp_checksum_store_partial(tcp_bytes, (uint32_t)header_length + out->payload_length,
                                   &out->source, &out->destination);
    else
        tcp_checksum_store(tcp_bytes, header_length, &out->source, &out->destination, out->spans,
                           out->span_count);
    daytona_profile_leave(profiler);
}

void tcp_transmit(struct connection *connection, const struct outgoing *what,
                  struct daytona_packet_out *out)
{
    uint32_t mss = connection->send.mss;
    bool super = what->length > mss && !what->probe && (what->flags & TCP_SYN) == 0;
    unsigned segments = super ? (what->length + mss - 1) / mss : 1;
    enum ip_ecn ecn;
    struct tcp_header header = header_for(connection, what, &ecn);
    uint8_t *tcp_bytes = out->header + IPV4_HEADER_MIN;
    uint64_t first = what->seq + ((what->flags & TCP_SYN) != 0);
    out->span_count = 0;
    if (what->length > 0)
        out->span_count = (uint16_t)pages_borrow(&connection->send.pages, first, what->length,
                                                 out->spans, DAYTONA_PACKET_SPANS_MAX);
    if (connection->signature)
        sign(connection, what, out, &header);
    size_t header_length = tcp_header_emit(&header, tcp_bytes);

    out->payload_length = what->length;
    out->segment_bytes = super ? (uint16_t)mss : 0;
    out->after_timeout = connection->send.recovery == RECOVERY_LOSS;
    out->header_length = (uint16_t)(IPV4_HEADER_MIN + header_length);
    out->transport_offset = IPV4_HEADER_MIN;
    write_ip(connection, header_length + what->length, segments, ecn, out);
    write_checksum(connection, tcp_bytes, header_length, out);
    account(connection, what, segments);
    if (observe_wanted(connection->tcp, DAYTONA_EVENT_SEGMENT_OUT))
        observe_segment_out(connection->tcp, connection->socket, out);
}
