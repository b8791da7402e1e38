#include "stack/wire/ipv4.h"

#include "stack/wire/bytes.h"
#include "stack/wire/checksum.h"
#include <errno.h>
#include <string.h>

/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |Version|  IHL  |Type of Service|          Total Length         |
 * |         Identification        |Flags|      Fragment Offset    |
 * |  Time to Live |    Protocol   |         Header Checksum       |
 * |                       Source Address                          |
 * |                    Destination Address                        |
 *                                            RFC 791 section 3.1
 */
enum {
    AT_VERSION = 0,
    AT_TYPE_OF_SERVICE = 1,
    AT_TOTAL_LENGTH = 2,
    AT_IDENTIFICATION = 4,
    AT_FRAGMENT = 6,
    AT_TIME_TO_LIVE = 8,
    AT_PROTOCOL = 9,
    AT_CHECKSUM = 10,
    AT_SOURCE = 12,
    AT_DESTINATION = 16,
};

#define DONT_FRAGMENT        0x4000u
#define MORE_FRAGMENTS       0x2000u
#define FRAGMENT_OFFSET_MASK 0x1fffu
#define FRAGMENT_UNIT        8u /* bytes that the offset field counts */

static void read_fields(const uint8_t *at, struct ipv4_header *out)
{
    uint16_t fragment = load_16(at + AT_FRAGMENT);
    *out = (struct ipv4_header){
        .source = daytona_address_from_ipv4(load_32(at + AT_SOURCE)),
        .destination = daytona_address_from_ipv4(load_32(at + AT_DESTINATION)),
        .identification = load_16(at + AT_IDENTIFICATION),
        .fragment_offset = (uint16_t)((fragment & FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT),
        .total_length = load_16(at + AT_TOTAL_LENGTH),
        .header_length = (uint8_t)((at[AT_VERSION] & 0x0f) * 4),
        .type_of_service = at[AT_TYPE_OF_SERVICE],
        .time_to_live = at[AT_TIME_TO_LIVE],
        .protocol = at[AT_PROTOCOL],
        .dont_fragment = (fragment & DONT_FRAGMENT) != 0,
        .more_fragments = (fragment & MORE_FRAGMENTS) != 0,
    };
}

static bool lengths_are_possible(const uint8_t *at, const struct ipv4_header *header)
{
    return at[AT_VERSION] >> 4 == 4 && header->header_length >= IPV4_HEADER_MIN &&
           header->total_length >= header->header_length;
}

/* RFC 791 section 3.1: the options that need a look. */
enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_LOOSE_ROUTE = 131,
    OPTION_STRICT_ROUTE = 137,
};

/* Walks the options, which mean nothing to a host but for one thing. False: malformed. */
static bool read_options(const uint8_t *at, size_t left, struct ipv4_header *out)
{
    while (left > 0 && at[0] != OPTION_END) {
        size_t length = at[0] == OPTION_NOP ? 1 : left < 2 ? 0 : at[1];
        if (length > left || length < (at[0] == OPTION_NOP ? 1u : 2u))
            return false;
        out->source_routed |= at[0] == OPTION_LOOSE_ROUTE || at[0] == OPTION_STRICT_ROUTE;
        at += length;
        left -= length;
    }
    return true;
}

int ipv4_parse(struct daytona_span packet, size_t wire_length, struct ipv4_header *out,
               struct daytona_span *payload)
{
    if (packet.length < IPV4_HEADER_MIN)
        return -EMSGSIZE;
    read_fields(packet.data, out);
    if (!lengths_are_possible(packet.data, out))
        return -EBADMSG;
    if (packet.length < out->header_length)
        return -EMSGSIZE;
    struct checksum checksum = {0};
    checksum_add(&checksum, (struct daytona_span){packet.data, out->header_length});
    if (checksum_fold(&checksum) != 0xffff)
        return -EBADMSG;
    if (!read_options(packet.data + IPV4_HEADER_MIN, (size_t)out->header_length - IPV4_HEADER_MIN,
                      out))
        return -EBADMSG;
    if (packet.length < out->total_length || wire_length < out->total_length)
        return -EMSGSIZE;
    *payload = (struct daytona_span){packet.data + out->header_length,
                                     (size_t)out->total_length - out->header_length};
    return 0;
}

int ipv4_parse_quoted(struct daytona_span quoted, struct ipv4_header *out,
                      struct daytona_span *payload)
{
    if (quoted.length < IPV4_HEADER_MIN)
        return -EBADMSG;
    read_fields(quoted.data, out);
    if (!lengths_are_possible(quoted.data, out) || quoted.length < out->header_length)
        return -EBADMSG;
    size_t end = quoted.length < out->total_length ? quoted.length : out->total_length;
    *payload = (struct daytona_span){quoted.data + out->header_length, end - out->header_length};
    return 0;
}

void ipv4_emit(const struct ipv4_header *header, uint8_t out[IPV4_HEADER_MIN])
{
    memset(out, 0, IPV4_HEADER_MIN);
    out[AT_VERSION] = 4 << 4 | IPV4_HEADER_MIN / 4;
    out[AT_TYPE_OF_SERVICE] = header->type_of_service;
    store_16(out + AT_TOTAL_LENGTH, header->total_length);
    store_16(out + AT_IDENTIFICATION, header->identification);
    store_16(out + AT_FRAGMENT, (uint16_t)((header->dont_fragment ? DONT_FRAGMENT : 0) |
                                           (header->more_fragments ? MORE_FRAGMENTS : 0) |
                                           header->fragment_offset / FRAGMENT_UNIT));
    out[AT_TIME_TO_LIVE] = header->time_to_live;
    out[AT_PROTOCOL] = header->protocol;
    store_32(out + AT_SOURCE, daytona_address_to_ipv4(&header->source));
    store_32(out + AT_DESTINATION, daytona_address_to_ipv4(&header->destination));
    struct checksum checksum = {0};
    checksum_add(&checksum, (struct daytona_span){out, IPV4_HEADER_MIN});
    store_16(out + AT_CHECKSUM, (uint16_t)~checksum_fold(&checksum));
}
