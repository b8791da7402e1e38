/* Opening connections: RFC 9293 section 3.5, options, the listener's queues. */
#include "tests/unit/peer.h"
#include <errno.h>

/* RFC 9293 3.5, figure 6 */
static void passive_open_reaches_established_by_the_final_ack(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), -EAGAIN);
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), -EAGAIN);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.id.index, listener.index);
    assert_int_equal(ready.edges, DAYTONA_READY_IN);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.3 */
static void active_open_reaches_established_by_the_syn_ack(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_SYN_SENT);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), 0);
    peer_answers(&peer, &offer_all);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    struct daytona_ready ready;
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_OUT);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), 0);
    peer_stop(&peer);
}

/* RFC 9293 3.7.1, RFC 7323 2.2, RFC 2018 2: the layout of a Linux SYN */
static void syn_offers_what_linux_offers_in_its_order(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    assert_true(peer_hears(&peer));
    const uint8_t *options = peer.heard.packet.header + 40;
    assert_int_equal(peer.heard.packet.header_length, 60);
    const uint8_t mss[] = {2, 4, 1460 >> 8, 1460 & 255}, sack[] = {4, 2}, scale[] = {1, 3, 3, 10};
    assert_memory_equal(options, mss, sizeof mss);
    assert_memory_equal(options + 4, sack, sizeof sack);
    assert_int_equal(options[6], 8);
    assert_memory_equal(options + 16, scale, sizeof scale);
    assert_int_equal(peer.heard.header.window, 65535);
    peer_stop(&peer);
}

/* RFC 7323 2.5 */
static void options_that_the_peer_does_not_offer_are_off(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_plain);
    struct daytona_connection_info info = our_info(&peer);
    assert_false(info.timestamps_on || info.sack_on || info.window_scaling_on);
    assert_int_equal(info.send_mss, 1460);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 10);
    assert_false(peer.heard.header.has_timestamps);
    assert_int_equal(peer.heard.packet.header_length, 40);
    peer_stop(&peer);
}

/* RFC 9293 3.7.1 */
static void without_an_mss_option_segments_have_536_bytes(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct offer nothing = {0};
    peer_connects(&peer, &nothing);
    assert_int_equal(our_info(&peer).send_mss, 536);
    peer_stop(&peer);
}

