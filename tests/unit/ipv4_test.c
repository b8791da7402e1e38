#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/ipv4.h"
#include "tests/unit/region.h"

#include <errno.h>

/* A ping as tcpdump prints it; the checksum is the sender's. */
static const uint8_t known[] = {0x45, 0x00, 0x00, 0x54, 0xa6, 0xf2, 0x00, 0x00, 0x40, 0x01,
                                0x22, 0x62, 0xc0, 0xa8, 0x9e, 0x8b, 0xae, 0x89, 0x2a, 0x4d};

static struct ipv4_header example(void)
{
    return (struct ipv4_header){
        .source = daytona_address_from_ipv4(0x0a000001),
        .destination = daytona_address_from_ipv4(0x0a000002),
        .identification = 0xbeef,
        .total_length = 30,
        .header_length = 20,
        .type_of_service = 0xb8,
        .time_to_live = 64,
        .protocol = IP_PROTOCOL_TCP,
        .dont_fragment = true,
    };
}

/* Writes the right checksum for the header in `packet`, whatever else is wrong with it. */
static void fix_checksum(uint8_t *packet)
{
    size_t length = (size_t)(packet[0] & 15) * 4;
    packet[10] = packet[11] = 0;
    struct checksum checksum = {0};
    checksum_add(&checksum, (struct daytona_span){packet, length});
    uint16_t field = (uint16_t)~checksum_fold(&checksum);
    packet[10] = (uint8_t)(field >> 8);
    packet[11] = (uint8_t)field;
}

static int parse(const uint8_t *packet, size_t length)
{
    struct ipv4_header header;
    struct daytona_span payload;
    return ipv4_parse((struct daytona_span){packet, length}, length, &header, &payload);
}

static void assert_headers_equal(const struct ipv4_header *a, const struct ipv4_header *b)
{
    assert_true(daytona_address_equal(&a->source, &b->source));
    assert_true(daytona_address_equal(&a->destination, &b->destination));
    assert_int_equal(a->identification, b->identification);
    assert_int_equal(a->fragment_offset, b->fragment_offset);
    assert_int_equal(a->total_length, b->total_length);
    assert_int_equal(a->header_length, b->header_length);
    assert_int_equal(a->type_of_service, b->type_of_service);
    assert_int_equal(a->time_to_live, b->time_to_live);
    assert_int_equal(a->protocol, b->protocol);
    assert_int_equal(a->dont_fragment, b->dont_fragment);
    assert_int_equal(a->more_fragments, b->more_fragments);
}

/* RFC 791 section 3.1 */
static void a_real_header_is_read(void **state)
{
    (void)state;
    uint8_t packet[84] = {0};
    memcpy(packet, known, sizeof known);
    fix_checksum(packet);
    struct ipv4_header header;
    struct daytona_span payload;
    assert_int_equal(ipv4_parse((struct daytona_span){packet, 84}, 84, &header, &payload), 0);
    assert_int_equal(daytona_address_to_ipv4(&header.source), 0xc0a89e8b);
    assert_int_equal(daytona_address_to_ipv4(&header.destination), 0xae892a4d);
    assert_int_equal(header.identification, 0xa6f2);
    assert_int_equal(header.protocol, IP_PROTOCOL_ICMP);
    assert_int_equal(header.time_to_live, 64);
    assert_ptr_equal(payload.data, packet + 20);
    assert_int_equal(payload.length, 64);
}

static void what_is_emitted_is_parsed_back(void **state)
{
    (void)state;
    struct random random = {1};
    uint8_t packet[IPV4_HEADER_MIN + 100];
    for (int i = 0; i < 10000; i++) {
        uint32_t bits = (uint32_t)random_next(&random);
        struct ipv4_header in = {
            .source = daytona_address_from_ipv4((uint32_t)random_next(&random)),
            .destination = daytona_address_from_ipv4((uint32_t)random_next(&random)),
            .identification = (uint16_t)random_next(&random),
            .fragment_offset = (uint16_t)(random_below(&random, 8192) * 8),
            .total_length = (uint16_t)(20 + random_below(&random, 101)),
            .header_length = 20,
            .type_of_service = (uint8_t)(bits >> 8),
            .time_to_live = (uint8_t)(bits >> 16),
            .protocol = (uint8_t)(bits >> 24),
            .dont_fragment = (bits & 1) != 0,
            .more_fragments = (bits & 2) != 0,
        };
        ipv4_emit(&in, packet);
        struct ipv4_header out;
        struct daytona_span payload;
        assert_int_equal(
            ipv4_parse((struct daytona_span){packet, sizeof packet}, sizeof packet, &out, &payload),
            0);
        assert_headers_equal(&in, &out);
        assert_int_equal(payload.length, in.total_length - 20);
    }
}

