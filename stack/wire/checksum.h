/*
 * checksum.h - the Internet checksum (RFC 1071), incrementally over gathered bytes.
 */
#ifndef STACK_WIRE_CHECKSUM_H
#define STACK_WIRE_CHECKSUM_H

#include <daytona/types.h>

/** A running sum; spans may have odd lengths. Zeroed at first. */
struct checksum {
    uint64_t sum;
    bool odd; /**< an odd number of bytes so far */
};

void checksum_add(struct checksum *checksum, struct daytona_span bytes);

/** Adds the pseudo header of RFC 9293 section 3.1 (IPv4) or RFC 8200 section 8.1 (IPv6). */
void checksum_add_pseudo(struct checksum *checksum, const struct daytona_address *source,
                         const struct daytona_address *destination, uint8_t protocol,
                         uint32_t transport_length);

/** The folded 16-bit sum, host order, not complemented. Over a packet whose checksum field is
 *  right it is 0xffff. */
uint16_t checksum_fold(const struct checksum *checksum);

#endif
