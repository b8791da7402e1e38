#include "stack/base/siphash.h"
#include "stack/demux/demux.h"
#include "tests/unit/region.h"

#include <errno.h>

#define REGION ((size_t)4 << 20)

static const uint8_t key[16] = {1, 2, 3};

static struct daytona_endpoint endpoint(uint32_t address, uint16_t port)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(address), port};
}

static struct demux_entry connection(uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    return (struct demux_entry){.local = endpoint(0x0a000001, local_port),
                                .remote = endpoint(remote, remote_port)};
}

static struct demux_entry listener(uint16_t port)
{
    return (struct demux_entry){.local = endpoint(0, port)};
}

static struct demux *demux_make(struct memory **memory)
{
    static struct demux demux;
    *memory = region_make(REGION);
    assert_int_equal(demux_init(&demux, *memory, key), 0);
    return &demux;
}

static void an_empty_table_finds_nothing_and_holds_nothing(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry entry = connection(80, 5, 6);
    assert_null(demux_find_tuple(demux, &entry.local, &entry.remote));
    assert_null(demux_next_on_port(demux, 80, NULL));
    demux_remove_tuple(demux, &entry);
    demux_remove_port(demux, &entry);
    region_free(memory);
}

static void a_tuple_is_found_by_all_four_parts(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry entry = connection(80, 0x0a000002, 4000);
    assert_int_equal(demux_insert_tuple(demux, &entry), 0);
    assert_ptr_equal(demux_find_tuple(demux, &entry.local, &entry.remote), &entry);
    struct daytona_endpoint other = endpoint(0x0a000001, 81);
    assert_null(demux_find_tuple(demux, &other, &entry.remote));
    other = endpoint(0x0a000003, 80);
    assert_null(demux_find_tuple(demux, &other, &entry.remote));
    other = endpoint(0x0a000002, 4001);
    assert_null(demux_find_tuple(demux, &entry.local, &other));
    other = endpoint(0x0a000003, 4000);
    assert_null(demux_find_tuple(demux, &entry.local, &other));
    assert_null(demux_find_tuple(demux, &entry.remote, &entry.local));
    demux_remove_tuple(demux, &entry);
    assert_null(demux_find_tuple(demux, &entry.local, &entry.remote));
    region_free(memory);
}

static void a_taken_tuple_is_refused(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry first = connection(80, 2, 3), second = connection(80, 2, 3);
    assert_int_equal(demux_insert_tuple(demux, &first), 0);
    assert_int_equal(demux_insert_tuple(demux, &second), -EADDRINUSE);
    assert_false(second.in_tuples);
    demux_remove_tuple(demux, &first);
    assert_int_equal(demux_insert_tuple(demux, &second), 0);
    demux_remove_tuple(demux, &second);
    region_free(memory);
}

static void thousands_of_tuples_are_all_found_while_coming_and_going(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    static struct demux_entry entries[20000];
    for (uint32_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i] = connection(80, 0x0b000000 + i / 60000, (uint16_t)(i % 60000 + 1));
        assert_int_equal(demux_insert_tuple(demux, &entries[i]), 0);
    }
    assert_true(demux->tuple_buckets >= COUNT_OF(entries));
    struct random random = {5};
    for (int step = 0; step < 50000; step++) {
        struct demux_entry *entry = &entries[random_below(&random, COUNT_OF(entries))];
        struct demux_entry *found = demux_find_tuple(demux, &entry->local, &entry->remote);
        assert_ptr_equal(found, entry->in_tuples ? entry : NULL);
        if (found != NULL)
            demux_remove_tuple(demux, entry);
        else if (step < 20000)
            assert_int_equal(demux_insert_tuple(demux, entry), 0);
    }
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        demux_remove_tuple(demux, &entries[i]);
        assert_true(demux->tuple_buckets <= 64 || demux->tuple_count >= demux->tuple_buckets / 8);
    }
    assert_int_equal(demux->tuple_count, 0);
    region_free(memory);
}

static void tuples_spread_over_the_buckets(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    static struct demux_entry entries[4000];
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i] = connection(80, 1, (uint16_t)(i + 1));
        demux_insert_tuple(demux, &entries[i]);
    }
    size_t longest = 0;
    for (uint32_t i = 0; i < demux->tuple_buckets; i++) {
        size_t length = 0;
        for (const struct demux_entry *e = demux->tuples[i]; e != NULL; e = e->tuple_next)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_in_range(longest, 2, 12);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        demux_remove_tuple(demux, &entries[i]);
    region_free(memory);
}

static size_t count_on_port(const struct demux *demux, uint16_t port)
{
    size_t count = 0;
    for (struct demux_entry *e = NULL; (e = demux_next_on_port(demux, port, e)) != NULL; count++)
        assert_int_equal(e->local.port, port);
    return count;
}

static void sockets_on_a_port_are_walked_bound_ones_first(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry entries[] = {connection(80, 2, 3), listener(80), connection(80, 2, 4),
                                    listener(80), listener(80 + 64)};
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        assert_int_equal(demux_insert_port(demux, &entries[i]), 0);
    assert_int_equal(count_on_port(demux, 80), 4);
    assert_int_equal(count_on_port(demux, 80 + 64), 1);
    assert_int_equal(count_on_port(demux, 80 + 128), 0);
    bool seen_connection = false;
    for (struct demux_entry *e = NULL; (e = demux_next_on_port(demux, 80, e)) != NULL;) {
        assert_false(seen_connection && e->bound_only);
        seen_connection |= !e->bound_only;
    }
    size_t bound = 0;
    for (struct demux_entry *e = NULL; (e = demux_next_bound_on_port(demux, 80, e)) != NULL;
         bound++)
        assert_int_equal(e->remote.port, 0);
    assert_int_equal(bound, 2);
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        demux_remove_port(demux, &entries[i]);
    region_free(memory);
}

