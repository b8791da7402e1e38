/*
 * subject.h - the stack that is fuzzed, in the situations in which packets meet it: a listener, a
 * connection in SYN-SENT, and one in a state of choice. Every packet that it sends is read back
 * and must be well formed.
 */
#ifndef FUZZ_SUBJECT_H
#define FUZZ_SUBJECT_H

#include "tests/fuzz/call.h"
#include "tests/sim/packet.h"

#define FUZZ_PEERS_MAX 8

/** A far end that the input plays: both ports and the numbers it goes by. */
struct fuzz_peer {
    uint16_t local_port, remote_port; /**< as the stack sees them */
    uint32_t next;      /**< what the stack expects next from the peer (its last ACK) */
    uint32_t ack;       /**< one past the highest number the stack has sent */
    uint32_t timestamp; /**< the stack's last one */
};

struct fuzz_subject {
    struct daytona_stack *stack; /**< lives in a static region */
    struct daytona_instant now;
    struct fuzz_application application;    /**< the listener is its first socket */
    struct fuzz_peer peers[FUZZ_PEERS_MAX]; /**< FUZZ_CONNECTED, FUZZ_SYN_SENT, others new */
    uint64_t packets_in, packets_out;
};

/** The peer numbers of the prepared connections. */
enum { FUZZ_CONNECTED, FUZZ_SYN_SENT, FUZZ_FIRST_NEW };

/** IPv4 addresses of the stack and of everything it talks to, host byte order. */
#define FUZZ_STACK_ADDRESS 0x0a000001u
#define FUZZ_PEER_ADDRESS  0x0a000002u

/** A segment that the input wants to send. */
struct fuzz_segment {
    const struct fuzz_peer *peer;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window, urgent_pointer;
    uint8_t options[40];                     /**< padded to a multiple of 4 with zeros */
    uint32_t options_length, payload_length; /**< at most 40, 2,000 */
    enum { FUZZ_SUM_RIGHT, FUZZ_SUM_PARTIAL, FUZZ_SUM_WRONG } sum;
};

/** Writes `value` in network byte order. */
void fuzz_put32(uint8_t *at, uint32_t value);

/** What of the configuration an input chooses. */
enum fuzz_variant {
    FUZZ_OWNS_EVERY_PORT = 1 << 0,
    FUZZ_PARTIAL_CHECKSUMS = 1 << 1,
    FUZZ_SUPER_SEGMENTS = 1 << 2,
    FUZZ_CONTROLLERS = 1 << 3, /**< times the number of a congestion controller */
};

/** Makes the stack and its situations; `variant` is a set of enum fuzz_variant, `state` that of
 *  the connection with peer FUZZ_CONNECTED: any but LISTEN and CLOSED. */
void fuzz_subject_prepare(struct fuzz_subject *subject, unsigned variant,
                          enum daytona_tcp_state state);

/** Hands over bytes as one captured packet of `wire_length`. */
void fuzz_input(struct fuzz_subject *subject, const uint8_t *bytes, size_t length,
                size_t wire_length);

/** The IP packet of a segment; the caller frees it. */
struct sim_packet *fuzz_segment_packet(const struct fuzz_segment *segment);

/** Takes all packets that are due and learns from them, and all reports of readiness. */
void fuzz_drain(struct fuzz_subject *subject);

/** Aborts everything, lets time pass, and demands that nothing is left. */
void fuzz_subject_finish(struct fuzz_subject *subject);

#endif
