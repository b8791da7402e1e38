#include "stack/base/siphash.h"
#include "stack/ip/reassembly.h"
#include "tests/unit/region.h"

#define REGION    ((size_t)1 << 20)
#define BYTES_MAX ((size_t)262144)

static const struct daytona_instant start = {1000000000};

struct fixture {
    uint32_t source; /* of the fragments; 0: the usual one */
    struct reassembly reassembly;
    struct daytona_span whole;
    struct daytona_instant now;
    uint8_t ecn; /* of the next fragment */
};

static struct fixture make(void)
{
    return (struct fixture){.reassembly = {.memory = region_make(REGION), .bytes_max = BYTES_MAX},
                            .now = start};
}

static void done(struct fixture *fixture)
{
    reassembly_return_whole(&fixture->reassembly);
    reassembly_expire(&fixture->reassembly, DAYTONA_NEVER);
    assert_int_equal(fixture->reassembly.bytes, 0);
    assert_int_equal(fixture->reassembly.count, 0);
    region_free(fixture->reassembly.memory);
}

/* The byte that datagram `id` has at `offset`. */
static uint8_t byte_at(uint16_t id, size_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251 + id);
}

/* Adds bytes [offset, offset + length) of datagram `id`. */
static enum reassembly_outcome add(struct fixture *fixture, uint16_t id, size_t offset,
                                   size_t length, bool more)
{
    uint8_t *bytes = malloc(length == 0 ? 1 : length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(id, offset + i);
    struct ipv4_header header = {
        .source = daytona_address_from_ipv4(fixture->source != 0 ? fixture->source : 0x0a000002),
        .destination = daytona_address_from_ipv4(0x0a000001),
        .identification = id,
        .fragment_offset = (uint16_t)offset,
        .total_length = (uint16_t)(20 + length),
        .header_length = 20,
        .type_of_service = fixture->ecn,
        .protocol = IP_PROTOCOL_TCP,
        .more_fragments = more,
    };
    enum reassembly_outcome outcome =
        reassembly_add(&fixture->reassembly, fixture->now, &header,
                       (struct daytona_span){bytes, length}, &fixture->whole);
    free(bytes);
    return outcome;
}

static void assert_whole(const struct fixture *fixture, uint16_t id, size_t length)
{
    assert_int_equal(fixture->whole.length, length);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(fixture->whole.data[i], byte_at(id, i));
}

/* RFC 791 section 3.2 */
static void fragments_in_order_make_the_datagram(void **state)
{
    (void)state;
    struct fixture f = make();
    assert_int_equal(add(&f, 1, 0, 1480, true), REASSEMBLY_HELD);
    assert_int_equal(add(&f, 1, 1480, 1480, true), REASSEMBLY_HELD);
    assert_int_equal(add(&f, 1, 2960, 5, false), REASSEMBLY_COMPLETE);
    assert_whole(&f, 1, 2965);
    done(&f);
}

static void fragments_in_any_order_make_the_datagram(void **state)
{
    (void)state;
    static const size_t order[][4] = {{3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {0, 3, 2, 1}};
    struct fixture f = make();
    for (uint16_t id = 0; id < 4; id++) {
        enum reassembly_outcome outcome = REASSEMBLY_HELD;
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(outcome, REASSEMBLY_HELD);
            size_t part = order[id][i];
            outcome = add(&f, id, part * 800, part == 3 ? 33 : 800, part != 3);
        }
        assert_int_equal(outcome, REASSEMBLY_COMPLETE);
        assert_whole(&f, id, 2433);
    }
    done(&f);
}

static void datagrams_are_told_apart_by_all_of_the_key(void **state)
{
    (void)state;
    struct fixture f = make();
    struct ipv4_header header = {.source = daytona_address_from_ipv4(1),
                                 .destination = daytona_address_from_ipv4(2),
                                 .identification = 3,
                                 .header_length = 20,
                                 .protocol = IP_PROTOCOL_TCP,
                                 .more_fragments = true};
    const uint8_t bytes[8] = {0};
    struct daytona_span payload = {bytes, 8};
    reassembly_add(&f.reassembly, f.now, &header, payload, &f.whole);
    struct ipv4_header last = header;
    last.fragment_offset = 8;
    last.more_fragments = false;
    struct ipv4_header other = last;
    other.identification = 4;
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &other, payload, &f.whole),
                     REASSEMBLY_HELD);
    other = last;
    other.protocol = IP_PROTOCOL_ICMP;
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &other, payload, &f.whole),
                     REASSEMBLY_HELD);
    other = last;
    other.source = header.destination;
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &other, payload, &f.whole),
                     REASSEMBLY_HELD);
    other = last;
    other.destination = header.source;
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &other, payload, &f.whole),
                     REASSEMBLY_HELD);
    assert_int_equal(f.reassembly.count, 5);
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &last, payload, &f.whole),
                     REASSEMBLY_COMPLETE);
    assert_int_equal(f.reassembly.count, 4);
    done(&f);
}

