/* BBR version 1: every section named is draft-cardwell-iccrg-bbr-congestion-control-00's. */
#include "tests/unit/path.h"

#define RATE   1250000u /* bytes a second */
#define RTT_US 40000u
#define PIPE   50000u /* bytes */

static struct path_line deep(void)
{
    return (struct path_line){.bytes_per_second = RATE, .rtt_us = RTT_US, .queue_bytes = 10 * PIPE};
}

static unsigned pacing_percent(const struct path *path)
{
    uint64_t rate = path->line.bytes_per_second;
    return (unsigned)(path->flight.controls.pacing_bytes_per_second * 100 / rate);
}

/* How many milliseconds of the next `ms` the pacing rate is between the percentages. */
static unsigned paced(struct path *path, unsigned ms, unsigned low, unsigned high)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ms; i++) {
        path_run_us(path, 1000);
        count += pacing_percent(path) >= low && pacing_percent(path) <= high;
    }
    return count;
}

/* Sections 4.3.2 and 4.3.3 */
static void it_starts_fast_finds_the_rate_and_drains(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr, deep());
    assert_in_range(pacing_percent(path), 80, 90); /* 2.89 times ten segments in a round trip */
    path_run_us(path, 300000);
    assert_true(pacing_percent(path) > 250);
    paced(path, 300, 0, 0);
    assert_in_range(paced(path, 100, 0, 130), 100, 100);
    assert_int_equal(path->lost, 0);
    path_queue_us(path);
    path_run_us(path, 1000000);
    assert_true(path_queue_us(path) < RTT_US / 4);
    free(path);
}

/* Section 4.3.4: of eight round trips one is faster, one slower. */
static void the_cycle_has_eight_phases(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr, deep());
    path_run_us(path, 2000000);
    struct path copy = *path;
    unsigned fast = paced(path, 3200, 120, 126);
    assert_in_range(fast, 3200 / 8 * 8 / 10, 3200 / 8 * 14 / 10);
    *path = copy;
    unsigned slow = paced(path, 3200, 70, 76);
    assert_in_range(slow, 3200 / 8 / 2, 3200 / 8 * 12 / 10);
    *path = copy;
    assert_in_range(paced(path, 3200, 97, 101), 3200 * 6 / 10, 3200 * 8 / 10);
    free(path);
}

/* Section 4.3.5 */
static void every_ten_seconds_four_segments_for_200_ms(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr, deep());
    path_run_us(path, 1000000);
    unsigned low = 0;
    for (int ms = 0; ms < 21000; ms++) {
        path_run_us(path, 1000);
        low += path->flight.controls.cwnd_bytes == 4 * MSS;
    }
    assert_in_range(low, 2 * 200, 2 * (200 + 3 * RTT_US / 1000));
    assert_true(path_share(path, 1000000) >= 95);
    free(path);
}

/* What sets it apart from version 3, for better and for worse. */
static void losses_do_not_slow_it_down(void **state)
{
    (void)state;
    struct path_line line = deep();
    line.loss_ppm = 30000;
    struct path *path = path_begin(&congestion_bbr, line);
    path_run_us(path, 3000000);
    assert_true(path_share(path, 20000000) >= 90);
    free(path);
    line.loss_ppm = 0;
    line.queue_bytes = PIPE / 10;
    path = path_begin(&congestion_bbr, line);
    path_run_us(path, 3000000);
    uint64_t lost = path->lost, delivered = path->delivered;
    assert_true(path_share(path, 20000000) >= 95);
    assert_true((path->lost - lost) * 50 > path->delivered - delivered); /* more than 2 % */
    free(path);
}

/* Section 4.2.3.4: in the first round of a recovery a segment goes for each that arrives. */
static void recovery_begins_with_conservation_and_ends_with_the_old_window(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr, deep());
    path_run_us(path, 3000000);
    struct flight *flight = &path->flight;
    struct daytona_congestion_sample *sample = &flight->sample;
    uint32_t cwnd = flight->controls.cwnd_bytes;
    sample->in_flight_bytes = 20 * MSS;
    sample->lost_bytes = 0;
    congestion_bbr.loss(&flight->state, &flight->controls, sample);
    assert_int_equal(flight->controls.cwnd_bytes, 21 * MSS);
    sample->in_recovery = true;
    sample->acked_bytes = 2 * MSS;
    sample->delivered_before = sample->delivered_bytes - MSS; /* sent before the recovery */
    congestion_bbr.acked(&flight->state, &flight->controls, sample);
    assert_in_range(flight->controls.cwnd_bytes, 21 * MSS, 22 * MSS);
    sample->in_recovery = false;
    congestion_bbr.recovered(&flight->state, &flight->controls, sample);
    assert_true(flight->controls.cwnd_bytes >= cwnd);
    free(path);
}

/* RFC 3168 section 5 */
static void a_mark_costs_three_tenths_for_a_round_trip(void **state)
{
    (void)state;
    struct path_line line = deep();
    struct path *path = path_begin(&congestion_bbr, line);
    path_run_us(path, 3000000);
    struct flight *flight = &path->flight;
    flight->sample.prior_in_flight_bytes = flight->sample.in_flight_bytes = 30 * MSS;
    congestion_bbr.marked(&flight->state, &flight->controls, &flight->sample);
    assert_int_equal(flight->controls.cwnd_bytes, 21 * MSS);
    path_run_us(path, RTT_US / 2);
    assert_int_equal(flight->controls.cwnd_bytes, 21 * MSS);
    path_run_us(path, 3 * RTT_US);
    assert_true(flight->controls.cwnd_bytes > 50 * MSS);
    free(path);
    line.mark_above_bytes = PIPE / 4;
    path = path_begin(&congestion_bbr, line);
    path_run_us(path, 3000000);
    assert_true(path_share(path, 10000000) >= 90);
    free(path);
}

/* Section 4.1.1.3: ten round trips. */
static void a_slower_line_is_noticed_within_ten_round_trips(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr, deep());
    path_run_us(path, 3000000);
    path->line.bytes_per_second = RATE / 2;
    path_run_us(path, 3000000); /* round trips are up to three times as long meanwhile */
    assert_in_range(pacing_percent(path), 70, 130);
    assert_true(path_share(path, 3000000) >= 95);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_fast_finds_the_rate_and_drains),
        cmocka_unit_test(the_cycle_has_eight_phases),
        cmocka_unit_test(every_ten_seconds_four_segments_for_200_ms),
        cmocka_unit_test(losses_do_not_slow_it_down),
        cmocka_unit_test(recovery_begins_with_conservation_and_ends_with_the_old_window),
        cmocka_unit_test(a_mark_costs_three_tenths_for_a_round_trip),
        cmocka_unit_test(a_slower_line_is_noticed_within_ten_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