static void a_port_with_only_connections_is_in_use(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry entry = connection(5000, 2, 3);
    demux_insert_port(demux, &entry);
    assert_ptr_equal(demux_next_on_port(demux, 5000, NULL), &entry);
    assert_null(demux_next_bound_on_port(demux, 5000, NULL));
    demux_remove_port(demux, &entry);
    assert_null(demux_next_on_port(demux, 5000, NULL));
    region_free(memory);
}

static void a_socket_that_connects_while_entered_stays_where_it_is(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry entries[] = {listener(80), listener(80), connection(80, 2, 3)};
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        demux_insert_port(demux, &entries[i]);
    entries[1].remote = endpoint(9, 9);
    assert_int_equal(count_on_port(demux, 80), 3);
    demux_remove_port(demux, &entries[0]);
    demux_remove_port(demux, &entries[1]);
    assert_int_equal(count_on_port(demux, 80), 1);
    demux_remove_port(demux, &entries[2]);
    region_free(memory);
}

static void every_port_at_once_is_found(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    size_t count = 65535;
    struct demux_entry *entries = calloc(count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        entries[i] = listener((uint16_t)(i + 1));
        assert_int_equal(demux_insert_port(demux, &entries[i]), 0);
    }
    assert_int_equal(demux->port_count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(demux_next_on_port(demux, (uint16_t)(i + 1), NULL), &entries[i]);
    for (size_t i = 0; i < count; i++)
        demux_remove_port(demux, &entries[i]);
    free(entries);
    region_free(memory);
}

static void random_ports_agree_with_a_count(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct random random = {6};
    static struct demux_entry entries[500];
    size_t on_port[40] = {0};
    for (int step = 0; step < 20000; step++) {
        struct demux_entry *entry = &entries[random_below(&random, COUNT_OF(entries))];
        if (entry->in_ports) {
            on_port[entry->local.port]--;
            demux_remove_port(demux, entry);
        } else {
            uint16_t port = (uint16_t)random_below(&random, COUNT_OF(on_port));
            *entry = random_below(&random, 2) == 0 ? listener(port) : connection(port, 1, 1);
            assert_int_equal(demux_insert_port(demux, entry), 0);
            on_port[port]++;
        }
        uint16_t port = (uint16_t)random_below(&random, COUNT_OF(on_port));
        assert_int_equal(count_on_port(demux, port), on_port[port]);
    }
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        demux_remove_port(demux, &entries[i]);
    region_free(memory);
}

static void without_memory_nothing_is_entered(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    /* There is room for small blocks, as a port's record is, but not for a table. */
    void *small = memory_take(memory, 32), *rest = NULL;
    for (void **block; (block = memory_take(memory, 16384)) != NULL; rest = block)
        *block = rest;
    struct demux_entry entry = connection(80, 1, 1);
    assert_int_equal(demux_insert_tuple(demux, &entry), -ENOMEM);
    assert_int_equal(demux_insert_port(demux, &entry), -ENOMEM);
    assert_false(entry.in_tuples || entry.in_ports);
    while (rest != NULL) {
        void *next = *(void **)rest;
        memory_return(memory, rest);
        rest = next;
    }
    memory_return(memory, small);
    region_free(memory);
}

static void short_memory_is_told_or_lived_with(void **state)
{
    (void)state;
    struct memory *memory;
    struct demux *demux = demux_make(&memory);
    struct demux_entry *entries = calloc(3000, sizeof *entries);
    for (uint16_t i = 0; i < 3000; i++)
        entries[i] = connection((uint16_t)(i + 1), 1, 1);
    assert_int_equal(demux_insert_tuple(demux, &entries[0]), 0);
    assert_int_equal(demux_insert_port(demux, &entries[0]), 0);
    void *rest = NULL;
    for (size_t bytes = (size_t)1 << 20; bytes >= 32; bytes /= 2)
        for (void **block; (block = memory_take(memory, bytes)) != NULL; rest = block)
            *block = rest;
    /* No larger table is to be had: everything goes into the one there is. */
    for (size_t i = 1; i < 3000; i++)
        assert_int_equal(demux_insert_tuple(demux, &entries[i]), 0);
    assert_ptr_equal(demux_find_tuple(demux, &entries[2999].local, &entries[2999].remote),
                     &entries[2999]);
    int error = 0;
    for (size_t i = 1; i < 3000 && error == 0; i++)
        error = demux_insert_port(demux, &entries[i]);
    assert_int_equal(error, -ENOMEM);
    for (size_t i = 0; i < 3000; i++) {
        demux_remove_tuple(demux, &entries[i]);
        demux_remove_port(demux, &entries[i]);
    }
    while (rest != NULL) {
        void *next = *(void **)rest;
        memory_return(memory, rest);
        rest = next;
    }
    free(entries);
    region_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_finds_nothing_and_holds_nothing),
        cmocka_unit_test(a_tuple_is_found_by_all_four_parts),
        cmocka_unit_test(a_taken_tuple_is_refused),
        cmocka_unit_test(thousands_of_tuples_are_all_found_while_coming_and_going),
        cmocka_unit_test(tuples_spread_over_the_buckets),
        cmocka_unit_test(sockets_on_a_port_are_walked_bound_ones_first),
        cmocka_unit_test(a_port_with_only_connections_is_in_use),
        cmocka_unit_test(a_socket_that_connects_while_entered_stays_where_it_is),
        cmocka_unit_test(every_port_at_once_is_found),
        cmocka_unit_test(random_ports_agree_with_a_count),
        cmocka_unit_test(without_memory_nothing_is_entered),
        cmocka_unit_test(short_memory_is_told_or_lived_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