/* RFC 9293 3.5, figure 7 */
static void simultaneous_open_establishes_one_connection(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_SYN_RECEIVED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_SYN | TCP_ACK, 0, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    we_send(&peer, 3, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 3);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.3, second check */
static void reset_refuses_the_connection(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(peer_say(&peer, TCP_RST | TCP_ACK, 0, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    unsigned expected = DAYTONA_READY_IN | DAYTONA_READY_OUT | DAYTONA_READY_RDHUP |
                        DAYTONA_READY_HUP | DAYTONA_READY_ERROR;
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), expected);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ECONNREFUSED);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), 0);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.3, first and second check */
static void reset_that_acknowledges_nothing_of_ours_is_ignored(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(peer_say(&peer, TCP_RST | TCP_ACK, 0, 7, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    assert_int_equal(peer_say(&peer, TCP_RST, 0, 0, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_SYN_SENT);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.3, first check; 3.5.1 */
static void wrong_ack_in_syn_sent_is_answered_with_reset(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(peer_say(&peer, TCP_SYN | TCP_ACK, 0, 100, NULL), DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST, 100, 0, 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_SYN_SENT);
    peer_stop(&peer);
}

/* RFC 6298 2.1, 5.5; Linux tcp_syn_retries */
static void syn_is_repeated_with_doubling_pauses_until_the_attempt_ends(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    we_set(&peer, DAYTONA_OPTION_SYN_RETRIES, 3);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    for (unsigned pause_s = 1; pause_s <= 4; pause_s *= 2) {
        peer_wait_us(&peer, pause_s * 1000000 - 1);
        expect_silence(&peer);
        peer_wait_us(&peer, 1);
        expect_segment(&peer, TCP_SYN, 0, 0, 0);
        assert_int_equal(peer.last[DAYTONA_EVENT_TIMEOUT].a, pause_s * 1000000);
    }
    assert_int_equal(our_info(&peer).timeouts, 3);
    peer_wait_us(&peer, 8000000);
    expect_silence(&peer);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSED);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    peer_stop(&peer);
}

/* RFC 9293 3.8.1; Linux tcp_synack_retries */
static void syn_ack_is_repeated_five_times_and_then_forgotten(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    for (unsigned i = 0; i < 5; i++) {
        peer_wait_deadline(&peer);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    }
    peer_wait_deadline(&peer);
    expect_silence(&peer);
    struct daytona_socket_id id = {0, 0};
    assert_true(daytona_stack_next(peer.stack, &id));
    assert_int_equal(id.index, listener.index);
    assert_false(daytona_stack_next(peer.stack, &id));
    daytona_stack_close(peer.stack, peer.now, listener);
    peer_stop(&peer);
}

/* RFC 9293 3.8.1 */
static void repeated_syn_is_answered_with_the_same_syn_ack(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 5);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    uint32_t isn = peer.our_isn;
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer.our_isn, isn);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, fifth check in SYN-RECEIVED */
static void wrong_ack_in_syn_received_is_answered_with_reset(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 5);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 9, NULL), DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST, 9, 0, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4, second check: back to LISTEN */
static void reset_in_syn_received_removes_the_embryo(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_RST, 1, 0, NULL);
    struct daytona_socket_id id = listener;
    assert_false(daytona_stack_next(peer.stack, &id));
    daytona_stack_close(peer.stack, peer.now, listener);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.2 */
static void listener_answers_an_ack_with_reset_and_ignores_the_rest(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(peer_say(&peer, TCP_ACK, 5, 77, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.header.flags, TCP_RST);
    assert_int_equal(peer.heard.header.seq.value, 77);
    peer_say(&peer, TCP_RST, 5, 0, NULL);
    peer_say(&peer, TCP_FIN, 5, 0, NULL);
    peer_say(&peer, 0, 5, 0, "x");
    expect_silence(&peer);
    peer_stop(&peer);
}

static void peer_handshake(struct peer *peer, uint16_t port, enum daytona_verdict last)
{
    peer->peer_port = port;
    assert_int_equal(peer_syn(peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_say(peer, TCP_ACK, 1, 1, NULL), last);
}

/* Linux: one more than the backlog fits; a full accept queue drops SYNs */
static void full_accept_queue_ignores_syns_until_accept(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 1);
    peer_handshake(&peer, 4001, DAYTONA_VERDICT_ACCEPTED);
    peer_handshake(&peer, 4002, DAYTONA_VERDICT_ACCEPTED);
    peer.peer_port = 4003;
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_BACKLOG_FULL);
    expect_silence(&peer);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    struct daytona_endpoint remote;
    daytona_stack_endpoints(peer.stack, peer.id, NULL, &remote);
    assert_int_equal(remote.port, 4001); /* the oldest first */
    peer_handshake(&peer, 4003, DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* Linux: the final ACK is dropped, SYN-ACK is repeated */
static void final_ack_to_a_full_accept_queue_is_dropped(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 0);
    peer.peer_port = 4001;
    peer_syn(&peer, &offer_all); /* an embryo before the queue is full */
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    uint32_t first_isn = peer.our_isn;
    daytona_stack_listen(peer.stack, listener, 1);
    peer_handshake(&peer, 4002, DAYTONA_VERDICT_ACCEPTED);
    daytona_stack_listen(peer.stack, listener, 0);
    peer.peer_port = 4001;
    peer.our_isn = first_isn;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_BACKLOG_FULL);
    peer_wait_us(&peer, 1000000);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* Linux: a connection reset while it waits in the queue is still accepted */
static void connection_reset_before_accept_is_accepted_with_its_error(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[16];
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer_handshake(&peer, 4000, DAYTONA_VERDICT_ACCEPTED);
    peer_say(&peer, TCP_ACK | TCP_PSH, 1, 1, "hello");
    peer_say(&peer, TCP_RST, 6, 0, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), -ECONNRESET);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    peer_stop(&peer);
}

/* RFC 4987 3.2: what half-open connections may take is bounded */
static void embryos_are_bounded(void **state)
{
    (void)state;
    struct peer peer;
    const struct daytona_stack_config config = {
        .owns_every_port = true, .syn_queue_max = 128, .syn_cookies = DAYTONA_SYN_COOKIES_OFF};
    peer_start(&peer, &config);
    peer_listener(&peer, OUR_PORT, 5);
    unsigned taken = 0;
    for (uint16_t port = 10000; port < 10500; port++) {
        peer.peer_port = port;
        taken += peer_syn(&peer, &offer_all) == DAYTONA_VERDICT_ACCEPTED;
    }
    assert_int_equal(taken, 128);
    assert_int_equal(daytona_stack_counters(peer.stack)->listen_overflows, 500 - 128);
    assert_int_equal(peer.events[DAYTONA_EVENT_LISTEN_OVERFLOW], 500 - 128);
    peer_stop(&peer);
}

/* RFC 9293 3.10.4, on a listener; Linux resets what nobody accepted */
static void closing_a_listener_resets_what_was_not_accepted(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    peer_handshake(&peer, 4000, DAYTONA_VERDICT_ACCEPTED);
    uint32_t first_isn = peer.our_isn;
    peer.peer_port = 4001;
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    daytona_stack_close(peer.stack, peer.now, listener);
    peer.our_isn = first_isn;
    expect_segment(&peer, TCP_RST | TCP_ACK, 1, 1, 0);
    expect_silence(&peer);
    struct daytona_socket_id id = {0, 0};
    assert_false(daytona_stack_next(peer.stack, &id));
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.3: "continue processing at the sixth step" */
static void data_and_fin_on_a_syn_ack_are_taken(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[16];
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    peer_say(&peer, TCP_SYN | TCP_ACK | TCP_FIN, 0, 1, "hi");
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    expect_segment(&peer, TCP_ACK, 1, 4, 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 2);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    peer_stop(&peer);
}

/* RFC 6528 3, RFC 9293 section 3.4.1 */
static void initial_sequence_numbers_grow_with_time_and_differ_between_tuples(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 16);
    peer_syn(&peer, &offer_all);
    assert_true(peer_hears(&peer));
    uint32_t first = peer.our_isn, first_time = peer.heard.header.timestamp_value;
    peer_say(&peer, TCP_RST, 1, 0, NULL);
    peer_wait_us(&peer, 400);
    peer_syn(&peer, &offer_all);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.our_isn - first, 400000 / 64);
    peer.peer_port++;
    peer_syn(&peer, &offer_all);
    assert_true(peer_hears(&peer));
    assert_true(peer.our_isn - first > 100000);
    assert_true(peer.heard.header.timestamp_value - first_time > 100000); /* RFC 7323 7.1 */
    peer_stop(&peer);
}

