/* The socket calls: binding, ports, options, readiness reports, configuration, memory. */
#include "tests/unit/peer.h"
#include <errno.h>

static const struct daytona_endpoint any_80 = {{{0}}, 80};

static struct daytona_endpoint at_80(uint32_t address)
{
    return (struct daytona_endpoint){daytona_address_from_ipv4(address), 80};
}

static struct daytona_socket_id new_socket(struct peer *peer)
{
    struct daytona_socket_id id;
    assert_int_equal(daytona_stack_open(peer->stack, &id), 0);
    return id;
}

static void set(struct peer *peer, struct daytona_socket_id id, enum daytona_option option)
{
    assert_int_equal(daytona_stack_set_option(peer->stack, peer->now, id, option, 1), 0);
}

static void bind_conflicts_are_those_of_linux(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_endpoint one = at_80(0x0a000001), two = at_80(0x0a000002), none = {{{0}}, 0};
    struct daytona_socket_id a = new_socket(&peer), b = new_socket(&peer), c = new_socket(&peer);
    assert_int_equal(daytona_stack_bind(peer.stack, a, &none), -EINVAL);
    assert_int_equal(daytona_stack_bind(peer.stack, a, &one), 0);
    assert_int_equal(daytona_stack_bind(peer.stack, a, &two), -EINVAL);
    assert_int_equal(daytona_stack_bind(peer.stack, b, &one), -EADDRINUSE);
    assert_int_equal(daytona_stack_bind(peer.stack, b, &any_80), -EADDRINUSE);
    assert_int_equal(daytona_stack_bind(peer.stack, b, &two), 0);
    set(&peer, a, DAYTONA_OPTION_REUSE_ADDRESS);
    set(&peer, c, DAYTONA_OPTION_REUSE_ADDRESS);
    assert_int_equal(daytona_stack_bind(peer.stack, c, &one), 0);
    assert_int_equal(daytona_stack_listen(peer.stack, a, 5), 0);
    assert_int_equal(daytona_stack_listen(peer.stack, c, 5), -EADDRINUSE);
    struct daytona_socket_id d = new_socket(&peer);
    set(&peer, d, DAYTONA_OPTION_REUSE_ADDRESS);
    assert_int_equal(daytona_stack_bind(peer.stack, d, &one), -EADDRINUSE); /* a listens */
    peer_stop(&peer);
}

static void exact_address_is_preferred_to_the_wildcard(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id any = new_socket(&peer), exact = new_socket(&peer);
    struct daytona_endpoint here = at_80(OUR_ADDRESS);
    set(&peer, any, DAYTONA_OPTION_REUSE_PORT);
    set(&peer, exact, DAYTONA_OPTION_REUSE_PORT);
    assert_int_equal(daytona_stack_bind(peer.stack, exact, &here), 0);
    assert_int_equal(daytona_stack_bind(peer.stack, any, &any_80), 0);
    assert_int_equal(daytona_stack_listen(peer.stack, any, 5), 0);
    assert_int_equal(daytona_stack_listen(peer.stack, exact, 5), 0);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, any, &peer.id), -EAGAIN);
    assert_int_equal(daytona_stack_accept(peer.stack, exact, &peer.id), 0);
    peer_stop(&peer);
}

static void reuse_port_listeners_share_the_connections(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listeners[3];
    for (unsigned i = 0; i < 3; i++) {
        listeners[i] = new_socket(&peer);
        set(&peer, listeners[i], DAYTONA_OPTION_REUSE_PORT);
        assert_int_equal(daytona_stack_bind(peer.stack, listeners[i], &any_80), 0);
        assert_int_equal(daytona_stack_listen(peer.stack, listeners[i], 1000), 0);
    }
    for (unsigned i = 0; i < 300; i++) {
        peer.peer_port = (uint16_t)(10000 + i);
        peer_syn(&peer, &offer_all);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
        assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct daytona_connection_info info;
        daytona_stack_info(peer.stack, peer.now, listeners[i], &info);
        assert_in_range(info.accept_queued, 60, 160);
    }
    peer_stop(&peer);
}

