/*
 * Headers, from bytes to values and back: what parses is emitted again, parses to the same value,
 * and a reader of other make finds the emitted packet well formed (RFC 791, RFC 9293 section 3.1).
 */
#include "stack/wire/bare_packet.h"
#include "tests/fuzz/call.h"
#include "tests/sim/packet.h"
#include <stdlib.h>
#include <string.h>

static void judge_ip(const struct ipv4_header *header)
{
    uint8_t bytes[IPV4_HEADER_MAX + 65536];
    struct ipv4_header again, plain = *header;
    struct daytona_span payload;
    size_t length = (size_t)header->total_length - header->header_length + IPV4_HEADER_MIN;
    plain.total_length = (uint16_t)length;
    plain.header_length = IPV4_HEADER_MIN;
    ipv4_emit(&plain, bytes);
    fuzz_demand(ipv4_parse((struct daytona_span){bytes, length}, length, &again, &payload) == 0,
                "an emitted IP header parses");
    fuzz_demand(daytona_address_equal(&again.source, &plain.source) &&
                    daytona_address_equal(&again.destination, &plain.destination) &&
                    again.identification == plain.identification &&
                    again.fragment_offset == plain.fragment_offset &&
                    again.total_length == plain.total_length &&
                    again.header_length == IPV4_HEADER_MIN && again.protocol == plain.protocol &&
                    again.type_of_service == plain.type_of_service &&
                    again.time_to_live == plain.time_to_live &&
                    again.dont_fragment == plain.dont_fragment &&
                    again.more_fragments == plain.more_fragments,
                "an IP header comes back as it was");
}

/* A reader that was written by others, of the whole packet. */
static void judge_packet(struct tcp_header *header, const struct ipv4_header *ip)
{
    struct sim_segment segment;
    struct sim_packet *packet = sim_packet_new(BARE_PACKET_MAX);
    packet->length = bare_packet_emit(header, &ip->source, &ip->destination, packet->bytes);
    const char *wrong = sim_packet_read(packet, &segment);
    fuzz_demand(wrong == NULL, wrong);
    fuzz_demand(segment.seq == header->seq.value && segment.ack == header->ack.value &&
                    segment.source_port == header->source_port &&
                    segment.destination_port == header->destination_port &&
                    segment.window == header->window && segment.payload_length == 0 &&
                    segment.urgent_pointer == header->urgent_pointer &&
                    segment.has_timestamps == header->has_timestamps,
                "another reader finds in a TCP header what was put there");
    fuzz_demand(!segment.has_timestamps || (segment.timestamp == header->timestamp_value &&
                                            segment.timestamp_echo == header->timestamp_echo),
                "another reader finds the timestamps");
    free(packet);
}

/* What parses with values that no stack sends is not what another reader takes. */
static bool sensible(const struct tcp_header *header)
{
    uint8_t cookie = header->has_fastopen ? header->fastopen.length : 0;
    return (!header->has_window_scale || header->window_scale <= 14) &&
           (cookie == 0 || (cookie >= 4 && cookie % 2 == 0)); /* RFC 7413 section 4.1.1 */
}

static void judge_tcp(struct tcp_header *header, const struct ipv4_header *ip)
{
    uint8_t first[TCP_HEADER_MAX], second[TCP_HEADER_MAX];
    struct tcp_header again;
    struct daytona_span payload;
    size_t expected = tcp_header_length(header), length = tcp_header_emit(header, first);
    fuzz_demand(length == expected && length <= TCP_HEADER_MAX && length % 4 == 0,
                "the length is told beforehand");
    fuzz_demand(tcp_header_parse((struct daytona_span){first, length}, &again, &payload) == 0 &&
                    payload.length == 0,
                "an emitted TCP header parses");
    fuzz_demand(tcp_header_emit(&again, second) == length && memcmp(first, second, length) == 0,
                "a TCP header comes back as it was");
    if (sensible(header))
        judge_packet(header, ip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipv4_header ip = {.source = daytona_address_from_ipv4(0x0a000001),
                             .destination = daytona_address_from_ipv4(0x0a000002)};
    struct tcp_header tcp;
    struct daytona_span payload, text;
    /* A copy of exactly this size, its IP checksum right: few inputs would hit it. */
    uint8_t *copy = malloc(size + 1);
    fuzz_demand(copy != NULL, "memory for the fuzzer");
    memcpy(copy, data, size);
    if (size >= IPV4_HEADER_MIN && size >= (size_t)(copy[0] & 15) * 4 && copy[10] != 0xff) {
        struct sim_packet *packet = sim_packet_new((uint32_t)size);
        memcpy(packet->bytes, data, size);
        sim_packet_store_sums(packet);
        memcpy(copy, packet->bytes, size);
        free(packet);
    }
    if (ipv4_parse((struct daytona_span){copy, size}, size, &ip, &payload) == 0) {
        fuzz_demand(payload.data >= copy && payload.data + payload.length <= copy + size,
                    "the payload lies in the packet");
        judge_ip(&ip);
    } else {
        payload = (struct daytona_span){copy, size};
    }
    if (tcp_header_parse(payload, &tcp, &text) == 0) {
        fuzz_demand(text.data >= payload.data &&
                        text.data + text.length == payload.data + payload.length,
                    "the text is the end of the segment");
        judge_tcp(&tcp, &ip);
    }
    free(copy);
    return 0;
}
