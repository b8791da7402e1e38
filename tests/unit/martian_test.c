/* Packets that bear addresses which cannot be true, at a listener. */
#include "stack/wire/bare_packet.h"
#include "tests/unit/peer.h"

#define LOOPBACK 0x7f000001u

static enum daytona_verdict say_syn(struct peer *peer, uint32_t source, uint32_t destination,
                                    uint16_t source_port)
{
    uint8_t packet[BARE_PACKET_MAX];
    struct daytona_address from = daytona_address_from_ipv4(source);
    struct daytona_address to = daytona_address_from_ipv4(destination);
    struct tcp_header header = {.source_port = source_port,
                                .destination_port = OUR_PORT,
                                .seq = {1000},
                                .flags = TCP_SYN,
                                .window = 1000};
    size_t length = bare_packet_emit(&header, &from, &to, packet);
    struct daytona_packet_in in = {{packet, length}, length};
    return daytona_stack_input(peer->stack, peer->now, &in);
}

/* A listener on every address. */
static void start_listening(struct peer *peer)
{
    const struct daytona_endpoint any = {.port = OUR_PORT};
    struct daytona_socket_id id;
    peer_start(peer, NULL);
    assert_int_equal(daytona_stack_open(peer->stack, &id), 0);
    assert_int_equal(daytona_stack_bind(peer->stack, id, &any), 0);
    assert_int_equal(daytona_stack_listen(peer->stack, id, 5), 0);
}

static void expect_drop(uint32_t source, uint32_t destination, uint16_t source_port)
{
    struct peer peer;
    start_listening(&peer);
    assert_int_equal(say_syn(&peer, source, destination, source_port), DAYTONA_VERDICT_NOT_FOR_US);
    expect_silence(&peer);
    peer_stop(&peer);
}

/* RFC 1122 3.2.1.3: addresses of 127/8 do not appear outside a host */
static void loopback_address_at_one_end_only_is_dropped(void **state)
{
    (void)state;
    expect_drop(LOOPBACK, OUR_ADDRESS, PEER_PORT);
    expect_drop(PEER_ADDRESS, LOOPBACK, PEER_PORT);
}

static void loopback_address_at_both_ends_is_served(void **state)
{
    (void)state;
    struct peer peer;
    start_listening(&peer);
    assert_int_equal(say_syn(&peer, LOOPBACK, LOOPBACK, PEER_PORT), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(peer_hears_all(&peer), 1);
    peer_stop(&peer);
}

/* RFC 9293 3.10.7.2; the "land" attack: a listener that answers it answers itself */
static void syn_from_the_listener_itself_is_dropped(void **state)
{
    (void)state;
    expect_drop(OUR_ADDRESS, OUR_ADDRESS, OUR_PORT);
}

/* RFC 1122 4.2.3.10 */
static void source_that_is_nobody_s_is_dropped(void **state)
{
    (void)state;
    expect_drop(0, OUR_ADDRESS, PEER_PORT);
    expect_drop(0xffffffff, OUR_ADDRESS, PEER_PORT);
    expect_drop(0xe0000001, OUR_ADDRESS, PEER_PORT);
    expect_drop(PEER_ADDRESS, 0xe0000001, PEER_PORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_address_at_one_end_only_is_dropped),
        cmocka_unit_test(loopback_address_at_both_ends_is_served),
        cmocka_unit_test(syn_from_the_listener_itself_is_dropped),
        cmocka_unit_test(source_that_is_nobody_s_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
