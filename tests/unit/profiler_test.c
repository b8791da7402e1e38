/* The profile by activity: what is charged to whom, with a counter that the test moves. */
#include "stack/base/memory.h"
#include "tests/unit/couple.h"

#include <daytona/profile.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ROWS 8

static uint64_t counter;  /* what the next reading gives */
static uint64_t per_read; /* that each reading takes */

static uint64_t read_counter(void)
{
    counter += per_read;
    return counter;
}

static struct daytona_profiler profiler;
static struct daytona_profile_table *table;

static int prepare(void **state)
{
    (void)state;
    counter = 1000;
    per_read = 0;
    table = calloc(1, daytona_profile_bytes(ROWS));
    assert_non_null(table);
    daytona_profiler_init(&profiler, read_counter, table, ROWS);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    free(table);
    return 0;
}

#define ACTIVITY(name) DAYTONA_ACTIVITY_##name

static void enter_after(uint64_t cycles, enum daytona_activity activity)
{
    counter += cycles;
    daytona_profile_enter(&profiler, activity);
}

static void leave_after(uint64_t cycles)
{
    counter += cycles;
    daytona_profile_leave(&profiler);
}

static void end_after(uint64_t cycles)
{
    counter += cycles;
    daytona_profiler_end(&profiler);
}

static struct daytona_profile_count total_of(uint32_t activity)
{
    struct daytona_profile_count total = {0};
    for (uint32_t i = 1; i < table->place_count; i++) {
        if (table->places[i].activity != activity)
            continue;
        total.calls += table->places[i].count.calls;
        total.nested += table->places[i].count.nested;
        total.cycles += table->places[i].count.cycles;
    }
    return total;
}

static uint64_t all_cycles(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < table->place_count; i++)
        sum += table->places[i].count.cycles;
    return sum;
}

/* ------------------------------------------------------------------ time */

static void nested_time_is_charged_once(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    enter_after(5, ACTIVITY(transmit));
    enter_after(7, ACTIVITY(checksum));
    leave_after(100);
    leave_after(11);
    end_after(13);
    assert_int_equal(total_of(ACTIVITY(calls)).cycles, 5 + 13);
    assert_int_equal(total_of(ACTIVITY(transmit)).cycles, 7 + 11);
    assert_int_equal(total_of(ACTIVITY(checksum)).cycles, 100);
    assert_int_equal(all_cycles(), 5 + 7 + 100 + 11 + 13);
    assert_int_equal(total_of(ACTIVITY(transmit)).calls, 1);
    assert_int_equal(total_of(ACTIVITY(transmit)).nested, 1);
    assert_int_equal(total_of(ACTIVITY(checksum)).nested, 0);
}

static void time_outside_is_nobodys(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    end_after(3);
    counter += 1000000;
    daytona_profiler_begin(&profiler, ACTIVITY(upkeep));
    end_after(4);
    assert_int_equal(all_cycles(), 7);
}

static void the_same_activity_within_others_has_places_of_its_own(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    enter_after(0, ACTIVITY(transmit));
    enter_after(0, ACTIVITY(checksum));
    leave_after(1);
    leave_after(0);
    enter_after(0, ACTIVITY(demux));
    enter_after(0, ACTIVITY(checksum));
    leave_after(2);
    leave_after(0);
    end_after(0);
    assert_int_equal(table->place_count, 1 + 5);
    assert_int_equal(total_of(ACTIVITY(checksum)).cycles, 3);
}

static void what_sleeps_goes_on_where_it_was(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    enter_after(1, ACTIVITY(wake));
    counter += 2;
    uint32_t place = daytona_profiler_end(&profiler);
    counter += 1000; /* asleep, and another thread is in meanwhile */
    daytona_profiler_begin(&profiler, ACTIVITY(upkeep));
    end_after(50);
    daytona_profiler_resume(&profiler, place);
    leave_after(4);
    end_after(8);
    assert_int_equal(total_of(ACTIVITY(wake)).cycles, 2 + 4);
    assert_int_equal(total_of(ACTIVITY(calls)).cycles, 1 + 8);
    assert_int_equal(total_of(ACTIVITY(upkeep)).cycles, 50);
}

static void deeper_than_there_are_places_nothing_is_lost(void **state)
{
    (void)state;
    const unsigned depth = DAYTONA_PROFILE_PLACES + 50;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    for (unsigned i = 0; i < depth; i++)
        enter_after(1, i % 2 == 0 ? ACTIVITY(receive) : ACTIVITY(transmit));
    for (unsigned i = 0; i < depth; i++)
        leave_after(1);
    assert_int_equal(total_of(ACTIVITY(calls)).cycles, 2 - 1); /* before it, not yet behind it */
    end_after(10);
    assert_int_equal(all_cycles(), 2 * depth + 10);
    assert_int_equal(total_of(ACTIVITY(calls)).cycles, 1 + 10);
}

