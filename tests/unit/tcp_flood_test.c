/* Half-open connections by the thousand: the SYN queue, and SYN cookies (RFC 4987). */
#include "tests/unit/peer.h"
#include <errno.h>

#define QUEUE 4

static struct daytona_socket_id start_listening(struct peer *peer, enum daytona_syn_cookies cookies)
{
    const struct daytona_stack_config config = {
        .owns_every_port = true, .syn_queue_max = QUEUE, .syn_cookies = cookies};
    peer_start(peer, &config);
    return peer_listener(peer, OUR_PORT, 2);
}

/* SYNs of clients that do not exist, each answered. */
static void fill_queue(struct peer *peer)
{
    for (uint16_t port = 10000; port < 10000 + QUEUE; port++) {
        peer->peer_port = port;
        assert_int_equal(peer_syn(peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
        expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    }
    peer->peer_port = PEER_PORT;
}

/* A listener whose queue is full; a client's SYN was answered with a cookie. */
static struct daytona_socket_id offer_cookie(struct peer *peer, const struct offer *offer)
{
    struct daytona_socket_id listener = start_listening(peer, DAYTONA_SYN_COOKIES_AUTO);
    fill_queue(peer);
    assert_int_equal(daytona_stack_counters(peer->stack)->cookies_sent, 0);
    assert_int_equal(peer_syn(peer, offer), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(daytona_stack_counters(peer->stack)->cookies_sent, 1);
    return listener;
}

static size_t bytes_used(struct peer *peer)
{
    struct daytona_memory_use use;
    daytona_stack_memory(peer->stack, &use);
    return use.used_bytes;
}

/* RFC 9293 3.3.2: LISTEN, then SYN-RECEIVED */
static void half_open_connection_is_listed_and_keeps_its_name(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_connection_info info;
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    struct daytona_socket_id embryo = listener;
    peer_syn(&peer, &offer_all);
    assert_true(daytona_stack_next(peer.stack, &embryo));
    assert_int_equal(daytona_stack_info(peer.stack, peer.now, embryo, &info), 0);
    assert_int_equal(info.state, DAYTONA_TCP_SYN_RECEIVED);
    assert_int_equal(info.remote.port, PEER_PORT);
    assert_int_equal(daytona_stack_close(peer.stack, peer.now, embryo), -EBADF);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(peer.id.index, embryo.index);
    assert_int_equal(peer.id.generation, embryo.generation);
    assert_int_equal(peer.events[DAYTONA_EVENT_STATE], 3); /* LISTEN, and two of the embryo */
    peer_stop(&peer);
}

/* RFC 4987 3.5 */
static void half_open_connection_costs_a_small_block(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 2);
    peer_syn(&peer, &offer_all);
    size_t one = bytes_used(&peer);
    for (uint16_t port = 10000; port < 10050; port++) {
        peer.peer_port = port;
        peer_syn(&peer, &offer_all);
    }
    assert_int_equal(bytes_used(&peer) - one, 50 * 256);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.4: an ACK that completes the handshake may bring text and FIN */
static void text_and_fin_of_the_final_ack_are_taken(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK | TCP_FIN, 1, 1, "hello"), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    peer_stop(&peer);
}

/* RFC 9293 3.4, RFC 7323 5.3 */
static void half_open_connection_answers_what_is_out_of_window_at_a_bounded_rate(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(peer_say(&peer, TCP_ACK, 100000, 1, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    expect_silence(&peer);
    peer.timestamp -= 5;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    peer.timestamp += 5;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* RFC 5961 3.2, 4.2 */
static void half_open_connection_challenges_inexact_resets_and_syns(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_RST, 2, 0, NULL);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    peer_wait_us(&peer, 500000);
    peer_say(&peer, TCP_SYN, 2, 0, NULL);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* RFC 1122 4.2.3.9, RFC 5927 4.1 */
static void icmp_errors_end_a_half_open_connection_when_hard_and_exact(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_icmp(&peer, 3, 3, 0, 1), DAYTONA_VERDICT_ICMP_IGNORED);
    assert_int_equal(peer_icmp(&peer, 3, 1, 0, 0), DAYTONA_VERDICT_ICMP_TAKEN); /* may pass */
    peer_wait_us(&peer, 1000000);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_int_equal(peer_icmp(&peer, 3, 3, 0, 0), DAYTONA_VERDICT_ICMP_TAKEN);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_RESET_SENT);
    peer_stop(&peer);
}

/* RFC 4987 3.6 */
static void full_queue_makes_connections_of_cookies(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    struct daytona_socket_id listener = offer_cookie(&peer, &offer_all);
    struct tcp_header answer = peer.heard.header;
    assert_true(answer.has_timestamps && answer.has_sack_permitted && answer.has_window_scale);
    peer_wait_us(&peer, 30000);
    peer_say(&peer, TCP_ACK | TCP_PSH, 1, 1, "hello");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    struct daytona_connection_info info = our_info(&peer);
    assert_int_equal(info.state, DAYTONA_TCP_ESTABLISHED);
    assert_true(info.timestamps_on && info.sack_on && info.window_scaling_on);
    assert_int_equal(info.send_window_scale, 7);
    assert_int_equal(info.send_mss, 1460 - 12);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    assert_true(peer_hears(&peer));
    assert_true((int32_t)(peer.heard.header.timestamp_value - answer.timestamp_value) > 0);
    assert_int_equal(daytona_stack_counters(peer.stack)->cookies_accepted, 1);
    peer_stop(&peer);
}

/* RFC 4987 3.6: nothing keeps it, so nothing is left */
static void cookie_takes_no_memory(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    fill_queue(&peer);
    size_t before = bytes_used(&peer);
    for (uint32_t i = 0; i < 50000; i++) {
        peer.peer_isn = i * 2654435761u;
        peer.peer_port = (uint16_t)(20000 + i % 40000);
        assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
        assert_int_equal(peer_hears_all(&peer), 1);
        peer_wait_us(&peer, 20);
    }
    assert_int_equal(bytes_used(&peer), before);
    assert_int_equal(daytona_stack_counters(peer.stack)->cookies_sent, 50000);
    peer_stop(&peer);
}

/* The point of it all */
static void flood_keeps_no_client_out(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t state_of_random = 1;
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    for (uint32_t i = 0; i < 20000; i++) {
        state_of_random = state_of_random * 1664525u + 1013904223u;
        bool client = i % 500 == 0;
        peer.peer_port = client ? (uint16_t)(2000 + i / 500) : (uint16_t)(20000 + (i * 7) % 40000);
        peer.peer_isn = state_of_random;
        peer_syn(&peer, &offer_no_time);
        assert_int_equal(peer_hears_all(&peer), 1);
        peer_wait_us(&peer, 20);
        if (!client)
            continue;
        assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
        assert_int_equal(daytona_stack_abort(peer.stack, peer.now, peer.id), 0);
        assert_int_equal(peer_hears_all(&peer), 1);
    }
    peer_stop(&peer);
}

/* RFC 4987 3.6: without timestamps only the MSS comes back */
static void cookie_without_timestamps_offers_neither_sack_nor_scaling(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = offer_cookie(&peer, &offer_no_time);
    assert_false(peer.heard.header.has_sack_permitted || peer.heard.header.has_window_scale);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_false(our_info(&peer).window_scaling_on || our_info(&peer).sack_on);
    assert_int_equal(our_info(&peer).send_mss, 1460);
    peer_stop(&peer);
}

/* The table of segment sizes never says more than the peer did, but for the smallest */
static void cookie_remembers_the_segment_size_rounded_down(void **state)
{
    (void)state;
    static const uint16_t said[] = {536, 1000, 1459, 1460, 9000};
    static const uint16_t kept[] = {536, 536, 1440, 1460, 1460};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        struct peer peer;
        const struct offer offer = {.mss = said[i]};
        struct daytona_socket_id listener = offer_cookie(&peer, &offer);
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
        assert_int_equal(our_info(&peer).send_mss, kept[i]);
        peer_stop(&peer);
    }
}

/* Linux MAX_SYNCOOKIE_AGE */
static void cookie_is_good_for_a_minute_and_not_for_three(void **state)
{
    (void)state;
    static const unsigned seconds[] = {59, 180};
    static const enum daytona_verdict verdicts[] = {DAYTONA_VERDICT_ACCEPTED,
                                                    DAYTONA_VERDICT_RESET_SENT};
    for (size_t i = 0; i < 2; i++) {
        struct peer peer;
        offer_cookie(&peer, &offer_all);
        uint32_t isn = peer.our_isn, echo = peer.timestamp_echo;
        for (unsigned second = 0; second < seconds[i]; second++) {
            peer_wait_us(&peer, 1000000);
            peer_hears_all(&peer);
        }
        if (i == 1) { /* the flood goes on: cookies are looked at */
            fill_queue(&peer);
            peer_syn(&peer, &offer_all);
            assert_int_equal(peer_hears_all(&peer), 1);
        }
        peer.our_isn = isn;
        peer.timestamp_echo = echo;
        assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), verdicts[i]);
        peer_stop(&peer);
    }
}

