/*
 * tcp_ao.h - the TCP Authentication Option's traffic keys and MACs (RFC 5925, RFC 5926).
 */
#ifndef STACK_TCP_TCP_AO_H
#define STACK_TCP_TCP_AO_H

#include "stack/tcp/tcp_signature.h"

/** A segment as it is on the wire. */
struct ao_segment {
    struct daytona_endpoint source, destination;
    const uint8_t *header; /**< with its options */
    size_t header_length;
    size_t option_at; /**< where in `header` the option begins */
    const struct daytona_span *payload;
    size_t span_count;
};

/** The MAC that the segment has to bear. */
void ao_mac(const struct signature_key *key, const struct ao_segment *segment,
            const struct signature_numbers *numbers, uint8_t out[TCP_AO_MAC_BYTES]);

#endif