static void an_exact_copy_is_ignored(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 1, 0, 800, true);
    assert_int_equal(add(&f, 1, 0, 800, true), REASSEMBLY_HELD);
    add(&f, 1, 1600, 10, false);
    assert_int_equal(add(&f, 1, 1600, 10, false), REASSEMBLY_HELD);
    assert_int_equal(add(&f, 1, 800, 800, true), REASSEMBLY_COMPLETE);
    assert_whole(&f, 1, 1610);
    done(&f);
}

/* RFC 5722 section 4 */
static void an_overlap_kills_the_datagram_and_what_still_comes_of_it(void **state)
{
    (void)state;
    static const size_t overlaps[][2] = {{0, 1600},  {792, 16}, {0, 8},     {8, 8},
                                         {1592, 16}, {0, 3208}, {2392, 16}, {1608, 792}};
    for (size_t i = 0; i < COUNT_OF(overlaps); i++) {
        struct fixture f = make();
        add(&f, 1, 0, 800, true);
        add(&f, 1, 1600, 800, true);
        assert_int_equal(add(&f, 1, overlaps[i][0], overlaps[i][1], true), REASSEMBLY_DROPPED);
        assert_int_equal(f.reassembly.bytes, 0);
        assert_int_equal(add(&f, 1, 0, 800, true), REASSEMBLY_DROPPED);
        assert_int_equal(add(&f, 1, 800, 100, false), REASSEMBLY_DROPPED);
        assert_int_equal(add(&f, 2, 0, 800, true), REASSEMBLY_HELD);
        done(&f);
    }
}

static void a_copy_with_other_bytes_is_an_overlap(void **state)
{
    (void)state;
    struct fixture f = make();
    const uint8_t one[8] = {1}, two[8] = {2};
    struct ipv4_header header = {.header_length = 20, .more_fragments = true};
    struct daytona_span payload = {one, 8};
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &header, payload, &f.whole),
                     REASSEMBLY_HELD);
    payload.data = two;
    assert_int_equal(reassembly_add(&f.reassembly, f.now, &header, payload, &f.whole),
                     REASSEMBLY_DROPPED);
    done(&f);
}

static void contradictory_lengths_kill_the_datagram(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 1, 800, 100, false);
    assert_int_equal(add(&f, 1, 1600, 8, true), REASSEMBLY_DROPPED); /* beyond the end */
    add(&f, 2, 800, 100, false);
    assert_int_equal(add(&f, 2, 1600, 8, false), REASSEMBLY_DROPPED); /* another end */
    add(&f, 3, 1600, 800, true);
    assert_int_equal(add(&f, 3, 800, 100, false), REASSEMBLY_DROPPED); /* an end too early */
    add(&f, 4, 1600, 800, true);
    assert_int_equal(add(&f, 4, 2400, 0, false), REASSEMBLY_DROPPED); /* nothing at all */
    done(&f);
}

