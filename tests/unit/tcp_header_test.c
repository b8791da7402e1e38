#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/tcp_header.h"
#include "tests/unit/region.h"

#include <errno.h>

static struct daytona_span span(const uint8_t *data, size_t length)
{
    return (struct daytona_span){data, length};
}

static struct tcp_header syn(void)
{
    return (struct tcp_header){
        .source_port = 40000,
        .destination_port = 80,
        .seq = {0x01020304},
        .window = 64240,
        .flags = TCP_SYN,
        .mss = 1460,
        .has_sack_permitted = true,
        .has_timestamps = true,
        .timestamp_value = 0x11223344,
        .timestamp_echo = 0,
        .has_window_scale = true,
        .window_scale = 7,
    };
}

static void assert_headers_equal(const struct tcp_header *a, const struct tcp_header *b)
{
    assert_int_equal(a->source_port, b->source_port);
    assert_int_equal(a->destination_port, b->destination_port);
    assert_int_equal(a->seq.value, b->seq.value);
    assert_int_equal(a->ack.value, b->ack.value);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->urgent_pointer, b->urgent_pointer);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->header_length, b->header_length);
    assert_int_equal(a->mss, b->mss);
    assert_int_equal(a->has_window_scale, b->has_window_scale);
    assert_int_equal(a->window_scale, b->window_scale);
    assert_int_equal(a->has_sack_permitted, b->has_sack_permitted);
    assert_int_equal(a->has_timestamps, b->has_timestamps);
    assert_int_equal(a->timestamp_value, b->timestamp_value);
    assert_int_equal(a->timestamp_echo, b->timestamp_echo);
    assert_int_equal(a->sack_count, b->sack_count);
    assert_memory_equal(a->sacks, b->sacks, sizeof a->sacks);
}

/* Emits and compares the bytes behind the fixed header. */
static void assert_options(struct tcp_header header, const uint8_t *expected, size_t length)
{
    uint8_t out[TCP_HEADER_MAX];
    assert_int_equal(tcp_header_emit(&header, out), TCP_HEADER_MIN + length);
    assert_int_equal(header.header_length, TCP_HEADER_MIN + length);
    assert_int_equal(out[12], (TCP_HEADER_MIN + length) / 4 << 4);
    assert_memory_equal(out + TCP_HEADER_MIN, expected, length);
}

/* Parses a header with these options; `flags` decide whether it is a SYN. */
static struct tcp_header parse_options(uint8_t flags, const uint8_t *options, size_t length)
{
    size_t padded = (length + 3) / 4 * 4;
    uint8_t *segment = malloc(TCP_HEADER_MIN + padded);
    memset(segment, 0, TCP_HEADER_MIN + padded);
    segment[12] = (uint8_t)((TCP_HEADER_MIN + padded) / 4 << 4);
    segment[13] = flags;
    memcpy(segment + TCP_HEADER_MIN, options, length);
    struct tcp_header header;
    struct daytona_span payload;
    assert_int_equal(tcp_header_parse(span(segment, TCP_HEADER_MIN + padded), &header, &payload),
                     0);
    assert_int_equal(payload.length, 0);
    free(segment);
    return header;
}

