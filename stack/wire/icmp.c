#include "stack/wire/icmp.h"

#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"
#include <errno.h>

#define ICMP_HEADER               8
#define QUOTED_TRANSPORT_MIN      8u /* RFC 792: "64 bits of original data datagram" */
#define CODE_FRAGMENTATION_NEEDED 4
#define AT_NEXT_HOP_MTU           6 /* RFC 1191 section 4 */

static bool is_error(uint8_t type)
{
    return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED ||
           type == ICMP_PARAMETER_PROBLEM;
}

int icmp_parse(struct daytona_span message, struct icmp_error *out)
{
    if (message.length < ICMP_HEADER)
        return -EBADMSG;
    if (!is_error(message.data[0]))
        return -ENOMSG;
    struct checksum checksum = {0};
    checksum_add(&checksum, message);
    if (checksum_fold(&checksum) != 0xffff)
        return -EBADMSG;

    *out = (struct icmp_error){.type = message.data[0], .code = message.data[1]};
    if (out->type == ICMP_UNREACHABLE && out->code == CODE_FRAGMENTATION_NEEDED)
        out->next_hop_mtu = load_16(message.data + AT_NEXT_HOP_MTU);
    struct daytona_span quoted = {message.data + ICMP_HEADER, message.length - ICMP_HEADER};
    int error = ipv4_parse_quoted(quoted, &out->quoted, &out->quoted_transport);
    if (error < 0)
        return error;
    /* A fragment other than the first has no transport header to quote; RFC 1122 section 3.2.2
     * forbids errors about those. */
    if (out->quoted.fragment_offset != 0 || out->quoted_transport.length < QUOTED_TRANSPORT_MIN)
        return -EBADMSG;
    return 0;
}
