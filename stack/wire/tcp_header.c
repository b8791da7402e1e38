#include "stack/wire/tcp_header.h"

#include "stack/wire/accecn_option.h"
#include "stack/wire/bytes.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |          Source Port          |       Destination Port        |
 * |                        Sequence Number                        |
 * |                    Acknowledgment Number                      |
 * | Offset| Rsr |A|C|E|U|A|P|R|S|F|            Window             |
 * |           Checksum            |         Urgent Pointer        |
 * |                           [Options]                           |
 *                             RFC 9293 section 3.1, RFC 9768 section 3.1
 */
enum {
    AT_SOURCE_PORT = 0,
    AT_DESTINATION_PORT = 2,
    AT_SEQ = 4,
    AT_ACK = 8,
    AT_DATA_OFFSET = 12,
    AT_FLAGS = 13,
    AT_WINDOW = 14,
    AT_URGENT_POINTER = 18,
};

#define ACCURATE_ECN 0x01u /* in the byte of the data offset */

/* RFC 9293 section 3.2, RFC 2018, RFC 7323: the option kinds, and their whole lengths. */
enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WINDOW_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_SACK = 5,
    OPTION_TIMESTAMPS = 8,
    OPTION_SIGNATURE = 19,    /* RFC 2385 section 3.0 */
    OPTION_USER_TIMEOUT = 28, /* RFC 5482 section 3 */
    OPTION_AO = 29,           /* RFC 5925 section 2.2 */
    OPTION_FASTOPEN = 34,     /* RFC 7413 section 4.1.1 */
    OPTION_EXPERIMENT = 254,  /* RFC 6994; Fast Open's number follows */
};
enum {
    LENGTH_MSS = 4,
    LENGTH_WINDOW_SCALE = 3,
    LENGTH_SACK_PERMITTED = 2,
    LENGTH_SACK_BASE = 2,
    LENGTH_SACK_BLOCK = 8,
    LENGTH_TIMESTAMPS = 10,
    LENGTH_SIGNATURE = 18,
    LENGTH_FASTOPEN = 2, /* and the cookie */
    LENGTH_FASTOPEN_EXPERIMENT = 4,
};

#define FASTOPEN_EXPERIMENT 0xf989u /* RFC 7413 section 8.1: before it had a kind of its own */

static void parse_fastopen(const uint8_t *cookie, size_t length, struct tcp_header *out)
{
    if (length > FASTOPEN_COOKIE_MAX)
        return;
    out->has_fastopen = true;
    out->fastopen.length = (uint8_t)length;
    memcpy(out->fastopen.bytes, cookie, length);
}

/* The options that only a SYN may carry (RFC 7323 section 2.2, RFC 2018 section 2, RFC 9293
 * section 3.7.1); on any other segment they say nothing. */
static void parse_syn_option(uint8_t kind, const uint8_t *at, size_t length, struct tcp_header *out)
{
    if (kind == OPTION_MSS && length == LENGTH_MSS) {
        out->mss = load_16(at + 2);
    } else if (kind == OPTION_WINDOW_SCALE && length == LENGTH_WINDOW_SCALE) {
        out->has_window_scale = true;
        out->window_scale = at[2];
    } else if (kind == OPTION_SACK_PERMITTED && length == LENGTH_SACK_PERMITTED) {
        out->has_sack_permitted = true;
    } else if (kind == OPTION_FASTOPEN) {
        parse_fastopen(at + LENGTH_FASTOPEN, length - LENGTH_FASTOPEN, out);
    } else if (kind == OPTION_EXPERIMENT && length >= LENGTH_FASTOPEN_EXPERIMENT &&
               load_16(at + 2) == FASTOPEN_EXPERIMENT) {
        parse_fastopen(at + LENGTH_FASTOPEN_EXPERIMENT, length - LENGTH_FASTOPEN_EXPERIMENT, out);
    }
}

