#include "tests/unit/path.h"

#define ALPHA_ONE (1u << 20)

static struct flight begin(uint32_t cwnd, uint32_t ssthresh)
{
    return flight_begin(&congestion_dctcp, cwnd, ssthresh, 1000);
}

/* One window, `marked` of its `segments` segments with CE. */
static void window(struct flight *flight, uint32_t segments, uint32_t marked)
{
    for (uint32_t i = 0; i < segments; i++) {
        flight->sample.una += MSS;
        flight->sample.nxt = flight->sample.una + (uint64_t)segments * MSS;
        flight->sample.ce_bytes = i < marked ? MSS : 0;
        flight_ack(flight, MSS);
    }
}

/* A mark now, and what it leaves of cwnd, in thousandths. */
static uint32_t left_by_a_mark(struct flight flight)
{
    uint32_t before = flight.controls.cwnd_bytes;
    flight.controller->marked(&flight.state, &flight.controls, &flight.sample);
    assert_int_equal(flight.controls.cwnd_bytes, flight.controls.ssthresh_bytes);
    return (uint32_t)((uint64_t)flight.controls.cwnd_bytes * 1000 / before);
}

/* RFC 8257 section 4.2: Alpha is 1 at first. */
static void the_first_mark_halves_the_window(void **state)
{
    (void)state;
    assert_int_equal(left_by_a_mark(begin(100 * MSS, UINT32_MAX)), 500);
}

/* RFC 8257 section 3.3 steps 5 to 7, g = 1/16 */
static void alpha_follows_the_share_of_marks(void **state)
{
    (void)state;
    static const uint32_t shares[] = {0, 10, 50, 100}; /* percent */
    for (size_t i = 0; i < COUNT_OF(shares); i++) {
        struct flight flight = begin(100 * MSS, 100 * MSS);
        double alpha = 1;
        flight.sample.nxt = 100 * MSS;
        flight_ack(&flight, 0); /* the first window ends at once */
        alpha = alpha * 15 / 16;
        for (int round = 0; round < 200; round++) {
            flight.controls.cwnd_bytes = 100 * MSS;
            uint32_t left = left_by_a_mark(flight);
            double expected = 1000 * (1 - alpha / 2);
            assert_true(left >= expected - 2 && left <= expected + 2);
            window(&flight, 100, shares[i]);
            alpha = alpha * 15 / 16 + shares[i] / 100.0 / 16;
        }
    }
}

static void alpha_reaches_its_bounds(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, 100 * MSS);
    for (int round = 0; round < 400; round++)
        window(&flight, 10, 0);
    assert_int_equal(left_by_a_mark(flight), 1000);
    for (int round = 0; round < 400; round++)
        window(&flight, 10, 10);
    assert_in_range(left_by_a_mark(flight), 499, 500);
}

/* RFC 8257 section 3.5 */
static void a_loss_halves_the_window_whatever_the_marks_say(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, 100 * MSS);
    for (int round = 0; round < 400; round++)
        window(&flight, 10, 0);
    flight_lose(&flight, 100 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 50 * MSS);
}

static void without_marks_it_is_reno(void **state)
{
    (void)state;
    struct flight dctcp = begin(10 * MSS, 60 * MSS);
    struct flight reno = flight_begin(&congestion_reno, 10 * MSS, 60 * MSS, 1000);
    for (int round = 0; round < 60; round++) {
        flight_round(&dctcp, MSS);
        flight_round(&reno, MSS);
        assert_int_equal(dctcp.controls.cwnd_bytes, reno.controls.cwnd_bytes);
        if (round % 20 == 19) {
            flight_lose(&dctcp, 50 * MSS);
            flight_lose(&reno, 50 * MSS);
        }
    }
    assert_true(congestion_dctcp.needs_ecn);
}

/* The promise: a full line with a queue of a few marks, where Reno's is as long as the buffer. */
static void a_marking_line_is_full_and_its_queue_short(void **state)
{
    (void)state;
    struct path_line line = {.bytes_per_second = 125000000,
                             .rtt_us = 200,
                             .queue_bytes = 300000,
                             .mark_above_bytes = 30000};
    struct path *path = path_begin(&congestion_dctcp, line);
    path_run_us(path, 100000);
    uint64_t lost = path->lost;
    path_queue_us(path);
    assert_true(path_share(path, 500000) >= 98);
    uint32_t queue_us = path_queue_us(path); /* 30,000 bytes take 240 us */
    assert_in_range(queue_us, 100, 400);
    assert_int_equal(path->lost, lost);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_mark_halves_the_window),
        cmocka_unit_test(alpha_follows_the_share_of_marks),
        cmocka_unit_test(alpha_reaches_its_bounds),
        cmocka_unit_test(a_loss_halves_the_window_whatever_the_marks_say),
        cmocka_unit_test(without_marks_it_is_reno),
        cmocka_unit_test(a_marking_line_is_full_and_its_queue_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
