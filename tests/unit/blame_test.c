/* Whoever is to blame for a slow request is named: each cause is brought about and told right. */
#include "tests/unit/couple.h"
#include "tests/unit/region.h"

#define MSS 1448u

static struct couple couple;

/* The last request that this end has seen. */
static const struct request_told *last_request(enum couple_side side)
{
    const struct request_told *last = NULL, *next;
    for (size_t i = 0; (next = blame_request(couple.ends[side].blame, i)) != NULL; i++)
        last = next;
    assert_non_null(last);
    return last;
}

static void assert_all_is_charged(const struct request_told *request)
{
    uint64_t charged_ns = 0, took_ns = request->end_ns - request->begin_ns;
    for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
        charged_ns += request->charged[cause];
    assert_in_range(charged_ns, took_ns * 99 / 100, took_ns * 101 / 100);
}

static void assert_blamed(enum couple_side side, enum cause expected)
{
    const struct request_told *request = last_request(side);
    enum cause blamed = request_blame(request);
    if (blamed != expected)
        for (unsigned cause = 0; cause < CAUSE_COUNT; cause++)
            print_message("%s: %llu us\n", cause_word((enum cause)cause),
                          (unsigned long long)request->charged[cause] / 1000);
    assert_string_equal(cause_word(blamed), cause_word(expected));
    assert_all_is_charged(request);
}

/* A request and an answer of so many bytes, after which all is acknowledged. */
static void exchange(uint32_t bytes)
{
    couple_ask(&couple);
    couple_carry(&couple, SERVER, bytes);
    couple_run_us(&couple, 100000);
}

/* The server's data segments from the counter's value on, `burst` of them, once. */
static unsigned burst;

static bool lose_burst(struct couple *pair, enum couple_side from, uint32_t payload)
{
    if (from != SERVER || payload == 0)
        return false;
    pair->counter++;
    return pair->counter > 3 && pair->counter <= 3 + burst;
}

static void nothing_in_the_way_is_nobodys_fault(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    exchange(5 * MSS);
    assert_blamed(SERVER, CAUSE_ROUND_TRIP);
    assert_int_equal(last_request(SERVER)->segments_out, 5);
    assert_int_equal(last_request(SERVER)->bytes_sent, 5 * MSS);
    assert_int_equal(last_request(SERVER)->bytes_received, 100);
    assert_blamed(CLIENT, CAUSE_ROUND_TRIP);
    couple_stop(&couple);
}

static void one_lost_segment_is_a_single_loss(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    burst = 1;
    couple.loses = lose_burst;
    exchange(10 * MSS);
    assert_blamed(SERVER, CAUSE_SINGLE_LOSS);
    assert_int_equal(last_request(SERVER)->losses, 1);
    assert_int_equal(last_request(SERVER)->retransmissions, 1);
    couple_stop(&couple);
}

static void each_single_loss_of_a_connection_is_one(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(60 * MSS);
    burst = 1;
    couple.loses = lose_burst;
    for (unsigned i = 0; i < 3; i++) {
        couple.counter = 0;
        exchange(10 * MSS);
        assert_blamed(SERVER, CAUSE_SINGLE_LOSS);
        assert_int_equal(last_request(SERVER)->charged[CAUSE_LOSS_BURST], 0);
    }
    couple_stop(&couple);
}

/* One segment, all there is, and all times it is sent. */
static bool lose_often(struct couple *pair, enum couple_side from, uint32_t payload)
{
    return from == SERVER && payload > 0 && pair->counter++ < burst;
}

static void segment_that_is_lost_again_and_again_is_no_burst(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    burst = 4;
    couple.loses = lose_often;
    exchange(100);
    assert_true(last_request(SERVER)->timeouts > 1);
    assert_blamed(SERVER, CAUSE_SINGLE_LOSS);
    assert_int_equal(last_request(SERVER)->charged[CAUSE_LOSS_BURST], 0);
    couple_stop(&couple);
}

static void who_receives_a_duplicate_waits_for_nothing(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    couple_ask(&couple);
    couple.delay_us = 200000; /* so long that the server sends again */
    couple_carry(&couple, SERVER, 100);
    couple_run_us(&couple, 1000000);
    assert_true(couple.ends[SERVER].told[DAYTONA_EVENT_DSACK] > 0);
    couple.delay_us = 10000;
    couple_run_us(&couple, 5000000);
    couple_ask(&couple);
    const struct request_told *request = blame_request(couple.ends[CLIENT].blame, 1);
    assert_int_equal(request->charged[CAUSE_SINGLE_LOSS], 0);
    assert_int_equal(request->charged[CAUSE_LOSS_BURST], 0);
    assert_all_is_charged(request);
    couple_stop(&couple);
}

