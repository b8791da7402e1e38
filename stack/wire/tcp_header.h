/*
 * tcp_header.h - the TCP header and its options as a plain value (RFC 9293 section 3.1, RFC 7323,
 * RFC 2018, RFC 9768): parse never reads out of bounds and accepts any bytes, emit writes Linux's
 * layout.
 */
#ifndef STACK_WIRE_TCP_HEADER_H
#define STACK_WIRE_TCP_HEADER_H

#include "stack/base/seq.h"
#include <daytona/types.h>

#define TCP_HEADER_MIN          20
#define TCP_HEADER_MAX          60
#define TCP_SACK_BLOCKS_MAX     4
#define TCP_USER_TIMEOUT_LENGTH 4

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,
};

/** The byte counters of the AccECN option (RFC 9768 section 3.2.3), as the peer counts them:
 * payload that arrived with each value of the IP header's ECN field. */
enum tcp_accecn_field { TCP_ACCECN_E0B, TCP_ACCECN_CEB, TCP_ACCECN_E1B, TCP_ACCECN_FIELDS };

struct tcp_accecn {
    bool present;
    uint8_t fields;                       /**< bit 1 << field of those that are there */
    uint32_t counters[TCP_ACCECN_FIELDS]; /**< the low 24 bits */
};

struct tcp_sack_block {
    struct seq left, right; /**< right is one past the block (RFC 2018 section 3) */
};

#define TCP_SIGNATURE_BYTES  16 /* RFC 2385 section 3.0 */
#define TCP_SIGNATURE_LENGTH 20 /* the option, and two NOPs before it */

#define FASTOPEN_COOKIE_MAX 16 /* RFC 7413 section 4.1.1 */

#define TCP_AO_MAC_BYTES 12 /* RFC 5926 section 3.1: both algorithms */
#define TCP_AO_LENGTH    16

/** RFC 5925 section 2.2. */
struct tcp_ao {
    uint8_t key_id, next_id;
    uint8_t mac[TCP_AO_MAC_BYTES];
};

struct fastopen_cookie {
    uint8_t length; /**< 0: none yet, one is asked for */
    uint8_t bytes[FASTOPEN_COOKIE_MAX];
};

struct tcp_header {
    uint16_t source_port, destination_port;
    struct seq seq, ack;
    uint16_t window; /**< as on the wire, unscaled */
    uint16_t urgent_pointer;
    uint16_t mss;          /**< 0: option absent */
    uint8_t flags;         /**< TCP_FIN | ... */
    uint8_t header_length; /**< set by parse and emit */
    uint8_t window_scale;  /**< as on the wire */
    uint8_t sack_count;
    bool ae; /**< "Accurate ECN", RFC 9768 section 3.1: the lowest bit of byte 12 */
    bool has_window_scale, has_sack_permitted, has_timestamps;
    bool has_user_timeout;
    uint16_t user_timeout; /**< RFC 5482 section 3: the highest bit says minutes, else seconds */
    uint32_t timestamp_value, timestamp_echo;
    struct tcp_sack_block sacks[TCP_SACK_BLOCKS_MAX];
    struct tcp_accecn accecn;
    uint8_t ao_at; /**< RFC 5925: where the option begins; 0: there is none */
    struct tcp_ao ao;
    bool has_signature; /**< RFC 2385 */
    uint8_t signature[TCP_SIGNATURE_BYTES];
    bool has_fastopen; /**< RFC 7413; only on a SYN */
    struct fastopen_cookie fastopen;
};

/** Reads a header and options. 0; -EBADMSG data offset out of bounds. A malformed option ends
 *  the list (what stood before it counts), as in Linux. `*payload` gets what follows. */
int tcp_header_parse(struct daytona_span segment, struct tcp_header *out,
                     struct daytona_span *payload);

/** Only ports and sequence number, of the 8 bytes that an ICMP error must quote. 0, -EBADMSG. */
int tcp_header_parse_quoted(struct daytona_span quoted, struct tcp_header *out);

/**
 * Writes the header with a zero checksum field and returns its length (a multiple of 4).
 * The signature comes first. SYN: mss, sackOK, TS, nop, wscale (without TS: mss, nop, nop, sackOK,
 * nop, wscale). Other segments: nop, nop, TS, nop, nop, SACK. Then the user timeout and Fast Open's
 * cookie, the AccECN option last. Sets header->header_length. SACK blocks, the cookie and then
 * AccECN counters that do not fit are left out.
 */
size_t tcp_header_emit(struct tcp_header *header, uint8_t out[TCP_HEADER_MAX]);

/** The length emit would return. */
size_t tcp_header_length(const struct tcp_header *header);

enum tcp_checksum { TCP_CHECKSUM_COMPLETE, TCP_CHECKSUM_PARTIAL, TCP_CHECKSUM_BAD };

/** Judges the checksum of a received segment. PARTIAL: the field holds exactly the folded
 *  pseudo-header sum, as left by a local sender that offloads (never for a right complete one). */
enum tcp_checksum tcp_checksum_judge(const struct daytona_address *source,
                                     const struct daytona_address *destination,
                                     struct daytona_span segment);

/** Computes the checksum over the emitted header and the payload and stores it in `header`. */
void tcp_checksum_store(uint8_t *header, size_t header_length, const struct daytona_address *source,
                        const struct daytona_address *destination,
                        const struct daytona_span *payload, size_t span_count);

/** Stores the sum of the pseudo header alone, of a segment of `segment_length` bytes, for whoever
 *  completes it: the kernel's CHECKSUM_PARTIAL. */
void tcp_checksum_store_partial(uint8_t *header, uint32_t segment_length,
                                const struct daytona_address *source,
                                const struct daytona_address *destination);

#endif
