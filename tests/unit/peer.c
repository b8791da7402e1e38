#include "tests/unit/peer.h"

#include "stack/tcp/tcp_ecn.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include <errno.h>

const struct offer offer_all = {1460, true, true, true, 7};
const struct offer offer_plain = {1460, false, false, false, 0};
const struct offer offer_no_time = {1460, true, false, true, 7};

#define REGION_BYTES ((size_t)64 << 20)

static void take_event(void *context, const struct daytona_event *event)
{
    struct peer *peer = context;
    peer->events[event->type]++;
    peer->last[event->type] = *event;
}

void peer_start(struct peer *peer, const struct daytona_stack_config *config)
{
    struct daytona_stack_config defaults = {.owns_every_port = true};
    *peer = (struct peer){.our_port = OUR_PORT,
                          .peer_port = PEER_PORT,
                          .peer_isn = 0xfffffff0u, /* wraps soon */
                          .window = 65535,
                          .hops = 64,
                          .timestamp = 1000000,
                          .now = {1000000000}};
    peer->region = aligned_alloc(64, REGION_BYTES);
    assert_non_null(peer->region);
    struct daytona_observer observer = {.context = peer, .event = take_event};
    struct daytona_room room = {peer->region, REGION_BYTES};
    assert_int_equal(
        daytona_stack_init(room, config != NULL ? config : &defaults, &observer, &peer->stack), 0);
}

void peer_stop(struct peer *peer)
{
    struct daytona_socket_id id = {0, 0};
    struct daytona_ready ready;
    while (daytona_stack_take_ready(peer->stack, &ready)) {
    }
    if (!daytona_stack_next(peer->stack, &id)) {
        struct daytona_memory_use memory;
        while (peer_hears(peer)) {
        }
        daytona_stack_memory(peer->stack, &memory);
        assert_int_equal(memory.used_bytes, 0);
    }
    free(peer->region);
}

void peer_wait_us(struct peer *peer, uint64_t us)
{
    peer->now = daytona_instant_after_us(peer->now, us);
    peer->timestamp += (uint32_t)(us / 1000);
}

void peer_wait_deadline(struct peer *peer)
{
    expect_silence(peer);
    struct daytona_instant deadline = daytona_stack_deadline(peer->stack);
    assert_true(deadline.ns != UINT64_MAX);
    if (!daytona_instant_before(peer->now, deadline))
        return;
    uint64_t us = (deadline.ns - peer->now.ns + 999) / 1000;
    peer_wait_us(peer, us);
}

uint8_t peer_byte(uint64_t offset)
{
    return (uint8_t)('a' + offset % 23);
}

enum daytona_verdict peer_say_header(struct peer *peer, struct tcp_header *header,
                                     struct daytona_span payload)
{
    static uint8_t packet[IPV4_HEADER_MIN + TCP_HEADER_MAX + 65535];
    header->source_port = peer->peer_port;
    header->destination_port = peer->our_port;
    uint8_t *tcp = packet + IPV4_HEADER_MIN;
    size_t header_length = tcp_header_emit(header, tcp);
    struct ipv4_header ip = {
        .source = daytona_address_from_ipv4(PEER_ADDRESS),
        .destination = daytona_address_from_ipv4(OUR_ADDRESS),
        .total_length = (uint16_t)(IPV4_HEADER_MIN + header_length + payload.length),
        .type_of_service = peer->ecn,
        .time_to_live = peer->hops,
        .protocol = IP_PROTOCOL_TCP,
    };
    ipv4_emit(&ip, packet);
    if (payload.length > 0)
        memcpy(tcp + header_length, payload.data, payload.length);
    struct daytona_span text = {tcp + header_length, payload.length};
    tcp_checksum_store(tcp, header_length, &ip.source, &ip.destination, &text, 1);
    struct daytona_packet_in in = {{packet, ip.total_length}, ip.total_length};
    return daytona_stack_input(peer->stack, peer->now, &in);
}

static struct tcp_header plain_header(const struct peer *peer, uint8_t flags, uint32_t seq,
                                      uint32_t ack)
{
    struct tcp_header header = {
        .seq = {peer->peer_isn + seq},
        .ack = {(flags & TCP_ACK) != 0 ? peer->our_isn + ack : 0},
        .flags = flags,
        .window = peer->window,
        .has_timestamps = peer->timestamps,
        .timestamp_value = peer->timestamp,
        .timestamp_echo = peer->timestamp_echo,
    };
    tcp_accecn_ace_set(&header, peer->ace);
    return header;
}