#define PARSE(flags, ...)                                                                          \
    parse_options(flags, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* RFC 9293 section 3.1 */
static void the_fixed_fields_stand_where_the_rfc_says(void **state)
{
    (void)state;
    struct tcp_header header = {
        .source_port = 0x1122,
        .destination_port = 0x3344,
        .seq = {0x55667788},
        .ack = {0x99aabbcc},
        .flags = TCP_ACK | TCP_URG | TCP_CWR,
        .window = 0xddee,
        .urgent_pointer = 0x0f1e,
    };
    const uint8_t expected[] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                0xbb, 0xcc, 0x50, 0xb0, 0xdd, 0xee, 0x00, 0x00, 0x0f, 0x1e};
    uint8_t out[TCP_HEADER_MAX];
    assert_int_equal(tcp_header_emit(&header, out), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
    struct tcp_header back;
    struct daytona_span payload;
    assert_int_equal(tcp_header_parse(span(expected, 20), &back, &payload), 0);
    assert_headers_equal(&back, &header);
}

static void a_syn_has_linux_layout(void **state)
{
    (void)state;
    const uint8_t all[] = {2,    4,    5, 0xb4, 4, 2, 8, 10, 0x11, 0x22,
                           0x33, 0x44, 0, 0,    0, 0, 1, 3,  3,    7};
    assert_options(syn(), all, sizeof all);

    struct tcp_header header = syn();
    header.has_timestamps = false;
    const uint8_t no_timestamps[] = {2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7};
    assert_options(header, no_timestamps, sizeof no_timestamps);

    header = syn();
    header.has_sack_permitted = false;
    header.has_window_scale = false;
    const uint8_t no_sack[] = {2, 4, 5, 0xb4, 1, 1, 8, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0};
    assert_options(header, no_sack, sizeof no_sack);

    header = (struct tcp_header){.flags = TCP_SYN, .mss = 536};
    const uint8_t only_mss[] = {2, 4, 2, 0x18};
    assert_options(header, only_mss, sizeof only_mss);
    header.mss = 0;
    assert_options(header, only_mss, 0);
}

/* RFC 7323 appendix A, RFC 2018 section 3 */
static void other_segments_have_linux_layout(void **state)
{
    (void)state;
    struct tcp_header header = {
        .flags = TCP_ACK,
        .has_timestamps = true,
        .timestamp_value = 1,
        .timestamp_echo = 2,
        .sack_count = 1,
        .sacks = {{{0x10}, {0x20}}},
        .mss = 1460, /* says nothing without SYN */
        .has_window_scale = true,
        .has_sack_permitted = true,
    };
    const uint8_t both[] = {1, 1, 8, 10, 0, 0, 0, 1,    0, 0, 0, 2,
                            1, 1, 5, 10, 0, 0, 0, 0x10, 0, 0, 0, 0x20};
    assert_options(header, both, sizeof both);
    header.sack_count = 0;
    assert_options(header, both, 12);
    header.has_timestamps = false;
    assert_options(header, both, 0);
    header.sack_count = 1;
    assert_options(header, both + 12, 12);
}

/* RFC 2018 section 3 */
static void three_sack_blocks_fit_with_timestamps_and_four_without(void **state)
{
    (void)state;
    struct tcp_header header = {.flags = TCP_ACK, .sack_count = 4}, back;
    for (uint32_t i = 0; i < 4; i++)
        header.sacks[i] = (struct tcp_sack_block){{i * 100}, {i * 100 + 50}};
    uint8_t out[TCP_HEADER_MAX];
    struct daytona_span payload;
    assert_int_equal(tcp_header_emit(&header, out), 56);
    assert_int_equal(tcp_header_parse(span(out, 56), &back, &payload), 0);
    assert_int_equal(back.sack_count, 4);
    assert_memory_equal(back.sacks, header.sacks, sizeof header.sacks);
    header.has_timestamps = true;
    assert_int_equal(tcp_header_emit(&header, out), 60);
    assert_int_equal(tcp_header_parse(span(out, 60), &back, &payload), 0);
    assert_int_equal(back.sack_count, 3);
    assert_memory_equal(back.sacks, header.sacks, 3 * sizeof header.sacks[0]);
}

static struct tcp_header random_header(struct random *random)
{
    uint32_t bits = (uint32_t)random_next(random);
    struct tcp_header header = {
        .source_port = (uint16_t)random_next(random),
        .destination_port = (uint16_t)random_next(random),
        .seq = {(uint32_t)random_next(random)},
        .ack = {(uint32_t)random_next(random)},
        .window = (uint16_t)random_next(random),
        .urgent_pointer = (uint16_t)random_next(random),
        .flags = (uint8_t)random_next(random),
    };
    if ((bits & 1) != 0) {
        header.has_timestamps = true;
        header.timestamp_value = (uint32_t)random_next(random);
        header.timestamp_echo = (uint32_t)random_next(random);
    }
    if ((header.flags & TCP_SYN) != 0) {
        header.mss = (uint16_t)((bits & 2) != 0 ? random_next(random) : 0);
        header.has_sack_permitted = (bits & 4) != 0;
        header.has_window_scale = (bits & 8) != 0;
        header.window_scale = (uint8_t)(header.has_window_scale ? random_next(random) : 0);
    } else {
        header.sack_count = (uint8_t)random_below(random, header.has_timestamps ? 4 : 5);
        for (size_t i = 0; i < header.sack_count; i++)
            header.sacks[i] = (struct tcp_sack_block){{(uint32_t)random_next(random)},
                                                      {(uint32_t)random_next(random)}};
    }
    return header;
}

static void what_is_emitted_is_parsed_back(void **state)
{
    (void)state;
    struct random random = {1};
    for (int i = 0; i < 20000; i++) {
        struct tcp_header header = random_header(&random), back;
        uint8_t out[TCP_HEADER_MAX + 5];
        size_t predicted = tcp_header_length(&header);
        size_t length = tcp_header_emit(&header, out);
        assert_int_equal(length, predicted);
        assert_int_equal(length % 4, 0);
        struct daytona_span payload;
        assert_int_equal(tcp_header_parse(span(out, length + 5), &back, &payload), 0);
        assert_headers_equal(&back, &header);
        assert_ptr_equal(payload.data, out + length);
        assert_int_equal(payload.length, 5);
    }
}

/* RFC 9293 section 3.1: an offset below 5 words, or beyond the segment. */
static void an_impossible_data_offset_is_malformed(void **state)
{
    (void)state;
    uint8_t segment[TCP_HEADER_MAX] = {0};
    struct tcp_header header;
    struct daytona_span payload;
    for (size_t words = 0; words < 16; words++)
        for (size_t length = 0; length <= sizeof segment; length++) {
            segment[12] = (uint8_t)(words << 4);
            int expected = length >= 20 && words >= 5 && words * 4 <= length ? 0 : -EBADMSG;
            assert_int_equal(tcp_header_parse(span(segment, length), &header, &payload), expected);
        }
}

static void options_in_any_order_and_alignment_are_read(void **state)
{
    (void)state;
    struct tcp_header header =
        PARSE(TCP_SYN, 3, 3, 9, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 4, 2, 2, 4, 0x05, 0xb4);
    assert_true(header.has_window_scale);
    assert_int_equal(header.window_scale, 9);
    assert_true(header.has_timestamps);
    assert_int_equal(header.timestamp_value, 1);
    assert_int_equal(header.timestamp_echo, 2);
    assert_true(header.has_sack_permitted);
    assert_int_equal(header.mss, 1460);
}

/* RFC 9293 section 3.1 (MUST-6): unknown options are ignored by their length. */
/* RFC 7413 section 4.1.1 */
static void a_fast_open_cookie_is_padded_behind_the_other_options(void **state)
{
    (void)state;
    static const uint8_t expected[] = {2, 4, 5, 180, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1};
    struct tcp_header header = {.flags = TCP_SYN,
                                .mss = 1460,
                                .has_fastopen = true,
                                .fastopen = {8, {1, 2, 3, 4, 5, 6, 7, 8}}};
    uint8_t out[TCP_HEADER_MAX];
    assert_int_equal(tcp_header_emit(&header, out), TCP_HEADER_MIN + sizeof expected);
    assert_memory_equal(out + TCP_HEADER_MIN, expected, sizeof expected);
    struct tcp_header back;
    struct daytona_span payload;
    assert_int_equal(tcp_header_parse(span(out, TCP_HEADER_MIN + sizeof expected), &back, &payload),
                     0);
    assert_true(back.has_fastopen);
    assert_int_equal(back.fastopen.length, 8);
    assert_memory_equal(back.fastopen.bytes, header.fastopen.bytes, 8);
}

/* RFC 7413 section 8.1 */
static void fast_open_is_understood_under_its_experimental_number_too(void **state)
{
    (void)state;
    uint8_t segment[TCP_HEADER_MIN + 8] = {[12] = 7 << 4, [13] = TCP_SYN};
    static const uint8_t option[8] = {254, 8, 0xf9, 0x89, 9, 8, 7, 6};
    memcpy(segment + TCP_HEADER_MIN, option, sizeof option);
    struct tcp_header header;
    struct daytona_span payload;
    assert_int_equal(tcp_header_parse(span(segment, sizeof segment), &header, &payload), 0);
    assert_true(header.has_fastopen);
    assert_int_equal(header.fastopen.length, 4);
    assert_int_equal(header.fastopen.bytes[3], 6);
}

static void unknown_options_are_skipped(void **state)
{
    (void)state;
    struct tcp_header header = PARSE(TCP_SYN, 254, 4, 0xf9, 0x89, 30, 3, 0, 2, 4, 0x05, 0xb4);
    assert_int_equal(header.mss, 1460);
}

/* RFC 9293 section 3.2 */
static void the_end_option_ends_the_list(void **state)
{
    (void)state;
    struct tcp_header header = PARSE(TCP_SYN, 1, 0, 2, 4, 0x05, 0xb4, 0, 0);
    assert_int_equal(header.mss, 0);
}

static void a_malformed_option_ends_the_list_and_keeps_what_stood_before(void **state)
{
    (void)state;
    /* Lengths 0 and 1 would never end; one beyond the header would leave it. */
    for (uint8_t length = 0; length < 2; length++) {
        struct tcp_header header = PARSE(TCP_SYN, 2, 4, 0x05, 0xb4, 3, length, 7, 3, 3, 7, 0, 0);
        assert_int_equal(header.mss, 1460);
        assert_false(header.has_window_scale);
    }
    struct tcp_header header = PARSE(TCP_SYN, 2, 4, 0x05, 0xb4, 1, 8, 10, 0);
    assert_int_equal(header.mss, 1460);
    assert_false(header.has_timestamps);
    header = PARSE(TCP_SYN, 2, 4, 0x05, 0xb4, 1, 1, 1, 3);
    assert_int_equal(header.mss, 1460);
    assert_false(header.has_window_scale);
}

static void a_known_option_of_wrong_length_is_skipped(void **state)
{
    (void)state;
    struct tcp_header header =
        PARSE(TCP_SYN, 2, 3, 5, 3, 4, 7, 7, 4, 3, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0, 1);
    assert_int_equal(header.mss, 0);
    assert_false(header.has_window_scale);
    assert_false(header.has_sack_permitted);
    assert_false(header.has_timestamps);
    header = PARSE(TCP_ACK, 5, 2, 5, 9, 0, 0, 0, 1, 0, 0, 0, 0);
    assert_int_equal(header.sack_count, 0);
    header = PARSE(TCP_ACK, 5, 14, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0);
    assert_int_equal(header.sack_count, 0);
}

/* RFC 7323 section 2.2, RFC 2018 sections 2 and 3, RFC 9293 section 3.7.1 */
static void handshake_options_count_only_on_a_syn_and_sacks_only_elsewhere(void **state)
{
    (void)state;
    struct tcp_header header = PARSE(TCP_ACK, 2, 4, 0x05, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2);
    assert_int_equal(header.mss, 0);
    assert_false(header.has_window_scale);
    assert_false(header.has_sack_permitted);
    header = PARSE(TCP_SYN, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2);
    assert_int_equal(header.sack_count, 0);
}

/* RFC 792: 64 bits of the transport header are all that an ICMP error must quote. */
static void a_quoted_header_gives_ports_and_sequence_number(void **state)
{
    (void)state;
    const uint8_t quoted[] = {0x9c, 0x40, 0, 80, 1, 2, 3, 4};
    struct tcp_header header;
    assert_int_equal(tcp_header_parse_quoted(span(quoted, 8), &header), 0);
    assert_int_equal(header.source_port, 40000);
    assert_int_equal(header.destination_port, 80);
    assert_int_equal(header.seq.value, 0x01020304);
    assert_int_equal(tcp_header_parse_quoted(span(quoted, 7), &header), -EBADMSG);
}

static void random_bytes_are_never_read_out_of_bounds(void **state)
{
    (void)state;
    struct random random = {2};
    for (int i = 0; i < 200000; i++) {
        size_t length = random_below(&random, 70);
        uint8_t *segment = malloc(length == 0 ? 1 : length);
        for (size_t j = 0; j < length; j++) {
            segment[j] = (uint8_t)random_next(&random);
            if (j >= TCP_HEADER_MIN && (segment[j] & 0x80) != 0)
                segment[j] &= 15; /* many kinds and lengths that mean something */
        }
        if (length > 12)
            segment[12] = (uint8_t)(segment[12] | 0x50);
        struct tcp_header header;
        struct daytona_span payload;
        if (tcp_header_parse(span(segment, length), &header, &payload) == 0) {
            assert_int_equal(header.header_length + payload.length, length);
            assert_true(header.sack_count <= TCP_SACK_BLOCKS_MAX);
        }
        free(segment);
    }
}

#define SOURCE      (&(struct daytona_address){{[10] = 0xff, 0xff, 10, 0, 0, 1}})
#define DESTINATION (&(struct daytona_address){{[10] = 0xff, 0xff, 10, 0, 0, 2}})

/* A segment of random payload with the right checksum; returns its length. */
static size_t make_segment(uint8_t *out, size_t payload_length, struct random *random)
{
    struct tcp_header header = random_header(random);
    size_t header_length = tcp_header_emit(&header, out);
    for (size_t i = 0; i < payload_length; i++)
        out[header_length + i] = (uint8_t)random_next(random);
    /* In three spans, odd ones among them, as it comes out of a send buffer. */
    size_t third = payload_length / 3;
    const struct daytona_span spans[] = {
        {out + header_length, third},
        {out + header_length + third, third},
        {out + header_length + 2 * third, payload_length - 2 * third},
    };
    tcp_checksum_store(out, header_length, SOURCE, DESTINATION, spans, COUNT_OF(spans));
    return header_length + payload_length;
}

static void a_stored_checksum_is_judged_complete(void **state)
{
    (void)state;
    struct random random = {3};
    uint8_t segment[2000];
    for (size_t payload = 0; payload < 1500; payload++) {
        size_t length = make_segment(segment, payload, &random);
        assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, length)),
                         TCP_CHECKSUM_COMPLETE);
        assert_int_equal(tcp_checksum_judge(DESTINATION, DESTINATION, span(segment, length)),
                         TCP_CHECKSUM_BAD);
    }
}

