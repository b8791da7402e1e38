/* The sending side without loss: segments, PSH, Nagle, cork, windows, probes, urgent data. */
#include "tests/unit/peer.h"
#include <errno.h>

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

/* RFC 9293 3.7, 3.9.1.2: full segments, PSH at the end of the write; RFC 6928: ten of them */
static void initial_window_is_ten_segments_and_push_ends_a_write(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 20000, 0);
    for (uint32_t i = 0; i < 10; i++)
        expect_segment(&peer, TCP_ACK, 1 + 1448 * i, 1, 1448);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 14481, NULL);
    for (uint32_t i = 10; i < 13; i++)
        expect_segment(&peer, TCP_ACK, 1 + 1448 * i, 1, 1448);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1 + 1448 * 13, 1, 20000 - 1448 * 13);
    peer_stop(&peer);
}

/* packet_out.segment_bytes: several full segments in one packet for a sink that splits them */
static void super_segments_hold_whole_segments(void **state)
{
    (void)state;
    struct daytona_stack_config config = {.super_segment_bytes_max = 64000};
    struct peer peer;
    peer_start(&peer, &config);
    peer_connects(&peer, &offer_all);
    we_send(&peer, 20000, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 14480);
    assert_int_equal(peer.heard.packet.segment_bytes, 1448);
    for (size_t i = 0; i < peer.heard.length; i++)
        assert_int_equal(peer.heard.payload[i], peer_byte(1 + i));
    peer_say(&peer, TCP_ACK, 1, 14481, NULL);
    expect_segment(&peer, TCP_ACK, 14481, 1, 1448 * 3);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 14481 + 1448 * 3, 1, 20000 - 14480 - 1448 * 3);
    assert_int_equal(peer.heard.packet.segment_bytes, 0);
    peer_stop(&peer);
}

/* RFC 9293 3.7.4 with Minshall's refinement */
static void small_segment_waits_for_the_ack_of_the_last_small_one(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    we_send(&peer, 10, 0);
    we_send(&peer, 10, 0);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 11, NULL);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 11, 1, 20);
    peer_stop(&peer);
}

static void small_tail_behind_full_segments_does_not_wait(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 1448 + 10, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 1448);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1449, 1, 10);
    peer_stop(&peer);
}

/* TCP_NODELAY */
static void no_delay_sends_small_segments_at_once(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_NO_DELAY, 1);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 11, 1, 10);
    peer_stop(&peer);
}

/* TCP_CORK: 200 ms at most */
static void cork_holds_partial_segments_for_200_ms(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_CORK, 1);
    we_send(&peer, 10, 0);
    expect_silence(&peer);
    peer_wait_us(&peer, 199999);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    peer_say(&peer, TCP_ACK, 1, 11, NULL);
    we_send(&peer, 1448, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 11, 1, 1448);
    we_send(&peer, 5, 0);
    expect_silence(&peer);
    we_set(&peer, DAYTONA_OPTION_CORK, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1459, 1, 5);
    peer_stop(&peer);
}

/* MSG_MORE */
static void more_holds_until_a_write_without_it(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 10, DAYTONA_SEND_MORE);
    expect_silence(&peer);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 20);
    peer_stop(&peer);
}

/* RFC 9293 3.8.6.2.1: no crumbs into a small window */
static void sender_does_not_fill_a_small_window_with_crumbs(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    peer.window = 100;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    we_send(&peer, 3000, 0);
    expect_silence(&peer);
    peer_wait_deadline(&peer); /* the override timer */
    expect_segment(&peer, TCP_ACK, 1, 1, 100);
    peer_stop(&peer);
}

