#include "tests/unit/flight.h"

static struct flight begin(uint32_t cwnd, uint32_t ssthresh, uint32_t rtt_us)
{
    return flight_begin(&congestion_cubic, cwnd, ssthresh, rtt_us);
}

static double segments(const struct flight *flight)
{
    return (double)flight->controls.cwnd_bytes / MSS;
}

/* RFC 9438 section 4.2 equation (1), in floating point. */
static double w_cubic(double t, double k, double w_max)
{
    return 0.4 * (t - k) * (t - k) * (t - k) + w_max;
}

static double cube_root(double value)
{
    double root = value > 1 ? value : 1;
    for (int i = 0; i < 200; i++)
        root -= (root * root * root - value) / (3 * root * root);
    return root;
}

static void assert_near(double actual, double expected, double part)
{
    double low = expected * (1 - part), high = expected * (1 + part);
    if (actual < low || actual > high)
        fail_msg("%g is not within %g of %g", actual, part, expected);
}

/* RFC 3465 section 2.2 */
static void slow_start_doubles_the_window_each_round_trip(void **state)
{
    (void)state;
    struct flight flight = begin(10 * MSS, UINT32_MAX, 20000);
    for (uint32_t expected = 20; expected <= 160; expected *= 2) {
        flight_round(&flight, 2 * MSS);
        assert_int_equal(flight.controls.cwnd_bytes, expected * MSS);
    }
}

/* RFC 9438 section 4.6 */
static void a_loss_leaves_seven_tenths_of_what_was_in_flight(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, UINT32_MAX, 20000);
    flight_lose(&flight, 90 * MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 63 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 63 * MSS);
    flight_lose(&flight, 4 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 28 * MSS / 10);
    flight_lose(&flight, 2 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 2 * MSS);
}

/* RFC 9438 sections 4.2, 4.4 and 4.5 */
static void after_a_loss_the_window_follows_the_curve(void **state)
{
    (void)state;
    /* Long round trips and a large window: far from the Reno-friendly region. */
    double w_max = 1000, rtt = 0.1;
    struct flight flight = begin(1000 * MSS, UINT32_MAX, 100000);
    flight_lose(&flight, 1000 * MSS);
    double cwnd = segments(&flight), k = cube_root((w_max - cwnd) / 0.4);
    assert_near(cwnd, 700, 0.001);
    for (int round = 1; round < 2 * k / rtt; round++) {
        flight_round(&flight, MSS);
        assert_near(segments(&flight), w_cubic(round * rtt, k, w_max), 0.006);
    }
    assert_near(segments(&flight), 1300, 0.02);
}

static void the_curve_is_flat_where_the_loss_was(void **state)
{
    (void)state;
    struct flight flight = begin(1000 * MSS, UINT32_MAX, 100000);
    flight_lose(&flight, 1000 * MSS);
    double k = cube_root(300 / 0.4), before = 0;
    for (int round = 0; round < k / 0.1; round++) {
        before = segments(&flight);
        flight_round(&flight, MSS);
    }
    assert_near(segments(&flight), 1000, 0.01);
    assert_true(segments(&flight) - before < 0.5);
}

/* RFC 9438 section 4.3: with short round trips Reno is faster, and CUBIC is as fast. */
static void in_the_reno_friendly_region_it_is_as_fast_as_reno(void **state)
{
    (void)state;
    struct flight flight = begin(20 * MSS, UINT32_MAX, 1000);
    flight_lose(&flight, 20 * MSS);
    assert_near(segments(&flight), 14, 0.001);
    /* alpha = 9/17 up to the old window of 20: 6 segments take about 11 round trips. */
    for (int round = 0; round < 11; round++)
        flight_round(&flight, MSS);
    assert_near(segments(&flight), 14 + 11 * 9.0 / 17, 0.01);
    for (int round = 0; round < 2; round++)
        flight_round(&flight, MSS);
    /* alpha = 1 from there. */
    double before = segments(&flight);
    for (int round = 0; round < 10; round++)
        flight_round(&flight, MSS);
    assert_near(segments(&flight) - before, 10, 0.06);
}