static void link_padding_is_not_payload(void **state)
{
    (void)state;
    struct ipv4_header header = example(), out;
    uint8_t packet[60] = {0};
    ipv4_emit(&header, packet);
    struct daytona_span payload;
    assert_int_equal(ipv4_parse((struct daytona_span){packet, 60}, 60, &out, &payload), 0);
    assert_int_equal(payload.length, 10);
}

static void options_are_skipped(void **state)
{
    (void)state;
    struct ipv4_header header = example(), out;
    header.total_length = 70;
    uint8_t packet[70] = {0};
    ipv4_emit(&header, packet);
    packet[0] = 0x4f;
    packet[60] = 99;
    fix_checksum(packet);
    struct daytona_span payload;
    assert_int_equal(ipv4_parse((struct daytona_span){packet, 70}, 70, &out, &payload), 0);
    assert_int_equal(out.header_length, IPV4_HEADER_MAX);
    assert_int_equal(payload.length, 10);
    assert_int_equal(payload.data[0], 99);
}

/* RFC 791 3.1, RFC 7126 4.3, 4.4 */
static void source_routes_are_seen_and_malformed_options_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t options[8];
        int result;
        bool routed;
    } cases[] = {
        {{131, 7, 4, 10, 0, 0, 9, 0}, 0, true},    /* loose */
        {{1, 137, 7, 4, 10, 0, 0, 9}, 0, true},    /* strict, behind a no-operation */
        {{7, 7, 4, 0, 0, 0, 0, 0}, 0, false},      /* record route */
        {{0, 131, 7, 4, 0, 0, 0, 0}, 0, false},    /* behind the end of the list */
        {{131, 0, 0, 0, 0, 0, 0, 0}, -EBADMSG, 0}, /* of no length: the walk would never end */
        {{7, 9, 4, 0, 0, 0, 0, 0}, -EBADMSG, 0},   /* beyond the header */
        {{1, 1, 1, 1, 1, 1, 1, 7}, -EBADMSG, 0},   /* without a length */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ipv4_header header = example(), out;
        header.total_length = 38;
        uint8_t packet[38] = {0};
        ipv4_emit(&header, packet);
        packet[0] = 0x47;
        memcpy(packet + 20, cases[i].options, 8);
        fix_checksum(packet);
        struct daytona_span payload;
        assert_int_equal(ipv4_parse((struct daytona_span){packet, 38}, 38, &out, &payload),
                         cases[i].result);
        if (cases[i].result == 0)
            assert_int_equal(out.source_routed, cases[i].routed);
    }
}

static void any_wrong_bit_of_the_header_is_refused(void **state)
{
    (void)state;
    struct ipv4_header header = example();
    uint8_t packet[30] = {0};
    for (size_t bit = 0; bit < 160; bit++) {
        ipv4_emit(&header, packet);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(parse(packet, 30) < 0);
    }
}

static void impossible_lengths_and_versions_are_malformed(void **state)
{
    (void)state;
    struct ipv4_header header = example();
    uint8_t packet[30] = {0};
    for (int version = 0; version < 16; version++) {
        ipv4_emit(&header, packet);
        packet[0] = (uint8_t)(version << 4 | 5);
        fix_checksum(packet);
        assert_int_equal(parse(packet, 30), version == 4 ? 0 : -EBADMSG);
    }
    for (int words = 0; words < 5; words++) {
        ipv4_emit(&header, packet);
        packet[0] = (uint8_t)(0x40 | words);
        assert_int_equal(parse(packet, 30), -EBADMSG);
    }
    header.total_length = 19;
    ipv4_emit(&header, packet);
    assert_int_equal(parse(packet, 30), -EBADMSG);
    header.total_length = 0; /* BIG TCP */
    ipv4_emit(&header, packet);
    assert_int_equal(parse(packet, 30), -EBADMSG);
}

