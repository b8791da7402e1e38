/* Loss: RFC 6298 timeouts, RFC 6675 and RFC 6582 recovery, limited transmit, giving up. */
#include "tests/unit/peer.h"
#include <errno.h>

#define MSS 1448u

/* Established, `segments` full segments sent and heard. RTT 20 ms. `detection`: LOSS_DETECTION. */
static void start_detecting(struct peer *peer, const struct offer *offer, unsigned segments,
                            int64_t detection)
{
    /* Timeouts are losses here, no black holes. */
    struct daytona_stack_config config = {.owns_every_port = true,
                                          .mtu_probing = DAYTONA_MTU_PROBING_OFF};
    peer_start(peer, &config);
    struct daytona_socket_id listener = peer_listener(peer, OUR_PORT, 5);
    assert_int_equal(daytona_stack_set_option(peer->stack, peer->now, listener,
                                              DAYTONA_OPTION_LOSS_DETECTION, detection),
                     0);
    peer_syn(peer, offer);
    expect_segment(peer, TCP_SYN | TCP_ACK, 0, 1, 0);
    peer_wait_us(peer, 20000);
    peer_say(peer, TCP_ACK, 1, 1, NULL);
    assert_int_equal(daytona_stack_accept(peer->stack, listener, &peer->id), 0);
    we_send(peer, segments * our_info(peer).send_mss, 0);
    assert_int_equal(peer_hears_all(peer), segments < 10 ? segments : 10);
}

static void start_sent(struct peer *peer, const struct offer *offer, unsigned segments)
{
    start_detecting(peer, offer, segments, 0);
}

/* RFC 6298 2.2, Linux's bound */
static void first_timeout_is_the_round_trip_plus_200_ms(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 1);
    assert_int_equal(our_info(&peer).srtt_us, 20000);
    assert_int_equal(our_info(&peer).rto_us, 220000);
    peer_wait_us(&peer, 219999);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK | TCP_PSH, 1, 1, MSS);
    peer_stop(&peer);
}

/* RFC 6298 5.5, 5.6; RFC 5681 3.1 */
static void timeouts_double_and_the_window_falls_to_one_segment(void **state)
{
    (void)state;
    struct peer peer;
    start_detecting(&peer, &offer_all, 10, 1); /* without tail loss probes */
    uint64_t rto_us = 220000;
    for (unsigned i = 0; i < 5; i++, rto_us *= 2) {
        peer_wait_us(&peer, rto_us - 1);
        expect_silence(&peer);
        peer_wait_us(&peer, 1);
        expect_segment(&peer, TCP_ACK, 1, 1, MSS);
        expect_silence(&peer);
        assert_int_equal(our_info(&peer).backoff, i + 1);
        assert_int_equal(our_info(&peer).cwnd_bytes, MSS);
    }
    assert_true(our_info(&peer).in_loss);
    assert_true(our_info(&peer).ssthresh_bytes <= 7 * MSS);
    peer_say(&peer, TCP_ACK, 1, 1 + MSS, NULL);
    expect_segment(&peer, TCP_ACK, 1 + MSS, 1, MSS); /* slow start over what was lost */
    expect_segment(&peer, TCP_ACK, 1 + 2 * MSS, 1, MSS);
    expect_silence(&peer);
    assert_int_equal(our_info(&peer).backoff, 0);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * MSS, NULL);
    assert_false(our_info(&peer).in_loss);
    peer_stop(&peer);
}

/* RFC 6298 3 (Karn) */
static void retransmitted_segment_gives_no_sample_without_timestamps(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_no_time, 1);
    uint32_t before = our_info(&peer).srtt_us;
    peer_wait_us(&peer, 220000);
    assert_true(peer_hears(&peer));
    peer_wait_us(&peer, 300000);
    peer_say(&peer, TCP_ACK, 1, 1461, NULL);
    assert_int_equal(our_info(&peer).srtt_us, before);
    peer_stop(&peer);
}

/* RFC 7323 4: with timestamps it does */
static void timestamp_echo_measures_a_retransmitted_segment(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 1);
    unsigned before = peer.events[DAYTONA_EVENT_RTT_SAMPLE];
    peer_wait_us(&peer, 220000);
    assert_true(peer_hears(&peer));
    peer_wait_us(&peer, 30000);
    peer_say(&peer, TCP_ACK, 1, 1 + MSS, NULL);
    assert_int_equal(peer.events[DAYTONA_EVENT_RTT_SAMPLE], before + 1);
    assert_int_equal(peer.last[DAYTONA_EVENT_RTT_SAMPLE].a, 30000);
    peer_stop(&peer);
}