/* What a local sender that offloads leaves: the folded sum over addresses, protocol, length. */
static uint16_t pseudo_sum(size_t length)
{
    struct checksum checksum = {0};
    checksum_add_pseudo(&checksum, SOURCE, DESTINATION, IP_PROTOCOL_TCP, (uint32_t)length);
    return checksum_fold(&checksum);
}

static void the_pseudo_header_sum_alone_is_judged_partial(void **state)
{
    (void)state;
    struct random random = {4};
    uint8_t segment[2000];
    for (int i = 0; i < 2000; i++) {
        size_t length = make_segment(segment, random_below(&random, 1500), &random);
        uint16_t sum = pseudo_sum(length);
        segment[16] = (uint8_t)(sum >> 8);
        segment[17] = (uint8_t)sum;
        enum tcp_checksum judged = tcp_checksum_judge(SOURCE, DESTINATION, span(segment, length));
        assert_int_equal(judged, TCP_CHECKSUM_PARTIAL);
        /* Not for another length, and not complemented. */
        assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, length - 1)),
                         TCP_CHECKSUM_BAD);
        segment[16] = (uint8_t)~segment[16];
        segment[17] = (uint8_t)~segment[17];
        assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, length)),
                         TCP_CHECKSUM_BAD);
    }
}