static void parse_sack(const uint8_t *at, size_t length, struct tcp_header *out)
{
    if (length < LENGTH_SACK_BASE + LENGTH_SACK_BLOCK ||
        (length - LENGTH_SACK_BASE) % LENGTH_SACK_BLOCK != 0)
        return;
    size_t count = (length - LENGTH_SACK_BASE) / LENGTH_SACK_BLOCK;
    out->sack_count = (uint8_t)(count < TCP_SACK_BLOCKS_MAX ? count : TCP_SACK_BLOCKS_MAX);
    at += LENGTH_SACK_BASE;
    for (size_t i = 0; i < out->sack_count; i++, at += LENGTH_SACK_BLOCK) {
        out->sacks[i].left.value = load_32(at);
        out->sacks[i].right.value = load_32(at + 4);
    }
}

static void parse_option(const uint8_t *at, size_t length, struct tcp_header *out)
{
    uint8_t kind = at[0];
    if (kind == OPTION_TIMESTAMPS && length == LENGTH_TIMESTAMPS) {
        out->has_timestamps = true;
        out->timestamp_value = load_32(at + 2);
        out->timestamp_echo = load_32(at + 6);
    } else if (kind == OPTION_USER_TIMEOUT && length == TCP_USER_TIMEOUT_LENGTH) {
        out->has_user_timeout = true;
        out->user_timeout = load_16(at + 2);
    } else if (kind == OPTION_AO && length == TCP_AO_LENGTH) {
        out->ao.key_id = at[2];
        out->ao.next_id = at[3];
        memcpy(out->ao.mac, at + 4, TCP_AO_MAC_BYTES);
    } else if (kind == OPTION_SIGNATURE && length == LENGTH_SIGNATURE) {
        out->has_signature = true;
        memcpy(out->signature, at + 2, TCP_SIGNATURE_BYTES);
    } else if ((out->flags & TCP_SYN) != 0) {
        parse_syn_option(kind, at, length, out);
    } else if (kind == OPTION_SACK) {
        parse_sack(at, length, out);
    }
    if (kind == OPTION_ACCECN_0 || kind == OPTION_ACCECN_1)
        accecn_option_parse(at, length, &out->accecn);
}

static void parse_options(const uint8_t *at, size_t left, struct tcp_header *out)
{
    while (left > 0 && at[0] != OPTION_END) {
        size_t length = 1;
        if (at[0] != OPTION_NOP) {
            if (left < 2 || at[1] < 2 || at[1] > left)
                return;
            length = at[1];
            parse_option(at, length, out);
            if (at[0] == OPTION_AO && length == TCP_AO_LENGTH)
                out->ao_at = (uint8_t)(out->header_length - left);
        }
        at += length;
        left -= length;
    }
}

int tcp_header_parse(struct daytona_span segment, struct tcp_header *out,
                     struct daytona_span *payload)
{
    if (segment.length < TCP_HEADER_MIN)
        return -EBADMSG;
    const uint8_t *at = segment.data;
    size_t header_length = (size_t)(at[AT_DATA_OFFSET] >> 4) * 4;
    if (header_length < TCP_HEADER_MIN || header_length > segment.length)
        return -EBADMSG;
    *out = (struct tcp_header){
        .source_port = load_16(at + AT_SOURCE_PORT),
        .destination_port = load_16(at + AT_DESTINATION_PORT),
        .seq = {load_32(at + AT_SEQ)},
        .ack = {load_32(at + AT_ACK)},
        .flags = at[AT_FLAGS],
        .ae = (at[AT_DATA_OFFSET] & ACCURATE_ECN) != 0,
        .window = load_16(at + AT_WINDOW),
        .urgent_pointer = load_16(at + AT_URGENT_POINTER),
        .header_length = (uint8_t)header_length,
    };
    parse_options(at + TCP_HEADER_MIN, header_length - TCP_HEADER_MIN, out);
    *payload = (struct daytona_span){at + header_length, segment.length - header_length};
    return 0;
}

int tcp_header_parse_quoted(struct daytona_span quoted, struct tcp_header *out)
{
    if (quoted.length < 8)
        return -EBADMSG;
    *out = (struct tcp_header){
        .source_port = load_16(quoted.data + AT_SOURCE_PORT),
        .destination_port = load_16(quoted.data + AT_DESTINATION_PORT),
        .seq = {load_32(quoted.data + AT_SEQ)},
    };
    return 0;
}

