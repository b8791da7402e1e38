/* The options about flow, one claim each; the kernel's side of them is compared by interop. */
#include "tests/unit/peer.h"
#include <errno.h>

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

static bool ready(struct peer *peer, unsigned bit)
{
    return (daytona_stack_readiness(peer->stack, peer->id) & bit) != 0;
}

/* The report of a change, if there is one, has this edge. */
static bool edge(struct peer *peer, unsigned bit)
{
    struct daytona_ready report;
    unsigned edges = 0;
    while (daytona_stack_take_ready(peer->stack, &report))
        edges |= report.edges;
    return (edges & bit) != 0;
}

/* ------------------------------------------------------------------ TCP_NOTSENT_LOWAT */

static void not_sent_low_water_bounds_what_waits_not_what_flies(void **state)
{
    (void)state;
    static uint8_t text[100000];
    struct daytona_span span = {text, sizeof text};
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_NOT_SENT_LOW_WATER, 20000);
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), 20000);
    assert_false(ready(&peer, DAYTONA_READY_OUT));
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), -EAGAIN);
    edge(&peer, 0);
    assert_int_equal(peer_hears_all(&peer), 10); /* 5,520 bytes wait */
    assert_true(ready(&peer, DAYTONA_READY_OUT));
    assert_true(edge(&peer, DAYTONA_READY_OUT)); /* by sending, not by an ACK */
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), 14480);
    peer_stop(&peer);
}

static void half_of_the_not_sent_low_water_must_be_gone_before_out(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_NOT_SENT_LOW_WATER, 20000);
    we_send(&peer, 9999, 0);
    assert_true(ready(&peer, DAYTONA_READY_OUT));
    we_send(&peer, 1, 0);
    assert_false(ready(&peer, DAYTONA_READY_OUT));
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ TCP_USER_TIMEOUT */

/* Linux tcp_clamp_rto_to_user_timeout(): to the millisecond, not at the next doubling */
static void user_timeout_is_met_exactly(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_US, 2000000);
    we_send(&peer, 100, 0);
    peer_hears_all(&peer);
    struct daytona_instant first = {0};
    while (our_state(&peer) == DAYTONA_TCP_ESTABLISHED) {
        peer_wait_deadline(&peer);
        peer_hears_all(&peer);
        if (first.ns == 0)
            first = peer.now;
    }
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    assert_in_range(daytona_instant_since_us(peer.now, first), 2000000, 2001000);
    peer_stop(&peer);
}

/* RFC 5482 3: kind 28, seconds */
static void user_timeout_is_told_once_when_asked_to(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_US, 300000000);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_false(peer.heard.header.has_user_timeout);
    peer_say(&peer, TCP_ACK, 1, 11, NULL);
    we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_TELL, 1);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_true(peer.heard.header.has_user_timeout);
    assert_int_equal(peer.heard.header.user_timeout, 300);
    peer_say(&peer, TCP_ACK, 1, 21, NULL);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_false(peer.heard.header.has_user_timeout);
    we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_US, INT64_C(40000) * 60000000);
    peer_say(&peer, TCP_ACK, 1, 31, NULL);
    we_send(&peer, 10, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.user_timeout, 0xffff); /* minutes, as many as there can be */
    peer_stop(&peer);
}

/* RFC 5482 3.1: CHANGEABLE until the application has a timeout of its own; L_LIMIT */
static void user_timeout_of_the_peer_is_taken_when_there_is_no_own(void **state)
{
    (void)state;
    for (unsigned own = 0; own < 2; own++) {
        struct peer peer;
        start_connected(&peer, &offer_all);
        we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_TELL, 1);
        if (own)
            we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_US, 3000000);
        struct tcp_header header = {.seq = {peer.peer_isn + 1},
                                    .ack = {peer.our_isn + 1},
                                    .flags = TCP_ACK,
                                    .window = 65535,
                                    .has_timestamps = true,
                                    .timestamp_value = peer.timestamp,
                                    .timestamp_echo = peer.timestamp_echo,
                                    .has_user_timeout = true,
                                    .user_timeout = 20}; /* less than the 100 s of RFC 1122 */
        peer_say_header(&peer, &header, (struct daytona_span){NULL, 0});
        we_send(&peer, 100, 0);
        peer_hears_all(&peer);
        struct daytona_instant sent = peer.now;
        while (our_state(&peer) == DAYTONA_TCP_ESTABLISHED) {
            peer_wait_deadline(&peer);
            peer_hears_all(&peer);
        }
        uint64_t seconds = daytona_instant_since_us(peer.now, sent) / 1000000;
        assert_in_range(seconds, own ? 3 : 100, own ? 4 : 101);
        peer_stop(&peer);
    }
}

/* ------------------------------------------------------------------ TCP_LINGER2 */

static void fin_wait_2_ends_when_it_was_asked_to(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    struct daytona_socket_id id = {0, 0};
    we_set(&peer, DAYTONA_OPTION_FIN_WAIT_2_US, 5000000);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_FIN | TCP_ACK, 1, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 2, NULL);
    peer_wait_us(&peer, 4999999);
    expect_silence(&peer);
    assert_true(daytona_stack_next(peer.stack, &id));
    peer_wait_us(&peer, 1);
    expect_silence(&peer);
    assert_int_equal(edge(&peer, DAYTONA_READY_GONE), true);
    peer_stop(&peer);
}

