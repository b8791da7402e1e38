/*
 * ipv4.h - the IPv4 header (RFC 791) as a plain value: parse checks, emit writes.
 */
#ifndef STACK_WIRE_IPV4_H
#define STACK_WIRE_IPV4_H

#include <daytona/types.h>

#define IPV4_HEADER_MIN 20
#define IPV4_HEADER_MAX 60

enum { IP_PROTOCOL_ICMP = 1, IP_PROTOCOL_TCP = 6 };

/** The ECN field, the low two bits of the type of service (RFC 3168 section 5). */
enum ip_ecn { IP_ECN_NOT_ECT, IP_ECN_ECT_1, IP_ECN_ECT_0, IP_ECN_CE };
#define IP_ECN_MASK 3u

struct ipv4_header {
    struct daytona_address source, destination;
    uint16_t identification;
    uint16_t fragment_offset; /**< bytes */
    uint16_t total_length;    /**< bytes, header included */
    uint8_t header_length;    /**< bytes; options are skipped, never acted on */
    uint8_t type_of_service;
    uint8_t time_to_live;
    uint8_t protocol;
    bool dont_fragment, more_fragments;
    bool source_routed; /**< by a loose or strict source route, RFC 791 section 3.1; set by parse */
};

/**
 * Reads the header at the start of `packet`. `wire_length` is the packet's length on the wire:
 * super-frames whose total-length field says 0 (BIG TCP) are refused. Returns 0, -EBADMSG
 * malformed (its options, too) or wrong header checksum, -EMSGSIZE when the packet was cut short.
 * `*payload` gets the bytes after the header up to total_length (link padding removed).
 */
int ipv4_parse(struct daytona_span packet, size_t wire_length, struct ipv4_header *out,
               struct daytona_span *payload);

/** For the header quoted inside an ICMP error: no checksum check, total length may exceed what
 *  is there. `*payload` gets what follows the header. 0 or -EBADMSG. */
int ipv4_parse_quoted(struct daytona_span quoted, struct ipv4_header *out,
                      struct daytona_span *payload);

/** Writes a header of IPV4_HEADER_MIN bytes with its checksum. */
void ipv4_emit(const struct ipv4_header *header, uint8_t out[IPV4_HEADER_MIN]);

#endif
