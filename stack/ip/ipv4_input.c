#include "stack/ip/ipv4_input.h"

#include <errno.h>

void ipv4_input_init(struct ipv4_input *input, struct memory *memory, size_t fragment_bytes_max)
{
    input->reassembly = (struct reassembly){.memory = memory, .bytes_max = fragment_bytes_max};
}

/* RFC 1122 section 3.2.1.3 and section 4.2.3.10: no connection has an end that is unspecified,
 * broadcast, multicast or reserved. */
static bool unicast(const struct daytona_address *address)
{
    uint32_t ipv4 = daytona_address_to_ipv4(address);
    return ipv4 >> 24 != 0 && ipv4 < 0xe0000000u;
}

/* RFC 1122 section 3.2.1.3 (g): addresses of 127/8 stay within a host, where both ends have them.
 */
static bool loopback(const struct daytona_address *address)
{
    return daytona_address_to_ipv4(address) >> 24 == 127;
}

static bool possible(const struct ipv4_header *header)
{
    return unicast(&header->source) && unicast(&header->destination) &&
           loopback(&header->source) == loopback(&header->destination);
}

static enum daytona_verdict reassemble(struct ipv4_input *input, struct daytona_counters *counters,
                                       struct daytona_instant now, struct ipv4_header *header,
                                       struct daytona_span *payload)
{
    struct daytona_span whole;
    switch (reassembly_add(&input->reassembly, now, header, *payload, &whole)) {
    case REASSEMBLY_HELD:
        return DAYTONA_VERDICT_FRAGMENT_HELD;
    case REASSEMBLY_DROPPED:
        return DAYTONA_VERDICT_FRAGMENT_DROPPED;
    case REASSEMBLY_COMPLETE:
        break;
    }
    counters->reassembled++;
    header->type_of_service =
        (uint8_t)((header->type_of_service & ~IP_ECN_MASK) | input->reassembly.ecn);
    *payload = whole;
    return DAYTONA_VERDICT_ACCEPTED;
}

enum daytona_verdict ipv4_input(struct ipv4_input *input, struct daytona_counters *counters,
                                struct daytona_instant now, const struct daytona_packet_in *packet,
                                struct ipv4_header *header, struct daytona_span *payload)
{
    int error = ipv4_parse(packet->bytes, packet->wire_length, header, payload);
    if (error == -EMSGSIZE)
        return DAYTONA_VERDICT_CUT;
    if (error < 0)
        return DAYTONA_VERDICT_BAD_IP_HEADER;
    if ((header->protocol != IP_PROTOCOL_TCP && header->protocol != IP_PROTOCOL_ICMP) ||
        !possible(header))
        return DAYTONA_VERDICT_NOT_FOR_US;
    if (header->source_routed) /* RFC 7126 sections 4.3 and 4.4; Linux accept_source_route = 0 */
        return DAYTONA_VERDICT_SOURCE_ROUTED;
    if (header->fragment_offset == 0 && !header->more_fragments)
        return DAYTONA_VERDICT_ACCEPTED;
    return reassemble(input, counters, now, header, payload);
}

void ipv4_input_done(struct ipv4_input *input)
{
    reassembly_return_whole(&input->reassembly);
}

struct daytona_instant ipv4_input_deadline(const struct ipv4_input *input)
{
    return reassembly_deadline(&input->reassembly);
}

uint32_t ipv4_input_expire(struct ipv4_input *input, struct daytona_instant now)
{
    return reassembly_expire(&input->reassembly, now);
}
