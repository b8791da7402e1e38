/* TCP Fast Open: RFC 7413. */
#include "stack/base/siphash.h"
#include "tests/unit/peer.h"
#include <errno.h>

static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* ------------------------------------------------------------------ as a server */

static struct daytona_socket_id listen_fast(struct peer *peer, int64_t queue)
{
    peer_start(peer, NULL);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 5);
    peer->id = listener;
    we_set(peer, DAYTONA_OPTION_FASTOPEN_QUEUE, queue);
    return listener;
}

/* A SYN with the option, and perhaps text. */
static enum daytona_verdict say_fast_syn(struct peer *peer, const struct fastopen_cookie *cookie,
                                         const char *text)
{
    peer->timestamps = true;
    struct tcp_header header = {
        .seq = {peer->peer_isn},
        .flags = TCP_SYN,
        .window = 65535,
        .mss = 1460,
        .has_sack_permitted = true,
        .has_timestamps = true,
        .timestamp_value = peer->timestamp,
        .has_window_scale = true,
        .window_scale = 7,
        .has_fastopen = cookie != NULL,
    };
    if (cookie != NULL)
        header.fastopen = *cookie;
    return peer_say_header(peer, &header,
                           (struct daytona_span){(const uint8_t *)text, strlen(text)});
}

/* The cookie that the listener gives to the peer. */
static struct fastopen_cookie learn_cookie(struct peer *peer)
{
    static const struct fastopen_cookie none;
    assert_int_equal(say_fast_syn(peer, &none, ""), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_true(peer->heard.header.has_fastopen);
    struct fastopen_cookie cookie = peer->heard.header.fastopen;
    peer_say(peer, TCP_RST, 1, 0, NULL);
    return cookie;
}

/* RFC 7413 4.1.2, 4.2.2 */
static void data_of_a_syn_with_a_good_cookie_is_served_before_the_handshake_is_over(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[16];
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    assert_int_equal(cookie.length, 8);
    assert_int_equal(say_fast_syn(&peer, &cookie, "GET /"), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_SYN_RECEIVED);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    assert_memory_equal(buffer, "GET /", 5);
    assert_true(daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_OUT);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 6, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 6, 100);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 6, 101, NULL);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), -EAGAIN);
    assert_int_equal(daytona_stack_counters(peer.stack)->fastopen_passive, 1);
    peer_stop(&peer);
}

/* RFC 7413 4.2.2: an ordinary handshake, and a new cookie */
static void data_of_a_syn_with_a_wrong_cookie_is_not_taken(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[16];
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    cookie.bytes[3] ^= 1;
    assert_int_equal(say_fast_syn(&peer, &cookie, "GET /"), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    cookie.bytes[3] ^= 1;
    assert_memory_equal(peer.heard.header.fastopen.bytes, cookie.bytes, 8);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), -EAGAIN);
    peer_say(&peer, TCP_ACK, 1, 1, "GET /");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
    peer_stop(&peer);
}

/* RFC 7413 4.1.2: who asks from elsewhere gets another one */
static void cookie_belongs_to_an_address_not_to_a_port(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    peer.peer_port += 9;
    say_fast_syn(&peer, &cookie, "x");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* Linux __tcp_fastopen_cookie_gen_cipher with the key 00 01 ... 0f: the last vector of SipHash-2-4
 * that is eight bytes long, but for the input, which is both addresses */
static void cookie_is_siphash_of_both_addresses_under_the_key(void **state)
{
    (void)state;
    struct peer peer;
    listen_fast(&peer, 5);
    assert_int_equal(
        daytona_stack_set_fastopen_key(peer.stack, peer.id, (struct daytona_span){key, 15}),
        -EINVAL);
    assert_int_equal(
        daytona_stack_set_fastopen_key(peer.stack, peer.id, (struct daytona_span){key, 16}), 0);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    static const uint8_t addresses[8] = {10, 0, 0, 2, 10, 0, 0, 1};
    uint64_t hash = siphash(key, addresses, sizeof addresses);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(cookie.bytes[i], hash >> (8 * i) & 0xff);
    peer_stop(&peer);
}

/* RFC 7413 4.1.2: keys are changed, and cookies outlive them once */
static void cookie_of_the_key_before_is_good_too(void **state)
{
    (void)state;
    struct peer peer;
    uint8_t both[32] = {9}, told[32];
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    daytona_stack_set_fastopen_key(peer.stack, listener, (struct daytona_span){key, 16});
    struct fastopen_cookie cookie = learn_cookie(&peer);
    memcpy(both + 16, key, 16);
    daytona_stack_set_fastopen_key(peer.stack, listener, (struct daytona_span){both, 32});
    assert_int_equal(daytona_stack_get_fastopen_key(peer.stack, listener, told), 32);
    assert_memory_equal(told, both, 32);
    say_fast_syn(&peer, &cookie, "x");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* RFC 7413 5.1 */
static void no_more_begin_early_than_the_queue_takes(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = listen_fast(&peer, 1);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    say_fast_syn(&peer, &cookie, "x");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 2, 0);
    uint32_t isn = peer.our_isn;
    peer.peer_port++;
    say_fast_syn(&peer, &cookie, "x");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer.peer_port--;
    peer.our_isn = isn;
    peer_say(&peer, TCP_ACK, 2, 1, NULL); /* the first is through: there is room */
    peer.peer_port += 2;
    say_fast_syn(&peer, &cookie, "x");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 2, 0);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

static void listener_without_a_queue_knows_nothing_of_it(void **state)
{
    (void)state;
    struct peer peer;
    static const struct fastopen_cookie none;
    peer_start(&peer, NULL);
    peer_listener(&peer, OUR_PORT, 5);
    say_fast_syn(&peer, &none, "x");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    assert_false(peer.heard.header.has_fastopen);
    peer_stop(&peer);
}

/* Linux TCP_FASTOPEN_NO_COOKIE */
static void listener_that_wants_no_cookie_believes_any_data(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    we_set(&peer, DAYTONA_OPTION_FASTOPEN_NO_COOKIE, 1);
    say_fast_syn(&peer, NULL, "x");
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    peer_stop(&peer);
}

/* RFC 9293 3.8.1: SYN-ACK and early data are sent again until the handshake is over */
static void early_connection_repeats_its_syn_ack_and_ends_in_vain(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_socket_id listener = listen_fast(&peer, 5);
    struct fastopen_cookie cookie = learn_cookie(&peer);
    say_fast_syn(&peer, &cookie, "x");
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 2, 0);
    for (unsigned i = 0; i < 5; i++) {
        peer_wait_deadline(&peer);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 2, 0);
    }
    peer_wait_deadline(&peer);
    expect_silence(&peer);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), -EAGAIN);
    daytona_stack_close(peer.stack, peer.now, listener);
    peer_stop(&peer);
}

