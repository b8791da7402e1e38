/*
 * tcp_signature.h - signed segments: TCP MD5 (RFC 2385) and TCP-AO (RFC 5925). Each segment to and
 * from a peer for whom there is a key bears a digest over itself and the key, and without a right
 * one it is dropped.
 */
#ifndef STACK_TCP_TCP_SIGNATURE_H
#define STACK_TCP_TCP_SIGNATURE_H

#include "stack/tcp/tcp_extras.h"

enum signature_kind { SIGNATURE_MD5, SIGNATURE_AO };

/** A key and for whom it is; RFC 5925 calls one of AO a master key tuple. */
struct signature_key {
    struct signature_key *next;
    struct daytona_address remote;
    uint8_t prefix; /**< bits of the address in IPv6's form */
    uint8_t kind;   /**< enum signature_kind */
    uint8_t length;
    uint8_t bytes[DAYTONA_SIGNATURE_KEY_MAX];
    uint8_t send_id, receive_id; /**< the rest is AO's */
    uint8_t algorithm;           /**< enum daytona_ao_algorithm */
    bool leaves_options_out;     /**< of the MAC, but for AO's own */
};

/** What AO needs to know of a connection. Offsets; an ISN of 0 is not known yet. */
struct signature_numbers {
    uint64_t source_isn, destination_isn; /**< the sender's and the receiver's */
    uint64_t seq;                         /**< of the segment */
};

/* ------------------------------------------------------------------ keys: tcp_signature_keys.c */

/** Adds the key, which is copied; one for the same peers, and with the same ids, it replaces. 0,
 *  -ENOMEM. */
int signature_key_put(struct socket *socket, const struct signature_key *key);

/** Takes the key for these peers and with these ids away. 0, -ENOENT. */
int signature_key_take(struct socket *socket, const struct signature_key *which);

/** A child has the keys that its listener has for its peer. False: no memory. */
bool signature_inherit(struct socket *child, const struct socket *listener);

void signature_release(struct socket *socket);

/** The key to sign with for a peer, NULL none: of those with the longest prefix the one that AO has
 *  come to, else the oldest. */
const struct signature_key *signature_key_for(const struct socket *socket,
                                              const struct daytona_address *remote);

/** The key of AO by which a peer signs under this id, NULL none. */
const struct signature_key *signature_key_by(const struct socket *socket,
                                             const struct daytona_address *remote,
                                             uint8_t receive_id);

/** RFC 5925 section 7.5: the peer wants to hear this id of ours from now on. */
void signature_key_wanted(struct socket *socket, const struct daytona_address *remote,
                          uint8_t send_id);

/** The same, by the application's wish. False: there is no such key of AO. */
bool signature_key_use(struct socket *socket, uint8_t send_id);

/** Whether what goes to its peers is signed with the key like `which`; of a connection, to its
 *  peer. */
bool signature_key_signs(const struct socket *socket, const struct signature_key *which);

/** Bytes of options that signatures to this peer take: 0 there is no key. */
uint8_t signature_room(const struct socket *socket, const struct daytona_address *remote);

/* ------------------------------------------------------------------ segments: tcp_signature.c */

/** Puts the digest into `header`, whose other fields are complete, for a segment from tuple->local
 *  to tuple->remote. */
void signature_sign(const struct signature_key *key, const struct demux_entry *tuple,
                    struct tcp_header *header, const struct signature_numbers *numbers,
                    const struct daytona_span *payload, size_t span_count);

/** Signs a segment that belongs to no connection as whoever the four-tuple belongs to would. */
void signature_sign_reply(const struct tcp *tcp, const struct demux_entry *tuple,
                          struct tcp_header *header);

/** Whether a segment for `owner`, a connection's socket or a listener, is signed as it has to be.
 * If not, *verdict says what is wrong. `entry` is what the four-tuple led to, NULL nothing yet. */
bool signature_accept(struct socket *owner, const struct demux_entry *entry,
                      const struct demux_entry *tuple, const struct segment *segment,
                      enum daytona_verdict *verdict);

#endif
