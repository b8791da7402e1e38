/* Numbers that nobody outside can guess: initial sequence numbers and timestamp offsets. */
#include "stack/tcp/tcp_parts.h"

#include <string.h>

enum { TUPLE_BYTES = 36, DOMAIN_ISN = 1, DOMAIN_TIMESTAMP = 2 };

/* Keyed hash of the four-tuple; `domain` keeps the uses apart. */
static uint64_t tuple_hash(const struct tcp *tcp, const struct demux_entry *tuple, uint8_t domain)
{
    uint8_t bytes[TUPLE_BYTES + 1];
    memcpy(bytes, tuple->local.address.bytes, 16);
    memcpy(bytes + 16, tuple->remote.address.bytes, 16);
    memcpy(bytes + 32, &tuple->local.port, 2);
    memcpy(bytes + 34, &tuple->remote.port, 2);
    bytes[TUPLE_BYTES] = domain;
    return siphash(tcp->config.secret, bytes, sizeof bytes);
}

struct seq tcp_isn(const struct tcp *tcp, const struct demux_entry *tuple)
{
    uint32_t clock = (uint32_t)(tcp->now.ns / 4000);
    return (struct seq){clock + (uint32_t)tuple_hash(tcp, tuple, DOMAIN_ISN)};
}

uint32_t tcp_timestamp_offset(const struct tcp *tcp, const struct demux_entry *tuple)
{
    return (uint32_t)tuple_hash(tcp, tuple, DOMAIN_TIMESTAMP);
}
