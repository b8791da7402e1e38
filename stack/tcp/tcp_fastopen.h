/*
 * tcp_fastopen.h - TCP Fast Open (RFC 7413): data on the SYN, for peers that have met before. The
 * server gives a client a cookie, which is a keyed hash of both addresses; with it the client's
 * next SYN is believed at once.
 */
#ifndef STACK_TCP_TCP_FASTOPEN_H
#define STACK_TCP_TCP_FASTOPEN_H

#include "stack/tcp/tcp_request.h"

/* ------------------------------------------------------------------ server: tcp_fastopen.c */

/** What a listener makes of the option on a SYN. */
enum fastopen_answer {
    FASTOPEN_IGNORED, /**< an ordinary SYN */
    FASTOPEN_GIVEN,   /**< the SYN-ACK brings a cookie */
    FASTOPEN_BELIEVED /**< the connection begins now, with the SYN's data */
};

enum fastopen_answer tcp_fastopen_judge(struct socket *listener, const struct demux_entry *tuple,
                                        const struct segment *syn);

/** Makes the connection of a SYN that is believed and puts it into the accept queue. */
enum daytona_verdict tcp_fastopen_accept(struct socket *listener, const struct demux_entry *tuple,
                                         const struct segment *syn,
                                         const struct handshake *handshake);

/** The cookie that the listener gives to the remote end. */
struct fastopen_cookie tcp_fastopen_cookie(const struct socket *listener,
                                           const struct demux_entry *tuple);

/* ------------------------------------------------------------------ client: tcp_fastopen_client.c
 */

/** The SYN of this connection is to have the option. True: it waits for data first. */
bool tcp_fastopen_begin(struct connection *connection);

/** The option of the SYN, and how many bytes of data go with it. */
uint32_t tcp_fastopen_syn(const struct connection *connection, struct fastopen_cookie *cookie);

/** The SYN was not answered: what follows has neither option nor data. */
void tcp_fastopen_timed_out(struct connection *connection);

/** The SYN-ACK is here and acceptable: keeps the cookie, takes what it acknowledges of the data. */
void tcp_fastopen_answered(struct connection *connection, const struct segment *segment);

#endif