static void switched_on_inside_nothing_is_charged_twice(void **state)
{
    (void)state;
    leave_after(30); /* of what was entered before */
    leave_after(30);
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    end_after(6);
    assert_int_equal(all_cycles(), 6);
    daytona_profiler_clear(&profiler);
    assert_int_equal(all_cycles(), 0);
}

static void what_others_took_is_left_out_of_the_longest_stretch(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    enter_after(10, ACTIVITY(copy));
    leave_after(3000);
    enter_after(10, ACTIVITY(send));
    leave_after(500);
    daytona_profiler_disturbed(&profiler, 2900);
    daytona_profiler_disturbed(&profiler, 2900); /* of what? */
    end_after(10);
    assert_int_equal(total_of(ACTIVITY(copy)).cycles, 100);
    assert_int_equal(total_of(ACTIVITY(send)).cycles, 500);
    assert_int_equal(total_of(ACTIVITY(calls)).cycles, 30);
    assert_int_equal(table->disturbed, 2900);
}

static void no_more_is_left_out_than_was_counted(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    enter_after(10, ACTIVITY(send));
    leave_after(500);
    daytona_profiler_disturbed(&profiler, UINT64_MAX);
    end_after(10);
    assert_int_equal(total_of(ACTIVITY(send)).cycles, 0);
    assert_int_equal(all_cycles(), 20);
    assert_int_equal(table->disturbed, 500);
}

/* ------------------------------------------------------------------ connections */

static const struct daytona_endpoint here = {.port = 80}, there = {.port = 1025};

static void find(uint32_t index, uint32_t generation)
{
    daytona_profiler_found(&profiler, (struct daytona_socket_id){index, generation}, &here, &there);
}

static uint64_t share(uint32_t index, uint32_t activity)
{
    return profiler.rows[index].activities[activity].cycles;
}

static void what_led_to_a_connection_is_its_own(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(upkeep));
    enter_after(1, ACTIVITY(capture));
    enter_after(20, ACTIVITY(demux));
    counter += 300;
    find(3, 1);
    leave_after(4000);
    daytona_profiler_nobody(&profiler);
    leave_after(50000);
    end_after(0);
    assert_int_equal(share(3, ACTIVITY(capture)), 20);
    assert_int_equal(share(3, ACTIVITY(demux)), 4300);
    assert_int_equal(profiler.rows[3].remote.port, 1025);
    assert_int_equal(total_of(ACTIVITY(capture)).cycles, 20 + 50000);
}

static void what_others_took_is_left_out_of_the_connection_too(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(upkeep));
    enter_after(1, ACTIVITY(capture));
    enter_after(5000, ACTIVITY(demux)); /* it is not known yet whose packet this is */
    find(3, 1);
    leave_after(40);
    daytona_profiler_nobody(&profiler);
    leave_after(7);
    daytona_profiler_disturbed(&profiler, 4900);
    end_after(0);
    assert_int_equal(share(3, ACTIVITY(capture)), 100);
    assert_int_equal(total_of(ACTIVITY(capture)).cycles, 107);
}

static void an_index_used_again_begins_at_0(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    find(2, 1);
    enter_after(0, ACTIVITY(copy));
    leave_after(70);
    find(2, 9);
    enter_after(0, ACTIVITY(copy));
    leave_after(5);
    end_after(0);
    assert_int_equal(share(2, ACTIVITY(copy)), 5);
    assert_int_equal(profiler.rows[2].id.generation, 9);
    assert_int_equal(total_of(ACTIVITY(copy)).cycles, 75);
}

static void a_connection_without_a_row_counts_in_all(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    find(ROWS, 1);
    enter_after(0, ACTIVITY(copy));
    leave_after(70);
    end_after(0);
    assert_int_equal(total_of(ACTIVITY(copy)).cycles, 70);
}

static void what_sends_many_is_shared_out(void **state)
{
    (void)state;
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    for (uint32_t i = 0; i < 3; i++) {
        find(i == 2 ? 1 : 0, 1);
        daytona_profiler_taken(&profiler, 1, 100);
        daytona_profiler_nobody(&profiler);
    }
    enter_after(0, ACTIVITY(send));
    leave_after(1000);
    daytona_profiler_sent(&profiler);
    end_after(0);
    assert_int_equal(share(0, ACTIVITY(send)) + share(1, ACTIVITY(send)), 1000);
    assert_in_range(share(1, ACTIVITY(send)), 333, 334);
    assert_int_equal(profiler.rows[0].traffic.bytes_out, 200);
    assert_int_equal(table->traffic.segments_out, 3);
}

/* ------------------------------------------------------------------ the cost */

static void the_cost_of_counting_is_measured_and_subtracted(void **state)
{
    (void)state;
    per_read = 6;
    daytona_profiler_init(&profiler, read_counter, memset(table, 0, daytona_profile_bytes(ROWS)),
                          ROWS);
    assert_int_equal(table->cost_inside, 6000);
    assert_in_range(table->cost_around, 6000, 6100); /* and the reading that ends the measurement */
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    for (unsigned i = 0; i < 100; i++) {
        enter_after(0, ACTIVITY(copy));
        leave_after(40);
    }
    end_after(0);
    struct daytona_profile_count copy = total_of(ACTIVITY(copy)), calls = total_of(ACTIVITY(calls));
    assert_int_equal(copy.cycles, 4600);
    assert_int_equal(daytona_profile_net(table, &copy), 4000);
    assert_in_range(daytona_profile_net(table, &calls), 0, 6);
}

