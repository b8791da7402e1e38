#include "stack/base/siphash.h"
#include "stack/base/tuple_hash.h"
#include "tests/unit/region.h"

/* The vectors of SipHash's authors: key 00 01 ... 0f, messages 00, 00 01, ... of each length. */
static const uint64_t vectors[] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};

static void the_reference_vectors_come_out(void **state)
{
    (void)state;
    uint8_t key[16], message[COUNT_OF(vectors)];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = message[i] = i;
    for (size_t length = 0; length < COUNT_OF(vectors); length++)
        assert_true(siphash(key, message, length) == vectors[length]);
}

static void alignment_does_not_matter(void **state)
{
    (void)state;
    uint8_t key[16] = {1}, bytes[64];
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 37; i++)
            bytes[shift + i] = (uint8_t)(i * 11);
        uint8_t copy[37];
        memcpy(copy, bytes + shift, sizeof copy);
        assert_true(siphash(key, bytes + shift, 37) == siphash(key, copy, 37));
    }
}

static void another_key_gives_another_hash(void **state)
{
    (void)state;
    uint8_t a[16] = {0}, b[16] = {0};
    b[15] = 1;
    assert_true(siphash(a, "segment", 7) != siphash(b, "segment", 7));
}

/* RFC 6528, RFC 6056: a number that one use gives away tells nothing of another's. */
static void each_use_of_a_four_tuple_has_a_hash_of_its_own(void **state)
{
    (void)state;
    uint8_t key[16] = {7};
    struct daytona_endpoint a = {daytona_address_from_ipv4(0x0a000001), 80};
    struct daytona_endpoint b = {daytona_address_from_ipv4(0x0a000002), 80};
    for (int use = TUPLE_FOR_TABLE; use <= TUPLE_FOR_LISTENER; use++) {
        uint64_t hash = tuple_hash(key, (enum tuple_use)use, &a, &b);
        assert_true(hash == tuple_hash(key, (enum tuple_use)use, &a, &b));
        assert_true(hash != tuple_hash(key, (enum tuple_use)use, &b, &a));
        for (int other = TUPLE_FOR_TABLE; other < use; other++)
            assert_true(hash != tuple_hash(key, (enum tuple_use)other, &a, &b));
    }
}

static void equal_seeds_give_equal_sequences(void **state)
{
    (void)state;
    struct random a = {99}, b = {99};
    for (int i = 0; i < 100; i++)
        assert_true(random_next(&a) == random_next(&b));
}

static void splitmix64_gives_its_published_sequence(void **state)
{
    (void)state;
    struct random random = {1234567};
    assert_true(random_next(&random) == 6457827717110365317u);
    assert_true(random_next(&random) == 3203168211198807973u);
    assert_true(random_next(&random) == 9817491932198370423u);
}

static void results_stay_below_the_bound_and_are_even(void **state)
{
    (void)state;
    struct random random = {5};
    uint32_t seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint32_t value = random_below(&random, 10);
        assert_true(value < 10);
        seen[value]++;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        assert_in_range(seen[i], 9500, 10500);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&random, 1), 0);
    uint32_t above_half = 0;
    for (int i = 0; i < 10000; i++)
        above_half += random_below(&random, 0xc0000000) >= 0x60000000;
    assert_in_range(above_half, 4800, 5200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_vectors_come_out),
        cmocka_unit_test(alignment_does_not_matter),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(each_use_of_a_four_tuple_has_a_hash_of_its_own),
        cmocka_unit_test(equal_seeds_give_equal_sequences),
        cmocka_unit_test(splitmix64_gives_its_published_sequence),
        cmocka_unit_test(results_stay_below_the_bound_and_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