static void no_fin_wait_2_at_all_ends_with_a_reset(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_FIN_WAIT_2_US, -1);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_FIN | TCP_ACK, 1, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 2, NULL);
    expect_segment(&peer, TCP_RST | TCP_ACK, 2, 1, 0);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ TCP_THIN_LINEAR_TIMEOUTS */

/* The time from the first to the second of two timeouts, in units of the first. */
static uint64_t second_over_first(bool linear)
{
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_THIN_LINEAR, linear);
    we_set(&peer, DAYTONA_OPTION_LOSS_DETECTION, 1); /* without tail loss probes */
    uint64_t us[2];
    we_send(&peer, 100, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct daytona_instant before = peer.now;
        peer_hears_all(&peer);
        peer_wait_deadline(&peer);
        us[i] = daytona_instant_since_us(peer.now, before);
    }
    peer_hears_all(&peer);
    peer_stop(&peer);
    return (us[1] + us[0] / 2) / us[0];
}

static void thin_stream_repeats_without_doubling_at_first(void **state)
{
    (void)state;
    assert_int_equal(second_over_first(false), 2);
    assert_int_equal(second_over_first(true), 1);
}

/* ------------------------------------------------------------------ TCP_DEFER_ACCEPT */

static struct daytona_socket_id start_deferring(struct peer *peer, int64_t timeouts)
{
    peer_start(peer, NULL);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 16), child;
    assert_int_equal(daytona_stack_set_option(peer->stack, peer->now, listener,
                                              DAYTONA_OPTION_DEFER_ACCEPT, timeouts),
                     0);
    peer_syn(peer, &offer_all);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &child), -EAGAIN);
    expect_silence(peer);
    return listener;
}

/* Linux tcp_check_req() */
static void deferred_connection_is_accepted_with_its_first_data(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = start_deferring(&peer, 3);
    peer_wait_us(&peer, 900000);
    peer_say(&peer, TCP_ACK | TCP_PSH, 1, 1, "hello");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(our_info(&peer).receive_queued, 5);
    peer_stop(&peer);
}

/* Linux syn_ack_recalc(): silence until the last timeout, then one more SYN-ACK */
static void silent_client_is_asked_again_at_the_end_and_then_accepted(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = start_deferring(&peer, 3), child;
    peer_wait_us(&peer, 1000000);
    expect_silence(&peer);
    peer_wait_us(&peer, 2000000);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &child), -EAGAIN);
    peer_wait_us(&peer, 4000000);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

static void client_that_defers_acknowledges_the_handshake_with_its_data(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    we_set(&peer, DAYTONA_OPTION_DEFER_ACCEPT, 1);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    peer.timestamps = true;
    struct tcp_header header = {.seq = {peer.peer_isn},
                                .ack = {peer.our_isn + 1},
                                .flags = TCP_SYN | TCP_ACK,
                                .window = 65535,
                                .mss = 1460,
                                .has_timestamps = true,
                                .timestamp_value = peer.timestamp,
                                .timestamp_echo = peer.timestamp_echo};
    peer_say_header(&peer, &header, (struct daytona_span){NULL, 0});
    expect_silence(&peer);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    peer_wait_us(&peer, 200000);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ SO_RCVLOWAT */

/* Linux tcp_set_rcvlowat() */
static void low_water_above_the_buffer_makes_the_buffer_grow(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_RECEIVE_LOW_WATER, 200000);
    assert_int_equal(our_info(&peer).receive_buffer, 400000);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ SIOCINQ */

/* Linux tcp_inq(): FIONREAD counts to the mark */
static void readable_bytes_are_counted_to_the_urgent_mark(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    struct tcp_header header = {.seq = {peer.peer_isn + 1},
                                .ack = {peer.our_isn + 1},
                                .flags = TCP_ACK | TCP_URG,
                                .window = 65535,
                                .has_timestamps = true,
                                .timestamp_value = peer.timestamp,
                                .timestamp_echo = peer.timestamp_echo,
                                .urgent_pointer = 5};
    peer_say_header(&peer, &header, (struct daytona_span){(const uint8_t *)"0123456789", 10});
    assert_int_equal(our_info(&peer).receive_queued, 10);
    assert_int_equal(our_info(&peer).receive_readable, 4);
    we_set(&peer, DAYTONA_OPTION_URGENT_INLINE, 1);
    assert_int_equal(our_info(&peer).receive_readable, 10);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_sent_low_water_bounds_what_waits_not_what_flies),
        cmocka_unit_test(half_of_the_not_sent_low_water_must_be_gone_before_out),
        cmocka_unit_test(user_timeout_is_met_exactly),
        cmocka_unit_test(user_timeout_is_told_once_when_asked_to),
        cmocka_unit_test(user_timeout_of_the_peer_is_taken_when_there_is_no_own),
        cmocka_unit_test(fin_wait_2_ends_when_it_was_asked_to),
        cmocka_unit_test(no_fin_wait_2_at_all_ends_with_a_reset),
        cmocka_unit_test(thin_stream_repeats_without_doubling_at_first),
        cmocka_unit_test(deferred_connection_is_accepted_with_its_first_data),
        cmocka_unit_test(silent_client_is_asked_again_at_the_end_and_then_accepted),
        cmocka_unit_test(client_that_defers_acknowledges_the_handshake_with_its_data),
        cmocka_unit_test(low_water_above_the_buffer_makes_the_buffer_grow),
        cmocka_unit_test(readable_bytes_are_counted_to_the_urgent_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