static void a_packet_that_was_cut_is_told_apart(void **state)
{
    (void)state;
    struct ipv4_header header = example(), out;
    uint8_t packet[30] = {0};
    ipv4_emit(&header, packet);
    for (size_t length = 0; length < 30; length++) {
        uint8_t *exact = malloc(length + 1);
        memcpy(exact + 1, packet, length);
        struct daytona_span payload;
        assert_int_equal(ipv4_parse((struct daytona_span){exact + 1, length}, 30, &out, &payload),
                         -EMSGSIZE);
        free(exact);
    }
    struct daytona_span payload;
    assert_int_equal(ipv4_parse((struct daytona_span){packet, 30}, 29, &out, &payload), -EMSGSIZE);
}

/* RFC 792: the header as it was sent, and at least 64 bits of what followed. */
static void a_quoted_header_needs_neither_checksum_nor_all_bytes(void **state)
{
    (void)state;
    struct ipv4_header header = example(), out;
    header.total_length = 1500;
    uint8_t packet[28] = {0};
    ipv4_emit(&header, packet);
    packet[8] = 1; /* routers count the time to live down, and may quote the old checksum */
    struct daytona_span payload;
    assert_int_equal(ipv4_parse_quoted((struct daytona_span){packet, 28}, &out, &payload), 0);
    assert_int_equal(out.total_length, 1500);
    assert_int_equal(payload.length, 8);
    assert_ptr_equal(payload.data, packet + 20);
    assert_int_equal(ipv4_parse_quoted((struct daytona_span){packet, 19}, &out, &payload),
                     -EBADMSG);
    header.total_length = 24;
    ipv4_emit(&header, packet);
    assert_int_equal(ipv4_parse_quoted((struct daytona_span){packet, 28}, &out, &payload), 0);
    assert_int_equal(payload.length, 4);
    packet[0] = 0x65; /* another version */
    assert_int_equal(ipv4_parse_quoted((struct daytona_span){packet, 28}, &out, &payload),
                     -EBADMSG);
    packet[0] = 0x48; /* options that are not there */
    assert_int_equal(ipv4_parse_quoted((struct daytona_span){packet, 28}, &out, &payload),
                     -EBADMSG);
}

static void random_bytes_are_never_read_out_of_bounds(void **state)
{
    (void)state;
    struct random random = {9};
    for (int i = 0; i < 50000; i++) {
        size_t length = random_below(&random, 100);
        uint8_t *bytes = malloc(length + 1);
        for (size_t j = 0; j <= length; j++)
            bytes[j] = (uint8_t)random_next(&random);
        if (length > 20) {
            bytes[1] = (uint8_t)(0x40 | random_below(&random, 16));
            bytes[3] = 0;
            if (length > 60)
                fix_checksum(bytes + 1);
        }
        struct daytona_span span = {bytes + 1, length}, payload;
        struct ipv4_header header;
        if (ipv4_parse(span, length, &header, &payload) == 0)
            assert_true(payload.data + payload.length <= bytes + 1 + length);
        if (ipv4_parse_quoted(span, &header, &payload) == 0)
            assert_true(payload.data + payload.length <= bytes + 1 + length);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_header_is_read),
        cmocka_unit_test(what_is_emitted_is_parsed_back),
        cmocka_unit_test(link_padding_is_not_payload),
        cmocka_unit_test(options_are_skipped),
        cmocka_unit_test(source_routes_are_seen_and_malformed_options_refused),
        cmocka_unit_test(any_wrong_bit_of_the_header_is_refused),
        cmocka_unit_test(impossible_lengths_and_versions_are_malformed),
        cmocka_unit_test(a_packet_that_was_cut_is_told_apart),
        cmocka_unit_test(a_quoted_header_needs_neither_checksum_nor_all_bytes),
        cmocka_unit_test(random_bytes_are_never_read_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
