/*
 * peer.h - one stack and a peer that is played by hand: the test says which segments arrive and
 * reads which leave. Time is virtual and moves only when the test says so.
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include "stack/wire/tcp_header.h"
#include "tests/unit/region.h"
#include <daytona/stack.h>

#define OUR_ADDRESS  0x0a000001u /* 10.0.0.1 */
#define PEER_ADDRESS 0x0a000002u /* 10.0.0.2 */
#define OUR_PORT     80
#define PEER_PORT    4000

/** A segment that the stack sent. */
struct heard {
    struct tcp_header header;
    uint32_t seq, ack; /**< relative to the initial sequence numbers: 0 is the SYN */
    size_t length;     /**< payload */
    uint8_t ecn;       /**< of its IP header */
    unsigned ace;      /**< AE, CWR and ECE as a number */
    uint8_t payload[65536];
    struct daytona_packet_out packet;
};

struct peer {
    void *region;
    struct daytona_stack *stack;
    struct daytona_instant now;
    struct daytona_socket_id id; /**< of our end, when there is one */
    uint16_t our_port, peer_port;
    uint32_t our_isn, peer_isn;           /**< ours is learnt from the SYN that is heard */
    uint16_t window;                      /**< of the segments the peer says, as on the wire */
    bool timestamps;                      /**< the peer's segments have them */
    uint8_t hops;                         /**< TTL of its packets */
    uint32_t timestamp, timestamp_echo;   /**< their values; the echo follows what is heard */
    uint8_t ecn;                          /**< the ECN field of the packets that the peer sends */
    unsigned ace;                         /**< AE, CWR and ECE of all its segments, 0-7 */
    unsigned events[DAYTONA_EVENT_COUNT]; /**< how many of each the stack told */
    struct daytona_event last[DAYTONA_EVENT_COUNT];
    struct heard heard; /**< the last one */
};

/** What a SYN or SYN-ACK of the peer offers. */
struct offer {
    uint16_t mss; /**< 0: no option */
    bool sack, timestamps, scaling;
    uint8_t scale;
};
extern const struct offer offer_all;     /**< MSS 1460, SACK, timestamps, scale 7 */
extern const struct offer offer_plain;   /**< MSS 1460, nothing else */
extern const struct offer offer_no_time; /**< all but timestamps */

/** A stack; `config` NULL: defaults, with owns_every_port. */
void peer_start(struct peer *peer, const struct daytona_stack_config *config);

/** Drops the stack; asserts that nothing is left in its memory when all sockets are gone. */
void peer_stop(struct peer *peer);

/** Moves time. */
void peer_wait_us(struct peer *peer, uint64_t us);

/** Moves time to the stack's deadline; nothing may be waiting to be heard. */
void peer_wait_deadline(struct peer *peer);

/** The peer says a segment; numbers are relative to the initial ones. */
enum daytona_verdict peer_say(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                              const char *text);

/** The same with full control: `header` has absolute numbers and all options, ports are filled. */
enum daytona_verdict peer_say_header(struct peer *peer, struct tcp_header *header,
                                     struct daytona_span payload);

/** An ACK with SACK blocks (pairs of relative numbers). */
enum daytona_verdict peer_sack(struct peer *peer, uint32_t ack, const uint32_t *blocks,
                               size_t count);

/** `length` bytes of text; byte i of the stream is peer_byte(i), text begins at offset 1. */
enum daytona_verdict peer_say_bytes(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack,
                                    size_t length);
uint8_t peer_byte(uint64_t offset);

/** Takes the next segment that the stack sends into peer->heard; false when there is none. */
bool peer_hears(struct peer *peer);

/** The next one must be there and be this; data are compared when `text` is not NULL. */
void expect_segment(struct peer *peer, uint8_t flags, uint32_t seq, uint32_t ack, size_t length);
void expect_silence(struct peer *peer);

/** Takes all that the stack sends now; returns how many. */
unsigned peer_hears_all(struct peer *peer);

/** Our end listens on OUR_PORT, the peer connects; ESTABLISHED, accepted, nothing pending. */
void peer_connects(struct peer *peer, const struct offer *offer);

/** Opens a socket of ours that listens. */
struct daytona_socket_id peer_listener(struct peer *peer, uint16_t port, int backlog);

/** The peer's SYN with an offer, from peer->peer_port. */
enum daytona_verdict peer_syn(struct peer *peer, const struct offer *offer);

/** Our end begins to connect from port 5000 to the peer's port 4000; SYN is not yet heard. */
void peer_we_connect(struct peer *peer);

/** ... and the peer answers: ESTABLISHED, nothing pending. */
void peer_answers(struct peer *peer, const struct offer *offer);

/** Our application writes `length` bytes of the stream pattern, asserts that all are taken. */
void we_send(struct peer *peer, size_t length, unsigned flags);

/** Our application reads up to `max` bytes; returns what the stack does. */
ptrdiff_t we_receive(struct peer *peer, void *buffer, size_t max, unsigned flags);

enum daytona_tcp_state our_state(struct peer *peer);
struct daytona_connection_info our_info(struct peer *peer);
void we_set(struct peer *peer, enum daytona_option option, int64_t value);

/** An ICMP error that quotes a segment of ours with this relative sequence number. */
enum daytona_verdict peer_icmp(struct peer *peer, uint8_t type, uint8_t code, uint16_t mtu,
                               uint32_t seq);

#endif