static void a_middle_fragment_of_odd_length_is_dropped_alone(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 1, 0, 800, true);
    assert_int_equal(add(&f, 1, 800, 801, true), REASSEMBLY_DROPPED);
    assert_int_equal(add(&f, 1, 800, 3, false), REASSEMBLY_COMPLETE);
    assert_whole(&f, 1, 803);
    done(&f);
}

static void a_datagram_above_65535_bytes_is_refused(void **state)
{
    (void)state;
    struct fixture f = make();
    assert_int_equal(add(&f, 1, 65528, 8, true), REASSEMBLY_DROPPED);
    assert_int_equal(add(&f, 1, 65528, 100, false), REASSEMBLY_DROPPED);
    assert_int_equal(add(&f, 1, 65512, 4, false), REASSEMBLY_DROPPED);
    assert_int_equal(f.reassembly.count, 0);
    /* 20 bytes of header and 65,515 of payload are just possible. */
    for (size_t offset = 0; offset < 65512; offset += 1424)
        assert_int_equal(add(&f, 1, offset, offset + 1424 > 65512 ? 65512 - offset : 1424, true),
                         REASSEMBLY_HELD);
    assert_int_equal(add(&f, 1, 65512, 3, false), REASSEMBLY_COMPLETE);
    assert_whole(&f, 1, 65515);
    done(&f);
}

static void a_datagram_of_too_many_fragments_is_killed(void **state)
{
    (void)state;
    struct fixture f = make();
    for (size_t i = 0; i < REASSEMBLY_FRAGMENTS_MAX; i++)
        assert_int_equal(add(&f, 1, i * 16, 8, true), REASSEMBLY_HELD);
    assert_int_equal(add(&f, 1, 8, 8, true), REASSEMBLY_DROPPED);
    assert_int_equal(f.reassembly.bytes, 0);
    done(&f);
}

static void above_their_number_the_oldest_datagram_is_given_up(void **state)
{
    (void)state;
    struct fixture f = make();
    for (uint16_t id = 0; id <= REASSEMBLY_DATAGRAMS_MAX; id++)
        assert_int_equal(add(&f, id, 0, 8, true), REASSEMBLY_HELD);
    assert_int_equal(f.reassembly.count, REASSEMBLY_DATAGRAMS_MAX);
    assert_int_equal(add(&f, 1, 8, 8, false), REASSEMBLY_COMPLETE);
    assert_int_equal(add(&f, 0, 8, 8, false), REASSEMBLY_HELD);
    done(&f);
}

/* One that sends beginnings only does not keep others from having their datagrams */
static void flood_from_one_source_gives_up_its_own_datagrams(void **state)
{
    (void)state;
    struct fixture f = make();
    assert_int_equal(add(&f, 7, 0, 8, true), REASSEMBLY_HELD);
    f.source = 0x0a000099;
    for (uint16_t id = 0; id < 1000; id++)
        assert_int_equal(add(&f, id, 0, 8, true), REASSEMBLY_HELD);
    f.reassembly.bytes_max = 32768;
    for (uint16_t id = 1000; id < 1100; id++)
        assert_int_equal(add(&f, id, 0, 1480, true), REASSEMBLY_HELD);
    f.source = 0;
    assert_int_equal(add(&f, 7, 8, 8, false), REASSEMBLY_COMPLETE);
    done(&f);
}

static void above_the_bytes_the_oldest_datagrams_are_given_up(void **state)
{
    (void)state;
    struct fixture f = make();
    f.reassembly.bytes_max = 16384;
    for (uint16_t id = 0; id < 60; id++) {
        assert_int_equal(add(&f, id, 0, 1480, true), REASSEMBLY_HELD);
        assert_true(f.reassembly.bytes <= f.reassembly.bytes_max);
    }
    assert_int_equal(add(&f, 59, 1480, 8, false), REASSEMBLY_COMPLETE);
    assert_whole(&f, 59, 1488);
    /* One datagram alone above the bound goes too. */
    enum reassembly_outcome outcome = REASSEMBLY_HELD;
    for (size_t offset = 0; offset < 40000 && outcome == REASSEMBLY_HELD; offset += 1480)
        outcome = add(&f, 100, offset, 1480, true);
    assert_int_equal(outcome, REASSEMBLY_DROPPED);
    assert_true(f.reassembly.bytes <= f.reassembly.bytes_max);
    done(&f);
}

