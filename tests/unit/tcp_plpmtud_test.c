/* The path's MTU found without routers: RFC 4821, RFC 8899. */
#include "tests/unit/peer.h"

#define FULL 1448u /* text of a full segment on a path of 1,500 bytes */
#define BASE 1024u /* of the segments that a search begins with */

static void start(struct peer *peer, enum daytona_mtu_probing probing)
{
    struct daytona_stack_config config = {.owns_every_port = true, .mtu_probing = probing};
    peer_start(peer, &config);
    peer_connects(peer, &offer_all);
    peer_wait_us(peer, 20000);
}

/* A segment longer than those before is the probe. Hears all that is sent, notes where the first
 * such one begins and its length (0 none), and returns one past the last byte. */
struct hearing {
    uint32_t probe_at, end;
    size_t probe_length;
};

static struct hearing hear(struct peer *peer)
{
    struct hearing hearing = {0};
    uint32_t mss = our_info(peer).send_mss;
    while (peer_hears(peer)) {
        assert_int_equal(peer->heard.packet.segment_bytes, 0);
        if (hearing.probe_length == 0 && peer->heard.length > mss) {
            hearing.probe_at = peer->heard.seq;
            hearing.probe_length = peer->heard.length;
        }
        uint32_t end = peer->heard.seq + (uint32_t)peer->heard.length;
        hearing.end = end > hearing.end ? end : hearing.end;
    }
    return hearing;
}

/* The peer acknowledges, two segments each time, until a probe is heard or all is acknowledged. */
static struct hearing hear_probe(struct peer *peer)
{
    struct hearing hearing = hear(peer);
    uint32_t acknowledged = (uint32_t)our_info(peer).bytes_acked;
    while (hearing.probe_length == 0 && our_info(peer).send_queued > 0) {
        uint32_t step = 2 * our_info(peer).send_mss, queued = our_info(peer).send_queued;
        uint32_t flying = queued - our_info(peer).not_sent;
        acknowledged += step < flying ? step : flying;
        peer_wait_us(peer, 2000);
        peer_say(peer, TCP_ACK, 1, 1 + acknowledged, NULL);
        uint32_t end = hearing.end;
        hearing = hear(peer);
        hearing.end = end > hearing.end ? end : hearing.end;
    }
    return hearing;
}

static void off_and_black_hole_send_full_segments_at_once(void **state)
{
    (void)state;
    for (int mode = DAYTONA_MTU_PROBING_DEFAULT; mode <= DAYTONA_MTU_PROBING_BLACK_HOLE; mode++) {
        struct peer peer;
        start(&peer, (enum daytona_mtu_probing)mode);
        assert_int_equal(our_info(&peer).send_mss, FULL);
        we_send(&peer, 100000, 0);
        assert_int_equal(hear_probe(&peer).probe_length, 0);
        peer_stop(&peer);
    }
}

/* RFC 4821 7.2, 7.3, RFC 8899 section 5.2: one segment of new data, half way */
static void search_goes_half_way_by_one_segment_of_new_data(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_ALWAYS);
    assert_int_equal(our_info(&peer).send_mss, BASE);
    we_send(&peer, 500000, 0);
    struct hearing hearing = hear_probe(&peer);
    assert_int_equal(hearing.probe_length, (BASE + FULL) / 2);
    assert_int_equal(hear(&peer).probe_length, 0); /* one at a time */
    peer_stop(&peer);
}

static void probe_that_arrives_becomes_the_segment_size(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_ALWAYS);
    we_send(&peer, 1000000, 0);
    uint32_t last = BASE;
    for (struct hearing hearing; (hearing = hear_probe(&peer)).probe_length > 0;) {
        assert_true(hearing.probe_length > last && hearing.probe_length <= FULL);
        last = (uint32_t)hearing.probe_length;
        peer_wait_us(&peer, 20000);
        peer_say(&peer, TCP_ACK, 1, hearing.end, NULL);
        assert_int_equal(our_info(&peer).send_mss, last);
    }
    assert_in_range(last, FULL - 8, FULL);
    peer_stop(&peer);
}

