/* What holds for every controller, whatever the network and the sender tell it. */
#include "tests/unit/path.h"

#define RATE_MAX (UINT64_C(1) << 41) /* bytes a second that somebody may pace at */

static void controllers_are_found_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"cubic", "reno", "bbr", "bbr3", "dctcp", "vegas", "ledbat"};
    size_t count = 0;
    for (const struct daytona_congestion *c; (c = congestion_at(count)) != NULL; count++) {
        assert_ptr_equal(congestion_find(c->name), c);
        assert_int_equal(c->version, DAYTONA_CONGESTION_VERSION);
        assert_in_range(strlen(c->name), 1, 15);
        assert_string_equal(c->name, names[count]);
        assert_true(c->init && c->acked && c->loss && c->recovered && c->timeout && c->restart);
    }
    assert_int_equal(count, COUNT_OF(names));
    assert_null(congestion_find("Reno"));
    assert_null(congestion_find(""));
    assert_null(congestion_at(SIZE_MAX));
}

static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13; /* xorshift64, G. Marsaglia 2003 */
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Values that a connection could bring, and those that only a mistake or an attack could. */
static uint32_t draw_bytes(uint64_t *random, uint32_t mss)
{
    switch (draw(random) % 8) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    case 2:
        return (uint32_t)draw(random);
    default:
        return (uint32_t)(draw(random) % 200) * mss;
    }
}

static void draw_sample(uint64_t *random, struct daytona_congestion_sample *sample)
{
    static const uint32_t sizes[] = {48, 536, 1460, 1460, 1460, 9000, 65483};
    if (draw(random) % 50 == 0)
        sample->mss = sizes[draw(random) % COUNT_OF(sizes)];
    uint32_t mss = sample->mss;
    sample->now.ns += draw(random) % (draw(random) % 100 == 0 ? 100000000000 : 20000000);
    sample->acked_bytes = draw_bytes(random, mss);
    sample->lost_bytes = draw(random) % 4 == 0 ? draw_bytes(random, mss) : 0;
    sample->in_flight_bytes = draw_bytes(random, mss);
    sample->prior_in_flight_bytes = draw_bytes(random, mss);
    sample->rtt_us = draw(random) % 3 == 0 ? 0 : (uint32_t)(draw(random) % 300000);
    if (draw(random) % 100 == 0)
        sample->rtt_us = UINT32_MAX;
    sample->srtt_us = draw(random) % 20 == 0 ? 0 : (uint32_t)(draw(random) % 400000);
    sample->rtt_min_us = draw(random) % 20 == 0 ? 0 : (uint32_t)(draw(random) % 100000);
    sample->una += sample->acked_bytes;
    sample->nxt = sample->una + draw_bytes(random, mss);
    sample->delivered_bytes += sample->acked_bytes;
    sample->delivered_before = sample->delivered_bytes - draw_bytes(random, mss);
    sample->lost_total_bytes += sample->lost_bytes;
    sample->lost_before = sample->lost_total_bytes - draw_bytes(random, mss) / 50;
    sample->in_flight_when_sent = draw_bytes(random, mss);
    sample->loss_in_flight_when_sent = draw_bytes(random, mss);
    sample->loss_lost_before = sample->lost_total_bytes - draw_bytes(random, mss);
    sample->rate_bytes_per_second =
        draw(random) % 10 == 0 ? draw(random) : draw(random) % 100000000;
    if (draw(random) % 10 == 0)
        sample->rate_bytes_per_second = draw(random) % 3;
    sample->rate_interval_us = (uint32_t)draw(random);
    sample->rate_app_limited = draw(random) % 4 == 0;
    sample->ce_bytes = draw(random) % 4 == 0 ? draw_bytes(random, mss) : 0;
    sample->cwnd_limited = draw(random) % 4 != 0;
    sample->in_recovery = draw(random) % 4 == 0;
    sample->after_timeout = sample->in_recovery && draw(random) % 2 == 0;
    sample->without_sack = draw(random) % 500 == 0 ? !sample->without_sack : sample->without_sack;
}

/* Any of the controller's calls. */
static void call_something(uint64_t *random, struct flight *flight)
{
    const struct daytona_congestion *c = flight->controller;
    switch (draw(random) % 16) {
    case 0:
        c->loss(&flight->state, &flight->controls, &flight->sample);
        break;
    case 1:
        c->recovered(&flight->state, &flight->controls, &flight->sample);
        break;
    case 2:
        c->timeout(&flight->state, &flight->controls, &flight->sample);
        break;
    case 3:
        c->restart(&flight->state, &flight->controls, &flight->sample, draw(random));
        break;
    case 4:
        if (c->marked != NULL)
            c->marked(&flight->state, &flight->controls, &flight->sample);
        break;
    case 5:
        if (c->undone != NULL)
            c->undone(&flight->state, &flight->controls, &flight->sample);
        break;
    default:
        c->acked(&flight->state, &flight->controls, &flight->sample);
        break;
    }
    if (flight->controls.cwnd_bytes < flight->sample.mss) /* as the sender does */
        flight->controls.cwnd_bytes = flight->sample.mss;
}

static void assert_sane(const struct flight *flight)
{
    const struct daytona_congestion_controls *controls = &flight->controls;
    assert_true(controls->cwnd_bytes > 0);
    assert_true(controls->ssthresh_bytes >= 2 * 48);
    if (flight->controller->models_path)
        assert_in_range(controls->pacing_bytes_per_second, 48, RATE_MAX);
    else
        assert_int_equal(controls->pacing_bytes_per_second, 0);
}

