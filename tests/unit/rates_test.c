/*
 * Rates between two looks at records, the order of connections, and what is remembered of them.
 */
#include "scripts/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct record keeper(pid_t pid, uint64_t packets_out, uint64_t at_ns)
{
    struct record record = {.file = -1, .alive = true};
    record.header.pid = pid;
    record.header.updated.ns = at_ns;
    record.header.counters.packets_out = packets_out;
    memcpy(record.header.program, "sender", sizeof "sender");
    return record;
}

static struct daytona_record_row row(uint32_t index, uint32_t generation, uint64_t at_ns,
                                     uint64_t acked)
{
    struct daytona_record_row row = {.pid = 7};
    row.state.id.index = index;
    row.state.id.generation = generation;
    row.state.at.ns = at_ns;
    row.state.variables.state = DAYTONA_TCP_ESTABLISHED;
    row.state.variables.thru_octets_acked = acked;
    row.state.variables.elapsed_micro_secs = at_ns / 1000;
    return row;
}

static void look(struct rates *rates, const struct record *record,
                 const struct daytona_record_row *rows, size_t count)
{
    rates_begin(rates);
    rates_take_record(rates, record);
    for (size_t i = 0; i < count; i++)
        rates_take_row(rates, record, &rows[i]);
    rates_end(rates);
}

static void first_look_rates_over_the_life_of_a_connection(void **state)
{
    struct rates rates = {0};
    struct record record = keeper(7, 0, 2 * SECOND);
    struct daytona_record_row one = row(3, 1, 2 * SECOND, 5000);
    (void)state;
    look(&rates, &record, &one, 1);
    assert_int_equal(rates.count, 1);
    assert_float_equal(rates.all[0].out_bps, 2500, 0.001);
    assert_string_equal(rates.all[0].program, "sender");
    rates_free(&rates);
}

static void later_looks_rate_over_the_time_between(void **state)
{
    struct rates rates = {0};
    struct record first = keeper(7, 100, 2 * SECOND), second = keeper(7, 160, 4 * SECOND);
    struct daytona_record_row before = row(3, 1, 2 * SECOND, 5000);
    struct daytona_record_row now = row(3, 1, 2 * SECOND + SECOND / 2, 9000);
    (void)state;
    before.state.variables.segs_out = 10;
    now.state.variables.segs_out = 30;
    before.state.variables.segs_retrans = 1;
    now.state.variables.segs_retrans = 3;
    look(&rates, &first, &before, 1);
    assert_float_equal(rates.total.packets_out_per_s, 0, 0.001);
    look(&rates, &second, &now, 1);
    assert_float_equal(rates.all[0].out_bps, 8000, 0.001);
    assert_float_equal(rates.all[0].sent_per_s, 40, 0.001);
    assert_float_equal(rates.all[0].again_per_s, 4, 0.001);
    assert_float_equal(rates.total.out_bps, 8000, 0.001);
    assert_float_equal(rates.total.packets_out_per_s, 30, 0.001);
    rates_free(&rates);
}

static void number_used_again_is_another_connection(void **state)
{
    struct rates rates = {0};
    struct record record = keeper(7, 0, SECOND);
    struct daytona_record_row before = row(3, 1, SECOND, 5000), now = row(3, 2, SECOND, 1000);
    (void)state;
    look(&rates, &record, &before, 1);
    look(&rates, &record, &now, 1);
    assert_int_equal(rates.all[0].looks, 1);
    assert_float_equal(rates.all[0].out_bps, 1000, 0.001);
    rates_free(&rates);
}

