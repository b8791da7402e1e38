/*
 * The server's side of TCP Fast Open: RFC 7413 section 4.2.2. Cookies are those of Linux, so that
 * with one key (TCP_FASTOPEN_KEY) a client's cookie holds for either.
 */
#include "stack/tcp/tcp_fastopen.h"

#include "stack/tcp/tcp_extras.h"
#include "stack/wire/bytes.h"
#include <string.h>

#define COOKIE_BYTES 8 /* Linux TCP_FASTOPEN_COOKIE_SIZE */

/* Of a listener to which nobody gave a key: the stack's, which no other host has. */
static void key_of_stack(const struct tcp *tcp, uint8_t key[FASTOPEN_KEY_BYTES])
{
    uint64_t halves[2] = {siphash(tcp->config.secret, "fast open 0", 11),
                          siphash(tcp->config.secret, "fast open 1", 11)};
    memcpy(key, halves, sizeof halves);
}

static unsigned key_count(const struct socket *listener)
{
    const struct extras *extras = listener->extras;
    return extras == NULL || extras->fastopen_key_count == 0 ? 1 : extras->fastopen_key_count;
}

/* SipHash of the client's and the server's address, little end first, as Linux has it. */
static struct fastopen_cookie cookie_with(const struct socket *listener,
                                          const struct demux_entry *tuple, unsigned index)
{
    const struct extras *extras = listener->extras;
    uint8_t key[FASTOPEN_KEY_BYTES], addresses[8];
    key_of_stack(listener->tcp, key);
    if (extras != NULL && extras->fastopen_key_count > 0)
        memcpy(key, extras->fastopen_keys[index], sizeof key);
    store_32(addresses, daytona_address_to_ipv4(&tuple->remote.address));
    store_32(addresses + 4, daytona_address_to_ipv4(&tuple->local.address));
    uint64_t hash = siphash(key, addresses, sizeof addresses);
    struct fastopen_cookie cookie = {.length = COOKIE_BYTES};
    for (unsigned i = 0; i < COOKIE_BYTES; i++)
        cookie.bytes[i] = (uint8_t)(hash >> (8 * i));
    return cookie;
}

struct fastopen_cookie tcp_fastopen_cookie(const struct socket *listener,
                                           const struct demux_entry *tuple)
{
    return cookie_with(listener, tuple, 0);
}

static bool cookie_is_good(const struct socket *listener, const struct demux_entry *tuple,
                           const struct fastopen_cookie *cookie)
{
    bool good = false;
    for (unsigned i = 0; i < key_count(listener); i++) {
        struct fastopen_cookie ours = cookie_with(listener, tuple, i);
        good = good || (cookie->length == ours.length &&
                        memcmp(cookie->bytes, ours.bytes, ours.length) == 0);
    }
    return good;
}

/* RFC 7413 section 5.1: how many may have begun before their handshake is over. */
static bool has_room(const struct socket *listener)
{
    return listener->listener.early_count < listener->options[DAYTONA_OPTION_FASTOPEN_QUEUE];
}

enum fastopen_answer tcp_fastopen_judge(struct socket *listener, const struct demux_entry *tuple,
                                        const struct segment *syn)
{
    struct tcp *tcp = listener->tcp;
    const struct tcp_header *header = &syn->header;
    bool asks = header->has_fastopen && header->fastopen.length == 0;
    if (listener->options[DAYTONA_OPTION_FASTOPEN_QUEUE] == 0)
        return FASTOPEN_IGNORED;
    bool without =
        option_on(listener, DAYTONA_OPTION_FASTOPEN_NO_COOKIE) && syn->payload.length > 0;
    if (!header->has_fastopen && !without)
        return FASTOPEN_IGNORED;
    bool good = !asks && cookie_is_good(listener, tuple, &header->fastopen);
    if ((good || without) && has_room(listener))
        return FASTOPEN_BELIEVED;
    tcp->counters.fastopen_refused += !asks;
    return asks || !good ? FASTOPEN_GIVEN : FASTOPEN_IGNORED;
}

enum daytona_verdict tcp_fastopen_accept(struct socket *listener, const struct demux_entry *tuple,
                                         const struct segment *syn,
                                         const struct handshake *handshake)
{
    struct tcp *tcp = listener->tcp;
    struct connection *connection =
        handshake_child(listener, tuple, handshake, NULL, "SYN with Fast Open");
    if (connection == NULL)
        return DAYTONA_VERDICT_NO_MEMORY;
    timer_cancel(&tcp->timers, &connection->send.timer);
    connection->fastopen = FASTOPEN_EARLY;
    connection->syn_data_acked = syn->payload.length > 0;
    connection->send.syn_due = true;
    connection->tally.segments_out = 0;
    listener->listener.early_count++;
    tcp->counters.fastopen_passive++;
    tcp_window_open(connection);
    tcp_listen_established(connection->socket);
    struct segment text = *syn;
    enum daytona_verdict verdict;
    text.flags &= (uint8_t)~TCP_SYN;
    text.seq = connection->receive.nxt;
    tcp_step_text(connection, &text, &verdict);
    tcp_output_want(connection);
    return DAYTONA_VERDICT_ACCEPTED;
}