static void forged_cookie_is_answered_with_reset(void **state)
{
    (void)state;
    struct peer peer;
    offer_cookie(&peer, &offer_all);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 17, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_int_equal(peer_say(&peer, TCP_ACK, 100, 1, NULL), DAYTONA_VERDICT_RESET_SENT);
    peer.peer_port++;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_RESET_SENT);
    peer.peer_port--;
    assert_int_equal(daytona_stack_counters(peer.stack)->cookies_refused, 3);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

/* An echo's two streams grow alike: an old segment of theirs has the handshake's difference. */
static void segment_whose_numbers_have_grown_alike_is_no_cookie(void **state)
{
    (void)state;
    struct peer peer;
    offer_cookie(&peer, &offer_all);
    assert_int_equal(peer_say(&peer, TCP_ACK, 5001, 5001, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_int_equal(peer_say(&peer, TCP_ACK, 0, 1, NULL), DAYTONA_VERDICT_RESET_SENT);
    peer_stop(&peer);
}

/* Linux tcp_synq_no_recent_overflow */
static void without_a_flood_no_ack_is_taken_for_a_cookie(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_int_equal(daytona_stack_counters(peer.stack)->cookies_refused, 0);
    peer_stop(&peer);
}

/* Linux TCP_SYNCOOKIE_VALID */
static void two_minutes_after_a_flood_no_ack_is_taken_for_a_cookie(void **state)
{
    (void)state;
    struct peer peer;
    offer_cookie(&peer, &offer_all);
    peer_wait_us(&peer, 120000000);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 17, NULL), DAYTONA_VERDICT_RESET_SENT);
    assert_int_equal(daytona_stack_counters(peer.stack)->cookies_refused, 0);
    peer_stop(&peer);
}

