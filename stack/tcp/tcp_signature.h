/*
 * tcp_signature.h - TCP MD5 signatures (RFC 2385): each segment to and from a peer for whom there
 * is a key bears a digest over itself and the key, and without a right one it is dropped.
 */
#ifndef STACK_TCP_TCP_SIGNATURE_H
#define STACK_TCP_TCP_SIGNATURE_H

#include "stack/tcp/tcp_extras.h"

/** Sets (or changes) the key for peers in `remote`/`prefix`; of length 0: takes it away. 0,
 *  -ENOENT there was none, -ENOMEM. */
int signature_key_set(struct socket *socket, const struct daytona_address *remote, unsigned prefix,
                      struct daytona_span key);

/** A child has the key that its listener has for its peer. False: no memory. */
bool signature_inherit(struct socket *child, const struct socket *listener);

void signature_release(struct socket *socket);

/** The key for a peer, NULL none: the one with the longest prefix. */
const struct signature_key *signature_key_for(const struct socket *socket,
                                              const struct daytona_address *remote);

/** Puts the digest into `header`, whose other fields are complete, for a segment from tuple->local
 *  to tuple->remote. */
void signature_sign(const struct signature_key *key, const struct demux_entry *tuple,
                    struct tcp_header *header, const struct daytona_span *payload,
                    size_t span_count);

/** Signs a segment that belongs to no connection as whoever the four-tuple belongs to would. */
void signature_sign_reply(const struct tcp *tcp, const struct demux_entry *tuple,
                          struct tcp_header *header);

/** Whether a segment for `owner`, a connection's socket or a listener, is signed as it has to be.
 * If not, *verdict says what is wrong. */
bool signature_accept(const struct socket *owner, const struct demux_entry *tuple,
                      const struct segment *segment, enum daytona_verdict *verdict);

#endif