/* RFC 4821 7.5: its loss says nothing of congestion */
static void lost_probe_is_no_congestion_and_bounds_the_search(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_ALWAYS);
    we_send(&peer, 900000, 0);
    size_t bound = FULL;
    for (unsigned i = 0; i < 3; i++) {
        struct hearing hearing = hear_probe(&peer);
        assert_in_range(hearing.probe_length, BASE + 1, bound - 1);
        bound = hearing.probe_length;
        peer_wait_us(&peer, 20000);
        peer_say(&peer, TCP_ACK, 1, hearing.probe_at, NULL); /* all before it */
        struct hearing more = hear(&peer);
        uint32_t end = more.end > hearing.end ? more.end : hearing.end;
        uint32_t cwnd = our_info(&peer).cwnd_bytes, ssthresh = our_info(&peer).ssthresh_bytes;
        peer_wait_us(&peer, 20000);
        uint32_t behind = hearing.probe_at + (uint32_t)bound;
        peer_sack(&peer, hearing.probe_at, (uint32_t[]){behind, end}, 1);
        peer_wait_us(&peer, 20000);
        expect_segment(&peer, TCP_ACK, hearing.probe_at, 1, BASE);
        assert_int_equal(our_info(&peer).send_mss, BASE);
        assert_int_equal(our_info(&peer).ssthresh_bytes, ssthresh);
        assert_true(our_info(&peer).cwnd_bytes >= cwnd);
        struct hearing rest = hear(&peer);
        peer_wait_us(&peer, 20000);
        peer_say(&peer, TCP_ACK, 1, rest.end > end ? rest.end : end, NULL);
        assert_false(our_info(&peer).in_recovery || our_info(&peer).in_loss);
    }
    peer_stop(&peer);
}

/* Until the third timeout in a row of what is in flight. */
static void time_out(struct peer *peer, unsigned times)
{
    for (unsigned timeouts = our_info(peer).timeouts; our_info(peer).timeouts < timeouts + times;) {
        peer_wait_deadline(peer);
        peer_hears_all(peer);
    }
}

/* RFC 4821 7.7; Linux tcp_mtu_probing() */
static void full_segments_that_vanish_are_a_black_hole(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_BLACK_HOLE);
    we_send(&peer, 200000, 0);
    peer_hears_all(&peer);
    time_out(&peer, 2);
    assert_int_equal(our_info(&peer).send_mss, FULL);
    time_out(&peer, 1);
    assert_int_equal(our_info(&peer).send_mss, BASE);
    assert_int_equal(peer.heard.length, BASE); /* of the segment sent again */
    assert_int_equal(peer.heard.seq, 1);
    time_out(&peer, 1);
    assert_int_equal(our_info(&peer).send_mss, BASE / 2);
    peer_say(&peer, TCP_ACK, 1, 1 + BASE / 2, NULL);
    while (peer_hears(&peer))
        assert_in_range(peer.heard.length, 1, BASE / 2);
    peer_stop(&peer);
}

static void small_segments_that_vanish_are_none(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_BLACK_HOLE);
    we_send(&peer, 500, 0);
    peer_hears_all(&peer);
    time_out(&peer, 6);
    assert_int_equal(our_info(&peer).send_mss, FULL);
    peer_stop(&peer);
}

static void without_probing_a_black_hole_stays_one(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_OFF);
    we_send(&peer, 200000, 0);
    peer_hears_all(&peer);
    time_out(&peer, 6);
    assert_int_equal(our_info(&peer).send_mss, FULL);
    peer_stop(&peer);
}

/* RFC 1191 6.3: ten minutes */
static void path_mtu_that_a_router_told_of_grows_old(void **state)
{
    (void)state;
    struct peer peer;
    start(&peer, DAYTONA_MTU_PROBING_OFF);
    we_send(&peer, FULL, 0);
    peer_hears_all(&peer);
    assert_int_equal(peer_icmp(&peer, 3, 4, 1000, 1), DAYTONA_VERDICT_ICMP_TAKEN);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + FULL, NULL);
    peer_wait_us(&peer, 599000000);
    we_send(&peer, FULL, 0);
    expect_segment(&peer, TCP_ACK, 1 + FULL, 1, 948);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 2 * FULL, NULL);
    peer_wait_us(&peer, 2000000);
    we_send(&peer, FULL, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1 + 2 * FULL, 1, FULL);
    peer_stop(&peer);
}

