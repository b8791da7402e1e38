/* LEDBAT++: every section named is draft-irtf-iccrg-ledbat-plus-plus-06's. */
#include "tests/unit/path.h"

#define RATE   1250000u /* bytes a second */
#define RTT_US 40000u
#define PIPE   50000u /* bytes */

static struct path_line deep(void)
{
    return (struct path_line){.bytes_per_second = RATE, .rtt_us = RTT_US, .queue_bytes = 10 * PIPE};
}

/* Section 4.2: GAIN = 1 / min (16, ceil (2 * TARGET / base)). */
static void it_grows_by_a_part_of_what_reno_does(void **state)
{
    (void)state;
    static const struct {
        uint32_t rtt_us, parts;
    } cases[] = {{1000, 16}, {8000, 15}, {40000, 3}, {50000, 3}, {70000, 2}, {200000, 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct flight flight =
            flight_begin(&congestion_ledbat, 96 * MSS, UINT32_MAX, cases[i].rtt_us);
        flight_ack(&flight, 96 * MSS);
        assert_int_equal(flight.controls.cwnd_bytes - 96 * MSS, 96 * MSS / cases[i].parts);
        flight = flight_begin(&congestion_ledbat, 96 * MSS, 96 * MSS, cases[i].rtt_us);
        flight_ack(&flight, 96 * MSS); /* a round trip */
        assert_int_equal(flight.controls.cwnd_bytes - 96 * MSS, MSS / cases[i].parts);
    }
}

/* Section 4.1: above the target W * (delay / TARGET - 1) less, and half at most. */
static void it_shrinks_by_what_the_delay_is_above_the_target(void **state)
{
    (void)state;
    static const struct {
        uint32_t queue_us, left; /* of a hundred segments */
    } cases[] = {{60000, 100}, {66000, 90}, {78000, 70}, {90000, 50}, {600000, 50}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct flight flight = flight_begin(&congestion_ledbat, 100 * MSS, 100 * MSS, RTT_US);
        flight.sample.rtt_us = RTT_US + cases[i].queue_us;
        flight_ack(&flight, MSS);
        assert_in_range(flight.controls.cwnd_bytes, cases[i].left * MSS, (cases[i].left + 1) * MSS);
    }
}

/* Section 4.3: at three quarters of the target. */
static void the_first_slow_start_ends_before_the_target(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_ledbat, deep());
    while (path->flight.controls.ssthresh_bytes == UINT32_MAX)
        path_run_us(path, 1000);
    assert_in_range(path->flight.sample.srtt_us, RTT_US + 40000, RTT_US + 75000);
    assert_int_equal(path->lost, 0);
    free(path);
}

/* Section 4.4: two segments for two round trips, first two round trips after slow start, then in a
 * tenth of the time. */
static void it_makes_room_in_a_tenth_of_the_time(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_ledbat, deep());
    unsigned low_ms = 0, slowdowns = 0;
    bool was_low = false;
    for (int ms = 0; ms < 60000; ms++) {
        path_run_us(path, 1000);
        bool low = path->flight.controls.cwnd_bytes == 2 * MSS;
        low_ms += low;
        slowdowns += low && !was_low;
        was_low = low;
    }
    assert_in_range(slowdowns, 4, 10);
    assert_in_range(low_ms / slowdowns, 2 * RTT_US / 1000, 8 * RTT_US / 1000);
    free(path);
}

static void alone_it_fills_the_line_and_keeps_60_ms_in_the_queue(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_ledbat, deep());
    path_run_us(path, 3000000);
    path_queue_us(path);
    assert_true(path_share(path, 30000000) >= 92);
    assert_in_range(path_queue_us(path), 30000, 62000);
    assert_int_equal(path->lost, 0);
    free(path);
}

/* RFC 6817 section 2.4.2, RFC 6817 section 2.5: the shortest round trip of the last ten minutes. */
static void a_route_that_became_longer_is_learnt(void **state)
{
    (void)state;
    struct flight flight = flight_begin(&congestion_ledbat, 20 * MSS, 20 * MSS, RTT_US);
    flight.sample.rtt_us = flight.sample.srtt_us = RTT_US + 100000;
    flight.sample.cwnd_limited = true;
    for (int minute = 0; minute < 9; minute++) {
        flight_wait_us(&flight, 60000000);
        flight_ack(&flight, MSS);
    }
    assert_in_range(flight.controls.cwnd_bytes, 2 * MSS, 3 * MSS); /* it is taken for a queue */
    for (int minute = 0; minute < 3; minute++) {
        flight_wait_us(&flight, 60000000);
        flight_ack(&flight, MSS);
    }
    uint32_t before = flight.controls.cwnd_bytes;
    flight_ack(&flight, MSS);
    assert_true(flight.controls.cwnd_bytes > before);
}

static void a_loss_halves_the_window(void **state)
{
    (void)state;
    struct flight flight = flight_begin(&congestion_ledbat, 100 * MSS, 100 * MSS, RTT_US);
    flight_lose(&flight, 100 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 50 * MSS);
    flight_time_out(&flight, 50 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 25 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_by_a_part_of_what_reno_does),
        cmocka_unit_test(it_shrinks_by_what_the_delay_is_above_the_target),
        cmocka_unit_test(the_first_slow_start_ends_before_the_target),
        cmocka_unit_test(it_makes_room_in_a_tenth_of_the_time),
        cmocka_unit_test(alone_it_fills_the_line_and_keeps_60_ms_in_the_queue),
        cmocka_unit_test(a_route_that_became_longer_is_learnt),
        cmocka_unit_test(a_loss_halves_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
