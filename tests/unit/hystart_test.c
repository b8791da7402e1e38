#include "stack/congestion/window.h"
#include "tests/unit/path.h"

/* A slow start whose round trips are what the test says. */
struct start {
    struct hystart hystart;
    struct daytona_congestion_controls controls;
    struct daytona_congestion_sample sample;
};

static struct start begin(void)
{
    return (struct start){
        .controls = {.cwnd_bytes = 10 * MSS, .ssthresh_bytes = UINT32_MAX},
        .sample = {.now = {1000}, .mss = MSS, .nxt = 10 * MSS, .cwnd_limited = true},
    };
}

static void ack(struct start *start, uint32_t rtt_us)
{
    start->sample.una += MSS;
    start->sample.acked_bytes = MSS;
    start->sample.rtt_us = rtt_us;
    window_slow_start(&start->controls, &start->sample, &start->hystart);
    start->sample.nxt = start->sample.una + start->controls.cwnd_bytes;
}

/* A round trip, an ACK for each segment; returns how many segments cwnd has grown by. */
static uint32_t round_trip(struct start *start, uint32_t rtt_us)
{
    uint32_t before = start->controls.cwnd_bytes;
    for (uint64_t end = start->sample.nxt; start->sample.una < end;)
        ack(start, rtt_us);
    return (start->controls.cwnd_bytes - before) / MSS;
}

/* RFC 9406 section 4.2 */
static void steady_round_trips_let_slow_start_double(void **state)
{
    (void)state;
    struct start start = begin();
    for (uint32_t grown = 10; grown <= 1280; grown *= 2)
        assert_int_equal(round_trip(&start, 40000), grown);
    assert_int_equal(start.controls.ssthresh_bytes, UINT32_MAX);
}

/* RFC 9406 section 4.2: RttThresh is an eighth of the last round's minimum. */
static void a_round_trip_longer_by_an_eighth_makes_slow_start_conservative(void **state)
{
    (void)state;
    struct start calm = begin(), alarmed = begin();
    round_trip(&calm, 80000);
    round_trip(&alarmed, 80000);
    round_trip(&calm, 89999);
    assert_int_equal(calm.hystart.conservative_rounds, 0);
    round_trip(&alarmed, 90000);
    assert_true(alarmed.hystart.conservative_rounds > 0);
    /* Section 4.2: a quarter of the growth, CSS_GROWTH_DIVISOR. */
    uint32_t acked = (uint32_t)((alarmed.sample.nxt - alarmed.sample.una) / MSS);
    assert_in_range(round_trip(&alarmed, 90000), acked / 4 - 1, acked / 4);
}

/* RFC 9406 section 4.3: MIN_RTT_THRESH and MAX_RTT_THRESH. */
static void the_threshold_is_between_4_and_16_ms(void **state)
{
    (void)state;
    static const struct {
        uint32_t base_us, calm_us, alarming_us;
    } cases[] = {{1000, 4999, 5000}, {16000, 19999, 20000}, {400000, 415999, 416000}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct start calm = begin(), alarmed = begin();
        round_trip(&calm, cases[i].base_us);
        round_trip(&calm, cases[i].calm_us);
        assert_int_equal(calm.hystart.conservative_rounds, 0);
        round_trip(&alarmed, cases[i].base_us);
        round_trip(&alarmed, cases[i].alarming_us);
        assert_true(alarmed.hystart.conservative_rounds > 0);
    }
}

/* RFC 9406 section 4.2: N_RTT_SAMPLE; the minimum counts, not a single long one. */
static void eight_samples_of_a_round_are_needed_and_their_minimum_counts(void **state)
{
    (void)state;
    struct start start = begin();
    round_trip(&start, 40000);
    for (int i = 0; i < 7; i++)
        ack(&start, 100000);
    assert_int_equal(start.hystart.conservative_rounds, 0);
    struct start noisy = start;
    ack(&start, 100000);
    assert_int_equal(start.hystart.conservative_rounds, 1);
    ack(&noisy, 40000);
    ack(&noisy, 100000);
    assert_int_equal(noisy.hystart.conservative_rounds, 0);
}

static void acks_without_a_measurement_say_nothing(void **state)
{
    (void)state;
    struct start start = begin();
    round_trip(&start, 40000);
    round_trip(&start, 0);
    round_trip(&start, 90000); /* nothing to compare with */
    assert_int_equal(start.hystart.conservative_rounds, 0);
}