/* RFC 7323 5.3: or the peer would throw away what follows */
static void timestamps_after_a_cookie_do_not_go_back(void **state)
{
    (void)state;
    for (unsigned ms = 0; ms < 64; ms++) {
        struct peer peer;
        struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_ALWAYS);
        peer_wait_us(&peer, ms * UINT64_C(1000));
        peer_syn(&peer, &offer_all);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
        uint32_t first = peer.heard.header.timestamp_value;
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
        we_send(&peer, 1, 0);
        assert_true(peer_hears(&peer));
        assert_in_range(peer.heard.header.timestamp_value - first, 0, 64);
        peer_stop(&peer);
    }
}

/* RFC 9293 3.10.7.4, fifth check */
static void wrong_ack_leaves_the_half_open_connection_as_it_was(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer, DAYTONA_SYN_COOKIES_AUTO);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    size_t before = bytes_used(&peer);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 9, NULL), DAYTONA_VERDICT_RESET_SENT);
    expect_segment(&peer, TCP_RST, 9, 0, 0);
    assert_int_equal(bytes_used(&peer), before);
    peer_stop(&peer);
}

static void cookies_for_all_keep_no_queue(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_ALWAYS);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    struct daytona_socket_id id = listener;
    assert_false(daytona_stack_next(peer.stack, &id));
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* RFC 7323 2.3: a larger scale means 14 */
static void cookie_keeps_a_scale_beyond_the_largest(void **state)
{
    (void)state;
    struct peer peer;
    struct offer offer = offer_all;
    offer.scale = 255;
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_ALWAYS);
    peer_syn(&peer, &offer);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_true(peer.heard.header.has_window_scale);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_true(our_info(&peer).window_scaling_on);
    assert_int_equal(our_info(&peer).send_window_scale, 14);
    peer_stop(&peer);
}

/* Linux: as for any other final ACK */
static void cookie_that_meets_a_full_accept_queue_waits(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = start_listening(&peer, DAYTONA_SYN_COOKIES_ALWAYS);
    daytona_stack_listen(peer.stack, listener, 0);
    uint32_t isn[2];
    for (unsigned i = 0; i < 2; i++) {
        peer.peer_port = (uint16_t)(4001 + i);
        peer_syn(&peer, &offer_no_time);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
        isn[i] = peer.our_isn;
    }
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer.peer_port = 4001;
    peer.our_isn = isn[0];
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_BACKLOG_FULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, "data"), DAYTONA_VERDICT_ACCEPTED);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_open_connection_is_listed_and_keeps_its_name),
        cmocka_unit_test(half_open_connection_costs_a_small_block),
        cmocka_unit_test(text_and_fin_of_the_final_ack_are_taken),
        cmocka_unit_test(half_open_connection_answers_what_is_out_of_window_at_a_bounded_rate),
        cmocka_unit_test(half_open_connection_challenges_inexact_resets_and_syns),
        cmocka_unit_test(icmp_errors_end_a_half_open_connection_when_hard_and_exact),
        cmocka_unit_test(full_queue_makes_connections_of_cookies),
        cmocka_unit_test(cookie_takes_no_memory),
        cmocka_unit_test(flood_keeps_no_client_out),
        cmocka_unit_test(cookie_without_timestamps_offers_neither_sack_nor_scaling),
        cmocka_unit_test(cookie_remembers_the_segment_size_rounded_down),
        cmocka_unit_test(cookie_is_good_for_a_minute_and_not_for_three),
        cmocka_unit_test(forged_cookie_is_answered_with_reset),
        cmocka_unit_test(segment_whose_numbers_have_grown_alike_is_no_cookie),
        cmocka_unit_test(without_a_flood_no_ack_is_taken_for_a_cookie),
        cmocka_unit_test(two_minutes_after_a_flood_no_ack_is_taken_for_a_cookie),
        cmocka_unit_test(timestamps_after_a_cookie_do_not_go_back),
        cmocka_unit_test(wrong_ack_leaves_the_half_open_connection_as_it_was),
        cmocka_unit_test(cookies_for_all_keep_no_queue),
        cmocka_unit_test(cookie_keeps_a_scale_beyond_the_largest),
        cmocka_unit_test(cookie_that_meets_a_full_accept_queue_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
