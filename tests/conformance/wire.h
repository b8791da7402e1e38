/*
 * wire.h - IPv4 packets with TCP segments, written and read by the packet scripts. It shares
 * nothing with stack/wire, which is among what the scripts judge.
 */
#ifndef TESTS_CONFORMANCE_WIRE_H
#define TESTS_CONFORMANCE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_ADDRESS   0x0a000001u /* 10.0.0.1, whom the scripts try */
#define PEER_ADDRESS   0x0a000002u /* 10.0.0.2, whom they play */
#define ROUTER_ADDRESS 0x0a0000feu /* 10.0.0.254, the source of ICMP errors */

#define WIRE_OPTIONS_MAX 40
#define WIRE_PACKET_MAX  65535

/** Flags of the TCP header; AE is the bit of RFC 9768. */
enum wire_flag {
    WIRE_FIN = 0x001,
    WIRE_SYN = 0x002,
    WIRE_RST = 0x004,
    WIRE_PSH = 0x008,
    WIRE_ACK = 0x010,
    WIRE_URG = 0x020,
    WIRE_ECE = 0x040,
    WIRE_CWR = 0x080,
    WIRE_AE = 0x100,
};

/** Option kinds, as IANA numbers them. */
enum wire_kind {
    WIRE_EOL = 0,
    WIRE_NOP = 1,
    WIRE_MSS = 2,
    WIRE_SCALE = 3,
    WIRE_SACKOK = 4,
    WIRE_SACK = 5,
    WIRE_TS = 8,
    WIRE_MD5 = 19,
    WIRE_AO = 29,
    WIRE_FASTOPEN = 34,
    WIRE_ACCECN0 = 172,
    WIRE_ACCECN1 = 174,
};

/** A segment in its packet; all numbers in host order. */
struct wire_segment {
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint16_t flags, window, urgent;
    uint8_t type_of_service, time_to_live;
    bool dont_fragment;
    bool damaged; /**< written with a wrong TCP checksum */
    uint8_t options[WIRE_OPTIONS_MAX];
    size_t options_length;  /**< padded with EOL to a multiple of 4 when written */
    const uint8_t *payload; /**< borrowed */
    size_t length;          /**< of the payload */
};

/** Writes the packet with right checksums; returns its length. */
size_t wire_write(const struct wire_segment *segment, uint8_t out[WIRE_PACKET_MAX]);

/** Reads a packet; the payload is borrowed from it. NULL, or what is wrong with it, checksums
 *  included. */
const char *wire_read(const uint8_t *packet, size_t length, struct wire_segment *out);

/** Writes an ICMP error that quotes the header of a packet from host to peer and 8 bytes more.
 *  Returns its length. */
struct wire_icmp {
    uint8_t type, code;
    uint16_t mtu;
    uint16_t host_port, peer_port;
    uint32_t seq; /**< of the quoted segment */
};
size_t wire_write_icmp(const struct wire_icmp *icmp, uint8_t out[WIRE_PACKET_MAX]);

/** The first option of that kind, or NULL: points to the kind byte. */
const uint8_t *wire_option(const struct wire_segment *segment, uint8_t kind);

static inline uint32_t wire_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint16_t wire_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void wire_put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void wire_put32(uint8_t *at, uint32_t value)
{
    wire_put16(at, value >> 16);
    wire_put16(at + 2, value);
}

#endif