/* RFC 6056 3.3.3 and 3.3.5 */
static void proposed_ports_are_free_in_range_and_all_different(void **state)
{
    (void)state;
    struct daytona_stack_config config = {.port_low = 61000, .port_high = 61099};
    struct peer peer;
    peer_start(&peer, &config);
    struct daytona_address local = daytona_address_from_ipv4(OUR_ADDRESS);
    struct daytona_endpoint remote = at_80(PEER_ADDRESS);
    bool used[100] = {false};
    for (unsigned i = 0; i < 100; i++) {
        int port = daytona_stack_choose_port(peer.stack, &local, &remote);
        assert_in_range(port, 61000, 61099);
        assert_false(used[port - 61000]);
        used[port - 61000] = true;
        struct daytona_endpoint end = {local, (uint16_t)port};
        assert_int_equal(daytona_stack_bind(peer.stack, new_socket(&peer), &end), 0);
    }
    assert_int_equal(daytona_stack_choose_port(peer.stack, &local, &remote), -EADDRNOTAVAIL);
    peer_stop(&peer);
}

static void options_have_bounds_and_linux_defaults(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer.id = new_socket(&peer);
    int64_t value;
    struct {
        enum daytona_option option;
        int64_t value;
    } defaults[] = {
        {DAYTONA_OPTION_KEEP_IDLE_US, INT64_C(7200000000)},
        {DAYTONA_OPTION_KEEP_INTERVAL_US, 75000000},
        {DAYTONA_OPTION_KEEP_COUNT, 9},
        {DAYTONA_OPTION_LINGER_US, -1},
        {DAYTONA_OPTION_RECEIVE_BUFFER, 131072},
        {DAYTONA_OPTION_SEND_BUFFER, 1048576},
        {DAYTONA_OPTION_TIME_TO_LIVE, 64},
        {DAYTONA_OPTION_SYN_RETRIES, 6},
        {DAYTONA_OPTION_NO_DELAY, 0},
    };
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        assert_int_equal(daytona_stack_get_option(peer.stack, peer.id, defaults[i].option, &value),
                         0);
        assert_int_equal(value, defaults[i].value);
    }
    struct {
        enum daytona_option option;
        int64_t value;
        int result;
    } attempts[] = {
        {DAYTONA_OPTION_NO_DELAY, 2, -EINVAL},         {DAYTONA_OPTION_KEEP_COUNT, 0, -EINVAL},
        {DAYTONA_OPTION_MAXIMUM_SEGMENT, 87, -EINVAL}, {DAYTONA_OPTION_MAXIMUM_SEGMENT, 88, 0},
        {DAYTONA_OPTION_AT_MARK, 1, -ENOPROTOOPT},     {DAYTONA_OPTION_COUNT, 1, -ENOPROTOOPT},
        {DAYTONA_OPTION_LINGER_US, -2, -EINVAL},       {DAYTONA_OPTION_TIME_TO_LIVE, 0, -EINVAL},
        {DAYTONA_OPTION_RECEIVE_BUFFER, 1 << 29, 0},
    };
    for (size_t i = 0; i < COUNT_OF(attempts); i++)
        assert_int_equal(daytona_stack_set_option(peer.stack, peer.now, peer.id, attempts[i].option,
                                                  attempts[i].value),
                         attempts[i].result);
    daytona_stack_get_option(peer.stack, peer.id, DAYTONA_OPTION_RECEIVE_BUFFER, &value);
    assert_int_equal(value, 33554432); /* receive_buffer_max */
    peer_stop(&peer);
}

static void settings_of_a_listener_pass_to_what_it_accepts(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    set(&peer, listener, DAYTONA_OPTION_NO_DELAY);
    assert_int_equal(daytona_stack_set_congestion(peer.stack, peer.now, listener, "reno"), 0);
    assert_int_equal(daytona_stack_set_congestion(peer.stack, peer.now, listener, "no"), -ENOENT);
    peer_syn(&peer, &offer_all);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    int64_t value;
    daytona_stack_get_option(peer.stack, peer.id, DAYTONA_OPTION_NO_DELAY, &value);
    assert_int_equal(value, 1);
    assert_string_equal(daytona_stack_get_congestion(peer.stack, peer.id), "reno");
    assert_int_equal(daytona_stack_set_congestion(peer.stack, peer.now, peer.id, "cubic"), 0);
    assert_string_equal(our_info(&peer).congestion, "cubic");
    peer_stop(&peer);
}