static void a_right_complete_checksum_is_never_partial(void **state)
{
    (void)state;
    /* A payload chosen so that the right checksum is the pseudo-header sum itself. */
    uint8_t segment[22] = {[12] = 0x50};
    uint16_t wanted = pseudo_sum(sizeof segment);
    for (uint32_t word = 0; word < 65536; word++) {
        segment[20] = (uint8_t)(word >> 8);
        segment[21] = (uint8_t)word;
        segment[16] = segment[17] = 0;
        const struct daytona_span payload = span(segment + 20, 2);
        tcp_checksum_store(segment, 20, SOURCE, DESTINATION, &payload, 1);
        if ((segment[16] << 8 | segment[17]) == wanted)
            break;
    }
    assert_int_equal(segment[16] << 8 | segment[17], wanted);
    assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, 22)),
                     TCP_CHECKSUM_COMPLETE);
}

static void any_wrong_bit_is_judged_bad(void **state)
{
    (void)state;
    struct random random = {5};
    uint8_t segment[200];
    size_t length = make_segment(segment, 99, &random);
    for (size_t bit = 0; bit < length * 8; bit++) {
        segment[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, length)),
                         TCP_CHECKSUM_BAD);
        segment[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t short_length = 0; short_length < TCP_HEADER_MIN; short_length++)
        assert_int_equal(tcp_checksum_judge(SOURCE, DESTINATION, span(segment, short_length)),
                         TCP_CHECKSUM_BAD);
}