/* Linux tcp_retries2 = 15: 924.6 s of an RTO of 200 ms */
static void unacknowledged_data_end_the_connection_after_15_minutes(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 1);
    uint64_t from = peer.now.ns;
    unsigned tries = 0;
    while (our_state(&peer) == DAYTONA_TCP_ESTABLISHED) {
        peer_wait_deadline(&peer);
        while (peer_hears(&peer))
            tries += peer.heard.length > 0;
    }
    assert_in_range((peer.now.ns - from) / 1000000000, 924, 1044);
    assert_in_range(tries, 14, 16);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    peer_stop(&peer);
}

/* TCP_USER_TIMEOUT, RFC 5482 */
static void user_timeout_ends_the_connection_sooner(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 1);
    we_set(&peer, DAYTONA_OPTION_USER_TIMEOUT_US, 3000000);
    uint64_t from = peer.now.ns;
    while (our_state(&peer) == DAYTONA_TCP_ESTABLISHED) {
        peer_wait_deadline(&peer);
        peer_hears_all(&peer);
    }
    assert_in_range((peer.now.ns - from) / 1000000, 3000, 7100);
    assert_int_equal(daytona_stack_take_error(peer.stack, peer.id), ETIMEDOUT);
    peer_stop(&peer);
}

/* RFC 6675 5, RFC 8985 6.2: the third SACKed segment starts recovery; the hole goes out first */
static void three_sacked_segments_start_fast_retransmit(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 10);
    peer_wait_us(&peer, 20000);
    uint32_t block[] = {1 + MSS, 1 + 2 * MSS};
    for (unsigned i = 0; i < 2; i++, block[1] += MSS) {
        peer_sack(&peer, 1, block, 1);
        expect_silence(&peer); /* limited transmit has no new data */
        assert_false(our_info(&peer).in_recovery);
    }
    peer_sack(&peer, 1, block, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    assert_true(our_info(&peer).in_recovery);
    assert_int_equal(peer.events[DAYTONA_EVENT_RECOVERY_ENTER], 1);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * MSS, NULL);
    assert_false(our_info(&peer).in_recovery);
    assert_int_equal(peer.events[DAYTONA_EVENT_RECOVERY_EXIT], 1);
    assert_int_equal(our_info(&peer).fast_retransmits, 1);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* RFC 6675 4 IsLost, 5.1 NextSeg rule 1: only the holes, in order, as pipe allows */
static void only_the_holes_are_sent_again(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 10);
    /* Segments 0 and 2 are lost. */
    const uint32_t blocks[] = {1 + 3 * MSS, 1 + 10 * MSS, 1 + MSS, 1 + 2 * MSS};
    peer_sack(&peer, 1, blocks, 2);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    expect_segment(&peer, TCP_ACK, 1 + 2 * MSS, 1, MSS);
    expect_silence(&peer);
    struct daytona_connection_info info = our_info(&peer);
    assert_int_equal(info.sacked_bytes, 8 * MSS);
    assert_int_equal(info.lost_bytes, 2 * MSS);
    assert_int_equal(info.retransmitted_out_bytes, 2 * MSS);
    peer_stop(&peer);
}

/* RFC 6675 5.1 NextSeg rule 2 */
static void recovery_sends_new_data_when_all_holes_are_sent(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 30);
    const uint32_t block[] = {1 + MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    expect_segment(&peer, TCP_ACK, 1 + 10 * MSS, 1, MSS);
    peer_stop(&peer);
}

/* RFC 6675 5.1 NextSeg rule 4 */
static void rescue_retransmission_sends_the_last_segment_once(void **state)
{
    (void)state;
    struct peer peer;
    start_detecting(&peer, &offer_all, 10, 1);
    const uint32_t block[] = {1 + 5 * MSS, 1 + 9 * MSS}; /* the tail is lost too */
    peer_sack(&peer, 1, block, 1);
    uint32_t last = 0, count = 0;
    while (peer_hears(&peer)) {
        last = peer.heard.seq;
        count++;
    }
    peer_say(&peer, TCP_ACK, 1, 1 + 3 * MSS, NULL);
    while (peer_hears(&peer)) {
        last = peer.heard.seq;
        count++;
    }
    assert_int_equal(last, 1 + 9 * MSS);
    assert_in_range(count, 5, 6);
    peer_stop(&peer);
}