enum daytona_verdict peer_say(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                              const char *text)
{
    struct tcp_header header = plain_header(peer, flags, seq, ack);
    struct daytona_span payload = {(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
    return peer_say_header(peer, &header, payload);
}

enum daytona_verdict peer_say_bytes(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                                    size_t length)
{
    static uint8_t text[65536];
    for (size_t i = 0; i < length; i++)
        text[i] = peer_byte(seq + i);
    struct tcp_header header = plain_header(peer, flags, seq, ack);
    return peer_say_header(peer, &header, (struct daytona_span){text, length});
}

enum daytona_verdict peer_sack(struct peer *peer, uint32_t ack, const uint32_t *blocks,
                               size_t count)
{
    struct tcp_header header = plain_header(peer, TCP_ACK, 1, ack);
    header.sack_count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        header.sacks[i].left.value = peer->our_isn + blocks[2 * i];
        header.sacks[i].right.value = peer->our_isn + blocks[2 * i + 1];
    }
    return peer_say_header(peer, &header, (struct daytona_span){NULL, 0});
}

bool peer_hears(struct peer *peer)
{
    struct heard *heard = &peer->heard;
    struct daytona_packet_out *packet = &heard->packet;
    if (!daytona_stack_output(peer->stack, peer->now, packet))
        return false;
    struct ipv4_header ip;
    struct daytona_span rest;
    assert_int_equal(ipv4_parse((struct daytona_span){packet->header, packet->header_length},
                                packet->header_length + packet->payload_length, &ip, &rest),
                     packet->payload_length > 0 ? -EMSGSIZE : 0);
    static uint8_t segment[TCP_HEADER_MAX + 65536];
    size_t length = (size_t)packet->header_length - packet->transport_offset;
    memcpy(segment, packet->header + packet->transport_offset, length);
    for (size_t i = 0; i < packet->span_count; i++) {
        memcpy(segment + length, packet->spans[i].data, packet->spans[i].length);
        length += packet->spans[i].length;
    }
    struct daytona_span whole = {segment, length}, text;
    assert_int_equal(tcp_checksum_judge(&packet->source, &packet->destination, whole),
                     TCP_CHECKSUM_COMPLETE);
    assert_int_equal(tcp_header_parse(whole, &heard->header, &text), 0);
    heard->length = text.length;
    heard->ecn = ip.type_of_service & IP_ECN_MASK;
    heard->ace = tcp_accecn_ace(&heard->header);
    assert_int_equal(text.length, packet->payload_length);
    memcpy(heard->payload, text.data, text.length);
    if ((heard->header.flags & TCP_SYN) != 0)
        peer->our_isn = heard->header.seq.value;
    heard->seq = heard->header.seq.value - peer->our_isn;
    heard->ack = heard->header.ack.value - peer->peer_isn;
    if (heard->header.has_timestamps)
        peer->timestamp_echo = heard->header.timestamp_value;
    return true;
}

void expect_segment(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack, size_t length)
{
    assert_true(peer_hears(peer));
    assert_int_equal(peer->heard.header.flags, flags);
    assert_int_equal(peer->heard.seq, seq);
    if ((flags & TCP_ACK) != 0)
        assert_int_equal(peer->heard.ack, ack);
    assert_int_equal(peer->heard.length, length);
}

void expect_silence(struct peer *peer)
{
    assert_false(peer_hears(peer));
}

unsigned peer_hears_all(struct peer *peer)
{
    unsigned count = 0;
    while (peer_hears(peer))
        count++;
    return count;
}

static struct daytona_endpoint our_end(uint16_t port)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(OUR_ADDRESS), port};
}

struct daytona_socket_id peer_listener(struct peer *peer, uint16_t port, int backlog)
{
    struct daytona_socket_id id;
    struct daytona_endpoint local = our_end(port);
    assert_int_equal(daytona_stack_open(peer->stack, &id), 0);
    assert_int_equal(daytona_stack_bind(peer->stack, id, &local), 0);
    assert_int_equal(daytona_stack_listen(peer->stack, id, backlog), 0);
    return id;
}

static struct tcp_header syn_header(struct peer *peer, const struct offer *offer, uint8_t flags)
{
    peer->timestamps = offer->timestamps;
    struct tcp_header header = plain_header(peer, flags, 0, 1);
    header.mss = offer->mss;
    header.has_sack_permitted = offer->sack;
    header.has_window_scale = offer->scaling;
    header.window_scale = offer->scale;
    return header;
}

enum daytona_verdict peer_syn(struct peer *peer, const struct offer *offer)
{
    struct tcp_header header = syn_header(peer, offer, TCP_SYN);
    return peer_say_header(peer, &header, (struct daytona_span){NULL, 0});
}

