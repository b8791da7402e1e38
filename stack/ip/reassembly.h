/*
 * reassembly.h - IPv4 fragments put together (RFC 791 section 3.2, RFC 5722's spirit: a datagram
 * with overlapping fragments is dropped whole), within a bound of memory, number and time.
 */
#ifndef STACK_IP_REASSEMBLY_H
#define STACK_IP_REASSEMBLY_H

#include "stack/base/memory.h"
#include "stack/wire/ipv4.h"

#define REASSEMBLY_TIMEOUT_US    30000000u /* Linux's net.ipv4.ipfrag_time: 30 s */
#define REASSEMBLY_FRAGMENTS_MAX 64u       /* of one datagram */
#define REASSEMBLY_DATAGRAMS_MAX 64u

struct reassembly_datagram;

/** Zeroed at first, then bytes_max and memory set. */
struct reassembly {
    struct memory *memory;
    struct reassembly_datagram *oldest, *newest;
    size_t bytes, bytes_max;
    uint32_t count;
};

enum reassembly_outcome { REASSEMBLY_HELD, REASSEMBLY_COMPLETE, REASSEMBLY_DROPPED };

/** Takes one fragment. COMPLETE: `*whole` is the datagram's payload, borrowed until the next
 *  call. Above the bound the oldest datagram is given up. */
enum reassembly_outcome reassembly_add(struct reassembly *reassembly, struct daytona_instant now,
                                       const struct ipv4_header *header,
                                       struct daytona_span payload, struct daytona_span *whole);

/** When the oldest datagram times out; DAYTONA_NEVER when none is held. */
struct daytona_instant reassembly_deadline(const struct reassembly *reassembly);

/** Gives up those older than the timeout; returns how many. */
uint32_t reassembly_expire(struct reassembly *reassembly, struct daytona_instant now);

#endif
