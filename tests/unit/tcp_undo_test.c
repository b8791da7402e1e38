/* Reductions of the window that were a mistake are taken back. */
#include "tests/unit/flying.h"

/* Ten segments, and a timeout although none is lost: the path was only slow. */
static void start_delayed(struct peer *peer, const struct offer *offer)
{
    start_flying(peer, offer, 30);
    we_set(peer, DAYTONA_OPTION_TAIL_PROBES, 0);
    peer_wait_us(peer, 300000);
    assert_true(peer_hears_all(peer) >= 1);
    assert_true(our_info(peer).in_loss);
    assert_int_equal(our_info(peer).timeouts, 1);
}

/* RFC 3522 3.2, RFC 4015 */
static void late_timestamp_takes_a_timeout_back(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_all, 10);
    we_set(&peer, DAYTONA_OPTION_TAIL_PROBES, 0);
    uint32_t cwnd = our_info(&peer).cwnd_bytes, echo = peer.timestamp_echo;
    peer_wait_us(&peer, 300000);
    assert_true(peer_hears(&peer));
    assert_int_equal(our_info(&peer).cwnd_bytes, MSS);
    peer.timestamp_echo = echo; /* the original has arrived */
    peer_say(&peer, TCP_ACK, 1, SEGMENT(1), NULL);
    assert_false(our_info(&peer).in_loss);
    assert_true(our_info(&peer).cwnd_bytes >= cwnd);
    assert_int_equal(our_info(&peer).ssthresh_bytes, UINT32_MAX);
    assert_int_equal(our_info(&peer).undos, 1);
    assert_int_equal(our_info(&peer).lost_bytes, 0);
    assert_string_equal(peer.last[DAYTONA_EVENT_UNDO].reason, "timestamp");
    expect_silence(&peer); /* nothing more is sent again */
    peer_stop(&peer);
}

/* The retransmission's own timestamp: the loss was real */
static void own_timestamp_of_the_retransmission_takes_nothing_back(void **state)
{
    (void)state;
    struct peer peer;
    start_delayed(&peer, &offer_all);
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, SEGMENT(1), NULL);
    assert_true(our_info(&peer).in_loss);
    assert_int_equal(our_info(&peer).undos, 0);
    peer_stop(&peer);
}

/* RFC 5682 3.1 step 2b: the first ACK lets new data go, and nothing is sent again; step 3b: the
 * second one acknowledges what was never sent again */
static void second_ack_for_originals_takes_a_timeout_back(void **state)
{
    (void)state;
    struct peer peer;
    start_delayed(&peer, &offer_no_time);
    const uint32_t mss = 1460;
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, 1 + mss, NULL);
    expect_segment(&peer, TCP_ACK, 1 + 10 * mss, 1, mss);
    expect_segment(&peer, TCP_ACK, 1 + 11 * mss, 1, mss);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 2 * mss, NULL);
    assert_false(our_info(&peer).in_loss);
    assert_string_equal(peer.last[DAYTONA_EVENT_UNDO].reason, "F-RTO");
    assert_true(our_info(&peer).cwnd_bytes >= 10 * mss);
    peer_stop(&peer);
}

/* RFC 5682 3.1 step 3a */
static void duplicate_instead_of_the_second_ack_confirms_the_timeout(void **state)
{
    (void)state;
    struct peer peer;
    start_delayed(&peer, &offer_no_time);
    const uint32_t mss = 1460;
    peer_wait_us(&peer, RTT_US);
    peer_say(&peer, TCP_ACK, 1, 1 + mss, NULL);
    assert_int_equal(peer_hears_all(&peer), 2);
    const uint32_t block[] = {1 + 10 * mss, 1 + 11 * mss};
    peer_sack(&peer, 1 + mss, block, 1);
    assert_true(our_info(&peer).in_loss);
    expect_segment(&peer, TCP_ACK, 1 + mss, 1, mss); /* conventional recovery */
    assert_int_equal(our_info(&peer).undos, 0);
    peer_stop(&peer);
}

/* RFC 3708: all that was sent again has arrived twice */
static void duplicates_of_all_retransmissions_take_a_recovery_back(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_no_time, 10);
    const uint32_t mss = 1460;
    uint32_t cwnd = our_info(&peer).cwnd_bytes;
    peer_wait_us(&peer, RTT_US);
    const uint32_t block[] = {1 + mss, 1 + 6 * mss};
    peer_sack(&peer, 1, block, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, mss);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * mss, NULL);
    assert_false(our_info(&peer).in_recovery);
    assert_true(our_info(&peer).cwnd_bytes < cwnd);
    peer_wait_us(&peer, RTT_US);
    const uint32_t duplicate[] = {1, 1 + mss};
    peer_sack(&peer, 1 + 10 * mss, duplicate, 1);
    assert_true(our_info(&peer).cwnd_bytes >= cwnd);
    assert_string_equal(peer.last[DAYTONA_EVENT_UNDO].reason, "DSACK");
    peer_stop(&peer);
}

/* The first of two retransmissions told of is not enough */
static void duplicate_of_one_retransmission_of_two_takes_nothing_back(void **state)
{
    (void)state;
    struct peer peer;
    start_flying(&peer, &offer_no_time, 10);
    const uint32_t mss = 1460;
    peer_wait_us(&peer, RTT_US);
    const uint32_t block[] = {1 + 2 * mss, 1 + 9 * mss};
    peer_sack(&peer, 1, block, 1);
    assert_int_equal(peer_hears_all(&peer), 2);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * mss, NULL);
    const uint32_t duplicate[] = {1, 1 + mss};
    peer_sack(&peer, 1 + 10 * mss, duplicate, 1);
    assert_int_equal(our_info(&peer).undos, 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_timestamp_takes_a_timeout_back),
        cmocka_unit_test(own_timestamp_of_the_retransmission_takes_nothing_back),
        cmocka_unit_test(second_ack_for_originals_takes_a_timeout_back),
        cmocka_unit_test(duplicate_instead_of_the_second_ack_confirms_the_timeout),
        cmocka_unit_test(duplicates_of_all_retransmissions_take_a_recovery_back),
        cmocka_unit_test(duplicate_of_one_retransmission_of_two_takes_nothing_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
