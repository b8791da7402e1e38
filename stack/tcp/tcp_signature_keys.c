/* Keys of signatures: whose they are, and which of them is used. */
#include "stack/tcp/tcp_parts.h"
#include "stack/tcp/tcp_signature.h"

#include <errno.h>
#include <string.h>

#define PREFIX_MAX 128u

static bool same_prefix(const struct daytona_address *a, const struct daytona_address *b,
                        unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_for(const struct signature_key *key, const struct daytona_address *remote)
{
    return same_prefix(&key->remote, remote, key->prefix);
}

static const struct signature_key *first_key(const struct socket *socket)
{
    return socket->extras == NULL ? NULL : socket->extras->signature_keys;
}

const struct signature_key *signature_key_for(const struct socket *socket,
                                              const struct daytona_address *remote)
{
    const struct signature_key *best = NULL, *key = first_key(socket);
    for (; key != NULL; key = key->next)
        if (is_for(key, remote) &&
            (best == NULL || key->prefix > best->prefix ||
             (key->prefix == best->prefix && key->kind == SIGNATURE_AO &&
              key->send_id == socket->extras->ao_wanted && socket->extras->ao_wants)))
            best = key;
    return best;
}

const struct signature_key *signature_key_by(const struct socket *socket,
                                             const struct daytona_address *remote,
                                             uint8_t receive_id)
{
    const struct signature_key *key = first_key(socket);
    while (key != NULL &&
           !(key->kind == SIGNATURE_AO && key->receive_id == receive_id && is_for(key, remote)))
        key = key->next;
    return key;
}

void signature_key_wanted(struct socket *socket, const struct daytona_address *remote,
                          uint8_t send_id)
{
    const struct signature_key *key = first_key(socket);
    for (; key != NULL; key = key->next) {
        if (key->kind != SIGNATURE_AO || key->send_id != send_id || !is_for(key, remote))
            continue;
        socket->extras->ao_wanted = send_id;
        socket->extras->ao_wants = true;
        return;
    }
}

bool signature_key_use(struct socket *socket, uint8_t send_id)
{
    const struct signature_key *key = first_key(socket);
    while (key != NULL && !(key->kind == SIGNATURE_AO && key->send_id == send_id))
        key = key->next;
    if (key == NULL)
        return false;
    socket->extras->ao_wanted = send_id;
    socket->extras->ao_wants = true;
    return true;
}

uint8_t signature_room(const struct socket *socket, const struct daytona_address *remote)
{
    const struct signature_key *key = signature_key_for(socket, remote);
    if (key == NULL)
        return 0;
    return key->kind == SIGNATURE_MD5 ? TCP_SIGNATURE_LENGTH : TCP_AO_LENGTH;
}

static bool same_key(const struct signature_key *a, const struct signature_key *b)
{
    return a->kind == b->kind && a->prefix == b->prefix && is_for(a, &b->remote) &&
           a->send_id == b->send_id && a->receive_id == b->receive_id;
}

bool signature_key_signs(const struct socket *socket, const struct signature_key *which)
{
    const struct daytona_address *remote =
        socket->connection != NULL ? &socket->entry.remote.address : &which->remote;
    const struct signature_key *key = signature_key_for(socket, remote);
    return key != NULL && same_key(key, which);
}

/* The link that holds the key like `which`, or ends the list. */
static struct signature_key **key_link(struct extras *extras, const struct signature_key *which)
{
    struct signature_key **link = &extras->signature_keys;
    while (*link != NULL && !same_key(*link, which))
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

/* A connection is signed from now on, or no more. */
static void connection_update(struct socket *socket)
{
    struct connection *connection = socket->connection;
    if (connection == NULL || connection->ended)
        return;
    connection->signature = signature_room(socket, &socket->entry.remote.address);
    tcp_mss_update(connection);
}

int signature_key_put(struct socket *socket, const struct signature_key *key)
{
    struct tcp *tcp = socket->tcp;
    struct extras *extras = extras_of(socket);
    if (extras == NULL)
        return -ENOMEM;
    struct signature_key **link = key_link(extras, key);
    if (*link == NULL) {
        *link = memory_take_zeroed(tcp->memory, sizeof **link);
        tcp->counters.allocation_failures += *link == NULL;
        if (*link == NULL)
            return -ENOMEM;
        tcp->signature_key_count++;
    }
    struct signature_key *next = (*link)->next;
    **link = *key;
    (*link)->next = next;
    connection_update(socket);
    return 0;
}

int signature_key_take(struct socket *socket, const struct signature_key *which)
{
    struct signature_key **link = socket->extras == NULL ? NULL : key_link(socket->extras, which);
    if (link == NULL || *link == NULL)
        return -ENOENT;
    key_drop(socket->tcp, link);
    connection_update(socket);
    return 0;
}

bool signature_inherit(struct socket *child, const struct socket *listener)
{
    const struct daytona_address *remote = &child->entry.remote.address;
    const struct signature_key *best = signature_key_for(listener, remote);
    const struct signature_key *key = best == NULL ? NULL : first_key(listener);
    for (; key != NULL; key = key->next) {
        if (!is_for(key, remote) || key->kind != best->kind || key->prefix != best->prefix)
            continue;
        struct signature_key copy = *key;
        copy.remote = *remote;
        copy.prefix = PREFIX_MAX;
        if (signature_key_put(child, &copy) < 0)
            return false;
    }
    return true;
}

void signature_release(struct socket *socket)
{
    while (socket->extras != NULL && socket->extras->signature_keys != NULL)
        key_drop(socket->tcp, &socket->extras->signature_keys);
}
