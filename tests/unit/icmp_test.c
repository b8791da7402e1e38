#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "stack/wire/icmp.h"
#include "tests/unit/region.h"

#include <errno.h>

#define QUOTED_AT 8

/* An ICMP error about a TCP packet of 1,500 bytes, of which `quoted` transport bytes stand in
 * it. Returns its length. */
static size_t make_error(uint8_t *out, uint8_t type, uint8_t code, uint16_t mtu, size_t quoted)
{
    struct ipv4_header header = {
        .source = daytona_address_from_ipv4(0x0a000001),
        .destination = daytona_address_from_ipv4(0x0a000002),
        .total_length = 1500,
        .time_to_live = 3,
        .protocol = IP_PROTOCOL_TCP,
        .dont_fragment = true,
    };
    memset(out, 0, QUOTED_AT);
    out[0] = type;
    out[1] = code;
    out[6] = (uint8_t)(mtu >> 8);
    out[7] = (uint8_t)mtu;
    ipv4_emit(&header, out + QUOTED_AT);
    for (size_t i = 0; i < quoted; i++)
        out[QUOTED_AT + 20 + i] = (uint8_t)(i + 1);
    return QUOTED_AT + 20 + quoted;
}

static void fix_checksum(uint8_t *message, size_t length)
{
    message[2] = message[3] = 0;
    struct checksum checksum = {0};
    checksum_add(&checksum, (struct daytona_span){message, length});
    uint16_t field = (uint16_t)~checksum_fold(&checksum);
    message[2] = (uint8_t)(field >> 8);
    message[3] = (uint8_t)field;
}

static int parse(const uint8_t *message, size_t length, struct icmp_error *out)
{
    return icmp_parse((struct daytona_span){message, length}, out);
}

/* RFC 792 */
static void an_error_names_the_packet_it_is_about(void **state)
{
    (void)state;
    uint8_t message[100];
    size_t length = make_error(message, ICMP_TIME_EXCEEDED, 1, 0, 8);
    fix_checksum(message, length);
    struct icmp_error error;
    assert_int_equal(parse(message, length, &error), 0);
    assert_int_equal(error.type, ICMP_TIME_EXCEEDED);
    assert_int_equal(error.code, 1);
    assert_int_equal(daytona_address_to_ipv4(&error.quoted.source), 0x0a000001);
    assert_int_equal(error.quoted.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(error.quoted.total_length, 1500);
    assert_int_equal(error.quoted_transport.length, 8);
    assert_int_equal(error.quoted_transport.data[0], 1);
}

/* RFC 1191 section 4 */
static void only_fragmentation_needed_has_a_next_hop_mtu(void **state)
{
    (void)state;
    uint8_t message[100];
    for (uint8_t code = 0; code < 16; code++) {
        size_t length = make_error(message, ICMP_UNREACHABLE, code, 1400, 20);
        fix_checksum(message, length);
        struct icmp_error error;
        assert_int_equal(parse(message, length, &error), 0);
        assert_int_equal(error.next_hop_mtu, code == 4 ? 1400 : 0);
    }
    size_t length = make_error(message, ICMP_PARAMETER_PROBLEM, 4, 1400, 20);
    fix_checksum(message, length);
    struct icmp_error error;
    assert_int_equal(parse(message, length, &error), 0);
    assert_int_equal(error.next_hop_mtu, 0);
}

static void what_is_no_error_is_no_error(void **state)
{
    (void)state;
    uint8_t message[100];
    for (unsigned type = 0; type < 256; type++) {
        size_t length = make_error(message, (uint8_t)type, 0, 0, 8);
        fix_checksum(message, length);
        struct icmp_error error;
        bool is_error = type == 3 || type == 4 || type == 11 || type == 12;
        assert_int_equal(parse(message, length, &error), is_error ? 0 : -ENOMSG);
    }
}

static void any_wrong_bit_is_refused(void **state)
{
    (void)state;
    uint8_t message[100];
    size_t length = make_error(message, ICMP_UNREACHABLE, 3, 0, 8);
    fix_checksum(message, length);
    for (size_t bit = 0; bit < length * 8; bit++) {
        struct icmp_error error;
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(parse(message, length, &error) < 0);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void fewer_than_eight_quoted_bytes_are_malformed(void **state)
{
    (void)state;
    uint8_t message[100];
    for (size_t quoted = 0; quoted < 8; quoted++) {
        size_t length = make_error(message, ICMP_UNREACHABLE, 1, 0, quoted);
        fix_checksum(message, length);
        struct icmp_error error;
        assert_int_equal(parse(message, length, &error), -EBADMSG);
    }
    for (size_t length = 0; length < 28; length++) {
        make_error(message, ICMP_UNREACHABLE, 1, 0, 0);
        if (length >= 8)
            fix_checksum(message, length);
        struct icmp_error error;
        assert_int_equal(parse(message, length, &error), -EBADMSG);
    }
}

/* RFC 1122 section 3.2.2 */
static void an_error_about_a_later_fragment_is_malformed(void **state)
{
    (void)state;
    uint8_t message[100];
    size_t length = make_error(message, ICMP_TIME_EXCEEDED, 1, 0, 8);
    message[QUOTED_AT + 7] = 185;
    fix_checksum(message, length);
    struct icmp_error error;
    assert_int_equal(parse(message, length, &error), -EBADMSG);
}

static void random_messages_are_never_read_out_of_bounds(void **state)
{
    (void)state;
    struct random random = {11};
    for (int i = 0; i < 50000; i++) {
        size_t length = random_below(&random, 80);
        uint8_t *message = malloc(length + 1);
        for (size_t j = 0; j <= length; j++)
            message[j] = (uint8_t)random_next(&random);
        if (length > QUOTED_AT) {
            message[1] = 3;
            message[1 + QUOTED_AT] = (uint8_t)(0x40 | random_below(&random, 16));
            fix_checksum(message + 1, length);
        }
        struct icmp_error error;
        if (parse(message + 1, length, &error) == 0) {
            assert_true(error.quoted_transport.length >= 8);
            assert_true(error.quoted_transport.data + error.quoted_transport.length <=
                        message + 1 + length);
        }
        free(message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_names_the_packet_it_is_about),
        cmocka_unit_test(only_fragmentation_needed_has_a_next_hop_mtu),
        cmocka_unit_test(what_is_no_error_is_no_error),
        cmocka_unit_test(any_wrong_bit_is_refused),
        cmocka_unit_test(fewer_than_eight_quoted_bytes_are_malformed),
        cmocka_unit_test(an_error_about_a_later_fragment_is_malformed),
        cmocka_unit_test(random_messages_are_never_read_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
