#include "stack/tcp/tcp_signature.h"

#include "stack/crypto/md5.h"
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_request.h"
#include "stack/wire/bytes.h"
#include <errno.h>
#include <string.h>

#define PROTOCOL_TCP 6
#define AT_CHECKSUM  16
#define PREFIX_MAX   128u

struct signature_key {
    struct signature_key *next;
    struct daytona_address remote;
    uint8_t prefix; /* bits of the address in IPv6's form */
    uint8_t length;
    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX];
};

/* ------------------------------------------------------------------ keys */

static bool same_prefix(const struct daytona_address *a, const struct daytona_address *b,
                        unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

const struct signature_key *signature_key_for(const struct socket *socket,
                                              const struct daytona_address *remote)
{
    const struct signature_key *best = NULL;
    const struct signature_key *key =
        socket->extras == NULL ? NULL : socket->extras->signature_keys;
    for (; key != NULL; key = key->next)
        if (same_prefix(&key->remote, remote, key->prefix) &&
            (best == NULL || key->prefix > best->prefix))
            best = key;
    return best;
}

/* The link that holds the key of exactly this prefix, or ends the list. */
static struct signature_key **key_link(struct extras *extras, const struct daytona_address *remote,
                                       unsigned prefix)
{
    struct signature_key **link = &extras->signature_keys;
    while (*link != NULL &&
           ((*link)->prefix != prefix || !same_prefix(&(*link)->remote, remote, prefix)))
        link = &(*link)->next;
    return link;
}

static void key_drop(struct tcp *tcp, struct signature_key **link)
{
    struct signature_key *key = *link;
    *link = key->next;
    memset(key, 0, sizeof *key); /* nobody finds it in memory that is used again */
    memory_return(tcp->memory, key);
    tcp->signature_key_count--;
}

static int key_put(struct socket *socket, const struct daytona_address *remote, unsigned prefix,
                   struct daytona_span bytes)
{
    struct tcp *tcp = socket->tcp;
    struct extras *extras = extras_of(socket);
    struct signature_key **link = extras == NULL ? NULL : key_link(extras, remote, prefix);
    struct signature_key *key = link == NULL ? NULL : *link;
    if (link != NULL && key == NULL) {
        key = memory_take_zeroed(tcp->memory, sizeof *key);
        tcp->counters.allocation_failures += key == NULL;
        tcp->signature_key_count += key != NULL;
    }
    if (key == NULL)
        return -ENOMEM;
    *link = key;
    key->remote = *remote;
    key->prefix = (uint8_t)prefix;
    key->length = (uint8_t)bytes.length;
    memcpy(key->bytes, bytes.data, bytes.length);
    return 0;
}

/* A connection is signed from now on, or no more. */
static void connection_update(struct socket *socket)
{
    struct connection *connection = socket->connection;
    if (connection == NULL || connection->ended)
        return;
    connection->signature = signature_key_for(socket, &socket->entry.remote.address) != NULL;
    tcp_mss_update(connection);
}

int signature_key_set(struct socket *socket, const struct daytona_address *remote, unsigned prefix,
                      struct daytona_span key)
{
    int result = 0;
    if (key.length > 0) {
        result = key_put(socket, remote, prefix, key);
    } else {
        struct signature_key **link =
            socket->extras == NULL ? NULL : key_link(socket->extras, remote, prefix);
        if (link == NULL || *link == NULL)
            return -ENOENT;
        key_drop(socket->tcp, link);
    }
    connection_update(socket);
    return result;
}

bool signature_inherit(struct socket *child, const struct socket *listener)
{
    const struct daytona_address *remote = &child->entry.remote.address;
    const struct signature_key *key = signature_key_for(listener, remote);
    return key == NULL ||
           key_put(child, remote, PREFIX_MAX, (struct daytona_span){key->bytes, key->length}) == 0;
}

void signature_release(struct socket *socket)
{
    while (socket->extras != NULL && socket->extras->signature_keys != NULL)
        key_drop(socket->tcp, &socket->extras->signature_keys);
}

/* ------------------------------------------------------------------ digests */

/* RFC 2385 section 2.0: the pseudo-header, the header without options and with a checksum of zero,
 * the text, the key. */
static void digest(const struct signature_key *key, const struct daytona_address *source,
                   const struct daytona_address *destination, const uint8_t fixed[TCP_HEADER_MIN],
                   size_t segment_bytes, const struct daytona_span *payload, size_t span_count,
                   uint8_t out[MD5_BYTES])
{
    uint8_t pseudo[12] = {[9] = PROTOCOL_TCP}, header[TCP_HEADER_MIN];
    struct md5 md5;
    store_32(pseudo, daytona_address_to_ipv4(source));
    store_32(pseudo + 4, daytona_address_to_ipv4(destination));
    store_16(pseudo + 10, (uint16_t)segment_bytes);
    memcpy(header, fixed, sizeof header);
    store_16(header + AT_CHECKSUM, 0);
    md5_begin(&md5);
    md5_add(&md5, pseudo, sizeof pseudo);
    md5_add(&md5, header, sizeof header);
    for (size_t i = 0; i < span_count; i++)
        md5_add(&md5, payload[i].data, payload[i].length);
    md5_add(&md5, key->bytes, key->length);
    md5_end(&md5, out);
}

void signature_sign(const struct signature_key *key, const struct demux_entry *tuple,
                    struct tcp_header *header, const struct daytona_span *payload,
                    size_t span_count)
{
    uint8_t bytes[TCP_HEADER_MAX];
    header->has_signature = true;
    size_t length = tcp_header_emit(header, bytes);
    for (size_t i = 0; i < span_count; i++)
        length += payload[i].length;
    digest(key, &tuple->local.address, &tuple->remote.address, bytes, length, payload, span_count,
           header->signature);
}

/* Who a four-tuple belongs to, NULL nobody. */
static const struct socket *owner_of(const struct tcp *tcp, const struct demux_entry *tuple)
{
    struct demux_entry *entry = demux_find_tuple(&tcp->demux, &tuple->local, &tuple->remote);
    if (entry == NULL)
        return tcp_listener_find(tcp, &tuple->local, &tuple->remote);
    return entry->owner == DEMUX_REQUEST ? OWNER_OF(entry, struct request, entry)->listener
                                         : OWNER_OF(entry, struct socket, entry);
}

void signature_sign_reply(const struct tcp *tcp, const struct demux_entry *tuple,
                          struct tcp_header *header)
{
    const struct socket *owner = tcp->signature_key_count == 0 ? NULL : owner_of(tcp, tuple);
    const struct signature_key *key =
        owner == NULL ? NULL : signature_key_for(owner, &tuple->remote.address);
    if (key != NULL)
        signature_sign(key, tuple, header, NULL, 0);
}

bool signature_accept(const struct socket *owner, const struct demux_entry *tuple,
                      const struct segment *segment, enum daytona_verdict *verdict)
{
    const struct tcp_header *header = &segment->header;
    const struct signature_key *key = signature_key_for(owner, &tuple->remote.address);
    uint8_t right[MD5_BYTES];
    if (key == NULL) {
        *verdict = DAYTONA_VERDICT_SIGNATURE_UNEXPECTED;
        return !header->has_signature;
    }
    *verdict = DAYTONA_VERDICT_SIGNATURE_MISSING;
    if (!header->has_signature)
        return false;
    *verdict = DAYTONA_VERDICT_SIGNATURE_WRONG;
    digest(key, &tuple->remote.address, &tuple->local.address, segment->bytes.data,
           segment->bytes.length, &segment->payload, 1, right);
    return memcmp(right, header->signature, sizeof right) == 0;
}