/* Up to the options whose length depends on the room; each with the NOPs that keep it on a multiple
 * of four. */
static size_t length_of_fixed(const struct tcp_header *header)
{
    size_t length = TCP_HEADER_MIN;
    if (header->has_signature) /* and no second one */
        length += TCP_SIGNATURE_LENGTH;
    else if (header->ao_at != 0)
        length += TCP_AO_LENGTH;
    length += header->has_timestamps ? 12 : 0;
    length += header->has_user_timeout ? TCP_USER_TIMEOUT_LENGTH : 0;
    return length;
}

static size_t sack_blocks_that_fit(const struct tcp_header *header)
{
    size_t left = TCP_HEADER_MAX - length_of_fixed(header);
    size_t room = left < 4 ? 0 : (left - 4) / LENGTH_SACK_BLOCK;
    return header->sack_count < room ? header->sack_count : room;
}

/* Up to Fast Open's option. */
static size_t length_before_fastopen(const struct tcp_header *header)
{
    size_t length = length_of_fixed(header);
    if ((header->flags & TCP_SYN) != 0) {
        length += header->mss != 0 ? 4 : 0;
        /* Without timestamps to share a word with, SACK-permitted takes one alone. */
        length += header->has_sack_permitted && !header->has_timestamps ? 4 : 0;
        length += header->has_window_scale ? 4 : 0;
    } else if (sack_blocks_that_fit(header) > 0) {
        length += 4 + LENGTH_SACK_BLOCK * sack_blocks_that_fit(header);
    }
    return length;
}

/* Fast Open's option with its padding; 0 when it does not fit behind the others. */
static size_t fastopen_length(const struct tcp_header *header)
{
    if (!header->has_fastopen || (header->flags & TCP_SYN) == 0)
        return 0;
    size_t wanted = ((size_t)LENGTH_FASTOPEN + header->fastopen.length + 3) / 4 * 4;
    return length_before_fastopen(header) + wanted <= TCP_HEADER_MAX ? wanted : 0;
}

/* Up to the AccECN option, which takes what is left. */
static size_t length_before_accecn(const struct tcp_header *header)
{
    return length_before_fastopen(header) + fastopen_length(header);
}

size_t tcp_header_length(const struct tcp_header *header)
{
    size_t length = length_before_accecn(header);
    return length + accecn_option_length(&header->accecn, TCP_HEADER_MAX - length);
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t bytes[4])
{
    memcpy(at, bytes, 4);
    return at + 4;
}

static uint8_t *put_signature(uint8_t *at, const struct tcp_header *header)
{
    at = put_bytes(at,
                   (const uint8_t[4]){OPTION_NOP, OPTION_NOP, OPTION_SIGNATURE, LENGTH_SIGNATURE});
    memcpy(at, header->signature, TCP_SIGNATURE_BYTES);
    return at + TCP_SIGNATURE_BYTES;
}

static uint8_t *put_ao(uint8_t *at, const struct tcp_header *header)
{
    at = put_bytes(
        at, (const uint8_t[4]){OPTION_AO, TCP_AO_LENGTH, header->ao.key_id, header->ao.next_id});
    memcpy(at, header->ao.mac, TCP_AO_MAC_BYTES);
    return at + TCP_AO_MAC_BYTES;
}

static uint8_t *put_timestamps(uint8_t *at, const struct tcp_header *header)
{
    /* Linux puts SACK-permitted where the two NOPs would stand. */
    bool with_sack = (header->flags & TCP_SYN) != 0 && header->has_sack_permitted;
    at = put_bytes(at, with_sack ? (const uint8_t[4]){OPTION_SACK_PERMITTED, LENGTH_SACK_PERMITTED,
                                                      OPTION_TIMESTAMPS, LENGTH_TIMESTAMPS}
                                 : (const uint8_t[4]){OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMPS,
                                                      LENGTH_TIMESTAMPS});
    store_32(at, header->timestamp_value);
    store_32(at + 4, header->timestamp_echo);
    return at + 8;
}