static void every_arrival_is_an_edge(void **state)
{
    (void)state;
    struct peer peer;
    struct daytona_ready ready;
    char buffer[16];
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    assert_true(daytona_stack_take_ready(peer.stack, &ready)); /* accepted: can be written */
    assert_int_equal(ready.now, DAYTONA_READY_OUT);
    while (daytona_stack_take_ready(peer.stack, &ready)) {
    }
    peer_say(&peer, TCP_ACK, 1, 1, "a");
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_IN);
    assert_int_equal(ready.now, DAYTONA_READY_IN | DAYTONA_READY_OUT);
    assert_false(daytona_stack_take_ready(peer.stack, &ready));
    peer_say(&peer, TCP_ACK, 2, 1, "b"); /* nothing was read, yet it is news */
    assert_true(daytona_stack_take_ready(peer.stack, &ready));
    assert_int_equal(ready.edges, DAYTONA_READY_IN);
    peer_say(&peer, TCP_ACK, 3, 1, "c");
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_false(daytona_stack_take_ready(peer.stack, &ready)); /* no longer true */
    peer_stop(&peer);
}

static void walk_visits_every_socket(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_listener(&peer, 81, 5);
    peer_connects(&peer, &offer_all);
    struct daytona_ready ready;
    while (daytona_stack_take_ready(peer.stack, &ready)) {
    }
    daytona_stack_close(peer.stack, peer.now, peer.id); /* FIN-WAIT-1, nobody's */
    new_socket(&peer);
    struct daytona_socket_id id = {0, 0};
    unsigned count = 0;
    while (daytona_stack_next(peer.stack, &id)) {
        struct daytona_connection_info info;
        assert_int_equal(daytona_stack_info(peer.stack, peer.now, id, &info), 0);
        count++;
    }
    assert_int_equal(count, 3);
    peer_stop(&peer);
}

/* connect(2): the first call after the failure tells it, the next tries again */
static void failed_connect_may_be_tried_again(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_we_connect(&peer);
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    expect_segment(&peer, TCP_SYN, 0, 0, 0);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                     -EALREADY);
    peer_say(&peer, TCP_RST | TCP_ACK, 0, 1, NULL);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                     -ECONNREFUSED);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                     -EINPROGRESS);
    peer_answers(&peer, &offer_all);
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote), -EISCONN);
    peer_stop(&peer);
}

/* RFC 9293 section 3.9.2.3 (MUST-46), with Linux's error */
static void connection_to_a_group_is_unreachable(void **state)
{
    (void)state;
    static const uint32_t groups[] = {0xe0000001u, 0xefffffffu, 0xffffffffu};
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_endpoint local = {daytona_address_from_ipv4(OUR_ADDRESS), OUR_PORT};
    peer.id = new_socket(&peer);
    assert_int_equal(daytona_stack_bind(peer.stack, peer.id, &local), 0);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        struct daytona_endpoint remote = {daytona_address_from_ipv4(groups[i]), PEER_PORT};
        assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote),
                         -ENETUNREACH);
    }
    expect_silence(&peer);
    peer_stop(&peer);
}

static void wrong_calls_get_their_errno(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    struct daytona_endpoint remote = {daytona_address_from_ipv4(PEER_ADDRESS), PEER_PORT};
    struct daytona_socket_id nobody = {17, 4};
    struct daytona_span span = {(const uint8_t *)"x", 1};
    peer_start(&peer, NULL);
    peer.id = new_socket(&peer);
    assert_int_equal(daytona_stack_listen(peer.stack, peer.id, 5), -EINVAL); /* not bound */
    assert_int_equal(daytona_stack_connect(peer.stack, peer.now, peer.id, NULL, &remote), -EINVAL);
    assert_int_equal(we_receive(&peer, buffer, 1, 0), -ENOTCONN);
    assert_int_equal(daytona_stack_send(peer.stack, peer.now, peer.id, &span, 1, 0), -ENOTCONN);
    assert_int_equal(daytona_stack_shutdown(peer.stack, peer.now, peer.id, DAYTONA_SHUTDOWN_BOTH),
                     -ENOTCONN);
    assert_int_equal(daytona_stack_endpoints(peer.stack, peer.id, NULL, &remote), -ENOTCONN);
    assert_int_equal(daytona_stack_accept(peer.stack, peer.id, &nobody), -EINVAL);
    assert_int_equal(daytona_stack_take_error(peer.stack, nobody), -EBADF);
    assert_int_equal(daytona_stack_close(peer.stack, peer.now, nobody), -EBADF);
    assert_int_equal(daytona_stack_readiness(peer.stack, nobody), 0);
    assert_int_equal(daytona_stack_readiness(peer.stack, peer.id),
                     DAYTONA_READY_OUT | DAYTONA_READY_HUP); /* as Linux's poll() */
    peer_stop(&peer);
}