static void who_receives_sees_the_single_loss_too(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    burst = 1;
    couple.loses = lose_burst;
    exchange(10 * MSS);
    assert_blamed(CLIENT, CAUSE_SINGLE_LOSS);
    couple_stop(&couple);
}

static void lost_last_segment_is_a_single_loss(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    burst = 1;
    couple.loses = lose_burst;
    exchange(4 * MSS);
    assert_blamed(SERVER, CAUSE_SINGLE_LOSS);
    couple_stop(&couple);
}

static void ten_lost_segments_are_a_burst(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(60 * MSS);
    burst = 10;
    couple.loses = lose_burst;
    exchange(20 * MSS);
    assert_blamed(SERVER, CAUSE_LOSS_BURST);
    assert_int_equal(last_request(SERVER)->losses, 10);
    couple_stop(&couple);
}

static void lost_flight_that_takes_a_timeout_is_a_burst(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    burst = 12;
    couple.loses = lose_burst;
    exchange(10 * MSS);
    assert_blamed(SERVER, CAUSE_LOSS_BURST);
    assert_true(last_request(SERVER)->timeouts > 0);
    couple_stop(&couple);
}

static void receiver_that_stops_reading_is_told_by_its_window(void **state)
{
    (void)state;
    couple_start(&couple, 65536);
    exchange(60 * MSS);
    couple_ask(&couple);
    couple_write(&couple, SERVER, 65536);
    couple_write(&couple, SERVER, 65536);
    couple_run_us(&couple, 300000);
    uint32_t read = couple_read(&couple, CLIENT);
    for (unsigned i = 0; i < 200 && read < 2 * 65536; i++) {
        couple_run_us(&couple, 1000);
        read += couple_read(&couple, CLIENT);
    }
    assert_int_equal(read, 2 * 65536);
    couple_run_us(&couple, 100000);
    assert_blamed(SERVER, CAUSE_RECEIVER_WINDOW);
    assert_true(last_request(SERVER)->charged[CAUSE_RECEIVER_WINDOW] > UINT64_C(200000000));
    assert_blamed(CLIENT, CAUSE_APPLICATION); /* its own */
    couple_stop(&couple);
}

static void router_that_wants_smaller_segments_is_icmp(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    couple.mtu[SERVER] = 1200;
    exchange(10 * MSS);
    assert_int_equal(couple.ends[SERVER].told[DAYTONA_EVENT_ICMP] > 0, 1);
    assert_blamed(SERVER, CAUSE_ICMP);
    couple_stop(&couple);
}

/* Write, write, read: the second write waits for the ACK of the first, which waits for company. */
static void two_small_writes_are_nagles(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    assert_int_equal(daytona_stack_set_option(couple.ends[SERVER].stack, couple.now,
                                              couple.ends[SERVER].id, DAYTONA_OPTION_QUICK_ACK, 0),
                     0);
    couple_write(&couple, CLIENT, 100);
    couple_write(&couple, CLIENT, 100);
    couple_run_us(&couple, 71000); /* until the second one is there */
    assert_int_equal(couple_read(&couple, SERVER), 200);
    couple_carry(&couple, SERVER, 100);
    couple_run_us(&couple, 100000);
    assert_true(last_request(CLIENT)->charged[CAUSE_NAGLE] >= UINT64_C(60000000));
    assert_int_equal(last_request(CLIENT)->sends, 2);
    assert_blamed(CLIENT, CAUSE_NAGLE);
    couple_stop(&couple);
}

static void acknowledgment_that_waits_is_the_delayed_ack(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    daytona_stack_set_option(couple.ends[SERVER].stack, couple.now, couple.ends[SERVER].id,
                             DAYTONA_OPTION_QUICK_ACK, 0);
    couple_write(&couple, CLIENT, 100);
    couple_write(&couple, CLIENT, 100);
    couple_run_us(&couple, 71000); /* until the second one is there */
    assert_int_equal(couple_read(&couple, SERVER), 200);
    couple_carry(&couple, SERVER, 100);
    couple_run_us(&couple, 100000);
    assert_blamed(SERVER, CAUSE_DELAYED_ACK);
    couple_stop(&couple);
}

static void pause_of_the_application_is_its_own(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    couple_ask(&couple);
    couple_carry(&couple, SERVER, 4 * MSS);
    couple_run_us(&couple, 300000);
    couple_carry(&couple, SERVER, 4 * MSS);
    couple_run_us(&couple, 100000);
    assert_blamed(SERVER, CAUSE_APPLICATION);
    assert_true(last_request(SERVER)->charged[CAUSE_APPLICATION] >= UINT64_C(250000000));
    assert_blamed(CLIENT, CAUSE_PEER);
    couple_stop(&couple);
}

