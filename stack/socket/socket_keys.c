/* Keys of signatures: TCP MD5 (RFC 2385) and TCP-AO (RFC 5925). */
#include "stack/socket/socket.h"
#include "stack/tcp/tcp_signature.h"

#include <errno.h>
#include <string.h>

#define IPV4_BITS   32
#define MAPPED_BITS 96 /* before an IPv4 address in IPv6's form */

/* 0 when such a key can be. */
static int fill(struct signature_key *out, const struct daytona_address *remote,
                unsigned prefix_bits, struct daytona_span key)
{
    if (key.length > sizeof out->bytes || prefix_bits > IPV4_BITS ||
        !daytona_address_is_ipv4(remote))
        return -EINVAL;
    out->remote = *remote;
    out->prefix = (uint8_t)(MAPPED_BITS + prefix_bits);
    out->length = (uint8_t)key.length;
    if (key.length > 0)
        memcpy(out->bytes, key.data, key.length);
    return 0;
}

int daytona_stack_set_signature_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                    const struct daytona_address *remote, unsigned prefix_bits,
                                    struct daytona_span key)
{
    struct socket *socket = socket_held(stack, id);
    struct signature_key record = {.kind = SIGNATURE_MD5};
    if (socket == NULL)
        return -EBADF;
    int error = fill(&record, remote, prefix_bits, key);
    if (error < 0)
        return error;
    return key.length > 0 ? signature_key_put(socket, &record)
                          : signature_key_take(socket, &record);
}

static int fill_ao(struct signature_key *out, const struct daytona_ao_key *key)
{
    *out = (struct signature_key){
        .kind = SIGNATURE_AO,
        .send_id = key->send_id,
        .receive_id = key->receive_id,
        .algorithm = (uint8_t)key->algorithm,
        .leaves_options_out = key->leaves_options_out,
    };
    if (key->algorithm > DAYTONA_AO_AES_128_CMAC)
        return -EINVAL;
    return fill(out, &key->remote, key->prefix_bits, key->key);
}

int daytona_stack_add_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                             const struct daytona_ao_key *key)
{
    struct socket *socket = socket_held(stack, id);
    struct signature_key record;
    if (socket == NULL)
        return -EBADF;
    int error = fill_ao(&record, key);
    return error < 0 ? error : signature_key_put(socket, &record);
}

int daytona_stack_remove_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                                const struct daytona_ao_key *key)
{
    struct socket *socket = socket_held(stack, id);
    struct signature_key record;
    if (socket == NULL)
        return -EBADF;
    int error = fill_ao(&record, key);
    if (error == 0 && socket->connection != NULL && signature_key_signs(socket, &record))
        error = -EBUSY;
    return error < 0 ? error : signature_key_take(socket, &record);
}

int daytona_stack_get_ao_key(struct daytona_stack *stack, struct daytona_socket_id id, size_t index,
                             struct daytona_ao_key *out, bool *current)
{
    struct socket *socket = socket_held(stack, id);
    const struct signature_key *key =
        socket == NULL || socket->extras == NULL ? NULL : socket->extras->signature_keys;
    if (socket == NULL)
        return -EBADF;
    for (; key != NULL && (key->kind != SIGNATURE_AO || index > 0); key = key->next)
        index -= key->kind == SIGNATURE_AO;
    if (key == NULL)
        return -ENOENT;
    *out = (struct daytona_ao_key){
        .remote = key->remote,
        .prefix_bits = key->prefix - MAPPED_BITS,
        .send_id = key->send_id,
        .receive_id = key->receive_id,
        .algorithm = (enum daytona_ao_algorithm)key->algorithm,
        .leaves_options_out = key->leaves_options_out,
        .key = {key->bytes, key->length},
    };
    *current = signature_key_signs(socket, key);
    return 0;
}

int daytona_stack_use_ao_key(struct daytona_stack *stack, struct daytona_socket_id id,
                             uint8_t send_id)
{
    struct socket *socket = socket_held(stack, id);
    if (socket == NULL)
        return -EBADF;
    return signature_key_use(socket, send_id) ? 0 : -ENOENT;
}
