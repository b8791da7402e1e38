#include "stack/wire/bare_packet.h"

#define TIME_TO_LIVE 64 /* Linux net.ipv4.ip_default_ttl */

uint16_t bare_packet_emit(struct tcp_header *header, const struct daytona_address *source,
                          const struct daytona_address *destination, uint8_t out[BARE_PACKET_MAX])
{
    uint8_t *transport = out + IPV4_HEADER_MIN;
    size_t length = tcp_header_emit(header, transport);
    struct ipv4_header ip = {
        .source = *source,
        .destination = *destination,
        .total_length = (uint16_t)(IPV4_HEADER_MIN + length),
        .time_to_live = TIME_TO_LIVE,
        .protocol = IP_PROTOCOL_TCP,
        .dont_fragment = true,
    };
    ipv4_emit(&ip, out);
    tcp_checksum_store(transport, length, source, destination, NULL, 0);
    return ip.total_length;
}
