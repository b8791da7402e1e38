/*
 * An output that holds several segments, cut into the packets of the network: what a device with
 * TCP segmentation offload does, for sinks that have none. Every part repeats the headers; what
 * differs is here.
 */
#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"
#include "stack/wire/tcp_header.h"
#include <daytona/stack.h>

#include <assert.h>
#include <string.h>

#define AT_TOTAL_LENGTH   2
#define AT_IDENTIFICATION 4
#define AT_HEADER_SUM     10
#define AT_SEQUENCE       4
#define AT_FLAGS          13
#define AT_CHECKSUM       16

unsigned daytona_packet_parts(const struct daytona_packet_out *packet)
{
    return packet->segment_bytes == 0 || packet->payload_length <= packet->segment_bytes
               ? 1
               : (packet->payload_length + packet->segment_bytes - 1u) / packet->segment_bytes;
}

/* The spans of `length` bytes from `start` on. */
static void borrow(const struct daytona_packet_out *packet, uint32_t start, uint32_t length,
                   struct daytona_packet_out *out)
{
    out->payload_length = length;
    out->span_count = 0;
    for (unsigned i = 0; i < packet->span_count && length > 0; i++) {
        struct daytona_span span = packet->spans[i];
        if (start >= span.length) {
            start -= (uint32_t)span.length;
            continue;
        }
        size_t rest = span.length - start;
        size_t taken = rest < length ? rest : length;
        out->spans[out->span_count++] = (struct daytona_span){span.data + start, taken};
        length -= (uint32_t)taken;
        start = 0;
    }
    assert(length == 0);
}

/* The identification goes up from part to part, as from packet to packet. */
static void write_ip(uint8_t *ip, size_t header_length, size_t total_length, unsigned index)
{
    struct checksum checksum = {0};
    store_16(ip + AT_TOTAL_LENGTH, (uint16_t)total_length);
    store_16(ip + AT_IDENTIFICATION, (uint16_t)(load_16(ip + AT_IDENTIFICATION) + index));
    store_16(ip + AT_HEADER_SUM, 0);
    checksum_add(&checksum, (struct daytona_span){ip, header_length});
    store_16(ip + AT_HEADER_SUM, (uint16_t)~checksum_fold(&checksum));
}

/* PSH and FIN stand for the end of the data, CWR is said once (RFC 3168 section 6.1.2). */
static void write_tcp(uint8_t *tcp, uint32_t start, bool first, bool last)
{
    store_32(tcp + AT_SEQUENCE, load_32(tcp + AT_SEQUENCE) + start);
    if (!last)
        tcp[AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (!first)
        tcp[AT_FLAGS] &= (uint8_t)~TCP_CWR;
    store_16(tcp + AT_CHECKSUM, 0);
}

void daytona_packet_part(const struct daytona_packet_out *packet, unsigned index,
                         struct daytona_packet_out *out)
{
    unsigned parts = daytona_packet_parts(packet);
    assert(index < parts);
    uint32_t start = index * packet->segment_bytes;
    uint32_t length = index + 1 < parts ? packet->segment_bytes : packet->payload_length - start;
    memcpy(out->header, packet->header, packet->header_length);
    out->header_length = packet->header_length;
    out->transport_offset = packet->transport_offset;
    out->segment_bytes = 0;
    out->checksum_partial = false;
    out->after_timeout = packet->after_timeout;
    out->source = packet->source;
    out->destination = packet->destination;
    borrow(packet, start, length, out);

    uint8_t *ip = out->header, *tcp = out->header + out->transport_offset;
    write_ip(ip, out->transport_offset, out->header_length + length, index);
    write_tcp(tcp, start, index == 0, index + 1 == parts);
    tcp_checksum_store(tcp, (size_t)out->header_length - out->transport_offset, &out->source,
                       &out->destination, out->spans, out->span_count);
}