static void an_exhausted_region_drops_and_recovers(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 3, 0, 8, true); /* a datagram that only lacks room for its next fragment */
    void *rest = NULL;
    for (void **block; (block = memory_take(f.reassembly.memory, 4096)) != NULL; rest = block)
        *block = rest;
    assert_int_equal(add(&f, 1, 0, 1480, true), REASSEMBLY_DROPPED);
    assert_int_equal(add(&f, 3, 8, 1480, true), REASSEMBLY_DROPPED);
    while (rest != NULL) {
        void *next = *(void **)rest;
        memory_return(f.reassembly.memory, rest);
        rest = next;
    }
    add(&f, 2, 0, 1480, true);
    assert_int_equal(add(&f, 2, 1480, 8, false), REASSEMBLY_COMPLETE);
    done(&f);
}

/* RFC 1122 section 3.3.2 */
static void an_incomplete_datagram_times_out(void **state)
{
    (void)state;
    struct fixture f = make();
    assert_true(reassembly_deadline(&f.reassembly).ns == DAYTONA_NEVER.ns);
    add(&f, 1, 0, 800, true);
    struct daytona_instant due = daytona_instant_after_us(start, REASSEMBLY_TIMEOUT_US);
    f.now = daytona_instant_after_us(start, REASSEMBLY_TIMEOUT_US / 2);
    add(&f, 1, 1600, 800, true); /* does not prolong it */
    add(&f, 2, 0, 800, true);
    assert_true(reassembly_deadline(&f.reassembly).ns == due.ns);
    f.now.ns = due.ns - 1;
    assert_int_equal(reassembly_expire(&f.reassembly, f.now), 0);
    assert_int_equal(reassembly_expire(&f.reassembly, due), 1);
    assert_int_equal(f.reassembly.count, 1);
    assert_true(reassembly_deadline(&f.reassembly).ns ==
                due.ns + REASSEMBLY_TIMEOUT_US / 2 * 1000ull);
    done(&f);
}

static void a_fragment_after_the_timeout_begins_anew(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 1, 0, 800, true);
    add(&f, 2, 0, 800, true);
    add(&f, 2, 8, 800, true);
    f.now = daytona_instant_after_us(start, REASSEMBLY_TIMEOUT_US);
    assert_int_equal(add(&f, 1, 800, 8, false), REASSEMBLY_HELD);
    assert_int_equal(f.reassembly.count, 1);
    /* Both are gone; the killed one does not count as timed out. */
    assert_int_equal(reassembly_expire(&f.reassembly, f.now), 1);
    done(&f);
}

static void the_whole_is_lent_until_the_next_call(void **state)
{
    (void)state;
    struct fixture f = make();
    add(&f, 1, 0, 800, true);
    add(&f, 1, 800, 8, false);
    assert_true(memory_used(f.reassembly.memory) >= 808);
    reassembly_return_whole(&f.reassembly);
    reassembly_return_whole(&f.reassembly);
    assert_int_equal(memory_used(f.reassembly.memory), 0);
    add(&f, 2, 0, 800, true);
    add(&f, 2, 800, 8, false);
    add(&f, 3, 0, 8, true);
    assert_int_equal(f.reassembly.count, 1);
    done(&f);
}

