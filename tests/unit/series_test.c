/* What a trace says of connections, as tables of numbers. */
#include "scripts/series.h"
#include "stack/wire/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define MSS 1000u

static struct series *series;
static uint64_t now_ns;

static int begin(void **state)
{
    (void)state;
    now_ns = 1000000000;
    series = series_begin();
    return series == NULL;
}

static int end(void **state)
{
    (void)state;
    series_end(series);
    return 0;
}

static struct seen event_of(uint32_t socket, enum daytona_event_type type)
{
    struct seen seen = {.type = type};
    seen.event.at_ns = now_ns;
    seen.event.socket_index = socket;
    seen.event.socket_generation = 1;
    seen.event.type = (uint8_t)type;
    seen.event.local_port = 80;
    seen.event.remote_port = 1234;
    return seen;
}

static void take(const struct seen *seen)
{
    assert_true(series_event(series, seen));
}

static void segment(uint32_t socket, bool in, uint32_t sequence, uint32_t acknowledged,
                    uint32_t length)
{
    struct seen seen = event_of(socket, in ? DAYTONA_EVENT_SEGMENT_IN : DAYTONA_EVENT_SEGMENT_OUT);
    seen.event.header_bytes = 20;
    seen.event.window_scale = 1 + 3;
    store_16(seen.header + 14, 100);
    seen.payload_bytes = length;
    seen.numbers[0] = sequence;
    seen.numbers[1] = length;
    seen.numbers[2] = acknowledged;
    seen.numbers[3] = 16;
    take(&seen);
}

static void window(uint32_t cwnd)
{
    struct seen seen = event_of(1, DAYTONA_EVENT_CWND);
    seen.event.cwnd_bytes = cwnd;
    take(&seen);
}

static void sent_again(uint32_t sequence, const char *why)
{
    struct seen seen = event_of(1, DAYTONA_EVENT_RETRANSMIT);
    seen.numbers[0] = sequence;
    seen.reason = why;
    take(&seen);
    segment(1, false, sequence, 0, MSS);
}

static size_t rows(enum series_table table)
{
    return series->rows[table].count;
}

/* RFC 9293 section 3.4: numbers are of 32 bits, a stream is longer. */
static void sequence_numbers_do_not_wrap(void **state)
{
    (void)state;
    uint32_t number = UINT32_MAX - MSS;
    for (unsigned i = 0; i < 4; i++)
        segment(1, false, number + i * MSS, 0, MSS);
    assert_int_equal(series_cell(series, SERIES_SENT, 3, 1), 3 * MSS);
    assert_int_equal(series->connections[0].bytes_out, 4 * MSS);
}

/* RFC 7323 section 2.3 */
static void edge_of_a_window_is_scaled(void **state)
{
    (void)state;
    segment(1, false, 5000, 0, MSS);
    segment(1, true, 1, 5000 + MSS, 0);
    assert_int_equal(series_cell(series, SERIES_ACKED, 0, 1), MSS);
    assert_int_equal(series_cell(series, SERIES_ACKED, 0, 2), MSS + (100 << 3));
}

static void what_was_sent_again_says_why(void **state)
{
    (void)state;
    segment(1, false, 5000, 0, MSS);
    segment(1, false, 5000 + MSS, 0, MSS);
    sent_again(5000, "fast");
    sent_again(5000 + MSS, "timeout");
    segment(1, false, 5000, 0, MSS);
    static const int kinds[] = {SERIES_FIRST, SERIES_FIRST, SERIES_FAST, SERIES_TIMEOUT,
                                SERIES_AGAIN};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(series_cell(series, SERIES_SENT, i, 3), kinds[i]);
    assert_int_equal(series->connections[0].bytes_out, 2 * MSS);
    assert_int_equal(series->connections[0].retransmissions, 2);
}

static void what_arrives_is_new_late_or_beyond_a_gap(void **state)
{
    (void)state;
    segment(1, true, 1, 0, MSS);
    segment(1, true, 1 + 2 * MSS, 0, MSS);
    segment(1, true, 1 + MSS, 0, MSS);
    static const int kinds[] = {SERIES_FIRST, SERIES_BEYOND, SERIES_AGAIN};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(series_cell(series, SERIES_RECEIVED, i, 3), kinds[i]);
    assert_int_equal(series->connections[0].bytes_in, 3 * MSS);
}

static void of_one_instant_the_last_window_holds(void **state)
{
    (void)state;
    window(20 * MSS);
    window(MSS);
    window(10 * MSS);
    assert_int_equal(rows(SERIES_WINDOW), 1);
    assert_int_equal(series_cell(series, SERIES_WINDOW, 0, 1), 10 * MSS);
    now_ns += 5000;
    window(11 * MSS);
    now_ns += 5000;
    window(11 * MSS);
    assert_int_equal(rows(SERIES_WINDOW), 2);
    assert_int_equal(series_cell(series, SERIES_WINDOW, 1, 0), 5);
}

static void rows_of_a_connection_lie_together_in_their_order(void **state)
{
    (void)state;
    size_t starts[4];
    for (uint32_t i = 0; i < 9; i++)
        segment(1 + i % 3, false, 1 + i / 3 * MSS, 0, MSS);
    assert_true(series_sort(series, SERIES_SENT, starts));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(series_find(series, 1 + i, 1), i);
        assert_int_equal(starts[i], 3 * (size_t)i);
    }
    assert_int_equal(starts[3], 9);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(series_cell(series, SERIES_SENT, i, 1), i % 3 * MSS);
}

/* What an event says of the stream counts as the tables do. */
static void event_counts_from_the_first_byte(void **state)
{
    (void)state;
    segment(1, false, 700, 0, MSS);
    struct seen seen = event_of(1, DAYTONA_EVENT_LOSS);
    seen.numbers[0] = 700;
    seen.numbers[1] = MSS;
    seen.numbers[2] = 1;
    seen.reason = "single";
    take(&seen);
    assert_int_equal(series_cell(series, SERIES_EVENT, 0, 4), 0);
    assert_int_equal(series_cell(series, SERIES_EVENT, 0, 5), MSS);
    assert_string_equal(series->words[series_cell(series, SERIES_EVENT, 0, 2)], "single");
    assert_int_equal(series->connections[0].losses, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequence_numbers_do_not_wrap, begin, end),
        cmocka_unit_test_setup_teardown(edge_of_a_window_is_scaled, begin, end),
        cmocka_unit_test_setup_teardown(what_was_sent_again_says_why, begin, end),
        cmocka_unit_test_setup_teardown(what_arrives_is_new_late_or_beyond_a_gap, begin, end),
        cmocka_unit_test_setup_teardown(of_one_instant_the_last_window_holds, begin, end),
        cmocka_unit_test_setup_teardown(rows_of_a_connection_lie_together_in_their_order, begin,
                                        end),
        cmocka_unit_test_setup_teardown(event_counts_from_the_first_byte, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
