/* Closing: RFC 9293 section 3.6, TIME-WAIT, half-close, resets at close, orphans. */
#include "tests/unit/peer.h"
#include <errno.h>

static char buffer[4096];

static void start_connected(struct peer *peer)
{
    peer_start(peer, NULL);
    peer_connects(peer, &offer_all);
    struct daytona_ready ready;
    while (daytona_stack_take_ready(peer->stack, &ready)) {
    }
}

static void we_close(struct peer *peer)
{
    assert_int_equal(daytona_stack_close(peer->stack, peer->now, peer->id), 0);
}

static void we_shut(struct peer *peer, enum daytona_shutdown how)
{
    assert_int_equal(daytona_stack_shutdown(peer->stack, peer->now, peer->id, how), 0);
}

static void expect_gone(struct peer *peer, void *user)
{
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer->stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_GONE);
    assert_int_equal(ready.now, DAYTONA_READY_GONE);
    assert_ptr_equal(ready.user, user);
    assert_false(daytona_stack_take_ready(peer->stack, &ready));
    struct daytona_connection_info info;
    assert_int_equal(daytona_stack_info(peer->stack, peer->now, peer->id, &info), -EBADF);
}

/* RFC 9293 3.6, figure 12 */
static void active_close_goes_through_time_wait(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    daytona_stack_set_user(peer.stack, peer.id, &peer);
    we_close(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_FIN_WAIT_1);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 2, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_FIN_WAIT_2);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 2, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_wait_us(&peer, 59999999);
    expect_silence(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    peer_wait_us(&peer, 1);
    expect_silence(&peer);
    expect_gone(&peer, &peer);
    peer_stop(&peer);
}

/* RFC 9293 3.6: the passive side */
static void passive_close_ends_with_the_ack_of_its_fin(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 1, NULL);
    expect_segment(&peer, TCP_ACK, 1, 2, 0);
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_IN | DAYTONA_READY_RDHUP);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    we_close(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_LAST_ACK);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 2, 0);
    peer_say(&peer, TCP_ACK, 2, 2, NULL);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

/* RFC 9293 3.6, figure 13 */
static void simultaneous_close_goes_through_closing(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 1, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSING);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_say(&peer, TCP_ACK, 2, 2, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4: the FIN and the ACK of ours in one segment */
static void fin_with_the_ack_of_our_fin_leads_to_time_wait_at_once(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 2, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_stop(&peer);
}

/* RFC 9293 3.6.1, 3.9.1 */
static void half_closed_connection_still_receives(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    struct daytona_span span = {(const uint8_t *)"x", 1};
    we_shut(&peer, DAYTONA_SHUTDOWN_WRITE);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), -EPIPE);
    peer_say(&peer, TCP_ACK, 1, 2, "late");
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 4);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_FIN_WAIT_2);
    peer_say(&peer, TCP_ACK | TCP_FIN, 5, 2, NULL);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id),
                     DAYTONA_READY_IN | DAYTONA_READY_OUT | DAYTONA_READY_RDHUP |
                         DAYTONA_READY_HUP);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    we_close(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    peer_stop(&peer);
}

/* RFC 9293 3.10.4: FIN follows the data */
static void data_written_before_close_are_delivered(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 2000, 0);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK, 1, 1, 1448);
    expect_segment(&peer, TCP_ACK | TCP_PSH | TCP_FIN, 1449, 1, 552);
    peer_stop(&peer);
}

/* RFC 2525 2.17 */
static void close_with_unread_data_resets(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK, 1, 1, "unread");
    peer_hears_all(&peer);
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    we_close(&peer);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 7, 0);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

/* SO_LINGER with 0 */
static void close_without_lingering_resets(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_set(&peer, DAYTONA_OPTION_LINGER_US, 0);
    we_send(&peer, 100, 0);
    we_close(&peer);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    expect_silence(&peer);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

/* RFC 9293 3.10.5 */
static void abort_resets_and_reports_nothing(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_ready ready;
    start_connected(&peer);
    assert_int_equal(daytona_stack_abort(peer.stack, peer.now, peer.id), 0);
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    assert_false(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(daytona_stack_abort(peer.stack, peer.now, peer.id), -EBADF);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, seventh; RFC 1122 4.2.2.13 */
static void data_after_close_are_answered_with_reset(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 2, "who reads this?"), DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST, 2, 0, 0);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

/* RFC 5961 section 3.2: a peer that lacks what is in flight believes no other number. */
static void reset_after_close_bears_the_number_that_the_peer_expects(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_send(&peer, 500, 0);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_PSH | TCP_FIN, 1, 1, 500);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "who reads this?"), DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST, 1, 0, 0);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

/* Linux tcp_fin_timeout */
static void orphan_in_fin_wait_2_is_given_up_after_a_minute(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 2, NULL);
    peer_wait_us(&peer, 60000000);
    expect_silence(&peer);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