/* RFC 6191 2: the next program of this host has the port now, its peer a TIME-WAIT */
static void stacks_of_one_host_agree_on_numbers_and_on_nothing_else(void **state)
{
    (void)state;
    uint32_t isn[3], timestamp[3];
    for (uint8_t i = 0; i < 3; i++) {
        struct peer peer;
        const struct daytona_stack_config config = {
            .owns_every_port = true, .secret = {i}, .host_secret = {i == 2 ? 8 : 7}};
        peer_start(&peer, &config);
        peer_wait_us(&peer, i * UINT64_C(1000000));
        peer_we_connect(&peer);
        expect_segment(&peer, TCP_SYN, 0, 0, 0);
        isn[i] = peer.our_isn;
        timestamp[i] = peer.heard.header.timestamp_value;
        peer_stop(&peer);
    }
    assert_int_equal(isn[1] - isn[0], 1000000000 / 64);
    assert_int_equal(timestamp[1] - timestamp[0], 1000);
    assert_true(isn[2] - isn[1] > 100000000 && timestamp[2] - timestamp[1] > 100000);
}

/* RFC 6298 5.7 */
static void lost_syn_and_no_sample_begin_data_with_three_seconds(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    peer_wait_us(&peer, 1000000);
    peer_answers(&peer, &offer_plain);
    assert_int_equal(our_info(&peer).rto_us, 3000000);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open_reaches_established_by_the_final_ack),
        cmocka_unit_test(active_open_reaches_established_by_the_syn_ack),
        cmocka_unit_test(syn_offers_what_linux_offers_in_its_order),
        cmocka_unit_test(options_that_the_peer_does_not_offer_are_off),
        cmocka_unit_test(without_an_mss_option_segments_have_536_bytes),
        cmocka_unit_test(simultaneous_open_establishes_one_connection),
        cmocka_unit_test(reset_refuses_the_connection),
        cmocka_unit_test(reset_that_acknowledges_nothing_of_ours_is_ignored),
        cmocka_unit_test(wrong_ack_in_syn_sent_is_answered_with_reset),
        cmocka_unit_test(syn_is_repeated_with_doubling_pauses_until_the_attempt_ends),
        cmocka_unit_test(syn_ack_is_repeated_five_times_and_then_forgotten),
        cmocka_unit_test(repeated_syn_is_answered_with_the_same_syn_ack),
        cmocka_unit_test(wrong_ack_in_syn_received_is_answered_with_reset),
        cmocka_unit_test(reset_in_syn_received_removes_the_embryo),
        cmocka_unit_test(listener_answers_an_ack_with_reset_and_ignores_the_rest),
        cmocka_unit_test(full_accept_queue_ignores_syns_until_accept),
        cmocka_unit_test(final_ack_to_a_full_accept_queue_is_dropped),
        cmocka_unit_test(connection_reset_before_accept_is_accepted_with_its_error),
        cmocka_unit_test(embryos_are_bounded),
        cmocka_unit_test(closing_a_listener_resets_what_was_not_accepted),
        cmocka_unit_test(data_and_fin_on_a_syn_ack_are_taken),
        cmocka_unit_test(initial_sequence_numbers_grow_with_time_and_differ_between_tuples),
        cmocka_unit_test(stacks_of_one_host_agree_on_numbers_and_on_nothing_else),
        cmocka_unit_test(lost_syn_and_no_sample_begin_data_with_three_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