/* Beyond RFC 6675: later data were SACKed, so the retransmission is lost, too */
static void lost_retransmission_is_repeated_without_a_timeout(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 40);
    uint32_t block[] = {1 + MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    expect_segment(&peer, TCP_ACK, 1, 1, MSS);
    unsigned repeated = 0;
    for (unsigned i = 0; i < 6; i++) {
        peer_wait_us(&peer, 20000);
        while (peer_hears(&peer)) {
            if (peer.heard.seq == 1)
                repeated++;
            else
                block[1] = peer.heard.seq + (uint32_t)peer.heard.length;
        }
        peer_sack(&peer, 1, block, 1);
    }
    assert_in_range(repeated, 2, 6); /* once in a round trip at most */
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* RFC 6937: the window falls in step with what is delivered, no burst of retransmissions */
static void recovery_sends_no_faster_than_the_network_delivers(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 40);
    const uint32_t blocks[] = {1 + 7 * MSS, 1 + 10 * MSS}; /* seven of ten are lost */
    peer_sack(&peer, 1, blocks, 1);
    assert_in_range(peer_hears_all(&peer), 1, 4);
    peer_stop(&peer);
}

/* RFC 2018 8: reneging shows when the first block touches what is not acknowledged */
static void peer_that_renounces_sacked_data_gets_them_again(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 4);
    const uint32_t block[] = {1 + MSS, 1 + 4 * MSS};
    peer_sack(&peer, 1, block, 1);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + MSS, NULL); /* the block begins there: it was thrown away */
    peer_wait_deadline(&peer);
    expect_segment(&peer, TCP_ACK, 1 + MSS, 1, MSS);
    peer_say(&peer, TCP_ACK, 1, 1 + 2 * MSS, NULL);
    expect_segment(&peer, TCP_ACK, 1 + 2 * MSS, 1, MSS);
    peer_stop(&peer);
}

/* RFC 2018 section 8: found out after half a round trip, not after an RTO */
static void renounced_data_go_again_after_half_a_round_trip(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 10);
    const uint32_t block[] = {1 + 5 * MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 5 * MSS, NULL);
    peer_wait_us(&peer, 9999);
    expect_silence(&peer);
    peer_wait_us(&peer, 1);
    expect_segment(&peer, TCP_ACK, 1 + 5 * MSS, 1, MSS);
    assert_int_equal(daytona_stack_counters(peer.stack)->sacks_renounced, 1);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * MSS, NULL);
    peer_stop(&peer);
}

/* What a peer SACKs again after it has renounced it counts again. */
static void block_that_was_renounced_is_believed_when_it_comes_again(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 10);
    const uint32_t block[] = {1 + 5 * MSS, 1 + 10 * MSS}, again[] = {1 + 7 * MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 5 * MSS, NULL);
    peer_wait_us(&peer, 10000);
    expect_segment(&peer, TCP_ACK, 1 + 5 * MSS, 1, MSS);
    assert_int_equal(our_info(&peer).sacked_bytes, 0);
    peer_sack(&peer, 1 + 6 * MSS, again, 1);
    assert_int_equal(our_info(&peer).sacked_bytes, 3 * MSS);
    peer_stop(&peer);
}

/* The ACK that moved una was only the first of two. */
static void later_ack_clears_the_peer_of_renouncing(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 10);
    const uint32_t block[] = {1 + 5 * MSS, 1 + 10 * MSS};
    peer_sack(&peer, 1, block, 1);
    peer_hears_all(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 5 * MSS, NULL);
    peer_wait_us(&peer, 5000);
    peer_say(&peer, TCP_ACK, 1, 1 + 10 * MSS, NULL);
    peer_wait_us(&peer, 1000000);
    expect_silence(&peer);
    assert_int_equal(daytona_stack_counters(peer.stack)->sacks_renounced, 0);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* RFC 3042, RFC 6582 */
