/*
 * packet.h - an IPv4 packet on the simulated wire. The simulator reads headers and sums with
 * code of its own, so that a mistake in stack/wire/ is not checked against itself.
 */
#ifndef SIM_PACKET_H
#define SIM_PACKET_H

#include "tests/sim/random.h"
#include <daytona/stack.h>

struct sim_flow;

/** What a TCP packet means for its flow, noted when it was sent: a fragment or a damaged copy
 *  cannot be read any more. */
struct sim_mark {
    struct sim_flow *flow; /**< borrowed; NULL: none (ICMP) */
    uint32_t incarnation;  /**< of the sending direction */
    unsigned from;         /**< the sender's end of the flow */
    uint32_t seq, end;     /**< sequence space taken: SYN and FIN count one each */
    uint32_t ack, timestamp;
    uint16_t window;
    uint8_t flags;
};

/** One packet; made with malloc, owned by the event that delivers it or the link it waits in. */
struct sim_packet {
    struct sim_mark mark;
    struct sim_packet *next;       /**< behind it in a link's queue */
    struct daytona_instant queued; /**< when it joined that queue */
    unsigned source, destination;  /**< host numbers; the bytes may be damaged on the way */
    uint32_t length;               /**< bytes on the wire */
    uint32_t captured;             /**< bytes that reach the stack: fewer when the capture cuts */
    bool intact;                   /**< arrives as it was sent: not corrupted, not cut */
    uint8_t bytes[];
};

struct sim_sack {
    uint32_t left, right;
};

/** What the simulator reads from a TCP packet, host byte order. */
struct sim_segment {
    uint32_t source, destination; /**< IPv4 addresses */
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint8_t flags; /**< SIM_FIN | ... */
    uint16_t window, urgent_pointer, mss;
    int window_scale; /**< -1: option absent */
    bool sack_permitted, has_timestamps;
    uint32_t timestamp, timestamp_echo;
    unsigned sack_count;
    struct sim_sack sacks[4];
    const uint8_t *payload; /**< borrowed from the packet */
    uint32_t payload_length;
};

enum { SIM_FIN = 1, SIM_SYN = 2, SIM_RST = 4, SIM_PSH = 8, SIM_ACK = 16, SIM_URG = 32 };

/** Room for `length` bytes, undefined; intact, without a mark. */
struct sim_packet *sim_packet_new(uint32_t length);

struct sim_packet *sim_packet_copy(const struct sim_packet *packet);

/** Gathers what daytona_stack_output() wrote. */
struct sim_packet *sim_packet_gather(const struct daytona_packet_out *out);

/** Reads an IPv4 TCP packet; NULL, or in words what is malformed: header lengths, IP checksum,
 *  TCP checksum, options. Never reads beyond packet->length. */
const char *sim_packet_read(const struct sim_packet *packet, struct sim_segment *out);

/** A stack that trusts checksums would take this packet for a good one: what the IP header
 *  and the TCP checksum protect is consistent. */
bool sim_packet_sums_hold(const struct sim_packet *packet);

/** The Internet checksum's sum over all its bytes. */
uint16_t sim_packet_sum(const struct sim_packet *packet);

/** Computes the IP header checksum and that of TCP or ICMP anew. Header lengths that lead out of
 *  the packet leave the latter as it is. */
void sim_packet_store_sums(struct sim_packet *packet);

/** Replaces the TCP checksum by the pseudo-header sum alone, as a local sender that offloads. */
void sim_packet_make_partial(struct sim_packet *packet);

/** Flips one to four bits anywhere. */
void sim_packet_corrupt(struct sim_packet *packet, struct sim_random *random);

bool sim_packet_is_fragment(const struct sim_packet *packet);

/** Its "don't fragment" is not set. */
bool sim_packet_may_fragment(const struct sim_packet *packet);

/** The fragment of an IPv4 packet that starts `offset` payload bytes in, in a packet of at most
 *  `mtu` bytes; `*next` gets the offset of the one after it, 0 when this is the last. A packet
 *  that forbids fragments may have any identification (RFC 6864), so its fragments get the one
 *  given here. */
struct sim_packet *sim_packet_fragment(const struct sim_packet *packet, uint32_t mtu,
                                       uint32_t offset, uint16_t identification, uint32_t *next);

enum { SIM_ICMP_UNREACHABLE = 3, SIM_ICMP_HOST = 1, SIM_ICMP_TOO_BIG = 4 };

/** Makes of a well-formed segment with text an old one: its timestamp is `ticks` earlier, its last
 *  byte another, its sums right. False: it has no timestamp. */
bool sim_packet_age(struct sim_packet *packet, uint32_t ticks);

/** Sets "congestion experienced" in a packet whose sender is ECN-capable (RFC 3168 section 5);
 * false when it is not. */
bool sim_packet_mark_congestion(struct sim_packet *packet);

/** An ICMP "unreachable" about a packet, from a router: SIM_ICMP_HOST, or SIM_ICMP_TOO_BIG
 *  (RFC 1191) with the `mtu` of the next link. */
struct sim_packet *sim_packet_unreachable(const struct sim_packet *packet, uint32_t router,
                                          uint8_t code, uint32_t mtu);

/** TCP options that a middlebox takes out of SYN segments. */
enum sim_strip {
    SIM_STRIP_MSS = 1 << 2, /* 1 << the option's kind */
    SIM_STRIP_WINDOW_SCALE = 1 << 3,
    SIM_STRIP_SACK_PERMITTED = 1 << 4,
    SIM_STRIP_TIMESTAMPS = 1 << 8,
};

/** Overwrites the options of the mask in a well-formed SYN with no-operations; other packets
 *  stay as they are. */
void sim_packet_strip_options(struct sim_packet *packet, unsigned mask);

#endif
