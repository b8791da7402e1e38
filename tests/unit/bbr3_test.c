/* BBR on a path that is known: every section named is draft-ietf-ccwg-bbr-06's. */
#include "stack/congestion/bbr3.h"
#include "tests/unit/path.h"

#define RATE   1250000u /* bytes a second */
#define RTT_US 40000u
#define PIPE   50000u /* bytes */

static struct path_line deep(void)
{
    return (struct path_line){.bytes_per_second = RATE, .rtt_us = RTT_US, .queue_bytes = 10 * PIPE};
}

static struct path_line shallow(void)
{
    return (struct path_line){.bytes_per_second = RATE, .rtt_us = RTT_US, .queue_bytes = PIPE / 4};
}

static struct bbr3 *model(struct path *path)
{
    return bbr3_of(&path->flight.state);
}

/* Runs until the state is `state`, 20 s at most. */
static void run_to(struct path *path, enum bbr3_state wanted)
{
    for (int i = 0; i < 20000 && model(path)->state != wanted; i++)
        path_run_us(path, 1000);
    assert_int_equal(model(path)->state, wanted);
}

static void assert_near(uint64_t value, uint64_t expected, unsigned percent)
{
    assert_in_range(value, expected - expected * percent / 100,
                    expected + expected * percent / 100);
}

/* Section 5.3.1.1: the rate doubles each round trip until the pipe is full. */
static void startup_finds_the_rate_of_the_line(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    assert_int_equal(model(path)->state, BBR3_STARTUP);
    run_to(path, BBR3_DRAIN);
    assert_near(bbr3_max_bw(model(path)), RATE, 2);
    assert_true(path->flight.sample.now.ns - 7000000000 < 600000000); /* a dozen round trips */
    assert_int_equal(path->lost, 0);
    free(path);
}

/* Section 5.6.2: before there is a rate, cwnd in a round trip times 2.77. */
static void the_first_pacing_rate_follows_from_the_handshake(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    assert_near(path->flight.controls.pacing_bytes_per_second,
                10 * MSS * UINT64_C(1000000) / RTT_US * 277 / 100, 1);
    free(path);
}

/* Section 5.6.2: a round trip that was not measured is taken for 1 ms, until one is. */
static void the_first_pacing_rate_waits_for_a_round_trip(void **state)
{
    (void)state;
    struct flight flight = flight_begin(&congestion_bbr3, 10 * MSS, UINT32_MAX, 0);
    assert_near(flight.controls.pacing_bytes_per_second, 10 * MSS * UINT64_C(2770), 1);
    flight.sample.srtt_us = flight.sample.rtt_us = RTT_US;
    flight_ack(&flight, MSS);
    assert_near(flight.controls.pacing_bytes_per_second, 10 * MSS * UINT64_C(2770) / 40, 1);
}

/* Section 5.3.2 */
static void drain_empties_the_queue_that_startup_made(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_DRAIN);
    assert_true(path->in_flight > 3 * PIPE / 2);
    path_run_us(path, 1000);
    assert_near(path->flight.controls.pacing_bytes_per_second, RATE / 2, 3);
    uint64_t began = path->flight.sample.now.ns;
    run_to(path, BBR3_CRUISE); /* down is where it comes from */
    assert_true(path->in_flight <= PIPE + 2 * MSS);
    assert_true(path->flight.sample.now.ns - began < 3 * RTT_US * UINT64_C(1000));
    free(path);
}

/* Section 5.3.1.2: three round trips without growth, of a sender that has data. */
static void startup_does_not_end_because_the_application_has_nothing_to_send(void **state)
{
    (void)state;
    struct flight flight = flight_begin(&congestion_bbr3, 10 * MSS, UINT32_MAX, RTT_US);
    struct daytona_congestion_sample *sample = &flight.sample;
    sample->rate_bytes_per_second = 100000;
    sample->in_flight_when_sent = MSS;
    for (int round = 0; round < 20; round++) {
        sample->rate_app_limited = round < 15;
        sample->delivered_before = sample->delivered_bytes;
        sample->delivered_bytes += MSS;
        flight_wait_us(&flight, RTT_US);
        flight_ack(&flight, MSS);
        assert_int_equal(bbr3_of(&flight.state)->state == BBR3_STARTUP, round < 18);
    }
}

/* Section 5.3.1.3: loss, too, says that the pipe is full. */
static void startup_ends_when_much_is_lost_in_a_round_trip(void **state)
{
    (void)state;
    struct path_line line = deep();
    line.bytes_per_second *= 10; /* that far it would go */
    struct path *path = path_begin(&congestion_bbr3, line);
    path_run_us(path, 3 * RTT_US);
    path->line.loss_ppm = 200000;
    run_to(path, BBR3_DRAIN);
    assert_true(model(path)->inflight_longterm != BBR3_VOLUME_INFINITE);
    assert_true(model(path)->full_bw_count < 3);
    free(path);
}