/* RFC 9438 section 4.7 */
static void fast_convergence_lowers_the_maximum_of_a_flow_that_did_not_regain_it(void **state)
{
    (void)state;
    struct flight flight = begin(1000 * MSS, UINT32_MAX, 100000);
    flight_lose(&flight, 1000 * MSS);
    flight_lose(&flight, 700 * MSS); /* at once: 700 < W_max, the new one is 595 */
    double cwnd = segments(&flight), k = cube_root((595 - cwnd) / 0.4);
    assert_near(cwnd, 490, 0.001);
    for (int round = 0; round < k / 0.1; round++)
        flight_round(&flight, MSS);
    assert_near(segments(&flight), 595, 0.01);
}

/* RFC 9438 section 4.8 */
static void after_a_timeout_the_curve_starts_flat_at_the_window_slow_start_reached(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, UINT32_MAX, 100000);
    flight_time_out(&flight, 100 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 70 * MSS);
    while (flight.controls.cwnd_bytes < flight.controls.ssthresh_bytes)
        flight_round(&flight, MSS);
    /* Reno's estimate leads at first: 9/17 of a segment for each round trip. */
    for (int round = 0; round < 10; round++)
        flight_round(&flight, MSS);
    assert_near(segments(&flight), 70 + 10 * 9.0 / 17, 0.01);
    for (int round = 0; round < 90; round++)
        flight_round(&flight, MSS);
    assert_near(segments(&flight), w_cubic(10, 0, 70), 0.05);
}

/* RFC 9438 section 4.9: W_max, K, the epoch and Reno's estimate are what they were. */
static void a_reduction_that_is_undone_leaves_the_curve_as_it_was(void **state)
{
    (void)state;
    for (int timeout = 0; timeout < 2; timeout++) {
        struct flight a = begin(1000 * MSS, UINT32_MAX, 100000);
        flight_lose(&a, 1000 * MSS);
        for (int round = 0; round < 50; round++)
            flight_round(&a, MSS);
        struct flight b = a;
        struct daytona_congestion_controls before = b.controls;
        b.sample.prior_in_flight_bytes = b.sample.in_flight_bytes = before.cwnd_bytes;
        if (timeout)
            congestion_cubic.timeout(&b.state, &b.controls, &b.sample);
        else
            congestion_cubic.loss(&b.state, &b.controls, &b.sample);
        assert_true(b.controls.cwnd_bytes < before.cwnd_bytes);
        b.controls = before; /* the sender's part */
        congestion_cubic.undone(&b.state, &b.controls, &b.sample);
        for (int round = 0; round < 100; round++) {
            flight_round(&a, MSS);
            flight_round(&b, MSS);
            assert_int_equal(a.controls.cwnd_bytes, b.controls.cwnd_bytes);
        }
    }
}

/* RFC 7661 section 4.3, RFC 9438 section 5.8 */
static void time_that_the_application_wastes_does_not_count(void **state)
{
    (void)state;
    struct flight a = begin(1000 * MSS, UINT32_MAX, 100000);
    flight_lose(&a, 1000 * MSS);
    flight_round(&a, MSS);
    struct flight b = a;
    b.sample.cwnd_limited = false;
    uint32_t cwnd = b.controls.cwnd_bytes;
    for (int i = 0; i < 100; i++) {
        flight_wait_us(&b, 100000);
        flight_ack(&b, MSS);
    }
    assert_int_equal(b.controls.cwnd_bytes, cwnd);
    b.sample.cwnd_limited = true;
    for (int round = 0; round < 10; round++) {
        flight_round(&a, MSS);
        flight_round(&b, MSS);
    }
    assert_int_equal(a.controls.cwnd_bytes, b.controls.cwnd_bytes);
}

/* RFC 5681 section 4.1 */
static void after_idling_it_starts_slowly_and_does_not_leap(void **state)
{
    (void)state;
    struct flight flight = begin(1000 * MSS, UINT32_MAX, 100000);
    flight_lose(&flight, 1000 * MSS);
    for (int round = 0; round < 100; round++)
        flight_round(&flight, MSS);
    flight_wait_us(&flight, 60000000);
    congestion_cubic.restart(&flight.state, &flight.controls, &flight.sample, 60000000);
    assert_int_equal(flight.controls.cwnd_bytes, 10 * MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 700 * MSS);
    while (flight.controls.cwnd_bytes < 700 * MSS) {
        uint32_t before = flight.controls.cwnd_bytes;
        flight_round(&flight, 2 * MSS);
        assert_true(flight.controls.cwnd_bytes <= 2 * before);
    }
    uint32_t before = flight.controls.cwnd_bytes;
    flight_round(&flight, 2 * MSS);
    assert_true(flight.controls.cwnd_bytes <= before + before / 10);
}

