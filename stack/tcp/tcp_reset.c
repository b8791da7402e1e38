/*
 * Segments that belong to no connection (any more): resets, and the ACKs of TIME-WAIT. They wait
 * in a bounded queue; one that does not fit is as lost as a packet in the network.
 */
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_signature.h"
#include "stack/wire/bare_packet.h"

#define REPLIES_MAX  1024u
#define TIME_TO_LIVE 64 /* Linux net.ipv4.ip_default_ttl */

bool tcp_reply(struct tcp *tcp, const struct reply *reply)
{
    struct reply *copy =
        tcp->reply_count < REPLIES_MAX ? memory_take(tcp->memory, sizeof *copy) : NULL;
    if (copy == NULL)
        return false;
    *copy = *reply;
    copy->header.source_port = reply->local.port;
    copy->header.destination_port = reply->remote.port;
    const struct demux_entry tuple = {.local = reply->local, .remote = reply->remote};
    signature_sign_reply(tcp, &tuple, &copy->header);
    list_append(&tcp->replies, &copy->node);
    tcp->reply_count++;
    if ((reply->header.flags & TCP_RST) != 0)
        tcp->counters.resets_sent++;
    return true;
}

/* A packet that is all header. */
static void bare_write(const struct daytona_endpoint *local, const struct daytona_endpoint *remote,
                       struct tcp_header *header, uint8_t type_of_service, uint8_t time_to_live,
                       struct daytona_packet_out *out)
{
    struct ipv4_header ip = {
        .source = local->address,
        .destination = remote->address,
        .type_of_service = type_of_service,
        .time_to_live = time_to_live,
    };
    out->source = ip.source;
    out->destination = ip.destination;
    out->header_length = bare_packet_emit_as(header, &ip, out->header);
    out->transport_offset = IPV4_HEADER_MIN;
    out->segment_bytes = 0;
    out->checksum_partial = out->after_timeout = false;
    out->span_count = 0;
    out->payload_length = 0;
}

void tcp_bare_output(const struct socket *owner, const struct demux_entry *tuple,
                     struct tcp_header *header, struct daytona_packet_out *out)
{
    signature_sign_reply(owner->tcp, tuple, header);
    bare_write(&tuple->local, &tuple->remote, header,
               (uint8_t)owner->options[DAYTONA_OPTION_TYPE_OF_SERVICE],
               (uint8_t)owner->options[DAYTONA_OPTION_TIME_TO_LIVE], out);
}

bool tcp_reply_output(struct tcp *tcp, struct daytona_packet_out *out)
{
    struct list_node *node = list_first(&tcp->replies);
    if (node == NULL)
        return false;
    struct reply *reply = OWNER_OF(node, struct reply, node);
    bare_write(&reply->local, &reply->remote, &reply->header, reply->type_of_service,
               reply->time_to_live != 0 ? reply->time_to_live : TIME_TO_LIVE, out);
    list_remove(node);
    tcp->reply_count--;
    memory_return(tcp->memory, reply);
    return true;
}

/* Beside a kernel, only ports of ours are ours to answer for. */
static bool answers_for(const struct tcp *tcp, const struct daytona_endpoint *local,
                        const struct tcp_header *header)
{
    if (tcp->retired)
        return false;
    if (tcp->config.owns_every_port)
        return true;
    bool used = demux_next_on_port(&tcp->demux, local->port, NULL) != NULL;
    bool opens = (header->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
    return tcp->config.answers == NULL
               ? used
               : tcp->config.answers(tcp->config.answers_context, local, opens, used);
}

enum daytona_verdict tcp_reset_unknown(struct tcp *tcp, const struct demux_entry *tuple,
                                       const struct tcp_header *header, uint32_t length)
{
    if (!answers_for(tcp, &tuple->local, header))
        return DAYTONA_VERDICT_NO_SOCKET;
    if ((header->flags & TCP_RST) != 0)
        return DAYTONA_VERDICT_UNACCEPTABLE;
    struct reply reply = {.local = tuple->local, .remote = tuple->remote};
    if ((header->flags & TCP_ACK) != 0) {
        reply.header.seq = header->ack;
        reply.header.flags = TCP_RST;
    } else {
        reply.header.ack = seq_add(header->seq, length);
        reply.header.flags = TCP_RST | TCP_ACK;
    }
    observe(tcp, NULL, DAYTONA_EVENT_RESET, 1, 0, "no connection");
    return tcp_reply(tcp, &reply) ? DAYTONA_VERDICT_RESET_SENT : DAYTONA_VERDICT_NO_MEMORY;
}

void tcp_reset_send(struct connection *connection, const char *cause)
{
    const struct sender *send = &connection->send;
    /* Within the window that the peer offered, or it would not believe the reset. */
    uint64_t seq = offset_earlier(send->nxt, offset_later(send->una + send->wnd, send->una));
    struct reply reply = {
        .local = connection->socket->entry.local,
        .remote = connection->socket->entry.remote,
        .header = {.seq = offset_seq(seq),
                   .ack = offset_seq(connection->receive.nxt),
                   .flags = TCP_RST | TCP_ACK,
                   .has_timestamps = connection->timestamps,
                   .timestamp_value = tcp_timestamp(connection->tcp, connection->timestamp_offset),
                   .timestamp_echo = connection->receive.timestamp_recent},
    };
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RESET, 1, 0, cause);
    tcp_reply(connection->tcp, &reply);
}

void tcp_reset_answer(struct connection *connection, const struct segment *segment,
                      const char *cause)
{
    if (connection->signature) {
        /* The keys go with the connection: what is answered later is not signed, and the peer has
         * to ignore it. So this one reset fits what the peer will have received, not what it had.
         */
        tcp_reset_send(connection, cause);
        return;
    }
    struct reply reply = {
        .local = connection->socket->entry.local,
        .remote = connection->socket->entry.remote,
        .header = {.seq = segment->header.ack, .flags = TCP_RST},
    };
    observe(connection->tcp, connection->socket, DAYTONA_EVENT_RESET, 1, 0, cause);
    tcp_reply(connection->tcp, &reply);
}