/* RFC 9768 section 3.2.3: what matters first, cut off behind the last counter that does */
static void header_is_signed_once(void **state)
{
    (void)state;
    uint8_t bytes[TCP_HEADER_MAX];
    struct tcp_header header = {.flags = TCP_ACK, .has_signature = true, .ao_at = 20}, again;
    struct daytona_span payload;
    size_t length = tcp_header_emit(&header, bytes);
    assert_int_equal(length, TCP_HEADER_MIN + TCP_SIGNATURE_LENGTH);
    assert_int_equal(tcp_header_length(&header), length);
    assert_int_equal(tcp_header_parse((struct daytona_span){bytes, length}, &again, &payload), 0);
    assert_true(again.has_signature);
    assert_int_equal(again.ao_at, 0);
}

static void accurate_ecn_option_has_as_many_counters_as_matter(void **state)
{
    (void)state;
    enum { E0B = 1, CEB = 2, E1B = 4 };
    static const struct {
        uint8_t fields, expected[12], length;
    } rows[] = {
        {0, {172, 2, 1, 1}, 4},
        {E0B, {172, 5, 0, 1, 2, 1, 1, 1}, 8},
        {CEB, {172, 8, 0, 1, 2, 0, 3, 4}, 8},
        {E1B, {174, 5, 0, 5, 6, 1, 1, 1}, 8},
        {E1B | CEB, {174, 8, 0, 5, 6, 0, 3, 4}, 8},
        {E0B | CEB | E1B, {172, 11, 0, 1, 2, 0, 3, 4, 0, 5, 6, 1}, 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tcp_header header = {.flags = TCP_ACK,
                                    .accecn = {.present = true,
                                               .fields = rows[i].fields,
                                               .counters = {0x0102, 0x0304, 0x0506}}};
        assert_options(header, rows[i].expected, rows[i].length);
        struct tcp_header parsed = parse_options(TCP_ACK, rows[i].expected, rows[i].length);
        assert_true(parsed.accecn.present);
        assert_int_equal(parsed.accecn.fields & rows[i].fields, rows[i].fields);
        for (unsigned field = 0; field < TCP_ACCECN_FIELDS; field++)
            if ((parsed.accecn.fields & 1u << field) != 0)
                assert_int_equal(parsed.accecn.counters[field], header.accecn.counters[field]);
    }
}

/* ... and gives way to SACK */
static void accurate_ecn_option_takes_the_room_that_is_left(void **state)
{
    (void)state;
    static const uint8_t lengths[] = {32 + 12, 32 + 12 + 12, 32 + 20 + 8, 32 + 28};
    for (uint8_t blocks = 0; blocks < 4; blocks++) {
        struct tcp_header header = {.flags = TCP_ACK,
                                    .has_timestamps = true,
                                    .sack_count = blocks,
                                    .accecn = {.present = true, .fields = 7}};
        uint8_t out[TCP_HEADER_MAX];
        assert_int_equal(tcp_header_length(&header), lengths[blocks]);
        assert_int_equal(tcp_header_emit(&header, out), lengths[blocks]);
    }
}

/* RFC 9768 section 3.1: the bit beside the data offset */
static void accurate_ecn_bit_comes_back(void **state)
{
    (void)state;
    struct tcp_header header = {.flags = TCP_ACK | TCP_CWR, .ae = true}, parsed;
    uint8_t out[TCP_HEADER_MAX];
    struct daytona_span payload;
    size_t length = tcp_header_emit(&header, out);
    assert_int_equal(out[12], 0x51);
    assert_int_equal(tcp_header_parse(span(out, length), &parsed, &payload), 0);
    assert_true(parsed.ae);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_signed_once),
        cmocka_unit_test(accurate_ecn_option_has_as_many_counters_as_matter),
        cmocka_unit_test(accurate_ecn_option_takes_the_room_that_is_left),
        cmocka_unit_test(accurate_ecn_bit_comes_back),
        cmocka_unit_test(the_fixed_fields_stand_where_the_rfc_says),
        cmocka_unit_test(a_syn_has_linux_layout),
        cmocka_unit_test(other_segments_have_linux_layout),
        cmocka_unit_test(three_sack_blocks_fit_with_timestamps_and_four_without),
        cmocka_unit_test(what_is_emitted_is_parsed_back),
        cmocka_unit_test(an_impossible_data_offset_is_malformed),
        cmocka_unit_test(options_in_any_order_and_alignment_are_read),
        cmocka_unit_test(a_fast_open_cookie_is_padded_behind_the_other_options),
        cmocka_unit_test(fast_open_is_understood_under_its_experimental_number_too),
        cmocka_unit_test(unknown_options_are_skipped),
        cmocka_unit_test(the_end_option_ends_the_list),
        cmocka_unit_test(a_malformed_option_ends_the_list_and_keeps_what_stood_before),
        cmocka_unit_test(a_known_option_of_wrong_length_is_skipped),
        cmocka_unit_test(handshake_options_count_only_on_a_syn_and_sacks_only_elsewhere),
        cmocka_unit_test(a_quoted_header_gives_ports_and_sequence_number),
        cmocka_unit_test(random_bytes_are_never_read_out_of_bounds),
        cmocka_unit_test(a_stored_checksum_is_judged_complete),
        cmocka_unit_test(the_pseudo_header_sum_alone_is_judged_partial),
        cmocka_unit_test(a_right_complete_checksum_is_never_partial),
        cmocka_unit_test(any_wrong_bit_is_judged_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
