#include "stack/wire/bare_packet.h"

#define TIME_TO_LIVE 64 /* Linux net.ipv4.ip_default_ttl */

uint16_t bare_packet_emit(struct tcp_header *header, const struct daytona_address *source,
                          const struct daytona_address *destination, uint8_t out[BARE_PACKET_MAX])
{
    struct ipv4_header ip = {
        .source = *source, .destination = *destination, .time_to_live = TIME_TO_LIVE};
    return bare_packet_emit_as(header, &ip, out);
}

uint16_t bare_packet_emit_as(struct tcp_header *header, struct ipv4_header *ip,
                             uint8_t out[BARE_PACKET_MAX])
{
    uint8_t *transport = out + IPV4_HEADER_MIN;
    size_t length = tcp_header_emit(header, transport);
    ip->total_length = (uint16_t)(IPV4_HEADER_MIN + length);
    ip->protocol = IP_PROTOCOL_TCP;
    ip->dont_fragment = true;
    ipv4_emit(ip, out);
    tcp_checksum_store(transport, length, &ip->source, &ip->destination, NULL, 0);
    return ip->total_length;
}
