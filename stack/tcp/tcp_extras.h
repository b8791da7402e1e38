/*
 * tcp_extras.h - what few sockets have, in a block of its own: keys of TCP Fast Open and of
 * signatures.
 */
#ifndef STACK_TCP_TCP_EXTRAS_H
#define STACK_TCP_TCP_EXTRAS_H

#include "stack/tcp/tcp.h"

#define FASTOPEN_KEY_BYTES 16
#define FASTOPEN_KEYS_MAX  2 /* the one in use and the one before, as in Linux */

struct extras {
    uint8_t fastopen_keys[FASTOPEN_KEYS_MAX][FASTOPEN_KEY_BYTES];
    uint8_t fastopen_key_count;
    struct signature_key *signature_keys; /**< a list (tcp_signature_keys.c) */
    uint8_t ao_wanted;                    /**< send id that the peer asked for, if ao_wants */
    bool ao_wants;
};

/** The socket's block, made when there is none yet; NULL: no memory. */
struct extras *extras_of(struct socket *socket);

/** The socket is about to go. */
void extras_release(struct socket *socket);

#endif
