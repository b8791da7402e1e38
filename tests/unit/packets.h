/*
 * packets.h - IPv4 packets for the tests of capture and rawtx.
 */
#ifndef TESTS_UNIT_PACKETS_H
#define TESTS_UNIT_PACKETS_H

#include <daytona/rawtx.h>

#define PACKET_HEADERS 40 /* IPv4 and TCP without options */

/** a.b.c.d in host byte order. */
#define ADDRESS(a, b, c, d)                                                                        \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct packet_ends {
    uint32_t source, destination; /**< host byte order */
    uint16_t source_port, destination_port;
};

/** A TCP segment with "don't fragment", whose sequence number is `number`. The payload is
 *  borrowed. Checksums are left zero: the kernel fills in IP's, nobody here looks at TCP's. */
struct daytona_packet_out packet_tcp(struct packet_ends ends, uint32_t number,
                                     struct daytona_span payload);

/** An IPv4 packet of another protocol, or with a fragment field (RFC 791: flags and offset / 8),
 *  that carries `payload` directly. */
struct daytona_packet_out packet_ip(struct packet_ends ends, uint8_t protocol, uint16_t fragment,
                                    struct daytona_span payload);

/** The packet in one piece; returns its length. */
size_t packet_gather(const struct daytona_packet_out *packet, uint8_t *out, size_t room);

/** The sequence number of a TCP segment without IP options. */
uint32_t packet_number(struct daytona_span ip);

/** The RFC 1071 sum of bytes, folded, not complemented, on top of `start`. */
uint16_t packet_sum(struct daytona_span bytes, uint32_t start);

#endif