/* Section 5.3.3 */
static void probing_goes_down_cruise_refill_up_and_down_again(void **state)
{
    (void)state;
    static const struct {
        enum bbr3_state state;
        unsigned pacing_percent;
    } cycle[] = {{BBR3_DOWN, 90}, {BBR3_CRUISE, 100}, {BBR3_REFILL, 100}, {BBR3_UP, 125}};
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_DOWN);
    for (size_t i = 0; i < 8; i++) {
        run_to(path, cycle[i % 4].state);
        path_run_us(path, 3000); /* an ACK more */
        assert_near(path->flight.controls.pacing_bytes_per_second,
                    RATE / 100 * cycle[i % 4].pacing_percent, 3);
    }
    free(path);
}

/* Section 5.3.3.8: two to three seconds, or as many round trips as the pipe has segments. */
static void probes_come_every_few_seconds_or_after_renos_round_trips(void **state)
{
    (void)state;
    struct path_line line = deep();
    for (line.rtt_us = 20000; line.rtt_us <= 160000; line.rtt_us *= 8) {
        struct path *path = path_begin(&congestion_bbr3, line);
        run_to(path, BBR3_CRUISE);
        run_to(path, BBR3_REFILL);
        uint64_t waited_us = (path->flight.sample.now.ns - model(path)->cycle_start_ns) / 1000;
        uint64_t reno_us = (uint64_t)line.rtt_us * line.rtt_us * RATE / 1000000 / MSS;
        if (reno_us < 2000000)
            /* round trips are longer while the queue drains */
            assert_in_range(waited_us, reno_us * 9 / 10, reno_us * 13 / 10);
        else
            assert_in_range(waited_us, 2000000, 3200000);
        free(path);
    }
}

/* The point of it: a full line and, most of the time, no queue. */
static void the_line_is_full_and_the_queue_short(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    path_run_us(path, 2000000);
    path_queue_us(path);
    assert_true(path_share(path, 20000000) >= 95);
    assert_true(path_queue_us(path) < RTT_US / 4); /* CUBIC: ten round trips of queue */
    assert_int_equal(path->lost, 0);
    free(path);
}

/* Section 5.5.10.2: what probing overflows becomes the bound, and 15 % below it is cruised. */
static void a_shallow_queue_is_found_by_probing_and_respected(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, shallow());
    path_run_us(path, 5000000);
    uint32_t bound = model(path)->inflight_longterm;
    assert_in_range(bound, PIPE * 9 / 10, (PIPE + PIPE / 4) * 11 / 10);
    run_to(path, BBR3_CRUISE);
    path_run_us(path, 3000);
    assert_true(path->flight.controls.cwnd_bytes <= bound * 86 / 100);
    uint64_t lost = path->lost, delivered = path->delivered;
    assert_true(path_share(path, 20000000) >= 90);
    assert_true((path->lost - lost) * 100 < path->delivered - delivered); /* under 1 % */
    free(path);
}

/* Section 2.8: up to 2 % of loss is not the flow's fault. */
static void one_percent_of_random_loss_costs_little(void **state)
{
    (void)state;
    struct path_line line = deep();
    line.loss_ppm = 10000;
    struct path *bbr = path_begin(&congestion_bbr3, line);
    struct path *reno = path_begin(&congestion_reno, line);
    path_run_us(bbr, 3000000);
    path_run_us(reno, 3000000);
    unsigned share = path_share(bbr, 20000000);
    assert_true(share >= 75);
    assert_true(path_share(reno, 20000000) < share / 2);
    free(bbr);
    free(reno);
}

/* Section 5.5.10.3: losses while cruising lower the bounds, to what was delivered, and at most
 * by 30 % in a round trip; the next probe forgets them. */
static void losses_while_cruising_bound_the_flow_until_the_next_probe(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_CRUISE);
    assert_true(model(path)->bw_shortterm == BBR3_RATE_INFINITE);
    path->line.loss_ppm = 300000;
    path_run_us(path, 3 * RTT_US);
    path->line.loss_ppm = 0;
    assert_int_equal(model(path)->state, BBR3_CRUISE);
    assert_in_range(model(path)->bw_shortterm, RATE / 10 * 3, RATE / 10 * 9);
    assert_true(model(path)->inflight_shortterm < 2 * PIPE);
    assert_near(bbr3_max_bw(model(path)), RATE, 2);
    run_to(path, BBR3_REFILL);
    assert_true(model(path)->bw_shortterm == BBR3_RATE_INFINITE);
    assert_int_equal(model(path)->inflight_shortterm, BBR3_VOLUME_INFINITE);
    free(path);
}

