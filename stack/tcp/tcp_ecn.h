/*
 * tcp_ecn.h - explicit congestion notification of one connection: routers mark packets instead of
 * dropping them, the receiver tells the sender, the sender slows down. Classic as in RFC 3168
 * (tcp_ecn.c), with each mark echoed when the controller wants them all (RFC 8257), or accurate as
 * in RFC 9768 (tcp_accecn.c).
 *
 * What may be marked (ECT(0)) is new data only: RFC 3168 section 6.1.4 to 6.1.6 takes out SYNs,
 * pure ACKs, retransmissions and window probes, and RFC 9768 only allows, it does not ask for more.
 */
#ifndef STACK_TCP_TCP_ECN_H
#define STACK_TCP_TCP_ECN_H

#include "stack/wire/ipv4.h"
#include "stack/wire/tcp_header.h"
#include <daytona/stack.h>

struct connection;
struct segment;
struct socket;
struct outgoing;

struct ecn {
    uint8_t mode;       /**< enum daytona_ecn_mode, agreed */
    uint8_t asked;      /**< enum daytona_ecn_mode that our SYN asks for */
    uint8_t syn_ecn;    /**< enum ip_ecn of the peer's SYN or SYN-ACK, fed back in the opening */
    uint8_t last_ecn;   /**< enum ip_ecn of the data that came last */
    uint8_t unreported; /**< accurate: packets marked CE since the last ACK, at most 255 */
    uint8_t option_due; /**< accurate: ACKs that still carry the byte counters */
    uint8_t opening;    /**< accurate: how the peer's next feedback is to be read */
    bool seen;          /**< data with another ECN field than Not-ECT have come */
    bool incapable;     /**< our packets are not to be marked: the path mangles ECN */
    bool echo;          /**< classic: ACKs carry ECE */
    bool cwr_due;       /**< classic: the next new data carry CWR */
    bool reflect;       /**< accurate: the next pure ACK tells what became of the SYN-ACK */
    bool no_option;     /**< accurate: the peer's counters make no sense */
    bool seen_option;   /**< accurate: the peer's counters have been seen */
    bool holding;       /**< the reduction after a mark is in force until una > reduced_to */
    bool paused;        /**< marked at a window of one segment: nothing new until a timeout */
    bool echoed;        /**< the ACK in hand bears ECE */
    uint32_t reported;  /**< bytes that the ACK in hand says were marked */
    uint32_t ce_in, ce_out; /**< packets that came marked; of ours, those that arrived marked */
    uint32_t ece_in;        /**< ACKs with ECE */
    uint32_t bytes_in[TCP_ACCECN_FIELDS]; /**< as in the option */
    uint32_t bytes_out[TCP_ACCECN_FIELDS];
    uint64_t reduced_to; /**< nxt when cwnd was last reduced: marks up to there are answered */
    uint64_t fresh_from; /**< what starts here or later was never sent */
};

/* ------------------------------------------------------------------ the opening, tcp_ecn.c */

/** The value of option ECN with this name, -EINVAL when there is none. */
int tcp_ecn_policy(const char *name);

/** Decides what our SYN asks for. */
void tcp_ecn_offer(struct connection *connection);

/** What a socket that gets this SYN makes of it (RFC 3168 section 6.1.1, RFC 9768 section 3.1). */
enum daytona_ecn_mode tcp_ecn_judge(const struct socket *socket, const struct segment *syn);

/** The connection has agreed to `mode` in answer to a SYN that arrived with `syn_ecn`. */
void tcp_ecn_adopt(struct connection *connection, enum daytona_ecn_mode mode, enum ip_ecn syn_ecn);

/** Flags of the SYN-ACK for that. */
void tcp_ecn_syn_ack(enum daytona_ecn_mode mode, enum ip_ecn syn_ecn, struct tcp_header *header);

/** The peer's SYN-ACK says what it takes of our offer. */
void tcp_ecn_answered(struct connection *connection, const struct segment *syn_ack);

/** The peer sends its SYN again: what it does not ask for any more is off. */
void tcp_ecn_asked_again(struct connection *connection, const struct segment *syn);

/* ------------------------------------------------------------------ the receiver, tcp_ecn.c */

/** An acceptable segment: notes its mark and its CWR, has it acknowledged sooner if need be. A step
 *  of the walk: true. */
bool tcp_step_ecn(struct connection *connection, struct segment *segment,
                  enum daytona_verdict *verdict);

