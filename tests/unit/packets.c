#include "tests/unit/packets.h"

#include <assert.h>
#include <string.h>

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, value >> 16);
    put_u16(at + 2, value);
}

uint16_t packet_sum(struct daytona_span bytes, uint32_t start)
{
    uint32_t sum = start;
    for (size_t i = 0; i < bytes.length; i++)
        sum += (uint32_t)bytes.data[i] << (i % 2 == 0 ? 8 : 0);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

struct daytona_packet_out packet_ip(struct packet_ends ends, uint8_t protocol, uint16_t fragment,
                                    struct daytona_span payload)
{
    struct daytona_packet_out packet = {
        .header_length = 20,
        .transport_offset = 20,
        .span_count = payload.length > 0 ? 1 : 0,
        .payload_length = (uint32_t)payload.length,
        .spans = {payload},
        .source = daytona_address_from_ipv4(ends.source),
        .destination = daytona_address_from_ipv4(ends.destination),
    };
    uint8_t *ip = packet.header;
    ip[0] = 0x45;
    put_u16(ip + 2, (uint32_t)(20 + payload.length));
    put_u16(ip + 4, 0x1234);
    put_u16(ip + 6, fragment);
    ip[8] = 64;
    ip[9] = protocol;
    put_u32(ip + 12, ends.source);
    put_u32(ip + 16, ends.destination);
    put_u16(ip + 10, (uint16_t)~packet_sum((struct daytona_span){ip, 20}, 0));
    return packet;
}

struct daytona_packet_out packet_tcp(struct packet_ends ends, uint32_t number,
                                     struct daytona_span payload)
{
    struct daytona_packet_out packet = packet_ip(ends, 6, 0x4000, payload);
    uint8_t *ip = packet.header, *tcp = packet.header + 20;
    packet.header_length = PACKET_HEADERS;
    put_u16(ip + 2, (uint32_t)(PACKET_HEADERS + payload.length));
    put_u16(ip + 10, 0);
    put_u16(ip + 10, (uint16_t)~packet_sum((struct daytona_span){ip, 20}, 0));
    put_u16(tcp, ends.source_port);
    put_u16(tcp + 2, ends.destination_port);
    put_u32(tcp + 4, number);
    tcp[12] = 0x50;
    tcp[13] = 0x10; /* ACK */
    return packet;
}

size_t packet_gather(const struct daytona_packet_out *packet, uint8_t *out, size_t room)
{
    size_t length = packet->header_length;
    assert(length <= room);
    memcpy(out, packet->header, length);
    for (size_t i = 0; i < packet->span_count; i++) {
        assert(length + packet->spans[i].length <= room);
        memcpy(out + length, packet->spans[i].data, packet->spans[i].length);
        length += packet->spans[i].length;
    }
    return length;
}

uint32_t packet_number(struct daytona_span ip)
{
    assert(ip.length >= PACKET_HEADERS);
    const uint8_t *at = ip.data + 24;
    return ADDRESS(at[0], at[1], at[2], at[3]);
}
