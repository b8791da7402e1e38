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
    struct reassembly_datagram *oldest, *newest; /**< in the order of their first fragments */
    uint8_t *whole;                              /**< the datagram last completed, or NULL */
    uint8_t ecn;                                 /**< enum ip_ecn of the datagram last completed */
    size_t bytes, bytes_max; /**< of memory taken by fragments held, and their bound */
    uint32_t count;          /**< datagrams held */
    uint32_t given_up;       /**< timed out, not reported by reassembly_expire() yet */
};

enum reassembly_outcome { REASSEMBLY_HELD, REASSEMBLY_COMPLETE, REASSEMBLY_DROPPED };

/**
 * Takes one fragment (copied). COMPLETE: `*whole` is the datagram's payload, borrowed until the
 * next call or reassembly_return_whole(). Above a bound the oldest datagrams are given up, those of
 * a source that has more than a quarter of it before all others. An
 * A datagram of which some fragments were marked CE and others not ECN-capable is dropped (RFC 3168
 * section 5.3). An
 * exact copy of a fragment is ignored (HELD), since networks duplicate; one that overlaps
 * otherwise, or contradicts the datagram's length, kills its datagram, and what still arrives
 * of that until the timeout is DROPPED. So is a fragment that would reach beyond 65,535 bytes.
 */
enum reassembly_outcome reassembly_add(struct reassembly *reassembly, struct daytona_instant now,
                                       const struct ipv4_header *header,
                                       struct daytona_span payload, struct daytona_span *whole);

/** Gives `*whole` back. Allowed when there is none. */
void reassembly_return_whole(struct reassembly *reassembly);

/** When the oldest datagram times out; DAYTONA_NEVER when none is held. */
struct daytona_instant reassembly_deadline(const struct reassembly *reassembly);

/** Gives up those older than the timeout; returns how many timed out since the last call (those
 *  killed before do not count). */
uint32_t reassembly_expire(struct reassembly *reassembly, struct daytona_instant now);

#endif