/** Writes the flags and the option into a header that is otherwise complete, `option_room` bytes
 *  of options may be added. Returns the ECN field for the IP header. */
enum ip_ecn tcp_ecn_write(struct connection *connection, const struct outgoing *what,
                          uint32_t option_room, struct tcp_header *header);

/** A pure ACK is due before any data, RFC 9768 section 3.2.2.1. */
bool tcp_ecn_reflects(const struct connection *connection);

/** The next new data carry the CWR bit: as CWR, or as a part of the counter of RFC 9768. What
 *  splits a super-segment leaves that bit on the first part alone. */
bool tcp_ecn_writes_cwr(const struct connection *connection);

/* ------------------------------------------------------------------ the sender, tcp_ecn.c */

/** Reads what an ACK reports that has told of `delivered` bytes for the first time. True when cwnd
 * is to be reduced: tcp_ecn_reduce(), when the controller has heard of the ACK. */
bool tcp_ecn_feedback(struct connection *connection, const struct segment *segment,
                      uint32_t delivered);

/** RFC 3168 section 6.1.2: as for a loss, at most once a window. `flight` bytes were outstanding
 * and `cwnd` was the window before the ACK. */
void tcp_ecn_reduce(struct connection *connection, uint32_t flight, uint32_t cwnd);

/** The controller is told of ACKs also while the reduction after a mark is in force, because it
 * models the path or counts the marks. */
bool tcp_ecn_tells_controller(const struct connection *connection);

/** A loss is about to reduce cwnd, which answers the marks of the same window, too. False when a
 * mark in the same window has done so already: once is enough. */
bool tcp_ecn_loss(struct connection *connection);

/** una has moved: the reduction after a mark may be over. */
void tcp_ecn_advance(struct connection *connection);

/** Of `acked_bytes` that the ACK in hand acknowledges, those that were marked. */
uint32_t tcp_ecn_marked(const struct connection *connection, uint32_t acked_bytes);

/** The pause of RFC 3168 section 6.1.2 at a window of one segment is over. */
void tcp_ecn_pause_fired(struct connection *connection);

/* ------------------------------------------------------------------ tcp_accecn.c */

/** Sets the counters to where both ends begin; `asked`: by our SYN, not by the peer's. */
void tcp_accecn_start(struct connection *connection, bool asked);

/** The option as it is on a SYN-ACK. */
void tcp_accecn_begin_option(struct tcp_header *syn_ack);

/** Of an ACK that returns a SYN cookie: the accurate kind, when that was agreed on (RFC 9768
 * section 5.1: no other has these flags), else none. */
enum daytona_ecn_mode tcp_accecn_recognise(const struct socket *listener,
                                           const struct tcp_header *header);

/** Counts a segment that came with `ecn` (RFC 9768 section 3.2.2 and 3.2.3), and has it
 *  acknowledged where section 3.2.2.5.1 wants that. */
void tcp_accecn_arrived(struct connection *connection, const struct segment *segment);

/** The ACE field, and the option if it is due and fits. */
void tcp_accecn_write(struct connection *connection, const struct outgoing *what,
                      uint32_t option_room, struct tcp_header *header);

/** The ACE field of the next segment has CWR's bit. */
bool tcp_accecn_has_cwr(const struct ecn *ecn);

/** Reads both. Returns how many packets of ours are newly said to be marked; `newly` bytes are
 *  acknowledged by the segment. */
uint32_t tcp_accecn_feedback(struct connection *connection, const struct segment *segment,
                             uint32_t newly);

/** ACE, CWR and ECE as the number of RFC 9768 section 3.2.2: AE is the highest bit. */
static inline unsigned tcp_accecn_ace(const struct tcp_header *header)
{
    return (header->ae ? 4u : 0u) | ((header->flags & TCP_CWR) != 0 ? 2u : 0u) |
           ((header->flags & TCP_ECE) != 0 ? 1u : 0u);
}

static inline void tcp_accecn_ace_set(struct tcp_header *header, unsigned ace)
{
    header->ae = (ace & 4u) != 0;
    header->flags |= (uint8_t)(((ace & 2u) != 0 ? TCP_CWR : 0) | ((ace & 1u) != 0 ? TCP_ECE : 0));
}

/** The handshake encoding of what became of a SYN or SYN-ACK, RFC 9768 tables 2 and 3. */
unsigned tcp_accecn_reflection(enum ip_ecn ecn);

#endif