static void reach_time_wait(struct peer *peer)
{
    start_connected(peer);
    we_close(peer);
    expect_segment(peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(peer, TCP_ACK | TCP_FIN, 1, 2, NULL);
    expect_segment(peer, TCP_ACK, 2, 2, 0);
    assert_int_equal(our_state(peer), DAYTONA_TCP_TIME_WAIT);
}

/* RFC 9293 3.10.7.4: the FIN again: the ACK was lost */
static void repeated_fin_in_time_wait_is_acknowledged_and_starts_it_anew(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    peer_wait_us(&peer, 50000000);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 2, NULL);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_wait_us(&peer, 59000000);
    expect_silence(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    peer_stop(&peer);
}

/* RFC 1337 */
static void reset_beside_the_next_byte_does_not_end_time_wait(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    peer_say(&peer, TCP_RST, 1, 0, NULL);
    peer_say(&peer, TCP_RST, 3, 0, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_TIME_WAIT);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4 */
static void exact_reset_ends_time_wait_and_makes_room_for_a_new_connection(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    peer_listener(&peer, OUR_PORT, 5);
    peer.timestamp -= 100; /* a restarted peer: its clock and its ISN come from another secret */
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_say(&peer, TCP_RST, 2, 0, NULL);
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_stop(&peer);
}

/* RFC 6191 2 */
static void newer_syn_takes_the_place_of_time_wait(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    struct daytona_socket_id old = peer.id;
    peer_listener(&peer, OUR_PORT, 5);
    uint32_t old_next = peer.our_isn + 2;
    peer_wait_us(&peer, 5000);
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer.our_isn - old_next, 65537);
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.id.index, old.index);
    assert_int_equal(ready.edges, DAYTONA_READY_GONE);
    peer_stop(&peer);
}

/* RFC 6191 2 */
static void older_syn_does_not_take_the_place_of_time_wait(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    peer_listener(&peer, OUR_PORT, 5);
    peer.timestamp -= 100;
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    peer_stop(&peer);
}

/* TIME-WAIT holds a socket record of 352 bytes, no connection and no buffer */
static void time_wait_costs_one_small_record(void **state)
{
    (void)state;
    struct peer peer;
    reach_time_wait(&peer);
    struct daytona_memory_use use;
    daytona_stack_memory(peer.stack, &use);
    /* 352 for the socket, its slot block of 8 KB, two tables of 64 buckets and a port record. */
    assert_in_range(use.used_bytes, 352, 352 + 8192 + 512 + 512 + 128);
    peer_stop(&peer);
}

/* A connect may take over a TIME-WAIT of its own after one second, by timestamps */
static void connect_may_reuse_its_own_time_wait_after_a_second(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    peer_answers(&peer, &offer_all);
    we_close(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1, 1, 0);
    peer_say(&peer, TCP_ACK | TCP_FIN, 1, 2, NULL);
    expect_segment(&peer, TCP_ACK, 2, 2, 0);
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), 5000};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), 4000};
    assert_int_equal(daytona_stack_open(peer.stack, &peer.id), 0);
    assert_int_equal(daytona_stack_bind(peer.stack, peer.id, &local), 0);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                     -EADDRINUSE);
    peer_wait_us(&peer, 1000000);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                     -EINPROGRESS);
    peer_answers(&peer, &offer_all);
    peer_stop(&peer);
}

/* RFC 9293 3.10.4 in SYN-SENT */
static void closing_during_connect_ends_silently(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    we_close(&peer);
    expect_silence(&peer);
    expect_gone(&peer, NULL);
    peer_stop(&peer);
}

static void closing_a_fresh_socket_reports_gone(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    assert_int_equal(daytona_stack_open(peer.stack, &peer.id), 0);
    we_close(&peer);
    expect_gone(&peer, NULL);
    assert_int_equal(daytona_stack_close(peer.stack, peer.now, peer.id), -EBADF);
    peer_stop(&peer);
}

/* RFC 1122 4.2.2.13: reading shut, data still come */
static void shut_for_reading_ends_the_stream_when_it_is_empty(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer);
    peer_say(&peer, TCP_ACK, 1, 1, "abc");
    we_shut(&peer, DAYTONA_SHUTDOWN_READ);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(active_close_goes_through_time_wait),
        cmocka_unit_test(passive_close_ends_with_the_ack_of_its_fin),
        cmocka_unit_test(simultaneous_close_goes_through_closing),
        cmocka_unit_test(fin_with_the_ack_of_our_fin_leads_to_time_wait_at_once),
        cmocka_unit_test(half_closed_connection_still_receives),
        cmocka_unit_test(data_written_before_close_are_delivered),
        cmocka_unit_test(close_with_unread_data_resets),
        cmocka_unit_test(close_without_lingering_resets),
        cmocka_unit_test(abort_resets_and_reports_nothing),
        cmocka_unit_test(data_after_close_are_answered_with_reset),
        cmocka_unit_test(reset_after_close_bears_the_number_that_the_peer_expects),
        cmocka_unit_test(orphan_in_fin_wait_2_is_given_up_after_a_minute),
        cmocka_unit_test(repeated_fin_in_time_wait_is_acknowledged_and_starts_it_anew),
        cmocka_unit_test(reset_beside_the_next_byte_does_not_end_time_wait),
        cmocka_unit_test(exact_reset_ends_time_wait_and_makes_room_for_a_new_connection),
        cmocka_unit_test(newer_syn_takes_the_place_of_time_wait),
        cmocka_unit_test(older_syn_does_not_take_the_place_of_time_wait),
        cmocka_unit_test(time_wait_costs_one_small_record),
        cmocka_unit_test(connect_may_reuse_its_own_time_wait_after_a_second),
        cmocka_unit_test(closing_during_connect_ends_silently),
        cmocka_unit_test(closing_a_fresh_socket_reports_gone),
        cmocka_unit_test(shut_for_reading_ends_the_stream_when_it_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