/* RFC 9406 section 4.2: CSS_ROUNDS, the partial one counted. */
static void five_conservative_rounds_end_slow_start(void **state)
{
    (void)state;
    struct start start = begin();
    round_trip(&start, 40000);
    for (int round = 1; round < 5; round++) {
        round_trip(&start, 60000);
        assert_int_equal(start.controls.ssthresh_bytes, UINT32_MAX);
    }
    round_trip(&start, 60000);
    uint32_t cwnd = start.controls.cwnd_bytes;
    assert_int_equal(start.controls.ssthresh_bytes, cwnd);
    ack(&start, 60000);
    assert_int_equal(start.controls.cwnd_bytes, cwnd);
}

/* RFC 9406 section 4.2: the jitter is over, slow start resumes. */
static void a_delay_that_goes_away_lets_slow_start_go_on(void **state)
{
    (void)state;
    struct start start = begin();
    round_trip(&start, 40000);
    round_trip(&start, 60000);
    assert_true(start.hystart.conservative_rounds > 0);
    round_trip(&start, 40000);
    assert_int_equal(start.hystart.conservative_rounds, 0);
    uint32_t cwnd = start.controls.cwnd_bytes;
    assert_in_range(round_trip(&start, 40000), cwnd / MSS, cwnd / MSS + 1);
}

/* RFC 9406 section 4.3: only the initial slow start. */
static void a_known_ssthresh_is_reached_without_hesitation(void **state)
{
    (void)state;
    struct start start = begin();
    start.controls.ssthresh_bytes = 160 * MSS;
    for (uint32_t rtt_us = 10000; start.controls.cwnd_bytes < 160 * MSS; rtt_us *= 2) {
        uint32_t before = start.controls.cwnd_bytes;
        round_trip(&start, rtt_us);
        assert_int_equal(start.controls.cwnd_bytes, 2 * before);
    }
}

/* RFC 7661 section 4.3 */
static void a_window_that_is_not_used_is_watched_but_does_not_grow(void **state)
{
    (void)state;
    struct start start = begin();
    start.sample.cwnd_limited = false;
    round_trip(&start, 40000);
    assert_int_equal(start.controls.cwnd_bytes, 10 * MSS);
    round_trip(&start, 90000);
    assert_int_equal(start.controls.cwnd_bytes, 10 * MSS);
    assert_true(start.hystart.conservative_rounds > 0);
}

/* Reno that sees no round trips. */
static void blind_acked(struct daytona_congestion_state *state,
                        struct daytona_congestion_controls *controls,
                        const struct daytona_congestion_sample *sample)
{
    struct daytona_congestion_sample blind = *sample;
    blind.rtt_us = 0;
    congestion_reno.acked(state, controls, &blind);
}

static uint64_t lost_in_slow_start(const struct daytona_congestion *controller,
                                   uint32_t queue_bytes)
{
    struct path *path = path_begin(controller, (struct path_line){.bytes_per_second = 1250000,
                                                                  .rtt_us = 100000,
                                                                  .queue_bytes = queue_bytes});
    path_run_us(path, 5000000);
    assert_true(path_share(path, 2000000) >= 97);
    uint64_t segments = path->lost / MSS;
    free(path);
    return segments;
}

/* What it is for: the blind slow start doubles once more into a queue that is full. */
static void fewer_segments_are_lost_at_the_end_of_slow_start(void **state)
{
    (void)state;
    struct daytona_congestion blind = congestion_reno;
    blind.acked = blind_acked;
    uint64_t with = 0, without = 0;
    for (uint32_t queue_bytes = 150000; queue_bytes <= 900000; queue_bytes += 50000) {
        with += lost_in_slow_start(&congestion_reno, queue_bytes);
        without += lost_in_slow_start(&blind, queue_bytes);
    }
    assert_true(3 * with < without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_round_trips_let_slow_start_double),
        cmocka_unit_test(a_round_trip_longer_by_an_eighth_makes_slow_start_conservative),
        cmocka_unit_test(the_threshold_is_between_4_and_16_ms),
        cmocka_unit_test(eight_samples_of_a_round_are_needed_and_their_minimum_counts),
        cmocka_unit_test(acks_without_a_measurement_say_nothing),
        cmocka_unit_test(five_conservative_rounds_end_slow_start),
        cmocka_unit_test(a_delay_that_goes_away_lets_slow_start_go_on),
        cmocka_unit_test(a_known_ssthresh_is_reached_without_hesitation),
        cmocka_unit_test(a_window_that_is_not_used_is_watched_but_does_not_grow),
        cmocka_unit_test(fewer_segments_are_lost_at_the_end_of_slow_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