static void slow_answer_is_the_peers(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    couple_ask(&couple);
    couple_run_us(&couple, 300000);
    couple_carry(&couple, SERVER, 4 * MSS);
    couple_run_us(&couple, 100000);
    assert_blamed(CLIENT, CAUSE_PEER);
    assert_blamed(SERVER, CAUSE_APPLICATION);
    couple_stop(&couple);
}

static void longer_path_is_the_paths(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(MSS);
    couple_ask(&couple);
    couple.delay_us = 110000;
    couple_carry(&couple, SERVER, 10 * MSS);
    couple_run_us(&couple, 500000);
    assert_blamed(SERVER, CAUSE_PATH);
    assert_true(last_request(SERVER)->charged[CAUSE_PATH] >= UINT64_C(190000000));
    couple_stop(&couple);
}

static void slow_start_is_the_congestion_windows(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    exchange(200 * MSS);
    assert_blamed(SERVER, CAUSE_CONGESTION_WINDOW);
    couple_stop(&couple);
}

/* An event of a client with numbers from 1000 on, at a time in ms. */
static void client_event(struct blame *blame, uint64_t at_ms, enum daytona_event_type type,
                         const uint64_t numbers[4], uint32_t payload)
{
    struct seen seen = {.type = type, .payload_bytes = payload};
    seen.event.socket_generation = 1;
    seen.event.at_ns = at_ms * 1000000;
    seen.event.una = seen.event.nxt = 1000;
    memcpy(seen.numbers, numbers, sizeof seen.numbers);
    blame_event(blame, &seen);
}

/* As in a program: what is written leaves before the call is over. */
static void pause_between_requests_is_nobodys(void **state)
{
    (void)state;
    struct blame *blame = blame_begin();
    client_event(blame, 0, DAYTONA_EVENT_STATE,
                 (const uint64_t[4]){DAYTONA_TCP_CLOSED, DAYTONA_TCP_SYN_SENT}, 0);
    client_event(blame, 10, DAYTONA_EVENT_SEGMENT_OUT, (const uint64_t[4]){1000, 100, 0, 16}, 100);
    client_event(blame, 20, DAYTONA_EVENT_SEGMENT_IN, (const uint64_t[4]){1, 100, 1000, 16}, 100);
    client_event(blame, 5020, DAYTONA_EVENT_SEGMENT_OUT, (const uint64_t[4]){1100, 100, 101, 16},
                 100);
    const struct request_told *request = blame_request(blame, 0);
    assert_non_null(blame_request(blame, 1));
    assert_int_equal(request->end_ns, UINT64_C(20000000));
    assert_int_equal(request->charged[CAUSE_APPLICATION], UINT64_C(10000000));
    assert_all_is_charged(request);
    blame_end(blame);
}

static void each_request_is_told_once(void **state)
{
    (void)state;
    couple_start(&couple, 0);
    for (unsigned i = 0; i < 5; i++)
        exchange(3 * MSS);
    for (unsigned side = 0; side < 2; side++) {
        const struct blame *blame = couple.ends[side].blame;
        assert_non_null(blame_request(blame, 4));
        assert_null(blame_request(blame, 5));
        assert_int_equal(blame_request(blame, 4)->number, 5);
        assert_int_equal(blame_request(blame, 4)->server, side == SERVER);
        assert_int_equal(blame_missed(blame), 0);
    }
    couple_stop(&couple);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_the_way_is_nobodys_fault),
        cmocka_unit_test(one_lost_segment_is_a_single_loss),
        cmocka_unit_test(each_single_loss_of_a_connection_is_one),
        cmocka_unit_test(segment_that_is_lost_again_and_again_is_no_burst),
        cmocka_unit_test(who_receives_a_duplicate_waits_for_nothing),
        cmocka_unit_test(who_receives_sees_the_single_loss_too),
        cmocka_unit_test(lost_last_segment_is_a_single_loss),
        cmocka_unit_test(ten_lost_segments_are_a_burst),
        cmocka_unit_test(lost_flight_that_takes_a_timeout_is_a_burst),
        cmocka_unit_test(receiver_that_stops_reading_is_told_by_its_window),
        cmocka_unit_test(router_that_wants_smaller_segments_is_icmp),
        cmocka_unit_test(two_small_writes_are_nagles),
        cmocka_unit_test(acknowledgment_that_waits_is_the_delayed_ack),
        cmocka_unit_test(pause_of_the_application_is_its_own),
        cmocka_unit_test(slow_answer_is_the_peers),
        cmocka_unit_test(longer_path_is_the_paths),
        cmocka_unit_test(slow_start_is_the_congestion_windows),
        cmocka_unit_test(pause_between_requests_is_nobodys),
        cmocka_unit_test(each_request_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