/* ------------------------------------------------------------------ as a client */

static int connect_fast(struct peer *peer, uint16_t port)
{
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), port};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    peer->our_port = port;
    assert_int_equal(daytona_stack_open(peer->stack, &peer->id), 0);
    assert_int_equal(daytona_stack_bind(peer->stack, peer->id, &local), 0);
    return daytona_stack_connect_fast(peer->stack, peer->now, peer->id, NULL, &remote);
}

/* The peer's SYN-ACK, with a cookie if `length` is not 0. */
static enum daytona_verdict say_fast_answer(struct peer *peer, uint32_t ack, uint8_t length)
{
    peer->timestamps = true;
    struct tcp_header header = {
        .seq = {peer->peer_isn},
        .ack = {peer->our_isn + ack},
        .flags = TCP_SYN | TCP_ACK,
        .window = 65535,
        .mss = 1000,
        .has_sack_permitted = true,
        .has_timestamps = true,
        .timestamp_value = peer->timestamp,
        .timestamp_echo = peer->timestamp_echo,
        .has_window_scale = true,
        .window_scale = 7,
        .has_fastopen = length != 0,
        .fastopen = {length, {1, 2, 3, 4, 5, 6, 7, 8}},
    };
    return peer_say_header(peer, &header, (struct daytona_span){NULL, 0});
}

/* A stack that has met the peer and got its cookie. */
static void meet(struct peer *peer)
{
    peer_start(peer, NULL);
    assert_int_equal(connect_fast(peer, 5000), -EINPROGRESS);
    expect_segment(peer, TCP_SYN, 0, 0, 0);
    assert_true(peer->heard.header.has_fastopen);
    assert_int_equal(peer->heard.header.fastopen.length, 0);
    say_fast_answer(peer, 1, 8);
    expect_segment(peer, TCP_ACK, 1, 1, 0);
    daytona_stack_abort(peer->stack, peer->now, peer->id);
    peer_hears_all(peer);
}

/* RFC 7413 4.1.3, 4.2.1 */
static void syn_to_a_known_server_takes_the_first_data_along(void **state)
{
    (void)state;
    struct peer peer;
    meet(&peer);
    assert_int_equal(connect_fast(&peer, 5001), 0);
    expect_silence(&peer);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), DAYTONA_READY_OUT);
    we_send(&peer, 300, 0);
    expect_segment(&peer, TCP_SYN, 0, 0, 300);
    assert_int_equal(peer.heard.header.fastopen.length, 8);
    assert_int_equal(peer.heard.header.fastopen.bytes[7], 8);
    assert_int_equal(peer.heard.payload[0], peer_byte(1));
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id), 0);
    say_fast_answer(&peer, 301, 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    expect_segment(&peer, TCP_ACK, 301, 1, 0);
    assert_true(our_info(&peer).syn_data_acked);
    assert_int_equal(our_info(&peer).bytes_acked, 300);
    we_send(&peer, 10, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 301, 1, 10);
    assert_int_equal(daytona_stack_counters(peer.stack)->fastopen_active, 1);
    peer_stop(&peer);
}

/* RFC 7413 4.2.1: the server has forgotten us */
static void data_that_the_syn_ack_does_not_acknowledge_is_sent_again_at_once(void **state)
{
    (void)state;
    struct peer peer;
    meet(&peer);
    connect_fast(&peer, 5001);
    we_send(&peer, 300, 0);
    expect_segment(&peer, TCP_SYN, 0, 0, 300);
    say_fast_answer(&peer, 1, 8);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 300);
    assert_false(our_info(&peer).syn_data_acked);
    peer_stop(&peer);
}