static void without_sack_two_duplicates_send_new_data_and_the_third_retransmits(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_plain, 14);
    const uint32_t mss = 1460;
    for (uint32_t i = 0; i < 2; i++) {
        peer_say(&peer, TCP_ACK, 1, 1, NULL);
        expect_segment(&peer, TCP_ACK, 1 + (10 + i) * mss, 1, mss);
        expect_silence(&peer);
    }
    peer_say(&peer, TCP_ACK, 1, 1, NULL);
    expect_segment(&peer, TCP_ACK, 1, 1, mss);
    expect_silence(&peer);
    peer_say(&peer, TCP_ACK, 1, 1 + 4 * mss, NULL); /* a partial ACK: the next hole */
    expect_segment(&peer, TCP_ACK, 1 + 4 * mss, 1, mss);
    peer_hears_all(&peer);
    assert_true(our_info(&peer).in_recovery);
    peer_say(&peer, TCP_ACK, 1, 1 + 12 * mss, NULL);
    assert_false(our_info(&peer).in_recovery);
    assert_int_equal(our_info(&peer).timeouts, 0);
    peer_stop(&peer);
}

/* RFC 6582 3.2 step 2 */
static void duplicates_after_a_timeout_do_not_start_fast_retransmit(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_plain, 10);
    peer_wait_us(&peer, 220000);
    expect_segment(&peer, TCP_ACK, 1, 1, 1460);
    peer_say(&peer, TCP_ACK, 1, 1 + 2920, NULL);
    peer_hears_all(&peer);
    for (unsigned i = 0; i < 5; i++)
        peer_say(&peer, TCP_ACK, 1, 1 + 2920, NULL);
    assert_int_equal(our_info(&peer).fast_retransmits, 0);
    peer_stop(&peer);
}

/* RFC 5681 2: an ACK with text or another window is no duplicate */
static void segments_with_text_are_no_duplicate_acks(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_plain, 10);
    for (uint32_t i = 0; i < 5; i++)
        peer_say(&peer, TCP_ACK, 1 + i, 1, "x");
    assert_int_equal(our_info(&peer).duplicate_acks_in, 0);
    for (uint16_t i = 1; i <= 5; i++) {
        peer.window = (uint16_t)(60000 + i);
        peer_say(&peer, TCP_ACK, 6, 1, NULL);
    }
    assert_int_equal(our_info(&peer).duplicate_acks_in, 0);
    peer_stop(&peer);
}

/* RFC 9293 3.10.4: what is lost at the end comes again with its FIN */
static void lost_fin_is_sent_again(void **state)
{
    (void)state;
    struct peer peer;
    start_sent(&peer, &offer_all, 1);
    peer_say(&peer, TCP_ACK, 1, 1 + MSS, NULL);
    daytona_stack_close(peer.stack, peer.now, peer.id);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1 + MSS, 1, 0);
    peer_wait_deadline(&peer);
    expect_segment(&peer, TCP_ACK | TCP_FIN, 1 + MSS, 1, 0);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_timeout_is_the_round_trip_plus_200_ms),
        cmocka_unit_test(timeouts_double_and_the_window_falls_to_one_segment),
        cmocka_unit_test(retransmitted_segment_gives_no_sample_without_timestamps),
        cmocka_unit_test(timestamp_echo_measures_a_retransmitted_segment),
        cmocka_unit_test(unacknowledged_data_end_the_connection_after_15_minutes),
        cmocka_unit_test(user_timeout_ends_the_connection_sooner),
        cmocka_unit_test(three_sacked_segments_start_fast_retransmit),
        cmocka_unit_test(only_the_holes_are_sent_again),
        cmocka_unit_test(recovery_sends_new_data_when_all_holes_are_sent),
        cmocka_unit_test(rescue_retransmission_sends_the_last_segment_once),
        cmocka_unit_test(lost_retransmission_is_repeated_without_a_timeout),
        cmocka_unit_test(recovery_sends_no_faster_than_the_network_delivers),
        cmocka_unit_test(peer_that_renounces_sacked_data_gets_them_again),
        cmocka_unit_test(renounced_data_go_again_after_half_a_round_trip),
        cmocka_unit_test(block_that_was_renounced_is_believed_when_it_comes_again),
        cmocka_unit_test(later_ack_clears_the_peer_of_renouncing),
        cmocka_unit_test(without_sack_two_duplicates_send_new_data_and_the_third_retransmits),
        cmocka_unit_test(duplicates_after_a_timeout_do_not_start_fast_retransmit),
        cmocka_unit_test(segments_with_text_are_no_duplicate_acks),
        cmocka_unit_test(lost_fin_is_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
