/* Numbers that nobody outside can guess: initial sequence numbers and timestamp offsets. */
#include "stack/base/tuple_hash.h"
#include "stack/tcp/tcp_parts.h"

/* 32 bits that only who knows the secret can reckon. */
static uint32_t secret_of(const struct tcp *tcp, enum tuple_use use,
                          const struct demux_entry *tuple)
{
    return (uint32_t)tuple_hash(tcp->config.secret, use, &tuple->local, &tuple->remote);
}

struct seq tcp_isn(const struct tcp *tcp, const struct demux_entry *tuple)
{
    uint32_t clock = (uint32_t)(tcp->now.ns / 4000);
    return (struct seq){clock + secret_of(tcp, TUPLE_FOR_ISN, tuple)};
}

uint32_t tcp_timestamp_offset(const struct tcp *tcp, const struct demux_entry *tuple)
{
    return secret_of(tcp, TUPLE_FOR_TIMESTAMP, tuple);
}