static void same_number_in_two_processes_is_two_connections(void **state)
{
    struct rates rates = {0};
    struct record one = keeper(7, 0, SECOND), other = keeper(8, 0, SECOND);
    struct daytona_record_row mine = row(3, 1, SECOND, 100), theirs = row(3, 1, SECOND, 900);
    (void)state;
    for (int i = 0; i < 2; i++) {
        rates_begin(&rates);
        rates_take_record(&rates, &one);
        rates_take_row(&rates, &one, &mine);
        rates_take_record(&rates, &other);
        rates_take_row(&rates, &other, &theirs);
        rates_end(&rates);
        mine.state.at.ns += SECOND;
        theirs.state.at.ns += SECOND;
        theirs.state.variables.thru_octets_acked += 50;
    }
    assert_int_equal(rates.count, 2);
    assert_int_equal(rates.total.programs, 2);
    assert_int_equal(rates.all[0].keeper, 8);
    assert_float_equal(rates.all[0].out_bps, 50, 0.001);
    assert_float_equal(rates.all[1].out_bps, 0, 0.001);
    rates_free(&rates);
}

static void history_keeps_the_newest(void **state)
{
    struct rates rates = {0};
    (void)state;
    for (uint32_t i = 1; i <= RATES_HISTORY + 5; i++) {
        struct record record = keeper(7, 0, i * SECOND);
        struct daytona_record_row one = row(3, 1, i * SECOND, 0);
        one.state.variables.smoothed_rtt = i;
        look(&rates, &record, &one, 1);
    }
    assert_int_equal(rates.all[0].looks, RATES_HISTORY);
    assert_int_equal(rates.all[0].rtt_us[0], 6);
    assert_int_equal(rates.all[0].rtt_us[RATES_HISTORY - 1], RATES_HISTORY + 5);
    rates_free(&rates);
}

static void listeners_are_not_among_the_connections(void **state)
{
    struct rates rates = {0};
    struct record record = keeper(7, 0, SECOND);
    struct daytona_record_row rows[] = {row(1, 1, SECOND, 0), row(2, 1, SECOND, 0),
                                        row(3, 1, SECOND, 0)};
    (void)state;
    rows[0].state.variables.state = DAYTONA_TCP_LISTEN;
    rows[1].state.variables.state = DAYTONA_TCP_FIN_WAIT_1;
    look(&rates, &record, rows, 3);
    assert_int_equal(rates.total.listeners, 1);
    assert_int_equal(rates.total.connections, 2);
    assert_int_equal(rates.total.established, 1);
    rates_free(&rates);
}

static void order_puts_the_largest_first_and_the_unknown_last(void **state)
{
    struct rates rates = {0};
    struct record record = keeper(7, 0, SECOND);
    struct daytona_record_row rows[] = {row(1, 1, SECOND, 0), row(2, 1, SECOND, 0),
                                        row(3, 1, SECOND, 0)};
    (void)state;
    rows[0].state.variables.smoothed_rtt = DAYTONA_VARIABLE_NONE;
    rows[1].state.variables.smoothed_rtt = 10;
    rows[2].state.variables.smoothed_rtt = 20;
    look(&rates, &record, rows, 3);
    rates_sort(&rates, RATES_BY_RTT);
    assert_int_equal(rates.all[0].state.id.index, 3);
    assert_int_equal(rates.all[2].state.id.index, 1);
    rates_sort(&rates, RATES_BY_PROCESS);
    assert_int_equal(rates.all[0].state.id.index, 1);
    rates_free(&rates);
}

static void orders_have_names(void **state)
{
    (void)state;
    for (enum rates_order order = 0; order < RATES_ORDERS; order++)
        assert_int_equal(rates_order_find(rates_order_name(order)), order);
    assert_int_equal(rates_order_find("size"), RATES_ORDERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_look_rates_over_the_life_of_a_connection),
        cmocka_unit_test(later_looks_rate_over_the_time_between),
        cmocka_unit_test(number_used_again_is_another_connection),
        cmocka_unit_test(same_number_in_two_processes_is_two_connections),
        cmocka_unit_test(history_keeps_the_newest),
        cmocka_unit_test(listeners_are_not_among_the_connections),
        cmocka_unit_test(order_puts_the_largest_first_and_the_unknown_last),
        cmocka_unit_test(orders_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
