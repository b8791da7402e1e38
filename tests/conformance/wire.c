#include "tests/conformance/wire.h"

#include <string.h>

#define IP_HEADER  20
#define TCP_HEADER 20
#define ICMP_QUOTE (IP_HEADER + 8)

static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        sum += (i & 1) == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint16_t folded(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint32_t sum_pseudo(const uint8_t *ip, size_t transport)
{
    uint32_t sum = sum_bytes(0, ip + 12, 8);
    return sum + 6 + (uint32_t)transport;
}

static void write_ip(uint8_t *ip, size_t total, uint8_t protocol, const struct wire_segment *ends)
{
    memset(ip, 0, IP_HEADER);
    ip[0] = 0x45;
    ip[1] = ends->type_of_service;
    wire_put16(ip + 2, (uint32_t)total);
    ip[6] = ends->dont_fragment ? 0x40 : 0;
    ip[8] = ends->time_to_live == 0 ? 64 : ends->time_to_live;
    ip[9] = protocol;
    wire_put32(ip + 12, ends->source);
    wire_put32(ip + 16, ends->destination);
    wire_put16(ip + 10, (uint16_t)~folded(sum_bytes(0, ip, IP_HEADER)));
}

size_t wire_write(const struct wire_segment *segment, uint8_t out[WIRE_PACKET_MAX])
{
    size_t options = (segment->options_length + 3) & ~(size_t)3;
    size_t transport = TCP_HEADER + options + segment->length;
    write_ip(out, IP_HEADER + transport, 6, segment);
    uint8_t *tcp = out + IP_HEADER;
    memset(tcp, 0, TCP_HEADER + options);
    wire_put16(tcp, segment->source_port);
    wire_put16(tcp + 2, segment->destination_port);
    wire_put32(tcp + 4, segment->seq);
    wire_put32(tcp + 8, segment->ack);
    tcp[12] = (uint8_t)((TCP_HEADER + options) / 4 << 4 | (segment->flags >> 8 & 1));
    tcp[13] = (uint8_t)segment->flags;
    wire_put16(tcp + 14, segment->window);
    wire_put16(tcp + 18, segment->urgent);
    memcpy(tcp + TCP_HEADER, segment->options, segment->options_length);
    if (segment->length > 0)
        memcpy(tcp + TCP_HEADER + options, segment->payload, segment->length);
    uint16_t sum = (uint16_t)~folded(sum_bytes(sum_pseudo(out, transport), tcp, transport));
    wire_put16(tcp + 16, segment->damaged ? sum ^ 0x5555u : sum);
    return IP_HEADER + transport;
}

const char *wire_read(const uint8_t *packet, size_t length, struct wire_segment *out)
{
    if (length < IP_HEADER + TCP_HEADER || packet[0] != 0x45 || packet[9] != 6)
        return "not a TCP segment in a plain IPv4 packet";
    size_t transport = length - IP_HEADER;
    const uint8_t *tcp = packet + IP_HEADER;
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    if (wire_get16(packet + 2) != length || header < TCP_HEADER || header > transport)
        return "lengths that do not fit";
    if (folded(sum_bytes(0, packet, IP_HEADER)) != 0xffff)
        return "a wrong IP checksum";
    if (folded(sum_bytes(sum_pseudo(packet, transport), tcp, transport)) != 0xffff)
        return "a wrong TCP checksum";
    *out = (struct wire_segment){
        .source = wire_get32(packet + 12),
        .destination = wire_get32(packet + 16),
        .source_port = wire_get16(tcp),
        .destination_port = wire_get16(tcp + 2),
        .seq = wire_get32(tcp + 4),
        .ack = wire_get32(tcp + 8),
        .flags = (uint16_t)((tcp[12] & 1) << 8 | tcp[13]),
        .window = wire_get16(tcp + 14),
        .urgent = wire_get16(tcp + 18),
        .type_of_service = packet[1],
        .time_to_live = packet[8],
        .dont_fragment = (packet[6] & 0x40) != 0,
        .options_length = header - TCP_HEADER,
        .payload = tcp + header,
        .length = transport - header,
    };
    memcpy(out->options, tcp + TCP_HEADER, out->options_length);
    return NULL;
}

size_t wire_write_icmp(const struct wire_icmp *icmp, uint8_t out[WIRE_PACKET_MAX])
{
    struct wire_segment outer = {.source = ROUTER_ADDRESS, .destination = HOST_ADDRESS};
    struct wire_segment inner = {
        .source = HOST_ADDRESS, .destination = PEER_ADDRESS, .dont_fragment = true};
    size_t total = IP_HEADER + 8 + ICMP_QUOTE;
    write_ip(out, total, 1, &outer);
    uint8_t *message = out + IP_HEADER, *quoted = message + 8;
    memset(message, 0, 8 + ICMP_QUOTE);
    message[0] = icmp->type;
    message[1] = icmp->code;
    wire_put16(message + 6, icmp->mtu);
    write_ip(quoted, 1500, 6, &inner);
    wire_put16(quoted + IP_HEADER, icmp->host_port);
    wire_put16(quoted + IP_HEADER + 2, icmp->peer_port);
    wire_put32(quoted + IP_HEADER + 4, icmp->seq);
    wire_put16(message + 2, (uint16_t)~folded(sum_bytes(0, message, 8 + ICMP_QUOTE)));
    return total;
}

const uint8_t *wire_option(const struct wire_segment *segment, uint8_t kind)
{
    size_t at = 0;
    while (at < segment->options_length) {
        const uint8_t *option = segment->options + at;
        size_t left = segment->options_length - at;
        if (option[0] == kind && (kind <= WIRE_NOP || (left >= 2 && option[1] <= left)))
            return option;
        if (option[0] == WIRE_EOL)
            return NULL;
        if (option[0] == WIRE_NOP)
            at++;
        else if (left < 2 || option[1] < 2 || option[1] > left)
            return NULL;
        else
            at += option[1];
    }
    return NULL;
}
