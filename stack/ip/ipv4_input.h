/*
 * ipv4_input.h - a received IPv4 packet down to its transport payload: header checks, who it can be
 * from and for, reassembly.
 */
#ifndef STACK_IP_IPV4_INPUT_H
#define STACK_IP_IPV4_INPUT_H

#include "stack/ip/reassembly.h"
#include <daytona/stack.h>

struct ipv4_input {
    struct reassembly reassembly;
};

void ipv4_input_init(struct ipv4_input *input, struct memory *memory, size_t fragment_bytes_max);

/** ACCEPTED: `*header` and `*payload` (borrowed, whole) are filled for TCP or ICMP; any other
 *  verdict ends the packet's way. */
enum daytona_verdict ipv4_input(struct ipv4_input *input, struct daytona_counters *counters,
                                struct daytona_instant now, const struct daytona_packet_in *packet,
                                struct ipv4_header *header, struct daytona_span *payload);

/** Gives back what `*payload` of ipv4_input() may have been borrowed from. */
void ipv4_input_done(struct ipv4_input *input);

/** When ipv4_input_expire() has something to do. */
struct daytona_instant ipv4_input_deadline(const struct ipv4_input *input);

/** Gives up incomplete datagrams; returns how many. */
uint32_t ipv4_input_expire(struct ipv4_input *input, struct daytona_instant now);

#endif