static void put_syn_options(uint8_t *at, const struct tcp_header *header)
{
    if (header->mss != 0)
        at = put_bytes(at, (const uint8_t[4]){OPTION_MSS, LENGTH_MSS, (uint8_t)(header->mss >> 8),
                                              (uint8_t)header->mss});
    if (header->has_timestamps)
        at = put_timestamps(at, header);
    else if (header->has_sack_permitted)
        at = put_bytes(at, (const uint8_t[4]){OPTION_NOP, OPTION_NOP, OPTION_SACK_PERMITTED,
                                              LENGTH_SACK_PERMITTED});
    if (header->has_window_scale)
        put_bytes(at, (const uint8_t[4]){OPTION_NOP, OPTION_WINDOW_SCALE, LENGTH_WINDOW_SCALE,
                                         header->window_scale});
}

static void put_other_options(uint8_t *at, const struct tcp_header *header)
{
    if (header->has_timestamps)
        at = put_timestamps(at, header);
    size_t blocks = sack_blocks_that_fit(header);
    if (blocks == 0)
        return;
    at =
        put_bytes(at, (const uint8_t[4]){OPTION_NOP, OPTION_NOP, OPTION_SACK,
                                         (uint8_t)(LENGTH_SACK_BASE + blocks * LENGTH_SACK_BLOCK)});
    for (size_t i = 0; i < blocks; i++, at += LENGTH_SACK_BLOCK) {
        store_32(at, header->sacks[i].left.value);
        store_32(at + 4, header->sacks[i].right.value);
    }
}

/* In the `padded` bytes that end at `end`. */
static void put_fastopen(uint8_t *end, size_t padded, const struct tcp_header *header)
{
    uint8_t *at = end - padded;
    size_t cookie = header->fastopen.length;
    memset(at, OPTION_NOP, padded);
    at[0] = OPTION_FASTOPEN;
    at[1] = (uint8_t)(LENGTH_FASTOPEN + cookie);
    memcpy(at + LENGTH_FASTOPEN, header->fastopen.bytes, cookie);
}

size_t tcp_header_emit(struct tcp_header *header, uint8_t out[TCP_HEADER_MAX])
{
    header->header_length = (uint8_t)tcp_header_length(header);
    assert(header->header_length <= TCP_HEADER_MAX);
    memset(out, 0, TCP_HEADER_MIN);
    store_16(out + AT_SOURCE_PORT, header->source_port);
    store_16(out + AT_DESTINATION_PORT, header->destination_port);
    store_32(out + AT_SEQ, header->seq.value);
    store_32(out + AT_ACK, header->ack.value);
    out[AT_DATA_OFFSET] =
        (uint8_t)((unsigned)header->header_length / 4 << 4 | (header->ae ? ACCURATE_ECN : 0));
    out[AT_FLAGS] = header->flags;
    store_16(out + AT_WINDOW, header->window);
    store_16(out + AT_URGENT_POINTER, header->urgent_pointer);
    uint8_t *options = out + TCP_HEADER_MIN;
    if (header->has_signature)
        options = put_signature(options, header);
    else if (header->ao_at != 0)
        options = put_ao(options, header);
    if ((header->flags & TCP_SYN) != 0)
        put_syn_options(options, header);
    else
        put_other_options(options, header);
    size_t before = length_before_accecn(header), fastopen = fastopen_length(header);
    if (fastopen > 0)
        put_fastopen(out + before, fastopen, header);
    if (header->has_user_timeout)
        put_bytes(out + before - fastopen - TCP_USER_TIMEOUT_LENGTH,
                  (const uint8_t[4]){OPTION_USER_TIMEOUT, TCP_USER_TIMEOUT_LENGTH,
                                     (uint8_t)(header->user_timeout >> 8),
                                     (uint8_t)header->user_timeout});
    accecn_option_emit(&header->accecn, TCP_HEADER_MAX - before, out + before);
    return header->header_length;
}
