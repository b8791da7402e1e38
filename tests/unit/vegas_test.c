#include "tests/unit/path.h"

#define BASE_US 100000u

static struct flight begin(uint32_t cwnd, uint32_t ssthresh)
{
    return flight_begin(&congestion_vegas, cwnd, ssthresh, BASE_US);
}

static void ack(struct flight *flight, uint32_t bytes, uint32_t rtt_us)
{
    flight->sample.rtt_us = rtt_us;
    flight->sample.una += bytes;
    flight->sample.nxt = flight->sample.una + flight->controls.cwnd_bytes;
    flight_ack(flight, bytes);
}

/* One round whose ACKs all measure `rtt_us`. */
static void round_of(struct flight *flight, uint32_t rtt_us)
{
    for (uint64_t end = flight->sample.nxt; flight->sample.una < end;)
        ack(flight, MSS, rtt_us);
}

/* With `queued` of a window of 100 segments in the queue, cwnd changes by `steps` segments. */
static void settles(uint32_t queued, int32_t steps)
{
    struct flight flight = begin(100 * MSS, 100 * MSS);
    ack(&flight, MSS, BASE_US); /* a round begins */
    round_of(&flight, BASE_US);
    flight.controls.cwnd_bytes = 100 * MSS;
    round_of(&flight, BASE_US * 100 / (100 - queued));
    assert_int_equal((int32_t)(flight.controls.cwnd_bytes / MSS), 100 + steps);
}

static void fewer_than_two_segments_in_the_queue_let_it_grow(void **state)
{
    (void)state;
    settles(0, 1);
    settles(1, 1);
}

static void two_to_four_segments_are_kept(void **state)
{
    (void)state;
    settles(3, 0);
    settles(4, 0);
}

static void more_than_four_let_it_shrink(void **state)
{
    (void)state;
    settles(5, -1);
    settles(50, -1);
}

static void slow_start_doubles_every_other_round(void **state)
{
    (void)state;
    struct flight flight = begin(10 * MSS, UINT32_MAX);
    uint32_t windows[8];
    ack(&flight, MSS, BASE_US); /* a round begins */
    for (size_t i = 0; i < COUNT_OF(windows); i++) {
        round_of(&flight, BASE_US);
        windows[i] = flight.controls.cwnd_bytes / MSS;
    }
    for (size_t i = 2; i < COUNT_OF(windows); i++)
        assert_in_range(windows[i], windows[i - 2] * 18 / 10, windows[i - 2] * 21 / 10);
}

static void slow_start_ends_at_what_fits_the_pipe(void **state)
{
    (void)state;
    struct path *path = path_begin(
        &congestion_vegas,
        (struct path_line){.bytes_per_second = 1250000, .rtt_us = BASE_US, .queue_bytes = 1000000});
    path_run_us(path, 4000000);
    assert_int_equal(path->lost, 0);
    assert_in_range(path->flight.controls.cwnd_bytes, 120000, 140000); /* the pipe is 125,000 */
    free(path);
}

/* The paper's claim: a full line, and nothing lost, with a few segments in the queue. */
static void the_line_is_full_with_a_few_segments_in_the_queue(void **state)
{
    (void)state;
    struct path *path = path_begin(
        &congestion_vegas,
        (struct path_line){.bytes_per_second = 1250000, .rtt_us = 40000, .queue_bytes = 500000});
    path_run_us(path, 5000000);
    path_queue_us(path);
    assert_true(path_share(path, 10000000) >= 99);
    assert_in_range(path_queue_us(path), 1168, 5 * 1168); /* a segment takes 1,168 us */
    assert_int_equal(path->lost, 0);
    free(path);
}

/* Linux: fewer than three measurements may all be delayed ACKs. */
static void a_round_with_few_measurements_is_renos(void **state)
{
    (void)state;
    struct flight flight = begin(20 * MSS, 20 * MSS);
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < 2; i++)
            ack(&flight, flight.controls.cwnd_bytes / 2, 2 * BASE_US);
    assert_in_range(flight.controls.cwnd_bytes / MSS, 27, 31);
}

static void a_loss_halves_the_window(void **state)
{
    (void)state;
    struct flight flight = begin(100 * MSS, 100 * MSS);
    flight_lose(&flight, 100 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, 50 * MSS);
    flight_time_out(&flight, 50 * MSS);
    assert_int_equal(flight.controls.cwnd_bytes, MSS);
    assert_int_equal(flight.controls.ssthresh_bytes, 25 * MSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_than_two_segments_in_the_queue_let_it_grow),
        cmocka_unit_test(two_to_four_segments_are_kept),
        cmocka_unit_test(more_than_four_let_it_shrink),
        cmocka_unit_test(slow_start_doubles_every_other_round),
        cmocka_unit_test(slow_start_ends_at_what_fits_the_pipe),
        cmocka_unit_test(the_line_is_full_with_a_few_segments_in_the_queue),
        cmocka_unit_test(a_round_with_few_measurements_is_renos),
        cmocka_unit_test(a_loss_halves_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