/* RFC 9438 section 4.2: target is 1.5 * cwnd at most. */
static void one_round_trip_adds_half_a_window_at_most(void **state)
{
    (void)state;
    struct flight flight = begin(10 * MSS, 10 * MSS, 2000000);
    flight_ack(&flight, MSS);
    flight_wait_us(&flight, 400000000); /* the curve is far above by now */
    uint32_t before = flight.controls.cwnd_bytes;
    flight_round(&flight, MSS);
    assert_in_range(flight.controls.cwnd_bytes, before * 3 / 2 - MSS / 10, before * 3 / 2 + 1);
}

/* RFC 9438 section 4.2: also where the curve is only a little above 1.5 * cwnd, t = 2.4 s to 2.9 s
 * after a flat point at ten segments. */
static void an_acknowledged_segment_adds_half_a_segment_at_most(void **state)
{
    (void)state;
    for (uint32_t ms = 2300; ms <= 2800; ms += 50) {
        struct flight flight = begin(10 * MSS, 10 * MSS, 100000);
        flight_ack(&flight, MSS);
        flight_wait_us(&flight, ms * 1000);
        double target = w_cubic((ms + 100) / 1000.0, 0, 10) / segments(&flight);
        assert_true(target > 1.5 && target < 2);
        uint32_t before = flight.controls.cwnd_bytes;
        flight_ack(&flight, MSS);
        assert_in_range(flight.controls.cwnd_bytes - before, MSS / 2 - 1, MSS / 2);
    }
}

static void segments_of_any_size_and_huge_windows_do_not_overflow(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {88, 536, MSS, 9000, 65483};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct flight flight = begin(UINT32_MAX / 2, UINT32_MAX, 100000);
        flight.sample.mss = sizes[i];
        flight_lose(&flight, UINT32_MAX / 2);
        uint32_t before = flight.controls.cwnd_bytes;
        for (int round = 0; round < 3000; round++) {
            flight_wait_us(&flight, 1000000);
            flight_ack(&flight, before / 2);
            assert_true(flight.controls.cwnd_bytes >= before);
            before = flight.controls.cwnd_bytes;
        }
        assert_int_equal(flight.controls.cwnd_bytes, UINT32_MAX);
    }
}

static void small_growth_is_not_rounded_away(void **state)
{
    (void)state;
    /* Near the flat point a segment buys less than a byte; a thousand buy more. */
    struct flight flight = begin(30000 * MSS, 30000 * MSS, 100000);
    uint32_t before = flight.controls.cwnd_bytes;
    for (int round = 0; round < 3; round++)
        flight_round(&flight, MSS);
    assert_true(flight.controls.cwnd_bytes > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_start_doubles_the_window_each_round_trip),
        cmocka_unit_test(a_loss_leaves_seven_tenths_of_what_was_in_flight),
        cmocka_unit_test(after_a_loss_the_window_follows_the_curve),
        cmocka_unit_test(the_curve_is_flat_where_the_loss_was),
        cmocka_unit_test(in_the_reno_friendly_region_it_is_as_fast_as_reno),
        cmocka_unit_test(fast_convergence_lowers_the_maximum_of_a_flow_that_did_not_regain_it),
        cmocka_unit_test(after_a_timeout_the_curve_starts_flat_at_the_window_slow_start_reached),
        cmocka_unit_test(a_reduction_that_is_undone_leaves_the_curve_as_it_was),
        cmocka_unit_test(time_that_the_application_wastes_does_not_count),
        cmocka_unit_test(after_idling_it_starts_slowly_and_does_not_leap),
        cmocka_unit_test(one_round_trip_adds_half_a_window_at_most),
        cmocka_unit_test(an_acknowledged_segment_adds_half_a_segment_at_most),
        cmocka_unit_test(segments_of_any_size_and_huge_windows_do_not_overflow),
        cmocka_unit_test(small_growth_is_not_rounded_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