static void less_than_the_cost_is_nothing(void **state)
{
    (void)state;
    const struct daytona_profile_count count = {.calls = 10, .cycles = 3};
    table->cost_inside = 1000;
    assert_int_equal(daytona_profile_net(table, &count), 0);
}

/* ------------------------------------------------------------------ the stack */

static bool lose_all(struct couple *couple, enum couple_side from, uint32_t payload)
{
    (void)couple;
    (void)from;
    return payload > 0;
}

static void activities_of_a_stack_sum_to_the_cycles_between(void **state)
{
    (void)state;
    struct couple couple;
    couple_start(&couple, 0);
    per_read = 7;
    daytona_stack_profile(couple.ends[SERVER].stack, &profiler);
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    uint64_t began = profiler.since;
    uint32_t place = profiler.place;
    couple_ask(&couple);
    couple_carry(&couple, SERVER, 300000);
    couple_carry(&couple, CLIENT, 300000);
    couple.loses = lose_all;
    couple_write(&couple, SERVER, 100);
    couple_run_us(&couple, 3000000);         /* timers are due */
    assert_int_equal(profiler.place, place); /* whatever was entered was left */
    assert_int_equal(profiler.beyond, 0);
    daytona_profiler_end(&profiler);
    daytona_stack_profile(couple.ends[SERVER].stack, NULL);
    couple_stop(&couple);
    assert_int_equal(all_cycles(), profiler.since - began);
    static const uint32_t met[] = {ACTIVITY(copy),     ACTIVITY(copy_in), ACTIVITY(checksum),
                                   ACTIVITY(demux),    ACTIVITY(receive), ACTIVITY(acks),
                                   ACTIVITY(transmit), ACTIVITY(timers),  ACTIVITY(buffers)};
    for (size_t i = 0; i < sizeof met / sizeof met[0]; i++)
        assert_true(total_of(met[i]).cycles > 0);
    assert_int_equal(table->traffic.bytes_in, 300100);
    assert_true(table->traffic.bytes_out >= 300000);
}

static void shares_of_connections_are_of_the_same_cycles(void **state)
{
    (void)state;
    struct couple couple;
    couple_start(&couple, 0);
    per_read = 7;
    daytona_stack_profile(couple.ends[SERVER].stack, &profiler);
    daytona_profiler_begin(&profiler, ACTIVITY(calls));
    couple_carry(&couple, SERVER, 100000);
    daytona_profiler_end(&profiler);
    daytona_stack_profile(couple.ends[SERVER].stack, NULL);
    uint32_t index = couple.ends[SERVER].id.index;
    assert_true(index < ROWS);
    couple_stop(&couple);
    assert_int_equal(share(index, ACTIVITY(copy)), total_of(ACTIVITY(copy)).cycles);
    assert_int_equal(share(index, ACTIVITY(acks)), total_of(ACTIVITY(acks)).cycles);
    assert_int_equal(share(index, ACTIVITY(demux)), total_of(ACTIVITY(demux)).cycles);
    assert_int_equal(profiler.rows[index].traffic.bytes_out, table->traffic.bytes_out);
}

#undef ACTIVITY

static void every_activity_is_described(void **state)
{
    (void)state;
    for (size_t i = 0; i < DAYTONA_ACTIVITY_COUNT; i++) {
        const struct daytona_activity_row *row = daytona_activity_at(i);
        assert_true(strlen(row->member) > 0 && strlen(row->name) > 0 && strlen(row->text) > 10);
        assert_null(strchr(row->name, ';')); /* which separates them in folded stacks */
    }
    assert_null(daytona_activity_at(DAYTONA_ACTIVITY_COUNT));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nested_time_is_charged_once),
        TEST(time_outside_is_nobodys),
        TEST(the_same_activity_within_others_has_places_of_its_own),
        TEST(what_sleeps_goes_on_where_it_was),
        TEST(deeper_than_there_are_places_nothing_is_lost),
        TEST(switched_on_inside_nothing_is_charged_twice),
        TEST(what_others_took_is_left_out_of_the_longest_stretch),
        TEST(no_more_is_left_out_than_was_counted),
        TEST(what_led_to_a_connection_is_its_own),
        TEST(what_others_took_is_left_out_of_the_connection_too),
        TEST(an_index_used_again_begins_at_0),
        TEST(a_connection_without_a_row_counts_in_all),
        TEST(what_sends_many_is_shared_out),
        TEST(the_cost_of_counting_is_measured_and_subtracted),
        TEST(less_than_the_cost_is_nothing),
        TEST(activities_of_a_stack_sum_to_the_cycles_between),
        TEST(shares_of_connections_are_of_the_same_cycles),
        TEST(every_activity_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
