/* Pacing and delivery rate samples. */
#include "tests/unit/flying.h"

/* Hears and acknowledges each segment 20 ms later, for so many milliseconds; returns the bytes,
 * and the most in one millisecond of the second half. */
static uint64_t bytes_heard(struct peer *peer, unsigned ms, uint64_t *most)
{
    uint32_t sent[RTT_US / 1000] = {0}, end = 1, acked = 1;
    uint64_t bytes = 0;
    *most = 0;
    for (unsigned i = 0; i < ms; i++) {
        uint64_t before = bytes;
        uint32_t *slot = &sent[i % (RTT_US / 1000)];
        if (*slot > acked) {
            acked = *slot;
            peer_say(peer, TCP_ACK, 1, acked, NULL);
        }
        while (peer_hears(peer)) {
            bytes += peer->heard.length;
            if (peer->heard.length > 0)
                end = peer->heard.seq + (uint32_t)peer->heard.length;
        }
        if (i >= ms / 2 && bytes - before > *most)
            *most = bytes - before;
        *slot = end;
        peer_wait_us(peer, 1000);
    }
    return bytes;
}

/* SO_MAX_PACING_RATE */
static void sender_keeps_to_the_maximum_rate(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer.window = 65535;
    we_set(&peer, DAYTONA_OPTION_MAXIMUM_PACING_RATE, 250000);
    we_send(&peer, 900000, 0);
    uint64_t most, bytes = bytes_heard(&peer, 2000, &most);
    assert_in_range(bytes, 450000, 530000); /* the first ten segments go at once */
    assert_int_equal(our_info(&peer).segments_retransmitted, 0);
    assert_in_range(our_info(&peer).pacing_rate, 1, 250000);
    peer_stop(&peer);
}

/* Linux sk_pacing_shift: a millisecond's worth, two segments at least */
static void no_more_than_two_segments_leave_at_once(void **state)
{
    (void)state;
    struct peer peer;
    peer_start(&peer, NULL);
    peer_connects(&peer, &offer_all);
    peer.window = 65535;
    we_set(&peer, DAYTONA_OPTION_MAXIMUM_PACING_RATE, 250000);
    we_send(&peer, 900000, 0);
    uint64_t most;
    bytes_heard(&peer, 1000, &most);
    assert_in_range(most, 1, 2 * MSS);
    peer_stop(&peer);
}

static void nothing_is_paced_unasked(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10); /* ten at the same instant */
    assert_int_equal(our_info(&peer).pacing_rate, 0);
    peer_stop(&peer);
}

/* draft-ietf-ccwg-bbr 4.1: what was delivered while the newest segment was on its way */
static void delivery_rate_is_what_a_round_trip_delivers(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 40);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(10), NULL);
    assert_int_equal(our_info(&peer).delivered_bytes, 10 * MSS);
    assert_int_equal(our_info(&peer).delivery_rate, 10 * MSS * (1000000 / RTT_US));
    assert_false(our_info(&peer).delivery_rate_app_limited);
    peer_stop(&peer);
}

static void sample_is_app_limited_when_the_application_had_no_more(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 2);
    we_send(&peer, MSS, 0);
    peer_hears_all(&peer);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(3), NULL);
    assert_true(our_info(&peer).delivery_rate_app_limited);
    peer_stop(&peer);
}

/* Nagle's rule holds the last bytes back: that is no sign of the path either (Linux
 * tcp_rate_check_app_limited). */
static void sample_is_app_limited_when_less_than_a_segment_waits(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 2);
    we_send(&peer, 100, 0);
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(2), 1, 100);
    we_send(&peer, 200, 0); /* waits for the acknowledgment of the 100 */
    expect_silence(&peer);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(2) + 100, NULL);
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(2) + 100, 1, 200);
    we_send(&peer, 50, 0);
    expect_silence(&peer);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(2) + 300, NULL);
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(2) + 300, 1, 50);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(2) + 350, NULL);
    assert_true(our_info(&peer).delivery_rate_app_limited);
    peer_stop(&peer);
}

/* By SACK first, then by the ACK */
static void sacked_bytes_count_as_delivered_once(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 0, 1, 3);
    assert_int_equal(our_info(&peer).delivered_bytes, 2 * MSS);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(3), NULL);
    assert_int_equal(our_info(&peer).delivered_bytes, 3 * MSS);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_keeps_to_the_maximum_rate),
        cmocka_unit_test(no_more_than_two_segments_leave_at_once),
        cmocka_unit_test(nothing_is_paced_unasked),
        cmocka_unit_test(delivery_rate_is_what_a_round_trip_delivers),
        cmocka_unit_test(sample_is_app_limited_when_the_application_had_no_more),
        cmocka_unit_test(sample_is_app_limited_when_less_than_a_segment_waits),
        cmocka_unit_test(sacked_bytes_count_as_delivered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