/* RFC 7413 4.2.1 and 4.1.3: bounded by the server's MSS, as it was told with the cookie */
static void data_of_the_syn_is_one_segment_and_the_rest_follows(void **state)
{
    (void)state;
    struct peer peer;
    meet(&peer);
    connect_fast(&peer, 5001);
    we_send(&peer, 3000, 0);
    expect_segment(&peer, TCP_SYN, 0, 0, 960);
    expect_silence(&peer);
    say_fast_answer(&peer, 961, 0);
    expect_segment(&peer, TCP_ACK, 961, 1, 988);
    peer_stop(&peer);
}

/* RFC 7413 4.1.3.1 */
static void syn_that_is_not_answered_is_repeated_bare(void **state)
{
    (void)state;
    struct peer peer;
    meet(&peer);
    connect_fast(&peer, 5001);
    we_send(&peer, 300, 0);
    expect_segment(&peer, TCP_SYN, 0, 0, 300);
    peer_wait_us(&peer, 1000000);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_false(peer.heard.header.has_fastopen);
    say_fast_answer(&peer, 301, 0); /* of the first SYN after all */
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    expect_segment(&peer, TCP_ACK, 301, 1, 0);
    peer_stop(&peer);
}

/* RFC 7413 4.1.3.1; Linux tcp_fastopen_cache_get */
static void way_that_swallows_such_syns_is_spared_for_a_while(void **state)
{
    (void)state;
    struct peer peer;
    meet(&peer);
    for (uint16_t port = 5001; port < 5003; port++) {
        assert_int_equal(connect_fast(&peer, port), 0);
        we_send(&peer, 300, 0);
        expect_segment(&peer, TCP_SYN, 0, 0, 300);
        peer_wait_us(&peer, 1000000);
        expect_segment(&peer, TCP_SYN, 0, 0, 0);
        daytona_stack_abort(peer.stack, peer.now, peer.id);
    }
    assert_int_equal(connect_fast(&peer, 5003), -EINPROGRESS);
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_false(peer.heard.header.has_fastopen);
    daytona_stack_abort(peer.stack, peer.now, peer.id);
    peer_wait_us(&peer, 240000000);
    assert_int_equal(connect_fast(&peer, 5004), 0);
    peer_stop(&peer);
}

/* Linux: connect() on a socket with TCP_FASTOPEN_CONNECT */
static void option_makes_connect_wait_for_data(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), 5001};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    meet(&peer);
    daytona_stack_open(peer.stack, &peer.id);
    daytona_stack_bind(peer.stack, peer.id, &local);
    we_set(&peer, DAYTONA_OPTION_FASTOPEN_CONNECT, 1);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote), 0);
    peer.our_port = 5001;
    daytona_stack_close(peer.stack, peer.now, peer.id); /* and nobody ever knows */
    expect_silence(&peer);
    peer_stop(&peer);
}

static void client_that_wants_no_cookie_sends_data_to_strangers(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), 5001};
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    peer_start(&peer, NULL);
    daytona_stack_open(peer.stack, &peer.id);
    daytona_stack_bind(peer.stack, peer.id, &local);
    we_set(&peer, DAYTONA_OPTION_FASTOPEN_NO_COOKIE, 1);
    peer.our_port = 5001;
    assert_int_equal(daytona_stack_connect_fast(peer.stack, peer.now, peer.id, NULL, &remote), 0);
    we_send(&peer, 5, 0);
    expect_segment(&peer, TCP_SYN, 0, 0, 5);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_of_a_syn_with_a_good_cookie_is_served_before_the_handshake_is_over),
        cmocka_unit_test(data_of_a_syn_with_a_wrong_cookie_is_not_taken),
        cmocka_unit_test(cookie_belongs_to_an_address_not_to_a_port),
        cmocka_unit_test(cookie_is_siphash_of_both_addresses_under_the_key),
        cmocka_unit_test(cookie_of_the_key_before_is_good_too),
        cmocka_unit_test(no_more_begin_early_than_the_queue_takes),
        cmocka_unit_test(listener_without_a_queue_knows_nothing_of_it),
        cmocka_unit_test(listener_that_wants_no_cookie_believes_any_data),
        cmocka_unit_test(early_connection_repeats_its_syn_ack_and_ends_in_vain),
        cmocka_unit_test(syn_to_a_known_server_takes_the_first_data_along),
        cmocka_unit_test(data_that_the_syn_ack_does_not_acknowledge_is_sent_again_at_once),
        cmocka_unit_test(data_of_the_syn_is_one_segment_and_the_rest_follows),
        cmocka_unit_test(syn_that_is_not_answered_is_repeated_bare),
        cmocka_unit_test(way_that_swallows_such_syns_is_spared_for_a_while),
        cmocka_unit_test(option_makes_connect_wait_for_data),
        cmocka_unit_test(client_that_wants_no_cookie_sends_data_to_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