/* No undefined arithmetic either: the sanitizers watch when the tests are built with them. */
static void no_sequence_of_samples_makes_the_controls_absurd(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        for (uint64_t seed = 1; seed <= 200; seed++) {
            uint64_t random = seed * 0x9e3779b97f4a7c15;
            struct flight flight = flight_begin(controller, 10 * MSS, UINT32_MAX, 20000);
            for (int step = 0; step < 500; step++) {
                draw_sample(&random, &flight.sample);
                call_something(&random, &flight);
                assert_sane(&flight);
            }
        }
    }
}

/* A reduction is one: cwnd does not grow by it, and two segments are always allowed. */
static void a_loss_never_raises_cwnd_and_ssthresh_stays_at_two_segments(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        for (uint32_t segments = 1; segments <= 200; segments += 3) {
            struct flight flight = flight_begin(controller, segments * MSS, segments * MSS, 20000);
            flight.sample.prior_in_flight_bytes = flight.sample.in_flight_bytes = segments * MSS;
            controller->loss(&flight.state, &flight.controls, &flight.sample);
            assert_true(flight.controls.ssthresh_bytes >= 2 * MSS);
            assert_true(flight.controls.cwnd_bytes <= (segments > 2 ? segments : 2) * MSS);
            controller->timeout(&flight.state, &flight.controls, &flight.sample);
            assert_true(flight.controls.ssthresh_bytes >= 2 * MSS);
            assert_true(flight.controls.cwnd_bytes <= (segments + 1) * MSS);
        }
    }
}

static struct path_line plain_line(void)
{
    return (struct path_line){.bytes_per_second = 1250000, .rtt_us = 40000, .queue_bytes = 50000};
}

/* Whatever happened: on a good path every controller fills the line again. */
static void after_an_outage_the_line_is_full_again(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        struct path *path = path_begin(controller, plain_line());
        path_run_us(path, 5000000);
        path->line.loss_ppm = 1000000;
        path_run_us(path, 3000000);
        path->line.loss_ppm = 0;
        path_run_us(path, 10000000);
        assert_true(path_share(path, 10000000) >= 90);
        free(path);
    }
}

static void a_line_that_becomes_ten_times_as_fast_is_filled(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        struct path *path = path_begin(controller, plain_line());
        path_run_us(path, 5000000);
        path->line.bytes_per_second *= 10;
        path->line.queue_bytes *= 10;
        path_run_us(path, 30000000);
        assert_true(path_share(path, 10000000) >= 75); /* Reno grows by a segment in 40 ms */
        free(path);
    }
}

static void after_idling_the_line_is_full_again(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        struct path *path = path_begin(controller, plain_line());
        path_run_us(path, 3000000);
        path_idle_us(path, 5000000);
        path_run_us(path, 1000000);
        /* A slowdown of LEDBAT++ costs a second of a tenth as many. */
        assert_true(path_share(path, 20000000) >= 90);
        free(path);
    }
}

/* TCP_CONGESTION on a live connection: init() finds the present window and whatever the other left.
 */
static void any_controller_takes_over_from_any_other(void **state)
{
    (void)state;
    const struct daytona_congestion *from, *to;
    for (size_t i = 0; (from = congestion_at(i)) != NULL; i++) {
        for (size_t j = 0; (to = congestion_at(j)) != NULL; j++) {
            struct path *path = path_begin(from, plain_line());
            path_run_us(path, 3000000);
            struct flight *flight = &path->flight;
            uint32_t cwnd = flight->controls.cwnd_bytes;
            flight->controller = to;
            flight->state = (struct daytona_congestion_state){{0}};
            to->init(&flight->state, &flight->controls, &flight->sample);
            assert_int_equal(flight->controls.cwnd_bytes, cwnd);
            assert_int_equal(flight->controls.pacing_bytes_per_second != 0, to->models_path);
            path_run_us(path, 5000000);
            assert_true(path_share(path, 5000000) >= 90);
            free(path);
        }
    }
}

/* RFC 9438 section 4.9, draft-ietf-ccwg-bbr-06 section 5.5.11: the sender puts the window back, the
 * controller itself; the line is as full as if nothing had been noticed. */
static void a_reduction_that_is_taken_back_costs_nothing(void **state)
{
    (void)state;
    const struct daytona_congestion *controller;
    for (size_t i = 0; (controller = congestion_at(i)) != NULL; i++) {
        struct path *path = path_begin(controller, plain_line());
        path_run_us(path, 10000000);
        struct flight *flight = &path->flight;
        for (int round = 0; round < 20; round++) {
            struct daytona_congestion_controls before = flight->controls;
            flight->sample.prior_in_flight_bytes = before.cwnd_bytes;
            flight->sample.acked_bytes = flight->sample.lost_bytes = 0;
            if (round % 2 == 0)
                controller->loss(&flight->state, &flight->controls, &flight->sample);
            else
                controller->timeout(&flight->state, &flight->controls, &flight->sample);
            flight->controls.cwnd_bytes = before.cwnd_bytes;
            flight->controls.ssthresh_bytes = before.ssthresh_bytes;
            if (controller->undone != NULL)
                controller->undone(&flight->state, &flight->controls, &flight->sample);
            assert_int_equal(flight->controls.cwnd_bytes, before.cwnd_bytes);
            path_run_us(path, 200000);
        }
        assert_true(path_share(path, 5000000) >= 90);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controllers_are_found_by_name),
        cmocka_unit_test(no_sequence_of_samples_makes_the_controls_absurd),
        cmocka_unit_test(a_loss_never_raises_cwnd_and_ssthresh_stays_at_two_segments),
        cmocka_unit_test(after_an_outage_the_line_is_full_again),
        cmocka_unit_test(a_line_that_becomes_ten_times_as_fast_is_filled),
        cmocka_unit_test(after_idling_the_line_is_full_again),
        cmocka_unit_test(any_controller_takes_over_from_any_other),
        cmocka_unit_test(a_reduction_that_is_taken_back_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
