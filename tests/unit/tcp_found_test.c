/* What the simulation and the fuzz targets found in the receiver and the sender, each as a script
 * of its own. */
#include "tests/unit/peer.h"
#include <errno.h>

static void start_connected(struct peer *peer, const struct offer *offer)
{
    peer_start(peer, NULL);
    peer_connects(peer, offer);
}

/* RFC 9293 3.4: the peer has filled our window, its text is lost, and what it acknowledges comes
 * in a bare ACK whose sequence number is the window's right edge */
static void bare_ack_on_the_right_edge_is_acceptable(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    uint32_t edge = 1 + our_info(&peer).receive_window;
    assert_int_equal(peer_say(&peer, TCP_ACK, edge, 101, NULL), DAYTONA_VERDICT_ACCEPTED);
    assert_int_equal(our_info(&peer).in_flight_bytes, 0);
    assert_int_equal(peer_say(&peer, TCP_ACK, edge + 1, 101, NULL), DAYTONA_VERDICT_UNACCEPTABLE);
    peer_stop(&peer);
}

/* RFC 5681 4.2: an ACK may be lost, so each copy of what lies beyond a gap brings another */
static void fin_beyond_a_gap_is_acknowledged_each_time(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    for (unsigned i = 0; i < 3; i++) {
        peer_say(&peer, TCP_ACK | TCP_FIN, 11, 1, NULL);
        expect_segment(&peer, TCP_ACK, 1, 1, 0);
    }
    peer_say_bytes(&peer, TCP_ACK, 1, 1, 10);
    expect_segment(&peer, TCP_ACK, 1, 12, 0);
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    peer_stop(&peer);
}

/* RFC 6691 2: with a gap to tell of, full segments stay within the path's MTU; the gap is told in
 * an ACK before them */
static void full_segments_carry_no_sack_blocks(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_all);
    peer_say_bytes(&peer, TCP_ACK, 1001, 1, 100);
    we_send(&peer, 5000, 0);
    expect_segment(&peer, TCP_ACK, 1, 1, 0);
    assert_int_equal(peer.heard.header.sack_count, 1);
    while (peer_hears(&peer)) {
        assert_true(peer.heard.packet.header_length + peer.heard.length <= 1500);
        assert_true(peer.heard.header.sack_count == 0 || peer.heard.length < 1448);
    }
    peer_stop(&peer);
}

/* RFC 5681 3.1: a window of less than one segment would send none; segments that grow after a
 * timeout take the window with them */
static void window_grows_with_the_segment_size(void **state)
{
    (void)state;
    struct peer peer;
    start_connected(&peer, &offer_plain);
    we_set(&peer, DAYTONA_OPTION_MAXIMUM_SEGMENT, 100);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, 100);
    while (our_info(&peer).timeouts < 2) {
        peer_wait_deadline(&peer);
        peer_hears_all(&peer);
    }
    we_set(&peer, DAYTONA_OPTION_MAXIMUM_SEGMENT, 0);
    assert_true(our_info(&peer).cwnd_bytes >= our_info(&peer).send_mss);
    peer_say(&peer, TCP_ACK, 1, 101, NULL);
    we_send(&peer, 5000, 0);
    assert_true(peer_hears(&peer));
    assert_int_equal(peer.heard.length, 1460);
    peer_stop(&peer);
}

/* RFC 9293 3.8.5: a pointer that leads to FIN tells of a byte that there is not */
static void urgent_pointer_to_fin_gives_no_byte(void **state)
{
    (void)state;
    struct peer peer;
    char buffer[8];
    start_connected(&peer, &offer_plain);
    struct tcp_header header = {.seq = {peer.peer_isn + 1},
                                .ack = {peer.our_isn + 1},
                                .flags = TCP_ACK | TCP_URG | TCP_FIN,
                                .window = 1000,
                                .urgent_pointer = 4};
    peer_say_header(&peer, &header, (struct daytona_span){(const uint8_t *)"abc", 3});
    assert_int_equal(our_state(&peer), DAYTONA_TCP_CLOSE_WAIT);
    assert_int_equal(we_receive(&peer, buffer, 1, DAYTONA_RECEIVE_URGENT), 0);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 3);
    assert_int_equal(we_receive(&peer, buffer, sizeof buffer, 0), 0);
    peer_hears_all(&peer);
    peer_stop(&peer);
}

/* RFC 8985 6.2 and 7.4: the SACK of a tail loss probe shows that what was sent before it is lost,
 * also when it echoes an older timestamp, as it must for what lies beyond a gap (RFC 7323 4.3) */
static void sack_of_a_probe_finds_the_loss_before_it(void **state)
{
    (void)state;
    enum { SEGMENT = 1448 };
    struct peer peer;
    start_connected(&peer, &offer_all);
    we_send(&peer, 4 * SEGMENT, 0);
    peer_hears_all(&peer);
    uint32_t echo = peer.timestamp_echo;
    peer_wait_us(&peer, 50000);
    peer_say(&peer, TCP_ACK, 1, 1 + 2 * SEGMENT, NULL);
    peer_wait_deadline(&peer);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1 + 3 * SEGMENT, 1, SEGMENT);
    peer_wait_us(&peer, 50000);
    peer.timestamp_echo = echo;
    peer_sack(&peer, 1 + 2 * SEGMENT, (const uint32_t[]){1 + 3 * SEGMENT, 1 + 4 * SEGMENT}, 1);
    if (!peer_hears(&peer)) {
        peer_wait_deadline(&peer);
        assert_true(peer_hears(&peer));
    }
    assert_int_equal(peer.heard.seq, 1 + 2 * SEGMENT);
    assert_int_equal(peer.events[DAYTONA_EVENT_TIMEOUT], 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_ack_on_the_right_edge_is_acceptable),
        cmocka_unit_test(fin_beyond_a_gap_is_acknowledged_each_time),
        cmocka_unit_test(full_segments_carry_no_sack_blocks),
        cmocka_unit_test(window_grows_with_the_segment_size),
        cmocka_unit_test(urgent_pointer_to_fin_gives_no_byte),
        cmocka_unit_test(sack_of_a_probe_finds_the_loss_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