static void random_fragments_never_make_a_wrong_datagram(void **state)
{
    (void)state;
    struct fixture f = make();
    struct random random = {21};
    uint32_t completed = 0;
    for (int step = 0; step < 100000; step++) {
        uint16_t id = (uint16_t)random_below(&random, 80);
        size_t unit = 8 * (1u + id);
        size_t part = random_below(&random, 5);
        size_t offset = part * unit, length = part == 4 ? id % 7 + 1u : unit;
        if (random_below(&random, 300) == 0)
            offset += 8; /* hostile or broken */
        enum reassembly_outcome outcome = add(&f, id, offset, length, part != 4);
        if (outcome == REASSEMBLY_COMPLETE) {
            assert_whole(&f, id, f.whole.length);
            completed++;
        }
        assert_true(f.reassembly.bytes <= BYTES_MAX);
        assert_true(f.reassembly.count <= REASSEMBLY_DATAGRAMS_MAX);
        f.now = daytona_instant_after_us(f.now, random_below(&random, 30000));
    }
    assert_true(completed > 1000);
    done(&f);
}

/* RFC 3168 section 5.3 */
static void ecn_field_of_the_whole_follows_from_the_fragments(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, second;
        enum reassembly_outcome outcome;
        uint8_t whole;
    } rows[] = {
        {IP_ECN_NOT_ECT, IP_ECN_NOT_ECT, REASSEMBLY_COMPLETE, IP_ECN_NOT_ECT},
        {IP_ECN_ECT_0, IP_ECN_ECT_0, REASSEMBLY_COMPLETE, IP_ECN_ECT_0},
        {IP_ECN_ECT_1, IP_ECN_ECT_1, REASSEMBLY_COMPLETE, IP_ECN_ECT_1},
        {IP_ECN_ECT_0, IP_ECN_CE, REASSEMBLY_COMPLETE, IP_ECN_CE},
        {IP_ECN_CE, IP_ECN_ECT_1, REASSEMBLY_COMPLETE, IP_ECN_CE},
        {IP_ECN_CE, IP_ECN_CE, REASSEMBLY_COMPLETE, IP_ECN_CE},
        {IP_ECN_CE, IP_ECN_NOT_ECT, REASSEMBLY_DROPPED, 0},
        {IP_ECN_NOT_ECT, IP_ECN_CE, REASSEMBLY_DROPPED, 0},
        {IP_ECN_NOT_ECT, IP_ECN_ECT_0, REASSEMBLY_COMPLETE, IP_ECN_NOT_ECT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture f = make();
        f.ecn = rows[i].first;
        assert_int_equal(add(&f, 1, 0, 80, true), REASSEMBLY_HELD);
        f.ecn = rows[i].second;
        assert_int_equal(add(&f, 1, 80, 80, false), rows[i].outcome);
        if (rows[i].outcome == REASSEMBLY_COMPLETE)
            assert_int_equal(f.reassembly.ecn, rows[i].whole);
        done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecn_field_of_the_whole_follows_from_the_fragments),
        cmocka_unit_test(fragments_in_order_make_the_datagram),
        cmocka_unit_test(fragments_in_any_order_make_the_datagram),
        cmocka_unit_test(datagrams_are_told_apart_by_all_of_the_key),
        cmocka_unit_test(an_exact_copy_is_ignored),
        cmocka_unit_test(an_overlap_kills_the_datagram_and_what_still_comes_of_it),
        cmocka_unit_test(a_copy_with_other_bytes_is_an_overlap),
        cmocka_unit_test(contradictory_lengths_kill_the_datagram),
        cmocka_unit_test(a_middle_fragment_of_odd_length_is_dropped_alone),
        cmocka_unit_test(a_datagram_above_65535_bytes_is_refused),
        cmocka_unit_test(a_datagram_of_too_many_fragments_is_killed),
        cmocka_unit_test(above_their_number_the_oldest_datagram_is_given_up),
        cmocka_unit_test(flood_from_one_source_gives_up_its_own_datagrams),
        cmocka_unit_test(above_the_bytes_the_oldest_datagrams_are_given_up),
        cmocka_unit_test(an_exhausted_region_drops_and_recovers),
        cmocka_unit_test(an_incomplete_datagram_times_out),
        cmocka_unit_test(a_fragment_after_the_timeout_begins_anew),
        cmocka_unit_test(the_whole_is_lent_until_the_next_call),
        cmocka_unit_test(random_fragments_never_make_a_wrong_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
