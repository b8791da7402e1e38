#include "tests/unit/flight.h"

static struct flight begin(uint32_t cwnd, uint32_t ssthresh)
{
    return flight_begin(&congestion_reno, cwnd, ssthresh, 20000);
}

/* RFC 3465 section 2.2 */
static void slow_start_doubles_the_window_each_round_trip(void **state)
{
    (void)state;
    for (uint32_t per_ack = MSS; per_ack <= 2 * MSS; per_ack += MSS) {
        struct flight flight = begin(10 * MSS, UINT32_MAX);
        for (uint32_t expected = 20; expected <= 160; expected *= 2) {
            flight_round(&flight, per_ack);
            assert_int_equal(flight.controls.cwnd_bytes, expected * MSS);
        }
    }
}

/* RFC 3465 section 2.2, the bound for one ACK: L is the window. */
static void one_ack_doubles_the_window_at_most(void **state)
{
    (void)state;
    struct flight flight = begin(40 * MSS, UINT32_MAX);
    flight_ack(&flight, 30 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 70 * MSS);
    flight.sample.acked_bytes = 1000 * MSS;
    congestion_reno.acked(&flight.state, &flight.controls, &flight.sample);
    assert_int_equal(flight.controls.cwnd_bytes, 140 * MSS);
}

/* RFC 3465 section 2.3, L = 1 */
static void one_ack_buys_one_segment_while_a_timeout_is_repaired(void **state)
{
    (void)state;
    struct flight flight = begin(40 * MSS, UINT32_MAX);
    flight_time_out(&flight, 40 * MSS);
    flight.sample.in_recovery = true;
    flight_ack(&flight, 10 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 2 * MSS);
}

static void slow_start_stops_at_ssthresh(void **state)
{
    (void)state;
    struct flight flight = begin(10 * MSS, 11 * MSS + 7);
    flight_ack(&flight, 2 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 11 * MSS + 7);
}

/* RFC 3465 section 2.1 */
static void congestion_avoidance_adds_one_segment_each_round_trip(void **state)
{
    (void)state;
    for (uint32_t per_ack = MSS; per_ack <= 2 * MSS; per_ack += MSS) {
        struct flight flight = begin(20 * MSS, 20 * MSS);
        for (int round = 0; round < 20; round++)
            flight_round(&flight, per_ack);
        assert_in_range(flight.controls.cwnd_bytes, 38 * MSS, 40 * MSS);
    }
}

static void an_ack_of_many_windows_buys_one_segment(void **state)
{
    (void)state;
    struct flight flight = begin(2 * MSS, 2 * MSS);
    flight.sample.acked_bytes = 1000 * MSS;
    congestion_reno.acked(&flight.state, &flight.controls, &flight.sample);
    assert_int_equal(flight.controls.cwnd_bytes, 3 * MSS);
    flight_ack(&flight, 1);
    flight_ack(&flight, 1);
    assert_true(flight.controls.cwnd_bytes <= 4 * MSS);
}

/* RFC 7661 section 4.3 */
static void a_window_that_is_not_used_does_not_grow(void **state)
{
    (void)state;
    for (uint32_t ssthresh = 10 * MSS; ssthresh <= 100 * MSS; ssthresh += 90 * MSS) {
        struct flight flight = begin(10 * MSS, ssthresh);
        flight.sample.cwnd_limited = false;
        for (int round = 0; round < 5; round++)
            flight_round(&flight, MSS);
        assert_int_equal(flight.controls.cwnd_bytes, 10 * MSS);
    }
}

/* RFC 5681 section 3.1 equation (4) */
static void a_loss_halves_what_was_in_flight(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, UINT32_MAX);
    flight_lose(&flight, 80 * MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 40 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 40 * MSS);
    flight_lose(&flight, 5 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 5 * MSS / 2);
    flight_lose(&flight, 3 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 2 * MSS);
}

/* RFC 5681 section 3.1 */
static void a_timeout_begins_again_with_one_segment(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, UINT32_MAX);
    flight_time_out(&flight, 100 * MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 50 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, MSS);
    for (int round = 0; round < 5; round++)
        flight_round(&flight, MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 32 * MSS);
    flight_round(&flight, MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 50 * MSS);
}

/* RFC 5681 section 4.1, RFC 6928 section 2 */
static void after_idling_the_window_is_the_initial_one_at_most(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, 60 * MSS);
    congestion_reno.restart(&flight.state, &flight.controls, &flight.sample, 1000000);
    assert_int_equal(flight.controls.cwnd_bytes, 10 * MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 60 * MSS);
    flight.controls.cwnd_bytes = 3 * MSS;
    congestion_reno.restart(&flight.state, &flight.controls, &flight.sample, 1000000);
    assert_int_equal(flight.controls.cwnd_bytes, 3 * MSS);
    /* As many large segments, where RFC 6928 would have two. */
    flight.controls.cwnd_bytes = 1000000;
    flight.sample.mss = 65483;
    congestion_reno.restart(&flight.state, &flight.controls, &flight.sample, 1000000);
    assert_int_equal(flight.controls.cwnd_bytes, 10 * 65483);
}

static void the_window_does_not_wrap(void **state)
{
    (void)state;
    struct flight flight = begin(UINT32_MAX - 10, UINT32_MAX);
    flight_ack(&flight, 2 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, UINT32_MAX);
    flight = begin(UINT32_MAX - 10, MSS);
    for (int i = 0; i < 3; i++)
        flight_ack(&flight, UINT32_MAX / 2);
    assert_int_equal(flight.controls.cwnd_bytes, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_start_doubles_the_window_each_round_trip),
        cmocka_unit_test(one_ack_doubles_the_window_at_most),
        cmocka_unit_test(one_ack_buys_one_segment_while_a_timeout_is_repaired),
        cmocka_unit_test(slow_start_stops_at_ssthresh),
        cmocka_unit_test(congestion_avoidance_adds_one_segment_each_round_trip),
        cmocka_unit_test(an_ack_of_many_windows_buys_one_segment),
        cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(a_loss_halves_what_was_in_flight),
        cmocka_unit_test(a_timeout_begins_again_with_one_segment),
        cmocka_unit_test(after_idling_the_window_is_the_initial_one_at_most),
        cmocka_unit_test(the_window_does_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