static void socket_limit_is_kept(void **state)
{
    (void)state;
    struct daytona_stack_config config = {.sockets_max = 2};
    struct peer peer;
    peer_start(&peer, &config);
    new_socket(&peer);
    new_socket(&peer);
    struct daytona_socket_id id;
    assert_int_equal(daytona_stack_open(peer.stack, &id), -ENFILE);
    peer_stop(&peer);
}

static int init_with(const struct daytona_stack_config *config, size_t bytes)
{
    struct daytona_stack *stack;
    void *region = aligned_alloc(64, bytes);
    assert_non_null(region);
    struct daytona_room room = {region, bytes};
    int result = daytona_stack_init(room, config, NULL, &stack);
    free(region);
    return result;
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    const size_t enough = (size_t)4 << 20;
    const struct daytona_stack_config good = {0}, wrong[] = {
                                                      {.port_low = 60000, .port_high = 50000},
                                                      {.congestion = "none of these"},
                                                      {.receive_buffer_bytes = 100},
                                                      {.receive_buffer_bytes = 64u << 20},
                                                      {.send_buffer_bytes = 100},
                                                      {.send_buffer_bytes = 64u << 20},
                                                      {.receive_buffer_max = UINT32_MAX},
                                                      {.super_segment_bytes_max = 70000},
                                                      {.rto_min_us = 200000000},
                                                  };
    assert_int_equal(init_with(&good, enough), 0);
    assert_int_equal(init_with(&good, DAYTONA_STACK_MEMORY_MIN), 0);
    assert_int_equal(init_with(&good, DAYTONA_STACK_MEMORY_MIN - 64), -ENOMEM);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(init_with(&wrong[i], enough), -EINVAL);
}

/* What docs/architecture.md promises of an idle connection: under 2 KB and no page */
static void idle_connection_costs_less_than_two_kilobytes(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 2000);
    struct daytona_memory_use before, after;
    char buffer[8];
    daytona_stack_memory(peer.stack, &before);
    for (unsigned i = 0; i < 1000; i++) {
        peer.peer_port = (uint16_t)(10000 + i);
        peer_syn(&peer, &offer_all);
        expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
        peer_say(&peer, TCP_ACK, 1, 1, "hello");
        assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
        assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 5);
        we_send(&peer, 5, 0);
        peer_hears_all(&peer);
        peer_say(&peer, TCP_ACK, 6, 6, NULL);
    }
    daytona_stack_memory(peer.stack, &after);
    assert_in_range((after.used_bytes - before.used_bytes) / 1000, 1024, 2047);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_conflicts_are_those_of_linux),
        cmocka_unit_test(exact_address_is_preferred_to_the_wildcard),
        cmocka_unit_test(reuse_port_listeners_share_the_connections),
        cmocka_unit_test(proposed_ports_are_free_in_range_and_all_different),
        cmocka_unit_test(options_have_bounds_and_linux_defaults),
        cmocka_unit_test(settings_of_a_listener_pass_to_what_it_accepts),
        cmocka_unit_test(every_arrival_is_an_edge),
        cmocka_unit_test(walk_visits_every_socket),
        cmocka_unit_test(failed_connect_may_be_tried_again),
        cmocka_unit_test(connection_to_a_group_is_unreachable),
        cmocka_unit_test(wrong_calls_get_their_errno),
        cmocka_unit_test(socket_limit_is_kept),
        cmocka_unit_test(wrong_configurations_are_refused),
        cmocka_unit_test(idle_connection_costs_less_than_two_kilobytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