/* RFC 9293 3.8.6.1 */
static void closed_window_is_probed_with_growing_pauses_for_ever(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer.window = 0;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    we_send(&peer, 100, 0);
    expect_silence(&peer);
    uint64_t last_us = 0;
    for (unsigned i = 0; i < 40; i++) {
        uint64_t from = peer.now.ns;
        peer_wait_deadline(&peer);
        expect_segment(&peer, TCP_ACK, 0, 1, 0);
        uint64_t pause_us = (peer.now.ns - from) / 1000;
        assert_true(pause_us >= last_us && pause_us <= 120000000);
        last_us = pause_us;
        peer_say(&peer, TCP_ACK, 1, 1, NULL); /* still closed */
    }
    assert_int_equal(last_us, 120000000);
    peer.window = 1000;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    peer_stop(&peer);
}

/* RFC 9293 3.8.3: R2 counts for probes without answer, too */
static void unanswered_window_probes_end_the_connection(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer.window = 0;
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    we_send(&peer, 100, 0);
    for (unsigned i = 0; i < 15; i++) {
        peer_wait_deadline(&peer);
        expect_segment(&peer, TCP_ACK, 0, 1, 0);
    }
    peer_wait_deadline(&peer);
    assert_true(peer_hears(&peer));
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4: an old segment does not bring its old window */
static void window_of_an_old_segment_is_not_taken(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    peer_say(&peer, TCP_ACK, 1, 1, "abcd");
    peer.window = 10;
    peer_say(&peer, TCP_ACK, 3, 1, "cdef"); /* older number than the next, newer than wl1 */
    assert_int_equal(our_info(&peer).send_window, 10);
    peer.window = 99;
    peer_say(&peer, TCP_ACK, 2, 1, "bcdefg");
    assert_int_equal(our_info(&peer).send_window, 10);
    peer_stop(&peer);
}

/* RFC 9293 3.8.5 */
static void urgent_pointer_is_one_past_the_byte(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 5, DAYTONA_SEND_URGENT);
    expect_segment(&peer, TCP_ACK | TCP_PSH | TCP_URG, 1, 1, 5);
    assert_int_equal(peer.heard.header.urgent_pointer, 5);
    peer_say(&peer, TCP_ACK, 1, 6, NULL);
    we_send(&peer, 5, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 6, 1, 5);
    peer_stop(&peer);
}

/* RFC 3465 2.2; a driver may hand over several ACKs before it sends */
static void acks_that_come_together_grow_the_window_as_one_by_one(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 100 * 1448, 0);
    assert_int_equal(peer_hears_all(&peer), 10);
    for (uint32_t i = 1; i <= 5; i++)
        peer_say(&peer, TCP_ACK, 1, 1 + i * 2896, NULL);
    assert_int_equal(our_info(&peer).cwnd_bytes, 20 * 1448);
    assert_int_equal(peer_hears_all(&peer), 20);
    peer_stop(&peer);
}

/* RFC 5681 4.1 */
static void long_idle_connection_starts_again_from_the_initial_window(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_WINDOW_VALIDATION, 0);
    uint32_t sent = 1;
    for (unsigned i = 0; i < 4; i++) {
        we_send(&peer, 200 * 1448, 0);
        while (our_info(&peer).send_queued > 0) {
            while (peer_hears(&peer))
                sent = peer.heard.seq + (uint32_t)peer.heard.length;
            peer_wait_us(&peer, 1000);
            peer_say(&peer, TCP_ACK, 1, sent, NULL);
        }
    }
    assert_true(our_info(&peer).cwnd_bytes > 20 * 1448);
    peer_wait_us(&peer, 60000000);
    we_send(&peer, 200 * 1448, 0);
    assert_in_range(peer_hears_all(&peer), 1, 10);
    peer_stop(&peer);
}

/* SO_SNDBUF; POLLOUT as in Linux: a third must be free */
static void full_send_buffer_is_not_writable_until_a_third_is_free(void **state)
{
    (void)state;
    struct peer peer;
    static uint8_t text[30000];
    struct daytona_span span = {text, sizeof text};
    struct daytona_ready ready;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_SEND_BUFFER, 10000);
    while (daytona_stack_take_ready(peer.stack, &ready)) {
    }
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), 10000);
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), -EAGAIN);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), 0);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 3001, NULL);
    assert_false(daytona_stack_take_ready(peer.stack, &ready));
    peer_say(&peer, TCP_ACK, 1, 4001, NULL);
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_OUT);
    peer_stop(&peer);
}