/* Sections 5.3.4 and 2.16.2: half of the pipe for 200 ms, five seconds after the last minimum. */
static void probe_rtt_comes_every_five_seconds_and_lasts_200_ms(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_DRAIN);
    run_to(path, BBR3_PROBE_RTT);
    uint64_t began = path->flight.sample.now.ns;
    uint32_t cwnd = path->flight.controls.cwnd_bytes;
    assert_near(cwnd, PIPE / 2, 5);
    run_to(path, BBR3_CRUISE);
    uint64_t lasted_us = (path->flight.sample.now.ns - began) / 1000;
    assert_in_range(lasted_us, 200000, 200000 + 3 * RTT_US);
    path_run_us(path, 1000);
    assert_true(path->flight.controls.cwnd_bytes > 3 * PIPE / 2); /* restored */
    uint64_t ended = path->flight.sample.now.ns;
    run_to(path, BBR3_PROBE_RTT);
    assert_in_range((path->flight.sample.now.ns - ended) / 1000, 4500000, 5100000);
    free(path);
}

/* Section 5.5.7: a longer path is noticed, when the old minimum is ten seconds old. */
static void a_round_trip_that_grew_is_learnt(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    path_run_us(path, 3000000);
    assert_near(model(path)->min_rtt_us, RTT_US, 3);
    path->line.rtt_us = 2 * RTT_US;
    path_run_us(path, 25000000);
    assert_near(model(path)->min_rtt_us, 2 * RTT_US, 3);
    assert_true(path_share(path, 5000000) >= 90);
    path->line.rtt_us = RTT_US; /* what stands in the queue hides it until a probe drains that */
    path_run_us(path, 7000000);
    assert_near(model(path)->min_rtt_us, RTT_US, 3);
    free(path);
}

/* Appendix A.15 and A.16 */
static void a_change_of_rate_is_learnt_upward_and_downward(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    path_run_us(path, 3000000);
    path->line.bytes_per_second = 10 * RATE;
    path_run_us(path, 20000000);
    assert_near(bbr3_max_bw(model(path)), 10 * RATE, 5);
    path->line.bytes_per_second = RATE;
    path_run_us(path, 20000000);
    assert_near(bbr3_max_bw(model(path)), RATE, 10);
    assert_true(path_share(path, 5000000) >= 90);
    free(path);
}

/* Section 5.4.1: after idling at once at the known rate; and idling has shown the empty path. */
static void after_idling_the_flow_goes_on_at_its_rate(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    path_run_us(path, 3000000);
    uint32_t cwnd = path->flight.controls.cwnd_bytes;
    path_idle_us(path, 8000000);
    assert_true(path->flight.controls.cwnd_bytes >= cwnd * 9 / 10);
    assert_near(path->flight.controls.pacing_bytes_per_second, RATE, 2);
    path_run_us(path, 2 * RTT_US);
    assert_int_not_equal(model(path)->state, BBR3_PROBE_RTT);
    assert_true(path_share(path, 1000000) >= 90);
    free(path);
}

/* Section 5.6.4.4: one segment after a timeout, what was there before when it is repaired. */
static void a_timeout_leaves_one_segment_and_its_repair_the_rest(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_CRUISE);
    struct flight *flight = &path->flight;
    uint32_t cwnd = flight->controls.cwnd_bytes;
    flight->sample.in_flight_bytes = 0;
    flight->sample.lost_bytes = 0;
    congestion_bbr3.timeout(&flight->state, &flight->controls, &flight->sample);
    assert_int_equal(flight->controls.cwnd_bytes, MSS);
    flight->sample.in_recovery = flight->sample.after_timeout = true;
    flight->sample.acked_bytes = MSS;
    congestion_bbr3.acked(&flight->state, &flight->controls, &flight->sample);
    assert_in_range(flight->controls.cwnd_bytes, 2 * MSS, 4 * MSS);
    flight->sample.in_recovery = flight->sample.after_timeout = false;
    congestion_bbr3.acked(&flight->state, &flight->controls, &flight->sample);
    assert_true(flight->controls.cwnd_bytes >= cwnd * 7 / 10);
    free(path);
}

