#include "stack/base/siphash.h"
#include "stack/wire/checksum.h"
#include "tests/unit/region.h"

/* RFC 1071 section 4.1, byte by byte. */
static uint16_t plain_sum(const uint8_t *bytes, size_t length)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? (uint64_t)bytes[i] << 8 : bytes[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint16_t sum_of(const uint8_t *bytes, size_t length)
{
    struct checksum checksum = {0};
    checksum_add(&checksum, (struct daytona_span){bytes, length});
    return checksum_fold(&checksum);
}

static void fill(uint8_t *bytes, size_t length, struct random *random)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)random_next(random);
}

/* RFC 1071 section 3 */
static void the_rfc_example_comes_out(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(sum_of(bytes, sizeof bytes), 0xddf2);
}

static void nothing_sums_to_zero(void **state)
{
    (void)state;
    assert_int_equal(sum_of(NULL, 0), 0);
}

static void every_length_and_alignment_equals_the_plain_sum(void **state)
{
    (void)state;
    struct random random = {1};
    for (size_t length = 0; length < 300; length++)
        for (size_t shift = 0; shift < 8; shift++) {
            /* Ends with the allocation, so that reading one byte too far is found. */
            uint8_t *bytes = malloc(shift + length + 1);
            fill(bytes, shift + length + 1, &random);
            assert_int_equal(sum_of(bytes + shift + 1, length),
                             plain_sum(bytes + shift + 1, length));
            free(bytes);
        }
}

static void all_ones_do_not_lose_a_carry(void **state)
{
    (void)state;
    static uint8_t bytes[65535];
    memset(bytes, 0xff, sizeof bytes);
    for (size_t length = 1; length <= sizeof bytes; length = length * 5 / 3 + 1)
        assert_int_equal(sum_of(bytes, length), plain_sum(bytes, length));
}

/* RFC 1071 section 2 (A) */
static void spans_of_any_length_sum_like_one(void **state)
{
    (void)state;
    struct random random = {2};
    uint8_t bytes[3000];
    for (int round = 0; round < 2000; round++) {
        fill(bytes, sizeof bytes, &random);
        struct checksum checksum = {0};
        size_t done = 0;
        while (done < sizeof bytes) {
            size_t share = random_below(&random, 400);
            if (share > sizeof bytes - done)
                share = sizeof bytes - done;
            checksum_add(&checksum, (struct daytona_span){bytes + done, share});
            done += share;
        }
        assert_int_equal(checksum_fold(&checksum), plain_sum(bytes, sizeof bytes));
    }
}

/* RFC 9293 section 3.1 */
static void the_ipv4_pseudo_header_is_as_in_the_rfc(void **state)
{
    (void)state;
    struct daytona_address source = daytona_address_from_ipv4(0xc0a80117);
    struct daytona_address destination = daytona_address_from_ipv4(0x0a0000fe);
    const uint8_t pseudo[] = {192, 168, 1, 23, 10, 0, 0, 254, 0, 6, 0x12, 0x34};
    struct checksum checksum = {0};
    checksum_add_pseudo(&checksum, &source, &destination, 6, 0x1234);
    assert_int_equal(checksum_fold(&checksum), plain_sum(pseudo, sizeof pseudo));
}

/* RFC 8200 section 8.1 */
static void the_ipv6_pseudo_header_is_as_in_the_rfc(void **state)
{
    (void)state;
    struct daytona_address source, destination;
    uint8_t pseudo[40] = {0};
    struct random random = {3};
    fill(source.bytes, 16, &random);
    fill(destination.bytes, 16, &random);
    memcpy(pseudo, source.bytes, 16);
    memcpy(pseudo + 16, destination.bytes, 16);
    memcpy(pseudo + 32, (const uint8_t[]){0, 1, 0xab, 0xcd, 0, 0, 0, 6}, 8);
    struct checksum checksum = {0};
    checksum_add_pseudo(&checksum, &source, &destination, 6, 0x1abcd);
    assert_int_equal(checksum_fold(&checksum), plain_sum(pseudo, sizeof pseudo));
}

static void a_packet_with_its_checksum_sums_to_all_ones(void **state)
{
    (void)state;
    struct random random = {4};
    uint8_t bytes[1000];
    for (size_t length = 2; length < sizeof bytes; length++) {
        fill(bytes, length, &random);
        bytes[0] = bytes[1] = 0;
        uint16_t field = (uint16_t)~sum_of(bytes, length);
        bytes[0] = (uint8_t)(field >> 8);
        bytes[1] = (uint8_t)field;
        assert_int_equal(sum_of(bytes, length), 0xffff);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_example_comes_out),
        cmocka_unit_test(nothing_sums_to_zero),
        cmocka_unit_test(every_length_and_alignment_equals_the_plain_sum),
        cmocka_unit_test(all_ones_do_not_lose_a_carry),
        cmocka_unit_test(spans_of_any_length_sum_like_one),
        cmocka_unit_test(the_ipv4_pseudo_header_is_as_in_the_rfc),
        cmocka_unit_test(the_ipv6_pseudo_header_is_as_in_the_rfc),
        cmocka_unit_test(a_packet_with_its_checksum_sums_to_all_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
