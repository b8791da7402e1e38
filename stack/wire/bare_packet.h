/*
 * bare_packet.h - a whole packet around a TCP segment without payload, for segments that belong to
 * no connection.
 */
#ifndef STACK_WIRE_BARE_PACKET_H
#define STACK_WIRE_BARE_PACKET_H

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp_header.h"

#define BARE_PACKET_MAX (IPV4_HEADER_MIN + TCP_HEADER_MAX)

/** Writes both headers, checksums and all, and returns their length. The TCP header begins at
 *  IPV4_HEADER_MIN. Sets header->header_length. */
uint16_t bare_packet_emit(struct tcp_header *header, const struct daytona_address *source,
                          const struct daytona_address *destination, uint8_t out[BARE_PACKET_MAX]);

/** The same under an IP header of the caller's: addresses, type of service and time to live count,
 *  the rest is filled in. */
uint16_t bare_packet_emit_as(struct tcp_header *header, struct ipv4_header *ip,
                             uint8_t out[BARE_PACKET_MAX]);

#endif