/* Section 5.5.11: a probe that was ended by losses that were none is made again. */
static void a_mistaken_loss_gives_back_the_bounds_and_the_probe(void **state)
{
    (void)state;
    struct path *path = path_begin(&congestion_bbr3, deep());
    run_to(path, BBR3_UP);
    path_run_us(path, 2 * RTT_US);
    struct flight *flight = &path->flight;
    struct daytona_congestion_sample *sample = &flight->sample;
    struct daytona_congestion_controls before = flight->controls;
    sample->lost_bytes = 10 * MSS;
    sample->lost_total_bytes += 10 * MSS;
    sample->loss_in_flight_when_sent = PIPE;
    sample->loss_lost_before = sample->lost_total_bytes - 10 * MSS;
    congestion_bbr3.loss(&flight->state, &flight->controls, sample);
    assert_int_equal(model(path)->state, BBR3_DOWN);
    assert_true(model(path)->inflight_longterm <= PIPE);
    sample->lost_bytes = 0;
    flight->controls = before;
    congestion_bbr3.undone(&flight->state, &flight->controls, sample);
    assert_int_equal(model(path)->state, BBR3_REFILL);
    assert_int_equal(model(path)->inflight_longterm, BBR3_VOLUME_INFINITE);
    assert_int_equal(flight->controls.cwnd_bytes, before.cwnd_bytes);
    free(path);
}

/* Section 3.7: who sends as ECN-capable must take a mark for congestion. */
static void marks_keep_the_queue_below_the_marking_threshold(void **state)
{
    (void)state;
    struct path_line line = deep();
    line.mark_above_bytes = PIPE / 4;
    struct path *path = path_begin(&congestion_bbr3, line);
    path_run_us(path, 5000000);
    uint64_t marks = path->marks, delivered = path->delivered;
    assert_true(model(path)->inflight_longterm < 2 * PIPE);
    assert_true(path_share(path, 20000000) >= 85);
    /* A probe in 35 round trips, and a round trip until it hears of its marks. */
    assert_true((path->marks - marks) * MSS * 20 < path->delivered - delivered);
    free(path);
}

/* Section 5.6.4.3, appendix A.14: four segments, however small the pipe is. */
static void a_pipe_of_less_than_a_segment_is_kept_busy(void **state)
{
    (void)state;
    struct path_line line = {.bytes_per_second = 20000, .rtt_us = 10000, .queue_bytes = 100000};
    struct path *path = path_begin(&congestion_bbr3, line);
    path_run_us(path, 20000000);
    assert_true(path->flight.controls.cwnd_bytes >= 4 * MSS);
    assert_true(path->flight.controls.cwnd_bytes <= 9 * MSS);
    assert_true(path_share(path, 20000000) >= 90);
    free(path);
}

/* Without SACK a loss is one a round trip at most, and counts as too many (section 5.5.10.2). */
static void without_sack_any_loss_of_a_probe_is_too_many(void **state)
{
    (void)state;
    struct daytona_congestion_sample sample = {0};
    assert_false(bbr3_inflight_too_high(&sample, 2 * MSS, 100 * MSS));
    assert_true(bbr3_inflight_too_high(&sample, 2 * MSS + 1, 100 * MSS));
    sample.without_sack = true;
    assert_true(bbr3_inflight_too_high(&sample, 1, 100 * MSS));
    assert_false(bbr3_inflight_too_high(&sample, 0, 100 * MSS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_finds_the_rate_of_the_line),
        cmocka_unit_test(the_first_pacing_rate_follows_from_the_handshake),
        cmocka_unit_test(the_first_pacing_rate_waits_for_a_round_trip),
        cmocka_unit_test(drain_empties_the_queue_that_startup_made),
        cmocka_unit_test(startup_does_not_end_because_the_application_has_nothing_to_send),
        cmocka_unit_test(startup_ends_when_much_is_lost_in_a_round_trip),
        cmocka_unit_test(probing_goes_down_cruise_refill_up_and_down_again),
        cmocka_unit_test(probes_come_every_few_seconds_or_after_renos_round_trips),
        cmocka_unit_test(the_line_is_full_and_the_queue_short),
        cmocka_unit_test(a_shallow_queue_is_found_by_probing_and_respected),
        cmocka_unit_test(one_percent_of_random_loss_costs_little),
        cmocka_unit_test(losses_while_cruising_bound_the_flow_until_the_next_probe),
        cmocka_unit_test(probe_rtt_comes_every_five_seconds_and_lasts_200_ms),
        cmocka_unit_test(a_round_trip_that_grew_is_learnt),
        cmocka_unit_test(a_change_of_rate_is_learnt_upward_and_downward),
        cmocka_unit_test(after_idling_the_flow_goes_on_at_its_rate),
        cmocka_unit_test(a_timeout_leaves_one_segment_and_its_repair_the_rest),
        cmocka_unit_test(a_mistaken_loss_gives_back_the_bounds_and_the_probe),
        cmocka_unit_test(marks_keep_the_queue_below_the_marking_threshold),
        cmocka_unit_test(a_pipe_of_less_than_a_segment_is_kept_busy),
        cmocka_unit_test(without_sack_any_loss_of_a_probe_is_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