/* lighttpd sends so much an event, asks for the next event, and never meets EAGAIN */
static void a_buffer_that_was_never_refused_reports_space_too(void **state)
{
    (void)state;
    struct peer peer;
    static uint8_t text[8000];
    struct daytona_span span = {text, sizeof text};
    struct daytona_ready ready;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_SEND_BUFFER, 10000);
    while (daytona_stack_take_ready(peer.stack, &ready)) {
    }
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), 8000);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), 0);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 8001, NULL);
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_OUT);
    peer_stop(&peer);
}

/* RFC 9293 3.8.4: Linux's options */
static void keepalive_probes_and_gives_up(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_KEEP_IDLE_US, 10000000);
    we_set(&peer, DAYTONA_OPTION_KEEP_INTERVAL_US, 2000000);
    we_set(&peer, DAYTONA_OPTION_KEEP_COUNT, 3);
    we_set(&peer, DAYTONA_OPTION_KEEP_ALIVE, 1);
    peer_wait_us(&peer, 9999999);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL); /* alive: the count starts anew */
    peer_wait_us(&peer, 10000000);
    expect_segment(&peer, TCP_ACK, 0, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        peer_wait_us(&peer, 2000000);
        expect_segment(&peer, TCP_ACK, 0, 1, 0);
    }
    peer_wait_us(&peer, 2000000);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    peer_stop(&peer);
}

/* TCP_MAXSEG; RFC 9293 3.7.1 */
static void maximum_segment_option_bounds_both_directions(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    daytona_stack_set_option(peer.stack, peer.now, listener, DAYTONA_OPTION_MAXIMUM_SEGMENT, 500);
    peer_syn(&peer, &offer_plain);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer.heard.header.mss, 500);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    daytona_stack_accept(peer.stack, listener, &peer.id);
    we_send(&peer, 600, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 500);
    peer_stop(&peer);
}

/* IP_TOS, IP_TTL */
static void type_of_service_and_time_to_live_are_in_the_header(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_set(&peer, DAYTONA_OPTION_TYPE_OF_SERVICE, 0x48);
    we_set(&peer, DAYTONA_OPTION_TIME_TO_LIVE, 7);
    we_send(&peer, 1, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.packet.header[1], 0x48);
    assert_int_equal(peer.heard.packet.header[8], 7);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_window_is_ten_segments_and_push_ends_a_write),
        cmocka_unit_test(super_segments_hold_whole_segments),
        cmocka_unit_test(small_segment_waits_for_the_ack_of_the_last_small_one),
        cmocka_unit_test(small_tail_behind_full_segments_does_not_wait),
        cmocka_unit_test(no_delay_sends_small_segments_at_once),
        cmocka_unit_test(cork_holds_partial_segments_for_200_ms),
        cmocka_unit_test(more_holds_until_a_write_without_it),
        cmocka_unit_test(sender_does_not_fill_a_small_window_with_crumbs),
        cmocka_unit_test(closed_window_is_probed_with_growing_pauses_for_ever),
        cmocka_unit_test(unanswered_window_probes_end_the_connection),
        cmocka_unit_test(window_of_an_old_segment_is_not_taken),
        cmocka_unit_test(urgent_pointer_is_one_past_the_byte),
        cmocka_unit_test(acks_that_come_together_grow_the_window_as_one_by_one),
        cmocka_unit_test(long_idle_connection_starts_again_from_the_initial_window),
        cmocka_unit_test(full_send_buffer_is_not_writable_until_a_third_is_free),
        cmocka_unit_test(a_buffer_that_was_never_refused_reports_space_too),
        cmocka_unit_test(keepalive_probes_and_gives_up),
        cmocka_unit_test(maximum_segment_option_bounds_both_directions),
        cmocka_unit_test(type_of_service_and_time_to_live_are_in_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