/* IP_MTU_DISCOVER, as ip(7) has it */
static void discovery_says_who_may_cut_packets_and_whom_to_believe(void **state)
{
    (void)state;
    static const struct {
        bool dont_fragment, believes;
    } expected[] = {{false, false}, {true, true},   {true, true},
                    {true, false},  {false, false}, {false, false}};
    for (unsigned i = 0; i < 6; i++) {
        struct peer peer;
        start(&peer, DAYTONA_MTU_PROBING_OFF);
        we_set(&peer, DAYTONA_OPTION_PATH_DISCOVERY, i);
        we_send(&peer, FULL, 0);
        assert_true(peer_hears(&peer));
        assert_int_equal((peer.heard.packet.header[6] & 0x40) != 0, expected[i].dont_fragment);
        peer_icmp(&peer, 3, 4, 1000, 1);
        assert_int_equal(our_info(&peer).path_mtu, expected[i].believes ? 1000 : 1500);
        peer_stop(&peer);
    }
}

/* Linux tcp_v4_err(): IP_RECVERR makes a soft error a pending one */
static void error_is_pending_at_once_when_asked_to(void **state)
{
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        struct peer peer;
        start(&peer, DAYTONA_MTU_PROBING_OFF);
        we_set(&peer, DAYTONA_OPTION_RECEIVE_ERRORS, asked);
        we_send(&peer, 10, 0);
        peer_hears_all(&peer);
        assert_int_equal(peer_icmp(&peer, 3, 1, 0, 1), DAYTONA_VERDICT_ICMP_TAKEN);
        bool pending = (daytona_stack_readiness(peer.stack, peer.id) & DAYTONA_READY_ERROR) != 0;
        assert_int_equal(pending, asked);
        assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), 113); /* EHOSTUNREACH */
        assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
        peer_stop(&peer);
    }
}

/* RFC 5082 3, Linux tcp_v4_rcv(): as if it had not come */
static void packet_from_too_far_is_not_there(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    struct daytona_socket_id listener = peer_listener(&peer, OUR_PORT, 5);
    assert_int_equal(
        daytona_stack_set_option(peer.stack, peer.now, listener, DAYTONA_OPTION_MINIMUM_HOPS, 255),
        0);
    peer.hops = 254;
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_TOO_FAR);
    expect_silence(&peer);
    peer.hops = 255;
    assert_int_equal(peer_syn(&peer, &offer_all), DAYTONA_VERDICT_ACCEPTED);
    expect_segment(&peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer.hops = 254;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_TOO_FAR);
    peer.hops = 255;
    assert_int_equal(peer_say(&peer, TCP_ACK, 1, 1, NULL), DAYTONA_VERDICT_ACCEPTED);
    peer.hops = 254;
    assert_int_equal(peer_say(&peer, TCP_RST, 1, 1, NULL), DAYTONA_VERDICT_TOO_FAR);
    assert_int_equal(daytona_stack_accept(peer.stack, listener, &peer.id), 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_ESTABLISHED);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_and_black_hole_send_full_segments_at_once),
        cmocka_unit_test(search_goes_half_way_by_one_segment_of_new_data),
        cmocka_unit_test(probe_that_arrives_becomes_the_segment_size),
        cmocka_unit_test(lost_probe_is_no_congestion_and_bounds_the_search),
        cmocka_unit_test(full_segments_that_vanish_are_a_black_hole),
        cmocka_unit_test(small_segments_that_vanish_are_none),
        cmocka_unit_test(without_probing_a_black_hole_stays_one),
        cmocka_unit_test(path_mtu_that_a_router_told_of_grows_old),
        cmocka_unit_test(discovery_says_who_may_cut_packets_and_whom_to_believe),
        cmocka_unit_test(error_is_pending_at_once_when_asked_to),
        cmocka_unit_test(packet_from_too_far_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