void peer_connects(struct peer *peer, const struct offer *offer)
{
    struct daytona_socket_id listener = peer_listener(peer, peer->our_port, 16);
    assert_int_equal(peer_syn(peer, offer), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_say(peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    assert_int_equal(daytona_stack_close(peer->stack, peer->now, listener), 0);
    expect_silence(peer);
}

void peer_we_connect(struct peer *peer)
{
    peer->our_port = 5000;
    struct daytona_endpoint local = our_end(peer->our_port);
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), peer->peer_port};
    assert_int_equal(daytona_stack_open(peer->stack, &peer->id), 0);
    assert_int_equal(daytona_stack_bind(peer->stack, peer->id, &local), 0);
    assert_int_equal(daytona_stack_connect(peer->stack, peer->now, peer->id, NULL, &remote),
                     -EINPROGRESS);
}

void peer_answers(struct peer *peer, const struct offer *offer)
{
    expect_segment(peer, TCP_SYN, 0, 0, 0);
    struct tcp_header header = syn_header(peer, offer, TCP_SYN | TCP_ACK);
    assert_int_equal(peer_say_header(peer, &header, (struct daytona_span){NULL, 0}),
                     DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_ACK, 1, 1, 0);
    expect_silence(peer);
}

void we_send(struct peer *peer, size_t length, unsigned flags)
{
    uint8_t *text = malloc(length + 1);
    assert_non_null(text);
    uint64_t from = our_info(peer).bytes_acked + our_info(peer).send_queued + 1;
    for (size_t i = 0; i < length; i++)
        text[i] = peer_byte(from + i);
    struct daytona_span span = {text, length};
    assert_int_equal(daytona_stack_send(peer->stack, peer->now, peer->id, &span, 1, flags),
                     (ptrdiff_t)length);
    free(text);
}

ptrdiff_t we_receive(struct peer *peer, void *buffer, size_t max, unsigned flags)
{
    struct daytona_room room = {buffer, max};
    return daytona_stack_receive(peer->stack, peer->now, peer->id, &room, 1, flags);
}

struct daytona_connection_info our_info(struct peer *peer)
{
    struct daytona_connection_info info;
    assert_int_equal(daytona_stack_info(peer->stack, peer->now, peer->id, &info), 0);
    return info;
}

enum daytona_tcp_state our_state(struct peer *peer)
{
    return our_info(peer).state;
}

void we_set(struct peer *peer, enum daytona_option option, int64_t value)
{
    assert_int_equal(daytona_stack_set_option(peer->stack, peer->now, peer->id, option, value), 0);
}

enum daytona_verdict peer_icmp(struct peer *peer, uint8_t type, uint8_t code, uint16_t mtu,
                               uint32_t seq)
{
    uint8_t packet[IPV4_HEADER_MIN + 8 + IPV4_HEADER_MIN + 8] = {0};
    uint8_t *message = packet + IPV4_HEADER_MIN, *quoted = message + 8;
    struct ipv4_header outer = {
        .source = daytona_address_from_ipv4(0x0a0000feu),
        .destination = daytona_address_from_ipv4(OUR_ADDRESS),
        .total_length = sizeof packet,
        .time_to_live = 64,
        .protocol = IP_PROTOCOL_ICMP,
    };
    struct ipv4_header inner = {
        .source = daytona_address_from_ipv4(OUR_ADDRESS),
        .destination = daytona_address_from_ipv4(PEER_ADDRESS),
        .total_length = 1500,
        .time_to_live = 60,
        .protocol = IP_PROTOCOL_TCP,
        .dont_fragment = true,
    };
    ipv4_emit(&outer, packet);
    ipv4_emit(&inner, quoted);
    uint32_t number = peer->our_isn + seq;
    uint8_t tcp[8] = {(uint8_t)(peer->our_port >> 8),  (uint8_t)peer->our_port,
                      (uint8_t)(peer->peer_port >> 8), (uint8_t)peer->peer_port,
                      (uint8_t)(number >> 24),         (uint8_t)(number >> 16),
                      (uint8_t)(number >> 8),          (uint8_t)number};
    memcpy(quoted + IPV4_HEADER_MIN, tcp, sizeof tcp);
    message[0] = type;
    message[1] = code;
    message[6] = (uint8_t)(mtu >> 8);
    message[7] = (uint8_t)mtu;
    struct checksum sum = {0};
    checksum_add(&sum, (struct daytona_span){message, sizeof packet - IPV4_HEADER_MIN});
    uint16_t folded = (uint16_t)~checksum_fold(&sum);
    message[2] = (uint8_t)(folded >> 8);
    message[3] = (uint8_t)folded;
    struct daytona_packet_in in = {{packet, sizeof packet}, sizeof packet};
    return daytona_stack_input(peer->stack, peer->now, &in);
}
