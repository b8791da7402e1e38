/* RACK-TLP (RFC 8985): what is late, what is lost, and probes of the tail. */
#include "tests/unit/flying.h"

/* 6.2 step 4: a quarter of the shortest round trip */
static void segment_is_lost_a_quarter_round_trip_after_one_sent_later_has_arrived(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 0, 1, 2);
    expect_silence(&peer);
    peer_wait_us(&peer, RTT_US / 4 - 1);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    assert_true(our_info(&peer).in_recovery);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* 6.2 step 5: it came late, nothing was lost */
static void segment_that_comes_within_the_window_is_not_sent_again(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 0, 1, 3);
    peer_wait_us(&peer, RTT_US / 8);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(3), NULL);
    assert_int_equal(our_info(&peer).segments_retransmitted, 0);
    assert_int_equal(our_info(&peer).reorderings, 1);
    assert_int_equal(peer.events[DAYTONA_EVENT_REORDER], 1);
    peer_stop(&peer);
}

/* 6.2 step 4: who has seen reordering waits even when three segments have overtaken */
static void path_that_reorders_is_given_time_whatever_has_overtaken(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 0, 1, 3);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(3), NULL);
    peer_sacks(&peer, 3, 4, 9);
    expect_silence(&peer);
    assert_false(our_info(&peer).in_recovery);
    peer_wait_us(&peer, RTT_US / 4);
    expect_segment(&peer, TCP_ACK, SEGMENT(3), 1, MSS);
    peer_stop(&peer);
}

/* 6.2 step 4: RACK.reo_wnd_mult */
static void window_grows_with_a_duplicate_told_in_a_round_trip(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 0, 1, 2);
    peer_wait_us(&peer, RTT_US / 4);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(10), NULL); /* the original, and all others */
    peer_wait_us(&peer, RTT_US);
    const uint32_t duplicate[] = {1, SEGMENT(1)};
    assert_int_equal(our_info(&peer).reorder_wait_us, RTT_US / 4);
    peer_sack(&peer, SEGMENT(10), duplicate, 1);
    assert_int_equal(our_info(&peer).reorder_wait_us, RTT_US / 2);
    assert_int_equal(our_info(&peer).dsacks_in, 1);
    peer_sack(&peer, SEGMENT(10), duplicate, 1); /* more than was sent again: the network's */
    assert_int_equal(our_info(&peer).reorder_wait_us, RTT_US / 2);
    peer_stop(&peer);
}

/* 7.2: PTO = 2 * SRTT; 7.3: the last segment again */
static void lost_tail_is_probed_after_two_round_trips(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 5);
    peer_wait_us(&peer, 2 * RTT_US - 1);
    expect_silence(&peer);
    peer_wait_us(&peer, 2001); /* and what clocks cost */
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(4), 1, MSS);
    expect_silence(&peer);
    assert_int_equal(our_info(&peer).tail_probes, 1);
    assert_int_equal(peer.events[DAYTONA_EVENT_TAIL_PROBE], 1);
    peer_wait_us(&peer, RTT_US); /* its SACK shows the rest of the tail lost */
    peer_sacks(&peer, 2, 4, 5);
    peer_wait_us(&peer, RTT_US / 4);
    expect_segment(&peer, TCP_ACK, SEGMENT(2), 1, MSS);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* 7.3: new data are the better probe, whatever cwnd is */
static void probe_is_new_data_when_there_are_some(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 20);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    expect_segment(&peer, TCP_ACK, SEGMENT(10), 1, MSS);
    expect_silence(&peer);
    assert_int_equal(our_info(&peer).segments_retransmitted, 0);
    peer_stop(&peer);
}

/* 7.2: one probe, then the retransmission timer */
static void second_silence_is_a_timeout(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 5);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(4), 1, MSS);
    peer_wait_us(&peer, 220000);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    assert_int_equal(our_info(&peer).timeouts, 1);
    peer_stop(&peer);
}

/* 7.4.2: the probe has repaired a loss, so the window is reduced */
static void loss_that_a_probe_repaired_reduces_the_window(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 5);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    assert_true(peer_hears(&peer));
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(5), NULL);
    we_send(&peer, MSS, 0);
    peer_hears_all(&peer);
    assert_true(our_info(&peer).cwnd_bytes >= cwnd);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(6), NULL);
    assert_true(our_info(&peer).cwnd_bytes < cwnd);
    peer_stop(&peer);
}

/* 7.4.2: both copies have arrived */
static void duplicate_of_the_probe_is_no_loss(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 5);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    assert_true(peer_hears(&peer));
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    const uint32_t duplicate[] = {SEGMENT(4), SEGMENT(5)};
    peer_say(&peer, TCP_ACK, 1, SEGMENT(5), NULL);
    peer_sack(&peer, SEGMENT(5), duplicate, 1);
    we_send(&peer, MSS, 0);
    peer_hears_all(&peer);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(6), NULL);
    assert_true(our_info(&peer).cwnd_bytes >= cwnd);
    peer_stop(&peer);
}

/* The probe's answer may be that of the original, by the measure of the shortest round trip; what
 * was sent before both is lost all the same. */
static void two_lost_at_the_tail_need_no_timeout_when_the_probe_is_answered_early(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 7);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(5), NULL);
    peer_wait_us(&peer, 2 * RTT_US + 2000);
    expect_segment(&peer, TCP_ACK | TCP_PSH, SEGMENT(6), 1, MSS);
    peer_wait_us(&peer, RTT_US - 1000);
    peer_sacks(&peer, 5, 6, 7);
    expect_segment(&peer, TCP_ACK, SEGMENT(5), 1, MSS);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(7), NULL);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* What was sent again before the probe may be younger than what has arrived. */
static void early_answer_to_a_probe_says_nothing_of_what_was_sent_again(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 7);
    peer_wait_us(&peer, RTT_US);
    peer_sacks(&peer, 5, 6, 7); /* 5 is lost, and goes again */
    peer_wait_us(&peer, RTT_US / 4);
    expect_segment(&peer, TCP_ACK, SEGMENT(5), 1, MSS);
    peer_wait_us(&peer, RTT_US / 2);
    peer_sacks(&peer, 5, 6, 7);
    expect_silence(&peer);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_is_lost_a_quarter_round_trip_after_one_sent_later_has_arrived),
        cmocka_unit_test(segment_that_comes_within_the_window_is_not_sent_again),
        cmocka_unit_test(path_that_reorders_is_given_time_whatever_has_overtaken),
        cmocka_unit_test(window_grows_with_a_duplicate_told_in_a_round_trip),
        cmocka_unit_test(lost_tail_is_probed_after_two_round_trips),
        cmocka_unit_test(probe_is_new_data_when_there_are_some),
        cmocka_unit_test(two_lost_at_the_tail_need_no_timeout_when_the_probe_is_answered_early),
        cmocka_unit_test(early_answer_to_a_probe_says_nothing_of_what_was_sent_again),
        cmocka_unit_test(second_silence_is_a_timeout),
        cmocka_unit_test(loss_that_a_probe_repaired_reduces_the_window),
        cmocka_unit_test(duplicate_of_the_probe_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
