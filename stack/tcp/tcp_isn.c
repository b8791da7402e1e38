/* Numbers that nobody outside can guess: initial sequence numbers and timestamp offsets. */
#include "stack/base/tuple_hash.h"
#include "stack/tcp/tcp_parts.h"

/* 32 bits that only who knows the secret can reckon. */
static uint32_t secret_of(const struct tcp *tcp, enum tuple_use use,
                          const struct demux_entry *tuple)
{
    return (uint32_t)tuple_hash(tcp->config.host_secret, use, &tuple->local, &tuple->remote);
}

/* RFC 9293 section 3.4.1 has a tick of 4 us, of a time when no connection sent more than a byte in
 * it. A faster one passes the clock, and its four-tuple's next SYN then falls into the window of
 * the TIME-WAIT that it left behind. */
#define ISN_TICK_NS                                                                                \
    64u /* as Linux: the clock goes round in 275 s, more than two segment lifetimes */

struct seq tcp_isn(const struct tcp *tcp, const struct demux_entry *tuple)
{
    uint32_t clock = (uint32_t)(tcp->now.ns / ISN_TICK_NS);
    return (struct seq){clock + secret_of(tcp, TUPLE_FOR_ISN, tuple)};
}

uint32_t tcp_timestamp_offset(const struct tcp *tcp, const struct demux_entry *tuple)
{
    return secret_of(tcp, TUPLE_FOR_TIMESTAMP, tuple);
}
