/*
 * tcp_request.h - half-open connections of listeners: what is kept of a SYN until the final ACK
 * makes a socket and a connection of it. A request costs 192 bytes, an eighth of both; a cookie
 * (tcp_cookie.c) costs none.
 */
#ifndef STACK_TCP_TCP_REQUEST_H
#define STACK_TCP_TCP_REQUEST_H

#include "stack/tcp/tcp_parts.h"

/** What a SYN and our answer to it say: all that the connection is made of. */
struct handshake {
    struct seq iss, irs;
    uint32_t timestamp_offset; /**< of ours */
    uint32_t timestamp_recent; /**< the peer's last */
    uint16_t peer_mss;         /**< 0: not said */
    uint16_t peer_window;      /**< as on the wire */
    uint16_t advertised_mss, window, path_mtu;
    uint8_t peer_scale, scale;
    uint8_t syn_flags;              /**< of the SYN */
    uint8_t ecn;                    /**< enum daytona_ecn_mode that is agreed to */
    uint8_t syn_ecn;                /**< enum ip_ecn that the SYN came with */
    bool timestamps, sack, scaling; /**< both ends have them */
    bool gives_cookie;              /**< the SYN-ACK brings one for TCP Fast Open */
};

/** A half-open connection, in the tuple table and among its listener's requests. */
struct request {
    struct demux_entry entry;
    struct daytona_socket_id id; /**< the socket's to be */
    struct socket *listener;
    struct list_node sibling; /**< in listener.requests */
    struct list_node due;     /**< in tcp.requests: the SYN-ACK is to be sent */
    struct timer timer;       /**< TIMER_SYN_ACK */
    struct daytona_instant begun;
    struct daytona_instant sent;     /**< the first SYN-ACK; 0 not yet */
    struct daytona_instant answered; /**< last rate-limited ACK, RFC 5961 section 7 */
    struct handshake handshake;
    uint16_t repeated; /**< SYN-ACKs beyond the first */
    uint8_t tries;     /**< retransmissions by timeout */
    bool acknowledged; /**< by a bare ACK, which TCP_DEFER_ACCEPT did not let count */
    bool ambiguous;    /**< the SYN-ACK was repeated: no round trip can be measured (Karn) */
};

_Static_assert(sizeof(struct request) <= 256, "a request is one block of 256 bytes");

/* ------------------------------------------------------------------ tcp_handshake.c */

/** What the listener agrees to. `isn` NULL: a keyed one (RFC 6528). */
void handshake_agree(struct handshake *out, const struct socket *listener,
                     const struct demux_entry *tuple, const struct segment *syn,
                     const struct seq *isn, uint16_t path_mtu);

/** The SYN-ACK; its timestamp is `timestamp` (not looked at without timestamps). */
struct tcp_header handshake_syn_ack(const struct handshake *handshake,
                                    const struct demux_entry *tuple, uint32_t timestamp);

/** A listener's child in SYN-RECEIVED; NULL: no memory. It takes over `request`, which may be
 *  NULL, with its id and its place in the tables; else `cause` is why there is one. */
struct connection *handshake_child(struct socket *listener, const struct demux_entry *tuple,
                                   const struct handshake *handshake, struct request *request,
                                   const char *cause);

/* ------------------------------------------------------------------ tcp_request.c */

/** Keeps the SYN and has it answered. 0, -ENOMEM. */
int request_new(struct socket *listener, const struct demux_entry *tuple,
                const struct handshake *handshake);

/** Forgets it without a word to the peer. */
void request_drop(struct request *request, const char *cause);

/** Out of every table but the slots; memory is given back. */
void request_release(struct request *request);

/** A segment for a request, RFC 9293 section 3.10.7.4 in SYN-RECEIVED. The child, when the
 *  segment is an ACK that completes the handshake and is now to be given to it; else NULL and
 *  *verdict. */
struct connection *tcp_request_input(struct request *request, const struct segment *segment,
                                     enum daytona_verdict *verdict);

/** The SYN-ACK was not answered in time. */
void tcp_request_fired(struct request *request);

/** Writes the SYN-ACK that waits longest; false when none does. */
bool tcp_request_output(struct tcp *tcp, struct daytona_packet_out *out);

/* ------------------------------------------------------------------ tcp_cookie.c */

/** Answers a SYN without keeping anything: RFC 4987 section 3.6. */
enum daytona_verdict tcp_cookie_send(struct socket *listener, const struct demux_entry *tuple,
                                     struct handshake *handshake);

/** Does this ACK bear a cookie of ours that is still good? Then *out is what was agreed. */
bool tcp_cookie_read(struct socket *listener, const struct demux_entry *tuple,
                     const struct segment *segment, struct handshake *out);

#endif
