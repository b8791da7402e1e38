/*
 * icmp.h - ICMPv4 errors (RFC 792, RFC 1191) about our own packets.
 */
#ifndef STACK_WIRE_ICMP_H
#define STACK_WIRE_ICMP_H

#include "stack/wire/ipv4.h"

enum icmp_type {
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,
};

struct icmp_error {
    uint8_t type, code;
    struct daytona_address router;        /**< who says so; the caller of icmp_parse() sets it */
    uint16_t next_hop_mtu;                /**< code 4 of type 3; 0 from routers before RFC 1191 */
    struct ipv4_header quoted;            /**< the packet that it is about: source is us */
    struct daytona_span quoted_transport; /**< at least 8 bytes of its transport header */
};

/** Reads an ICMP message (after the IP header). 0; -ENOMSG not an error message; -EBADMSG
 *  malformed or wrong checksum. */
int icmp_parse(struct daytona_span message, struct icmp_error *out);

#endif
